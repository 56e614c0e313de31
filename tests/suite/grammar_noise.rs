//! Noise of our own making, other checklists, kinds and seeds than the corpus has: nothing recorded as
//! something else, nothing lost in silence, and of what a careful person would read, nearly all recorded.

use std::collections::BTreeMap;

use scrutineer::grammar::read;

use super::noise::{Chance, forms, kinds, score};

/// Of the answers that a careful person reads without doubt, the share that must be recorded for each
/// kind of noise, in per mille.
const RECOVERED_PER_MILLE_MIN: usize = 990;
/// Messages of one kind and checklist.
const MESSAGES: usize = 60;

#[test]
fn noise_of_every_kind_is_read_without_a_wrong_or_lost_answer() {
    let seed = std::env::var("SCRUTINEER_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(20_261_121);
    println!("seed {seed}");
    let (lists, lexicon) = (forms::checklists(), forms::lexicon());
    let mut figures: BTreeMap<&'static str, score::Figures> = BTreeMap::new();
    let mut chance = Chance::new(seed);
    for kind in kinds::KINDS {
        for list in &lists {
            for _ in 0..MESSAGES {
                if let Some(message) = kinds::message(kind, list, &mut chance) {
                    score::score(&message, &read(&lexicon, &message.text, &message.gaps), &mut figures);
                }
            }
        }
    }
    println!("{}", score::table(&figures));
    let mut wrong: Vec<String> = Vec::new();
    for (kind, f) in &figures {
        wrong.extend(f.wrong.iter().chain(&f.lost).take(6).map(|w| format!("{kind}: {w}")));
        if f.recovered * 1_000 < f.must * RECOVERED_PER_MILLE_MIN {
            wrong.extend(f.refused.iter().take(4).map(|w| format!("{kind}: {w}")));
        }
    }
    assert_eq!(figures.len(), kinds::KINDS.len(), "every kind made a message");
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}
