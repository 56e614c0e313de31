//! Tells PostgreSQL which of the gateway's responses the SMSC is known to have, for the other hosts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::batch::Session;
use super::lane::End;
use crate::limits::BINDS_MAX;
use crate::store::Ledger;

/// How often it is looked whether there is something new...
const TICK: Duration = Duration::from_secs(1);
/// ... and told, though there is not.
const EVERY: Duration = Duration::from_secs(10);

/// What the gateway said of its links.
#[derive(Debug, Default)]
pub struct Confirmed {
    links: Mutex<BTreeMap<String, u64>>,
}

impl Confirmed {
    /// The SMSC has our responses to what came by this link, up to here.
    pub fn say(&self, link: String, through: u64) {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        if links.len() >= BINDS_MAX
            && !links.contains_key(&link)
            && let Some(least) = links.iter().min_by_key(|(_, through)| **through).map(|(link, _)| link.clone())
        {
            // A reload of the gateway's configuration may have named others: what is said least of gives way.
            links.remove(&least);
        }
        if links.len() < BINDS_MAX || links.contains_key(&link) {
            links.insert(link, through);
        }
    }
}

/// Tells it, until the session ends.
pub(super) async fn tell<L: Ledger>(session: Arc<Session<L>>) -> Result<(), End> {
    let mut timer = tokio::time::interval(TICK);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut told: Option<(BTreeMap<String, u64>, Instant)> = None;
    loop {
        let now = timer.tick().await;
        let links = session.confirmed.links.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if told.as_ref().is_some_and(|(said, at)| *said == links && now - *at < EVERY) {
            continue;
        }
        let rows: Vec<(String, i64)> = links.iter().map(|(link, n)| (link.clone(), n.cast_signed())).collect();
        match session.store.note_confirmed(session.lease, &rows).await {
            Ok(()) => told = Some((links, now)),
            Err(error) if error.is_momentary() => session.health.trouble(&error),
            Err(error) => return Err(error.into()),
        }
    }
}
