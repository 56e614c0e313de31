//! What a message means and what it changes. PURE: no clock, database or socket.
//!
//! Two steps, as the second needs what is stored and the first says what that is:
//! [`understand`] reads the text against the roster and names the submissions it touches;
//! [`settle`] applies it to their present state and writes the reply.

mod authenticate;
mod books;
mod command;
mod identify;
mod key_hash;
mod notice;
mod reading;
mod reply;
mod settle;
mod understand;

#[cfg(test)]
mod tests;

pub use authenticate::{Locks, Tried, admit};
pub use books::Books;
pub use command::Command;
pub use key_hash::KeyHasher;
pub use notice::notice;
pub use reading::Reading;
pub use reply::{Longest, Replies, RepliesError, explain};
pub use settle::settle;
pub use understand::understand;

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use smallvec::SmallVec;
use smol_str::SmolStr;

use crate::domain::checklist::Checklist;
use crate::domain::checklist::logic::Logic;
use crate::domain::order::OrderKey;
use crate::domain::outcome::Outcome;
use crate::domain::report::{Note, Report};
use crate::domain::submission::{Assertion, Change, Submission, SubmissionKey};

/// A whole text with what is known of where it came from.
#[derive(Debug, Clone)]
pub struct Incoming<'a> {
    /// Its place in the order of receipt.
    pub order: OrderKey,
    /// The sender's address as the SMSC gave it.
    pub sender: &'a str,
    /// Type of number of the sender (5: alphanumeric).
    pub sender_ton: u8,
    /// The number that it was sent to.
    pub destination: &'a str,
    /// The text.
    pub text: &'a str,
    /// Staff let it pass: phones, codes and pauses don't hold it back. Set when a held or refused message is
    /// processed again, or read with a corrected text.
    pub vouched: bool,
    /// Byte offsets in `text` at which a segment is missing (0: the first; `text.len()`: the last).
    pub gaps: Vec<usize>,
}

/// A report that belongs to a known observer and checklist.
#[derive(Debug, Clone)]
pub struct KnownReport {
    /// The submission it belongs to.
    pub key: SubmissionKey,
    /// Its checklist.
    pub checklist: Arc<Checklist>,
    /// The observer's station.
    pub station: Option<crate::domain::roster::Station>,
    /// Which report of the text, from 0.
    pub place: u16,
    /// As read.
    pub report: Arc<Report>,
    /// The checklist's conditions and rules.
    pub logic: Arc<Logic>,
    /// Numeric columns of the station that they speak of.
    pub figures: Vec<(Box<str>, i64)>,
    /// What the rules say that refused answers of this report.
    pub refusals: Vec<String>,
}

/// A report (or header) that was read and is not recorded.
#[derive(Debug, Clone)]
pub struct Refused {
    /// Which report of the text, from 0.
    pub place: u16,
    /// Its checklist, where the text names one.
    pub checklist: Option<Arc<Checklist>>,
    /// As read.
    pub report: Arc<Report>,
    /// Why.
    pub outcome: Outcome,
    /// What the text should begin with, for [`Outcome::Outdated`].
    pub instead: Option<String>,
    /// For how long nothing is taken, for [`Outcome::Locked`].
    pub minutes: u32,
    /// The sender was told before, and is not told again.
    pub quiet: bool,
}

/// What a text means.
#[derive(Debug, Clone)]
pub struct Understanding {
    /// Its place in the order of receipt.
    pub order: OrderKey,
    /// Set when the text is no report that can be recorded: unknown, closed, unclear, ignored, command.
    pub refused: Option<Outcome>,
    /// Election, where it is known.
    pub election: Option<i32>,
    /// Observer, where it is known.
    pub observer: Option<i32>,
    /// Reports to record; empty when `refused`.
    pub known: SmallVec<[KnownReport; 1]>,
    /// Reports (or headers) that were read and cannot be recorded, each with why.
    pub unknown: Vec<Refused>,
    /// Text outside every report, to be quoted back.
    pub leftover: String,
    /// Comment of a text without a report.
    pub comment: Option<String>,
    /// Notes on the text as a whole.
    pub notes: Vec<Note>,
    /// Language of the reply.
    pub language: SmolStr,
    /// For `Outcome::Command`.
    pub command: Option<Command>,
    /// For STATUS: the submissions that it asks about, which must be among the present states.
    pub asks: Vec<Ask>,
    /// For HELP: the election's own answer.
    pub help: Option<String>,
    /// Authentication codes that were looked at: for [`admit`], which must come before [`settle`] wherever a
    /// text is read for the first time.
    pub tried: Vec<Tried>,
    /// The text with its authentication codes hidden, where it has any: what is kept and shown of it.
    pub shown: Option<String>,
}

/// A submission that STATUS asks about.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Which one.
    pub key: SubmissionKey,
    /// Its checklist.
    pub checklist: Arc<Checklist>,
    /// Its conditions.
    pub logic: Arc<Logic>,
    /// See [`KnownReport::figures`].
    pub figures: Vec<(Box<str>, i64)>,
}

impl Understanding {
    /// Every submission whose present state [`settle`] needs.
    pub fn keys(&self) -> impl Iterator<Item = &SubmissionKey> {
        self.known.iter().map(|k| &k.key).chain(self.asks.iter().map(|a| &a.key))
    }
}

/// A submission's present state, as the store has it.
#[derive(Debug, Clone, Default)]
pub struct Present {
    /// Answers and order key.
    pub submission: Submission,
    /// Earlier assertions; needed (and then complete) only when the new one is late.
    pub history: History,
    /// Revisions stored so far; 0 when the submission is new.
    pub revisions: i32,
    /// The comment that stands.
    pub comment: Option<String>,
}

/// What a report changes.
#[derive(Debug, Clone)]
pub struct SubmissionChange {
    /// Which submission.
    pub key: SubmissionKey,
    /// Its checklist.
    pub checklist: Arc<Checklist>,
    /// The observer's station.
    pub station: Option<i32>,
    /// Which report of the text, from 0.
    pub place: u16,
    /// What the message asserted.
    pub assertion: Assertion,
    /// What that changed.
    pub change: Change,
    /// The submission after it.
    pub after: Submission,
    /// Required answers still missing.
    pub missing: Vec<SmolStr>,
    /// Rules that the answers break; `applies:AB` for an answer to a question that is not asked.
    pub broken_rules: Vec<String>,
    /// Comment of this report.
    pub comment: Option<String>,
}

/// What is to be stored and answered.
#[derive(Debug, Clone)]
pub struct Decision {
    /// The message's outcome.
    pub outcome: Outcome,
    /// Election, where it is known.
    pub election: Option<i32>,
    /// Observer, where it is known.
    pub observer: Option<i32>,
    /// Changes, in the order of the reports.
    pub changes: SmallVec<[SubmissionChange; 1]>,
    /// For staff, as stored in `message.reading`.
    pub reading: Reading,
    /// The answer to the observer; `None` when there is none to give.
    pub reply: Option<String>,
    /// The text as it is kept and shown; `None`: as it came.
    pub shown: Option<String>,
    /// The phone wants no messages from now on (STOP), or wants them again (START).
    pub silence: Option<bool>,
}

/// What earlier messages asserted, mostly one.
pub type History = SmallVec<[Assertion; 1]>;

/// The submissions that a batch touches, as they stand; [`settle`] keeps them up to date.
pub type PresentStates = HashMap<SubmissionKey, Present, BuildHasherDefault<KeyHasher>>;
