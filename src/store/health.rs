//! Does the database take what it is given? A lane or task whose work failed for the moment tries again
//! by itself; here is noted whether that happens, so that it is said once, not once a try.
//!
//! A database that cannot be reached at all ends the session, and is said there.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::StoreError;

/// So long after the last trouble it has passed.
const CALM: Duration = Duration::from_secs(10);

/// See the module. Shared by all sessions of a worker.
#[derive(Debug, Default)]
pub struct Health(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// When work failed last, while that has not passed.
    trouble: Option<Instant>,
    /// Has work succeeded since?
    since: bool,
}

impl Health {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Work failed for the moment; it is tried again.
    pub fn trouble(&self, error: &StoreError) {
        metrics::counter!("scrutineer_database_retries_total").increment(1);
        let before = {
            let mut state = self.lock();
            state.since = false;
            state.trouble.replace(Instant::now())
        };
        if before.is_none() {
            metrics::gauge!("scrutineer_database_up").set(0.0);
            warn!(%error, "the database does not take what it is given; it is tried again, and records wait in the spool");
        } else {
            debug!(%error, "the database still does not take what it is given");
        }
    }

    /// Work succeeded.
    pub fn success(&self) {
        self.lock().since = true;
    }

    /// Is there trouble that has not passed?
    pub fn is_troubled(&self) -> bool {
        self.lock().trouble.is_some()
    }

    /// Looks whether the trouble has passed: nothing failed for a while, and something succeeded or
    /// there is nothing to do.
    pub fn look(&self, idle: bool) {
        let mut state = self.lock();
        if state.trouble.is_some_and(|at| at.elapsed() >= CALM) && (state.since || idle) {
            state.trouble = None;
            drop(state);
            metrics::gauge!("scrutineer_database_up").set(1.0);
            info!("the database takes what it is given again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn trouble_passes_when_nothing_failed_for_a_while_and_something_succeeded() {
        let health = Health::default();
        health.look(true);
        assert!(!health.is_troubled());
        for _ in 0..3 {
            health.trouble(&StoreError::Deadline(CALM));
            tokio::time::advance(CALM / 2).await;
            health.success();
            health.look(false);
            assert!(health.is_troubled(), "a success between two failures is not its end");
        }
        tokio::time::advance(CALM / 2).await;
        health.look(false);
        assert!(!health.is_troubled());
        health.trouble(&StoreError::Deadline(CALM));
        tokio::time::advance(CALM).await;
        health.look(false);
        assert!(health.is_troubled(), "work waits, and none succeeded");
        health.look(true);
        assert!(!health.is_troubled());
    }
}
