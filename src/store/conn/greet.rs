//! The first words on a fresh connection: settings that depend on the server's version, and who it is.

use std::time::Duration;

use sqlx::Row;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _};

use crate::limits::{
    DATABASE_PEER_CHECK_MS, DATABASE_PEER_IDLE_SECONDS, DATABASE_PEER_PROBE_SECONDS, DATABASE_PEER_PROBES,
    DATABASE_PEER_SILENT_SECONDS,
};

/// Who a server is. Two that are equal have every commit that was ever acknowledged by either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    /// When its postmaster started, microseconds since the epoch: another one for each server and restart.
    pub(super) started_us: i64,
    /// Timeline that it writes to; 0 when it wasn't asked. Counted up by each promotion.
    pub(super) timeline: u32,
}

/// What a server said of itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Greeting {
    pub(super) identity: Identity,
    /// It follows another server.
    pub(super) standby: bool,
    /// It takes no writes, as a standby or by `default_transaction_read_only`.
    pub(super) read_only: bool,
    /// Identifier of the cluster, which a standby shares with its primary; 0 when it wasn't asked.
    pub(super) system: i64,
}

/// Connects and greets.
pub(super) async fn connect(
    to: &PgConnectOptions,
    ask_timeline: bool,
) -> Result<(PgConnection, Greeting), sqlx::Error> {
    let mut conn = to.connect().await?;
    let greeting = greet(&mut conn, ask_timeline).await?;
    Ok((conn, greeting))
}

/// One round trip, and one more for the timeline where several hosts make that matter.
async fn greet(conn: &mut PgConnection, ask_timeline: bool) -> Result<Greeting, sqlx::Error> {
    let version = conn.server_version_num().unwrap_or(0);
    // The server ends by itself what serves nobody: a peer that answers nothing, and (from 14 on) a
    // statement whose connection was closed. No effect on a Unix socket but for the last.
    let mut settings = vec![
        ("tcp_keepalives_idle", DATABASE_PEER_IDLE_SECONDS.to_string()),
        ("tcp_keepalives_interval", DATABASE_PEER_PROBE_SECONDS.to_string()),
        ("tcp_keepalives_count", DATABASE_PEER_PROBES.to_string()),
    ];
    if version >= 12_00_00 {
        settings.push(("tcp_user_timeout", Duration::from_secs(DATABASE_PEER_SILENT_SECONDS).as_millis().to_string()));
    }
    if version >= 14_00_00 {
        settings.push(("client_connection_check_interval", DATABASE_PEER_CHECK_MS.to_string()));
    }
    let mut sql = String::new();
    for (name, value) in settings {
        sql.push_str(&format!("SET {name} = {value}; "));
    }
    // What is acknowledged must outlive a crash of the server, whatever the server's default is.
    sql.push_str(
        "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'; \
         SELECT pg_is_in_recovery() AS standby, current_setting('transaction_read_only') = 'on' AS read_only, \
             (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::int8 AS started_us",
    );
    let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut *conn).await?;
    let row = rows.last().ok_or(sqlx::Error::RowNotFound)?;
    let mut greeting = Greeting {
        identity: Identity { started_us: row.try_get("started_us")?, timeline: 0 },
        standby: row.try_get("standby")?,
        read_only: row.try_get("read_only")?,
        system: 0,
    };
    if ask_timeline && !greeting.standby {
        // Where a provider doesn't let us ask, hosts are told apart by what they take alone.
        const ASK: &str = "SELECT ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int AS timeline, \
                               system_identifier AS system FROM pg_control_system()";
        match sqlx::raw_sql(ASK).fetch_one(&mut *conn).await {
            Ok(row) => {
                greeting.identity.timeline = u32::try_from(row.try_get::<i32, _>("timeline")?).unwrap_or(0);
                greeting.system = row.try_get("system")?;
            }
            Err(sqlx::Error::Database(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(greeting)
}
