//! What the grammar made of a text: reports with answers, what was refused and why, and the rest.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use smol_str::SmolStr;

use super::value::Answers;

/// Why a code that was sent is not recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The checklist has no such question.
    UnknownCode,
    /// A number, time or date outside the question's range.
    OutOfRange,
    /// Not one of the options.
    NotAnOption,
    /// The code came without a value.
    NoValue,
    /// The value is not of the question's type.
    WrongType,
    /// It can be read in more than one way, or was sent with two values.
    Unclear,
    /// It touches a segment that is missing.
    Cut,
    /// A rule of the checklist refuses it beside the report's other answers.
    Rule,
}

impl Reason {
    /// The word used in JSON and reply templates.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::UnknownCode => "unknown_code",
            Self::OutOfRange => "out_of_range",
            Self::NotAnOption => "not_an_option",
            Self::NoValue => "no_value",
            Self::WrongType => "wrong_type",
            Self::Unclear => "unclear",
            Self::Cut => "cut",
            Self::Rule => "rule",
        }
    }
}

/// A code that was sent and is not recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// The code as the checklist (or the observer) writes it, upper case.
    pub code: SmolStr,
    /// Why.
    pub reason: Reason,
    /// The text that stood as its value, cut to a few characters.
    pub value: String,
}

/// A thing worth knowing that did not stop the answer: a mending, a greeting, a rule that is broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// `mended`, `look_alike`, `leftover`, `repeated`, `unverified_phone`, `rule`, `incomplete` …
    pub kind: SmolStr,
    /// What exactly, for staff.
    pub detail: String,
}

/// One report as read from a text. Nothing in it has been checked against the roster yet.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Report {
    /// Checklist's prefix, upper case.
    pub prefix: SmolStr,
    /// Observer code as texted, mended to digits; `None` when the text had none.
    pub observer: Option<SmolStr>,
    /// `!` was there: each message opens an incident of its own.
    pub incident: bool,
    /// Serial, where the checklist has them.
    pub serial: Option<SmolStr>,
    /// Recorded answers, by code.
    pub answers: Answers,
    /// Codes that were sent and are not recorded, in the order sent.
    pub rejected: Vec<Rejected>,
    /// Text after `@`, untouched.
    pub comment: Option<String>,
    /// Text that was not understood and is quoted back to the observer.
    pub leftover: String,
    /// Notes for staff.
    pub notes: SmallVec<[Note; 1]>,
}
