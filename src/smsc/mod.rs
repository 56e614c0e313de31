//! A simulated SMSC for demo, rehearsal and measurement: it listens, lets a gateway bind, delivers
//! texts, takes the replies, and keeps account of what was acknowledged, answered, lost or doubled.
//!
//! One task serves the one session with one read and one write for many PDUs; memory is bounded by
//! the window, the receipts under way and a few bytes for each phone that is texting.

mod dialog;
mod histogram;
mod ledger;
mod report;
mod run;
mod submits;

pub use histogram::Histogram;
pub use report::Report;
pub use run::{RunError, run};

use std::time::Duration;

/// A text that a phone sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// When it is due, counted from the first bind.
    pub due: Duration,
    /// The phone, digits of the international form.
    pub phone: u64,
    /// The text.
    pub text: String,
    /// Is a reply due?
    pub answered: bool,
}

/// How the SMSC behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// `system_id` that may bind; any when empty.
    pub system_id: String,
    /// Its password.
    pub password: String,
    /// The number that the phones text to.
    pub shortcode: String,
    /// Unanswered `deliver_sm` at a time, segments and receipts counted.
    pub window: usize,
    /// Send delivery receipts for what asks for them, so long after the submit.
    pub receipts: Option<Duration>,
    /// Refuse `submit_sm` past so many a second with ESME_RTHROTTLED; 0: never.
    pub throttle: u32,
    /// Answer `submit_sm` so much later.
    pub submit_delay: Duration,
    /// Leave every so-manyth `submit_sm` without a response; 0: never.
    pub drop_response_every: u32,
    /// Cut the connection after every so many delivered texts; 0: never.
    pub drop_connection_every: u64,
    /// How long to wait for the first bind, and for a next one after a session ended.
    pub bind_wait: Duration,
    /// How long to wait for acknowledgements and replies after the last sign of any.
    pub wait: Duration,
    /// Keep the session after the last text, until told to stop.
    pub linger: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            system_id: String::new(),
            password: String::new(),
            shortcode: "4040".to_owned(),
            window: 100,
            receipts: None,
            throttle: 0,
            submit_delay: Duration::ZERO,
            drop_response_every: 0,
            drop_connection_every: 0,
            bind_wait: Duration::from_secs(60),
            wait: Duration::from_secs(30),
            linger: false,
        }
    }
}
