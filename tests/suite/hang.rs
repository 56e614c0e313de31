//! A process that lives and does nothing: its watchdog is told no more, so that systemd, which the test
//! plays, kills it and starts it anew. A database that is away, slow or still is no hang, and neither is
//! having nothing to do.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use scrutineer::limits::GATEWAY_HANG_SECONDS;

use super::acknowledge::{stored, until_stored};
use super::support::cgroup::Cgroup;
use super::support::cluster::{Cluster, Durability};
use super::support::flood::{self, Flood, Make};
use super::support::pg;
use super::support::preload::SlowSync;
use super::support::process::{Launch, Process};
use super::support::site::Site;
use super::support::torture::{figure, rounds, skip};

/// `WatchdogSec=` here: short, so that the tests are.
const WATCHDOG: Duration = Duration::from_secs(6);
/// The dashboard's.
const DASHBOARD: Duration = Duration::from_secs(12);
const LONG: Duration = Duration::from_secs(120);

fn make() -> Make {
    Arc::new(|number| flood::text(&format!("3556{:07}", 5_000_000 + number % 1_000), &format!("note {number}")))
}

fn watched() -> Launch {
    Launch { watchdog: Some(WATCHDOG), ..Launch::default() }
}

/// What systemd does to a unit whose watchdog ran out.
async fn bite(process: &mut Process) {
    process.signal(Signal::ABORT);
    process.signal(Signal::KILL);
    process.ended().await;
}

/// Whether storing stands still before all are stored: nothing for twenty seconds, however long the whole takes.
async fn stands_still(database: &pg::Database, all: usize) -> bool {
    let (mut last, mut since) = (0, tokio::time::Instant::now());
    while since.elapsed() < Duration::from_secs(20) {
        let now = stored(database).await.len();
        if now >= all {
            return false;
        }
        if now > last {
            (last, since) = (now, tokio::time::Instant::now());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_stands_still_or_has_one_thread_frozen_is_found_and_nothing_is_lost() {
    let database = pg::database().await;
    let flood = Flood::start(100, 0, make()).await;
    let mut site = Site::new(&database).link(flood.port);
    site.worker = "hang_seconds = 5".to_owned();
    let _gateway = site.start("gateway").await;
    let config = site.config();

    // The whole process.
    let mut worker = Process::launch("worker", &config, &watched());
    worker.ready().await;
    flood.offer(1_000);
    flood.until_acknowledged(500, LONG).await;
    worker.signal(Signal::STOP);
    worker.until_silent(WATCHDOG, LONG).await;
    bite(&mut worker).await;

    // One thread of its runtime: either work goes on, or the watchdog is told no more.
    match Cgroup::freezer() {
        Err(missing) => skip(&missing),
        Ok(freezer) => {
            let (mut hangs, mut harmless) = (0, 0);
            let wanted = rounds(1, 8);
            for attempt in 0..wanted * 12 {
                if hangs == wanted {
                    break;
                }
                let mut worker = Process::launch("worker", &config, &watched());
                worker.ready().await;
                flood.offer(3_000);
                tokio::time::sleep(Duration::from_millis(300 + 70 * (attempt as u64 % 10))).await;
                let threads = worker.runtime_threads();
                freezer.freeze_thread(threads[attempt % threads.len()]);
                let stuck = stands_still(&database, flood.given() as usize).await;
                if stuck {
                    worker.until_silent(WATCHDOG, LONG).await;
                    hangs += 1;
                } else {
                    harmless += 1;
                }
                // What is frozen cannot die.
                worker.signal(Signal::KILL);
                freezer.thaw();
                worker.ended().await;
            }
            figure(
                "a worker's thread frozen",
                &format!(
                    "{hangs} times work stood still and the watchdog was told no more, {harmless} times work went on by the other thread | until the watchdog bites | nothing"
                ),
            );
        }
    }
    let _worker = site.start("worker").await;
    flood.until_acknowledged(flood.given() as usize, LONG).await;
    let all = flood.seen(|seen| seen.acknowledged.clone());
    until_stored(&database, &all, LONG).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_worker_and_one_whose_database_is_away_or_still_do_not_count_as_hung() {
    let postgres = Cluster::start(Durability::Fast);
    let database = pg::database_on(&postgres).await;
    let flood = Flood::start(100, 0, make()).await;
    let site = Site::new(&database).link(flood.port);
    let _gateway = site.start("gateway").await;
    let config = site.config();
    let mut worker = Process::launch("worker", &config, &watched());
    worker.ready().await;
    let while_so = Duration::from_secs(rounds(8, 240) as u64);
    worker.stays_lively(WATCHDOG, while_so).await;
    flood.offer(500);
    flood.until_acknowledged(500, LONG).await;
    // Each backend stands still, and so does the one that would take new connections.
    postgres.stop_still();
    flood.offer(500);
    worker.stays_lively(WATCHDOG, while_so).await;
    postgres.go_on();
    tokio::task::block_in_place(|| postgres.kill());
    worker.stays_lively(WATCHDOG, while_so).await;
    tokio::task::block_in_place(|| postgres.up());
    flood.until_acknowledged(1_000, LONG).await;
    let all = flood.seen(|seen| seen.acknowledged.clone());
    until_stored(&database, &all, LONG).await;
    assert!(worker.is_running());
    figure(
        "worker idle; PostgreSQL still (each process stopped); PostgreSQL gone",
        &format!("the watchdog is told on and on, nothing is restarted | {} s each | nothing", while_so.as_secs()),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_whose_disk_does_not_answer_counts_as_hung_and_loses_nothing() {
    let site = Site::without_database();
    let slow = match SlowSync::build(site.path()) {
        Ok(slow) => slow,
        Err(missing) => return skip(&missing),
    };
    let flood = Flood::start(100, 0, make()).await;
    let database = pg::database().await;
    let mut site = site.link_with("smsc", flood.port, "reconnect_seconds_max = 1");
    site.database = Some((database.host.clone(), database.name.clone()));
    let config = site.config();
    let launch = Launch { env: slow.env(), ..watched() };
    let mut gateway = Process::launch("gateway", &config, &launch);
    gateway.ready().await;
    flood.offer(300);
    flood.until_acknowledged(300, LONG).await;

    // Some seconds: no hang, the SMSC waits.
    slow.set_ms(2_000);
    flood.offer(300);
    gateway.stays_lively(WATCHDOG, Duration::from_secs(6)).await;
    assert_eq!(flood.seen(|seen| seen.refused), 0, "two seconds are withheld, not refused");
    slow.set_ms(0);
    flood.until_acknowledged(600, LONG).await;
    assert!(flood.seen(|seen| seen.slowest) > Duration::from_secs(1), "{:?}", flood.seen(|seen| seen.slowest));

    // A minute: the SMSC is told to deliver later, and the watchdog nothing.
    slow.set_ms(600_000);
    flood.offer(300);
    let begun = tokio::time::Instant::now();
    gateway.stays_lively(WATCHDOG, Duration::from_secs(GATEWAY_HANG_SECONDS - 5)).await;
    gateway.until_silent(WATCHDOG, LONG).await;
    let silent = begun.elapsed();
    gateway.logged("the spool's thread").await;
    assert!(flood.seen(|seen| seen.refused) > 0);
    slow.set_ms(0);
    bite(&mut gateway).await;
    let mut gateway = Process::launch("gateway", &config, &launch);
    gateway.ready().await;
    let _worker = site.start("worker").await;
    flood.until_acknowledged(900, LONG).await;
    let all = flood.seen(|seen| seen.acknowledged.clone());
    until_stored(&database, &all, LONG).await;
    figure(
        "a sync that does not end",
        &format!(
            "the SMSC is told to deliver later after 5 s, the watchdog told no more after {:.0} s, the gateway started anew | until then | nothing, nothing twice",
            silent.as_secs_f64()
        ),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dashboard_that_stands_still_is_found_and_one_without_a_database_is_well() {
    let site = Site::without_database();
    let config = site.config();
    let mut web =
        Process::launch("web", &config, &Launch { watchdog: Some(Duration::from_secs(12)), ..Launch::default() });
    web.ready().await;
    web.stays_lively(Duration::from_secs(12), Duration::from_secs(rounds(15, 60) as u64)).await;
    web.signal(Signal::STOP);
    web.until_silent(Duration::from_secs(12), LONG).await;
    bite(&mut web).await;
}

/// Freezes one thread of a process's runtime. True: its work goes on by the others; else the watchdog must be
/// told no more.
async fn goes_on_or_is_found(
    process: &mut Process,
    (freezer, at): (&Cgroup, usize),
    watchdog: Duration,
    work: impl AsyncFn() -> bool,
) -> bool {
    let threads = process.runtime_threads();
    freezer.freeze_thread(threads[at % threads.len()]);
    let begun = std::time::Instant::now();
    let mut goes_on = false;
    while !goes_on && begun.elapsed() < Duration::from_secs(15) {
        goes_on = work().await;
    }
    if !goes_on {
        process.until_silent(watchdog, LONG).await;
    }
    // What is frozen cannot die.
    process.signal(Signal::KILL);
    freezer.thaw();
    process.ended().await;
    goes_on
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_or_a_dashboard_with_one_thread_frozen_goes_on_or_is_found() {
    let freezer = match Cgroup::freezer() {
        Ok(freezer) => freezer,
        Err(missing) => return skip(&missing),
    };
    let database = pg::database().await;
    let flood = Flood::start(100, 0, make()).await;
    let mut site = Site::without_database().link_with("smsc", flood.port, "reconnect_seconds_max = 1");
    site.database = Some((database.host.clone(), database.name.clone()));
    let config = site.config();
    let (mut went_on, mut found) = ([0, 0], [0, 0]);
    let mut count = |which: usize, goes_on: bool| {
        went_on[which] += usize::from(goes_on);
        found[which] += usize::from(!goes_on);
    };
    for attempt in 0..rounds(1, 12) {
        let mut gateway = Process::launch("gateway", &config, &watched());
        gateway.ready().await;
        let had = flood.acknowledged();
        flood.offer(300);
        flood.until_acknowledged(had + 100, LONG).await;
        let work = async || {
            let before = flood.acknowledged();
            flood.offer(100);
            tokio::time::sleep(Duration::from_secs(1)).await;
            flood.acknowledged() > before
        };
        count(0, goes_on_or_is_found(&mut gateway, (&freezer, attempt), WATCHDOG, work).await);

        let launch = Launch { watchdog: Some(DASHBOARD), ..Launch::default() };
        let mut web = Process::launch("web", &config, &launch);
        web.ready().await;
        let browser = super::web::browser::Browser::new(super::support::flow::web_address(&web).await);
        let work = async || {
            let mut browser = browser.clone();
            let page = tokio::time::timeout(Duration::from_secs(2), browser.get("/sign-in")).await;
            page.is_ok_and(|page| page.status == 200)
        };
        count(1, goes_on_or_is_found(&mut web, (&freezer, attempt), DASHBOARD, work).await);
    }
    figure(
        "one thread of gateway or dashboard frozen",
        &format!(
            "gateway: {} times work went on by the other threads, {} times the watchdog was told no more; dashboard: {} and {} | until the watchdog bites | nothing",
            went_on[0], found[0], went_on[1], found[1]
        ),
    );
    // What was acknowledged is there.
    let mut gateway = Process::launch("gateway", &config, &watched());
    gateway.ready().await;
    let _worker = site.start("worker").await;
    flood.hold();
    let all = flood.seen(|seen| seen.acknowledged.clone());
    until_stored(&database, &all, LONG).await;
}
