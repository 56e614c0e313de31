//! What results and receipts make of `outbox` rows, set-wise.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::StoreError;
use crate::limits::REPLY_ATTEMPTS_MAX;

/// Results of submits, a column a vector, each row once.
#[derive(Debug, Default)]
pub struct ResultRows<'a> {
    /// Outbox row.
    pub id: Vec<Uuid>,
    /// Which attempt.
    pub attempt: Vec<i16>,
    /// `sent`, `delivered` and `undelivered` (sent, and its receipt is there), `refused`, `expired`,
    /// `due` (not sent), `unknown`.
    pub state: Vec<&'static str>,
    /// The text as it went, where that is known: the row may have been decided otherwise since.
    pub text: Vec<Option<&'a str>>,
    /// The SMSC's id of the first segment.
    pub message_id: Vec<Option<&'a str>>,
    /// Status or reason.
    pub error: Vec<Option<String>>,
    /// When the gateway knew.
    pub at: Vec<OffsetDateTime>,
    /// Seconds until a row that was not sent is due again.
    pub due_seconds: Vec<i32>,
    /// The receipt, where it is there already.
    pub receipt: Vec<Option<&'a str>>,
    /// When it came.
    pub receipt_at: Vec<Option<OffsetDateTime>>,
    /// Segments of texts that have several: row.
    pub segment_id: Vec<Uuid>,
    /// Segments: the SMSC's id.
    pub segment_message_id: Vec<&'a str>,
    /// Segments: group of the link.
    pub segment_group: Vec<&'a str>,
    /// Segments: 1, 2, 3 …
    pub segment_place: Vec<i16>,
}

/// Applies results. What is late counts as well: an acceptance settles a row that was given up or is
/// due again; anything else holds for its own attempt only. A second acceptance is noted: the observer
/// got the reply twice, also where two hosts sent the same attempt, as the database had lost what the
/// first of them did. An acceptance of a reply that is not there (yet, after commits were lost) is kept.
/// A row says the text that went: the first one that was accepted, or else that of the last result.
pub async fn apply_results(conn: &mut PgConnection, rows: &ResultRows<'_>) -> Result<(), StoreError> {
    let applied = sqlx::query!(
        r#"WITH u AS MATERIALIZED (
             SELECT * FROM UNNEST($1::uuid[], $2::smallint[], $3::text[], $4::text[], $5::text[], $6::timestamptz[],
                 $7::int[], $8::text[], $9::timestamptz[], $15::text[])
                 AS u (id, attempt, state, message_id, error, at, due_seconds, receipt, receipt_at, text)),
         segments AS (
             INSERT INTO outbox_segment (outbox_id, message_id, link_group, place)
             SELECT s.a, s.b, s.c, s.d FROM UNNEST($10::uuid[], $11::text[], $12::text[], $13::smallint[]) AS s (a, b, c, d)
             JOIN outbox o ON o.id = s.a
             ON CONFLICT DO NOTHING),
         early AS (
             INSERT INTO early_result (id, attempt, message_id, sent_at, text)
             SELECT u.id, u.attempt, u.message_id, u.at, u.text FROM u
             WHERE u.state IN ('sent', 'delivered', 'undelivered') AND NOT EXISTS (SELECT FROM outbox o WHERE o.id = u.id)
             ON CONFLICT DO NOTHING)
         UPDATE outbox o SET
             state = CASE WHEN o.state IN ('sent', 'delivered', 'undelivered') THEN o.state
                          WHEN u.state <> 'unknown' THEN u.state
                          WHEN o.attempt < $14 AND o.kind = 'reply' THEN 'due' ELSE 'unknown' END,
             attempt = CASE WHEN u.state = 'unknown' AND o.attempt < $14 AND o.kind = 'reply' THEN o.attempt + 1 ELSE o.attempt END,
             unknown_before = CASE WHEN u.state = 'unknown' OR (o.accepted = 1 << (u.attempt - 1)::int AND u.message_id <> o.message_id) THEN o.unknown_before + 1
                                   ELSE o.unknown_before END,
             unknown_why = CASE WHEN u.state = 'unknown' THEN u.error
                                WHEN o.accepted = 1 << (u.attempt - 1)::int AND u.message_id <> o.message_id
                                THEN 'two hosts sent it: the database had lost what the first one did'
                                     || CASE WHEN u.text <> o.text THEN '; the second time in other words' ELSE '' END
                                ELSE o.unknown_why END,
             text = CASE WHEN o.state IN ('sent', 'delivered', 'undelivered') THEN o.text ELSE coalesce(u.text, o.text) END,
             accepted = CASE WHEN u.state NOT IN ('sent', 'delivered', 'undelivered') THEN o.accepted
                             WHEN o.accepted = 1 << (u.attempt - 1)::int AND u.message_id <> o.message_id
                             THEN (o.accepted | 4)::smallint
                             ELSE (o.accepted | (1 << (u.attempt - 1)::int))::smallint END,
             message_id = CASE WHEN o.state IN ('sent', 'delivered', 'undelivered') THEN o.message_id
                               ELSE coalesce(u.message_id, o.message_id) END,
             error = u.error,
             sent_at = CASE WHEN o.state IN ('sent', 'delivered', 'undelivered') THEN o.sent_at
                            WHEN u.message_id IS NOT NULL OR u.state IN ('sent', 'delivered', 'undelivered') THEN u.at ELSE o.sent_at END,
             due_at = CASE WHEN u.state IN ('due', 'unknown') THEN now() + make_interval(secs => u.due_seconds) ELSE o.due_at END,
             receipt = coalesce(u.receipt, o.receipt),
             receipt_at = coalesce(u.receipt_at, o.receipt_at),
             lease_spool = NULL, lease_until = NULL
         FROM u
         WHERE o.id = u.id
           AND CASE WHEN u.state IN ('sent', 'delivered', 'undelivered')
                    THEN o.state IN ('due', 'leased', 'unknown', 'expired') OR o.accepted & (1 << (u.attempt - 1)::int) = 0
                         OR (o.accepted = 1 << (u.attempt - 1)::int AND u.message_id <> o.message_id)
                    ELSE (o.state = 'leased' OR (o.state = 'unknown' AND u.state = 'refused')) AND o.attempt = u.attempt END
         RETURNING u.state AS "state!", o.accepted & (o.accepted - 1) <> 0 AS "twice!""#,
        &rows.id,
        &rows.attempt,
        &rows.state[..] as &[&str],
        &rows.message_id[..] as &[Option<&str>],
        &rows.error[..] as &[Option<String>],
        &rows.at,
        &rows.due_seconds,
        &rows.receipt[..] as &[Option<&str>],
        &rows.receipt_at[..] as &[Option<OffsetDateTime>],
        &rows.segment_id,
        &rows.segment_message_id[..] as &[&str],
        &rows.segment_group[..] as &[&str],
        &rows.segment_place,
        REPLY_ATTEMPTS_MAX,
        &rows.text[..] as &[Option<&str>]
    )
    .fetch_all(conn)
    .await?;
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let unknown = applied.iter().filter(|r| r.state == "unknown").count();
    let twice = applied.iter().filter(|r| r.state != "unknown" && r.twice).count();
    if unknown > 0 {
        metrics::counter!("scrutineer_replies_unknown_total").increment(count(unknown));
    }
    if twice > 0 {
        metrics::counter!("scrutineer_replies_doubled_total").increment(count(twice));
    }
    Ok(())
}

/// Sets replies to the texts that went, where they were decided anew, and otherwise, after the database lost
/// its last commits.
pub async fn as_sent(conn: &mut PgConnection, ids: &[Uuid], texts: &[&str]) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE outbox o SET text = u.text FROM UNNEST($1::uuid[], $2::text[]) AS u (id, text)
         WHERE o.id = u.id AND o.text <> u.text",
        ids,
        texts as &[&str]
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Receipts, a column a vector.
#[derive(Debug, Default)]
pub struct ReceiptRows {
    /// Which receipt: forms of one id share it.
    pub receipt_no: Vec<i32>,
    /// A form of the id that it names.
    pub form: Vec<String>,
    /// 0: as it came; greater: mended, which needs the phone to be the row's.
    pub rank: Vec<i16>,
    /// Group of the link.
    pub link_group: Vec<String>,
    /// The phone that it names.
    pub phone_id: Vec<Option<i64>>,
    /// What it says, a word of the specification: `DELIVRD` …
    pub receipt: Vec<String>,
    /// `delivered`, `undelivered`, or `None` while it is under way.
    pub state: Vec<Option<&'static str>>,
    /// When it came.
    pub at: Vec<OffsetDateTime>,
}

/// Applies receipts and returns the numbers of those that found their row. A text of several segments is
/// delivered when all of them are, and undelivered when one is. Where an SMSC has used an id again, the text
/// that went last is meant.
pub async fn apply_receipts(conn: &mut PgConnection, rows: &ReceiptRows) -> Result<Vec<i32>, StoreError> {
    let found = sqlx::query_scalar!(
        r#"WITH f AS MATERIALIZED (
             SELECT * FROM UNNEST($1::int[], $2::text[], $3::smallint[], $4::text[], $5::bigint[], $6::text[], $7::text[],
                 $8::timestamptz[]) AS f (no, form, rank, link_group, phone_id, receipt, state, at)),
           hit AS MATERIALIZED (
             SELECT DISTINCT ON (h.no) h.* FROM (
                 SELECT f.no, f.rank, f.receipt, f.state, f.at, o.id, o.sent_at, 1::smallint AS place
                 FROM f JOIN outbox o ON o.message_id = f.form AND o.link_group = f.link_group
                      AND (f.rank = 0 OR o.phone_id = f.phone_id)
                 UNION ALL
                 SELECT f.no, f.rank, f.receipt, f.state, f.at, o.id, o.sent_at, s.place
                 FROM f JOIN outbox_segment s ON s.message_id = f.form AND s.link_group = f.link_group
                      JOIN outbox o ON o.id = s.outbox_id AND (f.rank = 0 OR o.phone_id = f.phone_id)) h
             ORDER BY h.no, h.rank, (h.place > 1), h.sent_at DESC NULLS LAST, h.id, h.place),
           part AS MATERIALIZED (
             SELECT DISTINCT ON (id, place) id, place, state FROM hit WHERE state IS NOT NULL
             ORDER BY id, place, (state = 'undelivered') DESC, at DESC, no DESC),
           whole AS MATERIALIZED (
             SELECT s.outbox_id AS id, bool_and(coalesce(
                 CASE WHEN s.state = 'undelivered' THEN s.state ELSE coalesce(part.state, s.state) END = 'delivered', false)) AS delivered
             FROM outbox_segment s LEFT JOIN part ON part.id = s.outbox_id AND part.place = s.place
             WHERE s.outbox_id IN (SELECT id FROM hit) GROUP BY s.outbox_id),
           noted AS (
             UPDATE outbox_segment s SET state = part.state FROM part
             WHERE s.outbox_id = part.id AND s.place = part.place AND s.state IS DISTINCT FROM 'undelivered'),
           last AS (
             SELECT DISTINCT ON (hit.id) hit.*, coalesce(whole.delivered, true) AS whole
             FROM hit LEFT JOIN whole ON whole.id = hit.id
             WHERE hit.place = 1 OR hit.state = 'undelivered' OR whole.delivered
             ORDER BY hit.id, (hit.state IS NOT NULL) DESC, (hit.state = 'undelivered') DESC, hit.at DESC, hit.no DESC),
           done AS (
             UPDATE outbox o SET receipt = last.receipt, receipt_at = last.at,
                 state = CASE WHEN last.state = 'delivered' AND NOT last.whole THEN o.state ELSE coalesce(last.state, o.state) END
             FROM last WHERE o.id = last.id AND o.state IN ('sent', 'delivered', 'unknown')
               AND (o.state <> 'delivered' OR last.state = 'undelivered'))
           SELECT no AS "no!" FROM hit"#,
        &rows.receipt_no,
        &rows.form,
        &rows.rank,
        &rows.link_group,
        &rows.phone_id[..] as &[Option<i64>],
        &rows.receipt,
        &rows.state[..] as &[Option<&str>],
        &rows.at
    )
    .fetch_all(conn)
    .await?;
    Ok(found)
}

/// A receipt that waits for the result that names its id.
#[derive(Debug, Clone)]
pub struct EarlyReceipt {
    /// Group of the link.
    pub link_group: String,
    /// The id as it came.
    pub message_id: String,
    /// What it says.
    pub receipt: String,
    /// The phone that it names.
    pub phone_id: Option<i64>,
    /// When it came.
    pub received_at: OffsetDateTime,
}

/// Keeps receipts until their results come.
pub async fn keep_early(conn: &mut PgConnection, receipts: &[EarlyReceipt]) -> Result<(), StoreError> {
    let groups: Vec<&str> = receipts.iter().map(|r| r.link_group.as_str()).collect();
    let ids: Vec<&str> = receipts.iter().map(|r| r.message_id.as_str()).collect();
    let words: Vec<&str> = receipts.iter().map(|r| r.receipt.as_str()).collect();
    let phones: Vec<Option<i64>> = receipts.iter().map(|r| r.phone_id).collect();
    let times: Vec<OffsetDateTime> = receipts.iter().map(|r| r.received_at).collect();
    sqlx::query!(
        "INSERT INTO early_receipt (link_group, message_id, receipt, phone_id, received_at)
         SELECT DISTINCT ON (u.a, u.b) u.* FROM UNNEST($1::text[], $2::text[], $3::text[], $4::bigint[], $5::timestamptz[])
             AS u (a, b, c, d, e) ORDER BY u.a, u.b, u.e DESC
         ON CONFLICT (link_group, message_id) DO UPDATE SET receipt = excluded.receipt,
             phone_id = coalesce(excluded.phone_id, early_receipt.phone_id),
             -- One that is read again waits since it came first.
             received_at = CASE WHEN early_receipt.receipt = excluded.receipt
                                THEN least(early_receipt.received_at, excluded.received_at) ELSE excluded.received_at END",
        &groups[..] as &[&str],
        &ids[..] as &[&str],
        &words[..] as &[&str],
        &phones[..] as &[Option<i64>],
        &times
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Locks receipts that still wait, the newest first; those that another worker holds are left to it.
/// What has waited for a day belongs to no text of ours and goes.
pub async fn lock_early(conn: &mut PgConnection, limit: i64) -> Result<Vec<EarlyReceipt>, StoreError> {
    Ok(sqlx::query_as!(
        EarlyReceipt,
        "WITH old AS (DELETE FROM early_receipt WHERE received_at < now() - interval '1 day'),
              old_results AS (DELETE FROM early_result WHERE sent_at < now() - interval '1 day')
         SELECT link_group, message_id, receipt, phone_id, received_at FROM early_receipt
         WHERE received_at > now() - interval '15 minutes'
         ORDER BY received_at DESC LIMIT $1 FOR UPDATE SKIP LOCKED",
        limit
    )
    .fetch_all(conn)
    .await?)
}

/// Removes receipts that found their row.
pub async fn remove_early(conn: &mut PgConnection, receipts: &[EarlyReceipt]) -> Result<(), StoreError> {
    let groups: Vec<&str> = receipts.iter().map(|r| r.link_group.as_str()).collect();
    let ids: Vec<&str> = receipts.iter().map(|r| r.message_id.as_str()).collect();
    sqlx::query!(
        "DELETE FROM early_receipt e USING UNNEST($1::text[], $2::text[]) AS u (a, b)
         WHERE e.link_group = u.a AND e.message_id = u.b",
        &groups[..] as &[&str],
        &ids[..] as &[&str]
    )
    .execute(conn)
    .await?;
    Ok(())
}
