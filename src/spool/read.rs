//! Reading what is committed, in slices that are frames of the handoff already: the bodies are
//! copied from the disk to the socket without being looked at.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rusqlite::{Connection, params};
use tokio::sync::mpsc;

use super::{Options, SpoolError, open};
use crate::handoff::records::{ReadFailed, ReadRequest, Reader, RecordsFrame, Slice};
use crate::limits::{HANDOFF_RECORDS_MAX, LINKS_MAX};

/// Bytes of records in one slice, unless one record alone has more.
const SLICE_BYTES: usize = 256 << 10;

/// Reads what is asked for, one request after the other.
#[derive(Debug)]
pub(super) struct Server {
    connection: Connection,
    links: HashMap<i64, (String, String)>,
    pub(super) queue: mpsc::Receiver<ReadRequest>,
}

impl Server {
    pub(super) fn open(options: &Options) -> Result<(Self, Reader), SpoolError> {
        let connection = open::connect(&options.folder)?;
        connection.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -512")?;
        let (reader, queue) = Reader::new();
        Ok((Self { connection, links: HashMap::with_capacity(LINKS_MAX), queue }, reader))
    }

    pub(super) fn run(mut self) {
        while let Some(request) = self.queue.blocking_recv() {
            self.answer(request);
        }
    }

    pub(super) fn answer(&mut self, request: ReadRequest) {
        let slice = slice(&self.connection, &mut self.links, &request);
        let _ = request.answer.send(slice.map_err(|error| ReadFailed(error.to_string())));
    }
}

fn slice(
    connection: &Connection,
    links: &mut HashMap<i64, (String, String)>,
    request: &ReadRequest,
) -> Result<Slice, SpoolError> {
    let mut frame = RecordsFrame::default();
    let (after, through, bytes) = (request.after, request.through, request.bytes);
    let mut last = after;
    let mut statement = connection.prepare_cached(
        "SELECT sequence, received_us, link, body FROM record WHERE sequence > ?1 AND sequence <= ?2
         ORDER BY sequence LIMIT ?3",
    )?;
    let mut rows =
        statement.query(params![after as i64, through.min(i64::MAX as u64) as i64, HANDOFF_RECORDS_MAX as i64])?;
    while let Some(row) = rows.next()? {
        let body = row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?;
        if !frame.is_empty() && frame.bytes() + body.len() > bytes.min(SLICE_BYTES) {
            break;
        }
        let sequence: i64 = row.get(0)?;
        let link: i64 = row.get(2)?;
        let (name, group) = match links.entry(link) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                place.insert(connection.query_row("SELECT name, grp FROM link WHERE id = ?1", [link], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?)
            }
        };
        last = sequence as u64;
        frame.push(last, row.get(1)?, name, group, body)?;
    }
    let (bytes, records) = (frame.bytes(), frame.len());
    Ok(Slice { frame: frame.finish()?, bytes, last, records })
}
