//! One election at a glance: what was expected and what came, by checklist, by area, over time.
//!
//! *Expected* is one report a checklist of each observer in the area. An observer's report is
//! *complete* when no required answer is missing in any of it, else *partial*. All figures of one
//! answer are of one instant (a repeatable-read transaction).

use sqlx::{Executor, PgConnection};

use super::election::{ChecklistName, Election, checklists_of};
use super::{Moment, Place};
use crate::domain::outcome::Outcome;
use crate::limits;
use crate::store::{Store, StoreError};

/// How many observers' reports came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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
#[derive(Debug, Clone)]
pub struct Area {
    /// The area or station; `None`: observers without one.
    pub place: Option<Place>,
    /// Observers posted in it.
    pub observers: i64,
    /// A tally a checklist, in the order of [`Overview::checklists`].
    pub tallies: Vec<Tally>,
}

/// New reports of one checklist in one step of time.
#[derive(Debug, Clone)]
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
#[derive(Debug, Clone)]
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
            conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?;
            let mut all = checklists_of(conn, election.id).await?;
            all.retain(|c| c.kind == "checklist" && c.state != "draft");
            let (areas, areas_cut) = areas(conn, election.id, area, &all).await?;
            let steps = steps(conn, election, area, &all).await?;
            let totals = sqlx::query!(
                r#"SELECT count(*) FILTER (WHERE kind = 'incident') AS "incidents!",
                     count(*) FILTER (WHERE broken_rules <> '{}') AS "broken!",
                     max(last_received_at) AS last_at, max(last_received_at) AT TIME ZONE $3 AS last_local
                 FROM submission WHERE election_id = $1
                     AND ($2::int IS NULL OR station_id IN (SELECT id FROM location WHERE path @> ARRAY[$2::int]))"#,
                election.id,
                area.map(|a| a.id),
                election.timezone
            )
            .fetch_one(&mut *conn)
            .await?;
            let outcomes = if area.is_none() { outcomes(conn, election.id).await? } else { Vec::new() };
            Ok(Overview {
                observers: areas.iter().map(|a| a.observers).sum(),
                checklists: all,
                areas,
                areas_cut,
                steps,
                incidents: totals.incidents,
                broken: totals.broken,
                last: Moment::of(totals.last_at, totals.last_local),
                outcomes,
            })
        })
        .await
}

async fn areas(
    conn: &mut PgConnection,
    election: i32,
    area: Option<&Place>,
    checklists: &[ChecklistName],
) -> Result<(Vec<Area>, bool), StoreError> {
    // The level shown: the one below the area; without one the first level that has several.
    let place = match area {
        Some(a) if a.is_station => i32::from(a.depth) + 1,
        Some(a) => i32::from(a.depth) + 2,
        None => {
            sqlx::query_scalar!(
                r#"SELECT coalesce(min(depth), 0) + 1 AS "place!" FROM (
                 SELECT depth FROM location WHERE election_id = $1 GROUP BY depth HAVING count(*) > 1) several"#,
                election
            )
            .fetch_one(&mut *conn)
            .await?
        }
    };
    // One row an area and checklist; a row with a NULL prefix counts the area's observers.
    let rows = sqlx::query!(
        r#"WITH posted AS (
             SELECT o.id, coalesce(l.path[$3], l.id) AS area
             FROM observer o LEFT JOIN location l ON l.id = o.station_id
             WHERE o.election_id = $1 AND ($2::int IS NULL OR l.path @> ARRAY[$2::int])
         ), reported AS (
             SELECT observer_id, prefix, bool_and(missing = 0) AS complete FROM submission
             WHERE election_id = $1 AND kind = 'checklist' GROUP BY observer_id, prefix
         ), counted AS (
             SELECT area, NULL AS prefix, count(*) AS complete, 0::bigint AS partial FROM posted GROUP BY area
             UNION ALL
             SELECT p.area, r.prefix, count(*) FILTER (WHERE r.complete), count(*) FILTER (WHERE NOT r.complete)
             FROM posted p JOIN reported r ON r.observer_id = p.id GROUP BY p.area, r.prefix
         )
         SELECT c.prefix, c.complete AS "complete!", c.partial AS "partial!", l.id AS "id?", l.level AS "level?",
             l.depth AS "depth?", l.code AS "code?", l.name AS "name?", l.is_station AS "is_station?"
         FROM counted c LEFT JOIN location l ON l.id = c.area
         ORDER BY l.name NULLS LAST, l.code NULLS LAST, l.id, c.prefix NULLS FIRST"#,
        election,
        area.map(|a| a.id),
        place
    )
    .fetch_all(conn)
    .await?;
    let mut areas: Vec<Area> = Vec::new();
    let mut cut = false;
    for row in rows {
        let place = match (row.id, row.level, row.depth, row.code, row.name, row.is_station) {
            (Some(id), Some(level), Some(depth), Some(code), Some(name), Some(is_station)) => {
                Some(Place { id, level, depth, code, name, is_station })
            }
            _ => None,
        };
        match row.prefix {
            None if areas.len() as i64 >= limits::WEB_AREA_ROWS => {
                cut = true;
                // What does not fit is summed up in the last row, so that totals stay true.
                if let Some(last) = areas.last_mut() {
                    last.place = None;
                    last.observers += row.complete;
                    last.tallies.iter_mut().for_each(|t| t.expected += row.complete);
                }
            }
            None => areas.push(Area {
                place,
                observers: row.complete,
                tallies: vec![Tally { expected: row.complete, ..Tally::default() }; checklists.len()],
            }),
            Some(prefix) => {
                let index = checklists.iter().position(|c| c.prefix == prefix);
                if let Some(tally) = index.and_then(|i| areas.last_mut().and_then(|a| a.tallies.get_mut(i))) {
                    tally.complete += row.complete;
                    tally.partial += row.partial;
                }
            }
        }
    }
    Ok((areas, cut))
}

async fn steps(
    conn: &mut PgConnection,
    election: &Election,
    area: Option<&Place>,
    checklists: &[ChecklistName],
) -> Result<Vec<Step>, StoreError> {
    let rows = sqlx::query!(
        r#"WITH chosen AS (
             SELECT prefix, first_received_at FROM submission WHERE election_id = $1 AND kind = 'checklist'
                 AND ($2::int IS NULL OR station_id IN (SELECT id FROM location WHERE path @> ARRAY[$2::int]))
         ), span AS (
             SELECT max(first_received_at) - min(first_received_at) AS span FROM chosen
         ), step AS (
             SELECT CASE WHEN span <= interval '3 hours' THEN interval '5 minutes'
                 WHEN span <= interval '10 hours' THEN interval '15 minutes'
                 WHEN span <= interval '26 hours' THEN interval '30 minutes'
                 WHEN span <= interval '4 days' THEN interval '2 hours'
                 ELSE make_interval(secs => ceil(extract(epoch FROM span) / 6000000) * 86400) END AS step FROM span
         )
         SELECT prefix AS "prefix!", from_at AS "from_at!", from_at AT TIME ZONE $3 AS "from_local!",
             extract(epoch FROM step)::bigint AS "seconds!", reports AS "reports!"
         FROM (SELECT prefix, date_bin(step, first_received_at, 'epoch'::timestamptz) AS from_at, step, count(*) AS reports
               FROM chosen, step GROUP BY 1, 2, 3) binned
         ORDER BY from_at, prefix LIMIT 4000"#,
        election.id,
        area.map(|a| a.id),
        election.timezone
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|r| {
            let checklist = checklists.iter().position(|c| c.prefix == r.prefix)?;
            let from = Moment { at: r.from_at, local: r.from_local };
            Some(Step { checklist, from, seconds: r.seconds, reports: r.reports })
        })
        .collect())
}

async fn outcomes(conn: &mut PgConnection, election: i32) -> Result<Vec<(Outcome, i64)>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT outcome, count(*) AS "count!" FROM message WHERE election_id = $1 GROUP BY outcome"#,
        election
    )
    .fetch_all(conn)
    .await?;
    let count = |o: Outcome| rows.iter().find(|r| r.outcome == o.as_str()).map(|r| (o, r.count));
    Ok(Outcome::ALL.into_iter().filter_map(count).collect())
}
