//! States and versions of checklists, conditions, and rules that refuse.

use super::*;
use crate::domain::checklist::{Checklist, ChecklistState};

const RULED: &str = r#"{"prefix":"RC","title":"Results","sections":[{"name":"Count","when":"OP == yes"}],"questions":[
    {"code":"OP","type":"yes_no","text":"open"},
    {"code":"WH","type":"choice","options":{"1":"late","2":"never"},"when":"OP == no","text":"why not"},
    {"code":"RT","type":"count","max":900,"section":"Count","text":"cast"},
    {"code":"RV","type":"count","max":900,"section":"Count","text":"valid"},
    {"code":"RX","type":"count","max":900,"section":"Count","text":"rejected"}],
  "rules":[{"name":"over","expr":"RV <= RT","severity":"refuse","message":"RV {RV} is more than RT {RT}."},
           {"name":"sum","expr":"RT - RV - RX == 0","severity":"error","message":"RT-RV-RX is {difference}, please check."}]}"#;

fn ruled() -> World {
    let mut register =
        Register::new(Election::plain(4, "ruled"), vec![check(RULED).unwrap().checklists.remove(0).into()]);
    let station = Some(Station { id: 1, registered_voters: Some(500) });
    register.add(&NewObserver { id: 1, code: "123450", station, ..NewObserver::default() });
    register.sort();
    World::of(vec![Arc::new(register)])
}

fn forms(forms: Vec<Form>) -> World {
    let mut register = Register::new(Election::plain(4, "forms"), forms);
    register.add(&NewObserver { id: 1, code: "123450", ..NewObserver::default() });
    register.sort();
    World::of(vec![Arc::new(register)])
}

fn form(version: u32, state: ChecklistState, questions: &str) -> Checklist {
    let file = format!(r#"{{"prefix":"PS","title":"x","version":{version},"marked":true,"questions":[{questions}]}}"#);
    Checklist { state, ..check(&file).unwrap().checklists.remove(0) }
}

const AA: &str = r#"{"code":"AA","type":"count","max":50,"text":"a"}"#;
const AB: &str = r#"{"code":"AB","type":"count","max":50,"text":"b"}"#;

#[test]
fn draft_paused_and_closed_checklists_are_told_apart() {
    for (state, outcome, word) in [
        (ChecklistState::Draft, Outcome::Draft, "not in use yet"),
        (ChecklistState::Paused, Outcome::Paused, "for the moment"),
        (ChecklistState::Closed, Outcome::Closed, "not taken at this time"),
    ] {
        let mut world = forms(vec![form(1, state, AA).into()]);
        let (got, reply) = world.text("PS 123450 AA1");
        assert_eq!(got, outcome);
        assert!(reply.contains(word), "{reply}");
        assert!(world.present.is_empty());
    }
}

#[test]
fn a_checklists_state_is_judged_at_receipt() {
    let paused =
        Form { since_us: 5_000, before: Some(ChecklistState::Live), ..form(1, ChecklistState::Paused, AA).into() };
    let mut world = forms(vec![paused]);
    assert_eq!(world.text("PS 123450 AA1").0, Outcome::Accepted, "it came before the pause");
    world.at = 5_000;
    assert_eq!(world.text("PS 123450 AA2").0, Outcome::Paused);
}

#[test]
fn a_report_that_was_refused_is_no_duplicate_when_it_is_sent_again() {
    let mut world = forms(vec![form(1, ChecklistState::Paused, AA).into()]);
    assert_eq!(world.text("PS 123450 AA1").0, Outcome::Paused);
    let live = forms(vec![form(1, ChecklistState::Live, AA).into()]);
    world.books = live.books;
    assert_eq!(world.text("PS 123450 AA1").0, Outcome::Accepted);
    assert_eq!(world.text("PS 123450 AA1").0, Outcome::Duplicate);
}

#[test]
fn what_staff_let_pass_is_judged_by_the_state_now() {
    let resumed =
        Form { since_us: 5_000, before: Some(ChecklistState::Paused), ..form(1, ChecklistState::Live, AA).into() };
    let mut world = forms(vec![resumed]);
    assert_eq!(world.text("PS 123450 AA1").0, Outcome::Paused);
    assert_eq!(world.vouched("PS 123450 AA1").outcome, Outcome::Accepted);
}

#[test]
fn a_text_tells_the_version_of_its_form_by_a_letter() {
    let newest = Checklist { accepted_from: Some(2), ..form(3, ChecklistState::Live, &format!("{AA},{AB}")) };
    let older = form(2, ChecklistState::Closed, AA);
    let oldest = form(1, ChecklistState::Closed, AA);
    let mut world = forms(vec![newest.into(), older.into(), oldest.into()]);
    assert_eq!(world.text("PSC 123450 AA1 AB2").0, Outcome::Accepted);
    let decision = world.from("+255700000000", 1, "PSB 123450 AA3");
    assert_eq!(decision.outcome, Outcome::Corrected, "an older version goes on with the same submission");
    assert_eq!(decision.changes[0].checklist.version, 2);
    for text in ["PSA 123450 AA4", "PS 123450 AA4"] {
        let (outcome, reply) = world.text(text);
        assert_eq!(outcome, Outcome::Outdated, "{text}");
        assert!(reply.contains("begins with PSC"), "{reply}");
    }
    let mut alone = forms(vec![form(1, ChecklistState::Live, AA).into()]);
    assert_eq!(alone.text("PS 123450 AA4").0, Outcome::Accepted, "there is one version only");
    assert_eq!(alone.text("PSA 123450 AA4").0, Outcome::Duplicate);
}

#[test]
fn a_version_in_draft_takes_no_ones_place() {
    let draft = form(2, ChecklistState::Draft, AB);
    let mut world = forms(vec![draft.into(), form(1, ChecklistState::Live, AA).into()]);
    assert_eq!(world.text("PS 123450 AA4").0, Outcome::Accepted);
}

#[test]
fn missing_is_only_what_is_asked() {
    let mut world = ruled();
    let missing = |d: &Decision| d.changes[0].missing.join(" ");
    let decision = world.from("+255700000000", 1, "RC 123450 @ just arrived");
    assert_eq!(missing(&decision), "OP");
    let decision = world.from("+255700000000", 1, "RC 123450 OP1");
    assert_eq!(missing(&decision), "RT RV RX");
    let decision = world.from("+255700000000", 1, "RC 123450 OP2");
    assert_eq!((decision.outcome, missing(&decision).as_str()), (Outcome::Corrected, "WH"));
}

#[test]
fn an_answer_to_a_question_that_is_not_asked_is_kept_and_told() {
    let decision = ruled().from("+255700000000", 1, "RC 123450 OP2 WH1 RT5");
    assert_eq!(decision.outcome, Outcome::Accepted);
    assert_eq!(decision.changes[0].broken_rules, ["applies:RT"]);
    assert!(decision.reply.unwrap().contains("Not asked here, please check: RT."));
}

#[test]
fn a_refusing_rule_keeps_answers_out_that_contradict_each_other_in_one_report() {
    let mut world = ruled();
    let decision = world.from("+255700000000", 1, "RC 123450 OP1 RT10 RV12 RX1");
    assert_eq!(decision.outcome, Outcome::Partial);
    let kept: Vec<&str> = decision.changes[0].after.answers.keys().map(|c| c.as_str()).collect();
    assert_eq!(kept, ["OP", "RX"]);
    let reply = decision.reply.unwrap();
    assert!(reply.contains("RV 12 is more than RT 10.") && reply.contains("send again: RV"), "{reply}");
    // Beside what is stored the same contradiction is recorded, and told: no order of arrival changes it.
    world.text("RC 123450 RT10");
    let decision = world.from("+255700000000", 1, "RC 123450 RV12");
    assert_eq!(decision.changes[0].after.answers["RV"], Some(Value::Number(12)));
    assert_eq!(decision.changes[0].broken_rules, ["over", "sum"]);
}

#[test]
fn a_broken_sum_says_by_how_much() {
    let decision = ruled().from("+255700000000", 1, "RC 123450 OP1 RT10 RV6 RX1");
    assert_eq!((decision.outcome, &decision.changes[0].broken_rules[..]), (Outcome::Accepted, &["sum".to_owned()][..]));
    assert!(decision.reply.unwrap().contains("RT-RV-RX is +3, please check."));
}

#[test]
fn a_withdrawn_answer_is_missing_again() {
    let mut world = ruled();
    world.text("RC 123450 OP1 RT10 RV9 RX1");
    let decision = world.from("+255700000000", 1, "RC 123450 RX*");
    assert_eq!(decision.outcome, Outcome::Corrected);
    assert_eq!(decision.changes[0].missing, ["RX"]);
    assert_eq!(decision.changes[0].change.replaced["RX"], Some(Value::Number(1)));
}

#[test]
fn the_same_comment_again_is_a_duplicate_and_another_is_not() {
    let mut world = ruled();
    assert_eq!(world.text("RC 123450 OP1 @ rain").0, Outcome::Accepted);
    assert_eq!(world.text("RC 123450 OP1 @ rain").0, Outcome::Duplicate);
    assert_eq!(world.text("RC 123450 OP1").0, Outcome::Duplicate);
    assert_eq!(world.text("RC 123450 OP1 @ sun").0, Outcome::Accepted);
}

const NUMBERED: &str = r#"{"prefix":"NUM","title":"Numbered","grammar":"keyed","questions":[
    {"code":"QA","type":"count","max":50,"text":"a"},
    {"code":"QB","type":"yes_no","text":"b"},
    {"code":"QC","type":"text","required":false,"text":"c"},
    {"code":"QD","type":"choice","options":{"1":"Good","2":"Bad"},"text":"d"}]}"#;

#[test]
fn questions_that_are_sent_by_number_are_named_by_it_and_a_number_that_nobody_asked_for_too() {
    let mut world = forms(vec![check(NUMBERED).unwrap().checklists.remove(0).into()]);
    let (outcome, reply) = world.text("NUM 123450 1.99 2.1 9.4");
    assert_eq!(outcome, Outcome::Partial);
    assert_eq!(
        reply,
        "NUM 123450: 1 answer recorded. Please send again: 1 (99 is not 0-50), 9 (unknown code). Still missing: 4."
    );
    assert_eq!(world.text("NUM 123450 9.4").1, "NUM 123450: nothing recorded. Please send again: 9 (unknown code).");
    assert_eq!(
        world.text("NUM 123450 1.99 4.c").1,
        "NUM 123450: nothing recorded. Please send again: 1 (99 is not 0-50), 4 (c is no option)."
    );
    assert_eq!(
        world.text("STATUS 123450").1,
        "This number is working. Please send your report as usual.",
        "a stranger"
    );
}

#[test]
fn a_text_of_which_nothing_is_recorded_says_which_range_its_values_miss() {
    let (outcome, reply) = World::new().text("PS 123450 AA51");
    assert_eq!(outcome, Outcome::Unclear);
    assert_eq!(reply, "PS 123450: nothing recorded. Please send again: AA (51 is not 0-50).");
}

#[test]
fn a_value_beside_a_character_that_cannot_be_read_goes_back_and_words_are_kept() {
    let mut world = World::new();
    let (outcome, reply) = world.text("PS 123450 AA1\u{FFFD} AB2 AC30 @ caf\u{FFFD} closed");
    assert_eq!(outcome, Outcome::Partial);
    assert_eq!(reply, "PS 123450: 2 answers recorded. Please send again: AA (1? arrived cut).");
    assert_eq!(measure(&reply).segments, 1);
    let kept = world.present.values().next().and_then(|p| p.comment.as_deref());
    assert_eq!(kept, Some("caf\u{FFFD} closed"));
    assert_eq!(world.text("PS 123\u{FFFD}450 AA1").0, Outcome::Unclear);
    let (_, reply) = world.text("PS 123450 AA\u{FFFD} AB2");
    assert!(reply.contains("AA (? arrived cut)"), "{reply}");
}

/// An election with the numbered form, its observer's language, and a phone of the observer's own.
fn numbered_in(language: &str) -> World {
    let form = check(NUMBERED).unwrap().checklists.remove(0).into();
    let mut register = Register::new(Election::plain(4, "numbered"), vec![form]);
    let phones = ["255700000000".to_owned()];
    register.add(&NewObserver {
        id: 1,
        code: "123450",
        language: Some(language),
        phones: &phones,
        ..NewObserver::default()
    });
    register.sort();
    World::of(vec![Arc::new(register)])
}

#[test]
fn status_names_the_questions_of_a_numbered_form_by_their_numbers_in_each_language() {
    for (language, word, missing) in [
        ("en", "Status", "NUM still missing 2, 4."),
        ("fr", "état", "NUM: il manque 2, 4."),
        ("es", "ESTADO", "NUM: falta 2, 4."),
        ("pt", "situação", "NUM: falta 2, 4."),
        ("sw", "hali", "NUM bado 2, 4."),
        ("ar", "الحالة", "الحالة: NUM ينقصه 2، 4."),
    ] {
        let mut world = numbered_in(language);
        assert_eq!(world.text("NUM 123450 1.5").0, Outcome::Accepted, "{language}");
        let (outcome, reply) = world.text(word);
        assert_eq!((outcome, &*reply), (Outcome::Command, missing), "{language}");
        assert_eq!(measure(&reply).segments, 1);
        world.text("NUM 123450 2.1 4.a");
        let complete = world.text(word).1;
        assert!(complete.contains("NUM") && !complete.contains('4'), "{complete}");
    }
}
