//! Passwords: Argon2id (RFC 9106), one computation at a time.
//!
//! Invariant: the memory of a computation is one block that goes back to the system when it ends.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::{Output, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits;

/// glibc hands blocks above 32 MiB straight back when they are freed, and keeps smaller ones once it
/// has seen them. So more is reserved than is used; what is not touched costs nothing.
const RESERVED_BLOCKS: usize = (33 << 20) / Block::SIZE;

/// What can go wrong with a password.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Too short.
    #[error("the password has {0} characters; it needs at least {min}", min = limits::PASSWORD_CHARS_MIN)]
    Short(usize),
    /// Too long.
    #[error("the password is longer than {} bytes", limits::PASSWORD_BYTES_MAX)]
    Long,
    /// A computation failed.
    #[error("the password could not be hashed: {0}")]
    Hash(String),
    /// No computation was free in time.
    #[error("too many sign-ins at once")]
    Busy,
}

impl From<argon2::Error> for PasswordError {
    fn from(error: argon2::Error) -> Self {
        Self::Hash(error.to_string())
    }
}

fn params() -> Result<Params, PasswordError> {
    Ok(Params::new(limits::PASSWORD_MEMORY_KIB, limits::PASSWORD_PASSES, 1, Some(Params::DEFAULT_OUTPUT_LEN))?)
}

fn compute(params: Params, password: &str, salt: &[u8], out: &mut [u8]) -> Result<(), PasswordError> {
    let blocks = params.block_count();
    let mut memory: Vec<Block> = Vec::with_capacity(RESERVED_BLOCKS.max(blocks));
    memory.resize(blocks, Block::default());
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into_with_memory(
        password.as_bytes(),
        salt,
        out,
        &mut memory,
    )?;
    Ok(())
}

/// The PHC string to store for a new password.
pub fn hash(password: &str) -> Result<String, PasswordError> {
    let chars = password.chars().count();
    if chars < limits::PASSWORD_CHARS_MIN {
        return Err(PasswordError::Short(chars));
    }
    if password.len() > limits::PASSWORD_BYTES_MAX {
        return Err(PasswordError::Long);
    }
    let salt = Salt::generate();
    let params = params()?;
    let mut out = [0u8; Params::DEFAULT_OUTPUT_LEN];
    compute(params.clone(), password, salt.as_ref(), &mut out)?;
    let fail = |e: argon2::password_hash::phc::Error| PasswordError::Hash(e.to_string());
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: argon2::password_hash::phc::ParamsString::try_from(&params)
            .map_err(|e| PasswordError::Hash(e.to_string()))?,
        salt: Some(salt),
        hash: Some(Output::new(&out).map_err(fail)?),
    };
    Ok(hash.to_string())
}

/// Is it the password of this PHC string? Without one the same work is done, and the answer is no.
pub fn verify(password: &str, phc: Option<&str>) -> Result<bool, PasswordError> {
    if password.len() > limits::PASSWORD_BYTES_MAX {
        return Ok(false);
    }
    let Some(phc) = phc else {
        let mut out = [0u8; Params::DEFAULT_OUTPUT_LEN];
        compute(params()?, password, b"nobody's own salt", &mut out)?;
        return Ok(false);
    };
    let stored = PasswordHash::new(phc).map_err(|e| PasswordError::Hash(e.to_string()))?;
    let params = Params::try_from(&stored).map_err(|e| PasswordError::Hash(e.to_string()))?;
    let (Some(salt), Some(wanted)) = (stored.salt, stored.hash) else {
        return Err(PasswordError::Hash("a stored password lacks its salt or hash".to_owned()));
    };
    if stored.algorithm != Algorithm::Argon2id.ident()
        || params.m_cost() > limits::PASSWORD_MEMORY_KIB
        || params.t_cost() > 16
    {
        return Err(PasswordError::Hash(
            "a stored password asks for more work than is allowed; set it anew".to_owned(),
        ));
    }
    let mut out = vec![0u8; wanted.len()];
    compute(params, password, salt.as_ref(), &mut out)?;
    // `Output` compares in constant time.
    Ok(Output::new(&out).is_ok_and(|got| got == wanted))
}

/// Lets one computation through at a time, a few wait for a while, and the others are turned away.
#[derive(Debug)]
pub struct Gate {
    waiting: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

/// A place at the gate; given back when dropped.
#[derive(Debug)]
pub struct Turn {
    _waiting: OwnedSemaphorePermit,
    _running: OwnedSemaphorePermit,
}

impl Gate {
    /// An open gate.
    #[expect(clippy::new_without_default, reason = "one a process")]
    pub fn new() -> Self {
        Self {
            waiting: Arc::new(Semaphore::new(limits::PASSWORD_WAITERS_MAX + 1)),
            running: Arc::new(Semaphore::new(1)),
        }
    }

    /// Waits for the turn.
    pub async fn enter(&self) -> Result<Turn, PasswordError> {
        let waiting = self.waiting.clone().try_acquire_owned().map_err(|_| PasswordError::Busy)?;
        let wait = Duration::from_secs(limits::PASSWORD_WAIT_SECONDS);
        match tokio::time::timeout(wait, self.running.clone().acquire_owned()).await {
            Ok(Ok(running)) => Ok(Turn { _waiting: waiting, _running: running }),
            _ => Err(PasswordError::Busy),
        }
    }
}

/// [`verify`] on a thread of its own. The turn ends with the work, also when nobody waits for it any more.
pub async fn verify_in_turn(turn: Turn, password: String, phc: Option<String>) -> Result<bool, PasswordError> {
    tokio::task::spawn_blocking(move || {
        let right = verify(&password, phc.as_deref());
        drop(turn);
        right
    })
    .await
    .map_err(|e| PasswordError::Hash(e.to_string()))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_again_and_another_is_not() {
        let phc = hash("correct horse battery").unwrap();
        assert!(phc.starts_with(&format!("$argon2id$v=19$m={},t=2,p=1$", limits::PASSWORD_MEMORY_KIB)), "{phc}");
        assert!(verify("correct horse battery", Some(&phc)).unwrap());
        assert!(!verify("correct horse batterz", Some(&phc)).unwrap());
        assert!(!verify("correct horse battery", None).unwrap());
    }

    #[test]
    fn a_new_password_too_short_or_too_long_is_refused() {
        assert!(matches!(hash("short"), Err(PasswordError::Short(5))));
        assert!(matches!(hash(&"x".repeat(limits::PASSWORD_BYTES_MAX + 1)), Err(PasswordError::Long)));
    }

    #[test]
    fn a_stored_hash_that_asks_for_too_much_memory_is_not_computed() {
        let greedy =
            "$argon2id$v=19$m=1048576,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$6O9ZAhoYYC7xLxAHDXeOtRmVZrBz8XAgV/3hYZuEHks";
        assert!(verify("x", Some(greedy)).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn one_runs_a_bounded_number_waits_for_a_bounded_time_and_the_next_is_turned_away() {
        let gate = Arc::new(Gate::new());
        let turn = gate.enter().await.unwrap();
        let waiting: Vec<_> = (0..limits::PASSWORD_WAITERS_MAX)
            .map(|_| {
                let gate = gate.clone();
                tokio::spawn(async move { gate.enter().await.is_ok() })
            })
            .collect();
        tokio::task::yield_now().await;
        assert!(matches!(gate.enter().await, Err(PasswordError::Busy)));
        for wait in waiting {
            assert!(!wait.await.unwrap(), "the wait is bounded");
        }
        drop(turn);
        assert!(gate.enter().await.is_ok());
    }
}
