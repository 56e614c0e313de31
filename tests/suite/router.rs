//! The silent router: connections to PostgreSQL whose packets are dropped with no reset, idle ones and
//! ones in use, all at once and one alone. Work goes on within ten seconds, for worker and web alike.

use std::time::{Duration, Instant};

use sqlx::Executor;

use super::support::cluster::{self, Cluster, Durability};
use super::support::flow::{self, Flow, number};
use super::support::netlab::{self, DATABASE, Lab, Side};
use super::support::pg::{self, Database};
use super::support::process::{self, Process};
use super::support::replica::until;
use super::support::torture::{self, figure, rounds};
use super::web::browser::Browser;

/// The promise.
const REACH: Duration = Duration::from_secs(10);

/// A site whose database is behind the router.
struct Scene {
    lab: Lab,
    cluster: Cluster,
    database: Database,
}

impl Scene {
    async fn flow(&self) -> Flow {
        flow::elect(&mut pg::connect(self.cluster.socket_dir(), pg::OWNER, &self.database.name).await).await;
        Flow::start(&self.database, Some(&format!("\"{DATABASE}\"")), "tls = \"disable\"").await
    }

    async fn web(&self, flow: &Flow) -> (Process, Browser) {
        let add = ["user", "add", "amina", "--role", "analyst", "--password-file", "-"];
        let added = process::run_with_input(&flow.config, add, "correct horse battery\n").await;
        assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
        let web = Process::start("web", &flow.config).await;
        let mut browser = Browser::new(flow::web_address(&web).await);
        assert_eq!(browser.sign_in("amina", "correct horse battery").await.status, 303);
        (web, browser)
    }

    async fn admin(&self) -> sqlx::PgConnection {
        self.database.admin().await
    }
}

/// Runs a test where the program stands in the lab.
fn play(test: impl AsyncFnOnce(&Scene) + Send) {
    if let Some(missing) = netlab::missing() {
        return torture::skip(&missing);
    }
    let lab = Lab::new();
    let cluster = Cluster::made_by(|dir| cluster::create(dir, Durability::Fast));
    cluster.configure("listen_addresses = '*'");
    let hba = cluster.socket_dir().join("data/pg_hba.conf");
    let text = std::fs::read_to_string(&hba).unwrap();
    std::fs::write(&hba, format!("{text}\nhost all all 10.77.0.0/16 trust\n")).unwrap();
    lab.inside(Side::Database, || cluster.up());
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let database = std::thread::scope(|s| s.spawn(|| runtime().block_on(pg::database_on(&cluster))).join()).unwrap();
    let scene = Scene { lab, cluster, database };
    scene.lab.inside(Side::Program, || runtime().block_on(test(&scene)));
}

/// Four pages at once, so that each of the web's connections is open.
async fn look(browser: &Browser) -> Vec<u16> {
    let paths = ["/elections", "/elections/test", "/messages", "/status"];
    let looks = paths.map(|path| {
        let mut browser = browser.clone();
        async move { browser.get(path).await.status }
    });
    futures_util::future::join_all(looks).await
}

/// Waits until each page comes; returns how long that took.
async fn until_pages(browser: &Browser) -> Duration {
    let begun = Instant::now();
    loop {
        let seen = look(browser).await;
        if seen == [200; 4] {
            break;
        }
        assert!(begun.elapsed() < flow::STANDSTILL, "pages do not come back: {seen:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    begun.elapsed()
}

#[test]
fn idle_connections_that_the_router_forgot_hold_neither_worker_nor_web() {
    play(async |scene| {
        let mut flow = scene.flow().await;
        let (_web, browser) = scene.web(&flow).await;
        let mut admin = scene.admin().await;
        let (mut worst, mut worst_web) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..rounds(2, 20) {
            flow.feed(100).await;
            flow.until_stored(&mut admin, flow.fed()).await;
            until_pages(&browser).await;
            // Past the time for which a connection needs no ping.
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            scene.lab.forget();
            let before = flow.fed();
            flow.feed(20).await;
            let (took, took_web) = tokio::join!(flow.until_stored(&mut admin, before + 20), until_pages(&browser));
            worst = worst.max(took);
            worst_web = worst_web.max(took_web);
        }
        assert!(worst < REACH && worst_web < REACH, "worker {worst:?}, web {worst_web:?}");
        let doubled = flow.check(&mut admin).await;
        figure(
            "router forgot idle connections, no reset",
            &format!(
                "dead ones are found by a ping and made anew | worker {worst:.1?}, web {worst_web:.1?} at most | 0 of {} lost, {doubled} replies doubled",
                flow.fed()
            ),
        );
        flow.stop().await;
    });
}

#[test]
fn idle_connections_are_kept_alive_and_the_dead_are_found_before_they_are_needed() {
    play(async |scene| {
        let mut flow = scene.flow().await;
        let mut admin = scene.admin().await;
        flow.feed(100).await;
        flow.until_stored(&mut admin, 100).await;
        let backends =
            "SELECT coalesce(sum(extract(epoch FROM backend_start) * 1000000)::int8, 0) FROM pg_stat_activity
                        WHERE usename = 'test-worker'";
        let made = number(&mut admin, backends).await;
        // A router that forgets sooner than most.
        scene.lab.forget_idle_after(20);
        tokio::time::sleep(Duration::from_secs(30)).await;
        flow.feed(100).await;
        let took = flow.until_stored(&mut admin, 200).await;
        assert_eq!(number(&mut admin, backends).await, made, "no connection was made anew");
        flow.check(&mut admin).await;
        scene.lab.forget();
        flow.worker.logged("idle database connections were dead").await;
        flow.feed(50).await;
        let after = flow.until_stored(&mut admin, 250).await;
        flow.check(&mut admin).await;
        figure(
            "idle connections behind a router that forgets after 20 s",
            &format!(
                "kept alive; the dead are found by the keeper | {took:.1?} after 30 s of silence, {after:.1?} after it forgot all the same | nothing"
            ),
        );
        flow.stop().await;
    });
}

#[test]
fn connections_in_use_that_the_router_forgets_are_left_within_ten_seconds() {
    play(async |scene| {
        let mut flow = scene.flow().await;
        let (_web, browser) = scene.web(&flow).await;
        let mut admin = scene.admin().await;
        let (mut worst, mut worst_web) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..rounds(1, 10) {
            let before = flow.fed();
            flow.feed(1_000).await;
            flow.until_stored(&mut admin, before + 300).await;
            until_pages(&browser).await;
            scene.lab.forget();
            // What was committed on the way counts for nothing: wait for what comes after it.
            let had = u64::try_from(number(&mut admin, "SELECT count(*) FROM message").await).unwrap();
            let some = (had + 100).min(flow.fed());
            let (took, took_web) = tokio::join!(flow.until_stored(&mut admin, some), until_pages(&browser));
            worst = worst.max(took);
            worst_web = worst_web.max(took_web);
            flow.until_stored(&mut admin, flow.fed()).await;
        }
        assert!(worst < REACH && worst_web < REACH, "worker {worst:?}, web {worst_web:?}");
        let doubled = flow.check(&mut admin).await;
        figure(
            "router forgot connections in use, no reset",
            &format!(
                "the deadline leaves them, the batch is made again | worker {worst:.1?}, web {worst_web:.1?} at most | 0 of {} lost, {doubled} replies doubled",
                flow.fed()
            ),
        );
        flow.stop().await;
    });
}

#[test]
fn packets_dropped_for_a_while_both_ways_stop_work_no_longer_than_ten_seconds_after_they_pass_again() {
    play(async |scene| {
        let mut flow = scene.flow().await;
        let (_web, browser) = scene.web(&flow).await;
        let mut admin = scene.admin().await;
        flow.feed(1_000).await;
        flow.until_stored(&mut admin, 300).await;
        scene.lab.drop_all();
        flow.feed(500).await;
        flow.until_acknowledged(1_500).await;
        tokio::time::sleep(Duration::from_secs(rounds(14, 60) as u64)).await;
        let dropped = number(&mut admin, "SELECT count(*) FROM pg_stat_activity WHERE usename IN ('test-worker', 'test-web')
                                          AND state IN ('active', 'idle in transaction', 'idle in transaction (aborted)')").await;
        assert_eq!(dropped, 0, "the server ended what serves nobody");
        scene.lab.heal();
        let had = u64::try_from(number(&mut admin, "SELECT count(*) FROM message").await).unwrap();
        let (took, took_web) = tokio::join!(flow.until_stored(&mut admin, had + 1), until_pages(&browser));
        assert!(took < REACH && took_web < REACH, "worker {took:?}, web {took_web:?}");
        let doubled = flow.check(&mut admin).await;
        figure(
            "all packets to PostgreSQL dropped for a while",
            &format!(
                "texts are acknowledged and spooled meanwhile | worker {took:.1?}, web {took_web:.1?} after they pass again | 0 of {} lost, {doubled} replies doubled",
                flow.fed()
            ),
        );
        flow.stop().await;
    });
}

#[test]
fn one_stuck_connection_holds_no_other_and_its_locks_are_free_soon() {
    play(async |scene| {
        let mut flow = scene.flow().await;
        let mut admin = scene.admin().await;
        flow.feed(200).await;
        flow.until_stored(&mut admin, 200).await;
        // A batch is caught in the middle of its transaction, with its locks, by one that holds the table.
        let mut holder = scene.admin().await;
        holder.execute("BEGIN; LOCK TABLE outbox IN SHARE MODE").await.unwrap();
        flow.feed(50).await;
        until(&mut admin, "SELECT least(count(*), 1) FROM pg_stat_activity WHERE usename = 'test-worker' AND wait_event_type = 'Lock'", 1).await;
        let port: i32 = sqlx::query_scalar(
            "SELECT client_port FROM pg_stat_activity WHERE usename = 'test-worker' AND wait_event_type = 'Lock' LIMIT 1",
        )
        .fetch_one(&mut admin)
        .await
        .unwrap();
        scene.lab.drop_port(u16::try_from(port).unwrap());
        holder.execute("ROLLBACK").await.unwrap();
        let begun = Instant::now();
        flow.feed(500).await;
        let took = flow.until_stored(&mut admin, 750).await;
        assert!(took < 2 * REACH, "{took:?}");
        let held = "SELECT count(*) FROM pg_stat_activity WHERE client_port = ";
        until(&mut admin, &format!("{held}{port} AND xact_start IS NOT NULL"), 0).await;
        let freed = begun.elapsed();
        until(&mut admin, &format!("{held}{port}"), 0).await;
        let gone = begun.elapsed();
        let doubled = flow.check(&mut admin).await;
        figure(
            "one connection of the worker is stuck in its transaction",
            &format!(
                "the other lanes go on; the server ends its transaction after {freed:.1?}, the connection after {gone:.1?} | all done after {took:.1?} | 0 of {} lost, {doubled} replies doubled",
                flow.fed()
            ),
        );
        flow.stop().await;
    });
}
