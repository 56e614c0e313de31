//! The gateway's side of the socket: one worker at a time gets records as its credit allows, and
//! gives submits and the committed mark.
//!
//! Invariant: reading from the worker never waits for writing to it, so that the two cannot block
//! each other.

use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::net::UnixListener;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::codec::{Framed, LengthDelimitedCodec};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::codec::{HandoffError, decode, encode, framed};
use super::dial::{Accept, Stream};
use super::groups::Groups;
use super::marks::Marks;
use super::message::{FromGateway, FromWorker, LinkStatus, PROTOCOL, Responses, Status, Submit, Vitals};
use super::records::Reader;
use crate::domain::message_id::MessageIdFormat;
use crate::limits::{HANDOFF_CREDIT_BYTES_MAX, HOST_STATUS_SECONDS, SUBMIT_QUEUE_MAX};
use crate::vitals::progress::Progress;

/// How long the first frame may take.
const HELLO: Duration = Duration::from_secs(5);
/// How long a worker may take nothing of what is written to it.
const WRITE: Duration = Duration::from_secs(60);

/// One link, as the worker hears of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkName {
    /// Its name.
    pub link: String,
    /// Its group.
    pub group: String,
    /// Can replies go by it?
    pub sends: bool,
    /// How its SMSC writes ids.
    pub ids: MessageIdFormat,
}

/// What the server works with.
pub struct Server {
    /// How far the spool is.
    pub marks: Arc<Marks>,
    /// Records.
    pub reader: Reader,
    /// Links by their place.
    pub links: watch::Receiver<Vec<Option<LinkName>>>,
    /// Which of them are bound.
    pub bound: watch::Receiver<Vec<bool>>,
    /// Groups, with their queues.
    pub groups: Arc<Groups>,
    /// Takes submits that no link can carry: of a group that does not exist.
    pub impossible: mpsc::Sender<Submit>,
    /// Name of this host.
    pub host: String,
    /// Figures of this process.
    pub vitals: watch::Receiver<Vitals>,
    /// Where it shows that the worker's connection is looked after.
    pub progress: Arc<Progress>,
}

type Frames<S> = Framed<S, LengthDelimitedCodec>;

/// Listens on a path: what a process that was killed left there is removed. Mode 0660.
pub fn listen(path: &Path) -> io::Result<UnixListener> {
    if std::fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_socket()) {
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

impl Server {
    /// Serves until cancelled. The socket's file is removed then.
    pub async fn run(self, listener: UnixListener, path: PathBuf, stop: CancellationToken) -> Result<(), HandoffError> {
        self.run_over(listener, stop).await;
        let _ = std::fs::remove_file(path);
        Ok(())
    }

    /// Serves whoever comes, one after the other, until cancelled.
    pub async fn run_over<A: Accept>(self, mut workers: A, stop: CancellationToken) {
        let server = Arc::new(self);
        let mut current: Option<(CancellationToken, tokio::task::JoinHandle<()>)> = None;
        loop {
            let Some(accepted) = stop.run_until_cancelled(workers.accept()).await else { break };
            let io = match accepted {
                Ok(io) => io,
                Err(error) => {
                    // Out of descriptors, say: a state that passes.
                    tracing::warn!(%error, "a worker's connection cannot be accepted");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    continue;
                }
            };
            if let Some((gone, task)) = current.take() {
                gone.cancel();
                let _ = task.await;
            }
            let (server, gone) = (server.clone(), stop.child_token());
            let token = gone.clone();
            let task = tokio::spawn(async move {
                let work = server.progress.place("the worker's connection");
                let served = work.lively(token.run_until_cancelled(server.serve(io))).await;
                server.progress.remove(&work);
                match served {
                    None => tracing::info!("the worker's place is taken or the gateway stops"),
                    Some(Ok(())) => tracing::info!("the worker went"),
                    Some(Err(error)) => tracing::warn!(%error, "the worker's connection ended"),
                }
            });
            current = Some((gone, task));
        }
        if let Some((_, task)) = current {
            let _ = task.await;
        }
    }

    async fn serve<S: Stream>(&self, io: S) -> Result<(), HandoffError> {
        let mut frames = framed(io);
        let hello = match timeout(HELLO, frames.next()).await {
            Ok(Some(frame)) => decode(&frame?)?,
            Ok(None) => return Ok(()),
            Err(_) => return Err(io::Error::from(io::ErrorKind::TimedOut).into()),
        };
        match hello {
            FromWorker::Hello { protocol: PROTOCOL } => {}
            FromWorker::Hello { protocol } => {
                return refuse(
                    frames,
                    format!(
                        "the worker speaks protocol {protocol}, the gateway {PROTOCOL}: run the same version of both"
                    ),
                )
                .await;
            }
            _ => return refuse(frames, "the first frame must be Hello".to_owned()).await,
        }
        let welcome = FromGateway::Welcome {
            protocol: PROTOCOL,
            runs: self.marks.runs(),
            live: self.marks.live,
            host: self.host.clone(),
        };
        frames.send(encode(&welcome)?).await?;
        tracing::info!("a worker is served");
        let (sink, stream) = frames.split();
        // Room for every submit that may be refused, so that reading never waits for writing.
        let (busy, refused) = mpsc::channel(SUBMIT_QUEUE_MAX);
        let (demand, wanted) = watch::channel(Demand::default());
        tokio::select! {
            biased;
            result = self.listen_to(stream, &busy, &demand) => result,
            result = self.tell(sink, refused, wanted) => result,
        }
    }

    /// Takes what the worker says.
    async fn listen_to<S: Stream>(
        &self,
        mut stream: SplitStream<Frames<S>>,
        busy: &mpsc::Sender<(Uuid, u16)>,
        demand: &watch::Sender<Demand>,
    ) -> Result<(), HandoffError> {
        while let Some(frame) = stream.next().await {
            match decode(&frame?)? {
                FromWorker::Hello { .. } => {}
                FromWorker::Read { run, after } => {
                    let known = self.marks.runs().into_iter().find(|r| r.uuid == run);
                    let Some(known) = known else {
                        let why = format!("run {run} of the spool is not kept any more");
                        return Err(io::Error::new(io::ErrorKind::NotFound, why).into());
                    };
                    if demand.borrow().read.is_none() {
                        let end = (run != self.marks.live).then_some(known.newest);
                        // More than was ever given is no promise about what is to come.
                        let after = after.max(known.begins_after).min(*self.marks.newest().borrow());
                        self.marks.begin_committed(after);
                        demand.send_modify(|d| d.read = Some(Reading { after, end }));
                    }
                }
                FromWorker::Credit { bytes } => demand.send_modify(|d| d.granted += u64::from(bytes)),
                FromWorker::Committed { through } => {
                    // More than was ever given is no promise about what is to come.
                    let newest = *self.marks.newest().borrow();
                    self.marks.set_committed(through.min(newest));
                }
                FromWorker::Submit(submit) => {
                    let key = (submit.id, submit.attempt);
                    if !self.submit(submit) {
                        let _ = busy.send(key).await;
                    }
                }
            }
        }
        Ok(())
    }

    /// False when there is no place for it now.
    fn submit(&self, submit: Submit) -> bool {
        match self.groups.of(&submit.group, &submit.destination) {
            Some(group) => group.queue.push(submit),
            None => self.impossible.try_send(submit).is_ok(),
        }
    }

    fn status(&self) -> Status {
        let bound = self.bound.borrow().clone();
        let link = |(name, bound): (&Option<LinkName>, bool)| {
            name.as_ref().map(|name| LinkStatus { link: name.link.clone(), group: name.group.clone(), bound })
        };
        Status {
            host: self.host.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            links: self.links.borrow().iter().zip(bound).filter_map(link).collect(),
            newest: *self.marks.newest().borrow(),
            committed: *self.marks.committed().borrow(),
            oldest: self.marks.oldest(),
            failing: self.marks.is_failing(),
            full: self.marks.is_full(),
            damaged: self.marks.is_damaged(),
            vitals: *self.vitals.borrow(),
        }
    }

    /// Tells the worker of records, refused submits, links and now and then of itself.
    async fn tell<S: Stream>(
        &self,
        mut sink: SplitSink<Frames<S>, Bytes>,
        mut refused: mpsc::Receiver<(Uuid, u16)>,
        mut demand: watch::Receiver<Demand>,
    ) -> Result<(), HandoffError> {
        let mut newest = self.marks.newest();
        let mut bound = self.bound.clone();
        let mut links = self.links.clone();
        let mut told: Vec<Option<(LinkName, bool)>> = Vec::new();
        let mut confirmed = self.marks.confirmed();
        let mut confirmed_told: Vec<Option<(String, Responses)>> = Vec::new();
        let (mut sent, mut used, mut ended) = (None, 0u64, false);
        let mut refusals = Vec::new();
        let every = Duration::from_secs(HOST_STATUS_SECONDS);
        let mut timer = tokio::time::interval_at(tokio::time::Instant::now() + every, every);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        links.mark_changed();
        bound.mark_changed();
        confirmed.mark_changed();
        loop {
            let Demand { read, granted } = *demand.borrow_and_update();
            let newest_now = *newest.borrow_and_update();
            let end = read.and_then(|r| r.end);
            let through = end.unwrap_or(newest_now);
            let renamed = links.has_changed().unwrap_or(false);
            if renamed || bound.has_changed().unwrap_or(false) {
                let (names, states) = (links.borrow_and_update().clone(), bound.borrow_and_update().clone());
                told.resize(names.len(), None);
                for ((at, name), told) in names.into_iter().enumerate().zip(&mut told) {
                    let now = name.map(|name| {
                        let up = name.sends && states.get(at).copied().unwrap_or(false);
                        (name, up)
                    });
                    for said in link_news(told.as_ref(), now.as_ref()) {
                        feed(&mut sink, encode(&said)?).await?;
                    }
                    *told = now;
                }
            }
            if renamed || confirmed.has_changed().unwrap_or(false) {
                let (names, marks) = (links.borrow().clone(), confirmed.borrow_and_update().clone());
                confirmed_told.resize(names.len(), None);
                for ((at, name), told) in names.into_iter().enumerate().zip(&mut confirmed_told) {
                    let now = name.map(|name| (name.link, marks.get(at).cloned().unwrap_or_default()));
                    if *told != now {
                        if let Some((link, known)) = now.clone() {
                            feed(&mut sink, encode(&FromGateway::Confirmed { link, known })?).await?;
                        }
                        *told = now;
                    }
                }
            }
            for (id, attempt) in refusals.drain(..) {
                feed(&mut sink, encode(&FromGateway::Busy { id, attempt })?).await?;
            }
            if sent.is_none() {
                sent = read.map(|r| r.after);
            }
            let mut more = false;
            if let Some(after) = sent
                && after < through
                && used < granted
            {
                let credit = (granted - used).min(HANDOFF_CREDIT_BYTES_MAX.into()) as usize;
                let slice = self.reader.read(after, through, credit).await.map_err(io::Error::other)?;
                if slice.records > 0 {
                    used += slice.bytes as u64;
                    sent = Some(slice.last);
                    more = slice.last < through;
                    feed(&mut sink, slice.frame).await?;
                } else {
                    // Pruned: nothing lies between here and the newest.
                    sent = Some(through);
                }
            }
            if !ended && end.is_some_and(|end| sent.is_some_and(|sent| sent >= end)) {
                ended = true;
                feed(&mut sink, encode(&FromGateway::RunEnd)?).await?;
            }
            timeout(WRITE, sink.flush()).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            if more && used < granted {
                continue;
            }
            tokio::select! {
                biased;
                changed = newest.changed(), if sent.is_some() && used < granted => closed(changed)?,
                changed = demand.changed() => closed(changed)?,
                changed = confirmed.changed() => { closed(changed)?; confirmed.mark_changed(); }
                Ok(()) = links.changed() => links.mark_changed(),
                changed = bound.changed() => { closed(changed)?; bound.mark_changed(); }
                n = refused.recv_many(&mut refusals, 256) => if n == 0 { return Ok(()) },
                _ = timer.tick() => feed(&mut sink, encode(&FromGateway::Status(Box::new(self.status())))?).await?,
            }
        }
    }
}

/// What there is to say of a place: of the link that was there, and of the one that is.
fn link_news(told: Option<&(LinkName, bool)>, now: Option<&(LinkName, bool)>) -> Vec<FromGateway> {
    if told == now {
        return Vec::new();
    }
    let said = |name: &LinkName, bound| {
        let LinkName { link, group, ids, .. } = name.clone();
        FromGateway::Link { link, group, bound, ids }
    };
    let gone = told
        .filter(|(old, was)| *was && now.is_none_or(|(name, _)| (&name.link, &name.group) != (&old.link, &old.group)));
    gone.map(|(old, _)| said(old, false)).into_iter().chain(now.map(|(name, up)| said(name, *up))).collect()
}

#[derive(Debug, Clone, Copy, Default)]
struct Demand {
    read: Option<Reading>,
    granted: u64,
}

/// What the worker reads: after which sequence, and the last one of a run that has ended.
#[derive(Debug, Clone, Copy)]
struct Reading {
    after: u64,
    end: Option<u64>,
}

async fn feed<S: Stream>(sink: &mut SplitSink<Frames<S>, Bytes>, frame: Bytes) -> Result<(), HandoffError> {
    timeout(WRITE, sink.feed(frame)).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    Ok(())
}

fn closed(changed: Result<(), watch::error::RecvError>) -> Result<(), HandoffError> {
    changed.map_err(|error| io::Error::other(error).into())
}

async fn refuse<S: Stream>(mut frames: Frames<S>, why: String) -> Result<(), HandoffError> {
    tracing::warn!(%why, "a worker is refused");
    frames.send(encode(&FromGateway::Refused(why))?).await?;
    Ok(())
}

#[cfg(test)]
mod tests;
