//! The key of a reply, made of the record that it answers: a replay, or a rewind after the database
//! lost commits, makes the same one, and the gateway drops what it has sent already.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::order::OrderKey;

/// Buckets that phones fall into; a lane takes several. Every record about a reply (its message, its
/// result, its receipts) falls into the phone's bucket, so that one lane sees them in order.
pub const BUCKETS: u8 = 64;

/// The bucket of a phone (normalised).
pub fn bucket(phone: &str) -> u8 {
    // FNV-1a: the same on every host and in every version.
    let hash = phone.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    // The last digits, in which neighbours differ, reach the upper bits only when it is mixed once more.
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    u8::try_from((mixed >> 32) % u64::from(BUCKETS)).unwrap_or(0)
}

/// UUID version 8: milliseconds of receipt (rows of one time lie together in the index), the phone's
/// bucket, and a hash of the record's key.
pub fn reply_id(order: OrderKey, bucket: u8) -> Uuid {
    id(b"reply\0", order, bucket, 0)
}

/// The key of the notice that a message was set aside: another one than its reply's, which may follow.
pub fn notice_id(order: OrderKey, bucket: u8) -> Uuid {
    id(b"notice\0", order, bucket, 0)
}

/// The key of the reply to a message that was read anew, for the `number`th time.
pub fn reply_id_of_reading(order: OrderKey, bucket: u8, number: i16) -> Uuid {
    id(b"reply\0", order, bucket, number)
}

fn id(of: &[u8], order: OrderKey, bucket: u8, number: i16) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(of);
    if number > 0 {
        hash.update(number.to_be_bytes());
    }
    hash.update(order.record.spool.as_bytes());
    hash.update(order.record.sequence.to_be_bytes());
    let digest = hash.finalize();
    let millis = u64::try_from(order.received_us / 1_000).unwrap_or(0);
    let mut bytes = [0u8; 16];
    bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
    bytes[6..].copy_from_slice(&digest[..10]);
    bytes[7] = bucket;
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// The bucket that a reply's key carries.
pub fn bucket_of(id: Uuid) -> u8 {
    id.as_bytes()[7] % BUCKETS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::order::RecordKey;

    #[test]
    fn the_same_record_makes_the_same_reply_and_another_another() {
        let order = |sequence| OrderKey {
            received_us: 1_790_000_000_123_456,
            record: RecordKey { spool: Uuid::from_u128(7), sequence },
        };
        let bucket = bucket("355691234567");
        let id = reply_id(order(1), bucket);
        assert_eq!(id, reply_id(order(1), bucket));
        assert_ne!(id, reply_id(order(2), bucket));
        assert_ne!(id, notice_id(order(1), bucket));
        assert_eq!(bucket_of(notice_id(order(1), bucket)), bucket_of(id));
        assert_eq!(bucket_of(id), bucket);
        assert_eq!(id.get_version_num(), 8);
    }

    #[test]
    fn phones_spread_over_the_buckets() {
        let mut seen = [0u32; BUCKETS as usize];
        for n in 0..6_400 {
            seen[bucket(&format!("35569{n:07}")) as usize] += 1;
        }
        assert!(seen.iter().all(|&n| (50..160).contains(&n)), "{seen:?}");
    }
}
