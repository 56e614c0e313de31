//! One submission with its checklist and its history.

use std::collections::HashMap;

use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::election::Election;
use super::{Moment, Place};
use crate::domain::checklist::Checklist;
use crate::domain::outcome::Outcome;
use crate::domain::value::Answers;
use crate::limits::WEB_REVISIONS_MAX;
use crate::store::{Store, StoreError};

/// One submission.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Detail {
    /// Its id.
    pub id: Uuid,
    /// Checklist's prefix.
    pub prefix: String,
    /// `checklist` or `incident`.
    pub kind: String,
    /// Serial, where the checklist has them.
    pub serial: Option<String>,
    /// The checklist's definition; `None` when it can't be read.
    pub checklist: Option<Checklist>,
    /// The observer's code.
    pub observer: String,
    /// Where the observer is posted: the top area first, the station last.
    pub trail: Vec<Place>,
    /// The station's registered voters.
    pub registered_voters: Option<i32>,
    /// Answers as they stand.
    pub answers: Answers,
    /// Required answers that are missing.
    pub missing: i16,
    /// Names of rules that the answers break.
    pub broken_rules: Vec<String>,
    /// The last comment.
    pub comment: Option<String>,
    /// Its first report.
    pub first: Moment,
    /// Its last report.
    pub last: Moment,
    /// Reports that made it.
    pub revisions: i32,
    /// Its history, the oldest first, bounded.
    pub history: Vec<Revision>,
}

/// What one message asserted.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Revision {
    /// When it was received.
    pub received: Moment,
    /// The record: spool and sequence.
    pub spool: Uuid,
    /// See `spool`.
    pub sequence: i64,
    /// `sms` and others.
    pub channel: String,
    /// Who had it read anew.
    pub made_by: Option<String>,
    /// It was read anew since, and counts no more.
    pub superseded: bool,
    /// Answers that it asserted, a withdrawn one as `None`.
    pub answers: Answers,
    /// Its comment.
    pub comment: Option<String>,
    /// The message, where it is known.
    pub message: Option<Message>,
}

/// The message of a revision, with its reply.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Message {
    /// Its text.
    pub text: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// The sender's phone, masked.
    pub phone: String,
    /// The reply's text and state.
    pub reply: Option<(String, String)>,
}

/// The submission with this id.
pub async fn by_id(store: &Store, election: &Election, id: Uuid) -> Result<Option<Detail>, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            let row = sqlx::query!(
                r#"SELECT s.prefix, s.kind, s.serial, c.definition, o.code AS observer, s.station_id, l.registered_voters AS "voters?",
                     s.answers AS "answers!: Json<Answers>", s.missing, s.broken_rules, s.comment,
                     s.revisions, s.first_received_at, s.last_received_at,
                     s.first_received_at AT TIME ZONE $3 AS "first_local!", s.last_received_at AT TIME ZONE $3 AS "last_local!"
                 FROM submission s
                 JOIN observer o ON o.id = s.observer_id
                 JOIN checklist c ON c.id = s.checklist_id
                 LEFT JOIN location l ON l.id = s.station_id
                 WHERE s.election_id = $1 AND s.id = $2"#,
                election.id,
                id,
                election.timezone
            )
            .fetch_optional(&mut *conn)
            .await?;
            let Some(row) = row else { return Ok(None) };
            let trail = sqlx::query_as!(
                Place,
                "SELECT p.id, p.level, p.depth, p.code, p.name, p.is_station
                 FROM location l JOIN location p ON p.id = ANY (l.path) WHERE l.id = $1 ORDER BY p.depth",
                row.station_id
            )
            .fetch_all(&mut *conn)
            .await?;
            Ok(Some(Detail {
                id,
                prefix: row.prefix,
                kind: row.kind,
                serial: row.serial,
                checklist: serde_json::from_value(row.definition).ok(),
                observer: row.observer,
                trail,
                registered_voters: row.voters,
                answers: row.answers.0,
                missing: row.missing,
                broken_rules: row.broken_rules,
                comment: row.comment,
                first: Moment { at: row.first_received_at, local: row.first_local },
                last: Moment { at: row.last_received_at, local: row.last_local },
                revisions: row.revisions,
                history: histories(conn, election, &[id]).await?.remove(&id).unwrap_or_default(),
            }))
        })
        .await
}

/// The first reports of each of these submissions, [`WEB_REVISIONS_MAX`] at most, in their order.
pub(in crate::store) async fn histories(
    conn: &mut PgConnection,
    election: &Election,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Vec<Revision>>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT r.submission_id AS "submission!", r.received_at AS "received_at!",
             r.received_at AT TIME ZONE $3 AS "received_local!", r.spool AS "spool!", r.sequence AS "sequence!",
             r.channel AS "channel!", r.made_by,
             r.superseded IS NOT NULL AS "superseded!", r.answers AS "answers!: Json<Answers>", r.comment,
             m.text AS "text?", m.outcome AS "outcome?", p.masked AS "phone?", b.text AS "reply?", b.state AS "reply_state?"
         FROM unnest($2::uuid[]) AS wanted (id)
         CROSS JOIN LATERAL (
             SELECT * FROM revision WHERE election_id = $1 AND submission_id = wanted.id
             ORDER BY received_at, spool, sequence, place, reading LIMIT $4) r
         LEFT JOIN spool s ON s.uuid = r.spool
         LEFT JOIN message m ON m.spool_id = s.id AND m.sequence = r.sequence
         LEFT JOIN phone p ON p.id = m.phone_id
         LEFT JOIN outbox b ON b.id = m.reply_id
         ORDER BY r.submission_id, r.received_at, r.spool, r.sequence, r.place, r.reading"#,
        election.id,
        ids,
        election.timezone,
        WEB_REVISIONS_MAX
    )
    .fetch_all(conn)
    .await?;
    let mut histories: HashMap<Uuid, Vec<Revision>> = HashMap::new();
    for r in rows {
        histories.entry(r.submission).or_default().push(Revision {
            received: Moment { at: r.received_at, local: r.received_local },
            spool: r.spool,
            sequence: r.sequence,
            channel: r.channel,
            made_by: r.made_by,
            superseded: r.superseded,
            answers: r.answers.0,
            comment: r.comment,
            message: r.outcome.as_deref().and_then(Outcome::from_word).zip(r.phone).map(|(outcome, phone)| Message {
                text: r.text,
                outcome,
                phone,
                reply: r.reply.zip(r.reply_state),
            }),
        });
    }
    Ok(histories)
}
