//! The pace of one link: segments a second, and the pause that the SMSC asked for by throttling.
//!
//! All binds of a link share one [`Pace`], as the SMSC counts by account, and it outlives their sessions:
//! a reconnect does not end a pause, nor begin a second's budget anew.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// First and longest pause after the SMSC asked for one.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

#[derive(Debug, Default)]
struct Inner {
    /// When the pace allows the next segment.
    next: Option<Instant>,
    /// Nothing is written before then.
    paused_until: Option<Instant>,
    /// Length of the last pause; zero once a segment was accepted that was written after it began.
    pause: Duration,
    /// When the SMSC asked for it.
    throttled_at: Option<Instant>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Pace(Mutex<Inner>);

impl Pace {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until when nothing may be written; `None` while there is no pause.
    pub fn paused_until(&self, now: Instant) -> Option<Instant> {
        let mut inner = self.lock();
        inner.paused_until = inner.paused_until.filter(|until| *until > now);
        inner.paused_until
    }

    /// Takes the place of one segment, of so many a second (0: no limit); else the time to ask again.
    pub fn take(&self, now: Instant, per_second: u32) -> Result<(), Instant> {
        let mut inner = self.lock();
        if let Some(until) = inner.paused_until.filter(|until| *until > now) {
            return Err(until);
        }
        inner.paused_until = None;
        if per_second > 0 {
            let next = inner.next.unwrap_or(now);
            if next > now {
                return Err(next);
            }
            inner.next = Some(next.max(now) + Duration::from_secs(1) / per_second);
        }
        Ok(())
    }

    /// What was written stands for so many segments more.
    pub fn charge(&self, now: Instant, per_second: u32, more: u32) {
        if per_second > 0 {
            let mut inner = self.lock();
            inner.next = Some(inner.next.unwrap_or(now).max(now) + Duration::from_secs(1) * more / per_second);
        }
    }

    /// The SMSC throttles: begins a pause, each twice as long as the one before, and says how long it is;
    /// `None` while one is on already.
    pub fn throttled(&self, now: Instant) -> Option<Duration> {
        let mut inner = self.lock();
        if inner.paused_until.is_some_and(|until| until > now) {
            return None;
        }
        inner.throttled_at = Some(now);
        inner.pause = (inner.pause * 2).clamp(PAUSE.0, PAUSE.1);
        inner.paused_until = Some(now + inner.pause);
        Some(inner.pause)
    }

    /// A segment was accepted, that was written then: the next pause is a short one again. One that was under way
    /// when the SMSC asked for the last pause says nothing of how the SMSC is since.
    pub fn accepted(&self, written: Instant) {
        let mut inner = self.lock();
        if inner.throttled_at.is_none_or(|at| written > at) {
            inner.pause = Duration::ZERO;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binds_share_a_seconds_budget_and_a_pause() {
        let (pace, now) = (Pace::default(), Instant::now());
        assert_eq!(pace.take(now, 2), Ok(()));
        assert_eq!(pace.take(now, 2), Err(now + Duration::from_millis(500)));
        assert_eq!(pace.take(now + Duration::from_millis(500), 2), Ok(()));
        let later = now + Duration::from_secs(2);
        assert_eq!(pace.throttled(later), Some(Duration::from_secs(1)));
        assert_eq!(pace.throttled(later), None, "the other bind's throttled segment is of the same pause");
        assert_eq!(pace.take(later, 0), Err(later + Duration::from_secs(1)));
        let over = later + Duration::from_secs(1);
        assert_eq!(pace.paused_until(over), None);
        assert_eq!(pace.throttled(over), Some(Duration::from_secs(2)), "each pause is twice as long");
        let over = over + Duration::from_secs(2);
        pace.accepted(over);
        assert_eq!(pace.throttled(over), Some(Duration::from_secs(1)));
    }

    #[test]
    fn what_was_written_before_the_smsc_throttled_does_not_shorten_the_next_pause() {
        let (pace, written) = (Pace::default(), Instant::now());
        let throttled = written + Duration::from_millis(10);
        assert_eq!(pace.throttled(throttled), Some(Duration::from_secs(1)));
        pace.accepted(written);
        let again = throttled + Duration::from_secs(1);
        assert_eq!(pace.throttled(again), Some(Duration::from_secs(2)));
        pace.accepted(again + Duration::from_secs(2));
        assert_eq!(pace.throttled(again + Duration::from_secs(3)), Some(Duration::from_secs(1)));
    }

    #[test]
    fn a_pause_has_a_longest() {
        let (pace, mut now) = (Pace::default(), Instant::now());
        for _ in 0..10 {
            now += pace.throttled(now).unwrap();
        }
        assert_eq!(pace.throttled(now), Some(PAUSE.1));
    }
}
