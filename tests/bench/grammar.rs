//! `make bench`, second part: what one core understands, without I/O. The corpus of noisy messages is
//! parsed, and parsed and decided, again and again; messages a second and allocations a message.
//!
//! Arguments: `--quick` measures for a fifth of the time.

#![allow(clippy::unwrap_used, reason = "a measurement ends at the first thing that is not as it should be")]

use std::alloc::System;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use scrutineer::domain::checklist::check;
use scrutineer::domain::election::{Election, Identify};
use scrutineer::domain::order::{OrderKey, RecordKey};
use scrutineer::domain::roster::{Form, NewObserver, Register, Roster};
use scrutineer::grammar::{Lexicon, Setting, read};
use scrutineer::intake::decide::{Books, Incoming, PresentStates, Replies, settle, understand};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Messages a second and core that are to be reached.
const WANTED: f64 = 300_000.0;
/// Messages of one batch, as the worker takes them.
const BATCH: usize = 256;

fn main() {
    let quick = std::env::args().any(|arg| arg == "--quick");
    let time = Duration::from_secs(if quick { 1 } else { 5 });
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/corpus/");
    let checked = check(&std::fs::read_to_string(format!("{corpus}checklists.json")).unwrap()).unwrap();
    let texts: Vec<String> = std::fs::read_to_string(format!("{corpus}messages.jsonl"))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["text"].as_str().unwrap().to_owned())
        .collect();

    let setting = Setting { observer_lengths: vec![6], languages: vec!["en".to_owned()], ..Setting::default() };
    let lexicon = Lexicon::new(checked.checklists.iter().cloned().map(Arc::new), setting);
    measure("parse", time, &texts, |texts| {
        for text in texts {
            black_box(read(&lexicon, text, &[]));
        }
    });

    let election = Election { opened_us: Some(0), identify: Identify::Either, ..Election::plain(1, "bench") };
    let mut register = Register::new(election, checked.checklists.into_iter().map(Form::from).collect());
    for (i, code) in checked.observers.iter().enumerate() {
        register.add(&NewObserver { id: i as i32, code, ..NewObserver::default() });
    }
    register.sort();
    let books = Books::new(&Roster { version: 1, books: vec![Arc::new(register)] });
    let replies = Replies::built_in();
    let mut sequence = 0;
    measure("parse and decide", time, &texts, |texts| {
        let mut present = PresentStates::new();
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
            black_box(settle(&understand(&incoming, &books), &mut present, &replies));
        }
    });
}

fn measure(what: &str, time: Duration, texts: &[String], mut run: impl FnMut(&[String])) {
    run(texts);
    let region = Region::new(COUNTED);
    run(texts);
    let counted = region.change();
    let allocations = (counted.allocations + counted.reallocations) as f64 / texts.len() as f64;
    let bytes = counted.bytes_allocated as f64 / texts.len() as f64;
    let (begun, mut messages) = (Instant::now(), 0usize);
    while begun.elapsed() < time {
        for batch in texts.chunks(BATCH) {
            run(batch);
        }
        messages += texts.len();
    }
    let rate = messages as f64 / begun.elapsed().as_secs_f64();
    println!(
        "{what:<17} {rate:>9.0} messages/s on one core ({:.2} of {WANTED:.0}), {allocations:.1} allocations and {bytes:.0} bytes a message",
        rate / WANTED
    );
}
