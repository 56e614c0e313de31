//! The roster that lanes share: one copy, read anew when the database says that it changed.

use std::sync::{Arc, PoisonError, RwLock};

use tracing::{error, info};

use super::decide::Books;
use crate::domain::roster::Roster;
use crate::limits::{CLOSED_ELECTION_DAYS, OBSERVERS_MAX};
use crate::store::{Ledger, StoreError};

/// The roster, and what is made of it for reading texts.
#[derive(Debug, Default)]
pub struct Known {
    /// As read.
    pub roster: Roster,
    /// Ready for [`super::decide::understand`].
    pub books: Books,
}

/// See the module.
#[derive(Debug, Default)]
pub struct RosterCell {
    current: RwLock<Arc<Known>>,
    reading: tokio::sync::Mutex<()>,
}

impl RosterCell {
    /// The roster as last read.
    pub fn current(&self) -> Arc<Known> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads it anew, unless somebody did so since `seen`.
    pub async fn reload<L: Ledger>(&self, store: &L, seen: Option<i64>) -> Result<(), StoreError> {
        let _one = self.reading.lock().await;
        if seen.is_some_and(|seen| self.current().roster.version != seen) {
            return Ok(());
        }
        let loaded = store.roster(CLOSED_ELECTION_DAYS).await?;
        for (election, prefix, why) in &loaded.unreadable {
            error!(election, prefix, why, "a checklist can't be read; its reports come out as unknown_checklist");
        }
        if loaded.left_out > 0 {
            error!(left_out = loaded.left_out, max = OBSERVERS_MAX, "more observers than fit; the last are unknown");
        }
        let observers: usize = loaded.roster.books.iter().map(|b| b.len()).sum();
        metrics::gauge!("scrutineer_roster_observers").set(observers as f64);
        info!(version = loaded.roster.version, elections = loaded.roster.books.len(), observers, "roster read");
        *self.current.write().unwrap_or_else(PoisonError::into_inner) =
            Arc::new(Known { books: Books::new(&loaded.roster), roster: loaded.roster });
        Ok(())
    }
}
