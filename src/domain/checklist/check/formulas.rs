//! Conditions of questions and sections, and rules: each can be read, speaks of what there is, can hold,
//! and no question waits for itself.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::faults::{Faults, name_of};
use crate::domain::checklist::formula::Formula;
use crate::domain::checklist::{Question, Translated, placeholders};

/// Rules and conditions of one checklist, after its questions were checked one by one.
pub(super) fn formulas(object: &Map<String, Value>, place: &str, faults: &mut Faults) {
    let empty = Vec::new();
    let list = object.get("questions").and_then(Value::as_array).unwrap_or(&empty);
    let questions: Vec<Question> = list.iter().filter_map(|q| serde_json::from_value(q.clone()).ok()).collect();
    // One that has a fault of its own would be missed by every formula that names it.
    let sound = questions.len() == list.len();
    sections(object, place, faults);
    let mut waits: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (i, (item, code)) in list.iter().map(|q| (q, code_of(q))).enumerate() {
        let Some(question) = item.as_object() else { continue };
        let place = format!("{place}, questions[{i}] {code}");
        let place = place.trim_end();
        if let Some(formula) = condition(question, place, &questions, sound, faults) {
            waits.entry(code).or_default().extend(formula.codes().into_iter().map(str::to_owned));
        }
    }
    for (i, section) in object.get("sections").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let Some(section) = section.as_object() else { continue };
        let name = name_of(section, "name");
        let place = format!("{place}, sections[{i}] {name}");
        let place = place.trim_end();
        let own: Vec<&str> =
            list.iter().filter(|q| q.get("section").and_then(Value::as_str) == Some(name)).map(code_of).collect();
        if own.is_empty() && !name.is_empty() {
            faults.add(place, format!("no question has `section` {name}: a section is named as its questions name it"));
        }
        let Some(formula) = condition(section, place, &questions, sound, faults) else { continue };
        for code in own {
            waits.entry(code).or_default().extend(formula.codes().into_iter().map(str::to_owned));
        }
    }
    circles(&waits, place, faults);
    rules(object, place, &questions, sound, faults);
}

fn code_of(question: &Value) -> &str {
    question.get("code").and_then(Value::as_str).unwrap_or_default()
}

/// The sections' own keys, names each once.
fn sections(object: &Map<String, Value>, place: &str, faults: &mut Faults) {
    let mut names = BTreeSet::new();
    let list = match object.get("sections") {
        None => return,
        Some(Value::Array(list)) => list,
        Some(_) => return faults.add(place, "`sections` must be a list"),
    };
    for (i, item) in list.iter().enumerate() {
        let Some(section) = item.as_object() else {
            faults.add(&format!("{place}, sections[{i}]"), "must be an object");
            continue;
        };
        let place = format!("{place}, sections[{i}] {}", name_of(section, "name"));
        let place = place.trim_end();
        faults.unknown_keys(place, section, &["name", "title", "when"]);
        if section.contains_key("title") {
            faults.translated(place, section.get("title"), "title");
        }
        if let Some(name) = faults.text(place, section, "name")
            && !names.insert(name)
        {
            faults.add(place, format!("the name {name} is used by an earlier section"));
        }
    }
}

/// `when` of a question or a section.
fn condition(
    object: &Map<String, Value>,
    place: &str,
    questions: &[Question],
    sound: bool,
    faults: &mut Faults,
) -> Option<Formula> {
    if !object.contains_key("when") {
        return None;
    }
    let text = faults.text(place, object, "when")?;
    let formula = formula(text, "when", place, questions, sound, faults)?;
    match formula.possible(questions) {
        (false, _) => faults.add(place, format!("`when` {text} can never hold: it would never be asked")),
        (_, false) => faults.add(place, format!("`when` {text} always holds: leave it out")),
        _ => {}
    }
    Some(formula)
}

fn formula(
    text: &str,
    key: &str,
    place: &str,
    questions: &[Question],
    sound: bool,
    faults: &mut Faults,
) -> Option<Formula> {
    match Formula::new(text, questions) {
        Ok(formula) => Some(formula),
        Err(all) => {
            for fault in all.into_iter().filter(|f| sound || !f.starts_with("no question has")) {
                faults.add(place, format!("`{key}`: {fault}"));
            }
            None
        }
    }
}

/// Names a question whose condition waits for its own answer, through others or at once.
fn circles(waits: &BTreeMap<&str, BTreeSet<String>>, place: &str, faults: &mut Faults) {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for &start in waits.keys() {
        if seen.contains(start) {
            continue;
        }
        // Breadth first, so that the shortest way back is named.
        let mut ways: Vec<Vec<&str>> = vec![vec![start]];
        let mut reached: BTreeSet<&str> = BTreeSet::new();
        let mut found = None;
        let mut next = 0;
        while let Some(way) = ways.get(next).cloned() {
            next += 1;
            let Some(last) = way.last() else { break };
            for code in waits.get(last).into_iter().flatten() {
                if code == start {
                    found = Some(way.clone());
                } else if reached.insert(code) {
                    ways.push(way.iter().copied().chain([code.as_str()]).collect());
                }
            }
            if found.is_some() {
                break;
            }
        }
        let Some(way) = found else { continue };
        seen.extend(&way);
        if way.len() == 1 {
            faults.add(
                place,
                format!("{start} is asked only if {start} is answered: its condition must speak of others"),
            );
        } else {
            let circle: Vec<&str> = way.iter().copied().chain([start]).collect();
            faults.add(place, format!("conditions go in a circle: {} each wait for the next", circle.join(", ")));
        }
    }
}

fn rules(object: &Map<String, Value>, place: &str, questions: &[Question], sound: bool, faults: &mut Faults) {
    let list = match object.get("rules") {
        None => return,
        Some(Value::Array(list)) => list,
        Some(_) => return faults.add(place, "`rules` must be a list"),
    };
    let mut names = BTreeSet::new();
    for (i, item) in list.iter().enumerate() {
        let Some(rule) = item.as_object() else {
            faults.add(&format!("{place}, rules[{i}]"), "must be an object");
            continue;
        };
        let place = format!("{place}, rules[{i}] {}", name_of(rule, "name"));
        let place = place.trim_end();
        faults.unknown_keys(place, rule, &["name", "expr", "severity", "message"]);
        faults.one_of(place, rule, "severity", &["warning", "error", "refuse"]);
        faults.translated(place, rule.get("message"), "message");
        if let Some(name) = faults.text(place, rule, "name")
            && !names.insert(name)
        {
            faults.add(place, format!("the name {name} is used by an earlier rule"));
        }
        let Some(text) = faults.text(place, rule, "expr") else { continue };
        let Some(formula) = formula(text, "expr", place, questions, sound, faults) else { continue };
        match formula.possible(questions) {
            (false, _) => faults.add(place, format!("`expr` {text} can never hold: every report would break it")),
            (_, false) => faults.add(place, format!("`expr` {text} can never be broken: it says nothing")),
            _ => {}
        }
        let codes = formula.codes();
        let message = rule.get("message").and_then(|m| serde_json::from_value::<Translated>(m.clone()).ok());
        for name in message.iter().flat_map(Translated::all).flat_map(placeholders) {
            if name != "difference" && !codes.contains(&name) {
                let known = codes.iter().map(|c| format!("{{{c}}}")).collect::<Vec<_>>().join(", ");
                faults.add(
                    place,
                    format!("`message`: unknown placeholder {{{name}}}; it may have {{difference}}, {known}"),
                );
            } else if name == "difference" && !formula.is_comparison() {
                faults.add(place, "`message`: {difference} is that of one comparison, and this `expr` is not one");
            }
        }
    }
}
