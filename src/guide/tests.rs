//! Every example checklist in every language and size.

use super::*;
use crate::domain::checklist::{check, check_json};

const FILES: [&str; 4] = [
    include_str!("../../schemas/examples/opening.json"),
    include_str!("../../schemas/examples/closing.json"),
    include_str!("../../schemas/examples/results.json"),
    include_str!("../../schemas/examples/incident.json"),
];

/// A checklist with every type, in two directions, and with words that would be markup.
const EVERYTHING: &str = r#"{"prefix": "EV", "serial": true, "title": {"en": "All <b>& \"more\"", "ar": "كل الأنواع"}, "questions": [
    {"code": "AA", "type": "count", "text": {"en": "How many </style><script>x</script>?", "ar": "كم العدد؟"}, "max": 99999999999},
    {"code": "AB", "type": "yes_no", "text": {"en": "Open?", "ar": "مفتوح؟"}, "section": "Part 1"},
    {"code": "AC", "type": "choice", "text": "Same in all", "options": {"1": "One", "12": "Twelve"}},
    {"code": "AD", "type": "multi_choice", "text": {"en": "Which?", "ar": "أيها؟"}, "options": {"1": "a", "2": "b", "15": "c"}},
    {"code": "AE", "type": "time", "text": {"en": "When?", "ar": "متى؟"}, "required": false},
    {"code": "AF", "type": "decimal", "text": {"en": "Kilometres", "ar": "كيلومترات"}, "max": "99.5"},
    {"code": "AG", "type": "date", "text": {"en": "Day", "ar": "اليوم"}},
    {"code": "AI", "type": "count", "text": "Few", "max": 9, "null_value": 999},
    {"code": "AH", "type": "flag", "text": {"en": "Trouble", "ar": "مشكلة"}}]}"#;

fn checklists() -> Vec<Checklist> {
    let mut all: Vec<Checklist> = FILES.iter().flat_map(|file| check(file).unwrap().checklists).collect();
    let everything: serde_json::Value = serde_json::from_str(EVERYTHING).unwrap();
    all.extend(check_json(&everything).unwrap().checklists);
    all
}

fn options(size: Size) -> Options {
    Options {
        size,
        observer_digits: 6,
        number: Some("20300".into()),
        call: None,
        election: Some("<Vote> & count".into()),
    }
}

/// Each page with its checklist and language.
fn pages() -> Vec<(Checklist, Words, String)> {
    let mut out = Vec::new();
    for checklist in checklists() {
        for words in Words::shipped().unwrap().into_values() {
            for size in Size::ALL {
                out.push((checklist.clone(), words.clone(), render(&checklist, &words, &options(size)).unwrap()));
            }
        }
    }
    assert_eq!(out.len(), 5 * 6 * 3);
    out
}

/// The tags of a page in order, and whether each one that opens closes.
fn check_tags(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    for piece in page.split('<').skip(1) {
        let (tag, _) = piece.split_once('>').unwrap();
        let name = tag.trim_start_matches('/').split_whitespace().next().unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "</{name}> closes what is open in {page}");
        } else if !["meta", "!DOCTYPE"].contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?} stay open");
}

#[test]
fn every_page_is_whole_and_names_every_question_option_and_code() {
    for (checklist, words, page) in pages() {
        check_tags(&page);
        assert!(!page.contains("<script") && !page.contains("http"), "self-contained");
        assert!(page.contains("20300") && page.contains("&#60;Vote&#62;"));
        let escape =
            |text: &str| text.replace('&', "&#38;").replace('<', "&#60;").replace('>', "&#62;").replace('"', "&#34;");
        let mut from = 0;
        for question in &checklist.questions {
            // In the checklist's order, each with its text and options before the next.
            let place = page[from..].find(&format!("id=\"q-{}\"", question.code)).unwrap() + from;
            let end = page[place..].find("class=\"boxes\"").unwrap() + place;
            let block = escape("") + &page[place..end].replace("&#39;", "'");
            assert!(block.contains(&format!(">{}<", question.code)), "{block}");
            assert!(block.contains(&escape(question.text.get(&words.language))), "{block}");
            each_option(&question.kind, &mut |number, label| {
                assert!(block.contains(&format!("<b>{number}</b>")), "{block}");
                assert!(block.contains(&escape(label.get(&words.language))), "{block}");
            });
            from = end;
        }
    }
}

fn each_option(kind: &crate::domain::checklist::QuestionType, each: &mut dyn FnMut(u16, &Translated)) {
    use crate::domain::checklist::QuestionType;
    if let QuestionType::YesNo { options } | QuestionType::Choice { options } | QuestionType::MultiChoice { options } =
        kind
    {
        options.iter().for_each(|(n, label)| each(*n, label));
    }
}

#[test]
fn the_example_on_every_page_is_read_as_the_page_says() {
    use crate::grammar::{Lexicon, Setting, read};
    for (checklist, words, page) in pages() {
        let message = page.split("data-message=\"").nth(1).unwrap().split('"').next().unwrap();
        let message = message.replace("&#39;", "'").replace("&#38;", "&");
        let setting = Setting { observer_lengths: vec![6], ..Setting::default() };
        let lexicon = Lexicon::new([std::sync::Arc::new(checklist.clone())], setting);
        let reading = read(&lexicon, &message, &[]);
        assert_eq!(reading.reports.len(), 1, "{message}");
        let report = &reading.reports[0].report;
        assert!(report.rejected.is_empty() && report.leftover.is_empty() && !report.answers.is_empty(), "{message}");
        assert_eq!(report.observer.as_deref(), Some("123456"));
        assert_eq!(report.serial.is_some(), checklist.serial);
        let comment = if checklist.kind == crate::domain::checklist::Kind::Incident {
            &words.comment_incident
        } else {
            &words.comment
        };
        assert_eq!(report.comment.as_ref(), Some(comment));
        for code in report.answers.keys() {
            assert!(page.contains(&format!("<li><b>{code}")), "{code} is explained");
        }
    }
}

#[test]
fn no_text_runs_in_the_wrong_direction() {
    for (_, words, page) in pages() {
        assert!(page.contains(&format!("<html lang=\"{}\" dir=\"{}\"", words.language, words.direction.as_str())));
        // What stands in an element without a direction of its own runs the page's way.
        let body = &page[page.find("<body").unwrap()..];
        let mut dirs = vec![words.direction.as_str()];
        for piece in body.split('<').skip(1) {
            let (tag, text) = piece.split_once('>').unwrap();
            if tag.starts_with('/') {
                dirs.pop();
            } else {
                let own = tag.split("dir=\"").nth(1).and_then(|d| d.split('"').next());
                dirs.push(own.unwrap_or(dirs[dirs.len() - 1]));
            }
            let isolated: String =
                text.split('\u{2066}').map(|t| t.split_once('\u{2069}').map_or(t, |(_, rest)| rest)).collect();
            if let Some(direction) = Direction::of(&isolated)
                && !text.starts_with('@')
            {
                assert_eq!(direction.as_str(), dirs[dirs.len() - 1], "`{text}` in <{tag}>");
            }
        }
    }
}

#[test]
fn a_number_that_is_not_known_gets_a_line_to_write_it_on() {
    let [checklist, ..] = &checklists()[..] else { panic!() };
    let words = &Words::shipped().unwrap()["en"];
    let page = render(checklist, words, &Options { number: None, ..options(Size::A4) }).unwrap();
    assert!(page.contains("<dd dir=\"ltr\"><i class=\"line\"></i></dd>"), "{page}");
}

#[test]
fn the_languages_of_a_checklist_are_those_of_its_texts() {
    let languages = languages(&checklists()[0]);
    assert_eq!(languages.iter().map(String::as_str).collect::<Vec<_>>(), ["en", "fr"]);
    assert_eq!(untranslated(&checklists()[0], "fr"), 0);
    assert!(untranslated(&checklists()[0], "ar") > 10);
}
