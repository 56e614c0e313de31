//! What gateway and worker say to each other.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::alphabet::DefaultAlphabet;
use crate::domain::message_id::MessageIdFormat;

/// Version of the protocol; gateway and worker of different versions refuse each other by name.
pub const PROTOCOL: u16 = 6;

/// From the worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromWorker {
    /// First frame.
    Hello {
        /// [`PROTOCOL`].
        protocol: u16,
    },
    /// Begin sending this run's records with a sequence above `after`, whatever was sent before. Sent
    /// once, after `Welcome`; for another run, or to rewind, the worker connects anew. It says as well that
    /// PostgreSQL has all records of earlier runs, and of this one up to `after`, and none behind it for sure.
    Read {
        /// The run.
        run: Uuid,
        /// Sequence to begin after.
        after: u64,
    },
    /// The gateway may send records worth this many more bytes (of their encoded form). It stops
    /// when what it sent reaches what was granted; one record may overshoot.
    Credit {
        /// Bytes more.
        bytes: u32,
    },
    /// All records up to here are committed in PostgreSQL.
    Committed {
        /// Greatest sequence below which nothing is missing.
        through: u64,
    },
    /// Send this text by `submit_sm`.
    Submit(Submit),
}

/// From the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromGateway {
    /// Answer to `Hello`.
    Welcome {
        /// [`PROTOCOL`].
        protocol: u16,
        /// Runs of the spool in their order; the live one is the last, unless there are more runs than
        /// [`crate::limits::SPOOL_RUNS_MAX`].
        runs: Vec<Run>,
        /// The run that takes new records.
        live: Uuid,
        /// Name of the host, for people.
        host: String,
    },
    /// Records in ascending sequence.
    Records(Vec<Record>),
    /// The submit queue had no place for it; it was not sent. Ask again later.
    Busy {
        /// The refused submit.
        id: Uuid,
        /// Its attempt.
        attempt: u16,
    },
    /// A link's state changed (also sent for each link after `Welcome`).
    Link {
        /// Name of the link.
        link: String,
        /// Its group.
        group: String,
        /// Is it bound?
        bound: bool,
        /// How its SMSC writes a text's id in responses and receipts.
        ids: MessageIdFormat,
    },
    /// The connection is refused; the text says why.
    Refused(String),
    /// All records of the run that is read were sent, and it will have no more.
    RunEnd,
    /// Which of our responses the SMSC is known to have (also sent for each link after `Welcome`).
    Confirmed {
        /// Name of the link.
        link: String,
        /// What is known.
        known: Responses,
    },
    /// How the gateway fares, each few seconds, for the operators' page.
    Status(Box<Status>),
}

/// Which of our responses to what came by a link its SMSC is known to have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Responses {
    /// Those to all records up to here; 0: to none of this run.
    pub through: u64,
    /// But perhaps not to these: their session ended before that was known, and they were not delivered again.
    pub unanswered: Vec<u64>,
}

/// How a gateway fares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Name of the host.
    pub host: String,
    /// The program's version.
    pub version: String,
    /// Links, in the configuration's order.
    pub links: Vec<LinkStatus>,
    /// Greatest sequence on disk.
    pub newest: u64,
    /// Greatest sequence below which PostgreSQL has all.
    pub committed: u64,
    /// Smallest sequence kept; 0: none.
    pub oldest: u64,
    /// The disk fails.
    pub failing: bool,
    /// The spool has reached its size.
    pub full: bool,
    /// The spool's file must be mended by a new start.
    pub damaged: bool,
    /// The rest.
    pub vitals: Vitals,
}

/// One link.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkStatus {
    /// Name of the link.
    pub link: String,
    /// Its group.
    pub group: String,
    /// Is it bound?
    pub bound: bool,
}

/// Figures of the gateway's process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vitals {
    /// Seconds since it started.
    pub up_seconds: u64,
    /// Replies that wait for a link.
    pub submits_waiting: u64,
    /// Bytes of the spool's folder.
    pub spool_bytes: u64,
    /// Bytes that it may have.
    pub spool_bytes_max: u64,
    /// Memory in use that cannot be dropped, bytes.
    pub memory_bytes: u64,
    /// Its cap, bytes.
    pub memory_cap_bytes: u64,
}

/// One opening of a spool: the first half of its records' keys. A spool that was restored, copied or made
/// anew goes on in a run of its own, so that no key is given to two records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Made when the spool was opened.
    pub uuid: Uuid,
    /// Sequences of the run are greater than this one.
    pub begins_after: u64,
    /// Smallest sequence still kept (0: none).
    pub oldest: u64,
    /// Greatest sequence so far (0: none).
    pub newest: u64,
}

/// One record of the spool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its sequence.
    pub sequence: u64,
    /// Microseconds since the Unix epoch at which it was taken.
    pub received_us: i64,
    /// Name of the link it came by.
    pub link: String,
    /// Group of the link.
    pub group: String,
    /// What it is.
    pub body: Body,
}

/// What a record is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// A message from a phone.
    Message(Mobile),
    /// A delivery receipt, told by `esm_class`.
    Receipt(Mobile),
    /// What a submit came to.
    SubmitResult(SubmitResult),
    /// A `deliver_sm` or `data_sm` whose body could not be decoded, whole, with its header.
    Undecodable {
        /// The PDU.
        pdu: Vec<u8>,
        /// What is wrong with it.
        error: String,
    },
    /// The SMSC delivered an earlier record again, as it had seen no response to it.
    Redelivery {
        /// Run of the record that it repeats: this one or an earlier one.
        run: Uuid,
        /// Its sequence.
        of: u64,
    },
    /// A record that the gateway's disk changed or lost: nobody knows what it said.
    Corrupt {
        /// What is left of it.
        raw: Vec<u8>,
        /// What is wrong with it, and where its spool's file is kept.
        error: String,
    },
    /// What a submit came to that was, or may have been, written to the wire. [`Body::SubmitResult`] is of one
    /// that was not, or whose text is not known: of a spool of an earlier version.
    Written {
        /// What it came to.
        result: SubmitResult,
        /// The text as it went, which the database may have decided otherwise since, after it lost commits.
        text: String,
    },
}

impl Body {
    /// What a submit came to, with the text as it went, where that is known.
    pub fn result(&self) -> Option<(&SubmitResult, Option<&str>)> {
        match self {
            Self::SubmitResult(result) => Some((result, None)),
            Self::Written { result, text } => Some((result, Some(text))),
            _ => None,
        }
    }
}

/// A `deliver_sm` (or `data_sm`) as it came, raw.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Mobile {
    /// Address of the phone.
    pub source: String,
    /// Type of number of the source.
    pub source_ton: u8,
    /// Numbering plan of the source.
    pub source_npi: u8,
    /// Our number.
    pub destination: String,
    /// `esm_class`.
    pub esm_class: u8,
    /// `data_coding`.
    pub data_coding: u8,
    /// What `data_coding` 0 means on this link: `gsm7`, `latin1`, `ascii` or `utf8`.
    pub default_alphabet: DefaultAlphabet,
    /// `short_message`, with its user data header when `esm_class` says so.
    pub short_message: Vec<u8>,
    /// TLV `message_payload`, where there is one.
    pub payload: Option<Vec<u8>>,
    /// TLVs `sar_msg_ref_num`, `sar_total_segments`, `sar_segment_seqnum`, where all three are there.
    pub sar: Option<(u16, u8, u8)>,
    /// TLV `receipted_message_id`, without its NUL.
    pub receipted_message_id: Option<String>,
    /// TLV `message_state`.
    pub message_state: Option<u8>,
}

/// A text to send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submit {
    /// The outbox row. With `attempt` it is sent to the wire at most once, whatever is asked twice.
    pub id: Uuid,
    /// 1, or 2 when the outcome of the first is unknown.
    pub attempt: u16,
    /// Group of links to send by: the one the report came on. Empty: by the number's prefix.
    pub group: String,
    /// The link that the report came on: it is preferred while it is bound.
    pub link: Option<String>,
    /// A text to many, which waits behind replies.
    pub bulk: bool,
    /// Our number.
    pub source: String,
    /// The phone.
    pub destination: String,
    /// The text; the gateway chooses the alphabet and splits it.
    pub text: String,
    /// Past this time (microseconds since the epoch) it is not sent any more.
    pub expires_us: i64,
    /// Ask for a delivery receipt?
    pub receipt: bool,
}

/// The link that a bind is one of, by the name under which records of that bind stand: further binds of a link
/// have `#` and more after it. `None` where no name is known.
pub fn link_of(bind: &str) -> Option<String> {
    bind.split('#').next().filter(|link| !link.is_empty()).map(str::to_owned)
}

/// What a submit came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmitResult {
    /// The outbox row.
    pub id: Uuid,
    /// Which attempt.
    pub attempt: u16,
    /// What happened.
    pub outcome: SubmitOutcome,
}

/// What happened to a submit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SubmitOutcome {
    /// Every segment was accepted; the SMSC's message ids, in order.
    Accepted {
        /// `message_id` of each segment.
        message_ids: Vec<String>,
    },
    /// The SMSC refused it for good.
    Refused {
        /// `command_status`.
        status: u32,
    },
    /// It was never written to the wire: the link went, or it expired. Sending again is safe.
    NotSent {
        /// Why.
        reason: NotSent,
    },
    /// It was (or may have been) written, and no response came: sent or not, nobody knows.
    Unknown,
    /// It was taken before, with this text and not the one asked for now: the database lost its last commits,
    /// and the reply was decided anew. What came of it stands in a record of its own.
    Otherwise {
        /// The text as it went.
        text: String,
    },
}

/// Why a submit was never written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum NotSent {
    /// No link of the group came back in time.
    NoLink,
    /// `expires_us` passed.
    Expired,
    /// The gateway is stopping.
    Stopping,
    /// The text cannot be sent: too long, or no such group.
    Impossible,
}
