//! `/trouble`: what was not understood, why, and what was answered; those who may can have it read anew.

use axum::Extension;
use axum::extract::{Query, State};
use serde::Deserialize;
use time::OffsetDateTime;

use super::{cursor, link, request};
use crate::domain::outcome::Outcome;
use crate::domain::trouble::{TROUBLE, outcomes, reasons};
use crate::store::pages::trouble::{self, Filter, Row};
use crate::web::auth::Who;
use crate::web::error::PageError;
use crate::web::layout::{Answer, Layout, render};
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
}

#[derive(askama::Template)]
#[template(path = "trouble.html")]
struct Page {
    layout: Layout,
    asked: Asked,
    timezone: Option<String>,
    rows: Vec<Row>,
    counts: Vec<(Outcome, i64)>,
    older: Option<String>,
    newest: Option<String>,
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

/// `GET /trouble`
pub(in crate::web) async fn page(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Query(asked): Query<Asked>,
) -> Answer {
    let election = match asked.election.as_str() {
        "" => None,
        slug => Some(super::election(&app, slug).await?),
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
    let after =
        match asked.after.as_str() {
            "" => None,
            text => Some(cursor::message(text).ok_or(PageError::Bad(
                "This page’s address is cut or mistyped. Begin again at the list’s first page.",
            ))?),
        };
    let filter = Filter { outcomes, election: election.as_ref().map(|e| e.id), since, after };
    let (rows, more) = trouble::page(app.store(), &filter).await?;
    let counts = trouble::counts(app.store(), &filter).await?;
    let pairs =
        [("election", asked.election.as_str()), ("outcome", asked.outcome.as_str()), ("hours", asked.hours.as_str())];
    let older = rows.last().filter(|_| more).map(|r| {
        let after = cursor::of_message(r.cursor());
        link("/trouble", &[pairs[0], pairs[1], pairs[2], ("after", &after)])
    });
    let newest = after.map(|_| link("/trouble", &pairs));
    let may_ask = request::may_ask(&who);
    let mut layout = Layout::new("Not understood", Some(who)).at("trouble");
    if let Some(election) = &election {
        layout = layout.of(election);
    }
    render(&Page { layout, timezone: election.map(|e| e.timezone), rows, counts, older, newest, may_ask, asked })
}
