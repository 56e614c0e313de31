//! Our side: links as they are written down, and what is said beside them.

use std::fmt::Write;

use serde::Serialize;

use super::read::Place;

/// How much a note matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Weight {
    /// Nothing to do: it is done otherwise here.
    Otherwise,
    /// There is no equal.
    NoEqual,
    /// A person has to fill in or choose something.
    Mend,
}

/// One line of Kannel's that is not simply taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Note {
    pub(super) place: String,
    pub(super) key: String,
    pub(super) weight: Weight,
    pub(super) what: String,
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = match self.weight {
            Weight::Otherwise => "done otherwise",
            Weight::NoEqual => "no equal",
            Weight::Mend => "to be mended",
        };
        write!(f, "{}: {}: {word}: {}", self.place, self.key, self.what)
    }
}

/// One `[[link]]`: its keys in order, each with the value as TOML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) from: Place,
    pub(super) keys: Vec<(&'static str, String)>,
}

impl Link {
    pub(super) fn text(&mut self, key: &'static str, value: &str) {
        self.keys.push((key, toml::Value::String(value.to_owned()).to_string()));
    }

    pub(super) fn number(&mut self, key: &'static str, value: u64) {
        self.keys.push((key, value.to_string()));
    }

    pub(super) fn list(&mut self, key: &'static str, values: &[String]) {
        let values = values.iter().map(|value| toml::Value::String(value.clone())).collect();
        self.keys.push((key, toml::Value::Array(values).to_string()));
    }
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Translated {
    pub(super) links: Vec<Link>,
    pub(super) notes: Vec<Note>,
    /// Names of files and what they are to hold.
    pub(super) passwords: Vec<(String, String)>,
}

impl Translated {
    pub(super) fn note(&mut self, place: &Place, key: &str, weight: Weight, what: impl Into<String>) {
        self.notes.push(Note { place: place.to_string(), key: key.to_owned(), weight, what: what.into() });
    }

    /// The tables as they stand in our configuration.
    pub(super) fn toml(&self, file: &str) -> String {
        let mut out = format!("# Made from {} by `scrutineer import kannel-config`.\n", file.replace('\n', " "));
        for link in &self.links {
            let _ = write!(out, "\n# {}\n[[link]]\n", link.from);
            for (key, value) in &link.keys {
                let _ = writeln!(out, "{key} = {value}");
            }
        }
        out
    }
}
