//! `set_aside`: records that failed alone, kept whole, shown, and open to another try.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::StoreError;

/// A record that could not be processed.
#[derive(Debug, Clone)]
pub struct SetAside<'a> {
    /// Key in `spool`.
    pub spool_id: i32,
    /// Sequence in the spool.
    pub sequence: i64,
    /// When the gateway took it.
    pub received_at: OffsetDateTime,
    /// Link it came by.
    pub link: &'a str,
    /// The record as handed over (postcard).
    pub record: &'a [u8],
    /// Of a text of several segments: the other ones' records.
    pub parts: &'a [Vec<u8>],
    /// What went wrong, for staff.
    pub error: &'a str,
}

/// Characters of a reason that are kept.
const REASON_CHARS: usize = 1_000;

/// What went wrong, in a form that can be stored whatever it quotes.
pub fn reason(why: &str) -> String {
    why.chars().take(REASON_CHARS).map(|c| if c == '\0' { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Keeps a record. One that is kept already stays as it is: a replay brings it again.
pub async fn insert(conn: &mut PgConnection, row: &SetAside<'_>) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "INSERT INTO set_aside (spool_id, sequence, received_at, link, record, error, parts)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        row.spool_id,
        row.sequence,
        row.received_at,
        row.link,
        row.record,
        row.error,
        row.parts
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// A record that is kept.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Key in `spool`.
    pub spool_id: i32,
    /// The spool.
    pub spool: Uuid,
    /// Sequence in the spool.
    pub sequence: i64,
    /// The record (postcard).
    pub record: Vec<u8>,
    /// The other records of its text.
    pub parts: Vec<Vec<u8>>,
}

/// A record that is kept, where it is.
pub async fn find(conn: &mut PgConnection, spool: Uuid, sequence: i64) -> Result<Option<Kept>, StoreError> {
    Ok(sqlx::query_as!(
        Kept,
        "SELECT a.spool_id, s.uuid AS spool, a.sequence, a.record, a.parts
         FROM set_aside a JOIN spool s ON s.id = a.spool_id WHERE s.uuid = $1 AND a.sequence = $2",
        spool,
        sequence
    )
    .fetch_optional(conn)
    .await?)
}

/// Puts what a record was decoded to in its place; false when it is not there as it was.
pub async fn replace(
    conn: &mut PgConnection,
    spool: Uuid,
    sequence: i64,
    before: &[u8],
    record: &[u8],
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "UPDATE set_aside a SET record = $4 FROM spool s
         WHERE s.id = a.spool_id AND s.uuid = $1 AND a.sequence = $2 AND a.record = $3",
        spool,
        sequence,
        before,
        record
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Takes a record out, as it was processed after all; false when it is not there any more.
pub async fn take(conn: &mut PgConnection, spool_id: i32, sequence: i64) -> Result<bool, StoreError> {
    let done = sqlx::query!("DELETE FROM set_aside WHERE spool_id = $1 AND sequence = $2", spool_id, sequence)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Keys of the records that are kept, the oldest first: those whose spool begins so (in hexadecimal
/// digits) with this sequence, or all.
pub async fn keys(
    conn: &mut PgConnection,
    one: Option<(&str, i64)>,
    limit: i64,
) -> Result<Vec<(Uuid, i64)>, StoreError> {
    let (spool, sequence) = one.unzip();
    let rows = sqlx::query!(
        "SELECT s.uuid, a.sequence FROM set_aside a JOIN spool s ON s.id = a.spool_id
         WHERE ($1::text IS NULL OR starts_with(replace(s.uuid::text, '-', ''), $1)) AND ($2::bigint IS NULL OR a.sequence = $2)
         ORDER BY a.received_at, a.spool_id, a.sequence LIMIT $3",
        spool,
        sequence,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|r| (r.uuid, r.sequence)).collect())
}
