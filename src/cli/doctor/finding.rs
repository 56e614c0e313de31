//! One thing that the doctor looked at.

use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// Works, but not as it should.
    Warning,
    /// Something will not work.
    Error,
}

/// A finding.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Finding {
    /// What was looked at: `database.worker`.
    pub check: String,
    /// How bad it is.
    pub level: Level,
    /// What was found.
    pub what: String,
    /// How to mend it; empty when there is nothing to mend.
    pub mend: String,
}

impl Finding {
    pub(super) fn ok(check: impl Into<String>, what: impl Into<String>) -> Self {
        Self { check: check.into(), level: Level::Ok, what: what.into(), mend: String::new() }
    }

    pub(super) fn warning(check: impl Into<String>, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { check: check.into(), level: Level::Warning, what: what.into(), mend: mend.into() }
    }

    pub(super) fn error(check: impl Into<String>, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { check: check.into(), level: Level::Error, what: what.into(), mend: mend.into() }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let level = match self.level {
            Level::Ok => "ok     ",
            Level::Warning => "WARNING",
            Level::Error => "ERROR  ",
        };
        write!(f, "{level} {}: {}", self.check, self.what)?;
        if self.mend.is_empty() { Ok(()) } else { write!(f, "; {}", self.mend) }
    }
}
