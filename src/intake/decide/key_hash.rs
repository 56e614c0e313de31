//! A hash for the submissions of one batch: quick, and by nobody to be relied upon against a sender who
//! looks for keys that collide. A batch has a few hundred of them, all of observers who are known.

use std::hash::Hasher;

/// Odd, with bits all over: each word is mixed in by one multiplication.
const MIX: u64 = 0xF135_7AEA_2E62_A9C5;

/// See the module.
#[derive(Debug, Clone, Copy, Default)]
pub struct KeyHasher(u64);

impl KeyHasher {
    fn mix(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(MIX).rotate_left(29);
    }
}

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word.iter_mut().zip(chunk).for_each(|(slot, byte)| *slot = *byte);
            self.mix(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, n: u8) {
        self.mix(u64::from(n));
    }

    fn write_u32(&mut self, n: u32) {
        self.mix(u64::from(n));
    }

    fn write_u64(&mut self, n: u64) {
        self.mix(n);
    }

    fn finish(&self) -> u64 {
        // The map looks at the lowest bits and at the highest.
        self.0 ^ (self.0 >> 32)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::Hash;

    use super::*;
    use crate::domain::order::RecordKey;
    use crate::domain::submission::SubmissionKey;

    #[test]
    fn keys_of_one_batch_are_told_apart_at_both_ends_of_the_hash() {
        let mut hashes = HashSet::new();
        let (mut low, mut high) = ([0u32; 64], [0u32; 64]);
        for n in 0..4_096 {
            let incident = (n % 2 == 1).then(|| (RecordKey { spool: uuid::Uuid::nil(), sequence: n }, 0));
            let serial = (n % 3 == 0).then(|| n.to_string().into());
            let key = SubmissionKey { election: 1, prefix: "PS".into(), observer: n as i32, serial, incident };
            let mut hasher = KeyHasher::default();
            key.hash(&mut hasher);
            let hash = hasher.finish();
            assert!(hashes.insert(hash));
            low[(hash & 63) as usize] += 1;
            high[(hash >> 58) as usize] += 1;
        }
        for places in [low, high] {
            assert!(places.iter().all(|n| (20..160).contains(n)), "{places:?}");
        }
    }
}
