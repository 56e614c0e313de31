//! All that a batch of the intake writes, in one statement: a far database costs one round trip, and
//! a near one the least work.

use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::message::MessageRows;
use super::outbox::ReplyRows;
use super::submission::{RevisionRows, SubmissionRows};

/// Where a batch comes from and how far the spool is committed with it.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Key in `spool`.
    pub spool_id: i32,
    /// UUID of the run that the records are of.
    pub spool: Uuid,
    /// UUID of the spool's live run, under which replies are leased.
    pub lease: Uuid,
    /// For how long.
    pub lease_seconds: i32,
    /// Lane.
    pub lane: i16,
    /// Everything up to here is committed once this batch is.
    /// `None` for work that is not of a lane's records.
    pub through: Option<i64>,
}

/// What a write found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// All of it went in. Else something of it was there already (a replay, or another host inserted a
    /// submission meanwhile): the caller must roll back, look again, and decide anew.
    pub is_whole: bool,
    /// Replies of it that another host had sent before the database lost its last commits, as their results
    /// came before they did: they are stored as sent, and must not be sent again.
    pub sent_before: Vec<Uuid>,
}

/// Writes a batch.
pub async fn write(
    conn: &mut PgConnection,
    place: Place,
    messages: &MessageRows<'_>,
    submissions: &SubmissionRows<'_>,
    revisions: &RevisionRows<'_>,
    replies: &ReplyRows<'_>,
) -> Result<Written, StoreError> {
    let m = messages;
    let s = submissions;
    let r = revisions;
    let o = replies;
    if m.sequence.is_empty() && s.id.is_empty() && o.id.is_empty() {
        // Results and receipts alone: as many batches as there are of messages, and nothing of theirs to write.
        if let Some(through) = place.through {
            super::watermark::write(conn, place.spool_id, place.lane, through).await?;
        }
        return Ok(Written { is_whole: true, sent_before: Vec::new() });
    }
    let written = sqlx::query!(
        r#"WITH
        w AS (
            INSERT INTO watermark (spool_id, lane, sequence) SELECT $1, $2, $3::bigint WHERE $3::bigint IS NOT NULL
            ON CONFLICT (spool_id, lane) DO UPDATE SET sequence = excluded.sequence, updated_at = now()),
        m AS (
            INSERT INTO message (spool_id, sequence, received_at, link, phone_id, destination, esm_class, data_coding, raw,
                payload, content_hash, text, outcome, election_id, observer_id, reading, submissions, whole_spool, whole_seq,
                reply_id)
            SELECT $1, u.a, u.b, u.c, u.d, u.e, u.f, u.g, u.h, u.i, u.j, u.k, u.l, u.m, u.n, u.o::jsonb, u.p::uuid[], u.q, u.r, u.s
            FROM UNNEST($4::bigint[], $5::timestamptz[], $6::text[], $7::bigint[], $8::text[], $9::smallint[],
                $10::smallint[], $11::bytea[], $12::bytea[], $13::bytea[], $14::text[], $15::text[], $16::int[], $17::int[],
                $18::text[], $19::text[], $20::int[], $21::bigint[], $22::uuid[])
                AS u (a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s)
            ON CONFLICT DO NOTHING RETURNING 1),
        su AS MATERIALIZED (
            SELECT * FROM UNNEST($23::bool[], $24::int[], $25::uuid[], $26::int[], $27::text[], $28::text[], $29::int[],
                $30::int[], $31::text[], $32::text[], $33::smallint[], $34::text[], $35::text[], $36::timestamptz[],
                $37::timestamptz[], $38::uuid[], $39::bigint[], $40::int[])
                AS u (is_new, election_id, id, checklist_id, prefix, kind, observer_id, station_id, serial, answers, missing,
                      broken_rules, comment, first_received_at, last_received_at, last_spool, last_sequence, revisions)),
        sn AS (
            INSERT INTO submission (election_id, id, checklist_id, prefix, kind, observer_id, station_id, serial, answers,
                missing, broken_rules, comment, first_received_at, last_received_at, last_spool, last_sequence, revisions)
            SELECT election_id, id, checklist_id, prefix, kind, observer_id, station_id, serial, answers::jsonb,
                missing, broken_rules::text[], comment, first_received_at, last_received_at, last_spool, last_sequence, revisions
            FROM su WHERE is_new
            ON CONFLICT DO NOTHING RETURNING 1),
        sc AS (
            UPDATE submission s SET checklist_id = su.checklist_id, station_id = su.station_id, answers = su.answers::jsonb,
                missing = su.missing, broken_rules = su.broken_rules::text[], comment = coalesce(su.comment, s.comment),
                first_received_at = least(s.first_received_at, su.first_received_at),
                last_received_at = su.last_received_at, last_spool = su.last_spool, last_sequence = su.last_sequence,
                revisions = su.revisions
            FROM su WHERE NOT su.is_new AND s.election_id = su.election_id AND s.id = su.id
            RETURNING 1),
        re AS (
            INSERT INTO revision (election_id, submission_id, received_at, spool, sequence, place, answers, replaced, comment)
            SELECT u.a, u.b, u.c, u.d, u.e, u.f, u.g::jsonb, u.h::jsonb, u.i
            FROM UNNEST($41::int[], $42::uuid[], $43::timestamptz[], $44::uuid[], $45::bigint[], $46::smallint[],
                $47::text[], $48::text[], $49::text[]) AS u (a, b, c, d, e, f, g, h, i)
            ON CONFLICT DO NOTHING RETURNING 1),
        er AS (
            DELETE FROM early_result WHERE id = ANY($50) RETURNING id, attempt, message_id, sent_at, text),
        ob AS (
            INSERT INTO outbox (id, kind, spool_id, sequence, phone_id, link_group, source, text, state, expires_at,
                lease_spool, lease_until, attempt, message_id, sent_at, accepted, unknown_why, error)
            SELECT u.a, 'reply', u.b, u.c, u.d, u.e, u.f, coalesce(er.text, u.g), CASE WHEN er.id IS NULL THEN u.h ELSE 'sent' END, u.i,
                CASE WHEN u.h = 'leased' AND er.id IS NULL THEN $59::uuid END,
                CASE WHEN u.h = 'leased' AND er.id IS NULL THEN now() + make_interval(secs => $60::int) END,
                coalesce(er.attempt, 1), er.message_id, er.sent_at, coalesce(1 << (er.attempt - 1)::int, 0)::smallint,
                CASE WHEN er.id IS NOT NULL AND er.text IS NULL
                     THEN 'it went before the database lost its last commits, perhaps as another text' END,
                CASE WHEN er.id IS NOT NULL AND er.text IS NULL
                     THEN 'it went before the database lost its last commits, perhaps as another text'
                     WHEN er.text <> u.g
                     THEN 'it went so before the database lost its last commits; decided anew, its words would be others' END
            FROM UNNEST($50::uuid[], $51::int[], $52::bigint[], $53::bigint[], $54::text[], $55::text[], $56::text[],
                $57::text[], $58::timestamptz[]) AS u (a, b, c, d, e, f, g, h, i) LEFT JOIN er ON er.id = u.a
            ON CONFLICT (id) DO NOTHING)
        SELECT (SELECT count(*) FROM m) AS "messages!", (SELECT count(*) FROM sn) + (SELECT count(*) FROM sc) AS "submissions!",
               (SELECT count(*) FROM re) AS "revisions!", ARRAY(SELECT id FROM er) AS "sent_before!""#,
        place.spool_id,
        place.lane,
        place.through as Option<i64>,
        &m.sequence,
        &m.received_at,
        &m.link[..] as &[&str],
        &m.phone_id,
        &m.destination[..] as &[&str],
        &m.esm_class,
        &m.data_coding,
        &m.raw[..] as &[&[u8]],
        &m.payload[..] as &[Option<&[u8]>],
        &m.content_hash[..] as &[&[u8]],
        &m.text[..] as &[Option<&str>],
        &m.outcome[..] as &[&str],
        &m.election_id[..] as &[Option<i32>],
        &m.observer_id[..] as &[Option<i32>],
        &m.reading[..] as &[Option<&str>],
        &m.submissions[..] as &[String],
        &m.whole_spool[..] as &[Option<i32>],
        &m.whole_seq[..] as &[Option<i64>],
        &m.reply_id[..] as &[Option<Uuid>],
        &s.is_new,
        &s.election_id,
        &s.id,
        &s.checklist_id,
        &s.prefix[..] as &[&str],
        &s.kind[..] as &[&str],
        &s.observer_id,
        &s.station_id[..] as &[Option<i32>],
        &s.serial[..] as &[Option<&str>],
        &s.answers[..] as &[String],
        &s.missing,
        &s.broken_rules[..] as &[String],
        &s.comment[..] as &[Option<&str>],
        &s.first_received_at,
        &s.last_received_at,
        &s.last_spool,
        &s.last_sequence,
        &s.revisions,
        &r.election_id,
        &r.submission_id,
        &r.received_at,
        &r.spool,
        &r.sequence,
        &r.place,
        &r.answers[..] as &[String],
        &r.replaced[..] as &[Option<String>],
        &r.comment[..] as &[Option<&str>],
        &o.id,
        &o.spool_id,
        &o.sequence,
        &o.phone_id,
        &o.link_group[..] as &[&str],
        &o.source[..] as &[&str],
        &o.text[..] as &[&str],
        &o.state[..] as &[&str],
        &o.expires_at,
        place.lease,
        place.lease_seconds
    )
    .fetch_one(conn)
    .await?;
    let all = |n: i64, of: usize| usize::try_from(n) == Ok(of);
    let is_whole = all(written.messages, m.sequence.len())
        && all(written.submissions, s.id.len())
        && all(written.revisions, r.submission_id.len());
    Ok(Written { is_whole, sent_before: written.sent_before })
}
