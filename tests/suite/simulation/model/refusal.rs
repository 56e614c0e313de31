//! With what the simulated server refuses, and how often.

use scrutineer::store::StoreError;

/// How often, of a thousand times, the server fails in the middle of its work.
#[derive(Debug, Clone, Copy, Default)]
pub struct Failing {
    /// Statements refused: lost races, one that took too long, a disk that is full.
    pub statements: usize,
    /// Commits that are done, and whose answer is lost.
    pub commits: usize,
}

/// With what a statement is refused.
pub(super) const REFUSALS: [(&str, &str); 4] = [
    ("40001", "could not serialize access"),
    ("40P01", "deadlock detected"),
    ("57014", "canceling statement due to statement timeout"),
    ("53100", "could not extend file"),
];

/// What PostgreSQL says of itself, as far as the program asks.
#[derive(Debug)]
struct Refusal(&'static str, &'static str);

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.1, self.0)
    }
}

impl std::error::Error for Refusal {}

impl sqlx::error::DatabaseError for Refusal {
    fn message(&self) -> &str {
        self.1
    }
    fn code(&self) -> Option<std::borrow::Cow<'_, str>> {
        Some(self.0.into())
    }
    fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        self
    }
    fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
        self
    }
    fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
        self
    }
    fn kind(&self) -> sqlx::error::ErrorKind {
        sqlx::error::ErrorKind::Other
    }
}

/// An error with this SQLSTATE.
pub fn refused(code: &'static str, message: &'static str) -> StoreError {
    StoreError::Sql(sqlx::Error::Database(Box::new(Refusal(code, message))))
}

/// The connection broke.
pub fn broken() -> StoreError {
    StoreError::Sql(sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into()))
}
