//! Records that failed alone. The record itself is not read here: the sender's number stands in it.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::store::{Store, StoreError};

/// One record.
#[derive(Debug, Clone)]
pub struct SetAside {
    /// The spool that took it.
    pub spool: Uuid,
    /// Its host.
    pub host: String,
    /// Its sequence there.
    pub sequence: i64,
    /// When it was received.
    pub received_at: OffsetDateTime,
    /// The link that it came by.
    pub link: String,
    /// What failed.
    pub error: String,
    /// When it was set aside.
    pub set_aside_at: OffsetDateTime,
}

/// The newest ones, and how many there are in all.
pub async fn list(store: &Store) -> Result<(Vec<SetAside>, i64), StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            let rows = sqlx::query_as!(
                SetAside,
                "SELECT s.uuid AS spool, s.host, a.sequence, a.received_at, a.link, left(a.error, 2000) AS \"error!\",
                     a.set_aside_at
                 FROM set_aside a JOIN spool s ON s.id = a.spool_id
                 ORDER BY a.received_at DESC, a.spool_id, a.sequence LIMIT $1",
                crate::limits::WEB_PAGE_ROWS
            )
            .fetch_all(&mut *conn)
            .await?;
            let all = sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM set_aside"#).fetch_one(conn).await?;
            Ok((rows, all))
        })
        .await
}

/// The next ones for a file, in the order of (host's spool, sequence), after one of them; none: there are no more.
pub async fn next(store: &Store, after: Option<(Uuid, i64)>) -> Result<Vec<SetAside>, StoreError> {
    let (spool, sequence) = after.unwrap_or((Uuid::nil(), 0));
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            Ok(sqlx::query_as!(
                SetAside,
                "SELECT s.uuid AS spool, s.host, a.sequence, a.received_at, a.link, left(a.error, 2000) AS \"error!\",
                     a.set_aside_at
                 FROM set_aside a JOIN spool s ON s.id = a.spool_id
                 WHERE (s.uuid, a.sequence) > ($1, $2)
                 ORDER BY s.uuid, a.sequence LIMIT $3",
                spool,
                sequence,
                crate::limits::WEB_EXPORT_ROWS / 4
            )
            .fetch_all(conn)
            .await?)
        })
        .await
}
