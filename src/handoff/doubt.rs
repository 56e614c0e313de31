//! Which incoming message repeats an earlier one whose response the SMSC may not have seen.
//!
//! Only records that are in doubt are matched, each once, by what they hold, byte for byte. A genuine
//! resend within a living session is a message of its own.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::append::InDoubt;
use super::message::{Body, Mobile};
use crate::limits::IN_DOUBT_MAX;

/// What makes two deliveries the same within a link group; `None` for what is never delivered twice.
pub fn key(body: &Body) -> Option<u128> {
    match body {
        Body::Message(m) | Body::Receipt(m) => Some(mobile_key(m)),
        // Past the header, since a redelivery has a sequence number of its own.
        Body::Undecodable { pdu, .. } => Some(hash(&[b"undecodable", pdu.get(16..).unwrap_or_default()])),
        Body::SubmitResult(_) | Body::Redelivery { .. } => None,
    }
}

/// [`key`] of a message or receipt.
pub fn mobile_key(m: &Mobile) -> u128 {
    let payload = m.payload.as_deref();
    hash(&[
        m.source.as_bytes(),
        m.destination.as_bytes(),
        &[m.esm_class & 0x40, m.data_coding, u8::from(payload.is_some())],
        &m.short_message,
        payload.unwrap_or_default(),
    ])
}

fn hash(parts: &[&[u8]]) -> u128 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    digest.iter().take(16).fold(0, |n, &b| n << 8 | u128::from(b))
}

/// What one link group may be sent again.
#[derive(Debug, Default)]
pub struct DoubtSet {
    entries: Mutex<BTreeMap<(u128, u64), (Uuid, i64)>>,
}

impl DoubtSet {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(u128, u64), (Uuid, i64)>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds records; past [`IN_DOUBT_MAX`] the oldest are given up.
    pub fn add(&self, records: &[InDoubt]) {
        let mut entries = self.lock();
        for record in records {
            entries.insert((record.key, record.sequence), (record.run, record.until_us));
        }
        if entries.len() > IN_DOUBT_MAX {
            let mut sequences: Vec<u64> = entries.keys().map(|&(_, sequence)| sequence).collect();
            sequences.sort_unstable();
            let cut = sequences.get(entries.len() - IN_DOUBT_MAX).copied().unwrap_or_default();
            entries.retain(|&(_, sequence), _| sequence >= cut);
        }
    }

    /// Is nothing in doubt? Then no key need be made.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Takes the oldest record in doubt with this key, which is in doubt no more.
    pub fn take(&self, key: u128, now_us: i64) -> Option<InDoubt> {
        let mut entries = self.lock();
        while let Some((&(_, sequence), &(run, until_us))) = entries.range((key, 0)..=(key, u64::MAX)).next() {
            entries.remove(&(key, sequence));
            if until_us > now_us {
                return Some(InDoubt { run, sequence, key, until_us });
            }
        }
        None
    }

    /// Forgets what is past its time.
    pub fn expire(&self, now_us: i64) {
        self.lock().retain(|_, &mut (_, until_us)| until_us > now_us);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mobile(text: &[u8]) -> Mobile {
        Mobile { source: "355".into(), destination: "4636".into(), short_message: text.to_vec(), ..Mobile::default() }
    }

    #[test]
    fn each_record_in_doubt_is_matched_once() {
        let set = DoubtSet::default();
        let key = mobile_key(&mobile(b"PS 1"));
        set.add(&[
            InDoubt { run: Uuid::nil(), sequence: 7, key, until_us: 10 },
            InDoubt { run: Uuid::nil(), sequence: 9, key, until_us: 10 },
        ]);
        assert_eq!(set.take(mobile_key(&mobile(b"PS 2")), 0), None);
        assert_eq!(set.take(key, 0).map(|r| r.sequence), Some(7));
        assert_eq!(set.take(key, 0).map(|r| r.sequence), Some(9));
        assert_eq!(set.take(key, 0), None);
        assert!(set.is_empty());
    }

    #[test]
    fn what_is_in_doubt_is_forgotten_after_its_time() {
        let set = DoubtSet::default();
        set.add(&[
            InDoubt { run: Uuid::nil(), sequence: 7, key: 1, until_us: 10 },
            InDoubt { run: Uuid::nil(), sequence: 8, key: 2, until_us: 10 },
        ]);
        assert_eq!(set.take(1, 10), None);
        set.expire(10);
        assert!(set.is_empty());
    }

    #[test]
    fn past_the_bound_the_oldest_are_given_up() {
        let set = DoubtSet::default();
        let all: Vec<InDoubt> = (0..IN_DOUBT_MAX as u64 + 5)
            .map(|i| InDoubt { run: Uuid::nil(), sequence: i, key: u128::from(i), until_us: 10 })
            .collect();
        set.add(&all);
        assert_eq!(set.take(4, 0), None);
        assert_eq!(set.take(5, 0).map(|r| r.sequence), Some(5));
        assert_eq!(set.lock().len(), IN_DOUBT_MAX - 1);
    }

    #[test]
    fn the_key_tells_the_fields_apart() {
        let plain = mobile(b"ab");
        let mut payload = mobile(b"a");
        payload.payload = Some(b"b".to_vec());
        let mut empty = mobile(b"ab");
        empty.payload = Some(Vec::new());
        let mut udh = mobile(b"ab");
        udh.esm_class = 0x40;
        let mut mode = mobile(b"ab");
        mode.esm_class = 0x03;
        let keys = [&plain, &payload, &empty, &udh].map(mobile_key);
        for (i, a) in keys.iter().enumerate() {
            assert!(keys.iter().skip(i + 1).all(|b| a != b));
        }
        assert_eq!(mobile_key(&plain), mobile_key(&mode), "only the UDH bit of esm_class counts");
    }
}
