//! Connections of browsers: how many, for how long, and how they end.
//!
//! `axum::serve` bounds neither, so hyper is driven here. A client that sends its headers slowly,
//! idles, or reads slowly gives its place back in bounded time. When all places are taken, the one that
//! has been idle for longest gives way to who comes; when none is idle, who comes is refused. So a crowd
//! that only connects keeps nobody out who asks for something.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::Response;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::auth::addresses::Peer;
use crate::limits;

/// How long a connection past its age may take to end its last answer.
const LAST_ANSWER: Duration = Duration::from_secs(30);
/// How long a connection that was told to give way may take.
const GIVE_WAY: Duration = Duration::from_millis(100);

/// Connections that wait for their client, the one that has waited for longest first.
#[derive(Debug, Default)]
struct Waiting(Mutex<(u64, BTreeMap<u64, CancellationToken>)>);

impl Waiting {
    fn held(&self) -> MutexGuard<'_, (u64, BTreeMap<u64, CancellationToken>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It waits from now on; returns its place.
    fn enter(&self, token: &CancellationToken) -> u64 {
        let mut held = self.held();
        held.0 += 1;
        let place = held.0;
        held.1.insert(place, token.clone());
        place
    }

    fn leave(&self, place: u64) {
        self.held().1.remove(&place);
    }

    /// Ends the one that has waited for longest. `false`: all are at work.
    fn put_out(&self) -> bool {
        match self.held().1.pop_first() {
            Some((_, token)) => {
                token.cancel();
                true
            }
            None => false,
        }
    }
}

/// One connection's place among those that wait, while it does.
#[derive(Debug)]
struct Turn {
    waiting: Arc<Waiting>,
    token: CancellationToken,
    /// Answers under way, and its place when there is none.
    state: Mutex<(usize, Option<u64>)>,
}

impl Turn {
    fn new(waiting: Arc<Waiting>, token: CancellationToken) -> Self {
        let place = waiting.enter(&token);
        Self { waiting, token, state: Mutex::new((0, Some(place))) }
    }

    fn state(&self) -> MutexGuard<'_, (usize, Option<u64>)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// At work until the value is dropped.
    fn work(self: &Arc<Self>) -> AtWork {
        let mut state = self.state();
        state.0 += 1;
        if let Some(place) = state.1.take() {
            self.waiting.leave(place);
        }
        AtWork(Arc::clone(self))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let place = self.state().1.take();
        if let Some(place) = place {
            self.waiting.leave(place);
        }
    }
}

struct AtWork(Arc<Turn>);

impl Drop for AtWork {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.0 = state.0.saturating_sub(1);
        if state.0 == 0 && !self.0.token.is_cancelled() {
            state.1 = Some(self.0.waiting.enter(&self.0.token));
        }
    }
}

/// A body whose connection is at work until it is sent.
struct Sent(Body, #[expect(dead_code, reason = "it is for its end")] AtWork);

impl hyper::body::Body for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// Serves until `stop`, then lets what is under way end, for at most `grace`. Returns how many
/// connections did not.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken, grace: Duration) -> usize {
    let places = Arc::new(Semaphore::new(limits::WEB_CONNECTIONS_MAX));
    let waiting = Arc::new(Waiting::default());
    let connections = TaskTracker::new();
    let refused = metrics::counter!("scrutineer_web_connections_refused_total");
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => match place(&places, &waiting).await {
                Some(place) => {
                    let turn = Arc::new(Turn::new(waiting.clone(), CancellationToken::new()));
                    let (router, stop) = (router.clone(), stop.clone());
                    let _ = stream.set_nodelay(true);
                    connections.spawn(async move {
                        converse(stream, peer.ip(), router, stop, turn).await;
                        drop(place);
                    });
                }
                None => {
                    refused.increment(1);
                    drop(stream);
                }
            },
            // Out of descriptors, or the client went away: wait rather than spin.
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        metrics::gauge!("scrutineer_web_clients").set(connections.len() as f64);
    }
    drop(listener);
    connections.close();
    let _ = tokio::time::timeout(grace, connections.wait()).await;
    connections.len()
}

/// A free place, or that of the connection that has waited for longest; `None`: all are at work.
async fn place(places: &Arc<Semaphore>, waiting: &Waiting) -> Option<OwnedSemaphorePermit> {
    if let Ok(place) = places.clone().try_acquire_owned() {
        return Some(place);
    }
    if !waiting.put_out() {
        return None;
    }
    metrics::counter!("scrutineer_web_connections_put_out_total").increment(1);
    tokio::time::timeout(GIVE_WAY, places.clone().acquire_owned()).await.ok()?.ok()
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: IpAddr,
    router: Router,
    stop: CancellationToken,
    turn: Arc<Turn>,
) {
    let token = turn.token.clone();
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        let (router, work) = (router.clone(), turn.work());
        request.extensions_mut().insert(Peer(peer));
        async move {
            let response: Response = router.oneshot(request.map(Body::new)).await?;
            Ok::<_, std::convert::Infallible>(response.map(|body| Sent(body, work)))
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(limits::WEB_HEAD_SECONDS))
        .max_buf_size(limits::WEB_HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // Errors here are the client's: gone, too slow, no HTTP.
        _ = &mut connection => return,
        // It waited for its client, and another one came.
        () = token.cancelled() => return,
        () = stop.cancelled() => {}
        () = tokio::time::sleep(Duration::from_secs(limits::WEB_CONNECTION_SECONDS)) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(LAST_ANSWER, connection).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_connection_that_waited_for_longest_gives_way_and_one_at_work_never() {
        let waiting = Arc::new(Waiting::default());
        let turn = || Arc::new(Turn::new(waiting.clone(), CancellationToken::new()));
        let (first, second, third) = (turn(), turn(), turn());
        let work = first.work();
        assert!(waiting.put_out());
        assert!(second.token.is_cancelled() && !first.token.is_cancelled() && !third.token.is_cancelled());
        drop(work);
        assert!(waiting.put_out());
        assert!(third.token.is_cancelled() && !first.token.is_cancelled(), "who worked lately waits the shortest");
        let work = first.work();
        assert!(!waiting.put_out(), "all that are left are at work");
        drop(work);
        drop(first);
        assert!(!waiting.put_out(), "it is gone");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_never_idles_ends_after_its_time_between_two_answers() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let router = Router::new().route("/", axum::routing::get(async || "well"));
        let (mut client, server) = tokio::io::duplex(4_096);
        let turn = Arc::new(Turn::new(Arc::default(), CancellationToken::new()));
        let peer = IpAddr::from([127, 0, 0, 1]);
        let begun = tokio::time::Instant::now();
        let served = tokio::spawn(converse(server, peer, router, CancellationToken::new(), turn));
        let mut answers = 0;
        while client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.is_ok() {
            let mut head = [0; 1_024];
            let n = client.read(&mut head).await.unwrap_or(0);
            if n == 0 {
                break;
            }
            assert!(head.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&head[..n]));
            answers += 1;
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
        served.await.unwrap();
        let lasted = begun.elapsed().as_secs();
        assert!((limits::WEB_CONNECTION_SECONDS..limits::WEB_CONNECTION_SECONDS + 15).contains(&lasted), "{lasted}");
        assert!(answers >= limits::WEB_CONNECTION_SECONDS / 10, "{answers}");
    }
}
