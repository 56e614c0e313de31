//! `host_status`: what each host's gateway and worker said of themselves last. The worker writes both, as
//! the gateway has no way to the database; the web reads.

use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{Store, StoreError};
use crate::limits;

/// What one part of a host said.
#[derive(Debug, Clone)]
pub struct Row {
    /// Host.
    pub host: String,
    /// `gateway` or `worker`.
    pub part: String,
    /// When it was written, by the database's clock.
    pub at: OffsetDateTime,
    /// Seconds since then.
    pub age_seconds: i64,
    /// What it said.
    pub status: Value,
}

/// Writes what a part says now; rows of hosts that are long gone go.
pub async fn put(store: &Store, host: &str, part: &str, status: &Value) -> Result<(), StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            sqlx::query!(
                "WITH gone AS (DELETE FROM host_status WHERE at < now() - make_interval(days => $4) AND host <> $1)
                 INSERT INTO host_status (host, part, status) VALUES ($1, $2, $3)
                 ON CONFLICT (host, part) DO UPDATE SET at = now(), status = EXCLUDED.status",
                host,
                part,
                status,
                limits::HOST_STATUS_DAYS
            )
            .execute(conn)
            .await?;
            Ok(())
        })
        .await
}

/// All that is known, by host and part.
pub async fn list(store: &Store) -> Result<Vec<Row>, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            Ok(sqlx::query_as!(
                Row,
                r#"SELECT host, part, at, extract(epoch FROM now() - at)::int8 AS "age_seconds!", status
                 FROM host_status ORDER BY host, part LIMIT $1"#,
                limits::HOST_STATUS_SHOWN
            )
            .fetch_all(conn)
            .await?)
        })
        .await
}
