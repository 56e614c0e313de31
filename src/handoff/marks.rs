//! How far the spool is, for all parts of the gateway to see.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::watch;
use uuid::Uuid;

use super::append::LinkIndex;
use super::message::{Responses, Run};
use crate::limits::SPOOL_RUNS_MAX;
use crate::vitals::progress::Work;

/// What the rest of the gateway may see of the spool's thread.
#[derive(Debug)]
pub struct Marks {
    /// The run that takes new records.
    pub live: Uuid,
    begins_after: u64,
    /// Earlier runs, as they were when the spool was opened.
    closed: Vec<Run>,
    newest: watch::Sender<u64>,
    committed: watch::Sender<u64>,
    /// Of each link, which of our responses the SMSC is known to have.
    confirmed: watch::Sender<Vec<Responses>>,
    oldest: AtomicU64,
    failing: AtomicBool,
    full: AtomicBool,
    damaged: AtomicBool,
    work: Arc<Work>,
}

impl Marks {
    /// As they stand when the spool is opened: earlier runs, and the one that begins now.
    pub fn new(closed: Vec<Run>, live: Run, committed: u64) -> Self {
        let kept = closed.iter().find(|run| run.oldest > 0).map(|run| run.oldest);
        let oldest = kept.unwrap_or(live.oldest);
        Self {
            live: live.uuid,
            begins_after: live.begins_after,
            closed,
            newest: watch::channel(live.newest.max(live.begins_after)).0,
            committed: watch::channel(committed).0,
            confirmed: watch::channel(Vec::new()).0,
            oldest: AtomicU64::new(oldest),
            failing: AtomicBool::new(false),
            full: AtomicBool::new(false),
            damaged: AtomicBool::new(false),
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

    /// The spool's file is damaged, and must be mended by a new start.
    pub fn set_damaged(&self) {
        self.damaged.store(true, Ordering::Relaxed);
    }

    /// Must it be mended?
    pub fn is_damaged(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
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

    /// The SMSC has our responses to what came by this link, up to here, but perhaps to these. What was confirmed
    /// stays so.
    pub fn confirm(&self, link: LinkIndex, known: Responses) {
        self.confirmed.send_if_modified(|all| {
            let at = usize::from(link);
            if all.len() <= at {
                all.resize(at + 1, Responses::default());
            }
            all.get_mut(at).is_some_and(|confirmed| {
                let now = Responses { through: known.through.max(confirmed.through), ..known };
                let more = *confirmed != now;
                *confirmed = now;
                more
            })
        });
    }

    /// This place is another link's from now on: nothing of it is confirmed.
    pub fn confirm_nothing(&self, link: LinkIndex) {
        self.confirmed.send_if_modified(|all| match all.get_mut(usize::from(link)) {
            Some(confirmed) if *confirmed != Responses::default() => {
                *confirmed = Responses::default();
                true
            }
            _ => false,
        });
    }

    /// What each link's SMSC is known to have, by its index; a link that is not there: nothing.
    pub fn confirmed(&self) -> watch::Receiver<Vec<Responses>> {
        self.confirmed.subscribe()
    }

    /// What PostgreSQL has, as far as the worker said.
    pub fn committed(&self) -> watch::Receiver<u64> {
        self.committed.subscribe()
    }

    /// The runs, for [`super::message::FromGateway::Welcome`]. Past [`SPOOL_RUNS_MAX`] those that are
    /// committed are left out first, the oldest before others, and then the newest.
    pub fn runs(&self) -> Vec<Run> {
        let (oldest, newest, committed) = (self.oldest(), *self.newest.borrow(), *self.committed.borrow());
        // Records go in the order of their sequences, whatever run they are of.
        let left = |run: &Run| {
            let oldest = if oldest == 0 || oldest > run.newest { 0 } else { run.oldest.max(oldest) };
            Run { oldest, ..*run }
        };
        let any = newest > self.begins_after;
        let live = Run {
            uuid: self.live,
            begins_after: self.begins_after,
            oldest: if any { self.begins_after + 1 } else { 0 },
            newest: if any { newest } else { 0 },
        };
        let mut runs: Vec<Run> = self.closed.iter().chain([&live]).map(left).collect();
        let mut over = runs.len().saturating_sub(SPOOL_RUNS_MAX);
        runs.retain(|run| {
            let out = over > 0 && run.uuid != self.live && run.newest <= committed;
            over -= usize::from(out);
            !out
        });
        runs.truncate(SPOOL_RUNS_MAX);
        runs
    }

    /// The worker begins to read: PostgreSQL has all up to here, and may have lost what lies behind.
    pub fn begin_committed(&self, after: u64) {
        self.committed.send_if_modified(|committed| std::mem::replace(committed, after) != after);
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
