//! Who reports: by code, by phone, or by both.

use super::*;
use crate::domain::election::Unverified;

const OWN: &str = "255700000000";
const SHARED: &str = "255700000009";
const STRANGE: &str = "255799999999";

/// Observers 123450 (own phone and the shared one) and 123451 (the shared one).
fn world(identify: Identify, unverified: Unverified) -> World {
    let register = register(2, "PS", &[(OWN, 0), (SHARED, 0), (SHARED, 1)], None);
    let mut register = Arc::unwrap_or_clone(register);
    register.election.identify = identify;
    register.election.unverified = unverified;
    World::of(vec![Arc::new(register)])
}

fn outcome(identify: Identify, unverified: Unverified, phone: &str, text: &str) -> (Outcome, Option<i32>) {
    let decision = world(identify, unverified).from(phone, 1, text);
    if !matches!(decision.outcome, Outcome::Accepted | Outcome::Partial) {
        assert!(decision.changes.is_empty());
    }
    (decision.outcome, decision.observer)
}

#[test]
fn the_code_decides_and_a_strange_phone_goes_by_the_policy() {
    for (unverified, expected) in [
        (Unverified::Accept, Outcome::Accepted),
        (Unverified::Refuse, Outcome::Unverified),
        (Unverified::Hold, Outcome::Held),
    ] {
        for identify in [Identify::Code, Identify::Either] {
            assert_eq!(outcome(identify, unverified, STRANGE, "PS 123450 AA1"), (expected, Some(200)));
            assert_eq!(outcome(identify, unverified, OWN, "PS 123450 AA1"), (Outcome::Accepted, Some(200)));
        }
    }
    assert_eq!(outcome(Identify::Code, Unverified::Accept, OWN, "PS AA1").0, Outcome::UnknownObserver);
}

#[test]
fn where_both_are_asked_for_code_and_phone_must_agree() {
    let both = |phone, text| outcome(Identify::Both, Unverified::Accept, phone, text).0;
    assert_eq!(both(OWN, "PS 123450 AA1"), Outcome::Accepted);
    assert_eq!(both(OWN, "PS 123451 AA1"), Outcome::Unverified);
    assert_eq!(both(SHARED, "PS 123451 AA1"), Outcome::Accepted);
    assert_eq!(both(STRANGE, "PS 123450 AA1"), Outcome::Unverified);
    assert_eq!(both(OWN, "PS AA1"), Outcome::UnknownObserver);
}

#[test]
fn the_phone_alone_identifies_and_the_code_tells_apart_those_who_share_it() {
    let phone = |phone, text| outcome(Identify::Phone, Unverified::Accept, phone, text);
    assert_eq!(phone(OWN, "PS AA1"), (Outcome::Accepted, Some(200)));
    assert_eq!(phone(SHARED, "PS AA1").0, Outcome::UnknownObserver);
    assert_eq!(phone(SHARED, "PS 123451 AA1"), (Outcome::Accepted, Some(201)));
    assert_eq!(phone(OWN, "PS 123451 AA1").0, Outcome::Unverified);
}

#[test]
fn what_staff_let_pass_is_recorded_and_noted() {
    let mut world = world(Identify::Both, Unverified::Hold);
    assert_eq!(world.from(STRANGE, 1, "PS 123450 AA1").outcome, Outcome::Held);
    world.sender = STRANGE.to_owned();
    let decision = world.vouched("PS 123450 AA1");
    assert_eq!(decision.outcome, Outcome::Accepted);
    assert_eq!(decision.reading.json()["reports"][0]["notes"][0]["kind"], "vouched");
}

#[test]
fn the_prefix_tells_concurrent_elections_apart_and_the_observer_those_of_one_prefix() {
    let newer = register(2, "PS", &[], None);
    let mut older = Arc::unwrap_or_clone(register(1, "PS", &[], None));
    older.add(&NewObserver { id: 777, code: "654321", ..NewObserver::default() });
    older.sort();
    let mut world = World::of(vec![newer, Arc::new(older), register(3, "CL", &[], None)]);
    assert_eq!(world.from(STRANGE, 1, "PS 123450 AA1").election, Some(2), "both know it: the newer");
    assert_eq!(world.from(STRANGE, 1, "PS 654321 AA1").election, Some(1));
    assert_eq!(world.from(STRANGE, 1, "CL 123450 AA1").election, Some(3));
}
