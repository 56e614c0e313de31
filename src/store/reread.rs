//! Submissions of which reports were read anew: what they say is put together of the reports that count still.

use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::{StoreError, submission};
use crate::domain::order::OrderKey;
use crate::domain::value::Answers;

/// Brings what the reports of these submissions say together anew: comment, first report, how many
/// there are. Those of which none is left go.
pub async fn refresh(conn: &mut PgConnection, elections: &[i32], ids: &[Uuid]) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE submission s SET revisions = n.revisions, first_received_at = n.first,
             comment = (SELECT r.comment FROM revision r WHERE r.election_id = s.election_id AND r.submission_id = s.id
                          AND r.superseded IS NULL AND r.comment IS NOT NULL
                        ORDER BY r.received_at DESC, r.spool DESC, r.sequence DESC LIMIT 1)
         FROM (SELECT r.election_id, r.submission_id, count(*)::int AS revisions, min(r.received_at) AS first
               FROM UNNEST($1::int[], $2::uuid[]) AS u (election_id, id)
               JOIN revision r ON r.election_id = u.election_id AND r.submission_id = u.id
               WHERE r.superseded IS NULL GROUP BY r.election_id, r.submission_id) n
         WHERE s.election_id = n.election_id AND s.id = n.submission_id",
        elections,
        ids
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "DELETE FROM submission s USING UNNEST($1::int[], $2::uuid[]) AS u (election_id, id)
         WHERE s.election_id = u.election_id AND s.id = u.id
           AND NOT EXISTS (SELECT FROM revision r WHERE r.election_id = s.election_id AND r.submission_id = s.id
                             AND r.superseded IS NULL)",
        elections,
        ids
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Sets a submission's answers where its checklist is not known any more: what is missing stays as it was.
pub async fn set_answers(
    conn: &mut PgConnection,
    election: i32,
    id: Uuid,
    answers: &Answers,
    last: OrderKey,
) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE submission SET answers = $3, last_received_at = $4, last_spool = $5, last_sequence = $6
         WHERE election_id = $1 AND id = $2",
        election,
        id,
        Json(answers) as _,
        super::instant(last.received_us),
        last.record.spool,
        last.record.sequence.cast_signed()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Comments of these submissions that count: submission, order key, comment.
pub async fn comments(
    conn: &mut PgConnection,
    elections: &[i32],
    ids: &[Uuid],
) -> Result<Vec<(Uuid, OrderKey, String)>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT r.submission_id, r.received_at, r.spool, r.sequence, r.comment AS "comment!"
           FROM UNNEST($1::int[], $2::uuid[]) AS u (election_id, id)
           JOIN revision r ON r.election_id = u.election_id AND r.submission_id = u.id
           WHERE r.superseded IS NULL AND r.comment IS NOT NULL"#,
        elections,
        ids
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| (r.submission_id, submission::order_key(r.received_at, r.spool, r.sequence), r.comment))
        .collect())
}
