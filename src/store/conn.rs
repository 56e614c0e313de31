//! Connections to PostgreSQL, and the one way to use them.
//!
//! sqlx 0.9 is unsafe to cancel: a dropped `begin()` leaves an open transaction on a pooled
//! connection, and acknowledged inserts then vanish; a query dropped on a dead peer holds its slot
//! for a quarter of an hour. So a connection whose use did not end by itself is closed here.

use std::path::PathBuf;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions, PgSslMode};
use sqlx::{Connection, Executor, PgPool};

/// How long an idle connection has to answer a ping before it is used.
const PING_DEADLINE: Duration = Duration::from_millis(500);
/// How long a free connection is waited for.
const ACQUIRE_DEADLINE: Duration = Duration::from_secs(3);

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

/// How to reach a database in one role.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// Host name, address or (beginning with `/`) socket directory.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Database name.
    pub database: String,
    /// Login role.
    pub user: String,
    /// Its password, where one is needed.
    pub password: Option<String>,
    /// Protection of the link.
    pub tls: TlsMode,
    /// PEM file of the authority that signed the server's certificate; the system's when `None`.
    pub ca_file: Option<PathBuf>,
    /// Name shown in `pg_stat_activity`.
    pub application: String,
    /// Connections at most.
    pub connections_max: u32,
    /// Deadline of a single use, which the server enforces too (`statement_timeout`).
    pub deadline: Duration,
    /// Further settings of each session, by name.
    pub settings: Vec<(&'static str, &'static str)>,
}

/// What can go wrong with the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No connection within the deadline: PostgreSQL is away, or all connections are in use.
    #[error("no database connection: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// The deadline passed; the connection is closed. Whether the work was done is unknown.
    #[error("the database did not finish within {0:?}")]
    Deadline(Duration),
    /// PostgreSQL refused the work.
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    /// The caller saw a reason to begin anew; nothing was written.
    #[error("given up by the caller")]
    GivenUp,
    /// What is stored is not in a form that this program writes.
    #[error("what is stored can't be read: {0}")]
    Unreadable(String),
}

impl StoreError {
    /// Will the same work succeed later by itself: the server is away, restarting, out of room, or
    /// lost a race? Everything else is about the work itself.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::Deadline(_) => true,
            Self::Sql(error) => match error {
                sqlx::Error::Io(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
                | sqlx::Error::Tls(_)
                | sqlx::Error::Protocol(_) => true,
                // 08 connection, 40 serialization and deadlock, 53 resources, 57 operator intervention
                // (shutdown, crash, statement_timeout), 58 system error, 25006 read-only host.
                sqlx::Error::Database(e) => e.code().is_some_and(|code| {
                    ["08", "40", "53", "57", "58"].iter().any(|class| code.starts_with(class)) || code == "25006"
                }),
                _ => false,
            },
            Self::GivenUp | Self::Unreadable(_) => false,
        }
    }

    /// Was a race lost: a deadlock or a serialization failure? The same work may be tried again at once.
    pub fn is_race(&self) -> bool {
        matches!(self, Self::Sql(sqlx::Error::Database(e)) if e.code().is_some_and(|code| code.starts_with("40")))
    }

    /// Did the work take too long as a whole or in one statement?
    pub fn is_too_slow(&self) -> bool {
        match self {
            Self::Deadline(_) => true,
            Self::Sql(sqlx::Error::Database(e)) => e.code().is_some_and(|code| code == "57014"),
            _ => false,
        }
    }

    /// Is it about the data that were to be written, so that less of them may well be written? Otherwise
    /// (a missing table, a right that was not granted) nothing can be, until somebody mends it.
    pub fn is_about_the_data(&self) -> bool {
        match self {
            // 21 cardinality, 22 data exception, 23 integrity, 54 program limit, XX internal error.
            Self::Sql(sqlx::Error::Database(e)) => {
                e.code().is_some_and(|code| ["21", "22", "23", "54", "XX"].iter().any(|class| code.starts_with(class)))
            }
            Self::Sql(
                sqlx::Error::Encode(_)
                | sqlx::Error::ColumnDecode { .. }
                | sqlx::Error::Decode(_)
                | sqlx::Error::InvalidArgument(_),
            )
            | Self::Unreadable(_) => true,
            _ => false,
        }
    }
}

impl StoreError {
    /// The SQLSTATE that PostgreSQL gave.
    pub fn sql_state(&self) -> Option<String> {
        match self {
            Self::Sql(sqlx::Error::Database(e)) => e.code().map(std::borrow::Cow::into_owned),
            _ => None,
        }
    }

    fn leaves_connection_sound(&self) -> bool {
        match self {
            Self::GivenUp | Self::Sql(sqlx::Error::RowNotFound) => true,
            Self::Sql(sqlx::Error::Database(e)) => {
                e.code().is_some_and(|code| !["08", "57P", "58", "25006"].iter().any(|class| code.starts_with(class)))
            }
            _ => false,
        }
    }
}

/// What sqlx needs to connect, with the settings that every connection of ours has.
pub(super) fn pg_options(options: &ConnectOptions) -> PgConnectOptions {
    let statement_timeout = options.deadline.as_millis().to_string();
    let mut connect = PgConnectOptions::new_without_pgpass()
        .port(options.port)
        .database(&options.database)
        .username(&options.user)
        .application_name(&options.application)
        .options([("statement_timeout", statement_timeout.as_str()), ("timezone", "UTC")])
        .ssl_mode(match options.tls {
            TlsMode::VerifyFull => PgSslMode::VerifyFull,
            TlsMode::Disable => PgSslMode::Disable,
        });
    connect = if options.host.starts_with('/') { connect.socket(&options.host) } else { connect.host(&options.host) };
    if let Some(password) = &options.password {
        connect = connect.password(password);
    }
    if let Some(file) = &options.ca_file {
        connect = connect.ssl_root_cert(file);
    }
    connect
}

/// A bounded set of connections in one role.
#[derive(Debug, Clone)]
pub struct Store {
    pool: PgPool,
    deadline: Duration,
}

impl Store {
    /// Makes the pool. No connection is opened yet, so that a database that is away is met as a
    /// state by whoever uses it, not as an error at the start.
    pub fn new(options: &ConnectOptions) -> Self {
        let connect = pg_options(options);
        let pool = PgPoolOptions::new()
            .max_connections(options.connections_max)
            .acquire_timeout(ACQUIRE_DEADLINE)
            .test_before_acquire(false)
            .before_acquire(|conn, meta| {
                Box::pin(async move {
                    if meta.idle_for < Duration::from_secs(5) {
                        return Ok(true);
                    }
                    Ok(matches!(tokio::time::timeout(PING_DEADLINE, conn.ping()).await, Ok(Ok(()))))
                })
            })
            .connect_lazy_with(connect);
        Self { pool, deadline: options.deadline }
    }

    /// A store on a pool made elsewhere (`#[sqlx::test]`).
    pub fn from_pool(pool: PgPool, deadline: Duration) -> Self {
        Self { pool, deadline }
    }

    /// The deadline of a use that names none.
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Connections open now, and of them idle.
    pub fn connections(&self) -> (u32, usize) {
        (self.pool.size(), self.pool.num_idle())
    }

    /// Uses one connection, for at most `deadline`. When that passes, or the caller goes away, the
    /// connection is closed: whatever it had open ends with it.
    pub async fn with_conn<T, F>(&self, deadline: Duration, f: F) -> Result<T, StoreError>
    where
        F: AsyncFnOnce(&mut PgConnection) -> Result<T, StoreError>,
    {
        #[allow(clippy::disallowed_methods, reason = "the one place")]
        let conn = self.pool.acquire().await.map_err(StoreError::Unavailable)?;
        let mut guard = Guard { conn: Some(conn) };
        let Some(conn) = guard.conn.as_mut() else { return Err(StoreError::Deadline(deadline)) };
        match tokio::time::timeout(deadline, f(conn)).await {
            Ok(Ok(value)) => {
                guard.give_back();
                Ok(value)
            }
            Ok(Err(error)) => {
                // A statement that PostgreSQL refused leaves the connection sound; anything else may not.
                if error.leaves_connection_sound() {
                    guard.give_back();
                }
                Err(error)
            }
            Err(_elapsed) => Err(StoreError::Deadline(deadline)),
        }
    }

    /// [`Store::with_conn`] in one transaction: committed when `f` succeeds, else rolled back.
    pub async fn with_tx<T, F>(&self, deadline: Duration, f: F) -> Result<T, StoreError>
    where
        F: AsyncFnOnce(&mut PgConnection) -> Result<T, StoreError>,
    {
        self.with_conn(deadline, async |conn: &mut PgConnection| {
            conn.execute("BEGIN").await?;
            match f(conn).await {
                Ok(value) => {
                    conn.execute("COMMIT").await?;
                    Ok(value)
                }
                Err(error) => {
                    conn.execute("ROLLBACK").await?;
                    Err(error)
                }
            }
        })
        .await
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Closes its connection unless it is given back: also when the future that holds it is dropped.
struct Guard {
    conn: Option<sqlx::pool::PoolConnection<sqlx::Postgres>>,
}

impl Guard {
    fn give_back(&mut self) {
        drop(self.conn.take());
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.as_mut() {
            conn.close_on_drop();
        }
    }
}
