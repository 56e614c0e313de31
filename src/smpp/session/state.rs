//! What a session holds.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use bytes::BytesMut;
use tokio::time::Instant;

use super::submit::Active;
use crate::handoff::append::{Append, InDoubt, LinkIndex};
use crate::handoff::message::Submit;
use crate::smpp::frame::{BadLength, Frame};
use crate::smpp::link::Link;
use crate::smpp::overload::Ladder;
use crate::smpp::pdu::Pdu;

/// Why a session ended.
#[derive(Debug)]
pub enum End {
    /// We were told to stop.
    Stopped,
    /// The SMSC unbound.
    PeerUnbound,
    /// The SMSC closed the connection.
    Closed,
    /// The connection failed.
    Io(std::io::Error),
    /// The bind was refused with this `command_status`.
    BindRefused(u32),
    /// No response to the bind.
    BindTimeout,
    /// A length that cannot be followed.
    BadLength(BadLength),
    /// A PDU was begun and did not end.
    HalfPdu,
    /// Nothing was heard although asked twice.
    Silent,
    /// The disk or the worker takes nothing: the SMSC had better store.
    Overloaded,
    /// The spool is gone: the process is ending.
    SpoolClosed,
}

impl End {
    /// For people.
    pub fn said(&self) -> String {
        match self {
            Self::Io(error) => error.to_string(),
            Self::BindRefused(status) => format!("bind refused: {:?}", crate::smpp::CommandStatus::from(*status)),
            Self::BadLength(error) => error.to_string(),
            other => other.word().replace('_', " "),
        }
    }

    /// One word for metrics and logs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::PeerUnbound => "peer_unbound",
            Self::Closed => "closed",
            Self::Io(_) => "io",
            Self::BindRefused(_) => "bind_refused",
            Self::BindTimeout => "bind_timeout",
            Self::BadLength(_) => "bad_length",
            Self::HalfPdu => "half_pdu",
            Self::Silent => "silent",
            Self::Overloaded => "overloaded",
            Self::SpoolClosed => "spool_closed",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Binding,
    Bound,
    /// We sent `unbind`.
    Unbinding {
        sequence: u32,
        by: Instant,
    },
    /// The SMSC did; it is answered once all is acknowledged.
    PeerUnbinds {
        sequence: u32,
        by: Instant,
    },
}

/// A message that waits for its acknowledgement.
#[derive(Debug)]
pub(super) struct Received {
    /// Its `sequence_number`.
    pub(super) sequence: u32,
    /// Is it a `data_sm`?
    pub(super) data: bool,
    /// Bytes of the link's share that it holds.
    pub(super) bytes: usize,
    /// When it came.
    pub(super) at: Instant,
    /// The record in doubt that it repeats.
    pub(super) repeats: Option<InDoubt>,
    /// It waited too long, and the SMSC was told to deliver it later.
    pub(super) answered: bool,
    /// What makes two deliveries the same.
    pub(super) key: Option<u128>,
}

/// What the spool was asked for.
#[derive(Debug)]
pub(super) enum Pending {
    Received(Received),
    Intent(Submit),
    /// To put a record with this key in doubt; the key is held until then.
    Doubt(Option<u128>),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Enquiry {
    pub(super) sequence: u32,
    pub(super) at: Instant,
    /// Greatest sequence whose response was written before it.
    pub(super) acked: u64,
}

pub(super) struct Session<'a> {
    pub(super) link: &'a mut Link,
    pub(super) phase: Phase,
    pub(super) begun: Instant,
    /// The time of this turn.
    pub(super) now: Instant,
    /// When anything came last.
    pub(super) heard: Instant,
    pub(super) input: BytesMut,
    pub(super) out: BytesMut,
    /// Since when a PDU lacks its end.
    pub(super) partial_since: Option<Instant>,
    pub(super) next_sequence: u32,
    pub(super) bind_sequence: Option<u32>,
    pub(super) before_bind: Vec<Frame>,
    /// Asked of the spool, not yet in its queue.
    pub(super) backlog: VecDeque<Append>,
    pub(super) pending: HashMap<u64, Pending>,
    /// Tags of messages by time of arrival, for the overload ladder.
    pub(super) by_age: VecDeque<(Instant, u64)>,
    /// Tags of messages that were told to be delivered later, while the spool may store them yet, by key.
    pub(super) answered: BTreeSet<(u128, u64)>,
    /// Messages not yet acknowledged.
    pub(super) received: usize,
    /// Bytes of those that wait for the disk.
    pub(super) waiting_bytes: usize,
    /// Messages that the gateway has no memory for: `sequence_number`, is it a `data_sm`, since when
    /// their answer is held back.
    pub(super) refused: VecDeque<(Instant, u32, bool)>,
    /// Messages that wait until it is known what another session of the group left in doubt, and since when.
    pub(super) parked: VecDeque<(Instant, Frame)>,
    /// Stored, and waiting for the worker's commit (`acknowledge = "committed"`).
    pub(super) uncommitted: VecDeque<(u64, Received)>,
    /// Greatest record whose response was written, all before it too.
    pub(super) acked: u64,
    pub(super) confirmed: u64,
    pub(super) enquiry: Option<Enquiry>,
    pub(super) enquired: Instant,
    pub(super) misses: u32,
    /// It sends, and answers no `enquire_link`.
    pub(super) ignores_enquiries: bool,
    /// When a silence ended, before anything showed that the SMSC is still there.
    pub(super) silence_broken: Option<Instant>,
    pub(super) ladder: Ladder,
    pub(super) stopping: bool,
    pub(super) stop_by: Instant,
    // ---- submits
    pub(super) intents: usize,
    pub(super) active: BTreeMap<u64, Active>,
    /// Segments to write, by age of their submit.
    pub(super) ready: BTreeSet<(u64, usize)>,
    /// Refused for now: when each is tried again.
    pub(super) later: BTreeSet<(Instant, u64, usize)>,
    /// Taken, and not begun when the session ended: for the queue again.
    pub(super) unsent: BTreeMap<u64, Submit>,
    /// Does the queue know that this bind takes submits?
    pub(super) offered: bool,
    /// Written, by `sequence_number`: submit, segment, time.
    pub(super) in_flight: HashMap<u32, (u64, usize, Instant)>,
    pub(super) written: VecDeque<(Instant, u32)>,
    /// Given up, by `sequence_number`: submit and segment. Their responses may still come.
    pub(super) given_up: HashMap<u32, (u64, usize)>,
    /// Submits whose outcome was given up.
    pub(super) late: BTreeMap<u64, Active>,
}

impl<'a> Session<'a> {
    pub(super) fn new(link: &'a mut Link) -> Self {
        let now = Instant::now();
        let ladder = Ladder::new(link.options.withhold);
        Self {
            link,
            phase: Phase::Binding,
            begun: now,
            now,
            heard: now,
            input: BytesMut::new(),
            out: BytesMut::new(),
            partial_since: None,
            next_sequence: 1,
            bind_sequence: Some(1),
            before_bind: Vec::new(),
            backlog: VecDeque::new(),
            pending: HashMap::new(),
            by_age: VecDeque::new(),
            answered: BTreeSet::new(),
            received: 0,
            waiting_bytes: 0,
            refused: VecDeque::new(),
            parked: VecDeque::new(),
            uncommitted: VecDeque::new(),
            acked: 0,
            confirmed: 0,
            enquiry: None,
            enquired: now,
            misses: 0,
            ignores_enquiries: false,
            silence_broken: None,
            ladder,
            stopping: false,
            stop_by: now,
            intents: 0,
            active: BTreeMap::new(),
            ready: BTreeSet::new(),
            later: BTreeSet::new(),
            unsent: BTreeMap::new(),
            offered: false,
            in_flight: HashMap::new(),
            written: VecDeque::new(),
            given_up: HashMap::new(),
            late: BTreeMap::new(),
        }
    }

    /// Writes a request and returns its sequence number; they wrap at 0x7FFFFFFF.
    pub(super) fn request(&mut self, pdu: &Pdu) -> u32 {
        let sequence = self.next_sequence;
        self.next_sequence = if sequence >= 0x7FFF_FFFF { 1 } else { sequence + 1 };
        let begin = self.out.len();
        crate::smpp::encode(&mut self.out, 0, sequence, pdu);
        self.link.sent(self.out.get(begin..).unwrap_or_default());
        sequence
    }

    pub(super) fn respond(&mut self, status: u32, sequence: u32, pdu: &Pdu) {
        let begin = self.out.len();
        crate::smpp::encode(&mut self.out, status, sequence, pdu);
        self.link.sent(self.out.get(begin..).unwrap_or_default());
    }

    /// Says that something was no PDU, or no request that is served.
    pub(super) fn nack(&mut self, status: crate::smpp::CommandStatus, sequence: u32) {
        self.respond(status.into(), sequence, &Pdu::GenericNack);
    }

    /// Is nothing that was taken to be submitted without an answer?
    pub(super) fn is_submit_idle(&self) -> bool {
        self.intents + self.ready.len() + self.later.len() + self.in_flight.len() == 0
    }

    pub(super) fn index(&self) -> LinkIndex {
        self.link.index
    }
}
