//! Playing the day: live with a progress line, or once at full speed with a check at the end.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Login};
use crate::generator::{Day, Event};
use crate::role::support;
use crate::smsc::{self, Options, Outgoing, Report};
use crate::store::{Store, account};

use super::check::Findings;
use super::guard::Processes;
use super::site::{ELECTION, SHORTCODE, SYSTEM_ID, Site};
use super::{Args, alive};

/// How long the worker may take to note the last results and receipts.
const SETTLE_WAIT: Duration = Duration::from_secs(20);
/// For reading the whole day back.
const READ_DEADLINE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_secs(1);

fn options(site: &Site) -> Options {
    Options {
        system_id: SYSTEM_ID.to_owned(),
        password: site.link_password.clone(),
        shortcode: SHORTCODE.to_owned(),
        window: 100,
        receipts: Some(Duration::from_millis(300)),
        ..Options::default()
    }
}

fn outgoing(event: Event, due: Duration) -> Outgoing {
    Outgoing { due, phone: event.phone.parse().unwrap_or(0), text: event.text, answered: event.expected.answered }
}

/// Looks after the processes until one ends by itself.
async fn watch(site: &Site, processes: &mut Processes) -> anyhow::Result<()> {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        alive(site, processes)?;
    }
}

/// Plays the day at `args.speed`, then idles until stopped.
pub(super) async fn live(
    args: &Args,
    day: &Day,
    site: &Site,
    listener: TcpListener,
    processes: &mut Processes,
    stop: &CancellationToken,
) -> anyhow::Result<ExitCode> {
    let clock = AtomicU32::new(0);
    let mut first = None;
    let texts = day.events().map(|event| {
        let at = event.at_ms;
        let begin = *first.get_or_insert(at);
        clock.store(at, Ordering::Relaxed);
        outgoing(event, Duration::from_millis(u64::from(at - begin)).div_f64(args.speed))
    });
    let total = day.events().size_hint().1.unwrap_or(0) as u64;
    let mut progress = Progress::new(total);
    let options = Options { linger: true, ..options(site) };
    let run = smsc::run(listener, options, texts, stop.clone(), |report| {
        progress.show(report, clock.load(Ordering::Relaxed), stop);
    });
    let report = tokio::select! {
        report = run => report?,
        ended = watch(site, processes) => {
            ended?;
            return Ok(ExitCode::FAILURE);
        }
    };
    eprintln!("{} texts sent, {} acknowledged, {} answered", report.sent, report.acknowledged, report.answered);
    Ok(ExitCode::SUCCESS)
}

/// A bar on a terminal, a line now and then elsewhere.
struct Progress {
    bar: Option<ProgressBar>,
    total: u64,
    said: u64,
    over: bool,
}

impl Progress {
    fn new(total: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} texts");
            ProgressBar::new(total).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { bar, total, said: 0, over: false }
    }

    fn show(&mut self, report: &Report, at_ms: u32, stop: &CancellationToken) {
        if self.over || stop.is_cancelled() {
            return;
        }
        let minutes = at_ms / 60_000;
        let message = format!("{:02}:{:02}  {} answered", minutes / 60 % 24, minutes % 60, report.answered);
        match &self.bar {
            Some(bar) => {
                bar.set_position(report.sent);
                bar.set_message(message);
            }
            None if (report.sent * 10).checked_div(self.total.max(1)) > Some(self.said) => {
                self.said = report.sent * 10 / self.total.max(1);
                eprintln!("{message}, {} of {} texts", report.sent, self.total);
            }
            None => {}
        }
        if report.sent >= self.total && report.answered >= report.expected_replies {
            self.over = true;
            if let Some(bar) = &self.bar {
                bar.finish();
            }
            eprintln!("the day is over: every text was answered. The dashboard stays until Ctrl-C.");
        }
    }
}

/// What `--once` prints.
#[derive(Debug, Serialize)]
struct Figures {
    /// All was stored once and answered, just as expected.
    ok: bool,
    seed: u64,
    stations: u32,
    observers: u32,
    /// From the SMSC's side.
    sent: Report,
    /// From PostgreSQL's side.
    stored: Findings,
    /// Records of segments: texts of several parts have one fewer than parts.
    segments_stored: u64,
    segments_expected: u64,
    /// Peak resident memory of each process, bytes.
    memory_bytes: std::collections::BTreeMap<&'static str, u64>,
    /// Playing and checking.
    seconds: f64,
}

/// Plays the day as fast as it goes, and compares what is stored with what was sent.
pub(super) async fn once(
    args: &Args,
    day: &Day,
    site: &Site,
    listener: TcpListener,
    processes: &mut Processes,
    stop: &CancellationToken,
) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    let texts = day.events().map(|event| outgoing(event, Duration::ZERO));
    let run = smsc::run(listener, options(site), texts, stop.clone(), |_| {});
    let sent = tokio::select! {
        report = run => report?,
        ended = watch(site, processes) => {
            ended?;
            return Ok(ExitCode::FAILURE);
        }
    };
    if stop.is_cancelled() {
        return Ok(ExitCode::from(130));
    }
    let config = Config::load(&site.config())?;
    let store = support::open_store(&config, Login::Owner, READ_DEADLINE).await?;
    settle(&store).await?;
    let mut stored = Findings::default();
    let (messages, segments_stored) = account::messages(&store).await?;
    stored.texts(day.events(), &messages);
    stored.submissions(day.events(), account::submissions(&store, ELECTION).await?);
    let memory_bytes =
        processes.pids().into_iter().filter(|(name, _)| *name != "postgresql").map(|(n, pid)| (n, peak(pid))).collect();
    let segments_expected = sent.segments - sent.sent;
    let ok = !sent.lost && stored.is_right() && segments_stored == segments_expected;
    let figures = Figures {
        ok,
        seed: args.seed,
        stations: day.country.stations,
        observers: day.sample.len(),
        sent,
        stored,
        segments_stored,
        segments_expected,
        memory_bytes,
        seconds: begun.elapsed().as_secs_f64(),
    };
    if args.json {
        support::print_json(&figures)?;
    } else {
        say(&figures);
    }
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Waits until no reply is under way and each receipt is noted.
async fn settle(store: &Store) -> anyhow::Result<()> {
    let deadline = Instant::now() + SETTLE_WAIT;
    while account::replies_open(store, true).await? > 0 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// Peak resident memory of a process, bytes.
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) << 10
}

fn say(f: &Figures) {
    let (sent, stored) = (&f.sent, &f.stored);
    println!("texts        {} sent, {} acknowledged, {} answered", sent.sent, sent.acknowledged, sent.answered);
    println!("             {} unanswered, {} answered twice", sent.unanswered, sent.answered_twice);
    println!(
        "reply after  p50 {} ms, p99 {} ms; {} texts a second",
        sent.p50_ms, sent.p99_ms, sent.messages_per_second
    );
    println!(
        "stored       {} of {} texts, {} missing, {} surplus, {} with another outcome, {} without reply",
        stored.stored, stored.texts, stored.missing, stored.surplus, stored.other_outcome, stored.without_reply
    );
    println!(
        "submissions  {} of {} as expected, {} not; {} answers",
        stored.submissions_right, stored.submissions, stored.submissions_surplus, stored.answers
    );
    for (name, bytes) in &f.memory_bytes {
        println!("memory       {name} {:.1} MiB at most", *bytes as f64 / f64::from(1 << 20));
    }
    for difference in &stored.differences {
        println!("  {difference}");
    }
    println!("{}", if f.ok { "all is as it should be" } else { "NOT as it should be" });
}
