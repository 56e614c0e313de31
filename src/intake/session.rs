//! One connection to the gateway, from `Hello` to its end, and the loop that begins it anew.
//!
//! Invariants: whatever ends a session, in-flight batches are dropped (their connections closed, their
//! transactions rolled back) and the next one begins from the watermark that the database has then.
//! A gateway or database that is away is a state: logged once a change, never a reason to exit.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use uuid::Uuid;

use super::batch::Session;
use super::board::Board;
use super::confirmed::{self, Confirmed};
use super::credit::Credits;
use super::decide::Replies;
use super::lane::{BatchSize, End, Lane};
use super::limiter::ReplyLimiter;
use super::phones::PhoneIds;
use super::requests::Requests;
use super::roster::RosterCell;
use super::runs::{Reading, choose};
use super::tracker::Tracker;
use crate::handoff::dial::{Dial, UnixSocket};
use crate::handoff::message::FromWorker;
use crate::limits::{HANDOFF_QUEUE_MAX, LANE_QUEUE_MAX, LANES_MAX};
use crate::outbox::links::Links;
use crate::outbox::pump::{Pump, PumpError};
use crate::store::migrate::Schema;
use crate::store::{Health, Ledger, Store, StoreError};
use crate::vitals::pressure::Pressure;
use crate::vitals::progress::Progress;
use crate::world::World;

mod idle;
mod segments;
mod wire;

use wire::{Stream, read, send, write};

/// How long the gateway may take for its part of the greeting.
const GREETING_DEADLINE: Duration = Duration::from_secs(10);
/// Pause before a session is begun anew: doubled from the first to the last, with jitter.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));
/// A session that lasted so long begins the pauses anew.
const STEADY: Duration = Duration::from_secs(30);

/// What the intake is made of.
#[derive(Debug, Clone)]
pub struct Options {
    /// The gateway's socket.
    pub socket: PathBuf,
    /// Lanes.
    pub lanes: u16,
    /// Seconds after which a text that lacks segments is processed as far as it came.
    pub segments_wait_seconds: u32,
}

/// The intake, over all its sessions.
#[derive(Debug)]
pub struct Intake<L = Store, D = UnixSocket> {
    options: Options,
    store: L,
    replies: Arc<Replies>,
    roster: Arc<RosterCell>,
    phones: Arc<PhoneIds>,
    limiter: Arc<Mutex<ReplyLimiter>>,
    size: Arc<BatchSize>,
    progress: Arc<Progress>,
    dial: D,
    world: World,
    pressure: Pressure,
    health: Arc<Health>,
    board: Arc<Board>,
    /// Of each run that the gateway has, the greatest watermark that the database is known to have had.
    before: Mutex<HashMap<Uuid, u64>>,
}

/// The database's schema is not this program's.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SchemaError(Schema);

/// What surrounds a session's tasks.
struct Around<S> {
    stream: Stream<S>,
    frames: mpsc::Receiver<FromWorker>,
    newest: u64,
    ended: bool,
}

/// The state that a log line is written about, once a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Running,
    NoGateway,
    NoDatabase,
}

impl<L: Ledger> Intake<L> {
    /// Nothing is opened yet.
    pub fn new(options: Options, store: L, replies: Replies, progress: Arc<Progress>) -> Self {
        let dial = UnixSocket(options.socket.clone());
        Self::over(options, store, replies, progress, dial, World::real())
    }
}

impl<L: Ledger, D: Dial> Intake<L, D> {
    /// An intake that reaches its gateway by `dial`. Nothing is opened yet.
    pub fn over(options: Options, store: L, replies: Replies, progress: Arc<Progress>, dial: D, world: World) -> Self {
        Self {
            dial,
            world,
            options,
            store,
            replies: Arc::new(replies),
            roster: Arc::default(),
            phones: Arc::default(),
            limiter: Arc::default(),
            size: Arc::default(),
            progress,
            pressure: Pressure::default(),
            health: Arc::default(),
            board: Arc::default(),
            before: Mutex::default(),
        }
    }

    /// One that takes less while memory is short.
    #[must_use]
    pub fn heeding(self, pressure: Pressure) -> Self {
        Self { pressure, ..self }
    }

    /// Where stands what the gateway says of itself.
    pub fn board(&self) -> Arc<Board> {
        Arc::clone(&self.board)
    }

    /// Runs sessions until told to stop. `running` is told whether one runs. An error says that the
    /// database's schema is not this program's.
    pub async fn run(&self, stop: CancellationToken, running: watch::Sender<bool>) -> Result<(), SchemaError> {
        let mut pause = BACKOFF.0;
        let mut state = State::Start;
        while !stop.is_cancelled() {
            let began = tokio::time::Instant::now();
            let up = || {
                if state != State::Running {
                    info!("gateway and database are there; records are taken");
                }
                if !self.health.is_troubled() {
                    metrics::gauge!("scrutineer_database_up").set(1.0);
                }
                metrics::gauge!("scrutineer_gateway_up").set(1.0);
                running.send_replace(true);
            };
            let mut ran = false;
            let session = self.session(&stop, || {
                ran = true;
                up();
            });
            let end = self.lively("session", session).await;
            running.send_replace(false);
            self.progress.clear();
            if ran {
                state = State::Running;
            }
            match end {
                // A run that has ended is committed: the next one is begun at once.
                Ok(()) => continue,
                // A batch that lost every race, which was said; the database is there.
                Err(End::Database(StoreError::GivenUp)) => {}
                // Lanes tried long enough, as was said: the database is there, and takes nothing.
                Err(End::Database(error)) if error.is_momentary() => self.health.trouble(&error),
                Err(End::Database(error)) => {
                    metrics::gauge!("scrutineer_database_up").set(0.0);
                    if !error.is_transient() {
                        error!(%error, "the database refuses the worker's statements: is it migrated, and are its rights granted? (`scrutineer doctor`)");
                    } else if state != State::NoDatabase {
                        warn!(%error, "the database is away; records wait in the spool");
                    }
                    state = State::NoDatabase;
                }
                Err(End::Gateway(why)) => {
                    metrics::gauge!("scrutineer_gateway_up").set(0.0);
                    if state != State::NoGateway {
                        warn!(why, socket = %self.options.socket.display(), "the gateway is away");
                    }
                    state = State::NoGateway;
                }
                Err(End::Schema(schema)) => return Err(SchemaError(schema)),
                Err(End::Internal(why)) => error!(why, "a session broke; beginning anew"),
            }
            if began.elapsed() >= STEADY {
                pause = BACKOFF.0;
            }
            let jittered = pause.mul_f64(self.world.between(0.5, 1.5));
            pause = (pause * 2).min(BACKOFF.1);
            tokio::select! {
                () = tokio::time::sleep(jittered) => {}
                () = stop.cancelled() => {}
            }
        }
        Ok(())
    }

    /// A task that waits more than it works, and must not stand still while it does.
    fn lively<T, F: Future<Output = T>>(
        &self,
        name: &'static str,
        task: F,
    ) -> impl Future<Output = T> + use<T, F, L, D> {
        let work = self.progress.place(name);
        async move { work.lively(task).await }
    }

    async fn session(&self, stop: &CancellationToken, up: impl FnOnce()) -> Result<(), End> {
        // What this session knows to be committed is so on one primary: should another take over, a
        // watermark that counts on it would pass over records that the other one lacks.
        let store = self.store.pinned();
        let start = self.progress.place("the start of a session");
        let starting = start.begin();
        let schema = store.schema().await?;
        if !schema.is_current() {
            return Err(End::Schema(schema));
        }
        let (mut stream, greeting) = tokio::select! {
            greeted = tokio::time::timeout(GREETING_DEADLINE, wire::greet(&self.dial)) => {
                greeted.map_err(|_| End::Gateway("no welcome in time".to_owned()))??
            }
            () = stop.cancelled() => return Ok(()),
        };
        let kept: Vec<Uuid> =
            greeting.runs.iter().filter(|r| r.oldest > 0 || r.uuid == greeting.live).map(|r| r.uuid).collect();
        let marks = store.open_runs(&kept, &greeting.host).await?;
        let reading = {
            let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
            choose(&mut before, &greeting, &marks).ok_or_else(|| End::Gateway("it has no run to read".to_owned()))?
        };
        // What was known of another session's database may be gone from this one's.
        self.phones.clear();
        self.roster.reload(&store, None).await?;
        let runs: Vec<Uuid> = greeting.runs.iter().map(|r| r.uuid).collect();
        let Reading { run, spool_id, after, ended } = reading;
        send(&mut stream, &FromWorker::Read { run: run.uuid, after }).await?;
        let credits = Credits::new(self.pressure.clone());
        send(&mut stream, &FromWorker::Credit { bytes: credits.returned(0) }).await?;
        drop(starting);
        up();
        let (to_gateway, frames) = mpsc::channel(HANDOFF_QUEUE_MAX);
        let session = Arc::new(Session {
            store,
            spool_id,
            spool: run.uuid,
            lease: greeting.live,
            runs,
            confirmed: Confirmed::default(),
            roster: Arc::clone(&self.roster),
            phones: Arc::clone(&self.phones),
            tracker: Mutex::new(Tracker::new(after)),
            in_flight: Arc::default(),
            to_gateway,
            replies: Arc::clone(&self.replies),
            limiter: Arc::clone(&self.limiter),
            world: self.world.clone(),
            pressure: self.pressure.clone(),
            credits,
            health: Arc::clone(&self.health),
        });
        let around = Around { stream, frames, newest: run.newest, ended };
        let mut result = self.tasks(Arc::clone(&session), around, stop).await;
        let finished = session.tracker.lock().unwrap_or_else(PoisonError::into_inner).is_finished();
        if result.is_ok() && finished {
            result = self.conclude(&session, run.newest).await;
        }
        let written = session.tracker.lock().unwrap_or_else(PoisonError::into_inner).written();
        self.before.lock().unwrap_or_else(PoisonError::into_inner).insert(run.uuid, written);
        result
    }

    /// A run that has ended is committed to its last record: says so, as each lane wrote only what it knew.
    async fn conclude(&self, session: &Session<L>, newest: u64) -> Result<(), End> {
        session.store.conclude_run(session.spool_id, newest).await?;
        session.tracker.lock().unwrap_or_else(PoisonError::into_inner).wrote(newest);
        info!(run = %session.spool, newest, "an earlier run of the spool is committed whole");
        Ok(())
    }

    async fn tasks(
        &self,
        session: Arc<Session<L>>,
        around: Around<D::Stream>,
        stop: &CancellationToken,
    ) -> Result<(), End> {
        let Around { stream, frames, newest, ended } = around;
        // Also when a run that has ended is committed.
        let stop = stop.child_token();
        let (sink, source) = stream.split();
        let links: Arc<Links> = Arc::default();
        let through = session.tracker.lock().unwrap_or_else(PoisonError::into_inner).through();
        let caught_up = Arc::new(watch::Sender::new(!ended && through >= newest));
        let count = usize::from(self.options.lanes).clamp(1, LANES_MAX);
        let mut tasks: JoinSet<Result<(), End>> = JoinSet::new();
        let mut queues = Vec::with_capacity(count);
        // Lanes end first when the worker stops; what they still say to the gateway is written then.
        let mut lanes: JoinSet<Result<(), End>> = JoinSet::new();
        for number in 0..count {
            let (queue, items) = mpsc::channel(LANE_QUEUE_MAX);
            queues.push(queue);
            let lane = Lane {
                session: Arc::clone(&session),
                number: i16::try_from(number).unwrap_or(0),
                size: Arc::clone(&self.size),
                work: self.progress.place("lane"),
                caught_up: Arc::clone(&caught_up),
                newest,
                ended: ended.then(|| stop.clone()),
                wary: true,
            };
            lanes.spawn(self.lively("a lane's task", lane.run(items, stop.clone())));
        }
        let over = CancellationToken::new();
        let writer = tokio::spawn(self.lively("what is written to the gateway", write(sink, frames, over.clone())));
        let heard = (Arc::clone(&links), Arc::clone(&self.board));
        let reader = read(source, Arc::clone(&session), queues, heard, stop.clone());
        tasks.spawn(self.lively("what is read from the gateway", reader));
        let (wait, work) = (self.options.segments_wait_seconds, self.progress.place("segments"));
        tasks.spawn(self.lively("the task of segments", segments::finish(Arc::clone(&session), wait, work)));
        tasks.spawn(self.lively("what other hosts are told", confirmed::tell(Arc::clone(&session))));
        let requests = Requests { session: Arc::clone(&session), work: self.progress.place("requests") };
        tasks.spawn(self.lively("the task of requests", requests.run()));
        let idle = idle::watch(Arc::clone(&session), (!ended).then(|| Arc::clone(&caught_up)));
        tasks.spawn(self.lively("the watermarks of idle lanes", idle));
        let pump = Pump {
            work: self.progress.place("outbox"),
            store: session.store.clone(),
            spool: session.lease,
            runs: session.runs.clone(),
            in_flight: Arc::clone(&session.in_flight),
            links,
            to_gateway: session.to_gateway.clone(),
            health: Arc::clone(&self.health),
            caught_up: caught_up.subscribe(),
        };
        tasks.spawn(self.lively("the task of the outbox", async move {
            pump.run().await.map_err(|e| match e {
                PumpError::Store(error) => End::Database(error),
                PumpError::Gateway => End::Gateway("the socket was closed".to_owned()),
            })
        }));
        drop(session);
        let result = loop {
            let (ended, of_lanes) = tokio::select! {
                biased;
                Some(ended) = tasks.join_next() => (ended, false),
                ended = lanes.join_next() => match ended {
                    Some(ended) => (ended, true),
                    // All lanes ended well: the worker stops.
                    None => break Ok(()),
                },
            };
            match ended {
                Ok(Ok(())) if of_lanes && stop.is_cancelled() => {}
                Ok(Ok(())) => break Err(End::Internal("a task of the session ended by itself".to_owned())),
                Ok(Err(end)) => break Err(end),
                Err(error) => break Err(End::Internal(error.to_string())),
            }
        };
        tasks.shutdown().await;
        lanes.shutdown().await;
        // Nothing more is said: the writer ends when it has written what there was.
        over.cancel();
        let mut writer = writer;
        if tokio::time::timeout(Duration::from_secs(2), &mut writer).await.is_err() {
            writer.abort();
        }
        result
    }
}
