//! Folders for a test's files, short enough for a Unix socket's path, gone at the end.

use std::path::PathBuf;

/// A fresh folder that others may enter (PostgreSQL runs under another user when we are root).
pub fn fresh() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::Builder::new().prefix("scr-").tempdir_in(base()).unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

/// Where test folders stand: `TMPDIR`, or `/tmp` when that is too long for a socket's path.
pub fn base() -> PathBuf {
    let tmp = std::env::temp_dir();
    if tmp.as_os_str().len() <= 40 { tmp } else { PathBuf::from("/tmp") }
}
