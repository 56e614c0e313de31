//! What several topics need: a private PostgreSQL, the program's processes, a site for them.
//!
//! Invariants: each wait has a deadline; what a test starts ends with it, also when it fails or is
//! killed; nothing binds a fixed port.

#![allow(dead_code, reason = "each topic uses some of it")]

pub mod authority;
pub mod book;
pub mod cgroup;
pub mod cluster;
pub mod dir;
pub mod flood;
pub mod flow;
pub mod gate;
pub mod handoff;
pub mod netlab;
pub mod peer;
pub mod pg;
pub mod poll;
pub mod preload;
pub mod process;
pub mod replica;
pub mod site;
pub mod source;
pub mod torture;

use std::time::Duration;

/// How long a thing may take that ought to be quick, on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Awaits something for at most [`PATIENCE`].
///
/// # Panics
/// When it does not come.
pub async fn soon<F: Future>(what: &str, wait: F) -> F::Output {
    within(PATIENCE, what, wait).await
}

/// Awaits something for at most `deadline`.
///
/// # Panics
/// When it does not come.
pub async fn within<F: Future>(deadline: Duration, what: &str, wait: F) -> F::Output {
    match tokio::time::timeout(deadline, wait).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: did not happen within {deadline:?}"),
    }
}
