//! Keys of phones, remembered: most messages come from phones that were heard before.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::limits::PHONE_IDS_MAX;

/// A bounded memory of phones' keys, shared by the lanes. Two generations: when the newer is full it
/// becomes the older one, and what was in that goes.
#[derive(Debug, Default)]
pub struct PhoneIds {
    generations: Mutex<(HashMap<u64, i64>, HashMap<u64, i64>)>,
}

impl PhoneIds {
    /// The key of a phone.
    pub fn get(&self, phone: &str) -> Option<i64> {
        let packed = pack(phone)?;
        let mut both = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(&id) = both.0.get(&packed) {
            return Some(id);
        }
        let id = both.1.get(&packed).copied()?;
        insert(&mut both, packed, id);
        Some(id)
    }

    /// Remembers a key that is committed. What is no number is not remembered: there are few of them.
    pub fn put(&self, phone: &str, id: i64) {
        if let Some(packed) = pack(phone) {
            insert(&mut self.generations.lock().unwrap_or_else(PoisonError::into_inner), packed, id);
        }
    }

    /// Forgets all, as after the database was replaced by one that lost its last commits.
    pub fn clear(&self) {
        let mut both = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        both.0.clear();
        both.1.clear();
    }
}

fn insert(both: &mut (HashMap<u64, i64>, HashMap<u64, i64>), packed: u64, id: i64) {
    if both.0.len() >= PHONE_IDS_MAX / 2 {
        both.1 = std::mem::take(&mut both.0);
    }
    both.0.insert(packed, id);
}

/// A number of up to 18 digits in eight bytes; a leading 1 keeps leading zeros.
pub(super) fn pack(phone: &str) -> Option<u64> {
    if phone.is_empty() || phone.len() > 18 {
        return None;
    }
    phone.bytes().try_fold(1u64, |n, b| b.is_ascii_digit().then(|| n * 10 + u64::from(b - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_differ_in_leading_zeros_are_different_phones() {
        let ids = PhoneIds::default();
        ids.put("0691", 1);
        ids.put("691", 2);
        ids.put("INFO", 3);
        assert_eq!((ids.get("0691"), ids.get("691"), ids.get("INFO")), (Some(1), Some(2), None));
        assert_eq!(pack("999999999999999999"), Some(1_999_999_999_999_999_999));
    }

    #[test]
    fn the_memory_of_phones_is_bounded_and_keeps_what_is_in_use() {
        let ids = PhoneIds::default();
        ids.put("1", 1);
        for n in 0..(3 * PHONE_IDS_MAX) {
            ids.put(&format!("77{n}"), 5);
            if n % 1_000 == 0 {
                assert_eq!(ids.get("1"), Some(1));
            }
        }
        let both = ids.generations.lock().unwrap();
        assert!(both.0.len() + both.1.len() <= PHONE_IDS_MAX);
    }
}
