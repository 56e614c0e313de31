//! Authentication codes: whether a report's is right, who is locked out, and that no code stays readable.
//!
//! A code is checked in [`super::understand`], where all that it needs is in memory; whether its sender is
//! locked needs what is stored, and is judged afterwards by [`admit`]. Invariant: while a phone or observer
//! is locked, a right code and a wrong one have the same outcome and the same reply, so that nothing can
//! be learnt by trying. Wrong codes from the observer's own phone count against that phone alone, so that
//! nobody locks out an observer by guessing from elsewhere.

use std::collections::HashMap;
use std::sync::Arc;

use super::Understanding;
use super::books::Book;
use super::identify::Who;
use crate::domain::auth::{AUTH_CODE_DIGITS, Attempts, Lockout};
use crate::domain::election::AuthPolicy;
use crate::domain::outcome::Outcome;
use crate::domain::report::{Note, Report};
use crate::grammar::{self, Found, Part};

/// What stands in place of a code's digits wherever a text is kept or shown.
const HIDDEN: char = '*';

/// An authentication code that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tried {
    /// Which report of the text, from 0.
    pub place: u16,
    /// Of whom it should be.
    pub observer: i32,
    /// The report came from the observer's phone.
    pub own_phone: bool,
    /// It is right.
    pub right: bool,
    /// The election's measure.
    pub lockout: Lockout,
}

/// What a report's authentication code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// None is asked for.
    NotAsked,
    /// It is the observer's.
    Right,
    /// None was sent, or the observer has none: nothing was tried.
    Missing(&'static str),
    /// It is another one.
    Wrong,
}

/// Looks at a report's code, where the election asks for one.
pub(super) fn verdict(book: &Book, found: &Found, who: &Who<'_>) -> Verdict {
    let register = &book.register;
    let asked = match register.election.auth {
        AuthPolicy::Off => false,
        AuthPolicy::Required => true,
        AuthPolicy::UnknownPhones => !who.verified,
    };
    let Some(observer) = who.observer.filter(|_| asked) else { return Verdict::NotAsked };
    let Some(code) = &found.code else { return Verdict::Missing("no_code") };
    match register.auth_code_is(observer, &code.digits) {
        Some(true) => Verdict::Right,
        Some(false) => Verdict::Wrong,
        None => Verdict::Missing("code_not_set"),
    }
}

/// What is stored of wrong codes, by phone and by observer.
#[derive(Debug, Clone, Default)]
pub struct Locks {
    /// Of the phones.
    pub phones: HashMap<i64, Attempts>,
    /// Of the observers, from phones not theirs.
    pub observers: HashMap<i32, Attempts>,
    /// Wrong codes that are new: phone, and the observer where it was not the observer's own.
    pub failed: Vec<(i64, Option<i32>, i64)>,
    /// Phones that were told that they are locked, and until when they need not be told again.
    pub told: Vec<(i64, i64)>,
}

/// Refuses the reports of a phone that is locked, and counts the wrong codes of one that is not. `phone`
/// is the sender's key.
pub fn admit(out: &mut Understanding, phone: i64, locks: &mut Locks) {
    let at_us = out.order.received_us;
    for tried in std::mem::take(&mut out.tried) {
        let of_observer = (!tried.own_phone).then_some(tried.observer);
        let until = |locks: &Locks| {
            let by_phone = locks.phones.get(&phone).and_then(|a| a.locked_until(tried.lockout, at_us));
            let attempts = of_observer.and_then(|o| locks.observers.get(&o));
            by_phone.max(attempts.and_then(|a| a.locked_until(tried.lockout, at_us)))
        };
        let mut locked = until(locks);
        if locked.is_none() && !tried.right {
            locks.phones.entry(phone).or_default().fail(at_us);
            if let Some(observer) = of_observer {
                locks.observers.entry(observer).or_default().fail(at_us);
            }
            locks.failed.push((phone, of_observer, at_us));
            locked = until(locks);
        }
        let Some(until_us) = locked else { continue };
        let attempts = locks.phones.entry(phone).or_default();
        let quiet = attempts.told_until_us > at_us;
        if !quiet {
            attempts.told_until_us = until_us;
            locks.told.push((phone, until_us));
        }
        let minutes = u32::try_from((until_us - at_us + 59_999_999).div_euclid(60_000_000)).unwrap_or(u32::MAX);
        lock(out, tried.place, minutes, quiet);
    }
}

/// Takes back what was understood of one report.
fn lock(out: &mut Understanding, place: u16, minutes: u32, quiet: bool) {
    if let Some(at) = out.known.iter().position(|k| k.place == place) {
        let known = out.known.remove(at);
        let (checklist, mut report) = (Some(known.checklist), known.report);
        // Nothing of a right code's report may differ from a wrong one's.
        Arc::make_mut(&mut report).notes.retain(|n| n.kind != "unverified_phone");
        let refused =
            super::Refused { place, checklist, report, outcome: Outcome::Locked, instead: None, minutes, quiet };
        out.unknown.push(refused);
    } else if let Some(refused) = out.unknown.iter_mut().find(|u| u.place == place) {
        refused.outcome = Outcome::Locked;
        Arc::make_mut(&mut refused.report).notes.retain(|n| n.kind != "wrong_code");
        (refused.minutes, refused.quiet) = (minutes, quiet);
    }
    out.unknown.sort_by_key(|u| u.place);
    super::understand::conclude(out);
}

/// The text with every code in it hidden; `None` when there is none.
pub(super) fn hidden(
    text: &str,
    book: &Book,
    reports: &[Found],
    senders: &[Option<&crate::domain::roster::Observer>],
) -> Option<Hidden> {
    if book.register.election.auth == AuthPolicy::Off && reports.iter().all(|f| f.code.is_none()) {
        return None;
    }
    let mut ranges: Vec<std::ops::Range<usize>> =
        reports.iter().filter_map(|f| f.code.as_ref()).flat_map(|c| c.at.iter().cloned()).collect();
    // Digits of a header or of an answer that is recorded are those.
    let taken = |at: usize| {
        reports.iter().any(|found| {
            let answered = |q: u16| {
                let question = found.checklist.as_ref().and_then(|c| c.questions.get(usize::from(q)));
                question.is_some_and(|q| found.report.answers.contains_key(&q.code))
            };
            found.spans.iter().filter(|s| (s.from..s.to).contains(&at)).any(|s| match s.part {
                Part::Header => true,
                Part::Code(q) => answered(q),
                _ => false,
            })
        })
    };
    for run in digit_runs(text) {
        if ranges.iter().any(|r| r.contains(&run.start)) || taken(run.start) {
            continue;
        }
        let typed = text.get(run.clone()).unwrap_or_default();
        let digits = grammar::ascii_digits(typed);
        let after_star = text.get(..run.start).is_some_and(|t| t.trim_end().ends_with(HIDDEN));
        let is_code = AUTH_CODE_DIGITS.contains(&digits.len())
            && senders.iter().flatten().any(|o| book.register.auth_code_is(o, &digits) == Some(true));
        if is_code || (after_star && digits.len() > 2) {
            ranges.push(run);
        }
    }
    ranges.sort_by_key(|r| r.start);
    let secrets: Vec<String> = ranges
        .iter()
        .filter_map(|r| text.get(r.clone()))
        .filter(|s| !s.starts_with(HIDDEN))
        .map(str::to_owned)
        .collect();
    if secrets.is_empty() {
        return None;
    }
    let mut shown = String::with_capacity(text.len());
    let mut at = 0;
    for range in ranges {
        let (Some(before), Some(code)) = (text.get(at..range.start.max(at)), text.get(range.clone())) else { continue };
        shown.push_str(before);
        shown.extend(code.chars().map(|_| HIDDEN));
        at = range.end;
    }
    shown.push_str(text.get(at..).unwrap_or_default());
    Some(Hidden { text: shown, secrets })
}

/// A text whose codes are hidden.
pub(super) struct Hidden {
    /// To be kept and shown.
    pub text: String,
    /// The codes, as they stood in it.
    secrets: Vec<String>,
}

impl Hidden {
    /// Hides them in something quoted of the text.
    pub(super) fn hide(&self, quoted: &mut String) {
        for secret in self.secrets.iter().filter(|s| quoted.contains(s.as_str())).collect::<Vec<_>>() {
            *quoted = quoted.replace(secret.as_str(), &secret.chars().map(|_| HIDDEN).collect::<String>());
        }
    }

    /// Hides them in all that a report quotes; answers are no quotes.
    pub(super) fn hide_in(&self, report: &mut Report) {
        self.hide(&mut report.leftover);
        report.comment.iter_mut().for_each(|c| self.hide(c));
        report.rejected.iter_mut().for_each(|r| self.hide(&mut r.value));
        report.notes.iter_mut().for_each(|n: &mut Note| self.hide(&mut n.detail));
    }
}

/// Every run of decimal digits, those of other scripts with them.
fn digit_runs(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    for (at, c) in text.char_indices().filter(|(_, c)| c.is_numeric()) {
        match runs.last_mut() {
            Some(run) if run.end == at => run.end = at + c.len_utf8(),
            _ => runs.push(at..at + c.len_utf8()),
        }
    }
    runs
}
