//! What the gateway does once a second: the spool's housekeeping, submits that expired, and the
//! watchdog, which is told only while the spool's thread and every link make progress.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::handoff::append::{Append, Op};
use crate::handoff::doubt::DoubtSet;
use crate::handoff::marks::Marks;
use crate::handoff::message::{NotSent, Submit, SubmitOutcome};
use crate::handoff::queue::{SubmitCount, SubmitQueue};
use crate::spool::Spool;
use crate::world::World;

/// A part that has done nothing for so long is stuck. No bound wait within them is longer.
const STUCK: Duration = Duration::from_secs(30);

/// See the module.
pub struct Keeper {
    pub(super) spool: mpsc::Sender<Append>,
    pub(super) marks: Arc<Marks>,
    pub(super) queues: Vec<(u16, Arc<SubmitQueue>)>,
    pub(super) count: Arc<SubmitCount>,
    pub(super) doubts: Vec<Arc<DoubtSet>>,
    /// Submits for groups that do not exist.
    pub(super) unsendable: mpsc::Receiver<Submit>,
    /// Each link's last turn, milliseconds since the epoch.
    pub(super) progress: Vec<(String, Arc<AtomicI64>)>,
    pub(super) world: World,
}

impl Keeper {
    /// Runs until cancelled.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let waiting = metrics::gauge!("scrutineer_submit_queue");
        let mut since_ping = Duration::ZERO;
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
            let now = self.world.now_us();
            for (link, queue) in &self.queues {
                for submit in queue.expired(now) {
                    // The spool may take nothing now: the next turn is soon enough.
                    if !self.settle(*link, &submit, NotSent::Expired) {
                        queue.put_back(submit);
                    }
                }
            }
            for doubt in &self.doubts {
                doubt.expire(now);
            }
            waiting.set(self.count.get() as f64);
            since_ping += Duration::from_secs(1);
            if ping_every.is_some_and(|every| since_ping >= every) && self.is_healthy(now) {
                since_ping = Duration::ZERO;
                let _ = sd_notify::notify(&[NotifyState::Watchdog]);
            }
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

    fn is_healthy(&self, now_us: i64) -> bool {
        if !self.marks.makes_progress(now_us, STUCK) {
            tracing::error!("the spool's thread is stuck");
            return false;
        }
        let stuck =
            self.progress.iter().find(|(_, at)| now_us / 1000 - at.load(Ordering::Relaxed) > STUCK.as_millis() as i64);
        if let Some((link, _)) = stuck {
            tracing::error!(%link, "the link's task is stuck");
        }
        stuck.is_none()
    }
}
