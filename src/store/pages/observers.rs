//! Observers: what is expected of each, what came, who is missing, and who was last heard when.
//!
//! *Expected* is one report of each checklist (not of incident forms) that is no draft, as in
//! [`super::overview`]. Phones are masked; [`contacts`] opens them to a session that may see them.

use std::collections::HashMap;

use sqlx::{Executor, PgConnection};
use time::OffsetDateTime;

use super::Moment;
use super::election::Election;
use super::submission_filter::PLAN;
use super::{SUMMARY_TIMEOUT, summary_deadline};
use crate::limits::WEB_EXPORT_ROWS;
use crate::store::{Store, StoreError};

mod counts;
mod find;
mod tallied;

pub use self::counts::counts;

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
        .with_tx(summary_deadline(), async |conn: &mut PgConnection| {
            conn.execute(PLAN).await?;
            conn.execute(SUMMARY_TIMEOUT).await?;
            let mut ids = find::found(conn, election, filter, rows_max + 1).await?;
            let fits = usize::try_from(rows_max).unwrap_or(0);
            let more = ids.len() > fits;
            ids.truncate(fits);
            Ok((rows(conn, election, filter, &ids).await?, more))
        })
        .await
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
