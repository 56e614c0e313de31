//! Looking at a database from outside: can it be reached, and may each login do what it must and
//! no more?

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions as _, Connection};
use time::OffsetDateTime;

use super::conn::pg_options;
use super::{ConnectOptions, StoreError};

/// Connects once, outside any pool, so that the reason of a failure is told.
pub async fn probe(options: &ConnectOptions, deadline: Duration) -> Result<Seen, StoreError> {
    let work = async {
        let mut conn: PgConnection = pg_options(options).connect().await?;
        let seen = look(&mut conn).await;
        drop(conn.close().await);
        seen
    };
    match tokio::time::timeout(deadline, work).await {
        Ok(seen) => seen,
        Err(_) => Err(StoreError::Deadline(deadline)),
    }
}

/// What one login sees.
#[derive(Debug, Clone)]
pub struct Seen {
    /// `server_version`.
    pub version: String,
    /// The server's clock.
    pub now: OffsetDateTime,
    /// It is a standby: reads only.
    pub standby: bool,
    /// Belongs to `scrutineer_worker` (superusers belong to everything).
    pub in_worker: bool,
    /// Belongs to `scrutineer_web`.
    pub in_web: bool,
    /// Superuser.
    pub superuser: bool,
    /// May change submissions. `None`: there is no such table.
    pub writes_submissions: Option<bool>,
    /// May read phone numbers in full.
    pub reads_phones: Option<bool>,
}

async fn look(conn: &mut PgConnection) -> Result<Seen, StoreError> {
    Ok(sqlx::query_as!(
        Seen,
        r#"SELECT current_setting('server_version') AS "version!", clock_timestamp() AS "now!",
               pg_is_in_recovery() AS "standby!",
               coalesce((SELECT pg_has_role(current_user, oid, 'MEMBER') FROM pg_roles WHERE rolname = 'scrutineer_worker'), false) AS "in_worker!",
               coalesce((SELECT pg_has_role(current_user, oid, 'MEMBER') FROM pg_roles WHERE rolname = 'scrutineer_web'), false) AS "in_web!",
               (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS "superuser!",
               has_table_privilege(to_regclass('public.submission'), 'INSERT, UPDATE, DELETE') AS writes_submissions,
               has_column_privilege(to_regclass('public.phone'), 'msisdn', 'SELECT') AS reads_phones"#
    )
    .fetch_one(conn)
    .await?)
}
