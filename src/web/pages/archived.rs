//! Pages that only archived elections have in this form: the list of submissions and one submission, from
//! the archive; and what archived elections do not have.

use axum::extract::Query;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use uuid::Uuid;

use super::{link, submission};
use crate::archive::{self, Archived, AreaFrame, Frame, key};
use crate::store::archive_submission::Wanted;
use crate::store::pages::Place;
use crate::store::pages::election::ChecklistName;
use crate::store::pages::submissions::Row;
use crate::web::auth::Who;
use crate::web::error::PageError;
use crate::web::layout::{Answer, Layout, render};
use crate::web::{App, format};

/// States that can be asked for, with their words.
const STATES: [(&str, &str); 4] =
    [("complete", "complete"), ("partial", "partial"), ("broken", "breaks a rule"), ("revised", "sent more than once")];

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
struct Asked {
    #[serde(default)]
    checklist: String,
    #[serde(default)]
    area: String,
    #[serde(default)]
    state: String,
    /// Place of the first line.
    #[serde(default)]
    from: String,
}

#[derive(askama::Template)]
#[template(path = "archived_submissions.html")]
struct Page {
    layout: Layout,
    slug: String,
    language: String,
    timezone: String,
    asked: Asked,
    frame: Frame,
    trail: Vec<Place>,
    rows: Vec<(i32, Row)>,
    older: Option<String>,
    newest: Option<String>,
}

impl Page {
    fn checklists(&self) -> &[ChecklistName] {
        &self.frame.checklists
    }

    fn is_filtered(&self) -> bool {
        !(self.asked.checklist.is_empty() && self.asked.area.is_empty() && self.asked.state.is_empty())
    }

    fn states(&self) -> &'static [(&'static str, &'static str)] {
        &STATES
    }

    fn is_state(&self, word: &str) -> bool {
        self.asked.state == word
    }

    /// The chosen area is not one of the choices: it is added to them.
    fn deep_area(&self) -> Option<&Place> {
        self.trail.last().filter(|p| !self.frame.areas.iter().any(|a| a.code == p.code))
    }
}

/// The answer to a page of an archived election that is not made like a live one's; `None`: it is.
pub(in crate::web) async fn own(app: &App, archived: &Archived, who: Who, uri: &Uri) -> Option<Response> {
    let below: Vec<&str> = uri.path().split('/').skip(3).collect();
    match below.as_slice() {
        [] | ["questions", ..] | ["overview.csv" | "overview.json"] => None,
        ["submissions"] => Some(list(app, archived, who, uri).await.into_response()),
        ["submissions", id] => Some(one(app, archived, who, id).await.into_response()),
        // What is not frozen is not there: its live tables are left alone.
        _ => Some(PageError::NotFound.into_response()),
    }
}

async fn list(app: &App, archived: &Archived, who: Who, uri: &Uri) -> Answer {
    let Query(asked) =
        Query::<Asked>::try_from_uri(uri).map_err(|_| PageError::Bad("This page’s address is cut or mistyped."))?;
    let frame: Frame = archive::read(app.store(), archived, &key::frame()).await?.ok_or(PageError::NotFound)?;
    let from =
        match asked.from.as_str() {
            "" => 0,
            text => text.parse().ok().filter(|n| *n >= 0).ok_or(PageError::Bad(
                "This page’s address is cut or mistyped. Begin again at the list’s first page.",
            ))?,
        };
    let state = match asked.state.as_str() {
        "" => None,
        word => Some(STATES.iter().find(|(s, _)| *s == word).ok_or(PageError::NotFound)?.0),
    };
    let some = |text: &str| Some(text.to_owned()).filter(|t| !t.is_empty());
    let wanted = Wanted { prefix: some(&asked.checklist), area: some(&asked.area), state, from };
    let (rows, more) = archive::submissions(app.store(), archived, &wanted).await?;
    let trail = match asked.area.as_str() {
        "" => Vec::new(),
        code => match archive::read::<AreaFrame>(app.store(), archived, &key::area(code)).await? {
            Some(area) => area.trail,
            // A station: its name stands in its lines.
            None => {
                let name = rows.iter().find_map(|(_, r)| r.station.as_ref().filter(|(c, _)| c == code));
                let name = name.map_or(code, |(_, name)| name.as_str()).to_owned();
                vec![Place { id: 0, level: String::new(), depth: 0, code: code.to_owned(), name, is_station: true }]
            }
        },
    };
    let election = &archived.election;
    let path = format!("/elections/{}/submissions", election.slug);
    let pairs = [("checklist", asked.checklist.as_str()), ("area", &asked.area), ("state", &asked.state)];
    let older = rows
        .last()
        .filter(|_| more)
        .map(|(place, _)| link(&path, &[pairs[0], pairs[1], pairs[2], ("from", &(place + 1).to_string())]));
    let newest = (from > 0).then(|| link(&path, &pairs));
    render(&Page {
        layout: Layout::new("Submissions", Some(who)).at("submissions").of(election),
        slug: election.slug.clone(),
        language: election.language.clone(),
        timezone: election.timezone.clone(),
        frame,
        trail,
        rows,
        older,
        newest,
        asked,
    })
}

async fn one(app: &App, archived: &Archived, who: Who, id: &str) -> Answer {
    let id = Uuid::try_parse(id).map_err(|_| PageError::NotFound)?;
    let it = archive::submission(app.store(), archived, id).await?.ok_or(PageError::NotFound)?;
    submission::shown(who, archived.election.clone(), it)
}
