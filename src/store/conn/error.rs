//! What can go wrong with the database, and what each kind means for the one who asked.

use std::time::Duration;

use super::hosts::NoHost;

/// What can go wrong with the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No connection within the deadline: PostgreSQL is away, or all connections are in use.
    #[error("no database connection: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// Of several hosts none takes writes now.
    #[error("no database host takes writes: {0}")]
    NoPrimary(#[source] NoHost),
    /// The primary is another one than the one that this work was begun on, or was restarted.
    #[error("the database is another server now, or was restarted")]
    Moved,
    /// The deadline passed; the connection is closed. Whether the work was done is unknown.
    #[error("the database did not finish within {0:?}")]
    Deadline(Duration),
    /// PostgreSQL refused the work.
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    /// The caller saw a reason to begin anew; nothing was written.
    #[error("given up by the caller")]
    GivenUp,
    /// What is stored is not in a form that this program writes.
    #[error("what is stored can't be read: {0}")]
    Unreadable(String),
}

impl StoreError {
    /// Will the same work succeed later by itself: the server is away, restarting, out of room, or
    /// lost a race? Everything else is about the work itself.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::NoPrimary(_) | Self::Moved | Self::Deadline(_) => true,
            Self::Sql(error) => match error {
                sqlx::Error::Io(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
                | sqlx::Error::Tls(_)
                | sqlx::Error::Protocol(_) => true,
                // 08 connection, 25P03 and 25P04 a transaction that idled or took too long, 40 serialization
                // and deadlock, 53 resources, 55P03 lock not available, 57 operator intervention (shutdown,
                // crash, statement_timeout), 58 system error, 25006 read-only host.
                sqlx::Error::Database(e) => e.code().is_some_and(|code| {
                    ["08", "25P03", "25P04", "40", "53", "55P03", "57", "58"]
                        .iter()
                        .any(|class| code.starts_with(class))
                        || code == READ_ONLY
                }),
                _ => false,
            },
            Self::GivenUp | Self::Unreadable(_) => false,
        }
    }

    /// Was a race lost: a deadlock or a serialization failure? The same work may be tried again at once.
    pub fn is_race(&self) -> bool {
        self.sql_state().is_some_and(|code| code.starts_with("40"))
    }

    /// Did the work fail for the moment, on a server that is there as far as is known? The same work may
    /// be tried again on another connection. Whether it was done is unknown.
    pub fn is_momentary(&self) -> bool {
        self.is_transient()
            && !matches!(self, Self::Unavailable(_) | Self::NoPrimary(_) | Self::Moved)
            && !self.is_read_only()
    }

    /// Did the connection break? Often there is another one at once.
    pub fn is_broken_connection(&self) -> bool {
        matches!(self, Self::Sql(error) if !matches!(error, sqlx::Error::Database(_)))
            || self.sql_state().is_some_and(|code| code.starts_with("57P") || code.starts_with("08"))
    }

    /// Did the work take too long as a whole or in one statement?
    pub fn is_too_slow(&self) -> bool {
        matches!(self, Self::Deadline(_)) || self.sql_state().is_some_and(|code| code == "57014")
    }

    /// Is it about the data that were to be written, so that less of them may well be written? Otherwise
    /// (a missing table, a right that was not granted) nothing can be, until somebody mends it.
    pub fn is_about_the_data(&self) -> bool {
        match self {
            // 21 cardinality, 22 data exception, 23 integrity, 54 program limit, XX internal error.
            Self::Sql(sqlx::Error::Database(e)) => {
                e.code().is_some_and(|code| ["21", "22", "23", "54", "XX"].iter().any(|class| code.starts_with(class)))
            }
            Self::Sql(
                sqlx::Error::Encode(_)
                | sqlx::Error::ColumnDecode { .. }
                | sqlx::Error::Decode(_)
                | sqlx::Error::InvalidArgument(_),
            )
            | Self::Unreadable(_) => true,
            _ => false,
        }
    }

    /// The SQLSTATE that PostgreSQL gave.
    pub fn sql_state(&self) -> Option<String> {
        match self {
            Self::Sql(sqlx::Error::Database(e)) | Self::Unavailable(sqlx::Error::Database(e)) => {
                e.code().map(std::borrow::Cow::into_owned)
            }
            _ => None,
        }
    }

    /// Was a write refused because the host takes none?
    pub(super) fn is_read_only(&self) -> bool {
        self.sql_state().is_some_and(|code| code == READ_ONLY)
    }

    /// A statement that PostgreSQL refused leaves the connection sound; anything else may not.
    pub(super) fn leaves_connection_sound(&self) -> bool {
        match self {
            Self::GivenUp | Self::Sql(sqlx::Error::RowNotFound) => true,
            Self::Sql(sqlx::Error::Database(e)) => e.code().is_some_and(|code| {
                !["08", "25P03", "25P04", "57P", "58", READ_ONLY].iter().any(|class| code.starts_with(class))
            }),
            _ => false,
        }
    }
}

/// `read_only_sql_transaction`.
const READ_ONLY: &str = "25006";
