//! Replies an hour to one phone: reply loops burn money (SMPP.md, Sessions).
//!
//! Counted by the time of receipt, so that a backlog that drains at once is not mistaken for a loop.
//! A restart begins anew: it can only let a few more replies out.

use std::collections::HashMap;

use crate::limits::REPLY_COUNTS_MAX;

const HOUR_US: i64 = 3_600_000_000;

/// A phone, and what of its replies is counted.
pub type Counted = (i64, u64);

/// Counts of one lane: a phone's messages are all in one.
#[derive(Debug, Default)]
pub struct ReplyLimiter {
    /// When the hour began of a phone and what is counted of it, and replies since.
    counts: HashMap<Counted, (i64, u32)>,
}

impl ReplyLimiter {
    /// Would a reply to this phone stay within `limit`? `pending` are replies of the batch that is not
    /// committed yet.
    pub fn allows(&self, counted: Counted, received_us: i64, limit: u32, pending: u32) -> bool {
        let count = match self.counts.get(&counted) {
            Some(&(since, count)) if received_us.abs_diff(since) < HOUR_US.unsigned_abs() => count,
            _ => 0,
        };
        count.saturating_add(pending) < limit
    }

    /// A reply was stored.
    pub fn count(&mut self, counted: Counted, received_us: i64) {
        if self.counts.len() >= REPLY_COUNTS_MAX && !self.counts.contains_key(&counted) {
            self.counts.retain(|_, (since, _)| received_us.saturating_sub(*since) < HOUR_US);
            if self.counts.len() >= REPLY_COUNTS_MAX {
                self.counts.clear();
            }
        }
        let entry = self.counts.entry(counted).or_insert((received_us, 0));
        if received_us.abs_diff(entry.0) >= HOUR_US.unsigned_abs() {
            *entry = (received_us, 0);
        }
        entry.1 = entry.1.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_is_answered_so_many_times_an_hour_and_again_in_the_next() {
        let mut l = ReplyLimiter::default();
        assert!(l.allows((1, 0), 0, 2, 0));
        l.count((1, 0), 0);
        assert!(l.allows((1, 0), 10, 2, 0));
        assert!(!l.allows((1, 0), 10, 2, 1), "a reply of the same batch counts");
        l.count((1, 0), 20);
        assert!(!l.allows((1, 0), HOUR_US - 1, 2, 0));
        assert!(l.allows((2, 0), HOUR_US - 1, 2, 0));
        assert!(l.allows((1, 0), HOUR_US, 2, 0));
    }

    #[test]
    fn the_memory_of_counts_is_bounded() {
        let mut l = ReplyLimiter::default();
        for phone in 0..(2 * REPLY_COUNTS_MAX as i64 + 5) {
            l.count((phone, 0), phone);
            assert!(l.counts.len() <= REPLY_COUNTS_MAX);
        }
    }
}
