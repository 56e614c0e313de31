//! `[worker]`

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The worker.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkerConfig {
    /// Lanes, each with a database connection; one observer's messages stay in one lane.
    pub lanes: u16,
    /// Address of the Prometheus endpoint; must be loopback.
    pub metrics: Option<SocketAddr>,
    /// Folder of reply templates, one file a language, over those built in.
    pub replies: Option<PathBuf>,
    /// Seconds after which a text that lacks segments is processed as far as it came.
    pub segments_wait_seconds: u32,
    /// Seconds after which another host takes up the replies that this one was about to send, when
    /// nothing is heard of it.
    pub lease_seconds: u32,
    /// Seconds after which work that does not end counts as hung, and the watchdog is told no more.
    pub hang_seconds: u32,
    /// Seconds that a stop may take.
    pub stop_seconds: u32,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            lanes: 4,
            metrics: Some(([127, 0, 0, 1], 9472).into()),
            replies: None,
            segments_wait_seconds: crate::limits::SEGMENTS_WAIT_SECONDS,
            lease_seconds: crate::limits::LEASE_SECONDS.unsigned_abs(),
            hang_seconds: crate::limits::WORKER_HANG_SECONDS,
            stop_seconds: 10,
        }
    }
}
