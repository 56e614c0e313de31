//! Short and long forms of one test: how many rounds, by which seed, and what is said of them.
//!
//! `make test` runs the short form; `make torture` sets `SCRUTINEER_TORTURE=1`, and gathers the figures
//! into a table (`tests/figures`).

use std::io::Write;
use std::sync::OnceLock;

/// Is this the long form?
pub fn is_long() -> bool {
    std::env::var_os("SCRUTINEER_TORTURE").is_some_and(|value| value != "0" && !value.is_empty())
}

/// How many rounds: of the short form, or of the long one.
pub fn rounds(short: usize, long: usize) -> usize {
    if is_long() { long } else { short }
}

/// The seed of this test's chances, printed so that a run can be repeated with `SCRUTINEER_SEED`.
///
/// # Panics
/// When `SCRUTINEER_SEED` is no number.
pub fn seed() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| {
        let seed = match std::env::var("SCRUTINEER_SEED") {
            Ok(text) => text.parse().expect("SCRUTINEER_SEED is a number"),
            Err(_) => rand::random(),
        };
        println!("SCRUTINEER_SEED={seed}");
        seed
    })
}

/// Says what a fault did: a row of the table. `text` has three columns parted by `|`: what happened,
/// for how long, what was lost.
///
/// # Panics
/// When `text` has another number of columns.
pub fn figure(fault: &str, text: &str) {
    assert_eq!(text.matches('|').count(), 2, "what happened | for how long | lost, not: {text}");
    let line = format!("figure: {fault} | {text}");
    println!("{line}");
    // Under `make torture` also where the table is made of, whatever a runner does with what we print.
    if let Some(path) = std::env::var_os("SCRUTINEER_FIGURES") {
        let mut file = std::fs::File::options().create(true).append(true).open(path).unwrap();
        file.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}

/// Says that a test is not done here, and what it lacks. To be followed by `return`.
pub fn skip(missing: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    println!("skipped: {test}: {missing}");
    if let Some(path) = std::env::var_os("SCRUTINEER_FIGURES") {
        let mut file = std::fs::File::options().create(true).append(true).open(path).unwrap();
        file.write_all(format!("skipped: {test}: {missing}\n").as_bytes()).unwrap();
    }
}
