//! What a checklist file may say, and what is named when it may not.

use super::*;

fn faults(questions: &str, more: &str) -> Vec<String> {
    let text = format!(r#"{{"prefix":"PS","title":"Opening"{more},"questions":[{questions}]}}"#);
    check(&text).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

fn fault(question: &str) -> String {
    let all = faults(&format!(r#"{{"code":"AA","text":"?",{question}}}"#), "");
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].trim_start_matches("checklist PS, questions[0] AA: ").to_owned()
}

#[test]
fn equal_codes_and_a_code_that_is_the_prefix_are_named() {
    let q = |code: &str| format!(r#"{{"code":"{code}","type":"flag","text":"?"}}"#);
    let all = faults(&[q("AA"), q("AB"), q("AA"), q("PS")].join(","), "");
    assert_eq!(
        all,
        [
            "checklist PS, questions[2] AA: code AA is used by an earlier question: each needs its own",
            "checklist PS, questions[3] PS: code PS is also the prefix: choose another",
        ]
    );
}

#[test]
fn impossible_questions_are_named() {
    assert!(fault(r#""type":"count","min":9,"max":5"#).starts_with("`min` 9 is above `max` 5"));
    assert!(fault(r#""type":"count""#).starts_with("`max` is missing"));
    assert!(fault(r#""type":"count","max":500,"null_value":99"#).starts_with("`null_value` 99 lies between"));
    assert!(fault(r#""type":"count","max":1.5"#).contains("must be a whole number and not 1.5"));
    assert!(fault(r#""type":"choice","options":{}"#).starts_with("`options` is empty"));
    assert!(fault(r#""type":"choice","options":{"a":"x"}"#).starts_with("option `a` must be a whole number"));
    assert!(
        fault(r#""type":"multi_choice","options":{"1":"x","2":"y","12":"z"}"#)
            .starts_with("option 12 looks like 1 and 2")
    );
    assert!(fault(r#""type":"yes_no","options":{"1":"Yes"}"#).starts_with("1 options"));
    assert!(fault(r#""type":"time","min":"2500""#).contains("write a time as"));
    assert!(fault(r#""type":"time","min":"1200","max":"0800""#).contains("later than"));
    assert!(fault(r#""type":"time","null_value":1200"#).contains("time of day too"));
    assert!(fault(r#""type":"number""#).starts_with("`type` is `number`"));
}

#[test]
fn unknown_keys_are_faults_everywhere() {
    assert!(fault(r#""type":"flag","max":5"#).starts_with("unknown key `max`"));
    assert!(faults(r#"{"code":"AA","type":"flag","text":"?"}"#, r#","colour":1"#)[0].contains("unknown key `colour`"));
    let file = check(r#"{"checklists":[],"x":1}"#).unwrap_err();
    assert_eq!(file.len(), 2);
}

#[test]
fn codes_are_letters() {
    let all = faults(r#"{"code":"a1","type":"flag","text":"?"},{"code":"ab","type":"flag","text":"?"}"#, "");
    assert!(all[0].contains("must be letters from A to Z") && all[1].ends_with("write AB"), "{all:?}");
}

#[test]
fn rules_refer_to_counts_that_exist() {
    let q = r#"{"code":"AA","type":"count","max":5,"text":"?"},{"code":"AB","type":"flag","text":"?"}"#;
    let rule = |expr: &str| faults(q, &format!(r#","rules":[{{"name":"sum","expr":"{expr}","message":"Check"}}]"#));
    assert!(rule("AA <= registered").is_empty());
    assert!(rule("AA <= AC")[0].ends_with("rules[0] sum: `expr`: no question has the code AC"));
    assert!(rule("AA <= AB")[0].contains("yes or no is compared with"));
    assert!(rule("AA <")[0].contains("is expected at its end"));
}

#[test]
fn decimals_dates_and_texts_are_checked() {
    let one = |rest: &str| faults(&format!(r#"{{"code":"AA","text":"?",{rest}}}"#), "").concat();
    assert_eq!(one(r#""type":"decimal","min":"0.5","max":99.75"#), "");
    assert!(one(r#""type":"decimal","max":"1,5""#).contains("write a number such as"));
    assert!(one(r#""type":"decimal","max":5,"null_value":4"#).contains("lies between"));
    assert_eq!(one(r#""type":"date","min":"20260201","null_value":99999999"#), "");
    assert!(one(r#""type":"date","max":"20260230""#).contains("YYYYMMDD"));
    assert_eq!(one(r#""type":"text""#), "");
    let two = r#"{"code":"AA","text":"?","type":"text"},{"code":"AB","text":"?","type":"text"}"#;
    assert!(faults(two, "")[0].contains("has one comment"));
    assert!(faults(two, r#","grammar":"keyed""#).is_empty());
}

#[test]
fn broken_json_is_placed_by_line_and_column() {
    let faults = check("{\n  \"prefix\": }").unwrap_err();
    assert_eq!(faults[0].to_string(), "line 2, column 13: this is no JSON: expected value");
}

#[test]
fn too_many_questions_are_refused() {
    let letters = |i: usize| format!("{}{}", char::from(b'A' + (i / 26) as u8), char::from(b'A' + (i % 26) as u8));
    let list = |n: usize| {
        (0..n)
            .map(|i| format!(r#"{{"code":"{}","type":"flag","text":"?"}}"#, letters(i)))
            .filter(|q| !q.contains("\"PS\""))
            .collect::<Vec<_>>()
    };
    assert!(faults(&list(QUESTIONS_MAX)[..].join(","), "").is_empty());
    let many = list(QUESTIONS_MAX + 2);
    assert!(many.len() > QUESTIONS_MAX && faults(&many.join(","), "")[0].contains("500 are allowed"));
}

#[test]
fn a_code_that_tells_half_of_a_day_is_none_beside_a_time() {
    let q = |kind: &str| {
        format!(r#"{{"code":"AA","type":"{kind}","text":"?"}},{{"code":"PM","type":"yes_no","text":"?"}}"#)
    };
    assert!(faults(&q("time"), "")[0].contains("code PM would be taken for half of a day after a time"));
    assert!(faults(&q("flag"), "").is_empty());
}

#[test]
fn texts_may_be_by_language() {
    let ok = r#"{"code":"AA","type":"flag","text":{"en":"Violence","fr":"Violence"}}"#;
    assert!(faults(ok, "").is_empty());
    assert!(faults(&ok.replace("fr", "French"), "")[0].contains("is no language"));
}

#[test]
fn rules_that_never_or_always_hold_are_faults() {
    let q = r#"{"code":"AA","type":"count","max":5,"text":"?"}"#;
    let rule = |expr: &str, message: &str| {
        faults(q, &format!(r#","rules":[{{"name":"x","expr":"{expr}","message":"{message}"}}]"#)).concat()
    };
    assert!(rule("AA > 5", "m").contains("can never hold"));
    assert!(rule("AA <= 5", "m").contains("can never be broken"));
    assert_eq!(rule("AA < 5", "{AA} is {difference} too many"), "");
    assert!(rule("AA < 5", "{BB}").contains("unknown placeholder {BB}; it may have {difference}, {AA}"));
    assert!(rule("AA < 5 or AA answered", "{difference}").contains("that of one comparison"));
}

#[test]
fn conditions_speak_of_other_questions_and_go_in_no_circle() {
    let q = |code: &str, when: &str| {
        let when = if when.is_empty() { String::new() } else { format!(r#","when":"{when}""#) };
        format!(r#"{{"code":"{code}","type":"count","max":9,"text":"?"{when}}}"#)
    };
    let all =
        |list: &[(&str, &str)]| faults(&list.iter().map(|(c, w)| q(c, w)).collect::<Vec<_>>().join(","), "").concat();
    assert_eq!(all(&[("AA", ""), ("AB", "AA > 3"), ("AC", "AB > 3 and AA < 9")]), "");
    assert!(all(&[("AA", "ZZ == 1")]).contains("questions[0] AA: `when`: no question has the code ZZ"));
    assert!(all(&[("AA", "AA == 1")]).contains("AA is asked only if AA is answered"));
    assert!(
        all(&[("AA", "AC == 1"), ("AB", "AA == 1"), ("AC", "AB == 1")])
            .contains("conditions go in a circle: AA, AC, AB, AA")
    );
    assert!(all(&[("AA", ""), ("AB", "AA > 9")]).contains("can never hold"));
    assert!(all(&[("AA", ""), ("AB", "AA >= 0")]).contains("always holds"));
}

#[test]
fn a_section_is_one_that_questions_name_and_waits_for_none_of_its_own() {
    let q = r#"{"code":"AA","type":"count","max":9,"text":"?"},{"code":"AB","type":"count","max":9,"text":"?","section":"Count"}"#;
    let with = |sections: &str| faults(q, &format!(r#","sections":[{sections}]"#)).concat();
    assert_eq!(with(r#"{"name":"Count","title":{"en":"The count","fr":"Le compte"},"when":"AA > 3"}"#), "");
    assert!(with(r#"{"name":"Other"}"#).contains("no question has `section` Other"));
    assert!(with(r#"{"name":"Count","when":"AB > 3"}"#).contains("AB is asked only if AB is answered"));
    assert!(with(r#"{"name":"Count"},{"name":"Count"}"#).contains("used by an earlier section"));
}

#[test]
fn a_key_that_stands_twice_is_a_fault_with_its_place() {
    let faults = check("{\n \"prefix\": \"PS\",\n \"prefix\": \"PT\"}").unwrap_err();
    assert_eq!(faults[0].to_string(), "line 3, column 9: the key `prefix` stands here twice: keep one");
}

#[test]
fn only_a_marked_form_tells_its_version() {
    let q = r#"{"code":"AA","type":"flag","text":"?"}"#;
    assert!(faults(q, r#","accepted_from":2"#)[0].contains("needs `\"marked\": true`"));
    assert!(faults(q, r#","marked":true,"accepted_from":0"#)[0].contains("must be 1 or more"));
    assert!(faults(q, r#","marked":true,"accepted_from":1"#).is_empty());
}
