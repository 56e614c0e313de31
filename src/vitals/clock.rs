//! Times of receipt. The system's clock may jump, by hours; two readings of it tell no duration.
//!
//! They order an observer's corrections, so that within one gateway they never go back:
//! after a jump back they pass at half speed until the system's clock has come as far.

use std::sync::{Mutex, PoisonError};

use crate::limits::CLOCK_BACK_SECONDS_MAX;
use crate::world::World;

/// Gives times of receipt, shared by all links of a gateway.
#[derive(Debug)]
pub struct Receipts {
    world: World,
    stamps: Mutex<Stamps>,
}

impl Receipts {
    /// That go on after the newest record of an earlier run (microseconds since the epoch; 0: none).
    pub fn after(newest_us: i64, world: World) -> Self {
        let stamps = Mutex::new(Stamps::after(newest_us, world.now_us(), world.steady_us()));
        Self { world, stamps }
    }

    /// The time of receipt of what came now.
    pub fn now_us(&self) -> i64 {
        let (wall_us, steady_us) = (self.world.now_us(), self.world.steady_us());
        self.stamps.lock().unwrap_or_else(PoisonError::into_inner).next(wall_us, steady_us)
    }

    /// Seconds by which they are ahead of the system's clock, as that was set back; 0: as usual.
    pub fn ahead_seconds(&self) -> f64 {
        let last = self.stamps.lock().unwrap_or_else(PoisonError::into_inner).last_us;
        (last.saturating_sub(self.world.now_us()).max(0)) as f64 / 1e6
    }
}

/// The rule of [`Receipts`], without a clock of its own.
#[derive(Debug)]
struct Stamps {
    last_us: i64,
    /// Steady time of the last.
    at_us: i64,
}

impl Stamps {
    /// Further ahead than [`CLOCK_BACK_SECONDS_MAX`] the earlier clock was plainly wrong, and is not followed.
    fn after(newest_us: i64, wall_us: i64, steady_us: i64) -> Self {
        let sane = newest_us.saturating_sub(wall_us) <= CLOCK_BACK_SECONDS_MAX * 1_000_000;
        Self { last_us: if sane { newest_us } else { 0 }, at_us: steady_us }
    }

    fn next(&mut self, wall_us: i64, steady_us: i64) -> i64 {
        let passed = steady_us.saturating_sub(self.at_us).max(0);
        self.last_us = if wall_us > self.last_us { wall_us } else { self.last_us + (passed / 2).max(1) };
        self.at_us = steady_us;
        self.last_us
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000;

    #[test]
    fn times_of_receipt_never_go_back_and_meet_the_clock_again() {
        let mut stamps = Stamps::after(0, 10_000 * S, 0);
        assert_eq!(stamps.next(10_000 * S, 0), 10_000 * S);
        // An hour back: on at half speed.
        assert_eq!(stamps.next(6_410 * S, 10 * S), 10_005 * S);
        assert_eq!(stamps.next(6_410 * S, 10 * S), 10_005 * S + 1, "two at once are in order");
        assert_eq!(stamps.next(13_600 * S, 7_200 * S), 13_600 * S, "met within two hours");
        // An hour on: followed.
        assert_eq!(stamps.next(17_201 * S, 7_201 * S), 17_201 * S);
    }

    #[test]
    fn a_new_run_goes_on_after_the_last_record_unless_that_is_absurd() {
        assert_eq!(Stamps::after(5_000 * S, 1_400 * S, 0).next(1_400 * S, 0), 5_000 * S + 1);
        let absurd = (CLOCK_BACK_SECONDS_MAX + 1_500) * S;
        assert_eq!(Stamps::after(absurd, 1_400 * S, 0).next(1_400 * S, 0), 1_400 * S);
    }
}
