//! What the gateway does once a second: the spool's housekeeping, submits that expired, and the
//! watchdog, which is told only while the spool's thread and every link make progress.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::handoff::append::{Append, Op};
use crate::handoff::groups::Groups;
use crate::handoff::message::{NotSent, Submit, SubmitOutcome, Vitals};
use crate::limits::{DOUBT_FORGET_SLICE, GATEWAY_MEMORY_BYTES_MAX, HOST_STATUS_SECONDS};
use crate::spool::Spool;
use crate::vitals::clock::Receipts;
use crate::vitals::memory::Source;
use crate::vitals::progress::Progress;
use crate::world::World;

/// See the module.
pub struct Keeper {
    pub(super) spool: mpsc::Sender<Append>,
    pub(super) groups: Arc<Groups>,
    /// Submits for groups that do not exist.
    pub(super) unsendable: mpsc::Receiver<Submit>,
    /// Times of receipt.
    pub(super) receipts: Arc<Receipts>,
    /// The spool's thread and the links.
    pub(super) progress: Arc<Progress>,
    pub(super) world: World,
    /// Figures for the operators' page.
    pub(super) vitals: watch::Sender<Vitals>,
    /// The spool's folder, and the bytes that it may have.
    pub(super) folder: (PathBuf, u64),
}

impl Keeper {
    /// Runs until cancelled.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let waiting = metrics::gauge!("scrutineer_submit_queue");
        let ahead = metrics::gauge!("scrutineer_receipt_clock_ahead_seconds");
        let mut since_ping = Duration::ZERO;
        let (begun, mut turns) = (tokio::time::Instant::now(), 0u64);
        let ping_every = sd_notify::watchdog_enabled().map(|limit| limit / 3);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(submit) = self.unsendable.recv(), if self.spool.capacity() > 0 => {
                    tracing::warn!(id = %submit.id, group = %submit.group, "a reply names a link group that is not configured");
                    self.settle(0, &submit, NotSent::Impossible);
                    continue;
                }
                _ = tick.tick() => {}
            }
            Spool::housekeep(&self.spool);
            let now = self.world.steady_us();
            for group in self.groups.all() {
                // A group that lost its links can send nothing any more.
                let (until, why) =
                    if group.is_configured() { (now, NotSent::Expired) } else { (i64::MAX, NotSent::Impossible) };
                for submit in group.queue.expired(until) {
                    // The spool may take nothing now: the next turn is soon enough.
                    if !self.settle(group.link(), &submit, why) {
                        group.queue.put_back(submit);
                    }
                }
                // Without a place in the spool's queue now, the next turn sees to it.
                let Ok(place) = self.spool.try_reserve() else { break };
                let sequences = group.doubt.expire(now, DOUBT_FORGET_SLICE);
                if !sequences.is_empty() {
                    place.send(Append { link: 0, tag: 0, give_up: None, op: Op::Forget { sequences } });
                }
            }
            ahead.set(self.receipts.ahead_seconds());
            waiting.set(self.groups.waiting() as f64);
            if turns.is_multiple_of(HOST_STATUS_SECONDS) {
                self.vitals.send_replace(self.look(begun.elapsed().as_secs()));
            }
            turns += 1;
            since_ping += Duration::from_secs(1);
            if ping_every.is_some_and(|every| since_ping >= every) && self.is_healthy() {
                since_ping = Duration::ZERO;
                let _ = sd_notify::notify(&[NotifyState::Watchdog]);
            }
        }
    }

    fn look(&self, up_seconds: u64) -> Vitals {
        let memory = Source::find(GATEWAY_MEMORY_BYTES_MAX as u64).look();
        // A few files; what can't be read counts for nothing.
        let files = std::fs::read_dir(&self.folder.0).into_iter().flatten().flatten();
        let bytes = files.filter_map(|file| file.metadata().ok()).filter(std::fs::Metadata::is_file).map(|m| m.len());
        Vitals {
            up_seconds,
            submits_waiting: self.groups.waiting() as u64,
            spool_bytes: bytes.sum(),
            spool_bytes_max: self.folder.1,
            memory_bytes: memory.map_or(0, |m| m.used_bytes),
            memory_cap_bytes: memory.map_or(0, |m| m.cap_bytes),
        }
    }

    fn settle(&self, link: u16, submit: &Submit, reason: NotSent) -> bool {
        let op = Op::Result {
            id: submit.id,
            attempt: submit.attempt,
            at_us: self.world.now_us(),
            outcome: SubmitOutcome::NotSent { reason },
        };
        self.spool.try_send(Append { link, tag: 0, give_up: None, op }).is_ok()
    }

    fn is_healthy(&self) -> bool {
        match self.progress.hung() {
            None => true,
            Some((part, idle)) => {
                tracing::error!(%part, ?idle, "a part of the gateway is stuck; the watchdog is told no more");
                false
            }
        }
    }
}
