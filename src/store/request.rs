//! `request`: what staff ask for, carried out by one worker, and what came of it.
//!
//! Invariant: a request is closed in the transaction that changes what it asks for, or, when that
//! changed nothing, alone; once closed it is never opened again.

use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::StoreError;

/// A request that waits.
#[derive(Debug, Clone, PartialEq)]
pub struct Open {
    /// Its number.
    pub id: i64,
    /// What is asked.
    pub kind: String,
    /// Who asks.
    pub made_by: String,
    /// The details, as the kind has them.
    pub payload: Value,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// It was carried out.
    Done,
    /// What is asked makes no sense (now); nothing changed.
    Refused,
    /// It was tried and broke; nothing changed.
    Failed,
}

impl Closed {
    /// The word in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// A request as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Its number.
    pub id: i64,
    /// What is asked.
    pub kind: String,
    /// Who asks.
    pub made_by: String,
    /// When.
    pub made_at: OffsetDateTime,
    /// The details.
    pub payload: Value,
    /// `open`, or [`Closed`] as its word.
    pub state: String,
    /// What came of it.
    pub result: Option<Value>,
    /// When it was closed.
    pub done_at: Option<OffsetDateTime>,
}

/// Makes a request and returns its number.
pub async fn make(conn: &mut PgConnection, kind: &str, made_by: &str, payload: &Value) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar!(
        "INSERT INTO request (kind, made_by, payload) VALUES ($1, $2, $3) RETURNING id",
        kind,
        made_by,
        payload
    )
    .fetch_one(conn)
    .await?)
}

/// The oldest open request of these kinds past a number. It is not locked yet: see [`lock`].
pub async fn next(conn: &mut PgConnection, kinds: &[&str], after: i64) -> Result<Option<Open>, StoreError> {
    Ok(sqlx::query_as!(
        Open,
        "SELECT id, kind, made_by, payload FROM request
         WHERE state = 'open' AND id > $2 AND kind = ANY($1) ORDER BY id LIMIT 1",
        kinds as &[&str],
        after
    )
    .fetch_optional(conn)
    .await?)
}

/// Locks a request until the transaction ends; false when it is not open any more, or another worker
/// is at it.
pub async fn lock(conn: &mut PgConnection, id: i64) -> Result<bool, StoreError> {
    let found = sqlx::query_scalar!(
        r#"SELECT 1 AS "one!" FROM request WHERE id = $1 AND state = 'open' FOR UPDATE SKIP LOCKED"#,
        id
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.is_some())
}

/// Closes an open request; false when it was closed before.
pub async fn close(conn: &mut PgConnection, id: i64, how: Closed, result: &Value) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "UPDATE request SET state = $2, result = $3, done_at = now() WHERE id = $1 AND state = 'open'",
        id,
        how.as_str(),
        result
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// A request as it stands.
pub async fn find(conn: &mut PgConnection, id: i64) -> Result<Option<Request>, StoreError> {
    Ok(sqlx::query_as!(
        Request,
        "SELECT id, kind, made_by, made_at, payload, state, result, done_at FROM request WHERE id = $1",
        id
    )
    .fetch_optional(conn)
    .await?)
}

/// How far a request is, and when it was made.
pub async fn progress(conn: &mut PgConnection, id: i64) -> Result<(Option<Value>, OffsetDateTime), StoreError> {
    let row = sqlx::query!("SELECT result, made_at FROM request WHERE id = $1", id).fetch_one(conn).await?;
    Ok((row.result, row.made_at))
}

/// Notes how far an open request is.
pub async fn set_progress(conn: &mut PgConnection, id: i64, progress: &Value) -> Result<(), StoreError> {
    sqlx::query!("UPDATE request SET result = $2 WHERE id = $1 AND state = 'open'", id, progress).execute(conn).await?;
    Ok(())
}
