//! A message before it is noisy: its codes with their values, how they are joined, and what it means.

use scrutineer::domain::checklist::{Checklist, GrammarKind, Kind, QuestionType};

use super::forms::answer;
use super::{Chance, Expect, Meant};

/// A code with its value as they stand in the text.
pub(super) struct Item {
    pub(super) code: String,
    pub(super) value: String,
    pub(super) expect: Expect,
}

pub(super) struct Draft {
    pub(super) prefix: String,
    pub(super) observer: String,
    pub(super) keyed: bool,
    pub(super) mark: &'static str,
    pub(super) items: Vec<Item>,
}

#[derive(Default)]
pub(super) struct Joint {
    pub(super) between: String,
    pub(super) inside: String,
    pub(super) head: String,
}

pub(super) fn draft(list: &Checklist, chance: &mut Chance) -> Draft {
    let keyed = list.grammar == GrammarKind::Keyed;
    let mut items: Vec<Item> = Vec::new();
    for (i, question) in list.questions.iter().enumerate() {
        if chance.one_in(4) && !(items.is_empty() && i + 1 == list.questions.len()) {
            continue;
        }
        let (value, text) = answer(question, chance);
        let code = if keyed { (i + 1).to_string() } else { question.code.clone() };
        items.push(Item { code, value: text, expect: Expect::Must(value) });
        if matches!(question.kind, QuestionType::Flag {}) && chance.one_in(2) {
            break;
        }
    }
    let mark = if list.kind == Kind::Incident { "!" } else { "" };
    Draft { prefix: list.prefix.clone(), observer: format!("{}", 10_000 + chance.below(89_999)), keyed, mark, items }
}

/// The text, and what it means.
pub(super) fn write(draft: &Draft, list: &Checklist, joint: &Joint) -> (String, Meant) {
    let mut text = format!("{}{}{}{}", draft.prefix, joint.head, draft.observer, draft.mark);
    let mut codes = std::collections::BTreeMap::new();
    for (i, item) in draft.items.iter().enumerate() {
        text.push_str(if i == 0 { &joint.head } else { &joint.between });
        if i == 0 && draft.keyed && !text.ends_with([' ', '\n']) {
            text.push(' ');
        }
        let point = if draft.keyed { "." } else { "" };
        let inside = if item.value.is_empty() { "" } else { &joint.inside };
        text.push_str(&format!("{}{point}{inside}{}", item.code, item.value));
        let question = item.code.parse::<usize>().ok().and_then(|n| list.questions.get(n - 1));
        let code = question.map_or(item.code.clone(), |q| q.code.clone());
        codes.insert(code, item.expect.clone());
    }
    let observer = draft.observer.replace(['O', 'o'], "0").replace(['l', 'I', 'i'], "1");
    (text, Meant { prefix: draft.prefix.clone(), observer, codes, comment: None })
}

/// A middle part that never came: what lies in it was not sent, what touches it is unclear.
pub(super) fn lose(text: &str, meant: &mut Meant, draft: &Draft, chance: &mut Chance) -> Option<(String, Vec<usize>)> {
    if draft.keyed || draft.items.len() < 4 || !text.is_ascii() {
        return None;
    }
    let body = text.find(' ')? + draft.observer.len() + 2;
    let from = body + chance.below(text.len().checked_sub(body + 8)?);
    let to = from + 4 + chance.below(text.len() - from - 4);
    let mut at = body;
    for item in &draft.items {
        let start = at + text.get(at..)?.find(&item.code)?;
        let end = start + text.get(start..)?.find(&item.value)? + item.value.len();
        at = end;
        if start >= from && end <= to {
            meant.codes.remove(&item.code);
        } else if end + 2 >= from
            && start <= to
            && let Some(Expect::Must(value)) = meant.codes.get(&item.code).cloned()
        {
            meant.codes.insert(item.code.clone(), Expect::Either(value));
            // Only a piece of its value arrived: nothing of it need be told by its name.
            if start >= from || start + item.code.len() > from {
                meant.codes.remove(&item.code);
            }
        }
    }
    Some((format!("{}{}", &text[..from], &text[to..]), vec![from]))
}

pub(super) fn digits(text: &str, of: &str) -> String {
    text.chars().map(|c| c.to_digit(10).and_then(|d| of.chars().nth(d as usize)).unwrap_or(c)).collect()
}

pub(super) fn cyrillic(c: char) -> char {
    match c {
        'A' => 'А',
        'B' => 'В',
        'C' => 'С',
        'E' => 'Е',
        'H' => 'Н',
        'I' => 'І',
        'K' => 'К',
        'M' => 'М',
        'O' => 'О',
        'T' => 'Т',
        _ => c,
    }
}

pub(super) fn full_width(c: char) -> char {
    match c {
        '0'..='9' | 'A'..='Z' => char::from_u32(u32::from(c) + 0xFEE0).unwrap_or(c),
        _ => c,
    }
}
