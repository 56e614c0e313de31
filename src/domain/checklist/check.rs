//! Checks a checklist file: what comes out is sound, or every fault is named with its place and how to
//! mend it.
//!
//! The JSON is walked key by key, so that an unknown key is a fault and one fault hides no other.

mod faults;
mod formulas;
mod json;
mod question;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Checklist;
use crate::limits::QUESTIONS_MAX;
use faults::{Faults, letters, name_of};
pub(crate) use question::{day, minutes};

/// A fault in a checklist file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct Fault {
    /// Where: `checklists[0] PS, questions[3] AB`, or `line 5, column 12`.
    pub place: String,
    /// What is wrong and how to mend it.
    pub message: String,
}

/// A file that is sound.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checked {
    /// Its checklists.
    pub checklists: Vec<Checklist>,
    /// How many digits an observer code has, where that is fixed.
    pub observer_digits: Option<u8>,
    /// Observer codes that exist; any code does when empty. Used by `checklist try` only.
    pub observers: Vec<String>,
}

/// Checks the text of a checklist file.
///
/// # Errors
/// Every fault, in the order of the file.
pub fn check(text: &str) -> Result<Checked, Vec<Fault>> {
    let json = json::read(text.trim_start_matches('\u{FEFF}')).map_err(|e| {
        let place = format!("line {}, column {}", e.line(), e.column());
        let message = e.to_string();
        let message = message.rsplit_once(" at line").map_or(message.as_str(), |(m, _)| m);
        let message = if e.is_data() { message.to_owned() } else { format!("this is no JSON: {message}") };
        vec![Fault { place, message }]
    })?;
    check_json(&json)
}

/// Checks a checklist file that is JSON already.
///
/// # Errors
/// Every fault, in the order of the file.
pub fn check_json(json: &Value) -> Result<Checked, Vec<Fault>> {
    let mut faults = Faults::default();
    let mut out = Checked::default();
    match json.as_object() {
        None => faults.add("the file", "must hold one JSON object, a checklist or {\"checklists\": [...]}"),
        Some(file) if file.contains_key("checklists") => several(file, &mut out, &mut faults),
        Some(one) => {
            let place = format!("checklist {}", name_of(one, "prefix"));
            out.checklists.extend(checklist(one, place.trim(), &mut faults));
        }
    }
    if faults.0.is_empty() { Ok(out) } else { Err(faults.0) }
}

fn several(file: &Map<String, Value>, out: &mut Checked, faults: &mut Faults) {
    faults.unknown_keys("the file", file, &["checklists", "observer_digits", "observers"]);
    match file.get("checklists") {
        Some(Value::Array(list)) if !list.is_empty() => {
            for (i, item) in list.iter().enumerate() {
                match item.as_object() {
                    None => faults.add(&format!("checklists[{i}]"), "must be an object"),
                    Some(object) => {
                        let place = format!("checklists[{i}] {}", name_of(object, "prefix"));
                        out.checklists.extend(checklist(object, place.trim(), faults));
                    }
                }
            }
            between(&out.checklists, faults);
        }
        _ => faults.add("the file", "`checklists` must be a list with at least one checklist"),
    }
    if let Some(digits) = faults.whole("the file", file, "observer_digits") {
        match u8::try_from(digits) {
            Ok(n @ 1..=20) => out.observer_digits = Some(n),
            _ => faults.add("the file", format!("`observer_digits` is {digits}; it must be from 1 to 20")),
        }
    }
    match file.get("observers") {
        None => {}
        Some(Value::Array(list)) => {
            for (i, item) in list.iter().enumerate() {
                match item.as_str() {
                    Some(code) if !code.is_empty() && code.bytes().all(|b| b.is_ascii_digit()) => {
                        if out.observer_digits.is_some_and(|n| usize::from(n) != code.len()) {
                            let message = format!("{code} has {} digits, and `observer_digits` is another", code.len());
                            faults.add(&format!("observers[{i}]"), message);
                        }
                        out.observers.push(code.to_owned());
                    }
                    _ => faults.add(&format!("observers[{i}]"), format!("{item} is no code: write digits in quotes")),
                }
            }
        }
        Some(_) => faults.add("the file", "`observers` must be a list of codes"),
    }
}

/// What must not meet in one election.
fn between(checklists: &[Checklist], faults: &mut Faults) {
    let mut seen = BTreeSet::new();
    for (i, checklist) in checklists.iter().enumerate() {
        let place = format!("checklists[{i}] {}", checklist.prefix);
        if !seen.insert(&checklist.prefix) {
            faults.add(&place, format!("prefix {} is used by an earlier checklist: choose another", checklist.prefix));
        }
        if let Some(other) =
            checklists.iter().find(|o| o.prefix != checklist.prefix && o.question(&checklist.prefix).is_some())
        {
            let message =
                format!("prefix {} is also a code of {}: a text could mean either", checklist.prefix, other.prefix);
            faults.add(&place, message);
        }
    }
}

fn checklist(object: &Map<String, Value>, place: &str, faults: &mut Faults) -> Option<Checklist> {
    let before = faults.0.len();
    let known = [
        "prefix",
        "title",
        "kind",
        "grammar",
        "state",
        "version",
        "marked",
        "accepted_from",
        "serial",
        "sections",
        "questions",
        "rules",
    ];
    faults.unknown_keys(place, object, &known);
    let prefix = faults.text(place, object, "prefix").unwrap_or_default();
    letters(place, prefix, "prefix", faults);
    faults.translated(place, object.get("title"), "title");
    faults.one_of(place, object, "kind", &["checklist", "incident"]);
    faults.one_of(place, object, "grammar", &["compact", "keyed"]);
    faults.one_of(place, object, "state", &["draft", "live", "paused", "closed"]);
    faults.yes_no(place, object, "serial");
    if faults.whole(place, object, "version").is_some_and(|v| !(1..=i64::from(i32::MAX)).contains(&v)) {
        faults.add(place, "`version` must be 1 or more");
    }
    versions(object, place, faults);
    let serial = object.get("serial") == Some(&Value::Bool(true));
    let mut codes: BTreeSet<&str> = BTreeSet::new();
    match object.get("questions") {
        Some(Value::Array(list)) if !list.is_empty() => {
            let asks_a_time = list.iter().any(|q| q.get("type").and_then(Value::as_str) == Some("time"));
            if list.len() > QUESTIONS_MAX {
                faults.add(
                    place,
                    format!("{} questions, and {QUESTIONS_MAX} are allowed: split the checklist", list.len()),
                );
            }
            for (i, item) in list.iter().enumerate().take(QUESTIONS_MAX) {
                let Some(object) = item.as_object() else {
                    faults.add(&format!("{place}, questions[{i}]"), "must be an object");
                    continue;
                };
                let code = name_of(object, "code");
                let place = format!("{place}, questions[{i}] {code}");
                let place = place.trim_end();
                question::question(object, place, faults);
                if !code.is_empty() && code == prefix {
                    faults.add(place, format!("code {code} is also the prefix: choose another"));
                }
                if serial && code == "X" {
                    faults.add(place, "code X would be taken for the serial: choose another");
                }
                if asks_a_time && ["AM", "PM"].contains(&code) {
                    faults.add(
                        place,
                        format!("code {code} would be taken for half of a day after a time: choose another"),
                    );
                }
                if !codes.insert(code) && !code.is_empty() {
                    faults.add(place, format!("code {code} is used by an earlier question: each needs its own"));
                }
            }
        }
        _ => faults.add(place, "`questions` must be a list with at least one question"),
    }
    let texts = object.get("questions").and_then(Value::as_array).into_iter().flatten();
    let texts = texts.filter(|q| q.get("type").and_then(Value::as_str) == Some("text")).count();
    if texts > 1 && object.get("grammar").and_then(Value::as_str) != Some("keyed") {
        faults.add(
            place,
            format!("{texts} questions of type text, and a text has one comment: keep one, or use \"keyed\""),
        );
    }
    formulas::formulas(object, place, faults);
    if faults.0.len() > before {
        return None;
    }
    match Checklist::deserialize_checked(object) {
        Ok(checklist) => Some(checklist),
        Err(error) => faults.none(place, error.to_string()),
    }
}

/// How a text tells the version of its form, and which ones are taken.
fn versions(object: &Map<String, Value>, place: &str, faults: &mut Faults) {
    faults.yes_no(place, object, "marked");
    let Some(from) = faults.whole(place, object, "accepted_from") else { return };
    if from < 1 {
        faults.add(place, "`accepted_from` must be 1 or more: the oldest version whose reports are taken");
    }
    if object.get("marked") != Some(&Value::Bool(true)) {
        faults.add(place, "`accepted_from` needs `\"marked\": true`: otherwise no text tells its version");
    }
}

impl Checklist {
    fn deserialize_checked(object: &Map<String, Value>) -> Result<Self, serde_json::Error> {
        let mut object = object.clone();
        object.remove("$schema");
        serde_json::from_value(Value::Object(object))
    }
}
