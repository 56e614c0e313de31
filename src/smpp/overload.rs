//! The overload ladder of one link: first responses are withheld, so that the SMSC's window fills and it
//! waits; then `overload_status` is answered, so that it delivers later; where that lasts the link is
//! unbound, so that the SMSC stores. It is bound again when the reason has passed.
//!
//! Invariants: nothing here forgets a message, it only decides what is said of it; a rung is climbed by
//! time under a reason, and left as soon as there is none. A trouble that comes and goes is one trouble.

use std::time::Duration;

use tokio::time::Instant;

use crate::limits::{OVERLOAD_CALM_SECONDS, OVERLOAD_SLOW_SECONDS, OVERLOAD_UNBIND_SECONDS};

/// How far up a link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Rung {
    /// All is taken and acknowledged.
    #[default]
    Open,
    /// Responses are withheld.
    Withhold,
    /// The SMSC is told to deliver later.
    Refuse,
    /// The link is unbound.
    Unbind,
}

impl Rung {
    /// As metrics have it.
    pub fn number(self) -> u8 {
        match self {
            Self::Open => 0,
            Self::Withhold => 1,
            Self::Refuse => 2,
            Self::Unbind => 3,
        }
    }
}

/// Why a link cannot take all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The gateway is near its memory cap.
    Memory,
    /// The spool's disk fails.
    DiskFailing,
    /// The spool has no room left.
    SpoolFull,
    /// A sync takes long.
    SlowSync,
    /// The worker does not commit (`acknowledge = "committed"`).
    WorkerNotCommitting,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Memory, Self::DiskFailing, Self::SpoolFull, Self::SlowSync, Self::WorkerNotCommitting];

    /// As metrics and logs have it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::DiskFailing => "disk_failing",
            Self::SpoolFull => "spool_full",
            Self::SlowSync => "slow_sync",
            Self::WorkerNotCommitting => "worker_not_committing",
        }
    }
}

/// What a link sees at one turn.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sight {
    /// A state of the whole gateway, in the order of the admission checks: memory, disk.
    pub state: Option<Reason>,
    /// Since when the oldest unanswered message has waited for the disk.
    pub syncs: Option<Instant>,
    /// Since when the oldest unanswered message has waited for the worker's commit.
    pub commits: Option<Instant>,
}

/// Where a link stands.
#[derive(Debug)]
pub struct Ladder {
    withhold: Duration,
    rung: Rung,
    reason: Option<Reason>,
    /// Since when, and until when last, a state held.
    state: Option<(Instant, Instant)>,
    /// Since when, and when last and why, it had come as far as to refuse.
    refusing: Option<(Instant, Instant, Reason)>,
    /// The highest rung that was told since it was calm.
    told: Rung,
    /// When there was a reason last.
    stressed: Option<Instant>,
}

/// What is worth a line in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A rung was climbed.
    Climbed(Rung, Reason),
    /// It has passed.
    Passed,
}

impl Ladder {
    /// At its foot; a response is withheld for so long before the SMSC is told to deliver later.
    pub fn new(withhold: Duration) -> Self {
        Self { withhold, rung: Rung::Open, reason: None, state: None, refusing: None, told: Rung::Open, stressed: None }
    }

    /// The rung now.
    pub fn rung(&self) -> Rung {
        self.rung
    }

    /// Why.
    pub fn reason(&self) -> Option<Reason> {
        self.reason
    }

    /// Has the gateway no place for a message's bytes?
    pub fn is_short_of_memory(&self) -> bool {
        self.reason == Some(Reason::Memory)
    }

    /// The SMSC was told to deliver something later.
    pub fn refused(&mut self, now: Instant, reason: Reason) {
        let since = self.refusing.map_or(now, |(since, ..)| since);
        self.refusing = Some((since, now, reason));
    }

    /// One turn.
    pub fn look(&mut self, now: Instant, sight: &Sight) -> Option<Change> {
        let calm = Duration::from_secs(OVERLOAD_CALM_SECONDS);
        let long = |at: Instant, limit: Duration| now.saturating_duration_since(at) >= limit;
        let unbind = Duration::from_secs(OVERLOAD_UNBIND_SECONDS).saturating_sub(self.withhold);
        self.state = self.state.filter(|&(_, last)| now - last < calm);
        self.refusing = self.refusing.filter(|&(_, last, _)| now - last < calm);
        if sight.state.is_some() {
            self.state = Some((self.state.map_or(now, |(since, _)| since), now));
        }
        let waits = [(sight.syncs, Reason::SlowSync), (sight.commits, Reason::WorkerNotCommitting)];
        let slow = waits.into_iter().find_map(|(at, reason)| {
            Some((at?, reason)).filter(|w| long(w.0, Duration::from_secs(OVERLOAD_SLOW_SECONDS)))
        });
        // What was refused a moment ago and comes again is the same trouble.
        let lasting = self.refusing.filter(|&(since, last, _)| long(since, unbind) && !long(last, self.withhold));
        let lasting = lasting.map(|(.., reason)| reason);
        self.reason = sight.state.or(slow.map(|(_, reason)| reason)).or(lasting);
        let since_state = self.state.filter(|_| sight.state.is_some()).map(|(since, _)| since);
        let refuses = [since_state, slow.map(|(at, _)| at)].into_iter().flatten().any(|at| long(at, self.withhold));
        if let Some(reason) = self.reason
            && refuses
        {
            self.refused(now, reason);
        }
        self.rung = match self.reason {
            Some(_) if lasting.is_some() => Rung::Unbind,
            Some(_) if refuses => Rung::Refuse,
            Some(_) => Rung::Withhold,
            None => Rung::Open,
        };
        self.change(now, calm)
    }

    fn change(&mut self, now: Instant, calm: Duration) -> Option<Change> {
        if let Some(reason) = self.reason {
            self.stressed = Some(now);
            // A message that waits a second is worth a metric, not a line.
            let worth =
                self.rung >= Rung::Refuse || matches!(reason, Reason::Memory | Reason::DiskFailing | Reason::SpoolFull);
            if worth && self.rung > self.told {
                self.told = self.rung;
                return Some(Change::Climbed(self.rung, reason));
            }
        } else if self.told > Rung::Open && self.stressed.is_none_or(|at| now - at >= calm) {
            self.told = Rung::Open;
            return Some(Change::Passed);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::WITHHOLD_SECONDS;

    const MEMORY: Sight = Sight { state: Some(Reason::Memory), syncs: None, commits: None };

    fn start() -> (Ladder, Instant) {
        (Ladder::new(Duration::from_secs(WITHHOLD_SECONDS)), Instant::now() + Duration::from_secs(1_000))
    }

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_state_of_the_gateway_climbs_rung_by_rung_and_is_told_once_each() {
        let (mut ladder, begun) = start();
        let mut told = Vec::new();
        for second in 0..=70 {
            told.extend(ladder.look(begun + s(second), &MEMORY).map(|change| (second, change)));
        }
        assert_eq!(
            told,
            [
                (0, Change::Climbed(Rung::Withhold, Reason::Memory)),
                (WITHHOLD_SECONDS, Change::Climbed(Rung::Refuse, Reason::Memory)),
                (OVERLOAD_UNBIND_SECONDS, Change::Climbed(Rung::Unbind, Reason::Memory)),
            ]
        );
    }

    #[test]
    fn when_the_reason_is_gone_all_is_taken_again_at_once_and_said_when_it_stays_so() {
        let (mut ladder, begun) = start();
        for second in 0..=30 {
            ladder.look(begun + s(second), &MEMORY);
        }
        assert_eq!(ladder.rung(), Rung::Refuse);
        assert_eq!(ladder.look(begun + s(31), &Sight::default()), None);
        assert_eq!(ladder.rung(), Rung::Open);
        assert_eq!(ladder.look(begun + s(41), &Sight::default()), Some(Change::Passed));
    }

    #[test]
    fn a_state_that_comes_and_goes_is_one_trouble() {
        let (mut ladder, begun) = start();
        let mut highest = Rung::Open;
        for second in 0..=OVERLOAD_UNBIND_SECONDS + 5 {
            let sight = if second % 4 == 3 { Sight::default() } else { MEMORY };
            ladder.look(begun + s(second), &sight);
            highest = highest.max(ladder.rung());
        }
        assert_eq!(highest, Rung::Unbind);
        // Unless there was peace in between.
        let (mut ladder, begun) = start();
        for second in (0..4).chain(20..24).chain(40..44).chain(60..64) {
            ladder.look(begun + s(second), &MEMORY);
            assert_eq!(ladder.rung(), Rung::Withhold);
        }
    }

    #[test]
    fn a_disk_that_takes_two_seconds_a_sync_is_slow_and_nothing_is_refused() {
        let (mut ladder, begun) = start();
        for second in 0..200 {
            let waits = Sight { syncs: Some(begun + s(second - second % 2)), ..Sight::default() };
            assert_eq!(ladder.look(begun + s(second), &waits), None);
            assert!(ladder.rung() <= Rung::Withhold);
        }
        assert_eq!(ladder.reason(), Some(Reason::SlowSync));
    }

    #[test]
    fn what_waits_for_the_worker_too_long_is_refused_and_then_the_link_unbound() {
        let (mut ladder, begun) = start();
        let mut rungs = Vec::new();
        for second in 0..80 {
            // Each message waits for so long as it is withheld, and is answered then.
            let oldest = begun + s(second - second % (WITHHOLD_SECONDS + 1));
            let sight = Sight { commits: Some(oldest), ..Sight::default() };
            if let Some(Change::Climbed(rung, reason)) = ladder.look(begun + s(second), &sight) {
                assert_eq!(reason, Reason::WorkerNotCommitting);
                rungs.push((rung, second));
            }
        }
        assert_eq!(rungs[0], (Rung::Refuse, WITHHOLD_SECONDS));
        assert!(matches!(rungs[1], (Rung::Unbind, 60..70)), "{rungs:?}");
    }
}
