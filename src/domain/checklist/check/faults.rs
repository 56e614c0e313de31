//! What is wrong with a file, and the tests that many keys share.

use serde_json::{Map, Value};

use super::Fault;

/// The faults found so far, in the order of the file.
#[derive(Default)]
pub(super) struct Faults(pub(super) Vec<Fault>);

impl Faults {
    pub(super) fn add(&mut self, place: &str, message: impl Into<String>) {
        self.0.push(Fault { place: place.to_owned(), message: message.into() });
    }

    pub(super) fn unknown_keys(&mut self, place: &str, object: &Map<String, Value>, known: &[&str]) {
        for key in object.keys().filter(|k| !known.contains(&k.as_str()) && *k != "$schema") {
            let known = known.join(", ");
            self.add(place, format!("unknown key `{key}`; the keys here are {known}"));
        }
    }

    pub(super) fn text<'a>(&mut self, place: &str, object: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
        match object.get(key) {
            Some(Value::String(text)) if !text.trim().is_empty() => Some(text),
            Some(Value::String(_)) => self.none(place, format!("`{key}` is empty")),
            Some(_) => self.none(place, format!("`{key}` must be a text in quotes")),
            None => self.none(place, format!("`{key}` is missing")),
        }
    }

    pub(super) fn none<T>(&mut self, place: &str, message: String) -> Option<T> {
        self.add(place, message);
        None
    }

    /// A whole number, where there is one.
    pub(super) fn whole(&mut self, place: &str, object: &Map<String, Value>, key: &str) -> Option<i64> {
        let value = object.get(key)?;
        let n = value.as_i64().filter(|n| n.unsigned_abs() < 1 << 53);
        if n.is_none() {
            self.add(place, format!("`{key}` must be a whole number and not {value}"));
        }
        n
    }

    pub(super) fn yes_no(&mut self, place: &str, object: &Map<String, Value>, key: &str) {
        if object.get(key).is_some_and(|v| !v.is_boolean()) {
            self.add(place, format!("`{key}` must be true or false"));
        }
    }

    pub(super) fn one_of(&mut self, place: &str, object: &Map<String, Value>, key: &str, known: &[&str]) {
        if let Some(value) = object.get(key)
            && !value.as_str().is_some_and(|v| known.contains(&v))
        {
            self.add(place, format!("`{key}` is {value}; it must be one of {}", known.join(", ")));
        }
    }

    /// A text, or one a language.
    pub(super) fn translated(&mut self, place: &str, value: Option<&Value>, key: &str) {
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
pub(super) fn name_of<'a>(object: &'a Map<String, Value>, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Letters A to Z in upper case.
pub(super) fn letters(place: &str, word: &str, what: &str, faults: &mut Faults) {
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
