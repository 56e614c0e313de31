//! PostgreSQL: the only place with SQL. One file a table or aggregate.
//!
//! Invariant: every use of a connection goes through [`Store::with_conn`] or [`Store::with_tx`], so
//! that it has a deadline and a connection whose use was cut short is closed, never reused.

pub mod account;
pub mod archive;
pub mod archive_observer;
pub mod archive_submission;
pub mod auth;
pub mod batch;
pub mod checklist;
pub mod confirmed;
mod conn;
pub mod doctor;
pub mod election;
mod health;
pub mod host_status;
pub mod import;
pub mod ledger;
pub mod location;
pub mod message;
pub mod migrate;
pub mod observer;
pub mod outbox;
pub mod outbox_result;
pub mod outbox_unknown;
pub mod pages;
pub mod past;
pub mod phone;
pub mod reading;
pub mod request;
pub mod reread;
pub mod roster;
pub mod segment;
pub mod sender;
pub mod session;
pub mod set_aside;
pub mod submission;
pub mod user;
pub mod watermark;

pub use conn::{ConnectOptions, Host, NoHost, Store, StoreError, TlsMode};
pub use health::Health;
pub use ledger::{Ledger, StaffTx, Transaction, Tx};
/// The connection that [`Store::with_conn`] lends.
pub use sqlx::PgConnection;

use time::OffsetDateTime;

/// Microseconds since the Unix epoch, as records carry them, to a time; far out of range: the epoch.
pub fn instant(micros: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// The inverse of [`instant`].
pub fn micros(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
}

/// An array as PostgreSQL writes it, for arrays that stand in a column of unequal ones.
pub fn array_literal<T: std::fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    let mut literal = String::from("{");
    for (i, item) in items.into_iter().enumerate() {
        if i > 0 {
            literal.push(',');
        }
        literal.push('"');
        for c in item.to_string().chars() {
            if matches!(c, '"' | '\\') {
                literal.push('\\');
            }
            literal.push(c);
        }
        literal.push('"');
    }
    literal.push('}');
    literal
}
