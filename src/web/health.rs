//! What is known of the database, asked now and then by a task of its own, so that a page can say at
//! once what is wrong. An outage is a state here: it never ends the process.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::response::IntoResponse;

use super::App;
use super::error::PageError;
use crate::store::pages::state;
use crate::store::session;

/// How often the database is asked.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// How often sessions that are over are deleted, in askings.
const SWEEP_EVERY: u32 = 60;

/// The database as it answered last, or why it did not.
pub(super) type Report = Result<state::State, String>;

/// The last report.
#[derive(Debug, Default)]
pub(super) struct Health(Mutex<Option<Report>>);

impl Health {
    /// The last report; `None` before the first.
    pub(super) fn last(&self) -> Option<Report> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// An error when the schema is known not to fit. A database that is away is not judged here.
    pub(super) fn check_schema(&self) -> Result<(), PageError> {
        match self.last().and_then(|state| state.ok()).map(|s| s.schema) {
            Some(schema) if !schema.is_current() => Err(PageError::Schema(schema.to_string())),
            _ => Ok(()),
        }
    }

    fn set(&self, report: Report) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(report);
    }
}

/// Asks the database until the task is dropped, and deletes sessions that are over. `progress` is
/// called after each asking, whatever it gave: the process itself is well.
pub async fn tend(app: App, progress: impl Fn()) {
    let mut was: Option<String> = None;
    let mut asked: u32 = 0;
    let mut tick = tokio::time::interval(ASK_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let state = state::ask(app.store()).await.map_err(|e| e.to_string());
        let word = match &state {
            Ok(s) if s.schema.is_current() => "the database answers".to_owned(),
            Ok(s) => s.schema.to_string(),
            Err(error) => format!("the database is away: {error}"),
        };
        let fits = matches!(&state, Ok(s) if s.schema.is_current());
        if was.as_ref() != Some(&word) {
            if fits {
                tracing::info!("{word}");
            } else {
                tracing::warn!("{word}");
            }
            was = Some(word);
        }
        metrics::gauge!("scrutineer_web_database_up").set(f64::from(u8::from(fits)));
        let (open, idle) = app.store().connections();
        metrics::gauge!("scrutineer_web_connections", "state" => "open").set(f64::from(open));
        metrics::gauge!("scrutineer_web_connections", "state" => "idle").set(idle as f64);
        app.0.health.set(state);
        app.0.sessions.sweep();
        if fits && asked.is_multiple_of(SWEEP_EVERY) {
            match session::sweep(app.store()).await {
                Ok(0) => {}
                Ok(n) => tracing::debug!(sessions = n, "deleted sessions that were over"),
                Err(error) => tracing::warn!(%error, "sessions that are over stay for now"),
            }
        }
        asked = asked.wrapping_add(1);
        progress();
    }
}

/// `GET /healthz`: this process answers. The database's state is told and does not change the status,
/// since a restart of the dashboard mends no database.
pub(super) async fn healthz(State(app): State<App>) -> impl IntoResponse {
    let database = match app.0.health.last() {
        None => "unknown",
        Some(Err(_)) => "away",
        Some(Ok(s)) if s.schema.is_current() => "ok",
        Some(Ok(_)) => "another schema",
    };
    axum::Json(serde_json::json!({ "web": "ok", "database": database }))
}
