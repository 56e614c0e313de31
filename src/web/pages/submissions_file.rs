//! `/elections/{slug}/submissions.csv` and `.json`: the list under its filters, with the answers. Of one
//! checklist each question is a column; of several the answers stand together.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::Response;
use uuid::Uuid;

use super::asked::Asked;
use crate::archive::{self, Archived};
use crate::domain::checklist::Checklist;
use crate::domain::value::Value;
use crate::limits::ARCHIVE_SLICE;
use crate::store::archive_submission::Wanted;
use crate::store::pages::election;
use crate::store::pages::submission_export::{self, Exported};
use crate::store::pages::submission_filter::Filter;
use crate::web::App;
use crate::web::error::PageError;
use crate::web::export::{self, Cell, Form, Sheet, Source, Table};

/// Columns before the answers.
const COLUMNS: [&str; 14] = [
    "id",
    "checklist",
    "kind",
    "serial",
    "observer",
    "station",
    "station_name",
    "area",
    "first_report",
    "last_report",
    "messages",
    "missing",
    "broken_rules",
    "comment",
];

/// `GET /elections/{slug}/submissions.csv`, `.json`
pub(in crate::web) async fn file(
    State(app): State<App>,
    Path(slug): Path<String>,
    form: Form,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let mut asked = Asked::read(pairs)?;
    let election = super::election(&app, &slug).await?;
    let archived = app.archived(&slug).await?;
    let (checklists, rows, prefix, answers) = match archived {
        Some(archived) => {
            let checklists = archive::definitions(app.store(), &archived).await?;
            // Of the whole list, wherever its page began.
            asked.after.clear();
            let wanted = asked.wanted(&election, &checklists)?;
            let (prefix, answers) = (wanted.prefix.clone(), wanted.answers.clone());
            (checklists, From::Archive(archived, wanted), prefix, answers)
        }
        None => {
            let trail = super::area(&app, &election, &asked.area).await?;
            let checklists = election::definitions(app.store(), election.id).await?;
            let filter = asked.filter(&app, &election, &trail, &checklists).await?;
            let (prefix, answers) = (filter.prefix.clone(), filter.answers.clone());
            (checklists, From::Live(filter, None), prefix, answers)
        }
    };
    let one = match answers.as_ref().map(|a| a.prefixes.as_slice()) {
        _ if prefix.is_some() => prefix.as_deref(),
        Some([prefix]) => Some(prefix.as_str()),
        _ => None,
    };
    let codes = one.and_then(|prefix| checklists.iter().find(|c| c.prefix == prefix)).map(codes);
    let mut columns: Vec<String> = COLUMNS.map(str::to_owned).to_vec();
    match &codes {
        Some(codes) => columns.extend(codes.iter().cloned()),
        None => columns.push("answers".to_owned()),
    }
    let table = Table::new(form, &[&slug, "submissions", one.unwrap_or_default()], columns);
    export::send(&app, table, Rows { app: app.clone(), from: rows, codes }).await
}

fn codes(checklist: &Checklist) -> Vec<String> {
    checklist.questions.iter().map(|q| q.code.clone()).collect()
}

/// Where the rows are read, and what comes next.
enum From {
    Live(Filter, Option<Uuid>),
    Archive(Arc<Archived>, Wanted),
}

struct Rows {
    app: App,
    from: From,
    codes: Option<Vec<String>>,
}

impl Source for Rows {
    async fn write(&mut self, sheet: &mut Sheet) -> Result<bool, PageError> {
        let store = self.app.store();
        let (rows, more) = match &mut self.from {
            From::Live(filter, after) => {
                let (rows, end) = submission_export::next(store, filter, *after).await?;
                *after = end;
                (rows, end.is_some())
            }
            From::Archive(archived, wanted) => {
                let slice = archive::details(store, archived, wanted, ARCHIVE_SLICE).await?;
                wanted.place = slice.next.unwrap_or_default();
                (slice.rows.into_iter().map(Exported::from).collect(), slice.next.is_some())
            }
        };
        for row in &rows {
            write(sheet, row, self.codes.as_deref());
        }
        Ok(more)
    }
}

fn write(sheet: &mut Sheet, r: &Exported, codes: Option<&[String]>) {
    let begin: [Cell<'_>; COLUMNS.len()] = [
        r.id.to_string().into(),
        (&r.prefix).into(),
        (&r.kind).into(),
        r.serial.as_deref().into(),
        (&r.observer).into(),
        r.station.as_deref().into(),
        r.station_name.as_deref().into(),
        r.area.as_deref().into(),
        r.first.into(),
        r.last.into(),
        r.revisions.into(),
        r.missing.into(),
        r.broken_rules.join(" ").into(),
        r.comment.as_deref().into(),
    ];
    match codes {
        Some(codes) => {
            let answers =
                codes.iter().map(|code| r.answers.get(code).and_then(Option::as_ref).map_or(Cell::None, cell));
            sheet.row(begin.into_iter().chain(answers));
        }
        None => {
            let answers = serde_json::to_value(&r.answers).unwrap_or_default();
            sheet.row(begin.into_iter().chain([Cell::Json(std::borrow::Cow::Owned(answers))]));
        }
    }
}

/// An answer as a program reads it: options by their numbers, what is not available as `NA`.
fn cell(value: &Value) -> Cell<'_> {
    match value {
        Value::Bool(yes) => (*yes).into(),
        Value::Number(n) => (*n).into(),
        Value::Options(list) => list.iter().map(u16::to_string).collect::<Vec<_>>().join(" ").into(),
        Value::NotAvailable { .. } => "NA".into(),
        Value::Text(text) => text.into(),
    }
}
