//! Which of several hosts takes writes: found anew whenever a connection is made, all hosts asked side
//! by side when the one that was the primary does not answer at once.
//!
//! Invariants: only a host that is neither a standby nor read-only is used, where there are several; a
//! host of the same cluster that writes to an older timeline than one that was seen is never used again
//! by this process: it is an old primary that came back. The state is logged once a change.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tracing::{info, warn};

use super::greet::{self, Greeting, Identity};
use super::options::{ConnectOptions, pg_options};

/// How long the present primary has to answer before the other hosts are asked too.
const ALONE: Duration = Duration::from_millis(300);
/// How long the others still have when one that takes writes was found: one of them may be newer.
const GRACE: Duration = Duration::from_millis(200);

/// Why each host was not used.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct NoHost(Vec<String>);

/// A connection to the primary.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) conn: PgConnection,
    pub(super) identity: Identity,
}

/// Why none was found.
#[derive(Debug)]
pub(super) enum Missing {
    /// The only host's error.
    One(sqlx::Error),
    /// What each host's matter is.
    All(NoHost),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Hosts {
    hosts: Vec<(String, PgConnectOptions)>,
    known: Mutex<Known>,
}

/// What was learnt.
#[derive(Debug, Default, Clone, Copy)]
struct Known {
    /// The host that takes writes, by place.
    current: usize,
    /// Its identity, once there was one.
    identity: Option<Identity>,
    /// Its cluster.
    system: i64,
}

impl Known {
    /// Did a newer primary of the same cluster take over from this one?
    fn is_left(&self, greeting: &Greeting) -> bool {
        self.identity.is_some_and(|known| {
            self.system == greeting.system && self.system != 0 && greeting.identity.timeline < known.timeline
        })
    }
}

impl Hosts {
    pub(super) fn new(options: &ConnectOptions) -> Self {
        let hosts = options.hosts.iter().map(|host| (host.to_string(), pg_options(options, host))).collect();
        Self { hosts, known: Mutex::default() }
    }

    fn known(&self) -> Known {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn several(&self) -> bool {
        self.hosts.len() > 1
    }

    /// Who the primary is, as was seen last.
    pub(super) fn primary(&self) -> Option<Identity> {
        self.known().identity
    }

    /// Connects to the primary. The caller sets the deadline; dropped, it leaves nothing behind.
    pub(super) async fn connect(&self) -> Result<Found, Missing> {
        let Known { current: first, identity, .. } = self.known();
        if !self.several() {
            let (conn, greeting) = self.attempt(first).await.map_err(Missing::One)?;
            self.learn(first, &greeting);
            return Ok(Found { conn, identity: greeting.identity });
        }
        let others = (0..self.hosts.len()).filter(|at| *at != first);
        let mut waiting: Vec<usize> = others.collect();
        let mut attempts: FuturesUnordered<_> = FuturesUnordered::new();
        attempts.push(self.try_one(first));
        let mut trusted = identity.is_some();
        if !trusted {
            waiting.drain(..).for_each(|at| attempts.push(self.try_one(at)));
        }
        let mut why = Vec::new();
        let mut best: Option<(usize, PgConnection, Greeting)> = None;
        let mut alone = std::pin::pin!(tokio::time::sleep(ALONE));
        let mut grace: Option<std::pin::Pin<Box<tokio::time::Sleep>>> = None;
        loop {
            let ended = tokio::select! {
                ended = attempts.next() => ended,
                () = &mut alone, if !waiting.is_empty() => {
                    trusted = false;
                    waiting.drain(..).for_each(|at| attempts.push(self.try_one(at)));
                    continue;
                }
                () = async { match grace.as_mut() { Some(grace) => grace.await, None => std::future::pending().await } } => None,
            };
            match ended {
                Some((at, Ok((conn, greeting)))) => match self.unfit(&greeting) {
                    Some(unfit) => why.push(self.said(at, unfit)),
                    // It answers at once and takes writes, as it did all along.
                    None if at == first && trusted => return Ok(self.take(at, conn, greeting)),
                    None => {
                        if best.as_ref().is_none_or(|(_, _, b)| b.identity.timeline < greeting.identity.timeline) {
                            best = Some((at, conn, greeting));
                        }
                        grace.get_or_insert_with(|| Box::pin(tokio::time::sleep(GRACE)));
                    }
                },
                Some((at, Err(error))) => why.push(self.said(at, error)),
                None => match best.take() {
                    Some((at, conn, greeting)) => return Ok(self.take(at, conn, greeting)),
                    None => return Err(Missing::All(NoHost(why))),
                },
            }
            waiting.drain(..).for_each(|at| attempts.push(self.try_one(at)));
        }
    }

    /// Asks the other hosts whether one of them took over, though the present one still answers: a stale
    /// primary would go on taking writes that are lost. Returns whether that is so.
    pub(super) async fn look_for_newer(&self, deadline: Duration) -> bool {
        let known = self.known();
        if !self.several() || known.identity.is_none() {
            return false;
        }
        let attempts: FuturesUnordered<_> = (0..self.hosts.len())
            .filter(|at| *at != known.current)
            .map(|at| tokio::time::timeout(deadline, self.try_one(at)))
            .collect();
        let newest = attempts
            .collect::<Vec<_>>()
            .await
            .into_iter()
            .filter_map(|answer| answer.ok().and_then(|(at, answer)| Some((at, answer.ok()?.1))))
            .filter(|(_, g)| !g.standby && !g.read_only && g.system == known.system)
            .max_by_key(|(_, g)| g.identity.timeline);
        match newest {
            Some((at, greeting))
                if known.identity.is_some_and(|i| i.timeline != 0 && i.timeline < greeting.identity.timeline) =>
            {
                self.learn(at, &greeting);
                true
            }
            _ => false,
        }
    }

    async fn attempt(&self, at: usize) -> Result<(PgConnection, Greeting), sqlx::Error> {
        let Some((_, options)) = self.hosts.get(at) else { return Err(sqlx::Error::PoolClosed) };
        greet::connect(options, self.several()).await
    }

    async fn try_one(&self, at: usize) -> (usize, Result<(PgConnection, Greeting), sqlx::Error>) {
        (at, self.attempt(at).await)
    }

    fn unfit(&self, greeting: &Greeting) -> Option<&'static str> {
        match greeting {
            g if g.standby => Some("a standby"),
            g if g.read_only => Some("read-only"),
            g if self.known().is_left(g) => Some("an old primary that came back: another one took over"),
            _ => None,
        }
    }

    fn said(&self, at: usize, what: impl std::fmt::Display) -> String {
        let name = self.hosts.get(at).map(|(name, _)| name.as_str()).unwrap_or_default();
        format!("{name}: {what}")
    }

    fn take(&self, at: usize, conn: PgConnection, greeting: Greeting) -> Found {
        self.learn(at, &greeting);
        Found { conn, identity: greeting.identity }
    }

    /// Keeps in mind who the primary is, and says so when it is another one.
    fn learn(&self, at: usize, greeting: &Greeting) {
        let before = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            let before = *known;
            *known = Known { current: at, identity: Some(greeting.identity), system: greeting.system };
            before
        };
        let name = |at: usize| self.hosts.get(at).map(|(name, _)| name.clone()).unwrap_or_default();
        let changed = before.identity != Some(greeting.identity);
        if !changed {
            return;
        }
        for (place, (host, _)) in self.hosts.iter().enumerate() {
            metrics::gauge!("scrutineer_database_primary", "host" => host.clone())
                .set(f64::from(u8::from(place == at)));
        }
        match before.identity {
            Some(_) if before.current != at => {
                warn!(from = name(before.current), to = name(at), "another database host takes the writes");
                metrics::counter!("scrutineer_database_primary_changes_total").increment(1);
            }
            None if self.several() => info!(host = name(at), "database host that takes the writes"),
            _ => {}
        }
    }
}
