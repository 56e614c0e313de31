//! `spool` and `watermark`: which spools there are, and how far each is committed.

use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;

/// Registers a spool and returns its key.
pub async fn register_spool(conn: &mut PgConnection, uuid: Uuid, host: &str) -> Result<i32, StoreError> {
    if let Some(id) = spool_id(conn, uuid).await? {
        return Ok(id);
    }
    sqlx::query!("INSERT INTO spool (uuid, host) VALUES ($1, $2) ON CONFLICT DO NOTHING", uuid, host)
        .execute(&mut *conn)
        .await?;
    spool_id(conn, uuid).await?.ok_or(StoreError::Sql(sqlx::Error::RowNotFound))
}

async fn spool_id(conn: &mut PgConnection, uuid: Uuid) -> Result<Option<i32>, StoreError> {
    Ok(sqlx::query_scalar!("SELECT id FROM spool WHERE uuid = $1", uuid).fetch_optional(conn).await?)
}

/// Everything of the spool up to here is committed; 0 when nothing is. The greatest of its lanes'
/// rows: each was true when it was written.
pub async fn read(conn: &mut PgConnection, spool_id: i32) -> Result<u64, StoreError> {
    let sequence = sqlx::query_scalar!("SELECT max(sequence) FROM watermark WHERE spool_id = $1", spool_id)
        .fetch_one(conn)
        .await?;
    Ok(sequence.and_then(|s| u64::try_from(s).ok()).unwrap_or(0))
}

/// Says that everything up to `through` is committed with this transaction, as this lane knows it.
pub async fn write(conn: &mut PgConnection, spool_id: i32, lane: i16, through: i64) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO watermark (spool_id, lane, sequence) VALUES ($1, $2, $3)
         ON CONFLICT (spool_id, lane) DO UPDATE SET sequence = excluded.sequence, updated_at = now()",
        spool_id,
        lane,
        through
    )
    .execute(conn)
    .await?;
    Ok(())
}
