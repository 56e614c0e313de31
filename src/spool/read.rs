//! Reading what is committed, in slices that are frames of the handoff already: the bodies are
//! copied from the disk to the socket without being looked at.
//!
//! Invariant: a row is handed on only when its checksum says that it is what was written. One that is not,
//! or that is missing though it was given and not pruned, is handed on as [`Body::Corrupt`], so that it is
//! set aside and named, and the rest goes on. A file that SQLite cannot read is mended by the next start.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;
use std::sync::Arc;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row as SqlRow, params};
use tokio::sync::mpsc;

use super::chain::Row;
use super::{Options, SpoolError, open, recover};
use crate::handoff::marks::Marks;
use crate::handoff::message::Body;
use crate::handoff::records::{ReadFailed, ReadRequest, Reader, RecordsFrame, Slice};
use crate::limits::{BINDS_MAX, HANDOFF_RECORDS_MAX, SPOOL_LOST_NAMED_MAX};

/// Bytes of records in one slice, unless one record alone has more.
const SLICE_BYTES: usize = 256 << 10;

/// Reads what is asked for, one request after the other.
#[derive(Debug)]
pub(super) struct Server {
    connection: Connection,
    names: HashMap<i64, (String, String)>,
    options: Options,
    marks: Arc<Marks>,
    pub(super) queue: mpsc::Receiver<ReadRequest>,
}

fn connect(options: &Options) -> Result<Connection, SpoolError> {
    let connection = open::reconnect(&options.folder)?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -512")?;
    Ok(connection)
}

impl Server {
    pub(super) fn open(options: &Options, marks: Arc<Marks>) -> Result<(Self, Reader), SpoolError> {
        let (reader, queue) = Reader::new();
        let names = HashMap::with_capacity(BINDS_MAX);
        Ok((Self { connection: connect(options)?, names, options: options.clone(), marks, queue }, reader))
    }

    pub(super) fn run(mut self) {
        while let Some(request) = self.queue.blocking_recv() {
            self.answer(request);
        }
    }

    pub(super) fn answer(&mut self, request: ReadRequest) {
        let slice = self.slice(&request);
        if let Err(error) = &slice {
            if error.is_damage() {
                recover::mark(&self.options.folder, &error.to_string());
                self.marks.set_damaged();
            }
            // Whatever SQLite holds of a disk that failed is left behind.
            if let Ok(fresh) = connect(&self.options) {
                self.connection = fresh;
            }
        }
        let _ = request.answer.send(slice.map_err(|error| ReadFailed(error.to_string())));
    }
}

/// What a row came to.
enum Found<'a> {
    Good { received_us: i64, link: i64, body: &'a [u8] },
    Bad { received_us: i64, link: i64, raw: &'a [u8] },
}

fn check<'a>(sequence: i64, row: &'a SqlRow<'_>) -> Result<Found<'a>, SpoolError> {
    let number = |at: usize| match row.get_ref(at) {
        Ok(ValueRef::Integer(number)) => Some(number),
        _ => None,
    };
    let blob = |at: usize| match row.get_ref(at) {
        Ok(ValueRef::Blob(bytes) | ValueRef::Text(bytes)) => Some(bytes),
        _ => None,
    };
    let (received_us, link, body) = (number(1), number(2), blob(3));
    let whole = (|| {
        let row = Row {
            sequence,
            run: number(7)?,
            received_us: received_us?,
            link: link?,
            kind: number(4)?,
            salt: blob(5)?,
            body: body?,
            chain: blob(6)?,
        };
        (row.checksum() == number(8)?).then_some((row.received_us, row.link, row.body))
    })();
    Ok(match whole {
        Some((received_us, link, body)) => Found::Good { received_us, link, body },
        None => Found::Bad {
            received_us: received_us.unwrap_or_default(),
            link: link.unwrap_or_default(),
            raw: body.unwrap_or_default(),
        },
    })
}

impl Server {
    fn slice(&mut self, request: &ReadRequest) -> Result<Slice, SpoolError> {
        let (after, through, bytes) = (request.after, request.through, request.bytes.min(SLICE_BYTES));
        let Self { connection, names, options, .. } = self;
        let folder = options.folder.as_path();
        let tx = connection.unchecked_transaction()?;
        let pruned = open::meta::<i64>(&tx, "pruned")?.unwrap_or_default().max(0) as u64;
        let mut frame = RecordsFrame::default();
        let mut last = after;
        let mut statement = tx.prepare_cached(
            "SELECT sequence, received_us, link, body, kind, salt, chain, run, crc FROM record
             WHERE sequence > ?1 AND sequence <= ?2 ORDER BY sequence LIMIT ?3",
        )?;
        let mut rows =
            statement.query(params![after as i64, through.min(i64::MAX as u64) as i64, HANDOFF_RECORDS_MAX as i64])?;
        loop {
            let row = match rows.next() {
                Ok(row) => row,
                // What came before it is handed on first.
                Err(_) if !frame.is_empty() => break,
                Err(error) => return Err(error.into()),
            };
            let Some(row) = row else {
                if frame.len() < HANDOFF_RECORDS_MAX && through < u64::MAX {
                    lost(&mut frame, &mut last, through + 1, pruned, folder, (0, "", ""))?;
                }
                break;
            };
            let sequence: i64 = row.get(0)?;
            if sequence as u64 <= last {
                return Err(SpoolError::Damaged(format!("record {sequence} does not ascend")));
            }
            let (received_us, link, body, corrupt) = match check(sequence, row)? {
                Found::Good { received_us, link, body } => (received_us, link, body, None),
                Found::Bad { received_us, link, raw } => {
                    let error = format!(
                        "record {sequence} does not match its checksum: the disk of {} changed it",
                        folder.display()
                    );
                    (received_us, link, raw, Some(error))
                }
            };
            let (name, group) = match names.entry(link) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => {
                    let found = tx
                        .query_row("SELECT name, grp FROM link WHERE id = ?1", [link], |row| {
                            Ok((row.get(0)?, row.get(1)?))
                        })
                        .optional()?;
                    // The link of a corrupt row may be any number: it is not remembered.
                    match found {
                        Some(found) => place.insert(found),
                        None => &mut ("?".to_owned(), "?".to_owned()),
                    }
                }
            };
            lost(&mut frame, &mut last, sequence as u64, pruned, folder, (received_us, name, group))?;
            if frame.len() >= HANDOFF_RECORDS_MAX || !frame.is_empty() && frame.bytes() + body.len() > bytes {
                break;
            }
            last = sequence as u64;
            match corrupt {
                None => frame.push(last, received_us, name, group, body)?,
                Some(error) => name_corrupt(&mut frame, last, (received_us, name, group), body, error)?,
            }
        }
        let (bytes, records) = (frame.bytes(), frame.len());
        Ok(Slice { frame: frame.finish()?, bytes, last, records })
    }
}

/// Names records that are not there, though they were given: those after `last` and before `next`.
fn lost(
    frame: &mut RecordsFrame,
    last: &mut u64,
    next: u64,
    pruned: u64,
    folder: &Path,
    like: (i64, &str, &str),
) -> Result<(), SpoolError> {
    let first = (*last).max(pruned) + 1;
    if first >= next {
        return Ok(());
    }
    let shown = folder.display();
    if next - first > SPOOL_LOST_NAMED_MAX {
        let error = format!("records {first} to {} are missing from the spool in {shown}", next - 1);
        *last = next - 1;
        return name_corrupt(frame, *last, like, &[], error);
    }
    for sequence in first..next {
        if frame.len() >= HANDOFF_RECORDS_MAX {
            break;
        }
        *last = sequence;
        name_corrupt(frame, sequence, like, &[], format!("record {sequence} is missing from the spool in {shown}"))?;
    }
    Ok(())
}

fn name_corrupt(
    frame: &mut RecordsFrame,
    sequence: u64,
    (received_us, link, group): (i64, &str, &str),
    raw: &[u8],
    error: String,
) -> Result<(), SpoolError> {
    tracing::error!(sequence, %error, "a record of the spool is damaged: it is set aside, the rest goes on");
    metrics::counter!("scrutineer_spool_corrupt_records_total").increment(1);
    let body = postcard::to_stdvec(&Body::Corrupt { raw: raw.to_vec(), error })?;
    Ok(frame.push(sequence, received_us, link, group, &body)?)
}
