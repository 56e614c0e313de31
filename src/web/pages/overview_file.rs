//! The overview's tables as files: by area and checklist (`overview`), by checklist (`checklists`), over time
//! (`growth`) and messages by outcome (`outcomes`), each of the area that is shown.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;

use crate::store::pages::overview::Overview;
use crate::web::App;
use crate::web::error::PageError;
use crate::web::export::{self, Form, Table};

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
pub(in crate::web) struct Asked {
    /// Code of an area.
    #[serde(default)]
    area: String,
}

async fn figures(app: &App, slug: &str, asked: &Asked) -> Result<Arc<Overview>, PageError> {
    let election = super::election(app, slug).await?;
    let trail = super::area(app, &election, &asked.area).await?;
    super::overview::figures(app, &election, trail.last()).await
}

/// `GET /elections/{slug}/checklists.csv`, `.json`
pub(in crate::web) async fn checklists(
    State(app): State<App>,
    Path(slug): Path<String>,
    form: Form,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let figures = figures(&app, &slug, &asked).await?;
    let columns = ["checklist", "state", "expected", "complete", "partial", "missing"];
    export::whole(&app, Table::new(form, &[&slug, "checklists", &asked.area], columns), |sheet| {
        for (index, checklist) in figures.checklists.iter().enumerate() {
            let tally = figures.of_checklist(index);
            sheet.row([
                (&checklist.prefix).into(),
                (&checklist.state).into(),
                tally.expected.into(),
                tally.complete.into(),
                tally.partial.into(),
                tally.missing().into(),
            ]);
        }
    })
}

/// `GET /elections/{slug}/growth.csv`, `.json`
pub(in crate::web) async fn growth(
    State(app): State<App>,
    Path(slug): Path<String>,
    form: Form,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let figures = figures(&app, &slug, &asked).await?;
    let columns = ["from", "seconds", "checklist", "new", "in_all"];
    let mut sums = vec![0; figures.checklists.len()];
    export::whole(&app, Table::new(form, &[&slug, "growth", &asked.area], columns), |sheet| {
        for step in &figures.steps {
            let Some((checklist, sum)) = figures.checklists.get(step.checklist).zip(sums.get_mut(step.checklist))
            else {
                continue;
            };
            *sum += step.reports;
            sheet.row([
                (&step.from).into(),
                step.seconds.into(),
                (&checklist.prefix).into(),
                step.reports.into(),
                (*sum).into(),
            ]);
        }
    })
}

/// `GET /elections/{slug}/outcomes.csv`, `.json`
pub(in crate::web) async fn outcomes(
    State(app): State<App>,
    Path(slug): Path<String>,
    form: Form,
) -> Result<Response, PageError> {
    let figures = figures(&app, &slug, &Asked::default()).await?;
    export::whole(&app, Table::new(form, &[&slug, "outcomes"], ["outcome", "messages"]), |sheet| {
        for (outcome, count) in &figures.outcomes {
            sheet.row([outcome.as_str().into(), (*count).into()]);
        }
    })
}

/// `GET /elections/{slug}/overview.csv`, `.json`
pub(in crate::web) async fn file(
    State(app): State<App>,
    Path(slug): Path<String>,
    form: Form,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let figures = figures(&app, &slug, &asked).await?;
    let columns = ["area", "name", "level", "observers", "checklist", "expected", "complete", "partial", "missing"];
    let table = Table::new(form, &[&slug, "overview", &asked.area], columns);
    export::whole(&app, table, |sheet| {
        for area in &figures.areas {
            let place = area.place.as_ref();
            for (checklist, tally) in figures.checklists.iter().zip(&area.tallies) {
                sheet.row([
                    place.map(|p| &p.code).into(),
                    place.map(|p| &p.name).into(),
                    place.map(|p| &p.level).into(),
                    area.observers.into(),
                    (&checklist.prefix).into(),
                    tally.expected.into(),
                    tally.complete.into(),
                    tally.partial.into(),
                    tally.missing().into(),
                ]);
            }
        }
    })
}
