//! What can be reached: the SMSCs, the gateway's socket, and each process's metrics with its memory cap.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::finding::Finding;
use crate::config::{Config, LinkConfig};
use crate::limits;

/// For one connection.
const DEADLINE: Duration = Duration::from_secs(3);
/// Bytes of metrics that are looked at.
const METRICS_BYTES_MAX: u64 = 1 << 20;

pub(super) async fn examine(config: &Config) -> Vec<Finding> {
    let links = join_all(config.link.iter().map(link));
    let roles = join_all([
        role("gateway", config.gateway.metrics, limits::GATEWAY_MEMORY_BYTES_MAX),
        role("worker", config.worker.metrics, limits::WORKER_MEMORY_BYTES_MAX),
        role("web", config.web.metrics, limits::WEB_MEMORY_BYTES_MAX),
    ]);
    let (links, roles) = tokio::join!(links, roles);
    links.into_iter().chain(roles.into_iter().flatten()).chain([socket(config)]).collect()
}

async fn link(link: &LinkConfig) -> Finding {
    let check = format!("link.{}", link.name);
    let at = format!("{}:{}", link.host, link.port);
    let mend = "check host and port with the aggregator, and the firewall or VPN between";
    match timeout(DEADLINE, TcpStream::connect((link.host.as_str(), link.port))).await {
        Ok(Ok(_)) => Finding::ok(check, format!("{at} takes connections")),
        Ok(Err(error)) => Finding::error(check, format!("{at} can't be reached: {error}"), mend),
        Err(_) => Finding::error(check, format!("{at} did not answer within {} s", DEADLINE.as_secs()), mend),
    }
}

/// Does the gateway listen? The kernel's list says so; a connection of ours would take the worker's place.
fn socket(config: &Config) -> Finding {
    let socket = &config.gateway.socket;
    let name = socket.to_string_lossy();
    let listens = std::fs::read_to_string("/proc/net/unix").is_ok_and(|list| {
        list.lines().any(|line| {
            let mut fields = line.split_ascii_whitespace();
            // Flags: 00010000 is a socket that takes connections.
            fields.nth(3) == Some("00010000") && line.ends_with(&format!(" {name}"))
        })
    });
    if listens {
        return Finding::ok("gateway.socket", format!("the gateway serves {name}"));
    }
    let what = format!("nothing serves {name}");
    Finding::warning("gateway.socket", what, "start the gateway on this host; the worker fetches messages there")
}

/// Is the process running, and under its cap? Its metrics say so. Nothing is said where they are off
/// or on any free port.
async fn role(name: &str, metrics: Option<SocketAddr>, cap: usize) -> Vec<Finding> {
    let Some(address) = metrics.filter(|a| a.port() != 0) else { return Vec::new() };
    let text = match timeout(DEADLINE, scrape(address)).await {
        Ok(Ok(text)) => text,
        _ => {
            let what = format!("its metrics at {address} can't be reached");
            return vec![Finding::warning(name, what, format!("start it: systemctl start scrutineer-{name}"))];
        }
    };
    let ours = format!("role=\"{name}\"");
    if !text.lines().any(|l| l.starts_with("scrutineer_build_info{") && l.contains(&ours)) {
        let what = format!("something else answers at {address}");
        return vec![Finding::error(name, what, "choose another port for its metrics")];
    }
    let resident = value_of(&text, "scrutineer_process_resident_bytes").unwrap_or(0.0);
    let mut findings = vec![Finding::ok(name, format!("runs, {:.0} MiB resident", resident / f64::from(1 << 20)))];
    let mend = format!("run it by its unit, which has MemoryMax={}M", cap >> 20);
    match value_of(&text, "scrutineer_memory_cgroup_cap_bytes") {
        None | Some(f64::INFINITY) => {
            findings.push(Finding::warning(format!("{name}.memory"), "runs without a memory cap", mend))
        }
        Some(found) if found > cap as f64 => {
            let what = format!("its memory cap is {:.0} MiB, made for {}", found / f64::from(1 << 20), cap >> 20);
            findings.push(Finding::warning(format!("{name}.memory"), what, mend));
        }
        Some(found) => {
            findings.push(Finding::ok(format!("{name}.memory"), format!("cap {:.0} MiB", found / f64::from(1 << 20))));
        }
    }
    findings
}

async fn scrape(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut text = Vec::new();
    stream.take(METRICS_BYTES_MAX).read_to_end(&mut text).await?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// The first value of a metric, whatever its labels.
fn value_of(text: &str, metric: &str) -> Option<f64> {
    let line = text.lines().find(|l| l.strip_prefix(metric).is_some_and(|rest| rest.starts_with([' ', '{'])))?;
    line.rsplit(' ').next()?.parse().ok()
}
