//! A checklist: what observers are asked, how they answer by text, and what is checked.
//!
//! The file form is JSON (`schemas/checklist.schema.json`). [`Checklist`] is made only through
//! [`check`], so that one in hand is always sound.

mod check;
pub mod formula;
pub mod logic;
pub mod number;

pub use check::{Checked, Fault, check, check_json};
pub(crate) use check::{day, minutes};

use super::decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A text in several languages: a plain string, or one a language (`{"en": "...", "fr": "..."}`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Translated {
    /// The same in every language.
    One(String),
    /// By language code.
    Many(BTreeMap<String, String>),
}

impl Translated {
    /// The text in every language.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        let (one, many) = match self {
            Self::One(text) => (Some(text.as_str()), None),
            Self::Many(by) => (None, Some(by.values().map(String::as_str))),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    /// The text in a language, else in English, else in whatever language there is.
    pub fn get(&self, language: &str) -> &str {
        match self {
            Self::One(text) => text,
            Self::Many(by) => {
                by.get(language).or_else(|| by.get("en")).or_else(|| by.values().next()).map_or("", String::as_str)
            }
        }
    }
}

/// What kind of reports a checklist takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One report an observer (and serial); later ones correct it. Expected of each observer.
    #[default]
    Checklist,
    /// Each message marked `!` opens a new one. Not expected of anybody.
    Incident,
}

/// How its reports are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrammarKind {
    /// `PS 123456 AA1 BA2`.
    #[default]
    Compact,
    /// `FORM 1.15 2.b`: the questions are numbered in the checklist's order, from 1.
    Keyed,
}

/// Whether reports are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChecklistState {
    /// Not yet for use.
    Draft,
    /// Reports are taken.
    #[default]
    Live,
    /// Reports are refused for now.
    Paused,
    /// Reports are no longer taken.
    Closed,
}

impl ChecklistState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Draft, Self::Live, Self::Paused, Self::Closed];

    /// The word used in PostgreSQL, JSON and commands.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Live => "live",
            Self::Paused => "paused",
            Self::Closed => "closed",
        }
    }

    /// The inverse of [`ChecklistState::as_str`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == word)
    }
}

/// A question's type with what it allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum QuestionType {
    /// A whole number from `min` to `max`, both allowed.
    Count {
        /// Smallest.
        #[serde(default)]
        min: i64,
        /// Greatest.
        max: i64,
    },
    /// Yes or no; by default 1 is yes and 2 is no.
    #[serde(alias = "yesno")]
    YesNo {
        /// Option number to label; the one that means yes is the first.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "options_by_number")]
        options: BTreeMap<u16, Translated>,
    },
    /// One of the options.
    Choice {
        /// Option number to label.
        #[serde(deserialize_with = "options_by_number")]
        options: BTreeMap<u16, Translated>,
    },
    /// One or more of the options; digits run together while no option is above 9.
    #[serde(alias = "multi")]
    MultiChoice {
        /// Option number to label.
        #[serde(deserialize_with = "options_by_number")]
        options: BTreeMap<u16, Translated>,
    },
    /// A time of day, from `min` to `max` (`HHMM`), both allowed.
    Time {
        /// Earliest, `HHMM`.
        #[serde(default = "midnight")]
        min: String,
        /// Latest, `HHMM`.
        #[serde(default = "last_minute")]
        max: String,
    },
    /// The bare code.
    Flag {},
    /// A number with digits after the point, exact, from `min` to `max`, both allowed.
    Decimal {
        /// Smallest.
        #[serde(default)]
        min: Decimal,
        /// Greatest.
        max: Decimal,
    },
    /// A date, from `min` to `max` (`YYYYMMDD`), both allowed.
    Date {
        /// Earliest, `YYYYMMDD`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<String>,
        /// Latest, `YYYYMMDD`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<String>,
    },
    /// Free text: after its number in the keyed grammar, the comment in the compact one.
    Text {},
}

/// JSON's keys are strings, and inside a tagged, flattened enum serde no longer turns them into numbers.
fn options_by_number<'de, D: serde::Deserializer<'de>>(source: D) -> Result<BTreeMap<u16, Translated>, D::Error> {
    let named = BTreeMap::<String, Translated>::deserialize(source)?;
    let mut options = BTreeMap::new();
    for (name, label) in named {
        let number = name
            .parse()
            .map_err(|_| serde::de::Error::custom(format!("option `{name}` is no number from 0 to {}", u16::MAX)))?;
        if options.insert(number, label).is_some() {
            return Err(serde::de::Error::custom(format!("option {number} stands there twice")));
        }
    }
    Ok(options)
}

fn midnight() -> String {
    "0000".to_owned()
}

fn last_minute() -> String {
    "2359".to_owned()
}

impl QuestionType {
    /// The word used in files and pages.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Count { .. } => "count",
            Self::YesNo { .. } => "yes_no",
            Self::Choice { .. } => "choice",
            Self::MultiChoice { .. } => "multi_choice",
            Self::Time { .. } => "time",
            Self::Flag {} => "flag",
            Self::Decimal { .. } => "decimal",
            Self::Date { .. } => "date",
            Self::Text {} => "text",
        }
    }
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Letters, upper case, unique in the checklist.
    pub code: String,
    /// What the observer is asked.
    pub text: Translated,
    /// Type and what it allows.
    #[serde(flatten)]
    pub kind: QuestionType,
    /// Its absence makes a report incomplete. Flags never are.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub required: bool,
    /// A number that says "not available", accepted beyond `max`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub null_value: Option<i64>,
    /// Heading under which the question stands in guides and pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section: Option<String>,
    /// The question is asked only if this holds ([`formula`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
}

/// What is said once for all questions of a section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// As its questions name it.
    pub name: String,
    /// Its heading, by language; the name when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Translated>,
    /// Its questions are asked only if this holds ([`formula`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
}

fn yes() -> bool {
    true
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_true(value: &bool) -> bool {
    *value
}

/// What a broken rule means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth a look by staff; the observer is not asked.
    #[default]
    Warning,
    /// Recorded, and the observer is asked to check.
    Error,
    /// Not recorded, and the observer is asked to send again: the codes of the rule, where one report
    /// breaks it by itself. Where it takes an earlier report to break it, it is like [`Severity::Error`].
    Refuse,
}

/// A rule between answers, for example `RV + RX == RT`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Short name, for pages and metrics.
    pub name: String,
    /// What must hold ([`formula`]). It is checked when all that it speaks of is answered.
    pub expr: String,
    /// What a broken rule means.
    #[serde(default)]
    pub severity: Severity,
    /// What to tell the observer; `{difference}` is left side less right side, `{RV}` an answer.
    pub message: Translated,
}

/// A checklist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checklist {
    /// PostgreSQL's key; 0 for one read from a file.
    #[serde(skip)]
    pub id: i32,
    /// Letters that begin each report, upper case.
    pub prefix: String,
    /// Its name.
    pub title: Translated,
    /// Kind of reports.
    #[serde(default)]
    pub kind: Kind,
    /// How they are written.
    #[serde(default)]
    pub grammar: GrammarKind,
    /// Whether they are taken.
    #[serde(default)]
    pub state: ChecklistState,
    /// 1, 2, 3 … within the election.
    #[serde(default = "first_version")]
    pub version: u32,
    /// Does a text tell the version of its form, by a letter after the prefix (`PSB` for version 2)?
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub marked: bool,
    /// Oldest version whose reports are still taken; this one when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_from: Option<u32>,
    /// Do reports carry a serial (`X7`)?
    #[serde(default)]
    pub serial: bool,
    /// Sections that have a condition or a heading of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sections: Vec<Section>,
    /// The questions, in the order of the printed guide.
    pub questions: Vec<Question>,
    /// Rules between answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
}

/// `A` for version 1; the 26th is the last that has a letter.
pub fn version_letter(version: u32) -> Option<char> {
    let place = u8::try_from(version.checked_sub(1)?).ok().filter(|n| *n < 26)?;
    Some(char::from(b'A' + place))
}

/// The names between braces in a template.
pub fn placeholders(template: &str) -> impl Iterator<Item = &str> {
    template.split('{').skip(1).map(|part| part.split('}').next().unwrap_or(part))
}

fn first_version() -> u32 {
    1
}

impl Checklist {
    /// The question with this code.
    pub fn question(&self, code: &str) -> Option<&Question> {
        self.questions.iter().find(|q| q.code == code)
    }

    /// What a text begins with: the prefix, and the letter of the version where texts tell it.
    pub fn opening(&self) -> String {
        let letter = self.marked.then(|| version_letter(self.version)).flatten();
        self.prefix.chars().chain(letter).collect()
    }

    /// Codes whose absence makes a report incomplete where they are asked, in the guide's order. Which of
    /// them a report must have goes by its other answers: [`logic::Logic::missing`].
    pub fn required_codes(&self) -> impl Iterator<Item = &str> {
        self.questions
            .iter()
            .filter(|q| q.required && !matches!(q.kind, QuestionType::Flag {}) && self.kind == Kind::Checklist)
            .map(|q| q.code.as_str())
    }
}

impl QuestionType {
    /// The options, where the type has any.
    pub fn options(&self) -> Option<&BTreeMap<u16, Translated>> {
        match self {
            Self::YesNo { options } | Self::Choice { options } | Self::MultiChoice { options } => Some(options),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn option_numbers_are_read_from_json_and_written_back() {
        let text = r#"{"code":"BA","text":"How?","type":"choice","options":{"1":"One","2":"Two"}}"#;
        let question: Question = serde_json::from_str(text).unwrap();
        let QuestionType::Choice { options } = &question.kind else { panic!("{question:?}") };
        assert_eq!(options.keys().copied().collect::<Vec<_>>(), [1, 2]);
        let again: Question = serde_json::from_value(serde_json::to_value(&question).unwrap()).unwrap();
        assert_eq!(again, question);
        assert!(serde_json::from_str::<Question>(&text.replace("\"2\"", "\"two\"")).is_err());
    }
}
