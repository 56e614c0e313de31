//! What is answered of an archived election from its archive alone: one submission. Its other pages are made
//! as those of live ones are, of frozen figures; what was not frozen is not there.

use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

use super::submission;
use crate::archive::{self, Archived};
use crate::web::App;
use crate::web::auth::Who;
use crate::web::error::PageError;

/// The answer to a page of an archived election that is not made like a live one's; `None`: it is.
pub(in crate::web) async fn own(app: &App, archived: &Archived, who: Who, uri: &Uri) -> Option<Response> {
    let below: Vec<&str> = uri.path().split('/').skip(3).collect();
    let is_table = |name: &str| {
        let name = name.trim_end_matches(".csv").trim_end_matches(".json");
        ["overview", "checklists", "growth", "outcomes", "submissions", "incidents", "observers"].contains(&name)
    };
    match below.as_slice() {
        [] | ["questions", ..] => None,
        [name] if is_table(name) => None,
        ["submissions" | "incidents", id] => Some(one(app, archived, who, id).await.into_response()),
        // What is not frozen is not there: its live tables are left alone.
        _ => Some(PageError::NotFound.into_response()),
    }
}

async fn one(app: &App, archived: &Archived, who: Who, id: &str) -> Result<Response, PageError> {
    let (id, form) = super::question_table::file_of(id);
    let id = Uuid::try_parse(id).map_err(|_| PageError::NotFound)?;
    let it = archive::submission(app.store(), archived, id).await?.ok_or(PageError::NotFound)?;
    submission::shown(app, who, archived.election.clone(), it, form)
}
