//! The demo's processes, and the guard that ends them whatever becomes of the demo itself.
//!
//! Invariant: nothing outlives the demo. Each child leads a process group of its own (so that
//! Ctrl-C reaches the demo alone, which then stops them in order), and is told to the guard: this
//! same program, waiting at the end of a pipe that only the demo holds. When the pipe closes, even
//! by SIGKILL or a panic, the guard ends what still runs and removes the folder. A child that began
//! just before, and that the guard was not told of, is known by a mark in its environment.

use std::io::{BufRead, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Pid, Signal};
use tokio::process::{Child, Command};

/// How long a process may take to end before it is killed.
const END_WAIT: Duration = Duration::from_secs(12);

/// How long the guard lets all together take to end before it kills them.
const END_ORDERLY: Duration = Duration::from_secs(5);

/// In the environment of each child: which demo's it is.
const MARK: &str = "SCRUTINEER_DEMO_OF";

/// A running process.
struct Running {
    name: &'static str,
    child: Child,
    /// What tells it to end in order.
    end: Signal,
}

/// The demo's processes, the first started last.
pub(super) struct Processes {
    pipe: Option<ChildStdin>,
    guard: std::process::Child,
    running: Vec<Running>,
}

impl Processes {
    /// Starts the guard. It removes `folder` at the end, if there is one.
    pub(super) fn new(folder: Option<&Path>) -> anyhow::Result<Self> {
        let mut guard = std::process::Command::new(std::env::current_exe()?)
            .args(["demo", "--guard"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()
            .context("can't start the guard")?;
        let pipe = guard.stdin.take();
        let mut processes = Self { pipe, guard, running: Vec::new() };
        processes.tell(&format!("mark {}", mark().1))?;
        if let Some(folder) = folder {
            processes.tell(&format!("folder {}", folder.display()))?;
        }
        Ok(processes)
    }

    fn tell(&mut self, line: &str) -> anyhow::Result<()> {
        let pipe = self.pipe.as_mut().context("the guard is gone")?;
        writeln!(pipe, "{line}").and_then(|()| pipe.flush()).context("the guard is gone")
    }

    /// Starts a process whose output goes to `log`.
    pub(super) fn start(
        &mut self,
        name: &'static str,
        mut command: Command,
        log: &Path,
        end: Signal,
    ) -> anyhow::Result<u32> {
        let file = std::fs::File::options().create(true).append(true).open(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .process_group(0)
            .spawn()
            .with_context(|| format!("can't start {name}"))?;
        let pid = child.id().with_context(|| format!("{name} ended at once"))?;
        self.running.push(Running { name, child, end });
        self.tell(&format!("process {pid} {}", started_at(pid).unwrap_or(0)))?;
        Ok(pid)
    }

    /// The names and process ids of what runs.
    pub(super) fn pids(&self) -> Vec<(&'static str, u32)> {
        self.running.iter().filter_map(|r| Some((r.name, r.child.id()?))).collect()
    }

    /// The first process that has ended though it should not.
    pub(super) fn ended(&mut self) -> Option<(&'static str, std::process::ExitStatus)> {
        self.running.iter_mut().find_map(|r| Some((r.name, r.child.try_wait().ok()??)))
    }

    /// Ends all, the last started first, and the guard. Says which had to be killed.
    pub(super) async fn end(mut self) -> Vec<&'static str> {
        let mut killed = Vec::new();
        while let Some(mut running) = self.running.pop() {
            let Some(pid) = running.child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())) else { continue };
            let _ = rustix::process::kill_process(pid, running.end);
            if tokio::time::timeout(END_WAIT, running.child.wait()).await.is_err() {
                killed.push(running.name);
                let _ = rustix::process::kill_process_group(pid, Signal::KILL);
                let _ = running.child.wait().await;
            }
        }
        drop(self.pipe.take());
        let guard = tokio::task::spawn_blocking(move || self.guard.wait());
        let _ = tokio::time::timeout(END_WAIT, guard).await;
        killed
    }
}

/// A variable in the environment of all that the demo starts, and its value.
pub(super) fn mark() -> (&'static str, String) {
    let me = std::process::id();
    (MARK, format!("{me}-{}", started_at(me).unwrap_or(0)))
}

/// When a process began, as the kernel counts it: tells it from a later one with the same id.
fn started_at(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold spaces and brackets; the 22nd field is the 20th after it.
    stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()
}

/// The guard itself: reads what to watch until the pipe closes, then clears up.
pub(super) fn guard(input: impl BufRead) {
    let mut processes: Vec<(u32, u64)> = Vec::new();
    let mut folder: Option<PathBuf> = None;
    let mut mark: Option<String> = None;
    for line in input.lines().map_while(Result::ok) {
        match line.split_once(' ') {
            Some(("folder", path)) => folder = Some(path.into()),
            Some(("mark", of)) => mark = Some(format!("{MARK}={of}")),
            Some(("process", rest)) => {
                if let Some((pid, began)) = rest.split_once(' ') {
                    processes.extend(pid.parse().ok().zip(began.parse().ok()));
                }
            }
            _ => {}
        }
    }
    let alive = |(pid, began): &(u32, u64)| started_at(*pid) == Some(*began) && !is_zombie(*pid);
    let signal = |processes: &[(u32, u64)], signal: Signal| {
        for (pid, _) in processes.iter().filter(|p| alive(p)) {
            if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
                // One that leads no group belongs to one that does, or is ended by itself.
                let _ = rustix::process::kill_process_group(pid, signal)
                    .or_else(|_| rustix::process::kill_process(pid, signal));
            }
        }
    };
    let deadline = Instant::now() + END_ORDERLY;
    // A child may be about to begin: one more look after all have gone.
    let mut looks = 0;
    while looks < 2 && Instant::now() < deadline {
        for process in marked(mark.as_deref()) {
            if !processes.contains(&process) {
                processes.push(process);
            }
        }
        let living = processes.iter().any(alive);
        looks = if living { 0 } else { looks + 1 };
        // PostgreSQL takes SIGQUIT for "at once", which is right as its folder goes with it.
        signal(&processes, Signal::QUIT);
        signal(&processes, Signal::TERM);
        let again = Instant::now() + Duration::from_millis(if living { 500 } else { 100 });
        while Instant::now() < again && (!living || processes.iter().any(alive)) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    signal(&processes, Signal::KILL);
    if let Some(folder) = folder {
        let _ = std::fs::remove_dir_all(folder);
    }
}

/// Processes, other than this one, whose environment has the mark, and when they began.
fn marked(mark: Option<&str>) -> Vec<(u32, u64)> {
    let (Some(mark), Ok(all)) = (mark, std::fs::read_dir("/proc")) else { return Vec::new() };
    let pids = all.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let has = |pid: &u32| {
        std::fs::read(format!("/proc/{pid}/environ"))
            .is_ok_and(|bytes| bytes.split(|b| *b == 0).any(|variable| variable == mark.as_bytes()))
    };
    pids.filter(|pid| *pid != std::process::id()).filter(has).filter_map(|pid| Some((pid, started_at(pid)?))).collect()
}

fn is_zombie(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guard_ends_what_it_was_told_of_and_spares_a_process_that_only_has_the_number() {
        let mut sleeper = std::process::Command::new("sleep").arg("60").process_group(0).spawn().unwrap();
        let mut spared = std::process::Command::new("sleep").arg("60").process_group(0).spawn().unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "x").unwrap();
        let input = format!(
            "folder {}\nprocess {} {}\nprocess {} 1\n",
            folder.path().display(),
            sleeper.id(),
            started_at(sleeper.id()).unwrap(),
            spared.id(),
        );
        guard(input.as_bytes());
        assert!(!sleeper.wait().unwrap().success());
        assert!(spared.try_wait().unwrap().is_none());
        spared.kill().unwrap();
        spared.wait().unwrap();
        assert!(!folder.path().exists());
    }

    #[test]
    fn the_guard_ends_a_child_that_began_before_anybody_told_it() {
        let mut untold =
            std::process::Command::new("sleep").arg("60").env(MARK, "12-34").process_group(0).spawn().unwrap();
        let mut spared = std::process::Command::new("sleep").arg("60").env(MARK, "12-345").spawn().unwrap();
        guard("mark 12-34\n".as_bytes());
        assert!(!untold.wait().unwrap().success());
        assert!(spared.try_wait().unwrap().is_none());
        spared.kill().unwrap();
        spared.wait().unwrap();
    }
}
