//! The database itself: does it answer, and what signs of life are in it?

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::store::migrate::{self, Schema};
use crate::store::{Store, StoreError};

/// The database as it answered.
#[derive(Debug, Clone)]
pub struct State {
    /// Its schema.
    pub schema: Schema,
    /// Its clock.
    pub now: OffsetDateTime,
    /// Its version of PostgreSQL.
    pub server: String,
    /// It is a standby: nothing can be written.
    pub read_only: bool,
}

/// Asks the database.
pub async fn ask(store: &Store) -> Result<State, StoreError> {
    let schema = migrate::check_schema(store).await?;
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            let row = sqlx::query!(
                r#"SELECT now() AS "now!", current_setting('server_version') AS "server!",
                     pg_is_in_recovery() AS "read_only!""#
            )
            .fetch_one(conn)
            .await?;
            Ok(State { schema, now: row.now, server: row.server, read_only: row.read_only })
        })
        .await
}

/// Signs of life of the whole installation.
#[derive(Debug, Clone)]
pub struct Activity {
    /// When the newest message was received.
    pub received_at: Option<OffsetDateTime>,
    /// Replies that wait to be sent.
    pub replies_due: i64,
    /// When the longest waiting of them fell due.
    pub reply_due_since: Option<OffsetDateTime>,
    /// Records set aside.
    pub set_aside: i64,
    /// The spools: host, and when its worker last committed.
    pub spools: Vec<(String, Option<OffsetDateTime>)>,
}

/// Asks for signs of life.
pub async fn activity(store: &Store) -> Result<Activity, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            let row = sqlx::query!(
                r#"SELECT (SELECT max(received_at) FROM message) AS received_at,
                     (SELECT count(*) FROM outbox WHERE state = 'due') + (SELECT count(*) FROM outbox WHERE state = 'leased')
                         AS "replies_due!",
                     least((SELECT min(due_at) FROM outbox WHERE state = 'due'),
                         (SELECT min(due_at) FROM outbox WHERE state = 'leased')) AS reply_due_since,
                     (SELECT count(*) FROM set_aside) AS "set_aside!""#
            )
            .fetch_one(&mut *conn)
            .await?;
            let spools = sqlx::query!(
                r#"SELECT s.host, max(w.updated_at) AS at
                 FROM spool s LEFT JOIN watermark w ON w.spool_id = s.id
                 GROUP BY s.host ORDER BY 2 DESC NULLS LAST LIMIT 50"#
            )
            .fetch_all(conn)
            .await?;
            Ok(Activity {
                received_at: row.received_at,
                replies_due: row.replies_due,
                reply_due_since: row.reply_due_since,
                set_aside: row.set_aside,
                spools: spools.into_iter().map(|s| (s.host, s.at)).collect(),
            })
        })
        .await
}
