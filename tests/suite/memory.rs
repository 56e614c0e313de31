//! Each process in a memory cgroup at its cap, under far more load than it can take: it is not killed,
//! the SMSC or the browser is told to wait, and nothing that was acknowledged is lost. Then the cap does
//! kill it, and it comes back.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use scrutineer::limits::{self, GATEWAY_MEMORY_BYTES_MAX, WEB_MEMORY_BYTES_MAX, WORKER_MEMORY_BYTES_MAX};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::acknowledge::until_stored;
use super::support::book::{Book, Place, Watcher};
use super::support::cgroup::Cgroup;
use super::support::flood::{self, Flood, Make};
use super::support::flow;
use super::support::pg;
use super::support::preload::SlowSync;
use super::support::process::{self, Launch, Process};
use super::support::site::Site;
use super::support::torture::{figure, is_long, rounds, skip};
use super::web::browser::Browser;

mod worker;

const LONG: Duration = Duration::from_secs(400);
/// Between the numbers of two links.
const APART: u64 = 10_000_000;

/// The greatest amount of anonymous memory that a process had, looked at now and then.
async fn watch_anon(group: &Cgroup, watch: Duration) -> u64 {
    let begun = tokio::time::Instant::now();
    let mut greatest = 0;
    while begun.elapsed() < watch {
        greatest = greatest.max(group.usage().anon);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    greatest
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Holds what was measured against what `limits.rs` allows: the process at rest against its part for that, which
/// is the last one, with what it always holds; its peak against the sum, and the sum against the cap. A sum that
/// is more than three times what the long form can reach would say nothing.
fn within_its_bounds(name: &str, parts: &[(&str, usize)], always: usize, at_rest: u64, peak: u64, cap: usize) -> u64 {
    let sum: usize = parts.iter().map(|(_, bytes)| bytes).sum();
    let (rest, _) = parts.split_last().map(|(last, _)| (last.1 + always, last.0)).unwrap_or_default();
    let listed: Vec<String> = parts.iter().map(|(part, bytes)| format!("{part} {:.1}", mib(*bytes as u64))).collect();
    println!(
        "{name}: at rest {:.1} of {:.1} MiB, at most {:.1} of {:.1}, cap {:.1}; by part: {}",
        mib(at_rest),
        mib(rest as u64),
        mib(peak),
        mib(sum as u64),
        mib(cap as u64),
        listed.join(", ")
    );
    assert!(at_rest <= rest as u64, "{name}: at rest {:.1} of {:.1} MiB", mib(at_rest), mib(rest as u64));
    assert!(
        peak <= sum as u64,
        "{name}: more than the sum of its bounds: {:.1} of {:.1} MiB",
        mib(peak),
        mib(sum as u64)
    );
    assert!(sum < cap, "{name}: its bounds fit its cap");
    if is_long() {
        assert!(
            peak * 3 >= sum as u64,
            "{name}: its bounds allow {:.1} MiB, of which it reaches {:.1}",
            mib(sum as u64),
            mib(peak)
        );
    }
    sum as u64
}

/// Squeezes until the kernel kills; the load goes on meanwhile.
async fn until_killed(process: &mut Process, group: &Cgroup) {
    let begun = tokio::time::Instant::now();
    while process.is_running() {
        assert!(begun.elapsed() < LONG, "the cap does not kill: {}", group.usage());
        group.squeeze();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(group.usage().kills > 0, "{}", group.usage());
}

/// Now and then one as large as a message can be.
fn mixed() -> Make {
    Arc::new(|number| {
        let phone = format!("3556{:07}", 5_000_000 + number % 5_000);
        let mut message = flood::text(&phone, &format!("note {number}"));
        if number.is_multiple_of(40) {
            let text = format!("note {number} {}", "x".repeat(60_000));
            (message.short_message, message.payload) = (Vec::new(), Some(text.into_bytes()));
        }
        message
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_at_its_cap_tells_the_smsc_to_wait_is_not_killed_and_loses_nothing() {
    let group = match Cgroup::memory(GATEWAY_MEMORY_BYTES_MAX) {
        Ok(group) => group,
        Err(missing) => return skip(&missing),
    };
    let database = pg::database().await;
    let mut site = Site::new(&database);
    let slow = match SlowSync::build(site.path()) {
        Ok(slow) => slow,
        Err(missing) => return skip(&missing),
    };
    // Windows that hold more than may wait in all.
    const { assert!(6 * 1_000 / 40 * 60_000 > limits::RECEIVE_BYTES_MAX) };
    let mut floods = Vec::new();
    for link in 0..6 {
        let flood = Flood::start(1_000, link * APART, mixed()).await;
        let keys = "receive_window = 1000\nreconnect_seconds_max = 1";
        site = site.link_with(&format!("link{link}"), flood.port, keys);
        floods.push(flood);
    }
    let config = site.config();
    let launch = Launch { env: slow.env(), cgroup: Some(group.procs()), ..Launch::default() };
    let mut gateway = Process::launch("gateway", &config, &launch);
    gateway.ready().await;
    let at_rest = group.usage().anon;
    // The worker is away, and the disk takes a batch a second, then none for longer than the SMSC may wait.
    for flood in &floods {
        flood.offer(APART);
    }
    slow.set_ms(1_000);
    let phase = Duration::from_secs(rounds(8, 90) as u64);
    let mut anon = watch_anon(&group, phase).await;
    slow.set_ms(9_000);
    anon = anon.max(watch_anon(&group, phase.max(Duration::from_secs(12))).await);
    assert!(gateway.is_running(), "{}\n{}", group.usage(), gateway.log());
    let usage = group.usage();
    assert_eq!(usage.kills, 0, "{usage}");
    let refused: u64 = floods.iter().map(|flood| flood.seen(|seen| seen.refused)).sum();
    let acknowledged: usize = floods.iter().map(Flood::acknowledged).sum();
    assert!(refused > 0, "the SMSC was told to wait");
    println!("gateway: {usage}");
    let parts = limits::GATEWAY_MEMORY_PARTS;
    let sum = within_its_bounds("gateway", &parts, 0, at_rest, anon, GATEWAY_MEMORY_BYTES_MAX);
    figure(
        "gateway at its cap of 48 MiB, 6 links with full windows, a disk that takes seconds a sync",
        &format!(
            "{:.1} MiB of its own at most (the bounds add up to {:.1}), told {refused} times to deliver later | {} s | nothing of {acknowledged}",
            mib(anon),
            mib(sum),
            2 * phase.as_secs()
        ),
    );

    // Killed by the cap, under load.
    slow.set_ms(300);
    until_killed(&mut gateway, &group).await;
    gateway.ended().await;
    group.set_cap(GATEWAY_MEMORY_BYTES_MAX as u64).unwrap();
    slow.set_ms(0);
    let mut gateway = Process::launch("gateway", &config, &launch);
    gateway.ready().await;
    let before: usize = floods.iter().map(Flood::acknowledged).sum();
    for flood in &floods {
        flood.hold();
    }
    for (link, flood) in floods.iter().enumerate() {
        let given = flood.given() - link as u64 * APART;
        flood.until_acknowledged(given as usize, LONG).await;
    }
    let _worker = site.start("worker").await;
    let all: HashSet<u64> = floods.iter().flat_map(|flood| flood.seen(|seen| seen.acknowledged.clone())).collect();
    assert!(all.len() > before);
    until_stored(&database, &all, LONG).await;
    figure(
        "gateway killed by its cap",
        &format!("comes back, the SMSC delivers again | the restart | nothing of {}, nothing twice", all.len()),
    );
}

/// As many observers as a large election has.
const OBSERVERS: u64 = 50_000;

fn observers() -> Book {
    let place = |code: String, level, parent: &str| Place {
        name: code.clone(),
        code,
        level,
        parent: parent.to_owned(),
        registered_voters: Some(900),
    };
    let mut places = vec![place("R1".into(), "region", "")];
    places.extend((0..500).map(|n| place(format!("S{n}"), "station", "R1")));
    let watchers = (0..OBSERVERS)
        .map(|n| Watcher { code: format!("{}", 100_000 + n), phone: phone(n), station: format!("S{}", n % 500) })
        .collect();
    let questions: Vec<_> = (0..40)
        .map(|n| json!({"code": format!("{}{}", (b'A' + n / 20) as char, (b'A' + n % 20) as char), "text": "Count", "type": "count", "max": 9999}))
        .collect();
    Book {
        slug: "full",
        places,
        watchers,
        checklists: vec![json!({"prefix": "KT", "title": "Full", "questions": questions})],
        options: &[],
    }
}

fn phone(n: u64) -> String {
    format!("3556{:07}", 1_000_000 + n)
}

fn reports() -> Make {
    Arc::new(|number| {
        if number.is_multiple_of(50) {
            let phone = format!("3557{:07}", 1_000_000 + number);
            let mut message = flood::text(&phone, "");
            message.payload = Some(format!("note {number} {}", "x".repeat(60_000)).into_bytes());
            return message;
        }
        let n = number % OBSERVERS;
        flood::text(&phone(n), &format!("KT{} AA{} AB{} BC{}", 100_000 + n, number % 997, number % 4001, number % 31))
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_at_its_cap_with_fifty_thousand_observers_and_a_full_spool_is_not_killed_and_loses_nothing() {
    let group = match Cgroup::memory(WORKER_MEMORY_BYTES_MAX) {
        Ok(group) => group,
        Err(missing) => return skip(&missing),
    };
    let database = pg::database().await;
    let flood = Flood::start(500, 0, reports()).await;
    let site = Site::new(&database).link_with("smsc", flood.port, "receive_window = 1000");
    observers().set_up(&site).await;
    let _gateway = site.start("gateway").await;
    let messages = rounds(12_000, 120_000) as u64;
    flood.offer(messages);
    flood.until_acknowledged(messages as usize, LONG).await;
    // A slow database: each batch waits in it.
    sqlx::raw_sql(
        "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.05); RETURN NULL; END';
         CREATE TRIGGER slowly AFTER INSERT ON message FOR EACH STATEMENT EXECUTE FUNCTION slowly()",
    )
    .execute(&mut database.admin().await)
    .await
    .unwrap();
    let config = site.config();
    let launch = Launch { cgroup: Some(group.procs()), ..Launch::default() };
    let mut worker = Process::launch("worker", &config, &launch);
    worker.ready().await;
    let at_rest = group.usage().anon;
    let (mut anon, mut killed_at) = (0, None);
    let begun = tokio::time::Instant::now();
    let mut admin = database.admin().await;
    loop {
        anon = anon.max(group.usage().anon);
        let stored: i64 = sqlx::query_scalar("SELECT count(*) FROM message").fetch_one(&mut admin).await.unwrap();
        if killed_at.is_none() && stored as u64 > messages / 2 {
            let usage = group.usage();
            assert_eq!(usage.kills, 0, "{usage}\n{}", worker.log());
            println!("worker: {usage}");
            until_killed(&mut worker, &group).await;
            worker.ended().await;
            group.set_cap(WORKER_MEMORY_BYTES_MAX as u64).unwrap();
            worker = Process::launch("worker", &config, &launch);
            worker.ready().await;
            killed_at = Some(stored);
        }
        if stored as u64 >= messages {
            break;
        }
        assert!(begun.elapsed() < LONG, "{stored} of {messages} stored\n{}", worker.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(killed_at.is_some() && worker.is_running());
    assert_eq!(group.usage().kills, 1, "{}", group.usage());
    let doubled: i64 =
        sqlx::query_scalar("SELECT count(*) FROM message WHERE redelivered > 0 OR outcome = 'set_aside'")
            .fetch_one(&mut admin)
            .await
            .unwrap();
    assert_eq!(doubled, 0);
    let parts = limits::worker_memory_parts(OBSERVERS as usize);
    // At rest it holds all observers.
    let sum = within_its_bounds("worker", &parts, parts[0].1, at_rest, anon, WORKER_MEMORY_BYTES_MAX);
    figure(
        "worker at its cap of 96 MiB, 50,000 observers, a full spool, a slow database; then killed by the cap",
        &format!(
            "{:.1} MiB of its own at most (the bounds add up to {:.1}); comes back and reads on | the restart | nothing of {messages}, nothing twice",
            mib(anon),
            mib(sum)
        ),
    );
}

/// One request; the status, or `None` when the connection was not served.
async fn request(address: &str, head: &str, body: &str) -> Option<u16> {
    let mut io = TcpStream::connect(address).await.ok()?;
    let request =
        format!("{head}\r\nHost: {address}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    io.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(60), io.read_to_end(&mut answer)).await.ok()?;
    String::from_utf8_lossy(&answer).split(' ').nth(1)?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dashboard_at_its_cap_under_thousands_of_connections_is_not_killed_and_serves_again() {
    let group = match Cgroup::memory(WEB_MEMORY_BYTES_MAX) {
        Ok(group) => group,
        Err(missing) => return skip(&missing),
    };
    let database = pg::database().await;
    let site = Site::new(&database);
    let config = site.config();
    let launch = Launch { cgroup: Some(group.procs()), ..Launch::default() };
    let mut web = Process::launch("web", &config, &launch);
    web.ready().await;
    let at_rest = group.usage().anon;
    let line = web.logged("the dashboard listens").await;
    let address = line.split("address=").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    // Heads that never end, each as long as is taken.
    let mut held = Vec::new();
    for _ in 0..rounds(1_500, 3_000) {
        let Ok(mut io) = TcpStream::connect(&address).await else { break };
        let head = format!("GET / HTTP/1.1\r\nHost: x\r\nX-Pad: {}", "x".repeat(limits::WEB_HEAD_BYTES_MAX - 100));
        let _ = tokio::time::timeout(Duration::from_millis(20), io.write_all(head.as_bytes())).await;
        held.push(io);
    }
    let until = tokio::time::Instant::now() + Duration::from_secs(rounds(10, 120) as u64);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..200 {
        let address = address.clone();
        tasks.spawn(async move {
            let mut statuses: Vec<Option<u16>> = Vec::new();
            while tokio::time::Instant::now() < until {
                let form = "name=nobody&password=wrong-password-of-nobody";
                statuses.push(match n % 3 {
                    0 => request(&address, "POST /sign-in HTTP/1.1\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded", form).await,
                    1 => request(&address, "GET /sign-in HTTP/1.1", "").await,
                    _ => request(&address, "POST /sign-in HTTP/1.1", &"x".repeat(limits::WEB_BODY_BYTES_MAX)).await,
                });
            }
            statuses
        });
    }
    let mut anon = 0;
    let mut statuses = std::collections::BTreeMap::<Option<u16>, usize>::new();
    while !tasks.is_empty() {
        anon = anon.max(group.usage().anon);
        if let Ok(Some(done)) = tokio::time::timeout(Duration::from_millis(50), tasks.join_next()).await {
            for status in done.unwrap() {
                *statuses.entry(status).or_default() += 1;
            }
        }
    }
    drop(held);
    let usage = group.usage();
    assert_eq!(usage.kills, 0, "{usage}\n{}", web.log());
    assert!(web.is_running());
    println!("web: {usage}; answers {statuses:?}");
    let sum = within_its_bounds("web", &limits::WEB_MEMORY_PARTS, 0, at_rest, anon, WEB_MEMORY_BYTES_MAX);
    let begun = tokio::time::Instant::now();
    while request(&address, "GET /sign-in HTTP/1.1", "").await != Some(200) {
        assert!(begun.elapsed() < LONG, "it does not serve again\n{}", web.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    figure(
        "dashboard at its cap of 64 MiB, more connections and requests than it takes",
        &format!(
            "{:.1} MiB of its own at most (the bounds add up to {:.1}); answers by status {statuses:?} | {:.1} s until it served all again | nothing",
            mib(anon),
            mib(sum),
            begun.elapsed().as_secs_f64()
        ),
    );
}

/// Asks until the answer is this one.
async fn until_answered(browser: &mut Browser, path: &str, status: u16, process: &Process) {
    let begun = tokio::time::Instant::now();
    loop {
        let answer = browser.get(path).await;
        if answer.status == status {
            return;
        }
        assert!(begun.elapsed() < LONG, "{path}: {}\n{}", answer.status, process.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dashboard_short_of_memory_sends_strangers_away_and_serves_who_is_signed_in() {
    let group = match Cgroup::memory(WEB_MEMORY_BYTES_MAX) {
        Ok(group) => group,
        Err(missing) => return skip(&missing),
    };
    let database = pg::database().await;
    let site = Site::new(&database);
    let config = site.config();
    let add = ["user", "add", "amina", "--role", "analyst", "--password-file", "-"];
    assert!(process::run_with_input(&config, add, "correct horse battery\n").await.status.success());
    let launch = Launch { cgroup: Some(group.procs()), ..Launch::default() };
    let mut web = Process::launch("web", &config, &launch);
    web.ready().await;
    let address = flow::web_address(&web).await;
    let (mut signed_in, mut stranger) = (Browser::new(address), Browser::new(address));
    assert_eq!(signed_in.sign_in("amina", "correct horse battery").await.status, 303);
    until_answered(&mut stranger, "/sign-in", 200, &web).await;
    // What it holds is eight tenths of what it may: short, and not at the end.
    let held = group.usage();
    group.set_cap((held.anon + held.kernel) * 10 / 8).unwrap();
    web.logged("memory is short").await;
    until_answered(&mut stranger, "/sign-in", 503, &web).await;
    assert_eq!(signed_in.get("/elections").await.status, 200, "{}", web.log());
    group.set_cap(WEB_MEMORY_BYTES_MAX as u64).unwrap();
    web.logged("memory is below its limit again").await;
    until_answered(&mut stranger, "/sign-in", 200, &web).await;
    assert_eq!(group.usage().kills, 0);
}
