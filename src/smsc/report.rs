//! What a run came to.

use serde::Serialize;

use super::histogram::Histogram;

/// Examples that a report names of each kind of failure.
pub(super) const EXAMPLES_MAX: usize = 20;

/// The account of a run. Times are milliseconds.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// Texts sent.
    pub sent: u64,
    /// `deliver_sm` that carried them, segments counted, redelivered ones not.
    pub segments: u64,
    /// Texts whose every segment was acknowledged.
    pub acknowledged: u64,
    /// `deliver_sm` sent again: after a reconnect, or as the gateway was busy.
    pub redelivered: u64,
    /// `deliver_sm` that the gateway answered with an error status.
    pub refused: u64,
    /// Texts that a reply was due for.
    pub expected_replies: u64,
    /// Texts answered.
    pub answered: u64,
    /// Texts without a reply.
    pub unanswered: u64,
    /// Replies over and above one a text, though the first was confirmed.
    pub answered_twice: u64,
    /// Replies over and above one a text where the gateway could not know that the first arrived.
    pub doubled_in_doubt: u64,
    /// Replies to phones that sent nothing.
    pub unasked: u64,
    /// `submit_sm` taken, segments counted.
    pub submits: u64,
    /// `submit_sm` refused with ESME_RTHROTTLED.
    pub throttled: u64,
    /// `submit_sm` left without a response.
    pub responses_dropped: u64,
    /// Delivery receipts sent and acknowledged.
    pub receipts: u64,
    /// Delivery receipts that found no room to wait in, or were not acknowledged.
    pub receipts_lost: u64,
    /// Sessions.
    pub binds: u64,
    /// Binds refused.
    pub binds_refused: u64,
    /// PDUs that could not be read.
    pub bad_pdus: u64,
    /// From first text to last reply or acknowledgement, seconds.
    pub seconds: f64,
    /// Texts acknowledged and answered, a second.
    pub messages_per_second: f64,
    /// Median time from a text's last segment to its reply.
    pub p50_ms: f64,
    /// Time within which 95% were answered.
    pub p95_ms: f64,
    /// Time within which 99% were answered.
    pub p99_ms: f64,
    /// Time within which 99.9% were answered.
    pub p999_ms: f64,
    /// Longest.
    pub max_ms: f64,
    /// Median time from `deliver_sm` to its response.
    pub ack_p50_ms: f64,
    /// Time within which 99% of `deliver_sm` were acknowledged.
    pub ack_p99_ms: f64,
    /// Phones (last digits) and numbers of texts without reply, some.
    pub unanswered_examples: Vec<String>,
    /// Phones that got more replies than they sent texts, some.
    pub answered_twice_examples: Vec<String>,
    /// Anything was lost or doubled without need.
    pub lost: bool,
}

fn ms(us: u64) -> f64 {
    (us as f64 / 10.0).round() / 100.0
}

impl Report {
    pub(super) fn with_latencies(mut self, replies: &Histogram, acks: &Histogram) -> Self {
        self.p50_ms = ms(replies.quantile(0.50));
        self.p95_ms = ms(replies.quantile(0.95));
        self.p99_ms = ms(replies.quantile(0.99));
        self.p999_ms = ms(replies.quantile(0.999));
        self.max_ms = ms(replies.max());
        self.ack_p50_ms = ms(acks.quantile(0.50));
        self.ack_p99_ms = ms(acks.quantile(0.99));
        self
    }
}

/// The last four digits of a phone.
pub(super) fn mask(phone: u64) -> String {
    format!("…{:04}", phone % 10_000)
}
