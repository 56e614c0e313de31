//! Sessions as the database last had them, in memory for a short while: a page that costs no query
//! stays so, and who is signed in stays so while the database is away.
//!
//! Invariants: bounded; what another host changed (a sign-out, a role) holds here after
//! [`WEB_SESSION_FRESH_SECONDS`]; with the database away nobody stays for longer than
//! [`WEB_SESSION_AWAY_SECONDS`]; never past the session's own end.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use time::OffsetDateTime;

use super::Who;
use crate::limits::{WEB_SESSION_AWAY_SECONDS, WEB_SESSION_FRESH_SECONDS, WEB_SESSIONS_REMEMBERED_MAX};

/// SHA-256 of a session's token.
pub(super) type Key = [u8; 32];

/// A session.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) who: Who,
    pub(super) data: serde_json::Value,
    pub(super) expires_at: OffsetDateTime,
    /// When the database was asked.
    asked: Instant,
}

impl Held {
    pub(super) fn new(who: Who, data: serde_json::Value, expires_at: OffsetDateTime) -> Self {
        Self { who, data, expires_at, asked: Instant::now() }
    }

    fn lasts(&self, seconds: u64) -> bool {
        self.asked.elapsed() < Duration::from_secs(seconds) && self.expires_at > OffsetDateTime::now_utc()
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(in crate::web) struct Remembered(Mutex<HashMap<Key, Held>>);

impl Remembered {
    fn held(&self) -> MutexGuard<'_, HashMap<Key, Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that was asked for just now.
    pub(super) fn fresh(&self, key: &Key) -> Option<Held> {
        self.held().get(key).filter(|held| held.lasts(WEB_SESSION_FRESH_SECONDS)).cloned()
    }

    /// One that counts while nobody can ask.
    pub(super) fn kept(&self, key: &Key) -> Option<Held> {
        self.held().get(key).filter(|held| held.lasts(WEB_SESSION_AWAY_SECONDS)).cloned()
    }

    /// Remembers what the database said.
    pub(super) fn put(&self, key: Key, session: Held) {
        let mut held = self.held();
        if held.len() >= WEB_SESSIONS_REMEMBERED_MAX && !held.contains_key(&key) {
            let oldest = held.iter().min_by_key(|(_, session)| session.asked).map(|(key, _)| *key);
            oldest.and_then(|key| held.remove(&key));
        }
        held.insert(key, session);
    }

    /// It ended.
    pub(super) fn forget(&self, key: &Key) {
        self.held().remove(key);
    }

    /// All of a person ended.
    pub(in crate::web) fn forget_person(&self, id: i32) {
        self.held().retain(|_, session| session.who.id != id);
    }

    /// Forgets those that count no more.
    pub(in crate::web) fn sweep(&self) {
        self.held().retain(|_, session| session.lasts(WEB_SESSION_AWAY_SECONDS));
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.held().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(id: i32) -> Held {
        let who = Who { id, name: "a".to_owned(), role: "viewer".to_owned() };
        Held::new(who, serde_json::Value::Null, OffsetDateTime::now_utc() + time::Duration::hours(1))
    }

    fn key(n: usize) -> Key {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&n.to_be_bytes());
        key
    }

    #[test]
    fn no_more_sessions_are_remembered_than_the_bound() {
        let remembered = Remembered::default();
        for n in 0..WEB_SESSIONS_REMEMBERED_MAX + 10 {
            remembered.put(key(n), session(1));
        }
        assert_eq!(remembered.len(), WEB_SESSIONS_REMEMBERED_MAX);
        assert!(remembered.fresh(&key(WEB_SESSIONS_REMEMBERED_MAX + 9)).is_some());
    }

    #[test]
    fn a_session_is_fresh_for_seconds_kept_for_minutes_and_never_past_its_end() {
        let remembered = Remembered::default();
        let mut old = session(1);
        old.asked -= Duration::from_secs(WEB_SESSION_FRESH_SECONDS + 1);
        remembered.put(key(1), old.clone());
        assert!(remembered.fresh(&key(1)).is_none() && remembered.kept(&key(1)).is_some());
        old.asked -= Duration::from_secs(WEB_SESSION_AWAY_SECONDS);
        remembered.put(key(1), old);
        assert!(remembered.kept(&key(1)).is_none());
        let mut over = session(1);
        over.expires_at = OffsetDateTime::now_utc() - time::Duration::seconds(1);
        remembered.put(key(2), over);
        assert!(remembered.fresh(&key(2)).is_none() && remembered.kept(&key(2)).is_none());
        remembered.sweep();
        assert_eq!(remembered.len(), 0);
    }

    #[test]
    fn a_person_who_signs_out_everywhere_is_forgotten_with_each_session() {
        let remembered = Remembered::default();
        remembered.put(key(1), session(1));
        remembered.put(key(2), session(2));
        remembered.forget_person(1);
        assert!(remembered.kept(&key(1)).is_none() && remembered.kept(&key(2)).is_some());
    }
}
