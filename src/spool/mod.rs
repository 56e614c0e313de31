//! The spool: where everything that came in is durable before it is acknowledged.
//!
//! One SQLite file (WAL, `synchronous=FULL`), written by one thread that commits all that waits at
//! once, read by another. Invariants: a [`Done`](crate::handoff::append::Done) is given only after
//! the commit is synced; a key, of run and sequence, is never used twice; one process at a time has the
//! spool, by a lock on its folder.

pub mod audit;
mod batch;
pub mod capacity;
mod chain;
mod inline;
mod open;
mod pages;
mod prune;
mod read;
mod recover;
mod remembered;
mod runs;
mod submits;
mod wal;
mod writer;

#[cfg(test)]
mod tests;

pub use inline::{Disk, Fails, Inline, crashed};

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::handoff::append::{Append, Completions, InDoubt, Op};
use crate::handoff::marks::Marks;
use crate::handoff::records::Reader;
use crate::limits::{BINDS_MAX, SPOOL_QUEUE_MAX};
use crate::world::World;

/// What can go wrong with a spool.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// Another process has it.
    #[error(
        "spool {folder}: another gateway is using it (process {process}); stop that one first, or give this one a folder of its own"
    )]
    InUse {
        /// Which.
        folder: PathBuf,
        /// Id of the process that has it; 0 when it does not say.
        process: u32,
    },
    /// The folder cannot be used.
    #[error("spool {folder}: {error}; the folder above it must exist, and this one belong to the gateway's user")]
    Folder {
        /// Which.
        folder: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// SQLite failed.
    #[error("spool: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// What SQLite finds wrong with the file.
    #[error("spool: the file is damaged: {0}")]
    Damaged(String),
    /// A body that is not of this version.
    #[error("spool: a record cannot be read: {0}")]
    Body(#[from] postcard::Error),
    /// The file was made by another version of the program.
    #[error("spool {folder}: its format is {found}, this program's is {known}; use the program that made it")]
    Version {
        /// Which.
        folder: PathBuf,
        /// As found.
        found: i64,
        /// As known.
        known: i64,
    },
    /// No place is left under the configured size.
    #[error("spool: it has reached spool_megabytes_max; start the worker, or raise the setting")]
    Full,
    /// Its thread is gone.
    #[error("spool: it is closed")]
    Closed,
}

impl SpoolError {
    /// Is it the file itself that is wrong, whatever the disk does now?
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            Self::Sqlite(rusqlite::Error::SqliteFailure(error, _)) => {
                matches!(error.code, rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase)
            }
            // A column that is not of its type, a table that is not there.
            Self::Sqlite(
                rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::Utf8Error(..)
                | rusqlite::Error::SqlInputError { .. },
            )
            | Self::Damaged(_)
            | Self::Body(_) => true,
            _ => false,
        }
    }
}

/// Why a spool takes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It has reached `spool_megabytes_max`.
    Full,
    /// The disk has no room.
    DiskFull,
    /// The disk cannot be written.
    ReadOnly,
    /// The disk fails.
    Io,
    /// Anything else.
    Other,
}

impl Trouble {
    pub(crate) const ALL: [Self; 5] = [Self::Full, Self::DiskFull, Self::ReadOnly, Self::Io, Self::Other];

    /// For metrics.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::DiskFull => "disk_full",
            Self::ReadOnly => "read_only",
            Self::Io => "io",
            Self::Other => "other",
        }
    }

    /// For people.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Full => "it has reached spool_megabytes_max (start the worker, or raise the setting)",
            Self::DiskFull => "its disk is full (free some room)",
            Self::ReadOnly => "its disk cannot be written (mount it writable)",
            Self::Io => "its disk fails (look at the kernel's log)",
            Self::Other => "of the error",
        }
    }
}

impl SpoolError {
    /// What kind of trouble it is.
    pub(crate) fn trouble(&self) -> Trouble {
        use rusqlite::ErrorCode::{CannotOpen, DiskFull, PermissionDenied, ReadOnly, SystemIoFailure};
        match self {
            Self::Full => Trouble::Full,
            Self::Sqlite(rusqlite::Error::SqliteFailure(error, _)) => match error.code {
                DiskFull => Trouble::DiskFull,
                ReadOnly | PermissionDenied => Trouble::ReadOnly,
                SystemIoFailure | CannotOpen => Trouble::Io,
                _ => Trouble::Other,
            },
            _ => Trouble::Other,
        }
    }
}

/// How to open a spool.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its folder; made when it isn't there, but not what is above it.
    pub folder: PathBuf,
    /// Name and group of each bind, in the configuration's order: its place. Others are named later.
    pub links: Vec<(String, String)>,
    /// Committed records are kept for so long.
    pub keep: Duration,
    /// Name of this host, for people.
    pub host: String,
    /// Bytes on disk past which new records are refused.
    pub bytes_max: u64,
    /// Time and chance. Its times are taken evenly, as they are compared: a clock that jumps must not end
    /// what is in doubt.
    pub world: World,
}

/// An open spool.
#[derive(Debug)]
pub struct Spool {
    queue: mpsc::Sender<Append>,
    completions: Vec<Arc<Completions>>,
    marks: Arc<Marks>,
    threads: Vec<std::thread::JoinHandle<()>>,
    reader: Reader,
    /// Per link: what the SMSC may deliver again, from before this start.
    in_doubt: Vec<Vec<InDoubt>>,
    newest_received_us: i64,
}

impl Spool {
    /// Opens or makes the spool, settles what the last run left open, and starts its threads.
    pub fn open(options: &Options) -> Result<Self, SpoolError> {
        let (mut spool, writer, appends, reads) = Self::parts(options)?;
        let thread = |name: &str, work: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new()
                .name(name.into())
                .spawn(work)
                .map_err(|error| SpoolError::Folder { folder: options.folder.clone(), error })
        };
        spool.threads.push(thread("spool", Box::new(move || writer.run(appends)))?);
        spool.threads.push(thread("spool-read", Box::new(move || reads.run()))?);
        Ok(spool)
    }

    /// Opens the spool for a simulation: the same, but its work is done where the [`Inline`] runs.
    pub fn open_inline(options: &Options) -> Result<(Self, Inline), SpoolError> {
        let (spool, writer, appends, reads) = Self::parts(options)?;
        Ok((spool, Inline::new(writer, appends, reads)))
    }

    fn parts(options: &Options) -> Result<(Self, writer::Writer, mpsc::Receiver<Append>, read::Server), SpoolError> {
        let opened = open::open(options)?;
        let marks = Arc::new(Marks::new(opened.closed.clone(), opened.live(), opened.committed));
        let completions: Vec<_> = (0..BINDS_MAX).map(|_| Arc::<Completions>::default()).collect();
        let (queue, appends) = mpsc::channel(SPOOL_QUEUE_MAX);
        let in_doubt = opened.in_doubt.clone();
        let newest_received_us = opened.newest_received_us()?;
        let (reads, reader) = read::Server::open(options, marks.clone())?;
        let writer = writer::Writer::new(opened, options, completions.clone(), marks.clone());
        let threads = Vec::new();
        let spool = Self { queue, completions, marks, threads, reader, in_doubt, newest_received_us };
        Ok((spool, writer, appends, reads))
    }

    /// The queue to its thread.
    pub fn queue(&self) -> mpsc::Sender<Append> {
        self.queue.clone()
    }

    /// Where it lays what is done for a link.
    pub fn completions(&self, link: usize) -> Option<Arc<Completions>> {
        self.completions.get(link).cloned()
    }

    /// What it shows of itself.
    pub fn marks(&self) -> Arc<Marks> {
        self.marks.clone()
    }

    /// The latest time of receipt of earlier runs (microseconds since the epoch; 0: none).
    pub fn newest_received_us(&self) -> i64 {
        self.newest_received_us
    }

    /// Reads committed records.
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// Per link, what the SMSC may deliver again from before this start.
    pub fn take_in_doubt(&mut self) -> Vec<Vec<InDoubt>> {
        std::mem::take(&mut self.in_doubt)
    }

    /// Asks for what is due now and then: pruning, the committed mark, sizes. Nothing happens when
    /// the queue is full: then there is other work.
    pub fn housekeep(queue: &mpsc::Sender<Append>) {
        let _ = queue.try_send(Append { link: 0, tag: 0, give_up: None, op: Op::Housekeep });
    }

    /// Waits until everything asked is done and the threads have ended. All other senders of
    /// [`Spool::queue`] and readers must be gone.
    pub fn close(self) {
        let Self { queue, reader, threads, .. } = self;
        drop(queue);
        drop(reader);
        for thread in threads {
            let _ = thread.join();
        }
    }
}
