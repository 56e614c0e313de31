//! `/messages/{spool}/{sequence}`: one message, its bytes, what was read in it, and its reply; with `.csv`
//! or `.json` the answers that were read in it.

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

use super::question_table::{file_of, may_export};
use super::reading::Reading;
use super::request::visible;
use crate::store::pages::message::{Detail, by_key};
use crate::store::pages::{Moment, election, reading};
use crate::web::auth::Who;
use crate::web::auth::rights::Right;
use crate::web::error::PageError;
use crate::web::export::{self, Form, Table};
use crate::web::layout::{Layout, render};
use crate::web::list::Take;
use crate::web::{App, format, text};

/// Bytes of a message that are written out.
const BYTES_SHOWN: usize = 2_048;

#[derive(askama::Template)]
#[template(path = "message.html")]
struct Page {
    layout: Layout,
    spool: Uuid,
    sequence: i64,
    it: Detail,
    reading: Reading,
    readings: Vec<reading::Reading>,
    may_ask: bool,
    take: Option<Take>,
}

impl Page {
    /// What is read of it now.
    fn text_read(&self) -> String {
        let instead = self.readings.iter().rev().find_map(|r| r.text.as_deref());
        visible(instead.or(self.it.text.as_deref()).unwrap_or_default())
    }

    fn utc(at: &time::OffsetDateTime) -> format::Time {
        format::time(&Moment { at: *at, local: time::PrimitiveDateTime::new(at.date(), at.time()) })
    }

    /// Bytes as `00 48 00 65`, sixteen a line.
    fn bytes(&self) -> String {
        let lines = self.it.raw.get(..BYTES_SHOWN.min(self.it.raw.len())).unwrap_or_default().chunks(16);
        lines.map(|l| l.iter().map(|b| format!("{b:02X}")).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join("\n")
    }

    fn bytes_cut(&self) -> bool {
        self.it.raw.len() > BYTES_SHOWN
    }
}

/// `GET /messages/{spool}/{sequence}`
pub(in crate::web) async fn page(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Path((spool, sequence)): Path<(String, String)>,
) -> Result<Response, PageError> {
    let (sequence, form) = file_of(&sequence);
    let spool = Uuid::try_parse(&spool).map_err(|_| PageError::NotFound)?;
    let sequence: i64 = sequence.parse().map_err(|_| PageError::NotFound)?;
    let it = by_key(app.store(), spool, sequence).await?.ok_or(PageError::NotFound)?;
    let readings = reading::of_message(app.store(), spool, sequence).await?;
    let may_ask = super::request::may_ask(&who);
    let mut of = None;
    let mut checklists = Vec::new();
    let mut language = "en".to_owned();
    if let Some((slug, _)) = &it.election
        && let Some(election) = election::by_slug(app.store(), slug).await?
    {
        checklists = election::definitions(app.store(), election.id).await?;
        language.clone_from(&election.language);
        of = Some(election);
    }
    let reading = it.reading.as_ref().map_or_else(Reading::default, |r| Reading::of(r, &checklists, &language));
    if let Some(form) = form {
        // The address is the page's, which asks for less.
        may_export(&who)?;
        return file(&app, form, sequence, &reading);
    }
    let tables = reading.reports.iter().any(|r| !r.answers.is_empty() || !r.rejected.is_empty());
    let take = (tables && who.may(Right::Export)).then(|| Take::of(&format!("/messages/{spool}/{sequence}"), ""));
    let mut layout = Layout::new(format!("Message {sequence}"), Some(who)).at("messages");
    if let Some(election) = &of {
        layout = layout.of(election);
    }
    Ok(render(&Page { layout, spool, sequence, it, reading, readings, may_ask, take })?.into_response())
}

/// What was read: a row an answer, recorded or not.
fn file(app: &App, form: Form, sequence: i64, reading: &Reading) -> Result<Response, PageError> {
    let table =
        Table::new(form, &["message", &sequence.to_string()], ["report", "code", "value", "recorded", "why_not"]);
    export::whole(app, table, |sheet| {
        for (no, report) in (1_i64..).zip(&reading.reports) {
            for (code, value) in &report.answers {
                let why = report.refused.as_ref();
                sheet.row([no.into(), code.into(), value.into(), why.is_none().into(), why.into()]);
            }
            for (code, value, why) in &report.rejected {
                sheet.row([no.into(), code.into(), value.into(), false.into(), (*why).into()]);
            }
        }
    })
}
