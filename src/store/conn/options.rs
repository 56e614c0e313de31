//! How to reach PostgreSQL: hosts, login, and what every connection of ours is set to.

use std::path::PathBuf;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgSslMode};

/// How the link to PostgreSQL is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsMode {
    /// TLS, the server's certificate and name verified. The default for a host that is not local.
    #[default]
    VerifyFull,
    /// No TLS: for a Unix socket or loopback.
    Disable,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Host name, address or (beginning with `/`) socket directory.
    pub name: String,
    /// Port.
    pub port: u16,
    /// Protection of the link.
    pub tls: TlsMode,
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, port, .. } = self;
        if name.contains(':') { write!(f, "[{name}]:{port}") } else { write!(f, "{name}:{port}") }
    }
}

/// How to reach a database in one role.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// The servers of which one takes writes; in the order in which they are tried.
    pub hosts: Vec<Host>,
    /// Database name.
    pub database: String,
    /// Login role.
    pub user: String,
    /// Its password, where one is needed.
    pub password: Option<String>,
    /// PEM file of the authority that signed the servers' certificates; the system's when `None`.
    pub ca_file: Option<PathBuf>,
    /// Name shown in `pg_stat_activity`.
    pub application: String,
    /// Connections at most.
    pub connections_max: u32,
    /// Deadline of a single use, which the server enforces too.
    pub deadline: Duration,
    /// Further settings of each session, by name.
    pub settings: Vec<(&'static str, &'static str)>,
}

impl ConnectOptions {
    /// The hosts in words.
    pub fn hosts_said(&self) -> String {
        self.hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
}

/// What sqlx needs to connect to one host.
pub(in crate::store) fn pg_options(options: &ConnectOptions, host: &Host) -> PgConnectOptions {
    // The server gives a statement up a little before we would give up the connection.
    let statement = (options.deadline * 9 / 10).as_millis().to_string();
    // Locks of a process that vanished in a transaction are free after this.
    let idle = options.deadline.as_millis().to_string();
    let mut connect = PgConnectOptions::new_without_pgpass()
        .port(host.port)
        .database(&options.database)
        .username(&options.user)
        .application_name(&options.application)
        .options([
            ("statement_timeout", statement.as_str()),
            ("idle_in_transaction_session_timeout", idle.as_str()),
            ("timezone", "UTC"),
        ])
        .options(options.settings.iter().copied())
        .ssl_mode(match host.tls {
            TlsMode::VerifyFull => PgSslMode::VerifyFull,
            TlsMode::Disable => PgSslMode::Disable,
        });
    connect = if host.name.starts_with('/') { connect.socket(&host.name) } else { connect.host(&host.name) };
    if let Some(password) = &options.password {
        connect = connect.password(password);
    }
    if let Some(file) = &options.ca_file {
        connect = connect.ssl_root_cert(file);
    }
    connect
}
