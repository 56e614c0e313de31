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
fn a_text_whose_readings_are_too_many_to_compare_is_unclear_and_nothing_of_it_is_recorded() {
    use std::sync::Arc;
    let letters = ["I", "L", "O"];
    let mut codes: Vec<String> = letters.map(str::to_owned).to_vec();
    for _ in 0..2 {
        let longer: Vec<String> = codes.iter().flat_map(|c| letters.map(|l| format!("{c}{l}"))).collect();
        codes.extend(longer);
    }
    codes.sort();
    codes.dedup();
    let question =
        |code: &String| serde_json::json!({"code": code, "type": "count", "max": 1_000_000_000_000_i64, "text": "?"});
    let questions: Vec<_> = codes.iter().map(question).collect();
    let file = serde_json::json!({"prefix": "PS", "title": "x", "questions": questions});
    let list = domain::checklist::check_json(&file).unwrap().checklists.remove(0);
    let setting = grammar::Setting { observer_lengths: vec![6], ..grammar::Setting::default() };
    let lexicon = grammar::Lexicon::new([Arc::new(list)], setting);
    let few = grammar::read(&lexicon, "PS123456 I1 L2", &[]);
    assert_eq!(few.reports[0].report.answers.len(), 2);
    let begun = std::time::Instant::now();
    let reading = grammar::read(&lexicon, &format!("PS123456 {}", "IL1O".repeat(2_400)), &[]);
    println!("{} codes, {} ms", codes.len(), begun.elapsed().as_millis());
    let found = &reading.reports[0];
    assert!(found.doubtful && found.report.answers.is_empty(), "{}", limits::GRAMMAR_STEPS_MAX);
    assert!(!found.report.leftover.is_empty(), "it is asked back");
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

#[test]
fn the_short_way_reads_what_the_search_reads_over_corpus_and_noise() {
    use super::noise::{Chance, forms, kinds};
    let (lists, lexicon) = (forms::checklists(), forms::lexicon());
    let searching = lexicon.clone().searching_all();
    let mut chance = Chance::new(11);
    let mut messages: Vec<(String, Vec<usize>)> = Vec::new();
    for kind in kinds::KINDS {
        for list in &lists {
            messages.extend((0..40).filter_map(|_| kinds::message(kind, list, &mut chance)).map(|m| (m.text, m.gaps)));
        }
    }
    for (text, gaps) in &messages {
        assert_eq!(grammar::read(&lexicon, text, gaps), grammar::read(&searching, text, gaps), "{text:?}");
    }
    let corpus = source::root().join("tests/fixtures/corpus");
    let file = std::fs::read_to_string(corpus.join("checklists.json")).unwrap();
    let checked = domain::checklist::check(&file).unwrap();
    let setting = grammar::Setting { observer_lengths: vec![6], ..Default::default() };
    let lexicon = grammar::Lexicon::new(checked.checklists.into_iter().map(std::sync::Arc::new), setting);
    let searching = lexicon.clone().searching_all();
    let file = std::fs::read_to_string(corpus.join("messages.jsonl")).unwrap();
    for line in file.lines() {
        let message: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = message["text"].as_str().unwrap();
        assert_eq!(grammar::read(&lexicon, text, &[]), grammar::read(&searching, text, &[]), "{text:?}");
    }
}
