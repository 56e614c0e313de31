//! `observer`, `observer_person`, `observer_phone`: importing the roster, all or nothing, and listing it.

use std::collections::HashMap;
use std::time::Duration;

use serde::Serialize;
use sqlx::PgConnection;

use super::import::{ImportError, Imported, lock_election};
use super::{Store, StoreError, auth};
use crate::domain::location::BadLine;
use crate::limits::{IMPORT_BATCH_ROWS, IMPORT_DEADLINE_SECONDS};

/// One observer of an imported file. An outer `None`: the file does not say, keep what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObserverRow {
    /// Line of the file.
    pub line: u64,
    /// Digits, unique in the election.
    pub code: String,
    /// Name.
    pub name: Option<Option<String>>,
    /// Phones, digits only, each once.
    pub phones: Option<Vec<String>>,
    /// Language of replies.
    pub language: Option<Option<String>>,
    /// Code of the station.
    pub station: Option<Option<String>>,
    /// Authentication code; it is kept as a hash.
    pub auth_code: Option<Option<String>>,
}

/// An observer as it shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Whole {
    id: i32,
    language: Option<String>,
    station_id: Option<i32>,
    name: Option<String>,
    phones: Vec<String>,
}

/// Merges rows of a file, whose codes are unique, into an election's roster. `progress` is told of
/// each row written.
pub async fn import(
    store: &Store,
    slug: &str,
    rows: &[ObserverRow],
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Imported, ImportError> {
    store
        .with_tx(Duration::from_secs(IMPORT_DEADLINE_SECONDS), async |conn: &mut PgConnection| {
            let election = match lock_election(conn, slug).await? {
                Ok(id) => id,
                Err(error) => return Ok(Err(error)),
            };
            let before = read_all(conn, election).await?;
            let stations = stations(conn, election).await?;
            let key = auth::key(conn).await?;
            let hashes: HashMap<i32, i64> = auth::hashes(conn, election).await?.into_iter().collect();
            let (mut auths, mut recoded) = (Vec::new(), 0);
            let mut bad = Vec::new();
            let mut done = Imported { read: rows.len(), ..Imported::default() };
            let (mut added, mut changed) = (Vec::new(), Vec::new());
            for row in rows {
                let old = before.get(&row.code);
                let station_id = match &row.station {
                    None => old.and_then(|o| o.station_id),
                    Some(None) => None,
                    Some(Some(code)) => match stations.get(code) {
                        Some((id, true)) => Some(*id),
                        Some((_, false)) => {
                            let reason =
                                format!("location `{code}` is not a station; name the code of a polling station");
                            bad.push(BadLine { line: row.line, reason });
                            None
                        }
                        None => {
                            let reason =
                                format!("station `{code}` is not among the election's locations; import those first");
                            bad.push(BadLine { line: row.line, reason });
                            None
                        }
                    },
                };
                let whole = Whole {
                    id: old.map_or(0, |o| o.id),
                    language: row.language.clone().unwrap_or_else(|| old.and_then(|o| o.language.clone())),
                    station_id,
                    name: row.name.clone().unwrap_or_else(|| old.and_then(|o| o.name.clone())),
                    phones: row.phones.clone().unwrap_or_else(|| old.map(|o| o.phones.clone()).unwrap_or_default()),
                };
                let auth =
                    row.auth_code.as_ref().map(|code| code.as_ref().map(|code| key.hash(election, &row.code, code)));
                match old {
                    None => added.push((row.code.as_str(), whole)),
                    Some(old) if *old != whole => changed.push((row.code.as_str(), whole)),
                    Some(old) if auth.is_some_and(|new| new != hashes.get(&old.id).copied()) => recoded += 1,
                    Some(_) => done.unchanged += 1,
                }
                auths.extend(auth.map(|hash| (row.code.as_str(), hash)));
            }
            if !bad.is_empty() {
                return Ok(Err(ImportError::Bad(bad)));
            }
            (done.added, done.changed) = (added.len(), changed.len() + recoded);
            progress((done.unchanged + recoded) as u64);
            let phone_ids = phone_ids(conn, added.iter().chain(&changed).flat_map(|(_, w)| &w.phones)).await?;
            for (whole, id) in added.iter_mut().map(|(_, w)| w).zip(next_ids(conn, done.added).await?) {
                whole.id = id;
            }
            for chunk in changed.chunks(IMPORT_BATCH_ROWS) {
                update(conn, chunk).await?;
                write_details(conn, chunk, &phone_ids).await?;
                progress(chunk.len() as u64);
            }
            for chunk in added.chunks(IMPORT_BATCH_ROWS) {
                insert(conn, election, chunk).await?;
                write_details(conn, chunk, &phone_ids).await?;
                progress(chunk.len() as u64);
            }
            if !auths.is_empty() {
                let ids: HashMap<&str, i32> = added.iter().map(|(code, whole)| (*code, whole.id)).collect();
                let id = |code: &str| ids.get(code).copied().or_else(|| before.get(code).map(|o| o.id));
                let codes: Vec<(i32, Option<i64>)> =
                    auths.into_iter().filter_map(|(code, hash)| Some((id(code)?, hash))).collect();
                auth::set(conn, &codes).await?;
            }
            Ok(Ok(done))
        })
        .await?
}

async fn read_all(conn: &mut PgConnection, election: i32) -> Result<HashMap<String, Whole>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT o.id, o.code, o.language, o.station_id, n.name AS "name?",
               ARRAY(SELECT p.msisdn FROM observer_phone op JOIN phone p ON p.id = op.phone_id
                     WHERE op.observer_id = o.id ORDER BY op.place, p.id) AS "phones!"
           FROM observer o LEFT JOIN observer_person n ON n.observer_id = o.id WHERE o.election_id = $1"#,
        election
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| {
            let whole =
                Whole { id: r.id, language: r.language, station_id: r.station_id, name: r.name, phones: r.phones };
            (r.code, whole)
        })
        .collect())
}

async fn stations(conn: &mut PgConnection, election: i32) -> Result<HashMap<String, (i32, bool)>, StoreError> {
    let rows = sqlx::query!("SELECT id, code, is_station FROM location WHERE election_id = $1", election)
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().map(|r| (r.code, (r.id, r.is_station))).collect())
}

async fn next_ids(conn: &mut PgConnection, count: usize) -> Result<Vec<i32>, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT nextval(pg_get_serial_sequence('observer', 'id'))::int AS "id!" FROM generate_series(1, $1::int)"#,
        i32::try_from(count).unwrap_or(i32::MAX)
    )
    .fetch_all(conn)
    .await?)
}

/// Ids of phones, made where they are missing; sorted, so that no two imports wait for each other.
async fn phone_ids<'a>(
    conn: &mut PgConnection,
    phones: impl Iterator<Item = &'a String>,
) -> Result<HashMap<String, i64>, StoreError> {
    let mut wanted: Vec<&str> = phones.map(String::as_str).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut found = HashMap::with_capacity(wanted.len());
    for chunk in wanted.chunks(IMPORT_BATCH_ROWS) {
        sqlx::query!(
            "INSERT INTO phone (msisdn) SELECT n FROM UNNEST($1::text[]) WITH ORDINALITY AS u (n, place)
             WHERE NOT EXISTS (SELECT FROM phone p WHERE p.msisdn = n) ORDER BY place ON CONFLICT DO NOTHING",
            chunk as &[&str]
        )
        .execute(&mut *conn)
        .await?;
        let rows = sqlx::query!("SELECT id, msisdn FROM phone WHERE msisdn = ANY($1::text[])", chunk as &[&str])
            .fetch_all(&mut *conn)
            .await?;
        found.extend(rows.into_iter().map(|r| (r.msisdn, r.id)));
    }
    Ok(found)
}

async fn insert(conn: &mut PgConnection, election: i32, chunk: &[(&str, Whole)]) -> Result<(), StoreError> {
    let ids: Vec<i32> = chunk.iter().map(|(_, w)| w.id).collect();
    let codes: Vec<&str> = chunk.iter().map(|(code, _)| *code).collect();
    let languages: Vec<Option<&str>> = chunk.iter().map(|(_, w)| w.language.as_deref()).collect();
    let stations: Vec<Option<i32>> = chunk.iter().map(|(_, w)| w.station_id).collect();
    sqlx::query!(
        "INSERT INTO observer (id, election_id, code, language, station_id)
         SELECT u.id, $1, u.code, u.language, u.station
         FROM UNNEST($2::int[], $3::text[], $4::text[], $5::int[]) AS u (id, code, language, station)",
        election,
        &ids,
        &codes as &[&str],
        &languages as &[Option<&str>],
        &stations as &[Option<i32>]
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn update(conn: &mut PgConnection, chunk: &[(&str, Whole)]) -> Result<(), StoreError> {
    let ids: Vec<i32> = chunk.iter().map(|(_, w)| w.id).collect();
    let languages: Vec<Option<&str>> = chunk.iter().map(|(_, w)| w.language.as_deref()).collect();
    let stations: Vec<Option<i32>> = chunk.iter().map(|(_, w)| w.station_id).collect();
    sqlx::query!(
        "UPDATE observer o SET language = u.language, station_id = u.station
         FROM UNNEST($1::int[], $2::text[], $3::int[]) AS u (id, language, station) WHERE o.id = u.id",
        &ids,
        &languages as &[Option<&str>],
        &stations as &[Option<i32>]
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("DELETE FROM observer_phone WHERE observer_id = ANY($1)", &ids).execute(&mut *conn).await?;
    sqlx::query!("DELETE FROM observer_person WHERE observer_id = ANY($1)", &ids).execute(conn).await?;
    Ok(())
}

/// Names and phones of observers that have none.
async fn write_details(
    conn: &mut PgConnection,
    chunk: &[(&str, Whole)],
    phone_ids: &HashMap<String, i64>,
) -> Result<(), StoreError> {
    let (named, names): (Vec<i32>, Vec<&str>) =
        chunk.iter().filter_map(|(_, w)| Some((w.id, w.name.as_deref()?))).unzip();
    sqlx::query!(
        "INSERT INTO observer_person (observer_id, name) SELECT * FROM UNNEST($1::int[], $2::text[])",
        &named,
        &names as &[&str]
    )
    .execute(&mut *conn)
    .await?;
    let (mut observers, mut phones, mut places) = (Vec::new(), Vec::new(), Vec::new());
    for (_, whole) in chunk {
        for (place, phone) in (0i16..).zip(&whole.phones) {
            if let Some(id) = phone_ids.get(phone) {
                observers.push(whole.id);
                phones.push(*id);
                places.push(place);
            }
        }
    }
    sqlx::query!(
        "INSERT INTO observer_phone (observer_id, phone_id, place) SELECT * FROM UNNEST($1::int[], $2::bigint[], $3::smallint[])",
        &observers,
        &phones,
        &places
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// One observer, for people and scripts.
#[derive(Debug, Clone, Serialize)]
pub struct ObserverLine {
    /// Code.
    pub code: String,
    /// Name.
    pub name: Option<String>,
    /// Language.
    pub language: Option<String>,
    /// Code of the station.
    pub station: Option<String>,
    /// Phones, masked unless asked otherwise.
    pub phones: Vec<String>,
    /// An authentication code is set.
    pub auth_code: bool,
}

/// An election's observers after `after` (a code), at most `limit`, by code.
pub async fn list(
    store: &Store,
    election: i32,
    after: &str,
    limit: i64,
    show_phones: bool,
) -> Result<Vec<ObserverLine>, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            Ok(sqlx::query_as!(
                ObserverLine,
                r#"SELECT o.code, n.name AS "name?", o.language, l.code AS "station?",
                       ARRAY(SELECT CASE WHEN $4 THEN p.msisdn ELSE p.masked END
                             FROM observer_phone op JOIN phone p ON p.id = op.phone_id
                             WHERE op.observer_id = o.id ORDER BY op.place, p.id) AS "phones!",
                       EXISTS (SELECT FROM observer_auth a WHERE a.observer_id = o.id) AS "auth_code!"
                   FROM observer o LEFT JOIN observer_person n ON n.observer_id = o.id
                       LEFT JOIN location l ON l.id = o.station_id
                   WHERE o.election_id = $1 AND o.code > $2 ORDER BY o.code LIMIT $3"#,
                election,
                after,
                limit,
                show_phones
            )
            .fetch_all(conn)
            .await?)
        })
        .await
}
