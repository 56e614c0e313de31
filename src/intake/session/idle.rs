//! What a session looks at each second: how far behind it is, and whether memory is short.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::super::batch::Session;
use super::super::lane::End;
use crate::handoff::message::FromWorker;
use crate::store::Ledger;

/// With nothing under way for so long the worker has caught up, though the gateway's newest sequence never came.
const CAUGHT_UP_IDLE: Duration = Duration::from_secs(3);

/// Says how far behind the worker is; and that it caught up, when the newest record never comes as its
/// sequence was never used.
pub(super) async fn watch<L: Ledger>(
    session: Arc<Session<L>>,
    caught_up: Option<Arc<watch::Sender<bool>>>,
) -> Result<(), End> {
    let mut idle_since: Option<tokio::time::Instant> = None;
    let mut short = false;
    let mut timer = tokio::time::interval(Duration::from_secs(1));
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let now = timer.tick().await;
        let oldest = session.tracker.lock().unwrap_or_else(PoisonError::into_inner).oldest_us();
        let lag = oldest.map_or(0, |us| (session.world.now_us() - us).max(0));
        metrics::gauge!("scrutineer_intake_lag_seconds").set(lag as f64 / 1e6);
        match (oldest, idle_since) {
            (Some(_), _) => idle_since = None,
            (None, None) => idle_since = Some(now),
            (None, Some(since)) if now - since >= CAUGHT_UP_IDLE => {
                if let Some(caught_up) = &caught_up {
                    caught_up.send_if_modified(|c| !std::mem::replace(c, true));
                }
            }
            _ => {}
        }
        session.health.look(oldest.is_none());
        heed(&session, &mut short).await?;
    }
}

/// Short of memory, what can be had again is forgotten; when that has passed, all credit is granted again.
async fn heed<L: Ledger>(session: &Session<L>, short: &mut bool) -> Result<(), End> {
    let was = std::mem::replace(short, session.pressure.is_high());
    if *short && !was {
        session.phones.clear();
    }
    let more = session.credits.returned(0);
    if more > 0 {
        let frame = FromWorker::Credit { bytes: more };
        return session.to_gateway.send(frame).await.map_err(|_| End::Gateway("the socket was closed".to_owned()));
    }
    Ok(())
}
