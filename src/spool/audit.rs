//! Looking at a spool from outside: how it stands, whether it is whole, and what it holds. Reads only,
//! beside a gateway that runs, or a copy of its folder.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension};
use uuid::Uuid;

use super::chain::{self, Entry, Link, Row};
use super::open::{FILE, meta};
use super::{SpoolError, capacity, prune, recover, runs};
use crate::handoff::append::Kind;
use crate::handoff::message::{Body, Run};
use crate::handoff::seal::Seal;

/// Faults that are told one by one.
pub const FAULTS_MAX: usize = 1_000;

const BREAKS: &str = "the chain breaks here: it, or what came before it, is not what was received";

/// How a spool stands.
#[derive(Debug, Clone)]
pub struct Status {
    /// Runs that still have records, and the newest one.
    pub runs: Vec<Run>,
    /// Records kept.
    pub records: u64,
    /// Records that PostgreSQL does not have, as far as the worker said.
    pub uncommitted: u64,
    /// Those of them that an SMSC was told we have: all but what our own submits came to.
    pub uncommitted_received: u64,
    /// Seconds since the oldest of those was received.
    pub oldest_uncommitted_seconds: f64,
    /// Bytes in use.
    pub bytes: u64,
    /// Records received in the last hour.
    pub last_hour: u64,
    /// What more fits.
    pub capacity: capacity::Capacity,
    /// Process that has it open; `None`: no gateway runs on it.
    pub process: Option<u32>,
    /// Files of earlier damage.
    pub damaged: Vec<PathBuf>,
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Run of the record, where it is one.
    pub run: Option<Uuid>,
    /// Its sequence.
    pub sequence: Option<u64>,
    /// What is wrong with it.
    pub what: String,
}

/// What came of looking through all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Records that were looked at.
    pub records: u64,
    /// Faults, [`FAULTS_MAX`] at most.
    pub faults: Vec<Fault>,
    /// Files of earlier damage.
    pub damaged: Vec<PathBuf>,
    /// The last link of the chain.
    pub head: Option<[u8; 32]>,
}

/// A record as it is exported.
#[derive(Debug)]
pub struct Exported {
    /// Its run.
    pub run: Option<Uuid>,
    /// Its sequence.
    pub sequence: u64,
    /// Microseconds since the epoch.
    pub received_us: i64,
    /// Name and group of the link.
    pub link: (String, String),
    /// What it is; `None` when it cannot be read.
    pub body: Option<Body>,
}

fn connect(folder: &Path) -> Result<Connection, SpoolError> {
    let path = folder.join(FILE);
    if let Err(error) = std::fs::metadata(&path) {
        return Err(SpoolError::Folder { folder: folder.to_owned(), error });
    }
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.execute_batch("PRAGMA cache_size = -2048")?;
    Ok(connection)
}

/// The process that has a spool open.
fn process(folder: &Path) -> Option<u32> {
    let path = folder.join("spool.lock");
    let file = std::fs::File::open(&path).ok()?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockShared) {
        Err(rustix::io::Errno::WOULDBLOCK) => {
            Some(std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or_default())
        }
        _ => None,
    }
}

/// How the spool in a folder stands, under a cap.
pub fn status(folder: &Path, bytes_max: u64) -> Result<Status, SpoolError> {
    let connection = connect(folder)?;
    let tx = connection.unchecked_transaction()?;
    let mut known: Vec<Run> = runs::all(&tx)?.into_iter().map(|(_, run)| run).collect();
    let last = known.len().saturating_sub(1);
    let mut place = 0;
    known.retain(|run| {
        place += 1;
        run.oldest > 0 || place > last
    });
    let committed = meta::<i64>(&tx, "committed")?.unwrap_or_default().max(0) as u64;
    let newest = runs::given(&tx)? as u64;
    let oldest = known.iter().find(|run| run.oldest > 0).map_or(0, |run| run.oldest);
    let records = if oldest == 0 { 0 } else { newest + 1 - oldest };
    let bytes = prune::used_bytes(&tx, folder)?;
    let last_hour =
        newest.saturating_sub(before(&tx, oldest, newest, crate::world::World::real().now_us() - 3_600_000_000)?);
    let uncommitted = newest.saturating_sub(committed.max(oldest.saturating_sub(1)));
    let uncommitted_received = tx.query_row(
        "SELECT count(*) FROM record WHERE sequence > ?1 AND kind <> ?2",
        [committed as i64, Kind::SubmitResult as i64],
        |row| row.get::<_, i64>(0),
    )? as u64;
    Ok(Status {
        runs: known,
        records,
        uncommitted,
        uncommitted_received,
        oldest_uncommitted_seconds: prune::oldest_uncommitted_seconds(
            &tx,
            committed,
            crate::world::World::real().now_us(),
        )?,
        bytes,
        last_hour,
        capacity: capacity::Capacity::new(bytes, records, uncommitted, bytes_max, prune::free_bytes(folder)),
        process: process(folder),
        damaged: recover::kept(folder),
    })
}

/// The greatest sequence received before a time; records lie in the order of receipt, or nearly so.
fn before(connection: &Connection, oldest: u64, newest: u64, at_us: i64) -> Result<u64, SpoolError> {
    let (mut low, mut high) = (oldest.saturating_sub(1), newest);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        let received: Option<i64> = connection
            .prepare_cached("SELECT received_us FROM record WHERE sequence >= ?1 ORDER BY sequence LIMIT 1")?
            .query_row([middle as i64], |row| row.get(0))
            .optional()?;
        if received.is_some_and(|received| received < at_us) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    Ok(low)
}

struct Look<'a> {
    verified: Verified,
    runs: Vec<(i64, Run)>,
    names: std::collections::HashMap<i64, (String, String)>,
    progress: &'a mut dyn FnMut(u64),
}

/// Looks through all records: rows by their checksums, links of the chain, gaps; and has SQLite look at
/// its file. `progress` hears how many records were looked at.
pub fn verify(folder: &Path, progress: &mut dyn FnMut(u64)) -> Result<Verified, SpoolError> {
    let connection = connect(folder)?;
    let tx = connection.unchecked_transaction()?;
    let mut look = Look {
        verified: Verified { damaged: recover::kept(folder), ..Verified::default() },
        runs: Vec::new(),
        names: Default::default(),
        progress,
    };
    if let Err(error) = look.all(&tx) {
        look.fault(None, None, format!("the file cannot be read on: {error}"));
    }
    match tx
        .prepare("PRAGMA integrity_check(20)")
        .and_then(|mut check| check.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>())
    {
        Ok(lines) => {
            for line in lines.into_iter().filter(|line| line != "ok") {
                look.fault(None, None, format!("SQLite: {line}"));
            }
        }
        Err(error) => look.fault(None, None, format!("SQLite: {error}")),
    }
    Ok(look.verified)
}

impl Look<'_> {
    fn fault(&mut self, run: Option<Uuid>, sequence: Option<u64>, what: String) {
        if self.verified.faults.len() < FAULTS_MAX {
            self.verified.faults.push(Fault { run, sequence, what });
        }
    }

    fn run_of(&self, sequence: u64) -> Option<Uuid> {
        self.runs.iter().rev().find(|(_, run)| run.begins_after < sequence).map(|(_, run)| run.uuid)
    }

    fn gap(&mut self, first: u64, next: u64) {
        if first < next {
            let run = self.run_of(first);
            let what = match next - first {
                1 => "it is missing".to_owned(),
                n => format!("{n} records from here on are missing"),
            };
            self.fault(run, Some(first), what);
        }
    }

    fn all(&mut self, tx: &Connection) -> Result<(), SpoolError> {
        self.runs = runs::all(tx)?;
        self.names = tx
            .prepare("SELECT id, name, grp FROM link")?
            .query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?
            .collect::<Result<_, _>>()?;
        let pruned = meta::<i64>(tx, "pruned")?.unwrap_or_default().max(0) as u64;
        let anchor: Option<Vec<u8>> = meta(tx, "chain")?;
        let mut link: Option<Link> = match (pruned, anchor) {
            (0, None) => Some([0; 32]),
            (_, anchor) => anchor.and_then(|anchor| anchor.try_into().ok()),
        };
        if link.is_none() {
            self.fault(None, None, "the link from which the chain goes on is not there".to_owned());
        }
        let mut expected = pruned + 1;
        let mut statement = tx.prepare(
            "SELECT sequence, run, received_us, link, kind, salt, body, chain, crc FROM record ORDER BY sequence",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let sequence: i64 = row.get(0)?;
            let number = sequence.max(0) as u64;
            if number > expected {
                self.gap(expected, number);
                link = None;
            }
            expected = number + 1;
            let (found, fault) = match self.row(sequence, row, link) {
                Ok((found, follows)) => (Some(found), (!follows).then(|| BREAKS.to_owned())),
                Err(what) => (None, Some(what)),
            };
            // The next is judged by this one as it stands, so that each fault is told where it is.
            link = found;
            if let Some(what) = fault {
                let run = self.run_of(number);
                self.fault(run, Some(number), what);
            }
            self.verified.records += 1;
            if self.verified.records.is_multiple_of(1_000) {
                (self.progress)(self.verified.records);
            }
        }
        self.gap(expected, runs::given(tx)? as u64 + 1);
        self.verified.head = link;
        (self.progress)(self.verified.records);
        Ok(())
    }

    /// A row's link, and whether it follows from the one before; what is wrong with the row otherwise.
    fn row(&self, sequence: i64, row: &rusqlite::Row<'_>, before: Option<Link>) -> Result<(Link, bool), String> {
        let unreadable = |error: rusqlite::Error| format!("its row cannot be read: {error}");
        let (salt, body, chain): (Vec<u8>, Vec<u8>, Vec<u8>) =
            (|| Ok((row.get(5)?, row.get(6)?, row.get(7)?)))().map_err(unreadable)?;
        let numbers: [i64; 5] =
            (|| Ok([row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(8)?]))().map_err(unreadable)?;
        let [run, received_us, link, kind, crc] = numbers;
        let row = Row { sequence, run, received_us, link, kind, salt: &salt, body: &body, chain: &chain };
        if row.checksum() != crc {
            return Err("its row was changed: it does not match its checksum".to_owned());
        }
        let body: Body = postcard::from_bytes(&body).map_err(|error| format!("its body cannot be read: {error}"))?;
        let salt = salt.try_into().map_err(|_| "its salt is cut short".to_owned())?;
        let chain: Link = chain.try_into().map_err(|_| "its link is cut short".to_owned())?;
        let uuid = self.runs.iter().find(|(id, _)| *id == run).map(|(_, run)| run.uuid);
        let uuid = uuid.ok_or("the run that it is of is not known")?;
        let name = self.names.get(&link).map_or(("", ""), |(name, group)| (name.as_str(), group.as_str()));
        let entry = Entry {
            run: uuid,
            sequence: sequence as u64,
            received_us,
            link: name,
            kind: kind as u8,
            root: Seal::with(salt, &body).root,
        };
        Ok((chain, before.is_none_or(|before| chain::next(&before, &entry) == chain)))
    }
}

/// Hands on every record, in its order.
pub fn export(folder: &Path, each: &mut dyn FnMut(Exported) -> std::io::Result<()>) -> Result<u64, SpoolError> {
    let connection = connect(folder)?;
    let tx = connection.unchecked_transaction()?;
    let runs = runs::all(&tx)?;
    let mut statement = tx.prepare(
        "SELECT r.sequence, r.run, r.received_us, ifnull(l.name, ''), ifnull(l.grp, ''), r.body
         FROM record r LEFT JOIN link l ON l.id = r.link ORDER BY r.sequence",
    )?;
    let mut rows = statement.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let (sequence, run): (i64, i64) = (row.get(0)?, row.get(1)?);
        let body = row.get_ref(5)?.as_bytes().unwrap_or_default();
        each(Exported {
            run: runs.iter().find(|(id, _)| *id == run).map(|(_, run)| run.uuid),
            sequence: sequence as u64,
            received_us: row.get(2)?,
            link: (row.get(3)?, row.get(4)?),
            body: postcard::from_bytes(body).ok(),
        })
        .map_err(|error| SpoolError::Folder { folder: PathBuf::from("(output)"), error })?;
        count += 1;
    }
    Ok(count)
}
