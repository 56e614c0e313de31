//! What the page shows, worked out from the checklist and the fixed words.

use askama::Template;

use super::direction::Direction;
use super::example::{Example, Is};
use super::words::{Words, fill};
use super::{GuideError, Options};
use crate::domain::checklist::formula::Formula;
use crate::domain::checklist::{Checklist, Kind, Question, QuestionType, Severity, Translated};
use crate::domain::value::Value;
use crate::grammar::print;

/// Boxes of one answer, at most; a longer one gets a line.
const BOXES_MAX: usize = 10;
/// Boxes for several options, at most.
const OPTION_BOXES_MAX: usize = 5;

/// Characters of a question that stand beside its boxes on small paper.
const BESIDE_BOXES_CHARS: usize = 24;

/// A text with its direction, when that isn't the page's.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub text: String,
    pub dir: Option<&'static str>,
}

/// A part of the example with what it is.
#[derive(Debug)]
pub(super) struct Part {
    pub text: String,
    pub is: Piece,
    pub wide: bool,
}

/// One question.
#[derive(Debug)]
pub(super) struct Asked {
    pub code: String,
    /// What the answer is sent under: the code, or the question's number.
    pub label: String,
    pub section: Option<Piece>,
    pub text: Piece,
    pub options: Vec<(u16, Piece)>,
    pub hints: Vec<Piece>,
    /// What to fill in: `o` a box, `:` a colon between boxes, `t` a box to tick, `_` a line.
    pub boxes: Vec<char>,
    /// On small paper its boxes need a row of their own.
    pub tall: bool,
}

/// A rule that the observer can check.
#[derive(Debug)]
pub(super) struct Sum {
    pub expr: String,
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "guide.html")]
pub(super) struct Page<'a> {
    words: &'a Words,
    size: &'static str,
    title: Piece,
    prefix: &'a str,
    version: u32,
    election: Option<Piece>,
    number: Option<&'a str>,
    call: Option<&'a str>,
    code_boxes: Vec<char>,
    how: Piece,
    answered: &'a str,
    parts: Vec<Part>,
    message: String,
    questions: Vec<Asked>,
    sums: Vec<Sum>,
    corrections: Option<(String, String)>,
}

impl<'a> Page<'a> {
    /// Works out a page.
    pub(super) fn new(checklist: &'a Checklist, words: &'a Words, options: &'a Options) -> Result<Self, GuideError> {
        let says = Says { words };
        let digits = usize::from(options.observer_digits.max(1));
        let observer: String = "1234567890".chars().cycle().take(digits).collect();
        let (how, answered, comment) = match checklist.kind {
            Kind::Incident => (&words.how_incident, &words.answered_incident, &words.comment_incident),
            Kind::Checklist => (&words.how, &words.answered, &words.comment),
        };
        let example = Example::new(checklist, &observer, comment)?;
        let mut section = None;
        let questions = checklist
            .questions
            .iter()
            .map(|q| {
                let new = q.section.as_ref().filter(|s| section != Some(*s));
                section = q.section.as_ref();
                says.asked(checklist, q, new.map(|s| says.text(s)))
            })
            .collect();
        Ok(Self {
            words,
            size: options.size.as_str(),
            title: says.piece(&checklist.title),
            prefix: &checklist.prefix,
            version: checklist.version,
            election: options.election.as_deref().map(|e| says.text(e)),
            number: options.number.as_deref(),
            call: options.call.as_deref(),
            code_boxes: vec!['o'; digits.min(20)],
            how: says.text(&fill(how, &[("prefix", &isolate(&checklist.prefix))])),
            answered,
            parts: example.parts.iter().map(|p| says.part(checklist, p)).collect(),
            message: example.message(),
            questions,
            sums: says.sums(checklist),
            corrections: example.corrections(checklist),
        })
    }
}

/// First-strong isolates keep a left-to-right word whole inside a sentence of either direction.
fn isolate(word: &str) -> String {
    format!("\u{2066}{word}\u{2069}")
}

/// Says things in the guide's language.
struct Says<'a> {
    words: &'a Words,
}

impl Says<'_> {
    fn text(&self, text: &str) -> Piece {
        let dir = Direction::of(text).filter(|d| *d != self.words.direction).map(Direction::as_str);
        Piece { text: text.to_owned(), dir }
    }

    fn piece(&self, text: &Translated) -> Piece {
        self.text(text.get(&self.words.language))
    }

    /// Fixed words run in the page's direction, whatever was filled in first.
    fn fixed(&self, template: &str, values: &[(&str, &str)]) -> Piece {
        let isolated: Vec<(&str, String)> = values.iter().map(|(k, v)| (*k, isolate(v))).collect();
        let values: Vec<(&str, &str)> = isolated.iter().map(|(k, v)| (*k, v.as_str())).collect();
        Piece { text: fill(template, &values), dir: None }
    }

    fn asked(&self, checklist: &Checklist, question: &Question, section: Option<Piece>) -> Asked {
        let kind = checklist.kind;
        let options = match &question.kind {
            QuestionType::YesNo { options } if options.is_empty() => {
                vec![(1, self.text(&self.words.yes)), (2, self.text(&self.words.no))]
            }
            QuestionType::YesNo { options }
            | QuestionType::Choice { options }
            | QuestionType::MultiChoice { options } => {
                options.iter().map(|(n, label)| (*n, self.piece(label))).collect()
            }
            _ => Vec::new(),
        };
        let mut hints = Vec::new();
        hints.extend(self.how_to_answer(question, kind));
        if let Some(null) = question.null_value {
            hints.push(self.fixed(&self.words.unknown, &[("value", &null.to_string())]));
        }
        if !question.required && kind == Kind::Checklist {
            hints.push(self.fixed(&self.words.optional, &[]));
        }
        let boxes = boxes(question);
        let text = self.piece(&question.text);
        let tall = boxes != ['t']
            && boxes.len() + usize::from(boxes.contains(&'_')) > 1
            && (!options.is_empty() || text.text.chars().count() > BESIDE_BOXES_CHARS);
        Asked {
            label: print::label(checklist, question),
            code: question.code.clone(),
            section,
            text,
            options,
            hints,
            boxes,
            tall,
        }
    }

    fn how_to_answer(&self, question: &Question, kind: Kind) -> Option<Piece> {
        let range = |min: &str, max: &str| Some(self.fixed(&self.words.range, &[("min", min), ("max", max)]));
        match &question.kind {
            QuestionType::Count { min, max } => range(&min.to_string(), &max.to_string()),
            QuestionType::Time { .. } => Some(self.fixed(&self.words.clock, &[])),
            QuestionType::MultiChoice { options } => {
                let numbers: Vec<u16> = options.keys().copied().filter(|n| *n != 0).collect();
                let sample = Value::Options([0, 2].iter().filter_map(|i| numbers.get(*i).copied()).collect());
                Some(self.fixed(&self.words.several, &[("sample", &print::value(question, &sample))]))
            }
            QuestionType::Decimal { .. } => Some(self.fixed(&self.words.decimal, &[])),
            QuestionType::Date { .. } => Some(self.fixed(&self.words.day, &[])),
            QuestionType::Flag {} if kind == Kind::Checklist => Some(self.fixed(&self.words.flag, &[])),
            QuestionType::Text {} => Some(self.fixed(&self.words.free, &[])),
            QuestionType::Flag {} | QuestionType::YesNo { .. } | QuestionType::Choice { .. } => None,
        }
    }

    fn part(&self, checklist: &Checklist, part: &super::example::Part) -> Part {
        let is = match &part.is {
            Is::Prefix => self.fixed(&self.words.part_prefix, &[]),
            Is::Observer => self.fixed(&self.words.part_observer, &[]),
            Is::Incident => self.fixed(&self.words.part_incident, &[]),
            Is::Serial => self.fixed(&self.words.part_serial, &[]),
            Is::Comment => self.fixed(&self.words.part_comment, &[]),
            Is::Answer(code, value) => {
                checklist.question(code).map_or_else(|| self.text(""), |q| self.answer(q, value))
            }
        };
        Part { text: part.text.clone(), is, wide: part.is == Is::Comment }
    }

    /// What an answer of the example says.
    fn answer(&self, question: &Question, value: &Value) -> Piece {
        match (&question.kind, value) {
            (QuestionType::YesNo { options }, Value::Bool(yes)) => {
                let own = if *yes { &self.words.yes } else { &self.words.no };
                options.values().nth(usize::from(!*yes)).map_or_else(|| self.text(own), |l| self.piece(l))
            }
            (QuestionType::Choice { options }, Value::Number(n)) => u16::try_from(*n)
                .ok()
                .and_then(|n| options.get(&n))
                .map_or_else(|| self.text(&n.to_string()), |l| self.piece(l)),
            (QuestionType::MultiChoice { options }, Value::Options(chosen)) => {
                let labels: Vec<&str> =
                    chosen.iter().filter_map(|n| options.get(n)).map(|l| l.get(&self.words.language)).collect();
                self.text(&labels.join(" + "))
            }
            (QuestionType::Flag {}, _) => self.piece(&question.text),
            (_, Value::Text(text)) => self.text(text),
            (_, value) => self.text(&print::value(question, value)),
        }
    }

    fn sums(&self, checklist: &Checklist) -> Vec<Sum> {
        let read = |expr: &str| {
            let plain = expr.replace("==", "=").replace("!=", "≠").replace("<=", "≤").replace(">=", "≥");
            let spaced: String = plain
                .chars()
                .filter(|c| !c.is_whitespace())
                .flat_map(|c| {
                    let apart = matches!(c, '=' | '≠' | '≤' | '≥' | '<' | '>' | '+' | '-');
                    let c = if c == '-' { '−' } else { c };
                    let around = apart.then_some('\u{A0}');
                    around.into_iter().chain([c]).chain(around)
                })
                .collect();
            spaced.replace("registered", &self.words.registered)
        };
        let sum = |text: &str| Formula::new(text, &checklist.questions).is_ok_and(|f| f.is_comparison());
        let told = checklist.rules.iter().filter(|r| r.severity != Severity::Warning && sum(&r.expr));
        told.map(|r| Sum { expr: read(&r.expr) }).collect()
    }
}

/// What to fill in for a question.
fn boxes(question: &Question) -> Vec<char> {
    let null = question.null_value.map_or(0, |n| n.to_string().len());
    let of = |n: usize| if n > BOXES_MAX { vec!['_'] } else { vec!['o'; n.max(1)] };
    match &question.kind {
        QuestionType::Count { min, max } => of(min.to_string().len().max(max.to_string().len()).max(null)),
        QuestionType::YesNo { .. } => of(1.max(null)),
        QuestionType::Choice { options } => {
            of(options.keys().map(|n| n.to_string().len()).max().unwrap_or(1).max(null))
        }
        QuestionType::MultiChoice { options } if options.keys().all(|n| *n <= 9) => {
            of(options.keys().filter(|n| **n != 0).count().min(OPTION_BOXES_MAX).max(null))
        }
        QuestionType::Time { .. } => vec!['o', 'o', ':', 'o', 'o'],
        QuestionType::Flag {} => vec!['t'],
        QuestionType::Decimal { max, .. } => of(max.to_string().len().max(4)),
        QuestionType::Date { .. } => vec!['o'; 8],
        QuestionType::MultiChoice { .. } | QuestionType::Text {} => vec!['_'],
    }
}
