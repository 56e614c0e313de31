//! Reading what is committed, in slices that are frames of the handoff already: the bodies are
//! copied from the disk to the socket without being looked at.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::mpsc::Receiver;

use rusqlite::{Connection, params};

use super::{Options, SpoolError, open};
use crate::handoff::records::{ReadFailed, ReadRequest, Reader, RecordsFrame, Slice};
use crate::limits::{HANDOFF_RECORDS_MAX, LINKS_MAX};

/// Bytes of records in one slice, unless one record alone has more.
const SLICE_BYTES: usize = 256 << 10;

pub(super) fn start(options: &Options) -> Result<(Reader, std::thread::JoinHandle<()>), SpoolError> {
    let connection = open::connect(&options.folder)?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -512")?;
    let (reader, queue) = Reader::new();
    let thread = std::thread::Builder::new()
        .name("spool-read".into())
        .spawn(move || serve(&connection, &queue))
        .map_err(|error| SpoolError::Folder { folder: options.folder.clone(), error })?;
    Ok((reader, thread))
}

fn serve(connection: &Connection, queue: &Receiver<ReadRequest>) {
    let mut links: HashMap<i64, (String, String)> = HashMap::with_capacity(LINKS_MAX);
    while let Ok(request) = queue.recv() {
        let slice = slice(connection, &mut links, &request);
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
