//! Supervision of one link: connect, bind, serve, and again, with backoff.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rusmpp::tlvs::TlvTag;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::CommandStatus;
use super::desk::{Desk, State, Wanted};
use super::dial::Smsc;
use super::meters::Meters;
use super::options::LinkOptions;
use super::overload::{Reason, Rung};
use super::pace::Pace;
use super::session::{self, End};
use super::shared::LinkStates;
use super::tls::Tls;
use super::trace::{Direction, Tap};
use crate::domain::alphabet::LongMessages;
use crate::handoff::append::{Append, Completions, Done, InDoubt, LinkIndex, Op};
use crate::handoff::dial::Dial;
use crate::handoff::doubt::{DoubtSet, Settling};
use crate::handoff::marks::Marks;
use crate::handoff::queue::SubmitQueue;
use crate::limits::{OVERLOAD_CALM_SECONDS, RECEIVE_BYTES_MAX};
use crate::vitals::clock::Receipts;
use crate::vitals::pressure::Pressure;
use crate::vitals::progress::Work;
use crate::world::World;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// `sc_interface_version` from which on a peer may be sent TLVs; one that says none is older (SMPP 3.4, 5.3.2.25).
const FIRST_WITH_TLVS: u8 = 0x34;
/// First pause before a new bind.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// A link, across its sessions.
pub struct Link {
    /// Its settings.
    pub options: LinkOptions,
    /// Its place in the configuration.
    pub index: LinkIndex,
    /// The spool's queue.
    pub spool: mpsc::Sender<Append>,
    /// What the spool has done for this link.
    pub completions: Arc<Completions>,
    /// What the SMSC may deliver again, a group.
    pub doubt: Arc<DoubtSet>,
    /// Submits for the group.
    pub queue: Arc<SubmitQueue>,
    /// How far the spool is, and how its disk does.
    pub marks: Arc<Marks>,
    /// Is memory short?
    pub pressure: Pressure,
    /// Times of receipt.
    pub receipts: Arc<Receipts>,
    /// Who is bound.
    pub states: Arc<LinkStates>,
    /// What PostgreSQL has, when that is what acknowledgements wait for.
    pub committed: Option<watch::Receiver<u64>>,
    /// Stop when cancelled.
    pub stop: CancellationToken,
    /// Time and chance.
    pub world: World,
    /// Metrics.
    pub meters: Meters,
    /// How many binds share what may wait for the disk, and the sockets' buffers.
    pub binds: Arc<AtomicUsize>,
    /// The link's pace, which its binds share, and which outlives sessions.
    pub pace: Arc<Pace>,
    /// Where one may look on.
    pub tap: Arc<Tap>,
    /// Where it says how it fares, and is told what to do.
    pub desk: Arc<Desk>,
    /// Beats with each turn of its loop: the watchdog looks at it.
    pub work: Arc<Work>,
    /// Last tag given to the spool.
    pub last_tag: u64,
    /// Last reference of a segmented text.
    pub reference: u16,
    /// Last record stored by the session that runs; 0: none.
    pub stored: u64,
    /// Why the session that ended was unbound by the overload ladder.
    pub overload: Option<Reason>,
    /// The session is over, and what it left in doubt is not known yet: other links of the group wait for that.
    pub settling: Option<Settling>,
    /// Did the SMSC say, when it took the bind, that it knows TLVs?
    pub tlvs: bool,
}

/// Waits for a change; for ever where there is nothing to change.
pub(super) async fn changed(receiver: &mut Option<watch::Receiver<u64>>) {
    if let Some(receiver) = receiver
        && receiver.changed().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

impl Link {
    /// A tag never used before on this link.
    pub(super) fn tag(&mut self) -> u64 {
        self.last_tag += 1;
        self.last_tag
    }

    /// The loop turned.
    pub(super) fn turned(&self) {
        self.work.beat();
    }

    pub(super) fn bound(&mut self, body: &[u8]) {
        let (peer, version) = peer_of(body);
        self.tlvs = version.is_some_and(|version| version >= FIRST_WITH_TLVS);
        if !self.tlvs && self.options.sending.long != LongMessages::Udh {
            tracing::warn!(
                link = %self.options.name, version = version.map(tracing::field::debug),
                "the SMSC does not say that it knows TLVs (sc_interface_version 0x34 or more): long texts go with headers"
            );
        }
        tracing::info!(
            link = %self.options.name, bind = self.options.role.word(), system_id = %self.options.system_id,
            peer = %peer, version = version.map(tracing::field::debug), "bound"
        );
        self.desk.state(State::Bound);
        self.desk.say(|view| {
            view.binds += 1;
            (view.peer, view.peer_version) = (peer, version);
        });
        self.meters.bound.set(1.0);
        self.meters.bound_at.set(self.world.now_us() as f64 / 1e6);
        self.meters.binds.increment(1);
        self.states.set(self.index.into(), true);
        self.doubt.bound(self.index, self.redelivery_until());
    }

    /// Bytes of messages that may wait for the disk: this bind's share, which a reload may change.
    pub(super) fn receive_bytes(&self) -> usize {
        let share = RECEIVE_BYTES_MAX / self.binds.load(Ordering::Relaxed).max(1);
        self.options.receive_bytes.min(share)
    }

    /// A whole PDU came.
    pub(super) fn received(&mut self, pdu: &[u8]) {
        self.meters.passed("in", pdu);
        if self.tap.is_open() {
            self.tap.pass(self.world.now_us(), Direction::In, pdu);
        }
    }

    /// A whole PDU was laid down to be written.
    pub(super) fn sent(&mut self, pdu: &[u8]) {
        self.meters.passed("out", pdu);
        if self.tap.is_open() {
            self.tap.pass(self.world.now_us(), Direction::Out, pdu);
        }
    }

    /// When a redelivery of what is in doubt now is expected no more, if the link is bound now.
    pub(super) fn redelivery_until(&self) -> i64 {
        let window = i64::try_from(self.options.redelivery.as_micros()).unwrap_or(i64::MAX);
        self.world.steady_us().saturating_add(window)
    }

    /// Serves the link over TCP until it is told to stop.
    pub async fn run(self) {
        let tls = self.options.tls.as_ref().map(Tls::new).transpose();
        let (host, port) = (self.options.host.clone(), self.options.port);
        match tls {
            Ok(tls) => {
                let dial = Smsc { host, port, binds: self.binds.clone(), tls };
                self.run_over(&dial).await;
            }
            // Looked at before: the role makes one of each before it takes a configuration.
            Err(error) => tracing::error!(link = %self.options.name, %error, "its TLS cannot be used"),
        }
    }

    /// Serves the link until it is told to stop.
    pub async fn run_over<D: Dial>(mut self, dial: &D) {
        let mut pause = FIRST_PAUSE;
        while self.until_wanted().await {
            let begun = Instant::now();
            let end = match self.connect(dial).await {
                Some(Ok(stream)) => {
                    self.desk.state(State::Binding);
                    session::run(&mut self, stream).await
                }
                Some(Err(error)) => End::Io(error),
                None => break,
            };
            self.states.set(self.index.into(), false);
            self.doubt.unbound(self.index);
            self.meters.bound.set(0.0);
            self.meters.ended(end.word());
            self.desk.state(State::Unbound);
            self.desk.say(|view| view.last_end = Some(end.said()));
            self.report(&end);
            let stored = std::mem::take(&mut self.stored);
            if stored > 0 {
                self.enter_doubt().await;
            }
            self.settling = None;
            let overload = self.overload.take();
            if matches!(end, End::SpoolClosed) {
                break;
            }
            if matches!(end, End::Stopped) {
                pause = FIRST_PAUSE;
                continue;
            }
            let lived = begun.elapsed() > Duration::from_secs(30);
            pause = match end {
                End::PeerUnbound | End::Closed | End::Io(_) | End::Silent if lived => FIRST_PAUSE,
                // Only a person can mend these: asking often may have the account locked.
                End::BindRefused(status) if is_wrong_password(status) => self.options.reconnect_max,
                _ => pause,
            };
            if let Some(reason) = overload
                && !self.until_passed(reason, stored).await
            {
                break;
            }
            let jittered = pause.mul_f64(self.world.between(0.5, 1.0));
            if !self.rest(jittered).await {
                break;
            }
            pause = (pause * 2).min(self.options.reconnect_max).max(FIRST_PAUSE);
        }
        tracing::info!(link = %self.options.name, "link stopped");
    }

    /// Stays unbound until what overloaded the gateway has passed, while the SMSC stores; false when told
    /// to stop. `stored`: the last record of the session.
    async fn until_passed(&self, reason: Reason, stored: u64) -> bool {
        let mut pause = Duration::from_secs(OVERLOAD_CALM_SECONDS);
        loop {
            self.meters.overload(Rung::Unbind, Some(reason));
            if !self.rest(pause).await {
                return false;
            }
            let passed = match reason {
                Reason::Memory => !self.pressure.is_high(),
                Reason::DiskFailing | Reason::SpoolFull => !self.marks.is_failing(),
                Reason::SlowSync => self.marks.work().busy_for() < Duration::from_secs(1),
                Reason::WorkerNotCommitting => *self.marks.committed().borrow() >= stored,
            };
            if passed {
                self.meters.overload(Rung::Open, None);
                tracing::info!(link = %self.options.name, reason = reason.word(), "the overload has passed; binding again");
                return true;
            }
            pause = Duration::from_secs(1);
        }
    }

    /// Waits while the operator wants no bind; false when told to stop.
    async fn until_wanted(&self) -> bool {
        let mut said = false;
        while !self.stop.is_cancelled() && self.desk.wanted() != Wanted::Run {
            if !said {
                tracing::info!(link = %self.options.name, "unbound, as the operator wants it");
                said = true;
            }
            self.turned();
            self.desk.state(State::Paused);
            let look = timeout(Duration::from_secs(5), self.desk.changed());
            let _ = self.stop.run_until_cancelled(look).await;
        }
        if said {
            self.desk.state(State::Unbound);
        }
        !self.stop.is_cancelled()
    }

    /// Waits, while the watchdog sees that it lives, or until the operator says something; false when told to
    /// stop.
    async fn rest(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        while Instant::now() < until {
            self.turned();
            let next = until.min(Instant::now() + Duration::from_secs(5));
            let told = async {
                tokio::select! {
                    biased;
                    () = tokio::time::sleep_until(next) => false,
                    () = self.desk.changed() => true,
                }
            };
            match self.stop.run_until_cancelled(told).await {
                None => return false,
                Some(true) => return true,
                Some(false) => {}
            }
        }
        true
    }

    /// `None` when told to stop.
    async fn connect<D: Dial>(&self, dial: &D) -> Option<std::io::Result<D::Stream>> {
        self.turned();
        let timed =
            async { timeout(CONNECT, dial.dial()).await.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())) };
        self.stop.run_until_cancelled(timed).await
    }

    /// Takes over a place in the spool that may have been another link's; false when told to stop before.
    pub async fn take_over(&mut self) -> bool {
        // What is left there was another's.
        self.completions.take();
        self.marks.confirm_nothing(self.index);
        let (name, group) = (self.options.name.clone(), self.options.group.clone());
        let named = |tag, done| (done == Done::Named { tag }).then_some(());
        self.ask_spool(Op::Name { name, group }, Duration::ZERO, named).await.is_some()
    }

    /// Asks the spool which records the SMSC may deliver again, and waits for it: before that no new
    /// session may begin.
    async fn enter_doubt(&mut self) {
        let in_doubt = |tag, done| match done {
            Done::InDoubt { tag: of, records } if of == tag => Some(records),
            _ => None,
        };
        let Some(records) = self.ask_spool(Op::Doubt { only: None }, Duration::from_secs(2), in_doubt).await else {
            return;
        };
        if !records.is_empty() {
            tracing::info!(link = %self.options.name, records = records.len(), "the SMSC may deliver these again");
        }
        self.doubt_all(&records);
        self.marks.confirm(self.index, self.doubt.responses(self.index, 0, self.world.steady_us()));
    }

    /// These may be delivered again. What is acknowledged when it is committed, and is not, was never acknowledged.
    pub fn doubt_all(&self, records: &[InDoubt]) {
        let committed = self.committed.as_ref().map_or(u64::MAX, |committed| *committed.borrow());
        let (certain, others): (Vec<_>, Vec<_>) = records.iter().partition(|record| record.sequence > committed);
        self.doubt.add_certain(self.index, &certain);
        self.doubt.add(self.index, &others, self.redelivery_until());
    }

    /// Asks the spool, between two sessions, and waits for its answer; `None` when the spool is closed, or this
    /// is to stop and has lasted for `patience`.
    async fn ask_spool<R>(&mut self, op: Op, patience: Duration, answer: impl Fn(u64, Done) -> Option<R>) -> Option<R> {
        let tag = self.tag();
        let mut append = Some(Append { link: self.index, tag, give_up: None, op });
        let begun = Instant::now();
        loop {
            if let Some(asked) = append.take()
                && let Err(error) = self.spool.try_send(asked)
            {
                append = Some(error.into_inner());
            }
            if let Some(found) = self.completions.take().into_iter().find_map(|done| answer(tag, done)) {
                return Some(found);
            }
            self.turned();
            if self.spool.is_closed() || (self.stop.is_cancelled() && begun.elapsed() >= patience) {
                return None;
            }
            let _ = timeout(Duration::from_secs(1), self.completions.wait()).await;
        }
    }

    fn report(&self, end: &End) {
        let link = &self.options.name;
        let address = format_args!("{}:{}", self.options.host, self.options.port);
        match end {
            End::BindRefused(status) if is_wrong_password(*status) => tracing::error!(
                %link, status = ?CommandStatus::from(*status),
                "the SMSC refuses our login: mend system_id and password of this link in the configuration; trying again slowly"
            ),
            End::BindRefused(status) => {
                tracing::warn!(%link, status = ?CommandStatus::from(*status), "the SMSC refused the bind");
            }
            End::Io(error) => tracing::warn!(%link, %address, %error, "no connection to the SMSC"),
            End::BadLength(error) => tracing::warn!(%link, %error, "the SMSC sent what is no PDU; binding anew"),
            End::Stopped => {}
            other => tracing::warn!(%link, why = other.word(), "session ended"),
        }
    }
}

/// `system_id` and, where it stands there, `sc_interface_version` of a bind response's body.
fn peer_of(body: &[u8]) -> (String, Option<u8>) {
    let mut parts = body.splitn(2, |&b| b == 0);
    let peer = parts.next().unwrap_or_default().iter().take(16).map(|&b| char::from(b)).collect();
    let mut rest = parts.next().unwrap_or_default();
    while let [t0, t1, l0, l1, after @ ..] = rest {
        let Some((value, next)) = after.split_at_checked(u16::from_be_bytes([*l0, *l1]).into()) else { break };
        if TlvTag::from(u16::from_be_bytes([*t0, *t1])) == TlvTag::ScInterfaceVersion {
            return (peer, value.first().copied());
        }
        rest = next;
    }
    (peer, None)
}

fn is_wrong_password(status: u32) -> bool {
    matches!(
        CommandStatus::from(status),
        CommandStatus::EsmeRbindfail | CommandStatus::EsmeRinvpaswd | CommandStatus::EsmeRinvsysid
    )
}
