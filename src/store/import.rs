//! What imports have in common: the counts that they report, and how they fail.

use serde::Serialize;
use sqlx::PgConnection;

use super::StoreError;
use crate::domain::location::BadLine;

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Imported {
    /// Rows of the file.
    pub read: usize,
    /// New.
    pub added: usize,
    /// There before, otherwise.
    pub changed: usize,
    /// There before just so.
    pub unchanged: usize,
}

/// Why an import changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// No election of that name.
    #[error("there is no election `{0}`; `scrutineer election list` shows those that are there")]
    UnknownElection(String),
    /// Its state forbids it.
    #[error("election `{0}` is archived and does not change")]
    Archived(String),
    /// Lines that can't be taken.
    #[error("{} bad lines", .0.len())]
    Bad(Vec<BadLine>),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The election's key; its row stays locked to the end of the transaction, so that imports into one
/// election follow each other.
pub(super) async fn lock_election(conn: &mut PgConnection, slug: &str) -> Result<Result<i32, ImportError>, StoreError> {
    let found = sqlx::query!("SELECT id, state FROM election WHERE slug = $1 FOR NO KEY UPDATE", slug)
        .fetch_optional(conn)
        .await?;
    Ok(match found {
        None => Err(ImportError::UnknownElection(slug.to_owned())),
        Some(row) if row.state == "archived" => Err(ImportError::Archived(slug.to_owned())),
        Some(row) => Ok(row.id),
    })
}
