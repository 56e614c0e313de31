//! Texts with the reading that the law gives them, kept as tables that people read too: the reference
//! examples, every type of value, and what Apollo and NEMO do, with why we differ where we do.

use std::collections::BTreeMap;
use std::sync::Arc;

use scrutineer::domain::checklist::check_json;
use scrutineer::domain::value::Value;
use scrutineer::grammar::{Lexicon, Reading, Setting, read};

use super::support::source;

/// The checklists that the tables name, each set made ready.
fn forms() -> BTreeMap<String, Lexicon> {
    let text = std::fs::read_to_string(source::root().join("tests/fixtures/grammar/forms.json")).unwrap();
    let sets: BTreeMap<String, serde_json::Value> = serde_json::from_str(&text).unwrap();
    let ready = |name: String, json: serde_json::Value| {
        let checked = check_json(&json).unwrap_or_else(|faults| panic!("{name}: {faults:?}"));
        let setting = Setting {
            observer_lengths: checked.observer_digits.into_iter().map(usize::from).collect(),
            phone_identifies: true,
            languages: ["en", "fr", "pt", "es", "ar", "sw"].map(str::to_owned).into(),
            ..Setting::default()
        };
        (name, Lexicon::new(checked.checklists.into_iter().map(Arc::new), setting))
    };
    sets.into_iter().map(|(name, json)| ready(name, json)).collect()
}

/// A reading in short: `123456 AA=1 AB:unclear left(...) comment(...)`, reports apart by ` / `.
fn brief(reading: &Reading) -> String {
    let mut parts: Vec<String> = Vec::new();
    for found in &reading.reports {
        let report = &found.report;
        let mut out = vec![report.observer.as_deref().unwrap_or("-").to_owned()];
        if found.checklist.is_none() {
            out.push(format!("unknown({})", report.prefix));
        }
        out.extend(found.doubtful.then(|| "doubtful".to_owned()));
        out.extend(report.incident.then(|| "!".to_owned()));
        out.extend(report.serial.iter().map(|s| format!("X{s}")));
        out.extend(report.answers.iter().map(|(code, value)| format!("{code}={}", written(value.as_ref()))));
        out.extend(report.rejected.iter().map(|r| format!("{}:{}", r.code, r.reason.as_str())));
        if !report.leftover.is_empty() {
            out.push(format!("left({})", report.leftover));
        }
        out.extend(report.comment.iter().map(|c| format!("comment({c})")));
        out.extend(report.notes.iter().filter(|n| n.kind == "mended").map(|_| "mended".to_owned()).take(1));
        parts.push(out.join(" "));
    }
    if !reading.leftover.is_empty() {
        parts.push(format!("left({})", reading.leftover));
    }
    parts.extend(reading.comment.iter().map(|c| format!("comment({c})")));
    parts.extend(reading.notes.iter().filter(|n| n.kind == "look_alike").map(|_| "look-alike".to_owned()).take(1));
    parts.join(" / ")
}

fn written(value: Option<&Value>) -> String {
    match value {
        None => "*".to_owned(),
        Some(Value::Bool(true)) => "yes".to_owned(),
        Some(Value::Bool(false)) => "no".to_owned(),
        Some(Value::Number(n)) => n.to_string(),
        Some(Value::Options(set)) => format!("{{{}}}", set.iter().map(u16::to_string).collect::<Vec<_>>().join(",")),
        Some(Value::NotAvailable { na }) => format!("n/a{na}"),
        Some(Value::Text(text)) => format!("[{text}]"),
    }
}

/// Rows of a Markdown file's tables: cells without backquotes and escapes.
fn rows(file: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(source::root().join("tests/fixtures/grammar").join(file)).unwrap();
    let cell = |c: &str| {
        let bare = c.trim().trim_matches('`');
        bare.replace("\\n", "\n").replace("\\r", "\r").replace("\\t", "\t")
    };
    text.lines()
        .filter(|l| l.starts_with('|') && !l.starts_with("|-") && !l.starts_with("| form"))
        .map(|l| l.trim().trim_matches('|').split('|').map(cell).collect())
        .collect()
}

fn hold(file: &str, at_least: usize) {
    let forms = forms();
    let rows = rows(file);
    assert!(rows.len() >= at_least, "{} rows in {file}", rows.len());
    let mut wrong: Vec<String> = Vec::new();
    for row in &rows {
        let [form, text, expected, ..] = &row[..] else { panic!("{file}: {row:?} has too few cells") };
        let Some(lexicon) = forms.get(form) else { panic!("{file}: no form is called {form}") };
        let got = brief(&read(lexicon, text, &[]));
        if got != *expected {
            wrong.push(format!("{form} | {text:?}\n   expected {expected}\n   got      {got}"));
        }
    }
    assert!(wrong.is_empty(), "{file}:\n{}\n", wrong.join("\n"));
}

#[test]
fn the_reference_examples_are_read_as_the_law_says() {
    hold("reference.md", 25);
}

#[test]
fn every_type_of_value_is_read_in_both_grammars() {
    hold("values.md", 60);
}

#[test]
fn what_stands_after_a_value_and_makes_it_doubtful_goes_back_to_the_observer() {
    hold("doubt.md", 80);
}

#[test]
fn each_example_of_the_page_for_groups_is_read_as_it_says() {
    let page = std::fs::read_to_string(source::root().join("schemas/TEXTS.md")).unwrap();
    let lexicon = &forms()["texts"];
    let bare = |cell: &str| cell.trim().trim_matches('`').replace("\\n", "\n");
    let examples = page.lines().filter(|l| l.starts_with("| `"));
    let mut wrong: Vec<String> = Vec::new();
    let mut count = 0;
    for line in examples {
        let cells: Vec<String> = line.trim_matches('|').split('|').map(bare).collect();
        let [text, expected] = &cells[..] else { panic!("{line}: not a text and its reading") };
        let got = brief(&read(lexicon, text, &[]));
        count += 1;
        if got != *expected {
            wrong.push(format!("{text:?}\n   expected {expected}\n   got      {got}"));
        }
    }
    assert!(wrong.is_empty() && count >= 35, "{count} examples\n{}", wrong.join("\n"));
}

#[test]
fn apollo_and_nemo_are_followed_where_the_law_agrees_and_the_rest_says_why() {
    hold("peers.md", 80);
    for row in rows("peers.md") {
        let why = row.get(3).map_or("", |c| c.trim());
        assert!(!why.is_empty(), "{row:?} says neither `same` nor why we differ");
    }
}
