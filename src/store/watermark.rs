//! `spool` and `watermark`: which runs of spools there are, and how far each is committed.

use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;

/// How far a run is committed.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    /// The run.
    pub uuid: Uuid,
    /// Its key in `spool`.
    pub spool_id: i32,
    /// Everything up to here is committed; 0 when nothing is. The greatest of its lanes' rows: each was
    /// true when it was written.
    pub through: u64,
}

/// Registers runs that are new, and says of each how far it is committed, in no order.
pub async fn register(conn: &mut PgConnection, runs: &[Uuid], host: &str) -> Result<Vec<Mark>, StoreError> {
    sqlx::query!(
        "INSERT INTO spool (uuid, host)
         SELECT u.uuid, $2 FROM UNNEST($1::uuid[]) AS u (uuid) WHERE NOT EXISTS (SELECT 1 FROM spool s WHERE s.uuid = u.uuid)
         ON CONFLICT DO NOTHING",
        runs,
        host
    )
    .execute(&mut *conn)
    .await?;
    let rows = sqlx::query!(
        r#"SELECT s.uuid, s.id, (SELECT max(w.sequence) FROM watermark w WHERE w.spool_id = s.id) AS through
           FROM spool s WHERE s.uuid = ANY($1)"#,
        runs
    )
    .fetch_all(conn)
    .await?;
    let through = |sequence: Option<i64>| sequence.and_then(|s| u64::try_from(s).ok()).unwrap_or(0);
    Ok(rows.into_iter().map(|r| Mark { uuid: r.uuid, spool_id: r.id, through: through(r.through) }).collect())
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
