//! One message: its bytes, what was read in it, and its reply.

use sqlx::PgConnection;
use uuid::Uuid;

use super::Moment;
use crate::domain::outcome::Outcome;
use crate::store::{Store, StoreError};

/// One message.
#[derive(Debug, Clone)]
pub struct Detail {
    /// When it was received.
    pub received: Moment,
    /// The timezone of `received`.
    pub timezone: String,
    /// When it was stored.
    pub stored: Moment,
    /// Host of the spool that took it.
    pub host: String,
    /// Link that it came by.
    pub link: String,
    /// The sender's phone, masked.
    pub phone: String,
    /// The number that it was sent to.
    pub destination: String,
    /// SMPP `esm_class`.
    pub esm_class: i16,
    /// SMPP `data_coding`.
    pub data_coding: i16,
    /// Bytes as they came.
    pub raw: Vec<u8>,
    /// The text as decoded.
    pub text: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// The election's short name and language.
    pub election: Option<(String, String)>,
    /// The observer's code.
    pub observer: Option<String>,
    /// What was read in it.
    pub reading: Option<serde_json::Value>,
    /// Submissions that it touched: id and prefix.
    pub submissions: Vec<(Uuid, String)>,
    /// For a segment: the record that completed the text.
    pub whole: Option<(Uuid, i64)>,
    /// Times that the SMSC delivered it again.
    pub redelivered: i32,
    /// The reply.
    pub reply: Option<Reply>,
}

/// The reply to a message.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Its text.
    pub text: String,
    /// Where it stands.
    pub state: String,
    /// Attempts made.
    pub attempt: i16,
    /// When it was made.
    pub created: Moment,
    /// When the SMSC took it.
    pub sent: Option<Moment>,
    /// When the receipt came.
    pub receipt: Option<Moment>,
    /// What went wrong.
    pub error: Option<String>,
}

/// The message of this record. Bytes in which an authentication code stands, hidden in the text, or may
/// stand, as the text is not whole yet, are not given.
pub async fn by_key(store: &Store, spool: Uuid, sequence: i64) -> Result<Option<Detail>, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            let row = sqlx::query!(
                r#"SELECT coalesce(e.timezone, 'UTC') AS "timezone!", m.received_at, m.stored_at,
                     m.received_at AT TIME ZONE coalesce(e.timezone, 'UTC') AS "received_local!",
                     m.stored_at AT TIME ZONE coalesce(e.timezone, 'UTC') AS "stored_local!",
                     s.host, m.link, p.masked AS "phone!", m.destination, m.esm_class, m.data_coding,
                     CASE WHEN m.outcome = 'segment' AND m.whole_spool IS NULL THEN ''::bytea
                          WHEN position('**' IN coalesce(h.text, m.text, '')) > 0 THEN ''::bytea
                          ELSE coalesce(m.payload, m.raw) END AS "raw!", m.text, m.outcome, m.election_id, e.slug AS "slug?",
                     e.language AS "language?", o.code AS "observer?", m.reading, m.submissions, m.redelivered,
                     w.uuid AS "whole?", m.whole_seq, b.text AS "reply?", b.state AS "reply_state?", b.attempt AS "attempt?",
                     b.created_at AS "created_at?", b.sent_at, b.receipt_at, b.error,
                     b.created_at AT TIME ZONE coalesce(e.timezone, 'UTC') AS "created_local?",
                     b.sent_at AT TIME ZONE coalesce(e.timezone, 'UTC') AS sent_local,
                     b.receipt_at AT TIME ZONE coalesce(e.timezone, 'UTC') AS receipt_local
                 FROM spool s
                 JOIN message m ON m.spool_id = s.id
                 JOIN phone p ON p.id = m.phone_id
                 LEFT JOIN election e ON e.id = m.election_id
                 LEFT JOIN observer o ON o.id = m.observer_id
                 LEFT JOIN outbox b ON b.id = m.reply_id
                 LEFT JOIN spool w ON w.id = m.whole_spool
                 LEFT JOIN message h ON h.spool_id = m.whole_spool AND h.sequence = m.whole_seq
                 WHERE s.uuid = $1 AND m.sequence = $2"#,
                spool,
                sequence
            )
            .fetch_optional(&mut *conn)
            .await?;
            let Some(r) = row else { return Ok(None) };
            let submissions = match r.election_id {
                Some(election) => {
                    sqlx::query!(
                        "SELECT id, prefix FROM submission WHERE election_id = $1 AND id = ANY ($2) ORDER BY prefix, id",
                        election,
                        &r.submissions
                    )
                    .fetch_all(conn)
                    .await?
                }
                .into_iter()
                .map(|s| (s.id, s.prefix))
                .collect(),
                None => Vec::new(),
            };
            let reply = match (r.reply, r.reply_state, r.attempt, Moment::of(r.created_at, r.created_local)) {
                (Some(text), Some(state), Some(attempt), Some(created)) => Some(Reply {
                    text,
                    state,
                    attempt,
                    created,
                    sent: Moment::of(r.sent_at, r.sent_local),
                    receipt: Moment::of(r.receipt_at, r.receipt_local),
                    error: r.error,
                }),
                _ => None,
            };
            Ok(Some(Detail {
                received: Moment { at: r.received_at, local: r.received_local },
                timezone: r.timezone,
                stored: Moment { at: r.stored_at, local: r.stored_local },
                host: r.host,
                link: r.link,
                phone: r.phone,
                destination: r.destination,
                esm_class: r.esm_class,
                data_coding: r.data_coding,
                raw: r.raw,
                text: r.text,
                outcome: Outcome::from_word(&r.outcome).unwrap_or(Outcome::SetAside),
                election: r.slug.zip(r.language),
                observer: r.observer,
                reading: r.reading,
                submissions,
                whole: r.whole.zip(r.whole_seq),
                redelivered: r.redelivered,
                reply,
            }))
        })
        .await
}
