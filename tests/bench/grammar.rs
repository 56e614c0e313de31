//! `make bench`: what one core understands, without I/O. The corpus of noisy messages is parsed, and parsed
//! and decided, again and again; messages a second. Allocations are counted by `allocations`, apart, as
//! counting costs time.
//!
//! The rate counts the thread's own processor time, so that it says the same on a machine that others use
//! too; the rate by the clock on the wall stands beside it, and the best of the rounds, which others
//! disturbed least. Rows say whether every body is searched, also one in which nothing is left to doubt,
//! and whether the reading is written as the JSON that is stored.
//!
//! Arguments: `--quick` measures for a fifth of the time.

#![allow(clippy::unwrap_used, reason = "a measurement ends at the first thing that is not as it should be")]

#[path = "grammar/setting.rs"]
mod setting;

use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

/// Messages a second and core that are to be reached.
const WANTED: f64 = 300_000.0;
/// Messages of one batch, as the worker takes them.
const BATCH: usize = 256;

fn main() {
    let quick = std::env::args().any(|arg| arg == "--quick");
    let seconds = if quick { 0.6 } else { 3.0 };
    println!("{:<42} {:>10} {:>10} {:>10} {:>7}", "one core", "messages/s", "(best)", "(wall)", "of want");
    setting::each(&mut |what, texts, run| measure(what, seconds, texts, run));
}

/// Seconds of processor time that this thread has had.
fn processor_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn measure(what: &str, seconds: f64, texts: &[String], run: setting::Through<'_>) {
    run(texts);
    let (begun, worked, mut rounds, mut best) = (Instant::now(), processor_seconds(), 0usize, f64::MAX);
    while processor_seconds() - worked < seconds {
        let round = processor_seconds();
        texts.chunks(BATCH).for_each(&mut *run);
        best = best.min(processor_seconds() - round);
        rounds += 1;
    }
    let messages = texts.len() as f64;
    let rate = messages * rounds as f64 / (processor_seconds() - worked);
    let wall = messages * rounds as f64 / begun.elapsed().as_secs_f64();
    println!("{what:<42} {rate:>10.0} {:>10.0} {wall:>10.0} {:>7.2}", messages / best, rate / WANTED);
}
