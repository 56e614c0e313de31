//! A condition on an answer: question, comparison, value, as it stands in an address, in words, and as
//! the SQL/JSON path by which PostgreSQL judges it.
//!
//! Invariant: a value goes into a path as a literal of its question's type, or quoted; nothing that
//! somebody types is ever part of a path's grammar.

use std::fmt::Write;

use crate::domain::checklist::{Checklist, Question, QuestionType};
use crate::limits::WEB_CONDITION_VALUES_MAX;

/// How an answer is compared: in an address, and in words.
pub(super) const COMPARISONS: [(&str, &str); 10] = [
    ("eq", "="),
    ("ne", "≠"),
    ("lt", "<"),
    ("le", "≤"),
    ("gt", ">"),
    ("ge", "≥"),
    ("has", "contains"),
    ("answered", "is answered"),
    ("na", "is not available"),
    ("missing", "is not answered"),
];

/// A condition as asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Condition {
    /// Code of the question.
    pub(super) code: String,
    /// One of [`COMPARISONS`].
    pub(super) comparison: String,
    /// The value, where the comparison takes one.
    pub(super) value: String,
}

impl Condition {
    /// Does the comparison take a value?
    pub(super) fn takes_value(&self) -> bool {
        !matches!(self.comparison.as_str(), "answered" | "na" | "missing")
    }

    /// As people read it.
    pub(super) fn words(&self) -> String {
        let sign = COMPARISONS.iter().find(|(c, _)| *c == self.comparison).map_or("", |(_, words)| words);
        if self.takes_value() {
            format!("{} {sign} {}", self.code, self.value)
        } else {
            format!("{} {sign}", self.code)
        }
    }

    /// Its predicate for an election's checklists, or what is wrong with it.
    pub(super) fn compile(&self, checklists: &[Checklist]) -> Result<Compiled, &'static str> {
        let asked: Vec<(&Checklist, &Question)> =
            checklists.iter().filter_map(|c| Some((c, c.question(&self.code)?))).collect();
        let Some((_, question)) = asked.first() else {
            return Err("No checklist of this election has a question with this code.");
        };
        let prefixes = asked.iter().map(|(c, _)| c.prefix.clone()).collect();
        let path = format!("$.{}", quoted(&self.code));
        let answered = format!("exists({path} ? (@ != null))");
        let sign = match self.comparison.as_str() {
            "answered" => return Ok(Compiled { path: answered, equalities: None, prefixes }),
            "missing" => return Ok(Compiled { path: format!("!({answered})"), equalities: None, prefixes }),
            "na" => return Ok(Compiled { path: format!("exists({path}.na)"), equalities: None, prefixes }),
            "has" => {
                let found = format!("{path} like_regex {} flag \"qi\"", quoted(self.value.trim()));
                return Ok(Compiled { path: found, equalities: None, prefixes });
            }
            "eq" => "==",
            "ne" => "!=",
            "lt" => "<",
            "le" => "<=",
            "gt" => ">",
            "ge" => ">=",
            _ => return Err("An answer can’t be compared like this."),
        };
        let literal = literal(question, self.value.trim())?;
        let operand = match &question.kind {
            QuestionType::Decimal { .. } => format!("{path}.double()"),
            _ => path.clone(),
        };
        let compiled = match sign {
            "==" => format!("{operand} == {}", literal.text),
            "!=" => format!("{answered} && !({operand} == {})", literal.text),
            sign => format!("{operand} {sign} {}", literal.text),
        };
        let equalities = match (sign, literal.number) {
            _ if operand != path => None,
            ("==", _) => Some(compiled.clone()),
            (sign, Some(n)) => spelled_out(question, sign, n).map(|all| any(&path, &all)),
            _ => None,
        };
        Ok(Compiled { path: compiled, equalities, prefixes })
    }
}

/// A predicate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Compiled {
    /// All of it.
    pub(super) path: String,
    /// One that follows from it, made of equalities alone.
    pub(super) equalities: Option<String>,
    /// Checklists that ask the question.
    pub(super) prefixes: Vec<String>,
}

/// All conditions as one: their paths, and those that an index finds.
pub(super) fn all(compiled: &[Compiled]) -> Option<(String, Option<String>, Vec<String>)> {
    let (first, rest) = compiled.split_first()?;
    let join = |paths: Vec<&str>| paths.iter().map(|p| format!("({p})")).collect::<Vec<_>>().join(" && ");
    let path = join(compiled.iter().map(|c| c.path.as_str()).collect());
    let equal: Vec<&str> = compiled.iter().filter_map(|c| c.equalities.as_deref()).collect();
    let equalities = (!equal.is_empty()).then(|| join(equal));
    let in_all = |prefix: &&String| rest.iter().all(|c| c.prefixes.contains(prefix));
    Some((path, equalities, first.prefixes.iter().filter(in_all).cloned().collect()))
}

struct Literal {
    text: String,
    number: Option<i64>,
}

/// A value as a literal of its question's type.
fn literal(question: &Question, value: &str) -> Result<Literal, &'static str> {
    let number = |n: i64| Ok(Literal { text: n.to_string(), number: Some(n) });
    match &question.kind {
        QuestionType::YesNo { .. } => match value.to_lowercase().as_str() {
            "1" | "y" | "yes" | "true" => Ok(Literal { text: "true".to_owned(), number: None }),
            "2" | "0" | "n" | "no" | "false" => Ok(Literal { text: "false".to_owned(), number: None }),
            _ => Err("A question that is answered by yes or no is compared with 1 (yes) or 2 (no)."),
        },
        QuestionType::Flag {} => Ok(Literal { text: "true".to_owned(), number: None }),
        QuestionType::Count { .. } | QuestionType::Choice { .. } | QuestionType::MultiChoice { .. } => {
            value.parse().map_or(Err("This question is compared with a whole number."), number)
        }
        QuestionType::Decimal { .. } => match value.parse::<f64>() {
            Ok(n) if n.is_finite() && value.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-') => {
                Ok(Literal { text: n.to_string(), number: None })
            }
            _ => Err("This question is compared with a number."),
        },
        _ => Ok(Literal { text: quoted(value), number: None }),
    }
}

/// The values that a comparison lets pass, where they are few.
fn spelled_out(question: &Question, sign: &str, n: i64) -> Option<Vec<i64>> {
    let passes = |v: i64| match sign {
        "!=" => v != n,
        "<" => v < n,
        "<=" => v <= n,
        ">" => v > n,
        _ => v >= n,
    };
    let (low, high) = match &question.kind {
        QuestionType::Choice { options } => {
            return Some(options.keys().map(|o| i64::from(*o)).filter(|v| passes(*v)).collect());
        }
        QuestionType::Count { min, max } => (*min, *max),
        _ => return None,
    };
    let (low, high) = match sign {
        "<" => (low, high.min(n.saturating_sub(1))),
        "<=" => (low, high.min(n)),
        ">" => (low.max(n.saturating_add(1)), high),
        ">=" => (low.max(n), high),
        _ => (low, high),
    };
    (high.saturating_sub(low) < WEB_CONDITION_VALUES_MAX).then(|| (low..=high).filter(|v| passes(*v)).collect())
}

fn any(path: &str, values: &[i64]) -> String {
    if values.is_empty() {
        return "1 == 2".to_owned();
    }
    values.iter().map(|v| format!("{path} == {v}")).collect::<Vec<_>>().join(" || ")
}

/// A text as a literal of SQL/JSON paths, whose escapes are those of JSON.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compiled(comparison: &str, value: i64) -> Compiled {
        let json = r#"{"prefix": "OP", "version": 1, "kind": "checklist", "title": {"en": "x"},
            "questions": [{"code": "AB", "text": "?", "type": "count", "max": 10000}]}"#;
        let checklist: Checklist = serde_json::from_str(json).unwrap();
        let condition =
            Condition { code: "AB".to_owned(), comparison: comparison.to_owned(), value: value.to_string() };
        condition.compile(&[checklist]).unwrap()
    }

    #[test]
    fn a_comparison_that_few_values_pass_is_spelled_out_for_the_index_and_no_other() {
        let values = |c: Compiled| c.equalities.map(|all| all.matches("==").count() as i64);
        let most = WEB_CONDITION_VALUES_MAX;
        assert_eq!(values(compiled("lt", most)), Some(most));
        assert_eq!(values(compiled("lt", most + 1)), None);
        assert_eq!(values(compiled("ge", 10_001 - most)), Some(most));
        assert_eq!(values(compiled("ge", 10_000 - most)), None);
        // Values that nobody can have given: nothing passes, and nothing is looked for.
        assert_eq!(compiled("gt", i64::MAX).equalities.as_deref(), Some("1 == 2"));
    }

    #[test]
    fn what_is_typed_stays_a_text_in_the_path() {
        assert_eq!(quoted("a\"b\\c\u{1}"), r#""a\"b\\c\u0001""#);
    }
}
