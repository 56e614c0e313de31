//! `set_aside`: records that failed alone, kept whole, shown, and open to another try.

use sqlx::PgConnection;
use time::OffsetDateTime;

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
    /// What went wrong, for staff.
    pub error: &'a str,
}

/// Keeps a record. One that is kept already stays as it is: a replay brings it again.
pub async fn insert(conn: &mut PgConnection, row: &SetAside<'_>) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "INSERT INTO set_aside (spool_id, sequence, received_at, link, record, error)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        row.spool_id,
        row.sequence,
        row.received_at,
        row.link,
        row.record,
        row.error
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}
