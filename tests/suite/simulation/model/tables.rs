//! The tables as plain maps, and what each statement of `store` does to them: one function a statement,
//! as short as it can be, so that it is seen to be right.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use scrutineer::domain::order::{OrderKey, RecordKey};
use scrutineer::domain::submission::Assertion;
use scrutineer::domain::value::Answers;
use scrutineer::limits::{LEASE_SECONDS, REPLY_ATTEMPTS_MAX};
use scrutineer::store::outbox::Leased;
use scrutineer::store::outbox_result::EarlyReceipt;
use scrutineer::store::segment::{Part, SetKey};
use scrutineer::store::watermark::Mark;
use scrutineer::store::{instant, micros};
use uuid::Uuid;

/// Microseconds in a second.
pub const SECOND: i64 = 1_000_000;

/// A row of `message`.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    pub received_us: i64,
    pub phone_id: i64,
    pub raw: Vec<u8>,
    pub content_hash: Vec<u8>,
    pub text: Option<String>,
    pub outcome: String,
    pub election_id: Option<i32>,
    pub observer_id: Option<i32>,
    pub submissions: Vec<Uuid>,
    pub whole: Option<(i32, i64)>,
    pub redelivered: i32,
    pub reply_id: Option<Uuid>,
}

/// A row of `submission`.
#[derive(Debug, Clone, PartialEq)]
pub struct Submission {
    pub prefix: String,
    pub observer_id: i32,
    pub answers: Answers,
    pub comment: Option<String>,
    pub first_us: i64,
    pub last: OrderKey,
    pub revisions: i32,
}

/// A row of `outbox`.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    pub spool_id: i32,
    pub sequence: i64,
    pub phone_id: i64,
    pub link_group: String,
    pub source: String,
    pub text: String,
    pub state: &'static str,
    pub attempt: i16,
    pub unknown_before: i16,
    pub due_us: i64,
    pub expires_us: i64,
    pub lease: Option<(Uuid, i64)>,
    pub message_id: Option<String>,
    pub error: Option<String>,
    pub receipt: Option<String>,
}

/// A set of segments.
#[derive(Debug, Clone, PartialEq)]
pub struct Set {
    pub id: i64,
    pub begun_us: i64,
}

/// Key of a revision: election, submission, order key, place.
pub type RevisionKey = (i32, Uuid, i64, Uuid, i64, i16);

/// All of them. Identities are given by the database, not here.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    pub spools: BTreeMap<Uuid, i32>,
    pub watermarks: BTreeMap<(i32, i16), i64>,
    pub phones: BTreeMap<String, i64>,
    pub messages: BTreeMap<(i32, i64), Arc<Message>>,
    pub sets: BTreeMap<SetKey, Set>,
    pub segments: BTreeMap<(i64, i16), Arc<Part>>,
    pub submissions: BTreeMap<(i32, Uuid), Arc<Submission>>,
    pub revisions: BTreeMap<RevisionKey, Arc<Answers>>,
    pub aside: BTreeMap<(i32, i64), String>,
    pub outbox: BTreeMap<Uuid, Arc<Reply>>,
    pub outbox_segments: BTreeMap<(Uuid, i16), (String, String)>,
    pub early: BTreeMap<(String, String), EarlyReceipt>,
}

/// What a batch writes, owned.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    pub spool_id: i32,
    pub lane: i16,
    pub through: Option<i64>,
    pub messages: Vec<(i64, Message)>,
    pub submissions: Vec<(bool, (i32, Uuid), Submission)>,
    pub revisions: Vec<(RevisionKey, Answers)>,
    pub replies: Vec<(Uuid, Reply)>,
}

/// One result, owned.
#[derive(Debug, Clone)]
pub struct ResultRow {
    pub id: Uuid,
    pub attempt: i16,
    pub state: &'static str,
    pub message_id: Option<String>,
    pub error: Option<String>,
    pub due_seconds: i32,
    pub receipt: Option<String>,
}

/// One form of a receipt, owned.
#[derive(Debug, Clone)]
pub struct ReceiptForm {
    pub no: i32,
    pub form: String,
    pub rank: i16,
    pub link_group: String,
    pub phone_id: Option<i64>,
    pub receipt: String,
    pub state: Option<&'static str>,
    pub at_us: i64,
}

fn is_sent(state: &str) -> bool {
    matches!(state, "sent" | "delivered" | "undelivered")
}

impl Tables {
    pub fn marks(&self, runs: &[Uuid]) -> Vec<Mark> {
        let through = |id: i32| {
            self.watermarks.range((id, i16::MIN)..=(id, i16::MAX)).map(|(_, s)| s.cast_unsigned()).max().unwrap_or(0)
        };
        let known = runs.iter().collect::<BTreeSet<_>>().into_iter().filter_map(|r| Some((*r, *self.spools.get(r)?)));
        known.map(|(uuid, spool_id)| Mark { uuid, spool_id, through: through(spool_id) }).collect()
    }

    pub fn stored(&self, spool_id: i32, sequences: &[i64]) -> Vec<(i64, Vec<u8>)> {
        let hash = |s: &i64| Some((*s, self.messages.get(&(spool_id, *s))?.content_hash.clone()));
        sequences.iter().filter_map(hash).collect()
    }

    pub fn phone_ids(&self, numbers: &[String]) -> Vec<(String, i64)> {
        numbers.iter().filter_map(|n| Some((n.clone(), *self.phones.get(n)?))).collect()
    }

    pub fn change_message(&mut self, key: (i32, i64), change: impl FnOnce(&mut Message)) {
        if let Some(row) = self.messages.get_mut(&key) {
            change(Arc::make_mut(row));
        }
    }

    // ---- segments

    /// Sets that began before `wait_seconds` ago, the oldest first.
    pub fn expired_sets(&self, now_us: i64, wait_seconds: i32) -> Vec<(i64, SetKey)> {
        let before = now_us - i64::from(wait_seconds) * SECOND;
        let mut old: Vec<_> =
            self.sets.iter().filter(|(_, s)| s.begun_us < before).map(|(k, s)| (s.begun_us, s.id, k.clone())).collect();
        old.sort();
        old.into_iter().map(|(_, id, key)| (id, key)).collect()
    }

    pub fn parts(&self, sets: &[i64]) -> Vec<Part> {
        self.segments.iter().filter(|((set, _), _)| sets.contains(set)).map(|(_, p)| (**p).clone()).collect()
    }

    pub fn empty_set(&mut self, set: i64) {
        self.segments.retain(|(of, _), _| *of != set);
    }

    pub fn restart_set(&mut self, set: i64, now_us: i64) {
        self.empty_set(set);
        self.sets.values_mut().filter(|s| s.id == set).for_each(|s| s.begun_us = now_us);
    }

    pub fn remove_sets(&mut self, sets: &[i64]) {
        sets.iter().for_each(|set| self.empty_set(*set));
        self.sets.retain(|_, s| !sets.contains(&s.id));
    }

    // ---- submissions

    pub fn history(&self, elections: &[i32], ids: &[Uuid]) -> Vec<(Uuid, Assertion)> {
        let mut all = Vec::new();
        for (election, id) in elections.iter().zip(ids) {
            for ((e, s, at, spool, sequence, place), answers) in &self.revisions {
                if (e, s) == (election, id) {
                    let record = RecordKey { spool: *spool, sequence: sequence.cast_unsigned() };
                    let order = OrderKey { received_us: *at, record };
                    all.push((*id, *place, Assertion { order, answers: (**answers).clone() }));
                }
            }
        }
        all.sort_by_key(|(id, place, a)| (*id, a.order, *place));
        all.into_iter().map(|(id, _, a)| (id, a)).collect()
    }

    // ---- a batch

    /// Does all of it go in? What was there already is not counted.
    pub fn fits(&self, batch: &Batch) -> bool {
        batch.messages.iter().all(|(s, _)| !self.messages.contains_key(&(batch.spool_id, *s)))
            && batch.submissions.iter().all(|(is_new, key, _)| *is_new != self.submissions.contains_key(key))
            && batch.revisions.iter().all(|(key, _)| !self.revisions.contains_key(key))
    }

    pub fn write(&mut self, batch: &Batch) {
        if let Some(through) = batch.through {
            self.watermarks.insert((batch.spool_id, batch.lane), through);
        }
        for (sequence, row) in &batch.messages {
            self.messages.entry((batch.spool_id, *sequence)).or_insert_with(|| Arc::new(row.clone()));
        }
        for (is_new, key, row) in &batch.submissions {
            match self.submissions.get_mut(key) {
                None if *is_new => {
                    self.submissions.insert(*key, Arc::new(row.clone()));
                }
                Some(there) if !is_new => {
                    let there = Arc::make_mut(there);
                    *there = Submission {
                        comment: row.comment.clone().or(there.comment.take()),
                        first_us: there.first_us.min(row.first_us),
                        ..row.clone()
                    };
                }
                _ => {}
            }
        }
        for (key, answers) in &batch.revisions {
            self.revisions.entry(*key).or_insert_with(|| Arc::new(answers.clone()));
        }
        for (id, reply) in &batch.replies {
            self.outbox.entry(*id).or_insert_with(|| Arc::new(reply.clone()));
        }
    }

    // ---- outbox

    pub fn leased(&self, id: Uuid) -> Option<Leased> {
        let row = self.outbox.get(&id)?;
        let (phone, _) = self.phones.iter().find(|(_, p)| **p == row.phone_id)?;
        Some(Leased {
            id,
            attempt: row.attempt,
            link_group: row.link_group.clone(),
            source: row.source.clone(),
            destination: phone.clone(),
            text: row.text.clone(),
            expires_at: instant(row.expires_us),
        })
    }

    /// Ids of rows that are so, ordered.
    fn choose<K: Ord>(&self, is: impl Fn(&Uuid, &Reply) -> bool, by: impl Fn(&Reply) -> K) -> Vec<Uuid> {
        let mut some: Vec<_> = self.outbox.iter().filter(|(id, r)| is(id, r)).map(|(id, r)| (by(r), *id)).collect();
        some.sort();
        some.into_iter().map(|(_, id)| id).collect()
    }

    pub fn own_leased(&self, runs: &[Uuid], except: &[Uuid]) -> Vec<Uuid> {
        let own = |id: &Uuid, r: &Reply| {
            r.state == "leased" && r.lease.is_some_and(|(run, _)| runs.contains(&run)) && !except.contains(id)
        };
        self.choose(own, |r| r.lease.map(|(_, until)| until))
    }

    pub fn due(&self, groups: &[String], now_us: i64) -> Vec<Uuid> {
        let due = |_: &Uuid, r: &Reply| {
            r.state == "due" && r.due_us <= now_us && r.expires_us > now_us && groups.contains(&r.link_group)
        };
        self.choose(due, |r| r.due_us)
    }

    pub fn lapsed(&self, spool: Uuid, now_us: i64) -> Vec<Uuid> {
        let lapsed = |_: &Uuid, r: &Reply| {
            r.state == "leased" && r.lease.is_some_and(|(of, until)| until < now_us && of != spool)
        };
        self.choose(lapsed, |r| r.lease.map(|(_, until)| until))
    }

    pub fn expired(&self, now_us: i64) -> Vec<Uuid> {
        self.choose(|_, r| r.state == "due" && r.expires_us <= now_us, |r| r.due_us)
    }

    pub fn change_reply(&mut self, id: Uuid, change: impl FnOnce(&mut Reply)) {
        if let Some(row) = self.outbox.get_mut(&id) {
            change(Arc::make_mut(row));
        }
    }

    pub fn lease(&mut self, ids: &[Uuid], spool: Uuid, now_us: i64) {
        let until = now_us + i64::from(LEASE_SECONDS) * SECOND;
        for id in ids {
            self.change_reply(*id, |r| {
                r.state = "leased";
                r.lease = Some((spool, until));
            });
        }
    }

    pub fn renew(&mut self, spool: Uuid, ids: &[Uuid], now_us: i64) {
        let half = now_us + i64::from(LEASE_SECONDS / 2) * SECOND;
        let wanted = |r: &Reply| r.state == "leased" && r.lease.is_some_and(|(of, until)| of == spool && until < half);
        let ids: Vec<Uuid> = ids.iter().copied().filter(|id| self.outbox.get(id).is_some_and(|r| wanted(r))).collect();
        self.lease(&ids, spool, now_us);
    }

    pub fn lapse(&mut self, ids: &[Uuid], now_us: i64) {
        for id in ids {
            self.change_reply(*id, |r| {
                let again = r.attempt < REPLY_ATTEMPTS_MAX;
                r.state = if again { "due" } else { "unknown" };
                r.attempt += i16::from(again);
                r.unknown_before += 1;
                (r.due_us, r.lease) = (now_us, None);
            });
        }
    }

    /// Does this result change its row?
    fn counts(row: &Reply, result: &ResultRow) -> bool {
        if is_sent(result.state) {
            matches!(row.state, "due" | "leased" | "unknown" | "expired")
        } else {
            row.state == "leased" && row.attempt == result.attempt
        }
    }

    pub fn apply_results(&mut self, rows: &[ResultRow], segments: &[(Uuid, i16, String, String)], now_us: i64) {
        for (id, place, message_id, group) in segments {
            if self.outbox.contains_key(id) {
                let row = (message_id.clone(), group.clone());
                self.outbox_segments.entry((*id, *place)).or_insert(row);
            }
        }
        for result in rows {
            self.change_reply(result.id, |r| {
                if !Self::counts(r, result) {
                    return;
                }
                let again = result.state == "unknown" && r.attempt < REPLY_ATTEMPTS_MAX;
                r.state = if again { "due" } else { result.state };
                r.attempt += i16::from(again);
                r.unknown_before += i16::from(result.state == "unknown");
                r.message_id = result.message_id.clone().or(r.message_id.take());
                r.error.clone_from(&result.error);
                if matches!(result.state, "due" | "unknown") {
                    r.due_us = now_us + i64::from(result.due_seconds) * SECOND;
                }
                r.receipt = result.receipt.clone().or(r.receipt.take());
                r.lease = None;
            });
        }
    }

    /// What receipts are about: number, row, and the form that named it.
    pub fn hits<'a>(&self, forms: &'a [ReceiptForm]) -> Vec<(i32, Uuid, bool, &'a ReceiptForm)> {
        let mut best: BTreeMap<i32, (i16, bool, Uuid, &ReceiptForm)> = BTreeMap::new();
        for f in forms {
            let phone_fits = |row: &Reply| f.rank == 0 || Some(row.phone_id) == f.phone_id;
            let named = |id: &Option<String>| id.as_deref() == Some(f.form.as_str());
            let first = self
                .outbox
                .iter()
                .filter(|(_, r)| named(&r.message_id) && r.link_group == f.link_group && phone_fits(r))
                .map(|(id, _)| (*id, true));
            let further = self
                .outbox_segments
                .iter()
                .filter(|(_, (id, group))| *id == f.form && *group == f.link_group)
                .filter(|((id, _), _)| self.outbox.get(id).is_some_and(|r| phone_fits(r)))
                .map(|((id, _), _)| (*id, false));
            for (id, is_first) in first.chain(further) {
                let there = best.get(&f.no).map(|(rank, first, ..)| (*rank, !*first));
                if there.is_none_or(|there| (f.rank, !is_first) < there) {
                    best.insert(f.no, (f.rank, is_first, id, f));
                }
            }
        }
        best.into_iter().map(|(no, (_, first, id, f))| (no, id, first, f)).collect()
    }

    pub fn apply_receipts(&mut self, forms: &[ReceiptForm]) -> Vec<i32> {
        let hits = self.hits(forms);
        let mut last: BTreeMap<Uuid, &ReceiptForm> = BTreeMap::new();
        let weight = |f: &ReceiptForm| (f.state.is_some(), f.state == Some("undelivered"), f.at_us);
        for (_, id, first, f) in &hits {
            if (*first || f.state == Some("undelivered")) && last.get(id).is_none_or(|l| weight(f) > weight(l)) {
                last.insert(*id, f);
            }
        }
        for (id, f) in last {
            self.change_reply(id, |r| {
                let open = matches!(r.state, "sent" | "delivered" | "unknown");
                if open && (r.state != "delivered" || f.state == Some("undelivered")) {
                    r.state = f.state.unwrap_or(r.state);
                    r.receipt = Some(f.receipt.clone());
                }
            });
        }
        hits.into_iter().map(|(no, ..)| no).collect()
    }

    pub fn keep_early(&mut self, receipts: &[EarlyReceipt]) {
        let mut newest: BTreeMap<(String, String), &EarlyReceipt> = BTreeMap::new();
        for r in receipts {
            let key = (r.link_group.clone(), r.message_id.clone());
            if newest.get(&key).is_none_or(|there| r.received_at > there.received_at) {
                newest.insert(key, r);
            }
        }
        for (key, r) in newest {
            let there = self.early.get(&key);
            let phone_id = there.map_or(r.phone_id, |there| there.phone_id);
            self.early.insert(key, EarlyReceipt { phone_id, ..r.clone() });
        }
    }

    /// Those to look at, the newest first.
    pub fn waiting(&self, now_us: i64) -> Vec<EarlyReceipt> {
        let since = now_us - 15 * 60 * SECOND;
        let mut some: Vec<_> = self.early.values().filter(|r| micros(r.received_at) > since).cloned().collect();
        some.sort_by_key(|r| std::cmp::Reverse(micros(r.received_at)));
        some
    }

    pub fn forget_early(&mut self, now_us: i64) {
        self.early.retain(|_, r| micros(r.received_at) >= now_us - 86_400 * SECOND);
    }
}
