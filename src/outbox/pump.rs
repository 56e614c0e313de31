//! Hands the gateway what is not on its way yet: replies that found no place, that must be sent again,
//! that were under lease when this worker or another host's went away.
//!
//! Invariant: rows under this spool's own lease are taken up only when every record that the gateway
//! had at the start is committed, so that a result that is there already is seen first.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tracing::{info, warn};
use uuid::Uuid;

use super::in_flight::{Hold, InFlight};
use super::links::Links;
use super::receipt::Receipt;
use super::settle::{self, ReceiptRecord};
use crate::handoff::message::{FromWorker, Submit, link_of};
use crate::limits::{EARLY_RECEIPTS_SLICE, LEASE_SECONDS, OUTBOX_SLICE_MAX};
use crate::store::ledger::Upkeep;
use crate::store::outbox::Leased;
use crate::store::outbox_result::EarlyReceipt;
use crate::store::{Health, Ledger, Store, StoreError, Transaction, Tx, micros};
use crate::vitals::progress::Work;

/// How often the outbox is looked at while nothing says that something is due.
const IDLE_POLL: Duration = Duration::from_secs(1);
/// How long a submit rests that the gateway had no place for.
const BUSY_POLL: Duration = Duration::from_millis(100);
/// How often leases are seen to, and what is stale or early.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);
/// Pause after work that the database did not take for the moment.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
const _: () = assert!(5 * 4 < LEASE_SECONDS, "several renewals fit a lease, of the shortest kind too: 20 s");

/// Why the pump ended.
#[derive(Debug, thiserror::Error)]
pub enum PumpError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The gateway went away.
    #[error("the gateway went away")]
    Gateway,
}

/// How far rows of an earlier session were taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Adopted {
    /// No place is free now.
    NoPlace,
    /// Some; there may be more.
    Some,
    /// All that there are.
    All,
}

/// See the module.
#[derive(Debug)]
pub struct Pump<L = Store> {
    /// PostgreSQL.
    pub store: L,
    /// The spool's live run, under which rows are leased.
    pub spool: Uuid,
    /// All its runs: rows that were leased under an earlier one are this worker's too.
    pub runs: Vec<Uuid>,
    /// What the gateway has.
    pub in_flight: Arc<InFlight>,
    /// Which groups can send.
    pub links: Arc<Links>,
    /// For the watchdog.
    pub work: Arc<Work>,
    /// Frames for the gateway.
    pub to_gateway: mpsc::Sender<FromWorker>,
    /// Does the database take what it is given?
    pub health: Arc<Health>,
    /// Is everything committed that the gateway had at the start?
    pub caught_up: watch::Receiver<bool>,
}

/// How far the pump is.
#[derive(Debug, Default)]
struct State {
    /// Are all rows taken up that were leased by somebody who did not hand them over?
    adopted: bool,
    upkeep: Option<Instant>,
}

impl<L: Ledger> Pump<L> {
    /// Runs until the database or the gateway goes away.
    pub async fn run(mut self) -> Result<(), PumpError> {
        let mut state = State::default();
        let work = Arc::clone(&self.work);
        loop {
            let busy = work.begin();
            for submit in self.in_flight.take_busy() {
                self.hand_over(submit).await?;
            }
            let caught_up = *self.caught_up.borrow_and_update();
            let more = match if caught_up { self.round(&mut state).await } else { Ok(false) } {
                Ok(more) => more,
                Err(PumpError::Store(error)) if error.is_momentary() => {
                    self.health.trouble(&error);
                    // It may have leased rows all the same.
                    self.in_flight.say_unclear();
                    drop(busy);
                    tokio::time::sleep(RETRY_PAUSE).await;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if more {
                continue;
            }
            drop(busy);
            let wait = if self.in_flight.any_busy() { BUSY_POLL } else { IDLE_POLL };
            tokio::select! {
                biased;
                () = tokio::time::sleep(wait) => {}
                () = self.in_flight.wake.notified() => {}
                Ok(()) = self.caught_up.changed() => {}
            }
        }
    }

    /// What is to be done now. Is there more?
    async fn round(&self, state: &mut State) -> Result<bool, PumpError> {
        if self.in_flight.take_unclear() {
            state.adopted = false;
        }
        if !state.adopted {
            let done = self.adopt_own().await?;
            state.adopted = done == Adopted::All;
            return Ok(done != Adopted::NoPlace);
        }
        if state.upkeep.is_none_or(|at| at.elapsed() >= UPKEEP_EVERY) {
            self.upkeep().await?;
            self.health.success();
            state.upkeep = Some(Instant::now());
            // A transaction that leased rows may be committed after the look at the session's start: that of
            // a worker that was killed meanwhile, or one whose outcome nobody told.
            state.adopted = false;
            return Ok(true);
        }
        self.take_due().await
    }

    async fn hand_over(&self, submit: Submit) -> Result<(), PumpError> {
        self.to_gateway.send(FromWorker::Submit(submit)).await.map_err(|_| PumpError::Gateway)
    }

    /// Hands over rows that this worker may send, each in a place that was held for it.
    async fn send(&self, mut hold: Hold<'_>, rows: Vec<Leased>) -> Result<(), PumpError> {
        for row in rows {
            let submit = Submit {
                id: row.id,
                attempt: u16::try_from(row.attempt).unwrap_or(1),
                group: row.link_group,
                link: row.link.as_deref().and_then(link_of),
                bulk: row.bulk,
                source: row.source,
                destination: row.destination,
                text: row.text,
                expires_us: micros(row.expires_at),
                receipt: true,
            };
            if hold.fill(&submit) {
                self.hand_over(submit).await?;
            }
        }
        Ok(())
    }

    /// Own rows that were leased before this session: the gateway drops those that it has sent already.
    async fn adopt_own(&self) -> Result<Adopted, PumpError> {
        let hold = self.in_flight.hold(OUTBOX_SLICE_MAX);
        let limit = i64::try_from(hold.places()).unwrap_or(0);
        if limit == 0 {
            return Ok(Adopted::NoPlace);
        }
        let rows = self.store.own_leased(self.spool, &self.runs, &self.in_flight.ids(), limit).await?;
        if !rows.is_empty() {
            info!(replies = rows.len(), "replies leased before are handed to the gateway again");
        }
        let full = i64::try_from(rows.len()) == Ok(limit);
        self.send(hold, rows).await?;
        Ok(if full { Adopted::Some } else { Adopted::All })
    }

    async fn take_due(&self) -> Result<bool, PumpError> {
        let hold = self.in_flight.hold(OUTBOX_SLICE_MAX);
        let limit = i64::try_from(hold.places()).unwrap_or(0);
        let groups = self.links.bound_groups();
        if limit == 0 || groups.is_empty() {
            return Ok(false);
        }
        self.in_flight.take_due();
        let rows = self.store.take_due(self.spool, &groups, limit).await?;
        let full = i64::try_from(rows.len()) == Ok(limit);
        self.send(hold, rows).await?;
        if full {
            self.in_flight.say_due();
        }
        Ok(full)
    }

    async fn upkeep(&self) -> Result<(), PumpError> {
        let limit = i64::try_from(OUTBOX_SLICE_MAX).unwrap_or(i64::MAX);
        let ids = self.in_flight.ids();
        let Upkeep { lapsed, expired, due, leased } = self.store.upkeep(self.spool, &ids, limit).await?;
        if lapsed > 0 {
            warn!(replies = lapsed, "leases of another host ran out: what it sent is unknown, each is due once more");
        }
        if expired > 0 {
            warn!(replies = expired, "replies expired before they could be sent");
        }
        metrics::counter!("scrutineer_outbox_lapsed_total").increment(lapsed);
        metrics::counter!("scrutineer_outbox_expired_total").increment(expired);
        metrics::gauge!("scrutineer_outbox_rows", "state" => "due").set(due as f64);
        metrics::gauge!("scrutineer_outbox_rows", "state" => "leased").set(leased as f64);
        metrics::gauge!("scrutineer_submits_in_flight").set(ids.len() as f64);
        Ok(self.store.transact(self.store.deadline(), MatchEarly(Arc::clone(&self.links))).await?)
    }
}

/// Receipts that came before the result that names their id, on this host or another.
struct MatchEarly(Arc<Links>);

impl<T: Tx> Transaction<T> for MatchEarly {
    type Output = ();

    async fn run(self, tx: &mut T) -> Result<(), StoreError> {
        let waiting = tx.lock_early(EARLY_RECEIPTS_SLICE).await?;
        if waiting.is_empty() {
            return Ok(());
        }
        let said = |r: &EarlyReceipt| Receipt {
            ids: self.0.ids_of_group(&r.link_group),
            ..Receipt::new(r.message_id.clone(), r.receipt.clone())
        };
        let said: Vec<Receipt> = waiting.iter().map(said).collect();
        let records: Vec<ReceiptRecord<'_>> = waiting
            .iter()
            .zip(&said)
            .map(|(r, receipt)| ReceiptRecord {
                group: &r.link_group,
                at: r.received_at,
                receipt,
                phone_id: r.phone_id,
            })
            .collect();
        let found = tx.apply_receipts(&settle::receipts(&records)).await?;
        let matched: Vec<_> =
            found.iter().filter_map(|no| usize::try_from(*no).ok().and_then(|no| waiting.get(no)).cloned()).collect();
        if !matched.is_empty() {
            tx.remove_early(&matched).await?;
        }
        Ok(())
    }
}
