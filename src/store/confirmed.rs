//! `confirmed`: which responses an SMSC is known to have, so that what one host took and another host is
//! given again is known as one text, also when the first one is gone.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::StoreError;
use crate::limits::{ARRIVES_LATE_SECONDS, CLOCKS_APART_SECONDS, CONFIRMED_SECONDS};

/// Which responses the SMSC is known to have, of what came by a link.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkResponses {
    /// Name of the link.
    pub link: String,
    /// All up to this sequence.
    pub through: i64,
    /// But perhaps not those to these.
    pub unanswered: Vec<i64>,
}

/// What this host's gateway knows of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Response {
    /// The SMSC has it.
    Seen,
    /// That is not known yet; of what an earlier run received, the table may know more.
    Open,
    /// The session ended before that was known.
    Lost,
}

/// A text that another host may have taken before, or after.
#[derive(Debug, Clone, Copy)]
pub struct Repeated<'a> {
    /// Key in `spool` of its run.
    pub spool_id: i32,
    /// Its sequence.
    pub sequence: i64,
    /// Its link.
    pub link: &'a str,
    /// What is known of the response to it.
    pub response: Response,
    /// When it was received.
    pub received_at: OffsetDateTime,
    /// Key of its phone.
    pub phone_id: i64,
    /// Number that it was sent to.
    pub destination: &'a str,
    /// Its `data_coding`.
    pub data_coding: i16,
    /// Its `short_message`.
    pub raw: &'a [u8],
    /// Its `message_payload`.
    pub payload: Option<&'a [u8]>,
    /// Runs of this host's spool.
    pub runs: &'a [Uuid],
    /// How far apart the two may have been received.
    pub seconds: i32,
    /// Submissions that other texts of this batch stand in already.
    pub taken: &'a [Uuid],
}

/// The text that another host took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// Run and sequence of its record.
    pub record: (Uuid, i64),
    /// Submissions that it stands for, one of which one of the records below began.
    pub submissions: Vec<Uuid>,
    /// Run and sequence of each record that stands in them, in the order of receipt.
    pub all: Vec<(Uuid, i64)>,
}

/// Notes which responses the links of a run are known to have brought, and forgets runs that were long not heard of.
pub async fn note(conn: &mut PgConnection, run: Uuid, links: &[LinkResponses]) -> Result<(), StoreError> {
    let (names, sequences): (Vec<&str>, Vec<i64>) = links.iter().map(|l| (l.link.as_str(), l.through)).unzip();
    let unanswered = links.iter().flat_map(|l| l.unanswered.iter().map(|sequence| (l.link.as_str(), *sequence)));
    let (of, unanswered): (Vec<&str>, Vec<i64>) = unanswered.unzip();
    sqlx::query!(
        "WITH gone AS (DELETE FROM confirmed WHERE seen_at < now() - make_interval(secs => $4::int))
         INSERT INTO confirmed (spool_id, link, sequence, unanswered)
         SELECT s.id, u.link, u.sequence,
                ARRAY(SELECT n.sequence FROM UNNEST($5::text[], $6::bigint[]) AS n (link, sequence) WHERE n.link = u.link)
         FROM UNNEST($2::text[], $3::bigint[]) AS u (link, sequence)
         JOIN spool s ON s.uuid = $1
         ON CONFLICT (spool_id, link)
         DO UPDATE SET sequence = greatest(confirmed.sequence, excluded.sequence), unanswered = excluded.unanswered,
                       seen_at = now()",
        run,
        &names[..] as &[&str],
        &sequences,
        CONFIRMED_SECONDS,
        &of[..] as &[&str],
        &unanswered
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Lets one transaction at a time look for texts of these phones on other hosts.
pub async fn lock_phones(conn: &mut PgConnection, phones: &[i64]) -> Result<(), StoreError> {
    sqlx::query!(
        r#"SELECT count(pg_advisory_xact_lock(hashtextextended('scrutineer.phone', u.phone))) AS "locked!"
           FROM (SELECT DISTINCT p AS phone FROM UNNEST($1::bigint[]) AS v (p) ORDER BY 1) AS u"#,
        phones
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}

/// The equal text that another host took, where the SMSC may not have seen the response to the one that was
/// received first. The SMSC delivered one text twice then. With both responses seen they are two texts. Which was
/// first the hosts' clocks say when they are further apart than [`CLOCKS_APART_SECONDS`]; else it may be either. One
/// whose session ended before its response was known to be seen may also be the first when it was received later, by
/// up to [`ARRIVES_LATE_SECONDS`]: the network held it back.
///
/// What was found to be repeated already can be so once more, by a third host: where the SMSC may not have seen
/// the response to any but the last of them. A host repeats a text once: an equal one that comes to it again is
/// a text of its own.
pub async fn find(conn: &mut PgConnection, of: &Repeated<'_>) -> Result<Option<Elsewhere>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT sp.uuid, m.sequence, m.submissions, s.spools AS "spools!", s.sequences AS "sequences!"
         FROM (SELECT NOT $15::boolean AND $2::bigint > coalesce(min(c.sequence), 0) AS unseen
               FROM confirmed c WHERE c.spool_id = $1 AND c.link = $3) AS ours
         CROSS JOIN message m JOIN spool sp ON sp.id = m.spool_id
         LEFT JOIN confirmed theirs ON theirs.spool_id = m.spool_id AND theirs.link = m.link
         CROSS JOIN LATERAL (
             SELECT coalesce(array_agg(r.spool ORDER BY r.received_at, r.spool, r.sequence), '{}') AS spools,
                    coalesce(array_agg(r.sequence ORDER BY r.received_at, r.spool, r.sequence), '{}') AS sequences
             FROM revision r WHERE r.election_id = m.election_id AND r.submission_id = ANY (m.submissions)) s
         WHERE m.received_at BETWEEN $4::timestamptz - make_interval(secs => $10::int)
                                 AND $4::timestamptz + make_interval(secs => $10::int)
           AND m.phone_id = $5 AND m.destination = $6 AND m.data_coding = $7 AND m.raw = $8
           AND m.payload IS NOT DISTINCT FROM $9::bytea
           AND m.submissions <> '{}' AND m.whole_seq IS NULL AND sp.uuid <> ALL ($11)
           AND NOT m.submissions && $13::uuid[]
           AND may_be_delivered_twice(m.received_at, m.sequence, theirs, $4, ours.unseen, $14, $12, $16)
           AND NOT EXISTS (SELECT FROM revision r
                           JOIN spool rs ON rs.uuid = r.spool
                           LEFT JOIN message rm ON rm.spool_id = rs.id AND rm.sequence = r.sequence
                           LEFT JOIN confirmed rc ON rc.spool_id = rs.id AND rc.link = rm.link
                           WHERE r.election_id = m.election_id AND r.submission_id = ANY (m.submissions)
                             AND (r.spool, r.sequence) <> (sp.uuid, m.sequence)
                             AND (r.spool = ANY ($11)
                                  OR NOT may_be_delivered_twice(r.received_at, r.sequence, rc, $4, ours.unseen, $14, $12, $16)))
         ORDER BY m.received_at, m.spool_id, m.sequence LIMIT 1"#,
        of.spool_id,
        of.sequence,
        of.link,
        of.received_at,
        of.phone_id,
        of.destination,
        of.data_coding,
        of.raw,
        of.payload,
        of.seconds,
        of.runs,
        CLOCKS_APART_SECONDS,
        of.taken,
        of.response == Response::Lost,
        of.response == Response::Seen,
        ARRIVES_LATE_SECONDS
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|r| Elsewhere {
        record: (r.uuid, r.sequence),
        submissions: r.submissions,
        all: r.spools.into_iter().zip(r.sequences).collect(),
    }))
}
