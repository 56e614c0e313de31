//! The answers of a report or a submission, by question code.
//!
//! They are read once and then looked at by the decision, the reply and the rows of a batch, so a copy
//! shares the list, and only a change makes one of its own. Invariant: sorted by code, each code once.

use std::fmt;
use std::ops::Index;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smallvec::SmallVec;
use smol_str::SmolStr;

use super::value::Value;

/// A code with its answer; `None` is a withdrawn one (`*`).
type Entry = (SmolStr, Option<Value>);

/// Answers on their way into a list: those of most reports stand on the stack.
type Gathered = SmallVec<[Entry; 16]>;

/// Answers by question code. `None` is a withdrawn answer (`*`).
#[derive(Clone, Default)]
pub struct Answers {
    list: Option<Arc<[Entry]>>,
}

impl Answers {
    /// No answers.
    pub fn new() -> Self {
        Self::default()
    }

    fn entries(&self) -> &[Entry] {
        self.list.as_deref().unwrap_or_default()
    }

    fn place(&self, code: &str) -> Result<usize, usize> {
        self.entries().binary_search_by(|(known, _)| known.as_str().cmp(code))
    }

    /// So many entries, in order and each code once, in one stretch of memory.
    pub(crate) fn listed(count: usize, mut entries: impl Iterator<Item = Entry>) -> Self {
        let list = (count > 0).then(|| (0..count).map(|_| entries.next().unwrap_or_default()).collect());
        Self { list }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries().len()
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.entries().is_empty()
    }

    /// The answer to this code.
    pub fn get(&self, code: &str) -> Option<&Option<Value>> {
        self.place(code).ok().and_then(|i| self.entries().get(i)).map(|(_, value)| value)
    }

    /// Is there an answer to this code, or a withdrawal?
    pub fn contains_key(&self, code: &str) -> bool {
        self.place(code).is_ok()
    }

    /// Sets an answer and gives the one before it.
    pub fn insert(&mut self, code: impl Into<SmolStr>, value: Option<Value>) -> Option<Option<Value>> {
        let code = code.into();
        match self.place(&code) {
            Ok(i) => {
                let list = self.list.as_mut().map(Arc::make_mut);
                list.and_then(|l| l.get_mut(i)).map(|(_, old)| std::mem::replace(old, value))
            }
            Err(i) => {
                let (before, after) = self.entries().split_at_checked(i).unwrap_or_default();
                let new = std::iter::once((code, value));
                *self = Self::listed(
                    before.len() + after.len() + 1,
                    before.iter().cloned().chain(new).chain(after.iter().cloned()),
                );
                None
            }
        }
    }

    /// Takes an answer out.
    pub fn remove(&mut self, code: &str) -> Option<Option<Value>> {
        let at = self.place(code).ok()?;
        let taken = self.entries().get(at).map(|(_, value)| value.clone());
        let others = self.entries().iter().enumerate().filter(|(i, _)| *i != at).map(|(_, entry)| entry.clone());
        *self = Self::listed(self.len() - 1, others);
        taken
    }

    /// These with later ones set over them: a withdrawal takes an answer out. `None` where that changes nothing,
    /// else also how many answers are new, and those that were replaced, as they were.
    pub(crate) fn with(&self, later: &Self) -> Option<(Self, usize, Self)> {
        let (mut new, mut gone) = (0, 0);
        let mut replaced = Gathered::new();
        for (code, value) in later {
            let old = self.get(code);
            gone += usize::from(old.is_some() && value.is_none());
            match old {
                None if value.is_some() => new += 1,
                Some(old) if old != value => replaced.push((code.clone(), old.clone())),
                _ => {}
            }
        }
        if new == 0 && replaced.is_empty() {
            return None;
        }
        let (mut old, mut set) = (self.entries().iter().peekable(), later.entries().iter().peekable());
        let next = || loop {
            let entry = match (old.peek(), set.peek()) {
                (Some(a), Some(b)) if a.0 < b.0 => old.next(),
                (Some(a), Some(b)) if a.0 == b.0 => {
                    old.next();
                    set.next().filter(|e| e.1.is_some())
                }
                (_, Some(_)) => set.next().filter(|e| e.1.is_some()),
                (_, None) => return old.next().cloned(),
            };
            if let Some(entry) = entry {
                return Some(entry.clone());
            }
        };
        let all = Self::listed(self.len() + new - gone, std::iter::from_fn(next));
        Some((all, new, replaced.into()))
    }

    /// All of them, by code.
    pub fn iter(&self) -> Iter<'_> {
        self.into_iter()
    }

    /// The codes, sorted.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &SmolStr> {
        self.entries().iter().map(|(code, _)| code)
    }

    /// The answers, by code.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &Option<Value>> {
        self.entries().iter().map(|(_, value)| value)
    }
}

/// See [`Answers::iter`].
pub type Iter<'a> = std::iter::Map<std::slice::Iter<'a, Entry>, fn(&'a Entry) -> (&'a SmolStr, &'a Option<Value>)>;

impl<'a> IntoIterator for &'a Answers {
    type Item = (&'a SmolStr, &'a Option<Value>);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.entries().iter().map(|(code, value)| (code, value))
    }
}

impl IntoIterator for Answers {
    type Item = Entry;
    type IntoIter = std::vec::IntoIter<Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries().to_vec().into_iter()
    }
}

impl From<Gathered> for Answers {
    /// Of a code that is there twice the last answer stands.
    fn from(mut list: Gathered) -> Self {
        if !list.is_sorted_by(|a, b| a.0 < b.0) {
            list.sort_by(|a, b| a.0.cmp(&b.0));
            list.dedup_by(|later, kept| {
                let same = later.0 == kept.0;
                if same {
                    std::mem::swap(later, kept);
                }
                same
            });
        }
        Self::listed(list.len(), list.into_iter())
    }
}

impl From<Vec<(SmolStr, Option<Value>)>> for Answers {
    fn from(list: Vec<Entry>) -> Self {
        Self::from(Gathered::from_vec(list))
    }
}

impl<K: Into<SmolStr>> FromIterator<(K, Option<Value>)> for Answers {
    fn from_iter<I: IntoIterator<Item = (K, Option<Value>)>>(list: I) -> Self {
        Self::from(list.into_iter().map(|(code, value)| (code.into(), value)).collect::<Gathered>())
    }
}

impl<K: Into<SmolStr>, const N: usize> From<[(K, Option<Value>); N]> for Answers {
    fn from(list: [(K, Option<Value>); N]) -> Self {
        list.into_iter().collect()
    }
}

impl<K: Into<SmolStr>> Extend<(K, Option<Value>)> for Answers {
    fn extend<I: IntoIterator<Item = (K, Option<Value>)>>(&mut self, list: I) {
        for (code, value) in list {
            self.insert(code, value);
        }
    }
}

impl Index<&str> for Answers {
    type Output = Option<Value>;

    #[expect(clippy::panic, reason = "an index that is not there, as of any map; the program itself uses `get`")]
    fn index(&self, code: &str) -> &Option<Value> {
        self.get(code).unwrap_or_else(|| panic!("no answer to {code}"))
    }
}

impl PartialEq for Answers {
    fn eq(&self, other: &Self) -> bool {
        let same = matches!((&self.list, &other.list), (Some(a), Some(b)) if Arc::ptr_eq(a, b));
        same || self.entries() == other.entries()
    }
}

impl Eq for Answers {}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

impl Serialize for Answers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self)
    }
}

impl<'de> Deserialize<'de> for Answers {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        std::collections::BTreeMap::<SmolStr, Option<Value>>::deserialize(source).map(|map| map.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_copy_keeps_its_answers_when_the_other_is_changed() {
        let mut one = Answers::from([("BA", Some(Value::Number(2))), ("AA", None)]);
        let copy = one.clone();
        one.insert("AA", Some(Value::Bool(true)));
        one.remove("BA");
        assert_eq!(serde_json::to_string(&copy).unwrap(), r#"{"AA":null,"BA":2}"#);
        assert_eq!(serde_json::to_string(&one).unwrap(), r#"{"AA":true}"#);
        one.remove("AA");
        assert_eq!(one, Answers::new());
    }

    proptest! {
        #[test]
        fn it_is_a_map(changes in proptest::collection::vec(("[A-C]{1,2}", proptest::option::of(proptest::option::of(0i64..3))), 0..20)) {
            let (mut map, mut ours) = (BTreeMap::new(), Answers::new());
            let listed: Vec<_> = changes.iter().filter_map(|(c, v)| Some((c.clone(), (*v)?.map(Value::Number)))).collect();
            prop_assert_eq!(
                serde_json::to_value(listed.iter().cloned().collect::<Answers>()).unwrap(),
                serde_json::to_value(listed.into_iter().collect::<BTreeMap<_, _>>()).unwrap()
            );
            for (code, value) in changes {
                match value {
                    Some(n) => {
                        let value = n.map(Value::Number);
                        prop_assert_eq!(ours.insert(code.as_str(), value.clone()), map.insert(code, value));
                    }
                    None => prop_assert_eq!(ours.remove(&code), map.remove(&code)),
                }
                prop_assert_eq!(serde_json::to_string(&ours).unwrap(), serde_json::to_string(&map).unwrap());
            }
            let back: Answers = serde_json::from_value(serde_json::to_value(&map).unwrap()).unwrap();
            prop_assert_eq!(back, ours);
        }

        #[test]
        fn later_answers_set_at_once_are_those_set_one_by_one(
            first in proptest::collection::btree_map("[A-C]{1,2}", 0i64..3, 0..8),
            later in proptest::collection::btree_map("[A-C]{1,2}", proptest::option::of(0i64..3), 0..8),
        ) {
            let first: Answers = first.into_iter().map(|(c, n)| (c, Some(Value::Number(n)))).collect();
            let later: Answers = later.into_iter().map(|(c, n)| (c, n.map(Value::Number))).collect();
            let (mut all, mut new, mut replaced) = (first.clone(), 0, Answers::new());
            for (code, value) in &later {
                let old = match value {
                    Some(_) => all.insert(code.clone(), value.clone()),
                    None => all.remove(code),
                };
                match old {
                    None => new += usize::from(value.is_some()),
                    Some(old) if old != *value => drop(replaced.insert(code.clone(), old)),
                    Some(_) => {}
                }
            }
            let changed = new > 0 || !replaced.is_empty();
            prop_assert_eq!(first.with(&later), changed.then_some((all, new, replaced)));
        }
    }
}
