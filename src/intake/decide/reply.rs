//! What observers are answered: templates by outcome and language, filled so that the reply fits one
//! segment where it can.
//!
//! A reply names the codes that are wrong and why, in the order sent, then those still missing. Lists
//! that do not fit are cut and end in `+3`. Lengths are summed, and the reply is written once.

mod length;
mod templates;
mod write;

#[cfg(test)]
mod tests;

pub use templates::{Longest, Replies, RepliesError};
pub(super) use write::{Told, command, status, write};

use crate::domain::checklist::{Checklist, QuestionType};
use crate::domain::report::{Reason, Rejected};
use templates::{Key, Set, Slot};

/// Why a code is not recorded, in a few words.
fn why(set: &Set, checklist: Option<&Checklist>, rejected: &Rejected) -> String {
    let value: String = rejected.value.chars().take(8).collect();
    let value = length::spelled(value.trim());
    let fill = |key: Key, values: &[(Slot, &str)]| set.text(key, values).trim().to_owned();
    let one = [(Slot::Value, &*value)];
    match rejected.reason {
        Reason::UnknownCode => fill(Key::ReasonUnknown, &[]),
        Reason::NoValue => fill(Key::ReasonEmpty, &[]),
        Reason::NotAnOption => fill(Key::ReasonOption, &one),
        Reason::Rule => fill(Key::ReasonRule, &one),
        Reason::WrongType | Reason::Unclear | Reason::Cut => fill(Key::ReasonUnclear, &one),
        Reason::OutOfRange => {
            let (min, max) = match checklist.and_then(|c| c.question(&rejected.code)).map(|q| &q.kind) {
                Some(QuestionType::Count { min, max }) => (min.to_string(), max.to_string()),
                Some(QuestionType::Decimal { min, max }) => (min.to_string(), max.to_string()),
                Some(QuestionType::Time { min, max }) => (min.clone(), max.clone()),
                Some(QuestionType::Date { min: Some(min), max: Some(max) }) => (min.clone(), max.clone()),
                _ => return fill(Key::ReasonUnclear, &one),
            };
            fill(Key::ReasonRange, &[(Slot::Value, &*value), (Slot::Min, &min), (Slot::Max, &max)])
        }
    }
}

/// Why a code is not recorded, as a sentence in English, for commands and staff.
pub fn explain(checklist: Option<&Checklist>, rejected: &Rejected) -> String {
    let replies = Replies::built_in();
    format!("{}: {}", rejected.code, why(&replies.set("en"), checklist, rejected))
}
