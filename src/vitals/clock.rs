//! Time. The system's clock may jump, by hours; two readings of it tell no duration.
//!
//! Times of receipt order an observer's corrections, so that within one gateway they never go back:
//! after a jump back they pass at half speed until the system's clock has come as far.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::limits::CLOCK_BACK_SECONDS_MAX;

/// Microseconds since the epoch, as the system's clock has it now.
pub fn wall_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| micros(d))
}

/// Microseconds since the epoch that pass evenly: what the system's clock said when this was first
/// asked, and the monotonic time since. For what waits for a time or runs out.
pub fn steady_us() -> i64 {
    static BEGUN: OnceLock<(i64, Instant)> = OnceLock::new();
    let (wall, begun) = BEGUN.get_or_init(|| (wall_us(), Instant::now()));
    wall.saturating_add(micros(begun.elapsed()))
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Gives times of receipt, shared by all links of a gateway.
#[derive(Debug)]
pub struct Receipts(Mutex<Stamps>);

impl Receipts {
    /// That go on after the newest record of an earlier run (microseconds since the epoch; 0: none).
    pub fn after(newest_us: i64) -> Self {
        Self(Mutex::new(Stamps::after(newest_us, wall_us(), Instant::now())))
    }

    /// The time of receipt of what came now.
    pub fn now_us(&self) -> i64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).next(wall_us(), Instant::now())
    }

    /// Seconds by which they are ahead of the system's clock, as it was set back; 0: as usual.
    pub fn ahead_seconds(&self) -> f64 {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner).last_us;
        (last.saturating_sub(wall_us()).max(0)) as f64 / 1e6
    }
}

/// The rule of [`Receipts`], without a clock of its own.
#[derive(Debug)]
struct Stamps {
    last_us: i64,
    at: Instant,
}

impl Stamps {
    /// Further ahead than [`CLOCK_BACK_SECONDS_MAX`] the earlier clock was plainly wrong, and is not followed.
    fn after(newest_us: i64, wall_us: i64, now: Instant) -> Self {
        let sane = newest_us.saturating_sub(wall_us) <= CLOCK_BACK_SECONDS_MAX * 1_000_000;
        Self { last_us: if sane { newest_us } else { 0 }, at: now }
    }

    fn next(&mut self, wall_us: i64, now: Instant) -> i64 {
        let passed = micros(now.saturating_duration_since(self.at));
        self.last_us = if wall_us > self.last_us { wall_us } else { self.last_us + (passed / 2).max(1) };
        self.at = now;
        self.last_us
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000;

    #[test]
    fn times_of_receipt_never_go_back_and_meet_the_clock_again() {
        let begun = Instant::now();
        let at = |seconds: u64| begun + Duration::from_secs(seconds);
        let mut stamps = Stamps::after(0, 10_000 * S, begun);
        assert_eq!(stamps.next(10_000 * S, at(0)), 10_000 * S);
        // An hour back: on at half speed.
        assert_eq!(stamps.next(6_410 * S, at(10)), 10_005 * S);
        assert_eq!(stamps.next(6_410 * S, at(10)), 10_005 * S + 1, "two at once are in order");
        let later = 7_200;
        assert_eq!(stamps.next((6_400 + later) * S, at(later as u64)), (6_400 + later) * S, "met within two hours");
        // An hour on: followed.
        assert_eq!(stamps.next((10_000 + later) * S, at(later as u64 + 1)), (10_000 + later) * S);
    }

    #[test]
    fn a_new_run_goes_on_after_the_last_record_unless_that_is_absurd() {
        let now = Instant::now();
        assert_eq!(Stamps::after(5_000 * S, 1_400 * S, now).next(1_400 * S, now), 5_000 * S + 1);
        let absurd = (CLOCK_BACK_SECONDS_MAX + 1_500) * S;
        assert_eq!(Stamps::after(absurd, 1_400 * S, now).next(1_400 * S, now), 1_400 * S);
    }

    #[test]
    fn steady_time_does_not_go_back() {
        let first = steady_us();
        assert!(steady_us() >= first && (first - wall_us()).abs() < 60 * S);
    }
}
