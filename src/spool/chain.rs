//! The chain over what was received, and the checksum of a row.
//!
//! Invariants: a record's link is made of the one before it and of commitments alone, so that a change
//! or a gap shows, and a phone can be forgotten; the checksum covers all of a row, so that a reader
//! knows by the row alone whether the disk changed it.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A link of the chain.
pub(super) type Link = [u8; 32];

/// What a link is made of, beside the one before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) run: Uuid,
    pub(super) sequence: u64,
    pub(super) received_us: i64,
    /// Name and group of the SMSC's link.
    pub(super) link: (&'a str, &'a str),
    pub(super) kind: u8,
    /// See [`crate::handoff::seal::Seal::root`].
    pub(super) root: [u8; 32],
}

/// The next link.
pub(super) fn next(before: &Link, entry: &Entry<'_>) -> Link {
    let mut hash = Sha256::new();
    hash.update(before);
    hash.update(entry.run.as_bytes());
    hash.update(entry.sequence.to_be_bytes());
    hash.update(entry.received_us.to_be_bytes());
    for name in [entry.link.0, entry.link.1] {
        hash.update((name.len() as u16).to_be_bytes());
        hash.update(name);
    }
    hash.update([entry.kind]);
    hash.update(entry.root);
    hash.finalize().into()
}

/// A row of `record` as it lies on disk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) sequence: i64,
    /// Row of its run.
    pub(super) run: i64,
    pub(super) received_us: i64,
    /// Row of its link.
    pub(super) link: i64,
    pub(super) kind: i64,
    pub(super) salt: &'a [u8],
    pub(super) body: &'a [u8],
    pub(super) chain: &'a [u8],
}

impl Row<'_> {
    /// CRC-32 of all columns.
    pub(super) fn checksum(&self) -> i64 {
        let mut crc = crc32fast::Hasher::new();
        for number in [self.sequence, self.run, self.received_us, self.link, self.kind, self.body.len() as i64] {
            crc.update(&number.to_be_bytes());
        }
        crc.update(self.salt);
        crc.update(self.chain);
        crc.update(self.body);
        i64::from(crc.finalize())
    }
}
