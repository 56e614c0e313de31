//! One election at a glance: what was expected and what came, by checklist, by area, over time.
//!
//! Whatever an election's size, its overview costs about the same: it reads counts that are kept up to date
//! (`tally` and its sisters). The areas above stations, and forms with serials, are counted from submissions.
//!
//! *Expected* is one report a checklist of each observer in the area. A report belongs to the area of the
//! station that it was sent for; an observer's is
//! *complete* when no required answer is missing in any of it, else *partial*. All figures of one
//! answer are of one instant (a repeatable-read transaction).

use serde::{Deserialize, Serialize};
use sqlx::{Executor, PgConnection};

mod areas;
mod time;

use super::election::{ChecklistName, Election, checklists_of};
use super::{Moment, Place};
use crate::domain::outcome::Outcome;
use crate::limits::WEB_SCAN_ROWS;
use crate::store::{Store, StoreError};

/// How many observers' reports came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Of so many observers.
    pub expected: i64,
    /// All required answers are there.
    pub complete: i64,
    /// Something is missing.
    pub partial: i64,
}

impl Tally {
    /// Observers who have not reported.
    pub fn missing(&self) -> i64 {
        (self.expected - self.complete - self.partial).max(0)
    }

    /// Adds another one.
    pub fn add(&mut self, other: Tally) {
        self.expected += other.expected;
        self.complete += other.complete;
        self.partial += other.partial;
    }
}

/// An area's row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Area {
    /// The area or station; `None`: observers without one.
    pub place: Option<Place>,
    /// Observers posted in it.
    pub observers: i64,
    /// A tally a checklist, in the order of [`Overview::checklists`].
    pub tallies: Vec<Tally>,
}

/// New reports of one checklist in one step of time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Step {
    /// Index into [`Overview::checklists`].
    pub checklist: usize,
    /// The step's beginning.
    pub from: Moment,
    /// Its length, seconds.
    pub seconds: i64,
    /// First reports in it.
    pub reports: i64,
}

/// All figures.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Overview {
    /// Checklists that reports are expected of.
    pub checklists: Vec<ChecklistName>,
    /// Observers in the area.
    pub observers: i64,
    /// By area: the next level below the one asked for.
    pub areas: Vec<Area>,
    /// More areas than a table takes were left out.
    pub areas_cut: bool,
    /// Over time, ascending.
    pub steps: Vec<Step>,
    /// Incident reports.
    pub incidents: i64,
    /// Reports that break a rule.
    pub broken: i64,
    /// When the last report came.
    pub last: Option<Moment>,
    /// The election's messages by outcome; empty when an area was asked for.
    pub outcomes: Vec<(Outcome, i64)>,
}

impl Overview {
    /// The tally of one checklist over all areas.
    pub fn of_checklist(&self, index: usize) -> Tally {
        let mut sum = Tally::default();
        for tally in self.areas.iter().filter_map(|a| a.tallies.get(index)) {
            sum.add(*tally);
        }
        sum
    }

    /// The tally over all checklists and areas.
    pub fn total(&self) -> Tally {
        let mut sum = Tally::default();
        for tally in self.areas.iter().flat_map(|a| &a.tallies) {
            sum.add(*tally);
        }
        sum
    }
}

/// Computes the figures of an election, or of one area of it.
pub async fn overview(store: &Store, election: &Election, area: Option<&Place>) -> Result<Overview, StoreError> {
    store
        .with_tx(store.deadline(), async |conn: &mut PgConnection| {
            // Of one area few stations are looked at, of all none: a plan for either serves neither.
            conn.execute(
                "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL jit = off; SET LOCAL work_mem = '16MB'",
            )
            .await?;
            let mut all = checklists_of(conn, election.id).await?;
            all.retain(|c| c.kind == "checklist" && c.state != "draft");
            let (areas, areas_cut) = areas::areas(conn, election.id, area, &all).await?;
            let steps = time::steps(conn, election, area, &all).await?;
            let totals = totals(conn, election, area).await?;
            let outcomes = if area.is_none() { outcomes(conn, election.id).await? } else { Vec::new() };
            Ok(Overview {
                observers: areas.iter().map(|a| a.observers).sum(),
                checklists: all,
                areas,
                areas_cut,
                steps,
                incidents: totals.0,
                broken: totals.1,
                last: totals.2,
                outcomes,
            })
        })
        .await
}

/// Incidents, reports that break a rule, the last report.
async fn totals(
    conn: &mut PgConnection,
    election: &Election,
    area: Option<&Place>,
) -> Result<(i64, i64, Option<Moment>), StoreError> {
    let Some(area) = area else {
        let row = sqlx::query!(
            r#"SELECT coalesce(sum(submissions) FILTER (WHERE kind = 'incident'), 0)::bigint AS "incidents!",
                 coalesce(sum(broken), 0)::bigint AS "broken!", last.at AS "last_at?", last.at AT TIME ZONE $2 AS "last_local?"
             FROM (SELECT max(last_received_at) AS at FROM submission WHERE election_id = $1) last
             LEFT JOIN tally ON election_id = $1 GROUP BY last.at"#,
            election.id,
            election.timezone
        )
        .fetch_one(conn)
        .await?;
        return Ok((row.incidents, row.broken, Moment::of(row.last_at, row.last_local)));
    };
    if !area.is_station
        && let Some(last) = lately(conn, election, area).await?
    {
        let row = sqlx::query!(
            r#"SELECT coalesce(sum(t.submissions) FILTER (WHERE t.kind = 'incident'), 0)::bigint AS "incidents!",
                 coalesce(sum(t.broken), 0)::bigint AS "broken!"
             FROM tally t JOIN location l ON l.id = t.area_id WHERE t.election_id = $1 AND l.path @> ARRAY[$2::int]"#,
            election.id,
            area.id
        )
        .fetch_one(conn)
        .await?;
        return Ok((row.incidents, row.broken, Some(last)));
    }
    let row = sqlx::query!(
        r#"SELECT count(*) FILTER (WHERE kind = 'incident') AS "incidents!",
             count(*) FILTER (WHERE broken_rules <> '{}') AS "broken!",
             max(last_received_at) AS last_at, max(last_received_at) AT TIME ZONE $3 AS last_local
         FROM submission WHERE election_id = $1
             AND station_id = ANY(ARRAY(SELECT id FROM location WHERE path @> ARRAY[$2::int]))"#,
        election.id,
        area.id,
        election.timezone
    )
    .fetch_one(conn)
    .await?;
    Ok((row.incidents, row.broken, Moment::of(row.last_at, row.last_local)))
}

/// The last report of an area, where it is among the newest of the election: only of areas that are silent
/// are all reports looked at.
async fn lately(conn: &mut PgConnection, election: &Election, area: &Place) -> Result<Option<Moment>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT max(at) AS "at?", max(at) AT TIME ZONE $3 AS "local?" FROM (
             SELECT station_id, last_received_at AS at FROM submission WHERE election_id = $1
             ORDER BY last_received_at DESC, id LIMIT $4) s
         WHERE station_id IN (SELECT id FROM location WHERE path @> ARRAY[$2::int])"#,
        election.id,
        area.id,
        election.timezone,
        WEB_SCAN_ROWS
    )
    .fetch_one(conn)
    .await?;
    Ok(Moment::of(row.at, row.local))
}

async fn outcomes(conn: &mut PgConnection, election: i32) -> Result<Vec<(Outcome, i64)>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT outcome, sum(messages)::bigint AS "count!" FROM tally_outcome WHERE election_id = $1
         GROUP BY outcome HAVING sum(messages) > 0"#,
        election
    )
    .fetch_all(conn)
    .await?;
    let count = |o: Outcome| rows.iter().find(|r| r.outcome == o.as_str()).map(|r| (o, r.count));
    Ok(Outcome::ALL.into_iter().filter_map(count).collect())
}
