//! Submits that the gateway has, or is about to get, and whose result is not committed yet.
//!
//! Invariant: a place is taken before the row is committed as leased, so that nobody else of this
//! process takes the row up meanwhile; it is given back when the result is committed, or the
//! transaction was not.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use uuid::Uuid;

use crate::handoff::message::Submit;
use crate::limits::SUBMITS_IN_FLIGHT_MAX;

/// See the module.
#[derive(Debug, Default)]
pub struct InFlight {
    submits: Mutex<HashMap<Uuid, Submit>>,
    /// Places that the pump keeps for rows that it is about to lease.
    held: AtomicUsize,
    busy: Mutex<Vec<Uuid>>,
    due: AtomicBool,
    unclear: AtomicBool,
    /// Rows are due and places may be free, or the gateway refused one: the pump has something to do.
    pub wake: Notify,
}

impl InFlight {
    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Submit>> {
        self.submits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place; `false` when all are taken, and the row must be stored as due.
    #[must_use]
    pub fn reserve(&self, submit: &Submit) -> bool {
        let mut submits = self.lock();
        let taken = submits.len() + self.held.load(Ordering::Relaxed);
        if taken >= SUBMITS_IN_FLIGHT_MAX && !submits.contains_key(&submit.id) {
            return false;
        }
        submits.insert(submit.id, submit.clone());
        true
    }

    /// Keeps up to so many free places, until they are used or the hold is dropped: a row that is
    /// leased must have a place, or nobody would send it before its lease is over.
    pub fn hold(&self, most: usize) -> Hold<'_> {
        let submits = self.lock();
        // `held` changes under the lock alone.
        let held = self.held.load(Ordering::Relaxed);
        let places = SUBMITS_IN_FLIGHT_MAX.saturating_sub(submits.len() + held).min(most);
        self.held.store(held + places, Ordering::Relaxed);
        Hold { flight: self, places }
    }

    /// Gives a place back, unless a later attempt has it.
    pub fn release(&self, id: Uuid, attempt: u16) {
        let mut submits = self.lock();
        if submits.get(&id).is_some_and(|s| s.attempt <= attempt) {
            submits.remove(&id);
            if self.due.load(Ordering::Relaxed) {
                self.wake.notify_one();
            }
        }
    }

    /// Rows may be due: the pump looks as soon as there are places.
    pub fn say_due(&self) {
        self.due.store(true, Ordering::Relaxed);
        self.wake.notify_one();
    }

    /// The pump is about to look what is due.
    pub fn take_due(&self) -> bool {
        self.due.swap(false, Ordering::Relaxed)
    }

    /// Whether a transaction that leased rows was committed is not known, or found out late: rows may
    /// be under lease that nobody hands over.
    pub fn say_unclear(&self) {
        self.unclear.store(true, Ordering::Relaxed);
    }

    /// Was that said since the last look?
    pub fn take_unclear(&self) -> bool {
        self.unclear.swap(false, Ordering::Relaxed)
    }

    /// The gateway had no place for this one; it keeps its place here.
    pub fn say_busy(&self, id: Uuid) {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        if busy.len() < SUBMITS_IN_FLIGHT_MAX {
            busy.push(id);
        }
    }

    /// Those that the gateway had no place for and that are still wanted.
    pub fn take_busy(&self) -> Vec<Submit> {
        let ids = std::mem::take(&mut *self.busy.lock().unwrap_or_else(PoisonError::into_inner));
        let submits = self.lock();
        ids.into_iter().filter_map(|id| submits.get(&id).cloned()).collect()
    }

    /// Does any wait as the gateway had no place?
    pub fn any_busy(&self) -> bool {
        !self.busy.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// All that are in flight.
    pub fn ids(&self) -> Vec<Uuid> {
        self.lock().keys().copied().collect()
    }

    /// Places that are free.
    pub fn free(&self) -> usize {
        SUBMITS_IN_FLIGHT_MAX.saturating_sub(self.lock().len() + self.held.load(Ordering::Relaxed))
    }
}

/// Places kept for rows that are about to be leased.
#[derive(Debug)]
pub struct Hold<'a> {
    flight: &'a InFlight,
    places: usize,
}

impl Hold<'_> {
    /// How many.
    pub fn places(&self) -> usize {
        self.places
    }

    /// Puts a submit in one of them; `false` when all are used.
    #[must_use]
    pub fn fill(&mut self, submit: &Submit) -> bool {
        let mut submits = self.flight.lock();
        if self.places == 0 {
            return false;
        }
        self.places -= 1;
        self.flight.held.fetch_sub(1, Ordering::Relaxed);
        submits.insert(submit.id, submit.clone());
        true
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        let _submits = self.flight.lock();
        self.flight.held.fetch_sub(self.places, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn submit(n: usize) -> Submit {
        Submit {
            id: Uuid::from_u128(n as u128),
            attempt: 1,
            group: "main".to_owned(),
            link: None,
            bulk: false,
            source: "1234".to_owned(),
            destination: "355691234567".to_owned(),
            text: "ok".to_owned(),
            expires_us: 0,
            receipt: true,
        }
    }

    #[test]
    fn a_place_that_is_held_for_a_lease_is_not_taken_by_another() {
        let flight = InFlight::default();
        for n in 2..SUBMITS_IN_FLIGHT_MAX {
            assert!(flight.reserve(&submit(n)));
        }
        let mut hold = flight.hold(10);
        assert_eq!((hold.places(), flight.free()), (2, 0));
        assert!(!flight.reserve(&submit(SUBMITS_IN_FLIGHT_MAX)), "both are held");
        assert!(hold.fill(&submit(0)));
        drop(hold);
        assert_eq!(flight.free(), 1, "what was not used comes free");
        assert!(flight.reserve(&submit(SUBMITS_IN_FLIGHT_MAX)));
    }

    #[test]
    fn past_the_bound_a_submit_gets_no_place_until_one_comes_free() {
        let flight = InFlight::default();
        for n in 0..SUBMITS_IN_FLIGHT_MAX {
            assert!(flight.reserve(&submit(n)));
        }
        assert!(!flight.reserve(&submit(SUBMITS_IN_FLIGHT_MAX)));
        assert!(flight.reserve(&submit(0)), "one that has a place keeps it");
        flight.release(Uuid::from_u128(5), 0);
        assert_eq!(flight.free(), 0, "a result of an earlier attempt frees nothing");
        flight.release(Uuid::from_u128(5), 1);
        flight.release(Uuid::from_u128(5), 1);
        assert_eq!(flight.free(), 1);
        assert!(flight.reserve(&submit(SUBMITS_IN_FLIGHT_MAX)));
        for n in 0..(SUBMITS_IN_FLIGHT_MAX + 5) {
            flight.say_busy(Uuid::from_u128(n as u128));
        }
        assert_eq!(flight.take_busy().len(), SUBMITS_IN_FLIGHT_MAX - 1, "what is settled is not sent again");
        assert!(!flight.any_busy());
    }
}
