//! Sign-ins that failed, by the address that they came from: one address that tries many accounts is
//! locked out for longer each time, and no longer keeps others from their turn.
//!
//! Invariants: bounded; a try counts as failed until it was right; addresses that nobody can tell apart
//! (a front on this machine that says none) are not counted, as one stranger would lock out all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::HeaderMap;

use crate::limits::{
    SIGN_IN_ADDRESS_FAILURES_FREE, SIGN_IN_ADDRESS_FORGET_SECONDS, SIGN_IN_ADDRESSES_MAX, SIGN_IN_LOCK_SECONDS,
    SIGN_IN_LOCK_SECONDS_MAX,
};

/// The other end of the connection.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct Peer(pub(in crate::web) IpAddr);

/// Who asks, as far as it can be told: the connection's other end, or whom a front on this machine
/// names last in `X-Forwarded-For`. Of IPv6 the network counts, as one person has all of it.
pub(in crate::web) fn of(peer: Option<Peer>, headers: &HeaderMap) -> Option<IpAddr> {
    let peer = peer?.0.to_canonical();
    let address = if peer.is_loopback() {
        let named = headers.get_all("x-forwarded-for").into_iter().next_back()?.to_str().ok()?;
        named.rsplit(',').next()?.trim().parse::<IpAddr>().ok()?.to_canonical()
    } else {
        peer
    };
    Some(match address {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
        v4 => v4,
    })
}

#[derive(Debug)]
struct Tries {
    failures: u32,
    last: Instant,
    locked_until: Option<Instant>,
}

/// See the module.
#[derive(Debug, Default)]
pub(in crate::web) struct Addresses(Mutex<HashMap<IpAddr, Tries>>);

impl Addresses {
    /// Begins a try: counts it as failed. `false`: the address is locked.
    pub(in crate::web) fn begin(&self, address: Option<IpAddr>) -> bool {
        self.begin_at(address, Instant::now())
    }

    fn begin_at(&self, address: Option<IpAddr>, now: Instant) -> bool {
        let Some(address) = address else { return true };
        let forget = Duration::from_secs(SIGN_IN_ADDRESS_FORGET_SECONDS);
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= SIGN_IN_ADDRESSES_MAX && !held.contains_key(&address) {
            held.retain(|_, tries| now.saturating_duration_since(tries.last) < forget);
            if held.len() >= SIGN_IN_ADDRESSES_MAX {
                let oldest = held.iter().min_by_key(|(_, tries)| tries.last).map(|(address, _)| *address);
                oldest.and_then(|address| held.remove(&address));
            }
        }
        let tries = held.entry(address).or_insert(Tries { failures: 0, last: now, locked_until: None });
        if tries.locked_until.is_some_and(|until| now < until) {
            return false;
        }
        if now.saturating_duration_since(tries.last) >= forget {
            tries.failures = 0;
        }
        tries.failures = tries.failures.saturating_add(1);
        tries.last = now;
        let over = tries.failures.checked_sub(SIGN_IN_ADDRESS_FAILURES_FREE);
        tries.locked_until = over.map(|over| {
            let seconds = u64::from(SIGN_IN_LOCK_SECONDS.unsigned_abs()) << over.min(16);
            now + Duration::from_secs(seconds.min(SIGN_IN_LOCK_SECONDS_MAX.unsigned_abs().into()))
        });
        true
    }

    /// The try was right. Earlier failures stay: an account of one's own must not wipe them out.
    pub(in crate::web) fn was_right(&self, address: Option<IpAddr>) {
        let Some(address) = address else { return };
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tries) = held.get_mut(&address) {
            tries.failures = tries.failures.saturating_sub(1);
            if tries.failures < SIGN_IN_ADDRESS_FAILURES_FREE {
                tries.locked_until = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(n: u32) -> Option<IpAddr> {
        Some(IpAddr::V4(n.into()))
    }

    #[test]
    fn an_address_is_locked_after_failures_for_longer_each_time_and_others_are_not() {
        let addresses = Addresses::default();
        let now = Instant::now();
        for _ in 0..SIGN_IN_ADDRESS_FAILURES_FREE {
            assert!(addresses.begin_at(v4(1), now));
        }
        assert!(!addresses.begin_at(v4(1), now), "locked");
        assert!(addresses.begin_at(v4(2), now));
        let first = Duration::from_secs(SIGN_IN_LOCK_SECONDS.unsigned_abs().into());
        assert!(addresses.begin_at(v4(1), now + first));
        assert!(!addresses.begin_at(v4(1), now + first * 2), "longer");
        assert!(addresses.begin_at(v4(1), now + first * 3));
        let later = now + Duration::from_secs(2 * SIGN_IN_ADDRESS_FORGET_SECONDS);
        for _ in 0..SIGN_IN_ADDRESS_FAILURES_FREE {
            assert!(addresses.begin_at(v4(1), later), "forgotten");
        }
    }

    #[test]
    fn those_who_sign_in_rightly_are_never_locked_however_many_share_an_address() {
        let addresses = Addresses::default();
        for _ in 0..10 * SIGN_IN_ADDRESS_FAILURES_FREE {
            assert!(addresses.begin(v4(1)));
            addresses.was_right(v4(1));
        }
        for _ in 0..1_000 {
            assert!(addresses.begin(None), "nobody is told apart");
        }
    }

    #[test]
    fn no_more_addresses_are_held_than_the_bound() {
        let addresses = Addresses::default();
        for n in 0..SIGN_IN_ADDRESSES_MAX as u32 + 50 {
            addresses.begin(v4(n));
        }
        assert_eq!(addresses.0.lock().unwrap().len(), SIGN_IN_ADDRESSES_MAX);
    }

    #[test]
    fn a_front_on_this_machine_is_believed_and_nobody_else() {
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", "198.51.100.7, 203.0.113.9".parse().unwrap());
        let local = Some(Peer([127, 0, 0, 1].into()));
        assert_eq!(of(local, &headers), Some([203, 0, 113, 9].into()));
        let far = Some(Peer([192, 0, 2, 1].into()));
        assert_eq!(of(far, &headers), Some([192, 0, 2, 1].into()));
        assert_eq!(of(local, &HeaderMap::new()), None);
        let six = Some(Peer("2001:db8:1:2:3:4:5:6".parse().unwrap()));
        assert_eq!(of(six, &headers), Some("2001:db8:1:2::".parse().unwrap()));
    }
}
