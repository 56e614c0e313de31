//! The checklists of the day, and what an observer at a station would answer to each.

use crate::domain::checklist::Checklist;
use crate::domain::value::Value;

use super::country::{CANDIDATES, Count};
use super::dice::Dice;

/// One checklist of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// In the morning.
    Opening,
    /// In the evening.
    Closing,
    /// After the count.
    Results,
    /// Whenever something happens.
    Incident,
}

impl Form {
    /// All of them, in the order of the day.
    pub const ALL: [Form; 4] = [Self::Opening, Self::Closing, Self::Results, Self::Incident];

    /// The prefix that its reports begin with.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Opening => "OP",
            Self::Closing => "CL",
            Self::Results => "RS",
            Self::Incident => "IR",
        }
    }

    /// Its checklist file, JSON.
    pub fn file(self) -> &'static str {
        match self {
            Self::Opening => include_str!("checklists/opening.json"),
            Self::Closing => include_str!("checklists/closing.json"),
            Self::Results => include_str!("checklists/results.json"),
            Self::Incident => include_str!("checklists/incident.json"),
        }
    }

    /// Its checklist as a value.
    pub fn checklist(self) -> Result<Checklist, serde_json::Error> {
        serde_json::from_str(self.file())
    }
}

/// An answer: code and value.
pub(super) type Answer = (&'static str, Value);

/// Codes of the results form, in the checklist's order.
const VOTES: [&str; CANDIDATES] = ["PA", "PB", "PC", "PD", "PE", "PF", "PG"];

pub(super) fn time(minutes: i64) -> Value {
    Value::Text(format!("{:02}:{:02}", minutes / 60 % 24, minutes % 60))
}

fn some_of(dice: &mut Dice, options: std::ops::RangeInclusive<u16>, p: f64, none: u16) -> Value {
    let list: Vec<u16> = options.filter(|_| dice.chance(p)).collect();
    Value::Options(if list.is_empty() { vec![none] } else { list })
}

/// The morning's times at a station: arrival and begin of voting, minutes of the day.
pub(super) fn morning(dice: &mut Dice) -> (i64, i64) {
    let arrival = (370.0 + 16.0 * dice.normal()).clamp(330.0, 480.0) as i64;
    let begin = match dice.unit() {
        u if u < 0.78 => 420,
        u if u < 0.955 => 420 + dice.between(2, 30),
        u if u < 0.988 => 420 + dice.between(31, 60),
        _ => 420 + dice.between(61, 100),
    };
    (arrival, begin)
}

/// Answers to the opening checklist.
pub(super) fn opening(dice: &mut Dice, arrival: i64, begin: i64) -> Vec<Answer> {
    let officials = if dice.chance(0.004) {
        Value::NotAvailable { na: 99 }
    } else {
        Value::Number(match dice.unit() {
            u if u < 0.78 => 7,
            u if u < 0.91 => 6,
            u if u < 0.97 => 5,
            _ => dice.between(2, 4),
        })
    };
    let mut answers = vec![
        ("AA", time(arrival)),
        ("AB", Value::Bool(!dice.chance(0.012))),
        ("AC", time(begin)),
        ("BA", officials),
        ("BB", some_of(dice, 1..=7, 0.55, 8)),
        ("CA", some_of(dice, 2..=7, 0.02, 1)),
        ("CB", Value::Bool(!dice.chance(0.014))),
        ("CC", Value::Bool(!dice.chance(0.004))),
        ("DA", Value::Number(if dice.chance(0.55) { 1 } else { dice.between(2, 3) })),
    ];
    if dice.chance(0.03) {
        answers.push(("DB", Value::Bool(true)));
    }
    answers
}

/// Answers to the closing checklist; voting ended at `end` (minutes of the day).
pub(super) fn closing(dice: &mut Dice, end: i64) -> Vec<Answer> {
    let queue = if dice.chance(0.75) { 0 } else { dice.between(1, 60) };
    vec![
        ("AA", time(end)),
        ("AB", if dice.chance(0.006) { Value::NotAvailable { na: 999 } } else { Value::Number(queue) }),
        ("AC", Value::Bool(!dice.chance(0.02))),
        ("BA", Value::Number(if dice.chance(0.8) { 1 } else { dice.between(2, 3) })),
        ("BB", Value::Bool(!dice.chance(0.03))),
        ("CA", some_of(dice, 2..=5, 0.05, 1)),
    ]
}

/// Answers to the results checklist.
pub(super) fn results(registered: u32, count: &Count) -> Vec<Answer> {
    let number = |n: u32| Value::Number(i64::from(n));
    let mut answers = vec![
        ("RA", number(registered)),
        ("RC", number(count.cast)),
        ("RX", number(count.rejected)),
        ("RV", number(count.valid)),
    ];
    answers.extend(VOTES.iter().zip(count.votes).map(|(code, n)| (*code, number(n))));
    answers
}

/// Answers to an incident report sent at `at` (minutes of the day).
pub(super) fn incident(dice: &mut Dice, at: i64) -> Vec<Answer> {
    let mut answers = vec![("AA", Value::Number(dice.between(1, 8))), ("AB", time((at - dice.between(3, 40)).max(0)))];
    if dice.chance(0.7) {
        answers.push(("AC", Value::Bool(dice.chance(0.4))));
    }
    answers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_has_a_sound_checklist_with_the_codes_that_are_answered() {
        let mut dice = Dice::new(1, "forms", 0);
        let count = crate::generator::Country::new(1, 60).station(1).count;
        for form in Form::ALL {
            let checklist = form.checklist().unwrap();
            assert_eq!(checklist.prefix, form.prefix());
            let answers = match form {
                Form::Opening => opening(&mut dice, 370, 420),
                Form::Closing => closing(&mut dice, 1_140),
                Form::Results => results(700, &count),
                Form::Incident => incident(&mut dice, 700),
            };
            for (code, _) in &answers {
                assert!(checklist.question(code).is_some(), "{code}");
            }
            for code in checklist.required_codes() {
                assert!(answers.iter().any(|(c, _)| *c == code), "{code}");
            }
        }
    }
}
