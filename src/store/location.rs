//! `location`: importing a hierarchy, all or nothing, and listing it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;

use super::import::{ImportError, Imported, lock_election};
use super::{Store, StoreError, array_literal};
use crate::domain::location::{LocationNow, LocationRow, Node, merge};
use crate::limits::{IMPORT_BATCH_ROWS, IMPORT_DEADLINE_SECONDS};

/// Merges rows of a file into an election's hierarchy. `progress` is told of each row written.
pub async fn import(
    store: &Store,
    slug: &str,
    rows: &[LocationRow],
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Imported, ImportError> {
    store
        .with_tx(Duration::from_secs(IMPORT_DEADLINE_SECONDS), async |conn: &mut PgConnection| {
            let election = match lock_election(conn, slug).await? {
                Ok(id) => id,
                Err(error) => return Ok(Err(error)),
            };
            let before = read_all(conn, election).await?;
            let now: Vec<LocationNow> = before.iter().map(|b| b.now.clone()).collect();
            let tree = match merge(&now, rows) {
                Ok(tree) => tree,
                Err(bad) => return Ok(Err(ImportError::Bad(bad))),
            };
            let new = tree.nodes.iter().filter(|n| n.id.is_none()).count();
            let mut fresh = next_ids(conn, new).await?.into_iter();
            let mut placed: Vec<Placed<'_>> = Vec::with_capacity(tree.nodes.len());
            for node in &tree.nodes {
                let id = match node.id.or_else(|| fresh.next()) {
                    Some(id) => id,
                    None => return Err(StoreError::Sql(sqlx::Error::Protocol("too few ids".to_owned()))),
                };
                let above = node.parent.and_then(|p| placed.get(p));
                let mut path = above.map_or_else(Vec::new, |p| p.path.clone());
                path.push(id);
                let parent_id = above.map(|p| p.id);
                placed.push(Placed { node, id, parent_id, path });
            }
            let was: HashMap<i32, &Before> = before.iter().map(|b| (b.now.id, b)).collect();
            let mut done = Imported { read: rows.len(), ..Imported::default() };
            let mut changed = Vec::new();
            let mut added = Vec::new();
            for place in &placed {
                match was.get(&place.id) {
                    None => added.push(place),
                    Some(old) if !old.is(place) => changed.push(place),
                    Some(_) => done.unchanged += usize::from(place.node.line.is_some()),
                }
            }
            // Those that the file does not name may get another path; only the file's are counted.
            done.added = added.len();
            done.changed = changed.iter().filter(|p| p.node.line.is_some()).count();
            progress(done.unchanged as u64);
            for chunk in changed.chunks(IMPORT_BATCH_ROWS) {
                update(conn, chunk).await?;
                progress(chunk.iter().filter(|p| p.node.line.is_some()).count() as u64);
            }
            // Parents come before children.
            for chunk in added.chunks(IMPORT_BATCH_ROWS) {
                insert(conn, election, chunk).await?;
                progress(chunk.len() as u64);
            }
            let ids: HashMap<&str, i32> = placed.iter().map(|p| (p.node.code.as_str(), p.id)).collect();
            let counted = added.iter().chain(&changed).map(|p| p.id).collect();
            let more = write_figures(conn, election, rows, &ids, &counted).await?;
            done.changed += more;
            done.unchanged -= more.min(done.unchanged);
            Ok(Ok(done))
        })
        .await?
}

/// Writes the other numeric columns of a file; how many locations changed in them that are not `counted`.
async fn write_figures(
    conn: &mut PgConnection,
    election: i32,
    rows: &[LocationRow],
    ids: &HashMap<&str, i32>,
    counted: &HashSet<i32>,
) -> Result<usize, StoreError> {
    if rows.iter().all(|r| r.figures.is_empty()) {
        return Ok(0);
    }
    let known = sqlx::query!(
        r#"SELECT id, figures AS "figures!: Json<BTreeMap<String, i64>>" FROM location
           WHERE election_id = $1 AND figures IS NOT NULL"#,
        election
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut known: HashMap<i32, BTreeMap<String, i64>> = known.into_iter().map(|r| (r.id, r.figures.0)).collect();
    let mut new: Vec<(i32, Option<Value>)> = Vec::new();
    for row in rows.iter().filter(|r| !r.figures.is_empty()) {
        let Some(id) = ids.get(row.code.as_str()) else { continue };
        let before = known.remove(id).unwrap_or_default();
        let mut after = before.clone();
        for (name, figure) in &row.figures {
            match figure {
                Some(figure) => drop(after.insert(name.clone(), *figure)),
                None => drop(after.remove(name)),
            }
        }
        if after != before {
            new.push((*id, (!after.is_empty()).then(|| serde_json::json!(after))));
        }
    }
    for chunk in new.chunks(IMPORT_BATCH_ROWS) {
        let (ids, figures): (Vec<i32>, Vec<Option<Value>>) = chunk.iter().cloned().unzip();
        sqlx::query!(
            "UPDATE location l SET figures = u.figures FROM UNNEST($1::int[], $2::jsonb[]) AS u (id, figures)
             WHERE l.id = u.id",
            &ids,
            &figures as &[Option<Value>]
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(new.iter().filter(|(id, _)| !counted.contains(id)).count())
}

struct Before {
    now: LocationNow,
    depth: i16,
    is_station: bool,
    path: Vec<i32>,
}

impl Before {
    fn is(&self, place: &Placed<'_>) -> bool {
        let node = place.node;
        self.now.name == node.name
            && self.now.level == node.level
            && self.now.registered_voters == node.registered_voters
            && self.depth == node.depth
            && self.is_station == node.is_station
            && self.path == place.path
    }
}

struct Placed<'a> {
    node: &'a Node,
    id: i32,
    parent_id: Option<i32>,
    path: Vec<i32>,
}

async fn read_all(conn: &mut PgConnection, election: i32) -> Result<Vec<Before>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT l.id, l.code, l.name, l.level, p.code AS "parent?", l.registered_voters, l.depth, l.is_station, l.path
           FROM location l LEFT JOIN location p ON p.id = l.parent_id WHERE l.election_id = $1 ORDER BY l.id"#,
        election
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| Before {
            now: LocationNow {
                id: r.id,
                code: r.code,
                name: r.name,
                level: r.level,
                parent: r.parent,
                registered_voters: r.registered_voters,
            },
            depth: r.depth,
            is_station: r.is_station,
            path: r.path,
        })
        .collect())
}

async fn next_ids(conn: &mut PgConnection, count: usize) -> Result<Vec<i32>, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT nextval(pg_get_serial_sequence('location', 'id'))::int AS "id!" FROM generate_series(1, $1::int)"#,
        i32::try_from(count).unwrap_or(i32::MAX)
    )
    .fetch_all(conn)
    .await?)
}

async fn insert(conn: &mut PgConnection, election: i32, places: &[&Placed<'_>]) -> Result<(), StoreError> {
    let c = Columns::of(places);
    sqlx::query!(
        "INSERT INTO location (id, election_id, parent_id, level, depth, code, name, registered_voters, is_station, path)
         SELECT u.id, $1, u.parent, u.level, u.depth, u.code, u.name, u.voters, u.station, u.path::int[]
         FROM UNNEST($2::int[], $3::int[], $4::text[], $5::smallint[], $6::text[], $7::text[], $8::int[], $9::bool[], $10::text[])
             AS u (id, parent, level, depth, code, name, voters, station, path)",
        election,
        &c.ids,
        &c.parents as &[Option<i32>],
        &c.levels as &[&str],
        &c.depths,
        &c.codes as &[&str],
        &c.names as &[&str],
        &c.voters as &[Option<i32>],
        &c.stations,
        &c.paths
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn update(conn: &mut PgConnection, places: &[&Placed<'_>]) -> Result<(), StoreError> {
    let c = Columns::of(places);
    sqlx::query!(
        "UPDATE location l SET parent_id = u.parent, level = u.level, depth = u.depth, name = u.name,
             registered_voters = u.voters, is_station = u.station, path = u.path::int[]
         FROM UNNEST($1::int[], $2::int[], $3::text[], $4::smallint[], $5::text[], $6::int[], $7::bool[], $8::text[])
             AS u (id, parent, level, depth, name, voters, station, path)
         WHERE l.id = u.id",
        &c.ids,
        &c.parents as &[Option<i32>],
        &c.levels as &[&str],
        &c.depths,
        &c.names as &[&str],
        &c.voters as &[Option<i32>],
        &c.stations,
        &c.paths
    )
    .execute(conn)
    .await?;
    Ok(())
}

struct Columns<'a> {
    ids: Vec<i32>,
    parents: Vec<Option<i32>>,
    levels: Vec<&'a str>,
    depths: Vec<i16>,
    codes: Vec<&'a str>,
    names: Vec<&'a str>,
    voters: Vec<Option<i32>>,
    stations: Vec<bool>,
    paths: Vec<String>,
}

impl<'a> Columns<'a> {
    fn of(places: &[&Placed<'a>]) -> Self {
        Self {
            ids: places.iter().map(|p| p.id).collect(),
            parents: places.iter().map(|p| p.parent_id).collect(),
            levels: places.iter().map(|p| p.node.level.as_str()).collect(),
            depths: places.iter().map(|p| p.node.depth).collect(),
            codes: places.iter().map(|p| p.node.code.as_str()).collect(),
            names: places.iter().map(|p| p.node.name.as_str()).collect(),
            voters: places.iter().map(|p| p.node.registered_voters).collect(),
            stations: places.iter().map(|p| p.node.is_station).collect(),
            paths: places.iter().map(|p| array_literal(&p.path)).collect(),
        }
    }
}

/// One location, for people and scripts.
#[derive(Debug, Clone, Serialize)]
pub struct LocationLine {
    /// Code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// Level.
    pub level: String,
    /// Code of the location above it.
    pub parent: Option<String>,
    /// Registered voters.
    pub registered_voters: Option<i32>,
    /// Other numeric columns.
    pub figures: Option<Value>,
    /// A polling station.
    pub is_station: bool,
    /// Observers posted there.
    pub observers: i64,
}

/// An election's locations after `after` (a code), at most `limit`, by code.
pub async fn list(store: &Store, election: i32, after: &str, limit: i64) -> Result<Vec<LocationLine>, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            Ok(sqlx::query_as!(
                LocationLine,
                r#"SELECT l.code, l.name, l.level, p.code AS "parent?", l.registered_voters, l.figures, l.is_station,
                       (SELECT count(*) FROM observer o WHERE o.station_id = l.id) AS "observers!"
                   FROM location l LEFT JOIN location p ON p.id = l.parent_id
                   WHERE l.election_id = $1 AND l.code > $2 ORDER BY l.code LIMIT $3"#,
                election,
                after,
                limit
            )
            .fetch_all(conn)
            .await?)
        })
        .await
}
