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
use crate::store::archive_submission::{self, Wanted};
use crate::store::pages::Place;
use crate::store::pages::election::ChecklistName;
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

/// One page of submissions with the place of each; the flag says that more follow.
pub async fn submissions(store: &Store, at: &Archived, wanted: &Wanted) -> Result<(Vec<(i32, Row)>, bool), StoreError> {
    let (rows, more) = archive_submission::page(store, at.election.id, at.version, wanted).await?;
    let rows =
        rows.into_iter().map(|(place, row)| Ok((place, pack::unpack(&row)?))).collect::<Result<_, StoreError>>()?;
    Ok((rows, more))
}

/// One submission.
pub async fn submission(store: &Store, at: &Archived, id: Uuid) -> Result<Option<Detail>, StoreError> {
    let Some(body) = archive_submission::detail(store, at.election.id, at.version, id).await? else { return Ok(None) };
    let frozen: FrozenDetail = pack::unpack(&body)?;
    let checklist: Option<Checklist> = read(store, at, &key::checklist(frozen.checklist)).await?;
    Ok(Some(Detail { checklist, ..frozen.detail }))
}
