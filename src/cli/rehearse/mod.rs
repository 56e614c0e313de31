//! `scrutineer rehearse`: plays texts against a gateway as an SMSC would, and tells what was
//! acknowledged, answered, lost or doubled, and how long it took. Exit status 1 when anything was lost.

pub(super) mod roster;
mod source;

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::generator::{Day, Load};
use crate::role::support;
use crate::smsc::{self, Options, Report};

use source::Pace;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Address to listen on; the gateway's link names it
    #[arg(long, default_value = "127.0.0.1:2775")]
    listen: SocketAddr,
    /// system_id that the gateway binds with; any when left out
    #[arg(long, default_value = "")]
    system_id: String,
    /// Its password
    #[arg(long, env = "SCRUTINEER_REHEARSE_PASSWORD", hide_env_values = true, default_value = "")]
    password: String,
    /// The number that the texts go to
    #[arg(long, default_value = "4040")]
    shortcode: String,

    /// Texts of a file: `phone<TAB>text` or {"phone": "...", "text": "...", "at": seconds} a line; - is standard input
    #[arg(long, conflicts_with = "generate")]
    file: Option<PathBuf>,
    /// Texts of a made-up election day, of this seed
    #[arg(long, default_value_t = 1)]
    generate: u64,
    /// Polling stations of the made-up country
    #[arg(long, default_value_t = 5_400)]
    stations: u32,
    /// Its observers
    #[arg(long, default_value_t = 540, value_parser = clap::value_parser!(u32).range(1..=900_000))]
    observers: u32,
    /// In place of the day, a steady load of whole reports with so many answers each
    #[arg(long, conflicts_with = "file", value_parser = clap::value_parser!(u32).range(1..=500))]
    answers: Option<u32>,
    /// Share of the reports that take more than one segment, 0 to 1
    #[arg(long, default_value_t = 0.1, value_parser = share)]
    segments: f64,
    /// Texts to send at most; a load without it sends one an observer
    #[arg(long)]
    messages: Option<u64>,

    /// Texts a second; 0: as fast as the window allows
    #[arg(long, default_value_t = 0.0, value_parser = positive)]
    rate: f64,
    /// Keep the texts' own times, so many times faster
    #[arg(long, conflicts_with = "rate", value_parser = positive)]
    speed: Option<f64>,
    /// deliver_sm sent ahead of their responses
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    window: u32,
    /// Send delivery receipts, so many milliseconds after the submit
    #[arg(long, value_name = "MS", num_args = 0..=1, default_missing_value = "500")]
    receipts: Option<u64>,
    /// Refuse submit_sm past so many a second with ESME_RTHROTTLED
    #[arg(long, default_value_t = 0)]
    throttle: u32,
    /// Answer submit_sm so many milliseconds later
    #[arg(long, default_value_t = 0)]
    submit_delay: u64,
    /// Leave every so-manyth submit_sm without a response
    #[arg(long, default_value_t = 0)]
    drop_response_every: u32,
    /// Cut the connection after every so many texts
    #[arg(long, default_value_t = 0)]
    drop_connection_every: u64,
    /// Seconds to wait for a gateway to bind
    #[arg(long, default_value_t = 60)]
    bind_wait: u64,
    /// Seconds to wait for replies after the last sign of any
    #[arg(long, default_value_t = 30)]
    wait: u64,

    /// Write the made-up country's locations.csv, observers.csv and checklists for import, and stop
    #[arg(long, value_name = "DIR", conflicts_with = "file")]
    write_roster: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

fn share(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|x| (0.0..=1.0).contains(x)).ok_or_else(|| "use a share from 0 to 1".to_owned())
}

fn positive(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|x: &f64| x.is_finite() && *x >= 0.0).ok_or_else(|| "use a number from 0".to_owned())
}

/// Runs the command.
pub fn main(_config: &Path, args: Args) -> ExitCode {
    support::block_on(async move || run(&args).await)
}

async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let stations = args.stations.max(args.observers);
    let pace = Pace { rate: args.rate, speed: args.speed };
    if let Some(file) = &args.file {
        let texts = source::read(file, pace)?;
        let count = args.messages.unwrap_or(u64::MAX).min(texts.len() as u64);
        return play(args, texts.into_iter(), Some(count)).await;
    }
    let day = Day::new(args.generate, stations, args.observers, args.segments);
    let load = args.answers.map(|n| Load::new(args.generate, &day.sample, n, args.segments));
    if let Some(dir) = &args.write_roster {
        roster::write(dir, &day, load.as_ref())?;
        eprintln!("wrote {}", dir.display());
        return Ok(ExitCode::SUCCESS);
    }
    match &load {
        Some(load) => {
            let count = args.messages.unwrap_or(u64::from(day.sample.len()));
            play(args, source::load(load, pace), Some(count)).await
        }
        None => {
            let events = day.events();
            let count = events.size_hint().1.map(|n| n as u64);
            play(args, source::day(events, pace), count).await
        }
    }
}

async fn play(
    args: &Args,
    texts: impl Iterator<Item = smsc::Outgoing>,
    count: Option<u64>,
) -> anyhow::Result<ExitCode> {
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("can't listen on {}; is another SMSC there?", args.listen))?;
    eprintln!("listening on {}", listener.local_addr()?);
    let options = Options {
        system_id: args.system_id.clone(),
        password: args.password.clone(),
        shortcode: args.shortcode.clone(),
        window: args.window as usize,
        receipts: args.receipts.map(Duration::from_millis),
        throttle: args.throttle,
        submit_delay: Duration::from_millis(args.submit_delay),
        drop_response_every: args.drop_response_every,
        drop_connection_every: args.drop_connection_every,
        bind_wait: Duration::from_secs(args.bind_wait),
        wait: Duration::from_secs(args.wait),
        linger: false,
    };
    let limit = args.messages.unwrap_or(u64::MAX).min(count.unwrap_or(u64::MAX));
    let bar = progress((limit < u64::MAX).then_some(limit));
    let stop = CancellationToken::new();
    let run = smsc::run(listener, options, texts.take(usize::try_from(limit)?), stop.clone(), |report| {
        bar.set_position(report.answered);
        bar.set_message(format!("{} sent, {} acknowledged", report.sent, report.acknowledged));
    });
    tokio::pin!(run);
    let report = tokio::select! {
        report = &mut run => report,
        _ = tokio::signal::ctrl_c() => {
            stop.cancel();
            run.await
        }
    };
    bar.finish_and_clear();
    let report = report?;
    if args.json {
        support::print_json(&report)?;
    } else {
        print!("{}", for_people(&report));
    }
    Ok(if report.lost { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A bar on a terminal, nothing elsewhere.
fn progress(count: Option<u64>) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = count.map_or_else(ProgressBar::no_length, ProgressBar::new);
    let style = "{elapsed_precise} {wide_bar} {pos}/{len} answered, {msg} {per_sec}";
    bar.with_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn for_people(r: &Report) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    let mut line = |name: &str, text: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{name:<16}{text}");
    };
    line("sent", format!("{} texts in {} segments, {} sessions", r.sent, r.segments, r.binds));
    line("acknowledged", format!("{} (p50 {} ms, p99 {} ms)", r.acknowledged, r.ack_p50_ms, r.ack_p99_ms));
    line("redelivered", format!("{}, of them {} that the gateway refused for now", r.redelivered, r.refused));
    line("answered", format!("{} of {}", r.answered, r.expected_replies));
    line(
        "unanswered",
        [r.unanswered.to_string()]
            .into_iter()
            .chain(r.unanswered_examples.iter().cloned())
            .collect::<Vec<_>>()
            .join(", "),
    );
    line("answered twice", format!("{}, and {} where the first was in doubt", r.answered_twice, r.doubled_in_doubt));
    if !r.answered_twice_examples.is_empty() {
        line("", r.answered_twice_examples.join(", "));
    }
    line("throttled", r.throttled.to_string());
    line("receipts", format!("{} ({} lost)", r.receipts, r.receipts_lost));
    line(
        "reply after",
        format!("p50 {} ms, p95 {} ms, p99 {} ms, at most {} ms", r.p50_ms, r.p95_ms, r.p99_ms, r.max_ms),
    );
    line("a second", format!("{} texts, over {:.1} s", r.messages_per_second, r.seconds));
    line("verdict", if r.lost { "texts or replies were lost or doubled" } else { "nothing lost" }.to_owned());
    out
}
