//! A private PostgreSQL: found, made, started. It listens on a Unix socket in the demo's folder only.
//!
//! The server refuses root, so under root it runs as `postgres`, or `nobody` where there is none.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::Signal;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::guard::Processes;

/// In the socket's name; nothing listens on TCP.
pub(super) const PORT: u16 = 5432;
/// The database.
pub(super) const DATABASE: &str = "scrutineer";
/// Its owner, who may also make roles.
pub(super) const OWNER: &str = "scrutineer";
const START_WAIT: Duration = Duration::from_secs(60);

/// Where the server's programs are, and whom they run as.
pub(super) struct Server {
    bin: PathBuf,
    /// Numeric user and group, under root.
    user: Option<(u32, u32)>,
}

impl Server {
    /// Finds the newest of Debian's, else what `PATH` has.
    pub(super) async fn find() -> anyhow::Result<Self> {
        let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
            .filter(|(_, bin)| bin.join("initdb").exists())
            .collect();
        found.sort();
        let bin = found.pop().map(|(_, bin)| bin).or_else(|| {
            std::env::split_paths(&std::env::var_os("PATH")?)
                .find(|dir| dir.join("initdb").exists() && dir.join("postgres").exists())
        });
        let Some(bin) = bin else {
            bail!("PostgreSQL's server is missing; install Debian's package: apt-get install postgresql");
        };
        let user = if rustix::process::geteuid().is_root() {
            let postgres = ids("postgres").await;
            Some(match postgres {
                Some(ids) => ids,
                None => {
                    ids("nobody").await.context("there is neither a user postgres nor nobody to run PostgreSQL as")?
                }
            })
        } else {
            None
        };
        Ok(Self { bin, user })
    }

    /// A program of the server, under a user that it accepts.
    fn command(&self, name: &str) -> Command {
        let program = self.bin.join(name);
        let mut command = match self.user {
            Some((uid, gid)) => {
                let mut command = Command::new("setpriv");
                let (uid, gid) = (uid.to_string(), gid.to_string());
                command.args(["--reuid", &uid, "--regid", &gid, "--clear-groups", "--"]).arg(program);
                command
            }
            None => Command::new(program),
        };
        // Where the caller stands may be closed to the server's user.
        command.current_dir("/").stdin(Stdio::null()).env("LC_ALL", "C").kill_on_drop(true);
        let (name, value) = super::guard::mark();
        command.env(name, value);
        command
    }

    /// Makes a cluster in `dir`, with the database and its owner.
    pub(super) async fn create(&self, dir: &Path, password: &str) -> anyhow::Result<()> {
        std::fs::create_dir_all(dir)?;
        let secret = dir.join("password");
        super::site::write_private(&secret, password)?;
        if let Some((uid, gid)) = self.user {
            for path in [dir, &secret] {
                std::os::unix::fs::chown(path, Some(uid), Some(gid))?;
            }
        }
        let data = dir.join("data");
        let mut initdb = self.command("initdb");
        initdb.args(["-A", "scram-sha-256", "-U", OWNER, "-E", "UTF8", "--no-locale", "--no-sync", "--pwfile"]);
        run(initdb.arg(&secret).arg("-D").arg(&data), "").await?;
        std::fs::remove_file(&secret)?;
        let conf = format!(
            "\nlisten_addresses = ''\nport = {PORT}\nunix_socket_directories = '{}'\nmax_connections = 60\n\
             shared_buffers = 64MB\nmax_wal_size = 256MB\nlog_min_messages = warning\n",
            dir.display()
        );
        let mut file = std::fs::OpenOptions::new().append(true).open(data.join("postgresql.conf"))?;
        std::io::Write::write_all(&mut file, conf.as_bytes())?;
        let mut single = self.command("postgres");
        single.args(["--single", "-D"]).arg(&data).arg("postgres");
        run(&mut single, &format!("CREATE DATABASE {DATABASE}\n")).await
    }

    /// Starts the server, and waits until it takes connections.
    pub(super) async fn start(&self, dir: &Path, log: &Path, processes: &mut Processes) -> anyhow::Result<()> {
        let mut command = self.command("postgres");
        command.arg("-D").arg(dir.join("data"));
        // SIGINT: end now, in order.
        processes.start("postgresql", command, log, Signal::INT)?;
        let deadline = Instant::now() + START_WAIT;
        let ready = || {
            let file = std::fs::read_to_string(dir.join("data/postmaster.pid")).unwrap_or_default();
            file.lines().nth(7).map(str::trim) == Some("ready")
        };
        while !ready() {
            let ended = processes.ended();
            if ended.is_some() || Instant::now() > deadline {
                bail!("PostgreSQL does not start; it said:\n{}", std::fs::read_to_string(log).unwrap_or_default());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

async fn ids(user: &str) -> Option<(u32, u32)> {
    let id = async |what: &str| {
        let out = Command::new("id").args([what, user]).output().await.ok()?;
        String::from_utf8(out.stdout).ok()?.trim().parse::<u32>().ok()
    };
    Some((id("-u").await?, id("-g").await?))
}

/// Runs a command to its end; its output is told when it fails.
async fn run(command: &mut Command, input: &str) -> anyhow::Result<()> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("can't run {:?}", command.as_std().get_program()))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read its input may be gone before it is written.
        let _ = stdin.write_all(input.as_bytes()).await;
    }
    let output = child.wait_with_output().await?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!("{:?}: {}\n{}", command.as_std(), output.status, String::from_utf8_lossy(&said));
    }
    Ok(())
}
