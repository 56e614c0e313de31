//! Where each key of a configuration was set, so that what is wrong with it is said with a line, or with
//! the variable of the environment.

use std::collections::HashMap;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::{ConfigError, Problem};

/// Where each key was set.
#[derive(Debug)]
pub(super) struct Places {
    file: String,
    lines: HashMap<String, usize>,
    env: HashMap<String, String>,
}

impl Places {
    pub(super) fn new(path: &Path) -> Self {
        Self { file: path.display().to_string(), lines: HashMap::new(), env: HashMap::new() }
    }

    /// A problem with a key, placed at the key or at the nearest thing above it.
    pub(super) fn problem(&self, key: &str, what: impl Into<String>, mend: impl Into<String>) -> Problem {
        let place = match self.env.get(key) {
            Some(name) => format!("environment {name}"),
            None => {
                let mut at = key;
                loop {
                    if let Some(line) = self.lines.get(at) {
                        break format!("{}:{line}", self.file);
                    }
                    match at.rfind('.') {
                        Some(dot) => at = at.get(..dot).unwrap_or(""),
                        None => break self.file.clone(),
                    }
                }
            }
        };
        Problem { place, key: key.to_owned(), what: what.into(), mend: mend.into() }
    }

    /// The file, as it was named.
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    /// Notes the line of each key of the file.
    pub(super) fn note_file(&mut self, text: &str, table: &DeTable<'_>) {
        note_lines(text, table, "", &mut self.lines);
    }

    /// Notes that the environment set a key.
    pub(super) fn note_env(&mut self, key: String, variable: &str) {
        self.env.insert(key, variable.to_owned());
    }

    /// Was this key set by the environment?
    pub(super) fn is_from_env(&self, key: &str) -> bool {
        self.env.contains_key(key)
    }

    /// In the order of the file; what stands in no line comes last.
    pub(super) fn sorted(&self, mut problems: Vec<Problem>) -> ConfigError {
        let line = |p: &Problem| {
            p.place.strip_prefix(&self.file).and_then(|rest| rest.strip_prefix(':')?.parse::<usize>().ok())
        };
        problems.sort_by_key(|p| line(p).unwrap_or(usize::MAX));
        ConfigError { problems }
    }
}

/// A key below a path.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The line, from 1, of a place in a text.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|b| *b == b'\n').count() + 1
}

fn note_lines(text: &str, table: &DeTable<'_>, path: &str, lines: &mut HashMap<String, usize>) {
    for (key, value) in table.iter() {
        let full = join(path, key.get_ref());
        lines.insert(full.clone(), line_of(text, key.span().start));
        match value.get_ref() {
            DeValue::Table(inner) => note_lines(text, inner, &full, lines),
            DeValue::Array(list) => {
                for (i, item) in list.iter().enumerate() {
                    let at = format!("{full}[{}]", i + 1);
                    lines.insert(at.clone(), line_of(text, item.span().start));
                    if let DeValue::Table(inner) = item.get_ref() {
                        note_lines(text, inner, &at, lines);
                    }
                }
            }
            _ => {}
        }
    }
}
