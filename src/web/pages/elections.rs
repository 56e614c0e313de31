//! `/elections`: all of them, with how far each is.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;

use crate::archive::Archived;
use crate::store::pages::election::{Listed, list};
use crate::web::auth::Who;
use crate::web::error::PageError;
use crate::web::export::{self, Form, Table};
use crate::web::layout::{Answer, Layout, render};
use crate::web::list::Take;
use crate::web::{App, format};

#[derive(askama::Template)]
#[template(path = "elections.html")]
struct Page {
    layout: Layout,
    elections: Arc<Vec<Listed>>,
    archived: Vec<Arc<Archived>>,
    take: Take,
}

async fn listed(app: &App) -> Result<Arc<Vec<Listed>>, PageError> {
    app.0.elections.get((), async { list(app.store()).await.map_err(PageError::from) }).await
}

/// The archived ones, the last archived first.
async fn archived(app: &App) -> Result<Vec<Arc<Archived>>, PageError> {
    let mut archived: Vec<Arc<Archived>> = app.archives().await?.values().cloned().collect();
    archived.sort_by_key(|a| std::cmp::Reverse(a.listed.archived.map(|m| m.at)));
    Ok(archived)
}

/// `GET /elections`
pub(in crate::web) async fn page(State(app): State<App>, Extension(who): Extension<Who>) -> Answer {
    let elections = listed(&app).await?;
    let take = Take::of("/elections", "");
    let archived = archived(&app).await?;
    render(&Page { layout: Layout::new("Elections", Some(who)).at("elections"), elections, archived, take })
}

/// `GET /elections.csv`, `/elections.json`
pub(in crate::web) async fn file(State(app): State<App>, form: Form) -> Result<Response, PageError> {
    let elections = listed(&app).await?;
    let archived = archived(&app).await?;
    let columns = [
        "election",
        "name",
        "state",
        "opened",
        "closed",
        "observers",
        "stations",
        "reports",
        "complete",
        "incidents",
        "last",
    ];
    export::whole(&app, Table::new(form, &["elections"], columns), |sheet| {
        for e in elections.iter().chain(archived.iter().map(|a| &a.listed)) {
            sheet.row([
                (&e.slug).into(),
                (&e.name).into(),
                (&e.state).into(),
                e.opened.as_ref().into(),
                e.closed.as_ref().into(),
                e.observers.into(),
                e.stations.into(),
                e.reports.into(),
                e.complete.into(),
                e.incidents.into(),
                e.last.as_ref().into(),
            ]);
        }
    })
}
