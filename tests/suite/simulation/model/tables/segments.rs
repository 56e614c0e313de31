//! Parts of texts that are not whole, and of those that were processed lately.

use scrutineer::store::segment::{Part, SetKey};

use super::{DoneKey, SECOND, Tables};

impl Tables {
    /// Sets that began before `wait_seconds` ago, the oldest first.
    pub fn expired_sets(&self, now_us: i64, wait_seconds: i32) -> Vec<(i64, SetKey)> {
        let before = now_us - i64::from(wait_seconds) * SECOND;
        let mut old: Vec<_> =
            self.sets.iter().filter(|(_, s)| s.begun_us < before).map(|(k, s)| (s.begun_us, s.id, k.clone())).collect();
        old.sort();
        old.into_iter().map(|(_, id, key)| (id, key)).collect()
    }

    pub fn parts(&self, sets: &[i64]) -> Vec<Part> {
        // Of a spool that is registered, as its key is looked up there.
        let known = |p: &Part| self.spools.values().any(|id| *id == p.spool_id);
        let parts = self.segments.iter().filter(|((set, _), p)| sets.contains(set) && known(p));
        parts.map(|(_, p)| (**p).clone()).collect()
    }

    pub fn empty_set(&mut self, set: i64) {
        self.segments.retain(|(of, _), _| *of != set);
    }

    pub fn restart_set(&mut self, set: i64, now_us: i64) {
        self.empty_set(set);
        self.sets.values_mut().filter(|s| s.id == set).for_each(|s| s.begun_us = now_us);
    }

    pub fn remove_sets(&mut self, sets: &[i64]) {
        sets.iter().for_each(|set| self.empty_set(*set));
        self.sets.retain(|_, s| !sets.contains(&s.id));
    }

    // ---- parts of texts that were processed

    pub fn done_parts(&self, keys: &[SetKey]) -> Vec<(usize, i16, Vec<u8>)> {
        let of = |(place, key): (usize, &SetKey)| {
            let rows = self.done.keys().filter(move |(of, ..)| of == key);
            rows.map(move |(_, part, content)| (place, *part, content.clone())).collect::<Vec<_>>()
        };
        keys.iter().enumerate().flat_map(of).collect()
    }

    pub fn forget_parts(&mut self, keys: &[DoneKey]) {
        self.done.retain(|key, _| !keys.contains(key));
    }

    /// Those processed longer ago than that, the oldest first.
    pub fn old_parts(&self, now_us: i64, seconds: i32) -> Vec<DoneKey> {
        let before = now_us - i64::from(seconds) * SECOND;
        let mut old: Vec<_> = self.done.iter().filter(|(_, at)| **at < before).map(|(key, at)| (*at, key)).collect();
        old.sort();
        old.into_iter().map(|(_, key)| key.clone()).collect()
    }
}
