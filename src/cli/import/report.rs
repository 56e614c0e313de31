//! What an import says: progress on a terminal, bad lines with number and reason, counts at the end.

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use crate::domain::location::BadLine;
use crate::limits::IMPORT_ERRORS_SHOWN;
use crate::role::support;
use crate::store::import::{ImportError, Imported};

/// A progress bar on a terminal, nothing otherwise.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn start(rows: usize, json: bool) -> Self {
        let bar = ProgressBar::new(rows as u64);
        if json || !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {elapsed}") {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// So much of so much is done.
    pub(crate) fn reached(&self, done: u64, all: u64) {
        self.0.set_length(all);
        self.0.set_position(done);
    }

    pub(crate) fn advance(&self, rows: u64) {
        self.0.inc(rows);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Reports one import.
#[derive(Debug)]
pub(crate) struct Reporter<'a> {
    /// The file.
    pub file: &'a Path,
    /// As JSON?
    pub json: bool,
    /// Headers that were not used.
    pub ignored: Vec<String>,
    /// When it began.
    pub begun: Instant,
}

impl Reporter<'_> {
    /// The outcome, as text or JSON, and its exit status.
    pub(crate) fn finish(&self, result: Result<Imported, ImportError>) -> anyhow::Result<ExitCode> {
        match result {
            Ok(done) => self.done(done),
            Err(ImportError::Bad(lines)) => self.refuse(&lines),
            Err(error) => Err(error.into()),
        }
    }

    fn done(&self, done: Imported) -> anyhow::Result<ExitCode> {
        if self.json {
            let Imported { read, added, changed, unchanged } = done;
            support::print_json(&json!({
                "read": read, "added": added, "changed": changed, "unchanged": unchanged, "ignored_columns": self.ignored,
            }))?;
            return Ok(ExitCode::SUCCESS);
        }
        if !self.ignored.is_empty() {
            println!("columns not used: {}", self.ignored.join(", "));
        }
        println!(
            "{}: {} read: {} added, {} changed, {} unchanged ({:.1} s)",
            self.file.display(),
            done.read,
            done.added,
            done.changed,
            done.unchanged,
            self.begun.elapsed().as_secs_f64()
        );
        Ok(ExitCode::SUCCESS)
    }

    /// Names the first bad lines and counts the others. Nothing was imported.
    pub(crate) fn refuse(&self, lines: &[BadLine]) -> anyhow::Result<ExitCode> {
        let mut sorted: Vec<&BadLine> = lines.iter().collect();
        sorted.sort();
        let shown = sorted.get(..IMPORT_ERRORS_SHOWN).unwrap_or(&sorted);
        if self.json {
            support::print_json(&json!({"bad_lines": lines.len(), "errors": shown}))?;
        } else {
            for bad in shown {
                match bad.line {
                    0 => eprintln!("scrutineer: {}: with what is there already: {}", self.file.display(), bad.reason),
                    line => eprintln!("scrutineer: {}:{line}: {}", self.file.display(), bad.reason),
                }
            }
            if lines.len() > shown.len() {
                eprintln!("scrutineer: and {} more", lines.len() - shown.len());
            }
            eprintln!("scrutineer: {} bad lines; nothing was imported", lines.len());
        }
        Ok(ExitCode::from(support::EXIT_FAILURE))
    }
}
