//! The spool's work without threads of its own: the same steps, on the task that runs them, so that a
//! simulation decides when each is done, and what a crash finds done.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::mpsc;

use super::open::{FILE, INDEX, LOG};
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
    /// It takes writes, and says that they could not be synced: they may be there after a crash all the same.
    Sync,
}

/// Beside the spool's folder: what its disk holds when writes came through of which the sync failed.
fn beside(folder: &Path) -> PathBuf {
    folder.with_extension("unsynced")
}

/// The process is gone. Writes that its disk failed to sync are there, or they are not; says whether they are.
pub fn crashed(folder: &Path, came_through: bool) -> std::io::Result<bool> {
    let beside = beside(folder);
    if !beside.exists() {
        return Ok(false);
    }
    if came_through {
        for file in [FILE, LOG, INDEX] {
            match std::fs::remove_file(folder.join(file)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        std::fs::copy(beside.join(FILE), folder.join(FILE))?;
    }
    std::fs::remove_dir_all(beside)?;
    Ok(came_through)
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
        self.writer.sync_fails = fails == Some(Fails::Sync);
        if self.writer.sync_fails
            && let Err(error) = self.writer.write_beside(waiting, &beside(&self.writer.options.folder))
        {
            tracing::warn!(%error, "what fails to sync could not be written beside the spool");
        }
        if self.failing || fails.is_some() {
            // What SQLite says then is what it says of a disk that is so.
            let (pages, only) = match fails {
                Some(Fails::Full) => (1, "OFF"),
                Some(Fails::ReadOnly) => (i64::from(u32::MAX) - 1, "ON"),
                Some(Fails::Sync) | None => (i64::from(u32::MAX) - 1, "OFF"),
            };
            let pragmas = format!("PRAGMA max_page_count = {pages}; PRAGMA query_only = {only}");
            if let Err(error) = self.writer.connection.execute_batch(&pragmas) {
                tracing::warn!(%error, "the disk could not be made to fail");
            }
            self.failing = fails.is_some();
        }
        if self.writer.turn(waiting) {
            let _ = std::fs::remove_dir_all(beside(&self.writer.options.folder));
        } else {
            self.writer.top_up(waiting, &mut self.appends);
        }
    }
}
