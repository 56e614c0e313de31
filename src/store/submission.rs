//! `submission` and `revision`: what observers reported, as it stands and how it came to stand so.

use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::StoreError;
use super::segment::SetKey;
use crate::domain::order::{OrderKey, RecordKey};
use crate::domain::submission::Assertion;
use crate::domain::value::Answers;

/// A submission as the database has it, its row locked.
#[derive(Debug)]
pub struct Stored {
    /// [`crate::domain::submission::SubmissionKey::id`].
    pub id: Uuid,
    /// Current answers.
    pub answers: Answers,
    /// Order key of the newest report applied.
    pub last: OrderKey,
    /// Revisions stored.
    pub revisions: i32,
    /// The comment that stands.
    pub comment: Option<String>,
}

/// What a batch finds before it decides.
#[derive(Debug)]
pub struct Found {
    /// Version of the roster at this moment.
    pub roster_version: i64,
    /// Those of the submissions asked for that exist; their rows are locked.
    pub submissions: Vec<Stored>,
    /// Are parts kept of any of the texts asked for?
    pub segments: bool,
    /// Those of the phones asked for that want no messages.
    pub stopped: Vec<i64>,
}

/// Reads the roster's version, locks these submissions, in the order of their keys, and looks whether
/// parts are kept of texts that came whole and which of these phones want no messages.
pub async fn lock(
    conn: &mut PgConnection,
    elections: &[i32],
    ids: &[Uuid],
    sets: &[&SetKey],
    phones: &[i64],
) -> Result<Found, StoreError> {
    let groups: Vec<&str> = sets.iter().map(|k| k.link_group.as_str()).collect();
    let sources: Vec<&str> = sets.iter().map(|k| k.source.as_str()).collect();
    let destinations: Vec<&str> = sets.iter().map(|k| k.destination.as_str()).collect();
    let references: Vec<i32> = sets.iter().map(|k| k.reference).collect();
    let totals: Vec<i16> = sets.iter().map(|k| k.total).collect();
    let rows = sqlx::query!(
        r#"WITH wanted AS (SELECT * FROM UNNEST($1::int[], $2::uuid[]) AS u (election_id, id)),
                locked AS (
                    SELECT s.election_id, s.id, s.answers, s.last_received_at, s.last_spool, s.last_sequence, s.revisions, s.comment
                    FROM wanted w JOIN submission s ON s.election_id = w.election_id AND s.id = w.id
                    ORDER BY s.election_id, s.id FOR UPDATE OF s)
           SELECT v.version, EXISTS (
                      SELECT FROM UNNEST($3::text[], $4::text[], $5::text[], $6::int[], $7::smallint[]) AS u (a, b, c, d, e)
                      JOIN segment_set s ON s.link_group = u.a AND s.source = u.b AND s.destination = u.c
                                        AND s.reference = u.d AND s.total = u.e) AS "segments!",
                  ARRAY(SELECT phone_id FROM sender WHERE phone_id = ANY($8) AND stopped) AS "stopped!",
                  l.id AS "id?", l.answers AS "answers?: Json<Answers>",
                  l.last_received_at AS "last_received_at?", l.last_spool AS "last_spool?",
                  l.last_sequence AS "last_sequence?", l.revisions AS "revisions?", l.comment AS "comment?"
           FROM roster_version v LEFT JOIN locked l ON true"#,
        elections,
        ids,
        &groups[..] as &[&str],
        &sources[..] as &[&str],
        &destinations[..] as &[&str],
        &references,
        &totals,
        phones
    )
    .fetch_all(conn)
    .await?;
    let mut found =
        Found { roster_version: 0, submissions: Vec::with_capacity(rows.len()), segments: false, stopped: Vec::new() };
    for row in rows {
        found.roster_version = row.version;
        found.segments = row.segments;
        found.stopped = row.stopped;
        if let (Some(id), Some(answers), Some(at), Some(spool), Some(sequence), Some(revisions)) =
            (row.id, row.answers, row.last_received_at, row.last_spool, row.last_sequence, row.revisions)
        {
            let last = order_key(at, spool, sequence);
            found.submissions.push(Stored { id, answers: answers.0, last, revisions, comment: row.comment });
        }
    }
    Ok(found)
}

/// All assertions of these submissions that count, each with its submission.
pub async fn history(
    conn: &mut PgConnection,
    elections: &[i32],
    ids: &[Uuid],
) -> Result<Vec<(Uuid, Assertion)>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT r.submission_id, r.received_at, r.spool, r.sequence, r.answers AS "answers: Json<Answers>"
           FROM UNNEST($1::int[], $2::uuid[]) AS u (election_id, id)
           JOIN revision r ON r.election_id = u.election_id AND r.submission_id = u.id
           WHERE r.superseded IS NULL
           ORDER BY r.submission_id, r.received_at, r.spool, r.sequence, r.place"#,
        elections,
        ids
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| {
            let order = order_key(r.received_at, r.spool, r.sequence);
            (r.submission_id, Assertion { order, answers: r.answers.0 })
        })
        .collect())
}

/// The order of a report, by its row.
pub(super) fn order_key(at: OffsetDateTime, spool: Uuid, sequence: i64) -> OrderKey {
    OrderKey {
        received_us: super::micros(at),
        record: RecordKey { spool, sequence: u64::try_from(sequence).unwrap_or(0) },
    }
}

/// Submissions to insert or update, a column a vector.
#[derive(Debug, Default)]
pub struct SubmissionRows<'a> {
    /// Not stored yet.
    pub is_new: Vec<bool>,
    /// Election.
    pub election_id: Vec<i32>,
    /// Key.
    pub id: Vec<Uuid>,
    /// Checklist.
    pub checklist_id: Vec<i32>,
    /// Its prefix.
    pub prefix: Vec<&'a str>,
    /// `checklist` or `incident`.
    pub kind: Vec<&'static str>,
    /// Observer.
    pub observer_id: Vec<i32>,
    /// The observer's station.
    pub station_id: Vec<Option<i32>>,
    /// Serial.
    pub serial: Vec<Option<&'a str>>,
    /// JSON.
    pub answers: Vec<String>,
    /// Required answers still missing.
    pub missing: Vec<i16>,
    /// `{name,name}`.
    pub broken_rules: Vec<String>,
    /// Comment, without NUL; the stored one stays when `None`.
    pub comment: Vec<Option<&'a str>>,
    /// Time of the oldest report of this batch.
    pub first_received_at: Vec<OffsetDateTime>,
    /// Order key of the newest report applied.
    pub last_received_at: Vec<OffsetDateTime>,
    /// See `last_received_at`.
    pub last_spool: Vec<Uuid>,
    /// See `last_received_at`.
    pub last_sequence: Vec<i64>,
    /// Revisions in all.
    pub revisions: Vec<i32>,
}

/// Revisions to insert, a column a vector.
#[derive(Debug, Default)]
pub struct RevisionRows<'a> {
    /// Election.
    pub election_id: Vec<i32>,
    /// Submission.
    pub submission_id: Vec<Uuid>,
    /// Order key of the message.
    pub received_at: Vec<OffsetDateTime>,
    /// See `received_at`.
    pub spool: Vec<Uuid>,
    /// See `received_at`.
    pub sequence: Vec<i64>,
    /// Which report of the text.
    pub place: Vec<i16>,
    /// JSON: what was asserted.
    pub answers: Vec<String>,
    /// JSON: old answers of what changed.
    pub replaced: Vec<Option<String>>,
    /// Comment, without NUL.
    pub comment: Vec<Option<&'a str>>,
}
