//! Facts about this process, read from `/proc`. What it holds against its cap is [`crate::vitals::memory`]'s.

/// Resident bytes of the process (`VmRSS`); 0 where that can't be read.
pub(super) fn resident_bytes() -> u64 {
    std::fs::read_to_string("/proc/self/status").ok().and_then(|s| resident(&s)).unwrap_or(0)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_resident_memory_open_files_and_processor_time() {
        assert!(resident_bytes() > 100_000);
        assert!(open_files().unwrap() >= 3);
        assert!(cpu_seconds().unwrap() >= 0.0);
    }
}
