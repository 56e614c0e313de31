//! The message log, the newest first, each with its reply; paged by (time of receipt, spool, sequence).
//!
//! What an index finds (election, outcome, phone, observer, time) bounds what is looked through; what none
//! finds (words of a text, link, the reply's state) is looked for in the newest
//! [`limits::WEB_SCAN_FAR_ROWS`] of them, and the page says how far it looked.

use serde_json::Value;
use sqlx::{Executor, PgConnection};
use time::{OffsetDateTime, PrimitiveDateTime};
use uuid::Uuid;

use super::Moment;
use super::submission_filter::PLAN;
use crate::domain::outcome::Outcome;
use crate::limits;
use crate::store::{Store, StoreError};

mod scan;

/// Which ones: all that pass each of these.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this election.
    pub election: Option<i32>,
    /// Those of no election, too.
    pub with_unknown: bool,
    /// With one of these outcomes; empty: with any.
    pub outcomes: Vec<&'static str>,
    /// Only those of which something could not be recorded: of those partly accepted, not all are.
    pub is_trouble: bool,
    /// From this phone.
    pub phone: Option<i64>,
    /// From this observer.
    pub observer: Option<i32>,
    /// Received then or later.
    pub since: Option<OffsetDateTime>,
    /// Received then or later, and before, by the clocks of `timezone`.
    pub from: Option<PrimitiveDateTime>,
    /// See `from`.
    pub until: Option<PrimitiveDateTime>,
    /// Of `from` and `until`; empty: UTC.
    pub timezone: String,
    /// With these words in its text or its reply's.
    pub words: Option<String>,
    /// By this link.
    pub link: Option<String>,
    /// With a reply or without.
    pub answered: Option<bool>,
    /// With a reply in one of these states.
    pub replies: Option<Vec<&'static str>>,
}

impl Filter {
    /// A filter that no index helps with is set.
    fn looks_through(&self) -> bool {
        self.words.is_some()
            || self.link.is_some()
            || self.answered.is_some()
            || self.replies.is_some()
            || (self.is_trouble && scan::by(self) != scan::By::Misread)
    }

    fn pattern(&self) -> Option<String> {
        let escaped = self.words.as_ref()?.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        Some(format!("%{escaped}%"))
    }

    fn timezone(&self) -> &str {
        if self.timezone.is_empty() { "UTC" } else { &self.timezone }
    }
}

/// A message's place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Its time of receipt.
    pub at: OffsetDateTime,
    /// Its spool, PostgreSQL's key.
    pub spool: i32,
    /// Its sequence.
    pub sequence: i64,
}

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Turn {
    /// With the newest.
    #[default]
    First,
    /// After this one, with older ones.
    After(Cursor),
    /// Before this one, with newer ones.
    Before(Cursor),
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
    /// Its link.
    pub link: String,
    /// The number that it was sent to.
    pub destination: String,
    /// The sender's phone, masked.
    pub phone: String,
    /// The text, cut to the characters asked for.
    pub text: Option<String>,
    /// What staff had read in its place, cut likewise.
    pub instead: Option<String>,
    /// Characters of the whole text.
    pub chars: i32,
    /// What became of it.
    pub outcome: Outcome,
    /// What was read, where it is trouble.
    pub reading: Option<Value>,
    /// How often it was read anew.
    pub readings: i64,
    /// The election's short name.
    pub election: Option<String>,
    /// The observer's code.
    pub observer: Option<String>,
    /// The reply's text and state.
    pub reply: Option<(String, String)>,
    /// When the SMSC took the reply.
    pub reply_sent: Option<OffsetDateTime>,
    /// Why the reply was sent again: what became of an earlier attempt is unknown.
    pub repeated: Option<String>,
    /// Times that the SMSC delivered it again.
    pub redelivered: i32,
}

impl Row {
    /// Its place.
    pub fn cursor(&self) -> Cursor {
        Cursor { at: self.received.at, spool: self.spool_id, sequence: self.sequence }
    }

    /// The text that is read: that of staff, or what came.
    pub fn text_read(&self) -> Option<&String> {
        self.instead.as_ref().or(self.text.as_ref())
    }
}

/// One page.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Its rows, the newest first.
    pub rows: Vec<Row>,
    /// More follow in the direction that was asked for.
    pub more: bool,
    /// So many were looked through, to there; farther on there may be more.
    pub looked: Option<(i64, Cursor)>,
}

/// One page of those that pass.
pub async fn page(store: &Store, f: &Filter, turn: Turn) -> Result<Page, StoreError> {
    store
        .with_tx(store.deadline(), async |conn: &mut PgConnection| {
            conn.execute(PLAN).await?;
            let wanted = limits::WEB_PAGE_ROWS + 1;
            let scanned = if f.looks_through() { limits::WEB_SCAN_FAR_ROWS } else { wanted };
            let mut keys = scan::scan(conn, f, turn, scanned, wanted).await?;
            let more = keys.len() as i64 >= wanted;
            let looked = match more || !f.looks_through() {
                true => None,
                false => scan::end(conn, f, turn, scanned).await?.map(|to| (scanned, to)),
            };
            keys.truncate(limits::WEB_PAGE_ROWS as usize);
            let keys: Vec<Cursor> = keys.into_iter().map(|(key, _)| key).collect();
            Ok(Page { rows: rows(conn, &keys, limits::WEB_LIST_TEXT_CHARS, f.is_trouble).await?, more, looked })
        })
        .await
}

/// The next rows for a file, bounded in number and bytes, with the place after which to go on; `None`:
/// these were the last.
pub async fn next(store: &Store, f: &Filter, after: Option<Cursor>) -> Result<(Vec<Row>, Option<Cursor>), StoreError> {
    store
        .with_tx(store.deadline(), async |conn: &mut PgConnection| {
            conn.execute(PLAN).await?;
            let turn = after.map_or(Turn::First, Turn::After);
            let most = limits::WEB_EXPORT_ROWS;
            let found = scan::scan(conn, f, turn, most, most).await?;
            let (mut keys, mut bytes) = (Vec::with_capacity(found.len()), 0);
            for (key, size) in &found {
                if bytes >= limits::WEB_EXPORT_BYTES {
                    break;
                }
                bytes += i64::from(*size);
                keys.push(*key);
            }
            let end =
                if keys.len() < found.len() { keys.last().copied() } else { scan::end(conn, f, turn, most).await? };
            Ok((rows(conn, &keys, i32::MAX, f.is_trouble).await?, end))
        })
        .await
}

/// These messages in the log's order.
async fn rows(
    conn: &mut PgConnection,
    keys: &[Cursor],
    chars: i32,
    with_reading: bool,
) -> Result<Vec<Row>, StoreError> {
    let spools: Vec<i32> = keys.iter().map(|k| k.spool).collect();
    let sequences: Vec<i64> = keys.iter().map(|k| k.sequence).collect();
    let rows = sqlx::query!(
        r#"SELECT m.spool_id, s.uuid AS spool, m.sequence, m.received_at,
             m.received_at AT TIME ZONE coalesce(e.timezone, 'UTC') AS "received_local!",
             m.link, m.destination, p.masked AS "phone!", left(m.text, $3) AS text, coalesce(length(m.text), 0) AS "chars!",
             left((SELECT r.text FROM reading r WHERE r.spool_id = m.spool_id AND r.sequence = m.sequence
                   AND r.text IS NOT NULL ORDER BY r.number DESC LIMIT 1), $3) AS instead,
             (SELECT count(*) FROM reading r WHERE r.spool_id = m.spool_id AND r.sequence = m.sequence) AS "readings!",
             CASE WHEN $4::bool THEN m.reading END AS reading, m.outcome,
             e.slug AS "election?", o.code AS "observer?", b.text AS "reply?", b.state AS "reply_state?",
             b.sent_at AS "reply_sent?", m.redelivered, b.unknown_why AS "repeated?"
         FROM UNNEST($1::int[], $2::bigint[]) AS u (spool, sequence)
         JOIN message m ON m.spool_id = u.spool AND m.sequence = u.sequence
         JOIN spool s ON s.id = m.spool_id
         JOIN phone p ON p.id = m.phone_id
         LEFT JOIN election e ON e.id = m.election_id
         LEFT JOIN observer o ON o.id = m.observer_id
         LEFT JOIN outbox b ON b.id = m.reply_id
         ORDER BY m.received_at DESC, m.spool_id, m.sequence"#,
        &spools,
        &sequences,
        chars,
        with_reading
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| Row {
            spool_id: r.spool_id,
            spool: r.spool,
            sequence: r.sequence,
            received: Moment { at: r.received_at, local: r.received_local },
            link: r.link,
            destination: r.destination,
            phone: r.phone,
            text: r.text,
            instead: r.instead,
            chars: r.chars,
            outcome: Outcome::from_word(&r.outcome).unwrap_or(Outcome::SetAside),
            reading: r.reading,
            readings: r.readings,
            election: r.election,
            observer: r.observer,
            reply: r.reply.zip(r.reply_state),
            reply_sent: r.reply_sent,
            repeated: r.repeated,
            redelivered: r.redelivered,
        })
        .collect())
}

/// The phone with this whole number.
pub async fn phone(store: &Store, msisdn: &str) -> Result<Option<i64>, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            Ok(sqlx::query_scalar!("SELECT phone_of_msisdn($1)", msisdn).fetch_one(conn).await?)
        })
        .await
}

/// Links by which messages came lately.
pub async fn links(store: &Store) -> Result<Vec<String>, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            Ok(sqlx::query_scalar!(
                r#"SELECT DISTINCT link AS "link!" FROM (SELECT link FROM message ORDER BY received_at DESC LIMIT 2000) m
                   ORDER BY 1 LIMIT 50"#
            )
            .fetch_all(conn)
            .await?)
        })
        .await
}
