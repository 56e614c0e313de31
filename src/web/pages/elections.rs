//! `/elections`: all of them, with how far each is.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;

use crate::store::pages::election::{Listed, list};
use crate::web::auth::Who;
use crate::web::error::PageError;
use crate::web::layout::{Answer, Layout, render};
use crate::web::{App, format};

#[derive(askama::Template)]
#[template(path = "elections.html")]
struct Page {
    layout: Layout,
    elections: Arc<Vec<Listed>>,
}

/// `GET /elections`
pub(in crate::web) async fn page(State(app): State<App>, Extension(who): Extension<Who>) -> Answer {
    let elections = app.0.elections.get((), async { list(app.store()).await.map_err(PageError::from) }).await?;
    render(&Page { layout: Layout::new("Elections", Some(who)).at("elections"), elections })
}
