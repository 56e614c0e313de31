//! The overview's first reports over time.

use sqlx::PgConnection;
use time::{OffsetDateTime, PrimitiveDateTime};

use super::super::election::{ChecklistName, Election};
use super::super::{Moment, Place};
use super::Step;
use crate::store::StoreError;

struct Binned {
    prefix: String,
    from_at: OffsetDateTime,
    from_local: PrimitiveDateTime,
    seconds: i64,
    reports: i64,
}

/// New reports by checklist and step of time; the steps are longer the longer it takes.
pub(super) async fn steps(
    conn: &mut PgConnection,
    election: &Election,
    area: Option<&Place>,
    checklists: &[ChecklistName],
) -> Result<Vec<Step>, StoreError> {
    let rows = match area {
        None => kept(conn, election).await?,
        Some(area) => counted(conn, election, area.id).await?,
    };
    Ok(rows
        .into_iter()
        .filter_map(|r| {
            let checklist = checklists.iter().position(|c| c.prefix == r.prefix)?;
            let from = Moment { at: r.from_at, local: r.from_local };
            Some(Step { checklist, from, seconds: r.seconds, reports: r.reports })
        })
        .collect())
}

/// Of the whole election, from the counts that are kept.
async fn kept(conn: &mut PgConnection, election: &Election) -> Result<Vec<Binned>, StoreError> {
    Ok(sqlx::query_as!(
        Binned,
        r#"WITH chosen AS (
             SELECT prefix, from_at, sum(reports) AS reports FROM tally_step WHERE election_id = $1
             GROUP BY 1, 2 HAVING sum(reports) > 0
         ), span AS (
             SELECT max(from_at) - min(from_at) AS span FROM chosen
         ), step AS (
             SELECT CASE WHEN span <= interval '3 hours' THEN interval '5 minutes'
                 WHEN span <= interval '10 hours' THEN interval '15 minutes'
                 WHEN span <= interval '26 hours' THEN interval '30 minutes'
                 WHEN span <= interval '4 days' THEN interval '2 hours'
                 ELSE make_interval(secs => ceil(extract(epoch FROM span) / 6000000) * 86400) END AS step FROM span
         )
         SELECT prefix AS "prefix!", from_at AS "from_at!", from_at AT TIME ZONE $2 AS "from_local!",
             extract(epoch FROM step)::bigint AS "seconds!", reports::bigint AS "reports!"
         FROM (SELECT prefix, date_bin(step, from_at, 'epoch'::timestamptz) AS from_at, step, sum(reports) AS reports
               FROM chosen, step GROUP BY 1, 2, 3) binned
         ORDER BY from_at, prefix LIMIT 4000"#,
        election.id,
        election.timezone
    )
    .fetch_all(conn)
    .await?)
}

/// Of one area, from its submissions.
async fn counted(conn: &mut PgConnection, election: &Election, area: i32) -> Result<Vec<Binned>, StoreError> {
    Ok(sqlx::query_as!(
        Binned,
        r#"WITH chosen AS (
             SELECT prefix, date_bin('5 minutes', first_received_at, 'epoch') AS from_at, count(*) AS reports FROM submission WHERE election_id = $1 AND kind = 'checklist'
                 AND station_id = ANY(ARRAY(SELECT id FROM location WHERE path @> ARRAY[$2::int])) GROUP BY 1, 2
         ), span AS (
             SELECT max(from_at) - min(from_at) AS span FROM chosen
         ), step AS (
             SELECT CASE WHEN span <= interval '3 hours' THEN interval '5 minutes'
                 WHEN span <= interval '10 hours' THEN interval '15 minutes'
                 WHEN span <= interval '26 hours' THEN interval '30 minutes'
                 WHEN span <= interval '4 days' THEN interval '2 hours'
                 ELSE make_interval(secs => ceil(extract(epoch FROM span) / 6000000) * 86400) END AS step FROM span
         )
         SELECT prefix AS "prefix!", from_at AS "from_at!", from_at AT TIME ZONE $3 AS "from_local!",
             extract(epoch FROM step)::bigint AS "seconds!", reports::bigint AS "reports!"
         FROM (SELECT prefix, date_bin(step, from_at, 'epoch'::timestamptz) AS from_at, step, sum(reports) AS reports
               FROM chosen, step GROUP BY 1, 2, 3) binned
         ORDER BY from_at, prefix LIMIT 4000"#,
        election.id,
        area,
        election.timezone
    )
    .fetch_all(conn)
    .await?)
}
