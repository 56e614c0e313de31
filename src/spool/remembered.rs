//! Which submits were taken, so that one asked for twice is written once.
//!
//! The newest [`SUBMITS_REMEMBERED_MAX`] stand in memory as fingerprints: an index on disk would touch
//! a page of its own for each submit.

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use uuid::Uuid;

use crate::limits::SUBMITS_REMEMBERED_MAX;

/// The newest submits, by fingerprint.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    set: HashSet<u64>,
    /// Each with its row in `submit`.
    order: VecDeque<(u64, i64)>,
}

fn fingerprint(id: Uuid, attempt: u16) -> u64 {
    let mut hasher = DefaultHasher::new();
    (id, attempt).hash(&mut hasher);
    hasher.finish()
}

impl Remembered {
    pub(super) fn contains(&self, id: Uuid, attempt: u16) -> bool {
        self.set.contains(&fingerprint(id, attempt))
    }

    /// The row in `submit` of one that is remembered. Rarely asked for: only when one comes again.
    pub(super) fn row(&self, id: Uuid, attempt: u16) -> Option<i64> {
        let print = fingerprint(id, attempt);
        self.order.iter().rev().find(|(of, _)| *of == print).map(|(_, row)| *row)
    }

    pub(super) fn insert(&mut self, id: Uuid, attempt: u16, row: i64) {
        let print = fingerprint(id, attempt);
        if self.set.insert(print) {
            self.order.push_back((print, row));
        }
        while self.order.len() > SUBMITS_REMEMBERED_MAX {
            if let Some((old, _)) = self.order.pop_front() {
                self.set.remove(&old);
            }
        }
    }

    /// It was never written: it may come again. Its place in the order stays until it is passed.
    pub(super) fn remove(&mut self, id: Uuid, attempt: u16) {
        self.set.remove(&fingerprint(id, attempt));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn past_the_bound_the_oldest_submits_are_forgotten() {
        let mut remembered = Remembered::default();
        let id = |n: usize| Uuid::from_u128(n as u128);
        for n in 0..=SUBMITS_REMEMBERED_MAX {
            remembered.insert(id(n), 1, n as i64);
        }
        assert!(!remembered.contains(id(0), 1));
        assert!(remembered.contains(id(1), 1) && !remembered.contains(id(1), 2));
        assert_eq!(remembered.row(id(2), 1), Some(2));
        assert_eq!(remembered.row(id(0), 1), None);
        remembered.remove(id(1), 1);
        assert!(!remembered.contains(id(1), 1));
    }
}
