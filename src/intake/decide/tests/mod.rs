//! Decisions on whole texts, against a roster of two elections.

mod authentication;
mod commands;
mod forms;
mod property;
mod senders;

use std::sync::Arc;

use uuid::Uuid;

use super::*;
use crate::domain::checklist::check;
use crate::domain::election::{Election, Identify};
use crate::domain::order::RecordKey;
use crate::domain::roster::{Form, NewObserver, Register, Roster, Station};
use crate::domain::value::Value;
use crate::text::segments::measure;

const OPENING: &str = r#"{"checklists":[
  {"prefix":"PS","title":"Opening","questions":[
    {"code":"AA","type":"count","text":"a","max":50},
    {"code":"AB","type":"count","text":"b","max":50},
    {"code":"AC","type":"count","text":"c","max":5000}],
   "rules":[{"name":"sum","expr":"AA + AB <= AC","severity":"error","message":"AA and AB are more than AC, please check."},
            {"name":"roll","expr":"AC <= registered","message":"more than registered"}]},
  {"prefix":"EM","kind":"incident","title":"Incident","questions":[{"code":"EA","type":"flag","text":"a"},{"code":"EB","type":"flag","text":"b"}]}]}"#;

fn register(id: i32, prefix: &str, phones: &[(&str, u32)], closed_us: Option<i64>) -> Arc<Register> {
    let checked = check(&OPENING.replace("\"PS\"", &format!("\"{prefix}\""))).unwrap();
    let election = Election {
        name: format!("Election {id}"),
        opened_us: Some(100),
        closed_us,
        identify: Identify::Either,
        replies_per_hour: 10,
        ..Election::plain(id, &format!("e{id}"))
    };
    let mut register = Register::new(election, checked.checklists.into_iter().map(Form::from).collect());
    for i in 0..3 {
        let own: Vec<String> =
            phones.iter().filter(|(_, o)| i64::from(*o) == i64::from(i)).map(|(p, _)| (*p).to_owned()).collect();
        register.add(&NewObserver {
            id: id * 100 + i,
            code: &format!("12345{i}"),
            language: None,
            station: Some(Station { id: i, registered_voters: Some(900) }),
            phones: &own,
        });
    }
    register.sort();
    Arc::new(register)
}

struct World {
    books: Books,
    present: PresentStates,
    locks: Locks,
    at: i64,
    /// Whose texts staff let pass.
    sender: String,
}

impl World {
    fn new() -> Self {
        let newer = register(2, "PS", &[("255700000000", 0), ("255700000009", 0), ("255700000009", 1)], None);
        let older = register(1, "CL", &[("255700000000", 2)], Some(5_000));
        Self::of(vec![newer, older])
    }

    fn of(books: Vec<Arc<Register>>) -> Self {
        let roster = Roster { version: 1, books };
        Self {
            books: Books::new(&roster),
            present: PresentStates::default(),
            locks: Locks::default(),
            at: 1_000,
            sender: "+255700000000".to_owned(),
        }
    }

    fn from(&mut self, sender: &str, ton: u8, text: &str) -> Decision {
        self.send(sender, ton, text, false)
    }

    /// A text that staff let pass.
    fn vouched(&mut self, text: &str) -> Decision {
        let sender = self.sender.clone();
        self.send(&sender, 1, text, true)
    }

    fn send(&mut self, sender: &str, ton: u8, text: &str, vouched: bool) -> Decision {
        self.at += 1;
        let order =
            OrderKey { received_us: self.at, record: RecordKey { spool: Uuid::nil(), sequence: self.at as u64 } };
        let incoming = Incoming { order, sender, sender_ton: ton, destination: "20300", text, vouched, gaps: vec![] };
        let mut understanding = understand(&incoming, &self.books);
        let phone = sender.trim_start_matches('+').parse().unwrap_or(0);
        admit(&mut understanding, phone, &mut self.locks);
        settle(&understanding, &mut self.present, &Replies::built_in())
    }

    fn text(&mut self, text: &str) -> (Outcome, String) {
        let decision = self.from("+255700000000", 1, text);
        (decision.outcome, decision.reply.unwrap_or_default())
    }
}

#[test]
fn a_whole_report_is_accepted_then_a_duplicate_then_corrected() {
    let mut world = World::new();
    let (outcome, reply) = world.text("PS 123450 AA1 AB2 AC30");
    assert_eq!((outcome, reply.as_str()), (Outcome::Accepted, "PS 123450: thank you, 3 answers recorded."));
    let (outcome, reply) = world.text("PS 123450 AA1 AB2 AC30");
    assert_eq!(
        (outcome, reply.as_str()),
        (Outcome::Duplicate, "PS 123450: already received, nothing changed. Thank you.")
    );
    let decision = world.from("+255700000000", 1, "PS 123450 AA5");
    assert_eq!(decision.outcome, Outcome::Corrected);
    assert_eq!(decision.changes[0].change.replaced["AA"], Some(Value::Number(1)));
    assert_eq!(decision.changes[0].after.answers["AB"], Some(Value::Number(2)));
}

#[test]
fn a_partial_report_names_what_is_wrong_and_what_is_missing() {
    let (outcome, reply) = World::new().text("PS 123450 AA51 AB2 ZZ9");
    assert_eq!(outcome, Outcome::Partial);
    assert_eq!(
        reply,
        "PS 123450: 1 answer recorded. Please send again: AA (51 is not 0-50), ZZ (unknown code). Still missing: AC."
    );
}

#[test]
fn unknown_closed_and_unclear_texts_say_so() {
    let mut world = World::new();
    assert_eq!(world.text("PS 999999 AA1").0, Outcome::UnknownObserver);
    assert_eq!(world.text("hello").0, Outcome::UnknownChecklist);
    assert_eq!(
        world.text("hello").1,
        "Not understood: \"hello\". Begin with the checklist and your observer code, for example PS 123456 AA1."
    );
    assert_eq!(world.text("PS 123450 AA1,5").0, Outcome::Unclear);
    assert_eq!(world.text("CL 123450 AA1").0, Outcome::Accepted);
    world.at = 5_000;
    assert_eq!(world.text("CL 123450 AA1").0, Outcome::Closed);
    assert_eq!(world.text("help!").0, Outcome::Command);
}

#[test]
fn an_election_is_judged_open_at_receipt() {
    let mut world = World::new();
    world.at = 4_998;
    assert_eq!(world.text("CL 123450 AA1").0, Outcome::Accepted);
    assert_eq!(world.text("CL 123450 AA1").0, Outcome::Closed);
    world.at = 50;
    assert_eq!(world.text("PS 123450 AA1").0, Outcome::Closed);
}

#[test]
fn machines_and_our_own_number_are_never_answered() {
    let mut world = World::new();
    for (sender, ton) in [("Vodacom", 5), ("Vodacom", 0), ("15565", 3), ("20300", 1), ("", 0)] {
        let decision = world.from(sender, ton, "PS 123450 AA1");
        assert_eq!((decision.outcome, decision.reply), (Outcome::Ignored, None), "{sender}");
        assert!(decision.changes.is_empty());
    }
}

#[test]
fn the_phone_identifies_only_its_sole_owner() {
    let mut world = World::new();
    let decision = world.from("+255700000000", 1, "PS AA1 AB2 AC30");
    assert_eq!((decision.outcome, decision.observer), (Outcome::Accepted, Some(200)));
    assert_eq!(world.from("255700000009", 1, "PS AA1").outcome, Outcome::UnknownObserver);
    let other = world.from("255799999999", 1, "PS123451AA1");
    assert_eq!(other.outcome, Outcome::Accepted);
    assert_eq!(other.reading.json()["reports"][0]["notes"][0]["kind"], "unverified_phone");
}

#[test]
fn each_incident_opens_a_submission_of_its_own() {
    let mut world = World::new();
    let first = world.from("255700000000", 1, "EM123450!EA");
    let second = world.from("255700000000", 1, "EM123450!EA");
    assert_eq!((first.outcome, second.outcome), (Outcome::Accepted, Outcome::Accepted));
    assert_ne!(first.changes[0].key.id(), second.changes[0].key.id());
    assert_eq!(first.changes[0].station, Some(0), "it happened where its observer is");
    let twice = world.from("255700000000", 1, "EM123450!EA EM123450!EA");
    assert_eq!(twice.changes.len(), 1);
}

#[test]
fn broken_rules_are_kept_and_serious_ones_told() {
    let mut world = World::new();
    let decision = world.from("255700000000", 1, "PS123450AA5AB6AC10");
    assert_eq!((decision.outcome, &decision.changes[0].broken_rules[..]), (Outcome::Accepted, &["sum".to_owned()][..]));
    assert!(decision.reply.unwrap().ends_with("AA and AB are more than AC, please check."));
    let decision = world.from("255700000000", 1, "PS123450AC901");
    assert_eq!(decision.changes[0].broken_rules, ["roll"]);
}

#[test]
fn one_text_may_hold_several_reports_and_the_worst_outcome_counts() {
    let mut world = World::new();
    let decision = world.from("255700000000", 1, "PS123450AA1AB2AC30 EM123450!EA QQ123450AA5");
    assert_eq!(decision.changes.len(), 2);
    assert_eq!(decision.outcome, Outcome::UnknownChecklist);
    assert!(decision.reply.unwrap().contains("QQ 123450"));
}

#[test]
fn several_messages_of_one_submission_settle_in_one_batch() {
    let mut world = World::new();
    world.text("PS123450AA1");
    world.text("PS123450AB2");
    let decision = world.from("255700000000", 1, "PS123450AC3");
    assert_eq!(decision.changes[0].after.answers.len(), 3);
    assert!(decision.changes[0].missing.is_empty());
}

#[test]
fn a_comment_without_answers_is_kept() {
    let decision = World::new().from("255700000000", 1, "PS123450@ballots short AA1");
    assert_eq!(decision.outcome, Outcome::Accepted);
    assert_eq!(decision.changes[0].comment.as_deref(), Some("ballots short AA1"));
    assert!(decision.reply.unwrap().contains("your comment is recorded"));
}

#[test]
fn replies_fit_one_segment_and_say_how_many_are_left_out() {
    let codes: Vec<String> = (0..26).map(|i| format!("Q{}", char::from(b'A' + i))).collect();
    let questions: Vec<String> =
        codes.iter().map(|c| format!(r#"{{"code":"{c}","type":"count","max":5,"text":"?"}}"#)).collect();
    let file = format!(r#"{{"prefix":"LONG","title":"x","questions":[{}]}}"#, questions.join(","));
    let mut register = Arc::unwrap_or_clone(register(3, "PS", &[], None));
    register.forms.push(check(&file).unwrap().checklists.remove(0).into());
    let mut world = World::of(vec![Arc::new(register)]);
    let (outcome, reply) = world.text("LONG 123450 QA1 QB99 QC99 QD99 QE QF1,5 QG77");
    assert_eq!(outcome, Outcome::Partial);
    assert_eq!(measure(&reply).segments, 1, "{reply}");
    assert!(reply.contains("QB") && reply.contains('+'), "{reply}");
}
