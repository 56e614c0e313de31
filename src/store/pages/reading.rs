//! How a message was read before, and what staff asked for.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::limits::WEB_PAGE_ROWS;
use crate::store::request::{self, Request};
use crate::store::{Store, StoreError};

/// A reading of a message by staff, or once more.
#[derive(Debug, Clone)]
pub struct Reading {
    /// 1, 2, 3 …
    pub number: i16,
    /// What was read in the place of what came.
    pub text: Option<String>,
    /// Who.
    pub made_by: String,
    /// When.
    pub made_at: OffsetDateTime,
    /// Why.
    pub why: String,
    /// The request.
    pub request: i64,
    /// Outcome before.
    pub before: String,
    /// Outcome after.
    pub after: String,
}

/// The readings of a message, the first one first.
pub async fn of_message(store: &Store, spool: Uuid, sequence: i64) -> Result<Vec<Reading>, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            Ok(sqlx::query_as!(
                Reading,
                "SELECT r.number, r.text, r.made_by, r.made_at, r.why, r.request_id AS request, r.outcome_before AS before,
                     r.outcome AS after
                 FROM spool s JOIN reading r ON r.spool_id = s.id
                 WHERE s.uuid = $1 AND r.sequence = $2 ORDER BY r.number LIMIT $3",
                spool,
                sequence,
                WEB_PAGE_ROWS
            )
            .fetch_all(conn)
            .await?)
        })
        .await
}

/// Spools whose UUID begins so (hexadecimal digits) and that have a message of this sequence.
pub async fn spools(store: &Store, begin: &str, sequence: i64) -> Result<Vec<Uuid>, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            Ok(sqlx::query_scalar!(
                "SELECT s.uuid FROM spool s JOIN message m ON m.spool_id = s.id
                 WHERE starts_with(replace(s.uuid::text, '-', ''), $1) AND m.sequence = $2 ORDER BY s.uuid LIMIT 10",
                begin,
                sequence
            )
            .fetch_all(conn)
            .await?)
        })
        .await
}

/// Makes a request.
pub async fn ask(store: &Store, kind: &str, made_by: &str, payload: &serde_json::Value) -> Result<i64, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| request::make(conn, kind, made_by, payload).await)
        .await
}

/// A request as it stands.
pub async fn asked(store: &Store, id: i64) -> Result<Option<Request>, StoreError> {
    store.with_conn(store.deadline(), async |conn: &mut PgConnection| request::find(conn, id).await).await
}

/// The newest requests.
pub async fn newest(store: &Store) -> Result<Vec<Request>, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            Ok(sqlx::query_as!(
                Request,
                "SELECT id, kind, made_by, made_at, payload, state, result - 'texts' AS result, done_at FROM request
                 ORDER BY made_at DESC, id DESC LIMIT $1",
                WEB_PAGE_ROWS
            )
            .fetch_all(conn)
            .await?)
        })
        .await
}

/// The next requests for a file, the oldest first, after one of them; none: there are no more.
pub async fn next(store: &Store, after: i64) -> Result<Vec<Request>, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            Ok(sqlx::query_as!(
                Request,
                "SELECT id, kind, made_by, made_at, payload - 'text' AS \"payload!\", state, result - 'texts' AS result, done_at
                 FROM request WHERE id > $1 ORDER BY id LIMIT $2",
                after,
                crate::limits::WEB_EXPORT_ROWS / 4
            )
            .fetch_all(conn)
            .await?)
        })
        .await
}
