//! Runs: each opening of the spool begins one, with a UUID of its own, which is the first half of its
//! records' keys.
//!
//! Invariant: sequences ascend over all runs of a file, and the records of a run lie between where it
//! began and where the next one did. So a file that was restored, copied or made anew gives no key
//! twice, and what is committed is one mark over all runs.

use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::SpoolError;
use crate::handoff::message::Run;
use crate::limits::SPOOL_EMPTY_RUNS_MAX;
use crate::world::World;

/// The table.
pub(super) const TABLE: &str = "
-- Openings of the spool. Sequences of a run are greater than `begins_after`.
CREATE TABLE IF NOT EXISTS run (
    id INTEGER PRIMARY KEY AUTOINCREMENT, uuid BLOB NOT NULL UNIQUE, begins_after INTEGER NOT NULL,
    begun_us INTEGER NOT NULL, host TEXT NOT NULL);
";

/// The run that was begun, and those before it that are still known.
#[derive(Debug)]
pub(super) struct Runs {
    /// Row of the live run.
    pub(super) live: i64,
    pub(super) uuid: Uuid,
    pub(super) begins_after: u64,
    pub(super) closed: Vec<Run>,
}

/// Begins a run.
pub(super) fn begin(connection: &Connection, host: &str, world: &World) -> Result<Runs, SpoolError> {
    let tx = connection.unchecked_transaction()?;
    let given: i64 = tx
        .query_row("SELECT seq FROM sqlite_sequence WHERE name = 'record'", [], |row| row.get(0))
        .optional()?
        .unwrap_or_default();
    let uuid = world.uuid();
    let mut known = all(&tx)?;
    let empty = known.iter().filter(|(_, run)| run.oldest == 0).count();
    let mut over = empty.saturating_sub(SPOOL_EMPTY_RUNS_MAX);
    for (id, run) in &known {
        if run.oldest == 0 && over > 0 {
            over -= 1;
            tx.execute("DELETE FROM run WHERE id = ?1", [id])?;
        }
    }
    let mut over = empty.saturating_sub(SPOOL_EMPTY_RUNS_MAX);
    known.retain(|(_, run)| {
        let out = run.oldest == 0 && over > 0;
        over -= usize::from(out);
        !out
    });
    tx.execute(
        "INSERT INTO run (uuid, begins_after, begun_us, host) VALUES (?1, ?2, ?3, ?4)",
        params![uuid.as_bytes(), given, world.steady_us(), host],
    )?;
    let live = tx.last_insert_rowid();
    tx.commit()?;
    Ok(Runs { live, uuid, begins_after: given as u64, closed: known.into_iter().map(|(_, run)| run).collect() })
}

/// All runs of a file in their order, each with its row.
pub(super) fn all(connection: &Connection) -> Result<Vec<(i64, Run)>, SpoolError> {
    let mut runs: Vec<(i64, Run)> = connection
        .prepare("SELECT id, uuid, begins_after FROM run ORDER BY id")?
        .query_map([], |row| {
            let begins_after: i64 = row.get(2)?;
            let uuid = Uuid::from_bytes(row.get(1)?);
            Ok((row.get(0)?, Run { uuid, begins_after: begins_after as u64, oldest: 0, newest: 0 }))
        })?
        .collect::<Result<_, _>>()?;
    let mut first = connection
        .prepare("SELECT sequence FROM record WHERE sequence > ?1 AND sequence <= ?2 ORDER BY sequence LIMIT 1")?;
    let mut last = connection
        .prepare("SELECT sequence FROM record WHERE sequence > ?1 AND sequence <= ?2 ORDER BY sequence DESC LIMIT 1")?;
    let mut end = i64::MAX;
    for (_, run) in runs.iter_mut().rev() {
        let begin = run.begins_after as i64;
        run.oldest = first.query_row([begin, end], |row| row.get::<_, i64>(0)).optional()?.unwrap_or_default() as u64;
        run.newest = last.query_row([begin, end], |row| row.get::<_, i64>(0)).optional()?.unwrap_or_default() as u64;
        end = begin;
    }
    Ok(runs)
}
