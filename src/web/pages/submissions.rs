//! `/elections/{slug}/submissions`: the list, the latest change first.

use axum::Extension;
use axum::extract::{Path, Query, State};
use serde::Deserialize;

use super::{cursor, link};
use crate::store::pages::Place;
use crate::store::pages::election::{self, ChecklistName};
use crate::store::pages::submissions::{self, Filter, Row};
use crate::web::auth::Who;
use crate::web::error::PageError;
use crate::web::layout::{Answer, Layout, render};
use crate::web::{App, format};

/// States that can be asked for, with their words.
const STATES: [(&str, &str); 4] =
    [("complete", "complete"), ("partial", "partial"), ("broken", "breaks a rule"), ("revised", "sent more than once")];

/// What is asked for.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Asked {
    #[serde(default)]
    checklist: String,
    #[serde(default)]
    area: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    after: String,
}

#[derive(askama::Template)]
#[template(path = "submissions.html")]
struct Page {
    layout: Layout,
    slug: String,
    language: String,
    timezone: String,
    asked: Asked,
    checklists: Vec<ChecklistName>,
    areas: Vec<Place>,
    trail: Vec<Place>,
    rows: Vec<Row>,
    older: Option<String>,
    newest: Option<String>,
}

impl Page {
    fn states(&self) -> &'static [(&'static str, &'static str)] {
        &STATES
    }

    fn is_state(&self, word: &str) -> bool {
        self.asked.state == word
    }

    fn is_filtered(&self) -> bool {
        !(self.asked.checklist.is_empty() && self.asked.area.is_empty() && self.asked.state.is_empty())
    }

    /// The chosen area is not one of the choices: it is added to them.
    fn deep_area(&self) -> Option<&Place> {
        self.trail.last().filter(|p| !self.areas.iter().any(|a| a.id == p.id))
    }
}

/// `GET /elections/{slug}/submissions`
pub(in crate::web) async fn page(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Path(slug): Path<String>,
    Query(asked): Query<Asked>,
) -> Answer {
    let election = super::election(&app, &slug).await?;
    let trail = super::area(&app, &election, &asked.area).await?;
    let after =
        match asked.after.as_str() {
            "" => None,
            text => Some(cursor::submission(text).ok_or(PageError::Bad(
                "This page’s address is cut or mistyped. Begin again at the list’s first page.",
            ))?),
        };
    let state = match asked.state.as_str() {
        "" => None,
        word => Some(STATES.iter().find(|(s, _)| *s == word).ok_or(PageError::NotFound)?.0),
    };
    let filter = Filter {
        prefix: Some(asked.checklist.clone()).filter(|p| !p.is_empty()),
        area: trail.last().map(|a| a.id),
        state,
        after,
    };
    let (rows, more) = submissions::page(app.store(), &election, &filter).await?;
    let checklists = election::checklists(app.store(), election.id).await?;
    let areas = election::first_level(app.store(), election.id).await?;
    let path = format!("/elections/{slug}/submissions");
    let pairs = [("checklist", asked.checklist.as_str()), ("area", &asked.area), ("state", &asked.state)];
    let older = rows.last().filter(|_| more).map(|r| {
        let after = cursor::of_submission(r.cursor());
        link(&path, &[pairs[0], pairs[1], pairs[2], ("after", &after)])
    });
    let newest = after.map(|_| link(&path, &pairs));
    render(&Page {
        layout: Layout::new("Submissions", Some(who)).at("submissions").of(&election),
        slug,
        language: election.language,
        timezone: election.timezone,
        checklists,
        areas,
        trail,
        rows,
        older,
        newest,
        asked,
    })
}
