//! PostgreSQL as the worker sees it, in memory: tables, transactions with row locks, connections that
//! break, commits whose answer is lost, a standby that takes over and lacks the last of them.

pub mod db;
mod handle;
pub mod tables;
mod tx;

pub use db::{Db, Failing};
pub use handle::Handle;
pub use tx::{DATABASE, POISON};
