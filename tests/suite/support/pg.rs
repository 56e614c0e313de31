//! A database a test, copied from a migrated template, on one PostgreSQL server a test run.
//!
//! The first test that asks starts the server; the others of the run, in processes of their own under
//! nextest, find it by the run's id. A watcher ends it when the run is over, however it ends.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection, Executor};

use super::cluster::{self, Durability};

/// Login that owns the schema, may migrate and import.
pub const OWNER: &str = "test-owner";
/// Login of the worker, a member of `scrutineer_worker`.
pub const WORKER: &str = "test-worker";
/// Login of the web, a member of `scrutineer_web`.
pub const WEB: &str = "test-web";

const TEMPLATE: &str = "scrutineer_template";

/// A database with the program's schema and nothing in it, dropped with this value.
#[derive(Debug)]
pub struct Database {
    /// Folder of the server's socket; the `host` of a configuration.
    pub host: PathBuf,
    /// Its name.
    pub name: String,
    drop_it: bool,
}

/// A fresh database on the run's server.
pub async fn database() -> Database {
    on(shared(), Some(TEMPLATE)).await
}

/// A fresh database on the run's server, not migrated.
pub async fn empty_database() -> Database {
    on(shared(), None).await
}

/// A fresh, migrated database on a server of the test's own (for those that kill it). It goes with its server.
pub async fn database_on(server: &cluster::Cluster) -> Database {
    make_logins_and_template(server.socket_dir()).await;
    copy_on(server).await
}

/// Another database on a server whose template is made.
pub async fn copy_on(server: &cluster::Cluster) -> Database {
    let mut database = on(server.socket_dir(), Some(TEMPLATE)).await;
    database.drop_it = false;
    database
}

async fn on(host: &Path, template: Option<&str>) -> Database {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("test_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let mut admin = connect(host, "postgres", "postgres").await;
    let from = template.map_or(String::new(), |template| format!("TEMPLATE {template}"));
    admin.execute(AssertSqlSafe(format!("CREATE DATABASE {name} OWNER \"{OWNER}\" {from}"))).await.unwrap();
    Database { host: host.to_owned(), name, drop_it: true }
}

impl Database {
    /// How to reach it under a login.
    pub fn options(&self, user: &str) -> PgConnectOptions {
        options(&self.host, user, &self.name)
    }

    /// A connection as the owner.
    pub async fn owner(&self) -> PgConnection {
        self.connect(OWNER).await
    }

    /// A connection as the server's superuser, who may read everything.
    pub async fn admin(&self) -> PgConnection {
        self.connect("postgres").await
    }

    /// A connection under a login.
    pub async fn connect(&self, user: &str) -> PgConnection {
        connect(&self.host, user, &self.name).await
    }

    /// The options that the program's own store takes, for a login.
    pub fn store_options(&self, user: &str, connections_max: u32) -> scrutineer::store::ConnectOptions {
        scrutineer::store::ConnectOptions {
            hosts: vec![scrutineer::store::Host {
                name: self.host.display().to_string(),
                port: cluster::PORT,
                tls: scrutineer::store::TlsMode::Disable,
            }],
            database: self.name.clone(),
            user: user.to_owned(),
            password: None,
            ca_file: None,
            application: "scrutineer-test".to_owned(),
            connections_max,
            deadline: std::time::Duration::from_secs(10),
            settings: Vec::new(),
        }
    }

    /// The address in the form that libpq and sqlx read.
    pub fn url(&self, user: &str) -> String {
        format!("postgres://{user}@localhost/{}?host={}&port={}", self.name, self.host.display(), cluster::PORT)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if !self.drop_it {
            return;
        }
        let (host, name) = (self.host.clone(), self.name.clone());
        // A thread of its own: this one may be inside a runtime.
        let _ = std::thread::spawn(move || {
            runtime().block_on(async {
                let mut admin = connect(&host, "postgres", "postgres").await;
                admin.execute(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).await.unwrap();
            });
        })
        .join();
    }
}

fn options(host: &Path, user: &str, database: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(host)
        .port(cluster::PORT)
        .username(user)
        .database(database)
        .application_name("scrutineer-test")
}

/// A connection to a server by the folder of its socket.
pub async fn connect(host: &Path, user: &str, database: &str) -> PgConnection {
    super::soon("a database connection", PgConnection::connect_with(&options(host, user, database))).await.unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// The run's server: its folder.
fn shared() -> &'static Path {
    static SHARED: OnceLock<PathBuf> = OnceLock::new();
    SHARED.get_or_init(|| {
        // Under nextest the runner is our parent and each test a process; else this process is the run.
        let (run, runner) = match std::env::var("NEXTEST_RUN_ID") {
            Ok(run) => (
                run.chars().filter(char::is_ascii_alphanumeric).take(16).collect(),
                std::os::unix::process::parent_id(),
            ),
            Err(_) => (std::process::id().to_string(), std::process::id()),
        };
        let dir = super::dir::base().join(format!("scr-run-{run}"));
        std::fs::create_dir_all(&dir).unwrap();
        let lock = std::fs::File::create(super::dir::base().join(format!("scr-run-{run}.lock"))).unwrap();
        lock.lock().unwrap();
        if !dir.join("ready").exists() {
            watch(runner, &dir);
            cluster::create(&dir, Durability::Fast);
            cluster::up_detached(&dir);
            let at = dir.clone();
            std::thread::spawn(move || runtime().block_on(make_logins_and_template(&at))).join().unwrap();
            std::fs::write(dir.join("ready"), "").unwrap();
        }
        dir
    })
}

/// Ends the server and its files when the runner is gone.
fn watch(runner: u32, dir: &Path) {
    let bin = cluster::bin_dir().expect("PostgreSQL's server is missing: install Debian's package `postgresql`");
    const SCRIPT: &str = r#"
        trap '' INT TERM HUP
        tail --pid="$1" -s 0.2 -f /dev/null
        pid=$(head -n 1 "$2/data/postmaster.pid" 2>/dev/null)
        if [ -n "$pid" ]; then kill -QUIT "$pid" && tail --pid="$pid" -s 0.1 -f /dev/null; fi
        rm -rf "$2" "$2.lock"
    "#;
    // In a session of its own, with no pipe of ours: it outlives the test that starts it.
    #[expect(clippy::zombie_processes, reason = "it ends after us")]
    let _watcher = Command::new("setsid")
        .args(["sh", "-c", SCRIPT, "sh", &runner.to_string()])
        .arg(dir)
        .current_dir(bin)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
}

/// The logins, and the migrated template that databases are copied from.
pub async fn make_logins_and_template(host: &Path) {
    let mut admin = connect(host, "postgres", "postgres").await;
    // The group roles belong to the cluster; the migrations would make them, but the logins need them first.
    for statement in [
        "CREATE ROLE scrutineer_worker NOLOGIN".to_owned(),
        "CREATE ROLE scrutineer_web NOLOGIN".to_owned(),
        format!("CREATE ROLE \"{OWNER}\" LOGIN CREATEROLE"),
        format!("CREATE ROLE \"{WORKER}\" LOGIN IN ROLE scrutineer_worker"),
        format!("CREATE ROLE \"{WEB}\" LOGIN IN ROLE scrutineer_web"),
        format!("CREATE DATABASE {TEMPLATE} OWNER \"{OWNER}\""),
    ] {
        admin.execute(AssertSqlSafe(statement)).await.unwrap();
    }
    let mut owner = connect(host, OWNER, TEMPLATE).await;
    sqlx::migrate!("./migrations").run(&mut owner).await.unwrap();
    owner.close().await.unwrap();
}
