//! Templates: complete, short enough, in the right alphabet and direction.

use super::*;
use crate::text::segments::{Alphabet, measure};

#[test]
fn every_language_has_every_template_and_each_fits_one_segment_at_its_longest() {
    let replies = Replies::built_in();
    assert_eq!(replies.languages().collect::<Vec<_>>(), ["ar", "en", "es", "fr", "pt", "sw"]);
    assert_eq!(replies.too_long(&Longest::default()), Vec::<String>::new());
}

#[test]
fn a_language_of_the_latin_script_needs_no_letter_beyond_the_gsm_alphabet() {
    let replies = Replies::built_in();
    for language in ["en", "fr", "pt", "es", "sw"] {
        for word in ["HELP", "STATUS", "STOP", "START"] {
            let reply = command(&replies, language, word, None);
            assert_eq!(measure(&reply).alphabet, Alphabet::Gsm7, "{reply}");
            assert_eq!(measure(&reply).segments, 1, "{reply}");
        }
    }
}

#[test]
fn an_arabic_reply_begins_with_an_arabic_letter_so_that_it_reads_from_the_right() {
    let replies = Replies::built_in();
    let set = replies.set("ar");
    for key in
        [Key::Accepted, Key::Partial, Key::Corrected, Key::Duplicate, Key::Unclear, Key::UnknownObserver, Key::Closed]
    {
        let reply = set.text(
            key,
            &[
                (Slot::Report, Filled::Text("PS 1")),
                (Slot::Prefix, Filled::Text("PS")),
                (Slot::Observer, Filled::Text("1")),
            ],
        );
        let first = reply.chars().find(|c| c.is_alphabetic()).unwrap();
        assert!(('\u{600}'..='\u{6FF}').contains(&first), "{reply}");
    }
    assert!(status(&replies, "ar", &[("PS", None)]).starts_with("الحالة"));
}

#[test]
fn templates_with_unknown_keys_placeholders_or_no_text_are_refused() {
    let new = |text: &str| Replies::new(&[("en".into(), text.into())]).map(|_| ()).unwrap_err().to_string();
    assert!(new("acepted = \"x\"").starts_with("replies/en.toml: unknown key `acepted`"));
    assert_eq!(
        new("accepted = \"{observer}\""),
        "replies/en.toml, `accepted`: unknown placeholder {observer}; it may have report, answers"
    );
    assert!(new("accepted = \" \"").contains("is empty"));
    assert!(Replies::new(&[("en".into(), "accepted = \"OK {report}\"".into())]).is_ok());
}

#[test]
fn a_template_that_passes_a_segment_at_its_longest_is_named() {
    let long = format!("closed = \"{{prefix}} {}\"", "x".repeat(158));
    let replies = Replies::new(&[("xx".into(), long), ("yy".into(), "stop = \"d\u{2019}accord\"".into())]).unwrap();
    let named = replies.too_long(&Longest::default());
    assert_eq!(
        named,
        ["replies/xx.toml, `closed`: 163 characters at its longest, and one segment has 160: shorten it"]
    );
    assert_eq!(command(&replies, "yy", "STOP", None), "d'accord", "an apostrophe does not change the alphabet");
    assert_eq!(replies.message_over("en", &"x".repeat(200), &Longest::default()), 88);
    assert_eq!(replies.message_over("en", "short", &Longest::default()), 0);
}

#[test]
fn a_warning_says_which_letter_makes_a_segment_short_what_never_fits_and_what_is_cut() {
    let files = [
        // Small letters of its own script: 70 characters a segment.
        ("ru", format!("closed = \"{{prefix}}: {}\"", "ж".repeat(65))),
        // `ğ` has a letter that stands for it, `ъ` has none.
        ("tr", format!("paused = \"{{prefix}} ğ {}\"", "x".repeat(60))),
        ("xx", format!("held = \"{{report}} {}\"\nstop = \"{}\"", "x".repeat(146), "y".repeat(161))),
        ("yy", format!("start = \"{}\"", "€".repeat(300))),
        // The clause that follows brings the letter.
        ("zz", format!("missing = \"ъ {{list}}\"\naccepted = \"{{report}} {}\"", "x".repeat(55))),
    ];
    let files = files.map(|(language, text)| (language.to_owned(), text));
    let named = Replies::new(&files).unwrap().too_long(&Longest::default());
    let own = |language: &str| -> Vec<&str> {
        let file = format!("replies/{language}.toml, ");
        named.iter().filter_map(|w| w.strip_prefix(&file)).collect()
    };
    assert_eq!(
        own("ru"),
        ["`closed`: 71 characters at its longest, and one segment has 70 (`ж` is not in the GSM alphabet): shorten it"]
    );
    assert_eq!(own("tr"), Vec::<&str>::new());
    assert_eq!(
        own("xx"),
        ["`stop`: 161 characters before anything is filled in, and one segment has 160: it never fits: shorten it"],
        "`held` fills one segment to the last character"
    );
    assert_eq!(
        own("yy"),
        [
            "`start`: 600 characters before anything is filled in, and one segment has 160: it never fits, and its end is cut off: shorten it"
        ]
    );
    let accepted = own("zz").into_iter().find(|w| w.starts_with("`accepted`")).unwrap_or_default();
    assert!(accepted.ends_with("and one segment has 70 (`ъ` is not in the GSM alphabet): shorten it"), "{named:?}");
}

#[test]
fn every_language_has_words_of_its_own_for_a_value_that_arrived_cut() {
    let replies = Replies::built_in();
    let rejected = Rejected { code: "AA".into(), reason: Reason::Cut, value: "13".to_owned() };
    let said = replies.languages().map(|language| {
        let mut out = String::new();
        let (from, to) = why(replies.set(language), &mut out, None, &rejected);
        (language.to_owned(), out[from..to].to_owned())
    });
    assert_eq!(
        said.collect::<Vec<_>>(),
        [
            ("ar", "13 وصل ناقصا"),
            ("en", "13 arrived cut"),
            ("es", "13 llego cortado"),
            ("fr", "13 recu coupé"),
            ("pt", "13 chegou cortado"),
            ("sw", "13 imefika pungufu"),
        ]
        .map(|(language, words)| (language.to_owned(), words.to_owned()))
    );
}

#[test]
fn a_language_falls_back_to_its_base_and_then_to_english() {
    let replies = Replies::built_in();
    assert_eq!(command(&replies, "pt-br", "START", None), command(&replies, "pt", "START", None));
    assert_eq!(command(&replies, "xx", "START", None), command(&replies, "en", "START", None));
}

#[test]
fn status_names_what_is_missing_of_each_checklist_cut_to_one_segment() {
    let replies = Replies::built_in();
    let codes = |n: usize| Some((0..n).map(|i| smol_str::format_smolstr!("Q{i:02}")).collect::<Vec<_>>());
    let reply = status(&replies, "en", &[("PS", codes(0)), ("CL", codes(2)), ("RC", None)]);
    assert_eq!(reply, "PS complete; CL still missing Q00, Q01; RC not received yet.");
    let reply = status(&replies, "en", &[("PS", codes(40)), ("CL", codes(40)), ("RC", codes(40))]);
    assert_eq!(measure(&reply).segments, 1, "{reply}");
    assert!(reply.contains('+') && reply.ends_with('.'), "{reply}");
}

#[test]
fn a_reply_is_never_longer_than_its_bound() {
    let replies = Replies::built_in();
    for text in ["x".repeat(5_000), "م".repeat(5_000)] {
        let reply = command(&replies, "en", "HELP", Some(&text));
        let segments = measure(&reply).segments;
        assert_eq!(segments, crate::limits::REPLY_SEGMENTS_MAX as usize, "{segments}");
    }
}
