//! One try at one batch: gather, understand, lock, settle, write, in one transaction.
//!
//! Invariant: nothing outside the transaction changes unless it committed; what was reserved for it is
//! given back when it did not.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, PoisonError};

use tracing::{error, warn};
use uuid::Uuid;

use super::decide::{History, Incoming, Locks, Present, PresentStates, Understanding};
use super::gather::{Gathered, Stands, Text, gather};
use super::item::{Item, Kind};
use super::judge;
use super::limiter::Counted;
use super::roster::Known;
use super::rows::{self, Judged};
pub use super::shared::Session;
use crate::domain::outcome::Outcome;
use crate::domain::submission::{Submission, SubmissionKey};
use crate::handoff::message::{Body, Submit, SubmitOutcome, SubmitResult};
use crate::limits::{REPLIES_PER_HOUR_DEFAULT, REPLY_EXPIRES_SECONDS, SEGMENT_COPIES_SECONDS, SEGMENT_COPIES_SLICE};
use crate::outbox::in_flight::InFlight;
use crate::outbox::reply_id::{bucket, reply_id};
use crate::outbox::settle::{self, ReceiptRecord, ResultRecord};
use crate::store::batch::Place;
use crate::store::segment::{DonePart, Part, SetKey};
use crate::store::sender::SenderChange;
use crate::store::set_aside::{self, SetAside};
use crate::store::{Ledger, StoreError, Transaction, Tx, segment, submission};

mod again;
mod answer;
mod attempts;
mod elsewhere;
mod notice;
mod present;
mod results;
mod transaction;
mod write;

use again::Told;
pub use again::{Answer, again};
use transaction::phone_ids;
pub use transaction::{attempt, finish_incomplete};

/// Why a try did not commit.
#[derive(Debug)]
pub enum Trouble {
    /// The database.
    Store(StoreError),
    /// Something was there already: a replay, or another host's work. Look, and try again.
    Lost,
    /// The roster is another one now.
    Roster {
        /// The version that was used.
        seen: i64,
    },
    /// A bug broke the work.
    Panic(String),
}

impl Trouble {
    /// What is wrong with the records themselves, where that is it.
    pub fn about_the_data(&self) -> Option<String> {
        match self {
            Self::Store(error) if error.is_about_the_data() => Some(error.to_string()),
            Self::Panic(panic) => Some(panic.clone()),
            _ => None,
        }
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What a try did, once committed.
#[derive(Debug, Default)]
pub struct Done {
    /// Replies to hand to the gateway.
    pub submits: Vec<Submit>,
    /// Of the replies those that another host had sent, before the database lost its last commits.
    pub sent_before: Vec<Uuid>,
    /// Replies whose result came, each with its attempt.
    pub settled: Vec<(Uuid, u16)>,
    /// What replies are counted against, with the message's time.
    pub answered: Vec<(Counted, i64)>,
    /// Messages by outcome.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Some replies are due, as they found no place or must be sent again.
    pub some_due: bool,
    /// Some messages were stored already.
    pub found_stored: bool,
}

/// How a try is made.
#[derive(Debug, Clone, Copy, Default)]
pub struct How<'a> {
    /// Look first which messages are stored already.
    pub look_for_stored: bool,
    /// Look in the database for parts of texts that came whole.
    pub distrust: bool,
    /// Set the (only) record aside, for this reason.
    pub set_aside: Option<&'a str>,
    /// And keep nothing but the record: even the row that would stand for it is refused.
    pub bare: bool,
    /// And without a notice to its sender: with it, it was refused.
    pub mute: bool,
    /// It is asked for once more, perhaps on another host than it came to: its reply is sent by
    /// whichever host can.
    pub again: bool,
}

impl How<'_> {
    /// The next less that can be kept of a record that is set aside; `None` when this was the least.
    #[must_use]
    pub fn less(self) -> Option<Self> {
        match (self.bare, self.mute) {
            (false, false) | (true, false) => Some(Self { mute: true, ..self }),
            (false, true) => Some(Self { bare: true, mute: false, ..self }),
            (true, true) => None,
        }
    }
}

/// Gives reserved places back unless the transaction committed.
struct Reserved<'a> {
    in_flight: &'a InFlight,
    ids: Vec<Uuid>,
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        for id in &self.ids {
            self.in_flight.release(*id, 1);
        }
    }
}

struct Work<'a, L> {
    session: &'a Session<L>,
    items: &'a [Item],
    how: How<'a>,
    phones: HashMap<String, i64>,
    known: Arc<Known>,
    place: Place,
    reserved: Reserved<'a>,
    /// Items that are set aside, by place, with why.
    aside: BTreeMap<usize, String>,
    trouble: Option<Trouble>,
    done: Done,
    /// Phones that want no messages, as far as this batch has come.
    stopped: HashSet<i64>,
    /// What STOP and START of this batch change.
    senders: Vec<SenderChange>,
    /// Records that were set aside, and were not before.
    newly_aside: usize,
    /// What became of each text, for those who asked.
    told: Vec<Told>,
    /// Wrong authentication codes, those of this batch too.
    locks: Locks,
}

impl<'a, L: Ledger> Work<'a, L> {
    /// Work on records of this run, which are not a lane's.
    fn new(
        session: &'a Session<L>,
        (spool_id, spool): (i32, Uuid),
        items: &'a [Item],
        how: How<'a>,
        phones: HashMap<String, i64>,
    ) -> Self {
        let (lease, lease_seconds) = (session.lease, session.store.lease_seconds());
        Self {
            session,
            items,
            how,
            phones,
            known: session.roster.current(),
            place: Place { spool_id, spool, lease, lease_seconds, lane: 0, through: None },
            reserved: Reserved { in_flight: &session.in_flight, ids: Vec::new() },
            aside: BTreeMap::new(),
            trouble: None,
            done: Done::default(),
            stopped: HashSet::new(),
            senders: Vec::new(),
            newly_aside: 0,
            told: Vec::new(),
            locks: Locks::default(),
        }
    }
}

impl<L: Ledger> Work<'_, L> {
    fn conclude(mut self, result: Result<(), StoreError>) -> Result<Done, Trouble> {
        match result {
            Ok(()) => {
                // What another host sent already needs no place.
                self.reserved.ids.retain(|id| self.done.sent_before.contains(id));
                if let Some(through) = self.place.through {
                    let mut tracker = self.session.tracker.lock().unwrap_or_else(PoisonError::into_inner);
                    tracker.wrote(through.cast_unsigned());
                }
                Ok(self.done)
            }
            Err(StoreError::GivenUp) => Err(self.trouble.take().unwrap_or(Trouble::Lost)),
            Err(error) => Err(Trouble::Store(error)),
        }
    }

    fn give_up(&mut self, trouble: Trouble) -> StoreError {
        self.trouble = Some(trouble);
        StoreError::GivenUp
    }

    async fn run(&mut self, tx: &mut L::Tx) -> Result<(), StoreError> {
        let messages = self.messages(tx).await?;
        let texts: Vec<usize> = messages.iter().copied().filter(|at| !self.aside.contains_key(at)).collect();
        let gathered =
            gather(tx, self.items, &texts, !self.how.distrust, (self.place.spool_id, self.place.spool)).await?;
        self.judge_and_write(tx, gathered, &messages).await?;
        self.results(tx).await?;
        self.redeliveries(tx).await?;
        self.notice_of_bare(tx).await
    }

    /// Places of the messages to process; what is stored already is left out, and what cannot be
    /// processed is set aside.
    async fn messages(&mut self, tx: &mut L::Tx) -> Result<Vec<usize>, StoreError> {
        let mut messages = Vec::with_capacity(self.items.len());
        for (at, item) in self.items.iter().enumerate() {
            // A part of a longer text is set aside with the whole that it makes.
            if let Some(why) = self.how.set_aside
                && (self.how.bare || !matches!(item.kind, Kind::Sms(_)))
            {
                self.aside.insert(at, why.to_owned());
            }
            match &item.kind {
                _ if self.how.bare => {}
                Kind::Sms(sms) if self.phones.contains_key(&sms.phone) => messages.push(at),
                Kind::Sms(_) => {
                    self.aside.insert(at, "the sender could not be stored".to_owned());
                }
                Kind::Undecodable => {
                    let Body::Undecodable { error, .. } = &item.record.body else { continue };
                    self.aside.insert(at, format!("the PDU cannot be decoded: {error}"));
                }
                Kind::Broken(why) => {
                    self.aside.insert(at, why.clone());
                }
                Kind::Corrupt => {
                    let Body::Corrupt { error, .. } = &item.record.body else { continue };
                    self.aside.insert(at, format!("the gateway's spool lost or damaged this record: {error}"));
                }
                _ => {}
            }
        }
        if self.how.look_for_stored && !messages.is_empty() {
            let sequences: Vec<i64> =
                messages.iter().filter_map(|&at| self.items.get(at).map(|i| i.record.sequence.cast_signed())).collect();
            let stored: HashMap<i64, Vec<u8>> = tx.stored(self.place.spool_id, &sequences).await?.into_iter().collect();
            self.done.found_stored = !stored.is_empty();
            let items = self.items;
            let aside = &mut self.aside;
            messages.retain(|at| {
                let Some((item, (sms, _))) = items.get(*at).and_then(|i| i.sms().map(|s| (i, s))) else { return false };
                match stored.get(&item.record.sequence.cast_signed()) {
                    None => true,
                    Some(hash) if hash.as_slice() == sms.hash => false,
                    Some(_) => {
                        metrics::counter!("scrutineer_message_conflicts_total").increment(1);
                        error!(message = %item.order.record,
                            "the spool gave a sequence to another message than the one stored: set aside, nothing overwritten");
                        aside.insert(*at, "its sequence is stored already with another content".to_owned());
                        false
                    }
                }
            });
        }
        Ok(messages)
    }

    async fn expired(
        &mut self,
        tx: &mut L::Tx,
        wait_seconds: i32,
        limit: i64,
    ) -> Result<(usize, Gathered), StoreError> {
        let mut gathered = Gathered::default();
        tx.forget_parts(SEGMENT_COPIES_SECONDS, SEGMENT_COPIES_SLICE).await?;
        let mut sets = tx.lock_expired(wait_seconds, limit).await?;
        sets.sort_by(|(_, a), (_, b)| a.cmp(b));
        let ids: Vec<i64> = sets.iter().map(|(id, _)| *id).collect();
        if ids.is_empty() {
            return Ok((0, gathered));
        }
        let mut parts: HashMap<i64, Vec<Part>> = HashMap::new();
        for part in tx.parts(&ids).await? {
            parts.entry(part.set_id).or_default().push(part);
        }
        let keys: Vec<SetKey> = sets.iter().map(|(_, key)| key.clone()).collect();
        let mut earlier = super::gather::earlier(tx, &keys).await?;
        for (place, (id, key)) in sets.iter().enumerate() {
            let earlier = earlier.remove(&place).unwrap_or_default();
            gathered.texts.extend(super::gather::incomplete(key, parts.remove(id).unwrap_or_default(), &earlier)?);
        }
        gathered.texts.sort_by_key(|t| t.order);
        // Their senders have rows: the parts are stored.
        let numbers: Vec<String> =
            gathered.texts.iter().map(|t| t.phone.clone()).collect::<BTreeSet<_>>().into_iter().collect();
        self.phones = tx.phone_ids(&numbers).await?.into_iter().collect();
        gathered.remove = ids;
        Ok((sets.len(), gathered))
    }
}

fn incoming(text: &Text) -> Incoming<'_> {
    Incoming {
        order: text.order,
        sender: &text.sender.0,
        sender_ton: text.sender.1,
        destination: &text.destination,
        text: &text.whole.text,
        vouched: false,
        gaps: text.whole.gaps.clone(),
    }
}
