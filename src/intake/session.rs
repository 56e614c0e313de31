//! One connection to the gateway, from `Hello` to its end, and the loop that begins it anew.
//!
//! Invariants: whatever ends a session, in-flight batches are dropped (their connections closed, their
//! transactions rolled back) and the next one begins from the watermark that the database has then.
//! A gateway or database that is away is a state: logged once a change, never a reason to exit.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};
use uuid::Uuid;

use super::batch::{How, Session, Trouble, finish_incomplete};
use super::board::Board;
use super::confirmed::{self, Confirmed};
use super::credit::Credits;
use super::decide::Replies;
use super::item::Item;
use super::judge;
use super::lane::{BatchSize, End, Lane, after};
use super::limiter::ReplyLimiter;
use super::phones::PhoneIds;
use super::requests::Requests;
use super::roster::RosterCell;
use super::runs::{Greeting, Reading, choose};
use super::tracker::Tracker;
use crate::handoff::codec::{self, Incoming};
use crate::handoff::dial::{self, Dial, UnixSocket};
use crate::handoff::message::{FromGateway, FromWorker, PROTOCOL};
use crate::limits::{HANDOFF_QUEUE_MAX, LANE_QUEUE_MAX, LANES_MAX, SEGMENT_SETS_SLICE};
use crate::outbox::links::Links;
use crate::outbox::pump::{Pump, PumpError};
use crate::store::migrate::Schema;
use crate::store::{Health, Ledger, Store, StoreError};
use crate::vitals::pressure::Pressure;
use crate::vitals::progress::Progress;
use crate::world::World;

type Stream<S> = tokio_util::codec::Framed<S, tokio_util::codec::LengthDelimitedCodec>;

/// How long the gateway may take for its part of the greeting.
const GREETING_DEADLINE: Duration = Duration::from_secs(10);
/// Pause before a session is begun anew: doubled from the first to the last, with jitter.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));
/// A session that lasted so long begins the pauses anew.
const STEADY: Duration = Duration::from_secs(30);
/// With nothing under way for so long the worker has caught up, though the gateway's newest sequence never came.
const CAUGHT_UP_IDLE: Duration = Duration::from_secs(3);

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
            let end = self
                .session(&stop, || {
                    ran = true;
                    up();
                })
                .await;
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
            greeted = tokio::time::timeout(GREETING_DEADLINE, self.greet()) => {
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
        let others = store.note_confirmed(greeting.live, &runs, &[]).await?;
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
            confirmed: Confirmed::new(others),
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

    async fn greet(&self) -> Result<(Stream<D::Stream>, Greeting), End> {
        let gone = |e: &dyn std::fmt::Display| End::Gateway(e.to_string());
        let socket = self.dial.dial().await.map_err(|e| gone(&e))?;
        let mut stream = codec::framed(socket);
        send(&mut stream, &FromWorker::Hello { protocol: PROTOCOL }).await?;
        let frame = stream.next().await.ok_or_else(|| gone(&"closed before its welcome"))?.map_err(|e| gone(&e))?;
        match codec::decode::<FromGateway>(&frame).map_err(|e| gone(&e))? {
            FromGateway::Welcome { protocol: PROTOCOL, runs, live, host } => {
                Ok((stream, Greeting { runs, live, host }))
            }
            FromGateway::Welcome { protocol, .. } => Err(gone(&format!(
                "it speaks version {protocol} of the handoff and this worker {PROTOCOL}: install both from one package"
            ))),
            FromGateway::Refused(why) => Err(gone(&why)),
            _ => Err(gone(&"its first frame was no welcome")),
        }
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
            lanes.spawn(lane.run(items, stop.clone()));
        }
        let over = CancellationToken::new();
        let writer = tokio::spawn(write(sink, frames, over.clone()));
        let heard = (Arc::clone(&links), Arc::clone(&self.board));
        tasks.spawn(read(source, Arc::clone(&session), queues, heard, stop.clone()));
        tasks.spawn(self.segments(Arc::clone(&session)));
        tasks.spawn(confirmed::tell(Arc::clone(&session)));
        let requests = Requests { session: Arc::clone(&session), work: self.progress.place("requests") };
        tasks.spawn(requests.run());
        tasks.spawn(watch_idle(Arc::clone(&session), (!ended).then(|| Arc::clone(&caught_up))));
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
        tasks.spawn(async move {
            pump.run().await.map_err(|e| match e {
                PumpError::Store(error) => End::Database(error),
                PumpError::Gateway => End::Gateway("the socket was closed".to_owned()),
            })
        });
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

    /// Processes texts whose parts did not all come in time.
    fn segments(&self, session: Arc<Session<L>>) -> impl Future<Output = Result<(), End>> + Send + 'static {
        let wait = self.options.segments_wait_seconds;
        let work = self.progress.place("segments");
        async move {
            let seconds = i32::try_from(wait).unwrap_or(i32::MAX);
            let every =
                Duration::from_millis(u64::from(wait) * 100).clamp(Duration::from_millis(500), Duration::from_secs(30));
            let mut timer = tokio::time::interval(every);
            timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            let mut limit = SEGMENT_SETS_SLICE;
            let mut why: Option<String> = None;
            let mut bare = false;
            loop {
                timer.tick().await;
                let _busy = work.begin();
                loop {
                    let how = How { set_aside: why.as_deref(), bare, ..How::default() };
                    let tried = judge::contained_async(finish_incomplete(&session, seconds, limit, how)).await;
                    let finished = tried.unwrap_or_else(|panic| Err(Trouble::Panic(panic)));
                    match finished {
                        Ok((done, count)) => {
                            if count > 0 {
                                info!(texts = count, "texts that lack segments were processed as far as they came");
                            }
                            let full = i64::try_from(count) == Ok(limit);
                            after(&session, done).await?;
                            (why, bare, limit) = (None, false, SEGMENT_SETS_SLICE);
                            if !full {
                                break;
                            }
                        }
                        // One that fails alone is set aside.
                        Err(trouble) if trouble.about_the_data().is_some() && !bare => {
                            if why.is_some() {
                                bare = true;
                            } else if limit == 1 {
                                why = trouble.about_the_data();
                            }
                            limit = 1;
                        }
                        Err(Trouble::Panic(panic)) => return Err(End::Internal(panic)),
                        Err(Trouble::Store(error)) if error.is_race() => break,
                        Err(Trouble::Store(error)) if error.is_momentary() => {
                            session.health.trouble(&error);
                            session.in_flight.say_unclear();
                            if error.is_too_slow() {
                                limit = (limit / 2).max(1);
                            }
                            break;
                        }
                        Err(Trouble::Store(error)) => return Err(error.into()),
                        Err(Trouble::Roster { seen }) => session.roster.reload(&session.store, Some(seen)).await?,
                        Err(Trouble::Lost) => break,
                    }
                }
            }
        }
    }
}

async fn send<S: dial::Stream>(stream: &mut Stream<S>, frame: &FromWorker) -> Result<(), End> {
    let body = codec::encode(frame).map_err(|e| End::Gateway(e.to_string()))?;
    stream.send(body).await.map_err(|e| End::Gateway(e.to_string()))
}

/// Writes frames, many to a flush.
async fn write<S: dial::Stream>(
    mut sink: futures_util::stream::SplitSink<Stream<S>, bytes::Bytes>,
    mut frames: mpsc::Receiver<FromWorker>,
    over: CancellationToken,
) -> Result<(), End> {
    let gone = |e: &dyn std::fmt::Display| End::Gateway(e.to_string());
    let mut some = Vec::new();
    loop {
        let count = tokio::select! {
            biased;
            count = frames.recv_many(&mut some, HANDOFF_QUEUE_MAX) => count,
            () = over.cancelled(), if !frames.is_closed() => {
                frames.close();
                continue;
            }
        };
        if count == 0 {
            return Ok(());
        }
        for frame in some.drain(..) {
            let body = codec::encode(&frame).map_err(|e| gone(&e))?;
            sink.feed(body).await.map_err(|e| gone(&e))?;
        }
        sink.flush().await.map_err(|e| gone(&e))?;
    }
}

/// Hands records to their lanes.
async fn read<L: Ledger, S: dial::Stream>(
    mut source: futures_util::stream::SplitStream<Stream<S>>,
    session: Arc<Session<L>>,
    queues: Vec<mpsc::Sender<Item>>,
    (links, board): (Arc<Links>, Arc<Board>),
    stop: CancellationToken,
) -> Result<(), End> {
    let gone = |e: &dyn std::fmt::Display| End::Gateway(e.to_string());
    while let Some(frame) = source.next().await {
        let frame = frame.map_err(|e| gone(&e))?;
        match codec::decode_from_gateway(&frame).map_err(|e| gone(&e))? {
            Incoming::Records(records) => {
                for (record, credit) in records {
                    let item = Item::new(session.spool, record, credit);
                    let ascends = session
                        .tracker
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .begin(item.record.sequence, item.record.received_us);
                    if !ascends {
                        return Err(gone(&format!("record {} does not ascend", item.record.sequence)));
                    }
                    debug!(message = %item.order.record, kind = item.kind_word(), "record taken");
                    let lane = usize::from(item.bucket()) % queues.len().max(1);
                    let Some(queue) = queues.get(lane) else { continue };
                    if queue.send(item).await.is_err() {
                        // The lane ended; why is its own to say.
                        std::future::pending::<()>().await;
                    }
                }
            }
            Incoming::Other(FromGateway::Link { link, group, bound }) => {
                links.set(link, group, bound);
                session.in_flight.wake.notify_one();
            }
            Incoming::Other(FromGateway::Confirmed { link, through }) => session.confirmed.say(link, through),
            Incoming::Other(FromGateway::Busy { id, .. }) => session.in_flight.say_busy(id),
            Incoming::Other(FromGateway::Status(status)) => board.put(*status),
            Incoming::Other(FromGateway::Refused(why)) => return Err(gone(&why)),
            Incoming::Other(FromGateway::RunEnd) => {
                let mut tracker = session.tracker.lock().unwrap_or_else(PoisonError::into_inner);
                tracker.end();
                if tracker.is_finished() {
                    stop.cancel();
                }
            }
            Incoming::Other(_) => return Err(gone(&"a frame that has no place here")),
        }
    }
    Err(gone(&"it closed the connection"))
}

/// Says how far behind the worker is; and that it caught up, when the newest record never comes as its
/// sequence was never used.
async fn watch_idle<L: Ledger>(
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
