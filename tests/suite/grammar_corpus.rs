//! A corpus of noisy messages with known truth: nothing may be recorded as something else, nothing may
//! be dropped in silence, and nearly all must be read. `checklist try` is run as people run it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::support::source;

/// Of the answers that a careful person reads without doubt, the share that must be recorded, in per mille.
const RECOVERED_PER_MILLE_MIN: usize = 995;

/// One form for equal answers.
fn norm(value: &Value) -> String {
    match value {
        Value::Bool(true) => "1".to_owned(),
        Value::Bool(false) => "2".to_owned(),
        Value::String(text) => {
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            digits.trim_start_matches('0').to_owned()
        }
        Value::Array(list) => {
            let all: BTreeSet<String> = list.iter().map(ToString::to_string).collect();
            format!("{all:?}")
        }
        other => other.to_string(),
    }
}

#[test]
fn the_corpus_is_read_without_a_wrong_or_lost_answer() {
    let corpus = source::root().join("tests/fixtures/corpus");
    let (messages, checklists) = (corpus.join("messages.jsonl"), corpus.join("checklists.json"));
    let input = std::fs::read_to_string(&messages).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_scrutineer"))
        .args(["checklist", "try", "--json"])
        .arg(&checklists)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let all = input.clone();
    let feeder = std::thread::spawn(move || stdin.write_all(all.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    assert!(output.status.success());
    let mut read: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let one: Value = serde_json::from_str(line).unwrap();
        read.entry(one["id"].as_str().unwrap().to_owned()).or_default().push(one);
    }
    let (mut must, mut recovered) = (0, 0);
    let mut failures: Vec<String> = Vec::new();
    let mut kinds: BTreeMap<String, [usize; 4]> = BTreeMap::new();
    for line in input.lines() {
        let message: Value = serde_json::from_str(line).unwrap();
        let id = message["id"].as_str().unwrap();
        let reports = read.get(id).cloned().unwrap_or_default();
        let before = failures.len();
        let (m, r) = judge(&message, &reports, &mut failures);
        must += m;
        recovered += r;
        for kind in message["noise"].as_array().unwrap() {
            let of = kinds.entry(kind.as_str().unwrap().to_owned()).or_default();
            let add = [1, m, r, failures.len() - before];
            of.iter_mut().zip(add).for_each(|(sum, n)| *sum += n);
        }
    }
    println!("{:<16} {:>6} {:>7} {:>7} {:>13}", "noise", "msgs", "must", "recov%", "wrong or lost");
    for (kind, [messages, must, recovered, wrong]) in &kinds {
        let share = if *must == 0 { 100.0 } else { 100.0 * *recovered as f64 / *must as f64 };
        println!("{kind:<16} {messages:>6} {must:>7} {share:>7.2} {wrong:>13}");
        assert!(recovered * 100 >= must * 99, "{kind}: {recovered} of {must}");
    }
    println!("corpus: {recovered} of {must} answers recorded, {} wrong or lost", failures.len());
    assert!(failures.is_empty(), "\n{}\n", failures.join("\n"));
    assert!(must > 10_000 && recovered * 1_000 >= must * RECOVERED_PER_MILLE_MIN, "{recovered} of {must}");
}

/// Answers that had to be recorded, and those that were; wrong and lost ones are named in `failures`.
fn judge(message: &Value, reports: &[Value], failures: &mut Vec<String>) -> (usize, usize) {
    let (mut must, mut recovered) = (0, 0);
    let text = &message["text"];
    let mut seen: BTreeSet<(String, String, String)> = BTreeSet::new();
    for truth in message["reports"].as_array().unwrap() {
        let (prefix, observer) = (truth["prefix"].as_str().unwrap(), truth["observer"].as_str().unwrap());
        let mine: Vec<&Value> = reports.iter().filter(|r| r["prefix"] == prefix && r["observer"] == observer).collect();
        for (code, expected) in truth["expect"].as_object().unwrap() {
            let sure = expected[0] == "V";
            must += usize::from(sure);
            let got = mine.iter().find_map(|r| r["answers"].get(code));
            match got {
                Some(value) if expected.get(1).is_some_and(|want| norm(want) == norm(value)) => {
                    recovered += usize::from(sure);
                }
                Some(value) => failures.push(format!("{text}: {code}={value}, expected {expected}")),
                None => {
                    let told = reports.iter().any(|r| {
                        let named =
                            |key: &str| r[key].as_str().is_some_and(|t| t.to_uppercase().contains(code.as_str()));
                        let rejected =
                            r["rejected"].as_array().is_some_and(|list| list.iter().any(|c| c["code"] == *code));
                        let recorded = r["outcome"] == "accepted" || r["outcome"] == "partial";
                        rejected || named("leftover") || !recorded
                    });
                    if !told {
                        failures.push(format!("{text}: {code} is lost, expected {expected}"));
                    }
                }
            }
            seen.insert((prefix.to_owned(), observer.to_owned(), code.clone()));
        }
        if let Some(comment) = truth["comment"].as_str() {
            let squeeze = |t: &str| t.split_whitespace().collect::<Vec<_>>().join(" ");
            if !reports.iter().any(|r| r["comment"].as_str().is_some_and(|c| squeeze(c).contains(&squeeze(comment)))) {
                failures.push(format!("{text}: the comment is lost"));
            }
        }
    }
    for report in reports {
        let key = |code: &String| {
            (
                report["prefix"].as_str().unwrap_or_default().to_owned(),
                report["observer"].as_str().unwrap_or_default().to_owned(),
                code.clone(),
            )
        };
        let recorded = report["outcome"] == "accepted" || report["outcome"] == "partial";
        for code in report["answers"].as_object().unwrap().keys().filter(|c| recorded && !seen.contains(&key(c))) {
            failures.push(format!("{text}: {code} was never sent"));
        }
    }
    (must, recovered)
}

#[test]
fn the_example_checklists_are_sound() {
    for file in source::files("schemas/examples", "json") {
        scrutineer::domain::checklist::check(&file.text).unwrap_or_else(|faults| panic!("{}: {faults:?}", file.name));
    }
}
