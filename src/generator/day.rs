//! One observer's election day: what is sent when, and what a right system makes of it.
//!
//! The script (times and kinds) is cheap and holds no text; a text is written when its step is
//! asked for. Both are functions of seed and observer alone.

use std::collections::BTreeMap;

use crate::domain::outcome::Outcome;
use crate::domain::report::Reason;
use crate::domain::value::{Answers, Value};

use super::country::Country;
use super::dice::Dice;
use super::forms::{self, Answer, Form};
use super::hand::Hand;
use super::page::{Page, transposed};
use super::sample::Sample;
use super::script::{Step, What};

/// What a right system makes of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Expected {
    /// Outcome of the message.
    pub outcome: Outcome,
    /// Reports that it holds, as they are to be recorded; empty when it is refused.
    pub reports: Vec<ExpectedReport>,
    /// Is an answer due?
    pub answered: bool,
}

/// One report as it is to be recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpectedReport {
    /// Its checklist.
    pub form: Form,
    /// Observer code.
    pub observer: String,
    /// What is recorded.
    pub answers: Answers,
    /// Codes that are sent back, with why.
    pub rejected: Vec<(&'static str, Reason)>,
}

/// One text.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Milliseconds since midnight of election day; past 24 hours for what comes after midnight.
    pub at_ms: u32,
    /// Number of the observer.
    pub observer: u32,
    /// The phone it comes from, digits.
    pub phone: String,
    /// The text.
    pub text: String,
    /// What a right system makes of it.
    pub expected: Expected,
    /// Nothing about it is wrong or odd: it must be accepted as it stands.
    pub clean: bool,
}

/// The day of a country's observers.
#[derive(Debug, Clone)]
pub struct Day {
    seed: u64,
    /// The country.
    pub country: Country,
    /// Its observers.
    pub sample: Sample,
    /// Share of the whole forms that are made longer than one segment.
    pub(super) long: f64,
}

impl Day {
    /// The day of `observers` in a country of `stations`. `long` of the whole forms, 0 to 1, are
    /// given a comment that makes them longer than one segment.
    pub fn new(seed: u64, stations: u32, observers: u32, long: f64) -> Self {
        let mut country = Country::new(seed, stations);
        let sample = Sample::draw(seed, &mut country, observers);
        Self { seed, country, sample, long }
    }

    pub(super) fn dice(&self, purpose: &str, observer: u32) -> Dice {
        Dice::new(self.seed, purpose, u64::from(observer))
    }

    /// When voting ended at the observer's station, minutes of the day.
    pub(super) fn end(&self, observer: u32) -> i64 {
        let mut dice = self.dice("end", observer);
        if dice.chance(0.7) { 1_140 } else { 1_140 + dice.between(1, 45) }
    }

    /// What the observer would answer to a form, without slips.
    pub(super) fn answers(&self, observer: u32, form: Form, at_ms: u32) -> Vec<Answer> {
        match form {
            Form::Opening => {
                let (arrival, begin) = forms::morning(&mut self.dice("morning", observer));
                forms::opening(&mut self.dice("opening", observer), arrival, begin)
            }
            Form::Closing => forms::closing(&mut self.dice("closing", observer), self.end(observer)),
            Form::Results => {
                let station = self.sample.station(&self.country, observer);
                forms::results(station.registered, &station.count)
            }
            Form::Incident => {
                let mut dice = Dice::new(self.seed, "incident", (u64::from(observer) << 32) | u64::from(at_ms));
                forms::incident(&mut dice, i64::from(at_ms) / 60_000)
            }
        }
    }

    /// The answer of a form that the observer's slip is about.
    pub(super) fn slip_at(&self, observer: u32, form: Form, answers: &[Answer]) -> usize {
        let mut dice = self.dice("slip", observer);
        match form {
            Form::Opening => 3,
            Form::Closing => 1,
            Form::Incident => 0,
            Form::Results => {
                // A number in which changing two digits over makes a difference, where there is one.
                let first = 4 + dice.below(4) as usize;
                (0..answers.len())
                    .map(|i| (first + i) % answers.len().max(1))
                    .find(|i| answers.get(*i).is_some_and(|(_, v)| transposed(v).is_some()))
                    .unwrap_or(1)
            }
        }
    }

    /// The text of a step and what is to come of it; `None` past the script's end.
    pub(super) fn event(&self, observer: u32, step: usize) -> Option<Event> {
        let script = self.script(observer);
        self.play(observer, &script, step)
    }

    fn play(&self, observer: u32, script: &[Step], number: usize) -> Option<Event> {
        let step = script.get(number)?;
        if let What::Again(of) = step.what {
            // The very same text; it changes nothing.
            let mut event = self.play(observer, script, usize::from(of))?;
            event.at_ms = step.at_ms;
            event.expected.outcome = Outcome::Duplicate;
            event.clean = false;
            return Some(event);
        }
        let who = self.sample.observer(observer);
        let mut dice = Dice::new(self.seed, "text", (u64::from(observer) << 8) | number as u64);
        let hand = Hand::new(&mut self.dice("hand", observer));
        let repeated = script.iter().any(|s| s.what == What::Again(number as u8));
        let (code, language, at_ms) = (who.code, who.language, step.at_ms);
        let mut page = Page { day: self, observer, hand, code, language, at_ms, repeated };
        let (text, mut expected, clean) = page.write(&mut dice, step.what)?;
        if matches!(expected.outcome, Outcome::Accepted) && !expected.reports.iter().any(|r| r.form == Form::Incident) {
            expected.outcome = self.against_earlier(observer, script, number, &expected);
        }
        // A borrowed phone: noted on the record, and answered there.
        let phone =
            if dice.chance(0.01) { self.sample.phone((observer + 1) % self.sample.len().max(1)) } else { who.phone };
        Some(Event { at_ms: step.at_ms, observer, phone, text, expected, clean })
    }

    /// `Corrected` when the report changes an answer that an earlier one gave, else `Accepted`.
    fn against_earlier(&self, observer: u32, script: &[Step], number: usize, now: &Expected) -> Outcome {
        let mut before: BTreeMap<(&'static str, String), Value> = BTreeMap::new();
        for (i, step) in script.iter().take(number).enumerate() {
            let same = now.reports.iter().any(|r| step.what.form() == Some(r.form));
            if !same || matches!(step.what, What::Again(_) | What::Whole(Form::Incident)) {
                continue;
            }
            for report in self.play(observer, script, i).map(|e| e.expected.reports).unwrap_or_default() {
                for (code, value) in report.answers {
                    if let Some(value) = value {
                        before.insert((report.form.prefix(), code.to_string()), value);
                    }
                }
            }
        }
        let changed = now.reports.iter().any(|r| {
            r.answers.iter().any(|(code, value)| {
                before.get(&(r.form.prefix(), code.to_string())).is_some_and(|old| Some(old) != value.as_ref())
            })
        });
        if changed { Outcome::Corrected } else { Outcome::Accepted }
    }
}
