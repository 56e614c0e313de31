//! The spool's work without threads of its own: the same steps, on the task that runs them, so that a
//! simulation decides when each is done, and what a crash finds done.

use std::time::Duration;

use tokio::sync::mpsc;

use super::read;
use super::writer::Writer;
use crate::handoff::append::Append;
use crate::limits::{SPOOL_BATCH_MAX, SPOOL_RETRY_MS};

/// How the disk takes the next batch.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk {
    /// How long it takes.
    pub takes: Duration,
    /// What it does not do.
    pub fails: Option<Fails>,
}

/// What a disk does not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fails {
    /// No room is left.
    Full,
    /// It takes no writes.
    ReadOnly,
}

/// See the module.
pub struct Inline {
    failing: bool,
    writer: Writer,
    appends: mpsc::Receiver<Append>,
    reads: read::Server,
}

impl std::fmt::Debug for Inline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inline").finish_non_exhaustive()
    }
}

impl Inline {
    pub(super) fn new(writer: Writer, appends: mpsc::Receiver<Append>, reads: read::Server) -> Self {
        Self { failing: false, writer, appends, reads }
    }

    /// Works until all that ask are gone; `disk` says how the disk takes the next batch.
    pub async fn run(mut self, disk: impl Fn() -> Disk) {
        let mut waiting = Vec::new();
        loop {
            tokio::select! {
                biased;
                Some(request) = self.reads.queue.recv() => self.reads.answer(request),
                count = self.appends.recv_many(&mut waiting, SPOOL_BATCH_MAX), if waiting.is_empty() => {
                    if count == 0 {
                        return;
                    }
                    let disk = disk();
                    tokio::time::sleep(disk.takes).await;
                    self.write(&mut waiting, disk.fails);
                }
                () = tokio::time::sleep(Duration::from_millis(SPOOL_RETRY_MS)), if !waiting.is_empty() => {
                    self.write(&mut waiting, disk().fails);
                }
            }
        }
    }

    fn write(&mut self, waiting: &mut Vec<Append>, fails: Option<Fails>) {
        if self.failing || fails.is_some() {
            // What SQLite says then is what it says of a disk that is so.
            let (pages, only) = match fails {
                Some(Fails::Full) => (1, "OFF"),
                Some(Fails::ReadOnly) => (i64::from(u32::MAX) - 1, "ON"),
                None => (i64::from(u32::MAX) - 1, "OFF"),
            };
            let pragmas = format!("PRAGMA max_page_count = {pages}; PRAGMA query_only = {only}");
            if let Err(error) = self.writer.connection.execute_batch(&pragmas) {
                tracing::warn!(%error, "the disk could not be made to fail");
            }
            self.failing = fails.is_some();
        }
        if !self.writer.turn(waiting) {
            self.writer.top_up(waiting, &mut self.appends);
        }
    }
}
