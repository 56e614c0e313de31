//! A checklist's conditions and rules, made ready once: what is missing, what should not have been
//! answered, what does not add up.

use std::cmp::Ordering;

use smallvec::SmallVec;
use smol_str::SmolStr;

use super::formula::{Facts, Formula};
use super::number::Number;
use super::{Checklist, Kind, QuestionType, Rule, Severity};
use crate::domain::value::{Answers, Value};

/// Conditions and rules of one checklist.
#[derive(Debug, Clone, Default)]
pub struct Logic {
    asked: Vec<Asked>,
    /// Places in `asked`, by code, each with the code's [`beginning`].
    by_code: Vec<(u64, u16)>,
    checks: Vec<Check>,
    /// Numeric columns of the location that are spoken of, each once.
    figures: Vec<Box<str>>,
    /// Some question has a condition.
    conditional: bool,
}

#[derive(Debug, Clone)]
struct Asked {
    code: SmolStr,
    required: bool,
    /// All must hold.
    when: Vec<Formula>,
}

/// A rule with its formula.
#[derive(Debug, Clone)]
pub struct Check {
    /// The rule.
    pub rule: Rule,
    /// What must hold.
    pub formula: Formula,
}

/// The first eight bytes of a code, in an order that is the codes' own.
fn beginning(code: &str) -> u64 {
    let mut bytes = [0; 8];
    bytes.iter_mut().zip(code.as_bytes()).for_each(|(slot, b)| *slot = *b);
    u64::from_be_bytes(bytes)
}

impl Logic {
    /// Makes a checklist's conditions and rules ready.
    ///
    /// # Errors
    /// The first that cannot be read; no checklist that was checked has one.
    pub fn new(checklist: &Checklist) -> Result<Self, String> {
        let read = |text: &String| Formula::new(text, &checklist.questions).map_err(|faults| faults.join("; "));
        let mut asked = Vec::with_capacity(checklist.questions.len());
        for question in &checklist.questions {
            let section = checklist.sections.iter().find(|s| Some(&s.name) == question.section.as_ref());
            let conditions = question.when.iter().chain(section.and_then(|s| s.when.as_ref()));
            let required = question.required
                && checklist.kind == Kind::Checklist
                && !matches!(question.kind, QuestionType::Flag {});
            let when = conditions.map(read).collect::<Result<Vec<_>, _>>()?;
            asked.push(Asked { code: SmolStr::new(&question.code), required, when });
        }
        let mut by_code: Vec<(u64, u16)> = (0u16..).zip(&asked).map(|(i, a)| (beginning(&a.code), i)).collect();
        by_code.sort_by_key(|(_, i)| asked.get(usize::from(*i)).map(|a| a.code.clone()));
        let check = |rule: &Rule| Ok::<_, String>(Check { rule: rule.clone(), formula: read(&rule.expr)? });
        let checks = checklist.rules.iter().map(check).collect::<Result<Vec<_>, _>>()?;
        let formulas = asked.iter().flat_map(|a| &a.when).chain(checks.iter().map(|c| &c.formula));
        let mut figures: Vec<Box<str>> = formulas.flat_map(|f| f.figures()).map(Box::from).collect();
        figures.sort_unstable();
        figures.dedup();
        let conditional = asked.iter().any(|a| !a.when.is_empty());
        Ok(Self { asked, by_code, checks, figures, conditional })
    }

    /// Numeric columns of the location that its formulas speak of.
    pub fn figures(&self) -> &[Box<str>] {
        &self.figures
    }

    /// Required questions that are asked, as far as is known, and not answered; in the guide's order.
    pub fn missing<'a>(&'a self, facts: Facts<'a>) -> impl Iterator<Item = &'a SmolStr> {
        let answered = self.answered(facts.answers);
        let asked = (0usize..).zip(&self.asked);
        asked
            .filter(move |(i, a)| a.required && !answered.has(*i) && a.applies(&facts) == Some(true))
            .map(|(_, a)| &a.code)
    }

    /// Which questions have an answer or a withdrawal: both lists are sorted by code, and walked once.
    fn answered(&self, answers: &Answers) -> Places {
        let mut out = Places(SmallVec::from_elem(0, self.asked.len().div_ceil(64)));
        let mut questions = self.by_code.iter();
        let mut question = questions.next();
        for code in answers.keys() {
            let begins = beginning(code);
            while let Some((known, place)) = question {
                let place = usize::from(*place);
                // Codes that are no longer are told apart by it.
                let rest = || match self.asked.get(place) {
                    Some(asked) if asked.code.len().max(code.len()) > size_of_val(&begins) => asked.code.cmp(code),
                    _ => Ordering::Equal,
                };
                match known.cmp(&begins).then_with(rest) {
                    Ordering::Greater => break,
                    Ordering::Equal => out.add(place),
                    Ordering::Less => {}
                }
                question = questions.next();
            }
        }
        out
    }

    /// Questions that were answered though, by the other answers, they are not asked.
    pub fn uncalled<'a>(&'a self, facts: Facts<'a>) -> impl Iterator<Item = &'a str> {
        let asked = if self.conditional { self.asked.as_slice() } else { &[] };
        asked
            .iter()
            .filter(move |a| {
                !a.when.is_empty()
                    && facts.answers.get(&a.code).is_some_and(Option::is_some)
                    && a.applies(&facts) == Some(false)
            })
            .map(|a| a.code.as_str())
    }

    /// Rules that are broken for sure.
    pub fn broken<'a>(&'a self, facts: Facts<'a>) -> impl Iterator<Item = &'a Check> {
        self.checks.iter().filter(move |c| c.formula.holds(&facts) == Some(false))
    }

    /// Rules that refuse what breaks them, and that these answers break by themselves.
    pub fn refusing<'a>(&'a self, facts: Facts<'a>) -> impl Iterator<Item = &'a Check> {
        self.checks
            .iter()
            .filter(move |c| c.rule.severity == Severity::Refuse && c.formula.holds(&facts) == Some(false))
    }
}

/// Places in a list, a bit each.
struct Places(SmallVec<[u64; 2]>);

impl Places {
    fn add(&mut self, place: usize) {
        if let Some(word) = self.0.get_mut(place / 64) {
            *word |= 1 << (place % 64);
        }
    }

    fn has(&self, place: usize) -> bool {
        self.0.get(place / 64).is_some_and(|word| word & (1 << (place % 64)) != 0)
    }
}

impl Asked {
    /// Is it asked? `None` while that is not known.
    fn applies(&self, facts: &Facts<'_>) -> Option<bool> {
        let mut known = Some(true);
        for formula in &self.when {
            match formula.holds(facts) {
                Some(true) => {}
                Some(false) => return Some(false),
                None => known = None,
            }
        }
        known
    }
}

impl Check {
    /// The rule's message in a language, with its figures in place.
    pub fn message(&self, language: &str, facts: &Facts<'_>) -> String {
        let template = self.rule.message.get(language);
        if !template.contains('{') {
            return template.to_owned();
        }
        let mut out = String::with_capacity(template.len() + 8);
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            let Some((name, after)) = after.split_once('}') else { break };
            rest = after;
            match name {
                "difference" => out.push_str(&self.formula.difference(facts).map_or_else(String::new, signed)),
                code => {
                    out.push_str(&facts.answers.get(code).and_then(Option::as_ref).map_or_else(String::new, written))
                }
            }
        }
        out.push_str(rest);
        out
    }
}

fn signed(n: Number) -> String {
    if n > Number::default() { format!("+{n}") } else { n.to_string() }
}

/// An answer as people write it.
pub fn written(value: &Value) -> String {
    match value {
        Value::Bool(yes) => u8::from(*yes).to_string(),
        Value::Number(n) => n.to_string(),
        Value::Options(options) => options.iter().map(u16::to_string).collect::<Vec<_>>().join(","),
        Value::NotAvailable { na } => na.to_string(),
        Value::Text(text) => text.clone(),
    }
}

/// What formulas are judged by.
pub fn facts<'a>(answers: &'a Answers, figures: &'a [(Box<str>, i64)]) -> Facts<'a> {
    Facts { answers, figures }
}

/// Answers of a report that break a refusing rule by themselves, with the rules that refuse them.
pub fn refused<'a>(
    logic: &'a Logic,
    answers: &'a Answers,
    figures: &'a [(Box<str>, i64)],
) -> Vec<(&'a Check, Vec<String>)> {
    let facts = Facts { answers, figures };
    logic
        .refusing(facts)
        .map(|check| {
            let sent = |code: &&str| answers.get(code).is_some_and(Option::is_some);
            (check, check.formula.codes().into_iter().filter(sent).map(str::to_owned).collect())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::checklist::check;

    fn logic() -> Logic {
        let file = r#"{"prefix":"PS","title":"x","sections":[{"name":"Count","when":"OP == yes"}],"questions":[
            {"code":"OP","type":"yes_no","text":"open"},
            {"code":"WH","type":"choice","options":{"1":"a","2":"b"},"when":"OP == no","text":"why not"},
            {"code":"RT","type":"count","max":900,"section":"Count","text":"cast"},
            {"code":"RV","type":"count","max":900,"section":"Count","text":"valid"},
            {"code":"DI","type":"count","max":900,"section":"Count","when":"RT > 100","required":false,"text":"disabled"}],
            "rules":[{"name":"sum","expr":"RV <= RT","severity":"refuse","message":"RV {RV} is {difference} over RT"},
                     {"name":"roll","expr":"RT <= registered","message":"more than registered"}]}"#;
        Logic::new(&check(file).unwrap().checklists[0]).unwrap()
    }

    fn answers(list: &[(&str, Value)]) -> Answers {
        list.iter().map(|(c, v)| ((*c).to_owned(), Some(v.clone()))).collect()
    }

    #[test]
    fn only_what_is_asked_is_missing() {
        let logic = logic();
        let missing = |list: &[(&str, Value)]| {
            let answers = answers(list);
            logic.missing(Facts { answers: &answers, figures: &[] }).cloned().collect::<Vec<_>>()
        };
        assert_eq!(missing(&[]), ["OP"], "what hangs on OP is not known yet");
        assert_eq!(missing(&[("OP", Value::Bool(true))]), ["RT", "RV"]);
        assert_eq!(missing(&[("OP", Value::Bool(false))]), ["WH"]);
        assert!(missing(&[("OP", Value::Bool(false)), ("WH", Value::Number(1))]).is_empty());
    }

    #[test]
    fn an_answer_that_is_not_asked_for_is_named() {
        let logic = logic();
        let answers = answers(&[("OP", Value::Bool(false)), ("RT", Value::Number(5)), ("DI", Value::Number(5))]);
        let facts = Facts { answers: &answers, figures: &[] };
        assert_eq!(logic.uncalled(facts).collect::<Vec<_>>(), ["RT", "DI"]);
    }

    #[test]
    fn broken_rules_say_by_how_much() {
        let logic = logic();
        let answers = answers(&[("RT", Value::Number(600)), ("RV", Value::Number(603))]);
        let figures = [("registered".into(), 500)];
        let facts = Facts { answers: &answers, figures: &figures };
        let broken: Vec<&Check> = logic.broken(facts).collect();
        assert_eq!(broken.iter().map(|c| c.rule.name.as_str()).collect::<Vec<_>>(), ["sum", "roll"]);
        assert_eq!(broken[0].message("en", &facts), "RV 603 is +3 over RT");
        let refused = refused(&logic, &answers, &figures);
        assert_eq!((refused.len(), &refused[0].1[..]), (1, &["RV".to_owned(), "RT".to_owned()][..]));
        assert_eq!(&*logic.figures()[0], "registered");
    }
}
