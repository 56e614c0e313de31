//! Elections: the list with its figures, one by its short name, and its checklists.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::{Moment, Place};
use crate::domain::checklist::{Checklist, Translated};
use crate::store::{Store, StoreError};

/// One election.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Election {
    /// PostgreSQL's key.
    pub id: i32,
    /// Short name.
    pub slug: String,
    /// Name in full.
    pub name: String,
    /// `draft`, `open`, `closed`, `archived`.
    pub state: String,
    /// Its timezone.
    pub timezone: String,
    /// Language of its questions.
    pub language: String,
    /// When it was opened.
    pub opened: Option<Moment>,
    /// When it was closed.
    pub closed: Option<Moment>,
    /// When it was archived.
    pub archived: Option<Moment>,
    /// Version of the archive; 0: it is not archived.
    pub version: i32,
}

/// An election in the list.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Listed {
    /// Short name.
    pub slug: String,
    /// Name in full.
    pub name: String,
    /// State.
    pub state: String,
    /// When it was opened.
    pub opened: Option<Moment>,
    /// When it was closed.
    pub closed: Option<Moment>,
    /// When it was archived.
    pub archived: Option<Moment>,
    /// Observers.
    pub observers: i64,
    /// Polling stations that have an observer.
    pub stations: i64,
    /// Checklist reports.
    pub reports: i64,
    /// Of them complete.
    pub complete: i64,
    /// Incident reports.
    pub incidents: i64,
    /// When the last report came.
    pub last: Option<Moment>,
}

/// A checklist's newest version.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChecklistName {
    /// Its prefix.
    pub prefix: String,
    /// `checklist` or `incident`.
    pub kind: String,
    /// `draft`, `live`, `paused`, `closed`.
    pub state: String,
    /// Its title.
    pub title: Translated,
}

/// All elections that are not archived: open ones first, then the newest.
pub async fn list(store: &Store) -> Result<Vec<Listed>, StoreError> {
    figures(store, None).await
}

/// One election's figures in the list, whatever its state.
pub async fn listed(store: &Store, election: i32) -> Result<Option<Listed>, StoreError> {
    Ok(figures(store, Some(election)).await?.pop())
}

async fn figures(store: &Store, election: Option<i32>) -> Result<Vec<Listed>, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            let rows = sqlx::query!(
                r#"SELECT e.slug, e.name, e.state, e.opened_at, e.closed_at,
                     e.opened_at AT TIME ZONE e.timezone AS opened_local, e.closed_at AT TIME ZONE e.timezone AS closed_local,
                     o.observers AS "observers!", o.stations AS "stations!",
                     s.reports AS "reports!", s.complete AS "complete!", s.incidents AS "incidents!",
                     s.last_at, s.last_at AT TIME ZONE e.timezone AS last_local
                 FROM election e
                 CROSS JOIN LATERAL (SELECT count(*) AS observers, count(DISTINCT station_id) AS stations
                     FROM observer WHERE election_id = e.id) o
                 CROSS JOIN LATERAL (SELECT coalesce(sum(submissions) FILTER (WHERE kind = 'checklist'), 0)::bigint AS reports,
                     coalesce(sum(complete) FILTER (WHERE kind = 'checklist'), 0)::bigint AS complete,
                     coalesce(sum(submissions) FILTER (WHERE kind = 'incident'), 0)::bigint AS incidents,
                     (SELECT max(last_received_at) FROM submission WHERE election_id = e.id) AS last_at
                     FROM tally WHERE election_id = e.id) s
                 WHERE CASE WHEN $1::int IS NULL THEN e.state <> 'archived' ELSE e.id = $1 END
                 ORDER BY array_position(ARRAY['open', 'draft', 'closed', 'archived'], e.state),
                     coalesce(e.closed_at, e.opened_at, e.created_at) DESC, e.id DESC
                 LIMIT 500"#,
                election
            )
            .fetch_all(conn)
            .await?;
            Ok(rows
                .into_iter()
                .map(|r| Listed {
                    slug: r.slug,
                    name: r.name,
                    state: r.state,
                    opened: Moment::of(r.opened_at, r.opened_local),
                    closed: Moment::of(r.closed_at, r.closed_local),
                    archived: None,
                    observers: r.observers,
                    stations: r.stations,
                    reports: r.reports,
                    complete: r.complete,
                    incidents: r.incidents,
                    last: Moment::of(r.last_at, r.last_local),
                })
                .collect())
        })
        .await
}

/// The election with this short name.
pub async fn by_slug(store: &Store, slug: &str) -> Result<Option<Election>, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            let row = sqlx::query!(
                "SELECT id, slug, name, state, timezone, language, opened_at, closed_at,
                     opened_at AT TIME ZONE timezone AS opened_local, closed_at AT TIME ZONE timezone AS closed_local
                 FROM election WHERE slug = $1",
                slug
            )
            .fetch_optional(conn)
            .await?;
            Ok(row.map(|r| Election {
                id: r.id,
                slug: r.slug,
                name: r.name,
                state: r.state,
                timezone: r.timezone,
                language: r.language,
                opened: Moment::of(r.opened_at, r.opened_local),
                closed: Moment::of(r.closed_at, r.closed_local),
                archived: None,
                version: 0,
            }))
        })
        .await
}

/// The newest version of each checklist, by when it was first made.
pub(super) async fn checklists_of(conn: &mut PgConnection, election: i32) -> Result<Vec<ChecklistName>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT prefix AS "prefix!", kind AS "kind!", state AS "state!",
             title AS "title!: sqlx::types::Json<Translated>"
         FROM (SELECT DISTINCT ON (prefix) prefix, kind, state, title, min(id) OVER (PARTITION BY prefix) AS first
               FROM checklist WHERE election_id = $1 ORDER BY prefix, version DESC) newest
         ORDER BY kind, first"#,
        election
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| ChecklistName { prefix: r.prefix, kind: r.kind, state: r.state, title: r.title.0 })
        .collect())
}

/// The newest version of each checklist.
pub async fn checklists(store: &Store, election: i32) -> Result<Vec<ChecklistName>, StoreError> {
    store.with_conn(store.deadline(), async |conn: &mut PgConnection| checklists_of(conn, election).await).await
}

/// The place with this code, below all that it lies in: the top first, itself last. Empty: no such code.
pub async fn trail(store: &Store, election: i32, code: &str) -> Result<Vec<Place>, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            Ok(sqlx::query_as!(
                Place,
                "SELECT p.id, p.level, p.depth, p.code, p.name, p.is_station
                 FROM location l JOIN location p ON p.id = ANY (l.path)
                 WHERE l.election_id = $1 AND l.code = $2 ORDER BY p.depth",
                election,
                code
            )
            .fetch_all(conn)
            .await?)
        })
        .await
}

/// Areas of the first level that has more than one, for a filter's choices.
pub async fn first_level(store: &Store, election: i32) -> Result<Vec<Place>, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            Ok(sqlx::query_as!(
                Place,
                "SELECT id, level, depth, code, name, is_station FROM location
                 WHERE election_id = $1 AND NOT is_station AND depth = (
                     SELECT min(depth) FROM (SELECT depth FROM location WHERE election_id = $1 AND NOT is_station
                         GROUP BY depth HAVING count(*) > 1) several)
                 ORDER BY name, code LIMIT $2",
                election,
                crate::limits::WEB_AREA_ROWS
            )
            .fetch_all(conn)
            .await?)
        })
        .await
}

/// Areas on the level below an area, or on the first level that has more than one. No stations.
pub async fn below(store: &Store, election: i32, area: Option<&Place>) -> Result<Vec<Place>, StoreError> {
    let Some(area) = area else { return first_level(store, election).await };
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            Ok(sqlx::query_as!(
                Place,
                "SELECT id, level, depth, code, name, is_station FROM location
                 WHERE parent_id = $1 AND NOT is_station ORDER BY name, code LIMIT $2",
                area.id,
                crate::limits::WEB_AREA_ROWS
            )
            .fetch_all(conn)
            .await?)
        })
        .await
}

/// The newest version of each checklist in full; one that can't be read is left out.
pub async fn definitions(store: &Store, election: i32) -> Result<Vec<Checklist>, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            let rows = sqlx::query_scalar!(
                "SELECT DISTINCT ON (prefix) definition FROM checklist WHERE election_id = $1 ORDER BY prefix, version DESC",
                election
            )
            .fetch_all(conn)
            .await?;
            Ok(rows.into_iter().filter_map(|definition| serde_json::from_value(definition).ok()).collect())
        })
        .await
}

/// Every version of every checklist that can be read.
pub async fn every_definition(store: &Store, election: i32) -> Result<Vec<Checklist>, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            let rows =
                sqlx::query!("SELECT id, definition FROM checklist WHERE election_id = $1 ORDER BY id", election)
                    .fetch_all(conn)
                    .await?;
            let read = |definition| serde_json::from_value::<Checklist>(definition).ok();
            Ok(rows.into_iter().filter_map(|r| Some(Checklist { id: r.id, ..read(r.definition)? })).collect())
        })
        .await
}

/// Every area with the one that it lies in, the top first. No stations.
pub async fn every_area(store: &Store, election: i32) -> Result<Vec<(Place, Option<i32>)>, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            let rows = sqlx::query!(
                "SELECT id, level, depth, code, name, is_station, parent_id FROM location
                 WHERE election_id = $1 AND NOT is_station ORDER BY depth, name, code",
                election
            )
            .fetch_all(conn)
            .await?;
            let place = |id, level, depth, code, name, is_station| Place { id, level, depth, code, name, is_station };
            Ok(rows
                .into_iter()
                .map(|r| (place(r.id, r.level, r.depth, r.code, r.name, r.is_station), r.parent_id))
                .collect())
        })
        .await
}
