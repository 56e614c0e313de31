//! What is printed is read as it was meant, whatever the checklist, and however the tokens are parted.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::domain::checklist::check_json;
use crate::grammar::{Lexicon, Part, Reading, Setting, read};

/// A question of each type, with its answers.
fn question() -> impl Strategy<Value = (Json, Vec<Option<Value>>)> {
    let nothing = prop_oneof![Just(Json::Null), Just(json!(9999))];
    prop_oneof![
        (-50i64..50, 0i64..2_000, nothing.clone(), 0.0..1.0f64).prop_map(|(min, more, nothing, at)| {
            let max = min + more;
            let n = min + (more as f64 * at) as i64;
            let mut answers = vec![Some(Value::Number(n)), Some(Value::Number(max))];
            answers.extend(nothing.as_i64().map(|na| Some(Value::NotAvailable { na })));
            (json!({"type": "count", "min": min, "max": max, "null_value": nothing}), answers)
        }),
        Just((json!({"type": "yes_no"}), vec![Some(Value::Bool(true)), Some(Value::Bool(false))])),
        (1u16..15, 0.0..1.0f64, nothing).prop_map(|(n, at, nothing)| {
            let chosen = 1 + (f64::from(n - 1) * at) as i64;
            let mut answers = vec![Some(Value::Number(chosen))];
            answers.extend(nothing.as_i64().map(|na| Some(Value::NotAvailable { na })));
            (json!({"type": "choice", "options": options(n), "null_value": nothing}), answers)
        }),
        (1u16..13, any::<u16>()).prop_map(|(n, bits)| {
            let mut chosen: Vec<u16> = (1..=n).filter(|i| bits & (1 << i) != 0).collect();
            if chosen.is_empty() {
                chosen.push(n);
            }
            (json!({"type": "multi_choice", "options": options(n)}), vec![Some(Value::Options(chosen))])
        }),
        (0u16..1440).prop_map(|t| {
            (json!({"type": "time"}), vec![Some(Value::Text(format!("{:02}:{:02}", t / 60, t % 60)))])
        }),
        (2000i32..2100, 1u8..=12, 1u8..=28)
            .prop_map(|(y, m, d)| { (json!({"type": "date"}), vec![Some(Value::Text(format!("{y}-{m:02}-{d:02}")))]) }),
        Just((json!({"type": "flag"}), vec![Some(Value::Bool(true))])),
        (-2_000_000_000i64..9_000_000_000).prop_map(|millionths| {
            let sign = if millionths < 0 { "-" } else { "" };
            let (whole, rest) = (millionths.abs() / 1_000_000, millionths.abs() % 1_000_000);
            let number: crate::domain::decimal::Decimal = format!("{sign}{whole}.{rest:06}").parse().unwrap();
            (json!({"type": "decimal", "min": -2000, "max": 9000}), vec![Some(Value::Text(number.to_string()))])
        }),
        "[a-zA-Zé][a-z é!?()0-9]{0,20}[a-z]".prop_map(|text| (json!({"type": "text"}), vec![Some(Value::Text(text))])),
    ]
}

fn options(n: u16) -> Json {
    (1..=n).map(|i| (i.to_string(), json!(format!("Option {i}")))).collect::<serde_json::Map<_, _>>().into()
}

/// A checklist with a report that it allows.
fn report() -> impl Strategy<Value = (Checklist, Report)> {
    let codes = proptest::collection::btree_set("[A-Z]{2}", 1..8);
    let questions = proptest::collection::vec((question(), 0..4usize, any::<bool>()), 8);
    let head = ("[A-Z]{2,4}", any::<bool>(), any::<bool>(), any::<bool>(), proptest::option::of(1u32..999));
    let comment = proptest::option::of("[a-z][a-z A-Z0-9.]{0,20}[a-z]");
    (codes, questions, head, comment).prop_filter_map("a sound checklist", |(codes, questions, head, comment)| {
        let (prefix, keyed, incident, marked, serial) = head;
        let mut report = Report { observer: Some("123456".into()), incident, comment, ..Report::default() };
        report.serial = serial.map(|s| s.to_string().into());
        let mut texts = 0;
        let mut all = Vec::new();
        for (code, ((mut question, answers), which, sent)) in codes.into_iter().zip(questions) {
            let is_text = question["type"] == "text";
            texts += usize::from(is_text);
            // What the grammar has no words for: see the module.
            if sent && !(is_text && texts > 1 && !keyed) {
                let answer =
                    if which == 3 && (keyed || !is_text) { None } else { answers[which % answers.len()].clone() };
                if is_text && keyed {
                    report.comment = None;
                }
                if is_text && !keyed {
                    report.comment = match &answer {
                        Some(Value::Text(text)) => Some(text.clone()),
                        _ => None,
                    };
                }
                report.answers.insert(code.clone(), answer);
            } else if is_text && !keyed && texts == 1 {
                report.comment = None;
            }
            let fields = question.as_object_mut().unwrap();
            fields.insert("code".to_owned(), code.into());
            fields.insert("text".to_owned(), "?".into());
            fields.retain(|_, v| !v.is_null());
            all.push(question);
        }
        let json = json!({
            "prefix": prefix, "title": "x", "grammar": if keyed { "keyed" } else { "compact" },
            "kind": if incident { "incident" } else { "checklist" }, "serial": serial.is_some(),
            "marked": marked && prefix.len() < 4, "questions": all,
        });
        let checklist = check_json(&json).ok()?.checklists.into_iter().next()?;
        Some((checklist, report))
    })
}

fn lexicon(checklist: &Checklist) -> Lexicon {
    let known = Checklist { prefix: checklist.opening(), ..checklist.clone() };
    let setting = Setting { observer_lengths: vec![6], languages: vec!["en".to_owned()], ..Setting::default() };
    Lexicon::new([Arc::new(known)], setting)
}

/// What a reading says of the one report in it.
fn said(reading: &Reading) -> Option<Report> {
    let [found] = reading.reports.as_slice() else { return None };
    let clean = !found.doubtful && reading.leftover.is_empty() && found.report.rejected.is_empty();
    clean.then(|| Report { prefix: Default::default(), notes: Default::default(), ..found.report.clone() })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 800, ..ProptestConfig::default() })]

    #[test]
    fn a_printed_report_is_read_as_that_report((checklist, report) in report()) {
        let text = print(&checklist, &report);
        let reading = read(&lexicon(&checklist), &text, &[]);
        prop_assert_eq!(said(&reading), Some(report.clone()), "{}: {:?}", text, reading);
        let spans = reading.reports.iter().flat_map(|f| &f.spans).chain(&reading.spans);
        for span in spans {
            let leftover = matches!(span.part, Part::Leftover | Part::UnknownCode | Part::Unclear);
            prop_assert!(!leftover, "{} leaves {:?}", text, span);
        }
    }

    #[test]
    fn a_separator_between_any_two_tokens_changes_nothing(
        (checklist, report) in report(),
        separators in proptest::collection::vec(prop_oneof![Just(" "), Just("\n"), Just(","), Just(";")], 24),
        together in any::<bool>(),
    ) {
        let compact = checklist.grammar == GrammarKind::Compact;
        let plain = print(&checklist, &report);
        let lexicon = lexicon(&checklist);
        let expected = said(&read(&lexicon, &plain, &[]));
        let mut text = String::new();
        for (i, token) in tokens(&checklist, &report).iter().enumerate() {
            // Between a key and the token before it a space stays: a comma between digits is a number's.
            if i > 0 && !(together && compact) && !matches!(token, Token::Value(_)) {
                text.push(' ');
            }
            if i > 0 {
                text.push_str(separators[i % separators.len()]);
            }
            text.push_str(&token.text());
        }
        let reading = read(&lexicon, &text, &[]);
        prop_assert_eq!(said(&reading), expected, "{:?} {:?}", plain, text);
    }
}

#[test]
fn a_report_is_printed_in_both_grammars_as_the_guide_shows_it() {
    let questions = json!([
        {"code":"AA","type":"count","max":50,"text":"?"}, {"code":"BA","type":"time","text":"?"},
        {"code":"CA","type":"flag","text":"?"}, {"code":"DA","type":"decimal","max":5000,"text":"?"}]);
    let report = Report {
        observer: Some("123456".into()),
        serial: Some("7".into()),
        answers: [
            ("AA".to_owned(), None),
            ("BA".to_owned(), Some(Value::Text("07:05".to_owned()))),
            ("CA".to_owned(), Some(Value::Bool(true))),
            ("DA".to_owned(), Some(Value::Text("1.234".to_owned()))),
        ]
        .into(),
        comment: Some("late".to_owned()),
        ..Report::default()
    };
    for (grammar, expected) in [
        ("compact", "PSB 123456 X7 AA* BA0705 CA DA1.2340 @ late"),
        ("keyed", "PSB 123456 X7 1.* 2.0705 3. 4.1.2340 @ late"),
    ] {
        let json = json!({"prefix":"PS","title":"x","version":2,"marked":true,"serial":true,"grammar":grammar,"questions":questions});
        let checklist = check_json(&json).unwrap().checklists.remove(0);
        assert_eq!(print(&checklist, &report), expected);
    }
}
