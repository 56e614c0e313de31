//! From a formula's text to its parts. Nothing is checked against the questions here.

use super::Op;
use crate::domain::checklist::number::Number;

/// Parentheses and `not` within each other.
const DEPTH_MAX: usize = 8;

/// A formula as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Raw {
    All(Vec<Raw>),
    Any(Vec<Raw>),
    Not(Box<Raw>),
    Has(String, u16),
    Answered(String),
    /// Terms of the left side, then those of the right one; each with *is negative*.
    Compare(Vec<(bool, Item)>, Op, Vec<(bool, Item)>),
}

/// One operand as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    Code(String),
    Figure(String),
    Number(Number),
    Time(i64),
    Yes(bool),
}

/// Reads a formula.
pub(super) fn read(text: &str) -> Result<Raw, String> {
    let mut reader = Reader { text, rest: text.trim_start(), depth: 0 };
    let raw = reader.any()?;
    if reader.rest.is_empty() { Ok(raw) } else { Err(reader.expected("the end, `and`, `or`, + or -")) }
}

struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
    depth: usize,
}

const OPERAND: &str = "a code, a whole number or `registered`";

impl<'a> Reader<'a> {
    fn expected(&self, what: &str) -> String {
        let rest = self.rest.trim();
        let place = if rest.is_empty() { "at its end".to_owned() } else { format!("at `{rest}`") };
        format!("cannot read `{}`: {what} is expected {place}", self.text)
    }

    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.rest = rest.trim_start();
        taken
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.rest.starts_with(token);
        if found {
            self.take(token.len());
        }
        found
    }

    /// The word that stands here.
    fn word(&self) -> &'a str {
        let end = self.rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        self.rest.get(..end).unwrap_or_default()
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = self.word() == word;
        if found {
            self.take(word.len());
        }
        found
    }

    fn any(&mut self) -> Result<Raw, String> {
        let mut parts = vec![self.all()?];
        while self.eat_word("or") {
            parts.push(self.all()?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Raw::Any(parts) })
    }

    fn all(&mut self) -> Result<Raw, String> {
        let mut parts = vec![self.not()?];
        while self.eat_word("and") {
            parts.push(self.not()?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Raw::All(parts) })
    }

    fn not(&mut self) -> Result<Raw, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(format!(
                "cannot read `{}`: more than {DEPTH_MAX} parentheses or `not` within each other",
                self.text
            ));
        }
        let raw = if self.eat_word("not") {
            Raw::Not(Box::new(self.not()?))
        } else if self.eat("(") {
            let inner = self.any()?;
            if !self.eat(")") {
                return Err(self.expected("`)`"));
            }
            inner
        } else {
            self.one()?
        };
        self.depth -= 1;
        Ok(raw)
    }

    fn one(&mut self) -> Result<Raw, String> {
        let before = self.rest;
        let code = self.word();
        if is_code(code) {
            self.take(code.len());
            if self.eat_word("has") {
                let digits = self.word();
                let option = digits.parse().map_err(|_| self.expected("an option's number"))?;
                self.take(digits.len());
                return Ok(Raw::Has(code.to_owned(), option));
            }
            if self.eat_word("answered") {
                return Ok(Raw::Answered(code.to_owned()));
            }
            self.rest = before;
        }
        let left = self.sum()?;
        let ops = [
            ("==", Op::Equal),
            ("!=", Op::NotEqual),
            ("<=", Op::AtMost),
            (">=", Op::AtLeast),
            ("<", Op::Less),
            (">", Op::Greater),
        ];
        let Some((_, op)) = ops.into_iter().find(|(token, _)| self.eat(token)) else {
            return Err(self.expected("one of == != <= >= < >, + or -"));
        };
        Ok(Raw::Compare(left, op, self.sum()?))
    }

    fn sum(&mut self) -> Result<Vec<(bool, Item)>, String> {
        let first = self.eat("-");
        let mut terms = vec![(first, self.item()?)];
        loop {
            let negative = if self.eat("+") {
                false
            } else if self.eat("-") {
                true
            } else {
                return Ok(terms);
            };
            terms.push((negative, self.item()?));
        }
    }

    fn item(&mut self) -> Result<Item, String> {
        let end = self.rest.bytes().take_while(|b| b.is_ascii_digit() || matches!(b, b'.' | b':')).count();
        if end > 0 {
            let digits = self.rest.get(..end).unwrap_or_default();
            let item = if digits.contains(':') {
                minutes(digits).map(Item::Time)
            } else {
                Number::of_text(digits).map(Item::Number)
            };
            let item = item.ok_or_else(|| self.expected(OPERAND))?;
            self.take(end);
            return Ok(item);
        }
        let word = self.word();
        let item = match word {
            "yes" => Item::Yes(true),
            "no" => Item::Yes(false),
            "and" | "or" | "not" | "has" | "answered" | "" => return Err(self.expected(OPERAND)),
            code if is_code(code) => Item::Code(code.to_owned()),
            name if name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') => {
                Item::Figure(name.to_owned())
            }
            _ => return Err(self.expected(OPERAND)),
        };
        self.take(word.len());
        Ok(item)
    }
}

fn is_code(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_uppercase())
}

/// Minutes since midnight of `HH:MM`.
fn minutes(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    let (h, m): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    (minutes.len() == 2 && h < 24 && m < 60).then_some(h * 60 + m)
}
