//! `/elections/{slug}/submissions`: the list, the latest change first, under any filters at once.

use axum::Extension;
use axum::extract::{Path, Query, State};

use super::asked::{Asked, STATES};
use super::condition::{COMPARISONS, Condition};
use super::cursor;
use crate::domain::checklist::Checklist;
use crate::store::pages::Place;
use crate::store::pages::election;
use crate::store::pages::submission_filter::{Count, Looked, Turn};
use crate::store::pages::submissions::{self, Row};
use crate::web::auth::Who;
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
    looked: Option<Looked>,
}

impl Page {
    fn states(&self) -> impl Iterator<Item = (&'static str, &'static str, bool)> {
        STATES.iter().map(|(word, words, _)| (*word, *words, self.asked.states.contains(word)))
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

/// `GET /elections/{slug}/submissions`
pub(in crate::web) async fn page(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Path(slug): Path<String>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Answer {
    let asked = Asked::read(pairs)?;
    let turn = asked.turn()?;
    let election = super::election(&app, &slug).await?;
    let trail = super::area(&app, &election, &asked.area).await?;
    let checklists = election::definitions(app.store(), election.id).await?;
    let filter = asked.filter(&app, &election, &trail, &checklists).await?;
    let (rows, found) = submissions::page(app.store(), &filter, turn).await?;
    let areas = election::first_level(app.store(), election.id).await?;
    let path = format!("/elections/{slug}/submissions");
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
    let pager = Pager {
        newest: (turn != Turn::First).then(|| asked.link(&path, None)),
        newer: newer.map(|c| asked.link(&path, Some(("before", &c)))),
        older: older.map(|c| asked.link(&path, Some(("after", &c)))),
    };
    render(&Page {
        layout: Layout::new("Submissions", Some(who)).at("submissions").of(&election),
        chips: Chips { chips: asked.chips(&path, trail.last().map(|p| p.name.as_str())), clear: path.clone() },
        take: Take::of(&path, &asked.query(None)),
        slug,
        language: election.language,
        timezone: election.timezone,
        checklists,
        areas,
        rows,
        pager,
        count: found.count,
        looked: found.looked,
        asked,
    })
}
