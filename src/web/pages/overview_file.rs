//! `/elections/{slug}/overview.csv` and `.json`: what was expected and what came, a line for each area and
//! checklist below the area that is shown.

use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;

use crate::web::App;
use crate::web::error::PageError;
use crate::web::export::{self, Form, Table};

/// What is asked for.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Asked {
    /// Code of an area.
    #[serde(default)]
    area: String,
}

/// `GET /elections/{slug}/overview.csv`, `.json`
pub(in crate::web) async fn file(
    State(app): State<App>,
    Path(slug): Path<String>,
    form: Form,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let election = super::election(&app, &slug).await?;
    let trail = super::area(&app, &election, &asked.area).await?;
    let figures = super::overview::figures(&app, &election, trail.last()).await?;
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
