//! `/messages`: the log, the newest first, each message with its reply.

use axum::Extension;
use axum::extract::{Query, State};
use serde::Deserialize;

use super::{cursor, link};
use crate::domain::outcome::Outcome;
use crate::limits::WEB_LIST_TEXT_CHARS;
use crate::store::pages::messages::{self, Filter, Row};
use crate::web::auth::Who;
use crate::web::error::PageError;
use crate::web::layout::{Answer, Layout, render};
use crate::web::{App, format, text};

/// What is asked for.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Asked {
    #[serde(default)]
    election: String,
    #[serde(default)]
    outcome: String,
    #[serde(default)]
    after: String,
}

#[derive(askama::Template)]
#[template(path = "messages.html")]
struct Page {
    layout: Layout,
    asked: Asked,
    timezone: Option<String>,
    rows: Vec<Row>,
    older: Option<String>,
    newest: Option<String>,
}

impl Page {
    fn outcomes(&self) -> &'static [Outcome] {
        &Outcome::ALL
    }

    fn is_cut(row: &Row) -> bool {
        row.chars > WEB_LIST_TEXT_CHARS
    }
}

/// `GET /messages`
pub(in crate::web) async fn page(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Query(asked): Query<Asked>,
) -> Answer {
    let election = match asked.election.as_str() {
        "" => None,
        slug => Some(super::election(&app, slug).await?),
    };
    let outcome = match asked.outcome.as_str() {
        "" => None,
        word => Some(Outcome::from_word(word).ok_or(PageError::NotFound)?),
    };
    let after =
        match asked.after.as_str() {
            "" => None,
            text => Some(cursor::message(text).ok_or(PageError::Bad(
                "This page’s address is cut or mistyped. Begin again at the log’s first page.",
            ))?),
        };
    let filter = Filter { election: election.as_ref().map(|e| e.id), outcome, after };
    let (rows, more) = messages::page(app.store(), &filter).await?;
    let pairs = [("election", asked.election.as_str()), ("outcome", asked.outcome.as_str())];
    let older = rows.last().filter(|_| more).map(|r| {
        let after = cursor::of_message(r.cursor());
        link("/messages", &[pairs[0], pairs[1], ("after", &after)])
    });
    let newest = after.map(|_| link("/messages", &pairs));
    let mut layout = Layout::new("Messages", Some(who)).at("messages");
    if let Some(election) = &election {
        layout = layout.of(election);
    }
    render(&Page { layout, timezone: election.map(|e| e.timezone), rows, older, newest, asked })
}
