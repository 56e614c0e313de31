//! The program's processes, as systemd would run them: started, awaited by `sd_notify`, stopped or
//! killed; their logs kept and awaited.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixDatagram;
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::{PATIENCE, soon, within};

/// The program that was built for this run.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_scrutineer");

/// How to start a role, beyond the usual.
#[derive(Debug, Default)]
pub struct Launch {
    /// More environment.
    pub env: Vec<(String, String)>,
    /// The file of a cgroup that takes the process before it begins.
    pub cgroup: Option<PathBuf>,
    /// `WatchdogSec=` of its unit.
    pub watchdog: Option<Duration>,
}

/// A running role. Dropped, it is killed.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    /// What it told systemd.
    told: Lines,
    lines: Lines,
    _dir: tempfile::TempDir,
}

impl Process {
    /// Starts a role, and waits until it says that it is ready.
    pub async fn start(role: &str, config: &Path) -> Self {
        let mut process = Self::spawn(role, config);
        process.ready().await;
        process
    }

    /// Starts a role in an environment, and waits until it is ready.
    pub async fn start_with(role: &str, config: &Path, environment: &[(&str, String)]) -> Self {
        let env = environment.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
        let mut process = Self::launch(role, config, &Launch { env, ..Launch::default() });
        process.ready().await;
        process
    }

    /// Starts a role and waits for nothing.
    pub fn spawn(role: &str, config: &Path) -> Self {
        Self::launch(role, config, &Launch::default())
    }

    /// Starts a role as told and waits for nothing.
    pub fn launch(role: &str, config: &Path, launch: &Launch) -> Self {
        let dir = super::dir::fresh();
        let socket = dir.path().join("notify");
        let notify = UnixDatagram::bind(&socket).unwrap();
        let mut command = match &launch.cgroup {
            None => Command::new(PROGRAM),
            Some(procs) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", "echo $$ > \"$0\" && exec \"$@\""]).arg(procs).arg(PROGRAM);
                shell
            }
        };
        match launch.watchdog {
            Some(limit) => command.env("WATCHDOG_USEC", limit.as_micros().to_string()),
            None => command.env_remove("WATCHDOG_USEC"),
        };
        let mut child = command
            .arg("--config")
            .arg(config)
            .arg(role)
            .envs(launch.env.iter().map(|(name, value)| (name, value)))
            .env("NOTIFY_SOCKET", &socket)
            .env_remove("WATCHDOG_PID")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = Lines::default();
        lines.follow(child.stdout.take().unwrap());
        lines.follow(child.stderr.take().unwrap());
        let told = Lines::default();
        told.hear(notify);
        Self { name: role.to_owned(), child, told, lines, _dir: dir }
    }

    /// Waits for `READY=1`.
    ///
    /// # Panics
    /// When it does not come, with what the process logged.
    pub async fn ready(&mut self) {
        let wrong = tokio::select! {
            _ = self.told.find("READY=1") => return,
            status = self.child.wait() => format!("ended: {}", status.unwrap()),
            () = tokio::time::sleep(PATIENCE) => format!("was not ready within {PATIENCE:?}"),
        };
        panic!("{} {wrong}; it said:\n{}", self.name, self.log());
    }

    /// How often it has told the watchdog that it lives.
    pub fn pings(&self) -> usize {
        self.told.from(0).iter().filter(|line| line.contains("WATCHDOG=1")).count()
    }

    /// Waits until the watchdog has not been told for so long, as systemd does before it kills; what it
    /// would do is the caller's. Panics when that does not come about by the deadline.
    pub async fn until_silent(&self, limit: Duration, deadline: Duration) {
        let begun = tokio::time::Instant::now();
        let (mut seen, mut since) = (self.pings(), begun);
        while since.elapsed() < limit {
            assert!(begun.elapsed() < deadline, "the watchdog of {} is told on and on:\n{}", self.name, self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
            let pings = self.pings();
            if pings != seen {
                (seen, since) = (pings, tokio::time::Instant::now());
            }
        }
    }

    /// Watches for so long that the watchdog is told at least each `limit`.
    pub async fn stays_lively(&self, limit: Duration, watch: Duration) {
        let begun = tokio::time::Instant::now();
        let (mut seen, mut since) = (self.pings(), begun);
        while begun.elapsed() < watch {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let pings = self.pings();
            if pings != seen {
                (seen, since) = (pings, tokio::time::Instant::now());
            }
            assert!(
                since.elapsed() < limit,
                "the watchdog of {} was not told for {limit:?}:\n{}",
                self.name,
                self.log()
            );
        }
    }

    /// Its runtime's threads.
    pub fn runtime_threads(&self) -> Vec<i32> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid())).into_iter().flatten().flatten();
        let runtime = tasks.filter(|task| {
            std::fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.starts_with("tokio"))
        });
        runtime.filter_map(|task| task.file_name().to_str()?.parse().ok()).collect()
    }

    /// The process id.
    pub fn pid(&self) -> i32 {
        self.child.id().and_then(|pid| pid.try_into().ok()).unwrap_or(0)
    }

    /// SIGKILL, and its end.
    pub async fn kill(&mut self) {
        self.child.start_kill().unwrap();
        soon("the end of a killed process", self.child.wait()).await.unwrap();
    }

    /// SIGTERM, as systemd stops it, and its end.
    pub async fn stop(&mut self) -> ExitStatus {
        self.signal(rustix::process::Signal::TERM);
        self.ended().await
    }

    /// Sends a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.pid()).expect("a process that runs");
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits until it ends by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        match tokio::time::timeout(PATIENCE, self.child.wait()).await {
            Ok(status) => status.unwrap(),
            Err(_) => panic!("{} did not end within {PATIENCE:?}; it said:\n{}", self.name, self.log()),
        }
    }

    /// Has it not ended yet?
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// All that it has logged.
    pub fn log(&self) -> String {
        self.lines.all()
    }

    /// What gateway or worker serve as metrics now.
    pub async fn metrics(&self) -> String {
        let log = self.log();
        let after = |line: &str, word: &str, key: &str| Some(line.split_once(word)?.1.split_once(key)?.1.to_owned());
        let address = log.lines().find_map(|l| {
            after(l, "metrics are served", "address=").or_else(|| after(l, "gateway started", "metrics="))
        });
        let address = address.unwrap();
        let address = address.split_whitespace().next().unwrap();
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    /// Waits for a log line that contains this, and returns it.
    pub async fn logged(&self, needle: &str) -> String {
        match tokio::time::timeout(PATIENCE, self.lines.find(needle)).await {
            Ok(line) => line,
            Err(_) => panic!("{} did not log `{needle}` within {PATIENCE:?}; it said:\n{}", self.name, self.log()),
        }
    }

    /// Waits until this many log lines contain this: for what is said once a change.
    pub async fn logged_times(&self, needle: &str, times: usize) {
        let mut seen = 0;
        let counted = async {
            while self.log().matches(needle).count() < times {
                self.lines.more_than(seen).await;
                seen = self.lines.from(0).len();
            }
        };
        if tokio::time::timeout(PATIENCE, counted).await.is_err() {
            panic!("{} did not log `{needle}` {times} times within {PATIENCE:?}; it said:\n{}", self.name, self.log());
        }
    }

    /// Resident memory now and at its peak, bytes (`VmRSS`, `VmHWM`).
    pub fn memory(&self) -> (u64, u64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) << 10
        };
        (field("VmRSS:"), field("VmHWM:"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- {} said:\n{}\n----", self.name, self.log());
        }
    }
}

/// Runs a command of the program to its end.
pub async fn run<I, S>(config: &Path, args: I) -> Output
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    run_with_input(config, args, "").await
}

/// Runs a command of the program to its end, with a text on standard input.
pub async fn run_with_input<I, S>(config: &Path, args: I, input: &str) -> Output
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let mut child = Command::new(PROGRAM)
        .arg("--config")
        .arg(config)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // A command that does not read its input may be gone before it is written.
    let write = tokio::spawn(async move { stdin.write_all(input.as_bytes()).await.ok() });
    let output = within(Duration::from_secs(120), "the end of a command", child.wait_with_output()).await.unwrap();
    write.await.unwrap();
    output
}

/// Runs a command of the program that must succeed, and returns its standard output.
///
/// # Panics
/// When it fails, with what it said.
pub async fn ok<I, S>(config: &Path, args: I) -> String
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let args: Vec<S> = args.into_iter().collect();
    let shown: Vec<_> = args.iter().map(|arg| arg.as_ref().to_string_lossy().into_owned()).collect();
    let output = run(config, args).await;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "scrutineer {}: {}\n{out}\n{err}", shown.join(" "), output.status);
    out.into_owned()
}

/// Lines of one or more pipes, in the order in which they came.
#[derive(Debug, Clone)]
pub struct Lines {
    lines: Arc<Mutex<Vec<String>>>,
    count: Arc<watch::Sender<usize>>,
}

impl Default for Lines {
    fn default() -> Self {
        Self { lines: Arc::default(), count: Arc::new(watch::Sender::new(0)) }
    }
}

impl Lines {
    /// Reads a pipe to its end, in a task.
    pub fn follow(&self, pipe: impl AsyncRead + Unpin + Send + 'static) {
        let this = self.clone();
        tokio::spawn(async move {
            let mut reader = BufReader::new(pipe);
            let mut line = Vec::new();
            while matches!(reader.read_until(b'\n', &mut line).await, Ok(n) if n > 0) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                line.clear();
                let mut lines = this.lines.lock().unwrap();
                lines.push(text);
                this.count.send_replace(lines.len());
            }
        });
    }

    /// Takes what is told on a datagram socket, in a task: a socket that nobody reads would block who tells.
    pub fn hear(&self, socket: UnixDatagram) {
        let this = self.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok(n) = socket.recv(&mut buffer).await {
                let mut lines = this.lines.lock().unwrap();
                lines.extend(String::from_utf8_lossy(&buffer[..n]).lines().map(str::to_owned));
                this.count.send_replace(lines.len());
            }
        });
    }

    /// All so far.
    pub fn all(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }

    /// Lines from a place on.
    pub fn from(&self, place: usize) -> Vec<String> {
        self.lines.lock().unwrap().get(place..).unwrap_or_default().to_vec()
    }

    /// Waits until there are more than `seen` lines.
    pub async fn more_than(&self, seen: usize) {
        let mut count = self.count.subscribe();
        let _ = count.wait_for(|count| *count > seen).await;
    }

    /// Waits for the first line that contains this.
    pub async fn find(&self, needle: &str) -> String {
        let mut seen = 0;
        loop {
            let new = self.from(seen);
            seen += new.len();
            if let Some(line) = new.into_iter().find(|line| line.contains(needle)) {
                return line;
            }
            self.more_than(seen).await;
        }
    }
}
