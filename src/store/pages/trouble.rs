//! What was not understood, the newest first, and how much of each kind there is.

use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Moment;
use super::messages::Cursor;
use crate::domain::outcome::Outcome;
use crate::limits;
use crate::store::{Store, StoreError};

/// Which ones.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// With one of these outcomes.
    pub outcomes: Vec<&'static str>,
    /// Of this election; those of none too.
    pub election: Option<i32>,
    /// Received then or later.
    pub since: Option<OffsetDateTime>,
    /// After this one.
    pub after: Option<Cursor>,
}

/// One message.
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
    /// The text that is read, cut to [`limits::WEB_LIST_TEXT_CHARS`].
    pub text: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// What was read.
    pub reading: Option<Value>,
    /// The election's short name.
    pub election: Option<String>,
    /// The observer's code.
    pub observer: Option<String>,
    /// The reply's text and state.
    pub reply: Option<(String, String)>,
    /// How often it was read anew.
    pub readings: i64,
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
                     m.received_at AT TIME ZONE coalesce(e.timezone, 'UTC') AS "received_local!", p.masked AS "phone!",
                     left(coalesce((SELECT r.text FROM reading r WHERE r.spool_id = m.spool_id AND r.sequence = m.sequence
                          AND r.text IS NOT NULL ORDER BY r.number DESC LIMIT 1), m.text), $8) AS text,
                     m.outcome, m.reading, e.slug AS "election?", o.code AS "observer?", b.text AS "reply?",
                     b.state AS "reply_state?",
                     (SELECT count(*) FROM reading r WHERE r.spool_id = m.spool_id AND r.sequence = m.sequence) AS "readings!"
                 FROM message m
                 JOIN spool s ON s.id = m.spool_id
                 JOIN phone p ON p.id = m.phone_id
                 LEFT JOIN election e ON e.id = m.election_id
                 LEFT JOIN observer o ON o.id = m.observer_id
                 LEFT JOIN outbox b ON b.id = m.reply_id
                 WHERE m.outcome NOT IN ('accepted', 'corrected', 'segment') AND m.outcome = ANY($1)
                   AND (m.outcome <> 'partial' OR m.reading ? 'leftover'
                        OR jsonb_path_exists(m.reading, '$.reports[*].leftover ? (@ != "")'))
                   AND ($2::int IS NULL OR m.election_id = $2 OR m.election_id IS NULL)
                   AND ($3::timestamptz IS NULL OR m.received_at >= $3)
                   AND ($4::timestamptz IS NULL OR m.received_at <= $4
                       AND (m.received_at < $4 OR (m.spool_id, m.sequence) > ($5::int, $6::bigint)))
                 ORDER BY m.received_at DESC, m.spool_id, m.sequence LIMIT $7"#,
                &filter.outcomes as &[&str],
                filter.election,
                filter.since,
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
                    outcome: Outcome::from_word(&r.outcome).unwrap_or(Outcome::SetAside),
                    reading: r.reading,
                    election: r.election,
                    observer: r.observer,
                    reply: r.reply.zip(r.reply_state),
                    readings: r.readings,
                })
                .collect();
            Ok((page, more))
        })
        .await
}

/// How many there are of each outcome, whatever page is shown.
pub async fn counts(store: &Store, filter: &Filter) -> Result<Vec<(Outcome, i64)>, StoreError> {
    let rows = store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            Ok(sqlx::query!(
                r#"SELECT m.outcome, count(*) AS "count!" FROM message m
                 WHERE m.outcome NOT IN ('accepted', 'corrected', 'segment') AND m.outcome = ANY($1)
                   AND (m.outcome <> 'partial' OR m.reading ? 'leftover'
                        OR jsonb_path_exists(m.reading, '$.reports[*].leftover ? (@ != "")'))
                   AND ($2::int IS NULL OR m.election_id = $2 OR m.election_id IS NULL)
                   AND ($3::timestamptz IS NULL OR m.received_at >= $3)
                 GROUP BY m.outcome"#,
                &filter.outcomes as &[&str],
                filter.election,
                filter.since
            )
            .fetch_all(conn)
            .await?)
        })
        .await?;
    Ok(rows.into_iter().filter_map(|r| Some((Outcome::from_word(&r.outcome)?, r.count))).collect())
}
