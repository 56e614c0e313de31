//! What holds of every text.

use proptest::prelude::*;

use super::*;
use crate::limits::REPLY_SEGMENTS_MAX;

fn texts() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("PS".to_owned()),
        Just("CL".to_owned()),
        Just("EM".to_owned()),
        Just("123450".to_owned()),
        Just("STATUS".to_owned()),
        Just("@".to_owned()),
        Just("!".to_owned()),
        "(AA|AB|AC|EA|EB|ZZ)[0-9*,.]{0,5}",
        "[A-Z0-9]{1,6}",
        ".{0,12}",
    ];
    (proptest::collection::vec(word, 0..12), prop_oneof![Just(" "), Just(""), Just("\n")])
        .prop_map(|(words, between)| words.join(between))
}

proptest! {
    #[test]
    fn every_text_is_decided_answered_in_bounds_and_what_is_refused_is_not_recorded(
        all in proptest::collection::vec(texts(), 1..6),
        language in prop_oneof![Just("en"), Just("fr"), Just("ar"), Just("sw"), Just("pt"), Just("es")],
    ) {
        let mut register = Arc::unwrap_or_clone(register(2, "PS", &[("255700000000", 0)], None));
        register.election.language = language.to_owned();
        let mut world = World::of(vec![Arc::new(register)]);
        for text in all {
            let before = world.present.clone();
            let decision = world.from("255700000000", 1, &text);
            let reply = decision.reply.as_deref().unwrap_or_default();
            prop_assert!(!reply.is_empty(), "{text:?}: {}", decision.outcome);
            prop_assert!(measure(reply).segments <= REPLY_SEGMENTS_MAX as usize, "{text:?}: {reply:?}");
            let refused = !matches!(
                decision.outcome, Outcome::Accepted | Outcome::Partial | Outcome::Corrected | Outcome::Duplicate
            );
            if refused && decision.changes.is_empty() {
                for (key, state) in &before {
                    prop_assert_eq!(&world.present[key].submission, &state.submission);
                }
            }
            for change in &decision.changes {
                for rejected in decision.reading.json()["reports"][usize::from(change.place)]["rejected"].as_array().into_iter().flatten() {
                    let code = rejected["code"].as_str().unwrap_or_default();
                    prop_assert!(!change.assertion.answers.contains_key(code), "{text:?}: {code}");
                }
                for rule in &change.broken_rules {
                    prop_assert!(["sum", "roll"].contains(&rule.as_str()));
                }
            }
        }
    }
}
