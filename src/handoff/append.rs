//! What the gateway's links ask of its spool, and what the spool tells them: the vocabulary that lets
//! `smpp` and `spool` work together without knowing each other.
//!
//! Invariant: everything in one queue is done in its order, and a [`Done`] is given only after the
//! commit that holds the thing is synced to disk.

use std::sync::Mutex;
use std::time::Instant;

use tokio::sync::Notify;
use uuid::Uuid;

use super::message::{Body, SubmitOutcome};
use super::seal::Seal;

/// Place of a bind: that in the configuration at the start; a reload gives free ones to what it adds.
pub type LinkIndex = u16;

/// Kinds of records as the spool's table has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A message from a phone.
    Message = 0,
    /// A delivery receipt.
    Receipt = 1,
    /// What a submit came to.
    SubmitResult = 2,
    /// A body that could not be decoded.
    Undecodable = 3,
    /// An earlier record, delivered again.
    Redelivery = 4,
    /// Never stored: what the reader makes of a row that is damaged.
    Corrupt = 5,
}

/// One thing to make durable.
#[derive(Debug)]
pub struct Append {
    /// The link that asks.
    pub link: LinkIndex,
    /// Named in the [`Done`]; 0: nobody waits for one.
    pub tag: u64,
    /// While the disk fails, it is tried again until then; for ever when `None`.
    pub give_up: Option<Instant>,
    /// What.
    pub op: Op,
}

/// What to make durable.
#[derive(Debug)]
pub enum Op {
    /// A record from the SMSC: a postcard [`super::message::Body`].
    Record {
        /// Microseconds since the epoch.
        received_us: i64,
        /// What it is.
        kind: Kind,
        /// Its encoded body.
        body: Vec<u8>,
        /// Commitments to it.
        seal: Seal,
        /// The record that it repeats, which is in doubt no more.
        repeats: Option<u64>,
    },
    /// A submit is about to be written to the wire.
    Intent {
        /// The outbox row.
        id: Uuid,
        /// Its attempt.
        attempt: u16,
        /// Its text. Of one that was there before with another one, the first is told in a record.
        text: String,
    },
    /// What a submit came to. For `NotSent` the intent is forgotten, so that the same attempt may
    /// come again; anything else is the one result of that attempt.
    Result {
        /// The outbox row.
        id: Uuid,
        /// Its attempt.
        attempt: u16,
        /// Microseconds since the epoch.
        at_us: i64,
        /// What happened.
        outcome: SubmitOutcome,
    },
    /// The SMSC accepted a submit after its outcome was given up as unknown: one more result of that
    /// attempt, the last one. No [`Done`] follows.
    LateResult {
        /// The outbox row.
        id: Uuid,
        /// Its attempt.
        attempt: u16,
        /// Microseconds since the epoch.
        at_us: i64,
        /// What happened.
        outcome: SubmitOutcome,
    },
    /// Redeliveries of these records are expected no more. No [`Done`] follows.
    Forget {
        /// Their sequences.
        sequences: Vec<u64>,
    },
    /// The SMSC has the responses to all records of this link up to here. No [`Done`] follows.
    Confirmed {
        /// Greatest such sequence.
        through: u64,
    },
    /// The session ended, or an error was answered for a record that is stored: from now on the SMSC
    /// may deliver again what is not confirmed. Answered by [`Done::InDoubt`].
    Doubt {
        /// This record alone; all unconfirmed ones of the link when `None`.
        only: Option<u64>,
    },
    /// From now on this place is that of the link of this name. Answered by [`Done::Named`]: what the link
    /// asks for may follow then.
    Name {
        /// Name of the bind.
        name: String,
        /// Its group.
        group: String,
    },
    /// Time to prune, to write the committed mark, and to measure. No [`Done`] follows.
    Housekeep,
}

impl Op {
    /// A record from the SMSC. Encoding and hashing are done here, by the link's task, not by the spool's
    /// one thread.
    pub fn record(received_us: i64, kind: Kind, body: &Body, repeats: Option<u64>) -> Result<Self, postcard::Error> {
        Ok(Self::Record { received_us, kind, body: postcard::to_stdvec(body)?, seal: Seal::new(body), repeats })
    }
}

/// What became of an [`Append`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// A record is durable.
    Stored {
        /// From the [`Append`].
        tag: u64,
        /// Its sequence.
        sequence: u64,
    },
    /// An intent is durable: write it.
    Intended {
        /// From the [`Append`].
        tag: u64,
    },
    /// An intent was there before: that submit is dropped.
    Duplicate {
        /// From the [`Append`].
        tag: u64,
    },
    /// The disk failed past `give_up`; nothing is stored.
    Failed {
        /// From the [`Append`].
        tag: u64,
    },
    /// Answer to [`Op::Name`].
    Named {
        /// From the [`Append`].
        tag: u64,
    },
    /// Answer to [`Op::Doubt`].
    InDoubt {
        /// From the [`Append`].
        tag: u64,
        /// Records that the SMSC may deliver again.
        records: Vec<InDoubt>,
    },
}

/// A record that the SMSC may deliver again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InDoubt {
    /// Run of the record.
    pub run: Uuid,
    /// Its sequence.
    pub sequence: u64,
    /// [`super::doubt::key`] of what it holds.
    pub key: u128,
    /// It is forgotten then (microseconds since the epoch).
    pub until_us: i64,
}

/// Where the spool lays what is done for one link. Bounded by what that link has asked for.
#[derive(Debug, Default)]
pub struct Completions {
    done: Mutex<Vec<Done>>,
    notify: Notify,
}

impl Completions {
    /// Lays down what is done, and wakes the link.
    pub fn put(&self, batch: &mut Vec<Done>) {
        if !batch.is_empty() {
            self.done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).append(batch);
            self.notify.notify_one();
        }
    }

    /// Takes all that is done.
    pub fn take(&self) -> Vec<Done> {
        std::mem::take(&mut *self.done.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Waits until something may be there.
    pub async fn wait(&self) {
        self.notify.notified().await;
    }
}
