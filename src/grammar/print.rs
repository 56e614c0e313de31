//! The text that says a report, in its checklist's grammar: reading it gives that report again.
//!
//! Every token stands apart, so that it can be read aloud and shown in pieces. What the grammar has no
//! words for cannot be printed: free text of the keyed grammar that holds a later question's number, or
//! that would take the comment with it, and a comment beside another text of the compact one.

use crate::domain::checklist::{Checklist, GrammarKind, Question, QuestionType};
use crate::domain::report::Report;
use crate::domain::value::Value;

/// One token of a printed report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// What the text begins with.
    Prefix(String),
    /// The observer code.
    Observer(String),
    /// `!`.
    Incident,
    /// The serial, without its `X`.
    Serial(String),
    /// What an answer is sent under: a question's code, or its number with a point.
    Label(String),
    /// An answer, after its label; empty for a flag.
    Value(String),
    /// The comment, without its `@`.
    Comment(String),
}

impl Token {
    /// As it is sent.
    pub fn text(&self) -> String {
        match self {
            Self::Prefix(text) | Self::Observer(text) | Self::Label(text) | Self::Value(text) => text.clone(),
            Self::Incident => "!".to_owned(),
            Self::Serial(serial) => format!("X{serial}"),
            Self::Comment(text) => format!("@ {text}"),
        }
    }
}

/// A report as a text.
pub fn print(checklist: &Checklist, report: &Report) -> String {
    let mut out = String::new();
    for token in tokens(checklist, report) {
        if !out.is_empty() && !matches!(token, Token::Value(_)) {
            out.push(' ');
        }
        out.push_str(&token.text());
    }
    out
}

/// A report's tokens, in the order in which they are sent. Its prefix is what texts of the checklist begin
/// with, whatever version the report itself was read by.
pub fn tokens(checklist: &Checklist, report: &Report) -> Vec<Token> {
    let mut out = vec![Token::Prefix(checklist.opening())];
    out.extend(report.observer.as_ref().map(|o| Token::Observer(o.to_string())));
    if report.incident {
        out.push(Token::Incident);
    }
    out.extend(report.serial.as_ref().map(|s| Token::Serial(s.to_string())));
    let mut comment = report.comment.clone();
    for question in &checklist.questions {
        let Some(answer) = report.answers.get(&question.code) else { continue };
        match (checklist.grammar, &question.kind, answer) {
            // The comment is the answer.
            (GrammarKind::Compact, QuestionType::Text {}, Some(Value::Text(text))) => {
                comment.get_or_insert_with(|| text.clone());
            }
            (grammar, _, answer) => {
                let label = number(checklist, question).map(|n| format!("{n}."));
                let label = label.filter(|_| grammar == GrammarKind::Keyed).unwrap_or_else(|| question.code.clone());
                out.push(Token::Label(label));
                out.push(Token::Value(answer.as_ref().map_or_else(|| "*".to_owned(), |v| value(question, v))));
            }
        }
    }
    out.extend(comment.map(Token::Comment));
    out
}

/// A question's number in the printed guide, from 1.
fn number(checklist: &Checklist, question: &Question) -> Option<usize> {
    checklist.questions.iter().position(|q| q.code == question.code).map(|place| place + 1)
}

/// What an answer is sent under: the question's code, its number in the printed guide, or the sign of the
/// comment.
pub fn label(checklist: &Checklist, question: &Question) -> String {
    match (checklist.grammar, &question.kind) {
        (GrammarKind::Keyed, _) => number(checklist, question).unwrap_or(0).to_string(),
        (GrammarKind::Compact, QuestionType::Text {}) => "@".to_owned(),
        (GrammarKind::Compact, _) => question.code.clone(),
    }
}

/// An answer with what it is sent under; `*` withdraws one.
pub fn answer(checklist: &Checklist, question: &Question, value: &str) -> String {
    let joint = if checklist.grammar == GrammarKind::Keyed { "." } else { "" };
    format!("{}{joint}{value}", label(checklist, question))
}

/// An answer as it is sent after its label; empty for a flag.
pub fn value(question: &Question, value: &Value) -> String {
    match (&question.kind, value) {
        (QuestionType::YesNo { options }, Value::Bool(yes)) => {
            let mut numbers = options.keys().copied();
            let (first, second) = (numbers.next().unwrap_or(1), numbers.next().unwrap_or(2));
            if *yes { first } else { second }.to_string()
        }
        (_, Value::Bool(_)) => String::new(),
        (_, Value::Number(n)) => n.to_string(),
        (QuestionType::MultiChoice { options: all }, Value::Options(chosen)) => {
            let apart = if all.keys().all(|n| *n <= 9) { "" } else { "," };
            chosen.iter().map(u16::to_string).collect::<Vec<_>>().join(apart)
        }
        (_, Value::Options(chosen)) => chosen.iter().map(u16::to_string).collect::<Vec<_>>().join(","),
        (_, Value::NotAvailable { na }) => na.to_string(),
        (QuestionType::Time { .. }, Value::Text(time)) => time.replace(':', ""),
        (QuestionType::Date { .. }, Value::Text(date)) => date.replace('-', ""),
        // `1.234` may be a thousand and some: a further digit leaves no doubt.
        (QuestionType::Decimal { .. }, Value::Text(number)) if thousands(number) => format!("{number}0"),
        (_, Value::Text(text)) => text.clone(),
    }
}

/// Do the digits after the point look like a group of thousands?
fn thousands(number: &str) -> bool {
    number.split_once('.').is_some_and(|(_, fraction)| fraction.len() == 3)
}

#[cfg(test)]
mod tests;
