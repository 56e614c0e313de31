//! Values: what may stand after a question's code, with every way to read it.
//!
//! Each reading is judged by the question: right, or wrong with a reason. A number is never read in
//! part (`AA12` is not AA=1), and a letter counts as the digit it looks like only as long as the value
//! stays right.

mod calendar;
mod clock;
mod number;
mod option;

use smallvec::SmallVec;
use time::Date;

use super::lexicon::{Ready, Type};
use crate::domain::decimal::Decimal;
use crate::domain::report::Reason;
use crate::domain::value::Value;
use number::{Lexeme, lexemes, whole};
pub(super) use option::{by_letter, set};

/// An answer as it is read: it owns no memory of its own, but for many options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meant {
    Bool(bool),
    Number(i64),
    /// Ascending, each once.
    Options(Chosen),
    NotAvailable(i64),
    /// Minutes since midnight.
    Time(u16),
    Date(Date),
    Decimal(Decimal),
    /// The words are taken from the text as it was sent.
    Words,
}

/// Options that were chosen.
pub(super) type Chosen = SmallVec<[u16; 8]>;

impl Meant {
    /// The answer as it is recorded.
    pub(super) fn value(&self) -> Value {
        match self {
            Self::Bool(yes) => Value::Bool(*yes),
            Self::Number(n) => Value::Number(*n),
            Self::Options(chosen) => Value::Options(chosen.to_vec()),
            Self::NotAvailable(na) => Value::NotAvailable { na: *na },
            Self::Time(minutes) => Value::Text(clock::written(*minutes)),
            Self::Date(date) => Value::Text(calendar::written(*date)),
            Self::Decimal(n) => Value::Text(n.to_string()),
            Self::Words => Value::Text(String::new()),
        }
    }
}

/// Digits of a number that is read without care for overflow.
const PLAIN_DIGITS_MAX: usize = 17;

/// What became of a value: the answer (`None` withdraws it), or why it is none.
pub(super) type Judged = Result<Option<Meant>, Reason>;

/// One way to read a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Where it ends.
    pub end: usize,
    /// Letters read as digits, and blanks read as grouping.
    pub mended: u32,
    /// The answer, or why it is none.
    pub result: Judged,
    /// It ends in a letter that could begin a remark: *no problem*, *5 I am late*.
    pub wordy: bool,
}

/// Separators: they may stand between tokens anywhere and mean nothing there.
pub(super) fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b';' | b':' | b'.' | b'=' | b'-' | b'/' | b'#')
}

/// Part of a word: an ASCII letter, or any byte of another script's letter.
pub(super) fn is_letter(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte >= 0x80
}

/// A digit, or a letter that is taken for one.
pub(super) fn is_digit_like(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'I' | b'L' | b'O')
}

/// The digit that a letter looks like; any other byte as it is.
pub(super) fn mended(byte: u8) -> u8 {
    match byte {
        b'I' | b'L' => b'1',
        b'O' => b'0',
        b => b,
    }
}

/// Letters that look like digits become those.
pub(super) fn mend<T: FromIterator<char>>(bytes: &[u8]) -> T {
    bytes.iter().map(|b| char::from(mended(*b))).collect()
}

/// Every way to read a value at `from`, which follows the code that ends at `code_end`.
pub(super) fn candidates(question: &Ready, text: &[u8], code_end: usize, from: usize, out: &mut Vec<Candidate>) {
    out.clear();
    let Some(&first) = text.get(from) else { return };
    if first == b'*' {
        out.push(Candidate { end: from + 1, mended: 0, result: Ok(None), wordy: false });
        return;
    }
    if let Some((end, result)) = plain(question, text, from) {
        out.push(Candidate { end, mended: 0, result, wordy: false });
        return;
    }
    match &question.kind {
        Type::Count { min, max } => number::counts(question, (*min, *max), text, code_end, from, out),
        Type::Decimal { min, max } => number::decimals(question, (*min, *max), text, code_end, from, out),
        Type::YesNo { yes, no, words } => {
            option::numbers(question, text, from, out, |n| match n {
                n if n == i64::from(*yes) => Some(Meant::Bool(true)),
                n if n == i64::from(*no) => Some(Meant::Bool(false)),
                _ => None,
            });
            // No word begins with a digit.
            for (word, meaning) in words.iter().filter(|_| !first.is_ascii_digit()) {
                push_word(text, from, word, false, out, || Ok(Some(Meant::Bool(*meaning))));
            }
        }
        Type::Choice { options, words } => option::choice(question, options, words, text, from, out),
        Type::Multi { options, run_together } => option::several(question, options, *run_together, text, from, out),
        Type::Time { min, max } => clock::times(question, (*min, *max), text, from, out),
        Type::Date { min, max, order } => calendar::dates(question, (*min, *max), *order, text, from, out),
        Type::Flag { words } => flag(words, text, from, out),
        Type::Text => {}
    }
}

/// The value at `from` where it is a number of digits alone, and what follows can be no part of it: most are, and
/// there is no other way to read them. `None` where that is not plain.
pub(super) fn plain(question: &Ready, text: &[u8], from: usize) -> Option<(usize, Judged)> {
    if !matches!(question.kind, Type::Count { min: 0.., .. } | Type::YesNo { .. } | Type::Choice { .. }) {
        return None;
    }
    let rest = text.get(from..)?;
    let mut number = 0i64;
    let mut length = 0;
    while let Some(digit) = rest.get(length).filter(|b| b.is_ascii_digit()) {
        number = number * 10 + i64::from(digit - b'0');
        length += 1;
        // More are judged with care.
        if length > PLAIN_DIGITS_MAX {
            return None;
        }
    }
    // A mark may join another group of digits to it (`1,200`, `1 200`), a letter be a digit.
    let next = rest.get(length).copied().unwrap_or(b';');
    let after = rest.get(length + 1).copied().unwrap_or(b';');
    let ends = length > 0
        && !is_digit_like(next)
        && (is_letter(next) || !(is_digit_like(after) || (next == b' ' && after == b' ')));
    if !ends {
        return None;
    }
    let result = match &question.kind {
        Type::Count { min, max } if (*min..=*max).contains(&number) => Ok(Some(Meant::Number(number))),
        _ if is_null(question, number) => Ok(Some(Meant::NotAvailable(number))),
        Type::YesNo { yes, .. } if number == i64::from(*yes) => Ok(Some(Meant::Bool(true))),
        Type::YesNo { no, .. } if number == i64::from(*no) => Ok(Some(Meant::Bool(false))),
        Type::Choice { options, .. } if options.iter().any(|o| i64::from(*o) == number) => {
            Ok(Some(Meant::Number(number)))
        }
        Type::Count { .. } => Err(Reason::OutOfRange),
        _ => Err(Reason::NotAnOption),
    };
    Some((from + length, result))
}

/// A flag's value: 1 or yes; any other is unclear.
fn flag(words: &[(String, bool)], text: &[u8], from: usize, out: &mut Vec<Candidate>) {
    let judge = |right: bool| if right { Ok(Some(Meant::Bool(true))) } else { Err(Reason::Unclear) };
    lexemes(text, from, true, &mut |l| {
        let read = text.get(from..l.end).unwrap_or_default();
        push_number(text, l, judge(!l.grouped && whole(read) == Some(1)), out);
    });
    for (word, meaning) in words {
        push_word(text, from, word, false, out, || judge(*meaning));
    }
}

fn push_number(text: &[u8], lexeme: Lexeme, result: Judged, out: &mut Vec<Candidate>) {
    let wordy = lexeme.end.checked_sub(1).and_then(|i| text.get(i)).is_some_and(|b| is_letter(*b));
    out.push(Candidate { end: lexeme.end, mended: lexeme.mended, result, wordy });
}

/// Words are whole; those for yes and no may be run together with the next code.
fn push_word(
    text: &[u8],
    from: usize,
    word: &str,
    apart: bool,
    out: &mut Vec<Candidate>,
    result: impl FnOnce() -> Judged,
) {
    let end = from + word.len();
    if text.get(from..end) != Some(word.as_bytes()) || (apart && text.get(end).is_some_and(|b| is_letter(*b))) {
        return;
    }
    // *Yes* begins no remark that turns it round; *no problem* and a lone letter do.
    let wordy = word.chars().count() < 3;
    out.push(Candidate { end, mended: 0, result: result(), wordy });
}

/// The number that says "not available".
fn is_null(question: &Ready, n: i64) -> bool {
    question.null_value == Some(n)
}
