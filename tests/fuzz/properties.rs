//! What must hold for any bytes, asserted by the fuzz target and, on the kept corpus, by the suite.
//!
//! The first bytes of an input make checklists and the way the text is coded; the rest is the text.

use std::sync::Arc;

use super::domain::alphabet::DefaultAlphabet;
use super::domain::checklist::{Checklist, QuestionType, check_json};
use super::domain::election::DateOrder;
use super::domain::value::Value;
use super::grammar::{self, Found, Lexicon, Part, Reading, Setting, Span};
use super::limits::TEXT_BYTES_MAX;
use super::text;
use serde_json::json;

/// Bytes taken one by one; zero when there are no more.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn below(&mut self, n: u8) -> u8 {
        self.next() % n
    }

    /// Letters, those that look like digits often.
    fn letters(&mut self, most: u8) -> String {
        let length = 1 + self.below(most);
        (0..length)
            .map(|_| {
                let b = self.next();
                let like = b"ILOXHAPMYN".get(usize::from(b >> 4)).copied();
                char::from(like.filter(|_| b & 8 == 0).unwrap_or(b'A' + b % 26))
            })
            .collect()
    }
}

/// Asserts everything on one input.
pub fn hold(input: &[u8]) {
    let mut bytes = Bytes(input);
    let lexicon = lexicon(&mut bytes);
    let coding = [0, 0, 1, 3, 8, 4, 6, 0xF0][usize::from(bytes.below(8))];
    let default = [DefaultAlphabet::Utf8, DefaultAlphabet::Gsm7, DefaultAlphabet::Latin1, DefaultAlphabet::Ascii];
    let default = default[usize::from(bytes.below(4))];
    let gap = bytes.next();
    let decoded = text::decode(coding, default, bytes.0);
    assert!(!decoded.text.contains('\0'));
    let gaps: Vec<usize> = match gap {
        0..=200 => Vec::new(),
        _ => vec![decoded.text.floor_char_boundary(usize::from(gap - 200) * 7)],
    };
    grammar::command(&decoded.text);
    let reading = grammar::read(&lexicon, &decoded.text, &gaps);
    sound(&decoded.text, &reading);
    if decoded.text.len() < TEXT_BYTES_MAX {
        backed(&decoded.text, &reading);
        explained(&decoded.text, &reading);
        if gaps.is_empty() && decoded.text.len() < 400 {
            apart(&lexicon, &decoded.text, &reading, gap);
        }
    }
}

/// Each answer is backed by a stretch of the text that was taken for its code.
pub fn backed(text: &str, reading: &Reading) {
    for found in &reading.reports {
        let codes = |part: &Part| match (part, &found.checklist) {
            (Part::Code(q), Some(list)) => list.questions.get(usize::from(*q)).map(|q| q.code.clone()),
            _ => None,
        };
        for code in found.report.answers.keys() {
            let backed = found.spans.iter().any(|s| s.from < s.to && codes(&s.part).as_deref() == Some(code.as_str()));
            assert!(backed, "{code} is backed by nothing: {text:?}");
        }
    }
}

/// No letter or digit lies outside every stretch, none in two.
pub fn explained(text: &str, reading: &Reading) {
    let mut spans: Vec<Span> = reading.reports.iter().flat_map(|f| f.spans.iter().copied()).collect();
    spans.extend(reading.spans.iter().copied());
    spans.sort_by_key(|s| s.from);
    let mut at = 0;
    for span in &spans {
        // The comment may answer a question too.
        let twice = spans.iter().any(|s| s.part == Part::Comment && s.from == span.from);
        assert!(span.from >= at || twice, "two stretches overlap at {}: {text:?} {spans:?}", span.from);
        quiet(text, at, span.from.max(at));
        at = span.to.max(at);
    }
    quiet(text, at, text.len());
}

fn quiet(text: &str, from: usize, to: usize) {
    let gap = text.get(from..to).expect("stretches end at characters");
    let loud = gap.chars().any(|c| c.is_ascii_alphanumeric());
    assert!(!loud, "{gap:?} is neither explained nor left over: {text:?}");
}

/// A separator more before a code never changes an answer; where nothing was mended, unclear or left over,
/// it changes nothing at all.
pub fn apart(lexicon: &Lexicon, text: &str, reading: &Reading, which: u8) {
    let separator = [" ", "\n", ",", ";"][usize::from(which % 4)];
    let answers = |r: &Reading| -> Vec<_> {
        let one = |f: &Found| ((f.report.prefix.clone(), f.report.observer.clone()), f.report.answers.clone());
        r.reports.iter().map(one).collect()
    };
    let sure = reading.leftover.is_empty()
        && reading.notes.is_empty()
        && reading.reports.iter().all(|f| {
            let r = &f.report;
            !f.doubtful && f.checklist.is_some() && r.rejected.is_empty() && r.leftover.is_empty() && r.notes.is_empty()
        });
    let before = answers(reading);
    let places = reading.reports.iter().flat_map(|f| &f.spans).filter(|s| matches!(s.part, Part::Code(_)));
    for place in places.map(|s| s.from).filter(|at| !text[*at..].starts_with('@')) {
        let more = format!("{}{separator}{}", &text[..place], &text[place..]);
        let after = answers(&grammar::read(lexicon, &more, &[]));
        assert!(!sure || before == after, "a separator changes answers: {text:?} {before:?}, {more:?} {after:?}");
        for ((sender, known), (_, now)) in before.iter().zip(&after).filter(|(b, a)| b.0 == a.0) {
            let same = known.iter().all(|(code, value)| now.get(code).is_none_or(|v| v == value));
            let alike = before.len() != after.len() || same;
            assert!(alike, "a separator changes an answer of {sender:?}: {text:?} {before:?}, {more:?} {after:?}");
        }
    }
}

fn lexicon(bytes: &mut Bytes<'_>) -> Lexicon {
    let shape = bytes.next();
    let mut lists: Vec<Checklist> = Vec::new();
    if shape & 1 == 0 {
        lists.extend(fixed());
    } else {
        for _ in 0..1 + bytes.below(2) {
            let json = checklist(bytes);
            lists.extend(check_json(&json).into_iter().flat_map(|c| c.checklists));
        }
    }
    let setting = Setting {
        observer_lengths: match shape >> 1 & 3 {
            0 => vec![6],
            1 => vec![4, 6],
            2 => vec![2],
            _ => Vec::new(),
        },
        phone_identifies: shape & 8 != 0,
        code_asked: shape & 32 != 0,
        languages: ["en", "fr", "pt", "es", "ar", "sw"].map(str::to_owned).into(),
        date_order: if shape & 16 == 0 { DateOrder::DayMonth } else { DateOrder::MonthDay },
    };
    Lexicon::new(lists.into_iter().map(Arc::new), setting)
}

/// Checklists with every type, one a grammar.
fn fixed() -> Vec<Checklist> {
    let questions = json!([
        {"code":"AA","type":"count","max":50,"null_value":999,"text":"?"},
        {"code":"BA","type":"choice","options":{"1":"Good","2":"Very bad","3":"Bad"},"text":"?"},
        {"code":"CA","type":"multi_choice","options":{"1":"a","2":"b","3":"c"},"text":"?"},
        {"code":"IL","type":"yes_no","text":"?"},
        {"code":"DO","type":"decimal","min":"-5","max":2000,"text":"?"},
        {"code":"TA","type":"time","text":"?"},
        {"code":"DA","type":"date","text":"?"},
        {"code":"FL","type":"flag","text":"?"},
        {"code":"CC","type":"count","min":-9,"max":5000,"text":"?"},
        {"code":"ZT","type":"text","text":"?"}]);
    let one = |prefix: &str, grammar: &str| json!({"prefix":prefix,"title":"x","grammar":grammar,"serial":true,"questions":questions});
    let mut all = Vec::new();
    for json in [one("PS", "compact"), one("KEY", "keyed")] {
        all.extend(check_json(&json).map(|c| c.checklists).unwrap_or_default());
    }
    all
}

fn checklist(bytes: &mut Bytes<'_>) -> serde_json::Value {
    let flags = bytes.next();
    let questions: Vec<serde_json::Value> = (0..1 + bytes.below(6))
        .map(|_| {
            let code = bytes.letters(3);
            let options =
                |n: u8| (1..=n).map(|i| (i.to_string(), json!(format!("opt {i}")))).collect::<serde_json::Map<_, _>>();
            match bytes.below(9) {
                0 => json!({"code":code,"text":"?","type":"count","max":i64::from(bytes.next()) * 40}),
                1 => json!({"code":code,"text":"?","type":"yes_no"}),
                2 => json!({"code":code,"text":"?","type":"choice","options":options(1 + bytes.below(16))}),
                3 => json!({"code":code,"text":"?","type":"multi_choice","options":options(1 + bytes.below(10))}),
                4 => json!({"code":code,"text":"?","type":"time"}),
                5 => json!({"code":code,"text":"?","type":"flag"}),
                6 => json!({"code":code,"text":"?","type":"decimal","max":bytes.next()}),
                7 => json!({"code":code,"text":"?","type":"date"}),
                _ => json!({"code":code,"text":"?","type":"text"}),
            }
        })
        .collect();
    json!({
        "prefix": bytes.letters(3),
        "title": "x",
        "kind": if flags & 1 == 0 { "checklist" } else { "incident" },
        "grammar": if flags & 2 == 0 { "compact" } else { "keyed" },
        "serial": flags & 4 != 0,
        "questions": questions,
    })
}

/// Each answer is one that its question allows, and each code stands on one side only.
fn sound(text: &str, reading: &Reading) {
    for found in &reading.reports {
        let report = &found.report;
        let Some(checklist) = &found.checklist else {
            assert!(report.answers.is_empty());
            continue;
        };
        for (code, value) in &report.answers {
            assert!(!report.rejected.iter().any(|r| r.code == *code), "{code} is recorded and refused: {text:?}");
            let Some(question) = checklist.question(code) else { panic!("{code} is no question: {text:?}") };
            let Some(value) = value else { continue };
            let fits = match (&question.kind, value) {
                (_, Value::NotAvailable { na }) => question.null_value == Some(*na),
                (QuestionType::Count { min, max }, Value::Number(n)) => (min..=max).contains(&n),
                (QuestionType::YesNo { .. }, Value::Bool(_)) | (QuestionType::Flag {}, Value::Bool(true)) => true,
                (QuestionType::Choice { options }, Value::Number(n)) => {
                    u16::try_from(*n).is_ok_and(|n| options.contains_key(&n))
                }
                (QuestionType::MultiChoice { options }, Value::Options(chosen)) => {
                    !chosen.is_empty() && chosen.is_sorted() && chosen.iter().all(|n| options.contains_key(n))
                }
                (QuestionType::Time { .. }, Value::Text(time)) => time.len() == 5,
                (QuestionType::Date { .. }, Value::Text(date)) => date.len() == 10,
                (QuestionType::Decimal { min, max }, Value::Text(number)) => {
                    number.parse().is_ok_and(|n| (min..=max).contains(&&n))
                }
                (QuestionType::Text {}, Value::Text(words)) => text.contains(words.as_str()),
                _ => false,
            };
            assert!(fits, "{code}={value:?} does not fit its question: {text:?}");
        }
    }
}
