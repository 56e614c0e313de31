//! Looking at a database from outside: can it be reached, and may each login do what it must and
//! no more?

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions as _, Connection};
use time::OffsetDateTime;

use super::conn::pg_options;
use super::{ConnectOptions, Host, StoreError};

/// Looks at every host side by side, once each, outside any pool, so that the reason of a failure is told.
pub async fn probe(options: &ConnectOptions, deadline: Duration) -> Vec<(Host, Result<Seen, StoreError>)> {
    let looks = options.hosts.iter().map(async |host| (host.clone(), probe_host(options, host, deadline).await));
    futures_util::future::join_all(looks).await
}

async fn probe_host(options: &ConnectOptions, host: &Host, deadline: Duration) -> Result<Seen, StoreError> {
    let work = async {
        let mut conn: PgConnection = pg_options(options, host).connect().await?;
        let seen = look(&mut conn).await;
        drop(conn.close().await);
        seen
    };
    match tokio::time::timeout(deadline, work).await {
        Ok(seen) => seen,
        Err(_) => Err(StoreError::Deadline(deadline)),
    }
}

/// Does a connection answer?
pub async fn answers(conn: &mut PgConnection) -> Result<(), StoreError> {
    Ok(conn.ping().await?)
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
    /// It takes no writes, as a standby or by a setting.
    pub read_only: bool,
    /// Byte of the write-ahead log that it has written, or as a standby replayed.
    pub wal_at: i64,
    /// Seconds since the last transaction that a standby replayed was committed on its primary.
    pub replayed_seconds_ago: Option<f64>,
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
               pg_is_in_recovery() AS "standby!", current_setting('transaction_read_only') = 'on' AS "read_only!",
               (coalesce(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,
                         '0/0') - '0/0')::int8 AS "wal_at!",
               extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8 AS replayed_seconds_ago,
               coalesce((SELECT pg_has_role(current_user, oid, 'MEMBER') FROM pg_roles WHERE rolname = 'scrutineer_worker'), false) AS "in_worker!",
               coalesce((SELECT pg_has_role(current_user, oid, 'MEMBER') FROM pg_roles WHERE rolname = 'scrutineer_web'), false) AS "in_web!",
               (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS "superuser!",
               has_table_privilege(to_regclass('public.submission'), 'INSERT, UPDATE, DELETE') AS writes_submissions,
               has_column_privilege(to_regclass('public.phone'), 'msisdn', 'SELECT') AS reads_phones"#
    )
    .fetch_one(conn)
    .await?)
}
