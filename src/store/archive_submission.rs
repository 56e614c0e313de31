//! `archive_submission`: the submissions of an archived election, in the order of the list.

use sqlx::PgConnection;
use sqlx::types::Json;
use time::PrimitiveDateTime;
use uuid::Uuid;

use super::archive::Making;
use super::pages::election::Election;
use super::pages::submission::{Detail, histories};
use super::pages::submission_filter::Answered;
use super::pages::submissions::Cursor;
use super::pages::{Moment, Place};
use super::{Store, StoreError};
use crate::domain::value::Answers;
use crate::limits::{ARCHIVE_SLICE, WEB_SCAN_FAR_ROWS};

/// One submission on its way into the archive.
#[derive(Debug)]
pub struct Frozen {
    /// All that its page shows, without the checklist, which stands apart.
    pub detail: Detail,
    /// The checklist's key.
    pub checklist: i32,
    /// Revisions in all, beyond those shown.
    pub revised: bool,
}

/// How many an election has.
pub async fn count(store: &Store, election: i32) -> Result<i64, StoreError> {
    store
        .with_conn(store.deadline() * 12, async |conn: &mut PgConnection| {
            Ok(sqlx::query_scalar!(r#"SELECT count(*) AS "n!" FROM submission WHERE election_id = $1"#, election)
                .fetch_one(conn)
                .await?)
        })
        .await
}

/// The last that a version in the making has; `None`: none yet.
pub async fn last(store: &Store, making: &Making) -> Result<Option<Cursor>, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            Ok(sqlx::query_as!(
                Cursor,
                "SELECT s.last_received_at AS at, s.id FROM archive_submission a
                 JOIN submission s ON s.election_id = a.election_id AND s.id = a.id
                 WHERE a.election_id = $1 AND a.version = $2 ORDER BY a.place DESC LIMIT 1",
                making.election,
                making.version
            )
            .fetch_optional(conn)
            .await?)
        })
        .await
}

/// The next submissions to freeze, the latest first, after one; a slice.
pub async fn next(store: &Store, election: &Election, after: Option<Cursor>) -> Result<Vec<Frozen>, StoreError> {
    store
        .with_conn(store.deadline() * 12, async |conn: &mut PgConnection| {
            let rows = sqlx::query!(
                r#"SELECT s.id, s.checklist_id, s.prefix, s.kind, s.serial, o.code AS observer, s.station_id,
                     l.registered_voters AS "voters?", s.answers AS "answers!: Json<Answers>", s.missing, s.broken_rules, s.comment,
                     s.revisions, s.first_received_at, s.last_received_at,
                     s.first_received_at AT TIME ZONE $3 AS "first_local!", s.last_received_at AT TIME ZONE $3 AS "last_local!",
                     coalesce((SELECT json_agg(json_build_object('id', p.id, 'level', p.level, 'depth', p.depth, 'code', p.code,
                             'name', p.name, 'is_station', p.is_station) ORDER BY p.depth)
                         FROM location p WHERE p.id = ANY (l.path)), '[]') AS "trail!: Json<Vec<Place>>"
                 FROM submission s JOIN observer o ON o.id = s.observer_id LEFT JOIN location l ON l.id = s.station_id
                 WHERE s.election_id = $1 AND ($2::timestamptz IS NULL
                     OR s.last_received_at <= $2 AND (s.last_received_at < $2 OR s.id > $5::uuid))
                 ORDER BY s.last_received_at DESC, s.id LIMIT $4"#,
                election.id,
                after.map(|c| c.at),
                election.timezone,
                ARCHIVE_SLICE,
                after.map(|c| c.id)
            )
            .fetch_all(&mut *conn)
            .await?;
            let ids: Vec<Uuid> = rows.iter().map(|r| r.id).collect();
            let mut histories = histories(conn, election, &ids).await?;
            Ok(rows
                .into_iter()
                .map(|r| Frozen {
                    checklist: r.checklist_id,
                    revised: r.revisions > 1,
                    detail: Detail {
                        id: r.id,
                        prefix: r.prefix,
                        kind: r.kind,
                        serial: r.serial,
                        checklist: None,
                        observer: r.observer,
                        trail: r.trail.0,
                        registered_voters: r.voters,
                        answers: r.answers.0,
                        missing: r.missing,
                        broken_rules: r.broken_rules,
                        comment: r.comment,
                        first: Moment { at: r.first_received_at, local: r.first_local },
                        last: Moment { at: r.last_received_at, local: r.last_local },
                        revisions: r.revisions,
                        history: histories.remove(&r.id).unwrap_or_default(),
                    },
                })
                .collect())
        })
        .await
}

/// A row to store.
#[derive(Debug)]
pub struct NewRow {
    /// What it is.
    pub frozen: Frozen,
    /// Its line in the list, compressed JSON.
    pub row: Vec<u8>,
    /// Its page, compressed JSON.
    pub detail: Vec<u8>,
}

/// Stores submissions from place `from` on, in one transaction.
pub async fn put(store: &Store, making: &Making, from: i64, rows: &[NewRow]) -> Result<(), StoreError> {
    let areas: Vec<String> = rows
        .iter()
        .map(|r| serde_json::to_string(&r.frozen.detail.trail.iter().map(|p| &p.code).collect::<Vec<_>>()))
        .collect::<Result<_, _>>()
        .map_err(|e| StoreError::Unreadable(e.to_string()))?;
    let places: Vec<i32> = (0..rows.len()).map(|i| i32::try_from(from + i as i64).unwrap_or(i32::MAX)).collect();
    let ids: Vec<Uuid> = rows.iter().map(|r| r.frozen.detail.id).collect();
    let prefixes: Vec<&str> = rows.iter().map(|r| r.frozen.detail.prefix.as_str()).collect();
    let missing: Vec<i16> = rows.iter().map(|r| r.frozen.detail.missing).collect();
    let broken: Vec<bool> = rows.iter().map(|r| !r.frozen.detail.broken_rules.is_empty()).collect();
    let revised: Vec<bool> = rows.iter().map(|r| r.frozen.revised).collect();
    let lines: Vec<&[u8]> = rows.iter().map(|r| r.row.as_slice()).collect();
    let details: Vec<&[u8]> = rows.iter().map(|r| r.detail.as_slice()).collect();
    store
        .with_conn(store.deadline() * 12, async |conn: &mut PgConnection| {
            sqlx::query!(
                "INSERT INTO archive_submission (election_id, version, place, id, prefix, areas, missing, broken, revised, row, detail,
                     kind, observer, commented, at, answers)
                 SELECT $1, $2, u.a, u.b, u.c, ARRAY(SELECT jsonb_array_elements_text(u.d::jsonb)), u.e, u.f, u.g, u.h, u.i,
                     s.kind, o.code, s.comment IS NOT NULL, s.last_received_at, s.answers
                 FROM UNNEST($3::int[], $4::uuid[], $5::text[], $6::text[], $7::smallint[], $8::bool[], $9::bool[],
                     $10::bytea[], $11::bytea[]) AS u (a, b, c, d, e, f, g, h, i)
                 JOIN submission s ON s.election_id = $1 AND s.id = u.b JOIN observer o ON o.id = s.observer_id
                 ON CONFLICT DO NOTHING",
                making.election,
                making.version,
                &places,
                &ids,
                &prefixes[..] as &[&str],
                &areas,
                &missing,
                &broken,
                &revised,
                &lines[..] as &[&[u8]],
                &details[..] as &[&[u8]]
            )
            .execute(conn)
            .await?;
            Ok(())
        })
        .await
}

/// Which submissions of an archived election: all that pass each of these.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Of this checklist.
    pub prefix: Option<String>,
    /// `checklist` or `incident`.
    pub kind: Option<&'static str>,
    /// Of this area or station, by its code.
    pub area: Option<String>,
    /// Of the observer with this code.
    pub observer: Option<String>,
    /// Bits of [`state`](super::pages::submission_filter::state).
    pub states: i32,
    /// The last report came then or later, and before, by the clocks of `timezone`.
    pub from: Option<PrimitiveDateTime>,
    /// See `from`.
    pub until: Option<PrimitiveDateTime>,
    /// Of `from` and `until`.
    pub timezone: String,
    /// With these answers.
    pub answers: Option<Answered>,
    /// From this place on.
    pub place: i32,
}

impl Wanted {
    /// How many are looked through for one page: those that an index finds need no more than they fill.
    fn looked_through(&self, rows: i64) -> i64 {
        if self.states == 0 && self.answers.is_none() { rows } else { WEB_SCAN_FAR_ROWS }
    }
}

/// Lines or pages in their order.
#[derive(Debug, Clone, Default)]
pub struct Slice {
    /// Place and compressed JSON of each.
    pub rows: Vec<(i32, Vec<u8>)>,
    /// The place from which to go on; `None`: these were the last.
    pub next: Option<i32>,
    /// So many were looked through, and there may be more farther on.
    pub looked: Option<i64>,
}

/// The next `rows` that pass: their lines in the list or, for a file, all of each.
pub async fn slice(
    store: &Store,
    election: i32,
    version: i32,
    wanted: &Wanted,
    rows: i64,
    whole: bool,
) -> Result<Slice, StoreError> {
    let through = wanted.looked_through(rows + 1);
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            let found = sqlx::query!(
                r#"WITH w AS MATERIALIZED (
                     SELECT place, missing, broken, revised, commented, prefix,
                         CASE WHEN $13::text IS NULL THEN NULL ELSE answers END AS answers
                     FROM archive_submission
                     WHERE election_id = $1 AND version = $2 AND place >= $3
                       AND ($4::text IS NULL OR prefix = $4) AND ($5::text IS NULL OR kind = $5)
                       AND ($6::text IS NULL OR areas @> ARRAY[$6::text]) AND ($7::text IS NULL OR observer = $7)
                       AND at >= coalesce($8::timestamp AT TIME ZONE $10::text, '-infinity')
                       AND at < coalesce($9::timestamp AT TIME ZONE $10, 'infinity')
                     ORDER BY place LIMIT $11),
                   f AS (
                     SELECT place FROM w WHERE (($12::int & 1) = 0 OR missing = 0) AND (($12 & 2) = 0 OR missing > 0)
                       AND (($12 & 4) = 0 OR broken) AND (($12 & 8) = 0 OR revised) AND (($12 & 16) = 0 OR commented)
                       AND ($13::text IS NULL OR prefix = ANY($14::text[]) AND answers @@ (SELECT $13::text::jsonpath))
                     ORDER BY place LIMIT $15)
                   SELECT a.place AS "place!", CASE WHEN $16 THEN a.detail ELSE a.row END AS "row!",
                     NULL::bigint AS looked, NULL::int AS far
                   FROM f JOIN archive_submission a ON a.election_id = $1 AND a.version = $2 AND a.place = f.place
                   UNION ALL
                   SELECT -1, ''::bytea, count(*), max(place) FROM w
                   ORDER BY 1"#,
                election,
                version,
                wanted.place,
                wanted.prefix,
                wanted.kind,
                wanted.area,
                wanted.observer,
                wanted.from,
                wanted.until,
                if wanted.timezone.is_empty() { "UTC" } else { &wanted.timezone },
                through,
                wanted.states,
                wanted.answers.as_ref().map(|a| a.path.as_str()),
                wanted.answers.as_ref().map(|a| a.prefixes.as_slice()),
                rows + 1,
                whole
            )
            .fetch_all(conn)
            .await?;
            let (mut lines, mut looked, mut far) = (Vec::with_capacity(found.len()), 0, None);
            for r in found {
                match r.looked {
                    Some(count) => (looked, far) = (count, r.far),
                    None => lines.push((r.place, r.row)),
                }
            }
            if lines.len() as i64 > rows {
                lines.truncate(usize::try_from(rows).unwrap_or(0));
                let next = lines.last().map(|(place, _)| place + 1);
                return Ok(Slice { rows: lines, next, looked: None });
            }
            // All that was looked through is judged; what lies behind it is not.
            let next = far.filter(|_| looked >= through).map(|place| place + 1);
            Ok(Slice { rows: lines, next, looked: next.map(|_| looked) })
        })
        .await
}

/// All that a submission's page shows, compressed.
pub async fn detail(store: &Store, election: i32, version: i32, id: Uuid) -> Result<Option<Vec<u8>>, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            Ok(sqlx::query_scalar!(
                "SELECT detail FROM archive_submission WHERE election_id = $1 AND version = $2 AND id = $3",
                election,
                version,
                id
            )
            .fetch_optional(conn)
            .await?)
        })
        .await
}
