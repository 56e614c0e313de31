//! How long replies become at their longest, so that templates which pass one segment are named at load.

use super::super::length::{Length, spelled};
use super::{Filled, Key, Replies, Set, Slot, TEMPLATES};

/// How long what is filled in can be, in characters.
#[derive(Debug, Clone, Copy)]
pub struct Longest {
    /// A checklist's prefix, with its version's letter.
    pub prefix: usize,
    /// An observer code.
    pub observer: usize,
    /// A question's code.
    pub code: usize,
}

impl Default for Longest {
    /// What most groups stay within.
    fn default() -> Self {
        Self { prefix: 4, observer: 8, code: 3 }
    }
}

impl Replies {
    /// Templates whose reply passes one segment at its longest, lists cut to one code each: where, how long
    /// it is, and how long it may be.
    pub fn too_long(&self, longest: &Longest) -> Vec<String> {
        let mut out = Vec::new();
        for (language, set) in &self.by_language {
            for (key, name, _) in TEMPLATES.iter().filter(|t| (t.0 as usize) < Key::AnswersOne as usize) {
                let (length, room) = worst(set, *key, longest).of_one_segment();
                if length > room {
                    out.push(format!(
                        "replies/{language}.toml, `{name}`: {length} characters at its longest, and one segment has {room}: shorten it"
                    ));
                }
            }
        }
        out
    }

    /// Characters by which what a rule says in a language passes one segment beside the report's name; 0
    /// when it fits.
    pub fn message_over(&self, language: &str, message: &str, longest: &Longest) -> u32 {
        let set = self.set(language);
        let own = Length::of(&spelled(message)).and(Length::of(" "));
        let (length, room) = worst_head(set, Key::Accepted, longest).and(own).of_one_segment();
        length.saturating_sub(room)
    }
}

/// The longest that a template becomes by itself.
fn worst_head(set: &Set, key: Key, longest: &Longest) -> Length {
    let (prefix, code) = ("M".repeat(longest.prefix), "M".repeat(longest.code));
    let observer = "8".repeat(longest.observer);
    let report = format!("{prefix} {observer}");
    let answers = set.text(Key::AnswersMany, &[(Slot::Count, Filled::Text("500"))]);
    let list = format!("{code} {}", set.text(Key::More, &[(Slot::Count, Filled::Text("499"))]));
    let text = if key == Key::UnknownChecklist { "M".repeat(super::super::write::QUOTED_CHARS) } else { String::new() };
    let values = [
        (Slot::Report, Filled::Text(&report)),
        (Slot::Answers, Filled::Text(&answers)),
        (Slot::Prefix, Filled::Text(&prefix)),
        (Slot::Observer, Filled::Text(&observer)),
        (Slot::Form, Filled::Text(&prefix)),
        (Slot::List, Filled::Text(&list)),
        (Slot::Text, Filled::Text(&text)),
        (Slot::Count, Filled::Text("1440")),
    ];
    Length::of(&set.text(key, &values))
}

/// The longest that a reply of this outcome becomes when its lists are cut to one code each.
fn worst(set: &Set, key: Key, longest: &Longest) -> Length {
    let space = Length::of(" ");
    let clause = |key: Key| space.and(worst_head(set, key, longest));
    let head = worst_head(set, key, longest);
    match key {
        Key::Partial => head.and(clause(Key::Wrong)).and(clause(Key::Missing)),
        Key::Accepted | Key::Corrected => head.and(clause(Key::Missing)),
        Key::Unclear => head.and(clause(Key::Wrong)),
        _ => head,
    }
}
