//! The spool's work without threads of its own: the same steps, on the task that runs them, so that a
//! simulation decides when each is done, and what a crash finds done.

use std::time::Duration;

use tokio::sync::mpsc;

use super::read;
use super::writer::Writer;
use crate::handoff::append::Append;
use crate::limits::{SPOOL_BATCH_MAX, SPOOL_RETRY_MS};

/// See the module.
pub struct Inline {
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
        Self { writer, appends, reads }
    }

    /// Works until all that ask are gone; `disk` is how long the disk takes for the next batch.
    pub async fn run(mut self, disk: impl Fn() -> Duration) {
        let mut waiting = Vec::new();
        loop {
            tokio::select! {
                biased;
                Some(request) = self.reads.queue.recv() => self.reads.answer(request),
                count = self.appends.recv_many(&mut waiting, SPOOL_BATCH_MAX), if waiting.is_empty() => {
                    if count == 0 {
                        return;
                    }
                    tokio::time::sleep(disk()).await;
                    self.write(&mut waiting);
                }
                () = tokio::time::sleep(Duration::from_millis(SPOOL_RETRY_MS)), if !waiting.is_empty() => {
                    self.write(&mut waiting);
                }
            }
        }
    }

    fn write(&mut self, waiting: &mut Vec<Append>) {
        if !self.writer.turn(waiting) {
            self.writer.top_up(waiting, &mut self.appends);
        }
    }
}
