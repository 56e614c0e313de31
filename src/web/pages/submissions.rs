//! `/elections/{slug}/submissions`: the list, the latest change first, under any filters at once.

use axum::Extension;
use axum::extract::{Path, Query, State};

use super::asked::{Asked, STATES};
use super::condition::{COMPARISONS, Condition};
use super::cursor;
use crate::archive::{self, Archived, AreaFrame, Frame, key};
use crate::domain::checklist::Checklist;
use crate::limits::WEB_PAGE_ROWS;
use crate::store::pages::Place;
use crate::store::pages::election::{self, Election};
use crate::store::pages::submission_filter::{Count, Turn, state};
use crate::store::pages::submissions::{self, Row};
use crate::web::auth::Who;
use crate::web::error::PageError;
use crate::web::layout::{Answer, Layout, render};
use crate::web::list::{Chips, Pager, Take};
use crate::web::{App, format, text};

/// Empty lines for conditions that the form offers.
const LINES_OFFERED: usize = 1;

#[derive(askama::Template)]
#[template(path = "submissions.html")]
struct Page {
    layout: Layout,
    slug: String,
    language: String,
    timezone: String,
    asked: Asked,
    checklists: Vec<Checklist>,
    areas: Vec<Place>,
    rows: Vec<Row>,
    chips: Chips,
    pager: Pager,
    take: Take,
    count: Count,
    /// So many were looked through, and there may be more.
    looked: Option<i64>,
    is_archived: bool,
}

impl Page {
    /// States that can be asked for; who sent what from whose phone is not archived.
    fn states(&self) -> impl Iterator<Item = (&'static str, &'static str, bool)> {
        let here = |bit: i32| !(self.is_archived && bit == state::UNVERIFIED);
        STATES
            .iter()
            .filter(move |s| here(s.2))
            .map(|(word, words, _)| (*word, *words, self.asked.states.contains(word)))
    }

    fn comparisons(&self) -> [(&'static str, &'static str); COMPARISONS.len()] {
        COMPARISONS
    }

    /// The conditions that are set, and empty ones.
    fn lines(&self) -> Vec<Condition> {
        let mut lines = self.asked.answers.clone();
        lines.extend((0..LINES_OFFERED).map(|_| Condition::default()));
        lines
    }

    fn is_filtered(&self) -> bool {
        !self.chips.chips.is_empty()
    }

    /// Filters beyond the first row of the form are set: they are shown.
    fn is_wide(&self) -> bool {
        let a = &self.asked;
        !(a.answers.is_empty() && a.from.is_empty() && a.until.is_empty() && a.observer.is_empty())
    }

    fn title(&self, checklist: &Checklist) -> String {
        checklist.title.get(&self.language).to_owned()
    }
}

/// What a page is made of, whether it was read from live tables or from an archive.
struct Read {
    checklists: Vec<Checklist>,
    areas: Vec<Place>,
    /// The area's name.
    area: Option<String>,
    rows: Vec<Row>,
    count: Count,
    looked: Option<i64>,
    /// Cursors of the pages before and after.
    newer: Option<String>,
    older: Option<String>,
}

/// `GET /elections/{slug}/submissions`
pub(in crate::web) async fn page(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Path(slug): Path<String>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Answer {
    let asked = Asked::read(pairs)?;
    let election = super::election(&app, &slug).await?;
    let read = match app.archived(&slug).await? {
        Some(archived) => archived_page(&app, &archived, &asked).await?,
        None => live_page(&app, &election, &asked).await?,
    };
    let path = format!("/elections/{slug}/submissions");
    let is_first = asked.after.is_empty() && asked.before.is_empty();
    let pager = Pager {
        newest: (!is_first).then(|| asked.link(&path, None)),
        newer: read.newer.map(|c| asked.link(&path, Some(("before", &c)))),
        older: read.older.map(|c| asked.link(&path, Some(("after", &c)))),
        by_code: false,
    };
    render(&Page {
        layout: Layout::new("Submissions", Some(who)).at("submissions").of(&election),
        chips: Chips { chips: asked.chips(&path, read.area.as_deref()), clear: path.clone() },
        take: Take::of(&path, &asked.query(None)),
        slug,
        is_archived: election.version > 0,
        language: election.language,
        timezone: election.timezone,
        checklists: read.checklists,
        areas: read.areas,
        rows: read.rows,
        pager,
        count: read.count,
        looked: read.looked,
        asked,
    })
}

async fn live_page(app: &App, election: &Election, asked: &Asked) -> Result<Read, PageError> {
    let turn = asked.turn()?;
    let trail = super::area(app, election, &asked.area).await?;
    let checklists = election::definitions(app.store(), election.id).await?;
    let filter = asked.filter(app, election, &trail, &checklists).await?;
    let (rows, found) = submissions::page(app.store(), &filter, turn).await?;
    let areas = election::first_level(app.store(), election.id).await?;
    let at = |row: Option<&Row>| row.map(|r| cursor::of_submission(r.cursor()));
    let older = match (turn, found.looked) {
        (Turn::Before(_), _) => at(rows.last()),
        (_, Some(looked)) => Some(cursor::of_submission(looked.to)),
        _ => at(rows.last()).filter(|_| found.more),
    };
    let newer = match (turn, found.looked) {
        (Turn::First, _) => None,
        (Turn::Before(_), Some(looked)) => Some(cursor::of_submission(looked.to)),
        (Turn::Before(_), None) => at(rows.first()).filter(|_| found.more),
        (Turn::After(c), _) => at(rows.first()).or(Some(cursor::of_submission(c))),
    };
    let area = trail.last().map(|p| p.name.clone());
    let looked = found.looked.map(|looked| looked.rows);
    Ok(Read { checklists, areas, area, rows, count: found.count, looked, newer, older })
}

async fn archived_page(app: &App, archived: &Archived, asked: &Asked) -> Result<Read, PageError> {
    let frame: Frame = archive::read(app.store(), archived, &key::frame()).await?.ok_or(PageError::NotFound)?;
    let checklists = archive::definitions(app.store(), archived).await?;
    let wanted = asked.wanted(&archived.election, &checklists)?;
    let found = archive::submissions(app.store(), archived, &wanted, WEB_PAGE_ROWS).await?;
    let area = match asked.area.as_str() {
        "" => None,
        code => match archive::read::<AreaFrame>(app.store(), archived, &key::area(code)).await? {
            Some(area) => area.trail.last().map(|p| p.name.clone()),
            // A station: its name stands in its lines.
            None => {
                let station = found.rows.iter().find_map(|r| r.station.as_ref().filter(|(c, _)| c == code));
                Some(station.map_or(code, |(_, name)| name).to_owned())
            }
        },
    };
    let count = match asked.pairs().is_empty() && wanted.place == 0 {
        true => Count::Exact(archived.listed.reports + archived.listed.incidents),
        false => Count::Unknown,
    };
    let older = found.next.map(|place| place.to_string());
    Ok(Read { checklists, areas: frame.areas, area, rows: found.rows, count, looked: found.looked, newer: None, older })
}
