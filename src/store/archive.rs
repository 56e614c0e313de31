//! `archive` and its sisters: the frozen figures of archived elections, and the making of them.
//!
//! Invariants: what is served is a version that was made in full; a version being made is not seen by
//! anybody; figures are kept once under their SHA-256.

use std::collections::HashSet;

use sqlx::PgConnection;
use sqlx::types::Json;

use super::pages::Moment;
use super::pages::election::{Election, Listed};
use super::{Store, StoreError};
use crate::limits::ARCHIVES_MAX;

/// An archived election, as it is served.
#[derive(Debug, Clone)]
pub struct Archived {
    /// The election, frozen.
    pub election: Election,
    /// Its figures in the list of elections.
    pub listed: Listed,
    /// Which version.
    pub version: i32,
}

/// What is not settled yet in an election that is to be archived.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Unsettled {
    /// Texts that lack segments, of any election.
    pub segments: i64,
    /// Records set aside, of any election.
    pub set_aside: i64,
    /// Requests of staff that are not carried out, of any election.
    pub requests: i64,
    /// Reports held for staff.
    pub held: i64,
    /// Replies that are not sent.
    pub replies: i64,
}

impl Unsettled {
    /// Is all settled?
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A version in the making.
#[derive(Debug, Clone)]
pub struct Making {
    /// The election.
    pub election: i32,
    /// The version.
    pub version: i32,
    /// What the election held when it was begun.
    pub fingerprint: String,
    /// Keys of figures that are made already, by an attempt that was broken off.
    pub done: HashSet<String>,
    /// Submissions that are stored already.
    pub submissions: i64,
}

/// All archived elections, the last archived first, bounded.
pub async fn served(store: &Store) -> Result<Vec<Archived>, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            let rows = sqlx::query!(
                r#"SELECT version, election AS "election!: Json<Election>", listed AS "listed!: Json<Listed>"
                 FROM archive WHERE version > 0 ORDER BY archived_at DESC, election_id LIMIT $1"#,
                ARCHIVES_MAX
            )
            .fetch_all(conn)
            .await?;
            Ok(rows
                .into_iter()
                .map(|r| Archived { election: r.election.0, listed: r.listed.0, version: r.version })
                .collect())
        })
        .await
}

/// The figures under this key, compressed.
pub async fn figure(store: &Store, election: i32, version: i32, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            Ok(sqlx::query_scalar!(
                "SELECT b.body FROM archive_figure f JOIN archive_blob b ON b.hash = f.hash
                 WHERE f.election_id = $1 AND f.version = $2 AND f.key = $3",
                election,
                version,
                key
            )
            .fetch_optional(conn)
            .await?)
        })
        .await
}

/// What stands in the way of archiving.
pub async fn unsettled(store: &Store, election: i32) -> Result<Unsettled, StoreError> {
    store
        .with_conn(store.deadline() * 6, async |conn: &mut PgConnection| {
            Ok(sqlx::query_as!(
                Unsettled,
                r#"SELECT (SELECT count(*) FROM segment_set) AS "segments!", (SELECT count(*) FROM set_aside) AS "set_aside!",
                     (SELECT count(*) FROM request WHERE state = 'open') AS "requests!",
                     (SELECT count(*) FROM message WHERE outcome = 'held' AND election_id = $1) AS "held!",
                     (SELECT count(*) FROM outbox o JOIN message m ON m.reply_id = o.id
                      WHERE (o.state = 'due' OR o.state = 'leased') AND m.election_id = $1) AS "replies!""#,
                election
            )
            .fetch_one(conn)
            .await?)
        })
        .await
}

/// What an election holds, in a few words that change when anything of it does that its pages show.
async fn fingerprint(conn: &mut PgConnection, election: i32) -> Result<String, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT concat_ws(' ',
             (SELECT concat_ws(' ', count(*), sum(hashtextextended(s::text, 0)::numeric)) FROM submission s WHERE election_id = $1),
             (SELECT concat_ws(' ', count(*), count(superseded)) FROM revision WHERE election_id = $1),
             (SELECT concat_ws(' ', count(*), sum(hashtextextended(l::text, 0)::numeric)) FROM location l WHERE election_id = $1),
             (SELECT concat_ws(' ', count(*), sum(hashtextextended(o::text, 0)::numeric)) FROM observer o WHERE election_id = $1),
             (SELECT concat_ws(' ', count(*), sum(hashtextextended(c::text, 0)::numeric)) FROM checklist c WHERE election_id = $1),
             (SELECT string_agg(outcome || ' ' || n, ' ' ORDER BY outcome) FROM (SELECT outcome, sum(messages) AS n
              FROM tally_outcome WHERE election_id = $1 GROUP BY 1) t),
             (SELECT hashtextextended(concat_ws(' ', slug, name, timezone, language, opened_at, closed_at), 0)
              FROM election WHERE id = $1)) AS "held!""#,
        election
    )
    .fetch_one(conn)
    .await?)
}

/// Begins a version, or takes up the one that was broken off if the election has not changed since.
pub async fn begin(store: &Store, election: i32, slug: &str) -> Result<Making, StoreError> {
    store
        .with_tx(store.deadline() * 12, async |conn: &mut PgConnection| {
            sqlx::query!(
                "INSERT INTO archive (election_id, slug) VALUES ($1, $2) ON CONFLICT (election_id) DO NOTHING",
                election,
                slug
            )
            .execute(&mut *conn)
            .await?;
            let row = sqlx::query!(
                "SELECT version, making, fingerprint FROM archive WHERE election_id = $1 FOR UPDATE",
                election
            )
            .fetch_one(&mut *conn)
            .await?;
            let now = fingerprint(conn, election).await?;
            if let Some(version) = row.making
                && row.fingerprint.as_deref() == Some(now.as_str())
            {
                let done = sqlx::query_scalar!(
                    "SELECT key FROM archive_figure WHERE election_id = $1 AND version = $2",
                    election,
                    version
                )
                .fetch_all(&mut *conn)
                .await?;
                let submissions = sqlx::query_scalar!(
                    r#"SELECT coalesce(max(place) + 1, 0)::bigint AS "n!" FROM archive_submission
                     WHERE election_id = $1 AND version = $2"#,
                    election,
                    version
                )
                .fetch_one(conn)
                .await?;
                return Ok(Making {
                    election,
                    version,
                    fingerprint: now,
                    done: done.into_iter().collect(),
                    submissions,
                });
            }
            forget(conn, election, row.version).await?;
            let version = row.making.unwrap_or(row.version).max(row.version) + 1;
            sqlx::query!(
                "UPDATE archive SET making = $2, fingerprint = $3, slug = $4 WHERE election_id = $1",
                election,
                version,
                now,
                slug
            )
            .execute(conn)
            .await?;
            Ok(Making { election, version, fingerprint: now, done: HashSet::new(), submissions: 0 })
        })
        .await
}

/// Forgets all versions but one, and figures that no election has any more.
async fn forget(conn: &mut PgConnection, election: i32, but: i32) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM archive_figure WHERE election_id = $1 AND version <> $2", election, but)
        .execute(&mut *conn)
        .await?;
    sqlx::query!("DELETE FROM archive_submission WHERE election_id = $1 AND version <> $2", election, but)
        .execute(&mut *conn)
        .await?;
    sqlx::query!("DELETE FROM archive_observer WHERE election_id = $1 AND version <> $2", election, but)
        .execute(&mut *conn)
        .await?;
    sqlx::query!("DELETE FROM archive_blob b WHERE NOT EXISTS (SELECT FROM archive_figure f WHERE f.hash = b.hash)")
        .execute(conn)
        .await?;
    Ok(())
}

/// Stores figures of a version in the making.
pub async fn put(store: &Store, making: &Making, key: &str, hash: &[u8], body: &[u8]) -> Result<(), StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            sqlx::query!(
                "WITH blob AS (INSERT INTO archive_blob (hash, body) VALUES ($4, $5) ON CONFLICT DO NOTHING)
                 INSERT INTO archive_figure (election_id, version, key, hash) VALUES ($1, $2, $3, $4)
                 ON CONFLICT DO NOTHING",
                making.election,
                making.version,
                key,
                hash,
                body
            )
            .execute(conn)
            .await?;
            Ok(())
        })
        .await
}

/// Serves the version from now on, if the election is as it was when it was begun. `false`: it has changed.
pub async fn finish(store: &Store, making: &Making, election: &Election, listed: &Listed) -> Result<bool, StoreError> {
    store
        .with_tx(store.deadline() * 12, async |conn: &mut PgConnection| {
            sqlx::query!("SELECT id FROM election WHERE id = $1 FOR UPDATE", making.election)
                .fetch_one(&mut *conn)
                .await?;
            if fingerprint(conn, making.election).await? != making.fingerprint {
                return Ok(false);
            }
            let row = sqlx::query!(
                r#"UPDATE archive SET version = $2, making = NULL, fingerprint = NULL, archived_at = now()
                 WHERE election_id = $1 AND making = $2
                 RETURNING archived_at AS "at!", archived_at AT TIME ZONE $3 AS "local!""#,
                making.election,
                making.version,
                election.timezone
            )
            .fetch_optional(&mut *conn)
            .await?;
            // Another process has finished it.
            let Some(row) = row else { return Ok(true) };
            let archived = Some(Moment { at: row.at, local: row.local });
            let state = "archived".to_owned();
            let election = Election { state: state.clone(), archived, version: making.version, ..election.clone() };
            let listed = Listed { state, archived, ..listed.clone() };
            sqlx::query!(
                "UPDATE archive SET election = $2, listed = $3 WHERE election_id = $1",
                making.election,
                Json(&election) as _,
                Json(&listed) as _
            )
            .execute(&mut *conn)
            .await?;
            sqlx::query!("UPDATE election SET state = 'archived' WHERE id = $1", making.election)
                .execute(&mut *conn)
                .await?;
            forget(conn, making.election, making.version).await?;
            Ok(true)
        })
        .await
}

/// Brings an archived election back: it is closed then, and its frozen figures are forgotten. `false`: it
/// is not archived.
pub async fn bring_back(store: &Store, election: i32) -> Result<bool, StoreError> {
    store
        .with_tx(store.deadline() * 12, async |conn: &mut PgConnection| {
            let back =
                sqlx::query!("UPDATE election SET state = 'closed' WHERE id = $1 AND state = 'archived'", election)
                    .execute(&mut *conn)
                    .await?;
            if back.rows_affected() == 0 {
                return Ok(false);
            }
            forget(conn, election, -1).await?;
            sqlx::query!("DELETE FROM archive WHERE election_id = $1", election).execute(conn).await?;
            Ok(true)
        })
        .await
}
