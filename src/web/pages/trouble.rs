//! `/trouble`: what was not understood, why, and what was answered; those who may can have it read anew.

use axum::Extension;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use time::OffsetDateTime;

use super::{link, messages, request};
use crate::domain::outcome::Outcome;
use crate::domain::trouble::{TROUBLE, outcomes, reasons};
use crate::store::pages::election::Election;
use crate::store::pages::messages::{self as log, Row};
use crate::store::pages::trouble::{self, Filter};
use crate::web::auth::Who;
use crate::web::error::PageError;
use crate::web::export::{self, Form, Table};
use crate::web::layout::{Answer, Layout, render};
use crate::web::list::{Pager, Take};
use crate::web::{App, format, text};

/// Ages that can be asked for: hours, and in words.
const AGES: [(&str, &str); 5] = [
    ("1", "the last hour"),
    ("6", "the last 6 hours"),
    ("24", "the last day"),
    ("168", "the last week"),
    ("", "any time"),
];

/// What is asked for.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Asked {
    #[serde(default)]
    election: String,
    #[serde(default)]
    outcome: String,
    #[serde(default)]
    hours: String,
    #[serde(default)]
    after: String,
    #[serde(default)]
    before: String,
}

impl Asked {
    fn pairs(&self) -> [(&'static str, &str); 3] {
        [("election", &self.election), ("outcome", &self.outcome), ("hours", &self.hours)]
    }
}

#[derive(askama::Template)]
#[template(path = "trouble.html")]
struct Page {
    layout: Layout,
    asked: Asked,
    timezone: Option<String>,
    rows: Vec<Row>,
    counts: Vec<(Outcome, i64)>,
    pager: Pager,
    take: Take,
    may_ask: bool,
}

impl Page {
    fn ages(&self) -> [(&'static str, &'static str); 5] {
        AGES
    }

    fn all_outcomes(&self) -> Vec<Outcome> {
        outcomes().collect()
    }

    fn reasons(row: &Row) -> Vec<String> {
        reasons(row.outcome, row.reading.as_ref())
    }

    /// What a request for all of these names: those that are set aside have a way of their own.
    fn asked_outcomes(&self) -> String {
        let one = Outcome::from_word(&self.asked.outcome).map(|o| o.as_str());
        let all = TROUBLE.iter().copied().filter(|w| *w != "set_aside" && Outcome::from_word(w).is_some());
        one.map_or_else(|| all.collect::<Vec<_>>().join(","), str::to_owned)
    }

    fn total(&self) -> i64 {
        self.counts.iter().map(|(_, n)| n).sum()
    }
}

/// The election and the filter that are asked for.
async fn filter(app: &App, asked: &Asked) -> Result<(Option<Election>, Filter), PageError> {
    let election = match asked.election.as_str() {
        "" => None,
        slug => Some(super::election(app, slug).await?),
    };
    let outcomes = match asked.outcome.as_str() {
        "" => TROUBLE.to_vec(),
        word => vec![Outcome::from_word(word).ok_or(PageError::NotFound)?.as_str()],
    };
    let since = match asked.hours.as_str() {
        "" => None,
        hours => {
            let hours = hours.parse::<u16>().map_err(|_| PageError::NotFound)?;
            Some(OffsetDateTime::now_utc() - time::Duration::hours(i64::from(hours)))
        }
    };
    let filter = Filter { outcomes, election: election.as_ref().map(|e| e.id), since, after: None };
    Ok((election, filter))
}

/// `GET /trouble`
pub(in crate::web) async fn page(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Query(asked): Query<Asked>,
) -> Answer {
    let turn = messages::turn(&asked.after, &asked.before)?;
    let (election, filter) = filter(&app, &asked).await?;
    let page = log::page(app.store(), &filter.of_log(), turn).await?;
    let counts = trouble::counts(app.store(), &filter).await?;
    let may_ask = request::may_ask(&who);
    let mut layout = Layout::new("Not understood", Some(who)).at("trouble");
    if let Some(election) = &election {
        layout = layout.of(election);
    }
    let pairs = asked.pairs();
    render(&Page {
        layout,
        timezone: election.map(|e| e.timezone),
        pager: messages::pager(&page, turn, |place| link("/trouble", &[pairs[0], pairs[1], pairs[2], place])),
        rows: page.rows,
        counts,
        take: Take::of("/trouble", link("", &pairs).trim_start_matches('?')),
        may_ask,
        asked,
    })
}

/// `GET /trouble.csv`, `.json`
pub(in crate::web) async fn file(
    State(app): State<App>,
    form: Form,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let (_, filter) = filter(&app, &asked).await?;
    let table = Table::new(form, &[&asked.election, "not-understood", &asked.outcome], messages::COLUMNS);
    export::send(&app, table, messages::Log { app: app.clone(), filter: filter.of_log(), after: None }).await
}
