//! The reference examples of the grammar, one by one.

use std::sync::Arc;

use super::*;
use crate::domain::checklist::Checklist;
use crate::domain::value::Value;
use proptest::prelude::*;

fn xa() -> Lexicon {
    let json = r#"{"prefix":"XA","title":"Example","questions":[
        {"code":"AA","type":"count","text":"a","min":0,"max":50},
        {"code":"BA","type":"choice","text":"b","options":{"1":"Good","2":"Bad"}},
        {"code":"CA","type":"multi_choice","text":"c","options":{"1":"x","2":"y","3":"z"}},
        {"code":"AB","type":"count","text":"d","min":0,"max":500,"null_value":999}]}"#;
    let checklist: Checklist = serde_json::from_str(json).unwrap();
    Lexicon::new([Arc::new(checklist)], Setting { observer_lengths: vec![6], ..Setting::default() })
}

/// `observer answers | rejected | leftover`, in short.
fn brief(text: &str) -> String {
    let reading = read(&xa(), text, &[]);
    let [found] = &reading.reports[..] else { return format!("{} reports", reading.reports.len()) };
    let report = &found.report;
    let answers: Vec<String> = report
        .answers
        .iter()
        .map(|(code, value)| match value {
            Some(Value::Number(n)) => format!("{code}={n}"),
            Some(Value::Options(o)) => format!("{code}={o:?}"),
            Some(Value::NotAvailable { na }) => format!("{code}=na{na}"),
            Some(other) => format!("{code}={other:?}"),
            None => format!("{code}=*"),
        })
        .collect();
    let rejected: Vec<String> =
        report.rejected.iter().map(|r| format!(" {}:{}:{}", r.code, r.reason.as_str(), r.value)).collect();
    let leftover = format!("{}{}", reading.leftover, report.leftover);
    let leftover = if leftover.is_empty() { String::new() } else { format!(" left:{leftover}") };
    format!("{} {}{}{leftover}", report.observer.as_deref().unwrap_or("-"), answers.join(" "), rejected.concat())
}

#[test]
fn separators_case_and_spacing_mean_nothing() {
    for text in [
        "XA123456AA1BA2",
        "xa 123456 aa 1 ba 2",
        "XA-123456, AA:1; BA:2",
        "XA123456\nAA1\r\nBA2",
        "XA/123456#AA=1.BA-2",
    ] {
        assert_eq!(brief(text), "123456 AA=1 BA=2", "{text}");
    }
}

#[test]
fn letters_for_digits_are_mended_and_noted() {
    assert_eq!(brief("XA123O56AAI"), "123056 AA=1");
    let reading = read(&xa(), "XA123O56AAI", &[]);
    let noted: Vec<&str> = reading.reports[0].report.notes.iter().map(|n| n.detail.as_str()).collect();
    assert_eq!(noted, ["XA123O56", "AAI"]);
}

#[test]
fn values_outside_the_question_are_named_and_not_recorded() {
    assert_eq!(brief("XA123456AA51"), "123456  AA:out_of_range:51");
    assert_eq!(brief("XA123456AA1BA3"), "123456 AA=1 BA:not_an_option:3");
    assert_eq!(brief("XA123456CA14"), "123456  CA:not_an_option:14");
    assert_eq!(brief("XA123456AA1ZZ9"), "123456 AA=1 ZZ:unknown_code:9");
    assert_eq!(brief("XA123456AA BA2"), "123456 BA=2 AA:no_value:");
    assert_eq!(brief("XA123456AA99999999999999999999"), "123456  AA:out_of_range:99999999999999999999");
}

#[test]
fn options_may_run_together_or_stand_apart() {
    assert_eq!(brief("XA123456CA112"), "123456 CA=[1, 2]");
    assert_eq!(brief("XA123456CA 1 3 AA5"), "123456 AA=5 CA=[1, 3]");
    assert_eq!(brief("XA123456CA1,3"), "123456 CA=[1, 3]");
    assert_eq!(brief("XA123456CA ac"), "123456 CA=[1, 3]");
    assert_eq!(brief("XA123456CA1-3"), "123456  CA:unclear:1-3");
    assert_eq!(brief("XA123456BA good"), "123456 BA=1");
    assert_eq!(brief("XA123456BAb"), "123456 BA=2");
}

#[test]
fn not_available_is_kept_apart_from_numbers() {
    assert_eq!(brief("XA123456AB999"), "123456 AB=na999");
    assert_eq!(brief("XA123456AB998"), "123456  AB:out_of_range:998");
}

#[test]
fn two_values_for_one_code_are_unclear_and_one_value_twice_is_fine() {
    assert_eq!(brief("XA123456AA5AA6"), "123456  AA:unclear:5 6");
    assert_eq!(brief("XA123456AA5BA1AA5"), "123456 AA=5 BA=1");
    assert_eq!(brief("XA123456AA1BA2 XA123456AA1BA2"), "123456 AA=1 BA=2");
    assert_eq!(brief("XA123456AA1BA2XA123456AA1BA2"), "123456 AA=1 BA=2");
}

#[test]
fn a_dash_after_a_code_is_a_separator_and_a_broken_number_is_unclear() {
    assert_eq!(brief("XA123456AA-5"), "123456 AA=5");
    assert_eq!(brief("XA123456AA1,5"), "123456  AA:unclear:1,5");
    assert_eq!(brief("XA123456AA1.5"), "123456  AA:unclear:1.5");
    assert_eq!(brief("XA123456AA1 7"), "123456  AA:unclear:1 7");
    assert_eq!(brief("XA123456AA1,200"), "123456  AA:unclear:1,200");
}

#[test]
fn other_scripts_digits_and_look_alikes_are_read() {
    assert_eq!(brief("XA١٢٣٤٥٦AA١"), "123456 AA=1");
    assert_eq!(brief("ХА123456АА1"), "123456 AA=1");
    assert_eq!(brief("\u{200E}XA\u{200B}123456AA\u{202A}1"), "123456 AA=1");
    assert_eq!(read(&xa(), "ХА123456АА1", &[]).notes[0].kind, "look_alike");
}

#[test]
fn everything_after_the_first_at_is_comment() {
    let comment = |text: &str| read(&xa(), text, &[]).reports[0].report.comment.clone();
    assert_eq!(brief("XA123456@ballots short AA1"), "123456 ");
    assert_eq!(comment("XA123456@ballots short AA1").as_deref(), Some("ballots short AA1"));
    assert_eq!(brief("XA123456AA1@a@b"), "123456 AA=1");
    assert_eq!(comment("XA123456AA1@a@b").as_deref(), Some("a@b"));
    assert_eq!(comment("XA123456AA1@ Ünïcode ＡＡ１ ").as_deref(), Some("Ünïcode ＡＡ１"));
    assert_eq!(comment("XA123456AA1@"), None);
}

#[test]
fn greetings_and_signatures_are_noted_and_not_asked_back() {
    assert_eq!(brief("Good morning XA123456AA1 THANKS"), "123456 AA=1");
    assert_eq!(brief("XA123456AA5 I am late"), "123456 AA=5");
    assert_eq!(brief("XA123456AA5late"), "123456 AA=5");
    assert_eq!(brief("XA123456AA5I am late"), "123456  AA:unclear:5I");
    assert_eq!(brief("Gate 7 XA123456AA1"), "123456 AA=1 left:Gate 7");
}

#[test]
fn a_text_without_a_header_has_no_report() {
    let reading = read(&xa(), "hello", &[]);
    assert!(reading.reports.is_empty());
    assert_eq!(reading.leftover, "hello");
}

#[test]
fn a_code_is_never_found_inside_a_word() {
    assert_eq!(brief("XA123456AA1 from Saba 5"), "123456 AA=1 left:from Saba 5");
    assert_eq!(brief("XA123456ZAA5"), "123456  ZAA:unknown_code:5");
}

#[test]
fn a_star_withdraws_an_answer() {
    assert_eq!(brief("XA123456AA*BA 1"), "123456 AA=* BA=1");
}

#[test]
fn an_unknown_or_cut_header_never_feeds_the_report_before_it() {
    let reading = read(&xa(), "XA123456AA1 QQ654321 BA2", &[]);
    assert_eq!(reading.reports.len(), 2);
    assert!(!reading.reports[0].report.answers.contains_key("BA"));
    assert!(reading.reports[1].checklist.is_none() && reading.reports[1].report.leftover.contains("BA2"));
    let reading = read(&xa(), "XA123456AA1 XA654 BA2", &[]);
    assert_eq!(reading.reports.len(), 2);
    assert_eq!(reading.reports[1].report.observer.as_deref(), Some("654"));
}

#[test]
fn values_that_touch_a_missing_segment_are_cut() {
    let text = "XA123456AA1BA2";
    let cut = |gap: usize| {
        let reading = read(&xa(), text, &[gap]);
        let report = &reading.reports[0].report;
        let rejected: Vec<String> =
            report.rejected.iter().map(|r| format!("{}:{}", r.code, r.reason.as_str())).collect();
        (report.answers.keys().cloned().collect::<Vec<_>>(), rejected)
    };
    assert_eq!(cut(text.len()), (vec!["AA".into()], vec!["BA:cut".into()]));
    assert_eq!(cut(11), (vec![], vec!["AA:cut".into(), "BA:cut".into()]));
    assert!(read(&xa(), "XA1234", &[6]).reports[0].doubtful);
}

#[test]
fn long_texts_are_read_in_bounded_work() {
    for piece in ["AA1", "AAO", "OIL", "1.", "A", "١", "XA123456", "AA 1 200 "] {
        let text = format!("XA123456{}", piece.repeat(20_000 / piece.len()));
        let reading = read(&xa(), &text, &[]);
        assert!(!reading.reports.is_empty());
        assert!(reading.notes.iter().any(|n| n.kind == "too_long"));
    }
}

proptest! {
    #[test]
    fn a_character_that_cannot_be_read_changes_no_answer(
        aa in 0i64..=50, ba in 1i64..=2, ab in 0i64..=500, other in 0i64..=50, at in 0usize..60, more in any::<bool>(),
    ) {
        let text = format!("XA 123456 AA{aa} BA{ba} AB {ab}, XA 654321 BA{ba} AA{other} AB1");
        let meant = read(&xa(), &text, &[]);
        let chars: Vec<char> = text.chars().collect();
        let at = at % chars.len();
        // In the place of a character, or between two where one was lost.
        let lost: String = chars.iter().enumerate().flat_map(|(i, c)| match (i == at, more) {
            (false, _) => [None, Some(*c)],
            (true, false) => [None, Some(char::REPLACEMENT_CHARACTER)],
            (true, true) => [Some(char::REPLACEMENT_CHARACTER), Some(*c)],
        }).flatten().collect();
        for found in read(&xa(), &lost, &[]).reports.iter().filter(|f| !f.doubtful) {
            let same = meant.reports.iter().find(|m| m.report.observer == found.report.observer);
            for (code, value) in &found.report.answers {
                prop_assert_eq!(same.and_then(|m| m.report.answers.get(code)), Some(value), "{}", lost);
            }
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,80}", gap in 0usize..100) {
        let gap = text.floor_char_boundary(gap);
        read(&xa(), &text, &[gap]);
        read(&xa(), &format!("XA123456{text}"), &[gap]);
    }

    #[test]
    fn texts_like_ours_never_make_it_panic(text in "(XA|AA|BA|CA|AB|1|2|O|I|l|9|0| |,|-|@|!|yes|\\*|123456){0,40}") {
        let reading = read(&xa(), &format!("XA123456 {text}"), &[]);
        let upper = text.to_uppercase();
        for found in &reading.reports {
            // Each answer is backed by its code in the text.
            for code in found.report.answers.keys() {
                prop_assert!(upper.contains(code.as_str()));
            }
        }
    }

    #[test]
    fn a_report_as_printed_is_read_back_whatever_the_separators(
        aa in 0i64..=50, ba in 1i64..=2, ca in proptest::sample::subsequence(vec![1u16, 2, 3], 1..=3), ab in 0i64..=500,
        seps in proptest::collection::vec("[ \t\n,;:.=\\-/#]{0,3}", 9), lower in any::<bool>(),
    ) {
        let run: String = ca.iter().map(ToString::to_string).collect();
        let tokens = ["XA".to_owned(), "123456".into(), "AA".into(), aa.to_string(), "BA".into(), ba.to_string(), "CA".into(), run, "AB".into(), ab.to_string()];
        let mut text = String::new();
        for (i, token) in tokens.iter().enumerate() {
            if i > 0 { text.push_str(&seps[i - 1]); }
            text.push_str(token);
        }
        if lower { text = text.to_lowercase(); }
        let reading = read(&xa(), &text, &[]);
        prop_assert_eq!(reading.reports.len(), 1, "{}", text);
        let report = &reading.reports[0].report;
        prop_assert!(report.rejected.is_empty() && report.leftover.is_empty(), "{}: {:?}", text, report);
        prop_assert_eq!(&report.answers["AA"], &Some(Value::Number(aa)));
        prop_assert_eq!(&report.answers["BA"], &Some(Value::Number(ba)));
        prop_assert_eq!(&report.answers["CA"], &Some(Value::Options(ca)));
        prop_assert_eq!(&report.answers["AB"], &Some(Value::Number(ab)));
    }
}
