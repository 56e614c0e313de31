//! Connections of browsers: how many, for how long, and how they end.
//!
//! `axum::serve` bounds neither, so hyper is driven here. A client that sends its headers slowly,
//! idles, or reads slowly gives its place back in bounded time.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::limits;

/// How long a connection past its age may take to end its last answer.
const LAST_ANSWER: Duration = Duration::from_secs(30);

/// Serves until `stop`, then lets what is under way end, for at most `grace`. Returns how many
/// connections did not.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken, grace: Duration) -> usize {
    let places = Arc::new(Semaphore::new(limits::WEB_CONNECTIONS_MAX));
    let connections = TaskTracker::new();
    loop {
        // When all places are taken, new connections wait in the kernel's backlog, which is bounded.
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &places) => accepted,
        };
        match accepted {
            Ok((stream, place)) => {
                let (router, stop) = (router.clone(), stop.clone());
                connections.spawn(async move {
                    converse(stream, router, stop).await;
                    drop(place);
                });
            }
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

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

async fn converse(stream: TcpStream, router: Router, stop: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(limits::WEB_HEAD_SECONDS))
        .max_buf_size(limits::WEB_HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // Errors here are the client's: gone, too slow, no HTTP.
        _ = &mut connection => return,
        () = stop.cancelled() => {}
        () = tokio::time::sleep(Duration::from_secs(limits::WEB_CONNECTION_SECONDS)) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(LAST_ANSWER, connection).await;
}
