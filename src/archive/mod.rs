//! Archived elections: freezing an election's figures, and reading them back.
//!
//! Every page of an archived election is made of frozen figures, so that it touches no live table and
//! costs the same whatever else goes on. The partitions of submissions and revisions stay attached: they
//! are the evidence, take part in no query of another election, late records still find them, and an
//! archive can be made anew from them.
//!
//! Invariants: a version is served once it is whole; one that is broken off is taken up where it stopped,
//! unless the election changed meanwhile; equal figures are stored once.

mod freeze;
pub mod key;
mod pack;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::freeze::{ArchiveError, Done, freeze};
pub use crate::store::archive::{Archived, Unsettled, served};

use crate::domain::checklist::Checklist;
use crate::store::archive_observer;
use crate::store::archive_submission::{self, Wanted};
use crate::store::pages::Place;
use crate::store::pages::election::ChecklistName;
use crate::store::pages::observers::{self, Row as Observer};
use crate::store::pages::submission::Detail;
use crate::store::pages::submissions::Row;
use crate::store::{Store, StoreError, archive};

/// What pages need besides figures.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Frame {
    /// The checklists' names, as everywhere.
    pub checklists: Vec<ChecklistName>,
    /// Areas of the first level that has several.
    pub areas: Vec<Place>,
}

/// One area.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AreaFrame {
    /// It, and what it lies in, the top first.
    pub trail: Vec<Place>,
    /// Areas on the level below it.
    pub below: Vec<Place>,
}

/// A submission's page, its checklist standing apart.
#[derive(Debug, Serialize, Deserialize)]
struct FrozenDetail {
    checklist: i32,
    detail: Detail,
}

/// The figures under a key; `None`: there are none.
pub async fn read<T: DeserializeOwned>(store: &Store, at: &Archived, key: &str) -> Result<Option<T>, StoreError> {
    let body = archive::figure(store, at.election.id, at.version, key).await?;
    body.map(|body| pack::unpack(&body)).transpose()
}

/// Submissions in the order of the list.
#[derive(Debug, Clone)]
pub struct Slice<T> {
    /// They.
    pub rows: Vec<T>,
    /// The place from which to go on; `None`: these were the last.
    pub next: Option<i32>,
    /// So many were looked through, and farther on there may be more.
    pub looked: Option<i64>,
}

/// The next lines of the list.
pub async fn submissions(store: &Store, at: &Archived, wanted: &Wanted, rows: i64) -> Result<Slice<Row>, StoreError> {
    slice(store, at, wanted, rows, false).await
}

/// The next submissions with all that their pages show, without their checklists.
pub async fn details(store: &Store, at: &Archived, wanted: &Wanted, rows: i64) -> Result<Slice<Detail>, StoreError> {
    let slice = slice::<FrozenDetail>(store, at, wanted, rows, true).await?;
    let rows = slice.rows.into_iter().map(|frozen| frozen.detail).collect();
    Ok(Slice { rows, next: slice.next, looked: slice.looked })
}

async fn slice<T: DeserializeOwned>(
    store: &Store,
    at: &Archived,
    wanted: &Wanted,
    rows: i64,
    whole: bool,
) -> Result<Slice<T>, StoreError> {
    let found = archive_submission::slice(store, at.election.id, at.version, wanted, rows, whole).await?;
    let rows = found.rows.iter().map(|(_, body)| pack::unpack(body)).collect::<Result<_, _>>()?;
    Ok(Slice { rows, next: found.next, looked: found.looked })
}

/// The newest version of each checklist.
pub async fn definitions(store: &Store, at: &Archived) -> Result<Vec<Checklist>, StoreError> {
    Ok(read(store, at, &key::definitions()).await?.unwrap_or_default())
}

/// The next observers, by code; of one checklist only what is expected of it. The flag says that more follow.
pub async fn observers(
    store: &Store,
    at: &Archived,
    wanted: &archive_observer::Wanted,
    rows: i64,
) -> Result<(Vec<Observer>, bool), StoreError> {
    let (bodies, more) = archive_observer::page(store, at.election.id, at.version, wanted, rows).await?;
    let mut rows = bodies.iter().map(|body| pack::unpack(body)).collect::<Result<Vec<Observer>, _>>()?;
    if let Some(prefix) = &wanted.prefix {
        for row in &mut rows {
            row.missing.retain(|p| p == prefix);
            row.partial.retain(|p| p == prefix);
            row.expected = 1;
            row.complete = i64::from(row.missing.is_empty() && row.partial.is_empty());
        }
    }
    Ok((rows, more))
}

/// How many observers are complete, on their way, or missing.
pub async fn observer_counts(
    store: &Store,
    at: &Archived,
    wanted: &archive_observer::Wanted,
) -> Result<observers::Counts, StoreError> {
    archive_observer::counts(store, at.election.id, at.version, wanted).await
}

/// One submission.
pub async fn submission(store: &Store, at: &Archived, id: Uuid) -> Result<Option<Detail>, StoreError> {
    let Some(body) = archive_submission::detail(store, at.election.id, at.version, id).await? else { return Ok(None) };
    let frozen: FrozenDetail = pack::unpack(&body)?;
    let checklist: Option<Checklist> = read(store, at, &key::checklist(frozen.checklist)).await?;
    Ok(Some(Detail { checklist, ..frozen.detail }))
}
