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
use super::hand::{self, Draft, Hand, Written};
use super::sample::Sample;

const MINUTE: f64 = 60_000.0;
/// Texts of one observer on one day.
const STEPS_MAX: usize = 64;

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

/// What a step sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// A whole form.
    Whole(Form),
    /// Closing and results in one text.
    Both,
    /// The results with two digits of a number changed over.
    Slip,
    /// A form with a number that is out of its range.
    Beyond(Form),
    /// A form with a number that has a decimal.
    Decimal(Form),
    /// A form without one required answer.
    Lacking(Form),
    /// That one answer, right.
    Only(Form),
    /// The text of an earlier step again.
    Again(u8),
    /// A form with an observer code that nobody has.
    WrongCode(Form),
    /// A form with a prefix that no checklist has.
    WrongPrefix(Form),
    /// No report at all.
    Chat,
    /// A command.
    Help,
}

/// One step of the script.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) at_ms: u32,
    what: What,
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
    long: f64,
}

impl Day {
    /// The day of `observers` in a country of `stations`. `long` of the whole forms, 0 to 1, are
    /// given a comment that makes them longer than one segment.
    pub fn new(seed: u64, stations: u32, observers: u32, long: f64) -> Self {
        let mut country = Country::new(seed, stations);
        let sample = Sample::draw(seed, &mut country, observers);
        Self { seed, country, sample, long }
    }

    fn dice(&self, purpose: &str, observer: u32) -> Dice {
        Dice::new(self.seed, purpose, u64::from(observer))
    }

    /// The script of one observer, in order of time.
    pub(super) fn script(&self, observer: u32) -> Vec<Step> {
        let mut dice = self.dice("script", observer);
        let mut steps: Vec<Step> = Vec::with_capacity(8);
        if dice.chance(0.007) {
            return steps; // A phone that was lost, or an observer who did not come.
        }
        let (arrival, begin) = forms::morning(&mut self.dice("morning", observer));
        if dice.chance(0.98) {
            let late = if dice.chance(0.05) { 90.0 * dice.unit() } else { 0.0 };
            let at = arrival.max(begin) as f64 + (1.4 + 0.8 * dice.normal()).exp() + late;
            self.form(&mut dice, &mut steps, Form::Opening, at * MINUTE);
        }
        let end = self.end(observer) as f64;
        let count = self.sample.station(&self.country, observer).count;
        let counted = end + (25.0 + 0.11 * f64::from(count.cast)) * (0.25 * dice.normal()).exp();
        let late = if dice.chance(0.07) { 30.0 + 200.0 * dice.unit() } else { 0.0 };
        let results_at = (counted + (1.8 + 0.7 * dice.normal()).exp() + late).min(29.0 * 60.0);
        let (closing, results) = (dice.chance(0.97), dice.chance(0.96));
        if closing && results && dice.chance(0.03) {
            push(&mut steps, results_at * MINUTE, What::Both);
        } else {
            if closing {
                let at = end + (2.2 + 0.8 * dice.normal()).exp();
                self.form(&mut dice, &mut steps, Form::Closing, at * MINUTE);
            }
            if results {
                self.form(&mut dice, &mut steps, Form::Results, results_at * MINUTE);
            }
        }
        while dice.chance(0.22) {
            let at = 430.0 + 800.0 * dice.unit();
            push(&mut steps, at * MINUTE, What::Whole(Form::Incident));
        }
        if dice.chance(0.012) {
            push(&mut steps, (350.0 + 60.0 * dice.unit()) * MINUTE, What::Help);
        }
        if dice.chance(0.012) {
            push(&mut steps, (400.0 + 700.0 * dice.unit()) * MINUTE, What::Chat);
        }
        // `Again` names a step by its place, which sorting keeps: it stands right behind it.
        let mut order: Vec<usize> = (0..steps.len()).collect();
        order.sort_by_key(|i| steps.get(*i).map(|s| s.at_ms));
        let mut sorted = Vec::with_capacity(steps.len());
        for old in &order {
            if let Some(step) = steps.get(*old) {
                let what = match step.what {
                    What::Again(of) => What::Again(order.iter().position(|o| *o == usize::from(of)).unwrap_or(0) as u8),
                    other => other,
                };
                sorted.push(Step { at_ms: step.at_ms, what });
            }
        }
        sorted
    }

    /// A form with the slips that come with it.
    fn form(&self, dice: &mut Dice, steps: &mut Vec<Step>, form: Form, at: f64) {
        let soon = |dice: &mut Dice| MINUTE * (0.7 + (0.9 + 0.7 * dice.normal()).exp());
        match dice.unit() {
            u if u < 0.012 => {
                push(steps, at, What::WrongCode(form));
                push(steps, at + soon(dice), What::Whole(form));
            }
            u if u < 0.020 => {
                push(steps, at, What::WrongPrefix(form));
                push(steps, at + soon(dice), What::Whole(form));
            }
            u if u < 0.045 => {
                push(steps, at, What::Lacking(form));
                if dice.chance(0.8) {
                    push(steps, at + soon(dice), What::Only(form));
                }
            }
            u if u < 0.065 => {
                push(steps, at, What::Beyond(form));
                if dice.chance(0.85) {
                    push(steps, at + soon(dice), What::Only(form));
                }
            }
            u if u < 0.072 => {
                push(steps, at, What::Decimal(form));
                push(steps, at + soon(dice), What::Only(form));
            }
            u if u < 0.112 && form == Form::Results => {
                push(steps, at, What::Slip);
                if dice.chance(0.6) {
                    let only = if dice.chance(0.5) { What::Only(form) } else { What::Whole(form) };
                    push(steps, at + 4.0 * soon(dice), only);
                }
            }
            u if u < 0.142 => {
                let first = steps.len() as u8;
                push(steps, at, What::Whole(form));
                push(steps, at + soon(dice), What::Again(first));
            }
            _ => push(steps, at, What::Whole(form)),
        }
    }

    /// When voting ended at the observer's station, minutes of the day.
    fn end(&self, observer: u32) -> i64 {
        let mut dice = self.dice("end", observer);
        if dice.chance(0.7) { 1_140 } else { 1_140 + dice.between(1, 45) }
    }

    /// What the observer would answer to a form, without slips.
    fn answers(&self, observer: u32, form: Form, at_ms: u32) -> Vec<Answer> {
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
    fn slip_at(&self, observer: u32, form: Form, answers: &[Answer]) -> usize {
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
            let mut event = self.play(observer, script.get(..number)?, usize::from(of))?;
            event.at_ms = step.at_ms;
            event.expected.outcome = Outcome::Duplicate;
            event.clean = false;
            return Some(event);
        }
        let who = self.sample.observer(observer);
        let mut dice = Dice::new(self.seed, "text", (u64::from(observer) << 8) | number as u64);
        let hand = Hand::new(&mut self.dice("hand", observer));
        let mut page = Page { day: self, observer, hand, code: who.code, language: who.language, at_ms: step.at_ms };
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
                        before.insert((report.form.prefix(), code), value);
                    }
                }
            }
        }
        let changed = now.reports.iter().any(|r| {
            r.answers.iter().any(|(code, value)| {
                before.get(&(r.form.prefix(), code.clone())).is_some_and(|old| Some(old) != value.as_ref())
            })
        });
        if changed { Outcome::Corrected } else { Outcome::Accepted }
    }
}

impl What {
    fn form(self) -> Option<Form> {
        match self {
            Self::Whole(f) | Self::Beyond(f) | Self::Decimal(f) | Self::Lacking(f) | Self::Only(f) => Some(f),
            Self::Slip => Some(Form::Results),
            _ => None,
        }
    }
}

fn push(steps: &mut Vec<Step>, at: f64, what: What) {
    if steps.len() < STEPS_MAX {
        steps.push(Step { at_ms: at as u32, what });
    }
}

/// The number with its last two different neighbouring digits changed over.
fn transposed(value: &Value) -> Option<Value> {
    let Value::Number(n) = value else { return None };
    let mut digits = n.to_string().into_bytes();
    // Never a zero to the front.
    let at = (0..digits.len().checked_sub(1)?)
        .rev()
        .find(|i| digits.get(*i) != digits.get(i + 1) && (*i > 0 || digits.get(1) != Some(&b'0')))?;
    digits.swap(at, at + 1);
    String::from_utf8(digits).ok()?.parse().ok().map(Value::Number)
}

/// What one text is written from.
struct Page<'a> {
    day: &'a Day,
    observer: u32,
    hand: Hand,
    code: String,
    language: &'static str,
    at_ms: u32,
}

impl Page<'_> {
    fn write(&mut self, dice: &mut Dice, what: What) -> Option<(String, Expected, bool)> {
        let refused = |outcome| Expected { outcome, reports: Vec::new(), answered: true };
        let accepted = |reports| Expected { outcome: Outcome::Accepted, reports, answered: true };
        Some(match what {
            What::Chat => {
                let text = dice.pick(&["hello", "Good morning", "please call me", "phone is low", "bonjour", "test"]);
                (text.to_owned(), refused(Outcome::UnknownChecklist), false)
            }
            What::Help => {
                let text = dice.pick(&["HELP", "help", "Help"]);
                (text.to_owned(), refused(Outcome::Command), false)
            }
            What::Again(_) => return None,
            What::Both => {
                let closing = self.answers(Form::Closing);
                let results = self.answers(Form::Results);
                let text = self.text(dice, &[(Form::Closing, &closing), (Form::Results, &results)], None, false);
                let reports = vec![self.report(Form::Closing, closing), self.report(Form::Results, results)];
                (text, accepted(reports), true)
            }
            What::Whole(form) => {
                let answers = self.answers(form);
                let long = form != Form::Incident && dice.chance(self.day.long);
                let text = self.text(dice, &[(form, &answers)], None, long);
                (text, accepted(vec![self.report(form, answers)]), true)
            }
            What::Slip => {
                let mut answers = self.answers(Form::Results);
                let at = self.day.slip_at(self.observer, Form::Results, &answers);
                if let Some((_, value)) = answers.get_mut(at) {
                    *value = transposed(value).unwrap_or(Value::Number(1));
                }
                let text = self.text(dice, &[(Form::Results, &answers)], None, false);
                (text, accepted(vec![self.report(Form::Results, answers)]), false)
            }
            What::Only(form) => {
                let mut answers = self.answers(form);
                let at = self.day.slip_at(self.observer, form, &answers);
                answers.swap(0, at);
                answers.truncate(1);
                let text = self.text(dice, &[(form, &answers)], None, false);
                (text, accepted(vec![self.report(form, answers)]), false)
            }
            What::Lacking(form) => {
                let mut answers = self.answers(form);
                answers.remove(self.day.slip_at(self.observer, form, &answers));
                let text = self.text(dice, &[(form, &answers)], None, false);
                (text, accepted(vec![self.report(form, answers)]), false)
            }
            What::Beyond(form) | What::Decimal(form) => {
                let mut answers = self.answers(form);
                let at = self.day.slip_at(self.observer, form, &answers);
                let number = match answers.get(at) {
                    Some((_, Value::Number(n))) => *n,
                    _ => 7,
                };
                let (raw, reason) = if matches!(what, What::Beyond(_)) {
                    (format!("{}", number + 60_000), Reason::OutOfRange)
                } else {
                    (format!("{},5", number % 100), Reason::Unclear)
                };
                let text = self.text(dice, &[(form, &answers)], Some((at, &raw)), false);
                let (code, _) = answers.remove(at);
                let mut report = self.report(form, answers);
                report.rejected.push((code, reason));
                let outcome = Outcome::Partial;
                (text, Expected { outcome, reports: vec![report], answered: true }, false)
            }
            What::WrongCode(form) => {
                let answers = self.answers(form);
                let right = std::mem::take(&mut self.code);
                self.code = self.mistyped(dice, &right)?;
                (self.text(dice, &[(form, &answers)], None, false), refused(Outcome::UnknownObserver), false)
            }
            What::WrongPrefix(form) => {
                let answers = self.answers(form);
                let text = self.text(dice, &[(form, &answers)], None, false);
                // A prefix that no checklist has, in place of the right one.
                let wrong = dice.pick(&["QZ", "OPN", "RZS", "ZL"]);
                let at = text.to_ascii_uppercase().find(form.prefix())?;
                let mut changed = text.get(..at)?.to_owned();
                changed.push_str(wrong);
                changed.push_str(text.get(at + form.prefix().len()..)?);
                (changed, refused(Outcome::UnknownChecklist), false)
            }
        })
    }

    fn answers(&self, form: Form) -> Vec<Answer> {
        self.day.answers(self.observer, form, self.at_ms)
    }

    /// The code with two neighbouring digits changed over, or one digit wrong; nobody's code.
    fn mistyped(&self, dice: &mut Dice, code: &str) -> Option<String> {
        (0..64).find_map(|_| {
            let mut digits = code.as_bytes().to_vec();
            let at = 1 + dice.below(5) as usize;
            if let Some(digit) = digits.get_mut(at) {
                *digit = b'0' + dice.below(10) as u8;
            }
            let number = String::from_utf8(digits).ok()?;
            (!self.day.sample.has_code(number.parse().ok()?)).then_some(number)
        })
    }

    fn report(&self, form: Form, answers: Vec<Answer>) -> ExpectedReport {
        let answers = answers.into_iter().map(|(code, value)| (code.to_owned(), Some(value))).collect();
        ExpectedReport { form, observer: self.code.clone(), answers, rejected: Vec::new() }
    }

    /// Writes reports; `raw` stands in place of one value of the first.
    fn text(&self, dice: &mut Dice, reports: &[(Form, &[Answer])], raw: Option<(usize, &str)>, long: bool) -> String {
        let written: Vec<Vec<(&'static str, Written<'_>)>> = reports
            .iter()
            .map(|(_, answers)| {
                answers
                    .iter()
                    .enumerate()
                    .map(|(i, (code, value))| match raw {
                        Some((at, raw)) if at == i => (*code, Written::Raw(raw)),
                        _ => (*code, Written::Value(value)),
                    })
                    .collect()
            })
            .collect();
        let drafts: Vec<Draft<'_>> = reports
            .iter()
            .zip(&written)
            .map(|((form, _), answers)| Draft {
                prefix: form.prefix(),
                code: &self.code,
                incident: *form == Form::Incident,
                answers,
            })
            .collect();
        let incident = reports.iter().any(|(form, _)| *form == Form::Incident);
        let comment = (long || dice.chance(if incident { 0.8 } else { 0.10 })).then(|| hand::comment(dice, long));
        self.hand.write(dice, &drafts, comment.as_deref(), self.language)
    }
}
