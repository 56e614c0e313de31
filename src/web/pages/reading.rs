//! What was read in a text, from the JSON that stands with a message. It is read leniently: an older
//! or newer form shows less, never an error.

use serde::Deserialize;
use serde_json::Value as Json;

use super::answer;
use crate::domain::checklist::Checklist;
use crate::domain::report::{Note, Report};

/// One report as read.
#[derive(Debug, Clone)]
pub(super) struct Read {
    /// `PS 123456 !`
    pub(super) header: String,
    /// Why it could not be recorded at all.
    pub(super) refused: Option<String>,
    /// Code and answer.
    pub(super) answers: Vec<(String, String)>,
    /// Code, value and why not.
    pub(super) rejected: Vec<(String, String, &'static str)>,
    /// Text after `@`.
    pub(super) comment: Option<String>,
    /// Text that was not understood.
    pub(super) leftover: String,
    /// Notes.
    pub(super) notes: Vec<Note>,
}

/// All that was read.
#[derive(Debug, Clone, Default)]
pub(super) struct Reading {
    /// Reports, recorded ones first.
    pub(super) reports: Vec<Read>,
    /// Notes on the whole text.
    pub(super) notes: Vec<Note>,
}

#[derive(Deserialize)]
struct Unknown {
    report: Report,
    #[serde(default)]
    outcome: String,
}

impl Reading {
    /// From the JSON; `checklists` name the options.
    pub(super) fn of(json: &Json, checklists: &[Checklist], language: &str) -> Self {
        let list = |key: &str| json.get(key).and_then(Json::as_array).cloned().unwrap_or_default();
        let mut reports: Vec<Read> = list("reports")
            .into_iter()
            .filter_map(|r| serde_json::from_value::<Report>(r).ok())
            .map(|r| read(r, None, checklists, language))
            .collect();
        reports.extend(list("unknown").into_iter().filter_map(|u| {
            let (report, outcome) = match &u {
                Json::Array(_) => serde_json::from_value::<(Report, String)>(u).ok()?,
                Json::Object(o) if o.contains_key("report") => {
                    let unknown: Unknown = serde_json::from_value(u).ok()?;
                    (unknown.report, unknown.outcome)
                }
                _ => {
                    let outcome = u.get("outcome").and_then(Json::as_str).unwrap_or_default().to_owned();
                    (serde_json::from_value(u).ok()?, outcome)
                }
            };
            Some(read(report, Some(outcome.replace('_', " ")), checklists, language))
        }));
        let notes = list("notes").into_iter().filter_map(|n| serde_json::from_value(n).ok()).collect();
        Self { reports, notes }
    }

    /// Is there nothing to show?
    pub(super) fn is_empty(&self) -> bool {
        self.reports.is_empty() && self.notes.is_empty()
    }
}

fn read(report: Report, refused: Option<String>, checklists: &[Checklist], language: &str) -> Read {
    let checklist = checklists.iter().find(|c| c.prefix == report.prefix);
    let mut header = report.prefix.to_string();
    if let Some(observer) = &report.observer {
        header.push(' ');
        header.push_str(observer);
    }
    if report.incident {
        header.push_str(" !");
    }
    if let Some(serial) = &report.serial {
        header.push_str(" X");
        header.push_str(serial);
    }
    let answers = report
        .answers
        .iter()
        .map(|(code, value)| {
            let question = checklist.and_then(|c| c.question(code));
            let words = value.as_ref().map_or_else(|| "withdrawn".to_owned(), |v| answer::words(question, v, language));
            (code.to_string(), words)
        })
        .collect();
    let rejected = report
        .rejected
        .into_iter()
        .map(|r| {
            let why = reason_words(r.reason.as_str());
            (r.code.into(), r.value, why)
        })
        .collect();
    Read {
        header,
        refused,
        answers,
        rejected,
        comment: report.comment,
        leftover: report.leftover,
        notes: report.notes.into_vec(),
    }
}

fn reason_words(reason: &str) -> &'static str {
    match reason {
        "unknown_code" => "no such question",
        "out_of_range" => "out of range",
        "not_an_option" => "not an option",
        "no_value" => "no value",
        "wrong_type" => "not a value of this kind",
        "cut" => "touches a missing part of the text",
        _ => "unclear",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_in_a_form_that_is_not_known_shows_less_and_fails_never() {
        for odd in ["null", "[]", r#"{"reports":7}"#, r#"{"reports":[{"prefix":1}],"notes":["x"],"unknown":[[1]]}"#] {
            assert!(Reading::of(&serde_json::from_str(odd).unwrap(), &[], "en").is_empty(), "{odd}");
        }
    }
}
