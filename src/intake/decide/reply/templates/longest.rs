//! How long replies become at their longest, so that templates which pass one segment are named at load.

use super::super::length::{Length, spelled};
use super::{Filled, Key, Replies, Set, Slot, TEMPLATES};
use crate::limits::REPLY_SEGMENTS_MAX;
use crate::text::gsm7;

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
                if let Some(why) = beyond(set, *key, longest) {
                    out.push(format!("replies/{language}.toml, `{name}`: {why}"));
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

/// By how much a template's reply passes one segment, and why; `None` when it fits.
fn beyond(set: &Set, key: Key, longest: &Longest) -> Option<String> {
    let worst = worst(set, key, longest);
    let (length, room) = worst.of_one_segment();
    if length <= room {
        return None;
    }
    let bare = |key: Key| set.text(key, &[]);
    let words = std::iter::once(key).chain(clauses(key).iter().copied()).map(bare).collect::<String>();
    let foreign = words.chars().find(|c| gsm7::septets(*c).is_none());
    let alphabet = foreign.map_or_else(String::new, |c| format!(" (`{c}` is not in the GSM alphabet)"));
    let (least, of) = Length::of(&bare(key)).of_one_segment();
    let what = if least > of {
        format!("{least} characters before anything is filled in, and one segment has {of}{alphabet}: it never fits")
    } else {
        format!("{length} characters at its longest, and one segment has {room}{alphabet}")
    };
    let cut = if worst.fits(REPLY_SEGMENTS_MAX) { "" } else { ", and its end is cut off" };
    Some(format!("{what}{cut}: shorten it"))
}

/// What is said after a head, at its longest.
fn clauses(key: Key) -> &'static [Key] {
    match key {
        Key::Partial => &[Key::Wrong, Key::Missing],
        Key::Accepted | Key::Corrected => &[Key::Missing],
        Key::Unclear => &[Key::Wrong],
        _ => &[],
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
    let head = worst_head(set, key, longest);
    clauses(key).iter().fold(head, |sum, clause| sum.and(Length::SPACE).and(worst_head(set, *clause, longest)))
}
