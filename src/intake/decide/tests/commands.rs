//! HELP, STATUS, STOP and START, and the language of what is answered.

use super::*;
use crate::domain::checklist::Translated;

const OWN: &str = "255700000000";

/// The answer to a text from a phone.
fn answer(world: &mut World, phone: &str, text: &str) -> String {
    let decision = world.from(phone, 1, text);
    assert_eq!(decision.outcome, Outcome::Command, "{text}");
    assert!(decision.changes.is_empty());
    decision.reply.unwrap()
}

#[test]
fn status_says_what_is_missing_of_each_checklist_of_the_observer() {
    let mut world = World::new();
    assert_eq!(answer(&mut world, OWN, "STATUS"), "PS not received yet; CL not received yet.");
    world.text("PS 123450 AA1");
    assert_eq!(answer(&mut world, OWN, "status?"), "PS still missing AB, AC; CL not received yet.");
    world.text("PS 123450 AB1 AC3");
    assert!(answer(&mut world, OWN, "STATUS").starts_with("PS complete"));
    assert!(answer(&mut world, "255799999999", "STATUS").contains("number is working"), "nobody has this phone");
}

#[test]
fn on_a_shared_phone_status_takes_the_code_of_one_who_has_it() {
    let mut world = World::new();
    world.text("PS 123451 AA1");
    assert!(answer(&mut world, "255700000009", "STATUS").contains("number is working"));
    assert!(answer(&mut world, "255700000009", "STATUS 123451").contains("PS still missing AB, AC"));
    assert!(answer(&mut world, "255700000009", "STATUS 123452").contains("number is working"), "not one of its own");
}

#[test]
fn stop_and_start_say_what_the_phone_wants() {
    let mut world = World::new();
    assert_eq!(world.from(OWN, 1, "STOP").silence, Some(true));
    assert_eq!(world.from(OWN, 1, "ANZA").silence, Some(false));
    assert_eq!(world.from(OWN, 1, "PS 123450 AA1").silence, None);
}

#[test]
fn help_is_the_elections_own_in_the_observers_language() {
    let mut register = Arc::unwrap_or_clone(register(2, "PS", &[], None));
    let texts = [("en", "Call 112."), ("fr", "Appelez le 112.")];
    register.election.help = Some(Translated::Many(texts.map(|(l, t)| (l.to_owned(), t.to_owned())).into()));
    register.add(&NewObserver {
        id: 5,
        code: "555555",
        language: Some("fr"),
        phones: &["255711111111".into()],
        station: None,
    });
    register.sort();
    let mut world = World::of(vec![Arc::new(register)]);
    assert_eq!(answer(&mut world, "255711111111", "HELP"), "Appelez le 112.");
    assert_eq!(answer(&mut world, "255799999999", "AIDE"), "Call 112.", "the election's language, for a stranger");
}

#[test]
fn where_no_election_is_open_the_commands_word_tells_the_language() {
    let mut world = World::of(Vec::new());
    assert!(answer(&mut world, OWN, "AIDE").starts_with("Envoyez"));
    assert!(answer(&mut world, OWN, "AYUDA").starts_with("Envie"));
    assert!(answer(&mut world, OWN, "HELP").starts_with("Send"));
}

#[test]
fn a_prefix_that_is_also_a_commands_word_is_the_prefix() {
    let mut world = World::of(vec![register(2, "ALTO", &[], None)]);
    assert_ne!(world.from(OWN, 1, "ALTO 123450").outcome, Outcome::Command);
    assert_eq!(world.from(OWN, 1, "ALTA").outcome, Outcome::Command);
}
