//! A network in memory: connections with delays, that are cut in the middle of what is under way, and
//! hosts that cannot reach each other.
//!
//! As TCP does it: what was written arrives in order or not at all; while two hosts are parted nothing
//! arrives and nothing is said of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use scrutineer::handoff::dial::{Accept, Dial};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::dice::Dice;

/// A host, by its name.
pub type Host = &'static str;
/// Bytes that one direction holds before a writer waits.
const HELD_MAX: usize = 256 << 10;

/// The network. Clones are one.
#[derive(Debug, Clone)]
pub struct Net(Arc<Mutex<Inner>>, Arc<Notify>);

#[derive(Debug)]
struct Inner {
    dice: Dice,
    /// Delays are up to so many milliseconds.
    slowest_ms: u64,
    parted: BTreeSet<(Host, Host)>,
    listening: BTreeMap<Host, mpsc::Sender<Pipe>>,
    open: Vec<(Host, Host, Arc<Mutex<Wire>>)>,
    begun: Instant,
    trace: Vec<String>,
}

/// Both directions of a connection.
#[derive(Debug, Default)]
struct Wire {
    ways: [Way; 2],
    parted: bool,
}

#[derive(Debug, Default)]
struct Way {
    held: VecDeque<(Instant, Bytes)>,
    bytes: usize,
    /// What is held is all that will come: an end, or a reset.
    end: Option<End>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Closed,
    Reset,
}

impl Way {
    fn wake(&mut self) {
        for waker in [self.reader.take(), self.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }
}

fn pair(a: Host, b: Host) -> (Host, Host) {
    if a < b { (a, b) } else { (b, a) }
}

impl Net {
    /// Nobody is on it.
    pub fn new(dice: Dice) -> Self {
        let inner = Inner {
            dice,
            slowest_ms: 5,
            parted: BTreeSet::new(),
            listening: BTreeMap::new(),
            open: Vec::new(),
            begun: Instant::now(),
            trace: Vec::new(),
        };
        Self(Arc::new(Mutex::new(inner)), Arc::default())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    /// Writes down what happened, with the time.
    pub fn note(&self, what: impl std::fmt::Display) {
        let mut inner = self.lock();
        let line = format!("{:>10.4} {what}", inner.begun.elapsed().as_secs_f64());
        inner.trace.push(line);
    }

    /// What happened so far.
    pub fn trace(&self) -> Vec<String> {
        self.lock().trace.clone()
    }

    /// Delays from now on: up to so many milliseconds.
    pub fn delays(&self, slowest_ms: u64) {
        self.lock().slowest_ms = slowest_ms.max(1);
    }

    /// Nothing takes any time from now on.
    pub fn at_once(&self) {
        self.lock().slowest_ms = 0;
    }

    /// How long something takes from here to there.
    pub fn delay(&self) -> std::time::Duration {
        let inner = self.lock();
        if inner.slowest_ms == 0 {
            return std::time::Duration::ZERO;
        }
        let slowest = inner.slowest_ms * 1_000;
        std::time::Duration::from_micros(100 + inner.dice.bits() % slowest)
    }

    /// Parts two hosts, or joins them again.
    pub fn part(&self, a: Host, b: Host, parted: bool) {
        let mut inner = self.lock();
        if parted {
            inner.parted.insert(pair(a, b))
        } else {
            inner.parted.remove(&pair(a, b))
        };
        for (from, to, wire) in &inner.open {
            if pair(from, to) == pair(a, b) {
                let mut wire = wire.lock().unwrap();
                wire.parted = parted;
                wire.ways.iter_mut().for_each(Way::wake);
            }
        }
        drop(inner);
        self.1.notify_waiters();
    }

    /// Joins all.
    pub fn heal(&self) {
        let parted: Vec<_> = self.lock().parted.iter().copied().collect();
        for (a, b) in parted {
            self.part(a, b, false);
        }
    }

    /// Are they parted?
    pub fn is_parted(&self, a: Host, b: Host) -> bool {
        self.lock().parted.contains(&pair(a, b))
    }

    /// Waits until two hosts reach each other.
    pub async fn reach(&self, a: Host, b: Host) {
        loop {
            let mut changed = std::pin::pin!(self.1.notified());
            changed.as_mut().enable();
            if !self.is_parted(a, b) {
                return;
            }
            changed.await;
        }
    }

    /// Cuts every connection between two hosts: of what is under way some bytes arrive.
    pub fn cut(&self, a: Host, b: Host) {
        self.cut_where(|from, to| pair(from, to) == pair(a, b));
    }

    /// A host is gone: nobody listens there, its connections are cut.
    pub fn down(&self, host: Host) {
        self.lock().listening.remove(host);
        self.cut_where(|from, to| from == host || to == host);
    }

    fn cut_where(&self, is_meant: impl Fn(Host, Host) -> bool) {
        let mut inner = self.lock();
        let dice = inner.dice.clone();
        inner.open.retain(|(from, to, wire)| {
            if !is_meant(from, to) {
                return true;
            }
            let mut wire = wire.lock().unwrap();
            wire.parted = false;
            for way in &mut wire.ways {
                let mut kept = dice.below(way.bytes + 1);
                let mut rest = VecDeque::new();
                for (due, mut bytes) in std::mem::take(&mut way.held) {
                    bytes.truncate(kept);
                    kept -= bytes.len();
                    if !bytes.is_empty() {
                        rest.push_back((due, bytes));
                    }
                }
                way.held = rest;
                way.end = Some(End::Reset);
                way.wake();
            }
            false
        });
    }

    /// Takes connections at a host.
    pub fn listen(&self, host: Host) -> Listener {
        let (sender, receiver) = mpsc::channel(64);
        self.lock().listening.insert(host, sender);
        Listener(receiver)
    }

    /// How `from` reaches `to`.
    pub fn route(&self, from: Host, to: Host) -> Route {
        Route { net: self.clone(), from, to }
    }
}

/// One end of a connection.
#[derive(Debug)]
pub struct Pipe {
    net: Net,
    wire: Arc<Mutex<Wire>>,
    /// Which of the ways is read.
    reads: usize,
    sleep: Pin<Box<Sleep>>,
}

impl Pipe {
    fn new(net: Net, wire: Arc<Mutex<Wire>>, reads: usize) -> Self {
        Self { net, wire, reads, sleep: Box::pin(sleep_until(Instant::now())) }
    }
}

impl AsyncRead for Pipe {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let reads = self.reads;
        let wire = Arc::clone(&self.wire);
        let mut wire = wire.lock().unwrap();
        if wire.parted {
            wire.ways[reads].reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let way = &mut wire.ways[reads];
        let now = Instant::now();
        match way.held.front_mut() {
            Some((due, bytes)) if *due <= now => {
                let n = bytes.len().min(buf.remaining());
                buf.put_slice(&bytes[..n]);
                bytes.advance(n);
                if bytes.is_empty() {
                    way.held.pop_front();
                }
                way.bytes -= n;
                if let Some(writer) = way.writer.take() {
                    writer.wake();
                }
                Poll::Ready(Ok(()))
            }
            Some((due, _)) => {
                let due = *due;
                way.reader = Some(cx.waker().clone());
                drop(wire);
                self.sleep.as_mut().reset(due);
                match self.sleep.as_mut().poll(cx) {
                    Poll::Ready(()) => {
                        cx.waker().wake_by_ref();
                        Poll::Pending
                    }
                    Poll::Pending => Poll::Pending,
                }
            }
            None => match way.end {
                Some(End::Closed) => Poll::Ready(Ok(())),
                Some(End::Reset) => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
                None => {
                    way.reader = Some(cx.waker().clone());
                    Poll::Pending
                }
            },
        }
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let delay = self.net.delay();
        let mut wire = self.wire.lock().unwrap();
        let way = &mut wire.ways[1 - self.reads];
        if way.end.is_some() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if way.bytes >= HELD_MAX {
            way.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let due = (Instant::now() + delay).max(way.held.back().map_or(Instant::now(), |(due, _)| *due));
        way.held.push_back((due, Bytes::copy_from_slice(bytes)));
        way.bytes += bytes.len();
        if let Some(reader) = way.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut wire = self.wire.lock().unwrap();
        let way = &mut wire.ways[1 - self.reads];
        way.end.get_or_insert(End::Closed);
        way.wake();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let mut wire = self.wire.lock().unwrap();
        let reads = self.reads;
        for (at, way) in wire.ways.iter_mut().enumerate() {
            // What is still to be read here never is; what was written still arrives.
            way.end.get_or_insert(if at == reads { End::Reset } else { End::Closed });
            way.wake();
        }
    }
}

/// A way to a host.
#[derive(Debug, Clone)]
pub struct Route {
    net: Net,
    from: Host,
    to: Host,
}

impl Dial for Route {
    type Stream = Pipe;

    async fn dial(&self) -> io::Result<Pipe> {
        sleep(self.net.delay()).await;
        self.net.reach(self.from, self.to).await;
        let wire = Arc::<Mutex<Wire>>::default();
        let theirs = Pipe::new(self.net.clone(), Arc::clone(&wire), 0);
        let ours = Pipe::new(self.net.clone(), Arc::clone(&wire), 1);
        let listener = self.net.lock().listening.get(self.to).cloned();
        let Some(listener) = listener else { return Err(io::ErrorKind::ConnectionRefused.into()) };
        listener.try_send(theirs).map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
        let mut inner = self.net.lock();
        inner.open.retain(|(.., wire)| Arc::strong_count(wire) > 1);
        inner.open.push((self.from, self.to, wire));
        Ok(ours)
    }
}

/// Where a host takes connections.
#[derive(Debug)]
pub struct Listener(mpsc::Receiver<Pipe>);

impl Accept for Listener {
    type Stream = Pipe;

    async fn accept(&mut self) -> io::Result<Pipe> {
        match self.0.recv().await {
            Some(pipe) => Ok(pipe),
            None => std::future::pending().await,
        }
    }
}
