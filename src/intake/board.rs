//! What the gateway said of itself last, for whoever writes it down.

use std::sync::{Mutex, PoisonError};

use crate::handoff::message::Status;

/// See the module. Holds one.
#[derive(Debug, Default)]
pub struct Board(Mutex<Option<Status>>);

impl Board {
    /// The gateway says how it fares.
    pub fn put(&self, status: Status) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
    }

    /// What it said since the last time, once.
    pub fn take(&self) -> Option<Status> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
