//! What holds for any bytes of an SMSC, on the kept corpora of the fuzz targets `pdu` and `session`: each
//! input is one that a fuzzer found to go a way of its own.

use scrutineer::{handoff, limits, smpp, vitals, world};

use super::support::{source, torture};

#[path = "../fuzz/pdu.rs"]
mod pdu;
#[path = "../fuzz/session.rs"]
mod session;

/// Each input in the long form, each so-manyth in the short one.
fn replay(target: &str, least: usize, each: usize, hold: fn(&[u8])) {
    let dir = source::root().join("tests/fuzz/corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    for file in files.iter().step_by(torture::rounds(each, 1)) {
        let input = std::fs::read(file).unwrap();
        if let Err(panic) = std::panic::catch_unwind(|| hold(&input)) {
            eprintln!("the input is {}", file.display());
            std::panic::resume_unwind(panic);
        }
    }
    assert!(files.len() >= least, "{} inputs in {}", files.len(), dir.display());
}

#[test]
fn every_kept_pdu_of_the_fuzzer_is_read_the_same_in_any_cut_and_settles() {
    replay("pdu", 300, 1, pdu::hold);
}

#[test]
fn every_kept_script_of_the_fuzzer_leaves_the_link_sound() {
    replay("session", 500, 6, session::hold);
}
