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
    let given = given(&tx)?;
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

/// The greatest sequence that the file has given.
pub(super) fn given(connection: &Connection) -> Result<i64, SpoolError> {
    let said: Option<i64> = connection
        .query_row("SELECT seq FROM sqlite_sequence WHERE name = 'record'", [], |row| row.get(0))
        .optional()?;
    let there: Option<i64> = connection.query_row("SELECT max(sequence) FROM record", [], |row| row.get(0))?;
    Ok(said.max(there).unwrap_or_default())
}

/// All runs of a file in their order, each with its row. A run goes from where it began to where the
/// next one did, but for what was pruned: what is not there between was lost.
pub(super) fn all(connection: &Connection) -> Result<Vec<(i64, Run)>, SpoolError> {
    let pruned = super::open::meta::<i64>(connection, "pruned")?.unwrap_or_default().max(0) as u64;
    let mut runs: Vec<(i64, Run)> = connection
        .prepare("SELECT id, uuid, begins_after FROM run ORDER BY id")?
        .query_map([], |row| {
            let begins_after: i64 = row.get(2)?;
            let uuid = Uuid::from_bytes(row.get(1)?);
            Ok((row.get(0)?, Run { uuid, begins_after: begins_after.max(0) as u64, oldest: 0, newest: 0 }))
        })?
        .collect::<Result<_, _>>()?;
    let mut end = given(connection)? as u64;
    for (_, run) in runs.iter_mut().rev() {
        let oldest = run.begins_after.max(pruned) + 1;
        if oldest <= end {
            (run.oldest, run.newest) = (oldest, end);
        }
        end = end.min(run.begins_after);
    }
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_runs_without_a_record_the_newest_are_known() {
        let connection = Connection::open_in_memory().unwrap();
        super::super::open::create(&connection, std::path::Path::new("spool")).unwrap();
        let world = World::real();
        let mut begun = Vec::new();
        for _ in 0..SPOOL_EMPTY_RUNS_MAX + 5 {
            begun.push(begin(&connection, "host", &world).unwrap().uuid);
        }
        let known: Vec<Uuid> = begin(&connection, "host", &world).unwrap().closed.iter().map(|run| run.uuid).collect();
        assert_eq!(known, begun[5..]);
        assert_eq!(all(&connection).unwrap().len(), SPOOL_EMPTY_RUNS_MAX + 1, "and no others are kept");
    }
}
