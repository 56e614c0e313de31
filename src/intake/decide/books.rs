//! The roster made ready for reading texts: once a change of the roster, not once a message.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use super::KeyHasher;
use crate::domain::checklist::logic::Logic;
use crate::domain::checklist::{Checklist, ChecklistState, Kind};
use crate::domain::election::AuthPolicy;
use crate::domain::roster::{Form, Register, Roster};
use crate::grammar::{Lexicon, Setting};

/// What a text may begin with.
#[derive(Debug)]
pub(super) struct Entry {
    /// The version by which the text is read.
    pub checklist: Arc<Checklist>,
    /// Its conditions and rules.
    pub logic: Arc<Logic>,
    /// The version in use, whose state decides.
    pub in_use: Form,
    /// What the text should begin with, where its version is not taken or not told.
    pub instead: Option<String>,
}

impl Entry {
    /// Is a report of it expected of each observer now?
    pub(super) fn is_expected(&self) -> bool {
        let form = &self.in_use.checklist;
        form.state == ChecklistState::Live
            && form.kind == Kind::Checklist
            && !form.serial
            && form.version == self.checklist.version
    }
}

/// One election, ready.
#[derive(Debug)]
pub(super) struct Book {
    pub register: Arc<Register>,
    pub lexicon: Lexicon,
    /// By what a text begins with; staff name the prefixes, so a quick hash does.
    pub entries: HashMap<String, Entry, BuildHasherDefault<KeyHasher>>,
}

/// The elections that messages are judged by, newest first.
#[derive(Debug, Default)]
pub struct Books {
    /// [`Roster::version`] of the roster they were made of.
    pub version: i64,
    pub(super) books: Vec<Book>,
}

impl Books {
    /// Makes a roster ready.
    pub fn new(roster: &Roster) -> Self {
        Self { version: roster.version, books: roster.books.iter().map(Book::new).collect() }
    }

    /// See [`Lexicon::searching_all`].
    #[must_use]
    pub fn searching_all(mut self) -> Self {
        for book in &mut self.books {
            book.lexicon = std::mem::take(&mut book.lexicon).searching_all();
        }
        self
    }
}

impl Book {
    fn new(register: &Arc<Register>) -> Self {
        let setting = Setting {
            observer_lengths: register.code_lengths().into_iter().collect(),
            phone_identifies: register.election.identify.by_phone(),
            code_asked: register.election.auth != AuthPolicy::Off,
            languages: register.languages().into_iter().map(str::to_owned).collect(),
            date_order: register.election.date_order,
        };
        let mut entries = HashMap::default();
        let mut spelled = Vec::new();
        for versions in register.forms.chunk_by(|a, b| a.checklist.prefix == b.checklist.prefix) {
            for entry in entries_of(versions) {
                let opening = entry.0;
                // The grammar knows a checklist by what its texts begin with.
                let known = if opening == entry.1.checklist.prefix {
                    Arc::clone(&entry.1.checklist)
                } else {
                    Arc::new(Checklist { prefix: opening.clone(), ..(*entry.1.checklist).clone() })
                };
                spelled.push(known);
                entries.insert(opening, entry.1);
            }
        }
        Self { lexicon: Lexicon::new(spelled, setting), entries, register: Arc::clone(register) }
    }
}

/// What the texts of one prefix may begin with; `versions` are its versions, the newest first.
fn entries_of(versions: &[Form]) -> Vec<(String, Entry)> {
    let in_use = versions.iter().find(|f| f.checklist.state != ChecklistState::Draft).or(versions.first());
    let Some(in_use) = in_use else { return Vec::new() };
    let now = &in_use.checklist;
    let entry = |form: &Form, taken: bool| Entry {
        checklist: Arc::clone(&form.checklist),
        logic: Arc::new(Logic::new(&form.checklist).unwrap_or_default()),
        in_use: in_use.clone(),
        instead: (!taken).then(|| now.opening()),
    };
    let mut out = Vec::new();
    // Where texts tell their version, one that doesn't could be of any.
    let alone = versions.iter().filter(|f| f.checklist.version <= now.version).count() == 1;
    out.push((now.prefix.clone(), entry(in_use, !now.marked || alone)));
    if now.marked {
        let from = now.accepted_from.unwrap_or(now.version);
        for form in versions.iter().filter(|f| f.checklist.version <= now.version) {
            let spelled = Checklist { marked: true, ..(*form.checklist).clone() }.opening();
            if spelled != now.prefix {
                out.push((spelled, entry(form, form.checklist.version >= from)));
            }
        }
    }
    out
}
