//! `scrutineer demo`: a whole election day on this machine. It sets up a private PostgreSQL, makes
//! an election with the ordinary commands, starts gateway, worker and web as their own processes and
//! a simulated SMSC, and plays a made-up day; `--once` plays it at full speed and checks everything.
//! Whatever happens, nothing is left behind: see `guard`.

mod check;
mod guard;
mod past;
mod play;
mod postgres;
mod site;

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::Signal;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::cli::rehearse::roster;
use crate::generator::Day;
use crate::role::support;

use guard::Processes;
use postgres::Server;
use site::{ELECTION, Site, USER};

/// How long the web may take to answer.
const WEB_WAIT: Duration = Duration::from_secs(30);

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Seed of the made-up country and day
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Polling stations
    #[arg(long, default_value_t = 5_400, value_parser = clap::value_parser!(u32).range(60..=200_000))]
    stations: u32,
    /// Observers, one at each station of a stratified sample
    #[arg(long, default_value_t = 540, value_parser = clap::value_parser!(u32).range(1..=200_000))]
    observers: u32,
    /// How many times faster than real; at 400 the day takes three minutes
    #[arg(long, default_value_t = 400.0, value_parser = speed)]
    speed: f64,
    /// Share of the reports that take more than one segment, 0 to 1
    #[arg(long, default_value_t = 0.1)]
    segments: f64,
    /// Address of the dashboard; port 0: any free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Folder for everything, not there yet or empty; a temporary one when left out
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Leave the folder at the end
    #[arg(long)]
    keep: bool,
    /// Play the day as fast as it goes, check what was stored and answered, and end by the result
    #[arg(long)]
    once: bool,
    /// With --once: print the figures as JSON
    #[arg(long, requires = "once")]
    json: bool,
    /// What the demo starts to clear up after itself
    #[arg(long, hide = true, exclusive = true)]
    guard: bool,
}

fn speed(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|x: &f64| x.is_finite() && *x > 0.0).ok_or_else(|| "use a number above 0".to_owned())
}

/// Runs the command.
pub fn main(_config: &Path, args: Args) -> ExitCode {
    if args.guard {
        guard::guard(std::io::stdin().lock());
        return ExitCode::SUCCESS;
    }
    support::block_on(async move || run(&args).await)
}

async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let stop = stop_on_signals()?;
    let server = Server::find().await?;
    let dir = args.dir.clone().unwrap_or_else(|| {
        std::env::temp_dir().join(format!("scrutineer-demo-{}-{:04x}", std::process::id(), rand::random::<u16>()))
    });
    let site = Site::new(&dir)?;
    let mut processes = Processes::new((!args.keep).then_some(site.dir()))?;
    let result = tokio::select! {
        result = all(args, &server, &site, &mut processes, &stop) => result,
        // Setting up takes a while; playing looks at the token by itself.
        () = grace(&stop) => Ok(ExitCode::from(130)),
    };
    if !args.json {
        eprintln!("stopping");
    }
    let killed = processes.end().await;
    if !killed.is_empty() {
        eprintln!("had to be killed: {}", killed.join(", "));
    }
    if args.keep {
        eprintln!("left: {}", site.dir().display());
    }
    result
}

/// Some time after a stop was asked for.
async fn grace(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(Duration::from_secs(8)).await;
}

/// Cancelled by Ctrl-C, SIGTERM or a closed terminal.
fn stop_on_signals() -> anyhow::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let stop = CancellationToken::new();
    let token = stop.clone();
    let mut signals =
        [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?];
    tokio::spawn(async move {
        let [interrupt, terminate, hangup] = &mut signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        token.cancel();
    });
    Ok(stop)
}

async fn all(
    args: &Args,
    server: &Server,
    site: &Site,
    processes: &mut Processes,
    stop: &CancellationToken,
) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    let say = |what: &str| {
        if !args.json {
            eprintln!("{:>5.1} s  {what}", begun.elapsed().as_secs_f64());
        }
    };
    let day = Day::new(args.seed, args.stations, args.observers, args.segments);
    say("making a PostgreSQL of its own");
    server.create(&site.postgres(), &site.owner_password).await?;
    server.start(&site.postgres(), &site.log("postgresql"), processes).await?;

    let smsc = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let web = free(args.listen)?;
    site.write_config(smsc.local_addr()?.port(), web)?;
    say("making the election");
    set_up(site, &day).await?;
    say("archiving two elections of the past");
    past::archive(site, args.seed).await?;
    if stop.is_cancelled() {
        return Ok(ExitCode::from(130));
    }

    say("starting gateway, worker and web");
    for role in ["gateway", "worker", "web"] {
        processes.start(role, site.program(&[role])?, &site.log(role), Signal::TERM)?;
    }
    answers(web, site, processes).await?;
    if !args.json {
        println!("\n  dashboard  http://{web}/\n  name       {USER}\n  password   {}\n", site.user_password);
    }
    let code = if args.once {
        play::once(args, &day, site, smsc, processes, stop).await?
    } else {
        play::live(args, &day, site, smsc, processes, stop).await?
    };
    Ok(code)
}

/// Migrates, and makes the election with the commands that anybody has.
async fn set_up(site: &Site, day: &Day) -> anyhow::Result<()> {
    let roster = site.path("roster");
    let checklists = roster::write(&roster, day, None)?;
    let file = |name: &str| roster.join(name).display().to_string();
    site.run(&["migrate", "--create-logins"], "").await?;
    site.run(&["election", "create", ELECTION, "--name", "Demonstration election", "--language", "en"], "").await?;
    site.run(&["location", "import", ELECTION, &file("locations.csv")], "").await?;
    for checklist in &checklists {
        site.run(&["checklist", "import", ELECTION, &file(checklist)], "").await?;
    }
    site.run(&["observer", "import", ELECTION, &file("observers.csv")], "").await?;
    let password = format!("{}\n", site.user_password);
    site.run(&["user", "add", USER, "--role", "admin", "--password-file", "-"], &password).await?;
    site.run(&["election", "open", ELECTION], "").await
}

/// The address, its port filled in when any will do.
fn free(listen: SocketAddr) -> anyhow::Result<SocketAddr> {
    let probe =
        TcpListener::bind(listen).with_context(|| format!("can't listen on {listen}; is something else there?"))?;
    Ok(probe.local_addr()?)
}

/// Waits until the web takes connections.
async fn answers(web: SocketAddr, site: &Site, processes: &mut Processes) -> anyhow::Result<()> {
    let deadline = Instant::now() + WEB_WAIT;
    while TcpStream::connect(web).await.is_err() {
        alive(site, processes)?;
        if Instant::now() > deadline {
            bail!("the web does not answer at {web}; it said:\n{}", site.tail("web"));
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    Ok(())
}

/// An error when a process ended by itself, with what it said last.
fn alive(site: &Site, processes: &mut Processes) -> anyhow::Result<()> {
    match processes.ended() {
        Some((name, status)) => bail!("{name} ended by itself ({status}); it said:\n{}", site.tail(name)),
        None => Ok(()),
    }
}
