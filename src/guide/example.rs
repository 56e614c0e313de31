//! The example message: made from the checklist's own questions, and read back by the grammar before
//! it is printed.

use std::sync::Arc;

use super::GuideError;
use crate::domain::checklist::logic::{Logic, facts};
use crate::domain::checklist::{Checklist, Kind, Question, QuestionType, day, minutes};
use crate::domain::decimal::Decimal;
use crate::domain::value::{Answers, Value};
use crate::grammar::{Lexicon, Setting, print, read};

/// Answers in an example, at most.
const ANSWERS_MAX: usize = 5;
/// Plain numbers that look like answers, used in turn.
const NUMBERS: [i64; 5] = [12, 7, 25, 3, 140];
/// The serial of an example.
const SERIAL: &str = "7";

/// One part of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// As it is written.
    pub text: String,
    /// What it is.
    pub is: Is,
}

/// What a part of a message is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Is {
    Prefix,
    Observer,
    Incident,
    Serial,
    /// A question's code and answer.
    Answer(String, Value),
    Comment,
}

/// An example message.
#[derive(Debug, Clone)]
pub(super) struct Example<'a> {
    pub parts: Vec<Part>,
    answers: Vec<(&'a Question, Value)>,
    head: String,
}

impl<'a> Example<'a> {
    /// Makes an example for a checklist, with a comment. It breaks no rule of its own checklist, and an
    /// answer that would not be read as it is meant is not used.
    pub(super) fn new(checklist: &'a Checklist, observer: &str, comment: &str) -> Result<Self, GuideError> {
        let mut answers = Self::choose(checklist);
        loop {
            let example = Self::of(checklist, observer, comment, answers.clone());
            let sound = if breaks_a_rule(checklist, &answers) {
                Err(GuideError::Example { message: example.message() })
            } else {
                example.verify(checklist, observer, comment)
            };
            match sound {
                Ok(()) => return Ok(example),
                Err(error) if answers.is_empty() => return Err(error),
                Err(_) => {
                    // The one that does not go with the others, where there is one; else the last.
                    let alone = |i: &usize| {
                        let one = answers.get(*i).cloned().into_iter().collect();
                        Self::of(checklist, observer, comment, one).verify(checklist, observer, comment).is_err()
                    };
                    let bad = (0..answers.len()).find(alone).unwrap_or(answers.len() - 1);
                    answers.remove(bad);
                }
            }
        }
    }

    /// A message with these answers.
    fn of(checklist: &Checklist, observer: &str, comment: &str, answers: Vec<(&'a Question, Value)>) -> Self {
        let mut parts = vec![
            Part { text: checklist.prefix.clone(), is: Is::Prefix },
            Part { text: observer.to_owned(), is: Is::Observer },
        ];
        if checklist.kind == Kind::Incident {
            parts.push(Part { text: "!".to_owned(), is: Is::Incident });
        }
        if checklist.serial {
            parts.push(Part { text: format!("X{SERIAL}"), is: Is::Serial });
        }
        let head = join(&parts);
        for (question, value) in &answers {
            let text = print::answer(checklist, question, &print::value(question, value));
            parts.push(Part { text, is: Is::Answer(question.code.clone(), value.clone()) });
        }
        parts.push(Part { text: format!("@ {comment}"), is: Is::Comment });
        Self { parts, answers, head }
    }

    /// The whole message.
    pub(super) fn message(&self) -> String {
        join(&self.parts)
    }

    /// A message that corrects one answer, and one that withdraws it. An incident is never corrected.
    pub(super) fn corrections(&self, checklist: &Checklist) -> Option<(String, String)> {
        let (question, _) = self.answers.first().filter(|_| checklist.kind != Kind::Incident)?;
        let other = self.other()?;
        let whole = |answer: &str| format!("{} {}", self.head, print::answer(checklist, question, answer));
        Some((whole(&print::value(question, &other)), whole("*")))
    }

    /// Another answer to the first question.
    fn other(&self) -> Option<Value> {
        let (question, value) = self.answers.first()?;
        values(question, 1).into_iter().find(|v| v != value).or_else(|| Some(value.clone()))
    }

    /// Answers for an example: the first question of each type, then further ones, in the guide's order.
    fn choose(checklist: &'a Checklist) -> Vec<(&'a Question, Value)> {
        let mut chosen: Vec<(usize, Value)> = Vec::new();
        let mut types = Vec::new();
        for first_of_type in [true, false] {
            for (i, question) in checklist.questions.iter().enumerate() {
                let known = types.contains(&question.kind.as_str());
                if chosen.len() >= ANSWERS_MAX || known == first_of_type || chosen.iter().any(|(j, _)| *j == i) {
                    continue;
                }
                if let Some(value) = values(question, chosen.len()).into_iter().next() {
                    chosen.push((i, value));
                    types.push(question.kind.as_str());
                }
                if checklist.kind == Kind::Incident && !chosen.is_empty() {
                    break;
                }
            }
            if checklist.kind == Kind::Incident {
                break;
            }
        }
        chosen.sort_by_key(|(i, _)| *i);
        chosen.into_iter().filter_map(|(i, value)| checklist.questions.get(i).map(|q| (q, value))).collect()
    }

    /// Reads the messages back: what is printed is what would be recorded.
    fn verify(&self, checklist: &Checklist, observer: &str, comment: &str) -> Result<(), GuideError> {
        let setting = Setting { observer_lengths: vec![observer.len()], ..Setting::default() };
        let lexicon = Lexicon::new([Arc::new(checklist.clone())], setting);
        let expected: Answers = self.answers.iter().map(|(q, v)| (q.code.clone(), Some(v.clone()))).collect();
        let check = |message: &str, answers: &Answers, comment: Option<&str>| {
            let reading = read(&lexicon, message, &[]);
            let sound = match reading.reports.as_slice() {
                [found] => {
                    let report = &found.report;
                    !found.doubtful
                        && report.observer.as_deref() == Some(observer)
                        && report.serial.is_some() == checklist.serial
                        && report.answers == *answers
                        && report.rejected.is_empty()
                        && report.leftover.is_empty()
                        && reading.leftover.is_empty()
                        && report.comment.as_deref() == comment
                }
                _ => false,
            };
            if sound { Ok(()) } else { Err(GuideError::Example { message: message.to_owned() }) }
        };
        check(&self.message(), &expected, Some(comment))?;
        if let (Some((correct, withdraw)), Some((question, _))) = (self.corrections(checklist), self.answers.first()) {
            check(&correct, &Answers::from([(question.code.clone(), self.other())]), None)?;
            check(&withdraw, &Answers::from([(question.code.clone(), None)]), None)?;
        }
        Ok(())
    }
}

fn join(parts: &[Part]) -> String {
    parts.iter().map(|p| p.text.as_str()).collect::<Vec<_>>().join(" ")
}

fn breaks_a_rule(checklist: &Checklist, answers: &[(&Question, Value)]) -> bool {
    let answers: Answers = answers.iter().map(|(q, v)| (q.code.clone(), Some(v.clone()))).collect();
    let Ok(logic) = Logic::new(checklist) else { return true };
    let facts = facts(&answers, &[]);
    // An answer to a question that is not asked beside the others is no example either.
    logic.broken(facts).next().is_some() || logic.uncalled(facts).next().is_some()
}

/// Answers to a question that look real, the `turn`th first.
fn values(question: &Question, turn: usize) -> Vec<Value> {
    let rotated = |n: usize| (0..n).map(move |i| (i + turn) % n.max(1));
    match &question.kind {
        QuestionType::Count { min, max } => rotated(NUMBERS.len())
            .filter_map(|i| NUMBERS.get(i))
            .map(|n| Value::Number((*n).clamp(*min, *max)))
            .collect(),
        QuestionType::YesNo { .. } => vec![Value::Bool(true), Value::Bool(false)],
        QuestionType::Choice { options } => {
            let numbers: Vec<u16> = options.keys().copied().collect();
            rotated(numbers.len()).filter_map(|i| numbers.get(i)).map(|n| Value::Number(i64::from(*n))).collect()
        }
        QuestionType::MultiChoice { options } => {
            // 0 is often "none": the others are what goes together.
            let numbers: Vec<u16> = options.keys().copied().filter(|n| *n != 0).collect();
            let apart: Vec<u16> = [0, 2].iter().filter_map(|i| numbers.get(*i).copied()).collect();
            vec![Value::Options(apart), Value::Options(numbers.into_iter().take(1).collect())]
                .into_iter()
                .filter(|v| !matches!(v, Value::Options(o) if o.is_empty()))
                .collect()
        }
        QuestionType::Time { min, max } => {
            let (Some(min), Some(max)) = (minutes(min), minutes(max)) else { return Vec::new() };
            [390u16, 425, 810, min]
                .into_iter()
                .map(|t| t.clamp(min, max))
                .map(|t| Value::Text(format!("{:02}:{:02}", t / 60, t % 60)))
                .collect()
        }
        QuestionType::Flag {} => vec![Value::Bool(true)],
        QuestionType::Decimal { min, max } => ["12.5", "0.5", "3.25"]
            .into_iter()
            .filter_map(|n| n.parse::<Decimal>().ok())
            .map(|n| Value::Text(n.clamp(*min, *max).to_string()))
            .collect(),
        QuestionType::Date { min, max } => {
            let bounds = [min.as_deref(), max.as_deref(), Some("20260131")];
            let inside = |d: &&str| min.as_deref().is_none_or(|m| *d >= m) && max.as_deref().is_none_or(|m| *d <= m);
            let all = bounds.into_iter().flatten().filter(inside).filter(|d| day(d).is_some());
            all.map(|d| Value::Text([d.get(..4), d.get(4..6), d.get(6..)].map(Option::unwrap_or_default).join("-")))
                .collect()
        }
        // In the compact grammar the comment is the answer; in the keyed one it would make the example long.
        QuestionType::Text {} => Vec::new(),
    }
}
