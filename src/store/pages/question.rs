//! What was answered to a checklist's questions, put together: of all questions in one area, and of one
//! question area by area.
//!
//! Values are counted by PostgreSQL and come as a stream, so that memory holds one question's at a time.
//! A report belongs to the area of the station that it was sent for.

use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use sqlx::{Executor, PgConnection};

use super::election::Election;
use super::{Place, SUMMARY_TIMEOUT, summary_deadline};
use crate::analysis::summary::{Fold, Summary};
use crate::domain::checklist::{Checklist, Kind, Question, QuestionType};
use crate::domain::value::Value;
use crate::limits::WEB_AREA_ROWS;
use crate::store::{Store, StoreError};

/// All questions of a checklist in some area.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Questions {
    /// The checklist, its newest version.
    pub checklist: Checklist,
    /// Reports expected: one an observer. `None` of incidents, which nobody owes.
    pub expected: Option<i64>,
    /// Reports that came.
    pub reports: i64,
    /// One a question, in the checklist's order.
    pub summaries: Vec<Summary>,
}

/// One question area by area.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ByArea {
    /// The areas, by name; those past the bound are left out.
    pub areas: Vec<AreaSummary>,
    /// There are more.
    pub cut: bool,
}

/// One question in one area.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AreaSummary {
    /// The area; `None`: reports of observers without a station.
    pub place: Option<Place>,
    /// Reports expected; `None` of incidents.
    pub expected: Option<i64>,
    /// Reports that came.
    pub reports: i64,
    /// The answers.
    pub summary: Summary,
}

/// The level below an area, as an index into a location's path (from 1). Without an area the first level
/// that has several places. `None`: below it are stations only, which are not shown one by one.
async fn level_below(conn: &mut PgConnection, election: i32, area: Option<&Place>) -> Result<Option<i32>, StoreError> {
    let above = area.map(|a| a.depth);
    Ok(sqlx::query_scalar!(
        r#"SELECT min(depth) + 1 AS "place?" FROM (
             SELECT depth FROM location WHERE election_id = $1 AND NOT is_station AND ($2::smallint IS NULL OR depth > $2)
             GROUP BY depth HAVING $2::smallint IS NOT NULL OR count(*) > 1) level"#,
        election,
        above
    )
    .fetch_one(conn)
    .await?)
}

/// Sums up all questions of a checklist. `None`: the election has no such checklist.
pub async fn questions(
    store: &Store,
    election: &Election,
    prefix: &str,
    area: Option<&Place>,
) -> Result<Option<Questions>, StoreError> {
    store
        .with_tx(summary_deadline(), async |conn: &mut PgConnection| {
            begin(conn).await?;
            let Some(checklist) = definition(conn, election.id, prefix).await? else { return Ok(None) };
            let area = area.map(|a| a.id);
            let reports = sqlx::query_scalar!(
                r#"SELECT count(*) AS "n!" FROM submission WHERE election_id = $1 AND prefix = $2
                     AND ($3::int IS NULL OR station_id IN (SELECT id FROM location WHERE path @> ARRAY[$3::int]))"#,
                election.id,
                prefix,
                area
            )
            .fetch_one(&mut *conn)
            .await?;
            let expected = match checklist.kind {
                Kind::Incident => None,
                Kind::Checklist => Some(observers(conn, election.id, area).await?),
            };
            let summaries = summaries(conn, election.id, &checklist, area).await?;
            Ok(Some(Questions { checklist, expected, reports, summaries }))
        })
        .await
}

async fn summaries(
    conn: &mut PgConnection,
    election: i32,
    checklist: &Checklist,
    area: Option<i32>,
) -> Result<Vec<Summary>, StoreError> {
    let texts: Vec<String> = checklist.questions.iter().filter(|q| is_text(q)).map(|q| q.code.clone()).collect();
    let mut folds: Vec<Option<Fold<'_>>> = checklist.questions.iter().map(|q| Some(Fold::new(q))).collect();
    let mut done: Vec<Option<Summary>> = vec![None; folds.len()];
    {
        let mut rows = sqlx::query!(
            r#"SELECT a.key AS "code!", CASE WHEN a.key = ANY($4) THEN NULL ELSE a.value END AS "value: Json<Value>",
                 count(*) AS "reports!"
             FROM submission s CROSS JOIN LATERAL jsonb_each(s.answers) a
             WHERE s.election_id = $1 AND s.prefix = $2
                 AND ($3::int IS NULL OR s.station_id IN (SELECT id FROM location WHERE path @> ARRAY[$3::int]))
             GROUP BY 1, 2 ORDER BY 1, 2"#,
            election,
            checklist.prefix,
            area,
            &texts
        )
        .fetch(conn);
        let mut last = None;
        while let Some(row) = rows.try_next().await? {
            // An answer of an earlier version's question has no place here.
            let Some(at) = checklist.questions.iter().position(|q| q.code == row.code) else { continue };
            if let Some(before) = last.replace(at).filter(|before| *before != at) {
                end(&mut folds, &mut done, before);
            }
            if let Some(Some(fold)) = folds.get_mut(at) {
                match row.value {
                    Some(Json(value)) => fold.add(&value, row.reports),
                    None => fold.count(row.reports),
                }
            }
        }
    }
    for at in 0..folds.len() {
        end(&mut folds, &mut done, at);
    }
    Ok(done.into_iter().flatten().collect())
}

/// A question whose values have all come.
fn end(folds: &mut [Option<Fold<'_>>], done: &mut [Option<Summary>], at: usize) {
    if let (Some(fold), Some(done)) = (folds.get_mut(at).and_then(Option::take), done.get_mut(at)) {
        *done = Some(fold.end());
    }
}

/// Sums up one question, area by area, below an area or in the whole country. Empty where only stations
/// are below: their few reports are no summary.
pub async fn by_area(
    store: &Store,
    election: &Election,
    checklist: &Checklist,
    question: &Question,
    area: Option<&Place>,
) -> Result<ByArea, StoreError> {
    store
        .with_tx(summary_deadline(), async |conn: &mut PgConnection| {
            begin(conn).await?;
            let Some(level) = level_below(conn, election.id, area).await? else {
                return Ok(ByArea { areas: Vec::new(), cut: false });
            };
            let area = area.map(|a| a.id);
            let places = places(conn, election.id, level, area).await?;
            let cut = places.len() as i64 > WEB_AREA_ROWS;
            let expected = matches!(checklist.kind, Kind::Checklist);
            let mut areas: Vec<AreaSummary> = Vec::with_capacity(places.len());
            for (place, observers) in places.into_iter().take(WEB_AREA_ROWS as usize) {
                let expected = expected.then_some(observers);
                areas.push(AreaSummary { place, expected, reports: 0, summary: Fold::new(question).end() });
            }
            let mut rows = sqlx::query!(
                r#"SELECT coalesce(l.path[$4], l.id) AS "area?",
                     CASE WHEN $6 THEN NULL ELSE s.answers -> $3 END AS "value: Json<Value>",
                     s.answers ? $3 AS "answered!", count(*) AS "reports!"
                 FROM submission s LEFT JOIN location l ON l.id = s.station_id
                 WHERE s.election_id = $1 AND s.prefix = $2 AND ($5::int IS NULL OR l.path @> ARRAY[$5::int])
                 GROUP BY 1, 2, 3 ORDER BY 1, 2"#,
                election.id,
                checklist.prefix,
                question.code,
                level,
                area,
                is_text(question)
            )
            .fetch(conn);
            let mut open: Option<(Option<i32>, Fold<'_>, i64)> = None;
            while let Some(row) = rows.try_next().await? {
                if open.as_ref().is_none_or(|(area, ..)| *area != row.area) {
                    put(&mut areas, open.replace((row.area, Fold::new(question), 0)));
                }
                let Some((_, fold, reports)) = &mut open else { continue };
                *reports += row.reports;
                match row.value {
                    Some(Json(value)) => fold.add(&value, row.reports),
                    None if row.answered => fold.count(row.reports),
                    None => {}
                }
            }
            put(&mut areas, open);
            // A row of observers without a station is there only where there are any.
            areas.retain(|a| a.place.is_some() || a.reports > 0 || a.expected.is_some_and(|n| n > 0));
            Ok(ByArea { areas, cut })
        })
        .await
}

fn put(areas: &mut [AreaSummary], ended: Option<(Option<i32>, Fold<'_>, i64)>) {
    let Some((id, fold, reports)) = ended else { return };
    if let Some(area) = areas.iter_mut().find(|a| a.place.as_ref().map(|p| p.id) == id) {
        area.summary = fold.end();
        area.reports = reports;
    }
}

/// The places of a level with their observers, and last those without a station.
async fn places(
    conn: &mut PgConnection,
    election: i32,
    level: i32,
    area: Option<i32>,
) -> Result<Vec<(Option<Place>, i64)>, StoreError> {
    let rows = sqlx::query!(
        r#"WITH posted AS (
             SELECT coalesce(l.path[$2], l.id) AS area, count(*) AS observers
             FROM observer o LEFT JOIN location l ON l.id = o.station_id
             WHERE o.election_id = $1 AND ($3::int IS NULL OR l.path @> ARRAY[$3::int]) GROUP BY 1)
         SELECT p.id, p.level, p.depth, p.code, p.name, p.is_station, coalesce(o.observers, 0) AS "observers!"
         FROM location p LEFT JOIN posted o ON o.area = p.id
         WHERE p.election_id = $1 AND p.depth = $2 - 1 AND NOT p.is_station AND ($3::int IS NULL OR p.path @> ARRAY[$3::int])
         ORDER BY p.name, p.code LIMIT $4"#,
        election,
        level,
        area,
        WEB_AREA_ROWS + 1
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut places: Vec<(Option<Place>, i64)> = rows
        .into_iter()
        .map(|r| {
            let place = Place {
                id: r.id,
                level: r.level,
                depth: r.depth,
                code: r.code,
                name: r.name,
                is_station: r.is_station,
            };
            (Some(place), r.observers)
        })
        .collect();
    if area.is_none() {
        let unposted = sqlx::query_scalar!(
            r#"SELECT count(*) AS "n!" FROM observer WHERE election_id = $1 AND station_id IS NULL"#,
            election
        )
        .fetch_one(conn)
        .await?;
        places.push((None, unposted));
    }
    Ok(places)
}

async fn observers(conn: &mut PgConnection, election: i32, area: Option<i32>) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "n!" FROM observer WHERE election_id = $1
             AND ($2::int IS NULL OR station_id IN (SELECT id FROM location WHERE path @> ARRAY[$2::int]))"#,
        election,
        area
    )
    .fetch_one(conn)
    .await?)
}

async fn definition(conn: &mut PgConnection, election: i32, prefix: &str) -> Result<Option<Checklist>, StoreError> {
    let definition = sqlx::query_scalar!(
        "SELECT definition FROM checklist WHERE election_id = $1 AND prefix = $2 ORDER BY version DESC LIMIT 1",
        election,
        prefix
    )
    .fetch_optional(conn)
    .await?;
    definition
        .map(|d| serde_json::from_value(d).map_err(|e| StoreError::Unreadable(format!("checklist {prefix}: {e}"))))
        .transpose()
}

/// All figures of one answer are of one instant.
async fn begin(conn: &mut PgConnection) -> Result<(), StoreError> {
    conn.execute(
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL jit = off; SET LOCAL work_mem = '16MB'",
    )
    .await?;
    conn.execute(SUMMARY_TIMEOUT).await?;
    Ok(())
}

fn is_text(question: &Question) -> bool {
    matches!(question.kind, QuestionType::Text {})
}
