//! What an operator must know of the database itself and of what waits in it.

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::store::{Store, StoreError};

/// Replies of one state.
#[derive(Debug, Clone)]
pub struct Depth {
    /// State.
    pub state: String,
    /// How many.
    pub count: i64,
    /// When the oldest of them fell due.
    pub oldest: Option<OffsetDateTime>,
}

/// The database.
#[derive(Debug, Clone)]
pub struct Server {
    /// Its clock.
    pub now: OffsetDateTime,
    /// Its version of PostgreSQL.
    pub version: String,
    /// It is a standby, this far behind (seconds), where it can tell.
    pub standby: bool,
    /// See `standby`.
    pub behind_seconds: Option<i64>,
    /// It takes no writes.
    pub read_only: bool,
    /// Standbys that follow it.
    pub followers: i64,
    /// Since when it runs.
    pub started: OffsetDateTime,
    /// Bytes of this database.
    pub bytes: i64,
    /// Connections of anybody to it, and how many there may be.
    pub connections: i64,
    /// See `connections`.
    pub connections_max: i64,
}

/// Replies that wait or fared badly, by state.
pub async fn outbox(store: &Store) -> Result<Vec<Depth>, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            Ok(sqlx::query_as!(
                Depth,
                r#"SELECT 'due' AS "state!", count(*) AS "count!", min(due_at) AS oldest FROM outbox WHERE state = 'due'
                 UNION ALL
                 SELECT 'leased', count(*), min(due_at) FROM outbox WHERE state = 'leased'"#
            )
            .fetch_all(conn)
            .await?)
        })
        .await
}

/// Asks the server about itself.
pub async fn server(store: &Store) -> Result<Server, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            Ok(sqlx::query_as!(
                Server,
                r#"SELECT now() AS "now!", current_setting('server_version') AS "version!",
                     pg_is_in_recovery() AS "standby!",
                     CASE WHEN pg_is_in_recovery()
                         THEN extract(epoch FROM now() - pg_last_xact_replay_timestamp())::int8 END AS behind_seconds,
                     current_setting('transaction_read_only') = 'on' AS "read_only!",
                     (SELECT count(*) FROM pg_stat_replication) AS "followers!",
                     pg_postmaster_start_time() AS "started!", pg_database_size(current_database()) AS "bytes!",
                     (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()) AS "connections!",
                     current_setting('max_connections')::int8 AS "connections_max!""#
            )
            .fetch_one(conn)
            .await?)
        })
        .await
}
