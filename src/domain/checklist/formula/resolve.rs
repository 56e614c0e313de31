//! Checks a formula against the questions that it speaks of, and makes it ready.

use super::read::{Item, Raw, read};
use super::{Comparison, Formula, Node, Op, Operand, Term};
use crate::domain::checklist::number::Number;
use crate::domain::checklist::{Question, QuestionType};
use crate::domain::location::FIGURE_MAX;

/// What may be compared with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Number,
    Option,
    YesNo,
    Time,
    Date,
}

impl Formula {
    /// Reads a formula and checks it against the questions.
    ///
    /// # Errors
    /// Every fault: what is wrong, and how to mend it.
    pub fn new(text: &str, questions: &[Question]) -> Result<Self, Vec<String>> {
        let raw = read(text).map_err(|fault| vec![fault])?;
        let mut resolver = Resolver { questions, faults: Vec::new() };
        let node = resolver.node(raw);
        match node {
            Some(node) if resolver.faults.is_empty() => Ok(Self { node }),
            _ => Err(resolver.faults),
        }
    }

    /// Can it ever hold, and can it ever fail, with answers that the questions allow?
    pub fn possible(&self, questions: &[Question]) -> (bool, bool) {
        possible(&self.node, questions)
    }
}

struct Resolver<'a> {
    questions: &'a [Question],
    faults: Vec<String>,
}

impl<'a> Resolver<'a> {
    fn fault<T>(&mut self, fault: String) -> Option<T> {
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
        None
    }

    fn question(&mut self, code: &str) -> Option<&'a Question> {
        let found = self.questions.iter().find(|q| q.code == code);
        if found.is_none() {
            return self.fault(format!("no question has the code {code}"));
        }
        found
    }

    fn node(&mut self, raw: Raw) -> Option<Node> {
        Some(match raw {
            // Each part is looked at, so that one fault hides no other.
            Raw::All(parts) => Node::All(self.nodes(parts)?),
            Raw::Any(parts) => Node::Any(self.nodes(parts)?),
            Raw::Not(part) => Node::Not(Box::new(self.node(*part)?)),
            Raw::Answered(code) => {
                self.question(&code)?;
                Node::Answered(code.into())
            }
            Raw::Has(code, option) => {
                let question = self.question(&code)?;
                match &question.kind {
                    QuestionType::MultiChoice { options } if options.contains_key(&option) => {}
                    QuestionType::MultiChoice { .. } => return self.fault(format!("{code} has no option {option}")),
                    _ => {
                        return self.fault(format!("{code} is no multi_choice: `has` asks for one of several options"));
                    }
                }
                Node::Has(code.into(), option)
            }
            Raw::Compare(left, op, right) => self.compare(left, op, right)?,
        })
    }

    fn nodes(&mut self, parts: Vec<Raw>) -> Option<Vec<Node>> {
        let nodes: Vec<Option<Node>> = parts.into_iter().map(|part| self.node(part)).collect();
        nodes.into_iter().collect()
    }

    /// What an item is compared as; a number fits all but times and dates.
    fn class(&mut self, item: &Item) -> Option<Class> {
        let code = match item {
            Item::Code(code) => code,
            Item::Figure(_) | Item::Number(_) => return Some(Class::Number),
            Item::Time(_) => return Some(Class::Time),
            Item::Yes(_) => return Some(Class::YesNo),
        };
        match self.question(code)?.kind.as_str() {
            "count" | "decimal" => Some(Class::Number),
            "choice" => Some(Class::Option),
            "yes_no" | "flag" => Some(Class::YesNo),
            "time" => Some(Class::Time),
            "date" => Some(Class::Date),
            "multi_choice" => self.fault(format!("{code} may have several options: write `{code} has 1`")),
            other => {
                self.fault(format!("{code} is a {other}, which cannot be compared: `{code} answered` can be asked"))
            }
        }
    }

    fn compare(&mut self, left: Vec<(bool, Item)>, op: Op, right: Vec<(bool, Item)>) -> Option<Node> {
        let plain = left.len() == 1 && right.len() == 1 && !left.iter().chain(&right).any(|(negative, _)| *negative);
        let classes: Vec<Option<Class>> = left.iter().chain(&right).map(|(_, item)| self.class(item)).collect();
        let classes: Vec<Class> = classes.into_iter().collect::<Option<_>>()?;
        let of = |class| classes.contains(&class);
        let codes: Vec<&str> = left
            .iter()
            .chain(&right)
            .filter_map(|(_, item)| match item {
                Item::Code(code) => Some(code.as_str()),
                _ => None,
            })
            .collect();
        let special = [Class::Option, Class::YesNo, Class::Time, Class::Date].into_iter().find(|c| of(*c));
        if let Some(class) = special {
            let named = codes.join(" and ");
            if !plain {
                return self.fault(format!("{named}: only counts and decimals can be added and taken away"));
            }
            let numbers_fit = matches!(class, Class::Option | Class::YesNo);
            let literal = |item: &Item| matches!(item, Item::Number(_));
            let sides: Vec<&Item> = left.iter().chain(&right).map(|(_, item)| item).collect();
            let fits = classes.iter().zip(&sides).all(|(c, item)| *c == class || (numbers_fit && literal(item)));
            if !fits || codes.is_empty() {
                return self.fault(match class {
                    Class::Option => format!("{named}: a choice is compared with one of its options' numbers"),
                    Class::YesNo => format!("{named}: yes or no is compared with `yes` or `no`"),
                    Class::Time => format!("{named}: a time is compared with a time, such as 07:30"),
                    _ => format!("{named}: a date is compared with another date"),
                });
            }
            if class == Class::YesNo && !matches!(op, Op::Equal | Op::NotEqual) {
                return self.fault(format!("{named}: yes or no can be == or !=, and not more or less"));
            }
        }
        let mut out = Comparison { terms: Vec::new(), constant: Number::default(), op };
        let other = codes.first().copied().map(str::to_owned);
        for (negative, item, right) in
            left.into_iter().map(|(n, i)| (n, i, false)).chain(right.into_iter().map(|(n, i)| (n, i, true)))
        {
            let times = if negative == right { 1 } else { -1 };
            let constant = match item {
                Item::Code(code) => {
                    let flag = matches!(self.question(&code)?.kind, QuestionType::Flag {});
                    let operand = if flag { Operand::Flag(code.into()) } else { Operand::Code(code.into()) };
                    out.add(times, operand);
                    continue;
                }
                Item::Figure(name) => {
                    out.add(times, Operand::Figure(name.into()));
                    continue;
                }
                Item::Number(n) if special.is_some() => self.option(other.as_deref()?, n, op)?,
                Item::Number(n) => n,
                Item::Time(minutes) => Number::whole(minutes),
                Item::Yes(yes) => Number::whole(i64::from(yes)),
            };
            let Some(sum) = constant.times(times).and_then(|n| out.constant.plus(n)) else {
                return self.fault("a number in it is too great".to_owned());
            };
            out.constant = sum;
        }
        if out.terms.is_empty() {
            return self.fault("no code stands in it, or each is taken away again: it says nothing".to_owned());
        }
        Some(Node::Compare(out))
    }

    /// An option's number as it is compared: that of yes is 1, that of no 0.
    fn option(&mut self, code: &str, number: Number, op: Op) -> Option<Number> {
        let question = self.question(code)?;
        let whole = number.as_whole().and_then(|n| u16::try_from(n).ok());
        let no_such = |own: &[u16]| {
            let list: Vec<String> = own.iter().map(u16::to_string).collect();
            format!("{code} has no option {number}: its options are {}", list.join(", "))
        };
        match &question.kind {
            QuestionType::YesNo { options } => {
                let mut own: Vec<u16> = options.keys().copied().collect();
                if own.len() != 2 {
                    own = vec![1, 2];
                }
                match own.iter().position(|n| Some(*n) == whole) {
                    Some(place) => Some(Number::whole(i64::from(place == 0))),
                    None => self.fault(no_such(&own)),
                }
            }
            QuestionType::Flag {} if whole == Some(1) => Some(Number::whole(1)),
            QuestionType::Flag {} => self.fault(format!("{code} is a flag: write `{code} == yes` or `{code} == no`")),
            QuestionType::Choice { options } => {
                let exact = matches!(op, Op::Equal | Op::NotEqual);
                if exact && whole.is_none_or(|n| !options.contains_key(&n)) {
                    let own: Vec<u16> = options.keys().copied().collect();
                    return self.fault(no_such(&own));
                }
                Some(number)
            }
            _ => Some(number),
        }
    }
}

impl Comparison {
    /// Adds a term; like ones are joined, and go when nothing of them is left.
    fn add(&mut self, times: i64, operand: Operand) {
        match self.terms.iter_mut().find(|t| t.operand == operand) {
            Some(term) => term.times += times,
            None => self.terms.push(Term { times, operand }),
        }
        self.terms.retain(|t| t.times != 0);
    }

    /// Least and greatest difference, where both are known.
    fn range(&self, questions: &[Question]) -> Option<(Number, Number)> {
        self.terms.iter().try_fold((self.constant, self.constant), |(low, high), term| {
            let (min, max) = match &term.operand {
                Operand::Flag(_) => (0, 1),
                Operand::Figure(_) => (0, FIGURE_MAX),
                Operand::Code(code) => match &questions.iter().find(|q| q.code == **code)?.kind {
                    QuestionType::Count { min, max } => (*min, *max),
                    QuestionType::YesNo { .. } => (0, 1),
                    QuestionType::Choice { options } => {
                        (i64::from(*options.keys().next()?), i64::from(*options.keys().next_back()?))
                    }
                    _ => return None,
                },
            };
            let (a, b) = (Number::whole(min).times(term.times)?, Number::whole(max).times(term.times)?);
            Some((low.plus(a.min(b))?, high.plus(a.max(b))?))
        })
    }
}

fn possible(node: &Node, questions: &[Question]) -> (bool, bool) {
    match node {
        Node::All(nodes) => {
            nodes.iter().map(|n| possible(n, questions)).fold((true, false), |a, b| (a.0 && b.0, a.1 || b.1))
        }
        Node::Any(nodes) => {
            nodes.iter().map(|n| possible(n, questions)).fold((false, true), |a, b| (a.0 || b.0, a.1 && b.1))
        }
        Node::Not(node) => {
            let (holds, fails) = possible(node, questions);
            (fails, holds)
        }
        Node::Has(..) | Node::Answered(_) => (true, true),
        Node::Compare(comparison) => {
            let Some((low, high)) = comparison.range(questions) else { return (true, true) };
            let zero = Number::default();
            let spans = low <= zero && zero <= high;
            let alone = low == zero && high == zero;
            match comparison.op {
                Op::Equal => (spans, !alone),
                Op::NotEqual => (!alone, spans),
                Op::AtMost => (low <= zero, high > zero),
                Op::AtLeast => (high >= zero, low < zero),
                Op::Less => (low < zero, high >= zero),
                Op::Greater => (high > zero, low <= zero),
            }
        }
    }
}
