//! This machine: the spool's folder, its disk, how long a sync takes, and whether time is kept.

use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use super::finding::Finding;
use crate::config::Config;
use crate::limits::SPOOL_STATED_RATE;
use crate::spool::audit;

/// Syncs that are timed; the slowest counts.
const SYNCS: usize = 5;
/// What is written before each, bytes.
const SYNC_BYTES: usize = 4096;
/// Slower syncs are felt in the time to a reply.
const SYNC_WARNING: Duration = Duration::from_millis(50);
/// Slower syncs hold the SMSC's window up.
const SYNC_ERROR: Duration = Duration::from_millis(500);
/// Inodes that the spool may come to need.
const INODES_MIN: u64 = 1_000;
/// Made by systemd-timesyncd when it has set the clock.
const SYNCHRONIZED: &str = "/run/systemd/timesync/synchronized";

pub(super) fn examine(config: &Config) -> Vec<Finding> {
    let mut findings = contents(config);
    findings.extend(spool(&config.gateway.spool, u64::from(config.gateway.spool_megabytes_max) << 20));
    if Path::new(SYNCHRONIZED).exists() {
        findings.push(Finding::ok("clock.sync", "systemd-timesyncd keeps the time"));
    }
    findings
}

/// What the spool holds, and whether its file was ever damaged.
fn contents(config: &Config) -> Vec<Finding> {
    let (folder, check) = (&config.gateway.spool, "spool.contents");
    let shown = folder.display();
    // Before the gateway's first start there is none.
    let Ok(status) = audit::status(folder, u64::from(config.gateway.spool_megabytes_max) << 20) else {
        return Vec::new();
    };
    let fits = format!(
        "{shown}: {} records that the database does not have, {} more fit, {:.1} hours at {SPOOL_STATED_RATE} a second",
        status.uncommitted,
        status.capacity.messages,
        status.capacity.stated_hours()
    );
    let mend = "see that worker and database run, or raise spool_megabytes_max in [gateway]";
    let mut findings = vec![match status.capacity.filling() {
        0 => Finding::ok(check, fits),
        1 => Finding::warning(check, fits, mend),
        _ => Finding::error(check, fits, mend),
    }];
    for kept in &status.damaged {
        let what = format!("the spool's file was damaged; {} is kept", kept.display());
        let mend = "see scrutineer spool verify and scrutineer message set-aside list; have the disk looked at, then move the file away";
        findings.push(Finding::warning("spool.damaged", what, mend));
    }
    findings
}

fn spool(folder: &Path, wanted_bytes: u64) -> Vec<Finding> {
    let check = "spool";
    let shown = folder.display();
    let is_folder = match std::fs::metadata(folder) {
        Ok(meta) => meta.is_dir(),
        Err(error) => {
            let mend = format!(
                "the gateway makes it at its first start if it may; or: install -d -m 700 -o scrutineer-gateway {shown}"
            );
            return vec![Finding::warning(check, format!("{shown} can't be read: {error}"), mend)];
        }
    };
    if !is_folder {
        return vec![Finding::error(check, format!("{shown} is not a folder"), "name a folder in [gateway] spool")];
    }
    let mut findings = Vec::new();
    match rustix::fs::statvfs(folder) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let used = folder_bytes(folder);
            let room = format!("{} MiB free", free >> 20);
            if free + used < wanted_bytes {
                let what = format!("{room}, and the spool may take {} MiB", wanted_bytes >> 20);
                findings.push(Finding::warning("disk", what, "free some, or lower spool_megabytes_max in [gateway]"));
            } else {
                findings.push(Finding::ok("disk", room));
            }
            // A file system without a fixed number of inodes says 0.
            if disk.f_files > 0 && disk.f_favail < INODES_MIN {
                let what = format!("{} inodes free", disk.f_favail);
                findings.push(Finding::error("disk", what, "remove files: new ones can't be made without inodes"));
            }
        }
        Err(error) => findings.push(Finding::warning("disk", format!("can't be looked at: {error}"), "look with df")),
    }
    findings.push(match slowest_sync(folder) {
        Ok(slowest) => {
            let what = format!("a sync takes up to {:.1} ms", slowest.as_secs_f64() * 1e3);
            let mend = "put the spool on a faster disk; each acknowledgement waits for a sync";
            match slowest {
                s if s > SYNC_ERROR => Finding::error(check, what, mend),
                s if s > SYNC_WARNING => Finding::warning(check, what, mend),
                _ => Finding::ok(check, format!("{shown}: {what}")),
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Finding::warning(
            check,
            format!("{shown} is not this user's, so that its disk was not timed"),
            "run doctor as root or as the gateway's user",
        ),
        Err(error) => {
            Finding::error(check, format!("{shown} can't be written: {error}"), "mount its disk writable, or free some")
        }
    });
    findings
}

fn slowest_sync(folder: &Path) -> std::io::Result<Duration> {
    let path = folder.join(format!(".doctor-{}", std::process::id()));
    let timed = (|| {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let mut slowest = Duration::ZERO;
        for _ in 0..SYNCS {
            file.write_all(&[0; SYNC_BYTES])?;
            let begun = Instant::now();
            file.sync_all()?;
            slowest = slowest.max(begun.elapsed());
        }
        Ok(slowest)
    })();
    drop(std::fs::remove_file(&path));
    timed
}

/// What the files right in a folder take on disk.
fn folder_bytes(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries.flatten().filter_map(|e| e.metadata().ok()).map(|m| m.blocks() * 512).sum()
}
