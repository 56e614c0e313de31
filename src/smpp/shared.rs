//! What the links share: who is bound.

use tokio::sync::watch;

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
