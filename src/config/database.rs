//! `[database]`: where PostgreSQL is, and a login a role.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::hosts::Hosts;
use super::{ConfigError, Secret};
use crate::store::{ConnectOptions, Host, TlsMode};

/// Whose login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// Owner of the schema, for commands.
    Owner,
    /// The worker.
    Worker,
    /// The web.
    Web,
}

impl Login {
    /// The word used in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Worker => "worker",
            Self::Web => "web",
        }
    }
}

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
    /// Host name or address, or a socket's folder (begins with `/`); or several, of which one takes writes.
    pub host: Hosts,
    /// Port of hosts that name none.
    pub port: u16,
    /// Database name.
    pub name: String,
    /// `verify-full` or `disable`. When left out: `disable` for a socket or loopback, else `verify-full`,
    /// for each host.
    pub tls: Option<TlsMode>,
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
            host: Hosts::one("/run/postgresql"),
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

impl DatabaseConfig {
    /// The login of this name.
    pub fn login(&self, login: Login) -> &LoginConfig {
        match login {
            Login::Owner => &self.owner,
            Login::Worker => &self.worker,
            Login::Web => &self.web,
        }
    }

    /// Do all servers run on this machine: a socket's folder, or loopback?
    pub fn is_local(&self) -> bool {
        self.host.iter().all(|host| host.is_local())
    }

    /// How to connect as one login, with so many connections at most. An error when its password
    /// file could not be read.
    pub fn connect_options(&self, login: Login, connections: u32) -> Result<ConnectOptions, ConfigError> {
        let LoginConfig { user, password, .. } = self.login(login);
        if let Some(problem) = password.problem() {
            return Err(ConfigError::one(problem.clone()));
        }
        let hosts = self.host.iter().map(|host| Host {
            name: host.name.clone(),
            port: host.port.unwrap_or(self.port),
            tls: self.tls.unwrap_or(if host.is_local() { TlsMode::Disable } else { TlsMode::VerifyFull }),
        });
        Ok(ConnectOptions {
            hosts: hosts.collect(),
            database: self.name.clone(),
            user: user.clone(),
            password: (!password.is_empty()).then(|| password.reveal().to_owned()),
            ca_file: self.ca_file.clone(),
            application: format!("scrutineer {}", login.as_str()),
            connections_max: connections,
            deadline: Duration::from_secs(self.deadline_seconds),
            settings: Vec::new(),
        })
    }
}
