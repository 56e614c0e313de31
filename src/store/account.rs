//! All that an election holds, read back in the order of receipt: what the demo compares with what
//! was sent. For an election of a day's size; nothing else reads so much at once.

use serde_json::Value as Json;
use sqlx::PgConnection;

use super::{Store, StoreError};

/// One text as it stands in `message`, its segments left out.
#[derive(Debug, Clone)]
pub struct StoredMessage {
    /// The sender's phone, digits.
    pub phone: String,
    /// The text.
    pub text: String,
    /// Outcome's word.
    pub outcome: String,
    /// The state of its reply, where it has one.
    pub reply: Option<String>,
}

/// One submission as it stands.
#[derive(Debug, Clone)]
pub struct StoredSubmission {
    /// Checklist's prefix.
    pub prefix: String,
    /// `checklist` or `incident`.
    pub kind: String,
    /// Observer code.
    pub observer: String,
    /// Its answers, by code.
    pub answers: Json,
}

/// Texts in the order of receipt, and how many records were segments of others.
pub async fn messages(store: &Store) -> Result<(Vec<StoredMessage>, u64), StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            let rows = sqlx::query_as!(
                StoredMessage,
                r#"SELECT p.msisdn AS phone, coalesce(m.text, '') AS "text!", m.outcome, o.state AS "reply?"
                   FROM message m JOIN phone p ON p.id = m.phone_id LEFT JOIN outbox o ON o.id = m.reply_id
                   WHERE m.outcome <> 'segment' ORDER BY m.received_at, m.spool_id, m.sequence"#
            )
            .fetch_all(&mut *conn)
            .await?;
            let segments = sqlx::query_scalar!(r#"SELECT count(*) AS "n!" FROM message WHERE outcome = 'segment'"#)
                .fetch_one(conn)
                .await?;
            Ok((rows, segments.unsigned_abs()))
        })
        .await
}

/// Submissions of an election.
pub async fn submissions(store: &Store, election: &str) -> Result<Vec<StoredSubmission>, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            Ok(sqlx::query_as!(
                StoredSubmission,
                r#"SELECT s.prefix, s.kind, b.code AS observer, s.answers
                   FROM submission s JOIN election e ON e.id = s.election_id JOIN observer b ON b.id = s.observer_id
                   WHERE e.slug = $1 ORDER BY s.prefix, b.code, s.first_received_at"#,
                election
            )
            .fetch_all(conn)
            .await?)
        })
        .await
}

/// Replies whose fate is not yet known here: due, leased, or sent without a receipt.
pub async fn replies_open(store: &Store, receipts: bool) -> Result<u64, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            let open = sqlx::query_scalar!(
                r#"SELECT count(*) AS "n!" FROM outbox WHERE state IN ('due', 'leased') OR ($1 AND state = 'sent')"#,
                receipts
            )
            .fetch_one(conn)
            .await?;
            Ok(open.unsigned_abs())
        })
        .await
}
