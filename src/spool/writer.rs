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
use super::capacity::{Capacity, LastHour};
use super::open::{self, Opened};
use super::{Options, SpoolError, Trouble, prune};
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
    capacity: Gauge,
    hours: Gauge,
    stated_hours: Gauge,
    filling: Gauge,
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
    trouble: Option<Trouble>,
    last_hour: LastHour,
    /// The log may hold the frames of a transaction that failed: they must never be taken for commits.
    stale_log: bool,
    /// In a simulation: the disk takes what is written, and fails to sync it.
    pub(super) sync_fails: bool,
    /// Thresholds of filling that were passed when it was last looked.
    filling: usize,
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
            memory: opened.memory,
            completions,
            marks,
            options: options.clone(),
            full: false,
            committed_on_disk: opened.committed,
            trouble: None,
            last_hour: LastHour::default(),
            stale_log: false,
            sync_fails: false,
            filling: 0,
            meters: Meters {
                records: metrics::counter!("scrutineer_spool_records_total"),
                batch: metrics::histogram!("scrutineer_spool_batch_records"),
                commit: metrics::histogram!("scrutineer_spool_commit_seconds"),
                bytes: metrics::gauge!("scrutineer_spool_bytes"),
                failing: metrics::gauge!("scrutineer_spool_failing"),
                uncommitted: metrics::gauge!("scrutineer_spool_oldest_uncommitted_seconds"),
                failures: metrics::counter!("scrutineer_spool_failures_total"),
                capacity: metrics::gauge!("scrutineer_spool_capacity_messages"),
                hours: metrics::gauge!("scrutineer_spool_capacity_hours"),
                stated_hours: metrics::gauge!("scrutineer_spool_capacity_stated_hours"),
                filling: metrics::gauge!("scrutineer_spool_filling"),
            },
        }
    }

    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Append>) {
        let mut waiting: Vec<Append> = Vec::with_capacity(SPOOL_BATCH_MAX);
        loop {
            if waiting.is_empty() && queue.blocking_recv_many(&mut waiting, SPOOL_BATCH_MAX) == 0 {
                break;
            }
            let is_done = self.turn(&mut waiting);
            if self.marks.is_damaged() {
                // Nothing that waits was acknowledged. The process ends, and the next one mends the file.
                tracing::error!(folder = %self.options.folder.display(), "the spool's file is damaged: starting anew to mend it");
                return;
            }
            if !is_done {
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
        if let Err(error) = &result {
            if error.is_damage() {
                super::recover::mark(&self.options.folder, &error.to_string());
                self.marks.set_damaged();
            }
            if matches!(self.trouble, Some(Trouble::ReadOnly | Trouble::Io)) {
                self.reopen();
            }
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
            self.clear_log()?;
            let result = (|| {
                self.connection.execute_batch("BEGIN IMMEDIATE")?;
                for append in waiting.iter().filter(|a| !refused(a)) {
                    batch::execute(&self.connection, &self.memory, &mut staged, append)?;
                }
                if self.sync_fails {
                    return Err(open::sync_failed());
                }
                Ok::<_, SpoolError>(self.connection.execute_batch("COMMIT")?)
            })();
            if let Err(error) = result {
                if !self.connection.is_autocommit() {
                    let _ = self.connection.execute_batch("ROLLBACK");
                }
                self.stale_log = true;
                return Err(error);
            }
            self.memory.apply(&staged);
            if !staged.named.is_empty()
                && let Err(error) = super::recover::write_sidecar(&self.connection, &self.options.folder)
            {
                tracing::warn!(%error, "names of links could not be written down beside the spool; its next start does");
            }
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

    /// Commits what waits in a copy of the spool: in a simulation, what the disk holds if it came through
    /// although the sync failed. What is there already stays, as nothing is written until the log is clear.
    pub(super) fn write_beside(&self, waiting: &[Append], folder: &std::path::Path) -> Result<(), SpoolError> {
        let broken = |error| SpoolError::Folder { folder: folder.to_owned(), error };
        let is_record = |a: &&Append| !matches!(a.op, Op::Housekeep) && !self.full;
        if folder.exists() || self.stale_log || !waiting.iter().any(|a| is_record(&a)) {
            return Ok(());
        }
        std::fs::create_dir(folder).map_err(broken)?;
        for file in [open::FILE, open::LOG] {
            let from = self.options.folder.join(file);
            if from.exists() {
                std::fs::copy(from, folder.join(file)).map_err(broken)?;
            }
        }
        let copy = open::connect(folder)?;
        let mut staged = self.memory.stage();
        copy.execute_batch("BEGIN IMMEDIATE")?;
        for append in waiting.iter().filter(is_record) {
            batch::execute(&copy, &self.memory, &mut staged, append)?;
        }
        Ok(copy.execute_batch("COMMIT")?)
    }

    /// After a transaction that failed the log is begun anew: else what is left of it could be taken back
    /// by the next start, beside what was stored in its stead.
    fn clear_log(&mut self) -> Result<(), SpoolError> {
        if self.stale_log {
            if self.sync_fails {
                return Err(open::sync_failed());
            }
            let busy: i64 = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
            // A reader that stands in the way is done soon: then the next turn clears it.
            self.stale_log = busy != 0;
        }
        Ok(())
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
        self.measure(used, committed);
        self.meters.uncommitted.set(prune::oldest_uncommitted_seconds(
            &self.connection,
            committed,
            self.options.world.steady_us(),
        )?);
        Ok(())
    }

    /// What more fits, and a word when much is taken.
    fn measure(&mut self, used: u64, committed: u64) {
        let newest = self.memory.newest;
        let oldest = self.marks.oldest();
        let records = if oldest == 0 { 0 } else { newest + 1 - oldest };
        let uncommitted = newest.saturating_sub(committed.max(oldest.saturating_sub(1)));
        let free = prune::free_bytes(&self.options.folder);
        let capacity = Capacity::new(used, records, uncommitted, self.options.bytes_max, free);
        let last_hour = self.last_hour.count(self.options.world.steady_us() / 60_000_000, newest);
        self.meters.capacity.set(capacity.messages as f64);
        self.meters.hours.set(capacity.hours(last_hour).unwrap_or(f64::INFINITY));
        self.meters.stated_hours.set(capacity.stated_hours());
        let filling = capacity.filling();
        self.meters.filling.set(filling as f64);
        let folder = self.options.folder.display();
        let messages = capacity.messages;
        match filling.cmp(&self.filling) {
            std::cmp::Ordering::Greater if filling > 1 => {
                tracing::error!(%folder, messages, hours = capacity.stated_hours(),
                "the spool is nearly full of what the database does not have: see to worker and database")
            }
            std::cmp::Ordering::Greater => tracing::warn!(%folder, messages, hours = capacity.stated_hours(),
                "the spool fills with what the database does not have: see to worker and database"),
            std::cmp::Ordering::Less if filling == 0 => tracing::info!(%folder, messages, "the spool has room again"),
            _ => {}
        }
        self.filling = filling;
    }

    /// A disk that the kernel made read-only fails writes to open files as any failing disk does.
    fn why(&self, error: &SpoolError) -> Trouble {
        let is_read_only = || {
            let disk = rustix::fs::statvfs(&self.options.folder);
            disk.is_ok_and(|disk| disk.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY))
        };
        match error.trouble() {
            Trouble::Io if is_read_only() => Trouble::ReadOnly,
            trouble => trouble,
        }
    }

    /// Says once when the state changes, and why.
    fn report(&mut self, result: &Result<(), SpoolError>) {
        let was = self.marks.set_failing(result.is_err());
        let folder = self.options.folder.display();
        let trouble = result.as_ref().err().map(|error| self.why(error));
        match (result, trouble) {
            (Err(error), Some(trouble)) => {
                self.meters.failures.increment(1);
                if !was || self.trouble != Some(trouble) {
                    tracing::error!(%error, %folder, "the spool cannot be written, as {}: nothing is acknowledged until it can", trouble.words());
                }
            }
            _ if was => tracing::info!(%folder, "the spool can be written again"),
            _ => {}
        }
        self.marks.set_full(trouble == Some(Trouble::Full));
        if self.trouble != trouble {
            for one in Trouble::ALL {
                let is_it = if trouble == Some(one) { 1.0 } else { 0.0 };
                metrics::gauge!("scrutineer_spool_trouble", "why" => one.word()).set(is_it);
            }
        }
        self.trouble = trouble;
        self.meters.failing.set(if result.is_err() { 1.0 } else { 0.0 });
    }

    /// After an error of the disk, whatever SQLite holds of the file is left behind.
    fn reopen(&mut self) {
        match open::reconnect(&self.options.folder) {
            Ok(fresh) => self.connection = fresh,
            Err(error) => tracing::debug!(%error, "the spool's file cannot be opened anew yet"),
        }
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
