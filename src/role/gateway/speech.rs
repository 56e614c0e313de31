//! What is said on the gateway's local socket for its administration: a request is one line of JSON, its
//! answer one line or more, the last of which says that it is the last.

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::smpp::desk::{Desk, Wanted};
use crate::smpp::options::LinkOptions;
use crate::smpp::pace::Pace;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// How the links fare.
    List,
    /// Unbind a link, and leave it so.
    Pause {
        /// Its name.
        link: String,
    },
    /// Bind it again.
    Resume {
        /// Its name.
        link: String,
    },
    /// Submit no more by it, wait for the responses, unbind it, and leave it so.
    Drain {
        /// Its name.
        link: String,
    },
    /// Read the configuration again.
    Reload,
    /// Show what goes over its wire.
    Trace {
        /// Its name.
        link: String,
        /// For how long.
        seconds: u32,
        /// Phone numbers and texts in full: root alone may ask for them.
        #[serde(default)]
        full: bool,
    },
}

/// One line of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// It is done.
    Done,
    /// It can't be done; nothing changed.
    Failed {
        /// Everything that is in the way.
        why: Vec<String>,
        /// Is it the configuration?
        configuration: bool,
    },
    /// To [`Request::List`].
    Links {
        /// Binds, in the configuration's order.
        binds: Vec<BindView>,
    },
    /// To [`Request::Reload`].
    Reloaded(Changes),
    /// To [`Request::Trace`]; many, then [`Answer::Done`].
    Passed(Traced),
}

/// What a reload did. Links are named, not their binds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// New ones.
    pub added: Vec<String>,
    /// Bound anew, as their settings changed.
    pub changed: Vec<String>,
    /// No longer there.
    pub dropped: Vec<String>,
    /// Keys that changed, and take a restart.
    pub restart: Vec<String>,
}

/// One PDU that went by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traced {
    /// When, RFC 3339.
    pub at: String,
    /// By which bind.
    pub bind: String,
    /// `in` or `out`.
    pub direction: String,
    /// Name of the PDU.
    pub pdu: String,
    /// `command_status`.
    pub status: u32,
    /// `sequence_number`.
    pub sequence: u32,
    /// What it says.
    pub says: String,
    /// Its bytes.
    pub hex: String,
    /// PDUs before it that are not shown, as there were too many.
    pub missed: u64,
}

/// How one bind fares.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BindView {
    /// Its link.
    pub link: String,
    /// Its name.
    pub bind: String,
    /// Its group.
    pub group: String,
    /// `transceiver`, `transmitter` or `receiver`.
    pub role: String,
    /// Host and port of the SMSC.
    pub address: String,
    /// Is it TLS?
    pub tls: bool,
    /// `unbound`, `binding`, `bound`, `draining`, `paused`, or `leaving` after a reload.
    pub state: String,
    /// Seconds since then.
    pub state_seconds: f64,
    /// Sessions that were bound since it began.
    pub binds: u64,
    /// Why its last session ended, or could not begin.
    pub last_end: Option<String>,
    /// `system_id` of the SMSC.
    pub peer: String,
    /// Its version of SMPP, where it said one.
    pub peer_version: Option<String>,
    /// Seconds that the last response took.
    pub round_trip_seconds: Option<f64>,
    /// Messages that wait for their acknowledgement, and how many may.
    pub receiving: (usize, usize),
    /// `submit_sm` that wait for their response, and how many may.
    pub submitting: (usize, usize),
    /// Age of the oldest request of ours without a response.
    pub oldest_unanswered_seconds: Option<f64>,
    /// Seconds for which the SMSC's throttling stops its submits yet.
    pub throttled_seconds: Option<f64>,
}

impl BindView {
    pub(super) fn new(
        options: &LinkOptions,
        desk: &Desk,
        leaves: bool,
        pace: Option<&std::sync::Arc<Pace>>,
        now: Instant,
    ) -> Self {
        let view = desk.view();
        let state = match (leaves, desk.wanted(), view.state.word()) {
            (true, ..) => "leaving",
            (_, Wanted::Drain, "bound") => "draining",
            (_, _, state) => state,
        };
        let age = |at: Instant| now.saturating_duration_since(at).as_secs_f64();
        let until = |at: Instant| at.saturating_duration_since(now).as_secs_f64();
        Self {
            link: options.link.clone(),
            bind: options.name.clone(),
            group: options.group.clone(),
            role: options.role.word().to_owned(),
            address: format!("{}:{}", options.host, options.port),
            tls: options.tls.is_some(),
            state: state.to_owned(),
            state_seconds: view.since.map_or(0.0, age),
            binds: view.binds,
            last_end: view.last_end,
            peer: view.peer,
            peer_version: view.peer_version.map(|v| format!("{}.{}", v >> 4, v & 0x0F)),
            round_trip_seconds: view.round_trip.map(|took| took.as_secs_f64()),
            receiving: (view.receiving, options.receive_window),
            submitting: (view.submitting, options.submit_window),
            oldest_unanswered_seconds: view.oldest.map(age),
            throttled_seconds: pace.and_then(|pace| pace.paused_until(now)).map(until),
        }
    }
}
