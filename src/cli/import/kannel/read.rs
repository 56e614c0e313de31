//! Reads a Kannel configuration: groups of `key = value` lines parted by empty lines, values perhaps
//! in quotes, lines that begin with `#` are comments, `include` names a file or a folder of files.

use std::path::{Path, PathBuf};

use crate::limits::{KANNEL_FILE_BYTES_MAX, KANNEL_FILES_MAX};

/// One line of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) place: Place,
    pub(super) key: String,
    pub(super) value: String,
}

/// Where a line stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: PathBuf,
    pub(super) line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// A group, in the order of its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) place: Place,
    pub(super) lines: Vec<Line>,
}

impl Group {
    /// The last value of a key, as Kannel takes it.
    pub(super) fn line(&self, key: &str) -> Option<&Line> {
        self.lines.iter().rev().find(|line| line.key == key)
    }

    pub(super) fn value(&self, key: &str) -> Option<&str> {
        self.line(key).map(|line| line.value.as_str())
    }
}

/// What can't be read at all.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("{path}: {error}")]
    Io { path: String, error: std::io::Error },
    #[error("{0}: longer than {KANNEL_FILE_BYTES_MAX} bytes: is it a Kannel configuration?")]
    Long(String),
    #[error("{0}: more than {KANNEL_FILES_MAX} files are included, perhaps in a circle")]
    Many(String),
    #[error("{0}: neither `key = value` nor a comment")]
    Line(Place),
    #[error("{0}: a quoted value has no closing quote")]
    Quote(Place),
}

/// All groups of a file and what it includes, in the order in which Kannel sees them.
pub(super) fn read(path: &Path) -> Result<Vec<Group>, ReadError> {
    let mut reader = Reader { files: 0, groups: Vec::new(), open: false };
    reader.file(path)?;
    Ok(reader.groups)
}

struct Reader {
    files: usize,
    groups: Vec<Group>,
    /// Does the next line belong to the last group?
    open: bool,
}

impl Reader {
    fn file(&mut self, path: &Path) -> Result<(), ReadError> {
        self.files += 1;
        let name = path.display().to_string();
        if self.files > KANNEL_FILES_MAX {
            return Err(ReadError::Many(name));
        }
        let io = |error| ReadError::Io { path: name.clone(), error };
        if path.metadata().map_err(io)?.len() > KANNEL_FILE_BYTES_MAX {
            return Err(ReadError::Long(name));
        }
        let bytes = std::fs::read(path).map_err(io)?;
        let text = String::from_utf8_lossy(&bytes);
        self.open = false;
        for (number, line) in text.lines().enumerate() {
            self.line(line.trim(), Place { file: path.to_owned(), line: number + 1 })?;
        }
        self.open = false;
        Ok(())
    }

    fn line(&mut self, line: &str, place: Place) -> Result<(), ReadError> {
        if line.is_empty() {
            self.open = false;
            return Ok(());
        }
        if line.starts_with('#') {
            return Ok(());
        }
        let Some((key, value)) = line.split_once('=') else { return Err(ReadError::Line(place)) };
        let key = key.trim().to_owned();
        let Some(value) = unquote(value.trim()) else { return Err(ReadError::Quote(place)) };
        if key == "include" {
            return self.include(&value, &place);
        }
        if !self.open {
            self.groups.push(Group { place: place.clone(), lines: Vec::new() });
            self.open = true;
        }
        if let Some(group) = self.groups.last_mut() {
            group.lines.push(Line { place, key, value });
        }
        Ok(())
    }

    /// A relative name is looked up beside the file that includes it, then where the command runs.
    fn include(&mut self, name: &str, place: &Place) -> Result<(), ReadError> {
        let beside = place.file.parent().unwrap_or(Path::new("")).join(name);
        let path = if beside.exists() { beside } else { PathBuf::from(name) };
        if !path.is_dir() {
            return self.file(&path);
        }
        let io = |error| ReadError::Io { path: path.display().to_string(), error };
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(&path).map_err(io)?.map(|e| Ok(e?.path())).collect::<Result<_, _>>().map_err(io)?;
        files.sort();
        files.retain(|file| file.is_file());
        files.iter().try_for_each(|file| self.file(file))
    }
}

/// A value, without its quotes and escapes; `None` when a quote stays open.
fn unquote(value: &str) -> Option<String> {
    let Some(rest) = value.strip_prefix('"') else { return Some(value.to_owned()) };
    let mut out = String::new();
    let mut chars = rest.chars();
    loop {
        match chars.next()? {
            '"' => return Some(out),
            '\\' => out.push(chars.next()?),
            other => out.push(other),
        }
    }
}
