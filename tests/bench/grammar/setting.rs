//! What the measurements of understanding share: the corpus of noisy messages, made ready once, and each way
//! in which it is gone through.

use std::hint::black_box;
use std::sync::Arc;

use scrutineer::domain::checklist::check;
use scrutineer::domain::election::{Election, Identify};
use scrutineer::domain::order::{OrderKey, RecordKey};
use scrutineer::domain::roster::{Form, NewObserver, Register, Roster};
use scrutineer::grammar::{Lexicon, Setting, read};
use scrutineer::intake::decide::{Books, Incoming, PresentStates, Replies, settle, understand};

/// Goes through some texts once.
pub(super) type Through<'a> = &'a mut dyn FnMut(&[String]);

/// Measures every way to go through the corpus: its name, the texts, and what is done with some of them.
pub(super) fn each(measure: &mut dyn FnMut(&str, &[String], Through<'_>)) {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/corpus/");
    let checked = check(&std::fs::read_to_string(format!("{corpus}checklists.json")).unwrap()).unwrap();
    let messages: Vec<serde_json::Value> = std::fs::read_to_string(format!("{corpus}messages.jsonl"))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let texts = |of: &dyn Fn(&serde_json::Value) -> bool| -> Vec<String> {
        messages.iter().filter(|m| of(m)).map(|m| m["text"].as_str().unwrap().to_owned()).collect()
    };
    let all = texts(&|_| true);
    let clean = texts(&|m| m["noise"].as_array().is_some_and(Vec::is_empty));

    let setting = Setting { observer_lengths: vec![6], languages: vec!["en".to_owned()], ..Setting::default() };
    let lexicon = Lexicon::new(checked.checklists.iter().cloned().map(Arc::new), setting);
    let election = Election { opened_us: Some(0), identify: Identify::Either, ..Election::plain(1, "bench") };
    let mut register = Register::new(election, checked.checklists.into_iter().map(Form::from).collect());
    for (i, code) in checked.observers.iter().enumerate() {
        register.add(&NewObserver { id: i as i32, code, ..NewObserver::default() });
    }
    register.sort();
    let roster = Roster { version: 1, books: vec![Arc::new(register)] };
    let replies = Replies::built_in();

    for (name, texts) in [("corpus", &all), ("its clean part", &clean)] {
        for searching in [false, true] {
            let how = if searching { ", all searched" } else { "" };
            let lexicon = if searching { lexicon.clone().searching_all() } else { lexicon.clone() };
            measure(&format!("{name}: parse{how}"), texts, &mut |texts: &[String]| {
                for text in texts {
                    black_box(read(&lexicon, text, &[]));
                }
            });
            let books = Books::new(&roster);
            let books = if searching { books.searching_all() } else { books };
            let mut sequence = 0;
            let mut decide = |texts: &[String], written: bool| {
                let mut present = PresentStates::with_capacity_and_hasher(texts.len(), Default::default());
                for text in texts {
                    sequence += 1;
                    let record = RecordKey { spool: uuid::Uuid::nil(), sequence };
                    let incoming = Incoming {
                        order: OrderKey { received_us: 1_000, record },
                        sender: "+255700000000",
                        sender_ton: 1,
                        destination: "20300",
                        text,
                        vouched: false,
                        gaps: Vec::new(),
                    };
                    let decision = settle(&understand(&incoming, &books), &mut present, &replies);
                    if written {
                        black_box(serde_json::to_string(&decision.reading).unwrap());
                    }
                    black_box(decision);
                }
            };
            measure(&format!("{name}: parse and decide{how}"), texts, &mut |texts: &[String]| decide(texts, false));
            if !searching {
                measure(&format!("{name}: and write the reading"), texts, &mut |texts: &[String]| decide(texts, true));
            }
        }
    }
}
