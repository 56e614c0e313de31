//! Facts about this process and its memory cap, read from `/proc` and the cgroup.

use std::path::{Path, PathBuf};

/// Memory of the process and of its cgroup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemoryUse {
    /// Resident bytes of the process (`VmRSS`).
    pub resident_bytes: u64,
    /// Bytes that the cgroup counts and can't simply drop: usage less inactive file pages.
    pub cgroup_bytes: Option<u64>,
    /// The least cap of the cgroup and those above it.
    pub cap_bytes: Option<u64>,
}

/// Reads it now. What isn't there is `None` or 0.
pub fn memory_use() -> MemoryUse {
    let resident_bytes = std::fs::read_to_string("/proc/self/status").ok().and_then(|s| resident(&s)).unwrap_or(0);
    let membership = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let (cgroup_bytes, cap_bytes) = cgroup(&membership, Path::new("/sys/fs/cgroup"));
    MemoryUse { resident_bytes, cgroup_bytes, cap_bytes }
}

/// Open file descriptors.
pub(super) fn open_files() -> Option<u64> {
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count() as u64)
}

/// Processor seconds used, user and system.
pub(super) fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name in brackets may have spaces; fields are counted after it.
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    Some(line.split_ascii_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// Usage and least cap. On a hybrid host memory may be under version 1 though a `0::/` line exists,
/// so that one is looked for first.
fn cgroup(membership: &str, root: &Path) -> (Option<u64>, Option<u64>) {
    let v1 = membership.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let controllers = parts.next()?;
        controllers.split(',').any(|c| c == "memory").then(|| parts.next()).flatten()
    });
    let (base, own, usage, cap, inactive) = match v1 {
        Some(own) => {
            (root.join("memory"), own, "memory.usage_in_bytes", "memory.limit_in_bytes", "total_inactive_file")
        }
        None => match membership.lines().find_map(|l| l.strip_prefix("0::")) {
            Some(own) => (root.to_path_buf(), own, "memory.current", "memory.max", "inactive_file"),
            None => return (None, None),
        },
    };
    let mut folder: PathBuf = base.join(own.trim_start_matches('/'));
    let number = |file: PathBuf| std::fs::read_to_string(file).ok()?.trim().parse::<u64>().ok();
    let dropped = std::fs::read_to_string(folder.join("memory.stat"))
        .ok()
        .and_then(|s| s.lines().find_map(|l| l.strip_prefix(inactive)?.trim().parse::<u64>().ok()))
        .unwrap_or(0);
    let used = number(folder.join(usage)).map(|bytes| bytes.saturating_sub(dropped));
    let mut least: Option<u64> = None;
    while folder.starts_with(&base) {
        // Version 1 says "no cap" with a number near the greatest.
        if let Some(found) = number(folder.join(cap)).filter(|n| *n < 1 << 60) {
            least = Some(least.map_or(found, |l| l.min(found)));
        }
        if !folder.pop() {
            break;
        }
    }
    (used, least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_cap_above_counts_and_inactive_pages_do_not() {
        let root = tempfile::tempdir().unwrap();
        let own = root.path().join("system.slice/scrutineer-worker.service");
        std::fs::create_dir_all(&own).unwrap();
        std::fs::write(own.join("memory.current"), "50000\n").unwrap();
        std::fs::write(own.join("memory.stat"), "anon 30000\ninactive_file 20000\n").unwrap();
        std::fs::write(own.join("memory.max"), "100663296\n").unwrap();
        std::fs::write(root.path().join("system.slice/memory.max"), "max\n").unwrap();
        let found = cgroup("0::/system.slice/scrutineer-worker.service\n", root.path());
        assert_eq!(found, (Some(30_000), Some(100_663_296)));
        std::fs::write(root.path().join("system.slice/memory.max"), "1000\n").unwrap();
        assert_eq!(cgroup("0::/system.slice/scrutineer-worker.service\n", root.path()).1, Some(1000));
    }

    #[test]
    fn version_1_memory_is_found_beside_a_version_2_line() {
        let root = tempfile::tempdir().unwrap();
        let own = root.path().join("memory/a");
        std::fs::create_dir_all(&own).unwrap();
        std::fs::write(own.join("memory.usage_in_bytes"), "700\n").unwrap();
        std::fs::write(own.join("memory.limit_in_bytes"), "9223372036854771712\n").unwrap();
        assert_eq!(cgroup("5:cpu,memory:/a\n0::/b\n", root.path()), (Some(700), None));
    }

    #[test]
    fn this_process_has_resident_memory_open_files_and_processor_time() {
        assert!(memory_use().resident_bytes > 100_000);
        assert!(open_files().unwrap() >= 3);
        assert!(cpu_seconds().unwrap() >= 0.0);
    }
}
