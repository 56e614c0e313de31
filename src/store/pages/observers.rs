//! Observers: what is expected of each, what came, who is missing, and who was last heard when.
//!
//! *Expected* is one report of each checklist (not of incident forms) that is no draft, as in
//! [`super::overview`]. Phones are masked; [`contacts`] opens them to a session that may see them.

use std::collections::HashMap;
use std::time::Duration;

use sqlx::{Executor, PgConnection};
use time::OffsetDateTime;

use super::Moment;
use super::election::Election;
use super::submission_filter::PLAN;
use crate::limits::{SUMMARY_DEADLINE_SECONDS, WEB_EXPORT_ROWS, WEB_OBSERVERS_LOOKED, WEB_OBSERVERS_LOOKED_FIRST};
use crate::store::{Store, StoreError};

/// Which ones.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Posted in this area.
    pub area: Option<i32>,
    /// Of what is expected, only this checklist.
    pub prefix: Option<String>,
    /// `missing` (something), `nothing` (came), `partial` (a report lacks answers) or `complete`.
    pub state: Option<&'static str>,
    /// Not heard since then.
    pub silent_since: Option<OffsetDateTime>,
    /// Whose code begins so.
    pub code: Option<String>,
    /// After this code.
    pub after: Option<String>,
}

/// One observer.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Row {
    /// PostgreSQL's key.
    pub id: i32,
    /// Code.
    pub code: String,
    /// The station's code and name.
    pub station: Option<(String, String)>,
    /// The area right above the station.
    pub area: Option<String>,
    /// Checklists of which a report is expected.
    pub expected: i64,
    /// Of them, those whose reports lack nothing.
    pub complete: i64,
    /// Prefixes of which nothing came.
    pub missing: Vec<String>,
    /// Prefixes of which something came that lacks answers.
    pub partial: Vec<String>,
    /// Incidents reported.
    pub incidents: i64,
    /// When anything last came.
    pub heard: Option<Moment>,
    /// Phones, masked.
    pub phones: Vec<String>,
}

/// How many there are.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// In all.
    pub all: i64,
    /// All that is expected came and lacks nothing.
    pub complete: i64,
    /// Something came, and something lacks.
    pub some: i64,
    /// Nothing came.
    pub nothing: i64,
}

/// Name and numbers of an observer.
#[derive(Debug, Clone)]
pub struct Contact {
    /// Name, where one is known.
    pub name: Option<String>,
    /// Numbers, the first is the one to call.
    pub phones: Vec<String>,
}

/// Rows of one page or file, by code, of at most so many; the flag says that more follow.
pub async fn page(
    store: &Store,
    election: &Election,
    filter: &Filter,
    rows_max: i64,
) -> Result<(Vec<Row>, bool), StoreError> {
    store
        .with_tx(Duration::from_secs(SUMMARY_DEADLINE_SECONDS), async |conn: &mut PgConnection| {
            conn.execute(PLAN).await?;
            // As long as the deadline, which is longer than a connection's.
            conn.execute("SET LOCAL statement_timeout = '15s'").await?;
            let mut ids = found(conn, election, filter, rows_max + 1).await?;
            let fits = usize::try_from(rows_max).unwrap_or(0);
            let more = ids.len() > fits;
            ids.truncate(fits);
            Ok((rows(conn, election, filter, &ids).await?, more))
        })
        .await
}

/// The next that pass: those in their order are looked up in what came, one by one; where what is asked for is
/// rare, what came is put together of all.
async fn found(
    conn: &mut PgConnection,
    election: &Election,
    filter: &Filter,
    rows: i64,
) -> Result<Vec<i32>, StoreError> {
    let mut ids = Vec::new();
    let mut rest = filter.clone();
    if filter.state.is_some() || filter.silent_since.is_some() {
        for looks in [WEB_OBSERVERS_LOOKED_FIRST, WEB_OBSERVERS_LOOKED - WEB_OBSERVERS_LOOKED_FIRST] {
            let wanted = rows - ids.len() as i64;
            let walked = walk(conn, election, &rest, wanted, looks).await?;
            ids.extend(walked.ids);
            if ids.len() as i64 >= rows || walked.looked < looks {
                return Ok(ids);
            }
            rest.after = walked.last;
        }
        // Few may pass, which no statistics tell: then each observer would be looked up in what came of all,
        // which no index orders.
        conn.execute("SET LOCAL enable_nestloop = off").await?;
    }
    let wanted = rows - ids.len() as i64;
    ids.extend(found_of_all(conn, election, &rest, wanted).await?);
    conn.execute("SET LOCAL enable_nestloop = on").await?;
    Ok(ids)
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

/// The next that pass. What each has reported is read from an index, of all at once.
async fn found_of_all(
    conn: &mut PgConnection,
    election: &Election,
    filter: &Filter,
    rows: i64,
) -> Result<Vec<i32>, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"WITH due AS (
             SELECT prefix FROM (SELECT DISTINCT ON (prefix) prefix, state FROM checklist
                 WHERE election_id = $1 AND kind = 'checklist' AND ($3::text IS NULL OR prefix = $3)
                 ORDER BY prefix, version DESC) newest WHERE state <> 'draft'),
         came AS (
             SELECT observer_id, count(*) AS reports, count(*) FILTER (WHERE lacking > 0) AS partial FROM (
                 SELECT observer_id, prefix, max(missing) AS lacking FROM submission
                 WHERE election_id = $1 AND prefix = ANY(ARRAY(SELECT prefix FROM due))
                 GROUP BY observer_id, prefix) each GROUP BY observer_id)
         SELECT o.id FROM observer o LEFT JOIN came ON came.observer_id = o.id, (SELECT count(*) AS n FROM due) d
         WHERE o.election_id = $1
           AND ($2::int IS NULL OR o.station_id = ANY(ARRAY(SELECT id FROM location WHERE path @> ARRAY[$2::int])))
           AND CASE $4::text WHEN 'missing' THEN coalesce(came.reports, 0) < d.n WHEN 'partial' THEN came.partial > 0
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
        rows
    )
    .fetch_all(conn)
    .await?)
}

/// These observers, by code.
async fn rows(
    conn: &mut PgConnection,
    election: &Election,
    filter: &Filter,
    ids: &[i32],
) -> Result<Vec<Row>, StoreError> {
    let rows = sqlx::query!(
                r#"WITH due AS (
                     SELECT array_agg(prefix ORDER BY first) AS prefixes FROM (
                         SELECT DISTINCT ON (prefix) prefix, state, min(id) OVER (PARTITION BY prefix) AS first
                         FROM checklist WHERE election_id = $1 AND kind = 'checklist'
                           AND ($2::text IS NULL OR prefix = $2) ORDER BY prefix, version DESC) newest
                     WHERE state <> 'draft')
                 SELECT o.id, o.code, l.code AS "station_code?", l.name AS "station?", above.name AS "area?",
                     coalesce(cardinality(due.prefixes), 0)::int8 AS "expected!",
                     (coalesce(cardinality(due.prefixes), 0) - cardinality(f.missing) - cardinality(f.partial))::int8
                         AS "complete!",
                     f.missing AS "missing!", f.partial AS "partial!", f.incidents AS "incidents!", f.heard,
                     f.heard AT TIME ZONE $3 AS heard_local,
                     ARRAY(SELECT p.masked FROM observer_phone x JOIN phone p ON p.id = x.phone_id
                           WHERE x.observer_id = o.id ORDER BY x.place, p.id LIMIT 4) AS "phones!: Vec<String>"
                 FROM observer o CROSS JOIN due
                 LEFT JOIN location l ON l.id = o.station_id
                 LEFT JOIN location above ON above.id = l.parent_id
                 CROSS JOIN LATERAL (
                     SELECT coalesce(array_agg(DISTINCT s.prefix) FILTER (WHERE s.prefix = ANY (due.prefixes)), '{}') AS came,
                         coalesce(array_agg(DISTINCT s.prefix) FILTER (WHERE s.prefix = ANY (due.prefixes) AND s.missing > 0), '{}')
                             AS partial,
                         count(*) FILTER (WHERE s.kind = 'incident') AS incidents,
                         greatest(max(s.last_received_at),
                             (SELECT max(m.received_at) FROM message m WHERE m.observer_id = o.id)) AS heard
                     FROM submission s WHERE s.election_id = $1 AND s.observer_id = o.id) c
                 CROSS JOIN LATERAL (
                     SELECT ARRAY(SELECT p FROM unnest(due.prefixes) p WHERE p <> ALL (c.came)) AS missing,
                         c.partial, c.incidents, c.heard) f
                 WHERE o.id = ANY($4)
                 ORDER BY o.code"#,
                election.id,
                filter.prefix,
                election.timezone,
                ids
            )
            .fetch_all(conn)
            .await?;
    Ok(rows
        .into_iter()
        .map(|r| Row {
            id: r.id,
            code: r.code,
            station: r.station_code.zip(r.station),
            area: r.area,
            expected: r.expected,
            complete: r.complete,
            missing: r.missing,
            partial: r.partial,
            incidents: r.incidents,
            heard: Moment::of(r.heard, r.heard_local),
            phones: r.phones,
        })
        .collect())
}

/// How many are complete, on their way, or missing: in an area or in all, of one checklist or of all.
pub async fn counts(
    store: &Store,
    election: i32,
    area: Option<i32>,
    prefix: Option<&str>,
) -> Result<Counts, StoreError> {
    store
        .with_tx(Duration::from_secs(SUMMARY_DEADLINE_SECONDS), async |conn: &mut PgConnection| {
            conn.execute(PLAN).await?;
            // As long as the deadline, which is longer than a connection's.
            conn.execute("SET LOCAL statement_timeout = '15s'").await?;
            // No statistics tell how many have reported: both sides are gone through once.
            conn.execute("SET LOCAL enable_nestloop = off").await?;
            Ok(sqlx::query_as!(
                Counts,
                r#"WITH due AS (
                     SELECT prefix FROM (SELECT DISTINCT ON (prefix) prefix, state FROM checklist
                         WHERE election_id = $1 AND kind = 'checklist' AND ($3::text IS NULL OR prefix = $3)
                         ORDER BY prefix, version DESC) newest WHERE state <> 'draft'),
                 came AS (
                     SELECT observer_id, count(*) AS reports, count(*) FILTER (WHERE lacking = 0) AS complete FROM (
                         SELECT observer_id, prefix, max(missing) AS lacking FROM submission
                         WHERE election_id = $1 AND prefix = ANY(ARRAY(SELECT prefix FROM due))
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
                prefix
            )
            .fetch_one(conn)
            .await?)
        })
        .await
}

/// Names and numbers of some observers, by their keys, opened by a session (its key) whose person may see
/// them. The database looks who that is; for anybody else there are none.
pub async fn contacts(store: &Store, session: &[u8], observers: &[i32]) -> Result<HashMap<i32, Contact>, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            let rows = sqlx::query!(
                r#"SELECT observer_id AS "observer_id!", name, phones AS "phones!" FROM web_contacts($1, $2) LIMIT $3"#,
                session,
                observers,
                WEB_EXPORT_ROWS
            )
            .fetch_all(conn)
            .await?;
            Ok(rows.into_iter().map(|r| (r.observer_id, Contact { name: r.name, phones: r.phones })).collect())
        })
        .await
}
