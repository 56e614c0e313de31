//! A primary and a standby that streams from it, each a server of its own.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor};

use super::cluster::{self, Cluster, Durability, server_command};
use super::pg::{self, Database};

/// Two servers.
#[derive(Debug)]
pub struct Pair {
    /// What was the primary at the beginning.
    pub first: Cluster,
    /// Its standby.
    pub second: Cluster,
    /// The database on the first; the other has a copy.
    pub database: Database,
}

impl Pair {
    /// Starts both; with `synchronous` each commit waits for the standby.
    pub async fn start(synchronous: bool) -> Self {
        let first = Cluster::start(Durability::Synced);
        first.configure("wal_keep_size = 256MB");
        let database = pg::database_on(&first).await;
        let from = first.socket_dir().to_owned();
        let second = Cluster::made_by(|dir| {
            cluster::run(
                server_command("pg_basebackup")
                    .args(["-U", "postgres", "-X", "stream", "-c", "fast", "--no-sync", "-R", "-p"])
                    .arg(cluster::PORT.to_string())
                    .arg("-h")
                    .arg(&from)
                    .arg("-D")
                    .arg(dir.join("data")),
            );
        });
        second.configure(&format!(
            "unix_socket_directories = '{}'\ncluster_name = 'second'",
            second.socket_dir().display()
        ));
        second.up();
        let pair = Self { first, second, database };
        pair.until_streaming().await;
        if synchronous {
            let mut admin = pair.on_first().await;
            admin.execute("ALTER SYSTEM SET synchronous_standby_names = '*'").await.unwrap();
            admin.execute("SELECT pg_reload_conf()").await.unwrap();
            until(&mut admin, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'", 1).await;
        }
        pair
    }

    async fn until_streaming(&self) {
        let mut admin = self.on_first().await;
        until(&mut admin, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'", 1).await;
    }

    /// `host` of a configuration, the standby first.
    pub fn hosts(&self) -> String {
        format!("[\"{}\", \"{}\"]", self.second.socket_dir().display(), self.first.socket_dir().display())
    }

    /// The superuser on the first server.
    pub async fn on_first(&self) -> PgConnection {
        self.on(&self.first).await
    }

    /// The superuser on the second server.
    pub async fn on_second(&self) -> PgConnection {
        self.on(&self.second).await
    }

    async fn on(&self, server: &Cluster) -> PgConnection {
        pg::connect(server.socket_dir(), "postgres", &self.database.name).await
    }

    /// The standby receives nothing more: what is committed from now on it lacks.
    pub async fn cut(&self) {
        let mut admin = self.on_second().await;
        admin.execute("ALTER SYSTEM SET primary_conninfo = ''").await.unwrap();
        admin.execute("SELECT pg_reload_conf()").await.unwrap();
        until(&mut admin, "SELECT count(*) FROM pg_stat_wal_receiver", 0).await;
    }

    /// The standby takes over.
    pub async fn promote(&self) {
        let data = self.second.socket_dir().join("data");
        tokio::task::block_in_place(|| {
            cluster::run(server_command("pg_ctl").args(["promote", "-w", "-s", "-D"]).arg(data));
        });
    }
}

/// Waits until a query gives this number.
pub async fn until(conn: &mut PgConnection, sql: &str, wanted: i64) {
    super::within(std::time::Duration::from_secs(90), sql, async {
        while sqlx::query_scalar::<_, i64>(AssertSqlSafe(sql.to_owned())).fetch_one(&mut *conn).await.unwrap() != wanted
        {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await;
}
