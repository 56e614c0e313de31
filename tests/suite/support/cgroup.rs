//! A cgroup of the test's own: a memory cap, or a freezer that holds a single thread still. Made below
//! the test's own group (version 1, as containers and older Debians have it), removed with its value.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A group.
#[derive(Debug)]
pub struct Cgroup {
    dir: PathBuf,
}

/// What a memory group came to, bytes.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// Peak, page cache included.
    pub peak: u64,
    /// Anonymous memory now.
    pub anon: u64,
    /// Page cache now.
    pub cache: u64,
    /// The kernel's now.
    pub kernel: u64,
    /// Peak of TCP's buffers, where they are counted.
    pub tcp_peak: u64,
    /// Processes killed.
    pub kills: u64,
}

impl Cgroup {
    /// With a memory cap; why not, where that cannot be had.
    pub fn memory(cap_bytes: usize) -> Result<Self, String> {
        let group = Self::make("memory")?;
        group.set_cap(cap_bytes as u64).map_err(|e| format!("the memory cap of a cgroup can't be set: {e}"))?;
        Ok(group)
    }

    /// Has what its sockets hold counted, and capped by so much; before anything is moved into it.
    pub fn count_sockets(&self, cap_bytes: usize) -> std::io::Result<()> {
        std::fs::write(self.dir.join("memory.kmem.tcp.limit_in_bytes"), cap_bytes.to_string())
    }

    /// That freezes what is moved into it.
    pub fn freezer() -> Result<Self, String> {
        Self::make("freezer")
    }

    fn make(controller: &str) -> Result<Self, String> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let root = Path::new("/sys/fs/cgroup").join(controller);
        let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let own = own.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            (parts.next() == Some(controller)).then(|| parts.next().unwrap_or("/").to_owned())
        });
        let own = own.ok_or_else(|| format!("no cgroup of version 1 with `{controller}`"))?;
        let name = format!("scrutineer-test-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let dir = root.join(own.trim_start_matches('/')).join(name);
        std::fs::create_dir(&dir)
            .map_err(|e| format!("a `{controller}` cgroup can't be made ({e}): root is needed"))?;
        Ok(Self { dir })
    }

    /// The file that takes processes.
    pub fn procs(&self) -> PathBuf {
        self.dir.join("cgroup.procs")
    }

    /// Sets the memory cap.
    pub fn set_cap(&self, bytes: u64) -> std::io::Result<()> {
        std::fs::write(self.dir.join("memory.limit_in_bytes"), bytes.to_string())
    }

    /// The least cap that the kernel takes now: hardly more than is in use, so that more is too much.
    pub fn squeeze(&self) {
        let mut cap = self.usage().anon;
        while self.set_cap(cap).is_err() {
            cap += 64 << 10;
        }
    }

    /// What it holds and held.
    pub fn usage(&self) -> Usage {
        let number = |name: &str| self.read(name).trim().parse().unwrap_or(0);
        let field = |file: &str, name: &str| {
            let text = self.read(file);
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
        };
        Usage {
            peak: number("memory.max_usage_in_bytes"),
            anon: field("memory.stat", "total_rss"),
            cache: field("memory.stat", "total_cache"),
            kernel: number("memory.kmem.usage_in_bytes"),
            tcp_peak: number("memory.kmem.tcp.max_usage_in_bytes"),
            kills: field("memory.oom_control", "oom_kill"),
        }
    }

    /// Freezes one thread, and waits until it stands still.
    pub fn freeze_thread(&self, thread: i32) {
        std::fs::write(self.dir.join("tasks"), thread.to_string()).unwrap();
        std::fs::write(self.dir.join("freezer.state"), "FROZEN").unwrap();
        let deadline = std::time::Instant::now() + super::PATIENCE;
        while self.read("freezer.state").trim() != "FROZEN" {
            assert!(std::time::Instant::now() < deadline, "the thread does not freeze");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        let _ = std::fs::write(self.dir.join("freezer.state"), "THAWED");
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.join(name)).unwrap_or_default()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        self.thaw();
        let pids = |name: &str| -> Vec<i32> { self.read(name).lines().filter_map(|pid| pid.parse().ok()).collect() };
        for _ in 0..200 {
            for pid in pids("cgroup.procs").into_iter().filter_map(rustix::process::Pid::from_raw) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
            if std::fs::remove_dir(&self.dir).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        write!(
            f,
            "peak {:.1} MiB with page cache (now anonymous {:.1}, cache {:.1}, kernel {:.1}), TCP's peak {:.1}, {} killed",
            mib(self.peak),
            mib(self.anon),
            mib(self.cache),
            mib(self.kernel),
            mib(self.tcp_peak),
            self.kills
        )
    }
}
