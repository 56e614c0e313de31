//! Which incoming message repeats an earlier one whose response the SMSC may not have seen.
//!
//! Only records that are in doubt are matched, each once, by what they hold, byte for byte. A genuine
//! resend within a living session is a message of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};
use tokio::sync::Notify;
use uuid::Uuid;

use super::append::{InDoubt, LinkIndex};
use super::message::{Body, Mobile, Responses};
use crate::limits::{IN_DOUBT_MAX, UNANSWERED_MAX};

/// What makes two deliveries the same within a link group; `None` for what is never delivered twice.
pub fn key(body: &Body) -> Option<u128> {
    match body {
        Body::Message(m) | Body::Receipt(m) => Some(mobile_key(m)),
        // Past the header, since a redelivery has a sequence number of its own.
        Body::Undecodable { pdu, .. } => Some(hash(&[b"undecodable", pdu.get(16..).unwrap_or_default()])),
        Body::SubmitResult(_) | Body::Written { .. } | Body::Redelivery { .. } | Body::Corrupt { .. } => None,
    }
}

/// [`key`] of a message or receipt.
pub fn mobile_key(m: &Mobile) -> u128 {
    let payload = m.payload.as_deref();
    hash(&[
        m.source.as_bytes(),
        m.destination.as_bytes(),
        &[m.esm_class & 0x40, m.data_coding, u8::from(payload.is_some())],
        &m.short_message,
        payload.unwrap_or_default(),
    ])
}

fn hash(parts: &[&[u8]]) -> u128 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    digest.iter().take(16).fold(0, |n, &b| n << 8 | u128::from(b))
}

/// A record in doubt.
#[derive(Debug, Clone, Copy)]
struct Entry {
    run: Uuid,
    until_us: i64,
    /// The link that it came by.
    link: LinkIndex,
    /// When its redelivery is expected no more; `None` before a link of the group is bound again.
    closes_us: Option<i64>,
}

impl Entry {
    fn is_open(&self, now_us: i64) -> bool {
        self.until_us > now_us && self.closes_us.is_none_or(|closes| closes > now_us)
    }
}

/// The SMSC may not have our response to a record.
#[derive(Debug, Clone, Copy)]
struct Unanswered {
    /// Until when it matters that another host may have been given it.
    until_us: i64,
    /// It came again, by this link, and this record says so: where its response is known to be seen, so is this.
    again: Option<(LinkIndex, u64)>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: BTreeMap<(u128, u64), Entry>,
    bound: BTreeSet<LinkIndex>,
    /// Records that were put in doubt, whatever link they came by, until the SMSC is known to have our response.
    unanswered: BTreeMap<u64, Unanswered>,
    /// Until when redeliveries are expected, as something was refused.
    put_off_us: i64,
    /// Keys of records that are stored, and that the spool was asked to put in doubt.
    held: BTreeMap<u128, u32>,
    /// Sessions that are over, and whose records in doubt are not known yet.
    settling: u32,
}

/// What one link group may be sent again.
///
/// An SMSC sends what it has no response to soon after it is bound again; a person who sends the same text once more
/// does so later. So what a session left in doubt is matched until a window after the next bind is over, and as long
/// after anything was refused. What comes then is a message of its own, with a reply of its own: a text recorded twice
/// can be seen, one that was swallowed can't. What the SMSC was told to deliver later, or was not acknowledged as it
/// was not committed, it will deliver, whenever that is: such a record has no window.
#[derive(Debug, Default)]
pub struct DoubtSet {
    inner: Mutex<Inner>,
    settled: Notify,
}

/// As long as it lives, a session is over and what it left in doubt is not known.
#[derive(Debug)]
pub struct Settling(Arc<DoubtSet>);

impl Drop for Settling {
    fn drop(&mut self) {
        let mut inner = self.0.lock();
        inner.settling = inner.settling.saturating_sub(1);
        drop(inner);
        self.0.settled.notify_waiters();
    }
}

impl DoubtSet {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds records that came by a link whose session ended; past [`IN_DOUBT_MAX`] the oldest are given
    /// up. Where another link of the group is bound, they may come by that one at once.
    pub fn add(&self, link: LinkIndex, records: &[InDoubt], window_closes_us: i64) {
        let closes_us = self.lock().bound.iter().any(|l| *l != link).then_some(window_closes_us);
        self.insert(link, records, closes_us);
    }

    /// Adds records that the SMSC was told to deliver later, or that were never acknowledged.
    pub fn add_certain(&self, link: LinkIndex, records: &[InDoubt]) {
        self.insert(link, records, Some(i64::MAX));
    }

    fn insert(&self, link: LinkIndex, records: &[InDoubt], closes_us: Option<i64>) {
        let inner = &mut *self.lock();
        let entries = &mut inner.entries;
        for record in records {
            // The SMSC that was told to deliver it later still has it, whatever ended a session since.
            let before = entries.get(&(record.key, record.sequence)).and_then(|entry| entry.closes_us);
            let closes_us = if before == Some(i64::MAX) { before } else { closes_us };
            let entry = Entry { run: record.run, until_us: record.until_us, link, closes_us };
            entries.insert((record.key, record.sequence), entry);
            inner.unanswered.insert(record.sequence, Unanswered { until_us: record.until_us, again: None });
        }
        while inner.unanswered.len() > IN_DOUBT_MAX {
            inner.unanswered.pop_first();
        }
        if entries.len() > IN_DOUBT_MAX {
            let mut sequences: Vec<u64> = entries.keys().map(|&(_, sequence)| sequence).collect();
            sequences.sort_unstable();
            let cut = sequences.get(entries.len() - IN_DOUBT_MAX).copied().unwrap_or_default();
            entries.retain(|&(_, sequence), _| sequence >= cut);
        }
    }

    /// A link is bound: what waited for that is matched until then.
    pub fn bound(&self, link: LinkIndex, window_closes_us: i64) {
        let mut inner = self.lock();
        inner.bound.insert(link);
        for entry in inner.entries.values_mut() {
            if entry.closes_us.is_none() || entry.link == link && entry.closes_us != Some(i64::MAX) {
                entry.closes_us = Some(window_closes_us);
            }
        }
    }

    /// Something was told to come later: what the SMSC has not delivered again yet may wait with it, and is
    /// expected for longer. Looked at once a second, whatever is refused.
    pub fn put_off(&self, now_us: i64, window_closes_us: i64) {
        let mut inner = self.lock();
        if window_closes_us < inner.put_off_us.saturating_add(1_000_000) {
            return;
        }
        inner.put_off_us = window_closes_us;
        for entry in inner.entries.values_mut().filter(|entry| entry.is_open(now_us)) {
            entry.closes_us = entry.closes_us.map(|closes| closes.max(window_closes_us));
        }
    }

    /// A link's session ended.
    pub fn unbound(&self, link: LinkIndex) {
        self.lock().bound.remove(&link);
    }

    /// A session is over: until the spool has said what it leaves in doubt, nobody knows whether what other
    /// links of the group are given repeats something of it.
    pub fn settle(self: &Arc<Self>) -> Settling {
        self.lock().settling += 1;
        Settling(Arc::clone(self))
    }

    /// Is what a session left in doubt not known yet?
    pub fn is_settling(&self) -> bool {
        self.lock().settling > 0
    }

    /// Waits until a session's doubt is known. One that became so just before is not seen.
    pub async fn settled(&self) {
        self.settled.notified().await;
    }

    /// The SMSC will deliver a stored record again, and the spool is asked to put it in doubt: until it has
    /// ([`DoubtSet::release`]), the same one must not be taken once more.
    pub fn hold(&self, key: u128) {
        *self.lock().held.entry(key).or_default() += 1;
    }

    /// One that was held is in doubt.
    pub fn release(&self, key: u128) {
        let held = &mut self.lock().held;
        match held.get_mut(&key) {
            Some(n) if *n > 1 => *n -= 1,
            _ => drop(held.remove(&key)),
        }
    }

    /// Is one with this key held?
    pub fn holds(&self, key: u128) -> bool {
        self.lock().held.contains_key(&key)
    }

    /// Is nothing in doubt? Then no key need be made.
    pub fn is_empty(&self) -> bool {
        self.lock().entries.is_empty()
    }

    /// What other hosts are told of a link that is confirmed through here: what sessions of the group left in doubt
    /// the SMSC may give to one of them, and may have done so long ago, when they come to it.
    pub fn responses(&self, link: LinkIndex, through: u64, now_us: i64) -> Responses {
        let mut inner = self.lock();
        let is_seen = |again: (LinkIndex, u64)| again.0 == link && again.1 <= through;
        inner.unanswered.retain(|_, of| of.until_us > now_us && !of.again.is_some_and(is_seen));
        let mut sequences = inner.unanswered.keys().copied();
        let unanswered: Vec<u64> = sequences.by_ref().take(UNANSWERED_MAX).collect();
        let next = sequences.next().map_or(through, |sequence| sequence.saturating_sub(1));
        Responses { through: through.min(next), unanswered }
    }

    /// One that was taken stands in the spool once more, as a record of this link.
    pub fn stored_again(&self, original: u64, link: LinkIndex, sequence: u64) {
        if let Some(of) = self.lock().unanswered.get_mut(&original) {
            of.again = Some((link, sequence));
        }
    }

    /// Takes the oldest record in doubt with this key, which is in doubt no more. The SMSC has no response to it
    /// yet.
    pub fn take(&self, key: u128, now_us: i64) -> Option<InDoubt> {
        let inner = &mut *self.lock();
        let mut of_key = inner.entries.range((key, 0)..=(key, u64::MAX));
        let (&at, &entry) = of_key.find(|(_, entry)| entry.is_open(now_us))?;
        inner.entries.remove(&at);
        Some(InDoubt { run: entry.run, sequence: at.1, key, until_us: entry.until_us })
    }

    /// Forgets what is past its time, at most so many: their sequences.
    pub fn expire(&self, now_us: i64, most: usize) -> Vec<u64> {
        let inner = &mut *self.lock();
        inner.unanswered.retain(|_, of| of.until_us > now_us);
        let entries = &mut inner.entries;
        let gone: Vec<(u128, u64)> =
            entries.iter().filter(|(_, entry)| !entry.is_open(now_us)).map(|(at, _)| *at).take(most).collect();
        for at in &gone {
            entries.remove(at);
        }
        gone.into_iter().map(|(_, sequence)| sequence).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mobile(text: &[u8]) -> Mobile {
        Mobile { source: "355".into(), destination: "4636".into(), short_message: text.to_vec(), ..Mobile::default() }
    }

    #[test]
    fn each_record_in_doubt_is_matched_once() {
        let set = DoubtSet::default();
        let key = mobile_key(&mobile(b"PS 1"));
        let record = |sequence| InDoubt { run: Uuid::nil(), sequence, key, until_us: 10 };
        set.add(0, &[record(7), record(9)], 10);
        assert_eq!(set.take(mobile_key(&mobile(b"PS 2")), 0), None);
        assert_eq!(set.take(key, 0).map(|r| r.sequence), Some(7));
        assert_eq!(set.take(key, 0).map(|r| r.sequence), Some(9));
        assert_eq!(set.take(key, 0), None);
        assert!(set.is_empty());
    }

    #[test]
    fn what_came_not_again_is_unanswered_also_when_it_is_expected_no_more() {
        let set = DoubtSet::default();
        let record = |sequence, key| InDoubt { run: Uuid::nil(), sequence, key, until_us: 100 };
        set.add(0, &[record(7, 1), record(9, 2)], 10);
        set.add(1, &[record(3, 3)], 10);
        set.bound(0, 10);
        let told = |through, unanswered: &[u64]| Responses { through, unanswered: unanswered.to_vec() };
        assert_eq!(set.responses(0, 20, 0), told(20, &[3, 7, 9]));
        set.expire(50, 9);
        assert_eq!((set.responses(0, 20, 50), set.responses(1, 2, 50)), (told(20, &[3, 7, 9]), told(2, &[3, 7, 9])));
        assert_eq!(set.responses(0, 20, 100), told(20, &[]));
    }

    #[test]
    fn what_came_again_is_unanswered_until_the_response_to_that_is_seen_by_whichever_link() {
        let set = DoubtSet::default();
        let record = |sequence, key| InDoubt { run: Uuid::nil(), sequence, key, until_us: 100 };
        set.add(0, &[record(7, 1), record(9, 2)], 10);
        let unanswered = |link, through| set.responses(link, through, 0).unanswered;
        let taken = set.take(1, 0).unwrap();
        assert_eq!(unanswered(1, 20), [7, 9], "it came, and nobody has answered");
        set.stored_again(7, 1, 21);
        assert_eq!((unanswered(0, 30), unanswered(1, 20)), (vec![7, 9], vec![7, 9]));
        set.add(1, &[taken], 10);
        assert_eq!(unanswered(1, 21), [7, 9], "the session ended before it was seen");
        set.take(1, 0).unwrap();
        set.stored_again(7, 1, 22);
        assert_eq!(unanswered(1, 22), [9]);
    }

    #[test]
    fn of_more_than_are_told_one_by_one_nothing_that_came_after_is_said_to_be_confirmed() {
        let set = DoubtSet::default();
        let record = |sequence| InDoubt { run: Uuid::nil(), sequence, key: sequence.into(), until_us: 100 };
        let all: Vec<InDoubt> = (10..=10 + UNANSWERED_MAX as u64).map(record).collect();
        set.add(0, &all, 10);
        let told = set.responses(0, 9_999, 0);
        assert_eq!((told.through, told.unanswered.len()), (9 + UNANSWERED_MAX as u64, UNANSWERED_MAX));
    }

    #[test]
    fn what_is_about_to_be_in_doubt_is_held_until_it_is() {
        let set = DoubtSet::default();
        for key in [7, 7, 8] {
            set.hold(key);
        }
        set.release(7);
        assert!(set.holds(7) && set.holds(8));
        set.release(7);
        set.release(7);
        assert!(!set.holds(7) && set.holds(8));
    }

    #[test]
    fn doubt_is_settling_until_every_session_that_ended_has_told() {
        let set = Arc::new(DoubtSet::default());
        let (one, other) = (set.settle(), set.settle());
        drop(one);
        assert!(set.is_settling());
        drop(other);
        assert!(!set.is_settling());
    }

    #[test]
    fn what_is_in_doubt_is_forgotten_after_its_time() {
        let set = DoubtSet::default();
        let record = |sequence, key| InDoubt { run: Uuid::nil(), sequence, key, until_us: 10 };
        set.add(0, &[record(7, 1), record(8, 2)], 10);
        assert_eq!(set.take(1, 10), None);
        assert_eq!((set.expire(10, 1), set.expire(10, 9)), (vec![7], vec![8]));
        assert!(set.is_empty());
    }

    #[test]
    fn a_redelivery_is_expected_for_a_while_after_the_bind_and_what_was_told_to_come_later_whenever() {
        let set = DoubtSet::default();
        let record = |sequence, key| InDoubt { run: Uuid::nil(), sequence, key, until_us: 1_000 };
        set.bound(0, 0);
        set.unbound(0);
        set.add(0, &[record(1, 1), record(2, 2), record(3, 3)], 60);
        set.add_certain(0, &[record(4, 4)]);
        assert_eq!(set.take(1, 500).map(|r| r.sequence), Some(1), "an outage may last");
        set.bound(0, 560);
        assert_eq!(set.take(2, 559).map(|r| r.sequence), Some(2));
        assert_eq!(set.take(3, 560), None, "the window is over: a message of its own");
        assert_eq!(set.expire(560, 9), [3]);
        assert_eq!(set.take(4, 999).map(|r| r.sequence), Some(4));
    }

    #[test]
    fn what_will_be_delivered_later_for_certain_stays_so_though_sessions_end() {
        let set = DoubtSet::default();
        let record = InDoubt { run: Uuid::nil(), sequence: 1, key: 1, until_us: 1_000 };
        set.bound(0, 60);
        set.add_certain(0, &[record]);
        set.unbound(0);
        set.add(0, &[record], 60);
        set.bound(0, 60);
        assert_eq!(set.take(1, 999), Some(record));
    }

    #[test]
    fn while_messages_are_refused_redeliveries_are_expected_for_longer() {
        const SECOND: i64 = 1_000_000;
        let set = DoubtSet::default();
        let record = |sequence, key| InDoubt { run: Uuid::nil(), sequence, key, until_us: 1_000 * SECOND };
        set.add(0, &[record(1, 1), record(2, 2), record(3, 3)], 0);
        set.bound(0, 60 * SECOND);
        set.put_off(50 * SECOND, 110 * SECOND);
        assert_eq!(set.take(1, 109 * SECOND).map(|r| r.sequence), Some(1));
        set.put_off(50 * SECOND + 1, 110 * SECOND + 1);
        set.put_off(109 * SECOND, 169 * SECOND);
        assert_eq!(set.take(2, 168 * SECOND).map(|r| r.sequence), Some(2));
        set.put_off(169 * SECOND, 229 * SECOND);
        assert_eq!(set.take(3, 169 * SECOND), None, "it was expected no more");
    }

    #[test]
    fn with_another_link_of_the_group_the_window_opens_at_once_and_again_with_the_links_own_bind() {
        let set = DoubtSet::default();
        let record = InDoubt { run: Uuid::nil(), sequence: 1, key: 1, until_us: 1_000 };
        set.bound(0, 60);
        set.bound(1, 60);
        set.unbound(0);
        set.add(0, &[record], 160);
        assert_eq!(set.take(1, 160), None);
        set.bound(1, 360);
        assert_eq!(set.take(1, 300), None, "another link's bind says nothing of it");
        set.bound(0, 360);
        assert_eq!(set.take(1, 300), Some(record));
    }

    #[test]
    fn past_the_bound_the_oldest_are_given_up() {
        let set = DoubtSet::default();
        let all: Vec<InDoubt> = (0..IN_DOUBT_MAX as u64 + 5)
            .map(|i| InDoubt { run: Uuid::nil(), sequence: i, key: u128::from(i), until_us: 10 })
            .collect();
        set.add(0, &all, 10);
        assert_eq!(set.take(4, 0), None);
        assert_eq!(set.take(5, 0).map(|r| r.sequence), Some(5));
        assert_eq!(set.lock().entries.len(), IN_DOUBT_MAX - 1);
    }

    #[test]
    fn the_key_tells_the_fields_apart() {
        let plain = mobile(b"ab");
        let mut payload = mobile(b"a");
        payload.payload = Some(b"b".to_vec());
        let mut empty = mobile(b"ab");
        empty.payload = Some(Vec::new());
        let mut udh = mobile(b"ab");
        udh.esm_class = 0x40;
        let mut mode = mobile(b"ab");
        mode.esm_class = 0x03;
        let keys = [&plain, &payload, &empty, &udh].map(mobile_key);
        for (i, a) in keys.iter().enumerate() {
            assert!(keys.iter().skip(i + 1).all(|b| a != b));
        }
        assert_eq!(mobile_key(&plain), mobile_key(&mode), "only the UDH bit of esm_class counts");
    }
}
