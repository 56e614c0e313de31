//! How far the spool is, for all parts of the gateway to see.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::watch;
use uuid::Uuid;

use crate::vitals::progress::Work;

/// What the rest of the gateway may see of the spool's thread.
#[derive(Debug)]
pub struct Marks {
    /// Made with the spool.
    pub uuid: Uuid,
    newest: watch::Sender<u64>,
    committed: watch::Sender<u64>,
    oldest: AtomicU64,
    failing: AtomicBool,
    full: AtomicBool,
    work: Arc<Work>,
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
            full: AtomicBool::new(false),
            work: Arc::new(Work::new("the spool's thread")),
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

    /// The spool has reached its size, or has room again.
    pub fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::Relaxed);
    }

    /// The thread's work.
    pub fn work(&self) -> &Arc<Work> {
        &self.work
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

    /// Has the spool reached its size?
    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }
}
