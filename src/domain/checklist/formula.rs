//! Conditions and rules between answers: read and checked once when a checklist is loaded, evaluated
//! for each report.
//!
//! ```text
//! formula    = and *( "or" and )            and = not *( "and" not )       not = [ "not" ] one
//! one        = "(" formula ")" | CODE "has" NUMBER | CODE "answered" | sum op sum
//! op         = == != <= >= < >              sum = [ "-" ] item *( ( "+" | "-" ) item )
//! item       = CODE | number | 07:30 | yes | no | registered | another numeric column of the location
//! ```
//! What is not answered, or not available, is not known: a formula then may be neither true nor false
//! (Kleene's logic), and nobody is blamed for it. A flag that was not sent is *no*.

mod read;
mod resolve;

use super::number::Number;
use crate::domain::value::{Answers, Value};

/// A formula whose codes, types and options have been checked against a checklist's questions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Formula {
    node: Node,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Has(Box<str>, u16),
    Answered(Box<str>),
    Compare(Comparison),
}

/// `terms + constant op 0`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Comparison {
    terms: Vec<Term>,
    constant: Number,
    op: Op,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    times: i64,
    operand: Operand,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Operand {
    Code(Box<str>),
    /// 1 when sent, else 0.
    Flag(Box<str>),
    Figure(Box<str>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Equal,
    NotEqual,
    AtMost,
    AtLeast,
    Less,
    Greater,
}

/// What a formula is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The answers.
    pub answers: &'a Answers,
    /// Numeric columns of the observer's location, by name; `registered` among them.
    pub figures: &'a [(Box<str>, i64)],
}

impl Facts<'_> {
    fn figure(&self, name: &str) -> Option<Number> {
        self.figures.iter().find(|(known, _)| **known == *name).map(|(_, n)| Number::whole(*n))
    }

    fn number(&self, code: &str) -> Option<Number> {
        match self.answers.get(code)?.as_ref()? {
            Value::Number(n) => Some(Number::whole(*n)),
            Value::Bool(yes) => Some(Number::whole(i64::from(*yes))),
            Value::Text(text) => Number::of_text(text),
            Value::Options(_) | Value::NotAvailable { .. } => None,
        }
    }
}

impl Op {
    fn holds(self, n: Number) -> bool {
        let zero = Number::default();
        match self {
            Self::Equal => n == zero,
            Self::NotEqual => n != zero,
            Self::AtMost => n <= zero,
            Self::AtLeast => n >= zero,
            Self::Less => n < zero,
            Self::Greater => n > zero,
        }
    }
}

impl Comparison {
    /// Left side less right side; `None` while an operand is not known.
    fn difference(&self, facts: &Facts<'_>) -> Option<Number> {
        self.terms.iter().try_fold(self.constant, |sum, term| {
            let n = match &term.operand {
                Operand::Code(code) => facts.number(code)?,
                Operand::Flag(code) => facts.number(code).unwrap_or_default(),
                Operand::Figure(name) => facts.figure(name)?,
            };
            sum.plus(n.times(term.times)?)
        })
    }
}

impl Node {
    fn holds(&self, facts: &Facts<'_>) -> Option<bool> {
        // The first that decides it, else unknown if one is.
        let many = |nodes: &[Self], decides: bool| {
            let mut known = Some(!decides);
            for node in nodes {
                match node.holds(facts) {
                    Some(value) if value == decides => return Some(decides),
                    Some(_) => {}
                    None => known = None,
                }
            }
            known
        };
        match self {
            Self::All(nodes) => many(nodes, false),
            Self::Any(nodes) => many(nodes, true),
            Self::Not(node) => node.holds(facts).map(|value| !value),
            Self::Answered(code) => Some(facts.answers.get(code).is_some_and(Option::is_some)),
            Self::Has(code, option) => match facts.answers.get(code)?.as_ref()? {
                Value::Options(options) => Some(options.contains(option)),
                _ => None,
            },
            Self::Compare(comparison) => comparison.difference(facts).map(|n| comparison.op.holds(n)),
        }
    }

    fn visit<'a>(&'a self, each: &mut dyn FnMut(&'a Self)) {
        each(self);
        match self {
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().for_each(|n| n.visit(each)),
            Self::Not(node) => node.visit(each),
            _ => {}
        }
    }
}

impl Formula {
    /// Is it so? `None` while that is not known.
    pub fn holds(&self, facts: &Facts<'_>) -> Option<bool> {
        self.node.holds(facts)
    }

    /// Of a single comparison the left side less the right side, signed; `None` for another formula, and
    /// while an operand is not known.
    pub fn difference(&self, facts: &Facts<'_>) -> Option<Number> {
        match &self.node {
            Node::Compare(comparison) => comparison.difference(facts),
            _ => None,
        }
    }

    /// Is it a single comparison?
    pub fn is_comparison(&self) -> bool {
        matches!(self.node, Node::Compare(_))
    }

    /// The codes that it refers to, each once, in order.
    pub fn codes(&self) -> Vec<&str> {
        let mut codes: Vec<&str> = Vec::new();
        self.node.visit(&mut |node| match node {
            Node::Has(code, _) | Node::Answered(code) => codes.push(code),
            Node::Compare(comparison) => codes.extend(comparison.terms.iter().filter_map(|t| match &t.operand {
                Operand::Code(code) | Operand::Flag(code) => Some(&**code),
                Operand::Figure(_) => None,
            })),
            _ => {}
        });
        let mut once = Vec::with_capacity(codes.len());
        for code in codes {
            if !once.contains(&code) {
                once.push(code);
            }
        }
        once
    }

    /// The location's columns that it refers to.
    pub fn figures(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        self.node.visit(&mut |node| {
            if let Node::Compare(comparison) = node {
                names.extend(comparison.terms.iter().filter_map(|t| match &t.operand {
                    Operand::Figure(name) => Some(&**name),
                    _ => None,
                }));
            }
        });
        names
    }
}

#[cfg(test)]
mod tests;
