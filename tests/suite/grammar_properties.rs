//! What holds for any bytes, on the kept corpus of the fuzz target: each input is one that a fuzzer
//! found to go a way of its own.

use scrutineer::{domain, grammar, limits, text};

use super::support::source;

#[path = "../fuzz/properties.rs"]
mod properties;

#[test]
fn every_kept_input_of_the_fuzzer_is_read_soundly() {
    let dir = source::root().join("tests/fuzz/corpus/grammar");
    let mut files: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    for file in &files {
        properties::hold(&std::fs::read(file).unwrap());
    }
    assert!(files.len() >= 100, "{} inputs in {}", files.len(), dir.display());
}

#[test]
fn every_seed_of_noise_is_explained_and_backed() {
    use super::noise::{Chance, forms, kinds};
    let (lists, lexicon) = (forms::checklists(), forms::lexicon());
    let mut chance = Chance::new(7);
    for kind in kinds::KINDS {
        for list in &lists {
            for _ in 0..10 {
                let Some(message) = kinds::message(kind, list, &mut chance) else { continue };
                let reading = grammar::read(&lexicon, &message.text, &message.gaps);
                properties::backed(&message.text, &reading);
                properties::explained(&message.text, &reading);
                if message.gaps.is_empty() {
                    (0..4).for_each(|which| properties::apart(&lexicon, &message.text, &reading, which));
                }
            }
        }
    }
}
