//! `/requests.csv` and `.json`: all that staff asked for, the oldest first. What is to be read in a message's
//! place is left out, as it stands with the message.

use axum::extract::State;
use axum::response::Response;

use crate::store::pages::reading;
use crate::web::App;
use crate::web::error::PageError;
use crate::web::export::{self, Form, Sheet, Source, Table};

/// `GET /requests.csv`, `.json`
pub(in crate::web) async fn file(State(app): State<App>, form: Form) -> Result<Response, PageError> {
    let columns = ["request", "kind", "made_by", "made", "asked", "state", "done", "result"];
    export::send(&app, Table::new(form, &["requests"], columns), Rows { app: app.clone(), after: 0 }).await
}

struct Rows {
    app: App,
    after: i64,
}

impl Source for Rows {
    async fn write(&mut self, sheet: &mut Sheet) -> Result<bool, PageError> {
        let rows = reading::next(self.app.store(), self.after).await?;
        for r in &rows {
            sheet.row([
                r.id.into(),
                (&r.kind).into(),
                (&r.made_by).into(),
                r.made_at.into(),
                (&r.payload).into(),
                (&r.state).into(),
                r.done_at.into(),
                r.result.as_ref().into(),
            ]);
        }
        let Some(last) = rows.last() else { return Ok(false) };
        self.after = last.id;
        Ok(true)
    }
}
