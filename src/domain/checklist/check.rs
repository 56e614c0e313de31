//! Checks a checklist file: what comes out is sound, or every fault is named with its place and how to
//! mend it.
//!
//! The JSON is walked key by key, so that an unknown key is a fault and one fault hides no other.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::rule::Expr;
use super::{Checklist, QuestionType};
use crate::domain::decimal::Decimal;
use crate::limits::QUESTIONS_MAX;

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
    let json: Value = serde_json::from_str(text.trim_start_matches('\u{FEFF}')).map_err(|e| {
        let place = format!("line {}, column {}", e.line(), e.column());
        let message = e.to_string();
        let message = message.rsplit_once(" at line").map_or(message.as_str(), |(m, _)| m);
        vec![Fault { place, message: format!("this is no JSON: {message}") }]
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

#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, place: &str, message: impl Into<String>) {
        self.0.push(Fault { place: place.to_owned(), message: message.into() });
    }

    fn unknown_keys(&mut self, place: &str, object: &Map<String, Value>, known: &[&str]) {
        for key in object.keys().filter(|k| !known.contains(&k.as_str()) && *k != "$schema") {
            let known = known.join(", ");
            self.add(place, format!("unknown key `{key}`; the keys here are {known}"));
        }
    }

    fn text<'a>(&mut self, place: &str, object: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
        match object.get(key) {
            Some(Value::String(text)) if !text.trim().is_empty() => Some(text),
            Some(Value::String(_)) => self.none(place, format!("`{key}` is empty")),
            Some(_) => self.none(place, format!("`{key}` must be a text in quotes")),
            None => self.none(place, format!("`{key}` is missing")),
        }
    }

    fn none<T>(&mut self, place: &str, message: String) -> Option<T> {
        self.add(place, message);
        None
    }

    /// A whole number, where there is one.
    fn whole(&mut self, place: &str, object: &Map<String, Value>, key: &str) -> Option<i64> {
        let value = object.get(key)?;
        let n = value.as_i64().filter(|n| n.unsigned_abs() < 1 << 53);
        if n.is_none() {
            self.add(place, format!("`{key}` must be a whole number and not {value}"));
        }
        n
    }

    fn yes_no(&mut self, place: &str, object: &Map<String, Value>, key: &str) {
        if object.get(key).is_some_and(|v| !v.is_boolean()) {
            self.add(place, format!("`{key}` must be true or false"));
        }
    }

    fn one_of(&mut self, place: &str, object: &Map<String, Value>, key: &str, known: &[&str]) {
        if let Some(value) = object.get(key)
            && !value.as_str().is_some_and(|v| known.contains(&v))
        {
            self.add(place, format!("`{key}` is {value}; it must be one of {}", known.join(", ")));
        }
    }

    /// A text, or one a language.
    fn translated(&mut self, place: &str, value: Option<&Value>, key: &str) {
        match value {
            None => self.add(place, format!("`{key}` is missing")),
            Some(Value::String(text)) if !text.trim().is_empty() => {}
            Some(Value::Object(by)) if !by.is_empty() => {
                for (language, text) in by {
                    if !language.bytes().all(|b| b.is_ascii_lowercase()) || !(2..=3).contains(&language.len()) {
                        self.add(place, format!("`{key}`: `{language}` is no language; write a code such as en or fr"));
                    }
                    if text.as_str().is_none_or(|t| t.trim().is_empty()) {
                        self.add(place, format!("`{key}` has no text in `{language}`"));
                    }
                }
            }
            Some(Value::String(_)) => self.add(place, format!("`{key}` is empty")),
            Some(_) => self.add(place, format!("`{key}` must be a text, or texts by language: {{\"en\": \"...\"}}")),
        }
    }
}

/// What an object is called, for its place in the file.
fn name_of<'a>(object: &'a Map<String, Value>, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
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

/// Letters A to Z in upper case.
fn letters(place: &str, word: &str, what: &str, faults: &mut Faults) {
    if !word.bytes().all(|b| b.is_ascii_uppercase()) {
        let upper = word.to_ascii_uppercase();
        let hint =
            if upper.bytes().all(|b| b.is_ascii_uppercase()) { format!(": write {upper}") } else { String::new() };
        faults.add(place, format!("{what} `{word}` must be letters from A to Z in upper case{hint}"));
    }
    if word.len() > 10 {
        faults.add(place, format!("{what} `{word}` has more than 10 letters: shorten it"));
    }
}

fn checklist(object: &Map<String, Value>, place: &str, faults: &mut Faults) -> Option<Checklist> {
    let before = faults.0.len();
    let known = ["prefix", "title", "kind", "grammar", "state", "version", "serial", "questions", "rules"];
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
    let serial = object.get("serial") == Some(&Value::Bool(true));
    let mut counts: BTreeMap<String, bool> = BTreeMap::new();
    match object.get("questions") {
        Some(Value::Array(list)) if !list.is_empty() => {
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
                question(object, place, faults);
                if !code.is_empty() && code == prefix {
                    faults.add(place, format!("code {code} is also the prefix: choose another"));
                }
                if serial && code == "X" {
                    faults.add(place, "code X would be taken for the serial: choose another");
                }
                if counts.insert(code.to_owned(), name_of(object, "type") == "count").is_some() && !code.is_empty() {
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
    rules(object, place, &counts, faults);
    if faults.0.len() > before {
        return None;
    }
    match Checklist::deserialize_checked(object) {
        Ok(checklist) => Some(checklist),
        Err(error) => faults.none(place, error.to_string()),
    }
}

impl Checklist {
    fn deserialize_checked(object: &Map<String, Value>) -> Result<Self, serde_json::Error> {
        let mut object = object.clone();
        object.remove("$schema");
        serde_json::from_value(Value::Object(object))
    }
}

fn question(object: &Map<String, Value>, place: &str, faults: &mut Faults) {
    let code = faults.text(place, object, "code").unwrap_or_default();
    letters(place, code, "code", faults);
    faults.translated(place, object.get("text"), "text");
    faults.yes_no(place, object, "required");
    if object.get("section").is_some_and(|s| s.as_str().is_none_or(|s| s.trim().is_empty())) {
        faults.add(place, "`section` must be a text in quotes");
    }
    let null = faults.whole(place, object, "null_value");
    if null.is_some_and(|n| n < 0) {
        faults.add(place, "`null_value` must not be below 0: observers cannot text it");
    }
    let Some(kind) = faults.text(place, object, "type") else { return };
    let own: &[&str] = match kind {
        "count" | "time" | "decimal" | "date" => &["min", "max"],
        "yes_no" | "yesno" | "choice" | "multi_choice" | "multi" => &["options"],
        "flag" | "text" => &[],
        _ => {
            let known = "count, decimal, yes_no, choice, multi_choice, time, date, flag, text";
            return faults.add(place, format!("`type` is `{kind}`; it must be one of {known}"));
        }
    };
    let mut known = vec!["code", "type", "text", "required", "null_value", "section"];
    known.extend(own);
    faults.unknown_keys(place, object, &known);
    match kind {
        "count" => count(object, place, null, faults),
        "time" => time(object, place, null, faults),
        "flag" if null.is_some() => faults.add(place, "a flag has no `null_value`: remove it"),
        "text" if null.is_some() => faults.add(place, "a text has no `null_value`: remove it"),
        "flag" | "text" => {}
        "decimal" => decimal(object, place, null, faults),
        "date" => date(object, place, null, faults),
        _ => options(object, place, kind, null, faults),
    }
}

fn count(object: &Map<String, Value>, place: &str, null: Option<i64>, faults: &mut Faults) {
    let min = faults.whole(place, object, "min").unwrap_or(0);
    if !object.contains_key("max") {
        faults.add(place, "`max` is missing: say how great the number may be");
    }
    let Some(max) = faults.whole(place, object, "max") else { return };
    if min > max {
        faults.add(place, format!("`min` {min} is above `max` {max}: no answer could ever be right"));
    }
    if let Some(null) = null.filter(|n| (min..=max).contains(n)) {
        let message = format!("`null_value` {null} lies between `min` {min} and `max` {max}: choose one beyond");
        faults.add(place, message);
    }
}

fn time(object: &Map<String, Value>, place: &str, null: Option<i64>, faults: &mut Faults) {
    let mut at = |key: &str, default: u16| match object.get(key) {
        None => Some(default),
        Some(value) => {
            let minutes = value.as_str().and_then(minutes);
            if minutes.is_none() {
                faults.add(place, format!("`{key}` is {value}; write a time as \"HHMM\", from \"0000\" to \"2359\""));
            }
            minutes
        }
    };
    let (Some(min), Some(max)) = (at("min", 0), at("max", 24 * 60 - 1)) else { return };
    if min > max {
        faults.add(place, "`min` is later than `max`: no answer could ever be right");
    }
    if null.is_some_and(|n| minutes(&format!("{n:04}")).is_some()) {
        faults.add(place, "`null_value` is a time of day too: choose one such as 9999");
    }
}

fn decimal(object: &Map<String, Value>, place: &str, null: Option<i64>, faults: &mut Faults) {
    let mut read = |key: &str| -> Option<Decimal> {
        let value = object.get(key)?;
        let read = serde_json::from_value(value.clone()).ok();
        if read.is_none() {
            faults.add(place, format!("`{key}` is {value}; write a number such as \"12.5\", 6 digits after the point"));
        }
        read
    };
    let (min, max) = (read("min"), read("max"));
    if !object.contains_key("max") {
        faults.add(place, "`max` is missing: say how great the number may be");
    }
    let (min, Some(max)) = (min.unwrap_or_default(), max) else { return };
    if min > max {
        faults.add(place, format!("`min` {min} is above `max` {max}: no answer could ever be right"));
    }
    let null = null.and_then(|n| n.to_string().parse::<Decimal>().ok());
    if let Some(null) = null.filter(|n| (min..=max).contains(n)) {
        let message = format!("`null_value` {null} lies between `min` {min} and `max` {max}: choose one beyond");
        faults.add(place, message);
    }
}

fn date(object: &Map<String, Value>, place: &str, null: Option<i64>, faults: &mut Faults) {
    let mut at = |key: &str| {
        let value = object.get(key)?;
        let day = value.as_str().and_then(day);
        if day.is_none() {
            faults.add(place, format!("`{key}` is {value}; write a date as \"YYYYMMDD\""));
        }
        day
    };
    if let (Some(min), Some(max)) = (at("min"), at("max"))
        && min > max
    {
        faults.add(place, "`min` is later than `max`: no answer could ever be right");
    }
    if null.is_some_and(|n| day(&format!("{n:08}")).is_some()) {
        faults.add(place, "`null_value` is a date too: choose one such as 99999999");
    }
}

fn options(object: &Map<String, Value>, place: &str, kind: &str, null: Option<i64>, faults: &mut Faults) {
    let list = match object.get("options") {
        Some(Value::Object(list)) => list,
        Some(_) => return faults.add(place, "`options` must be an object: {\"1\": \"Yes\", \"2\": \"No\"}"),
        None if kind.starts_with("yes") => return,
        None => return faults.add(place, "`options` is missing: {\"1\": \"Good\", \"2\": \"Bad\"}"),
    };
    let yes_no = kind.starts_with("yes");
    if yes_no && list.len() != 2 {
        faults.add(place, format!("{} options; yes_no has two, the first of them meaning yes", list.len()));
    } else if list.is_empty() {
        faults.add(place, "`options` is empty: give at least one");
    }
    let mut numbers = BTreeSet::new();
    for (key, label) in list {
        match key.parse::<u16>() {
            Ok(n) if n.to_string() == *key => {
                numbers.insert(n);
            }
            _ => faults
                .add(place, format!("option `{key}` must be a whole number from 0 to 65535, as observers text it")),
        }
        faults.translated(place, Some(label), &format!("options, {key}"));
    }
    let digits = |n: u64| n.to_string().bytes().all(|b| numbers.contains(&u16::from(b - b'0')));
    if kind.starts_with("multi") {
        for n in numbers.iter().filter(|n| **n > 9 && digits(u64::from(**n))) {
            let apart = n.to_string().chars().map(String::from).collect::<Vec<_>>().join(" and ");
            let message = format!(
                "option {n} looks like {apart} run together: observers cannot tell them apart; use numbers up to 9"
            );
            faults.add(place, message);
        }
    }
    if let Some(null) = null {
        if u16::try_from(null).is_ok_and(|n| numbers.contains(&n)) {
            faults.add(place, format!("`null_value` {null} is an option too: choose another"));
        } else if kind.starts_with("multi") && digits(null.unsigned_abs()) {
            faults.add(place, format!("`null_value` {null} looks like options run together: choose another"));
        }
    }
}

fn rules(object: &Map<String, Value>, place: &str, counts: &BTreeMap<String, bool>, faults: &mut Faults) {
    let list = match object.get("rules") {
        None => return,
        Some(Value::Array(list)) => list,
        Some(_) => return faults.add(place, "`rules` must be a list"),
    };
    let mut names = BTreeSet::new();
    for (i, item) in list.iter().enumerate() {
        let Some(rule) = item.as_object() else {
            faults.add(&format!("{place}, rules[{i}]"), "must be an object");
            continue;
        };
        let place = format!("{place}, rules[{i}] {}", name_of(rule, "name"));
        let place = place.trim_end();
        faults.unknown_keys(place, rule, &["name", "expr", "severity", "message"]);
        faults.one_of(place, rule, "severity", &["warning", "error"]);
        faults.translated(place, rule.get("message"), "message");
        if let Some(name) = faults.text(place, rule, "name")
            && !names.insert(name)
        {
            faults.add(place, format!("the name {name} is used by an earlier rule"));
        }
        let Some(expr) = faults.text(place, rule, "expr") else { continue };
        match Expr::parse(expr) {
            Err(message) => faults.add(place, message),
            Ok(expr) => {
                for code in expr.codes() {
                    match counts.get(code) {
                        Some(true) => {}
                        Some(false) => faults.add(place, format!("{code} is not a count: rules compare counts only")),
                        None => faults.add(place, format!("no question has the code {code}")),
                    }
                }
            }
        }
    }
}

/// Minutes since midnight of `HHMM`.
pub(crate) fn minutes(hhmm: &str) -> Option<u16> {
    let (hours, minutes) = hhmm.split_at_checked(2)?;
    if hhmm.len() != 4 || !hhmm.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

/// The day of `YYYYMMDD`, where the calendar has it.
pub(crate) fn day(written: &str) -> Option<time::Date> {
    if written.len() != 8 || !written.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| written.get(from..to)?.parse::<u16>().ok();
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let month = time::Month::try_from(u8::try_from(month).ok()?).ok()?;
    time::Date::from_calendar_date(i32::from(year), month, u8::try_from(day).ok()?).ok()
}

impl QuestionType {
    /// The options, where the type has any.
    pub fn options(&self) -> Option<&BTreeMap<u16, super::Translated>> {
        match self {
            Self::YesNo { options } | Self::Choice { options } | Self::MultiChoice { options } => Some(options),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(questions: &str, more: &str) -> Vec<String> {
        let text = format!(r#"{{"prefix":"PS","title":"Opening"{more},"questions":[{questions}]}}"#);
        check(&text).err().unwrap_or_default().iter().map(ToString::to_string).collect()
    }

    fn fault(question: &str) -> String {
        let all = faults(&format!(r#"{{"code":"AA","text":"?",{question}}}"#), "");
        assert_eq!(all.len(), 1, "{all:?}");
        all[0].trim_start_matches("checklist PS, questions[0] AA: ").to_owned()
    }

    #[test]
    fn equal_codes_and_a_code_that_is_the_prefix_are_named() {
        let q = |code: &str| format!(r#"{{"code":"{code}","type":"flag","text":"?"}}"#);
        let all = faults(&[q("AA"), q("AB"), q("AA"), q("PS")].join(","), "");
        assert_eq!(
            all,
            [
                "checklist PS, questions[2] AA: code AA is used by an earlier question: each needs its own",
                "checklist PS, questions[3] PS: code PS is also the prefix: choose another",
            ]
        );
    }

    #[test]
    fn impossible_questions_are_named() {
        assert!(fault(r#""type":"count","min":9,"max":5"#).starts_with("`min` 9 is above `max` 5"));
        assert!(fault(r#""type":"count""#).starts_with("`max` is missing"));
        assert!(fault(r#""type":"count","max":500,"null_value":99"#).starts_with("`null_value` 99 lies between"));
        assert!(fault(r#""type":"count","max":1.5"#).contains("must be a whole number and not 1.5"));
        assert!(fault(r#""type":"choice","options":{}"#).starts_with("`options` is empty"));
        assert!(fault(r#""type":"choice","options":{"a":"x"}"#).starts_with("option `a` must be a whole number"));
        assert!(
            fault(r#""type":"multi_choice","options":{"1":"x","2":"y","12":"z"}"#)
                .starts_with("option 12 looks like 1 and 2")
        );
        assert!(fault(r#""type":"yes_no","options":{"1":"Yes"}"#).starts_with("1 options"));
        assert!(fault(r#""type":"time","min":"2500""#).contains("write a time as"));
        assert!(fault(r#""type":"time","min":"1200","max":"0800""#).contains("later than"));
        assert!(fault(r#""type":"time","null_value":1200"#).contains("time of day too"));
        assert!(fault(r#""type":"number""#).starts_with("`type` is `number`"));
    }

    #[test]
    fn unknown_keys_are_faults_everywhere() {
        assert!(fault(r#""type":"flag","max":5"#).starts_with("unknown key `max`"));
        assert!(
            faults(r#"{"code":"AA","type":"flag","text":"?"}"#, r#","colour":1"#)[0].contains("unknown key `colour`")
        );
        let file = check(r#"{"checklists":[],"x":1}"#).unwrap_err();
        assert_eq!(file.len(), 2);
    }

    #[test]
    fn codes_are_letters() {
        let all = faults(r#"{"code":"a1","type":"flag","text":"?"},{"code":"ab","type":"flag","text":"?"}"#, "");
        assert!(all[0].contains("must be letters from A to Z") && all[1].ends_with("write AB"), "{all:?}");
    }

    #[test]
    fn rules_refer_to_counts_that_exist() {
        let q = r#"{"code":"AA","type":"count","max":5,"text":"?"},{"code":"AB","type":"flag","text":"?"}"#;
        let rule = |expr: &str| faults(q, &format!(r#","rules":[{{"name":"sum","expr":"{expr}","message":"Check"}}]"#));
        assert!(rule("AA <= registered").is_empty());
        assert!(rule("AA <= AC")[0].ends_with("rules[0] sum: no question has the code AC"));
        assert!(rule("AA <= AB")[0].contains("AB is not a count"));
        assert!(rule("AA <")[0].contains("is expected at its end"));
    }

    #[test]
    fn decimals_dates_and_texts_are_checked() {
        let one = |rest: &str| faults(&format!(r#"{{"code":"AA","text":"?",{rest}}}"#), "").concat();
        assert_eq!(one(r#""type":"decimal","min":"0.5","max":99.75"#), "");
        assert!(one(r#""type":"decimal","max":"1,5""#).contains("write a number such as"));
        assert!(one(r#""type":"decimal","max":5,"null_value":4"#).contains("lies between"));
        assert_eq!(one(r#""type":"date","min":"20260201","null_value":99999999"#), "");
        assert!(one(r#""type":"date","max":"20260230""#).contains("YYYYMMDD"));
        assert_eq!(one(r#""type":"text""#), "");
        let two = r#"{"code":"AA","text":"?","type":"text"},{"code":"AB","text":"?","type":"text"}"#;
        assert!(faults(two, "")[0].contains("has one comment"));
        assert!(faults(two, r#","grammar":"keyed""#).is_empty());
    }

    #[test]
    fn broken_json_is_placed_by_line_and_column() {
        let faults = check("{\n  \"prefix\": }").unwrap_err();
        assert_eq!(faults[0].to_string(), "line 2, column 13: this is no JSON: expected value");
    }

    #[test]
    fn too_many_questions_are_refused() {
        let letters = |i: usize| format!("{}{}", char::from(b'A' + (i / 26) as u8), char::from(b'A' + (i % 26) as u8));
        let list = |n: usize| {
            (0..n)
                .map(|i| format!(r#"{{"code":"{}","type":"flag","text":"?"}}"#, letters(i)))
                .filter(|q| !q.contains("\"PS\""))
                .collect::<Vec<_>>()
        };
        assert!(faults(&list(QUESTIONS_MAX)[..].join(","), "").is_empty());
        let many = list(QUESTIONS_MAX + 2);
        assert!(many.len() > QUESTIONS_MAX && faults(&many.join(","), "")[0].contains("500 are allowed"));
    }

    #[test]
    fn texts_may_be_by_language() {
        let ok = r#"{"code":"AA","type":"flag","text":{"en":"Violence","fr":"Violence"}}"#;
        assert!(faults(ok, "").is_empty());
        assert!(faults(&ok.replace("fr", "French"), "")[0].contains("is no language"));
    }
}
