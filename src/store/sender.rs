//! `sender`: phones that asked for silence. Most have no row.

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::StoreError;

/// STOP or START from a phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderChange {
    /// Key in `phone`.
    pub phone_id: i64,
    /// It wants no messages.
    pub stopped: bool,
    /// When the command was received: of two the later one stands, whichever arrives first.
    pub at: OffsetDateTime,
}

/// Notes what phones asked for, in the order given.
pub async fn note(conn: &mut PgConnection, changes: &[SenderChange]) -> Result<(), StoreError> {
    for change in changes {
        sqlx::query!(
            "INSERT INTO sender (phone_id, stopped, changed_at) VALUES ($1, $2, $3)
             ON CONFLICT (phone_id) DO UPDATE SET stopped = excluded.stopped, changed_at = excluded.changed_at
             WHERE sender.changed_at <= excluded.changed_at",
            change.phone_id,
            change.stopped,
            change.at
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}
