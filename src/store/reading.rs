//! `reading`: texts read anew, and what stood before; the rows of messages and revisions that go with it.
//!
//! Invariant: what came (bytes and text of `message`) is never written here. A revision that another
//! reading took the place of stays, marked, and counts no more.

use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::StoreError;

/// Which messages are to be read.
#[derive(Debug, Clone, Default)]
pub struct Which {
    /// With one of these outcomes.
    pub outcomes: Vec<String>,
    /// Of this election; those of none too, when `or_none`.
    pub election: Option<i32>,
    /// Messages whose election is not known count too.
    pub or_none: bool,
    /// Received then or later.
    pub since: Option<OffsetDateTime>,
    /// Received before.
    pub until: Option<OffsetDateTime>,
    /// After this one, in the order of receipt.
    pub after: Option<(OffsetDateTime, i32, i64)>,
}

/// A message as it stands, with the text that is read.
#[derive(Debug, Clone)]
pub struct TextRow {
    /// Key in `spool`.
    pub spool_id: i32,
    /// The spool's UUID.
    pub spool: Uuid,
    /// Sequence there.
    pub sequence: i64,
    /// When the gateway took it.
    pub received_at: OffsetDateTime,
    /// Key of the sender's phone.
    pub phone_id: i64,
    /// The sender's phone.
    pub phone: String,
    /// Our number.
    pub destination: String,
    /// Link that it came by.
    pub link: String,
    /// `esm_class`.
    pub esm_class: i16,
    /// `data_coding`.
    pub data_coding: i16,
    /// `short_message`.
    pub raw: Vec<u8>,
    /// `message_payload`.
    pub payload: Option<Vec<u8>>,
    /// The text as it came.
    pub text: Option<String>,
    /// What staff had read in its place, last.
    pub instead: Option<String>,
    /// Staff let it pass.
    pub vouched: bool,
    /// What became of it.
    pub outcome: String,
    /// Election, where known.
    pub election_id: Option<i32>,
    /// Observer, where known.
    pub observer_id: Option<i32>,
    /// What was read.
    pub reading: Option<Value>,
    /// Submissions that it touched.
    pub submissions: Vec<Uuid>,
    /// The reply.
    pub reply_id: Option<Uuid>,
    /// Readings so far.
    pub readings: i16,
    /// Group of links of its reply, where it had one.
    pub group: Option<String>,
}

/// The next messages, in the order of receipt, their rows locked.
pub async fn lock_texts(conn: &mut PgConnection, which: &Which, limit: i64) -> Result<Vec<TextRow>, StoreError> {
    let keys = sqlx::query!(
        r#"SELECT m.spool_id, m.sequence FROM message m
         WHERE m.outcome = ANY($1) AND ($2::int IS NULL OR m.election_id = $2 OR ($3 AND m.election_id IS NULL))
           AND ($4::timestamptz IS NULL OR m.received_at >= $4) AND ($5::timestamptz IS NULL OR m.received_at < $5)
           AND ($6::timestamptz IS NULL OR m.received_at >= $6
               AND (m.received_at > $6 OR (m.spool_id, m.sequence) > ($7::int, $8::bigint)))
         ORDER BY m.received_at, m.spool_id, m.sequence LIMIT $9 FOR UPDATE"#,
        &which.outcomes,
        which.election,
        which.or_none,
        which.since,
        which.until,
        which.after.map(|a| a.0),
        which.after.map(|a| a.1),
        which.after.map(|a| a.2),
        limit
    )
    .fetch_all(&mut *conn)
    .await?;
    let (spools, sequences): (Vec<i32>, Vec<i64>) = keys.into_iter().map(|k| (k.spool_id, k.sequence)).unzip();
    let uuids = sqlx::query!("SELECT id, uuid FROM spool WHERE id = ANY($1)", &spools).fetch_all(&mut *conn).await?;
    let records: Vec<(Uuid, i64)> = spools
        .iter()
        .zip(sequences)
        .filter_map(|(spool, sequence)| Some((uuids.iter().find(|u| u.id == *spool)?.uuid, sequence)))
        .collect();
    texts(conn, &records).await
}

/// Locks one message's row; false when there is none.
pub async fn lock_text(conn: &mut PgConnection, spool: Uuid, sequence: i64) -> Result<bool, StoreError> {
    let found = sqlx::query_scalar!(
        r#"SELECT 1 AS "one!" FROM message m JOIN spool s ON s.id = m.spool_id
           WHERE s.uuid = $1 AND m.sequence = $2 FOR UPDATE OF m"#,
        spool,
        sequence
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.is_some())
}

/// These messages, in the order of receipt.
pub async fn texts(conn: &mut PgConnection, records: &[(Uuid, i64)]) -> Result<Vec<TextRow>, StoreError> {
    let (spools, sequences): (Vec<Uuid>, Vec<i64>) = records.iter().copied().unzip();
    let rows = sqlx::query!(
        r#"SELECT m.spool_id, s.uuid AS spool, m.sequence, m.received_at, m.phone_id, p.msisdn, m.destination, m.link,
               m.esm_class, m.data_coding, m.raw, m.payload, m.text, m.outcome, m.election_id, m.observer_id, m.reading,
               m.submissions, m.reply_id, b.link_group AS "link_group?",
               (SELECT r.text FROM reading r WHERE r.spool_id = m.spool_id AND r.sequence = m.sequence AND r.text IS NOT NULL
                ORDER BY r.number DESC LIMIT 1) AS instead,
               EXISTS (SELECT FROM reading r WHERE r.spool_id = m.spool_id AND r.sequence = m.sequence AND r.vouched) AS "vouched!",
               (SELECT coalesce(max(r.number), 0::smallint) FROM reading r
                WHERE r.spool_id = m.spool_id AND r.sequence = m.sequence) AS "readings!"
           FROM UNNEST($1::uuid[], $2::bigint[]) AS u (spool, sequence)
           JOIN spool s ON s.uuid = u.spool
           JOIN message m ON m.spool_id = s.id AND m.sequence = u.sequence
           JOIN phone p ON p.id = m.phone_id
           LEFT JOIN outbox b ON b.id = m.reply_id
           ORDER BY m.received_at, s.uuid, m.sequence"#,
        &spools,
        &sequences
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| TextRow {
            spool_id: r.spool_id,
            spool: r.spool,
            sequence: r.sequence,
            received_at: r.received_at,
            phone_id: r.phone_id,
            phone: r.msisdn,
            destination: r.destination,
            link: r.link,
            esm_class: r.esm_class,
            data_coding: r.data_coding,
            raw: r.raw,
            payload: r.payload,
            text: r.text,
            instead: r.instead,
            vouched: r.vouched,
            outcome: r.outcome,
            election_id: r.election_id,
            observer_id: r.observer_id,
            reading: r.reading,
            submissions: r.submissions,
            reply_id: r.reply_id,
            readings: r.readings,
            group: r.link_group,
        })
        .collect())
}

/// A part of a text, as it came.
#[derive(Debug, Clone)]
pub struct RawPart {
    /// `esm_class`.
    pub esm_class: i16,
    /// `data_coding`.
    pub data_coding: i16,
    /// `short_message`.
    pub raw: Vec<u8>,
    /// `message_payload`.
    pub payload: Option<Vec<u8>>,
}

/// The other parts of the text that stands with a message.
pub async fn other_parts(conn: &mut PgConnection, spool_id: i32, sequence: i64) -> Result<Vec<RawPart>, StoreError> {
    Ok(sqlx::query_as!(
        RawPart,
        "SELECT esm_class, data_coding, raw, payload FROM message
         WHERE whole_spool = $1 AND whole_seq = $2 AND NOT (spool_id = $1 AND sequence = $2)
         ORDER BY spool_id, sequence LIMIT 300",
        spool_id,
        sequence
    )
    .fetch_all(conn)
    .await?)
}

/// A message read anew.
#[derive(Debug)]
pub struct ReadAnew<'a> {
    /// As it stood.
    pub before: &'a TextRow,
    /// Read in place of what came.
    pub text: Option<&'a str>,
    /// Staff let it pass.
    pub vouched: bool,
    /// Who asked.
    pub made_by: &'a str,
    /// Why.
    pub why: &'a str,
    /// The request.
    pub request: i64,
    /// What became of it.
    pub outcome: &'static str,
    /// Election, where known.
    pub election_id: Option<i32>,
    /// Observer, where known.
    pub observer_id: Option<i32>,
    /// What was read.
    pub reading: Value,
    /// Submissions that it touches.
    pub submissions: &'a [Uuid],
    /// The reply that goes out now.
    pub reply_id: Option<Uuid>,
    /// What it asserts.
    pub revisions: Vec<NewRevision>,
}

/// What a message asserts now.
#[derive(Debug)]
pub struct NewRevision {
    /// Election.
    pub election: i32,
    /// Submission.
    pub submission: Uuid,
    /// Which report of the text.
    pub place: i16,
    /// Answers.
    pub answers: Value,
    /// Old answers of what changed.
    pub replaced: Option<Value>,
    /// Comment.
    pub comment: Option<String>,
}

/// Writes a reading: the message's outcome, what it asserts now, and what stood before.
pub async fn write(conn: &mut PgConnection, it: &ReadAnew<'_>) -> Result<(), StoreError> {
    let b = it.before;
    let number = b.readings.saturating_add(1);
    sqlx::query!(
        "INSERT INTO reading (spool_id, sequence, number, text, made_by, why, request_id, outcome_before, election_before,
             observer_before, reading_before, submissions_before, reply_before, outcome, reply_id, vouched)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        b.spool_id,
        b.sequence,
        number,
        it.text,
        it.made_by,
        it.why,
        it.request,
        b.outcome,
        b.election_id,
        b.observer_id,
        b.reading.as_ref(),
        &b.submissions,
        b.reply_id,
        it.outcome,
        it.reply_id,
        it.vouched
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "UPDATE message SET outcome = $3, election_id = $4, observer_id = $5, reading = $6, submissions = $7,
             reply_id = coalesce($8, reply_id)
         WHERE spool_id = $1 AND sequence = $2",
        b.spool_id,
        b.sequence,
        it.outcome,
        it.election_id,
        it.observer_id,
        it.reading,
        it.submissions,
        it.reply_id
    )
    .execute(&mut *conn)
    .await?;
    if let Some(election) = b.election_id {
        sqlx::query!(
            "UPDATE revision SET superseded = $6
             WHERE election_id = $1 AND submission_id = ANY($2) AND received_at = $3 AND spool = $4 AND sequence = $5
               AND superseded IS NULL",
            election,
            &b.submissions,
            b.received_at,
            b.spool,
            b.sequence,
            number
        )
        .execute(&mut *conn)
        .await?;
    }
    let channel = if it.text.is_some() || b.instead.is_some() { "staff" } else { "again" };
    for r in &it.revisions {
        sqlx::query!(
            "INSERT INTO revision (election_id, submission_id, received_at, spool, sequence, place, channel, answers, replaced,
                 comment, reading, made_by)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            r.election,
            r.submission,
            b.received_at,
            b.spool,
            b.sequence,
            r.place,
            channel,
            r.answers,
            r.replaced.as_ref(),
            r.comment,
            number,
            it.made_by
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}
