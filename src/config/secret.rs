//! A value that is never printed, and how it is read from a file.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, Serializer};

use super::Problem;

/// Bytes of a file that holds a secret.
const SECRET_FILE_BYTES_MAX: u64 = 4096;

/// A password. Debug and serialisation show dots only.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret {
    value: String,
    /// Why the file that holds it could not be read: matters only to the process that needs it.
    unread: Option<Box<Problem>>,
}

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self { value: value.into(), unread: None }
    }

    /// The value itself, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.value
    }

    /// Nothing was set.
    pub fn is_empty(&self) -> bool {
        self.value.is_empty()
    }

    /// Why it could not be read from its file, if so.
    pub fn problem(&self) -> Option<&Problem> {
        self.unread.as_deref()
    }

    /// Takes the value from `file`, or notes why it can't be had.
    pub(super) fn read(&mut self, file: &Path, problem: impl FnOnce(String) -> Problem) {
        match read_file(file) {
            Ok(value) => *self = Self::new(value),
            Err(why) => self.unread = Some(Box::new(problem(why))),
        }
    }
}

/// Folder beside the configuration file that systemd's credentials are loaded from; root alone enters it.
const CREDENTIALS_FOLDER: &str = "credentials";

/// Where a secret's file is: a relative name is looked up among systemd's credentials where there
/// are any, then where those come from, as commands of root's need it, else beside the configuration file.
pub(super) fn place_of(file: &Path, credentials: Option<&Path>, config_folder: &Path) -> PathBuf {
    if file.is_absolute() {
        return file.to_path_buf();
    }
    let source = config_folder.join(CREDENTIALS_FOLDER);
    let folders = [credentials, Some(source.as_path())];
    let found = folders.into_iter().flatten().map(|folder| folder.join(file)).find(|path| path.exists());
    found.unwrap_or_else(|| config_folder.join(file))
}

fn read_file(file: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    std::fs::File::open(file)
        .and_then(|f| f.take(SECRET_FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|e| format!("{} can't be read: {e}", file.display()))?;
    if bytes.len() as u64 > SECRET_FILE_BYTES_MAX {
        return Err(format!("{} is longer than {SECRET_FILE_BYTES_MAX} bytes", file.display()));
    }
    let text = String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8", file.display()))?;
    let value = text.trim_end_matches(['\n', '\r']);
    if value.is_empty() {
        return Err(format!("{} is empty", file.display()));
    }
    Ok(value.to_owned())
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.value.is_empty() { "(not set)" } else { "••••" })
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.value.is_empty() { "" } else { "••••" })
    }
}
