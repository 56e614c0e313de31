//! PostgreSQL as the worker sees it, in memory: tables, transactions with row locks, connections that
//! break, commits whose answer is lost, a standby that takes over and lacks the last of them.

pub mod db;
mod handle;
mod refusal;
pub mod tables;
mod tx;

pub use db::Db;
pub use handle::Handle;
pub use refusal::Failing;
pub use tx::{DATABASE, POISON};
