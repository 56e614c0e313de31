//! A steady load: whole reports with a set number of answers from each observer in turn, for
//! measuring. The first round of the observers is accepted, each later one corrects it.

use crate::domain::outcome::Outcome;
use crate::domain::value::{Answers, Value};

use super::dice::Dice;
use super::sample::Sample;

/// Prefix of the load's checklist.
pub const LOAD_PREFIX: &str = "PS";
/// Answers a report may have: codes from `AA` to `ZZ` without the prefix.
const ANSWERS_MAX: u32 = 600;

/// Endless source of reports.
#[derive(Debug, Clone)]
pub struct Load {
    seed: u64,
    answers: u32,
    long: f64,
    codes: Vec<(String, String)>,
}

/// One report of the load.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadEvent {
    /// The phone it comes from.
    pub phone: String,
    /// Observer code.
    pub observer: String,
    /// The text.
    pub text: String,
    /// What is to be recorded.
    pub answers: Answers,
    /// The outcome.
    pub outcome: Outcome,
}

impl Load {
    /// Reports of `answers` answers each (at least one) from the sample's observers; `long` of them,
    /// 0 to 1, are made longer than one segment.
    pub fn new(seed: u64, sample: &Sample, answers: u32, long: f64) -> Self {
        let codes = (0..sample.len()).map(|i| (sample.code_of(i), sample.phone(i))).collect();
        Self { seed, answers: answers.clamp(1, ANSWERS_MAX), long, codes }
    }

    /// Number and letters of a question, by place.
    fn code(place: u32) -> String {
        let letter = |n: u32| char::from(b'A' + (n % 26) as u8);
        // PS would be the prefix.
        let place = if place >= 15 * 26 + 18 { place + 1 } else { place };
        [letter(place / 26), letter(place)].iter().collect()
    }

    /// The checklist that the reports are for, as a file.
    pub fn checklist(&self) -> serde_json::Value {
        let questions: Vec<serde_json::Value> = (0..self.answers)
            .map(|i| {
                let (code, text) = (Self::code(i), format!("Question {}", i + 1));
                match i % 4 {
                    1 => serde_json::json!({"code": code, "text": text, "type": "yes_no"}),
                    2 => serde_json::json!({"code": code, "text": text, "type": "choice",
                        "options": {"1": "One", "2": "Two", "3": "Three", "4": "Four"}}),
                    _ => serde_json::json!({"code": code, "text": text, "type": "count", "min": 0, "max": 5000}),
                }
            })
            .collect();
        serde_json::json!({"prefix": LOAD_PREFIX, "title": "Load", "questions": questions})
    }

    /// Report number `n`, from 0; `None` when there are no observers.
    pub fn event(&self, n: u64) -> Option<LoadEvent> {
        use std::fmt::Write as _;
        let observers = self.codes.len() as u64;
        let (code, phone) = self.codes.get(n.checked_rem(observers)? as usize)?;
        let round = n / observers;
        let mut dice = Dice::new(self.seed, "load", n);
        let mut text = String::with_capacity(160);
        let mut answers = Answers::new();
        // Writing to a String cannot fail.
        let _ = write!(text, "{LOAD_PREFIX} {code}");
        for i in 0..self.answers {
            let question = Self::code(i);
            let value = match i % 4 {
                // The first number goes up by the round, so that each round changes something.
                0 if i == 0 => Value::Number((round % 5_000) as i64),
                1 => Value::Bool(dice.chance(0.8)),
                2 => Value::Number(dice.between(1, 4)),
                _ => Value::Number(dice.between(0, 900)),
            };
            let _ = match &value {
                Value::Bool(yes) => write!(text, " {question}{}", if *yes { 1 } else { 2 }),
                Value::Number(n) => write!(text, " {question}{n}"),
                _ => Ok(()),
            };
            answers.insert(question, Some(value));
        }
        if dice.chance(self.long) {
            text.push_str(" @ ");
            while text.len() < 170 {
                text.push_str("all quiet here so far, ");
            }
        }
        let outcome = if round == 0 { Outcome::Accepted } else { Outcome::Corrected };
        Some(LoadEvent { phone: phone.clone(), observer: code.clone(), text, answers, outcome })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::checklist::Checklist;
    use crate::generator::Country;

    #[test]
    fn the_load_has_the_answers_and_segments_that_were_asked_for() {
        let mut country = Country::new(1, 60);
        let sample = Sample::draw(1, &mut country, 50);
        let load = Load::new(1, &sample, 11, 0.1);
        let checklist: Checklist = serde_json::from_value(load.checklist()).unwrap();
        let events: Vec<LoadEvent> = (0..2_000).map_while(|n| load.event(n)).collect();
        assert_eq!(events.len(), 2_000);
        assert!(events.iter().all(|e| e.answers.len() == 11 && checklist.questions.len() == 11));
        assert!(events.iter().all(|e| e.answers.keys().all(|c| checklist.question(c).is_some())));
        let long = events.iter().filter(|e| e.text.len() > 160).count();
        assert!((140..260).contains(&long), "{long}");
        assert!(events.iter().take(50).all(|e| e.outcome == Outcome::Accepted));
        assert!(events.iter().skip(50).all(|e| e.outcome == Outcome::Corrected));
        assert_eq!(load.event(7), load.event(7));
    }

    #[test]
    fn no_code_of_a_long_checklist_is_the_prefix_or_comes_twice() {
        let codes: std::collections::HashSet<String> = (0..ANSWERS_MAX).map(Load::code).collect();
        assert_eq!(codes.len(), ANSWERS_MAX as usize);
        assert!(!codes.contains(LOAD_PREFIX));
    }
}
