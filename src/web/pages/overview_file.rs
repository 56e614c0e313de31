//! The overview's tables as files: by area and checklist (`overview`), by checklist (`checklists`), over time
//! (`growth`) and messages by outcome (`outcomes`), each of the area that is shown.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;

use crate::store::pages::overview::Overview;
use crate::web::App;
use crate::web::error::PageError;
use crate::web::export::{self, Form, Table};

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
struct Asked {
    /// Code of an area.
    #[serde(default)]
    area: String,
}

/// The figures that the page at this address shows, whatever table of them is asked for.
pub(in crate::web) struct Shown {
    slug: String,
    area: String,
    figures: Arc<Overview>,
}

impl Shown {
    fn table<const N: usize>(&self, form: Form, name: &str, columns: [&str; N]) -> Table {
        Table::new(form, &[&self.slug, name, &self.area], columns)
    }
}

impl FromRequestParts<App> for Shown {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, PageError> {
        let bad = |_| PageError::NotFound;
        let Path(slug): Path<String> = Path::from_request_parts(parts, app).await.map_err(bad)?;
        let query = Query::<Asked>::from_request_parts(parts, app).await;
        let Query(asked) = query.map_err(|_| PageError::NotFound)?;
        let election = super::election(app, &slug).await?;
        let trail = super::area(app, &election, &asked.area).await?;
        let figures = super::overview::figures(app, &election, trail.last()).await?;
        Ok(Self { slug, area: asked.area, figures })
    }
}

/// `GET /elections/{slug}/checklists.csv`, `.json`
pub(in crate::web) async fn checklists(
    State(app): State<App>,
    form: Form,
    shown: Shown,
) -> Result<Response, PageError> {
    let figures = &shown.figures;
    let columns = ["checklist", "state", "expected", "complete", "partial", "missing"];
    export::whole(&app, shown.table(form, "checklists", columns), |sheet| {
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
pub(in crate::web) async fn growth(State(app): State<App>, form: Form, shown: Shown) -> Result<Response, PageError> {
    let figures = &shown.figures;
    let columns = ["from", "seconds", "checklist", "new", "in_all"];
    let mut sums = vec![0; figures.checklists.len()];
    export::whole(&app, shown.table(form, "growth", columns), |sheet| {
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
pub(in crate::web) async fn outcomes(State(app): State<App>, form: Form, shown: Shown) -> Result<Response, PageError> {
    export::whole(&app, shown.table(form, "outcomes", ["outcome", "messages"]), |sheet| {
        for (outcome, count) in &shown.figures.outcomes {
            sheet.row([outcome.as_str().into(), (*count).into()]);
        }
    })
}

/// `GET /elections/{slug}/overview.csv`, `.json`
pub(in crate::web) async fn file(State(app): State<App>, form: Form, shown: Shown) -> Result<Response, PageError> {
    let figures = &shown.figures;
    let columns = ["area", "name", "level", "observers", "checklist", "expected", "complete", "partial", "missing"];
    export::whole(&app, shown.table(form, "overview", columns), |sheet| {
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
