//! `scrutineer worker`: composition, supervision, stop.
//!
//! Ready at once: a database or gateway that is away is a state. Only a schema that is not this
//! program's ends it, with how to mend that.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::support::run_role;
use crate::config::{Config, Login, Part};
use crate::intake::decide::Replies;
use crate::intake::session::{Intake, Options};
use crate::limits::{LANES_MAX, WORKER_MEMORY_BYTES_MAX};
use crate::store::Store;
use crate::telemetry;
use crate::vitals::memory;
use crate::vitals::pressure::Pressure;
use crate::vitals::progress::Progress;

/// Connections beside the lanes': for the outbox, the roster and timers.
const CONNECTIONS_BESIDE_LANES: u32 = 3;
/// How often the state is told to the watchdog when it is not asked for.
const WATCHDOG_DEFAULT: Duration = Duration::from_secs(30);

/// Runs the role until it is told to stop.
pub fn main(config: &Path) -> ExitCode {
    run_role(config, Part::Worker, run)
}

async fn run(config: Config) -> anyhow::Result<()> {
    let lanes = config.worker.lanes.clamp(1, u16::try_from(LANES_MAX).unwrap_or(u16::MAX));
    let mut options = config.database.connect_options(Login::Worker, u32::from(lanes) + CONNECTIONS_BESIDE_LANES)?;
    options.settings = worker_settings();
    let lease_seconds = i32::try_from(config.worker.lease_seconds).unwrap_or(i32::MAX);
    let store = Store::new(&options).with_lease_seconds(lease_seconds);
    let stop = CancellationToken::new();
    let progress = Arc::new(Progress::new(Duration::from_secs(config.worker.hang_seconds.into())));
    let pressure = Pressure::default();
    let intake = Intake::new(
        Options {
            socket: config.gateway.socket.clone(),
            lanes,
            segments_wait_seconds: config.worker.segments_wait_seconds,
        },
        store.clone(),
        replies(config.worker.replies.as_deref())?,
        Arc::clone(&progress),
    )
    .heeding(pressure.clone());
    let mut tasks: JoinSet<(&'static str, anyhow::Result<()>)> = JoinSet::new();
    if let Some(address) = config.worker.metrics {
        let (address, server) = telemetry::serve_metrics(address, "worker").await?;
        info!(%address, "metrics are served");
        tasks.spawn(async move { ("metrics", server.await.context("the metrics server broke")) });
    }
    tasks.spawn({
        let (store, board) = (store.clone(), intake.board());
        async move {
            super::report::report(store, board, lanes).await;
            ("report", Ok(()))
        }
    });
    let (running, _) = watch::channel(false);
    let stopped = stop.clone();
    tasks.spawn(async move { ("intake", intake.run(stopped, running).await.map_err(Into::into)) });
    let stopped = stop.clone();
    tasks.spawn(async move {
        memory::watch(WORKER_MEMORY_BYTES_MAX, pressure).await;
        ("memory", Ok(()))
    });
    tasks.spawn(async move { ("watchdog", watchdog(progress, stopped).await) });

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    notify(&[sd_notify::NotifyState::Ready]);
    info!(lanes, socket = %config.gateway.socket.display(), "worker started");
    let result = tokio::select! {
        Some(ended) = tasks.join_next() => early(ended),
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    };
    notify(&[sd_notify::NotifyState::Stopping]);
    stop.cancel();
    let deadline = Duration::from_secs(config.worker.stop_seconds.into());
    if result.is_ok() && tokio::time::timeout(deadline, intake_ends(&mut tasks)).await.is_err() {
        warn!(
            ?deadline,
            "stopping without waiting longer for the batches under way; they are taken up at the next start"
        );
    }
    tasks.shutdown().await;
    drop(tokio::time::timeout(Duration::from_secs(1), store.close()).await);
    info!("worker stopped");
    result
}

/// Waits for the intake; the metrics server has no end of its own.
async fn intake_ends(tasks: &mut JoinSet<(&'static str, anyhow::Result<()>)>) {
    while let Some(ended) = tasks.join_next().await {
        if matches!(ended, Ok(("intake", _))) {
            return;
        }
    }
}

/// A task that ends before it is told to takes the process with it; systemd starts it anew.
fn early(ended: Result<(&'static str, anyhow::Result<()>), tokio::task::JoinError>) -> anyhow::Result<()> {
    match ended {
        Ok((_, Err(error))) => Err(error),
        Ok((name, Ok(()))) => anyhow::bail!("the worker's {name} ended by itself"),
        Err(error) => Err(error).context("a task of the worker broke"),
    }
}

/// Templates of replies: those built in, with a deployment's own over them, `<language>.toml` each.
pub(crate) fn replies(folder: Option<&Path>) -> anyhow::Result<Replies> {
    let mut own = Vec::new();
    if let Some(folder) = folder {
        let unreadable = || format!("can't read the reply templates in {} (`replies` in [worker])", folder.display());
        for entry in std::fs::read_dir(folder).with_context(unreadable)? {
            let path = entry.with_context(unreadable)?.path();
            if let (Some("toml"), Some(language)) =
                (path.extension().and_then(|e| e.to_str()), path.file_stem().and_then(|s| s.to_str()))
            {
                own.push((language.to_owned(), std::fs::read_to_string(&path).with_context(unreadable)?));
            }
        }
    }
    own.sort_unstable();
    Replies::new(&own).context("a reply template can't be used")
}

/// What the worker asks of its connections: its statements go by keys only, so plans made once hold
/// however the tables grow.
fn worker_settings() -> Vec<(&'static str, &'static str)> {
    vec![
        ("plan_cache_mode", "force_generic_plan"),
        ("enable_seqscan", "off"),
        ("enable_hashjoin", "off"),
        ("enable_mergejoin", "off"),
        ("jit", "off"),
    ]
}

/// Tells systemd that work moves on; a piece of work that does not end is what it is for.
async fn watchdog(progress: Arc<Progress>, stop: CancellationToken) -> anyhow::Result<()> {
    let every = sd_notify::watchdog_enabled().map_or(WATCHDOG_DEFAULT, |timeout| timeout / 3);
    let mut timer = tokio::time::interval(every.max(Duration::from_millis(100)));
    let mut told = false;
    loop {
        tokio::select! {
            _ = timer.tick() => {}
            () = stop.cancelled() => return Ok(()),
        }
        match progress.hung() {
            None => {
                told = false;
                notify(&[sd_notify::NotifyState::Watchdog]);
            }
            Some((place, busy)) if !told => {
                error!(place, ?busy, "work does not end; the watchdog is told no more");
                told = true;
            }
            Some(_) => {}
        }
    }
}

fn notify(state: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        warn!(%error, "systemd can't be told");
    }
}
