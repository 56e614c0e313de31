//! `[database]`: where PostgreSQL is, and a login a role.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Secret;

/// One login role.
#[derive(Debug, Clone, Deserialize, Serialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct LoginConfig {
    /// PostgreSQL role.
    pub user: String,
    /// Its password; may be left out on a local socket with peer authentication.
    pub password: Secret,
    /// File that holds the password instead (systemd's `LoadCredential`).
    pub password_file: Option<PathBuf>,
}

/// PostgreSQL.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatabaseConfig {
    /// Host name or address, or a socket's folder (begins with `/`).
    pub host: String,
    /// Port.
    pub port: u16,
    /// Database name.
    pub name: String,
    /// `verify-full` or `disable`. When left out: `disable` for a socket or loopback, else `verify-full`.
    pub tls: Option<String>,
    /// PEM file of the authority that signed the server's certificate; the system's when left out.
    pub ca_file: Option<PathBuf>,
    /// Seconds that one use of the database may take.
    pub deadline_seconds: u64,
    /// Owner of the schema: `migrate`, imports, elections, users.
    pub owner: LoginConfig,
    /// The worker's login, a member of `scrutineer_worker`.
    pub worker: LoginConfig,
    /// The web's login, a member of `scrutineer_web`.
    pub web: LoginConfig,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        let login = |user: &str| LoginConfig { user: user.to_owned(), ..LoginConfig::default() };
        Self {
            host: "/run/postgresql".to_owned(),
            port: 5432,
            name: "scrutineer".to_owned(),
            tls: None,
            ca_file: None,
            deadline_seconds: crate::limits::DATABASE_DEADLINE_SECONDS,
            owner: login("scrutineer"),
            worker: login("scrutineer-worker"),
            web: login("scrutineer-web"),
        }
    }
}
