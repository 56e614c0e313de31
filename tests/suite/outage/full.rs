//! The disk under PostgreSQL is full.

use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sqlx::{Connection, PgConnection};

use super::said_away;
use crate::support::cluster::{self, Cluster, Durability};
use crate::support::flow::{self, Flow, number};
use crate::support::pg;
use crate::support::torture::{self, figure};

/// A server whose files stand on a small disk of its own.
struct Small {
    cluster: Cluster,
    disk: PathBuf,
}

/// What stands on the small disk.
#[derive(Clone, Copy, PartialEq)]
enum On {
    /// All.
    Data,
    /// The write-ahead log.
    Wal,
}

impl Small {
    fn start(on: On) -> Option<Self> {
        let mut disk = PathBuf::new();
        let mut mounted = false;
        let cluster = Cluster::made_by(|dir| {
            disk = dir.join("disk");
            std::fs::create_dir(&disk).unwrap();
            let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=220m", "tmpfs"]).arg(&disk).output();
            mounted = mount.is_ok_and(|o| o.status.success());
            if mounted {
                let owner = std::fs::metadata(dir).unwrap();
                chown(&disk, Some(owner.uid()), Some(owner.gid())).unwrap();
                if on == On::Data {
                    std::fs::create_dir(disk.join("data")).unwrap();
                    chown(disk.join("data"), Some(owner.uid()), Some(owner.gid())).unwrap();
                    std::os::unix::fs::symlink(disk.join("data"), dir.join("data")).unwrap();
                }
                cluster::create(dir, Durability::Synced);
                if on == On::Wal {
                    let (from, to) = (dir.join("data/pg_wal"), disk.join("wal"));
                    let moved = Command::new("cp").arg("-a").arg(&from).arg(&to).status();
                    assert!(moved.unwrap().success());
                    std::fs::remove_dir_all(&from).unwrap();
                    std::os::unix::fs::symlink(&to, &from).unwrap();
                }
            }
        });
        if !mounted {
            return None;
        }
        cluster.configure("min_wal_size = 32MB\nmax_wal_size = 64MB");
        let small = Self { cluster, disk };
        small.cluster.up();
        Some(small)
    }

    /// Fills it to the last byte.
    fn fill(&self) -> PathBuf {
        let file = self.disk.join("filled");
        let _ = Command::new("dd").args(["if=/dev/zero", "bs=4k", "status=none"]).arg(of(&file)).output();
        file
    }
}

fn of(file: &Path) -> String {
    format!("of={}", file.display())
}

impl Drop for Small {
    fn drop(&mut self) {
        self.cluster.kill();
        let _ = Command::new("umount").arg("-l").arg(&self.disk).output();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_under_postgresql_is_an_outage_that_ends_with_it() {
    if !rustix::process::geteuid().is_root() {
        return torture::skip("needs root, for a small disk of its own");
    }
    let Some(small) = Small::start(On::Data) else { return torture::skip("may not mount a tmpfs") };
    let database = pg::database_on(&small.cluster).await;
    flow::elect(&mut database.owner().await).await;
    let mut flow = Flow::start(&database, None, "").await;
    flow.feed(200).await;
    flow.until_stored(&mut database.admin().await, 200).await;
    let filled = small.fill();
    // Until it feels that: what has room already takes some more.
    let mut fed = 200;
    while !["the database is away", "the database does not take what it is given"]
        .iter()
        .any(|s| flow.worker.log().contains(s))
    {
        assert!(fed < 200_000, "the disk does not get full\n{}", small.cluster.log());
        flow.feed(500).await;
        fed += 500;
        flow.until_acknowledged(fed).await;
    }
    let log = small.cluster.log();
    let how = if log.contains("PANIC") { "PostgreSQL stops" } else { "PostgreSQL refuses writes" };
    assert!(log.contains("No space left on device"), "{log}");
    flow.feed(200).await;
    flow.until_acknowledged(fed + 200).await;
    std::fs::remove_file(&filled).unwrap();
    // A server that gave up altogether is started again, as systemd would.
    if !small.cluster.is_running() {
        tokio::task::block_in_place(|| small.cluster.up());
    }
    let mut admin = database.admin().await;
    let had = u64::try_from(number(&mut admin, "SELECT count(*) FROM message").await).unwrap();
    let took = flow.until_stored(&mut admin, had + 1).await;
    assert!(took < Duration::from_secs(20), "{took:?}");
    let doubled = flow.check(&mut admin).await;
    said_away(&flow);
    figure(
        "the disk under PostgreSQL is full",
        &format!(
            "{how}; texts are acknowledged and spooled | work goes on {took:.1?} after there is room | 0 of {} lost, {doubled} replies doubled",
            flow.fed()
        ),
    );
    flow.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_under_the_log_stops_postgresql_and_is_an_outage_that_ends_with_it() {
    if !rustix::process::geteuid().is_root() {
        return torture::skip("needs root, for a small disk of its own");
    }
    let Some(small) = Small::start(On::Wal) else { return torture::skip("may not mount a tmpfs") };
    let database = pg::database_on(&small.cluster).await;
    flow::elect(&mut database.owner().await).await;
    let mut flow = Flow::start(&database, None, "").await;
    flow.feed(200).await;
    flow.until_stored(&mut database.admin().await, 200).await;
    let filled = small.fill();
    // What is left of the log's files is used up.
    let mut admin = database.admin().await;
    sqlx::raw_sql("CREATE TABLE eats (t text)").execute(&mut admin).await.unwrap();
    let eat = "INSERT INTO eats SELECT repeat(md5(n::text), 60) FROM generate_series(1, 4000) n";
    let mut meals = 0;
    while sqlx::raw_sql(eat).execute(&mut admin).await.is_ok() {
        meals += 1;
        assert!(meals < 60, "the log does not get full\n{}", small.cluster.log());
    }
    assert!(small.cluster.log().contains("PANIC"), "{}", small.cluster.log());
    flow.feed(200).await;
    flow.until_acknowledged(400).await;
    std::fs::remove_file(&filled).unwrap();
    // It tries to recover by itself, and gives up where that needs room; then it is started again, as systemd would.
    let begun = std::time::Instant::now();
    let mut admin = loop {
        if !small.cluster.is_running() {
            tokio::task::block_in_place(|| small.cluster.up());
        }
        if let Ok(conn) = PgConnection::connect_with(&database.options(pg::OWNER)).await {
            break conn;
        }
        assert!(begun.elapsed() < flow::STANDSTILL, "{}", small.cluster.log());
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let took = flow.until_stored(&mut admin, 400).await;
    let doubled = flow.check(&mut admin).await;
    figure(
        "the disk under PostgreSQL's log is full",
        &format!(
            "PostgreSQL panics and stops; texts are acknowledged and spooled | all stored {took:.1?} after it runs again | 0 of {} lost, {doubled} replies doubled",
            flow.fed()
        ),
    );
    flow.stop().await;
}
