//! The kinds of noise, and how each makes a message of right answers.

use scrutineer::domain::checklist::{Checklist, Kind};
use scrutineer::domain::value::Value;

use super::draft::{self, Item, Joint, cyrillic, digits, full_width, lose, write};
use super::{Chance, Expect, Message};

/// Every kind, in the order of the table.
pub const KINDS: &[&str] = &[
    "plain",
    "run_together",
    "spaces",
    "lines",
    "odd_separators",
    "mixed_case",
    "greeting",
    "signature",
    "signature_line",
    "forwarded",
    "quoted",
    "emoji",
    "filler_words",
    "arabic_digits",
    "cyrillic_letters",
    "full_width",
    "invisible_marks",
    "letters_for_digits",
    "reordered",
    "same_twice",
    "two_values",
    "unknown_code",
    "out_of_range",
    "bad_option",
    "missing_value",
    "number_words",
    "slip_in_words",
    "doubled_letter",
    "thousands",
    "spaced_thousands",
    "time_forms",
    "yes_no_words",
    "date_forms",
    "comment",
    "two_reports",
    "whole_twice",
    "cut_header_after",
    "lost_segment",
    "cut_at_160",
    "wrong_observer_length",
    "not_available",
];

const GREETINGS: &[&str] = &[
    "Good morning",
    "Hello sir",
    "Hi",
    "Bonjour",
    "Bonsoir chef",
    "Bom dia",
    "Boa tarde",
    "Buenos dias",
    "Hola",
    "السلام عليكم",
    "صباح الخير",
    "Habari za asubuhi",
    "Salaam",
    "Dear team",
    "My report",
];
const CLOSINGS: &[&str] = &[
    "Thanks",
    "Thank you sir",
    "Regards Musa",
    "Merci",
    "Cordialement",
    "Obrigado",
    "Gracias",
    "شكرا",
    "Asante sana",
    "God bless",
    "John",
    "from Fatima",
    "Best regards",
    "Cheers",
];

/// A message of this kind; `None` when the checklist has nothing that the kind needs.
pub fn message(kind: &'static str, list: &Checklist, chance: &mut Chance) -> Option<Message> {
    let mut draft = draft::draft(list, chance);
    let keyed = draft.keyed;
    let flags = list.kind == Kind::Incident;
    let like_digits = draft.items.iter().any(|i| i.code.starts_with(['I', 'L', 'O']));
    let mut joint =
        Joint { between: " ".into(), inside: if keyed || flags { "" } else { " " }.into(), head: " ".into() };
    let (mut before, mut after) = (String::new(), String::new());
    let mut gaps = Vec::new();
    let mut comment = None;
    let mut doubled = None;
    match kind {
        "plain" => joint.inside.clear(),
        "run_together" if !keyed => joint = Joint::default(),
        "spaces" => joint.between = "   ".into(),
        "lines" => joint.between = chance.of(&["\n", "\r\n", "\t", " \n"]).into(),
        "odd_separators" => {
            joint.between = chance.of(&[", ", "; ", " / ", " - ", " # ", " . "]).into();
            if !keyed && !flags {
                joint.inside = chance.of(&["=", ":", " = ", "- ", ".", "/"]).into();
            }
            joint.head = chance.of(&["-", ", ", ": ", "."]).into();
        }
        "mixed_case" => {}
        "greeting" => before = format!("{}{}", chance.of(GREETINGS), chance.of(&[" ", ", ", "\n", ". ", "! "])),
        "signature" => after = format!(" {}", chance.of(CLOSINGS)),
        "signature_line" => after = format!("{}{}", chance.of(&["\n", ". ", ", ", "\n\n"]), chance.of(CLOSINGS)),
        "forwarded" => before = chance.of(&["FW: ", "Fwd: ", "Forwarded message: ", "From Ali: "]).into(),
        "quoted" => {
            (before, after) = (chance.of(&["> ", "\"", "(", "« "]).into(), chance.of(&["", "\"", ")", " »"]).into())
        }
        "emoji" => joint.between = chance.of(&[" 👍 ", " ✅ ", "🙏", " 🇰🇪 "]).into(),
        "filler_words" if !flags && !keyed => {
            joint.between = chance.of(&[" and ", " then ", " also ", " ok ", " plus "]).into()
        }
        "arabic_digits" | "cyrillic_letters" | "full_width" | "invisible_marks" => {}
        "letters_for_digits" => {
            draft.observer = draft.observer.replace('0', "O").replace('1', chance.of(&["l", "I"]));
            draft.items.iter_mut().filter(|i| i.value.bytes().all(|b| b.is_ascii_digit())).for_each(|i| {
                i.value = i.value.replace('0', chance.of(&["O", "o"])).replace('1', chance.of(&["l", "I", "i"]));
                // A word of letters alone is hardly a number, and where codes are of these letters it may be one.
                if let Expect::Must(value) = &i.expect
                    && i.value.bytes().any(|b| b.is_ascii_alphabetic())
                    && (like_digits || (i.value.len() > 2 && i.value.bytes().all(|b| b.is_ascii_alphabetic())))
                {
                    i.expect = Expect::Either(value.clone());
                }
            });
            if draft.observer.bytes().all(|b| b.is_ascii_alphabetic()) {
                return None;
            }
        }
        "reordered" => {
            if draft
                .items
                .iter()
                .any(|i| matches!(i.expect, Expect::Must(Value::Text(ref t)) if keyed && t.contains(' ')))
            {
                return None;
            }
            chance.shuffle(&mut draft.items);
        }
        "same_twice" => {
            let i = chance.below(draft.items.len());
            let again = Item {
                code: draft.items[i].code.clone(),
                value: draft.items[i].value.clone(),
                expect: draft.items[i].expect.clone(),
            };
            if keyed && matches!(again.expect, Expect::Must(Value::Text(ref t)) if t.contains(' ')) {
                return None;
            }
            draft.items.insert(i + 1, again);
        }
        "two_values" => {
            let i = draft.items.iter().position(|i| matches!(i.expect, Expect::Must(Value::Number(n)) if n > 0))?;
            draft.items[i].expect = Expect::Refuse;
            let value = if draft.items[i].value == "1" { "2" } else { "1" };
            draft
                .items
                .insert(i + 1, Item { code: draft.items[i].code.clone(), value: value.into(), expect: Expect::Refuse });
        }
        "unknown_code" => {
            let code = if keyed { "77".to_owned() } else { chance.of(&["ZY", "QX", "GU"]).to_owned() };
            let at = if keyed { draft.items.len() } else { chance.below(draft.items.len() + 1) };
            if keyed
                && draft
                    .items
                    .last()
                    .is_some_and(|i| matches!(i.expect, Expect::Must(Value::Text(ref t)) if t.contains(' ')))
            {
                return None;
            }
            let value = if flags { String::new() } else { "5".to_owned() };
            draft.items.insert(at, Item { code, value, expect: Expect::Refuse });
        }
        "out_of_range" => {
            let i = draft.items.iter().position(|i| matches!(i.expect, Expect::Must(Value::Number(_))))?;
            draft.items[i].value = "99999".into();
            draft.items[i].expect = Expect::Refuse;
        }
        "bad_option" => {
            let i = draft
                .items
                .iter()
                .position(|i| matches!(i.expect, Expect::Must(Value::Bool(_) | Value::Options(_)) if !flags))?;
            draft.items[i].value = "8".into();
            draft.items[i].expect = Expect::Refuse;
        }
        "missing_value" if !flags => {
            let i = chance.below(draft.items.len());
            draft.items[i].value.clear();
            draft.items[i].expect = Expect::Refuse;
        }
        "number_words" => {
            let i = draft.items.iter().position(|i| matches!(i.expect, Expect::Must(Value::Number(1..=5))))?;
            let Expect::Must(value) = draft.items[i].expect.clone() else { return None };
            let Value::Number(n) = value else { return None };
            draft.items[i].value = ["one", "two", "three", "four", "five"][n as usize - 1].into();
            draft.items[i].expect = Expect::Either(value);
        }
        "slip_in_words" => (before, after) = ("Goid mornung ".into(), "\nThanjs a lit".into()),
        "doubled_letter" if !keyed && !flags && list.prefix != "TALLY" => {
            let i = chance.below(draft.items.len());
            let Expect::Must(value) = draft.items[i].expect.clone() else { return None };
            doubled = Some(draft.items[i].code.clone());
            draft.items[i].expect = Expect::Either(value);
        }
        "thousands" | "spaced_thousands" => {
            let i = draft.items.iter().position(|i| matches!(i.expect, Expect::Must(Value::Number(1000..))))?;
            let (a, b) = draft.items[i].value.split_at(draft.items[i].value.len() - 3);
            draft.items[i].value = format!("{a}{}{b}", if kind == "thousands" { chance.of(&[",", "."]) } else { " " });
        }
        "time_forms" => {
            let i = draft.items.iter().position(|i| {
                i.value.len() == 4
                    && matches!(&i.expect, Expect::Must(Value::Text(t)) if t.len() == 5 && t.contains(':'))
            })?;
            let (h, m) = (draft.items[i].value[..2].to_owned(), draft.items[i].value[2..].to_owned());
            let hour: u32 = h.parse().ok()?;
            let twelve = if hour.is_multiple_of(12) { 12 } else { hour % 12 };
            let half = if hour < 12 { "am" } else { "pm" };
            draft.items[i].value = match chance.below(6) {
                0 => format!("{h}:{m}"),
                1 => format!("{hour}h{m}"),
                2 => format!("{h}.{m}"),
                3 => format!("{hour}{m}"),
                4 => format!("{twelve}{m}{half}"),
                _ => format!("{twelve}:{m} {half}"),
            };
        }
        "yes_no_words" => {
            let words: [(&str, bool); 12] = [
                ("yes", true),
                ("NO", false),
                ("Y", true),
                ("n", false),
                ("oui", true),
                ("non", false),
                ("sim", true),
                ("não", false),
                ("sí", true),
                ("نعم", true),
                ("لا", false),
                ("hapana", false),
            ];
            let (word, yes) = words[chance.below(words.len())];
            let i = draft.items.iter().position(|i| matches!(i.expect, Expect::Must(Value::Bool(_)) if !flags))?;
            draft.items[i].value = word.into();
            draft.items[i].expect = Expect::Must(Value::Bool(yes));
        }
        "date_forms" => {
            let i =
                draft.items.iter().position(|i| i.value.len() == 8 && i.value.bytes().all(|b| b.is_ascii_digit()))?;
            let (y, m, d) = (&draft.items[i].value[..4], &draft.items[i].value[4..6], &draft.items[i].value[6..]);
            let written = match chance.below(4) {
                0 => format!("{d}/{m}/{y}"),
                1 => format!("{d}-{m}-{y}"),
                2 => format!("{d}.{m}.{y}"),
                _ => format!("{y}-{m}-{d}"),
            };
            draft.items[i].value = written;
        }
        "comment" => {
            let words = chance.of(&[
                "opened late, KA 5 said twice",
                "50% of the voters @ noon",
                "all calm",
                "VQ 12345 KA1 was sent before",
            ]);
            if draft.items.last().is_some_and(|i| keyed && i.value.contains(' ')) {
                return None;
            }
            (after, comment) = (format!("{}{words}", chance.of(&["@", " @ ", "\n@"])), Some(words.to_owned()));
        }
        "not_available" => {
            let i = draft.items.iter().position(|i| matches!(i.expect, Expect::Must(Value::Number(_))))?;
            let max = list
                .questions
                .iter()
                .find(|q| q.code == draft.items[i].code)
                .or_else(|| list.questions.get(draft.items[i].code.parse::<usize>().ok()? - 1));
            let na = max?.null_value?;
            draft.items[i].value = na.to_string();
            draft.items[i].expect = Expect::Must(Value::NotAvailable { na });
        }
        "two_reports"
        | "whole_twice"
        | "cut_header_after"
        | "lost_segment"
        | "cut_at_160"
        | "wrong_observer_length" => {}
        _ => return None,
    }
    let (text, mut meant) = write(&draft, list, &joint);
    let mut text = format!("{before}{text}{after}");
    meant.comment = comment;
    let mut all = vec![meant];
    match kind {
        "mixed_case" => {
            text = text
                .chars()
                .map(|c| if chance.one_in(2) { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() })
                .collect()
        }
        "arabic_digits" => text = digits(&text, chance.of(&["٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹", "०१२३४५६७८९", "၀၁၂၃၄၅၆၇၈၉"])),
        "cyrillic_letters" => text = text.chars().map(cyrillic).collect(),
        "full_width" => text = text.chars().map(full_width).collect(),
        "invisible_marks" => {
            let mark = chance.of(&["\u{200F}", "\u{202B}", "\u{FEFF}", "\u{200B}", "\u{2066}"]);
            text = text
                .chars()
                .flat_map(|c| [c.to_string(), if c == ' ' { mark.to_owned() } else { String::new() }])
                .collect();
            text.insert_str(0, mark);
        }
        "doubled_letter" => {
            let code = doubled?;
            let last = code.chars().last()?;
            text = text.replacen(&format!(" {code} "), &format!(" {code}{last} "), 1);
        }
        "two_reports" if !like_digits => {
            let other = draft::draft(list, chance);
            let (second, meant) = write(&other, list, &joint);
            if meant.observer == all[0].observer {
                return None;
            }
            text = format!("{text}{}{second}", chance.of(&["\n", "  ", " ; ", "\n\n"]));
            all.push(meant);
        }
        "whole_twice" => text = format!("{text}\n{text}"),
        "cut_header_after" => {
            let Item { code, value, .. } = draft.items.first()?;
            if keyed || flags {
                return None;
            }
            text = format!("{text}\n{} 12 {code}{value}", draft.prefix);
        }
        "lost_segment" => (text, gaps) = lose(&text, &mut all[0], &draft, chance)?,
        "cut_at_160" => {
            after = "@".to_owned() + &"the queue was long and people waited in the sun for hours ".repeat(4);
            text = format!("{text}{after}").chars().take(160).collect();
            all[0].comment = None;
            if keyed {
                return None;
            }
        }
        "wrong_observer_length" => {
            text = text.replacen(&draft.observer, &format!("{}7", draft.observer), 1);
            all[0].codes.values_mut().for_each(|e| *e = Expect::Refuse);
        }
        _ => {}
    }
    Some(Message { kind, text, gaps, meant: all })
}
