//! Rules between answers: `sum op sum`, read once, evaluated when all operands are answered.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while1};
use nom::character::complete::{multispace0, one_of};
use nom::combinator::{map, map_res, value};
use nom::multi::many0;
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser};

use crate::domain::value::{Answers, Value};

/// A rule's expression, ready to be evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expr {
    left: Vec<Term>,
    op: Op,
    right: Vec<Term>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    negative: bool,
    operand: Operand,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Operand {
    Code(String),
    Number(i64),
    Registered,
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

fn operand(input: &str) -> IResult<&str, Operand> {
    let number = map_res(take_while1(|c: char| c.is_ascii_digit()), |d: &str| d.parse().map(Operand::Number));
    let word = map(take_while1(|c: char| c.is_ascii_alphabetic()), |w: &str| match w {
        "registered" => Operand::Registered,
        code => Operand::Code(code.to_owned()),
    });
    delimited(multispace0, alt((number, word)), multispace0).parse(input)
}

fn sum(input: &str) -> IResult<&str, Vec<Term>> {
    let term = |negative| move |operand| Term { negative, operand };
    let (rest, first) = map(operand, term(false)).parse(input)?;
    let (rest, more) =
        many0(alt((map(preceded(one_of("+"), operand), term(false)), map(preceded(one_of("-"), operand), term(true)))))
            .parse(rest)?;
    Ok((rest, std::iter::once(first).chain(more).collect()))
}

fn op(input: &str) -> IResult<&str, Op> {
    alt((
        value(Op::Equal, tag("==")),
        value(Op::NotEqual, tag("!=")),
        value(Op::AtMost, tag("<=")),
        value(Op::AtLeast, tag(">=")),
        value(Op::Less, tag("<")),
        value(Op::Greater, tag(">")),
    ))
    .parse(input)
}

impl Expr {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong with it, and what was expected where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |rest: &str, expected: &str| {
            let rest = rest.trim();
            let place = if rest.is_empty() { "at its end".to_owned() } else { format!("at `{rest}`") };
            format!("cannot read `{text}`: {expected} is expected {place}")
        };
        let (rest, left) = sum(text).map_err(|_| wrong(text, "a code, a whole number or `registered`"))?;
        let (rest, op) = op(rest).map_err(|_| wrong(rest, "one of == != <= >= < >, + or -"))?;
        let (after, right) = sum(rest).map_err(|_| wrong(rest, "a code, a whole number or `registered`"))?;
        if !after.is_empty() {
            return Err(wrong(after, "the end, + or -"));
        }
        Ok(Self { left, op, right })
    }

    /// The codes that it refers to.
    pub fn codes(&self) -> impl Iterator<Item = &str> {
        self.left.iter().chain(&self.right).filter_map(|t| match &t.operand {
            Operand::Code(code) => Some(code.as_str()),
            _ => None,
        })
    }

    /// Does it hold? `None` while an operand is missing or not available.
    pub fn holds(&self, answers: &Answers, registered: Option<i32>) -> Option<bool> {
        let total = |terms: &[Term]| {
            terms.iter().try_fold(0i64, |sum, term| {
                let n = match &term.operand {
                    Operand::Number(n) => *n,
                    Operand::Registered => i64::from(registered?),
                    Operand::Code(code) => match answers.get(code) {
                        Some(Some(Value::Number(n))) => *n,
                        _ => return None,
                    },
                };
                if term.negative { sum.checked_sub(n) } else { sum.checked_add(n) }
            })
        };
        let (left, right) = (total(&self.left)?, total(&self.right)?);
        Some(match self.op {
            Op::Equal => left == right,
            Op::NotEqual => left != right,
            Op::AtMost => left <= right,
            Op::AtLeast => left >= right,
            Op::Less => left < right,
            Op::Greater => left > right,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(list: &[(&str, i64)]) -> Answers {
        list.iter().map(|(c, n)| ((*c).to_owned(), Some(Value::Number(*n)))).collect()
    }

    #[test]
    fn a_rule_is_judged_when_all_operands_are_answered() {
        let rule = Expr::parse("RV + RX == RT").unwrap();
        assert_eq!(rule.codes().collect::<Vec<_>>(), ["RV", "RX", "RT"]);
        assert_eq!(rule.holds(&answers(&[("RV", 1), ("RX", 2), ("RT", 3)]), None), Some(true));
        assert_eq!(rule.holds(&answers(&[("RV", 1), ("RX", 2), ("RT", 4)]), None), Some(false));
        assert_eq!(rule.holds(&answers(&[("RV", 1), ("RX", 2)]), None), None);
        let mut with_na = answers(&[("RV", 1), ("RX", 2)]);
        with_na.insert("RT".into(), Some(Value::NotAvailable { na: 999 }));
        assert_eq!(rule.holds(&with_na, None), None);
    }

    #[test]
    fn registered_voters_come_from_the_station() {
        let rule = Expr::parse("RT-10<=registered").unwrap();
        assert_eq!(rule.holds(&answers(&[("RT", 500)]), Some(490)), Some(true));
        assert_eq!(rule.holds(&answers(&[("RT", 501)]), Some(490)), Some(false));
        assert_eq!(rule.holds(&answers(&[("RT", 501)]), None), None);
    }

    #[test]
    fn a_bad_expression_is_named_with_its_place() {
        assert_eq!(
            Expr::parse("RV + RX").unwrap_err(),
            "cannot read `RV + RX`: one of == != <= >= < >, + or - is expected at its end"
        );
        assert!(Expr::parse("RV == RX RT").unwrap_err().ends_with("is expected at `RT`"));
        assert!(Expr::parse("== 5").is_err());
        assert!(Expr::parse("").is_err());
    }
}
