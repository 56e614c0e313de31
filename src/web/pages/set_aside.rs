//! `/set-aside`: records that failed alone.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use uuid::Uuid;

use crate::store::pages::Moment;
use crate::store::pages::set_aside::{SetAside, list, next};
use crate::web::auth::Who;
use crate::web::error::PageError;
use crate::web::export::{self, Form, Sheet, Source, Table};
use crate::web::layout::{Answer, Layout, render};
use crate::web::list::Take;
use crate::web::{App, format, text};

#[derive(askama::Template)]
#[template(path = "set_aside.html")]
struct Page {
    layout: Layout,
    records: Vec<SetAside>,
    all: i64,
    take: Take,
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
    render(&Page {
        layout: Layout::new("Set aside", Some(who)).at("set-aside"),
        records,
        all,
        take: Take::of("/set-aside", ""),
    })
}

/// `GET /set-aside.csv`, `.json`
pub(in crate::web) async fn file(State(app): State<App>, form: Form) -> Result<Response, PageError> {
    let columns = ["received", "link", "host", "spool", "sequence", "set_aside", "error"];
    let rows = Rows { app: app.clone(), after: None };
    export::send(&app, Table::new(form, &["set-aside"], columns), rows).await
}

struct Rows {
    app: App,
    after: Option<(Uuid, i64)>,
}

impl Source for Rows {
    async fn write(&mut self, sheet: &mut Sheet) -> Result<bool, PageError> {
        let rows = next(self.app.store(), self.after).await?;
        for r in &rows {
            sheet.row([
                r.received_at.into(),
                (&r.link).into(),
                (&r.host).into(),
                r.spool.to_string().into(),
                r.sequence.into(),
                r.set_aside_at.into(),
                (&r.error).into(),
            ]);
        }
        self.after = rows.last().map(|r| (r.spool, r.sequence));
        Ok(self.after.is_some())
    }
}
