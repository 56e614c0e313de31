//! Every table as a file: CSV for spreadsheets and R, JSON for programs, at its page's path with `.csv`
//! or `.json`, under the same filters and rights.
//!
//! A page with few rows hands them over at once ([`whole`]); one with many implements [`Source`], which
//! is asked for some rows at a time, each time with a statement and a deadline of its own, while the
//! reader takes them. Names of files are made by [`Table::new`].
//!
//! ```ignore
//! // .route("/elections/{slug}/incidents.csv", get(pages::incidents::file)), and the same with `.json`
//! async fn file(State(app), form: Form, …) -> Result<Response, PageError> {
//!     let table = Table::new(form, &[&slug, "incidents"], ["received", "station", "text"]);
//!     export::whole(&app, table, |sheet| {
//!         for r in &rows {
//!             sheet.row([(&r.received).into(), r.station.as_deref().into(), (&r.text).into()]);
//!         }
//!     })
//! }
//! // In the page: `take: Take::of("/elections/general-2026/incidents", query)`, in its template `{{ take }}`.
//! ```
//!
//! Invariants: memory doesn't grow with the table; at most [`WEB_EXPORTS_MAX`](limits::WEB_EXPORTS_MAX)
//! at once; a file that breaks off never looks whole (the connection is cut); no cell of a CSV is run by
//! a spreadsheet, while numbers stay numbers; when the reader goes, the statement ends.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use time::OffsetDateTime;
use time::macros::format_description;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

mod sheet;

pub(super) use sheet::{Cell, Sheet};

use super::App;
use super::error::PageError;
use crate::limits;

/// Kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// RFC 4180, UTF-8 with a byte order mark, by which spreadsheets know it.
    Csv,
    /// An array of objects, one a line.
    Json,
}

/// Told by the ending of the path, so that one handler serves both: `get(pages::x::file)` at `x.csv` and
/// `x.json`.
impl<S: Sync> FromRequestParts<S> for Form {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, PageError> {
        match parts.uri.path().rsplit_once('.') {
            Some((_, "csv")) => Ok(Self::Csv),
            Some((_, "json")) => Ok(Self::Json),
            _ => Err(PageError::NotFound),
        }
    }
}

/// What is sent: its file's name and its columns.
#[derive(Debug)]
pub(super) struct Table {
    form: Form,
    name: String,
    columns: Vec<String>,
}

impl Table {
    /// The file is called by the parts and the time, `general-2026-incidents-20260221T140500Z.csv`.
    /// Columns have short names in lower case, times are UTC.
    pub(super) fn new<C: Into<String>>(form: Form, parts: &[&str], columns: impl IntoIterator<Item = C>) -> Self {
        let now = OffsetDateTime::now_utc()
            .format(format_description!("[year][month][day]T[hour][minute][second]Z"))
            .unwrap_or_default();
        let mut name = String::new();
        for part in parts.iter().copied().filter(|p| !p.is_empty()).chain([now.as_str()]) {
            if !name.is_empty() {
                name.push('-');
            }
            name.extend(part.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }));
        }
        Self { form, name, columns: columns.into_iter().map(Into::into).collect() }
    }

    fn head(&self) -> [(header::HeaderName, HeaderValue); 2] {
        let (kind, ending) = match self.form {
            Form::Csv => ("text/csv; charset=utf-8; header=present", "csv"),
            Form::Json => ("application/json", "json"),
        };
        let disposition = format!("attachment; filename=\"{}.{ending}\"", self.name);
        [
            (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
            (
                header::CONTENT_DISPOSITION,
                HeaderValue::from_str(&disposition).unwrap_or(HeaderValue::from_static("attachment")),
            ),
        ]
    }
}

/// Where the rows of a large table come from.
pub(super) trait Source: Send + 'static {
    /// Writes the next rows, read by one statement; `false`: there are no more.
    fn write(&mut self, sheet: &mut Sheet) -> impl Future<Output = Result<bool, PageError>> + Send;
}

/// An export under way.
struct Export<S> {
    source: S,
    sheet: Sheet,
    more: bool,
    begun: Instant,
    name: String,
    rows: metrics::Counter,
    _place: OwnedSemaphorePermit,
}

/// Sends a table of any length. The first rows are read before the answer begins, so that what is
/// wrong is told as on any page.
pub(super) async fn send(app: &App, table: Table, source: impl Source) -> Result<Response, PageError> {
    let place = app.0.exports.clone().try_acquire_owned().map_err(|_| PageError::Busy("exports"))?;
    let head = table.head();
    let mut export = Export {
        source,
        sheet: Sheet::new(table.form, table.columns),
        more: true,
        begun: Instant::now(),
        name: table.name,
        rows: metrics::counter!("scrutineer_web_exported_rows_total"),
        _place: place,
    };
    let first = export.next().await?;
    let rest = stream::unfold((Some(first), Some(export)), async |(ready, export)| match (ready, export) {
        (Some(bytes), export) => Some((Ok(bytes), (None, export))),
        (None, Some(mut export)) if export.more => match export.next().await {
            Ok(bytes) => Some((Ok(bytes), (None, Some(export)))),
            Err(error) => {
                tracing::warn!(%error, file = %export.name, "a file broke off");
                Some((Err(error), (None, None)))
            }
        },
        (None, _) => None,
    });
    // Whoever compresses it may ask once more after its end.
    Ok((head, Body::from_stream(rest.fuse())).into_response())
}

impl<S: Source> Export<S> {
    /// The next bytes; after the last rows with the table's end.
    async fn next(&mut self) -> Result<Bytes, PageError> {
        let before = self.sheet.rows();
        while self.more && self.sheet.is_empty() {
            if self.begun.elapsed() > Duration::from_secs(limits::WEB_EXPORT_SECONDS_MAX) {
                return Err(PageError::Late);
            }
            self.more = self.source.write(&mut self.sheet).await?;
        }
        if !self.more {
            self.sheet.end();
        }
        self.rows.increment(self.sheet.rows() - before);
        Ok(self.sheet.take())
    }
}

/// Sends a table of few rows, all at once.
pub(super) fn whole(app: &App, table: Table, write: impl FnOnce(&mut Sheet)) -> Result<Response, PageError> {
    let _place = app.0.exports.clone().try_acquire_owned().map_err(|_| PageError::Busy("exports"))?;
    let head = table.head();
    let mut sheet = Sheet::new(table.form, table.columns);
    write(&mut sheet);
    sheet.end();
    metrics::counter!("scrutineer_web_exported_rows_total").increment(sheet.rows());
    Ok((head, Body::from(sheet.take())).into_response())
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    /// A row every so many seconds, or none ever.
    struct Slow {
        row: bool,
    }

    impl Source for Slow {
        async fn write(&mut self, sheet: &mut Sheet) -> Result<bool, PageError> {
            tokio::time::sleep(Duration::from_secs(7)).await;
            if self.row {
                sheet.row(["x".into()]);
            }
            Ok(true)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_does_not_end_breaks_off_after_its_time_and_gives_its_place_back() {
        let app = App::unconnected();
        let table = || Table::new(Form::Csv, &["x"], ["x"]);
        let longest = Duration::from_secs(limits::WEB_EXPORT_SECONDS_MAX);
        let begun = Instant::now();
        let response = send(&app, table(), Slow { row: true }).await.unwrap();
        let error = response.into_body().collect().await.unwrap_err();
        assert!(begun.elapsed() > longest && begun.elapsed() < longest + Duration::from_secs(15), "{error}");
        // Of one that finds nothing there is none at all. Its beginning is written before the first row.
        let begun = Instant::now();
        let response = send(&app, table(), Slow { row: false }).await.unwrap();
        assert!(response.into_body().collect().await.is_err());
        assert!(begun.elapsed() > longest && begun.elapsed() < longest + Duration::from_secs(15));
        assert_eq!(app.0.exports.available_permits(), limits::WEB_EXPORTS_MAX);
    }
}
