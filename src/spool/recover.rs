//! A file that is damaged: it is put aside under a dated name, and every row that can be read off its
//! pages goes into a new file under its old key. A log with a wrong frame: rows behind it are taken back.
//!
//! Invariants: what is damaged is kept, never changed; a row is believed by its checksum; what was given
//! and is not there any more is a gap, which the reader names record by record.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::SpoolError;
use super::chain::Row;
use super::open::{self, FILE, VERSION};
use super::pages::{self, PageSource, RawRow, Value};
use super::wal::{Log, PAGE_BYTES};

/// Left by a process that found the file damaged while it ran.
const MARK: &str = "spool.damaged";
/// What rows of records refer to, a second time: written when the spool is opened.
const SIDECAR: &str = "spool.runs";
/// Rows of one transaction.
const ROWS: usize = 1_000;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Sidecar {
    version: i64,
    /// Row, UUID, begin in sequences and in time, host.
    runs: Vec<(i64, Uuid, i64, i64, String)>,
    /// Row, name, group.
    links: Vec<(i64, String, String)>,
}

fn broken(folder: &Path) -> impl Fn(std::io::Error) -> SpoolError + '_ {
    |error| SpoolError::Folder { folder: folder.to_owned(), error }
}

/// Has the next start mend the file.
pub(super) fn mark(folder: &Path, why: &str) {
    if let Err(error) = std::fs::write(folder.join(MARK), why) {
        tracing::error!(%error, folder = %folder.display(), "the damage cannot be noted");
    }
}

/// Files of earlier damage that are kept in the folder.
pub(super) fn kept(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let is_kept = |path: &PathBuf| {
        path.file_name()
            .and_then(|n| n.to_str())
            .is_some_and(|n| n.starts_with("spool.damaged-") && !n.ends_with("-wal"))
    };
    let mut kept: Vec<PathBuf> = entries.flatten().map(|e| e.path()).filter(is_kept).collect();
    kept.sort_unstable();
    kept
}

/// Why the file must be put aside before it is opened, if it must.
pub(super) fn is_needed(folder: &Path) -> Result<Option<String>, SpoolError> {
    match std::fs::read_to_string(folder.join(MARK)) {
        Ok(why) => return Ok(Some(why)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(broken(folder)(error)),
    }
    // The version is a number like any other: with the sidecar's it is known whether this one was changed.
    if folder.join(FILE).exists()
        && read_sidecar(folder).is_some_and(|sidecar| sidecar.version == VERSION)
        && let Ok(connection) =
            Connection::open_with_flags(folder.join(FILE), rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)
        && let Ok(Some(found)) = open::meta::<i64>(&connection, "version")
        && found != VERSION
    {
        return Ok(Some(format!("its version became {found}")));
    }
    Ok(None)
}

/// Writes down what rows of records refer to.
pub(super) fn write_sidecar(connection: &Connection, folder: &Path) -> Result<(), SpoolError> {
    let runs = connection
        .prepare("SELECT id, uuid, begins_after, begun_us, host FROM run ORDER BY id")?
        .query_map([], |r| Ok((r.get(0)?, Uuid::from_bytes(r.get(1)?), r.get(2)?, r.get(3)?, r.get(4)?)))?
        .collect::<Result<_, _>>()?;
    let links = connection
        .prepare("SELECT id, name, grp FROM link ORDER BY id")?
        .query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?
        .collect::<Result<_, _>>()?;
    let text = serde_json::to_vec_pretty(&Sidecar { version: VERSION, runs, links }).map_err(std::io::Error::from);
    let write = || {
        let fresh = folder.join("spool.runs.new");
        let mut file = File::create(&fresh)?;
        file.write_all(&text?)?;
        file.sync_all()?;
        std::fs::rename(&fresh, folder.join(SIDECAR))?;
        File::open(folder)?.sync_all()
    };
    write().map_err(broken(folder))
}

fn read_sidecar(folder: &Path) -> Option<Sidecar> {
    serde_json::from_slice(&std::fs::read(folder.join(SIDECAR)).ok()?).ok()
}

/// Puts back what the sidecar knows and the file does not.
pub(super) fn restore_names(connection: &Connection, folder: &Path) -> Result<(), SpoolError> {
    let Some(sidecar) = read_sidecar(folder) else { return Ok(()) };
    let tx = connection.unchecked_transaction()?;
    for (id, uuid, begins_after, begun_us, host) in &sidecar.runs {
        // One that was let go as it had no records may stand here still.
        let newer = tx.query_row("SELECT ifnull(max(id), 0) < ?1 FROM run", [id], |r| r.get::<_, bool>(0))?;
        if newer {
            tx.execute(
                "INSERT OR IGNORE INTO run (id, uuid, begins_after, begun_us, host) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![id, uuid.as_bytes(), begins_after, begun_us, host],
            )?;
        }
    }
    for (id, name, group) in &sidecar.links {
        tx.execute("INSERT OR IGNORE INTO link (id, name, grp) VALUES (?1, ?2, ?3)", params![id, name, group])?;
    }
    Ok(tx.commit()?)
}

/// Rows of records that SQLite will not see, as they lie behind a frame of the log that is not right. To
/// be taken before the file is opened.
pub(super) fn rows_behind(folder: &Path) -> Result<Vec<RawRow>, SpoolError> {
    let log = Log::read(&folder.join(format!("{FILE}-wal"))).map_err(broken(folder))?;
    let Some(wrong) = log.wrong else { return Ok(Vec::new()) };
    if log.commits_behind > 1 {
        let kept = folder.join(format!("{}-wal", damaged_name()));
        tracing::error!(frame = wrong, commits = log.commits_behind, kept = %kept.display(),
            "the spool's write-ahead log is damaged: what lies behind is taken back as far as it can be read");
        metrics::counter!("scrutineer_spool_damaged_total").increment(1);
        std::fs::copy(folder.join(format!("{FILE}-wal")), kept).map_err(broken(folder))?;
    }
    let mut image = Image::new(folder.join(FILE), log);
    let frames: Vec<_> = image.log.frames.get(wrong..).unwrap_or_default().to_vec();
    let mut found: HashMap<i64, RawRow> = HashMap::new();
    for frame in frames {
        let Some(page) = image.log.content(frame) else { continue };
        for row in pages::rows(&page, frame.page, &mut image) {
            if columns(&row).is_some_and(|r| r.good) {
                found.insert(row.0, row);
            }
        }
    }
    let mut rows: Vec<RawRow> = found.into_values().collect();
    rows.sort_unstable_by_key(|row| row.0);
    Ok(rows)
}

/// Puts rows back that are not there.
pub(super) fn insert_rows(connection: &Connection, rows: &[RawRow]) -> Result<usize, SpoolError> {
    let pruned = open::meta::<i64>(connection, "pruned")?.unwrap_or_default();
    let tx = connection.unchecked_transaction()?;
    let mut count = 0;
    for row in rows.iter().filter(|row| row.0 > pruned) {
        if let Some(columns) = columns(row) {
            count += columns.insert(&tx)?;
        }
    }
    tx.commit()?;
    if count > 0 {
        tracing::warn!(records = count, "records behind a wrong frame of the spool's log were taken back");
    }
    Ok(count)
}

fn damaged_name() -> String {
    let now = crate::world::World::real().now_us() / 1_000_000;
    let at = time::OffsetDateTime::from_unix_timestamp(now).unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    let (date, clock) = (at.date(), at.time());
    format!(
        "spool.damaged-{:04}{:02}{:02}T{:02}{:02}{:02}Z-{:06}.sqlite",
        date.year(),
        u8::from(date.month()),
        date.day(),
        clock.hour(),
        clock.minute(),
        clock.second(),
        crate::world::World::real().now_us() % 1_000_000
    )
}

/// Puts the file aside and makes a new one of what can be read.
pub(super) fn recover(folder: &Path, why: &str) -> Result<(), SpoolError> {
    let name = damaged_name();
    let aside = folder.join(&name);
    tracing::error!(why, kept = %aside.display(), "the spool's file is damaged: it is put aside, and a new one is made of what can be read");
    metrics::counter!("scrutineer_spool_damaged_total").increment(1);
    let rename = |from: &str, to: &Path| match std::fs::rename(folder.join(from), to) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(broken(folder)(error)),
        _ => Ok(()),
    };
    // A start that is cut short here finds its work begun: what was moved is read again.
    rename(&format!("{FILE}-wal"), &folder.join(format!("{name}-wal")))?;
    rename(FILE, &aside)?;
    let _ = std::fs::remove_file(folder.join(format!("{FILE}-shm")));
    let fresh = folder.join("spool.recovered.sqlite");
    let _ = std::fs::remove_file(&fresh);
    let connection = Connection::open(&fresh)?;
    connection.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -2048")?;
    open::create(&connection, folder)?;
    restore_names(&connection, folder)?;
    let log = Log::read(&folder.join(format!("{name}-wal"))).map_err(broken(folder))?;
    let records = scavenge(&connection, &mut Image::new(aside, log))?;
    connection.close().map_err(|(_, error)| error)?;
    let finish = || {
        File::open(&fresh)?.sync_all()?;
        std::fs::rename(&fresh, folder.join(FILE))?;
        let _ = std::fs::remove_file(folder.join(MARK));
        File::open(folder)?.sync_all()
    };
    finish().map_err(broken(folder))?;
    tracing::error!(
        records,
        "records were carried over from the damaged file; those that are missing are named when they are read"
    );
    Ok(())
}

/// The damaged file, overlaid with its log.
struct Image {
    file: Option<File>,
    pages: u32,
    log: Log,
    newest: HashMap<u32, super::wal::Frame>,
}

impl Image {
    fn new(path: PathBuf, log: Log) -> Self {
        let file = File::open(path).ok();
        let length = file.as_ref().and_then(|f| f.metadata().ok()).map_or(0, |m| m.len());
        let pages = u32::try_from(length.div_ceil(PAGE_BYTES as u64)).unwrap_or(u32::MAX);
        Self { file, pages, newest: log.newest(), log }
    }

    fn on_disk(&self, number: u32) -> Option<Vec<u8>> {
        let mut page = vec![0; PAGE_BYTES];
        let at = u64::from(number.checked_sub(1)?) * PAGE_BYTES as u64;
        let file = self.file.as_ref()?;
        // A sector that cannot be read takes its page with it, and the last page may be cut short.
        let mut filled = 0;
        while let Some(rest) = page.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, at + filled as u64) {
                Ok(0) | Err(_) => break,
                Ok(n) => filled += n,
            }
        }
        (filled > 0).then_some(page)
    }
}

impl PageSource for Image {
    fn page(&mut self, number: u32) -> Option<Vec<u8>> {
        match self.newest.get(&number) {
            Some(frame) => self.log.content(*frame),
            None => self.on_disk(number),
        }
    }
}

/// A row of `record`, taken apart.
struct Record<'a> {
    row: Row<'a>,
    crc: i64,
    good: bool,
}

fn columns((rowid, values): &RawRow) -> Option<Record<'_>> {
    let [
        Value::Null,
        Value::Integer(run),
        Value::Integer(received_us),
        Value::Integer(link),
        Value::Integer(kind),
        Value::Blob(salt),
        Value::Blob(body),
        Value::Blob(chain),
        Value::Integer(crc),
    ] = values.as_slice()
    else {
        return None;
    };
    let row =
        Row { sequence: *rowid, run: *run, received_us: *received_us, link: *link, kind: *kind, salt, body, chain };
    Some(Record { row, crc: *crc, good: row.checksum() == *crc })
}

impl Record<'_> {
    fn insert(&self, connection: &Connection) -> Result<usize, SpoolError> {
        let r = &self.row;
        Ok(connection
            .prepare_cached("INSERT OR IGNORE INTO record VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?
            .execute(params![r.sequence, r.run, r.received_us, r.link, r.kind, r.salt, r.body, r.chain, self.crc])?)
    }
}

/// All rows that can be read go to the new file; how many records.
fn scavenge(connection: &Connection, image: &mut Image) -> Result<usize, SpoolError> {
    connection.execute_batch("BEGIN")?;
    let (mut records, mut since) = (0, 0);
    // Good rows first, so that a changed copy never takes the place of one.
    let mut newest = 0;
    for wanted_good in [true, false] {
        let frames = image.log.frames.clone();
        let known: HashSet<u32> = image.newest.keys().copied().collect();
        let whole = (1..=image.pages).map(|number| (number, None));
        for (number, frame) in whole.chain(frames.into_iter().map(|frame| (frame.page, Some(frame)))) {
            let page = match frame {
                Some(frame) => image.log.content(frame),
                None => image.on_disk(number),
            };
            let Some(page) = page else { continue };
            // Of other tables only what stood last counts.
            let stands = frame.is_none() && !known.contains(&number)
                || frame.is_some_and(|f| image.newest.get(&number).is_some_and(|n| n.is(&f)));
            for row in pages::rows(&page, number, image) {
                match columns(&row) {
                    Some(record) if record.good && wanted_good => {
                        newest = newest.max(row.0);
                        records += record.insert(connection)?;
                    }
                    // A row that was changed stands in its place, as the reader names it.
                    Some(record) if !record.good && !wanted_good && stands && row.0 > 0 && row.0 <= newest => {
                        records += record.insert(connection)?;
                    }
                    Some(_) => {}
                    None if wanted_good && stands => other(connection, &row)?,
                    None => {}
                }
                since += 1;
            }
            if since >= ROWS {
                since = 0;
                connection.execute_batch("COMMIT; BEGIN")?;
            }
        }
    }
    // Of a page that was free still, rows that were pruned long ago may have come back.
    connection.execute(
        "DELETE FROM record WHERE sequence <= ifnull((SELECT value FROM meta WHERE name = 'pruned'), 0)",
        [],
    )?;
    connection.execute_batch("COMMIT")?;
    Ok(records)
}

/// A row of another table: what is known by its form.
fn other(connection: &Connection, (rowid, values): &RawRow) -> Result<(), SpoolError> {
    match values.as_slice() {
        [
            Value::Null,
            Value::Blob(id),
            Value::Integer(attempt),
            Value::Integer(link),
            Value::Integer(at_us),
            result,
            text @ ..,
        ] if id.len() == 16 && text.len() < 2 => {
            let result = if let Value::Integer(sequence) = result { Some(*sequence) } else { None };
            let text = if let [Value::Text(text)] = text { Some(text) } else { None };
            connection.execute(
                "INSERT OR IGNORE INTO submit VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![rowid, id, attempt, link, at_us, result, text],
            )?;
        }
        [Value::Null, Value::Text(name), Value::Text(group), Value::Integer(confirmed)] => {
            connection.execute(
                "INSERT INTO link VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id) DO UPDATE SET confirmed = excluded.confirmed
                 ON CONFLICT DO NOTHING",
                params![rowid, name, group, confirmed],
            )?;
        }
        // `sqlite_sequence`, and of `meta` what is not made anew.
        [Value::Text(name), Value::Integer(given)] if name == "record" => {
            connection.execute("DELETE FROM sqlite_sequence WHERE name = 'record' AND seq < ?1", [given])?;
            connection.execute(
                "INSERT INTO sqlite_sequence SELECT 'record', ?1 WHERE NOT EXISTS
                     (SELECT 1 FROM sqlite_sequence WHERE name = 'record')",
                [given],
            )?;
        }
        [Value::Text(name), value @ (Value::Integer(_) | Value::Blob(_))]
            if ["pruned", "committed", "chain"].contains(&name.as_str()) =>
        {
            let value = match value {
                Value::Integer(number) => rusqlite::types::Value::Integer(*number),
                Value::Blob(bytes) => rusqlite::types::Value::Blob(bytes.clone()),
                _ => return Ok(()),
            };
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?1, ?2)", params![name, value])?;
        }
        [Value::Null, Value::Integer(link), Value::Blob(key), Value::Integer(until_us)] if key.len() == 16 => {
            connection.execute(
                "INSERT OR IGNORE INTO in_doubt VALUES (?1, ?2, ?3, ?4)",
                params![rowid, link, key, until_us],
            )?;
        }
        _ => {}
    }
    Ok(())
}
