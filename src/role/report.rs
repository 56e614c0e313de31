//! What the worker writes down for the operators' page each few seconds: what its gateway said of itself,
//! and how it fares itself. A database that is away leaves the rows as they are, and their age says so.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};

use crate::intake::board::Board;
use crate::limits::{HOST_STATUS_SECONDS, WORKER_MEMORY_BYTES_MAX};
use crate::store::{Store, host_status};
use crate::vitals::memory::Source;

/// Writes until the task is dropped.
pub(super) async fn report(store: Store, board: Arc<Board>, lanes: u16) {
    let host = super::gateway::parts::host_name();
    let begun = Instant::now();
    let mut tick = interval(Duration::from_secs(HOST_STATUS_SECONDS));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Some(status) = board.take() {
            match serde_json::to_value(&status) {
                Ok(value) => put(&store, &status.host, "gateway", &value).await,
                Err(error) => tracing::warn!(%error, "the gateway's state can't be written down"),
            }
        }
        let memory = Source::find(WORKER_MEMORY_BYTES_MAX as u64).look();
        let (open, idle) = store.connections();
        let status = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "up_seconds": begun.elapsed().as_secs(),
            "lanes": lanes,
            "connections": open,
            "connections_idle": idle,
            "memory_bytes": memory.map(|m| m.used_bytes),
            "memory_cap_bytes": memory.map(|m| m.cap_bytes),
        });
        put(&store, &host, "worker", &status).await;
    }
}

async fn put(store: &Store, host: &str, part: &str, status: &serde_json::Value) {
    if let Err(error) = host_status::put(store, host, part, status).await {
        tracing::debug!(%error, part, "how this host fares could not be written down");
    }
}
