//! The one configuration file, a section a file here. Unknown keys are errors; every key has a
//! default or is named when it is missing. `config/scrutineer.toml` has each with a comment.

mod database;
mod gateway;
mod link;
mod log;
mod secret;
mod web;
mod worker;

pub use database::{DatabaseConfig, LoginConfig};
pub use gateway::{Acknowledge, GatewayConfig};
pub use link::{BindMode, LinkConfig};
pub use log::{LogConfig, LogFormat};
pub use secret::Secret;
pub use web::WebConfig;
pub use worker::WorkerConfig;

use serde::{Deserialize, Serialize};

/// The whole file.
#[derive(Debug, Clone, Deserialize, Serialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How to log.
    pub log: LogConfig,
    /// The gateway.
    pub gateway: GatewayConfig,
    /// Links to SMSCs, `[[link]]`.
    pub link: Vec<LinkConfig>,
    /// The worker.
    pub worker: WorkerConfig,
    /// PostgreSQL.
    pub database: DatabaseConfig,
    /// The dashboard.
    pub web: WebConfig,
}
