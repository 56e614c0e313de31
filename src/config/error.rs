//! What is wrong with a configuration: all of it at once, each with its place and how to mend it.

use serde::Serialize;

/// Exit status for a bad configuration (`EX_CONFIG` of sysexits.h), which systemd does not restart.
pub const EXIT_CONFIG: u8 = 78;

/// One thing that is wrong, or doubtful.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// File and line, or the environment variable.
    pub place: String,
    /// The key, dotted: `link[1].host`. Empty when it is about the whole file.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// How to mend it.
    pub mend: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}; {}", self.what, self.mend)
    }
}

/// A configuration that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// Everything that is wrong, in the order of the file. Never empty.
    pub problems: Vec<Problem>,
}

impl ConfigError {
    /// A single problem.
    pub fn one(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}
