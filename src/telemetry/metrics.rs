//! The Prometheus endpoint: text on loopback, a few scrapes at a time, each answered and closed.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::process;
use crate::limits::{METRICS_CONNECTIONS_MAX, METRICS_REQUEST_BYTES_MAX};

/// For one scrape, from its first byte to our last.
const SCRAPE_DEADLINE: Duration = Duration::from_secs(5);
/// How often histograms are drained, so that they stay small without a scrape.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);
/// Seconds: from a fast commit to a slow link.
const SECONDS_BUCKETS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

/// Why metrics could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// Another recorder is installed.
    #[error("metrics are set up already by something else: {0}")]
    Recorder(String),
    /// The address is taken or not ours.
    #[error(
        "can't listen on {address} for metrics: {source}; choose another address for `metrics` in this role's section"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

/// Installs the recorder. Do this before anything is counted. A second call gives the same handle.
pub fn install_metrics() -> Result<PrometheusHandle, MetricsError> {
    if let Some(handle) = HANDLE.get() {
        return Ok(handle.clone());
    }
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS_BUCKETS)
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(|e| MetricsError::Recorder(e.to_string()))?;
    Ok(HANDLE.get_or_init(|| handle).clone())
}

/// Serves the metrics of this process on `address` until the task is aborted or the runtime ends.
/// Gives the address in use (port 0 asks for any) and the task.
pub async fn serve_metrics(
    address: SocketAddr,
    role: &'static str,
) -> Result<(SocketAddr, JoinHandle<()>), MetricsError> {
    let handle = install_metrics()?;
    metrics::gauge!("scrutineer_build_info", "version" => env!("CARGO_PKG_VERSION"), "role" => role).set(1.0);
    let listen_error = |source| MetricsError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(listen_error)?;
    let bound = listener.local_addr().map_err(listen_error)?;
    let task = tokio::spawn(async move {
        let mut upkeep = tokio::time::interval(UPKEEP_EVERY);
        let places = Arc::new(Semaphore::new(METRICS_CONNECTIONS_MAX));
        loop {
            tokio::select! {
                _ = upkeep.tick() => handle.run_upkeep(),
                accepted = listener.accept() => match accepted {
                    // Past the bound a scrape is closed at once; it comes again.
                    Ok((stream, _)) => if let Ok(place) = places.clone().try_acquire_owned() {
                        let handle = handle.clone();
                        tokio::spawn(async move {
                            drop(tokio::time::timeout(SCRAPE_DEADLINE, answer(stream, &handle)).await);
                            drop(place);
                        });
                    },
                    // Out of descriptors: wait rather than spin.
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                },
            }
        }
    });
    Ok((bound, task))
}

fn sample_process() {
    metrics::gauge!("scrutineer_process_resident_bytes").set(process::resident_bytes() as f64);
    if let Some(files) = process::open_files() {
        metrics::gauge!("scrutineer_process_open_files").set(files as f64);
    }
    if let Some(seconds) = process::cpu_seconds() {
        metrics::gauge!("scrutineer_process_cpu_seconds").set(seconds);
    }
}

async fn answer(mut stream: TcpStream, handle: &PrometheusHandle) -> std::io::Result<()> {
    let mut request = Vec::with_capacity(512);
    while !request.windows(4).any(|w| w == b"\r\n\r\n") {
        if request.len() >= METRICS_REQUEST_BYTES_MAX {
            return reply(&mut stream, "431 Request Header Fields Too Large", "").await;
        }
        let mut part = [0u8; 512];
        match stream.read(&mut part).await? {
            0 => return Ok(()),
            n => request.extend_from_slice(part.get(..n).unwrap_or_default()),
        }
    }
    let line = String::from_utf8_lossy(request.split(|b| *b == b'\r').next().unwrap_or_default()).into_owned();
    let mut words = line.split(' ');
    match (words.next(), words.next().map(|p| p.split('?').next().unwrap_or(p))) {
        (Some("GET"), Some("/metrics" | "/")) => {
            sample_process();
            reply(&mut stream, "200 OK", &handle.render()).await
        }
        (Some("GET"), _) => reply(&mut stream, "404 Not Found", "metrics are at /metrics\n").await,
        _ => reply(&mut stream, "405 Method Not Allowed", "").await,
    }
}

async fn reply(stream: &mut TcpStream, status: &str, body: &str) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut got = String::new();
        // A refused request may be reset while we still write; what was said before counts.
        drop(stream.read_to_string(&mut got).await);
        got
    }

    #[tokio::test]
    async fn a_scrape_gets_what_was_counted_and_facts_about_the_process() {
        let (address, task) = serve_metrics(([127, 0, 0, 1], 0).into(), "test").await.unwrap();
        metrics::counter!("scrutineer_tests_total").increment(3);
        let got = ask(address, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(got.starts_with("HTTP/1.1 200 OK\r\n"), "{got}");
        for wanted in ["scrutineer_tests_total 3", "scrutineer_process_resident_bytes ", "scrutineer_build_info{"] {
            assert!(got.contains(wanted), "no {wanted} in {got}");
        }
        assert!(ask(address, "GET /other HTTP/1.1\r\n\r\n").await.starts_with("HTTP/1.1 404"));
        assert!(ask(address, "POST /metrics HTTP/1.1\r\n\r\n").await.starts_with("HTTP/1.1 405"));
        let long = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(METRICS_REQUEST_BYTES_MAX));
        assert!(ask(address, &long).await.starts_with("HTTP/1.1 431"));
        task.abort();
    }

    #[tokio::test]
    async fn more_scrapes_than_the_bound_are_closed_and_a_later_one_is_served() {
        let (address, task) = serve_metrics(([127, 0, 0, 1], 0).into(), "test").await.unwrap();
        let mut held = Vec::new();
        for _ in 0..METRICS_CONNECTIONS_MAX {
            held.push(TcpStream::connect(address).await.unwrap());
        }
        let mut extra = TcpStream::connect(address).await.unwrap();
        let mut nothing = Vec::new();
        drop(extra.read_to_end(&mut nothing).await);
        assert!(nothing.is_empty());
        drop(held);
        loop {
            if ask(address, "GET /metrics HTTP/1.1\r\n\r\n").await.starts_with("HTTP/1.1 200") {
                break;
            }
            tokio::task::yield_now().await;
        }
        task.abort();
    }

    #[tokio::test]
    async fn an_address_in_use_is_named() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let error = serve_metrics(address, "test").await.unwrap_err().to_string();
        assert!(error.contains(&address.to_string()), "{error}");
    }
}
