//! `make bench`: what this machine does, measured in one run with the real processes, commands and
//! PostgreSQL (fsync on), the simulated SMSC beside them on the same cores.
//!
//! For 524 and for 50,000 observers, with 11 answers a message, one message in ten of two segments and
//! delivery receipts on: messages a second through the whole chain (acknowledged with sync, committed,
//! answered), p50 and p99 from `deliver_sm` to reply at 500 a second, and the memory of each process.
//! Then the same PostgreSQL's ceiling: the same rows inserted in bare batches.
//!
//! Arguments: `--quick` sends a tenth.

#![allow(clippy::unwrap_used, reason = "a measurement ends at the first thing that is not as it should be")]
#![allow(unreachable_pub, reason = "helpers are shared with the tests")]

mod ceiling;
#[path = "../suite/support/mod.rs"]
mod support;

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use support::cluster::{Cluster, Durability};
use support::process::{self, PROGRAM, Process};
use support::site::Site;
use support::{pg, within};

/// Observers of the two parts, and messages of each one's load.
const PARTS: [(u32, u32); 2] = [(524, 40_000), (50_000, 50_000)];
/// Answers in one message.
const ANSWERS: u32 = 11;
/// Share of messages of two segments.
const LONG: &str = "0.1";
/// Messages a second at which latency is measured.
const RATE: u32 = 500;
/// Seconds of it.
const RATE_SECONDS: u32 = 30;
/// `deliver_sm` ahead of their responses.
const WINDOW: &str = "500";

fn main() {
    let quick = std::env::args().any(|arg| arg == "--quick");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(run(if quick { 10 } else { 1 }));
}

async fn run(divide: u32) {
    let cluster = Cluster::start(Durability::Synced);
    pg::make_logins_and_template(cluster.socket_dir()).await;
    let mut parts = Vec::new();
    let mut ceiling = Value::Null;
    for (observers, messages) in PARTS {
        let seconds = RATE_SECONDS / divide.min(3);
        eprintln!("{observers} observers: {RATE} a second for {seconds} s");
        let paced = measure(&pg::copy_on(&cluster).await, observers, RATE * seconds, Some(RATE)).await;
        eprintln!("{observers} observers: {} messages at full speed", messages / divide);
        let database = pg::copy_on(&cluster).await;
        let full = measure(&database, observers, messages / divide, None).await;
        let part = json!({ "observers": observers, "full_speed": full, "paced": paced });
        print_part(&part);
        parts.push(part);
        ceiling = ceiling::measure(&database).await;
    }
    println!(
        "PostgreSQL's ceiling    {} messages/s (bare batches of the same rows, synced commits)",
        ceiling["messages_per_second"]
    );
    println!("{}", json!({ "cores": cores(), "parts": parts, "ceiling": ceiling }));
}

/// One election, set up by the commands and loaded; with processes of its own, as an SMSC that texts
/// the same once more would be taken for one that delivers again.
async fn measure(database: &pg::Database, observers: u32, messages: u32, rate: Option<u32>) -> Value {
    let port = free_port();
    let mut site = Site::new(database).link_with("smsc", port, "reconnect_seconds_max = 1");
    site.log = "warn".to_owned();
    let config = site.config();
    let load = [
        "rehearse".to_owned(),
        format!("--observers={observers}"),
        format!("--stations={}", observers.max(5_400)),
        format!("--answers={ANSWERS}"),
        format!("--segments={LONG}"),
    ];
    let roster = site.path().join("roster");
    process::ok(&config, load.iter().cloned().chain([format!("--write-roster={}", roster.display())])).await;
    let file = |name: &str| roster.join(name).display().to_string();
    let slug = "bench";
    process::ok(&config, ["election", "create", slug, "--name", "Bench", "--replies-per-hour", "100000"]).await;
    process::ok(&config, ["location", "import", slug, &file("locations.csv")]).await;
    process::ok(&config, ["observer", "import", slug, &file("observers.csv")]).await;
    process::ok(&config, ["checklist", "import", slug, &file("checklist-load.json")]).await;
    process::ok(&config, ["election", "open", slug]).await;

    let mut roles = Vec::new();
    for role in ["gateway", "worker", "web"] {
        roles.push((role, site.start(role).await));
    }
    let idle = memory(&roles);
    let child = tokio::process::Command::new(PROGRAM)
        .args(load)
        .args(["--shortcode=12345", "--json", "--receipts"])
        .arg(format!("--listen=127.0.0.1:{port}"))
        .arg(format!("--messages={messages}"))
        .arg(format!("--rate={}", rate.unwrap_or(0)))
        .arg(format!("--window={WINDOW}"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let output = within(Duration::from_secs(1200), "a rehearsal", child.wait_with_output()).await.unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let loaded = memory(&roles);
    let committed = committed(database).await;
    for (role, process) in &mut roles {
        let status = process.stop().await;
        assert!(status.success(), "{role}: {status}\n{}", process.log());
    }
    json!({ "report": report, "committed": committed, "memory": { "idle": idle, "loaded": loaded } })
}

/// Resident memory and its peak, kilobytes, of each process and of all; `pss_kb` counts the pages that
/// the three share (the program itself) once.
fn memory(roles: &[(&str, Process)]) -> Value {
    let mut found = serde_json::Map::new();
    let (mut rss_all, mut peak_all, mut pss_all) = (0, 0, 0);
    for (role, process) in roles {
        let (rss, peak) = process.memory();
        rss_all += rss;
        peak_all += peak;
        let pss = pss_kb(process.pid());
        pss_all += pss;
        found.insert((*role).to_owned(), json!({ "rss_kb": rss >> 10, "peak_kb": peak >> 10, "pss_kb": pss }));
    }
    let all = json!({ "rss_kb": rss_all >> 10, "peak_kb": peak_all >> 10, "pss_kb": pss_all });
    found.insert("all".to_owned(), all);
    Value::Object(found)
}

/// Proportional set size: each shared page divided by those who share it.
fn pss_kb(pid: i32) -> u64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    line.and_then(|rest| rest.split_whitespace().next()).and_then(|kb| kb.parse().ok()).unwrap_or(0)
}

async fn committed(database: &pg::Database) -> Value {
    let sql = "SELECT (SELECT count(*) FROM message), (SELECT count(*) FROM submission), (SELECT count(*) FROM revision),
                      (SELECT count(*) FROM outbox WHERE state IN ('sent', 'delivered')), (SELECT count(*) FROM set_aside)";
    let row: (i64, i64, i64, i64, i64) = sqlx::query_as(sql).fetch_one(&mut database.admin().await).await.unwrap();
    json!({ "messages": row.0, "submissions": row.1, "revisions": row.2, "replies_sent": row.3, "set_aside": row.4 })
}

fn print_part(part: &Value) {
    let (full, paced) = (&part["full_speed"], &part["paced"]);
    println!("{} observers", part["observers"]);
    println!("  whole chain           {} messages/s", full["report"]["messages_per_second"]);
    println!(
        "  deliver_sm to reply   p50 {} ms, p99 {} ms at {RATE}/s",
        paced["report"]["p50_ms"], paced["report"]["p99_ms"]
    );
    for role in ["gateway", "worker", "web", "all"] {
        let megabytes = |when: &str, what: &str| full["memory"][when][role][what].as_f64().unwrap_or_default() / 1024.0;
        println!(
            "  memory of {role:<12}{:.1} MB loaded, peak {:.1} MB, idle {:.1} MB; loaded, shared pages once {:.1} MB",
            megabytes("loaded", "rss_kb"),
            megabytes("loaded", "peak_kb"),
            megabytes("idle", "rss_kb"),
            megabytes("loaded", "pss_kb"),
        );
    }
    for (name, run) in [("at full speed", full), ("paced", paced)] {
        if run["report"]["lost"] == true {
            println!("  LOST OR DOUBLED {name}: {run}");
        }
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(0, usize::from)
}

/// A port that was free a moment ago: the SMSC is started anew on the one that the link names.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
