//! How people write: each observer has habits (case, spaces, punctuation, ways to write a time), and
//! each text its accidents (O for 0, a greeting, a signature, another alphabet, a comment).
//!
//! Invariant: whatever is done to a text here, GRAMMAR's law gives the same answers.

use crate::domain::value::Value;

use super::dice::Dice;

/// An observer's habits.
#[derive(Debug, Clone)]
pub(super) struct Hand {
    letters: Letters,
    /// Between prefix and observer code, and after it.
    header: &'static str,
    after_code: &'static str,
    between: &'static str,
    time: TimeStyle,
    yes: YesStyle,
    thousands: Option<char>,
    polite: f64,
    /// Probability that a digit 0 or 1 is written as a letter.
    letter_digits: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Letters {
    Upper,
    Lower,
    First,
}

#[derive(Debug, Clone, Copy)]
enum TimeStyle {
    Plain,
    Colon,
    Hour,
    Dot,
}

#[derive(Debug, Clone, Copy)]
enum YesStyle {
    Number,
    Letter,
    Word,
}

/// One report to be written.
pub(super) struct Draft<'a> {
    pub(super) prefix: &'a str,
    pub(super) code: &'a str,
    pub(super) incident: bool,
    /// Codes with how their values are to be written.
    pub(super) answers: &'a [(&'static str, Written<'a>)],
}

/// A value to be written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Written<'a> {
    /// In the observer's way.
    Value(&'a Value),
    /// Just so.
    Raw(&'a str),
}

impl Hand {
    /// An observer's habits.
    pub(super) fn new(dice: &mut Dice) -> Self {
        let joined = dice.chance(0.30);
        let letters = match dice.unit() {
            u if u < 0.62 => Letters::Upper,
            u if u < 0.88 => Letters::Lower,
            _ => Letters::First,
        };
        let (header, after_code, between) = if joined {
            (dice.pick(&["", " "]), "", "")
        } else {
            (
                dice.pick(&["", " ", " ", "-", "  "]),
                dice.pick(&["", "", "", " ", ":", "=", "-"]),
                dice.pick(&[" ", " ", " ", " ", ", ", ",", "; ", "\n", "/", " - "]),
            )
        };
        let time = match dice.unit() {
            u if u < 0.7 => TimeStyle::Plain,
            u if u < 0.82 => TimeStyle::Colon,
            u if u < 0.92 => TimeStyle::Hour,
            _ => TimeStyle::Dot,
        };
        let yes = match dice.unit() {
            u if u < 0.8 || joined => YesStyle::Number,
            u if u < 0.93 => YesStyle::Letter,
            _ => YesStyle::Word,
        };
        Self {
            letters,
            header,
            after_code,
            between,
            time,
            yes,
            // A comma or dot within a number is clear only where none stands between answers.
            thousands: (matches!(between, " " | "\n") && dice.chance(0.06))
                .then(|| if dice.chance(0.5) { ',' } else { '.' }),
            polite: if dice.chance(0.25) { 0.4 } else { 0.02 },
            letter_digits: if !joined && dice.chance(0.06) { 0.10 } else { 0.0 },
        }
    }

    fn value(&self, out: &mut String, value: &Value, language: &str) {
        use std::fmt::Write as _;
        // Writing to a String cannot fail.
        let _ = match value {
            Value::Bool(yes) => {
                let word = match (self.yes, yes, language) {
                    (YesStyle::Number, true, _) => "1",
                    (YesStyle::Number, false, _) => "2",
                    (YesStyle::Letter, true, _) => "Y",
                    (YesStyle::Letter, false, _) => "N",
                    (YesStyle::Word, true, "fr") => "oui",
                    (YesStyle::Word, false, "fr") => "non",
                    (YesStyle::Word, true, "sw") => "ndiyo",
                    (YesStyle::Word, false, "sw") => "hapana",
                    (YesStyle::Word, true, _) => "yes",
                    (YesStyle::Word, false, _) => "no",
                };
                write!(out, "{word}")
            }
            Value::Number(n) if *n >= 1_000 => match self.thousands {
                Some(mark) => write!(out, "{}{mark}{:03}", n / 1_000, n % 1_000),
                None => write!(out, "{n}"),
            },
            Value::Number(n) | Value::NotAvailable { na: n } => write!(out, "{n}"),
            Value::Options(list) => list.iter().try_for_each(|n| write!(out, "{n}")),
            Value::Text(time) => {
                let (hour, minute) = time.split_once(':').unwrap_or((time, "00"));
                match self.time {
                    TimeStyle::Plain => write!(out, "{hour}{minute}"),
                    TimeStyle::Colon => write!(out, "{hour}:{minute}"),
                    TimeStyle::Hour => write!(out, "{}h{minute}", hour.trim_start_matches('0')),
                    TimeStyle::Dot => write!(out, "{}.{minute}", hour.trim_start_matches('0')),
                }
            }
        };
    }

    /// One report, without comment.
    fn report(&self, dice: &mut Dice, out: &mut String, draft: &Draft<'_>, language: &str) {
        out.push_str(&self.cased(draft.prefix));
        out.push_str(self.header);
        // A mended observer code is noted on the record; it may come from anyone.
        if dice.chance(0.006) {
            out.push_str(&draft.code.replace('0', "O"));
        } else {
            out.push_str(draft.code);
        }
        if draft.incident {
            out.push('!');
        }
        out.push_str(if self.between.is_empty() { self.header } else { " " });
        for (i, (code, written)) in draft.answers.iter().enumerate() {
            if i > 0 {
                out.push_str(self.between);
            }
            out.push_str(&self.cased(code));
            match written {
                Written::Raw(raw) => {
                    out.push_str(self.after_code);
                    out.push_str(raw);
                }
                // The flag of these checklists is sent as the bare code.
                Written::Value(Value::Bool(true)) if *code == "DB" => {}
                Written::Value(value) => {
                    out.push_str(self.after_code);
                    let from = out.len();
                    self.value(out, value, language);
                    if matches!(value, Value::Number(_)) && dice.chance(self.letter_digits) {
                        let mended = out.get(from..).unwrap_or("").replace('0', "O").replace('1', "l");
                        // Without any digit left it may as well be a word, and goes back to the observer.
                        if mended.bytes().any(|b| b.is_ascii_digit()) {
                            out.truncate(from);
                            out.push_str(&mended);
                        }
                    }
                }
            }
        }
    }

    fn cased(&self, code: &str) -> String {
        match self.letters {
            Letters::Upper => code.to_owned(),
            Letters::Lower => code.to_ascii_lowercase(),
            Letters::First => {
                let (first, rest) = code.split_at(code.len().min(1));
                format!("{first}{}", rest.to_ascii_lowercase())
            }
        }
    }

    /// A whole text of one or more reports and a comment, which must not be written by anything but
    /// [`comment`].
    pub(super) fn write(&self, dice: &mut Dice, drafts: &[Draft<'_>], comment: Option<&str>, language: &str) -> String {
        let mut text = String::with_capacity(160);
        let plain = drafts.iter().any(|d| d.answers.iter().any(|(_, w)| matches!(w, Written::Raw(_))));
        let polite = !plain && dice.chance(self.polite);
        if polite {
            text.push_str(dice.pick(GREETINGS));
            text.push_str(dice.pick(&[" ", ". ", ", ", "\n"]));
        }
        for (i, draft) in drafts.iter().enumerate() {
            if i > 0 {
                text.push_str(dice.pick(&[" ", "\n"]));
            }
            self.report(dice, &mut text, draft, language);
        }
        // After an answer that is a word itself, a name would make it unclear.
        let ends_in_digit = text.ends_with(|c: char| c.is_ascii_digit());
        if polite && comment.is_none() && ends_in_digit && dice.chance(0.6) {
            text.push_str(dice.pick(&[" ", "\n", ". "]));
            text.push_str(dice.pick(SIGNATURES));
        } else if dice.chance(0.03) && comment.is_none() {
            text.push_str(dice.pick(&[" ", ".", "\n"]));
        }
        if !plain && self.letters == Letters::Upper {
            match dice.unit() {
                u if u < 0.006 => text = text.chars().map(cyrillic).collect(),
                u if u < 0.009 && self.thousands.is_none() => text = text.chars().map(arabic).collect(),
                _ => {}
            }
        }
        if let Some(comment) = comment {
            text.push_str(dice.pick(&[" @ ", "@", " @", "\n@ "]));
            text.push_str(comment);
        }
        text
    }
}

/// A Latin capital that has a Cyrillic twin, as typed on a keyboard left in the other alphabet.
fn cyrillic(c: char) -> char {
    match c {
        'A' => 'А',
        'B' => 'В',
        'C' => 'С',
        'P' => 'Р',
        'O' => 'О',
        'X' => 'Х',
        other => other,
    }
}

fn arabic(c: char) -> char {
    c.to_digit(10).and_then(|d| char::from_u32(0x0660 + d)).unwrap_or(c)
}

// No word here holds a code of the checklists as a word of its own or within it (tested below).
const GREETINGS: &[&str] = &["Good morning", "Hello", "Bonjour", "Hi", "Hello all", "Good evening", "Salut"];
const SIGNATURES: &[&str] =
    &["Thanks", "Thank you", "Cordialement", "Solen", "Thanks Tessim", "Regards Joris", "Bien vu Hosek"];

const COMMENTS: &[&str] = &[
    "materials came late",
    "all quiet",
    "queue of 40 at the door",
    "no light in the room",
    "two agents had no badge",
    "voter list torn, p.12 missing",
    "roof leaks",
    "chairperson was helpful",
    "tout est calme",
    "la salle est trop petite",
    "une file de 40 personnes",
    "wino umeisha",
    "hali ni shwari",
    "kituo kilichelewa kufunguliwa",
    "see my photo 2 @ whatsapp",
    "counted twice AA1",
];
const WIDE_COMMENTS: &[&str] = &[
    "la file était longue, mais tout s\u{2019}est bien passé",
    "tout va bien 👍",
    "очередь у входа",
    "لا كهرباء في القاعة",
    "les isoloirs sont arrivés en retard – voir l\u{2019}annexe",
    "观察员被拒绝入内",
];
const SENTENCES: &[&str] = &[
    "The queue went round the building by nine and moved slowly.",
    "One official left at noon and was replaced from the reserve list.",
    "Some elderly voters were helped by relatives, the chair allowed it each time.",
    "The lamp failed during the count and was mended after ten minutes.",
    "Agents of two parties asked for a recount and were shown the bundles.",
    "Il y avait peu de monde dans la matinée.",
    "Fomu ya matokeo ilibandikwa mlangoni mbele ya wote.",
];

/// A comment; `long` makes the text take more than one segment by itself.
pub(super) fn comment(dice: &mut Dice, long: bool) -> String {
    if long {
        let mut text = String::new();
        while text.len() < 165 {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(dice.pick(SENTENCES));
        }
        return text;
    }
    let list = if dice.chance(0.12) { WIDE_COMMENTS } else { COMMENTS };
    dice.pick(list).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::Form;

    #[test]
    fn no_greeting_or_signature_holds_a_code_or_a_digit() {
        for form in Form::ALL {
            let checklist = form.checklist().unwrap();
            let codes = checklist.questions.iter().map(|q| q.code.clone()).chain([checklist.prefix.clone()]);
            for code in codes {
                for phrase in GREETINGS.iter().chain(SIGNATURES) {
                    assert!(!phrase.to_uppercase().contains(&code), "{phrase} holds {code}");
                }
            }
        }
    }

    #[test]
    fn an_upper_case_hand_without_habits_writes_the_form_of_the_guide() {
        let hand = Hand {
            letters: Letters::Upper,
            header: " ",
            after_code: "",
            between: " ",
            time: TimeStyle::Plain,
            yes: YesStyle::Number,
            thousands: None,
            polite: 0.0,
            letter_digits: 0.0,
        };
        let (time, yes, many) = (Value::Text("07:05".into()), Value::Bool(true), Value::Options(vec![1, 3]));
        let answers = [
            ("AA", Written::Value(&time)),
            ("AB", Written::Value(&yes)),
            ("BB", Written::Value(&many)),
            ("DB", Written::Value(&yes)),
        ];
        let draft = Draft { prefix: "OP", code: "123456", incident: false, answers: &answers };
        let text = hand.write(&mut Dice::new(4, "hand", 2), &[draft], Some("all quiet"), "en");
        assert!(text.starts_with("OP 123456 AA0705 AB1 BB13 DB"), "{text}");
        assert!(text.ends_with("all quiet"));
    }
}
