//! Connections to PostgreSQL, and the one way to use them.
//!
//! Invariants: each use has a deadline, on the server too; sqlx 0.9 is unsafe to cancel (a dropped
//! `begin()` leaves an open transaction on its connection, and acknowledged inserts then vanish), so a
//! connection whose use did not end by itself is closed, never reused. What was begun on one primary is
//! not ended on another: see [`Store::pinned`].

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sqlx::Executor;
use sqlx::postgres::PgConnection;

mod error;
mod greet;
mod hosts;
mod keeper;
mod options;
mod pool;

pub use error::StoreError;
pub use hosts::NoHost;
pub(in crate::store) use options::pg_options;
pub use options::{ConnectOptions, Host, TlsMode};

use crate::limits::LEASE_SECONDS;

use greet::Identity;
use pool::Pool;

/// A bounded set of connections in one role.
#[derive(Debug, Clone)]
pub struct Store {
    pool: Arc<Pool>,
    deadline: Duration,
    /// The primary that this handle is bound to, once it was used.
    pinned: Option<Arc<OnceLock<Identity>>>,
    lease_seconds: i32,
}

impl Store {
    /// Makes the pool. No connection is opened yet, so that a database that is away is met as a
    /// state by whoever uses it, not as an error at the start. Must be called on a runtime, whose
    /// task keeps idle connections alive as long as the store is there.
    pub fn new(options: &ConnectOptions) -> Self {
        let pool = Arc::new(Pool::new(options));
        tokio::spawn(keeper::keep(Arc::downgrade(&pool)));
        Self { pool, deadline: options.deadline, pinned: None, lease_seconds: LEASE_SECONDS }
    }

    /// A handle on the same connections that is bound to the primary of its first use: when another
    /// host takes over, or the server restarts, its uses fail with [`StoreError::Moved`]. For work that
    /// remembers between transactions what is committed: a standby that took over may lack that.
    #[must_use]
    pub fn pinned(&self) -> Self {
        Self { pinned: Some(Arc::default()), ..self.clone() }
    }

    /// With another time after which a reply under lease may be taken by another host's worker.
    #[must_use]
    pub fn with_lease_seconds(mut self, seconds: i32) -> Self {
        self.lease_seconds = seconds;
        self
    }

    /// Seconds after which another host's worker may take a leased reply.
    pub fn lease_seconds(&self) -> i32 {
        self.lease_seconds
    }

    /// The deadline of a use that names none.
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Connections open now, and of them idle.
    pub fn connections(&self) -> (u32, usize) {
        self.pool.counts()
    }

    /// Uses one connection, for at most `deadline`. When that passes, or the caller goes away, the
    /// connection is closed: whatever it had open ends with it, on the server too.
    pub async fn with_conn<T, F>(&self, deadline: Duration, f: F) -> Result<T, StoreError>
    where
        F: AsyncFnOnce(&mut PgConnection) -> Result<T, StoreError>,
    {
        let mut lent = self.pool.lend().await?;
        if let (Some(pinned), Some(identity)) = (&self.pinned, lent.identity())
            && *pinned.get_or_init(|| identity) != identity
        {
            lent.give_back();
            return Err(StoreError::Moved);
        }
        let Some(conn) = lent.conn() else { return Err(StoreError::Deadline(deadline)) };
        match tokio::time::timeout(deadline, f(conn)).await {
            Ok(Ok(value)) => {
                lent.give_back();
                Ok(value)
            }
            Ok(Err(error)) => {
                if error.leaves_connection_sound() {
                    lent.give_back();
                } else {
                    if error.is_read_only() {
                        self.pool.leave();
                    }
                    self.pool.suspect();
                }
                Err(error)
            }
            Err(_elapsed) => {
                self.pool.suspect();
                Err(StoreError::Deadline(deadline))
            }
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
