//! Is the process moving? The watchdog asks for progress, and an outage of the database, the gateway or
//! an SMSC is not a lack of it: only work that does not end is. All by the monotonic clock.

use std::borrow::Cow;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;

use crate::limits::WORKER_HANG_SECONDS;

/// How often what only waits shows that it lives.
const BEAT: Duration = Duration::from_secs(1);

/// One place where work is done: a lane, a timer, a link, the spool's thread.
#[derive(Debug)]
pub struct Work {
    name: Cow<'static, str>,
    began: Instant,
    /// Milliseconds after `began` at which the present piece of work began, and one more; 0: idle.
    busy_since: AtomicU64,
}

/// A piece of work; it ends when this is dropped.
#[derive(Debug)]
pub struct Busy<'a>(&'a Work);

impl Work {
    /// A place of work, idle.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into(), began: Instant::now(), busy_since: AtomicU64::new(0) }
    }

    /// A piece of work begins.
    pub fn begin(&self) -> Busy<'_> {
        self.beat();
        Busy(self)
    }

    /// The present piece of work moved on.
    pub fn beat(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        self.busy_since.store(now + 1, Ordering::Relaxed);
    }

    /// Runs a task that may wait for as long as it likes: it moves on as long as its thread takes it up now and then,
    /// so a thread that stands still in the middle of it shows, though all the others only wait for it.
    pub async fn lively<F: Future>(&self, task: F) -> F::Output {
        let _busy = self.begin();
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut task = std::pin::pin!(task);
        loop {
            tokio::select! {
                biased;
                output = &mut task => return output,
                _ = beat.tick() => self.beat(),
            }
        }
    }

    /// For how long the present piece of work has not moved on; zero when idle.
    pub fn busy_for(&self) -> Duration {
        match self.busy_since.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            since => self.began.elapsed().saturating_sub(Duration::from_millis(since - 1)),
        }
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.busy_since.store(0, Ordering::Relaxed);
    }
}

/// All places of work of the present session.
#[derive(Debug)]
pub struct Progress {
    limit: Duration,
    places: Mutex<Vec<Arc<Work>>>,
}

impl Default for Progress {
    fn default() -> Self {
        Self::new(Duration::from_secs(WORKER_HANG_SECONDS.into()))
    }
}

impl Progress {
    /// Work that does not move on for `limit` is hung.
    pub fn new(limit: Duration) -> Self {
        Self { limit, places: Mutex::default() }
    }

    /// A new session begins: earlier places are forgotten.
    pub fn clear(&self) {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// A new place of work, idle.
    pub fn place(&self, name: impl Into<Cow<'static, str>>) -> Arc<Work> {
        let work = Arc::new(Work::new(name));
        self.add(Arc::clone(&work));
        work
    }

    /// Looks at this place, too.
    pub fn add(&self, work: Arc<Work>) {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).push(work);
    }

    /// Looks at this place no more.
    pub fn remove(&self, work: &Arc<Work>) {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).retain(|place| !Arc::ptr_eq(place, work));
    }

    /// A place that has been at one piece of work for too long, and for how long.
    pub fn hung(&self) -> Option<(String, Duration)> {
        self.hung_for(self.limit)
    }

    fn hung_for(&self, limit: Duration) -> Option<(String, Duration)> {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places
            .iter()
            .map(|w| (w, w.busy_for()))
            .find(|(_, busy)| *busy > limit)
            .map(|(w, busy)| (w.name.to_string(), busy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_waits_lives_and_one_whose_thread_stands_still_does_not() {
        let progress = Progress::default();
        let work = progress.place("reader");
        let waiting = tokio::time::sleep(3 * BEAT);
        let (watched, ()) = tokio::join!(
            async {
                tokio::time::sleep(2 * BEAT + BEAT / 2).await;
                progress.hung_for(2 * BEAT)
            },
            work.lively(waiting)
        );
        assert_eq!(watched, None);
        assert_eq!(progress.hung_for(Duration::ZERO), None, "it ended");
        let stuck = async {
            std::thread::sleep(Duration::from_millis(30));
            progress.hung_for(Duration::from_millis(20)).unwrap().0
        };
        assert_eq!(work.lively(stuck).await, "reader");
    }

    #[test]
    fn work_that_does_not_end_is_seen_and_waiting_is_not() {
        let progress = Progress::default();
        let (lane, pump) = (progress.place("lane"), progress.place("pump"));
        assert_eq!(progress.hung_for(Duration::ZERO), None);
        let busy = lane.begin();
        std::thread::sleep(Duration::from_millis(3));
        assert_eq!(progress.hung_for(Duration::from_millis(1)).unwrap().0, "lane");
        assert_eq!(progress.hung_for(Duration::from_secs(60)), None);
        drop(busy);
        assert_eq!(progress.hung_for(Duration::ZERO), None);
        pump.beat();
        std::thread::sleep(Duration::from_millis(3));
        assert!(progress.hung_for(Duration::from_millis(1)).is_some());
        progress.clear();
        assert_eq!(progress.hung(), None);
    }
}
