//! `/elections/{slug}/observers`: who is missing what, when each was last heard of, and whom to call.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use time::OffsetDateTime;
use tower_sessions::Session;

use super::link;
use crate::archive::{self, Archived, Frame, key};
use crate::limits;
use crate::store::archive_observer::Wanted;
use crate::store::pages::Place;
use crate::store::pages::election::{self, ChecklistName, Election};
use crate::store::pages::observers::{self, Contact, Counts, Filter, Row};
use crate::web::auth::Who;
use crate::web::auth::rights::Right;
use crate::web::auth::sessions::key;
use crate::web::error::PageError;
use crate::web::export::{self, Form, Sheet, Source, Table};
use crate::web::layout::{Answer, Layout, render};
use crate::web::list::{Address, Chips, Pager, Take};
use crate::web::{App, format, text};

/// States that can be asked for, with their words.
const STATES: [(&str, &str); 4] = [
    ("missing", "a report is missing"),
    ("nothing", "nothing came"),
    ("partial", "a report lacks answers"),
    ("complete", "all is in"),
];
/// Silences that can be asked for, hours, with their words.
const SILENT: [(&str, &str); 5] =
    [("", "or not"), ("1", "1 hour"), ("3", "3 hours"), ("6", "6 hours"), ("24", "a day")];

/// What is asked for.
#[derive(Debug, Clone, Default, Deserialize)]
pub(in crate::web) struct Asked {
    #[serde(default)]
    area: String,
    #[serde(default)]
    checklist: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    silent: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    after: String,
}

#[derive(askama::Template)]
#[template(path = "observers.html")]
struct Page {
    layout: Layout,
    slug: String,
    language: String,
    timezone: String,
    asked: Asked,
    checklists: Vec<ChecklistName>,
    areas: Vec<Place>,
    trail: Vec<Place>,
    is_archived: bool,
    counts: Arc<Counts>,
    rows: Vec<Row>,
    contacts: Option<HashMap<i32, Contact>>,
    now: OffsetDateTime,
    chips: Chips,
    pager: Pager,
    take: Option<Take>,
    to_call: String,
}

impl Page {
    fn states(&self) -> &'static [(&'static str, &'static str)] {
        &STATES
    }

    fn silences(&self) -> &'static [(&'static str, &'static str)] {
        &SILENT
    }

    fn deep_area(&self) -> Option<&Place> {
        self.trail.last().filter(|p| !self.areas.iter().any(|a| a.id == p.id))
    }

    fn ago(&self, at: &OffsetDateTime) -> String {
        format::age((self.now - *at).whole_seconds())
    }

    fn contact(&self, row: &Row) -> Option<&Contact> {
        self.contacts.as_ref()?.get(&row.id)
    }
}

/// What the address asks for, in the store's words.
async fn filter(app: &App, election: &Election, asked: &Asked) -> Result<(Filter, Vec<Place>), PageError> {
    let trail = super::area(app, election, &asked.area).await?;
    let state = match asked.state.as_str() {
        "" => None,
        word => Some(STATES.iter().find(|(s, _)| *s == word).ok_or(PageError::NotFound)?.0),
    };
    let is_code = |text: &str| text.len() <= 12 && text.bytes().all(|b| b.is_ascii_digit());
    if !is_code(asked.code.trim()) || !is_code(&asked.after) || asked.checklist.len() > 12 {
        return Err(PageError::Bad("An observer’s code has up to 12 digits, and nothing else."));
    }
    let hours = asked.silent.parse::<u16>().ok();
    let some = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let filter = Filter {
        area: trail.last().map(|a| a.id),
        prefix: some(&asked.checklist),
        state,
        silent_since: hours.map(|hours| OffsetDateTime::now_utc() - time::Duration::hours(hours.into())),
        code: some(&asked.code),
        after: some(&asked.after),
    };
    Ok((filter, trail))
}

/// The same of an archive.
fn wanted(filter: &Filter, asked: &Asked) -> Wanted {
    Wanted {
        area: Some(asked.area.clone()).filter(|area| !area.is_empty()),
        prefix: filter.prefix.clone(),
        state: filter.state,
        code: filter.code.clone(),
        after: filter.after.clone(),
    }
}

/// The pairs of the address but the page's beginning.
fn pairs(asked: &Asked) -> [(&'static str, &str); 5] {
    [
        ("area", &asked.area),
        ("checklist", &asked.checklist),
        ("state", &asked.state),
        ("silent", &asked.silent),
        ("code", &asked.code),
    ]
}

/// The key of the session, of somebody who may see numbers.
fn opener(who: &Who, session: &Session) -> Option<Vec<u8>> {
    who.may(Right::Phones).then(|| session.id().map(|id| key(&id).to_vec()))?
}

async fn contacts(app: &App, opener: Option<&[u8]>, rows: &[Row]) -> Result<Option<HashMap<i32, Contact>>, PageError> {
    let Some(opener) = opener else { return Ok(None) };
    let ids: Vec<i32> = rows.iter().map(|row| row.id).collect();
    Ok(Some(observers::contacts(app.store(), opener, &ids).await?))
}

/// `GET /elections/{slug}/observers`
pub(in crate::web) async fn page(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    session: Session,
    Path(slug): Path<String>,
    Query(asked): Query<Asked>,
) -> Answer {
    let election = super::election(&app, &slug).await?;
    let (filter, trail) = filter(&app, &election, &asked).await?;
    let (rows, more, contacts, counts, mut checklists, areas) = match app.archived(&slug).await? {
        Some(archived) => {
            let wanted = wanted(&filter, &asked);
            let (rows, more) = archive::observers(app.store(), &archived, &wanted, limits::WEB_OBSERVER_ROWS).await?;
            let counts = Arc::new(archive::observer_counts(app.store(), &archived, &wanted).await?);
            let frame: Frame =
                archive::read(app.store(), &archived, &key::frame()).await?.ok_or(PageError::NotFound)?;
            (rows, more, None, counts, frame.checklists, frame.areas)
        }
        None => {
            let (rows, more) = observers::page(app.store(), &election, &filter, limits::WEB_OBSERVER_ROWS).await?;
            let contacts = contacts(&app, opener(&who, &session).as_deref(), &rows).await?;
            let asked_counts = (election.id, filter.area, filter.prefix.clone());
            let compute = async {
                let prefix = filter.prefix.as_deref();
                observers::counts(app.store(), election.id, filter.area, prefix).await.map_err(PageError::from)
            };
            let counts = app.0.observer_counts.get(asked_counts, compute).await?;
            let checklists = election::checklists(app.store(), election.id).await?;
            (rows, more, contacts, counts, checklists, election::first_level(app.store(), election.id).await?)
        }
    };
    checklists.retain(|c| c.kind == "checklist" && c.state != "draft");
    let path = format!("/elections/{slug}/observers");
    let set = pairs(&asked);
    let address = Address { path: &path, set: &set };
    let mut chips = Vec::new();
    if let Some(area) = trail.last() {
        chips.push(address.chip("area", "Area", area.name.clone()));
    }
    if let Some(prefix) = &filter.prefix {
        chips.push(address.chip("checklist", "Checklist", prefix.clone()));
    }
    if let Some((_, words)) = STATES.iter().find(|(state, _)| Some(*state) == filter.state) {
        chips.push(address.chip("state", "State", *words));
    }
    if let Some((_, words)) = SILENT.iter().find(|(hours, _)| !hours.is_empty() && *hours == asked.silent) {
        chips.push(address.chip("silent", "Silent for", *words));
    }
    if let Some(code) = &filter.code {
        chips.push(address.chip("code", "Code", code.clone()));
    }
    let after = rows.last().filter(|_| more).map(|row| row.code.as_str());
    let pager = Pager { by_code: true, ..address.pager(filter.after.is_some(), after) };
    let take = who.may(Right::Export).then(|| address.take());
    let to_call =
        link(&path, &[("area", &asked.area), ("checklist", &asked.checklist), ("state", "missing"), ("silent", "3")]);
    render(&Page {
        layout: Layout::new("Observers", Some(who)).at("observers").of(&election),
        slug,
        is_archived: election.version > 0,
        language: election.language,
        timezone: election.timezone,
        checklists,
        areas,
        trail,
        counts,
        rows,
        contacts,
        now: OffsetDateTime::now_utc(),
        chips: Chips { chips, clear: path },
        pager,
        take,
        to_call,
        asked,
    })
}

/// Reads a file's rows, some at a time.
struct Rows {
    app: App,
    election: Election,
    filter: Filter,
    opener: Option<Vec<u8>>,
    archived: Option<(Arc<Archived>, Wanted)>,
}

impl Source for Rows {
    async fn write(&mut self, sheet: &mut Sheet) -> Result<bool, PageError> {
        let store = self.app.store();
        let (rows, more) = match &mut self.archived {
            Some((archived, wanted)) => {
                let (rows, more) = archive::observers(store, archived, wanted, limits::WEB_EXPORT_ROWS).await?;
                wanted.after = rows.last().map(|row| row.code.clone());
                (rows, more)
            }
            None => observers::page(store, &self.election, &self.filter, limits::WEB_EXPORT_ROWS).await?,
        };
        let contacts = match self.archived {
            Some(_) => None,
            None => contacts(&self.app, self.opener.as_deref(), &rows).await?,
        };
        for row in &rows {
            let contact = contacts.as_ref().and_then(|contacts| contacts.get(&row.id));
            let phones = contact.map_or(&row.phones, |contact| &contact.phones);
            sheet.row([
                (&row.code).into(),
                contact.and_then(|contact| contact.name.as_ref()).into(),
                row.station.as_ref().map(|(code, _)| code).into(),
                row.station.as_ref().map(|(_, name)| name).into(),
                row.area.as_ref().into(),
                row.expected.into(),
                row.complete.into(),
                row.missing.join(" ").into(),
                row.partial.join(" ").into(),
                row.incidents.into(),
                row.heard.as_ref().into(),
                phones.join(" ").into(),
            ]);
        }
        self.filter.after = rows.last().map(|row| row.code.clone());
        Ok(more)
    }
}

/// `GET /elections/{slug}/observers.csv`, `.json`
pub(in crate::web) async fn file(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    session: Session,
    form: Form,
    Path(slug): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let election = super::election(&app, &slug).await?;
    let (mut filter, _) = filter(&app, &election, &asked).await?;
    filter.after = None;
    let columns = [
        "observer",
        "name",
        "station",
        "station_name",
        "area",
        "expected",
        "complete",
        "missing",
        "partial",
        "incidents",
        "heard",
        "phones",
    ];
    let table = Table::new(form, &[&slug, "observers"], columns);
    let opener = opener(&who, &session);
    let archived = app.archived(&slug).await?.map(|archived| (archived, wanted(&filter, &asked)));
    export::send(&app, table, Rows { app: app.clone(), election, filter, opener, archived }).await
}
