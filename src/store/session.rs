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

/// The session with this key, when it lasts and its person may sign in.
pub async fn load(store: &Store, key: &[u8]) -> Result<Option<SessionRow>, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            Ok(sqlx::query_as!(
                SessionRow,
                "SELECT s.user_id, u.name, u.role, s.data, s.expires_at
                 FROM web_session s JOIN web_user u ON u.id = s.user_id
                 WHERE s.id = $1 AND s.expires_at > now() AND NOT u.disabled",
                key
            )
            .fetch_optional(conn)
            .await?)
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
                     SELECT id FROM web_session WHERE expires_at <= now() ORDER BY expires_at LIMIT $1)",
                limits::WEB_SESSIONS_SWEPT
            )
            .execute(conn)
            .await?;
            Ok(done.rows_affected())
        })
        .await
}
