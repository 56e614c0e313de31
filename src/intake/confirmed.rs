//! Tells PostgreSQL which of the gateway's responses the SMSC is known to have, for the other hosts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::batch::Session;
use super::lane::End;
use crate::handoff::message::Responses;
use crate::limits::BINDS_MAX;
use crate::store::Ledger;
use crate::store::confirmed::{LinkResponses, Response};

/// How often it is looked whether there is something new...
const TICK: Duration = Duration::from_secs(1);
/// ... and told, though there is not.
const EVERY: Duration = Duration::from_secs(10);

/// What the gateway said of its links.
#[derive(Debug, Default)]
pub struct Confirmed {
    links: Mutex<BTreeMap<String, Responses>>,
}

impl Confirmed {
    /// The SMSC has these of our responses to what came by this link.
    pub fn say(&self, link: String, known: Responses) {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        if links.len() >= BINDS_MAX
            && !links.contains_key(&link)
            && let Some(least) = links.iter().min_by_key(|(_, known)| known.through).map(|(link, _)| link.clone())
        {
            // A reload of the gateway's configuration may have named others: what is said least of gives way.
            links.remove(&least);
        }
        if links.len() < BINDS_MAX || links.contains_key(&link) {
            links.insert(link, known);
        }
    }

    /// What is known of the response to this record of the link.
    pub fn response(&self, link: &str, sequence: u64) -> Response {
        let links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        match links.get(link) {
            Some(known) if known.unanswered.contains(&sequence) => Response::Lost,
            Some(known) if known.through >= sequence => Response::Seen,
            _ => Response::Open,
        }
    }
}

/// Tells it, until the session ends.
pub(super) async fn tell<L: Ledger>(session: Arc<Session<L>>) -> Result<(), End> {
    let mut timer = tokio::time::interval(TICK);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut told: Option<(BTreeMap<String, Responses>, Instant)> = None;
    loop {
        let now = timer.tick().await;
        let links = session.confirmed.links.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if told.as_ref().is_some_and(|(said, at)| *said == links && now - *at < EVERY) {
            continue;
        }
        let row = |(link, known): (&String, &Responses)| LinkResponses {
            link: link.clone(),
            through: known.through.cast_signed(),
            unanswered: known.unanswered.iter().map(|sequence| sequence.cast_signed()).collect(),
        };
        let rows: Vec<LinkResponses> = links.iter().map(row).collect();
        match session.store.note_confirmed(session.lease, &rows).await {
            Ok(()) => told = Some((links, now)),
            Err(error) if error.is_momentary() => session.health.trouble(&error),
            Err(error) => return Err(error.into()),
        }
    }
}
