//! Opening: the lock, the tables, and what a run that was killed left open.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::batch::{self, Links, Memory};
use super::pages::RawRow;
use super::remembered::Remembered;
use super::runs::{self, Runs};
use super::submits;
use super::{Options, SpoolError, recover};
use crate::handoff::append::InDoubt;
use crate::handoff::message::{Run, SubmitOutcome, SubmitResult};
use crate::limits::{IN_DOUBT_MAX, SPOOL_CHECK_BYTES, SPOOL_LOG_BYTES, SUBMITS_REMEMBERED_MAX};

/// Format of the file.
pub(super) const VERSION: i64 = 5;
/// A format whose results did not say the texts that went: nothing of it is changed.
const WITHOUT_WORDS: i64 = 4;
/// The format before it, which did not keep the texts of submits.
const WITHOUT_TEXTS: i64 = 3;
/// Its name.
pub(super) const FILE: &str = "spool.sqlite";
/// Its write-ahead log.
pub(super) const LOG: &str = "spool.sqlite-wal";
/// The log's index.
pub(super) const INDEX: &str = "spool.sqlite-shm";

const META: &str = "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value);";

const TABLES: &str = "
-- A link of a group. `confirmed`: up to this sequence, the SMSC has our responses or the record stands
-- in in_doubt.
CREATE TABLE IF NOT EXISTS link (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, grp TEXT NOT NULL, confirmed INTEGER NOT NULL DEFAULT 0,
    UNIQUE (name, grp));
-- What came in, as a postcard of handoff::message::Body. `chain` and `crc`: see spool::chain. Sequences
-- have no gap, but for what was pruned.
CREATE TABLE IF NOT EXISTS record (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL, received_us INTEGER NOT NULL,
    link INTEGER NOT NULL, kind INTEGER NOT NULL, salt BLOB NOT NULL, body BLOB NOT NULL, chain BLOB NOT NULL,
    crc INTEGER NOT NULL);
-- Every submit before it is written to the wire. Without a result it is under way. `text`: as it went.
CREATE TABLE IF NOT EXISTS submit (
    number INTEGER PRIMARY KEY, id BLOB NOT NULL, attempt INTEGER NOT NULL, link INTEGER NOT NULL,
    at_us INTEGER NOT NULL, result_sequence INTEGER, text TEXT);
-- Records that the SMSC may deliver again.
CREATE TABLE IF NOT EXISTS in_doubt (
    sequence INTEGER PRIMARY KEY, link INTEGER NOT NULL, key BLOB NOT NULL, until_us INTEGER NOT NULL);
";

/// An open file, with what stands in memory.
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) lock: File,
    pub(super) closed: Vec<Run>,
    pub(super) begins_after: u64,
    pub(super) committed: u64,
    pub(super) memory: Memory,
    pub(super) in_doubt: Vec<Vec<InDoubt>>,
}

/// A connection with the pragmas that durability and the memory cap need.
/// The file that is there: were its disk gone, an empty one must not be made in its stead.
pub(super) fn reconnect(folder: &Path) -> Result<Connection, SpoolError> {
    match std::fs::metadata(folder.join(FILE)) {
        Ok(_) => connect(folder),
        Err(error) => Err(SpoolError::Folder { folder: folder.to_owned(), error }),
    }
}

/// What SQLite says of a sync that fails.
pub(super) fn sync_failed() -> SpoolError {
    let error = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_FSYNC);
    rusqlite::Error::SqliteFailure(error, None).into()
}

pub(super) fn connect(folder: &Path) -> Result<Connection, SpoolError> {
    let connection = Connection::open(folder.join(FILE))?;
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
    let mut file = file;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {
            // For whoever finds it locked; nothing hangs on it.
            let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
            Ok(file)
        }
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let mut process = String::new();
            let _ = file.read_to_string(&mut process);
            Err(SpoolError::InUse { folder: folder.to_owned(), process: process.trim().parse().unwrap_or_default() })
        }
        Err(error) => Err(broken(error.into())),
    }
}

/// Opens the file, or makes it. One that is damaged is put aside, and what can be read of it goes into
/// a new one.
pub(super) fn open(options: &Options) -> Result<Opened, SpoolError> {
    let folder = &options.folder;
    let lock = lock(folder)?;
    if let Some(why) = recover::is_needed(folder)? {
        recover::recover(folder, &why)?;
    }
    let behind = recover::rows_behind(folder)?;
    match open_file(options, &behind) {
        Ok(file) => Ok(file.with(lock)),
        Err(error) if error.is_damage() => {
            recover::recover(folder, &error.to_string())?;
            Ok(open_file(options, &behind)?.with(lock))
        }
        Err(error) => Err(error),
    }
}

/// All but the lock.
struct Unlocked {
    connection: Connection,
    closed: Vec<Run>,
    begins_after: u64,
    committed: u64,
    memory: Memory,
    in_doubt: Vec<Vec<InDoubt>>,
}

/// The tables, where they aren't there.
pub(super) fn create(connection: &Connection, folder: &Path) -> Result<(), SpoolError> {
    connection.execute_batch(META)?;
    check_version(connection, folder)?;
    connection.execute_batch(TABLES)?;
    Ok(connection.execute_batch(runs::TABLE)?)
}

fn open_file(options: &Options, behind: &[RawRow]) -> Result<Unlocked, SpoolError> {
    let folder = &options.folder;
    let connection = connect(folder)?;
    create(&connection, folder)?;
    recover::restore_names(&connection, folder)?;
    recover::insert_rows(&connection, behind)?;
    if std::fs::metadata(folder.join(FILE)).is_ok_and(|file| file.len() <= SPOOL_CHECK_BYTES) {
        let said: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if said != "ok" {
            return Err(SpoolError::Damaged(said));
        }
    }
    let links = links(&connection, options)?;
    let Runs { live, uuid, begins_after, closed } = runs::begin(&connection, &options.host, &options.world)?;
    recover::write_sidecar(&connection, folder)?;
    let committed: i64 = meta(&connection, "committed")?.unwrap_or_default();
    let anchor: Option<Vec<u8>> = meta(&connection, "chain")?;
    let last: Option<Vec<u8>> = connection
        .query_row("SELECT chain FROM record ORDER BY sequence DESC LIMIT 1", [], |row| row.get(0))
        .optional()?;
    let chain = last.or(anchor).and_then(|c| <[u8; 32]>::try_from(c).ok()).unwrap_or_default();
    let memory = Memory {
        run: (uuid, live),
        links,
        chain,
        newest: begins_after,
        remembered: Remembered::default(),
        open: HashMap::new(),
        world: options.world.clone(),
    };
    let committed = (committed.max(0) as u64).min(begins_after);
    let mut file = Unlocked { connection, closed, begins_after, committed, memory, in_doubt: Vec::new() };
    file.settle_dangling()?;
    file.remember()?;
    file.enter_doubt(options)?;
    Ok(file)
}

/// A value of `meta`.
pub(super) fn meta<T: rusqlite::types::FromSql>(connection: &Connection, name: &str) -> Result<Option<T>, SpoolError> {
    Ok(connection.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0)).optional()?)
}

/// The version, written with the file.
fn check_version(connection: &Connection, folder: &Path) -> Result<(), SpoolError> {
    connection.execute("INSERT OR IGNORE INTO meta VALUES ('version', ?1)", params![VERSION])?;
    let found: i64 = connection.query_row("SELECT value FROM meta WHERE name = 'version'", [], |row| row.get(0))?;
    if found == WITHOUT_TEXTS {
        return Ok(connection.execute_batch(&format!(
            "BEGIN; ALTER TABLE submit ADD COLUMN text TEXT;
             UPDATE meta SET value = {VERSION} WHERE name = 'version'; COMMIT"
        ))?);
    }
    if found == WITHOUT_WORDS {
        connection.execute("UPDATE meta SET value = ?1 WHERE name = 'version'", params![VERSION])?;
        return Ok(());
    }
    if found != VERSION {
        return Err(SpoolError::Version { folder: folder.to_owned(), found, known: VERSION });
    }
    Ok(())
}

fn links(connection: &Connection, options: &Options) -> Result<Links, SpoolError> {
    let mut rows = Vec::with_capacity(options.links.len());
    for (name, group) in &options.links {
        rows.push(name_link(connection, name, group)?);
    }
    let names = connection
        .prepare("SELECT id, name, grp FROM link")?
        .query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?
        .collect::<Result<_, _>>()?;
    Ok(Links { rows, names })
}

/// The row of a link, made where there is none.
pub(super) fn name_link(connection: &Connection, name: &str, group: &str) -> Result<i64, SpoolError> {
    connection.execute("INSERT OR IGNORE INTO link (name, grp) VALUES (?1, ?2)", params![name, group])?;
    let sql = "SELECT id FROM link WHERE name = ?1 AND grp = ?2";
    Ok(connection.query_row(sql, params![name, group], |row| row.get(0))?)
}

impl Opened {
    /// Of the last records, which may have come in another order than their times.
    pub(super) fn newest_received_us(&self) -> Result<i64, SpoolError> {
        let sql = "SELECT coalesce(max(received_us), 0) FROM (SELECT received_us FROM record ORDER BY sequence DESC LIMIT 1000)";
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }

    /// The run that was begun, as it stands.
    pub(super) fn live(&self) -> Run {
        let (begins_after, newest) = (self.begins_after, self.memory.newest);
        let [oldest, newest] = if newest > begins_after { [begins_after + 1, newest] } else { [0, 0] };
        Run { uuid: self.memory.run.0, begins_after, oldest, newest }
    }
}

impl Unlocked {
    fn with(self, lock: File) -> Opened {
        let Self { connection, closed, begins_after, committed, memory, in_doubt } = self;
        Opened { connection, lock, closed, begins_after, committed, memory, in_doubt }
    }

    /// A submit without a result was, or may have been, written when the last run ended.
    fn settle_dangling(&mut self) -> Result<(), SpoolError> {
        let tx = self.connection.unchecked_transaction()?;
        let open: Vec<(i64, [u8; 16], u16, i64)> = tx
            .prepare("SELECT number, id, attempt, link FROM submit WHERE result_sequence IS NULL ORDER BY number")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
            .collect::<Result<_, _>>()?;
        let mut staged = self.memory.stage();
        for (number, id, attempt, link) in open {
            let text = submits::text_of(&tx, (Uuid::from_bytes(id), attempt), number)?;
            let result = SubmitResult { id: Uuid::from_bytes(id), attempt, outcome: SubmitOutcome::Unknown };
            let at_us = self.memory.world.steady_us();
            let sequence = submits::insert_result(&tx, &self.memory, &mut staged, link, at_us, (result, text))?;
            tx.execute("UPDATE submit SET result_sequence = ?2 WHERE number = ?1", params![number, sequence as i64])?;
        }
        tx.commit()?;
        self.memory.apply(&staged);
        Ok(())
    }

    fn remember(&mut self) -> Result<(), SpoolError> {
        let mut statement = self.connection.prepare(
            "SELECT id, attempt, number FROM (SELECT number, id, attempt FROM submit ORDER BY number DESC LIMIT ?1) ORDER BY number",
        )?;
        let mut rows = statement.query([SUBMITS_REMEMBERED_MAX as i64])?;
        while let Some(row) = rows.next()? {
            self.memory.remembered.insert(Uuid::from_bytes(row.get(0)?), row.get(1)?, row.get(2)?);
        }
        Ok(())
    }

    /// Everything not confirmed when the last run ended may come again.
    fn enter_doubt(&mut self, options: &Options) -> Result<(), SpoolError> {
        let is_configured = |group: &String| options.links.iter().any(|(_, configured)| configured == group);
        let tx = self.connection.unchecked_transaction()?;
        tx.execute("DELETE FROM in_doubt WHERE until_us <= ?1", [options.world.steady_us()])?;
        // Of a group's links those too that are configured no more, or are bound otherwise now.
        let mut rows: Vec<i64> = self
            .memory
            .links
            .names
            .iter()
            .filter(|(_, (_, group))| is_configured(group))
            .map(|(row, _)| *row)
            .collect();
        rows.sort_unstable();
        for row in rows {
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
