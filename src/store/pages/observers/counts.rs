//! How many observers are complete, on their way, or missing.

use sqlx::{Executor, PgConnection};

use super::super::submission_filter::PLAN;
use super::super::{SUMMARY_TIMEOUT, summary_deadline};
use super::Counts;
use super::tallied::{Tallied, tallied};
use crate::limits;
use crate::store::{Store, StoreError};

/// How many are complete, on their way, or missing: in an area or in all, of one checklist or of all.
pub async fn counts(
    store: &Store,
    election: i32,
    area: Option<i32>,
    prefix: Option<&str>,
) -> Result<Counts, StoreError> {
    store
        .with_tx(summary_deadline(), async |conn: &mut PgConnection| {
            conn.execute(PLAN).await?;
            conn.execute(SUMMARY_TIMEOUT).await?;
            let tallied = tallied(conn, election, prefix).await?;
            if tallied.reports == 0 || all_have_sent(&tallied) && tallied.lacking <= limits::WEB_SCAN_STATE_ROWS {
                return of_few(conn, election, area, prefix, tallied.reports > 0).await;
            }
            // No statistics tell how many have reported: both sides are gone through once.
            conn.execute("SET LOCAL enable_nestloop = off").await?;
            of_all(conn, election, area, prefix, tallied.is_one_each).await
        })
        .await
}

fn all_have_sent(t: &Tallied) -> bool {
    t.due > 0 && t.sent_by_all == t.due
}

/// Where each observer has sent all or none has sent anything: only those are looked at whose reports lack answers.
async fn of_few(
    conn: &mut PgConnection,
    election: i32,
    area: Option<i32>,
    prefix: Option<&str>,
    have_sent: bool,
) -> Result<Counts, StoreError> {
    let counted = sqlx::query!(
        r#"WITH due AS (
             SELECT prefix FROM (SELECT DISTINCT ON (prefix) prefix, state FROM checklist
                 WHERE election_id = $1 AND kind = 'checklist' AND ($3::text IS NULL OR prefix = $3)
                 ORDER BY prefix, version DESC) newest WHERE state <> 'draft'),
         lacking AS MATERIALIZED (
             SELECT DISTINCT observer_id FROM submission
             WHERE election_id = $1 AND missing > 0 AND prefix = ANY(ARRAY(SELECT prefix FROM due))),
         posted AS MATERIALIZED (
             SELECT id FROM observer
             WHERE election_id = $1 AND station_id = ANY(ARRAY(SELECT id FROM location WHERE path @> ARRAY[$2::int])))
         SELECT
             CASE WHEN $2::int IS NULL
                 THEN (SELECT coalesce(sum(observers), 0)::bigint FROM tally_observer WHERE election_id = $1)
                 ELSE (SELECT count(*) FROM posted) END AS "observers!",
             CASE WHEN $2 IS NULL THEN (SELECT count(*) FROM lacking)
                 ELSE (SELECT count(*) FROM lacking JOIN posted ON posted.id = lacking.observer_id) END AS "lacking!""#,
        election,
        area,
        prefix
    )
    .fetch_one(conn)
    .await?;
    Ok(match have_sent {
        true => Counts {
            all: counted.observers,
            complete: counted.observers - counted.lacking,
            some: counted.lacking,
            nothing: 0,
        },
        false => Counts { all: counted.observers, complete: 0, some: 0, nothing: counted.observers },
    })
}

/// Each observer's reports are read from an index, of all at once.
async fn of_all(
    conn: &mut PgConnection,
    election: i32,
    area: Option<i32>,
    prefix: Option<&str>,
    is_one_each: bool,
) -> Result<Counts, StoreError> {
    Ok(sqlx::query_as!(
        Counts,
        r#"WITH due AS (
             SELECT prefix FROM (SELECT DISTINCT ON (prefix) prefix, state FROM checklist
                 WHERE election_id = $1 AND kind = 'checklist' AND ($3::text IS NULL OR prefix = $3)
                 ORDER BY prefix, version DESC) newest WHERE state <> 'draft'),
         came AS (
             SELECT observer_id, count(*) AS reports, count(*) FILTER (WHERE missing = 0) AS complete FROM submission
             WHERE $4::bool AND election_id = $1 AND prefix = ANY(ARRAY(SELECT prefix FROM due))
               AND ($2::int IS NULL OR observer_id = ANY(ARRAY(SELECT o.id FROM observer o
                   WHERE o.station_id = ANY(ARRAY(SELECT id FROM location WHERE path @> ARRAY[$2::int])))))
             GROUP BY observer_id
             UNION ALL
             SELECT observer_id, count(*) AS reports, count(*) FILTER (WHERE lacking = 0) AS complete FROM (
                 SELECT observer_id, prefix, max(missing) AS lacking FROM submission
                 WHERE NOT $4 AND election_id = $1 AND prefix = ANY(ARRAY(SELECT prefix FROM due))
                   AND ($2::int IS NULL OR observer_id = ANY(ARRAY(SELECT o.id FROM observer o
                       WHERE o.station_id = ANY(ARRAY(SELECT id FROM location WHERE path @> ARRAY[$2::int])))))
                 GROUP BY observer_id, prefix) each GROUP BY observer_id)
         SELECT count(*) AS "all!",
             count(*) FILTER (WHERE came.complete >= d.n) AS "complete!",
             count(*) FILTER (WHERE came.reports > 0 AND came.complete < d.n) AS "some!",
             count(*) FILTER (WHERE came.reports IS NULL) AS "nothing!"
         FROM observer o LEFT JOIN came ON came.observer_id = o.id, (SELECT count(*) AS n FROM due) d
         WHERE o.election_id = $1
           AND ($2::int IS NULL OR o.station_id = ANY(ARRAY(SELECT id FROM location WHERE path @> ARRAY[$2::int])))"#,
        election,
        area,
        prefix,
        is_one_each
    )
    .fetch_one(conn)
    .await?)
}
