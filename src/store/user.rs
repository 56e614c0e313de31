//! `web_user`: the people who may sign in, their failures and locks.
//!
//! Invariant: an attempt is counted as a failure before the password is looked at, and cleared when
//! it was right. So attempts sent side by side, or to several hosts, can't pass the lock.

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{Store, StoreError};
use crate::limits;

/// A person who may sign in.
#[derive(Debug, Clone)]
pub struct User {
    /// PostgreSQL's key.
    pub id: i32,
    /// Name at the sign-in.
    pub name: String,
    /// `viewer`, `analyst`, `operator` or `admin`.
    pub role: String,
    /// May not sign in.
    pub disabled: bool,
    /// Wrong passwords in a row.
    pub failures: i32,
    /// Locked until then.
    pub locked_until: Option<OffsetDateTime>,
    /// When added.
    pub created_at: OffsetDateTime,
}

/// What a sign-in needs of an account that may try now.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// PostgreSQL's key.
    pub id: i32,
    /// Name, as it is stored.
    pub name: String,
    /// Role.
    pub role: String,
    /// Argon2id, PHC string.
    pub password_hash: String,
}

/// Begins an attempt: counts it as failed, and locks the account for longer the more there were.
/// `None`: nobody of that name may try now (unknown, disabled, locked).
pub async fn begin_attempt(store: &Store, name: &str) -> Result<Option<Attempt>, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            Ok(sqlx::query_as!(
                Attempt,
                "UPDATE web_user SET failures = failures + 1,
                     locked_until = CASE WHEN failures + 1 >= $2 THEN now() + make_interval(secs =>
                         least($3::int * power(2, least(failures + 1 - $2, 20)), $4::int)) END
                 WHERE name = $1 AND NOT disabled AND (locked_until IS NULL OR locked_until <= now())
                 RETURNING id, name, role, password_hash",
                name,
                limits::SIGN_IN_FAILURES_FREE,
                limits::SIGN_IN_LOCK_SECONDS,
                limits::SIGN_IN_LOCK_SECONDS_MAX
            )
            .fetch_optional(conn)
            .await?)
        })
        .await
}

/// The password was right: forgets the failures.
pub async fn attempt_was_right(store: &Store, id: i32) -> Result<(), StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            sqlx::query!("UPDATE web_user SET failures = 0, locked_until = NULL WHERE id = $1", id)
                .execute(conn)
                .await?;
            Ok(())
        })
        .await
}

/// Adds a person. `false`: the name is taken.
pub async fn add(store: &Store, name: &str, role: &str, password_hash: &str) -> Result<bool, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            let done = sqlx::query!(
                "INSERT INTO web_user (name, role, password_hash) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING",
                name,
                role,
                password_hash
            )
            .execute(conn)
            .await?;
            Ok(done.rows_affected() == 1)
        })
        .await
}

/// Everybody, by name.
pub async fn list(store: &Store) -> Result<Vec<User>, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            Ok(sqlx::query_as!(
                User,
                "SELECT id, name, role, disabled, failures, locked_until, created_at FROM web_user ORDER BY name"
            )
            .fetch_all(conn)
            .await?)
        })
        .await
}

/// Lets a person in again, or no longer; ends the sessions and the lock. `false`: no such name.
pub async fn set_disabled(store: &Store, name: &str, disabled: bool) -> Result<bool, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            let done = sqlx::query_scalar!(
                r#"WITH changed AS (
                     UPDATE web_user SET disabled = $2, failures = 0, locked_until = NULL WHERE name = $1 RETURNING id
                 ), ended AS (DELETE FROM web_session WHERE user_id IN (SELECT id FROM changed))
                 SELECT count(*) AS "count!" FROM changed"#,
                name,
                disabled
            )
            .fetch_one(conn)
            .await?;
            Ok(done == 1)
        })
        .await
}

/// Sets a new password; ends the sessions and the lock. `false`: no such name.
pub async fn set_password(store: &Store, name: &str, password_hash: &str) -> Result<bool, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            let done = sqlx::query_scalar!(
                r#"WITH changed AS (
                     UPDATE web_user SET password_hash = $2, failures = 0, locked_until = NULL WHERE name = $1 RETURNING id
                 ), ended AS (DELETE FROM web_session WHERE user_id IN (SELECT id FROM changed))
                 SELECT count(*) AS "count!" FROM changed"#,
                name,
                password_hash
            )
            .fetch_one(conn)
            .await?;
            Ok(done == 1)
        })
        .await
}

/// Gives a person another role, which holds within seconds. `false`: no such name.
pub async fn set_role(store: &Store, name: &str, role: &str) -> Result<bool, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            let done = sqlx::query!("UPDATE web_user SET role = $2 WHERE name = $1", name, role).execute(conn).await?;
            Ok(done.rows_affected() == 1)
        })
        .await
}
