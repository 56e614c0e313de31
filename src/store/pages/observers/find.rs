//! Which observers a filter lets pass, by code: the next of them are looked up in what came, one by one; where what
//! is asked for is rare among them, what came is put together of all. Where everybody or nobody is so, the counts
//! that are kept say it.

use sqlx::{Executor, PgConnection};

use super::super::election::Election;
use super::Filter;
use super::tallied::{Tallied, tallied};
use crate::limits::{WEB_OBSERVERS_LOOKED, WEB_OBSERVERS_LOOKED_FIRST, WEB_SCAN_STATE_ROWS};
use crate::store::StoreError;

/// The next that pass.
pub(super) async fn found(
    conn: &mut PgConnection,
    election: &Election,
    filter: &Filter,
    rows: i64,
) -> Result<Vec<i32>, StoreError> {
    let mut ids = Vec::new();
    let mut rest = filter.clone();
    let tallied = match filter.state {
        Some(_) => tallied(conn, election.id, filter.prefix.as_deref()).await?,
        None => Tallied { due: 0, sent_by_all: 0, complete_of_none: 0, reports: 0, lacking: 0, is_one_each: true },
    };
    if is_nobody(filter, &tallied) {
        return Ok(ids);
    }
    if filter.state.is_some() || filter.silent_since.is_some() {
        let mut looks = WEB_OBSERVERS_LOOKED_FIRST;
        let mut looked = 0;
        loop {
            let wanted = rows - ids.len() as i64;
            let walked = walk(conn, election, &rest, wanted, looks).await?;
            looked += walked.looked;
            ids.extend(walked.ids);
            if ids.len() as i64 >= rows || walked.looked < looks {
                return Ok(ids);
            }
            rest.after = walked.last;
            // As many again as the rest may take, where they come as often as so far.
            looks = looked * (rows - ids.len() as i64) / (ids.len() as i64).max(1);
            looks = looks.max(WEB_OBSERVERS_LOOKED_FIRST);
            if looked + looks > WEB_OBSERVERS_LOOKED {
                break;
            }
        }
        let wanted = rows - ids.len() as i64;
        if filter.state == Some("partial") && tallied.lacking <= WEB_SCAN_STATE_ROWS {
            ids.extend(found_lacking(conn, election, &rest, wanted).await?);
            return Ok(ids);
        }
        // Few may pass, which no statistics tell: then each observer would be looked up in what came of all,
        // which no index orders.
        conn.execute("SET LOCAL enable_nestloop = off").await?;
    }
    let wanted = rows - ids.len() as i64;
    ids.extend(found_of_all(conn, election, &rest, wanted, tallied.is_one_each).await?);
    conn.execute("SET LOCAL enable_nestloop = on").await?;
    Ok(ids)
}

/// Do the counts say that nobody in the election is so?
fn is_nobody(filter: &Filter, t: &Tallied) -> bool {
    match filter.state {
        Some("missing") => t.sent_by_all == t.due,
        Some("nothing") => t.sent_by_all > 0,
        Some("partial") => t.lacking == 0,
        Some("complete") => t.complete_of_none > 0,
        _ => false,
    }
}

/// A part of the observers, by code.
struct Walked {
    /// Those that pass.
    ids: Vec<i32>,
    /// How many were looked at.
    looked: i64,
    /// The code of the last of them.
    last: Option<String>,
}

/// The first that pass among the next so many.
async fn walk(
    conn: &mut PgConnection,
    election: &Election,
    filter: &Filter,
    rows: i64,
    looks: i64,
) -> Result<Walked, StoreError> {
    Ok(sqlx::query_as!(
        Walked,
        r#"WITH due AS MATERIALIZED (
             SELECT prefix FROM (SELECT DISTINCT ON (prefix) prefix, state FROM checklist
                 WHERE election_id = $1 AND kind = 'checklist' AND ($3::text IS NULL OR prefix = $3)
                 ORDER BY prefix, version DESC) newest WHERE state <> 'draft'),
         o AS MATERIALIZED (
             SELECT id, code FROM observer
             WHERE election_id = $1
               AND ($2::int IS NULL OR station_id = ANY(ARRAY(SELECT id FROM location WHERE path @> ARRAY[$2::int])))
               AND ($6::text IS NULL OR starts_with(code, $6))
               AND ($7::text IS NULL OR code > $7)
             ORDER BY code LIMIT $9)
         SELECT ARRAY(
             SELECT o.id FROM o, (SELECT count(*) AS n FROM due) d,
                 LATERAL (SELECT count(*) AS reports, count(*) FILTER (WHERE lacking > 0) AS partial FROM (
                     SELECT s.prefix, max(s.missing) AS lacking FROM submission s
                     WHERE s.election_id = $1 AND s.observer_id = o.id AND s.prefix = ANY(ARRAY(SELECT prefix FROM due))
                     GROUP BY s.prefix) each) came
             WHERE CASE $4::text WHEN 'missing' THEN came.reports < d.n WHEN 'partial' THEN came.partial > 0
                     WHEN 'nothing' THEN came.reports = 0 WHEN 'complete' THEN came.reports = d.n AND came.partial = 0
                     ELSE true END
               AND ($5::timestamptz IS NULL OR NOT EXISTS (SELECT FROM message m WHERE m.observer_id = o.id AND m.received_at >= $5)
                   AND NOT EXISTS (SELECT FROM submission s WHERE s.election_id = $1 AND s.observer_id = o.id AND s.last_received_at >= $5))
             ORDER BY o.code LIMIT $8) AS "ids!", (SELECT count(*) FROM o) AS "looked!", (SELECT max(code) FROM o) AS last"#,
        election.id,
        filter.area,
        filter.prefix,
        filter.state,
        filter.silent_since,
        filter.code,
        filter.after,
        rows,
        looks
    )
    .fetch_one(conn)
    .await?)
}

/// The next of those with a report that lacks answers: an index has only such reports.
async fn found_lacking(
    conn: &mut PgConnection,
    election: &Election,
    filter: &Filter,
    rows: i64,
) -> Result<Vec<i32>, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"WITH due AS (
             SELECT prefix FROM (SELECT DISTINCT ON (prefix) prefix, state FROM checklist
                 WHERE election_id = $1 AND kind = 'checklist' AND ($3::text IS NULL OR prefix = $3)
                 ORDER BY prefix, version DESC) newest WHERE state <> 'draft')
         SELECT o.id
         FROM (SELECT DISTINCT observer_id FROM submission
               WHERE election_id = $1 AND missing > 0 AND prefix = ANY(ARRAY(SELECT prefix FROM due))) lacking
         JOIN observer o ON o.id = lacking.observer_id
         WHERE o.election_id = $1
           AND ($2::int IS NULL OR o.station_id IN (SELECT id FROM location WHERE path @> ARRAY[$2::int]))
           AND ($4::timestamptz IS NULL OR NOT EXISTS (SELECT FROM message m WHERE m.observer_id = o.id AND m.received_at >= $4)
               AND NOT EXISTS (SELECT FROM submission s WHERE s.election_id = $1 AND s.observer_id = o.id AND s.last_received_at >= $4))
           AND ($5::text IS NULL OR starts_with(o.code, $5))
           AND ($6::text IS NULL OR o.code > $6)
         ORDER BY o.code LIMIT $7"#,
        election.id,
        filter.area,
        filter.prefix,
        filter.silent_since,
        filter.code,
        filter.after,
        rows
    )
    .fetch_all(conn)
    .await?)
}

/// The next that pass. What each has reported is read from an index, of all at once.
async fn found_of_all(
    conn: &mut PgConnection,
    election: &Election,
    filter: &Filter,
    rows: i64,
    is_one_each: bool,
) -> Result<Vec<i32>, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"WITH due AS (
             SELECT prefix FROM (SELECT DISTINCT ON (prefix) prefix, state FROM checklist
                 WHERE election_id = $1 AND kind = 'checklist' AND ($3::text IS NULL OR prefix = $3)
                 ORDER BY prefix, version DESC) newest WHERE state <> 'draft'),
         came AS (
             SELECT observer_id, count(*) AS reports, count(*) FILTER (WHERE missing > 0) AS partial FROM submission
             WHERE $4::text IS NOT NULL AND $9::bool AND election_id = $1 AND prefix = ANY(ARRAY(SELECT prefix FROM due))
               AND ($2::int IS NULL OR observer_id = ANY(ARRAY(SELECT o.id FROM observer o
                   WHERE o.station_id = ANY(ARRAY(SELECT id FROM location WHERE path @> ARRAY[$2::int])))))
             GROUP BY observer_id
             UNION ALL
             SELECT observer_id, count(*) AS reports, count(*) FILTER (WHERE lacking > 0) AS partial FROM (
                 SELECT observer_id, prefix, max(missing) AS lacking FROM submission
                 WHERE $4 IS NOT NULL AND NOT $9 AND election_id = $1 AND prefix = ANY(ARRAY(SELECT prefix FROM due))
                   AND ($2::int IS NULL OR observer_id = ANY(ARRAY(SELECT o.id FROM observer o
                       WHERE o.station_id = ANY(ARRAY(SELECT id FROM location WHERE path @> ARRAY[$2::int])))))
                 GROUP BY observer_id, prefix) each GROUP BY observer_id)
         SELECT o.id FROM observer o LEFT JOIN came ON came.observer_id = o.id, (SELECT count(*) AS n FROM due) d
         WHERE o.election_id = $1
           AND ($2::int IS NULL OR o.station_id = ANY(ARRAY(SELECT id FROM location WHERE path @> ARRAY[$2::int])))
           AND CASE $4 WHEN 'missing' THEN coalesce(came.reports, 0) < d.n WHEN 'partial' THEN came.partial > 0
               WHEN 'nothing' THEN came.reports IS NULL
               WHEN 'complete' THEN coalesce(came.reports, 0) = d.n AND coalesce(came.partial, 0) = 0 ELSE true END
           AND ($5::timestamptz IS NULL OR NOT EXISTS (SELECT FROM message m WHERE m.observer_id = o.id AND m.received_at >= $5)
               AND NOT EXISTS (SELECT FROM submission s WHERE s.election_id = $1 AND s.observer_id = o.id AND s.last_received_at >= $5))
           AND ($6::text IS NULL OR starts_with(o.code, $6))
           AND ($7::text IS NULL OR o.code > $7)
         ORDER BY o.code LIMIT $8"#,
        election.id,
        filter.area,
        filter.prefix,
        filter.state,
        filter.silent_since,
        filter.code,
        filter.after,
        rows,
        is_one_each
    )
    .fetch_all(conn)
    .await?)
}
