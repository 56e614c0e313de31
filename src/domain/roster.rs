//! Who may report on what: the elections, checklists and observers that the worker holds in memory.

use std::collections::HashMap;
use std::sync::Arc;

use super::checklist::Checklist;
use super::election::Election;

/// One observer, as small as it can be: fifty thousand of them stand in the worker's memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observer {
    /// PostgreSQL's key.
    pub id: i32,
    /// Digits, as texted.
    pub code: Box<str>,
    /// Language of the replies; the election's when `None`.
    pub language: Option<Box<str>>,
    /// The polling station the observer is posted to.
    pub station: Option<Station>,
}

/// The polling station of an observer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Station {
    /// PostgreSQL's key in `location`.
    pub id: i32,
    /// Registered voters, which rules may refer to.
    pub registered_voters: Option<i32>,
}

/// One election with all that its messages are judged by.
#[derive(Debug, Clone)]
pub struct Register {
    /// The election.
    pub election: Election,
    /// Live checklists by prefix, upper case.
    pub checklists: HashMap<String, Arc<Checklist>>,
    /// Observers; [`Register::by_code`] and [`Register::by_phone`] index into it.
    pub observers: Vec<Observer>,
    /// Index into `observers` by observer code.
    pub by_code: HashMap<Box<str>, u32>,
    /// Indexes into `observers` by phone, digits only, in international form. A phone may be shared.
    pub by_phone: HashMap<Box<str>, Vec<u32>>,
}

impl Register {
    /// The observer with this code.
    pub fn observer(&self, code: &str) -> Option<&Observer> {
        self.by_code.get(code).and_then(|&i| self.observers.get(i as usize))
    }

    /// Does this phone belong to the observer?
    pub fn phone_belongs(&self, phone: &str, observer: &Observer) -> bool {
        self.by_phone.get(phone).is_some_and(|list| {
            list.iter().any(|&i| self.observers.get(i as usize).is_some_and(|o| o.id == observer.id))
        })
    }

    /// The one observer who has this phone; `None` when nobody has it or several share it.
    pub fn sole_owner(&self, phone: &str) -> Option<&Observer> {
        match self.by_phone.get(phone).map(Vec::as_slice) {
            Some([i]) => self.observers.get(*i as usize),
            _ => None,
        }
    }
}

/// All that the worker knows, replaced whole when PostgreSQL says that it changed.
#[derive(Debug, Clone, Default)]
pub struct Roster {
    /// Changes with every change of an election, checklist, observer or location.
    pub version: i64,
    /// Elections that are open or were closed lately, the newest first.
    pub books: Vec<Arc<Register>>,
}
