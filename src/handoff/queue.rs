//! Submits that wait for a link of their group.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::message::Submit;
use crate::limits::SUBMIT_QUEUE_MAX;

/// How many wait in all groups together.
#[derive(Debug, Default)]
pub struct SubmitCount(AtomicUsize);

impl SubmitCount {
    /// How many wait.
    pub fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// One group's queue: any link of the group takes from it.
#[derive(Debug, Default)]
pub struct SubmitQueue {
    waiting: Mutex<VecDeque<Submit>>,
    notify: Notify,
    count: Arc<SubmitCount>,
}

impl SubmitQueue {
    /// A queue that shares its bound with others.
    pub fn new(count: Arc<SubmitCount>) -> Self {
        Self { count, ..Self::default() }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Submit>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a submit in; false when [`SUBMIT_QUEUE_MAX`] wait in all.
    #[must_use]
    pub fn push(&self, submit: Submit) -> bool {
        if self.count.0.fetch_add(1, Ordering::Relaxed) >= SUBMIT_QUEUE_MAX {
            self.count.0.fetch_sub(1, Ordering::Relaxed);
            return false;
        }
        self.lock().push_back(submit);
        self.notify.notify_one();
        true
    }

    /// Puts one back that could not be begun, before all others.
    pub fn put_back(&self, submit: Submit) {
        self.count.0.fetch_add(1, Ordering::Relaxed);
        self.lock().push_front(submit);
        self.notify.notify_one();
    }

    /// Takes the one that waits longest.
    pub fn pop(&self) -> Option<Submit> {
        let (submit, more) = {
            let mut waiting = self.lock();
            (waiting.pop_front(), !waiting.is_empty())
        };
        if submit.is_some() {
            self.count.0.fetch_sub(1, Ordering::Relaxed);
        }
        if more {
            // Another link of the group may have room when the taker has none left.
            self.notify.notify_one();
        }
        submit
    }

    /// Takes out what waits for this outbox row: it is settled already.
    pub fn take_out(&self, id: uuid::Uuid) -> Option<Submit> {
        let mut waiting = self.lock();
        let at = waiting.iter().position(|submit| submit.id == id)?;
        let submit = waiting.remove(at)?;
        self.count.0.fetch_sub(1, Ordering::Relaxed);
        Some(submit)
    }

    /// Waits until one may be there.
    pub async fn wait(&self) {
        self.notify.notified().await;
    }

    /// Takes out what is not worth sending any more.
    pub fn expired(&self, now_us: i64) -> Vec<Submit> {
        let mut waiting = self.lock();
        let (gone, kept) = waiting.drain(..).partition::<VecDeque<_>, _>(|s| s.expires_us <= now_us);
        *waiting = kept;
        self.count.0.fetch_sub(gone.len(), Ordering::Relaxed);
        gone.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn submit(n: u128, expires_us: i64) -> Submit {
        Submit {
            id: Uuid::from_u128(n),
            attempt: 1,
            group: "g".into(),
            source: "1".into(),
            destination: "2".into(),
            text: "t".into(),
            expires_us,
            receipt: false,
        }
    }

    #[test]
    fn all_groups_together_hold_no_more_than_the_bound() {
        let count = Arc::<SubmitCount>::default();
        let (a, b) = (SubmitQueue::new(count.clone()), SubmitQueue::new(count.clone()));
        for n in 0..SUBMIT_QUEUE_MAX {
            assert!([&a, &b][n % 2].push(submit(n as u128, 1)));
        }
        assert!(!a.push(submit(9999, 1)));
        assert!(b.pop().is_some());
        assert!(a.push(submit(9999, 1)));
        assert_eq!(count.get(), SUBMIT_QUEUE_MAX);
    }

    #[test]
    fn what_expired_is_taken_out_and_the_order_of_the_rest_stays() {
        let queue = SubmitQueue::default();
        for (n, expires) in [(1, 10), (2, 5), (3, 10)] {
            assert!(queue.push(submit(n, expires)));
        }
        assert_eq!(queue.expired(5).len(), 1);
        assert!(queue.take_out(Uuid::from_u128(2)).is_none());
        assert_eq!(queue.pop().map(|s| s.id), Some(Uuid::from_u128(1)));
        assert_eq!(queue.take_out(Uuid::from_u128(3)).map(|s| s.id), Some(Uuid::from_u128(3)));
        assert_eq!(queue.count.get(), 0);
    }
}
