//! Looks at the process's memory several times a second and tells its parts when it is near the cap.
//!
//! In a cgroup of its own the group counts, socket buffers included; where it shares one with other
//! programs, what the process has itself, against the cap that its role is made for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::cgroup::{self, Place, Version};
use super::pressure::{Level, Pressure};
use crate::limits::MEMORY_SAMPLE_MS;

/// How often it is looked anew where memory is counted and what the cap is.
const FIND_EVERY: Duration = Duration::from_secs(5);

/// Memory in use that cannot be dropped, and its cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Bytes in use.
    pub used_bytes: u64,
    /// Bytes that may be.
    pub cap_bytes: u64,
}

/// Where to look.
#[derive(Debug)]
pub struct Source {
    /// The own group; `None` where it is shared or there is none.
    place: Option<Place>,
    cap_bytes: u64,
    /// What a cgroup sets, if any does.
    cgroup_cap_bytes: Option<u64>,
}

impl Source {
    /// Finds it. `role_cap_bytes` holds where no cgroup sets a cap, and where the group is not the
    /// process's alone.
    pub fn find(role_cap_bytes: u64) -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let place = cgroup::place(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"));
        Self::at(place, role_cap_bytes, std::process::id())
    }

    fn at(place: Option<Place>, role_cap_bytes: u64, pid: u32) -> Self {
        let capped = place.as_ref().and_then(least_cap);
        let alone = place.filter(|place| is_alone(&place.folder, pid) && held(place).is_some());
        let cap_bytes = match (&alone, capped) {
            (Some(_), Some(cap)) => cap,
            (None, Some(cap)) => cap.min(role_cap_bytes),
            (_, None) => role_cap_bytes,
        };
        Self { place: alone, cap_bytes, cgroup_cap_bytes: capped }
    }

    /// Looks now.
    pub fn look(&self) -> Option<Memory> {
        let used_bytes = match &self.place {
            Some(place) => held(place)?,
            None => cgroup::held_by_status(&std::fs::read_to_string("/proc/self/status").ok()?)?,
        };
        Some(Memory { used_bytes, cap_bytes: self.cap_bytes })
    }
}

/// The least cap of the group and those above it.
fn least_cap(place: &Place) -> Option<u64> {
    place.caps().iter().filter_map(|file| cgroup::cap(&std::fs::read_to_string(file).ok()?)).min()
}

/// Has the group no other process? Else what it holds is not ours to answer for.
fn is_alone(folder: &Path, pid: u32) -> bool {
    let procs = std::fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    let mut pids = procs.split_ascii_whitespace();
    pids.next().and_then(|p| p.parse().ok()) == Some(pid) && pids.next().is_none()
}

fn held(place: &Place) -> Option<u64> {
    let read = |name: &str| std::fs::read_to_string(PathBuf::from(&place.folder).join(name)).ok();
    let stat = read("memory.stat")?;
    match place.version {
        Version::Two => cgroup::held_two(&stat),
        Version::One => {
            let (kernel, tcp) = (read("memory.kmem.usage_in_bytes"), read("memory.kmem.tcp.usage_in_bytes"));
            cgroup::held_one(&stat, kernel.as_deref(), tcp.as_deref())
        }
    }
}

/// Sets the pressure until the task is dropped; says each change once.
pub async fn watch(role_cap_bytes: usize, pressure: Pressure) {
    let role_cap_bytes = role_cap_bytes as u64;
    let (used, cap) = (metrics::gauge!("scrutineer_memory_bytes"), metrics::gauge!("scrutineer_memory_cap_bytes"));
    let cgroup_cap = metrics::gauge!("scrutineer_memory_cgroup_cap_bytes");
    let level = metrics::gauge!("scrutineer_memory_pressure");
    let mut tick = interval(Duration::from_millis(MEMORY_SAMPLE_MS));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut source, mut found) = (Source::find(role_cap_bytes), Instant::now());
    loop {
        let now = tick.tick().await;
        if now - found >= FIND_EVERY {
            (source, found) = (Source::find(role_cap_bytes), now);
        }
        let Some(memory) = source.look() else { continue };
        used.set(memory.used_bytes as f64);
        cap.set(memory.cap_bytes as f64);
        // Infinite: none, as a cap of the role's own making is no cap.
        cgroup_cap.set(source.cgroup_cap_bytes.map_or(f64::INFINITY, |bytes| bytes as f64));
        let next = pressure.level().next(memory.used_bytes, memory.cap_bytes);
        level.set(f64::from(next.number()));
        if let Some(before) = pressure.set(next) {
            report(before, next, memory);
        }
    }
}

fn report(before: Level, now: Level, memory: Memory) {
    let Memory { used_bytes, cap_bytes } = memory;
    match now {
        Level::Calm => tracing::info!(used_bytes, cap_bytes, "memory is below its limit again"),
        Level::High if before == Level::Critical => {
            tracing::info!(used_bytes, cap_bytes, "memory eases, and is still short");
        }
        Level::High => tracing::warn!(used_bytes, cap_bytes, "memory is short: what can wait is told to wait"),
        Level::Critical => tracing::warn!(used_bytes, cap_bytes, "memory is nearly at its cap: nothing new is taken"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Group {
        _root: tempfile::TempDir,
        place: Place,
    }

    /// Version 2, `a.slice/b.service`.
    fn group() -> Group {
        let root = tempfile::tempdir().unwrap();
        let mount = root.path().to_path_buf();
        let folder = mount.join("a.slice/b.service");
        std::fs::create_dir_all(&folder).unwrap();
        let place = Place { version: Version::Two, mount, folder };
        let group = Group { _root: root, place };
        group.write("memory.stat", "anon 30000\nsock 500\nfile 900000\n");
        group.write("cgroup.procs", "77\n");
        group.write("memory.max", "100000\n");
        group
    }

    impl Group {
        fn write(&self, name: &str, text: &str) {
            std::fs::write(self.place.folder.join(name), text).unwrap();
        }

        fn source(&self) -> Source {
            Source::at(Some(self.place.clone()), 50_000, 77)
        }
    }

    #[test]
    fn in_a_group_of_its_own_the_least_cap_above_counts() {
        let group = group();
        assert_eq!(group.source().look(), Some(Memory { used_bytes: 30_500, cap_bytes: 100_000 }));
        std::fs::write(group.place.mount.join("a.slice/memory.max"), "60000\n").unwrap();
        assert_eq!(group.source().cap_bytes, 60_000);
        group.write("memory.max", "max\n");
        assert_eq!(group.source().cap_bytes, 60_000);
        std::fs::write(group.place.mount.join("a.slice/memory.max"), "max\n").unwrap();
        assert_eq!(group.source().cap_bytes, 50_000, "without a cap the role's own");
    }

    #[test]
    fn in_a_group_with_other_programs_only_its_own_memory_counts() {
        let group = group();
        group.write("cgroup.procs", "1\n77\n");
        let source = group.source();
        assert!(source.place.is_none());
        assert_eq!(source.cap_bytes, 50_000);
        group.write("memory.max", "40000\n");
        assert_eq!(group.source().cap_bytes, 40_000);
    }

    #[test]
    fn this_process_has_memory_and_a_cap() {
        let memory = Source::find(1 << 40).look().unwrap();
        assert!(memory.used_bytes > 100_000 && memory.cap_bytes > memory.used_bytes, "{memory:?}");
    }
}
