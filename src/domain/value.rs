//! One answer's value, and its form in JSON and PostgreSQL.

use serde::{Deserialize, Serialize};

pub use super::answers::Answers;

/// What an observer answered to one question.
///
/// The JSON form is plain, since the checklist says the type: a count is a number, yes/no a
/// boolean, a choice its option number, several choices a list of them, a time `"07:05"`, a date
/// `"2026-02-01"`, a flag `true`, text and decimals strings, and *not available* `{"na": 999}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// yes_no and flag.
    Bool(bool),
    /// count, and the option number of a choice.
    Number(i64),
    /// multi_choice: option numbers, ascending, each once.
    Options(Vec<u16>),
    /// The null value that was sent in place of an answer, kept apart from numbers.
    NotAvailable {
        /// The null value itself, for example 999.
        na: i64,
    },
    /// time `HH:MM`, date `YYYY-MM-DD`, exact decimal, or free text.
    Text(String),
}
