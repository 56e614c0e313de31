//! The message log, the newest first, each with its reply; paged by (time of receipt, spool, sequence).

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Moment;
use crate::domain::outcome::Outcome;
use crate::limits;
use crate::store::{Store, StoreError};

/// Which ones.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this election.
    pub election: Option<i32>,
    /// With this outcome.
    pub outcome: Option<Outcome>,
    /// After this one.
    pub after: Option<Cursor>,
}

/// The last message of the page before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Its time of receipt.
    pub at: OffsetDateTime,
    /// Its spool, PostgreSQL's key.
    pub spool: i32,
    /// Its sequence.
    pub sequence: i64,
}

/// One message in the log.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its spool, PostgreSQL's key.
    pub spool_id: i32,
    /// Its spool.
    pub spool: Uuid,
    /// Its sequence.
    pub sequence: i64,
    /// When it was received.
    pub received: Moment,
    /// The sender's phone, masked.
    pub phone: String,
    /// The text, cut to [`limits::WEB_LIST_TEXT_CHARS`].
    pub text: Option<String>,
    /// Characters of the whole text.
    pub chars: i32,
    /// What became of it.
    pub outcome: Outcome,
    /// The election's short name.
    pub election: Option<String>,
    /// The observer's code.
    pub observer: Option<String>,
    /// The reply's text and state.
    pub reply: Option<(String, String)>,
    /// Why the reply was sent again: what became of an earlier attempt is unknown.
    pub repeated: Option<String>,
    /// Times that the SMSC delivered it again.
    pub redelivered: i32,
}

impl Row {
    /// The cursor of the page that follows this row.
    pub fn cursor(&self) -> Cursor {
        Cursor { at: self.received.at, spool: self.spool_id, sequence: self.sequence }
    }
}

/// One page; the flag says that more follow.
pub async fn page(store: &Store, filter: &Filter) -> Result<(Vec<Row>, bool), StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            let rows = sqlx::query!(
                r#"SELECT m.spool_id, s.uuid AS spool, m.sequence, m.received_at,
                     m.received_at AT TIME ZONE coalesce(e.timezone, 'UTC') AS "received_local!",
                     p.masked AS "phone!", left(m.text, $7) AS text, coalesce(length(m.text), 0) AS "chars!", m.outcome,
                     e.slug AS "election?", o.code AS "observer?", b.text AS "reply?", b.state AS "reply_state?", m.redelivered,
                     b.unknown_why AS "repeated?"
                 FROM message m
                 JOIN spool s ON s.id = m.spool_id
                 JOIN phone p ON p.id = m.phone_id
                 LEFT JOIN election e ON e.id = m.election_id
                 LEFT JOIN observer o ON o.id = m.observer_id
                 LEFT JOIN outbox b ON b.id = m.reply_id
                 WHERE ($1::int IS NULL OR m.election_id = $1)
                   AND ($2::text IS NULL OR m.outcome = $2)
                   AND ($3::timestamptz IS NULL OR m.received_at <= $3
                       AND (m.received_at < $3 OR (m.spool_id, m.sequence) > ($4::int, $5::bigint)))
                 ORDER BY m.received_at DESC, m.spool_id, m.sequence LIMIT $6"#,
                filter.election,
                filter.outcome.map(Outcome::as_str),
                filter.after.map(|c| c.at),
                filter.after.map(|c| c.spool),
                filter.after.map(|c| c.sequence),
                limits::WEB_PAGE_ROWS + 1,
                limits::WEB_LIST_TEXT_CHARS
            )
            .fetch_all(conn)
            .await?;
            let more = rows.len() as i64 > limits::WEB_PAGE_ROWS;
            let page = rows
                .into_iter()
                .take(limits::WEB_PAGE_ROWS as usize)
                .map(|r| Row {
                    spool_id: r.spool_id,
                    spool: r.spool,
                    sequence: r.sequence,
                    received: Moment { at: r.received_at, local: r.received_local },
                    phone: r.phone,
                    text: r.text,
                    chars: r.chars,
                    outcome: Outcome::from_word(&r.outcome).unwrap_or(Outcome::SetAside),
                    election: r.election,
                    observer: r.observer,
                    reply: r.reply.zip(r.reply_state),
                    repeated: r.repeated,
                    redelivered: r.redelivered,
                })
                .collect();
            Ok((page, more))
        })
        .await
}
