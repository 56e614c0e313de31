//! `[web]`

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// The dashboard.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebConfig {
    /// Address of the pages. Plain HTTP: put a TLS front before it unless it is loopback.
    pub listen: SocketAddr,
    /// Address of the Prometheus endpoint; must be loopback.
    pub metrics: Option<SocketAddr>,
    /// Send the session cookie over HTTPS only. Off only for trying things out on loopback.
    pub secure_cookie: bool,
    /// Hours after which a session ends.
    pub session_hours: u32,
    /// Seconds that a stop may take.
    pub stop_seconds: u32,
}

impl Default for WebConfig {
    fn default() -> Self {
        Self {
            listen: ([127, 0, 0, 1], 8470).into(),
            metrics: Some(([127, 0, 0, 1], 9473).into()),
            secure_cookie: true,
            session_hours: 12,
            stop_seconds: 10,
        }
    }
}
