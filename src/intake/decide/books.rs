//! The roster made ready for reading texts: once a change of the roster, not once a message.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::domain::checklist::{Checklist, Expr, Rule};
use crate::domain::roster::{Register, Roster};
use crate::grammar::{Lexicon, Setting};

/// A rule with its expression, ready to be evaluated.
#[derive(Debug, Clone)]
pub struct ReadyRule {
    /// The rule.
    pub rule: Rule,
    /// Its expression.
    pub expr: Expr,
}

/// One election, ready.
#[derive(Debug)]
pub(super) struct Book {
    pub register: Arc<Register>,
    pub lexicon: Lexicon,
    /// Rules by prefix.
    pub rules: HashMap<String, Arc<[ReadyRule]>>,
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
}

/// A rule that cannot be read is left out: no checklist that was checked has one.
pub(crate) fn ready_rules(checklist: &Checklist) -> Arc<[ReadyRule]> {
    checklist
        .rules
        .iter()
        .filter_map(|rule| Expr::parse(&rule.expr).ok().map(|expr| ReadyRule { rule: rule.clone(), expr }))
        .collect()
}

impl Book {
    fn new(register: &Arc<Register>) -> Self {
        let lengths: BTreeSet<usize> = register.by_code.keys().map(|code| code.len()).collect();
        let mut languages: BTreeSet<String> =
            register.observers.iter().filter_map(|o| o.language.as_deref().map(str::to_owned)).collect();
        languages.insert(register.election.language.clone());
        let setting = Setting {
            observer_lengths: lengths.into_iter().collect(),
            phone_identifies: register.election.phone_identifies,
            languages: languages.into_iter().collect(),
            ..Setting::default()
        };
        Self {
            lexicon: Lexicon::new(register.checklists.values().cloned(), setting),
            rules: register.checklists.iter().map(|(prefix, c)| (prefix.clone(), ready_rules(c))).collect(),
            register: Arc::clone(register),
        }
    }
}
