//! What observers are answered: templates by outcome and language, filled so that the reply fits one
//! segment where it can.
//!
//! A reply names the codes that are wrong and why, in the order sent, then those still missing. Lists
//! that do not fit are cut and end in `+3`. Lengths are summed, and the reply is written once.

mod compose;
mod length;
mod templates;
mod write;

#[cfg(test)]
mod tests;

pub use templates::{Longest, Replies, RepliesError};
pub(super) use write::{Told, command, named, set_aside, status, write};

use crate::domain::checklist::{Checklist, QuestionType};
use crate::domain::report::{Reason, Rejected};
use smol_str::format_smolstr;
use templates::{Filled, Key, Place, Set, Slot};

/// Characters of a value that a reason quotes.
const VALUE_CHARS: usize = 8;

/// Writes why a code is not recorded, in a few words, at the end of `out`; where they stand there.
fn why(set: &Set, out: &mut String, checklist: Option<&Checklist>, rejected: &Rejected) -> Place {
    let end = rejected.value.char_indices().nth(VALUE_CHARS).map_or(rejected.value.len(), |(end, _)| end);
    let value = length::spelled(rejected.value.get(..end).unwrap_or_default().trim());
    let from = out.len();
    let one = [(Slot::Value, Filled::Text(&value))];
    match rejected.reason {
        Reason::UnknownCode => set.fill(out, Key::ReasonUnknown, &[]),
        Reason::NoValue => set.fill(out, Key::ReasonEmpty, &[]),
        Reason::NotAnOption => set.fill(out, Key::ReasonOption, &one),
        Reason::Rule => set.fill(out, Key::ReasonRule, &one),
        Reason::WrongType | Reason::Unclear => set.fill(out, Key::ReasonUnclear, &one),
        Reason::Cut => set.fill(out, Key::ReasonCut, &one),
        Reason::OutOfRange => {
            let range = match checklist.and_then(|c| c.question(&rejected.code)).map(|q| &q.kind) {
                Some(QuestionType::Count { min, max }) => Some((format_smolstr!("{min}"), format_smolstr!("{max}"))),
                Some(QuestionType::Decimal { min, max }) => Some((format_smolstr!("{min}"), format_smolstr!("{max}"))),
                Some(QuestionType::Time { min, max }) => Some((min.into(), max.into())),
                Some(QuestionType::Date { min: Some(min), max: Some(max) }) => Some((min.into(), max.into())),
                _ => None,
            };
            match range {
                Some((min, max)) => {
                    let [value] = one;
                    let values = [value, (Slot::Min, Filled::Text(&min)), (Slot::Max, Filled::Text(&max))];
                    set.fill(out, Key::ReasonRange, &values);
                }
                None => set.fill(out, Key::ReasonUnclear, &one),
            }
        }
    }
    let said = out.get(from..).unwrap_or_default();
    let begin = from + said.len() - said.trim_start().len();
    (begin, begin + said.trim().len())
}

/// Why a code is not recorded, as a sentence in English, for commands and staff.
pub fn explain(checklist: Option<&Checklist>, rejected: &Rejected) -> String {
    let replies = Replies::built_in();
    let mut out = format!("{}: ", rejected.code);
    let (from, to) = why(replies.set("en"), &mut out, checklist, rejected);
    let why = out.get(from..to).unwrap_or_default().to_owned();
    format!("{}: {why}", rejected.code)
}
