//! `/status`: is the installation alive, and how old is what is shown?

use axum::Extension;
use axum::extract::State;
use time::OffsetDateTime;

use crate::store::pages::state::{self, Activity, State as Database};
use crate::web::auth::Who;
use crate::web::layout::{Answer, Layout, render};
use crate::web::list::Take;
use crate::web::{App, format, text};

#[derive(askama::Template)]
#[template(path = "status.html")]
struct Page {
    layout: Layout,
    now: OffsetDateTime,
    database: Database,
    activity: Activity,
    clock_seconds: i64,
    up_seconds: i64,
    connections: (u32, usize),
    take: Take,
}

impl Page {
    fn ago(&self, at: &OffsetDateTime) -> String {
        format!("{} ago", format::age((self.now - *at).whole_seconds()))
    }
}

/// `GET /status`
pub(in crate::web) async fn page(State(app): State<App>, Extension(who): Extension<Who>) -> Answer {
    let database = state::ask(app.store()).await?;
    let activity = state::activity(app.store()).await?;
    render(&Page {
        layout: Layout::new("Status", Some(who)).at("status"),
        now: database.now,
        clock_seconds: (OffsetDateTime::now_utc() - database.now).whole_seconds(),
        up_seconds: i64::try_from(app.0.started.elapsed().as_secs()).unwrap_or(i64::MAX),
        connections: app.store().connections(),
        take: Take::of("/status/hosts", ""),
        database,
        activity,
    })
}
