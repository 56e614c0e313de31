//! What more fits into a spool: in messages, and in hours of them.

use std::collections::VecDeque;

use crate::limits::{SPOOL_FILLING_PERCENT, SPOOL_LOG_BYTES, SPOOL_STATED_RATE};

/// Bytes that a record takes on disk, where there are too few to tell.
const RECORD_BYTES: u64 = 300;
/// Records from which on their own size is believed.
const RECORDS_MIN: u64 = 1_000;

/// See the module. What PostgreSQL has goes before its time when there is no room, and counts as free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Bytes that may come to be used: the cap, or what the disk has where that is less.
    pub bytes: u64,
    /// Bytes of records that PostgreSQL does not have.
    pub held_bytes: u64,
    /// Messages that fit.
    pub messages: u64,
}

impl Capacity {
    /// Of a spool that uses so many bytes for so many records, on a disk with so much free.
    pub fn new(used: u64, records: u64, uncommitted: u64, bytes_max: u64, disk_free: u64) -> Self {
        let each = match records {
            0 => RECORD_BYTES,
            // The log is there whatever they weigh.
            1..RECORDS_MIN => (used.saturating_sub(SPOOL_LOG_BYTES.into()) / records).max(RECORD_BYTES),
            _ => (used / records).max(1),
        };
        let bytes = bytes_max.min(used.saturating_add(disk_free));
        // Where PostgreSQL has nothing of it, all that is used is held.
        let share = u128::from(used) * u128::from(uncommitted) / u128::from(records.max(1));
        let held_bytes = u64::try_from(share).unwrap_or(u64::MAX);
        Self { bytes, held_bytes, messages: bytes.saturating_sub(held_bytes) / each }
    }

    /// Hours until it is full at so many messages an hour; `None` when there are none.
    pub fn hours(&self, messages_an_hour: u64) -> Option<f64> {
        (messages_an_hour > 0).then(|| self.messages as f64 / messages_an_hour as f64)
    }

    /// Hours at [`SPOOL_STATED_RATE`].
    pub fn stated_hours(&self) -> f64 {
        self.messages as f64 / (SPOOL_STATED_RATE * 3_600) as f64
    }

    /// How many of [`SPOOL_FILLING_PERCENT`] are passed by what PostgreSQL does not have.
    pub fn filling(&self) -> usize {
        let percent = self.held_bytes.saturating_mul(100) / self.bytes.max(1);
        SPOOL_FILLING_PERCENT.iter().filter(|limit| percent >= **limit).count()
    }
}

/// Messages of the last hour, counted by the minute.
#[derive(Debug, Default)]
pub(super) struct LastHour {
    /// Minute of the epoch, and the newest sequence when it began.
    minutes: VecDeque<(i64, u64)>,
}

impl LastHour {
    /// Messages taken in the last hour, up to now.
    pub(super) fn count(&mut self, minute: i64, newest: u64) -> u64 {
        // A clock that was set back begins anew.
        if self.minutes.back().is_some_and(|(last, _)| *last > minute) {
            self.minutes.clear();
        }
        if self.minutes.back().is_none_or(|(last, _)| *last != minute) {
            self.minutes.push_back((minute, newest));
        }
        while self.minutes.len() > 1 && self.minutes.front().is_some_and(|(first, _)| *first < minute - 60) {
            self.minutes.pop_front();
        }
        self.minutes.front().map_or(0, |(_, first)| newest.saturating_sub(*first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capacity_is_stated_in_messages_and_hours_and_filling_in_two_steps() {
        let c = |uncommitted| Capacity::new(400_000, 1_000, uncommitted, 4_000_000, u64::MAX);
        assert_eq!((c(0).messages, c(0).filling(), c(0).hours(1_000)), (10_000, 0, Some(10.0)));
        assert_eq!((c(4_999).filling(), c(5_000).filling(), c(8_000).filling()), (0, 1, 2));
        assert_eq!(c(0).hours(0), None);
        let large = Capacity::new(64 << 20, 500, 500, 64 << 20, u64::MAX);
        assert_eq!((large.messages, large.filling()), (0, 2), "a few large ones fill it as well");
        assert_eq!(Capacity::new(400_000, 1_000, 0, u64::MAX, 400_000).messages, 2_000, "the disk may have less");
    }

    #[test]
    fn the_last_hour_is_counted_by_the_minute() {
        let mut hour = LastHour::default();
        assert_eq!(hour.count(0, 100), 0);
        assert_eq!(hour.count(60, 160), 60);
        assert_eq!(hour.count(61, 200), 40);
        assert_eq!(hour.count(5, 210), 0, "the clock was set back");
    }
}
