//! The clock jumps an hour back and forth under the running processes, and the host restarts in the
//! middle: nothing is lost, doubled or stuck, and an observer's correction stays one.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::Row;

use super::acknowledge::until_stored;
use super::support::book::{Book, Place, Watcher};
use super::support::flood::{self, Flood, Make};
use super::support::flow;
use super::support::pg::{self, Database};
use super::support::preload::Clock;
use super::support::process::{self, Launch, Process};
use super::support::site::Site;
use super::support::torture::{figure, rounds, skip};
use super::web::browser::Browser;

const WATCHDOG: Duration = Duration::from_secs(6);
const LONG: Duration = Duration::from_secs(120);
const HOUR: i64 = 3_600;
/// Numbers from here on are reports, below it are notes.
const REPORTS: u64 = 1_000_000;

fn book() -> Book {
    let place = |code: &str, level, parent: &str| Place {
        code: code.to_owned(),
        name: code.to_owned(),
        level,
        parent: parent.to_owned(),
        registered_voters: None,
    };
    let checklist = json!({
        "prefix": "CK", "title": "By the clock",
        "questions": [{"code": "AA", "text": "Which correction is it", "type": "count", "max": 9999}],
    });
    Book {
        slug: "clock",
        places: vec![place("R1", "region", ""), place("S1", "station", "R1")],
        watchers: vec![Watcher { code: "100000".into(), phone: "355611000000".into(), station: "S1".into() }],
        checklists: vec![checklist],
        options: &[],
    }
}

fn make() -> Make {
    Arc::new(|number| match number.checked_sub(REPORTS) {
        Some(correction) => flood::text("355611000000", &format!("CK100000 AA{correction}")),
        None => flood::text(&format!("3556{:07}", 5_000_000 + number % 1_000), &format!("note {number}")),
    })
}

struct Run {
    site: Site,
    clock: Clock,
    gateway: Process,
    worker: Process,
}

impl Run {
    async fn start(site: Site, clock: Clock) -> Self {
        let (gateway, worker) = Self::processes(&site, &clock).await;
        Self { site, clock, gateway, worker }
    }

    async fn processes(site: &Site, clock: &Clock) -> (Process, Process) {
        let config = site.config();
        let launch = Launch { env: clock.env(), watchdog: Some(WATCHDOG), ..Launch::default() };
        let mut gateway = Process::launch("gateway", &config, &launch);
        gateway.ready().await;
        let mut worker = Process::launch("worker", &config, &launch);
        worker.ready().await;
        (gateway, worker)
    }

    async fn lives_on(&self, watch: Duration) {
        tokio::join!(self.gateway.stays_lively(WATCHDOG, watch), self.worker.stays_lively(WATCHDOG, watch));
    }

    /// As a host that restarts: all are killed, and come again.
    async fn restart(&mut self) {
        self.gateway.kill().await;
        self.worker.kill().await;
        (self.gateway, self.worker) = Self::processes(&self.site, &self.clock).await;
    }
}

/// The answer that stands, once so many revisions are stored.
async fn answer(database: &Database, revisions: i64) -> Value {
    let mut admin = database.admin().await;
    super::support::within(LONG, "the revisions", async {
        loop {
            let sql = "SELECT (SELECT count(*) FROM revision), (SELECT answers::text FROM submission)";
            let row = sqlx::query(sql).fetch_one(&mut admin).await.unwrap();
            if row.get::<i64, _>(0) >= revisions {
                return serde_json::from_str(row.get(1)).unwrap();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_an_hour_loses_doubles_and_sticks_nothing_and_a_correction_stays_one() {
    let database = pg::database().await;
    let notes = Flood::start(50, 0, make()).await;
    let reports = Flood::start(1, REPORTS, make()).await;
    let keys = "reconnect_seconds_max = 1";
    let site = Site::new(&database).link_with("notes", notes.port, keys).link_with("reports", reports.port, keys);
    let clock = match Clock::new(site.path()) {
        Ok(clock) => clock,
        Err(missing) => return skip(&missing),
    };
    book().set_up(&site).await;
    let mut run = Run::start(site, clock).await;
    let mut corrections = 0;
    let mut correct = async |why: &str| {
        reports.offer(1);
        corrections += 1;
        reports.until_acknowledged(corrections, LONG).await;
        let stands = answer(&database, corrections as i64).await;
        assert_eq!(stands["AA"], json!(corrections - 1), "{why}: the earlier report stands");
    };
    correct("at first").await;
    let jumps = [0, -HOUR, 0, HOUR, 0, -HOUR, HOUR];
    let mut offered = 0;
    for round in 0..rounds(1, 6) {
        for jump in jumps {
            run.clock.set(jump);
            notes.offer(200);
            offered += 200;
            correct(&format!("round {round}, the clock {jump:+} s")).await;
            run.lives_on(Duration::from_secs(2)).await;
        }
        // A host that restarts while its clock is wrong, and one whose clock jumps as it restarts.
        run.clock.set(-HOUR);
        notes.offer(200);
        offered += 200;
        run.restart().await;
        correct("after a restart an hour back").await;
        run.clock.set(0);
        run.restart().await;
        correct("after a restart").await;
        notes.until_acknowledged(offered as usize, LONG).await;
    }
    let all = notes.seen(|seen| seen.acknowledged.clone());
    until_stored(&database, &all, LONG).await;
    let sql =
        "SELECT count(*) FILTER (WHERE state = 'expired'), count(*) FILTER (WHERE state IN ('sent', 'delivered')),
                      count(*) FILTER (WHERE state IN ('due', 'leased')) FROM outbox";
    let mut admin = database.admin().await;
    let begun = tokio::time::Instant::now();
    let (expired, sent) = loop {
        let row = sqlx::query(sql).fetch_one(&mut admin).await.unwrap();
        let open: i64 = row.get(2);
        if open == 0 {
            break (row.get::<i64, _>(0), row.get::<i64, _>(1));
        }
        assert!(begun.elapsed() < 2 * LONG, "{open} replies stay open\n{}", run.worker.log());
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    assert_eq!(expired, 0, "a jump makes no reply stale");
    // Times of receipt order the corrections as they came.
    let sql = "SELECT m.received_at FROM message m WHERE text LIKE 'CK%' ORDER BY substring(text FROM 'AA(\\d+)')::int";
    let times: Vec<time::OffsetDateTime> =
        sqlx::query(sql).fetch_all(&mut admin).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert!(times.is_sorted(), "{times:?}");
    let ahead = *times.last().unwrap() - time::OffsetDateTime::now_utc();
    assert!(
        ahead > time::Duration::minutes(40),
        "the clock was set forward, and times of receipt don't go back: {ahead}"
    );
    figure(
        "clock jumps an hour, back and forth, and the host restarts",
        &format!(
            "{} jumps, {corrections} corrections in their order, {sent} replies sent, none expired; the watchdog is told on and on | none | nothing of {offered}, nothing twice",
            jumps.len() * rounds(1, 6)
        ),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dashboard_whose_clock_jumps_an_hour_keeps_people_signed_in_and_lets_others_sign_in() {
    let database = pg::database().await;
    let site = Site::new(&database);
    let clock = match Clock::new(site.path()) {
        Ok(clock) => clock,
        Err(missing) => return skip(&missing),
    };
    let config = site.config();
    let add = ["user", "add", "amina", "--role", "analyst", "--password-file", "-"];
    assert!(process::run_with_input(&config, add, "correct horse battery\n").await.status.success());
    let launch = Launch { env: clock.env(), watchdog: Some(WATCHDOG), ..Launch::default() };
    let mut web = Process::launch("web", &config, &launch);
    web.ready().await;
    let address = flow::web_address(&web).await;
    let mut before = Browser::new(address);
    assert_eq!(before.sign_in("amina", "correct horse battery").await.status, 303);
    for jump in [HOUR, -HOUR, 0] {
        clock.set(jump);
        web.stays_lively(WATCHDOG, Duration::from_secs(2)).await;
        assert_eq!(before.get("/elections").await.status, 200, "{jump} s: {}", web.log());
        let mut now = Browser::new(address);
        assert_eq!(now.sign_in("amina", "correct horse battery").await.status, 303, "{jump} s");
        assert_eq!(now.get("/elections").await.status, 200, "{jump} s");
    }
    assert!(web.stop().await.success(), "{}", web.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_to_texts_of_seven_hours_ago_expire_and_are_not_sent_when_the_worker_is_back() {
    let database = pg::database().await;
    let notes = Flood::start(50, 0, make()).await;
    let site = Site::new(&database).link_with("notes", notes.port, "reconnect_seconds_max = 1");
    let clock = match Clock::new(site.path()) {
        Ok(clock) => clock,
        Err(missing) => return skip(&missing),
    };
    let config = site.config();
    // Seven hours ago the worker went; the gateway took on what came.
    clock.set(-7 * HOUR);
    let launch = Launch { env: clock.env(), ..Launch::default() };
    let mut gateway = Process::launch("gateway", &config, &launch);
    gateway.ready().await;
    notes.offer(60);
    notes.until_acknowledged(60, LONG).await;
    gateway.stop().await;
    clock.set(0);
    let mut gateway = Process::launch("gateway", &config, &launch);
    gateway.ready().await;
    notes.offer(40);
    notes.until_acknowledged(100, LONG).await;
    let worker = site.start("worker").await;
    let mut admin = database.admin().await;
    super::support::within(LONG, "every reply", async {
        let sql =
            "SELECT count(*) FILTER (WHERE state = 'expired'), count(*) FILTER (WHERE state = 'sent') FROM outbox";
        loop {
            let row = sqlx::query(sql).fetch_one(&mut admin).await.unwrap();
            if (row.get::<i64, _>(0), row.get::<i64, _>(1)) == (60, 40) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    assert_eq!(notes.seen(|seen| seen.submitted.len()), 40, "nothing stale was sent\n{}", worker.log());
    let stored: i64 = sqlx::query_scalar("SELECT count(*) FROM message").fetch_one(&mut admin).await.unwrap();
    assert_eq!(stored, 100, "every text is there");
    figure(
        "an outage of seven hours",
        "all texts are stored; replies older than six hours expire, the others are sent | | 60 of 100 replies, as they were stale",
    );
}
