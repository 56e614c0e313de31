//! One observer's answers to one checklist: a pure fold over what the messages asserted.
//!
//! Invariant: a submission is the fold of its revisions in [`OrderKey`] order. Revisions that come
//! in order are appended; one that comes late makes the whole be folded again, so that an older
//! report never overwrites a newer one, on one host or several.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use smol_str::SmolStr;
use uuid::Uuid;

use super::order::{OrderKey, RecordKey};
use super::value::Answers;

/// What makes two reports the same submission.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubmissionKey {
    /// Election.
    pub election: i32,
    /// Checklist's prefix: a later version of a checklist continues the submission.
    pub prefix: SmolStr,
    /// Observer.
    pub observer: i32,
    /// Serial, where the checklist has them.
    pub serial: Option<SmolStr>,
    /// For an incident the message that opened it and the report's place in it: each is its own.
    pub incident: Option<(RecordKey, u16)>,
}

impl SubmissionKey {
    /// The submission's UUID: made of the key alone, so that every host makes the same one and a
    /// replay finds what is there.
    pub fn id(&self) -> Uuid {
        let mut hash = Sha256::new();
        hash.update(b"submission\0");
        hash.update(self.election.to_be_bytes());
        hash.update(self.observer.to_be_bytes());
        hash.update((self.prefix.len() as u64).to_be_bytes());
        hash.update(self.prefix.as_bytes());
        match &self.serial {
            None => hash.update([0]),
            Some(serial) => {
                hash.update([1]);
                hash.update((serial.len() as u64).to_be_bytes());
                hash.update(serial.as_bytes());
            }
        }
        if let Some((record, place)) = self.incident {
            hash.update(record.spool.as_bytes());
            hash.update(record.sequence.to_be_bytes());
            hash.update(place.to_be_bytes());
        }
        let digest = hash.finalize();
        let mut bytes = [0u8; 16];
        bytes.copy_from_slice(&digest[..16]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }
}

/// What one message asserted about a submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assertion {
    /// Its place in the order of receipt.
    pub order: OrderKey,
    /// The answers, a withdrawn one as `None`.
    pub answers: Answers,
}

/// A submission as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Submission {
    /// Current answers. A withdrawn answer is absent.
    pub answers: Answers,
    /// The greatest order key applied.
    pub last: Option<OrderKey>,
}

/// What an assertion did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Change {
    /// How many codes had no answer before and have one now.
    pub added: usize,
    /// Codes whose answer changed, with the old answer.
    pub replaced: Answers,
}

impl Change {
    /// Nothing changed.
    pub fn is_empty(&self) -> bool {
        self.added == 0 && self.replaced.is_empty()
    }
}

impl Submission {
    /// Applies one assertion that is newer than all before it.
    fn append(&mut self, assertion: &Assertion) -> Change {
        let mut change = Change::default();
        if self.answers.is_empty() && assertion.answers.values().all(Option::is_some) {
            // The first report is the submission.
            change.added = assertion.answers.len();
            self.answers = assertion.answers.clone();
            self.last = Some(self.last.map_or(assertion.order, |l| l.max(assertion.order)));
            return change;
        }
        if let Some((all, added, replaced)) = self.answers.with(&assertion.answers) {
            self.answers = all;
            change = Change { added, replaced };
        }
        self.last = Some(self.last.map_or(assertion.order, |l| l.max(assertion.order)));
        change
    }

    /// Is this assertion older than something already applied? Then [`Submission::fold`] is needed.
    pub fn is_late(&self, assertion: &Assertion) -> bool {
        self.last.is_some_and(|last| assertion.order < last)
    }

    /// Applies an assertion. When it [is late](Submission::is_late), `history` must hold every
    /// earlier assertion of this submission; otherwise it is not looked at.
    pub fn apply(&mut self, assertion: &Assertion, history: &[Assertion]) -> Change {
        if !self.is_late(assertion) {
            return self.append(assertion);
        }
        let mut all: Vec<&Assertion> = history.iter().collect();
        all.push(assertion);
        let folded = Self::fold(all);
        let mut change = Change::default();
        for (code, new) in &folded.answers {
            match self.answers.get(code) {
                None => change.added += 1,
                Some(old) if old != new => {
                    change.replaced.insert(code.clone(), old.clone());
                }
                Some(_) => {}
            }
        }
        for (code, old) in &self.answers {
            if !folded.answers.contains_key(code) {
                change.replaced.insert(code.clone(), old.clone());
            }
        }
        *self = folded;
        change
    }

    /// The submission that these assertions make, whatever order they are given in.
    pub fn fold<'a>(assertions: impl IntoIterator<Item = &'a Assertion>) -> Self {
        let mut sorted: Vec<&Assertion> = assertions.into_iter().collect();
        sorted.sort_by_key(|a| a.order);
        let mut submission = Self::default();
        for assertion in sorted {
            submission.append(assertion);
        }
        submission
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::value::Value;
    use proptest::prelude::*;

    fn assertion(at: i64, answers: &[(&str, Option<i64>)]) -> Assertion {
        Assertion {
            order: OrderKey { received_us: at, record: RecordKey { spool: Uuid::nil(), sequence: at as u64 } },
            answers: answers.iter().map(|(c, v)| ((*c).to_owned(), v.map(Value::Number))).collect(),
        }
    }

    #[test]
    fn an_older_report_that_arrives_later_never_overwrites_a_newer_one() {
        let first = assertion(1, &[("AA", Some(1)), ("AB", Some(2))]);
        let third = assertion(3, &[("AA", Some(3))]);
        let second = assertion(2, &[("AA", Some(2)), ("AC", Some(9))]);
        let mut s = Submission::default();
        s.apply(&first, &[]);
        s.apply(&third, &[]);
        assert!(s.is_late(&second));
        let change = s.apply(&second, &[first, third]);
        assert_eq!(s.answers["AA"], Some(Value::Number(3)));
        assert_eq!(change.added, 1);
        assert!(change.replaced.is_empty());
    }

    #[test]
    fn a_newer_repeat_of_the_same_value_still_outranks_an_older_other_value() {
        let first = assertion(1, &[("AA", Some(5))]);
        let repeat = assertion(3, &[("AA", Some(5))]);
        let late = assertion(2, &[("AA", Some(6))]);
        let mut s = Submission::default();
        s.apply(&first, &[]);
        assert!(s.apply(&repeat, &[]).is_empty());
        s.apply(&late, &[first, repeat]);
        assert_eq!(s.answers["AA"], Some(Value::Number(5)));
    }

    proptest! {
        #[test]
        fn any_order_of_arrival_gives_the_same_submission(
            sent in proptest::collection::vec((0i64..20, proptest::collection::vec((0usize..4, proptest::option::of(0i64..3)), 0..4)), 0..8),
            seed in any::<u64>(),
        ) {
            let codes = ["AA", "AB", "AC", "AD"];
            let mut all: Vec<Assertion> = sent.iter().enumerate().map(|(i, (at, list))| {
                let pairs: Vec<_> = list.iter().map(|(c, v)| (codes[*c], *v)).collect();
                let mut a = assertion(*at, &pairs);
                a.order.record.sequence = i as u64;
                a
            }).collect();
            let expected = Submission::fold(&all);
            let n = all.len().max(1);
            let by = seed as usize % n;
            if !all.is_empty() { all.rotate_left(by); }
            let mut s = Submission::default();
            for i in 0..all.len() {
                s.apply(&all[i].clone(), &all[..i]);
            }
            prop_assert_eq!(s, expected);
        }
    }
}
