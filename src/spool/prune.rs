//! What is over goes, in small slices; and how much disk is used.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::SpoolError;
use crate::limits::SPOOL_PRUNE_RECORDS;

/// Deletes one slice of records that are committed and past their time, with their submits; the
/// smallest sequence left when any went.
pub(super) fn prune(
    connection: &Connection,
    committed: u64,
    keep: Duration,
    now_us: i64,
) -> Result<Option<u64>, SpoolError> {
    let cutoff_us = now_us - keep.as_micros() as i64;
    // By the oldest alone: records lie in the order of receipt, and the look at each slice stays short.
    let through: Option<i64> = connection
        .prepare_cached(
            "SELECT max(sequence) FROM (SELECT sequence, received_us FROM record ORDER BY sequence LIMIT ?1)
             WHERE received_us < ?2 AND sequence <= ?3",
        )?
        .query_row(params![SPOOL_PRUNE_RECORDS, cutoff_us, committed as i64], |row| row.get(0))?;
    let Some(through) = through else { return Ok(None) };
    let tx = connection.unchecked_transaction()?;
    // The chain goes on from the last record that went, even when none is left.
    tx.execute("INSERT OR REPLACE INTO meta SELECT 'chain', chain FROM record WHERE sequence = ?1", [through])?;
    tx.execute("INSERT OR REPLACE INTO meta VALUES ('pruned', ?1)", [through])?;
    tx.execute("DELETE FROM record WHERE sequence <= ?1", [through])?;
    tx.execute(
        "DELETE FROM submit WHERE result_sequence <= ?1 AND number IN (SELECT number FROM submit ORDER BY number LIMIT ?2)",
        params![through, SPOOL_PRUNE_RECORDS],
    )?;
    tx.execute("DELETE FROM in_doubt WHERE sequence <= ?1 OR until_us < ?2", params![through, now_us])?;
    tx.commit()?;
    let oldest: Option<i64> = connection.query_row("SELECT min(sequence) FROM record", [], |row| row.get(0))?;
    Ok(Some(oldest.unwrap_or_default() as u64))
}

/// Bytes in use: pages that hold something, and the write-ahead log.
pub(super) fn used_bytes(connection: &Connection, folder: &Path) -> Result<u64, SpoolError> {
    let one = |sql: &str| connection.prepare_cached(sql)?.query_row([], |row| row.get::<_, i64>(0));
    let pages = one("PRAGMA page_count")? - one("PRAGMA freelist_count")?;
    let log = std::fs::metadata(folder.join("spool.sqlite-wal")).map_or(0, |m| m.len());
    Ok((pages * one("PRAGMA page_size")?) as u64 + log)
}

/// Bytes free on the folder's disk; without end when nobody knows.
pub(super) fn free_bytes(folder: &Path) -> u64 {
    rustix::fs::statvfs(folder).map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Seconds since the oldest record that PostgreSQL does not have was received; 0 when it has all.
pub(super) fn oldest_uncommitted_seconds(
    connection: &Connection,
    committed: u64,
    now_us: i64,
) -> Result<f64, SpoolError> {
    let received: Option<i64> = connection
        .prepare_cached("SELECT received_us FROM record WHERE sequence > ?1 ORDER BY sequence LIMIT 1")?
        .query_row([committed as i64], |row| row.get(0))
        .optional()?;
    Ok(received.map_or(0.0, |at| (now_us - at).max(0) as f64 / 1e6))
}
