//! PostgreSQL: the only place with SQL. One file a table or aggregate.
//!
//! Invariant: every use of a connection goes through [`Store::with_conn`] or [`Store::with_tx`], so
//! that it has a deadline and a connection whose use was cut short is closed, never reused.

mod conn;
pub mod pages;
pub mod session;
pub mod user;

pub use conn::{ConnectOptions, Store, StoreError, TlsMode};
