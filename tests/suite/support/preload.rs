//! Libraries that a test puts under a process by `LD_PRELOAD`: a disk that is slow, a clock that jumps.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::source;

/// A slow disk: how long each sync waits is what its file says.
#[derive(Debug)]
pub struct SlowSync {
    library: PathBuf,
    file: PathBuf,
}

impl SlowSync {
    /// Builds it in a folder; why not, where there is no C compiler.
    pub fn build(folder: &Path) -> Result<Self, String> {
        let library = folder.join("slowsync.so");
        let source = source::root().join("tests/lab/slowsync.c");
        let built =
            Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).arg("-ldl").output();
        match built {
            Ok(output) if output.status.success() => {}
            Ok(output) => return Err(format!("cc: {}", String::from_utf8_lossy(&output.stderr))),
            Err(error) => return Err(format!("no C compiler (`cc`): {error}")),
        }
        let slow = Self { library, file: folder.join("slowsync.ms") };
        slow.set_ms(0);
        Ok(slow)
    }

    /// Each sync, the one under way too, takes so long from now on.
    pub fn set_ms(&self, ms: u64) {
        // In one step: half a file would be another number.
        let new = self.file.with_extension("new");
        std::fs::write(&new, ms.to_string()).unwrap();
        std::fs::rename(new, &self.file).unwrap();
    }

    /// For [`super::process::Launch`].
    pub fn env(&self) -> Vec<(String, String)> {
        vec![
            ("LD_PRELOAD".to_owned(), self.library.display().to_string()),
            ("SLOWSYNC_FILE".to_owned(), self.file.display().to_string()),
        ]
    }
}

/// A clock that jumps: Debian's `faketime`, told by a file what to add. Monotonic time is left alone.
#[derive(Debug)]
pub struct Clock {
    library: PathBuf,
    file: PathBuf,
}

impl Clock {
    /// With its file in a folder; why not, where it is not installed.
    pub fn new(folder: &Path) -> Result<Self, String> {
        let found = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten().find_map(|entry| {
            let library = entry.path().join("faketime/libfaketimeMT.so.1");
            library.exists().then_some(library)
        });
        let library = found.ok_or("Debian's package `faketime` is not installed (`make tools` does it)")?;
        let clock = Self { library, file: folder.join("clock") };
        clock.set(0);
        Ok(clock)
    }

    /// The clock is ahead of this machine's by so many seconds from now on.
    pub fn set(&self, seconds: i64) {
        let new = self.file.with_extension("new");
        std::fs::write(&new, format!("{seconds:+}s\n")).unwrap();
        std::fs::rename(new, &self.file).unwrap();
    }

    /// For [`super::process::Launch`].
    pub fn env(&self) -> Vec<(String, String)> {
        [
            ("LD_PRELOAD", self.library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.display().to_string()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}
