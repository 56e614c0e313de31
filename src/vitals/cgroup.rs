//! The memory cgroup that a process is in, what it holds there and cannot drop, and its cap: of cgroup
//! version 1, version 2, or both at once. Only texts are read here; [`super::memory`] opens the files.
//!
//! On a hybrid host the memory controller may be under version 1 though a `0::/` line exists, so
//! version 1 is looked for first.

use std::path::{Path, PathBuf};

/// Version of the hierarchy that has the memory controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// `memory.limit_in_bytes` and its kin.
    One,
    /// `memory.max` and its kin.
    Two,
}

/// Where a process's memory is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Of the hierarchy.
    pub version: Version,
    /// Where that is mounted.
    pub mount: PathBuf,
    /// Folder of the process's own group, the mount itself or below it.
    pub folder: PathBuf,
}

/// Finds it from `/proc/self/cgroup` and `/proc/self/mountinfo`.
pub fn place(membership: &str, mountinfo: &str) -> Option<Place> {
    let one = membership.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let controllers = parts.next()?;
        controllers.split(',').any(|c| c == "memory").then(|| parts.next()).flatten()
    });
    let (version, own) = match one {
        Some(own) => (Version::One, own),
        None => (Version::Two, membership.lines().find_map(|l| l.strip_prefix("0::"))?),
    };
    let (root, mount) = mountinfo.lines().find_map(|line| mounted(line, version))?;
    // In a container the group's path may be the host's, and the mount show only what lies below its root.
    let below = Path::new(own).strip_prefix(&root).unwrap_or(Path::new(""));
    let inside = below.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    let folder = if inside && below != Path::new("") { mount.join(below) } else { mount.clone() };
    Some(Place { version, mount, folder })
}

/// Root and mount point of a line that mounts the memory controller of this version.
fn mounted(line: &str, version: Version) -> Option<(PathBuf, PathBuf)> {
    let (mount, kind) = line.split_once(" - ")?;
    let mut mount = mount.split(' ').skip(3);
    let (root, point) = (mount.next()?, mount.next()?);
    let mut kind = kind.split(' ');
    let fits = match (kind.next()?, version) {
        ("cgroup", Version::One) => kind.nth(1)?.split(',').any(|option| option == "memory"),
        ("cgroup2", Version::Two) => true,
        _ => false,
    };
    fits.then(|| (root.into(), point.into()))
}

impl Place {
    /// The files that a cap may stand in, the own group's first and its ancestors' after it.
    pub fn caps(&self) -> Vec<PathBuf> {
        let names: &[&str] = match self.version {
            Version::One => &["memory.limit_in_bytes"],
            // Past `memory.high` everything is slowed until the watchdog bites: a cap as well.
            Version::Two => &["memory.max", "memory.high"],
        };
        let folders = self.folder.ancestors().take_while(|folder| folder.starts_with(&self.mount));
        folders.flat_map(|folder| names.iter().map(move |name| folder.join(name))).collect()
    }
}

/// A cap, where one is set. Version 1 says "none" with a number near the greatest.
pub fn cap(text: &str) -> Option<u64> {
    text.trim().parse::<u64>().ok().filter(|&bytes| bytes < 1 << 60)
}

/// What `memory.stat` of version 2 counts that cannot be dropped: anonymous and shared memory, socket
/// buffers, the kernel's own, and pages that are still to be written.
pub fn held_two(stat: &str) -> Option<u64> {
    const PARTS: [&str; 8] =
        ["anon", "shmem", "sock", "slab_unreclaimable", "kernel_stack", "pagetables", "file_dirty", "file_writeback"];
    field(stat, "anon")?;
    Some(PARTS.iter().filter_map(|name| field(stat, name)).sum())
}

/// The like of version 1, which counts the kernel's memory and TCP's buffers in files of their own
/// (`memory.kmem.usage_in_bytes`, `memory.kmem.tcp.usage_in_bytes`); what isn't there counts nothing.
pub fn held_one(stat: &str, kernel: Option<&str>, tcp: Option<&str>) -> Option<u64> {
    const PARTS: [&str; 4] = ["total_rss", "total_shmem", "total_dirty", "total_writeback"];
    field(stat, "total_rss")?;
    let stated: u64 = PARTS.iter().filter_map(|name| field(stat, name)).sum();
    let beside = [kernel, tcp].into_iter().flatten().filter_map(|text| text.trim().parse::<u64>().ok());
    Some(stated + beside.sum::<u64>())
}

/// What `/proc/self/status` says of memory that has no file behind it.
pub fn held_by_status(status: &str) -> Option<u64> {
    let kib = |name: &str| {
        let line = status.lines().find_map(|l| l.strip_prefix(name))?;
        line.split_ascii_whitespace().next()?.parse::<u64>().ok()
    };
    Some((kib("RssAnon:")? + kib("RssShmem:").unwrap_or(0)) << 10)
}

fn field(stat: &str, name: &str) -> Option<u64> {
    stat.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "25 1 0:22 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
        32 25 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n\
        35 25 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
        41 25 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
    const UNIFIED: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";

    fn found(membership: &str, mountinfo: &str) -> (Version, String) {
        let place = place(membership, mountinfo).unwrap();
        (place.version, place.folder.to_str().unwrap().to_owned())
    }

    #[test]
    fn memory_of_version_1_is_found_though_a_version_2_line_exists() {
        let got = found("4:memory:/a/b\n3:cpu,cpuacct:/\n0::/c\n", HYBRID);
        assert_eq!(got, (Version::One, "/sys/fs/cgroup/memory/a/b".into()));
    }

    #[test]
    fn without_memory_in_version_1_it_is_version_2() {
        let got = found("0::/system.slice/scrutineer-gateway.service\n", UNIFIED);
        assert_eq!(got, (Version::Two, "/sys/fs/cgroup/system.slice/scrutineer-gateway.service".into()));
        let got = found("3:cpu,cpuacct:/\n0::/c\n", HYBRID);
        assert_eq!(got, (Version::Two, "/sys/fs/cgroup/unified/c".into()));
    }

    #[test]
    fn in_a_container_the_mount_shows_what_lies_below_its_root() {
        let docker = "99 98 0:32 /docker/4f /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
        assert_eq!(found("7:memory:/docker/4f\n", docker).1, "/sys/fs/cgroup/memory");
        assert_eq!(found("7:memory:/docker/4f/in/side\n", docker).1, "/sys/fs/cgroup/memory/in/side");
        // With a namespace of its own the group is the root; moved out of it, it has no path inside.
        assert_eq!(found("0::/\n", UNIFIED).1, "/sys/fs/cgroup");
        assert_eq!(found("0::/../other\n", UNIFIED).1, "/sys/fs/cgroup");
        assert_eq!(place("", UNIFIED), None);
        assert_eq!(place("0::/a\n", ""), None);
    }

    #[test]
    fn caps_are_looked_for_in_the_own_group_and_all_above_it() {
        let place = place("0::/a.slice/b.service\n", UNIFIED).unwrap();
        let caps: Vec<_> = place.caps().iter().map(|p| p.display().to_string()).collect();
        assert_eq!(caps.len(), 6);
        assert_eq!(caps.first().unwrap(), "/sys/fs/cgroup/a.slice/b.service/memory.max");
        assert_eq!(caps.last().unwrap(), "/sys/fs/cgroup/memory.high");
        assert_eq!((cap("max\n"), cap("9223372036854771712\n"), cap("50331648\n")), (None, None, Some(48 << 20)));
    }

    #[test]
    fn page_cache_is_no_pressure_and_socket_buffers_are() {
        let two = "anon 1000\nfile 900000\nkernel 70\nkernel_stack 10\npagetables 20\nsock 4000\nshmem 5\nfile_mapped 800\n\
                   file_dirty 300\nfile_writeback 40\ninactive_file 600000\nactive_file 300000\n\
                   slab_reclaimable 7777\nslab_unreclaimable 60\nanon_thp 0\n";
        assert_eq!(held_two(two), Some(1000 + 5 + 4000 + 60 + 10 + 20 + 300 + 40));
        let one = "cache 900000\nrss 1\nshmem 2\ndirty 3\ntotal_cache 900000\ntotal_rss 1000\ntotal_rss_huge 0\n\
                   total_shmem 5\ntotal_mapped_file 700\ntotal_dirty 300\ntotal_writeback 40\ntotal_active_file 800000\n";
        assert_eq!(held_one(one, Some("60\n"), Some("4000\n")), Some(1000 + 5 + 300 + 40 + 60 + 4000));
        assert_eq!(held_one(one, None, None), Some(1345));
        assert_eq!((held_one("", None, None), held_two("nonsense")), (None, None));
    }

    #[test]
    fn without_a_group_of_its_own_what_has_no_file_behind_it_counts() {
        let status =
            "Name:\tscrutineer\nVmRSS:\t   9000 kB\nRssAnon:\t   5000 kB\nRssFile:\t  4000 kB\nRssShmem:\t     8 kB\n";
        assert_eq!(held_by_status(status), Some(5008 << 10));
    }
}
