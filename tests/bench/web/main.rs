//! `make bench`, third part: the dashboard in a memory cgroup at its cap, with PostgreSQL (fsync on) and
//! this program, which plays the browsers, on the same two cores. An election of 1,000,000 submissions
//! is written straight into the tables; then each page is measured against what is aimed at.
//!
//! Arguments: `--quick` makes 100,000 submissions and measures for a third of the time;
//! `--only overview,list` measures those alone (archived, overview, list, export, idle, first, crowd).

#![allow(clippy::unwrap_used, reason = "a measurement ends at the first thing that is not as it should be")]
#![allow(unreachable_pub, reason = "helpers are shared with the tests")]

mod crowd;
mod figures;
mod load;
mod measure;
mod scale;
#[path = "../../suite/support/mod.rs"]
mod support;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use figures::Figures;
use load::Visitor;
use scrutineer::limits::WEB_MEMORY_BYTES_MAX;
use support::cgroup::Cgroup;
use support::cluster::{Cluster, Durability};
use support::pg::{self, Database};
use support::process::{self, Launch, Process};
use support::site::Site;

/// Submissions of the live election.
const SUBMISSIONS: u32 = 1_000_000;
/// Submissions of each archived one: enough for plots, and not what is measured.
const ARCHIVED_SUBMISSIONS: u32 = 2_000;
/// Archived elections that an idle web must not feel.
const ARCHIVED: u32 = 50;
/// Cores that all share.
const CORES: usize = 2;
const NAME: &str = "bench";
const PASSWORD: &str = "correct horse battery";

/// How to measure.
struct Plan {
    quick: bool,
    only: Option<String>,
}

impl Plan {
    fn has(&self, what: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.split(',').any(|word| word == what))
    }

    fn seconds(&self, long: u64) -> Duration {
        Duration::from_secs(if self.quick { long.div_ceil(3) } else { long })
    }
}

/// A web with its cgroup, where one can be had.
struct Web {
    process: Process,
    group: Option<Cgroup>,
    address: SocketAddr,
}

fn main() {
    let mut args = std::env::args().skip(1);
    let mut plan = Plan { quick: false, only: None };
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--quick" => plan.quick = true,
            "--only" => plan.only = args.next(),
            _ => {}
        }
    }
    two_cores();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(run(&plan));
}

/// Keeps this process and all that it starts on two cores, as the aims are for so many.
fn two_cores() {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let all = sched_getaffinity(None).unwrap();
    let mut some = CpuSet::new();
    (0..CpuSet::MAX_CPU).filter(|cpu| all.is_set(*cpu)).take(CORES).for_each(|cpu| some.set(cpu));
    sched_setaffinity(None, &some).unwrap();
}

async fn run(plan: &Plan) {
    let submissions = if plan.quick { SUBMISSIONS / 10 } else { SUBMISSIONS };
    let cluster = Cluster::start_with(Durability::Synced, "shared_buffers = 512MB\nmax_wal_size = 4GB");
    let database = pg::database_on(&cluster).await;
    let begun = Instant::now();
    scale::first_election(&database, "live", submissions).await;
    scale::settle(&database).await;
    let mut figures = Figures::default();
    figures.plain("election made", format!("{submissions} submissions in {:.0} s", begun.elapsed().as_secs_f64()));

    let mut site = Site::new(&database);
    site.log = "warn,scrutineer::role=info".to_owned();
    let config = site.config();
    let file = site.file("password", PASSWORD);
    process::ok(&config, ["user", "add", NAME, "--role", "analyst", "--password-file", &file.display().to_string()])
        .await;

    if plan.has("idle") || plan.has("archived") {
        idle_and_archive(plan, &site, &database, &mut figures).await;
    }
    let mut web = Web::start(&site).await;
    if web.group.is_none() {
        figures.skipped("memory cap", "a memory cgroup can't be made here: the web runs without its cap");
    }
    let visitor = Visitor::sign_in(web.address, NAME, PASSWORD).await;
    if plan.has("first") {
        measure::first_page(&visitor, &mut figures).await;
    }
    if plan.has("overview") {
        measure::overview(&visitor, &database, &mut figures).await;
    }
    if plan.has("list") {
        measure::lists(&visitor, &mut figures).await;
    }
    if plan.has("archived") {
        measure::archived(plan, &visitor, &mut figures).await;
    }
    if plan.has("export") {
        measure::export(&visitor, &web, submissions, &mut figures).await;
    }
    if plan.has("crowd") {
        crowd::offer(&visitor, web.address, &mut figures).await;
    }
    let (rss, peak) = web.process.memory();
    let kills = web.group.as_ref().map_or_else(String::new, |group| format!("; cgroup: {}", group.usage()));
    figures.plain("memory after all", format!("{:.1} MB, peak {:.1} MB{kills}", mb(rss), mb(peak)));
    assert!(web.process.is_running(), "{}", web.process.log());
    assert!(web.process.stop().await.success(), "{}", web.process.log());
    figures.print();
}

/// Idle memory before and after there are archived elections, none of which anybody looks at.
async fn idle_and_archive(plan: &Plan, site: &Site, database: &Database, figures: &mut Figures) {
    let config = site.config();
    let known = process::ok(&config, ["election", "--help"]).await.contains("archive");
    let before = idle(site).await;
    if !known {
        figures.plain("idle memory", format!("{:.1} MB", mb(before)));
        figures.skipped("50 archived elections", "there is no command that archives");
        return;
    }
    let count = if plan.quick { ARCHIVED / 10 } else { ARCHIVED };
    let begun = Instant::now();
    for number in 0..count {
        let slug = format!("old-{number}");
        scale::election(database, 10 + number, &slug, ARCHIVED_SUBMISSIONS).await;
        process::ok(&config, ["election", "close", &slug]).await;
        process::ok(&config, ["election", "archive", &slug]).await;
    }
    figures.plain("elections archived", format!("{count} in {:.0} s", begun.elapsed().as_secs_f64()));
    let after = idle(site).await;
    // The allocator's and the kernel's own noise.
    let reached = after.saturating_sub(before) < 512 << 10;
    let figure = format!("{:.1} MB without, {:.1} MB with {count}", mb(before), mb(after));
    figures.aimed("idle memory", figure, "50 archived elections cost nothing", reached);
}

async fn idle(site: &Site) -> u64 {
    let web = Web::start(site).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    web.process.memory().0
}

impl Web {
    async fn start(site: &Site) -> Self {
        let group = Cgroup::memory(WEB_MEMORY_BYTES_MAX).ok();
        let launch = Launch { cgroup: group.as_ref().map(Cgroup::procs), ..Launch::default() };
        let mut process = Process::launch("web", &site.config(), &launch);
        process.ready().await;
        let line = process.logged("the dashboard listens").await;
        let port =
            line.split("127.0.0.1:").nth(1).unwrap().chars().take_while(char::is_ascii_digit).collect::<String>();
        Self { process, group, address: ([127, 0, 0, 1], port.parse().unwrap()).into() }
    }

    /// Its own memory: anonymous pages, without what the kernel caches of files.
    fn anon(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.pid())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) << 10
    }
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
