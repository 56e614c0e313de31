//! Opening: the lock, the tables, and what a run that was killed left open.

use std::fs::File;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::batch::{self, Links};
use super::remembered::Remembered;
use super::runs::{self, Runs};
use super::{Options, SpoolError};
use crate::handoff::append::InDoubt;
use crate::handoff::message::{Run, SubmitOutcome};
use crate::limits::{IN_DOUBT_MAX, SPOOL_LOG_BYTES, SUBMITS_REMEMBERED_MAX};

/// Format of the file.
const VERSION: i64 = 2;

const META: &str = "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;";

const TABLES: &str = "
-- A link of a group. `confirmed`: up to this sequence, the SMSC has our responses or the record stands
-- in in_doubt.
CREATE TABLE IF NOT EXISTS link (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, grp TEXT NOT NULL, confirmed INTEGER NOT NULL DEFAULT 0,
    UNIQUE (name, grp));
-- What came in, as a postcard of handoff::message::Body. `chain` is SHA-256 of the chain before and the body.
CREATE TABLE IF NOT EXISTS record (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL, received_us INTEGER NOT NULL, link INTEGER NOT NULL,
    kind INTEGER NOT NULL, body BLOB NOT NULL, chain BLOB NOT NULL);
-- Every submit before it is written to the wire. Without a result it is under way.
CREATE TABLE IF NOT EXISTS submit (
    number INTEGER PRIMARY KEY, id BLOB NOT NULL, attempt INTEGER NOT NULL, link INTEGER NOT NULL,
    at_us INTEGER NOT NULL, result_sequence INTEGER);
-- Records that the SMSC may deliver again.
CREATE TABLE IF NOT EXISTS in_doubt (
    sequence INTEGER PRIMARY KEY, link INTEGER NOT NULL, key BLOB NOT NULL, until_us INTEGER NOT NULL);
";

/// An open file, with what stands in memory.
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) lock: File,
    pub(super) runs: Runs,
    pub(super) newest: u64,
    pub(super) committed: u64,
    pub(super) chain: [u8; 32],
    pub(super) links: Links,
    pub(super) remembered: Remembered,
    pub(super) in_doubt: Vec<Vec<InDoubt>>,
}

/// A connection with the pragmas that durability and the memory cap need.
pub(super) fn connect(folder: &Path) -> Result<Connection, SpoolError> {
    let connection = Connection::open(folder.join("spool.sqlite"))?;
    connection.busy_timeout(Duration::from_secs(2))?;
    connection.execute_batch(&format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -2048;
         PRAGMA journal_size_limit = {SPOOL_LOG_BYTES}; PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0;"
    ))?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

fn lock(folder: &Path) -> Result<File, SpoolError> {
    let broken = |error| SpoolError::Folder { folder: folder.to_owned(), error };
    match std::fs::DirBuilder::new().mode(0o750).create(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(broken(error)),
        _ => {}
    }
    let file = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(folder.join("spool.lock"))
        .map_err(broken)?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(SpoolError::InUse(folder.to_owned())),
        Err(error) => Err(broken(error.into())),
    }
}

pub(super) fn open(options: &Options) -> Result<Opened, SpoolError> {
    let folder = &options.folder;
    let lock = lock(folder)?;
    let connection = connect(folder)?;
    connection.execute_batch(META)?;
    check_version(&connection, folder)?;
    connection.execute_batch(TABLES)?;
    connection.execute_batch(runs::TABLE)?;
    let links = links(&connection, options)?;
    let runs = runs::begin(&connection, &options.host, &options.world)?;
    let committed: i64 = connection
        .query_row("SELECT value FROM meta WHERE name = 'committed'", [], |row| row.get(0))
        .optional()?
        .unwrap_or_default();
    let chain: Option<Vec<u8>> =
        connection.query_row("SELECT value FROM meta WHERE name = 'chain'", [], |row| row.get(0)).optional()?;
    let last: Option<Vec<u8>> = connection
        .query_row("SELECT chain FROM record ORDER BY sequence DESC LIMIT 1", [], |row| row.get(0))
        .optional()?;
    let chain = last.or(chain).and_then(|c| <[u8; 32]>::try_from(c).ok()).unwrap_or_default();
    let mut opened = Opened {
        connection,
        lock,
        newest: runs.begins_after,
        runs,
        committed: committed as u64,
        chain,
        links,
        remembered: Remembered::default(),
        in_doubt: Vec::new(),
    };
    opened.settle_dangling(options.world.steady_us())?;
    opened.remember()?;
    opened.enter_doubt(options)?;
    Ok(opened)
}

/// The version, written with the file.
fn check_version(connection: &Connection, folder: &Path) -> Result<(), SpoolError> {
    connection.execute("INSERT OR IGNORE INTO meta VALUES ('version', ?1)", params![VERSION])?;
    let found: i64 = connection.query_row("SELECT value FROM meta WHERE name = 'version'", [], |row| row.get(0))?;
    if found != VERSION {
        return Err(SpoolError::Version { folder: folder.to_owned(), found, known: VERSION });
    }
    Ok(())
}

fn links(connection: &Connection, options: &Options) -> Result<Links, SpoolError> {
    let mut rows = Vec::with_capacity(options.links.len());
    for (name, group) in &options.links {
        connection.execute("INSERT OR IGNORE INTO link (name, grp) VALUES (?1, ?2)", params![name, group])?;
        rows.push(connection.query_row(
            "SELECT id FROM link WHERE name = ?1 AND grp = ?2",
            params![name, group],
            |row| row.get(0),
        )?);
    }
    Ok(Links { rows })
}

impl Opened {
    /// Of the last records, which may have come in another order than their times.
    pub(super) fn newest_received_us(&self) -> Result<i64, SpoolError> {
        let sql = "SELECT coalesce(max(received_us), 0) FROM (SELECT received_us FROM record ORDER BY sequence DESC LIMIT 1000)";
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }

    /// The run that was begun, as it stands.
    pub(super) fn live(&self) -> Run {
        let Runs { uuid, begins_after, .. } = self.runs;
        let any = self.newest > begins_after;
        let [oldest, newest] = if any { [begins_after + 1, self.newest] } else { [0, 0] };
        Run { uuid, begins_after, oldest, newest }
    }

    /// A submit without a result was, or may have been, written when the last run ended.
    fn settle_dangling(&mut self, now_us: i64) -> Result<(), SpoolError> {
        let tx = self.connection.unchecked_transaction()?;
        let open: Vec<(i64, [u8; 16], u16, i64)> = tx
            .prepare("SELECT number, id, attempt, link FROM submit WHERE result_sequence IS NULL ORDER BY number")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
            .collect::<Result<_, _>>()?;
        let (mut chain, mut newest) = (self.chain, self.newest);
        for (number, id, attempt, link) in open {
            let body = batch::result_body(Uuid::from_bytes(id), attempt, SubmitOutcome::Unknown)?;
            newest = batch::insert_result(&tx, self.runs.live, link, now_us, &body, &mut chain)?;
            tx.execute("UPDATE submit SET result_sequence = ?2 WHERE number = ?1", params![number, newest as i64])?;
        }
        tx.commit()?;
        (self.chain, self.newest) = (chain, newest);
        Ok(())
    }

    fn remember(&mut self) -> Result<(), SpoolError> {
        let mut statement = self.connection.prepare(
            "SELECT id, attempt FROM (SELECT number, id, attempt FROM submit ORDER BY number DESC LIMIT ?1) ORDER BY number",
        )?;
        let mut rows = statement.query([SUBMITS_REMEMBERED_MAX as i64])?;
        while let Some(row) = rows.next()? {
            self.remembered.insert(Uuid::from_bytes(row.get(0)?), row.get(1)?);
        }
        Ok(())
    }

    /// Everything not confirmed when the last run ended may come again.
    fn enter_doubt(&mut self, options: &Options) -> Result<(), SpoolError> {
        let tx = self.connection.unchecked_transaction()?;
        tx.execute("DELETE FROM in_doubt WHERE until_us <= ?1", [options.world.steady_us()])?;
        for &row in &self.links.rows {
            batch::doubt_unconfirmed(&tx, row, options.world.steady_us())?;
        }
        // By group: a link that is configured no more may have been replaced by one of its group.
        let mut seen: Vec<&str> = Vec::new();
        for (_, group) in &options.links {
            let mut records = Vec::new();
            if !seen.contains(&group.as_str()) {
                seen.push(group);
                records = tx
                    .prepare_cached(
                        "SELECT d.sequence, d.key, d.until_us, run.uuid FROM in_doubt d JOIN link ON link.id = d.link
                         JOIN record ON record.sequence = d.sequence JOIN run ON run.id = record.run
                         WHERE grp = ?1 ORDER BY d.sequence DESC LIMIT ?2",
                    )?
                    .query_map(params![group, IN_DOUBT_MAX as i64], |row| {
                        Ok(InDoubt {
                            run: Uuid::from_bytes(row.get(3)?),
                            sequence: row.get::<_, i64>(0)? as u64,
                            key: u128::from_be_bytes(row.get(1)?),
                            until_us: row.get(2)?,
                        })
                    })?
                    .collect::<Result<_, _>>()?;
            }
            self.in_doubt.push(records);
        }
        tx.commit()?;
        Ok(())
    }
}
