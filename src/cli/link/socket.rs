//! The command's end of the gateway's socket for administration.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::role::gateway::speech::{Answer, Request};

/// A reload reads files and has a stopping link in its way; an answer comes sooner.
const PATIENCE: Duration = Duration::from_secs(20);

/// See the module.
pub(super) struct Socket(BufReader<UnixStream>);

impl Socket {
    pub(super) async fn connect(path: &Path) -> anyhow::Result<Self> {
        let connected = timeout(PATIENCE, UnixStream::connect(path)).await?;
        let io = connected.with_context(|| {
            format!("no gateway answers at {}: is it running, and are you root (or its user)?", path.display())
        })?;
        Ok(Self(BufReader::new(io)))
    }

    /// Asks.
    pub(super) async fn send(&mut self, request: &Request) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        Ok(self.0.get_mut().write_all(&line).await?)
    }

    /// Asks, and gives the first line of the answer.
    pub(super) async fn ask(&mut self, request: &Request) -> anyhow::Result<Answer> {
        self.send(request).await?;
        match timeout(PATIENCE, self.next()).await?? {
            Some(answer) => Ok(answer),
            None => bail!("the gateway said nothing: too many ask at the same time, or it is stopping"),
        }
    }

    /// The next line; `None` at the end.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Answer>> {
        let mut line = String::new();
        if self.0.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        Ok(Some(serde_json::from_str(&line).context("the gateway's answer is not understood: another version?")?))
    }
}
