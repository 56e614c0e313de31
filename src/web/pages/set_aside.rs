//! `/set-aside`: records that failed alone.

use axum::Extension;
use axum::extract::State;

use crate::store::pages::Moment;
use crate::store::pages::set_aside::{SetAside, list};
use crate::web::auth::Who;
use crate::web::layout::{Answer, Layout, render};
use crate::web::{App, format, text};

#[derive(askama::Template)]
#[template(path = "set_aside.html")]
struct Page {
    layout: Layout,
    records: Vec<SetAside>,
    all: i64,
}

impl Page {
    fn utc(at: &time::OffsetDateTime) -> format::Time {
        let local = time::PrimitiveDateTime::new(at.date(), at.time());
        format::time(&Moment { at: *at, local })
    }
}

/// `GET /set-aside`
pub(in crate::web) async fn page(State(app): State<App>, Extension(who): Extension<Who>) -> Answer {
    let (records, all) = list(app.store()).await?;
    render(&Page { layout: Layout::new("Set aside", Some(who)).at("set-aside"), records, all })
}
