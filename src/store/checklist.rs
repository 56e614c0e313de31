//! `checklist`: importing definitions as versions, and listing them.

use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::import::{ImportError, lock_election};
use super::{Store, StoreError};

/// A checklist to import.
#[derive(Debug, Clone)]
pub struct NewChecklist {
    /// Letters, upper case.
    pub prefix: String,
    /// `checklist` or `incident`.
    pub kind: String,
    /// draft, live, paused, closed.
    pub state: String,
    /// Its name, by language.
    pub title: Value,
    /// The whole definition, without version and state, which stand in columns of their own.
    pub definition: Value,
}

/// What was done with a checklist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChecklistDone {
    /// Its prefix.
    pub prefix: String,
    /// Its version now.
    pub version: i32,
    /// `added`, `changed` (a new version, or another state) or `unchanged`.
    pub done: &'static str,
}

/// Imports checklists, all or none. One whose definition is as before stays; a changed one becomes
/// a new version, and the versions before it stay for the submissions that refer to them.
pub async fn import(store: &Store, slug: &str, new: &[NewChecklist]) -> Result<Vec<ChecklistDone>, ImportError> {
    store
        .with_tx(store.deadline(), async |conn: &mut PgConnection| {
            let election = match lock_election(conn, slug).await? {
                Ok(id) => id,
                Err(error) => return Ok(Err(error)),
            };
            let mut all = Vec::new();
            for checklist in new {
                all.push(import_one(conn, election, checklist).await?);
            }
            Ok(Ok(all))
        })
        .await?
}

async fn import_one(conn: &mut PgConnection, election: i32, new: &NewChecklist) -> Result<ChecklistDone, StoreError> {
    let old = sqlx::query!(
        r#"SELECT id, version, state, definition - 'version' = $3::jsonb AS "same!" FROM checklist
           WHERE election_id = $1 AND prefix = $2 ORDER BY version DESC LIMIT 1"#,
        election,
        new.prefix,
        new.definition
    )
    .fetch_optional(&mut *conn)
    .await?;
    let version = match &old {
        Some(old) if old.same && old.state == new.state => {
            return Ok(ChecklistDone { prefix: new.prefix.clone(), version: old.version, done: "unchanged" });
        }
        Some(old) if old.same => {
            change_state(conn, election, &new.prefix, (old.id, &old.state), &new.state).await?;
            return Ok(ChecklistDone { prefix: new.prefix.clone(), version: old.version, done: "changed" });
        }
        Some(old) => old.version + 1,
        None => 1,
    };
    if new.state != "draft" {
        supersede(conn, election, &new.prefix).await?;
    }
    sqlx::query!(
        "INSERT INTO checklist (election_id, prefix, version, kind, state, title, definition)
         VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb || jsonb_build_object('version', $3::int))",
        election,
        new.prefix,
        version,
        new.kind,
        new.state,
        new.title,
        new.definition
    )
    .execute(&mut *conn)
    .await?;
    let done = if version == 1 { "added" } else { "changed" };
    Ok(ChecklistDone { prefix: new.prefix.clone(), version, done })
}

/// Closes what stands for a prefix, before a newer version takes its place. A version in draft takes
/// nothing's place, so that it can be prepared while another is in use.
async fn supersede(conn: &mut PgConnection, election: i32, prefix: &str) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE checklist SET state = 'closed' WHERE election_id = $1 AND prefix = $2 AND state NOT IN ('closed', 'draft')",
        election,
        prefix
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Brings the newest version into a state: one that leaves the draft takes the place of those before it.
async fn change_state(
    conn: &mut PgConnection,
    election: i32,
    prefix: &str,
    (id, from): (i32, &str),
    to: &str,
) -> Result<(), StoreError> {
    if from == to {
        return Ok(());
    }
    if from == "draft" {
        supersede(conn, election, prefix).await?;
    }
    sqlx::query!("UPDATE checklist SET state = $2 WHERE id = $1", id, to).execute(conn).await?;
    Ok(())
}

/// Brings the newest version of a checklist into another state; `None` when there is no such checklist.
pub async fn set_state(
    store: &Store,
    election: i32,
    prefix: &str,
    state: &str,
) -> Result<Option<ChecklistDone>, StoreError> {
    store
        .with_tx(store.deadline(), async |conn: &mut PgConnection| {
            let newest = sqlx::query!(
                "SELECT id, version, state FROM checklist WHERE election_id = $1 AND prefix = $2
                 ORDER BY version DESC LIMIT 1 FOR UPDATE",
                election,
                prefix
            )
            .fetch_optional(&mut *conn)
            .await?;
            let Some(newest) = newest else { return Ok(None) };
            let done = if newest.state == state { "unchanged" } else { "changed" };
            change_state(conn, election, prefix, (newest.id, &newest.state), state).await?;
            Ok(Some(ChecklistDone { prefix: prefix.to_owned(), version: newest.version, done }))
        })
        .await
}

/// One version of a checklist, for people and scripts.
#[derive(Debug, Clone, Serialize)]
pub struct ChecklistLine {
    /// Prefix.
    pub prefix: String,
    /// Version.
    pub version: i32,
    /// `checklist` or `incident`.
    pub kind: String,
    /// draft, live, paused, closed.
    pub state: String,
    /// Its name, by language.
    pub title: Value,
    /// How many questions.
    pub questions: i32,
    /// It is the newest version, by which reports are read.
    pub newest: bool,
    /// When imported.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// All versions of an election's checklists, by prefix, the newest first.
pub async fn list(store: &Store, election: i32) -> Result<Vec<ChecklistLine>, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            Ok(sqlx::query_as!(
                ChecklistLine,
                r#"SELECT prefix, version, kind, state, title,
                       coalesce(jsonb_array_length(definition -> 'questions'), 0) AS "questions!",
                       version = max(version) OVER (PARTITION BY prefix) AS "newest!", created_at
                   FROM checklist WHERE election_id = $1 ORDER BY prefix, version DESC"#,
                election
            )
            .fetch_all(conn)
            .await?)
        })
        .await
}
