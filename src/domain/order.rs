//! The order in which messages were received, which decides whose answer stands.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Where a record lies: the spool that took it and its sequence there. Never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RecordKey {
    /// The UUID made with the spool.
    pub spool: Uuid,
    /// 1, 2, 3 … within the spool; gaps are allowed, reuse is not.
    pub sequence: u64,
}

/// Total order of reports: time of receipt, then spool, then sequence (GRAMMAR, "Order and truth").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OrderKey {
    /// Microseconds since the Unix epoch at which the gateway took the message.
    pub received_us: i64,
    /// The record that carried it.
    pub record: RecordKey,
}

impl std::fmt::Display for RecordKey {
    /// `1f3a09c2:42`: what the logs call a message.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let id = self.spool.as_simple().to_string();
        write!(f, "{}:{}", &id[..8], self.sequence)
    }
}
