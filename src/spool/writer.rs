//! The spool's one writing thread: takes all that waits, commits it at once, tells the links.
//!
//! A disk that fails, or a spool that is full, is a state: what waits is tried again until its time
//! is over, and then given back as failed, never acknowledged.

use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::{Counter, Gauge, Histogram};
use rusqlite::Connection;
use tokio::sync::mpsc;

use super::batch::{self, Memory};
use super::open::Opened;
use super::{Options, SpoolError, prune};
use crate::handoff::append::{Append, Completions, Done, Op};
use crate::handoff::marks::Marks;
use crate::limits::{SPOOL_BATCH_MAX, SPOOL_RETRY_MS};

/// Slices pruned at a time.
const PRUNE_SLICES: u32 = 8;

struct Meters {
    records: Counter,
    batch: Histogram,
    commit: Histogram,
    bytes: Gauge,
    failing: Gauge,
    uncommitted: Gauge,
    failures: Counter,
}

pub(super) struct Writer {
    pub(super) connection: Connection,
    _lock: File,
    memory: Memory,
    completions: Vec<Arc<Completions>>,
    pub(super) marks: Arc<Marks>,
    pub(super) options: Options,
    /// The size cap is reached.
    full: bool,
    /// The committed mark as it stands on disk.
    committed_on_disk: u64,
    meters: Meters,
}

impl Writer {
    pub(super) fn new(
        opened: Opened,
        options: &Options,
        completions: Vec<Arc<Completions>>,
        marks: Arc<Marks>,
    ) -> Self {
        Self {
            connection: opened.connection,
            _lock: opened.lock,
            memory: Memory {
                run: opened.runs.live,
                links: opened.links,
                chain: opened.chain,
                newest: opened.newest,
                remembered: opened.remembered,
                open: Default::default(),
                world: options.world.clone(),
            },
            completions,
            marks,
            options: options.clone(),
            full: false,
            committed_on_disk: opened.committed,
            meters: Meters {
                records: metrics::counter!("scrutineer_spool_records_total"),
                batch: metrics::histogram!("scrutineer_spool_batch_records"),
                commit: metrics::histogram!("scrutineer_spool_commit_seconds"),
                bytes: metrics::gauge!("scrutineer_spool_bytes"),
                failing: metrics::gauge!("scrutineer_spool_failing"),
                uncommitted: metrics::gauge!("scrutineer_spool_oldest_uncommitted_seconds"),
                failures: metrics::counter!("scrutineer_spool_failures_total"),
            },
        }
    }

    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Append>) {
        let mut waiting: Vec<Append> = Vec::with_capacity(SPOOL_BATCH_MAX);
        loop {
            if waiting.is_empty() && queue.blocking_recv_many(&mut waiting, SPOOL_BATCH_MAX) == 0 {
                break;
            }
            if !self.turn(&mut waiting) {
                let closed = self.top_up(&mut waiting, &mut queue);
                if closed && self.marks.is_failing() {
                    // A stop: what the disk does not take now is not acknowledged.
                    break;
                }
                std::thread::sleep(Duration::from_millis(SPOOL_RETRY_MS));
            }
        }
        let _ = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    /// Commits what waits, tells the links, and gives back what has waited too long; `false`: not all of
    /// it is done.
    pub(super) fn turn(&mut self, waiting: &mut Vec<Append>) -> bool {
        let marks = self.marks.clone();
        let busy = marks.work().begin();
        let result = self.commit(waiting);
        drop(busy);
        self.report(&result);
        if result.is_err() {
            self.give_up(waiting);
        }
        result.is_ok()
    }

    /// Commits what waits. What the size cap holds back stays, with an error.
    fn commit(&mut self, waiting: &mut Vec<Append>) -> Result<(), SpoolError> {
        let begun = Instant::now();
        let held = self.full;
        let refused = |append: &Append| held && matches!(append.op, Op::Record { .. } | Op::Intent { .. });
        let housekeep = waiting.iter().any(|a| matches!(a.op, Op::Housekeep));
        let mut staged = self.memory.stage();
        let todo = waiting.iter().filter(|a| !refused(a) && !matches!(a.op, Op::Housekeep)).count();
        if todo > 0 {
            let result = (|| {
                self.connection.execute_batch("BEGIN IMMEDIATE")?;
                for append in waiting.iter().filter(|a| !refused(a)) {
                    batch::execute(&self.connection, &self.memory, &mut staged, append)?;
                }
                Ok::<_, SpoolError>(self.connection.execute_batch("COMMIT")?)
            })();
            if let Err(error) = result {
                if !self.connection.is_autocommit() {
                    let _ = self.connection.execute_batch("ROLLBACK");
                }
                return Err(error);
            }
            self.memory.apply(&staged);
            if staged.records > 0 {
                if self.marks.oldest() == 0 {
                    self.marks.set_oldest(staged.newest + 1 - staged.records);
                }
                self.marks.set_newest(staged.newest);
            }
            batch::deliver(&mut staged, &self.completions);
            self.meters.records.increment(staged.records);
            self.meters.batch.record(todo as f64);
            self.meters.commit.record(begun.elapsed().as_secs_f64());
        }
        waiting.retain(refused);
        if housekeep || !waiting.is_empty() {
            self.housekeep()?;
        }
        if waiting.is_empty() && !self.full { Ok(()) } else { Err(SpoolError::Full) }
    }

    /// What is due now and then.
    fn housekeep(&mut self) -> Result<(), SpoolError> {
        let committed = *self.marks.committed().borrow();
        if committed != self.committed_on_disk {
            self.connection
                .prepare_cached("INSERT OR REPLACE INTO meta VALUES ('committed', ?1)")?
                .execute([committed as i64])?;
            self.committed_on_disk = committed;
        }
        let used = prune::used_bytes(&self.connection, &self.options.folder)?;
        // Short of room, what PostgreSQL has goes before its time.
        let keep = if used > self.options.bytes_max / 4 * 3 { Duration::ZERO } else { self.options.keep };
        for _ in 0..PRUNE_SLICES {
            let Some(oldest) = prune::prune(&self.connection, committed, keep, self.options.world.steady_us())? else {
                break;
            };
            self.marks.set_oldest(oldest);
        }
        let used = prune::used_bytes(&self.connection, &self.options.folder)?;
        self.full = used >= self.options.bytes_max;
        self.meters.bytes.set(used as f64);
        self.meters.uncommitted.set(prune::oldest_uncommitted_seconds(
            &self.connection,
            committed,
            self.options.world.steady_us(),
        )?);
        Ok(())
    }

    /// Says once when the state changes.
    fn report(&self, result: &Result<(), SpoolError>) {
        self.marks.set_full(matches!(result, Err(SpoolError::Full)));
        let was = self.marks.set_failing(result.is_err());
        match result {
            Err(error) => {
                self.meters.failures.increment(1);
                if !was {
                    tracing::error!(%error, "the spool cannot be written: nothing is acknowledged until it can");
                }
            }
            Ok(()) if was => tracing::info!("the spool can be written again"),
            Ok(()) => {}
        }
        self.meters.failing.set(if result.is_err() { 1.0 } else { 0.0 });
    }

    /// Gives back as failed what has waited long enough.
    fn give_up(&self, waiting: &mut Vec<Append>) {
        let now = tokio::time::Instant::now().into_std();
        let mut failed: Vec<Vec<Done>> = self.completions.iter().map(|_| Vec::new()).collect();
        waiting.retain(|append| {
            if append.give_up.is_none_or(|at| at > now) {
                return !matches!(append.op, Op::Housekeep);
            }
            if let Some(list) = failed.get_mut(usize::from(append.link)) {
                list.push(Done::Failed { tag: append.tag });
            }
            false
        });
        for (list, link) in failed.iter_mut().zip(&self.completions) {
            link.put(list);
        }
    }

    /// Takes more while the disk fails, so that what is too old is found; true: the queue is closed.
    pub(super) fn top_up(&self, waiting: &mut Vec<Append>, queue: &mut mpsc::Receiver<Append>) -> bool {
        while waiting.len() < SPOOL_BATCH_MAX {
            match queue.try_recv() {
                Ok(append) => waiting.push(append),
                Err(mpsc::error::TryRecvError::Empty) => return false,
                Err(mpsc::error::TryRecvError::Disconnected) => return true,
            }
        }
        false
    }
}
