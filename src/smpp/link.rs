//! Supervision of one link: connect, bind, serve, and again, with backoff.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::CommandStatus;
use super::meters::Meters;
use super::options::LinkOptions;
use super::overload::{Reason, Rung};
use super::session::{self, End};
use super::shared::LinkStates;
use crate::handoff::append::{Append, Completions, Done, LinkIndex, Op};
use crate::handoff::dial::Dial;
use crate::handoff::doubt::DoubtSet;
use crate::handoff::marks::Marks;
use crate::handoff::queue::SubmitQueue;
use crate::limits::{LINK_SOCKET_BYTES, OVERLOAD_CALM_SECONDS};
use crate::vitals::clock::Receipts;
use crate::vitals::pressure::Pressure;
use crate::vitals::progress::Work;
use crate::world::World;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
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
    /// Beats with each turn of its loop: the watchdog looks at it.
    pub work: Arc<Work>,
    /// Last tag given to the spool.
    pub last_tag: u64,
    /// Last reference of a segmented text.
    pub reference: u8,
    /// Last record stored by the session that runs; 0: none.
    pub stored: u64,
    /// Why the session that ended was unbound by the overload ladder.
    pub overload: Option<Reason>,
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

    pub(super) fn bound(&self) {
        tracing::info!(link = %self.options.name, system_id = %self.options.system_id, "bound");
        self.meters.bound.set(1.0);
        self.states.set(self.index.into(), true);
        self.doubt.bound(self.index, self.redelivery_until());
    }

    /// When a redelivery of what is in doubt now is expected no more, if the link is bound now.
    pub(super) fn redelivery_until(&self) -> i64 {
        let window = i64::try_from(self.options.redelivery.as_micros()).unwrap_or(i64::MAX);
        self.world.steady_us().saturating_add(window)
    }

    /// Serves the link over TCP until it is told to stop.
    pub async fn run(self) {
        let dial = Tcp { host: self.options.host.clone(), port: self.options.port };
        self.run_over(&dial).await;
    }

    /// Serves the link until it is told to stop.
    pub async fn run_over<D: Dial>(mut self, dial: &D) {
        let mut pause = FIRST_PAUSE;
        while !self.stop.is_cancelled() {
            let begun = Instant::now();
            let end = match self.connect(dial).await {
                Some(Ok(stream)) => session::run(&mut self, stream).await,
                Some(Err(error)) => End::Io(error),
                None => break,
            };
            self.states.set(self.index.into(), false);
            self.doubt.unbound(self.index);
            self.meters.bound.set(0.0);
            self.meters.ended(end.word());
            self.report(&end);
            let stored = std::mem::take(&mut self.stored);
            if stored > 0 {
                self.enter_doubt().await;
            }
            let overload = self.overload.take();
            if matches!(end, End::Stopped | End::SpoolClosed) {
                break;
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

    /// Waits, while the watchdog sees that it lives; false when told to stop.
    async fn rest(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        while Instant::now() < until {
            self.turned();
            let next = until.min(Instant::now() + Duration::from_secs(5));
            if self.stop.run_until_cancelled(tokio::time::sleep_until(next)).await.is_none() {
                return false;
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

    /// Asks the spool which records the SMSC may deliver again, and waits for it: before that no new
    /// session may begin.
    async fn enter_doubt(&mut self) {
        let tag = self.tag();
        let mut append = Some(Append { link: self.index, tag, give_up: None, op: Op::Doubt { only: None } });
        let begun = Instant::now();
        loop {
            if let Some(asked) = append.take()
                && let Err(error) = self.spool.try_send(asked)
            {
                append = Some(error.into_inner());
            }
            for done in self.completions.take() {
                if let Done::InDoubt { tag: of, records } = done
                    && of == tag
                {
                    if !records.is_empty() {
                        tracing::info!(link = %self.options.name, records = records.len(), "the SMSC may deliver these again");
                    }
                    self.doubt.add(self.index, &records, self.redelivery_until());
                    return;
                }
            }
            self.turned();
            let stopping = self.stop.is_cancelled() && begun.elapsed() > Duration::from_secs(2);
            if self.spool.is_closed() || stopping {
                return;
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

fn is_wrong_password(status: u32) -> bool {
    matches!(
        CommandStatus::from(status),
        CommandStatus::EsmeRbindfail | CommandStatus::EsmeRinvpaswd | CommandStatus::EsmeRinvsysid
    )
}

/// An SMSC by its name or address.
struct Tcp {
    host: String,
    port: u16,
}

impl Dial for Tcp {
    type Stream = TcpStream;

    async fn dial(&self) -> std::io::Result<TcpStream> {
        let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "the host has no address");
        for address in tokio::net::lookup_host((self.host.as_str(), self.port)).await? {
            match open(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

async fn open(address: std::net::SocketAddr) -> std::io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Before the connection, as it sets the window that is offered.
    socket.set_recv_buffer_size(LINK_SOCKET_BYTES as u32)?;
    socket.set_nodelay(true)?;
    socket.connect(address).await
}
