//! A small election that topics share: observers with a station each, a checklist `KT` and an incident
//! form `NK`, and one observer's texts.

use serde_json::json;

use super::book::{Book, Place, Watcher};

/// Code of an observer.
pub fn code(number: u32) -> String {
    (100_000 + number).to_string()
}

/// Phone of an observer.
pub fn phone(number: u32) -> String {
    format!("3556{:07}", 1_000_000 + number)
}

/// A report of an observer.
pub fn report(number: u32, answers: &str) -> String {
    format!("KT{} {answers}", code(number))
}

/// An incident that an observer reports.
pub fn incident(number: u32, comment: &str) -> String {
    format!("NK{}! AA1 @ {comment}", code(number))
}

/// The election.
pub fn book(slug: &'static str, observers: u32) -> Book {
    let place = |code: &str, level, parent: &str, registered_voters| Place {
        code: code.to_owned(),
        name: format!("{level} {code}"),
        level,
        parent: parent.to_owned(),
        registered_voters,
    };
    let mut places = vec![place("R1", "region", "", None)];
    places.extend((0..10).map(|n| place(&format!("S{n}"), "station", "R1", Some(800))));
    let watchers =
        (0..observers).map(|n| Watcher { code: code(n), phone: phone(n), station: format!("S{}", n % 10) }).collect();
    let count = |code: &str| json!({"code": code, "text": format!("Count {code}"), "type": "count", "max": 99_999});
    let checklists = vec![
        json!({"prefix": "KT", "title": "Report", "questions": [count("AA"), count("AB"), count("AC")]}),
        json!({"prefix": "NK", "title": "Incident", "kind": "incident", "questions": [
            {"code": "AA", "text": "What", "type": "choice", "options": {"1": "Violence", "2": "Bribery"}},
        ]}),
    ];
    Book { slug, places, watchers, checklists, options: &[] }
}
