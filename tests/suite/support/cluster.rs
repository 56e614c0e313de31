//! A PostgreSQL server of our own: made, started, killed and started again. It listens on a Unix
//! socket in its folder only, and trusts whoever can reach that.
//!
//! The server refuses root, so under root it runs as `postgres`, or `nobody` where there is none.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::PATIENCE;

/// Port in the socket's name; nothing listens on TCP.
pub const PORT: u16 = 5432;

/// Whether what the server commits must outlive a kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// `fsync = on`, the server's own default.
    Synced,
    /// `fsync = off`, for tests that kill nothing.
    Fast,
}

/// A server that is a child of this process, killed when dropped.
#[derive(Debug)]
pub struct Cluster {
    dir: tempfile::TempDir,
    postmaster: Mutex<Option<Child>>,
}

impl Cluster {
    /// Makes and starts a server in a folder of its own.
    pub fn start(durability: Durability) -> Self {
        let cluster = Self { dir: super::dir::fresh(), postmaster: Mutex::default() };
        create(cluster.socket_dir(), durability);
        cluster.up();
        cluster
    }

    /// A server of the caller's own with more settings, started.
    pub fn start_with(durability: Durability, settings: &str) -> Self {
        let cluster = Self::made_by(|dir| create(dir, durability));
        cluster.configure(settings);
        cluster.up();
        cluster
    }

    /// A server whose folder `data` the caller makes; not started.
    pub fn made_by(make: impl FnOnce(&Path)) -> Self {
        let cluster = Self { dir: super::dir::fresh(), postmaster: Mutex::default() };
        hand_over(cluster.socket_dir());
        make(cluster.socket_dir());
        cluster
    }

    /// Adds settings, for its next start.
    pub fn configure(&self, lines: &str) {
        use std::io::Write;
        let conf = self.dir.path().join("data/postgresql.conf");
        let mut conf = std::fs::File::options().append(true).open(conf).unwrap();
        conf.write_all(format!("\n{lines}\n").as_bytes()).unwrap();
    }

    /// Tells the postmaster to stop: SIGTERM (smart), SIGINT (fast) or SIGQUIT (immediate).
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = self.postmaster.lock().unwrap().as_ref().map(Child::id).unwrap();
        let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Has its postmaster not ended?
    pub fn is_running(&self) -> bool {
        self.postmaster.lock().unwrap().as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    /// Waits for its end after [`Cluster::signal`].
    pub fn wait(&self) {
        let mut postmaster = self.postmaster.lock().unwrap().take().unwrap();
        let deadline = Instant::now() + PATIENCE;
        while postmaster.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "PostgreSQL does not stop:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The folder with its socket.
    pub fn socket_dir(&self) -> &Path {
        self.dir.path()
    }

    /// Starts it, and waits until it takes connections.
    pub fn up(&self) {
        let log = std::fs::File::options().create(true).append(true).open(self.dir.path().join("log")).unwrap();
        let mut command = server_command("postgres");
        command.arg("-D").arg(self.dir.path().join("data")).stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn().unwrap();
        let pid = child.id().to_string();
        *self.postmaster.lock().unwrap() = Some(child);
        // After a kill it first brings its log to an end, beside whatever else this machine does.
        let deadline = Instant::now() + 4 * PATIENCE;
        // The server says in this file whose it is and, in the eighth line, how far it has come.
        let ready = || {
            let file = std::fs::read_to_string(self.dir.path().join("data/postmaster.pid")).unwrap_or_default();
            let mut lines = file.lines();
            lines.next().map(str::trim) == Some(pid.as_str()) && lines.nth(6).map(str::trim) == Some("ready")
        };
        while !ready() {
            assert!(Instant::now() < deadline, "PostgreSQL does not start:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// SIGKILL to the postmaster and each of its children, as a power cut would leave it; waits for their end.
    pub fn kill(&self) {
        use rustix::process::{Pid, Signal, kill_process};
        let Some(mut postmaster) = self.postmaster.lock().unwrap().take() else { return };
        let pid: i32 = postmaster.id().try_into().unwrap();
        let signal = |pid, signal| Pid::from_raw(pid).is_some_and(|pid| kill_process(pid, signal).is_ok());
        // Stopped, so that it forks no more while we look.
        signal(pid, Signal::STOP);
        let children = children(pid);
        signal(pid, Signal::KILL);
        for child in &children {
            signal(*child, Signal::KILL);
        }
        postmaster.wait().unwrap();
        let deadline = Instant::now() + PATIENCE;
        while children.iter().any(|pid| is_running(*pid)) {
            assert!(Instant::now() < deadline, "PostgreSQL's processes outlive SIGKILL");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// SIGSTOP to the postmaster and each of its children: it is there, and answers nothing.
    pub fn stop_still(&self) {
        self.signal_all(rustix::process::Signal::STOP);
    }

    /// Undoes [`Cluster::stop_still`].
    pub fn go_on(&self) {
        self.signal_all(rustix::process::Signal::CONT);
    }

    fn signal_all(&self, signal: rustix::process::Signal) {
        use rustix::process::{Pid, kill_process};
        let pid: i32 = self.postmaster.lock().unwrap().as_ref().map_or(0, |child| child.id().try_into().unwrap());
        for pid in std::iter::once(pid).chain(children(pid)).filter_map(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
    }

    /// What the server logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill();
    }
}

/// `initdb` and our settings, in `dir/data`.
pub fn create(dir: &Path, durability: Durability) {
    hand_over(dir);
    let data = dir.join("data");
    run(server_command("initdb")
        .args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale", "--no-sync", "-D"])
        .arg(&data));
    let mut conf = std::fs::read_to_string(data.join("postgresql.conf")).unwrap();
    conf.push_str(&format!(
        "\nlisten_addresses = ''\nport = {PORT}\nunix_socket_directories = '{}'\nmax_connections = 100\nshared_buffers = 64MB\n",
        dir.display()
    ));
    if durability == Durability::Fast {
        conf.push_str("fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n");
    }
    std::fs::write(data.join("postgresql.conf"), conf).unwrap();
}

/// Starts the server of `dir` as nobody's child, and waits until it takes connections.
pub fn up_detached(dir: &Path) {
    let seconds = PATIENCE.as_secs().to_string();
    let mut command = server_command("pg_ctl");
    command.args(["start", "-w", "-s", "-t", &seconds, "-D"]).arg(dir.join("data")).arg("-l").arg(dir.join("log"));
    run(&mut command);
}

/// The folder with `initdb`, `pg_ctl` and `postgres`: the newest of Debian's, else whatever `PATH` has.
pub fn bin_dir() -> Option<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, bin)| bin.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().map(|(_, bin)| bin).or_else(|| {
        std::env::split_paths(&std::env::var_os("PATH")?)
            .find(|dir| dir.join("initdb").exists() && dir.join("postgres").exists())
    })
}

/// A command of the server, under a user that it accepts.
pub fn server_command(name: &str) -> Command {
    let bin = bin_dir().expect("PostgreSQL's server is missing: install Debian's package `postgresql`");
    let program: OsString = bin.join(name).into();
    let mut command = match server_user() {
        Some(user) => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", user, "--regid", &group_of(user), "--clear-groups", "--"]).arg(program);
            command
        }
        None => Command::new(program),
    };
    // Where the caller stands may be closed to the server's user.
    command.current_dir("/").stdin(Stdio::null()).env("LC_ALL", "C");
    command
}

/// The user that the server runs as, when we are root.
fn server_user() -> Option<&'static str> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let known = |user: &str| id(user, "-u").is_some();
    Some(if known("postgres") { "postgres" } else { "nobody" })
}

fn group_of(user: &str) -> String {
    id(user, "-g").expect("a user has a group").to_string()
}

fn id(user: &str, what: &str) -> Option<u32> {
    let out = Command::new("id").args([what, user]).output().ok()?;
    out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().parse().ok())?
}

/// Gives a folder to the server's user.
fn hand_over(dir: &Path) {
    if let Some(user) = server_user() {
        std::os::unix::fs::chown(dir, id(user, "-u"), id(user, "-g")).unwrap();
    }
}

fn children(pid: i32) -> Vec<i32> {
    let file = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    file.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// Is there such a process, and is it no zombie?
fn is_running(pid: i32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    // The state follows the command's name, which may hold spaces and brackets.
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Runs a command of the server to its end.
///
/// # Panics
/// When it fails, with what it said.
pub fn run(command: &mut Command) {
    // The server must not inherit our pipes: whoever reads them would wait for its end.
    let log = tempfile::tempfile().unwrap();
    let status = command.stdout(log.try_clone().unwrap()).stderr(log.try_clone().unwrap()).status().unwrap();
    if !status.success() {
        use std::io::{Read, Seek};
        let (mut log, mut text) = (log, String::new());
        log.rewind().unwrap();
        let _ = log.read_to_string(&mut text);
        panic!("{command:?}: {status}\n{text}");
    }
}
