//! The tables as plain maps, and what each statement of `store` does to them: one function a statement,
//! as short as it can be, so that it is seen to be right.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use scrutineer::domain::order::OrderKey;
use scrutineer::domain::value::Answers;
use scrutineer::store::confirmed::LinkResponses;
use scrutineer::store::outbox_result::EarlyReceipt;
use scrutineer::store::segment::{Part, SetKey};
use scrutineer::store::watermark::Mark;
use uuid::Uuid;

pub mod batch;
mod elsewhere;
mod outbox;
mod results;
mod segments;
mod unknown;

/// Microseconds in a second.
pub const SECOND: i64 = 1_000_000;

/// A row of `message`.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    pub received_us: i64,
    pub link: String,
    pub phone_id: i64,
    pub destination: String,
    pub data_coding: i16,
    pub raw: Vec<u8>,
    pub payload: Option<Vec<u8>>,
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
    pub created_us: i64,
    pub due_us: i64,
    pub expires_us: i64,
    pub lease: Option<(Uuid, i64)>,
    pub message_id: Option<String>,
    pub sent_us: Option<i64>,
    pub error: Option<String>,
    pub receipt: Option<String>,
    /// Attempts that the SMSC accepted, a bit each; 4: one of them a second time, from another host.
    pub accepted: i16,
    /// It was sent before this row was written, and with which text nobody knows, which the row says.
    pub went_before: bool,
}

/// A set of segments.
#[derive(Debug, Clone, PartialEq)]
pub struct Set {
    pub id: i64,
    pub begun_us: i64,
}

/// An acceptance of a reply that has no row (yet): attempt, the SMSC's id, when, and the text as it went.
pub type EarlyResult = (i16, Option<String>, i64, Option<String>);

/// Set, part and content of a part that was processed.
pub type DoneKey = (SetKey, i16, Vec<u8>);

/// A row of `set_aside`.
#[derive(Debug, Clone, PartialEq)]
pub struct Aside {
    pub record: Vec<u8>,
    pub parts: Vec<Vec<u8>>,
    pub error: String,
}

/// Wrong codes of a phone or an observer: when, and until when the phone was told.
pub type Attempts = (Vec<i64>, Option<i64>);

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
    pub aside: BTreeMap<(i32, i64), Aside>,
    pub outbox: BTreeMap<Uuid, Arc<Reply>>,
    pub outbox_segments: BTreeMap<(Uuid, i16), (String, String, Option<&'static str>)>,
    pub early: BTreeMap<(String, String), EarlyReceipt>,
    pub early_results: BTreeMap<Uuid, EarlyResult>,
    /// Parts that were processed lately, and when.
    pub done: BTreeMap<DoneKey, i64>,
    /// Phones that said STOP or START: do they want no messages, and since when.
    pub senders: BTreeMap<i64, (bool, i64)>,
    /// Up to where the links of a run are confirmed, and when that was said.
    pub confirmed: BTreeMap<(i32, String), (LinkResponses, i64)>,
    /// Wrong codes, by whether it is a phone, and its key.
    pub attempts: BTreeMap<(bool, i64), Attempts>,
}

/// What a batch writes, owned. A reply that is leased says until when.
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
    pub text: Option<String>,
    pub message_id: Option<String>,
    pub at_us: i64,
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
}
