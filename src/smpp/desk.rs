//! Where a bind says how it fares, and is told what to do: run, pause or drain.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// What a bind is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum Wanted {
    /// Bind and serve.
    #[default]
    Run = 0,
    /// Unbind, and stay unbound.
    Pause = 1,
    /// Take no new submits, wait for the responses to those written, then unbind and stay unbound.
    Drain = 2,
}

/// Where a bind stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// No connection; it is tried again.
    #[default]
    Unbound,
    /// Connected, and the bind not answered.
    Binding,
    /// Bound.
    Bound,
    /// Unbound by the operator.
    Paused,
}

impl State {
    /// One word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unbound => "unbound",
            Self::Binding => "binding",
            Self::Bound => "bound",
            Self::Paused => "paused",
        }
    }
}

/// What a bind says of itself.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// Where it stands.
    pub state: State,
    /// Since when.
    pub since: Option<Instant>,
    /// Sessions that were bound since the gateway started.
    pub binds: u64,
    /// Why the last session ended, or the connection failed.
    pub last_end: Option<String>,
    /// `system_id` of the SMSC.
    pub peer: String,
    /// `sc_interface_version` of the SMSC, where it said one.
    pub peer_version: Option<u8>,
    /// Seconds that the last `submit_sm_resp` or `enquire_link_resp` took.
    pub round_trip: Option<Duration>,
    /// Messages that wait for their acknowledgement.
    pub receiving: usize,
    /// `submit_sm` that wait for their response.
    pub submitting: usize,
    /// When the oldest of our requests without a response was written.
    pub oldest: Option<Instant>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Desk {
    wanted: AtomicU8,
    /// When a drain must be done with.
    drain_by: Mutex<Option<Instant>>,
    changed: Notify,
    view: Mutex<View>,
}

impl Desk {
    /// Tells the bind what to do; a drain may take so long.
    pub fn want(&self, wanted: Wanted, drain: Duration) {
        *self.drain_by.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + drain);
        self.wanted.store(wanted as u8, Ordering::Release);
        self.changed.notify_one();
    }

    /// What it is to do.
    pub fn wanted(&self) -> Wanted {
        match self.wanted.load(Ordering::Acquire) {
            1 => Wanted::Pause,
            2 => Wanted::Drain,
            _ => Wanted::Run,
        }
    }

    /// May new submits be taken?
    pub fn takes_submits(&self) -> bool {
        self.wanted() == Wanted::Run
    }

    /// Is it time to unbind? `idle`: nothing that was taken is without an answer.
    pub fn quits(&self, now: Instant, idle: bool) -> bool {
        match self.wanted() {
            Wanted::Run => false,
            Wanted::Pause => true,
            Wanted::Drain => {
                idle || self.drain_by.lock().unwrap_or_else(PoisonError::into_inner).is_none_or(|by| now >= by)
            }
        }
    }

    /// Waits until it may have been told something else.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what it says of itself.
    pub fn say(&self, change: impl FnOnce(&mut View)) {
        change(&mut self.lock());
    }

    /// It stands elsewhere now.
    pub fn state(&self, state: State) {
        let mut view = self.lock();
        if view.state != state {
            (view.state, view.since) = (state, Some(Instant::now()));
        }
        if state != State::Bound {
            (view.receiving, view.submitting, view.oldest) = (0, 0, None);
        }
    }

    /// What it says of itself.
    pub fn view(&self) -> View {
        self.lock().clone()
    }
}
