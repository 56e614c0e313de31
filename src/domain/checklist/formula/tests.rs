//! Formulas: what they mean, and what is wrong with those that cannot be read.

use super::*;
use crate::domain::checklist::{Question, check};

fn questions() -> Vec<Question> {
    let file = r#"{"prefix":"PS","title":"x","questions":[
        {"code":"RV","type":"count","max":5000,"text":"valid"},
        {"code":"RX","type":"count","max":5000,"text":"rejected"},
        {"code":"RT","type":"count","max":5000,"null_value":9999,"text":"cast"},
        {"code":"OP","type":"yes_no","text":"open"},
        {"code":"WH","type":"yes_no","options":{"5":"Yes","6":"No"},"text":"why"},
        {"code":"CH","type":"choice","options":{"1":"a","3":"b"},"text":"how"},
        {"code":"MU","type":"multi_choice","options":{"1":"a","2":"b"},"text":"which"},
        {"code":"TI","type":"time","text":"when"},
        {"code":"FL","type":"flag","text":"seen"}]}"#;
    check(file).unwrap().checklists.remove(0).questions
}

fn formula(text: &str) -> Formula {
    Formula::new(text, &questions()).unwrap_or_else(|faults| panic!("{text}: {faults:?}"))
}

fn faults(text: &str) -> String {
    Formula::new(text, &questions()).unwrap_err().join(" | ")
}

fn holds(text: &str, answers: &[(&str, Value)]) -> Option<bool> {
    let answers: Answers = answers.iter().map(|(c, v)| ((*c).to_owned(), Some(v.clone()))).collect();
    formula(text).holds(&Facts { answers: &answers, figures: &[("registered".into(), 490)] })
}

fn n(code: &str, n: i64) -> (&str, Value) {
    (code, Value::Number(n))
}

#[test]
fn a_rule_is_judged_when_all_operands_are_answered() {
    let rule = "RV + RX == RT";
    assert_eq!(formula(rule).codes(), ["RV", "RX", "RT"]);
    assert_eq!(holds(rule, &[n("RV", 1), n("RX", 2), n("RT", 3)]), Some(true));
    assert_eq!(holds(rule, &[n("RV", 1), n("RX", 2), n("RT", 4)]), Some(false));
    assert_eq!(holds(rule, &[n("RV", 1), n("RX", 2)]), None);
    assert_eq!(holds(rule, &[n("RV", 1), n("RX", 2), ("RT", Value::NotAvailable { na: 9999 })]), None);
}

#[test]
fn a_difference_has_a_sign() {
    let rule = formula("RT - RV - RX == 0");
    let answers: Answers =
        [n("RT", 10), n("RV", 8), n("RX", 5)].into_iter().map(|(c, v)| (c.to_owned(), Some(v))).collect();
    let facts = Facts { answers: &answers, figures: &[] };
    assert_eq!(rule.difference(&facts).unwrap().to_string(), "-3");
    assert_eq!(formula("RT - RV - RX >= -5 and RT - RV - RX <= 5").holds(&facts), Some(true));
}

#[test]
fn figures_come_from_the_location() {
    assert_eq!(holds("RT-10<=registered", &[n("RT", 500)]), Some(true));
    assert_eq!(holds("RT-10<=registered", &[n("RT", 501)]), Some(false));
    assert_eq!(holds("RT <= ballots_issued", &[n("RT", 501)]), None);
    assert_eq!(formula("RT <= ballots_issued").figures(), ["ballots_issued"]);
}

#[test]
fn conditions_speak_of_every_kind_of_answer() {
    let yes = |code: &'static str| (code, Value::Bool(true));
    assert_eq!(holds("OP == yes", &[yes("OP")]), Some(true));
    assert_eq!(holds("OP == 2", &[yes("OP")]), Some(false));
    assert_eq!(holds("WH == 5", &[yes("WH")]), Some(true));
    assert_eq!(holds("CH >= 2 and not OP == no", &[n("CH", 3), yes("OP")]), Some(true));
    assert_eq!(holds("MU has 2", &[("MU", Value::Options(vec![1, 2]))]), Some(true));
    assert_eq!(holds("TI <= 07:30", &[("TI", Value::Text("07:31".into()))]), Some(false));
    assert_eq!(holds("FL == no", &[]), Some(true), "a flag that was not sent is no");
    assert_eq!(holds("RT answered or (RV > 5)", &[]), None);
    assert_eq!(holds("RT answered", &[]), Some(false));
}

#[test]
fn what_is_not_known_blames_nobody() {
    assert_eq!(holds("OP == yes and RV > 5", &[n("RV", 3)]), Some(false), "one that fails decides");
    assert_eq!(holds("OP == yes and RV > 5", &[n("RV", 8)]), None);
    assert_eq!(holds("OP == yes or RV > 5", &[n("RV", 8)]), Some(true));
    assert_eq!(holds("not (OP == yes)", &[]), None);
}

#[test]
fn a_bad_formula_is_named_with_its_place() {
    assert_eq!(faults("RV + RX"), "cannot read `RV + RX`: one of == != <= >= < >, + or - is expected at its end");
    assert!(faults("RV == RX RT").ends_with("is expected at `RT`"));
    for bad in
        ["== 5", "", "RV ==", "(RV == 1", "RV == 1)", "RV == 1 and", "RV has", "TI < 7:5", "RV < 1.2.3", "rv@ == 1"]
    {
        assert!(faults(bad).starts_with("cannot read"), "{bad}: {}", faults(bad));
    }
    assert!(faults(&format!("{}RV == 1{}", "(".repeat(40), ")".repeat(40))).contains("within each other"));
}

#[test]
fn types_that_do_not_meet_are_named() {
    assert_eq!(faults("ZZ == 1 and QQ == 2"), "no question has the code ZZ | no question has the code QQ");
    assert!(faults("OP > yes").contains("can be == or !="));
    assert!(faults("OP == 3").contains("OP has no option 3: its options are 1, 2"));
    assert!(faults("WH == 1").contains("its options are 5, 6"));
    assert!(faults("CH == 2").contains("CH has no option 2"));
    assert!(faults("CH + RV == 2").contains("only counts and decimals"));
    assert!(faults("CH == RV").contains("one of its options' numbers"));
    assert!(faults("MU == 1").contains("write `MU has 1`"));
    assert!(faults("MU has 9").contains("no option 9"));
    assert!(faults("RV has 1").contains("no multi_choice"));
    assert!(faults("TI == 730").contains("such as 07:30"));
    assert!(faults("FL <= 1").contains("can be == or !="));
    assert!(faults("RV - RV == 0").contains("says nothing"));
}

#[test]
fn what_can_never_hold_or_never_fail_is_seen() {
    let possible = |text: &str| formula(text).possible(&questions());
    assert_eq!(possible("RV > 5000"), (false, true));
    assert_eq!(possible("RV >= 0"), (true, false));
    assert_eq!(possible("RV + RX == RT"), (true, true));
    assert_eq!(possible("RV == RX + 5001"), (false, true));
    assert_eq!(possible("CH > 3 or RV < 0"), (false, true));
    assert_eq!(possible("RV <= 5000 and OP == yes"), (true, true));
    assert_eq!(possible("not RV <= 5000"), (false, true));
    assert_eq!(possible("RT <= registered"), (true, true));
}
