//! A bounded set of connections of our own: sqlx's pool pings a connection that is given back with no
//! deadline, so that one whose peer went silent holds its slot until the kernel gives it up, and it
//! retries a refused connect until its deadline, though another host may be there.
//!
//! Invariants: `connections_max` slots, each in use, idle, being made or being checked; a connection is
//! lent only when it belongs to the present primary, and answered lately or answers now; ending one is
//! closing its socket, which waits for nobody.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::error::StoreError;
use super::greet::Identity;
use super::hosts::{Found, Hosts, Missing};
use super::options::ConnectOptions;
use crate::limits::{DATABASE_ACQUIRE_SECONDS, DATABASE_CONNECTION_SECONDS_MAX, DATABASE_PING_MS};

/// A connection that was used so lately needs no ping.
const FRESH: Duration = Duration::from_millis(250);
/// How long a connection has for its farewell when the pool is closed.
const FAREWELL: Duration = Duration::from_millis(200);

/// An open connection.
#[derive(Debug)]
struct Live {
    conn: PgConnection,
    identity: Identity,
    made: Instant,
    /// When it last answered.
    answered: Instant,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Pool {
    hosts: Hosts,
    slots: Arc<Semaphore>,
    connections_max: u32,
    idle: Mutex<Vec<Live>>,
    closed: AtomicBool,
    /// Somebody had trouble: the keeper looks at once.
    pub(super) suspicion: Notify,
}

/// A connection in use. Dropped without [`Lent::give_back`] it is closed.
#[derive(Debug)]
pub(super) struct Lent {
    live: Option<Live>,
    pool: Arc<Pool>,
    _slot: OwnedSemaphorePermit,
}

impl Pool {
    pub(super) fn new(options: &ConnectOptions) -> Self {
        Self {
            hosts: Hosts::new(options),
            slots: Arc::new(Semaphore::new(usize::try_from(options.connections_max.max(1)).unwrap_or(1))),
            connections_max: options.connections_max.max(1),
            idle: Mutex::default(),
            closed: AtomicBool::new(false),
            suspicion: Notify::new(),
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Live>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connections open or being made, and of them idle.
    pub(super) fn counts(&self) -> (u32, usize) {
        let idle = self.idle().len();
        let used =
            self.connections_max.saturating_sub(u32::try_from(self.slots.available_permits()).unwrap_or(u32::MAX));
        (used.saturating_add(u32::try_from(idle).unwrap_or(u32::MAX)), idle)
    }

    /// A connection that answers, within [`DATABASE_ACQUIRE_SECONDS`].
    pub(super) async fn lend(self: &Arc<Self>) -> Result<Lent, StoreError> {
        match tokio::time::timeout(Duration::from_secs(DATABASE_ACQUIRE_SECONDS), self.find()).await {
            Ok(found) => found,
            Err(_) => Err(StoreError::Unavailable(sqlx::Error::PoolTimedOut)),
        }
    }

    async fn find(self: &Arc<Self>) -> Result<Lent, StoreError> {
        let closed = || StoreError::Unavailable(sqlx::Error::PoolClosed);
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(|_| closed())?;
        if self.closed.load(Ordering::Acquire) {
            return Err(closed());
        }
        if let Some(mut live) = self.pop() {
            if live.answered.elapsed() < FRESH || ping(&mut live).await {
                return Ok(Lent { live: Some(live), pool: Arc::clone(self), _slot: slot });
            }
            // Waiting for each of the others in turn would take too long: they are the keeper's to check.
            self.suspicion.notify_one();
        }
        match self.hosts.connect().await {
            Ok(Found { conn, identity }) => {
                let now = Instant::now();
                let live = Live { conn, identity, made: now, answered: now };
                Ok(Lent { live: Some(live), pool: Arc::clone(self), _slot: slot })
            }
            Err(Missing::One(error)) => Err(StoreError::Unavailable(error)),
            Err(Missing::All(why)) => Err(StoreError::NoPrimary(why)),
        }
    }

    /// The idle connection that was used last, of those to the present primary.
    fn pop(&self) -> Option<Live> {
        let primary = self.hosts.primary();
        let mut idle = self.idle();
        idle.retain(|live| Some(live.identity) == primary);
        idle.pop()
    }

    fn put(&self, live: Live) {
        let kept = !self.closed.load(Ordering::Acquire)
            && Some(live.identity) == self.hosts.primary()
            && live.made.elapsed() < Duration::from_secs(DATABASE_CONNECTION_SECONDS_MAX);
        if kept {
            self.idle().push(live);
        }
    }

    /// The primary takes no writes any more: who takes them is found anew.
    pub(super) fn leave(&self) {
        self.idle().clear();
    }

    /// Somebody had trouble with a connection: the others are looked at now.
    pub(super) fn suspect(&self) {
        metrics::counter!("scrutineer_database_connections_dropped_total").increment(1);
        self.suspicion.notify_one();
    }

    /// Pings all that have been idle for so long, side by side; those that are dead are gone at once.
    /// Returns how many.
    pub(super) async fn ping_idle(&self, idle_for: Duration) -> usize {
        let mut taken = Vec::new();
        {
            let mut idle = self.idle();
            let mut at = 0;
            while let Some(live) = idle.get(at) {
                // Each under its slot, so that no more are open than there may be.
                match (live.answered.elapsed() >= idle_for).then(|| Arc::clone(&self.slots).try_acquire_owned()) {
                    Some(Ok(slot)) => taken.push((idle.remove(at), slot)),
                    Some(Err(_)) => break,
                    None => at += 1,
                }
            }
        }
        let dead = join_all(taken.into_iter().map(async |(mut live, slot)| {
            let answers = ping(&mut live).await;
            if answers {
                self.put(live);
            }
            drop(slot);
            usize::from(!answers)
        }));
        dead.await.into_iter().sum()
    }

    /// Leaves a primary that another host took over from.
    pub(super) async fn look_for_newer(&self) {
        if self.hosts.look_for_newer(Duration::from_secs(DATABASE_ACQUIRE_SECONDS)).await {
            self.leave();
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Nothing is lent any more; idle connections are closed with a word.
    pub(super) async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.slots.close();
        self.suspicion.notify_one();
        let idle = std::mem::take(&mut *self.idle());
        join_all(idle.into_iter().map(|live| tokio::time::timeout(FAREWELL, live.conn.close()))).await;
    }
}

/// Does it answer? Otherwise it is of no more use.
async fn ping(live: &mut Live) -> bool {
    let answer = tokio::time::timeout(Duration::from_millis(DATABASE_PING_MS), live.conn.ping()).await;
    let answers = matches!(answer, Ok(Ok(())));
    if answers {
        live.answered = Instant::now();
    } else {
        metrics::counter!("scrutineer_database_connections_dropped_total").increment(1);
    }
    answers
}

impl Lent {
    /// Who the server is.
    pub(super) fn identity(&self) -> Option<Identity> {
        self.live.as_ref().map(|live| live.identity)
    }

    pub(super) fn conn(&mut self) -> Option<&mut PgConnection> {
        self.live.as_mut().map(|live| &mut live.conn)
    }

    /// Its use ended by itself.
    pub(super) fn give_back(mut self) {
        if let Some(mut live) = self.live.take() {
            live.answered = Instant::now();
            self.pool.put(live);
        }
    }
}
