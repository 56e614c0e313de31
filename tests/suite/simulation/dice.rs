//! Chance by a seed, and the clocks of the hosts: all that is by chance in a run comes from here.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use scrutineer::world::{Outside, World};
use tokio::time::Instant;

/// When every run begins: microseconds since the epoch.
pub const BEGIN_US: i64 = 1_795_000_000_000_000;

/// A stream of chance (splitmix64). Clones share it.
#[derive(Debug, Clone)]
pub struct Dice(Arc<Mutex<u64>>);

impl Dice {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(seed ^ 0x5eed_5eed_5eed_5eed)))
    }

    /// A stream of its own, so that what one part draws changes nothing for another.
    pub fn split(&self) -> Self {
        Self::new(self.bits())
    }

    /// 64 bits.
    pub fn bits(&self) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 to `n - 1`.
    pub fn below(&self, n: usize) -> usize {
        (self.bits() % n.max(1) as u64) as usize
    }

    /// Once in `n` times.
    pub fn once_in(&self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// Milliseconds within a range, its end not included.
    pub fn millis(&self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.bits() % (to - from).max(1))
    }

    /// One of these.
    pub fn pick<'a, T>(&self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// A host's view of time and chance.
#[derive(Debug)]
struct Host {
    begun: Instant,
    skew_us: i64,
    dice: Dice,
}

impl Outside for Host {
    fn now_us(&self) -> i64 {
        BEGIN_US + self.begun.elapsed().as_micros() as i64 + self.skew_us
    }

    fn bits(&self) -> u64 {
        self.dice.bits()
    }
}

/// The world of a host whose clock is off by so much.
pub fn world(begun: Instant, skew_us: i64, dice: &Dice) -> World {
    World::simulated(Arc::new(Host { begun, skew_us, dice: dice.split() }))
}
