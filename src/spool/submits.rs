//! What the spool knows of submits: the text as it went, what it came to, and what is told of one that comes again.

use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::SpoolError;
use super::batch::{Memory, New, Staged, insert};
use crate::handoff::append::Kind;
use crate::handoff::message::{Body, SubmitOutcome, SubmitResult};
use crate::handoff::seal::Seal;

/// The text of a submit as it went; `None` where the row is another's, or of a format that did not keep texts.
pub(super) fn text_of(
    connection: &Connection,
    (id, attempt): (Uuid, u16),
    number: i64,
) -> Result<Option<String>, rusqlite::Error> {
    let text: Option<Option<String>> = connection
        .prepare_cached("SELECT text FROM submit WHERE number = ?1 AND id = ?2 AND attempt = ?3")?
        .query_row(params![number, id.as_bytes(), attempt], |row| row.get(0))
        .optional()?;
    Ok(text.flatten())
}

/// Appends the record of a submit's result, with the text as it went.
pub(super) fn insert_result(
    connection: &Connection,
    memory: &Memory,
    staged: &mut Staged,
    link: i64,
    at_us: i64,
    (result, text): (SubmitResult, Option<String>),
) -> Result<u64, SpoolError> {
    let body = match text {
        Some(text) => Body::Written { result, text },
        None => Body::SubmitResult(result),
    };
    let (encoded, seal) = (postcard::to_stdvec(&body)?, Seal::new(&body));
    let new = New { link, received_us: at_us, kind: Kind::SubmitResult, body: &encoded, seal: &seal };
    insert(connection, memory, staged, &new)
}

/// Where the result of a submit stands. The row may be another's by now.
pub(super) fn settle(
    connection: &Connection,
    (id, attempt): (Uuid, u16),
    number: i64,
    sequence: u64,
) -> Result<(), rusqlite::Error> {
    connection
        .prepare_cached("UPDATE submit SET result_sequence = ?4 WHERE number = ?1 AND id = ?2 AND attempt = ?3")?
        .execute(params![number, id.as_bytes(), attempt, sequence as i64])?;
    Ok(())
}

/// A submit comes again that has its result: the worker may have read that before it leased the reply anew, after
/// the database had lost commits. So it is told once more; an open one will have its result.
pub(super) fn tell_again(
    connection: &Connection,
    memory: &Memory,
    staged: &mut Staged,
    link: i64,
    ((id, attempt), number): ((Uuid, u16), i64),
) -> Result<(), SpoolError> {
    let body: Option<Vec<u8>> = connection
        .prepare_cached(
            "SELECT r.body FROM submit s JOIN record r ON r.sequence = s.result_sequence
             WHERE s.number = ?1 AND s.id = ?2 AND s.attempt = ?3",
        )?
        .query_row(params![number, id.as_bytes(), attempt], |row| row.get(0))
        .optional()?;
    let Some(Ok(body)) = body.map(|body| postcard::from_bytes::<Body>(&body)) else { return Ok(()) };
    if let Some((result, text)) = body.result() {
        let told = (result.clone(), text.map(str::to_owned));
        insert_result(connection, memory, staged, link, memory.world.now_us(), told)?;
    }
    Ok(())
}

/// A submit comes again: where its text was another one before, a record says which went.
pub(super) fn tell_otherwise(
    connection: &Connection,
    memory: &Memory,
    staged: &mut Staged,
    link: i64,
    ((id, attempt), number): ((Uuid, u16), i64),
    text: &str,
) -> Result<(), SpoolError> {
    if let Some(went) = text_of(connection, (id, attempt), number)?.filter(|went| went != text) {
        let result = SubmitResult { id, attempt, outcome: SubmitOutcome::Otherwise { text: went } };
        insert_result(connection, memory, staged, link, memory.world.now_us(), (result, None))?;
    }
    Ok(())
}

/// Writes down what a submit came to; `None` when that is known already.
pub(super) fn result(
    connection: &Connection,
    memory: &Memory,
    staged: &mut Staged,
    link: i64,
    key: (Uuid, u16),
    at_us: i64,
    outcome: &SubmitOutcome,
) -> Result<Option<u64>, SpoolError> {
    if staged.results.iter().any(|(k, _)| *k == key) {
        return Ok(None);
    }
    let number = memory
        .open
        .get(&key)
        .copied()
        .or_else(|| staged.intents.iter().find(|(k, _)| *k == key).map(|&(_, number)| number));
    let sent = !matches!(outcome, SubmitOutcome::NotSent { .. });
    if number.is_none() && (sent || memory.remembered.contains(key.0, key.1)) {
        return Ok(None);
    }
    let result = SubmitResult { id: key.0, attempt: key.1, outcome: outcome.clone() };
    // What was never written comes again, perhaps in other words.
    let text = match number.filter(|_| sent) {
        Some(number) => text_of(connection, key, number)?,
        None => None,
    };
    let sequence = insert_result(connection, memory, staged, link, at_us, (result, text))?;
    if let Some(number) = number {
        if sent {
            settle(connection, key, number, sequence)?;
        } else {
            connection.prepare_cached("DELETE FROM submit WHERE number = ?1")?.execute([number])?;
        }
        staged.results.push((key, sent));
    }
    Ok(Some(sequence))
}
