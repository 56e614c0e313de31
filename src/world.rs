//! What the program takes from outside without asking anybody: the time of day, and chance. Handed
//! down by the role, so that a simulation can hold both and repeat a run exactly.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use uuid::Uuid;

/// Where time and chance come from, in a simulation.
pub trait Outside: std::fmt::Debug + Send + Sync {
    /// Microseconds since the Unix epoch.
    fn now_us(&self) -> i64;

    /// 64 bits of chance.
    fn bits(&self) -> u64;
}

/// The real one, or a simulation's.
#[derive(Debug, Clone, Default)]
pub struct World(Option<Arc<dyn Outside>>);

impl World {
    /// The operating system's clock and chance.
    pub fn real() -> Self {
        Self(None)
    }

    /// A simulation's.
    pub fn simulated(outside: Arc<dyn Outside>) -> Self {
        Self(Some(outside))
    }

    /// Microseconds since the Unix epoch.
    pub fn now_us(&self) -> i64 {
        match &self.0 {
            None => std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX)),
            Some(outside) => outside.now_us(),
        }
    }

    /// Microseconds since the Unix epoch that pass evenly, whatever is done to the clock: what it said when
    /// this was first asked, and the monotonic time since. For what waits for a time or runs out.
    pub fn steady_us(&self) -> i64 {
        static BEGUN: OnceLock<(i64, Instant)> = OnceLock::new();
        if self.0.is_some() {
            return self.now_us();
        }
        let (wall, begun) = BEGUN.get_or_init(|| (self.now_us(), Instant::now()));
        wall.saturating_add(i64::try_from(begun.elapsed().as_micros()).unwrap_or(i64::MAX))
    }

    fn bits(&self) -> u64 {
        match &self.0 {
            None => rand::random(),
            Some(outside) => outside.bits(),
        }
    }

    /// Any byte.
    pub fn byte(&self) -> u8 {
        self.bits().to_be_bytes()[0]
    }

    /// Evenly from `from` up to, not including, `to`.
    pub fn between(&self, from: f64, to: f64) -> f64 {
        from + (to - from) * ((self.bits() >> 11) as f64 / (1u64 << 53) as f64)
    }

    /// A new UUID, version 7.
    pub fn uuid(&self) -> Uuid {
        let mut random = [0; 10];
        for (place, byte) in
            random.iter_mut().zip(self.bits().to_be_bytes().into_iter().chain(self.bits().to_be_bytes()))
        {
            *place = byte;
        }
        let millis = u64::try_from(self.now_us() / 1_000).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Fixed;

    impl Outside for Fixed {
        fn now_us(&self) -> i64 {
            1_790_000_000_123_456
        }

        fn bits(&self) -> u64 {
            1 << 63
        }
    }

    #[test]
    fn a_simulated_world_gives_what_the_simulation_says() {
        let world = World::simulated(Arc::new(Fixed));
        assert_eq!(world.now_us(), 1_790_000_000_123_456);
        assert!((world.between(2.0, 4.0) - 3.0).abs() < 1e-9);
        assert_eq!(world.uuid(), world.uuid());
    }

    #[test]
    fn steady_time_begins_with_the_clock_and_does_not_go_back() {
        let world = World::real();
        let first = world.steady_us();
        assert!(world.steady_us() >= first && (first - world.now_us()).abs() < 60_000_000);
    }

    #[test]
    fn the_real_one_is_by_chance() {
        let world = World::real();
        assert_ne!(world.uuid(), world.uuid());
        assert_eq!(world.uuid().get_version_num(), 7);
        assert!((0..1_000).all(|_| (0.5..1.5).contains(&world.between(0.5, 1.5))));
    }
}
