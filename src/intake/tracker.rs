//! How far a spool is committed, while lanes commit in an order of their own.
//!
//! Invariant: `through` is passed to nobody before every record up to it is committed, or will be by
//! the very transaction that writes it.

use std::collections::VecDeque;

/// Records handed to lanes, in ascending sequence, with what is committed of them.
#[derive(Debug, Default)]
pub struct Tracker {
    pending: VecDeque<Entry>,
    through: u64,
    written: u64,
    ended: bool,
}

#[derive(Debug)]
struct Entry {
    sequence: u64,
    received_us: i64,
    done: bool,
}

impl Tracker {
    /// Everything up to `through` is committed.
    pub fn new(through: u64) -> Self {
        Self { pending: VecDeque::new(), through, written: through, ended: false }
    }

    /// A record goes to a lane. `false` when it does not ascend: it must not be handed on.
    #[must_use]
    pub fn begin(&mut self, sequence: u64, received_us: i64) -> bool {
        if sequence <= self.pending.back().map_or(self.through, |last| last.sequence) {
            return false;
        }
        self.pending.push_back(Entry { sequence, received_us, done: false });
        true
    }

    /// Is this record with a lane, and not committed yet?
    pub fn is_open(&self, sequence: u64) -> bool {
        let found = self.pending.binary_search_by_key(&sequence, |e| e.sequence);
        found.is_ok_and(|at| self.pending.get(at).is_some_and(|entry| !entry.done))
    }

    /// How far all is committed once these (ascending) are.
    pub fn through_with(&self, batch: &[u64]) -> u64 {
        let mut through = self.through;
        for entry in &self.pending {
            if !entry.done && batch.binary_search(&entry.sequence).is_err() {
                break;
            }
            through = entry.sequence;
        }
        through
    }

    /// These are committed. Returns how far all is, when that has moved.
    pub fn done(&mut self, batch: &[u64]) -> Option<u64> {
        for sequence in batch {
            if let Ok(at) = self.pending.binary_search_by_key(sequence, |e| e.sequence)
                && let Some(entry) = self.pending.get_mut(at)
            {
                entry.done = true;
            }
        }
        let before = self.through;
        while let Some(entry) = self.pending.pop_front_if(|e| e.done) {
            self.through = entry.sequence;
        }
        (self.through > before).then_some(self.through)
    }

    /// A committed transaction wrote this watermark. It may lag behind [`Tracker::through`], as lanes
    /// commit side by side and each writes what it knew when it began.
    pub fn wrote(&mut self, watermark: u64) {
        self.written = self.written.max(watermark);
    }

    /// The greatest watermark that the database has said or was given.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Everything up to here is committed.
    pub fn through(&self) -> u64 {
        self.through
    }

    /// No more records will come.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// No more records will come, and all are committed.
    pub fn is_finished(&self) -> bool {
        self.ended && self.pending.is_empty()
    }

    /// When the oldest record that is not committed was taken; `None` when all are.
    pub fn oldest_us(&self) -> Option<i64> {
        self.pending.front().map(|e| e.received_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_gap_that_another_lane_holds_stops_the_watermark() {
        let mut t = Tracker::new(10);
        for s in [11, 12, 14, 15] {
            assert!(t.begin(s, 0));
        }
        assert!(t.is_open(12) && !t.is_open(13));
        assert_eq!(t.through_with(&[12, 14]), 10);
        assert_eq!(t.done(&[12, 14]), None);
        assert_eq!(t.through_with(&[11]), 14);
        assert_eq!(t.done(&[11]), Some(14));
        assert_eq!(t.done(&[15]), Some(15));
        assert_eq!(t.oldest_us(), None);
    }

    #[test]
    fn a_sequence_that_does_not_ascend_is_refused() {
        let mut t = Tracker::new(10);
        assert!(!t.begin(10, 0));
        assert!(t.begin(12, 0));
        assert!(!t.begin(12, 0) && !t.begin(11, 0));
    }

    proptest! {
        #[test]
        fn nothing_uncommitted_ever_lies_below_the_watermark(order in Just((1u64..60).collect::<Vec<_>>()).prop_shuffle(), cut in 1usize..9) {
            let mut t = Tracker::new(0);
            for s in 1..60 { prop_assert!(t.begin(s, 0)); }
            let mut committed = std::collections::BTreeSet::new();
            for batch in order.chunks(cut) {
                let mut batch = batch.to_vec();
                batch.sort_unstable();
                let promised = t.through_with(&batch);
                committed.extend(batch.iter().copied());
                t.done(&batch);
                prop_assert_eq!(t.through(), promised);
                prop_assert!((1..=promised).all(|s| committed.contains(&s)));
            }
            prop_assert_eq!(t.through(), 59);
        }
    }
}
