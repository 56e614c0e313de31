//! One observer's script: what is sent when, without its text.

use super::day::Day;
use super::dice::Dice;
use super::forms::{self, Form};

const MINUTE: f64 = 60_000.0;
/// Texts of one observer on one day.
const STEPS_MAX: usize = 64;

/// What a step sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
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
    pub(super) what: What,
}

impl Day {
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
}

impl What {
    pub(super) fn form(self) -> Option<Form> {
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
