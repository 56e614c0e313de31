//! Submits that wait for a link of their group.
//!
//! Invariants: replies go before bulk, of which one in [`BULK_SHARE`] goes all the same, so that it is not
//! starved; within both the order is that of arrival; a submit that prefers a link is taken by that link while
//! it is bound, else by any of the group.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::message::Submit;
use crate::limits::SUBMIT_QUEUE_MAX;

/// While replies wait, one submit in so many is a bulk message.
pub const BULK_SHARE: u32 = 8;

/// How many wait in all groups together.
#[derive(Debug, Default)]
pub struct SubmitCount(AtomicUsize);

impl SubmitCount {
    /// How many wait.
    pub fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// One that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// What to send.
    pub submit: Submit,
    /// Its intent is durable already: the session that had it ended before anything of it was written.
    pub intended: bool,
}

#[derive(Debug, Default)]
struct Inner {
    replies: VecDeque<Waiting>,
    bulk: VecDeque<Waiting>,
    /// Replies taken since a bulk message was.
    since_bulk: u32,
    /// Binds by the name of their link.
    bound: BTreeMap<String, usize>,
}

impl Inner {
    /// May a bind of this link take it?
    fn is_for(&self, submit: &Submit, link: &str) -> bool {
        match submit.link.as_deref() {
            Some(preferred) => preferred == link || !self.bound.contains_key(preferred),
            None => true,
        }
    }

    fn lane(&mut self, bulk: bool) -> &mut VecDeque<Waiting> {
        if bulk { &mut self.bulk } else { &mut self.replies }
    }

    fn take(&mut self, bulk: bool, link: &str) -> Option<Waiting> {
        let lane = if bulk { &self.bulk } else { &self.replies };
        let at = lane.iter().position(|waiting| self.is_for(&waiting.submit, link))?;
        self.lane(bulk).remove(at)
    }

    fn all(&mut self) -> [&mut VecDeque<Waiting>; 2] {
        [&mut self.replies, &mut self.bulk]
    }
}

/// One group's queue.
#[derive(Debug, Default)]
pub struct SubmitQueue {
    inner: Mutex<Inner>,
    notify: Notify,
    version: AtomicU64,
    count: Arc<SubmitCount>,
}

impl SubmitQueue {
    /// A queue that shares its bound with others.
    pub fn new(count: Arc<SubmitCount>) -> Self {
        Self { count, ..Self::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.version.fetch_add(1, Ordering::Release);
        self.notify.notify_waiters();
    }

    /// Takes a submit in; false when [`SUBMIT_QUEUE_MAX`] wait in all.
    #[must_use]
    pub fn push(&self, submit: Submit) -> bool {
        if self.count.0.fetch_add(1, Ordering::Relaxed) >= SUBMIT_QUEUE_MAX {
            self.count.0.fetch_sub(1, Ordering::Relaxed);
            return false;
        }
        let bulk = submit.bulk;
        self.lock().lane(bulk).push_back(Waiting { submit, intended: false });
        self.changed();
        true
    }

    /// Puts one back that could not be begun, before all others of its kind.
    pub fn put_back(&self, submit: Submit) {
        self.put_first(Waiting { submit, intended: false });
    }

    /// The same for one whose intent may be durable.
    pub fn put_first(&self, waiting: Waiting) {
        self.count.0.fetch_add(1, Ordering::Relaxed);
        self.lock().lane(waiting.submit.bulk).push_front(waiting);
        self.changed();
    }

    /// Takes the one that is next for a bind of this link.
    pub fn pop(&self, link: &str) -> Option<Waiting> {
        let mut inner = self.lock();
        let bulk_first = inner.since_bulk + 1 >= BULK_SHARE;
        let taken = inner.take(bulk_first, link).or_else(|| inner.take(!bulk_first, link))?;
        inner.since_bulk = if taken.submit.bulk { 0 } else { inner.since_bulk.saturating_add(1) };
        self.count.0.fetch_sub(1, Ordering::Relaxed);
        Some(taken)
    }

    /// A bind of this link can send, or can no more.
    pub fn set_bound(&self, link: &str, bound: bool) {
        let mut inner = self.lock();
        let binds = inner.bound.get(link).copied().unwrap_or(0);
        match if bound { binds + 1 } else { binds.saturating_sub(1) } {
            0 => drop(inner.bound.remove(link)),
            binds => drop(inner.bound.insert(link.to_owned(), binds)),
        }
        drop(inner);
        // What preferred it may go elsewhere now.
        self.changed();
    }

    /// Takes out what waits for this outbox row: it is settled already.
    pub fn take_out(&self, id: uuid::Uuid) -> Option<Submit> {
        let mut inner = self.lock();
        let taken = inner.all().into_iter().find_map(|lane| {
            let at = lane.iter().position(|waiting| waiting.submit.id == id)?;
            lane.remove(at)
        })?;
        self.count.0.fetch_sub(1, Ordering::Relaxed);
        Some(taken.submit)
    }

    /// What [`Self::wait`] is given: taken before the queue is looked at.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Waits until something has changed since that version.
    pub async fn wait(&self, seen: u64) {
        let mut notified = std::pin::pin!(self.notify.notified());
        notified.as_mut().enable();
        if self.version() == seen {
            notified.await;
        }
    }

    /// Takes out what is not worth sending any more.
    pub fn expired(&self, now_us: i64) -> Vec<Submit> {
        let mut inner = self.lock();
        let mut gone = Vec::new();
        for lane in inner.all() {
            let (old, kept) = lane.drain(..).partition::<VecDeque<_>, _>(|w| w.submit.expires_us <= now_us);
            *lane = kept;
            gone.extend(old.into_iter().map(|waiting| waiting.submit));
        }
        self.count.0.fetch_sub(gone.len(), Ordering::Relaxed);
        gone
    }
}

#[cfg(test)]
mod tests;
