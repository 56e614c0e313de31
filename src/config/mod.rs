//! The one configuration file, a section a file here. Unknown keys are errors; every key has a
//! default or is named when it is missing. `config/scrutineer.toml` has each with a comment.
//!
//! [`Config::load`] reads it, with overrides from the environment, and names everything that is
//! wrong at once; [`Config::load_for`] demands too what one process needs.

mod check;
mod database;
mod error;
mod gateway;
mod hosts;
mod keys;
mod link;
mod load;
mod log;
mod overrides;
mod part;
mod pem;
mod places;
mod secret;
#[cfg(test)]
mod shipped;
mod web;
mod worker;

pub use database::{DatabaseConfig, Login, LoginConfig};
pub use error::{ConfigError, EXIT_CONFIG, Problem};
pub use gateway::{Acknowledge, GatewayConfig};
pub use hosts::{HostName, Hosts};
pub use link::{BindMode, BindName, LinkConfig, PemFiles, SmppVersion};
pub use log::{LogConfig, LogFormat};
pub use overrides::ENV_PREFIX;
pub use part::Part;
pub use pem::Pem;
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
    /// What is doubtful, found by [`Config::load`].
    #[serde(skip)]
    pub warnings: Vec<Problem>,
}
