//! `/messages/{spool}/{sequence}`: one message, its bytes, what was read in it, and its reply.

use axum::Extension;
use axum::extract::{Path, State};
use uuid::Uuid;

use super::reading::Reading;
use super::request::visible;
use crate::store::pages::message::{Detail, by_key};
use crate::store::pages::{Moment, election, reading};
use crate::web::auth::Who;
use crate::web::error::PageError;
use crate::web::layout::{Answer, Layout, render};
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
) -> Answer {
    let spool = Uuid::try_parse(&spool).map_err(|_| PageError::NotFound)?;
    let sequence: i64 = sequence.parse().map_err(|_| PageError::NotFound)?;
    let it = by_key(app.store(), spool, sequence).await?.ok_or(PageError::NotFound)?;
    let readings = reading::of_message(app.store(), spool, sequence).await?;
    let may_ask = super::request::may_ask(&who);
    let mut layout = Layout::new(format!("Message {sequence}"), Some(who)).at("messages");
    let mut checklists = Vec::new();
    let mut language = "en".to_owned();
    if let Some((slug, _)) = &it.election
        && let Some(election) = election::by_slug(app.store(), slug).await?
    {
        checklists = election::definitions(app.store(), election.id).await?;
        language.clone_from(&election.language);
        layout = layout.of(&election);
    }
    let reading = it.reading.as_ref().map_or_else(Reading::default, |r| Reading::of(r, &checklists, &language));
    render(&Page { layout, spool, sequence, it, reading, readings, may_ask })
}
