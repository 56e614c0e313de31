//! `scrutineer gateway`: composition. Configuration to parts, parts to named tasks, and the stop.
//!
//! The early end of one task ends them all, and the process exits non-zero.

pub mod admin;
pub mod fleet;
pub mod keep;
pub mod parts;
pub mod speech;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, ConfigError, EXIT_CONFIG, Part};
use crate::handoff::append::{Append, Op};
use crate::handoff::message::{NotSent, SubmitOutcome};
use crate::handoff::server;
use crate::limits::{ADMIN_QUEUE_MAX, GATEWAY_MEMORY_BYTES_MAX};
use crate::spool::{Spool, SpoolError};
use crate::telemetry;
use crate::vitals::memory;
use crate::world::World;
use admin::Admin;
use parts::Parts;

/// Threads of the runtime; the spool has two more.
const THREADS: usize = 2;

/// Runs the role until it is told to stop.
pub fn main(path: &Path) -> ExitCode {
    let config = match load(path) {
        Ok(config) => config,
        Err(error) => return super::support::report(&error.into()),
    };
    telemetry::init_logs(&config.log);
    if let Err(error) = telemetry::install_metrics() {
        eprintln!("scrutineer gateway: {error}");
        return ExitCode::FAILURE;
    }
    let spool = match Spool::open(&parts::spool_options(&config)) {
        Ok(spool) => spool,
        Err(error) => {
            tracing::error!(%error, "the gateway cannot start");
            let bad_setting = matches!(error, SpoolError::Folder { .. } | SpoolError::Version { .. });
            return if bad_setting { ExitCode::from(EXIT_CONFIG) } else { ExitCode::FAILURE };
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build();
    let result = runtime.context("starting the runtime").and_then(|runtime| {
        let result = runtime.block_on(run(&config, path, spool));
        runtime.shutdown_timeout(Duration::from_secs(1));
        result
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = %format_args!("{error:#}"), "the gateway ends");
            ExitCode::FAILURE
        }
    }
}

/// The configuration, when a gateway can run by it.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let config = Config::load_for(path, Part::Gateway)?;
    parts::check_tls(&config)?;
    Ok(config)
}

async fn run(config: &Config, file: &Path, mut spool: Spool) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let metrics = match config.gateway.metrics {
        Some(address) => Some(telemetry::serve_metrics(address, "gateway").await?),
        None => None,
    };
    let socket = &config.gateway.socket;
    let listener = server::listen(socket).with_context(|| {
        format!("listening on {}: its folder must exist and be writable for the gateway's user", socket.display())
    })?;

    let desk = config.gateway.admin();
    let admin_listener = admin::listen(&desk).with_context(|| {
        format!("listening on {}: its folder must exist and be writable for the gateway's user", desk.display())
    })?;

    let world = World::real();
    let parts = Parts::new(config, &mut spool, &world, stop.clone())?;
    let Parts { links, fleet, server, keeper, groups, pressure } = parts;
    let [fleet_lives, workers_live] = ["links", "workers"].map(|place| server.progress.place(place));
    let mut tasks: JoinSet<String> = JoinSet::new();
    let (asks, asked) = mpsc::channel(ADMIN_QUEUE_MAX);
    tasks.spawn(async move {
        fleet_lives.lively(fleet.run(links, asked)).await;
        "links".to_owned()
    });
    let admin = Admin::new(asks, file);
    let (served, path, token) = (admin.clone(), desk, stop.clone());
    tasks.spawn(async move {
        served.run(admin_listener, path, token).await;
        "administration".to_owned()
    });
    let (path, token) = (socket.clone(), stop.clone());
    tasks.spawn(async move {
        if let Err(error) = workers_live.lively(server.run(listener, path, token)).await {
            tracing::error!(%error, "the worker cannot be served");
        }
        "handoff".to_owned()
    });
    let token = stop.clone();
    tasks.spawn(async move {
        keeper.run(token).await;
        "housekeeping".to_owned()
    });
    let token = stop.clone();
    tasks.spawn(async move {
        // It has no end of its own, and a stop waits for all.
        token.run_until_cancelled(memory::watch(GATEWAY_MEMORY_BYTES_MAX, pressure)).await;
        "memory".to_owned()
    });
    tracing::info!(
        links = config.link.len(), spool = %config.gateway.spool.display(), socket = %socket.display(),
        metrics = metrics.as_ref().map(|(address, _)| tracing::field::display(address)), "gateway started"
    );
    let _ = sd_notify::notify(&[NotifyState::Ready]);

    let early = loop {
        tokio::select! {
            _ = terminate.recv() => break None,
            _ = interrupt.recv() => break None,
            Some(ended) = tasks.join_next() => break Some(ended),
            Some(()) = hangup.recv() => {
                // What came of it is logged.
                admin.reload().await;
            }
        }
    };
    drop(admin);
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
    tracing::info!("stopping");
    stop.cancel();
    let limit = Duration::from_secs(config.gateway.stop_seconds.into());
    let all = async {
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a task failed");
            }
        }
    };
    if timeout(limit, all).await.is_err() {
        tracing::warn!(tasks = tasks.len(), "these did not stop in time and are cut off");
        tasks.shutdown().await;
    }
    let queue = spool.queue();
    for group in groups.all() {
        give_back(&queue, group.link(), &group.queue, world.now_us()).await;
    }
    drop(queue);
    if let Some((_, task)) = metrics {
        task.abort();
    }
    let closing = tokio::task::spawn_blocking(|| spool.close());
    if timeout(limit, closing).await.is_err() {
        tracing::warn!("the spool did not close in time");
    }
    match early {
        None => Ok(()),
        Some(Ok(name)) => Err(anyhow!("{name} ended by itself")),
        Some(Err(error)) => Err(error).context("a task failed"),
    }
}

/// What still waits for a link was not sent.
async fn give_back(
    spool: &tokio::sync::mpsc::Sender<Append>,
    link: u16,
    submits: &Arc<crate::handoff::queue::SubmitQueue>,
    at_us: i64,
) {
    for submit in submits.expired(i64::MAX) {
        let outcome = SubmitOutcome::NotSent { reason: NotSent::Stopping };
        let op = Op::Result { id: submit.id, attempt: submit.attempt, at_us, outcome };
        let append = Append { link, tag: 0, give_up: None, op };
        if timeout(Duration::from_secs(1), spool.send(append)).await.is_err() {
            return;
        }
    }
}
