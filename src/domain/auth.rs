//! Authentication codes of observers: how they are kept, and when who guesses at them is locked out.
//!
//! A code is a few digits, sent in the clear in a text. It is kept as a keyed hash, so that neither a
//! page, an export nor a list of observers gives it away; who holds the whole database can find it.

use sha2::{Digest, Sha256};

/// Digits of a code.
pub const AUTH_CODE_DIGITS: std::ops::RangeInclusive<usize> = 4..=8;
/// Bytes of a block of SHA-256.
const BLOCK_BYTES: usize = 64;
/// Microseconds of a minute.
const MINUTE_US: i64 = 60_000_000;

/// Key of the hashes of codes, the same on all hosts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AuthKey([u8; 32]);

impl std::fmt::Debug for AuthKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuthKey(…)")
    }
}

impl AuthKey {
    /// `None` unless it has 32 bytes.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The hash of an observer's code. Of the same code of two observers the hashes differ.
    pub fn hash(&self, election: i32, observer: &str, code: &str) -> i64 {
        let message = format!("{election}\0{observer}\0{code}");
        let digest = hmac(&self.0, message.as_bytes());
        let mut first = [0; 8];
        for (to, from) in first.iter_mut().zip(digest) {
            *to = from;
        }
        i64::from_be_bytes(first)
    }
}

/// HMAC-SHA-256 (RFC 2104) with a key that fits a block.
fn hmac(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let pad = |byte: u8| {
        let mut block = [byte; BLOCK_BYTES];
        for (to, from) in block.iter_mut().zip(key) {
            *to ^= from;
        }
        block
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(pad(0x5C)).chain_update(inner).finalize().into()
}

/// Is this a code: 4 to 8 digits?
pub fn is_auth_code(text: &str) -> bool {
    AUTH_CODE_DIGITS.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

/// How many wrong codes lock, within how many minutes and for how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lockout {
    /// Wrong codes.
    pub failures: u16,
    /// Minutes.
    pub minutes: u16,
}

impl Default for Lockout {
    /// Ten thousand codes of four digits are guessed at a rate that takes months.
    fn default() -> Self {
        Self { failures: 5, minutes: 60 }
    }
}

/// Wrong codes of one phone, or those meant for one observer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attempts {
    /// When they were received, microseconds since the epoch, ascending.
    pub failed_us: Vec<i64>,
    /// Until then nobody is told once more.
    pub told_until_us: i64,
}

impl Attempts {
    /// Until when nothing is taken that is received at `at_us`; `None` when it is not locked then. What was
    /// received later does not count: messages may arrive out of order.
    pub fn locked_until(&self, lockout: Lockout, at_us: i64) -> Option<i64> {
        let before = self.failed_us.get(..self.failed_us.partition_point(|t| *t <= at_us))?;
        let first = before.len().checked_sub(usize::from(lockout.failures.max(1)))?;
        let span_us = i64::from(lockout.minutes) * MINUTE_US;
        let (first, last) = (before.get(first)?, before.last()?);
        let until = last.saturating_add(span_us);
        (last - first < span_us && at_us < until).then_some(until)
    }

    /// Notes a wrong code.
    pub fn fail(&mut self, at_us: i64) {
        let place = self.failed_us.partition_point(|t| *t <= at_us);
        self.failed_us.insert(place, at_us);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    #[test]
    fn the_hash_is_hmac_sha_256() {
        // RFC 4231, test case 1, its key of 20 bytes padded as HMAC pads it.
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        assert_eq!(hex(&hmac(&key, b"Hi There")), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    }

    #[test]
    fn a_code_of_another_observer_or_election_or_key_has_another_hash() {
        let key = AuthKey::new(&[7; 32]).unwrap();
        let one = key.hash(1, "123456", "4711");
        assert_eq!(one, key.hash(1, "123456", "4711"));
        for other in [key.hash(2, "123456", "4711"), key.hash(1, "123457", "4711"), key.hash(1, "123456", "4712")] {
            assert_ne!(one, other);
        }
        assert_ne!(one, AuthKey::new(&[8; 32]).unwrap().hash(1, "123456", "4711"));
        assert_eq!(format!("{key:?}"), "AuthKey(…)");
        assert!(AuthKey::new(&[7; 31]).is_none());
    }

    #[test]
    fn so_many_wrong_codes_in_a_time_lock_for_as_long_from_the_last() {
        let lockout = Lockout { failures: 3, minutes: 10 };
        let minute = |m: i64| m * MINUTE_US;
        let mut attempts = Attempts::default();
        for m in [0, 4] {
            attempts.fail(minute(m));
            assert_eq!(attempts.locked_until(lockout, minute(m)), None);
        }
        attempts.fail(minute(9));
        assert_eq!(attempts.locked_until(lockout, minute(9)), Some(minute(19)));
        assert_eq!(attempts.locked_until(lockout, minute(19) - 1), Some(minute(19)));
        assert_eq!(attempts.locked_until(lockout, minute(19)), None);
        assert_eq!(attempts.locked_until(lockout, minute(5)), None, "what came before is judged as it was");
        attempts.fail(minute(19));
        assert_eq!(attempts.locked_until(lockout, minute(19)), None, "those of before the lock are too old");
    }

    #[test]
    fn wrong_codes_far_apart_do_not_lock() {
        let mut attempts = Attempts::default();
        (0..100).for_each(|m| attempts.fail(m * 21 * MINUTE_US));
        assert_eq!(attempts.locked_until(Lockout { failures: 3, minutes: 40 }, 99 * 21 * MINUTE_US), None);
    }
}
