//! A gate on the way to PostgreSQL's socket: shut, nothing passes, and nobody is told.

use std::path::{Path, PathBuf};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::cluster::PORT;

/// See the module. Gone with this value.
#[derive(Debug)]
pub struct Gate {
    dir: tempfile::TempDir,
    open: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Gate {
    /// An open gate to the server whose socket stands in this folder.
    pub fn to(host: &Path) -> Self {
        let dir = super::dir::fresh();
        let name = format!(".s.PGSQL.{PORT}");
        let listener = UnixListener::bind(dir.path().join(&name)).unwrap();
        let target: PathBuf = host.join(name);
        let (open, watched) = watch::channel(true);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (target, watched) = (target.clone(), watched.clone());
                tokio::spawn(async move {
                    let Ok(server) = UnixStream::connect(target).await else { return };
                    let (client_in, client_out) = client.into_split();
                    let (server_in, server_out) = server.into_split();
                    tokio::join!(pass(client_in, server_out, watched.clone()), pass(server_in, client_out, watched));
                });
            }
        });
        Self { dir, open, task }
    }

    /// The folder with its socket: the `host` of a configuration.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Nothing passes any more.
    pub fn shut(&self) {
        self.open.send_replace(false);
    }

    /// Everything passes again, what was held back too.
    pub fn open(&self) {
        self.open.send_replace(true);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(
    mut from: tokio::net::unix::OwnedReadHalf,
    mut to: tokio::net::unix::OwnedWriteHalf,
    mut open: watch::Receiver<bool>,
) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(n @ 1..) = from.read(&mut bytes).await {
        if open.wait_for(|open| *open).await.is_err() || to.write_all(&bytes[..n]).await.is_err() {
            return;
        }
    }
}
