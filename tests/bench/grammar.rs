//! `make bench`, second part: what one core understands, without I/O. The corpus of noisy messages is
//! parsed, and parsed and decided, again and again; messages a second and allocations a message.
//!
//! The rate counts the thread's own processor time, so that it says the same on a machine that others use
//! too; the rate by the clock on the wall stands beside it. Rows say whether every body is searched, also
//! one in which nothing is left to doubt, and whether the reading is written as the JSON that is stored.
//!
//! Arguments: `--quick` measures for a fifth of the time.

#![allow(clippy::unwrap_used, reason = "a measurement ends at the first thing that is not as it should be")]

use std::alloc::System;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
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

    println!(
        "{:<42} {:>10} {:>10} {:>7} {:>7} {:>7}",
        "one core", "messages/s", "(wall)", "of want", "allocs", "bytes"
    );
    for (name, texts) in [("corpus", &all), ("its clean part", &clean)] {
        for searching in [false, true] {
            let how = if searching { ", all searched" } else { "" };
            let lexicon = if searching { lexicon.clone().searching_all() } else { lexicon.clone() };
            measure(&format!("{name}: parse{how}"), time, texts, |texts| {
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
            measure(&format!("{name}: parse and decide{how}"), time, texts, |texts| decide(texts, false));
            if !searching {
                measure(&format!("{name}: and write the reading"), time, texts, |texts| decide(texts, true));
            }
        }
    }
}

/// Seconds of processor time that this thread has had.
fn processor_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn measure(what: &str, time: Duration, texts: &[String], mut run: impl FnMut(&[String])) {
    run(texts);
    let region = Region::new(COUNTED);
    run(texts);
    let counted = region.change();
    let allocations = (counted.allocations + counted.reallocations) as f64 / texts.len() as f64;
    let bytes = counted.bytes_allocated as f64 / texts.len() as f64;
    let (begun, worked, mut messages) = (Instant::now(), processor_seconds(), 0usize);
    while processor_seconds() - worked < time.as_secs_f64() {
        for batch in texts.chunks(BATCH) {
            run(batch);
        }
        messages += texts.len();
    }
    let rate = messages as f64 / (processor_seconds() - worked);
    let wall = messages as f64 / begun.elapsed().as_secs_f64();
    println!("{what:<42} {rate:>10.0} {wall:>10.0} {:>7.2} {allocations:>7.1} {bytes:>7.0}", rate / WANTED);
}
