//! Who may report on what: the elections, checklists and observers that the worker holds in memory.
//!
//! Observers and phones stand in sorted lists without a pointer of their own, some thirty bytes each:
//! two rosters are in memory while a new one takes the old one's place.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::auth::AuthKey;
use super::checklist::{Checklist, ChecklistState};
use super::digits::Digits;
use super::election::Election;

/// One observer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observer {
    /// PostgreSQL's key.
    pub id: i32,
    /// As texted.
    pub code: Digits,
    /// Place in [`Register::languages`], and one more; 0 for the election's own.
    language: u8,
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

/// One version of a checklist with its state.
#[derive(Debug, Clone)]
pub struct Form {
    /// The checklist; [`Checklist::state`] is its state now.
    pub checklist: Arc<Checklist>,
    /// Since when it is in that state, microseconds since the epoch.
    pub since_us: i64,
    /// The state before that.
    pub before: Option<ChecklistState>,
}

impl Form {
    /// Its state when a message was received, as far back as the last change: a backlog that drains
    /// after a pause began still counts.
    pub fn state_at(&self, received_us: i64) -> ChecklistState {
        if received_us < self.since_us { self.before.unwrap_or(self.checklist.state) } else { self.checklist.state }
    }
}

impl From<Checklist> for Form {
    fn from(checklist: Checklist) -> Self {
        Self { checklist: Arc::new(checklist), since_us: i64::MIN, before: None }
    }
}

/// One election with all that its messages are judged by.
#[derive(Debug, Clone)]
pub struct Register {
    /// The election.
    pub election: Election,
    /// Checklists in every state, by prefix, of each the newest version first.
    pub forms: Vec<Form>,
    /// By code, each once.
    observers: Vec<Observer>,
    /// Phones with their observers, sorted. A phone may be shared.
    phones: Vec<(Digits, u32)>,
    languages: Vec<Box<str>>,
    /// Names of numeric columns that formulas speak of.
    figure_names: Vec<Arc<str>>,
    /// By station.
    figures: HashMap<i32, Box<[Option<i64>]>>,
    auth_key: Option<AuthKey>,
    /// Hashes of authentication codes by observer, sorted.
    auth: Vec<(i32, i64)>,
}

/// An observer on the way into a register.
#[derive(Debug, Clone, Default)]
pub struct NewObserver<'a> {
    /// PostgreSQL's key.
    pub id: i32,
    /// Digits.
    pub code: &'a str,
    /// Language of the replies; the election's when `None`.
    pub language: Option<&'a str>,
    /// The polling station.
    pub station: Option<Station>,
    /// Digits, in international form.
    pub phones: &'a [String],
}

impl Register {
    /// An election without observers.
    pub fn new(election: Election, forms: Vec<Form>) -> Self {
        Self {
            election,
            forms,
            observers: Vec::new(),
            phones: Vec::new(),
            languages: Vec::new(),
            figure_names: Vec::new(),
            figures: HashMap::new(),
            auth_key: None,
            auth: Vec::new(),
        }
    }

    /// Makes room for so many observers.
    pub fn reserve(&mut self, observers: usize) {
        self.observers.reserve_exact(observers);
        self.phones.reserve_exact(observers);
    }

    /// Adds an observer; `false` when the code is none. [`Register::sort`] must follow the last one.
    pub fn add(&mut self, new: &NewObserver<'_>) -> bool {
        let Some(code) = Digits::new(new.code) else { return false };
        let place = u32::try_from(self.observers.len()).unwrap_or(u32::MAX);
        self.phones.extend(new.phones.iter().filter_map(|p| Digits::new(p)).map(|p| (p, place)));
        let language = new.language.map_or(0, |l| self.language_place(l));
        self.observers.push(Observer { id: new.id, code, language, station: new.station });
        true
    }

    fn language_place(&mut self, language: &str) -> u8 {
        let place = self.languages.iter().position(|l| **l == *language).unwrap_or_else(|| {
            if self.languages.len() < usize::from(u8::MAX) {
                self.languages.push(language.into());
            }
            self.languages.len() - 1
        });
        u8::try_from(place + 1).unwrap_or(0)
    }

    /// Brings what was added into order.
    pub fn sort(&mut self) {
        let mut places: Vec<u32> = (0..).take(self.observers.len()).collect();
        places.sort_unstable_by_key(|&i| self.observers.get(i as usize).map(|o| o.code));
        let mut now = vec![0u32; places.len()];
        for (new, old) in (0u32..).zip(&places) {
            if let Some(slot) = now.get_mut(*old as usize) {
                *slot = new;
            }
        }
        for (_, observer) in &mut self.phones {
            *observer = now.get(*observer as usize).copied().unwrap_or(u32::MAX);
        }
        self.observers.sort_unstable_by_key(|o| o.code);
        self.phones.sort_unstable();
        self.phones.dedup();
        self.phones.shrink_to_fit();
    }

    /// Sets the numeric columns that formulas may speak of.
    pub fn set_figures(&mut self, names: Vec<Arc<str>>, by_station: HashMap<i32, Box<[Option<i64>]>>) {
        self.figure_names = names;
        self.figures = by_station;
    }

    /// Sets the authentication codes of observers: their key, and each one's hash.
    pub fn set_auth(&mut self, key: AuthKey, mut hashes: Vec<(i32, i64)>) {
        hashes.sort_unstable();
        self.auth_key = Some(key);
        self.auth = hashes;
    }

    /// Is this the observer's authentication code? `None` when the observer has none.
    pub fn auth_code_is(&self, observer: &Observer, code: &str) -> Option<bool> {
        let place = self.auth.binary_search_by_key(&observer.id, |(id, _)| *id).ok()?;
        let (_, known) = self.auth.get(place)?;
        let typed = self.auth_key?.hash(self.election.id, &observer.code.to_string(), code);
        Some(typed == *known)
    }

    /// How many observers there are.
    pub fn len(&self) -> usize {
        self.observers.len()
    }

    /// Nobody is in it.
    pub fn is_empty(&self) -> bool {
        self.observers.is_empty()
    }

    /// Lengths that observer codes have.
    pub fn code_lengths(&self) -> BTreeSet<usize> {
        self.observers.iter().map(|o| o.code.length()).collect()
    }

    /// Languages that its observers and the election itself are answered in.
    pub fn languages(&self) -> BTreeSet<&str> {
        self.languages.iter().map(|l| &**l).chain([self.election.language.as_str()]).collect()
    }

    /// The language of an observer's replies.
    pub fn language(&self, observer: &Observer) -> &str {
        let own = usize::from(observer.language).checked_sub(1).and_then(|i| self.languages.get(i));
        own.map_or(&self.election.language, |l| l)
    }

    /// The observer with this code.
    pub fn observer(&self, code: &str) -> Option<&Observer> {
        let code = Digits::new(code)?;
        self.observers.binary_search_by_key(&code, |o| o.code).ok().and_then(|i| self.observers.get(i))
    }

    /// Those who have this phone.
    pub fn owners(&self, phone: &str) -> impl Iterator<Item = &Observer> {
        let phone = Digits::new(phone);
        let from = self.phones.partition_point(|(p, _)| Some(*p) < phone);
        let rest = self.phones.get(from..).unwrap_or_default();
        rest.iter().take_while(move |(p, _)| Some(*p) == phone).filter_map(|(_, i)| self.observers.get(*i as usize))
    }

    /// Does this phone belong to the observer?
    pub fn phone_belongs(&self, phone: &str, observer: &Observer) -> bool {
        self.owners(phone).any(|o| o.id == observer.id)
    }

    /// The one observer who has this phone; `None` when nobody has it or several share it.
    pub fn sole_owner(&self, phone: &str) -> Option<&Observer> {
        let mut owners = self.owners(phone);
        owners.next().filter(|_| owners.next().is_none())
    }

    /// Those numeric columns of a station that are spoken of, as far as they are filled in.
    pub fn figures(&self, station: &Station, wanted: &[Box<str>]) -> Vec<(Box<str>, i64)> {
        let own = self.figures.get(&station.id);
        let find = |name: &str| match name {
            "registered" => station.registered_voters.map(i64::from),
            name => {
                let place = self.figure_names.iter().position(|n| **n == *name)?;
                own?.get(place).copied().flatten()
            }
        };
        wanted.iter().filter_map(|name| find(name).map(|n| (name.clone(), n))).collect()
    }
}

/// All that the worker knows, replaced whole when PostgreSQL says that it changed.
#[derive(Debug, Clone, Default)]
pub struct Roster {
    /// Changes with every change of an election, checklist, observer or location.
    pub version: i64,
    /// Elections that are open or were closed lately, the newest first, then those in draft.
    pub books: Vec<Arc<Register>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register() -> Register {
        let mut register = Register::new(Election::plain(1, "x"), Vec::new());
        let phones = [vec!["2557001".to_owned(), "2557009".to_owned()], vec!["2557009".to_owned()], Vec::new()];
        for ((id, code), phones) in [(7, "300"), (8, "0100"), (9, "200")].into_iter().zip(&phones) {
            let language = (id == 8).then_some("fr");
            assert!(register.add(&NewObserver { id, code, language, station: None, phones }));
        }
        assert!(!register.add(&NewObserver { code: "12x", ..NewObserver::default() }));
        register.sort();
        register
    }

    #[test]
    fn observers_are_found_by_code_and_by_phone() {
        let r = register();
        for (code, id) in [("300", 7), ("0100", 8), ("200", 9)] {
            assert_eq!(r.observer(code).map(|o| o.id), Some(id));
        }
        assert_eq!(r.observer("100"), None, "a leading zero counts");
        assert_eq!(r.sole_owner("2557001").map(|o| o.id), Some(7));
        assert_eq!(r.sole_owner("2557009"), None, "it is shared");
        let mut sharing: Vec<i32> = r.owners("2557009").map(|o| o.id).collect();
        sharing.sort_unstable();
        assert_eq!(sharing, [7, 8]);
        assert_eq!((r.owners("2557000").count(), r.owners("INFO").count(), r.len()), (0, 0, 3));
        assert!(r.phone_belongs("2557001", r.observer("300").unwrap()));
        assert!(!r.phone_belongs("2557001", r.observer("200").unwrap()));
        assert_eq!(r.language(r.observer("0100").unwrap()), "fr");
        assert_eq!(r.language(r.observer("200").unwrap()), "en");
        assert_eq!(r.code_lengths().into_iter().collect::<Vec<_>>(), [3, 4]);
    }

    #[test]
    fn an_observer_takes_few_bytes() {
        assert!(size_of::<Observer>() <= 40, "{}", size_of::<Observer>());
        assert_eq!(size_of::<(Digits, u32)>(), 16);
    }
}
