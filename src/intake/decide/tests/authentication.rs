//! Authentication codes: who must send one, what a wrong one does, and that none stays readable.

use super::*;
use crate::domain::auth::{AuthKey, Lockout};
use crate::domain::election::{AuthPolicy, Unverified};

const OWN: &str = "255700000000";
const STRANGE: &str = "255799999999";
const OTHER: &str = "255788888888";
const MINUTE_US: i64 = 60_000_000;

/// Observers 123450 (code 4711, with a phone) and 123451 (code 0815); 123452 has no code.
fn world(auth: AuthPolicy) -> World {
    world_where(|election| election.auth = auth)
}

fn world_where(change: impl Fn(&mut Election)) -> World {
    let mut register = Arc::unwrap_or_clone(register(2, "PS", &[(OWN, 0)], None));
    register.election.lockout = Lockout { failures: 3, minutes: 10 };
    change(&mut register.election);
    let key = AuthKey::new(&[9; 32]).unwrap();
    let hashes = vec![(201, key.hash(2, "123451", "0815")), (200, key.hash(2, "123450", "4711"))];
    register.set_auth(key, hashes);
    World::of(vec![Arc::new(register)])
}

#[test]
fn where_a_code_is_required_only_a_report_with_the_right_one_is_taken() {
    let mut world = world(AuthPolicy::Required);
    for text in ["PS 123450*4711 AA1", "ps123450 * 4711 aa2", "PS 123450 4711 AA3", "PS123450!*4711AA4", "PS*4711 AA5"]
    {
        let decision = world.from(OWN, 1, text);
        assert!(matches!(decision.outcome, Outcome::Accepted | Outcome::Corrected), "{text} {:?}", decision.outcome);
        assert!(decision.reading.json()["reports"][0]["rejected"].as_array().unwrap().is_empty(), "{text}");
    }
    let decision = world.from(OWN, 1, "PS 123450 AA1");
    assert_eq!((decision.outcome, decision.changes.len()), (Outcome::WrongCode, 0));
    assert!(decision.reply.unwrap().contains("code is missing"));
    let decision = world.from(OWN, 1, "PS 123450*4712 AA1");
    assert_eq!((decision.outcome, decision.changes.len()), (Outcome::WrongCode, 0));
    assert!(decision.reply.unwrap().contains("code is wrong"));
    let of_another = world.from(OWN, 1, "PS 123451*4711 AA1");
    assert_eq!(of_another.outcome, Outcome::WrongCode);
}

#[test]
fn where_strange_phones_must_send_one_it_takes_the_phone_s_place() {
    for (identify, unverified) in [(Identify::Both, Unverified::Accept), (Identify::Either, Unverified::Refuse)] {
        let mut world = world_where(|election| {
            election.auth = AuthPolicy::UnknownPhones;
            (election.identify, election.unverified) = (identify, unverified);
        });
        assert_eq!(world.from(OWN, 1, "PS 123450 AA1").outcome, Outcome::Accepted);
        assert_eq!(world.from(STRANGE, 1, "PS 123450 AA2").outcome, Outcome::WrongCode);
        let decision = world.from(STRANGE, 1, "PS 123450*4711 AA2");
        assert_eq!(decision.outcome, Outcome::Corrected);
        assert_eq!(decision.reading.json()["reports"][0]["notes"][0]["kind"], "proven_by_code");
    }
}

#[test]
fn where_none_is_asked_for_one_that_is_sent_changes_nothing_and_is_hidden_all_the_same() {
    let mut world = world(AuthPolicy::Off);
    let decision = world.from(OWN, 1, "PS 123450*9999 AA1");
    assert_eq!(decision.outcome, Outcome::Accepted);
    assert_eq!(decision.shown.as_deref(), Some("PS 123450***** AA1"));
    assert_eq!(world.from(OWN, 1, "PS 123450 AA1").shown, None);
}

#[test]
fn a_phone_that_guesses_is_locked_and_told_once_and_learns_nothing() {
    let mut world = world(AuthPolicy::Required);
    for code in ["0001", "0002"] {
        assert_eq!(world.from(STRANGE, 1, &format!("PS 123450*{code} AA1")).outcome, Outcome::WrongCode);
    }
    let third = world.from(STRANGE, 1, "PS 123450*0003 AA1");
    assert_eq!(third.outcome, Outcome::Locked);
    assert!(third.reply.unwrap().contains("10 minutes"));
    let right = world.from(STRANGE, 1, "PS 123450*4711 AA1");
    let wrong = world.from(STRANGE, 1, "PS 123450*0004 AA1");
    assert_eq!((right.outcome, &right.reply), (wrong.outcome, &wrong.reply));
    assert_eq!((right.outcome, right.reply, right.changes.len()), (Outcome::Locked, None, 0));
    assert_eq!(world.locks.failed.len(), 3, "what comes while it is locked does not count");
    world.at += 10 * MINUTE_US;
    assert_eq!(world.from(STRANGE, 1, "PS 123450*4711 AA1").outcome, Outcome::Accepted);
}

#[test]
fn many_phones_that_guess_at_one_observer_are_locked_out_and_the_observer_s_own_phone_is_not() {
    let mut world = world(AuthPolicy::Required);
    for phone in ["255711111111", "255722222222", "255733333333"] {
        world.from(phone, 1, "PS 123450*0001 AA1");
    }
    let other = world.from(OTHER, 1, "PS 123450*4711 AA1");
    assert_eq!(other.outcome, Outcome::Locked, "a phone that never guessed");
    assert!(other.reply.is_some(), "it is told once itself");
    assert_eq!(world.from(OTHER, 1, "PS 123450*4711 AA1").reply, None);
    assert_eq!(world.from(OWN, 1, "PS 123450*4711 AA1").outcome, Outcome::Accepted);
    assert_eq!(world.from(OTHER, 1, "PS 123451*0815 AA1").outcome, Outcome::Accepted, "another observer is not locked");
}

#[test]
fn wrong_codes_from_the_own_phone_lock_that_phone_alone() {
    let mut world = world(AuthPolicy::Required);
    for _ in 0..3 {
        world.from(OWN, 1, "PS 123450*0001 AA1");
    }
    assert_eq!(world.from(OWN, 1, "PS 123450*4711 AA1").outcome, Outcome::Locked);
    assert_eq!(world.from(OTHER, 1, "PS 123450*4711 AA1").outcome, Outcome::Accepted);
}

#[test]
fn a_code_that_is_not_sent_or_not_set_counts_for_nobody() {
    let mut world = world(AuthPolicy::Required);
    for _ in 0..5 {
        assert_eq!(world.from(OWN, 1, "PS 123450 AA1").outcome, Outcome::WrongCode);
        let unset = world.from(OWN, 1, "PS 123452*1234 AA1");
        assert_eq!(unset.outcome, Outcome::WrongCode);
        assert_eq!(unset.reading.json()["unknown"][0]["report"]["notes"][0]["kind"], "code_not_set");
    }
    assert!(world.locks.failed.is_empty());
}

#[test]
fn of_several_reports_in_a_text_each_wrong_code_counts() {
    let mut world = world(AuthPolicy::Required);
    let decision = world.from(STRANGE, 1, "PS123450*0001AA1 PS123450*0002AA1 PS123451*0003AA1 PS123450*4711AA1");
    assert_eq!(decision.outcome, Outcome::Locked);
    assert!(decision.changes.is_empty());
}

#[test]
fn what_staff_let_pass_is_not_asked_for_a_code() {
    let mut world = world(AuthPolicy::Required);
    world.sender = STRANGE.to_owned();
    for text in ["PS 123450 AA1", "PS 123450***** AA1", "PS 123450 ***** AA1"] {
        let decision = world.vouched(text);
        assert!(matches!(decision.outcome, Outcome::Accepted | Outcome::Duplicate), "{text} {:?}", decision.outcome);
    }
}

#[test]
fn no_code_stays_readable_in_text_reading_or_reply_wherever_it_stands() {
    for text in [
        "PS 123450*4711 AA1",
        "PS 123450 4711 AA1 @ mine is 4711",
        "PS 123450 code 4711 AA1",
        "PS l2345O*4711 AA1",
        "PS 123450*\u{664}\u{667}\u{661}\u{661} AA1",
        "PS 123450 AA1 4711",
        "QQ 123450*4711 AA1",
        "123450 * 4711",
        "PS 123450*47111 AA1",
    ] {
        let decision = world(AuthPolicy::Required).from(OWN, 1, text);
        let shown = decision.shown.clone().unwrap_or_else(|| panic!("{text}"));
        assert_eq!(shown.chars().count(), text.chars().count(), "{shown}");
        let kept = format!("{shown} {} {}", decision.reading.json(), decision.reply.unwrap_or_default());
        assert!(!kept.contains("4711") && !kept.contains('\u{667}'), "{text}: {kept}");
        assert!(decision.changes.iter().all(|c| !format!("{c:?}").contains("4711")), "{text}");
    }
}

#[test]
fn an_answer_that_happens_to_be_the_code_s_digits_is_an_answer() {
    let decision = world(AuthPolicy::Required).from(OWN, 1, "PS 123450*4711 AC4711");
    assert_eq!(decision.changes[0].after.answers["AC"], Some(Value::Number(4711)));
    assert_eq!(decision.shown.as_deref(), Some("PS 123450***** AC4711"));
}
