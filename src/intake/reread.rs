//! Messages read anew: with a text that staff put in the place of what came, or after a checklist, the
//! roster or a setting was mended. Through the same decision as the first time, at the message's own
//! place in the order of receipt, a slice of messages in one transaction with the request's progress.
//!
//! Invariants: bytes and text as they came are never changed; what a message asserted before stays in the
//! history, marked; a submission is the fold of what counts, so that a late reading never overwrites a
//! newer report; a message of which nothing changes is not written.

mod submissions;
mod text;
mod told;
mod write;

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use self::submissions::Assertions;
pub use self::told::{Report, Told};
use super::batch::{Done, Session, Trouble};
use super::decide::{Decision, Incoming, Present, PresentStates, Understanding};
use super::judge;
use super::roster::Known;
use crate::domain::alphabet::DefaultAlphabet;
use crate::domain::order::{OrderKey, RecordKey};
use crate::domain::outcome::Outcome;
use crate::domain::submission::Submission;
use crate::limits::{REREAD_MESSAGES_MAX, REREAD_SLICE};
use crate::outbox::reply_id::{bucket, reply_id_of_reading};
use crate::store::reading::{TextRow, Which};
use crate::store::request::{Closed, Open};
use crate::store::{Ledger, StaffTx, StoreError, Transaction, Tx, micros};

/// What is asked.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Of which messages.
    pub of: Of,
    /// Bytes whose `data_coding` is 0 are decoded anew, as this.
    pub alphabet: Option<DefaultAlphabet>,
    /// Why, for the history.
    pub why: String,
    /// Change nothing, and say what would be.
    pub preview: bool,
    /// Answer the observers again.
    pub reply: bool,
    /// Let them pass: phone, code and pauses hold them back no more.
    pub vouch: bool,
}

/// Which messages.
#[derive(Debug, Clone)]
pub enum Of {
    /// One, perhaps with a text in the place of what came.
    One {
        /// Its spool.
        spool: Uuid,
        /// Its sequence.
        sequence: i64,
        /// Read in its place.
        text: Option<String>,
    },
    /// Many.
    Many(Which),
}

/// What a slice came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Turn {
    /// There is more to do.
    More,
    /// The request is closed.
    Done,
    /// Another worker has it, or it was closed before.
    Gone,
    /// Nothing was changed; it is to be closed so.
    Nothing(Closed, Value),
}

/// Does the next slice of a request.
pub async fn slice<L: Ledger>(session: &Session<L>, request: &Open, ask: &Ask) -> Result<(Done, Turn), Trouble> {
    let mut work = Slice {
        session,
        request,
        ask,
        known: session.roster.current(),
        turn: Turn::Gone,
        trouble: None,
        done: Done::default(),
    };
    let result = session.store.transact(session.store.deadline() * 4, Run(&mut work)).await;
    match result {
        Ok(()) => Ok((work.done, work.turn)),
        Err(StoreError::GivenUp) => match work.trouble {
            Some(trouble) => Err(trouble),
            None => Ok((Done::default(), work.turn)),
        },
        Err(error) => Err(Trouble::Store(error)),
    }
}

struct Slice<'a, L> {
    session: &'a Session<L>,
    request: &'a Open,
    ask: &'a Ask,
    known: Arc<Known>,
    turn: Turn,
    trouble: Option<Trouble>,
    done: Done,
}

struct Run<'w, 'a, L>(&'w mut Slice<'a, L>);

impl<L: Ledger> Transaction<L::Tx> for Run<'_, '_, L> {
    type Output = ();

    async fn run(self, tx: &mut L::Tx) -> Result<(), StoreError> {
        self.0.run(tx).await
    }
}

/// A message with what is made of it.
struct Read {
    row: TextRow,
    order: OrderKey,
    text: String,
    understanding: Understanding,
    decision: Decision,
    submissions: Vec<Uuid>,
    reply: Option<(Uuid, String)>,
    changed: bool,
}

impl<L: Ledger> Slice<'_, L> {
    /// Does staff vouch for it, now or before?
    fn vouched(&self, row: &TextRow) -> bool {
        let corrected = matches!(&self.ask.of, Of::One { text: Some(_), .. });
        self.ask.vouch || corrected || row.vouched
    }

    fn give_up(&mut self, trouble: Trouble) -> StoreError {
        self.trouble = Some(trouble);
        StoreError::GivenUp
    }

    fn refuse(&mut self, why: impl Into<String>) -> StoreError {
        self.turn = Turn::Nothing(Closed::Refused, json!({"error": why.into()}));
        StoreError::GivenUp
    }

    async fn run(&mut self, tx: &mut L::Tx) -> Result<(), StoreError> {
        if !tx.lock_request(self.request.id).await? {
            return Ok(());
        }
        let (progress, made_at) = tx.progress(self.request.id).await?;
        let mut report: Report = progress.and_then(|p| serde_json::from_value(p).ok()).unwrap_or_default();
        report.preview = self.ask.preview;
        let (rows, last) = match &self.ask.of {
            Of::One { spool, sequence, text } => (self.one(tx, *spool, *sequence, text.is_some()).await?, true),
            Of::Many(which) => {
                // Messages that come in meanwhile are read as things are now anyway.
                let until = Some(which.until.map_or(made_at, |until| until.min(made_at)));
                let which = Which { after: report.cursor(), until, ..which.clone() };
                let rows = tx.lock_texts(&which, REREAD_SLICE).await?;
                let last = (rows.len() as i64) < REREAD_SLICE;
                (rows, last)
            }
        };
        report.looked += rows.len() as u64;
        if let Some(row) = rows.last() {
            report.after = Some((micros(row.received_at), row.spool_id, row.sequence));
        }
        self.read(tx, rows, &mut report).await?;
        report.more = !last && report.looked >= REREAD_MESSAGES_MAX;
        let value = storable(&report);
        if last || report.more {
            tx.close_request(self.request.id, Closed::Done, &value).await?;
            self.turn = Turn::Done;
        } else {
            tx.set_progress(self.request.id, &value).await?;
            self.turn = Turn::More;
        }
        Ok(())
    }

    async fn one(
        &mut self,
        tx: &mut L::Tx,
        spool: Uuid,
        sequence: i64,
        corrected: bool,
    ) -> Result<Vec<TextRow>, StoreError> {
        let rows =
            if tx.lock_text(spool, sequence).await? { tx.texts(&[(spool, sequence)]).await? } else { Vec::new() };
        let outcome = rows.first().and_then(|row| Outcome::from_word(&row.outcome));
        match outcome {
            None => Err(self.refuse("there is no such message")),
            Some(Outcome::Segment) => {
                Err(self.refuse("it is a part of a longer text: name the message that the whole text stands with"))
            }
            Some(Outcome::SetAside) if !corrected => {
                Err(self.refuse("it is set aside: `scrutineer message retry` processes it again"))
            }
            Some(_) => Ok(rows),
        }
    }

    async fn read(&mut self, tx: &mut L::Tx, rows: Vec<TextRow>, report: &mut Report) -> Result<(), StoreError> {
        let instead = match &self.ask.of {
            Of::One { text, .. } => text.clone(),
            Of::Many(_) => None,
        };
        let mut understood = Vec::with_capacity(rows.len());
        for row in rows {
            let text = match &instead {
                Some(text) => Ok(super::reassemble::Whole { text: text.clone(), gaps: Vec::new() }),
                None => text::of(tx, &row, self.ask.alphabet).await?,
            };
            let made = text.and_then(|whole| {
                let understanding = understand(&self.known, &row, &whole.text, whole.gaps, self.vouched(&row))?;
                Ok((whole.text, understanding))
            });
            match made {
                Ok((text, understanding)) => understood.push((row, text, understanding)),
                Err(why) if matches!(self.ask.of, Of::One { .. }) => return Err(self.refuse(why)),
                Err(why) => report.tell(Told::left(&row, why)),
            }
        }
        let records: HashSet<RecordKey> = understood.iter().map(|(row, ..)| order(row).record).collect();
        let mut wanted: Vec<(i32, Uuid)> = Vec::new();
        for (row, _, understanding) in &understood {
            wanted.extend(understanding.known.iter().map(|k| (k.key.election, k.key.id())));
            wanted.extend(row.election_id.iter().flat_map(|e| row.submissions.iter().map(|id| (*e, *id))));
        }
        wanted.sort_unstable();
        wanted.dedup();
        let (elections, ids): (Vec<i32>, Vec<Uuid>) = wanted.iter().copied().unzip();
        let phones: Vec<i64> = understood.iter().map(|(row, ..)| row.phone_id).collect();
        let found = tx.lock_submissions(&elections, &ids, &[], &phones).await?;
        if found.roster_version != self.known.roster.version {
            return Err(self.give_up(Trouble::Roster { seen: self.known.roster.version }));
        }
        let stored: HashSet<Uuid> = found.submissions.iter().map(|s| s.id).collect();
        let mut assertions = Assertions::default();
        for (id, assertion) in tx.history(&elections, &ids).await? {
            if !records.contains(&assertion.order.record) {
                assertions.add(id, assertion);
            }
        }
        for (id, order, comment) in tx.comments(&elections, &ids).await? {
            if !records.contains(&order.record) {
                assertions.comment(id, order, comment);
            }
        }
        let read = self.judge(understood, &mut assertions, &found.stopped, report)?;
        let rows =
            submissions::bring_together(tx, &self.known, &self.session.replies, &wanted, &stored, &assertions, &read)
                .await?;
        if !self.ask.preview {
            self.write(tx, &read, &rows, (&elections, &ids)).await?;
        }
        Ok(())
    }

    /// Decides on each message, as things stood when it was received.
    fn judge(
        &mut self,
        understood: Vec<(TextRow, String, Understanding)>,
        assertions: &mut Assertions,
        stopped: &[i64],
        report: &mut Report,
    ) -> Result<Vec<Read>, StoreError> {
        let mut read = Vec::with_capacity(understood.len());
        for (row, text, understanding) in understood {
            let order = order(&row);
            let mut present = PresentStates::default();
            for known in &understanding.known {
                let older = assertions.before(known.key.id(), order);
                let revisions = i32::try_from(older.len()).unwrap_or(i32::MAX);
                let comment = assertions.comment_before(known.key.id(), order);
                let state = Present { submission: Submission::fold(&older), history: older.into(), revisions, comment };
                present.insert(known.key.clone(), state);
            }
            let decision = match judge::settle(&understanding, &mut present, &self.session.replies) {
                Ok(decision) => decision,
                Err(why) if matches!(self.ask.of, Of::One { .. }) => {
                    self.turn = Turn::Nothing(Closed::Failed, json!({"error": why}));
                    return Err(StoreError::GivenUp);
                }
                Err(why) => {
                    // What it asserted stays as it was.
                    report.tell(Told::left(&row, why));
                    return Err(self.give_up(Trouble::Panic(format!("message {} breaks the decision", order.record))));
                }
            };
            let submissions: Vec<Uuid> = decision.changes.iter().map(|c| c.key.id()).collect();
            for (change, id) in decision.changes.iter().zip(&submissions) {
                assertions.add(*id, change.assertion.clone());
                if let Some(comment) = &change.comment {
                    assertions.comment(*id, order, comment.clone());
                }
            }
            let reading = decision.reading.json();
            let corrected = matches!(&self.ask.of, Of::One { text: Some(_), .. });
            let changed = corrected
                || (self.ask.vouch && !row.vouched)
                || decision.outcome.as_str() != row.outcome
                || (decision.election, decision.observer) != (row.election_id, row.observer_id)
                || Some(&reading) != row.reading.as_ref()
                || submissions != row.submissions;
            // A command is answered when it comes, and a phone that asked for silence not at all.
            let answers = changed && self.ask.reply && decision.outcome != Outcome::Command;
            let reply = decision
                .reply
                .clone()
                .filter(|_| answers && !stopped.contains(&row.phone_id))
                .map(|text| (reply_id_of_reading(order, bucket(&row.phone), row.readings.saturating_add(1)), text));
            if changed {
                let told = decision.reply.clone();
                report.replies += u64::from(reply.is_some());
                let shown = decision.shown.as_deref().unwrap_or(&text);
                report.tell(Told::new(&row, shown, decision.outcome.as_str(), &reading, told));
            }
            read.push(Read { row, order, text, understanding, decision, submissions, reply, changed });
        }
        Ok(read)
    }
}

/// A message's place in the order of receipt.
fn order(row: &TextRow) -> OrderKey {
    OrderKey {
        received_us: micros(row.received_at),
        record: RecordKey { spool: row.spool, sequence: row.sequence.cast_unsigned() },
    }
}

fn understand(
    known: &Known,
    row: &TextRow,
    text: &str,
    gaps: Vec<usize>,
    vouched: bool,
) -> Result<Understanding, String> {
    let incoming = Incoming {
        order: order(row),
        sender: &row.phone,
        sender_ton: 1,
        destination: &row.destination,
        text,
        vouched,
        gaps,
    };
    judge::understand(&incoming, &known.books)
}

/// As JSON that PostgreSQL takes.
fn storable(report: &Report) -> Value {
    let text = serde_json::to_string(report).unwrap_or_default().replace("\\u0000", "\u{FFFD}");
    serde_json::from_str(&text).unwrap_or(Value::Null)
}
