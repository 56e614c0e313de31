//! The overview's table by area.

use sqlx::PgConnection;

use super::super::Place;
use super::super::election::ChecklistName;
use super::{Area, Tally};
use crate::limits;
use crate::store::StoreError;

/// A count of one area: of observers where there is no prefix, else of complete and partial reports.
struct Counted {
    prefix: Option<String>,
    complete: i64,
    partial: i64,
    place: Option<Place>,
}

/// The level shown, as an index into paths: the one below the area; without one the first level that has
/// several places. And whether its places are stations.
async fn level(conn: &mut PgConnection, election: i32, area: Option<&Place>) -> Result<(i32, bool), StoreError> {
    let depth = match area {
        Some(a) if a.is_station => a.depth,
        Some(a) => a.depth + 1,
        None => {
            sqlx::query_scalar!(
                r#"SELECT coalesce(
                     (SELECT min(depth) FROM (SELECT depth FROM location WHERE election_id = $1 AND NOT is_station
                          GROUP BY depth HAVING count(*) > 1) several),
                     (SELECT depth FROM location WHERE election_id = $1 AND is_station LIMIT 1), 0)::smallint AS "depth!""#,
                election
            )
            .fetch_one(&mut *conn)
            .await?
        }
    };
    // What is at that depth anywhere: a level's depth is the same everywhere.
    let stations = sqlx::query_scalar!(
        r#"SELECT coalesce((SELECT is_station FROM location WHERE election_id = $1 AND depth = $2
             AND ($3::int IS NULL OR path @> ARRAY[$3::int]) LIMIT 1), true) AS "stations!""#,
        election,
        depth,
        area.map(|a| a.id)
    )
    .fetch_one(conn)
    .await?;
    Ok((i32::from(depth) + 1, stations))
}

/// The areas with their tallies, by name; the flag says that some were summed up in the last.
pub(super) async fn areas(
    conn: &mut PgConnection,
    election: i32,
    area: Option<&Place>,
    checklists: &[ChecklistName],
) -> Result<(Vec<Area>, bool), StoreError> {
    let (level, stations) = level(conn, election, area).await?;
    let area = area.map(|a| a.id);
    let rows = match stations {
        true => of_stations(conn, election, area, level).await?,
        false => of_areas(conn, election, area, level).await?,
    };
    let mut areas: Vec<Area> = Vec::new();
    let mut cut = false;
    for row in rows {
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
                place: row.place,
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

/// From the counts that are kept. Forms with serials are counted from submissions, as an observer counts once.
async fn of_areas(
    conn: &mut PgConnection,
    election: i32,
    area: Option<i32>,
    level: i32,
) -> Result<Vec<Counted>, StoreError> {
    let serials = sqlx::query_scalar!(
        r#"SELECT prefix AS "prefix!" FROM tally WHERE election_id = $1 GROUP BY prefix HAVING sum(serials) > 0"#,
        election
    )
    .fetch_all(&mut *conn)
    .await?;
    let rows = sqlx::query!(
        r#"WITH posted AS (
             SELECT area_id, observers FROM tally_observer WHERE election_id = $1
             UNION ALL SELECT DISTINCT area_id, 0 FROM tally WHERE election_id = $1
         ), reported AS (
             SELECT station_id, observer_id, prefix, bool_and(missing = 0) AS complete FROM submission
             WHERE cardinality($4::text[]) > 0 AND election_id = $1 AND prefix = ANY($4) GROUP BY 1, 2, 3
         ), counted AS (
             SELECT coalesce(l.path[$3], l.id) AS area, NULL AS prefix, sum(p.observers) AS complete, 0 AS partial
             FROM posted p LEFT JOIN location l ON l.id = p.area_id
             WHERE $2::int IS NULL OR l.path @> ARRAY[$2::int] GROUP BY 1
             UNION ALL
             SELECT coalesce(l.path[$3], l.id), t.prefix, sum(t.complete), sum(t.submissions - t.complete)
             FROM tally t LEFT JOIN location l ON l.id = t.area_id
             WHERE t.election_id = $1 AND t.kind = 'checklist' AND t.prefix <> ALL($4)
                 AND ($2::int IS NULL OR l.path @> ARRAY[$2::int]) GROUP BY 1, 2
             UNION ALL
             SELECT coalesce(l.path[$3], l.parent_id, l.id), r.prefix, count(*) FILTER (WHERE r.complete),
                 count(*) FILTER (WHERE NOT r.complete)
             FROM reported r LEFT JOIN location l ON l.id = r.station_id
             WHERE $2::int IS NULL OR l.path @> ARRAY[$2::int] GROUP BY 1, 2
         )
         SELECT c.prefix, c.complete::bigint AS "complete!", c.partial::bigint AS "partial!", l.id AS "id?",
             l.level AS "level?", l.depth AS "depth?", l.code AS "code?", l.name AS "name?", l.is_station AS "is_station?"
         FROM counted c LEFT JOIN location l ON l.id = c.area WHERE c.prefix IS NULL OR c.complete + c.partial > 0
         ORDER BY l.name NULLS LAST, l.code NULLS LAST, l.id, c.prefix NULLS FIRST"#,
        election,
        area,
        level,
        &serials
    )
    .fetch_all(conn)
    .await?;
    let place = |id, level, depth, code, name, is_station| place((id, level, depth, code, name, is_station));
    let mut counted: Vec<Counted> = rows
        .into_iter()
        .map(|r| Counted {
            prefix: r.prefix,
            complete: r.complete,
            partial: r.partial,
            place: place(r.id, r.level, r.depth, r.code, r.name, r.is_station),
        })
        .collect();
    // Observers without a station: a row only where there are any.
    if let Some(last) = counted.iter().position(|c| c.place.is_none())
        && counted.iter().skip(last).all(|c| c.complete + c.partial == 0)
    {
        counted.truncate(last);
    }
    Ok(counted)
}

/// From the submissions of an area's stations, one by one.
async fn of_stations(
    conn: &mut PgConnection,
    election: i32,
    area: Option<i32>,
    level: i32,
) -> Result<Vec<Counted>, StoreError> {
    let rows = sqlx::query!(
        r#"WITH reported AS (
             SELECT s.station_id, s.observer_id, s.prefix, bool_and(s.missing = 0) AS complete FROM submission s
             WHERE s.election_id = $1 AND s.kind = 'checklist'
                 AND ($2::int IS NULL OR s.station_id = ANY(ARRAY(SELECT id FROM location WHERE path @> ARRAY[$2::int])))
             GROUP BY 1, 2, 3
         ), posted AS (
             SELECT coalesce(l.path[$3], l.id) AS area, count(*) AS observers
             FROM observer o LEFT JOIN location l ON l.id = o.station_id
             WHERE o.election_id = $1 AND ($2::int IS NULL OR l.path @> ARRAY[$2::int]) GROUP BY 1
         ), counted AS (
             SELECT area, NULL AS prefix, sum(observers) AS complete, 0 AS partial
             FROM (SELECT area, observers FROM posted
                   UNION ALL SELECT DISTINCT coalesce(l.path[$3], l.id), 0 FROM reported r LEFT JOIN location l ON l.id = r.station_id) p
             GROUP BY area
             UNION ALL
             SELECT coalesce(l.path[$3], l.id), r.prefix, count(*) FILTER (WHERE r.complete), count(*) FILTER (WHERE NOT r.complete)
             FROM reported r LEFT JOIN location l ON l.id = r.station_id GROUP BY 1, 2
         )
         SELECT c.prefix, c.complete::bigint AS "complete!", c.partial::bigint AS "partial!", l.id AS "id?",
             l.level AS "level?", l.depth AS "depth?", l.code AS "code?", l.name AS "name?", l.is_station AS "is_station?"
         FROM counted c LEFT JOIN location l ON l.id = c.area
         ORDER BY l.name NULLS LAST, l.code NULLS LAST, l.id, c.prefix NULLS FIRST"#,
        election,
        area,
        level
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| Counted {
            prefix: r.prefix,
            complete: r.complete,
            partial: r.partial,
            place: place((r.id, r.level, r.depth, r.code, r.name, r.is_station)),
        })
        .collect())
}

type Columns = (Option<i32>, Option<String>, Option<i16>, Option<String>, Option<String>, Option<bool>);

fn place(columns: Columns) -> Option<Place> {
    match columns {
        (Some(id), Some(level), Some(depth), Some(code), Some(name), Some(is_station)) => {
            Some(Place { id, level, depth, code, name, is_station })
        }
        _ => None,
    }
}
