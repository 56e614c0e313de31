//! The text of one step, and what a right system makes of it.

use crate::domain::outcome::Outcome;
use crate::domain::report::Reason;
use crate::domain::value::Value;

use super::day::{Day, Expected, ExpectedReport};
use super::dice::Dice;
use super::forms::{Answer, Form};
use super::hand::{self, Draft, Hand, Written};
use super::script::What;

/// The number with its last two different neighbouring digits changed over.
pub(super) fn transposed(value: &Value) -> Option<Value> {
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
pub(super) struct Page<'a> {
    pub(super) day: &'a Day,
    pub(super) observer: u32,
    pub(super) hand: Hand,
    pub(super) code: String,
    pub(super) language: &'static str,
    pub(super) at_ms: u32,
    /// The text is sent again later: without a comment, so that nothing about the second is new.
    pub(super) repeated: bool,
}

impl Page<'_> {
    pub(super) fn write(&mut self, dice: &mut Dice, what: What) -> Option<(String, Expected, bool)> {
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
                let long = form != Form::Incident && !self.repeated && dice.chance(self.day.long);
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
        let often = if incident { 0.8 } else { 0.10 };
        let comment = (long || (!self.repeated && dice.chance(often))).then(|| hand::comment(dice, long));
        self.hand.write(dice, &drafts, comment.as_deref(), self.language)
    }
}
