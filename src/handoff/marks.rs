//! How far the spool is, for all parts of the gateway to see.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use uuid::Uuid;

/// What the rest of the gateway may see of the spool's thread.
#[derive(Debug)]
pub struct Marks {
    /// Made with the spool.
    pub uuid: Uuid,
    newest: watch::Sender<u64>,
    committed: watch::Sender<u64>,
    oldest: AtomicU64,
    failing: AtomicBool,
    /// Milliseconds since the epoch at which the batch under way was begun; 0: none is.
    busy_since_ms: AtomicI64,
}

impl Marks {
    /// As they stand when the spool is opened.
    pub fn new(uuid: Uuid, oldest: u64, newest: u64, committed: u64) -> Self {
        Self {
            uuid,
            newest: watch::channel(newest).0,
            committed: watch::channel(committed).0,
            oldest: AtomicU64::new(oldest),
            failing: AtomicBool::new(false),
            busy_since_ms: AtomicI64::new(0),
        }
    }

    /// Records up to here are on disk.
    pub fn set_newest(&self, sequence: u64) {
        self.newest.send_replace(sequence);
    }

    /// Records before this one are gone.
    pub fn set_oldest(&self, sequence: u64) {
        self.oldest.store(sequence, Ordering::Relaxed);
    }

    /// The disk fails, or works again; returns what was before.
    pub fn set_failing(&self, failing: bool) -> bool {
        self.failing.swap(failing, Ordering::Relaxed)
    }

    /// The thread begins something at this time, or is idle (0).
    pub fn set_busy_since_ms(&self, at: i64) {
        self.busy_since_ms.store(at, Ordering::Relaxed);
    }

    /// Smallest sequence kept; 0: none.
    pub fn oldest(&self) -> u64 {
        self.oldest.load(Ordering::Relaxed)
    }

    /// Greatest sequence committed to disk; 0: none. Changes with every commit.
    pub fn newest(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// What PostgreSQL has, as far as the worker said.
    pub fn committed(&self) -> watch::Receiver<u64> {
        self.committed.subscribe()
    }

    /// The worker says that PostgreSQL has all records up to here.
    pub fn set_committed(&self, through: u64) {
        self.committed.send_if_modified(|committed| {
            let more = through > *committed;
            *committed = through.max(*committed);
            more
        });
    }

    /// Does the disk fail, or is the spool full?
    pub fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// Is the thread idle, or at work for less than `limit`?
    pub fn makes_progress(&self, now_us: i64, limit: Duration) -> bool {
        let since = self.busy_since_ms.load(Ordering::Relaxed);
        since == 0 || now_us / 1000 - since < limit.as_millis() as i64
    }
}
