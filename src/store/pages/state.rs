//! The database itself: does it answer, and does its schema fit this program?

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::store::{Store, StoreError};

/// Which migrations the database has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// What this program was built with.
    Fits,
    /// No migration was applied, or not all.
    Behind,
    /// Migrations that this program does not know.
    Newer,
}

/// The database as it answered.
#[derive(Debug, Clone)]
pub struct State {
    /// Its schema.
    pub schema: Schema,
    /// Its newest migration; 0: none.
    pub version: i64,
    /// Its clock.
    pub now: OffsetDateTime,
    /// Its version of PostgreSQL.
    pub server: String,
    /// It is a standby: nothing can be written.
    pub read_only: bool,
}

/// Asks the database. `wanted`: the newest migration that this program has.
pub async fn ask(store: &Store, wanted: i64) -> Result<State, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            let row = sqlx::query!(
                r#"SELECT now() AS "now!", current_setting('server_version') AS "server!",
                     pg_is_in_recovery() AS "read_only!", to_regclass('_sqlx_migrations') IS NOT NULL AS "migrated!""#
            )
            .fetch_one(&mut *conn)
            .await?;
            let version = if row.migrated {
                sqlx::query_scalar!(
                    r#"SELECT coalesce(max(version), 0) AS "version!" FROM _sqlx_migrations WHERE success"#
                )
                .fetch_one(conn)
                .await?
            } else {
                0
            };
            let schema = match version.cmp(&wanted) {
                std::cmp::Ordering::Less => Schema::Behind,
                std::cmp::Ordering::Equal => Schema::Fits,
                std::cmp::Ordering::Greater => Schema::Newer,
            };
            Ok(State { schema, version, now: row.now, server: row.server, read_only: row.read_only })
        })
        .await
}
