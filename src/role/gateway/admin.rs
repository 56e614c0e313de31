//! The gateway's local socket for its administration: root and the gateway's own user may ask, by their
//! credentials as the kernel knows them; a few at a time, in lines of JSON ([`super::speech`]).

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::fleet::Ask;
use super::speech::{Answer, Request, Traced};
use crate::config::Config;
use crate::limits::{
    ADMIN_CONNECTIONS_MAX, ADMIN_REQUEST_BYTES_MAX, ADMIN_SECONDS, TRACE_BYTES_MAX, TRACE_SECONDS_MAX,
};
use crate::smpp::desk::Wanted;
use crate::smpp::trace::{Passed, explain, mask};

const PATIENCE: Duration = Duration::from_secs(ADMIN_SECONDS);

/// See the module.
#[derive(Clone)]
pub struct Admin {
    asks: mpsc::Sender<Ask>,
    /// The configuration file.
    file: PathBuf,
}

/// Listens, for this user and root alone.
pub fn listen(path: &Path) -> std::io::Result<UnixListener> {
    let listener = crate::handoff::server::listen(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

impl Admin {
    /// Over these links and this configuration file.
    pub fn new(asks: mpsc::Sender<Ask>, file: &Path) -> Self {
        Self { asks, file: file.to_owned() }
    }

    /// Serves until cancelled. The socket's file is removed then.
    pub async fn run(self, listener: UnixListener, path: PathBuf, stop: CancellationToken) {
        let places = Arc::new(Semaphore::new(ADMIN_CONNECTIONS_MAX));
        while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
            match accepted {
                // One too many is closed at once; who asks says so.
                Ok((io, _)) => {
                    if let Ok(place) = places.clone().try_acquire_owned() {
                        let (admin, stop) = (self.clone(), stop.clone());
                        tokio::spawn(async move {
                            let _place = place;
                            if let Some(Err(error)) = stop.run_until_cancelled(admin.serve(io)).await {
                                tracing::debug!(%error, "a request of the administration was broken off");
                            }
                        });
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection of the administration cannot be accepted");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        }
        let _ = std::fs::remove_file(path);
    }

    async fn serve(&self, io: UnixStream) -> std::io::Result<()> {
        let user = io.peer_cred()?.uid();
        let (reader, mut writer) = io.into_split();
        let mut lines = BufReader::new(reader.take(ADMIN_REQUEST_BYTES_MAX as u64));
        let mut line = String::new();
        timeout(PATIENCE, lines.read_line(&mut line)).await??;
        // Not before the request is read: who writes to what is closed never sees why.
        if user != 0 && user != rustix::process::geteuid().as_raw() {
            tracing::warn!(user, "a user who may not is refused the administration");
            return say(&mut writer, &failed("only root and the gateway's own user may ask")).await;
        }
        let request = match serde_json::from_str(&line) {
            Ok(request) => request,
            Err(error) => {
                let why = format!("no request: {error}; a gateway of another version? restart it");
                return say(&mut writer, &failed(&why)).await;
            }
        };
        tracing::info!(user, ?request, "administration");
        let answer = match request {
            Request::List => {
                let (answer, said) = oneshot::channel();
                match self.ask(Ask::List(answer), said).await {
                    Some(binds) => Answer::Links { binds },
                    None => stopping(),
                }
            }
            Request::Pause { link } => self.want(link, Wanted::Pause).await,
            Request::Resume { link } => self.want(link, Wanted::Run).await,
            Request::Drain { link } => self.want(link, Wanted::Drain).await,
            Request::Reload => self.reload().await,
            Request::Trace { full: true, .. } if user != 0 => {
                failed("phone numbers and texts in full are for root alone")
            }
            Request::Trace { link, seconds, full } => {
                let gone = lines.into_inner().into_inner();
                return self.trace(gone, writer, link, seconds, full).await;
            }
        };
        say(&mut writer, &answer).await
    }

    async fn ask<T>(&self, ask: Ask, said: oneshot::Receiver<T>) -> Option<T> {
        timeout(PATIENCE, self.asks.send(ask)).await.ok()?.ok()?;
        timeout(PATIENCE, said).await.ok()?.ok()
    }

    async fn want(&self, link: String, wanted: Wanted) -> Answer {
        let (answer, said) = oneshot::channel();
        match self.ask(Ask::Want(link.clone(), wanted, answer), said).await {
            Some(true) => Answer::Done,
            Some(false) => no_link(&link),
            None => stopping(),
        }
    }

    /// Reads the configuration again, and has the links be as it says. One that is wrong changes nothing.
    pub async fn reload(&self) -> Answer {
        let file = self.file.clone();
        let Ok(loaded) = tokio::task::spawn_blocking(move || super::load(&file)).await else { return stopping() };
        let config: Config = match loaded {
            Ok(config) => config,
            Err(error) => {
                let why: Vec<String> = error.problems.iter().map(ToString::to_string).collect();
                for why in &why {
                    tracing::error!(%why, "the configuration is not reloaded");
                }
                return Answer::Failed { why, configuration: true };
            }
        };
        let (answer, said) = oneshot::channel();
        match self.ask(Ask::Reload(Box::new(config), answer), said).await {
            Some(Ok(changes)) => Answer::Reloaded(changes),
            Some(Err(why)) => failed(&why),
            None => stopping(),
        }
    }

    /// Shows what goes over a link's wire until its time is over, or who asked is gone.
    async fn trace(
        &self,
        mut reader: OwnedReadHalf,
        mut writer: OwnedWriteHalf,
        link: String,
        seconds: u32,
        full: bool,
    ) -> std::io::Result<()> {
        let (answer, said) = oneshot::channel();
        let Some(taps) = self.ask(Ask::Taps(link.clone(), answer), said).await else {
            return say(&mut writer, &stopping()).await;
        };
        if taps.is_empty() {
            return say(&mut writer, &no_link(&link)).await;
        }
        let until = Instant::now() + Duration::from_secs(seconds.clamp(1, TRACE_SECONDS_MAX).into());
        let (all, mut passed) = mpsc::channel::<(String, Passed)>(1);
        for (bind, tap) in taps {
            let (mut one, all) = (tap.open(), all.clone());
            tokio::spawn(async move {
                while let Ok(Some(pdu)) = tokio::time::timeout_at(until, one.recv()).await {
                    if all.send((bind.clone(), pdu)).await.is_err() {
                        return;
                    }
                }
            });
        }
        drop(all);
        let (mut bytes, mut nothing) = (0, [0; 64]);
        loop {
            let next = tokio::select! {
                biased;
                // Nothing more is said by who asked: the end of it is that they are gone.
                _ = reader.read(&mut nothing) => return Ok(()),
                next = passed.recv() => next,
            };
            let Some((bind, pdu)) = next else { return say(&mut writer, &Answer::Done).await };
            bytes += pdu.raw.len();
            if bytes > TRACE_BYTES_MAX {
                return say(&mut writer, &failed("that is as much as one trace shows; begin another")).await;
            }
            say(&mut writer, &Answer::Passed(traced(bind, &pdu, full))).await?;
        }
    }
}

fn traced(bind: String, passed: &Passed, full: bool) -> Traced {
    let mut raw = passed.raw.to_vec();
    mask(&mut raw, full);
    let said = explain(&raw);
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(passed.at_us) * 1_000).ok();
    Traced {
        at: at.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default(),
        bind,
        direction: passed.direction.word().to_owned(),
        pdu: said.pdu,
        status: said.status,
        sequence: said.sequence,
        says: said.says,
        hex: raw.iter().map(|byte| format!("{byte:02x}")).collect(),
        missed: passed.missed,
    }
}

fn failed(why: &str) -> Answer {
    Answer::Failed { why: vec![why.to_owned()], configuration: false }
}

fn stopping() -> Answer {
    failed("the gateway is stopping, or too busy to answer")
}

fn no_link(link: &str) -> Answer {
    failed(&format!("no link is called `{link}`; see `scrutineer link list`"))
}

async fn say(writer: &mut OwnedWriteHalf, answer: &Answer) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    timeout(PATIENCE, writer.write_all(&line)).await?
}
