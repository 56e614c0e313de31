//! `archive_observer`: the observers of an archived election, by code, without names and phones.

use sqlx::PgConnection;

use super::archive::Making;
use super::pages::observers::{Counts, Row};
use super::{Store, StoreError};

/// Which observers of an archived election: all that pass each of these.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Posted in this area or station, by its code.
    pub area: Option<String>,
    /// Of what is expected, only this checklist.
    pub prefix: Option<String>,
    /// `missing`, `nothing`, `partial` or `complete`.
    pub state: Option<&'static str>,
    /// Whose code begins so.
    pub code: Option<String>,
    /// After this code.
    pub after: Option<String>,
}

/// The last that a version in the making has.
pub async fn last(store: &Store, making: &Making) -> Result<Option<String>, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            Ok(sqlx::query_scalar!(
                "SELECT max(code) FROM archive_observer WHERE election_id = $1 AND version = $2",
                making.election,
                making.version
            )
            .fetch_one(conn)
            .await?)
        })
        .await
}

/// Stores observers with their compressed JSON.
pub async fn put(store: &Store, making: &Making, rows: &[(Row, Vec<u8>)]) -> Result<(), StoreError> {
    let codes: Vec<&str> = rows.iter().map(|(r, _)| r.code.as_str()).collect();
    let expected: Vec<i16> = rows.iter().map(|(r, _)| i16::try_from(r.expected).unwrap_or(i16::MAX)).collect();
    let missing: Vec<String> = rows.iter().map(|(r, _)| r.missing.join(" ")).collect();
    let partial: Vec<String> = rows.iter().map(|(r, _)| r.partial.join(" ")).collect();
    let bodies: Vec<&[u8]> = rows.iter().map(|(_, body)| body.as_slice()).collect();
    store
        .with_conn(store.deadline() * 12, async |conn: &mut PgConnection| {
            sqlx::query!(
                "INSERT INTO archive_observer (election_id, version, code, areas, expected, missing, partial, row)
                 SELECT $1, $2, u.a, ARRAY(SELECT p.code FROM location l JOIN location p ON p.id = ANY (l.path) WHERE l.id = o.station_id
                     ORDER BY p.depth), u.b, string_to_array(u.c, ' '), string_to_array(u.d, ' '), u.e
                 FROM UNNEST($3::text[], $4::smallint[], $5::text[], $6::text[], $7::bytea[]) AS u (a, b, c, d, e)
                 JOIN observer o ON o.election_id = $1 AND o.code = u.a
                 ON CONFLICT DO NOTHING",
                making.election,
                making.version,
                &codes[..] as &[&str],
                &expected,
                &missing,
                &partial,
                &bodies[..] as &[&[u8]]
            )
            .execute(conn)
            .await?;
            Ok(())
        })
        .await
}

/// The next `rows` that pass, compressed; the flag says that more follow.
pub async fn page(
    store: &Store,
    election: i32,
    version: i32,
    wanted: &Wanted,
    rows: i64,
) -> Result<(Vec<Vec<u8>>, bool), StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            let mut found = sqlx::query_scalar!(
                "SELECT row FROM archive_observer
                 WHERE election_id = $1 AND version = $2 AND ($3::text IS NULL OR code > $3)
                   AND ($4::text IS NULL OR $4 = ANY (areas)) AND ($5::text IS NULL OR starts_with(code, $5))
                   AND CASE $6::text
                       WHEN 'missing' THEN CASE WHEN $7::text IS NULL THEN missing <> '{}' ELSE $7 = ANY (missing) END
                       WHEN 'nothing' THEN CASE WHEN $7 IS NULL THEN cardinality(missing) = expected ELSE $7 = ANY (missing) END
                       WHEN 'partial' THEN CASE WHEN $7 IS NULL THEN partial <> '{}' ELSE $7 = ANY (partial) END
                       WHEN 'complete' THEN CASE WHEN $7 IS NULL THEN missing = '{}' AND partial = '{}'
                           ELSE $7 <> ALL (missing) AND $7 <> ALL (partial) END
                       ELSE true END
                 ORDER BY code LIMIT $8",
                election,
                version,
                wanted.after,
                wanted.area,
                wanted.code,
                wanted.state,
                wanted.prefix,
                rows + 1
            )
            .fetch_all(conn)
            .await?;
            let more = found.len() as i64 > rows;
            found.truncate(usize::try_from(rows).unwrap_or(0));
            Ok((found, more))
        })
        .await
}

/// How many are complete, on their way, or missing.
pub async fn counts(store: &Store, election: i32, version: i32, wanted: &Wanted) -> Result<Counts, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            Ok(sqlx::query_as!(
                Counts,
                r#"SELECT count(*) AS "all!", count(*) FILTER (WHERE missing = 0 AND partial = 0) AS "complete!",
                     count(*) FILTER (WHERE missing < expected AND missing + partial > 0) AS "some!",
                     count(*) FILTER (WHERE missing = expected) AS "nothing!"
                 FROM (SELECT CASE WHEN $4::text IS NULL THEN expected ELSE 1 END AS expected,
                           CASE WHEN $4 IS NULL THEN cardinality(missing) ELSE ($4 = ANY (missing))::int END AS missing,
                           CASE WHEN $4 IS NULL THEN cardinality(partial) ELSE ($4 = ANY (partial))::int END AS partial
                       FROM archive_observer
                       WHERE election_id = $1 AND version = $2 AND ($3::text IS NULL OR $3 = ANY (areas))) o"#,
                election,
                version,
                wanted.area,
                wanted.prefix
            )
            .fetch_one(conn)
            .await?)
        })
        .await
}
