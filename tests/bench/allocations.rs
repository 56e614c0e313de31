//! `make bench`: how often understanding a message asks the allocator, and for how many bytes, on the corpus
//! of noisy messages.

#![allow(clippy::unwrap_used, reason = "a measurement ends at the first thing that is not as it should be")]

#[path = "grammar/setting.rs"]
mod setting;

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    println!("{:<42} {:>11} {:>7}", "a message", "allocations", "bytes");
    setting::each(&mut |what, texts, run| {
        // What a thread keeps from text to text is there from now on.
        run(texts);
        let region = Region::new(COUNTED);
        run(texts);
        let counted = region.change();
        let messages = texts.len() as f64;
        let allocations = (counted.allocations + counted.reallocations) as f64 / messages;
        println!("{what:<42} {allocations:>11.1} {:>7.0}", counted.bytes_allocated as f64 / messages);
    });
}
