//! `election archive`: closes an election, computes what its pages show, and serves that from then on.

use sha2::{Digest, Sha256};

use super::{AreaFrame, Frame, FrozenDetail, key, pack};
use crate::domain::checklist::Checklist;
use crate::limits::{ARCHIVE_SLICE, ARCHIVE_TRIES};
use crate::store::archive::{self, Making, Unsettled};
use crate::store::archive_observer;
use crate::store::archive_submission::{self, Frozen, NewRow};
use crate::store::election::{self, ElectionError};
use crate::store::pages::Place;
use crate::store::pages::election::{self as page, Election};
use crate::store::pages::overview::overview;
use crate::store::pages::question::{by_area, questions};
use crate::store::pages::submissions::{Cursor, Row};
use crate::store::pages::{incidents, observers};
use crate::store::{Store, StoreError};

/// Why an election was not archived.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It is not there, or its state forbids it.
    #[error(transparent)]
    Election(#[from] ElectionError),
    /// It takes reports.
    #[error("election `{0}` is open; archiving closes it: add --yes if that is meant")]
    Open(String),
    /// Something is under way.
    #[error(
        "not all is settled: {} texts lack segments, {} records are set aside, {} requests are open, {} reports are held, \
         {} replies are not sent; look at them, or add --yes to archive all the same", .0.segments, .0.set_aside, .0.requests,
        .0.held, .0.replies
    )]
    Unsettled(Unsettled),
    /// Reports kept coming.
    #[error(
        "the election kept changing while it was archived; wait until its last reports are in, and archive it again"
    )]
    Changing,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What was archived.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Done {
    /// Its version.
    pub version: i32,
    /// Figures frozen.
    pub figures: usize,
    /// Submissions frozen.
    pub submissions: i64,
}

/// Archives an election, anew if it is archived already. `progress` is told how much of how much is done.
pub async fn freeze(
    store: &Store,
    slug: &str,
    yes: bool,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Done, ArchiveError> {
    let row = election::find(store, slug).await?;
    if row.state == "draft" {
        let mend = "an election that was never open has nothing to archive";
        return Err(ElectionError::State { slug: slug.to_owned(), state: row.state, mend }.into());
    }
    if !yes {
        if row.state == "open" {
            return Err(ArchiveError::Open(slug.to_owned()));
        }
        let unsettled = archive::unsettled(store, row.id).await?;
        if !unsettled.is_empty() {
            return Err(ArchiveError::Unsettled(unsettled));
        }
    }
    if row.state == "open" {
        election::close(store, slug).await?;
    }
    for _ in 0..ARCHIVE_TRIES {
        let Some(election) = page::by_slug(store, slug).await? else {
            return Err(ElectionError::Unknown(slug.to_owned()).into());
        };
        let making = archive::begin(store, election.id, slug).await?;
        let (figures, submissions) = make(store, &election, &making, progress).await?;
        let Some(listed) = page::listed(store, election.id).await? else {
            return Err(ElectionError::Unknown(slug.to_owned()).into());
        };
        if archive::finish(store, &making, &election, &listed).await? {
            return Ok(Done { version: making.version, figures, submissions });
        }
    }
    Err(ArchiveError::Changing)
}

/// Figures on their way into a version.
struct Press<'a> {
    store: &'a Store,
    making: &'a Making,
    progress: &'a (dyn Fn(u64, u64) + Sync),
    done: u64,
    all: u64,
}

impl Press<'_> {
    /// Stores figures, unless an attempt before has.
    async fn put<T: serde::Serialize>(
        &mut self,
        key: String,
        compute: impl Future<Output = Result<Option<T>, StoreError>>,
    ) -> Result<(), StoreError> {
        if !self.making.done.contains(&key)
            && let Some(figures) = compute.await?
        {
            let body = pack::pack(&figures)?;
            archive::put(self.store, self.making, &key, &Sha256::digest(&body), &body).await?;
        }
        self.advance(1);
        Ok(())
    }

    fn advance(&mut self, by: u64) {
        self.done += by;
        (self.progress)(self.done, self.all);
    }
}

async fn make(
    store: &Store,
    election: &Election,
    making: &Making,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<(usize, i64), StoreError> {
    let checklists = page::checklists(store, election.id).await?;
    let definitions = page::every_definition(store, election.id).await?;
    let areas = page::every_area(store, election.id).await?;
    let reports = archive_submission::count(store, election.id).await?;
    let newest: Vec<&Checklist> = checklists
        .iter()
        .filter_map(|c| definitions.iter().filter(|d| d.prefix == c.prefix).max_by_key(|d| d.version))
        .collect();
    let asked: u64 = newest.iter().map(|c| c.questions.len() as u64).sum();
    let inner = areas.iter().filter(|a| areas.iter().any(|b| b.1 == Some(a.0.id))).count() as u64;
    let places = areas.len() as u64 + 1;
    let all = 2 + definitions.len() as u64 + places * (3 + newest.len() as u64) - 1
        + (inner + 1) * asked
        + reports.unsigned_abs();
    let mut press = Press { store, making, progress, done: 0, all };

    for checklist in &definitions {
        press.put(key::checklist(checklist.id), async { Ok(Some(checklist)) }).await?;
    }
    let frame = async {
        Ok(Some(Frame { checklists: checklists.clone(), areas: page::first_level(store, election.id).await? }))
    };
    press.put(key::frame(), frame).await?;
    press.put(key::definitions(), async { Ok(Some(&newest)) }).await?;
    let everywhere = std::iter::once(None).chain(areas.iter().map(|(place, _)| Some(place)));
    for area in everywhere {
        let code = area.map_or("", |a| a.code.as_str());
        let has_areas = area.is_none_or(|a| areas.iter().any(|(_, parent)| *parent == Some(a.id)));
        if let Some(area) = area {
            press.put(key::area(code), frame_of(store, election, area)).await?;
        }
        press.put(key::overview(code), async { overview(store, election, area).await.map(Some) }).await?;
        let incidents = async { incidents::counts(store, election.id, area.map(|a| a.id)).await.map(Some) };
        press.put(key::incidents(code), incidents).await?;
        for checklist in &newest {
            let prefix = &checklist.prefix;
            press.put(key::questions(prefix, code), questions(store, election, prefix, area)).await?;
            for question in checklist.questions.iter().filter(|_| has_areas) {
                let figures = async { by_area(store, election, checklist, question, area).await.map(Some) };
                press.put(key::by_area(prefix, &question.code, code), figures).await?;
            }
        }
    }
    let figures = press.done as usize;
    freeze_observers(store, election, making).await?;
    let mut place = making.submissions;
    let mut after = archive_submission::last(store, making).await?;
    press.advance(place.unsigned_abs());
    loop {
        let slice = archive_submission::next(store, election, after).await?;
        let got = slice.len() as i64;
        after = slice.last().map(|f| Cursor { at: f.detail.last.at, id: f.detail.id });
        let rows = slice.into_iter().map(row).collect::<Result<Vec<_>, _>>()?;
        archive_submission::put(store, making, place, &rows).await?;
        place += got;
        press.advance(got.unsigned_abs());
        if got < ARCHIVE_SLICE {
            return Ok((figures, place));
        }
    }
}

/// Stores the observers, from where an attempt before has come to.
async fn freeze_observers(store: &Store, election: &Election, making: &Making) -> Result<(), StoreError> {
    let mut filter = observers::Filter { after: archive_observer::last(store, making).await?, ..Default::default() };
    loop {
        let (rows, more) = observers::page(store, election, &filter, ARCHIVE_SLICE).await?;
        filter.after = rows.last().map(|row| row.code.clone());
        let nameless = rows.into_iter().map(|row| {
            let row = observers::Row { id: 0, phones: Vec::new(), ..row };
            let body = pack::pack(&row)?;
            Ok((row, body))
        });
        archive_observer::put(store, making, &nameless.collect::<Result<Vec<_>, StoreError>>()?).await?;
        if !more {
            return Ok(());
        }
    }
}

async fn frame_of(store: &Store, election: &Election, area: &Place) -> Result<Option<AreaFrame>, StoreError> {
    Ok(Some(AreaFrame {
        trail: page::trail(store, election.id, &area.code).await?,
        below: page::below(store, election.id, Some(area)).await?,
    }))
}

/// A submission's line in the list and its page, as they are stored.
fn row(frozen: Frozen) -> Result<NewRow, StoreError> {
    let detail = &frozen.detail;
    let station = detail.trail.last().filter(|p| p.is_station);
    let above = detail.trail.iter().rev().find(|p| !p.is_station);
    let line = pack::pack(&Row {
        id: detail.id,
        prefix: detail.prefix.clone(),
        kind: detail.kind.clone(),
        serial: detail.serial.clone(),
        observer: detail.observer.clone(),
        station: station.map(|p| (p.code.clone(), p.name.clone())),
        area: above.map(|p| p.name.clone()),
        missing: detail.missing,
        broken: detail.broken_rules.len(),
        comment: detail.comment.is_some(),
        revisions: detail.revisions,
        first: detail.first,
        last: detail.last,
    })?;
    let page = pack::pack(&FrozenDetail { checklist: frozen.checklist, detail: frozen.detail.clone() })?;
    Ok(NewRow { frozen, row: line, detail: page })
}
