//! `web_session`: who is signed in. A row's key is the SHA-256 of the cookie's token, so that a
//! leaked table opens no session.
//!
//! Invariant: a session belongs to a person and is worth nothing once that person is disabled.

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{Store, StoreError};
use crate::limits;

/// A session with the person as the table of people has them now.
#[derive(Debug, Clone)]
pub struct SessionRow {
    /// Whose.
    pub user_id: i32,
    /// Name.
    pub name: String,
    /// Role, as it is now.
    pub role: String,
    /// What else is kept in it.
    pub data: serde_json::Value,
    /// When it ends.
    pub expires_at: OffsetDateTime,
}

/// Stores a session. `false`: the key is taken. A person's oldest sessions give way.
pub async fn create(
    store: &Store,
    key: &[u8],
    user_id: i32,
    data: &serde_json::Value,
    expires_at: OffsetDateTime,
) -> Result<bool, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            let done = sqlx::query_scalar!(
                r#"WITH old AS (
                     DELETE FROM web_session WHERE id IN (
                         SELECT id FROM web_session WHERE user_id = $2 ORDER BY expires_at DESC OFFSET $5)
                 ), new AS (
                     INSERT INTO web_session (id, user_id, data, expires_at) VALUES ($1, $2, $3, $4)
                     ON CONFLICT (id) DO NOTHING RETURNING 1 AS one
                 ) SELECT count(*) AS "count!" FROM new"#,
                key,
                user_id,
                data,
                expires_at,
                limits::WEB_SESSIONS_PER_USER - 1
            )
            .fetch_one(conn)
            .await?;
            Ok(done == 1)
        })
        .await
}

/// Stores what a session holds anew. Does nothing when it ended meanwhile.
pub async fn save(
    store: &Store,
    key: &[u8],
    data: &serde_json::Value,
    expires_at: OffsetDateTime,
) -> Result<(), StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            sqlx::query!("UPDATE web_session SET data = $2, expires_at = $3 WHERE id = $1", key, data, expires_at)
                .execute(conn)
                .await?;
            Ok(())
        })
        .await
}

/// The session with this key, when it lasts, was used lately, and its person may sign in. Notes to the
/// minute that it is used.
pub async fn load(store: &Store, key: &[u8]) -> Result<Option<SessionRow>, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            let row = sqlx::query!(
                r#"SELECT s.user_id, u.name, u.role, s.data, s.expires_at,
                     s.seen_at < now() - interval '1 minute' AND NOT pg_is_in_recovery() AS "note!"
                 FROM web_session s JOIN web_user u ON u.id = s.user_id
                 WHERE s.id = $1 AND s.expires_at > now() AND s.seen_at > now() - make_interval(secs => $2)
                   AND NOT u.disabled"#,
                key,
                f64::from(limits::WEB_SESSION_IDLE_SECONDS)
            )
            .fetch_optional(&mut *conn)
            .await?;
            let Some(row) = row else { return Ok(None) };
            if row.note {
                sqlx::query!("UPDATE web_session SET seen_at = now() WHERE id = $1", key).execute(conn).await?;
            }
            Ok(Some(SessionRow {
                user_id: row.user_id,
                name: row.name,
                role: row.role,
                data: row.data,
                expires_at: row.expires_at,
            }))
        })
        .await
}

/// A session as its person may see it.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its key, SHA-256 of the token.
    pub key: Vec<u8>,
    /// When it began.
    pub created_at: OffsetDateTime,
    /// When it was last used, to the minute.
    pub seen_at: OffsetDateTime,
    /// When it ends.
    pub expires_at: OffsetDateTime,
}

/// A person's sessions that last, the one used last first.
pub async fn list(store: &Store, name: &str) -> Result<Vec<Listed>, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            Ok(sqlx::query_as!(
                Listed,
                "SELECT s.id AS key, s.created_at, s.seen_at, s.expires_at
                 FROM web_session s JOIN web_user u ON u.id = s.user_id
                 WHERE u.name = $1 AND s.expires_at > now() AND s.seen_at > now() - make_interval(secs => $2)
                 ORDER BY s.seen_at DESC, s.created_at DESC LIMIT $3",
                name,
                f64::from(limits::WEB_SESSION_IDLE_SECONDS),
                limits::WEB_SESSIONS_PER_USER
            )
            .fetch_all(conn)
            .await?)
        })
        .await
}

/// Ends all sessions of a person; returns how many there were.
pub async fn end_all(store: &Store, name: &str) -> Result<u64, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            let done =
                sqlx::query!("DELETE FROM web_session WHERE user_id = (SELECT id FROM web_user WHERE name = $1)", name)
                    .execute(conn)
                    .await?;
            Ok(done.rows_affected())
        })
        .await
}

/// Ends a session.
pub async fn delete(store: &Store, key: &[u8]) -> Result<(), StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            sqlx::query!("DELETE FROM web_session WHERE id = $1", key).execute(conn).await?;
            Ok(())
        })
        .await
}

/// Deletes sessions that are over, a bounded number of them; returns how many.
pub async fn sweep(store: &Store) -> Result<u64, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            let done = sqlx::query!(
                "DELETE FROM web_session WHERE id IN (
                     SELECT id FROM web_session
                     WHERE expires_at <= now() OR seen_at <= now() - make_interval(secs => $2)
                     ORDER BY expires_at LIMIT $1)",
                limits::WEB_SESSIONS_SWEPT,
                f64::from(limits::WEB_SESSION_IDLE_SECONDS)
            )
            .execute(conn)
            .await?;
            Ok(done.rows_affected())
        })
        .await
}
