//! What observers are answered: templates by outcome and language, filled so that the reply fits one
//! segment where it can.
//!
//! A reply names the codes that are wrong and why, in the order sent, then those still missing. Lists
//! that do not fit are cut and end in `+3`.

use std::collections::BTreeMap;

use super::Understanding;
use crate::domain::checklist::{Checklist, QuestionType};
use crate::domain::outcome::Outcome;
use crate::domain::report::{Reason, Rejected, Report};
use crate::text::segments::measure;

/// Codes of one list that a reply ever names.
const NAMED_MAX: usize = 20;
/// Templates that come with the program, by language.
const BUILT_IN: [(&str, &str); 3] = [
    ("en", include_str!("../../../config/replies/en.toml")),
    ("fr", include_str!("../../../config/replies/fr.toml")),
    ("sw", include_str!("../../../config/replies/sw.toml")),
];
/// Every template with the placeholders that it may have.
const TEMPLATES: [(&str, &[&str]); 34] = [
    ("accepted", &["report", "answers"]),
    ("incident", &["report", "answers"]),
    ("comment", &["report"]),
    ("partial", &["report", "answers"]),
    ("corrected", &["report", "answers"]),
    ("duplicate", &["report"]),
    ("unclear", &["report"]),
    ("empty", &[]),
    ("unknown_observer", &["prefix", "observer"]),
    ("no_observer", &["prefix"]),
    ("unknown_checklist", &["text"]),
    ("closed", &["prefix"]),
    ("draft", &["prefix"]),
    ("paused", &["prefix"]),
    ("outdated", &["prefix", "form"]),
    ("unverified", &["report"]),
    ("held", &["report"]),
    ("help", &[]),
    ("status", &[]),
    ("stop", &[]),
    ("start", &[]),
    ("answers_one", &[]),
    ("answers_many", &["count"]),
    ("wrong", &["list"]),
    ("missing", &["list"]),
    ("leftover", &["text"]),
    ("check", &["text"]),
    ("uncalled", &["list"]),
    ("reason_range", &["value", "min", "max"]),
    ("reason_option", &["value"]),
    ("reason_unknown", &[]),
    ("reason_empty", &[]),
    ("reason_unclear", &["value"]),
    ("reason_rule", &["value"]),
];

/// Why templates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RepliesError {
    /// Not TOML, or not texts.
    #[error("replies/{language}.toml: {message}")]
    File {
        /// Language.
        language: String,
        /// What is wrong.
        message: String,
    },
    /// No such template.
    #[error("replies/{language}.toml: unknown key `{key}`; the keys are {}", TEMPLATES.map(|t| t.0).join(", "))]
    Key {
        /// Language.
        language: String,
        /// The key.
        key: String,
    },
    /// A placeholder that the template cannot have.
    #[error("replies/{language}.toml, `{key}`: unknown placeholder {{{placeholder}}}; it may have {known}")]
    Placeholder {
        /// Language.
        language: String,
        /// The key.
        key: String,
        /// The placeholder.
        placeholder: String,
        /// Those that are known.
        known: String,
    },
}

/// Fills a template of the reply's language.
type Fill<'a> = dyn Fn(&str, &[(&str, &str)]) -> String + 'a;

/// Templates by language.
#[derive(Debug, Clone)]
pub struct Replies {
    by_language: BTreeMap<String, BTreeMap<&'static str, String>>,
}

impl Replies {
    /// The templates that come with the program, with those of a deployment over them: language and TOML.
    /// A template that a language lacks is taken from English.
    ///
    /// # Errors
    /// The first file with an unknown key or placeholder, or that is no TOML of texts.
    pub fn new(overrides: &[(String, String)]) -> Result<Self, RepliesError> {
        let mut out = Self { by_language: BTreeMap::new() };
        for (language, text) in BUILT_IN {
            out.add(language, text)?;
        }
        for (language, text) in overrides {
            out.add(language, text)?;
        }
        Ok(out)
    }

    /// The templates that come with the program.
    pub fn built_in() -> Self {
        Self::new(&[]).unwrap_or_else(|_| Self { by_language: BTreeMap::new() })
    }

    fn add(&mut self, language: &str, text: &str) -> Result<(), RepliesError> {
        let file = |message: String| RepliesError::File { language: language.to_owned(), message };
        let table: BTreeMap<String, String> = toml::from_str(text).map_err(|e| file(e.to_string()))?;
        let templates = self.by_language.entry(language.to_owned()).or_default();
        for (key, template) in table {
            let Some((name, known)) = TEMPLATES.iter().find(|(name, _)| *name == key) else {
                return Err(RepliesError::Key { language: language.to_owned(), key });
            };
            for placeholder in placeholders(&template) {
                if !known.contains(&placeholder) {
                    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                    let placeholder = placeholder.to_owned();
                    return Err(RepliesError::Placeholder { language: language.to_owned(), key, placeholder, known });
                }
            }
            templates.insert(name, template);
        }
        Ok(())
    }

    fn fill(&self, language: &str, key: &str, values: &[(&str, &str)]) -> String {
        let find = |language: &str| self.by_language.get(language).and_then(|t| t.get(key));
        let template = find(language).or_else(|| find("en")).map_or("", String::as_str);
        let mut out = String::with_capacity(template.len() + 32);
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            let Some((name, after)) = after.split_once('}') else { break };
            out.push_str(values.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value));
            rest = after;
        }
        out.push_str(rest);
        out
    }
}

fn placeholders(template: &str) -> impl Iterator<Item = &str> {
    template.split('{').skip(1).map(|part| part.split('}').next().unwrap_or(part))
}

/// One report with what is to be said about it.
pub(super) struct Told<'a> {
    pub outcome: Outcome,
    pub report: &'a Report,
    pub checklist: Option<&'a Checklist>,
    /// What the text should begin with.
    pub instead: Option<&'a str>,
    pub missing: Vec<String>,
    /// Answered though not asked.
    pub uncalled: Vec<String>,
    /// Messages of broken rules that the observer is asked about.
    pub check: Vec<String>,
}

/// Writes the reply; `None` where none is given.
pub(super) fn write(
    replies: &Replies,
    understanding: &Understanding,
    outcome: Outcome,
    told: &[Told<'_>],
) -> Option<String> {
    let fill = |key: &str, values: &[(&str, &str)]| replies.fill(&understanding.language, key, values);
    match outcome {
        Outcome::Ignored | Outcome::Segment | Outcome::SetAside => return None,
        Outcome::Command => {
            let key = understanding.command.as_deref().unwrap_or("HELP").to_ascii_lowercase();
            return Some(fill(&key, &[]));
        }
        _ => {}
    }
    if told.is_empty() {
        let text: String = understanding.leftover.chars().take(20).collect();
        return Some(fill("unknown_checklist", &[("text", &text)]));
    }
    // From all that there is to say down to bare codes, until it fits one segment.
    let longest = told.iter().map(|t| t.missing.len().max(t.report.rejected.len())).max().unwrap_or(0).min(NAMED_MAX);
    let mut first = None;
    for (reasons, named) in
        [(true, longest), (false, longest)].into_iter().chain((1..longest).rev().map(|n| (false, n)))
    {
        let mut text = String::new();
        for one in told {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(&say(&fill, understanding, one, reasons, named));
        }
        if !understanding.leftover.is_empty() {
            text.push(' ');
            text.push_str(&fill("leftover", &[("text", &short(&understanding.leftover))]));
        }
        if measure(&text).segments <= 1 {
            return Some(text);
        }
        first = Some(text);
    }
    first
}

/// What is said about one report.
fn say(fill: &Fill<'_>, understanding: &Understanding, told: &Told<'_>, reasons: bool, named: usize) -> String {
    let report = told.report;
    let observer = report.observer.as_deref().unwrap_or_default();
    let name = format!("{} {observer}", report.prefix);
    let count = report.answers.len();
    let answers =
        if count == 1 { fill("answers_one", &[]) } else { fill("answers_many", &[("count", &count.to_string())]) };
    let values: [(&str, &str); 6] = [
        ("form", told.instead.unwrap_or_default()),
        ("report", name.trim()),
        ("answers", &answers),
        ("prefix", &report.prefix),
        ("observer", observer),
        ("text", name.trim()),
    ];
    let key = match told.outcome {
        Outcome::UnknownObserver if report.observer.is_none() => "no_observer",
        Outcome::Accepted | Outcome::Partial if count == 0 && report.comment.is_some() => "comment",
        Outcome::Accepted if report.incident => "incident",
        other => other.as_str(),
    };
    let mut out = fill(key, &values);
    if !matches!(
        told.outcome,
        Outcome::Accepted | Outcome::Partial | Outcome::Corrected | Outcome::Duplicate | Outcome::Unclear
    ) {
        return out;
    }
    let mut add = |key: &str, name: &str, value: &str| {
        out.push(' ');
        out.push_str(&fill(key, &[(name, value)]));
    };
    if !report.rejected.is_empty() {
        let wrong: Vec<String> = report
            .rejected
            .iter()
            .take(named)
            .map(|r| if reasons { format!("{} ({})", r.code, why(fill, told.checklist, r)) } else { r.code.clone() })
            .collect();
        add("wrong", "list", &cut(&wrong, report.rejected.len()));
    }
    if told.outcome == Outcome::Unclear && report.rejected.is_empty() && report.leftover.is_empty() {
        out.push(' ');
        out.push_str(&fill("empty", &[]));
        return out;
    }
    if !report.leftover.is_empty() {
        add("leftover", "text", &short(&report.leftover));
    }
    if told.outcome != Outcome::Duplicate {
        for message in told.check.iter().take(2) {
            add("check", "text", message);
        }
    }
    if !told.uncalled.is_empty() && told.outcome != Outcome::Duplicate {
        let list = told.uncalled.get(..named.min(told.uncalled.len())).unwrap_or_default();
        add("uncalled", "list", &cut(list, told.uncalled.len()));
    }
    let missing: Vec<String> =
        told.missing.iter().filter(|m| !report.rejected.iter().any(|r| r.code == **m)).cloned().collect();
    if !missing.is_empty() && understanding.refused.is_none() {
        let list = missing.get(..named.min(missing.len())).unwrap_or_default();
        add("missing", "list", &cut(list, missing.len()));
    }
    out
}

/// Joins names; `+3` for those that are left out.
fn cut(names: &[String], all: usize) -> String {
    let joined = names.join(", ");
    match all.saturating_sub(names.len()) {
        0 => joined,
        more => format!("{joined} +{more}"),
    }
}

fn short(text: &str) -> String {
    let mut out: String = text.chars().take(25).collect();
    if out.len() < text.len() {
        out.push_str("...");
    }
    out
}

/// Why a code is not recorded, in a few words.
fn why(fill: &Fill<'_>, checklist: Option<&Checklist>, rejected: &Rejected) -> String {
    let value: String = rejected.value.chars().take(8).collect();
    let value = [("value", value.as_str())];
    let fill = |key: &str, values: &[(&str, &str)]| fill(key, values).trim().to_owned();
    match rejected.reason {
        Reason::UnknownCode => fill("reason_unknown", &[]),
        Reason::Rule => fill("reason_rule", &value),
        Reason::NoValue => fill("reason_empty", &[]),
        Reason::NotAnOption => fill("reason_option", &value),
        Reason::WrongType | Reason::Unclear | Reason::Cut => fill("reason_unclear", &value),
        Reason::OutOfRange => {
            let (min, max) = match checklist.and_then(|c| c.question(&rejected.code)).map(|q| &q.kind) {
                Some(QuestionType::Count { min, max }) => (min.to_string(), max.to_string()),
                Some(QuestionType::Time { min, max }) => (min.clone(), max.clone()),
                _ => return fill("reason_unclear", &value),
            };
            fill("reason_range", &[value[0], ("min", &min), ("max", &max)])
        }
    }
}

/// Why a code is not recorded, as a sentence in English, for commands and staff.
pub fn explain(checklist: Option<&Checklist>, rejected: &Rejected) -> String {
    let replies = Replies::built_in();
    let fill = |key: &str, values: &[(&str, &str)]| replies.fill("en", key, values);
    format!("{}: {}", rejected.code, why(&fill, checklist, rejected))
}
