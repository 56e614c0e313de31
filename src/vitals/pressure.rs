//! Memory pressure as the parts of a process see it: a level with hysteresis, and those who wait for
//! its change.

use std::sync::Arc;

use tokio::sync::watch;

use crate::limits::{MEMORY_CALM_PERCENT, MEMORY_CRITICAL_CALM_PERCENT, MEMORY_CRITICAL_PERCENT, MEMORY_SHED_PERCENT};

/// How near the process is to its cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Level {
    /// All is taken.
    #[default]
    Calm,
    /// Nothing new is taken that can wait elsewhere.
    High,
    /// Nothing at all is.
    Critical,
}

impl Level {
    /// The level after this one, with so much in use. Each is left at less than it is entered at.
    #[must_use]
    pub fn next(self, used: u64, cap: u64) -> Self {
        let at = |percent: u64| u128::from(used) * 100 >= u128::from(cap) * u128::from(percent);
        let kept = |level: Self, enter: u64, leave: u64| at(if self >= level { leave } else { enter });
        if kept(Self::Critical, MEMORY_CRITICAL_PERCENT, MEMORY_CRITICAL_CALM_PERCENT) {
            Self::Critical
        } else if kept(Self::High, MEMORY_SHED_PERCENT, MEMORY_CALM_PERCENT) {
            Self::High
        } else {
            Self::Calm
        }
    }

    /// As metrics have it.
    pub fn number(self) -> u8 {
        match self {
            Self::Calm => 0,
            Self::High => 1,
            Self::Critical => 2,
        }
    }
}

/// Shared by all parts of a process. By itself it stays calm; [`super::memory::watch`] sets it.
#[derive(Debug, Clone)]
pub struct Pressure(Arc<watch::Sender<Level>>);

impl Default for Pressure {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Level::Calm)))
    }
}

impl Pressure {
    /// The level now.
    pub fn level(&self) -> Level {
        *self.0.borrow()
    }

    /// Is nothing new to be taken?
    pub fn is_high(&self) -> bool {
        self.level() >= Level::High
    }

    /// Sees the changes.
    pub fn watch(&self) -> watch::Receiver<Level> {
        self.0.subscribe()
    }

    /// Sets the level; returns the one before when that was another.
    pub fn set(&self, level: Level) -> Option<Level> {
        let mut before = None;
        self.0.send_if_modified(|now| {
            let changed = *now != level;
            if changed {
                before = Some(std::mem::replace(now, level));
            }
            changed
        });
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_sheds_at_three_quarters_and_takes_again_below_seventy_percent() {
        let mut level = Level::Calm;
        let mut go = |used| {
            level = level.next(used, 100);
            level
        };
        assert_eq!([go(74), go(75), go(72), go(70), go(69), go(74)], {
            use Level::{Calm, High};
            [Calm, High, High, High, Calm, Calm]
        });
        assert_eq!([go(85), go(82), go(80), go(79), go(69)], {
            use Level::{Calm, Critical, High};
            [Critical, Critical, Critical, High, Calm]
        });
    }

    #[test]
    fn a_change_is_told_once() {
        let pressure = Pressure::default();
        let mut seen = pressure.watch();
        assert_eq!(pressure.set(Level::Calm), None);
        assert!(!seen.has_changed().unwrap());
        assert_eq!(pressure.set(Level::High), Some(Level::Calm));
        assert!(pressure.is_high());
        assert_eq!(*seen.borrow_and_update(), Level::High);
    }
}
