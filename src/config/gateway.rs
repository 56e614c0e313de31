//! `[gateway]`

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// When a `deliver_sm` is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Acknowledge {
    /// When it is synced to this host's disk.
    #[default]
    Spooled,
    /// When PostgreSQL has committed it.
    Committed,
}

/// The gateway.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatewayConfig {
    /// Folder of the spool.
    pub spool: PathBuf,
    /// Unix socket on which the worker is served.
    pub socket: PathBuf,
    /// Unix socket for the administration of the links, for root and the gateway's user.
    /// Beside `socket` when left out.
    pub admin_socket: Option<PathBuf>,
    /// Address of the Prometheus endpoint; must be loopback. Port 0: any free one.
    pub metrics: Option<SocketAddr>,
    /// When to acknowledge.
    pub acknowledge: Acknowledge,
    /// Hours for which committed records are kept, for a database that lost its last commits.
    pub keep_hours: u32,
    /// Megabytes of disk that the spool may take before new messages are refused.
    pub spool_megabytes_max: u32,
    /// Seconds that a stop may take.
    pub stop_seconds: u32,
}

impl GatewayConfig {
    /// The socket for administration: beside the other one, `-admin` in its name, when none is set.
    pub fn admin(&self) -> PathBuf {
        if let Some(path) = &self.admin_socket {
            return path.clone();
        }
        let mut name = self.socket.file_stem().unwrap_or_default().to_owned();
        name.push("-admin.sock");
        self.socket.with_file_name(name)
    }
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            spool: "/var/lib/scrutineer-gateway".into(),
            socket: "/run/scrutineer/gateway.sock".into(),
            admin_socket: None,
            metrics: Some(([127, 0, 0, 1], 9471).into()),
            acknowledge: Acknowledge::Spooled,
            keep_hours: 48,
            spool_megabytes_max: 4096,
            stop_seconds: 10,
        }
    }
}
