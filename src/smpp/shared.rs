//! What the links share: the bytes that may wait for the disk, and who is bound.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, watch};

use crate::limits::RECEIVE_BYTES_MAX;

/// Bytes of messages, all links together, that wait for the spool.
#[derive(Debug, Default)]
pub struct ByteBudget {
    used: AtomicUsize,
    freed: Notify,
}

impl ByteBudget {
    /// Is there room for one more? One message may overshoot.
    pub fn has_room(&self) -> bool {
        self.used.load(Ordering::Relaxed) < RECEIVE_BYTES_MAX
    }

    /// Takes.
    pub fn take(&self, bytes: usize) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Gives back, and wakes the links that waited.
    pub fn give(&self, bytes: usize) {
        let before = self.used.fetch_sub(bytes, Ordering::Relaxed);
        if before >= RECEIVE_BYTES_MAX {
            self.freed.notify_waiters();
        }
    }

    /// Waits until some are given back.
    pub async fn wait(&self) {
        self.freed.notified().await;
    }
}

/// Which links are bound, by their place in the configuration.
#[derive(Debug)]
pub struct LinkStates(watch::Sender<Vec<bool>>);

impl LinkStates {
    /// None is.
    pub fn new(links: usize) -> Self {
        Self(watch::channel(vec![false; links]).0)
    }

    /// A link changed.
    pub fn set(&self, link: usize, bound: bool) {
        self.0.send_if_modified(|states| match states.get_mut(link) {
            Some(state) if *state != bound => {
                *state = bound;
                true
            }
            _ => false,
        });
    }

    /// Sees the changes.
    pub fn watch(&self) -> watch::Receiver<Vec<bool>> {
        self.0.subscribe()
    }
}
