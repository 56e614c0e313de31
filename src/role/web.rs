//! `scrutineer web`: composition, supervision and stop of the dashboard.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::support;
use crate::config::{Config, Login, Part};
use crate::limits::{WEB_MEMORY_BYTES_MAX, WEB_POOL_MAX};
use crate::store::Store;
use crate::telemetry;
use crate::vitals::memory;
use crate::vitals::pressure::Pressure;
use crate::web::{self, App, Options};

/// Runs the role until it is told to stop.
pub fn main(config: &Path) -> ExitCode {
    support::run_role(config, Part::Web, run)
}

async fn run(config: Config) -> anyhow::Result<()> {
    let mut options = config.database.connect_options(Login::Web, WEB_POOL_MAX)?;
    options.application = "scrutineer-web".to_owned();
    let store = Store::new(&options);
    let pressure = Pressure::default();
    let app = App::heeding(
        store.clone(),
        Options { secure_cookie: config.web.secure_cookie, session_hours: config.web.session_hours },
        pressure.clone(),
    );
    let address = config.web.listen;
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("can't listen on {address}; choose another address for `listen` in [web]"))?;
    let address = listener.local_addr()?;
    if let Some(metrics) = config.web.metrics {
        telemetry::serve_metrics(metrics, "web").await?;
    }

    let stop = CancellationToken::new();
    let grace = Duration::from_secs(u64::from(config.web.stop_seconds));
    let mut tasks: JoinSet<&'static str> = JoinSet::new();
    let (progress, made) = mpsc::channel(1);
    {
        let app = app.clone();
        tasks.spawn(async move {
            // Full: the watchdog has not looked yet, and will.
            web::tend(app, move || {
                let _ = progress.try_send(());
            })
            .await;
            "health"
        });
    }
    tasks.spawn(watch(made));
    tasks.spawn(async move {
        memory::watch(WEB_MEMORY_BYTES_MAX, pressure).await;
        "memory"
    });
    let caches = app.clone();
    tasks.spawn(async move {
        caches.empty_caches().await;
        "caches"
    });
    let (router, stopped) = (web::router(app), stop.clone());
    let server = tokio::spawn(web::serve(listener, router, stopped, grace));
    tracing::info!(%address, "the dashboard listens");
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let ended = tokio::select! {
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
        Some(ended) = tasks.join_next() => Some(ended),
    };
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    stop.cancel();
    let left = server.await.context("the server's task")?;
    tasks.abort_all();
    if left > 0 {
        tracing::warn!(connections = left, "stopped without waiting longer for connections");
    }
    // A connection that hangs must not hold the stop.
    let _ = tokio::time::timeout(Duration::from_secs(1), store.close()).await;
    match ended {
        None => {
            tracing::info!("stopped");
            Ok(())
        }
        Some(Ok(task)) => anyhow::bail!("the task `{task}` ended by itself"),
        Some(Err(error)) => Err(error).context("a task failed"),
    }
}

/// Feeds systemd's watchdog as long as the program makes progress; a database that is away is progress too.
async fn watch(mut made: mpsc::Receiver<()>) -> &'static str {
    while made.recv().await.is_some() {
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
    }
    "watchdog"
}
