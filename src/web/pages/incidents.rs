//! `/elections/{slug}/incidents`: what observers reported beside the checklists, the latest first.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use time::OffsetDateTime;

use super::{answer, cursor};
use crate::archive::{self, Archived, Frame, key};
use crate::domain::checklist::Checklist;
use crate::limits;
use crate::store::archive_submission::Wanted;
use crate::store::pages::Place;
use crate::store::pages::election::{self, ChecklistName, Election};
use crate::store::pages::incidents::{self, Counts, Filter, Row};
use crate::store::pages::submission_filter::state;
use crate::web::auth::Who;
use crate::web::auth::rights::Right;
use crate::web::error::PageError;
use crate::web::export::{self, Form, Sheet, Source, Table};
use crate::web::layout::{Answer, Layout, render};
use crate::web::list::{Address, Chips, Pager, Take};
use crate::web::{App, format, text};

/// States that can be asked for, with their words.
const STATES: [(&str, &str); 4] = [
    ("comment", "with words of the observer"),
    ("complete", "complete"),
    ("partial", "answers missing"),
    ("revised", "sent more than once"),
];
/// Ages that can be asked for, hours, with their words.
const AGES: [(&str, &str); 5] = [
    ("", "any time"),
    ("1", "the last hour"),
    ("3", "the last 3 hours"),
    ("12", "the last 12 hours"),
    ("24", "the last day"),
];
/// What is asked for.
#[derive(Debug, Clone, Default, Deserialize)]
pub(in crate::web) struct Asked {
    #[serde(default)]
    checklist: String,
    #[serde(default)]
    area: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    hours: String,
    #[serde(default)]
    words: String,
    #[serde(default)]
    after: String,
}

#[derive(askama::Template)]
#[template(path = "incidents.html")]
struct Page {
    layout: Layout,
    slug: String,
    language: String,
    timezone: String,
    asked: Asked,
    checklists: Vec<ChecklistName>,
    forms: Vec<Checklist>,
    areas: Vec<Place>,
    trail: Vec<Place>,
    is_archived: bool,
    counts: Counts,
    rows: Vec<Row>,
    chips: Chips,
    pager: Pager,
    take: Option<Take>,
}

impl Page {
    fn states(&self) -> &'static [(&'static str, &'static str)] {
        &STATES
    }

    fn ages(&self) -> &'static [(&'static str, &'static str)] {
        &AGES
    }

    fn deep_area(&self) -> Option<&Place> {
        self.trail.last().filter(|p| !self.areas.iter().any(|a| a.id == p.id))
    }

    /// What was answered, a question a pair.
    fn said(&self, row: &Row) -> Vec<(String, String)> {
        said(&self.forms, row, &self.language)
    }
}

fn said(forms: &[Checklist], row: &Row, language: &str) -> Vec<(String, String)> {
    let form = forms.iter().find(|form| form.prefix == row.prefix);
    row.answers
        .iter()
        .filter_map(|(code, value)| {
            let question = form.and_then(|form| form.questions.iter().find(|q| q.code == *code));
            Some((code.to_string(), answer::words(question, value.as_ref()?, language)))
        })
        .collect()
}

/// What the address asks for, in the store's words.
async fn filter(app: &App, election: &Election, asked: &Asked) -> Result<(Filter, Vec<Place>), PageError> {
    let trail = super::area(app, election, &asked.area).await?;
    let word = |word: &str| STATES.iter().chain([&("broken", "")]).find(|(s, _)| *s == word).map(|(s, _)| *s);
    let state = match asked.state.as_str() {
        "" => None,
        asked => Some(word(asked).ok_or(PageError::NotFound)?),
    };
    let after = match asked.after.as_str() {
        "" => None,
        // Of an archive it is a place, which is looked at there.
        _ if election.version > 0 => None,
        text => Some(cursor::submission(text).ok_or(super::asked::CUT)?),
    };
    if asked.words.chars().count() > limits::WEB_WORDS_CHARS_MAX || asked.checklist.len() > 12 {
        return Err(PageError::Bad("Look for fewer characters."));
    }
    let hours = asked.hours.parse::<u16>().ok();
    let some = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let filter = Filter {
        prefix: some(&asked.checklist),
        area: trail.last().map(|a| a.id),
        state,
        since: hours.map(|hours| OffsetDateTime::now_utc() - time::Duration::hours(hours.into())),
        words: some(&asked.words),
        after,
    };
    Ok((filter, trail))
}

/// What the address asks for of an archive.
fn wanted(asked: &Asked) -> Result<Wanted, PageError> {
    let bits = [
        ("complete", state::COMPLETE),
        ("partial", state::PARTIAL),
        ("broken", state::BROKEN),
        ("revised", state::REVISED),
        ("comment", state::COMMENTED),
    ];
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Ok(Wanted {
        prefix: some(&asked.checklist),
        kind: Some("incident"),
        area: some(&asked.area),
        states: bits.iter().find(|(word, _)| *word == asked.state).map_or(0, |(_, bit)| *bit),
        place: match asked.after.as_str() {
            "" => 0,
            text => text.parse().ok().filter(|n| *n >= 0).ok_or(super::asked::CUT)?,
        },
        ..Wanted::default()
    })
}

/// The pairs of the address but the page's beginning.
fn pairs(asked: &Asked) -> [(&'static str, &str); 5] {
    [
        ("checklist", &asked.checklist),
        ("area", &asked.area),
        ("state", &asked.state),
        ("hours", &asked.hours),
        ("words", &asked.words),
    ]
}

/// `GET /elections/{slug}/incidents`
pub(in crate::web) async fn page(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Path(slug): Path<String>,
    Query(asked): Query<Asked>,
) -> Answer {
    let election = super::election(&app, &slug).await?;
    let (filter, trail) = filter(&app, &election, &asked).await?;
    let area = trail.last().map(|a| a.id);
    let (rows, next, mut checklists, counts, forms, areas) = match app.archived(&slug).await? {
        Some(archived) => {
            let wanted = wanted(&asked)?;
            let found = archive::details(app.store(), &archived, &wanted, limits::WEB_PAGE_ROWS).await?;
            let frame: Frame =
                archive::read(app.store(), &archived, &key::frame()).await?.ok_or(PageError::NotFound)?;
            let counts = archive::read(app.store(), &archived, &key::incidents(&asked.area)).await?.unwrap_or_default();
            let forms = archive::definitions(app.store(), &archived).await?;
            let mut rows: Vec<Row> = found.rows.into_iter().map(Row::from).collect();
            for comment in rows.iter_mut().filter_map(|row| row.comment.as_mut()) {
                *comment = comment.chars().take(limits::WEB_LIST_TEXT_CHARS as usize).collect();
            }
            (rows, found.next.map(|place| place.to_string()), frame.checklists, counts, forms, frame.areas)
        }
        None => {
            let chars = limits::WEB_LIST_TEXT_CHARS;
            let (rows, more) = incidents::page(app.store(), &election, &filter, limits::WEB_PAGE_ROWS, chars).await?;
            let next = rows.last().filter(|_| more).map(|row| cursor::of_submission(row.cursor()));
            let checklists = election::checklists(app.store(), election.id).await?;
            let counts = incidents::counts(app.store(), election.id, area).await?;
            let forms = election::definitions(app.store(), election.id).await?;
            (rows, next, checklists, counts, forms, election::first_level(app.store(), election.id).await?)
        }
    };
    checklists.retain(|c| c.kind == "incident");
    let path = format!("/elections/{slug}/incidents");
    let set = pairs(&asked);
    let address = Address { path: &path, set: &set };
    let mut chips = Vec::new();
    if let Some(prefix) = &filter.prefix {
        chips.push(address.chip("checklist", "Form", prefix.clone()));
    }
    if let Some(area) = trail.last() {
        chips.push(address.chip("area", "Area", area.name.clone()));
    }
    if let Some(state) = filter.state {
        let words = STATES.iter().find(|(s, _)| *s == state).map_or(state, |(_, words)| words);
        chips.push(address.chip("state", "State", words));
    }
    if let Some((_, words)) = AGES.iter().find(|(hours, _)| !hours.is_empty() && *hours == asked.hours) {
        chips.push(address.chip("hours", "Received in", *words));
    }
    if let Some(words) = &filter.words {
        chips.push(address.chip("words", "Words", words.clone()));
    }
    let pager = address.pager(!asked.after.is_empty(), next.as_deref());
    let take = who.may(Right::Export).then(|| address.take());
    render(&Page {
        layout: Layout::new("Incidents", Some(who)).at("incidents").of(&election),
        slug,
        is_archived: election.version > 0,
        language: election.language,
        timezone: election.timezone,
        checklists,
        forms,
        areas,
        trail,
        counts,
        rows,
        chips: Chips { chips, clear: path },
        pager,
        take,
        asked,
    })
}

/// Reads a file's rows, some at a time.
struct Rows {
    app: App,
    election: Election,
    forms: Vec<Checklist>,
    filter: Filter,
    archived: Option<(Arc<Archived>, Wanted)>,
}

impl Source for Rows {
    async fn write(&mut self, sheet: &mut Sheet) -> Result<bool, PageError> {
        // Few at a time, as each has the whole of its comment.
        let (few, store) = (limits::WEB_PAGE_ROWS, self.app.store());
        let (rows, more) = match &mut self.archived {
            Some((archived, wanted)) => {
                let slice = archive::details(store, archived, wanted, few).await?;
                wanted.place = slice.next.unwrap_or_default();
                (slice.rows.into_iter().map(Row::from).collect(), slice.next.is_some())
            }
            None => incidents::page(store, &self.election, &self.filter, few, i32::MAX).await?,
        };
        for row in &rows {
            let said = said(&self.forms, row, &self.election.language);
            let said = said.iter().map(|(code, words)| format!("{code}: {words}")).collect::<Vec<_>>().join("; ");
            sheet.row([
                (&row.first).into(),
                (&row.last).into(),
                (&row.prefix).into(),
                row.serial.as_ref().into(),
                (&row.observer).into(),
                row.station.as_ref().map(|(code, _)| code).into(),
                row.station.as_ref().map(|(_, name)| name).into(),
                row.area.as_ref().into(),
                said.into(),
                row.missing.into(),
                row.comment.as_ref().into(),
                row.revisions.into(),
            ]);
        }
        self.filter.after = rows.last().map(Row::cursor);
        Ok(more)
    }
}

/// `GET /elections/{slug}/incidents.csv`, `.json`
pub(in crate::web) async fn file(
    State(app): State<App>,
    form: Form,
    Path(slug): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let election = super::election(&app, &slug).await?;
    let (mut filter, _) = filter(&app, &election, &asked).await?;
    filter.after = None;
    let archived = app.archived(&slug).await?;
    let forms = match &archived {
        Some(archived) => archive::definitions(app.store(), archived).await?,
        None => election::definitions(app.store(), election.id).await?,
    };
    let wanted = wanted(&Asked { after: String::new(), ..asked })?;
    let archived = archived.map(|archived| (archived, wanted));
    let columns = [
        "first",
        "last",
        "form",
        "serial",
        "observer",
        "station",
        "station_name",
        "area",
        "answers",
        "missing",
        "comment",
        "messages",
    ];
    let table = Table::new(form, &[&slug, "incidents"], columns);
    export::send(&app, table, Rows { app: app.clone(), election, forms, filter, archived }).await
}
