//! Values: what may stand after a question's code, with every way to read it.
//!
//! Each reading is judged by the question: right, or wrong with a reason. A number is never read in
//! part (`AA12` is not AA=1), and a letter counts as the digit it looks like only as long as the value
//! stays right.

use nom::branch::alt;
use nom::bytes::complete::take_while_m_n;
use nom::character::complete::{char as one, digit1, one_of};
use nom::combinator::{all_consuming, eof, opt, recognize, success, value as is};
use nom::multi::many1;
use nom::sequence::{preceded, terminated};
use nom::{IResult, Parser};

use super::lexicon::{Ready, Type};
use crate::domain::report::Reason;
use crate::domain::value::Value;

/// Characters of a value within which letters are mended to digits.
const MENDED_WITHIN: usize = 24;

/// One way to read a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Where it ends.
    pub end: usize,
    /// Letters read as digits, and blanks read as grouping.
    pub mended: u32,
    /// The answer (`None` withdraws it), or why it is none.
    pub result: Result<Option<Value>, Reason>,
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

/// Letters that look like digits become those.
pub(super) fn mend(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|b| match b {
            b'I' | b'L' => '1',
            b'O' => '0',
            b => char::from(*b),
        })
        .collect()
}

/// A run of digits and letters taken for them.
#[derive(Debug, Clone, Copy)]
struct Lexeme {
    end: usize,
    mended: u32,
    grouped: bool,
}

/// Every place at which a number that begins at `from` may end: before a letter, never before a digit.
fn lexemes(text: &[u8], from: usize, groups: bool, each: &mut dyn FnMut(Lexeme)) {
    let at = |k: usize| text.get(k).copied().unwrap_or(0);
    let (mut k, mut mended, mut grouped, mut true_digits) = (from, 0, false, 0usize);
    loop {
        let b = at(k);
        if b.is_ascii_digit() {
            true_digits += 1;
        } else if matches!(b, b'I' | b'L' | b'O') && k - from < MENDED_WITHIN {
            // A word such as OIL is no number: without a true digit two letters are the most.
            if k > from && (true_digits > 0 || k - from <= 2) {
                each(Lexeme { end: k, mended, grouped });
            }
            mended += 1;
        } else if groups && k > from && is_digit_like(at(k - 1)) && begins_group(text, k) {
            grouped = true;
        } else {
            break;
        }
        k += 1;
    }
    if k > from && (true_digits > 0 || k - from <= 2) {
        each(Lexeme { end: k, mended, grouped });
    }
}

/// A comma, point or apostrophe with digits straight after it belongs to the number.
fn begins_group(text: &[u8], at: usize) -> bool {
    if !matches!(text.get(at), Some(b',' | b'.' | b'\'')) {
        return false;
    }
    let rest = text.get(at + 1..).unwrap_or_default();
    rest.first().is_some_and(u8::is_ascii_digit)
        || rest.get(..3).is_some_and(|g| g.iter().all(|b| is_digit_like(*b)) && g.iter().any(u8::is_ascii_digit))
}

/// Exactly this many digits.
fn digits(n: usize) -> impl Fn(&str) -> IResult<&str, &str> {
    move |input: &str| take_while_m_n(n, n, |c: char| c.is_ascii_digit()).parse(input)
}

/// `1,200` or `1.200.000`: one kind of mark, groups of exactly three, no leading zero.
fn grouped(input: &str) -> IResult<&str, String> {
    let (rest, first) = take_while_m_n(1, 3, |c: char| c.is_ascii_digit()).parse(input)?;
    let mark = rest.chars().next().unwrap_or(',');
    let (rest, groups) = many1(preceded(one(mark), digits(3))).parse(rest)?;
    eof(rest)?;
    if first.starts_with('0') || !matches!(mark, ',' | '.' | '\'' | ' ') {
        return Err(nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::Verify)));
    }
    Ok((rest, std::iter::once(first).chain(groups).collect()))
}

/// A plain number; `None` when it is too great for any question.
fn number(text: &str) -> Option<i64> {
    all_consuming(recognize((opt(one('-')), digit1::<_, nom::error::Error<&str>>)))
        .parse(text)
        .ok()
        .and_then(|(_, digits)| digits.parse().ok())
}

/// Every way to read a value at `from`, which follows the code that ends at `code_end`.
pub(super) fn candidates(question: &Ready, text: &[u8], code_end: usize, from: usize, out: &mut Vec<Candidate>) {
    out.clear();
    let Some(&first) = text.get(from) else { return };
    if first == b'*' {
        out.push(Candidate { end: from + 1, mended: 0, result: Ok(None), wordy: false });
        return;
    }
    match &question.kind {
        Type::Count { min, max } => counts(question, (*min, *max), text, code_end, from, out),
        Type::YesNo { yes, no, words } => {
            numbers(question, text, from, out, |n| match n {
                n if n == i64::from(*yes) => Some(Value::Bool(true)),
                n if n == i64::from(*no) => Some(Value::Bool(false)),
                _ => None,
            });
            for (word, meaning) in words {
                push_word(text, from, word, false, out, Ok(Some(Value::Bool(*meaning))));
            }
        }
        Type::Choice { options, words } => {
            numbers(question, text, from, out, |n| {
                u16::try_from(n).is_ok_and(|n| options.contains(&n)).then_some(Value::Number(n))
            });
            for (word, option) in words {
                push_word(text, from, word, true, out, Ok(Some(Value::Number(i64::from(*option)))));
            }
            if let (Some(option), Some(true)) =
                (by_letter(options, first), text.get(from + 1).map(|b| !is_letter(*b)).or(Some(true)))
            {
                let result = Ok(Some(Value::Number(i64::from(option))));
                out.push(Candidate { end: from + 1, mended: 0, result, wordy: true });
            }
        }
        Type::Multi { options, run_together } => several(question, options, *run_together, text, from, out),
        Type::Time { min, max } => times(question, (*min, *max), text, from, out),
        Type::Decimal { .. } | Type::Date { .. } | Type::Text => {}
        Type::Flag { words } => {
            lexemes(text, from, true, &mut |l| {
                let read = mend(text.get(from..l.end).unwrap_or_default());
                let result = if read == "1" { Ok(Some(Value::Bool(true))) } else { Err(Reason::Unclear) };
                push_number(text, l, result, out);
            });
            for (word, meaning) in words {
                let result = if *meaning { Ok(Some(Value::Bool(true))) } else { Err(Reason::Unclear) };
                push_word(text, from, word, false, out, result);
            }
        }
    }
}

fn push_number(text: &[u8], lexeme: Lexeme, result: Result<Option<Value>, Reason>, out: &mut Vec<Candidate>) {
    let wordy = text.get(lexeme.end - 1).is_some_and(|b| is_letter(*b));
    out.push(Candidate { end: lexeme.end, mended: lexeme.mended, result, wordy });
}

/// Words are whole; those for yes and no may be run together with the next code.
fn push_word(
    text: &[u8],
    from: usize,
    word: &str,
    apart: bool,
    out: &mut Vec<Candidate>,
    result: Result<Option<Value>, Reason>,
) {
    let end = from + word.len();
    if text.get(from..end) != Some(word.as_bytes()) || (apart && text.get(end).is_some_and(|b| is_letter(*b))) {
        return;
    }
    // *Yes* begins no remark that turns it round; *no problem* and a lone letter do.
    let wordy = word.chars().count() < 3;
    out.push(Candidate { end, mended: 0, result, wordy });
}

/// The option that a letter names: A the first, B the second. I, L, O look like digits and name none.
fn by_letter(options: &[u16], letter: u8) -> Option<u16> {
    if matches!(letter, b'I' | b'L' | b'O') || !letter.is_ascii_uppercase() {
        return None;
    }
    options.get(usize::from(letter - b'A')).copied()
}

/// The number that says "not available".
fn is_null(question: &Ready, n: i64) -> bool {
    question.null_value == Some(n)
}

/// A single number that names something.
fn numbers(
    question: &Ready,
    text: &[u8],
    from: usize,
    out: &mut Vec<Candidate>,
    mut meaning: impl FnMut(i64) -> Option<Value>,
) {
    lexemes(text, from, true, &mut |l| {
        let result = if l.grouped {
            Err(Reason::Unclear)
        } else {
            match number(&mend(text.get(from..l.end).unwrap_or_default())) {
                Some(n) if is_null(question, n) => Ok(Some(Value::NotAvailable { na: n })),
                Some(n) => meaning(n).map(Some).ok_or(Reason::NotAnOption),
                None => Err(Reason::NotAnOption),
            }
        };
        push_number(text, l, result, out);
    });
}

fn counts(
    question: &Ready,
    (min, max): (i64, i64),
    text: &[u8],
    code_end: usize,
    from: usize,
    out: &mut Vec<Candidate>,
) {
    let between = text.get(code_end..from).unwrap_or_default();
    let dashes = between.iter().filter(|b| **b == b'-').count();
    let negative = min < 0 && dashes == 1 && between.ends_with(b"-");
    // Where numbers below zero are allowed, a dash that stands apart from its number says nothing sure.
    let doubtful = min < 0 && dashes > 0 && !negative;
    let judge = |n: Option<i64>| match n.map(|n| if negative { -n } else { n }) {
        _ if doubtful => Err(Reason::Unclear),
        Some(n) if (min..=max).contains(&n) => Ok(Some(Value::Number(n))),
        Some(n) if is_null(question, n) => Ok(Some(Value::NotAvailable { na: n })),
        _ => Err(Reason::OutOfRange),
    };
    lexemes(text, from, true, &mut |l| {
        let read = mend(text.get(from..l.end).unwrap_or_default());
        let result = if l.grouped {
            match grouped(&read) {
                Ok((_, digits)) => judge(digits.parse().ok()).map_err(|_| Reason::Unclear),
                Err(_) => Err(Reason::Unclear),
            }
        } else {
            judge(number(&read))
        };
        push_number(text, l, result, out);
    });
    // `1 200`: only exact groups that give a number in range are worth a reading.
    let spaced = text.get(from..).unwrap_or_default();
    let length = spaced.iter().take(20).take_while(|b| b.is_ascii_digit() || **b == b' ').count();
    let spaced = String::from_utf8_lossy(spaced.get(..length).unwrap_or_default());
    let spaced = spaced.trim_end();
    if spaced.contains(' ')
        && let Ok((_, digits)) = grouped(spaced)
        && let Ok(answer) = judge(digits.parse().ok())
    {
        out.push(Candidate { end: from + spaced.len(), mended: 1, result: Ok(answer), wordy: false });
    }
}

/// Several options: digits run together while no option is above 9, or numbers apart, or letters.
fn several(question: &Ready, options: &[u16], run_together: bool, text: &[u8], from: usize, out: &mut Vec<Candidate>) {
    lexemes(text, from, false, &mut |l| {
        let mut chosen: Vec<u16> = Vec::new();
        let mut wrong = false;
        let mut take = |digits: &str| {
            let mut one = |n: Option<u16>| match n {
                Some(n) if options.contains(&n) => chosen.push(n),
                _ => wrong = true,
            };
            if run_together {
                digits.bytes().for_each(|b| one(Some(u16::from(b - b'0'))));
            } else {
                one(digits.parse().ok());
            }
        };
        let first = mend(text.get(from..l.end).unwrap_or_default());
        take(&first);
        let (mut end, mut more) = (l.end, false);
        // Further numbers stand after a blank, a comma, a point, a slash. Not after a dash: `1-3` may be a range.
        while let Some((start, stop)) = next_number(text, end) {
            take(&String::from_utf8_lossy(text.get(start..stop).unwrap_or_default()));
            (end, more) = (stop, true);
        }
        let result = match number(&first) {
            Some(n) if !more && is_null(question, n) => Ok(Some(Value::NotAvailable { na: n })),
            _ if wrong => Err(Reason::NotAnOption),
            _ => {
                chosen.sort_unstable();
                chosen.dedup();
                Ok(Some(Value::Options(chosen)))
            }
        };
        push_number(text, Lexeme { end, ..l }, result, out);
    });
    let letters = text.get(from..).unwrap_or_default().iter().take_while(|b| is_letter(**b)).count();
    let chosen: Option<Vec<u16>> =
        text.get(from..from + letters).unwrap_or_default().iter().map(|b| by_letter(options, *b)).collect();
    if let Some(mut chosen) = chosen.filter(|c| !c.is_empty()) {
        chosen.sort_unstable();
        chosen.dedup();
        if chosen.len() == letters {
            let result = Ok(Some(Value::Options(chosen)));
            out.push(Candidate { end: from + letters, mended: 0, result, wordy: true });
        }
    }
}

/// The number after one or two separators that do not join a range.
fn next_number(text: &[u8], from: usize) -> Option<(usize, usize)> {
    let rest = text.get(from..)?;
    let gap = rest.iter().take_while(|b| matches!(b, b' ' | b',' | b'.' | b'/' | b';')).count();
    let count = rest.get(gap..)?.iter().take_while(|b| b.is_ascii_digit()).count();
    let next = rest.get(gap + count).copied().unwrap_or(b' ');
    (gap > 0 && gap < 4 && count > 0 && !matches!(next, b'I' | b'L' | b'O')).then_some((from + gap, from + gap + count))
}

/// Hours, minutes, half of the day.
struct Clock {
    hours: u16,
    minutes: u16,
    half: Option<bool>,
}

/// AM (`false`) or PM (`true`), after a blank or none.
fn half(input: &str) -> IResult<&str, bool> {
    let point = || opt(one('.'));
    preceded(opt(one(' ')), alt((is(false, (one('A'), point(), one('M'))), is(true, (one('P'), point(), one('M'))))))
        .parse(input)
}

/// Hours of one or two digits.
fn short(input: &str) -> IResult<&str, &str> {
    take_while_m_n(1, 2, |c: char| c.is_ascii_digit()).parse(input)
}

/// `HHMM`, `HMM`, `H:MM`, `H.MM`, `7H05`, `7H`, each with AM or PM after it or not; hours alone with it.
fn clock(input: &str) -> IResult<&str, Clock> {
    let (rest, (hours, minutes, half)) = alt((
        terminated((digits(2), digits(2), opt(half)), eof),
        terminated((digits(1), digits(2), opt(half)), eof),
        terminated((short, preceded(one_of(":.H"), digits(2)), opt(half)), eof),
        terminated((short, is("00", one('H')), opt(half)), eof),
        terminated((short, is("00", success(())), half.map(Some)), eof),
    ))
    .parse(input)?;
    let parse = |s: &str| s.parse().unwrap_or(u16::MAX);
    Ok((rest, Clock { hours: parse(hours), minutes: parse(minutes), half }))
}

fn times(question: &Ready, (min, max): (u16, u16), text: &[u8], from: usize, out: &mut Vec<Candidate>) {
    let at = |k: usize| text.get(k).copied().unwrap_or(0);
    lexemes(text, from, false, &mut |l| {
        let (mut end, mut mended) = (l.end, l.mended);
        if end - from <= 2 && matches!(at(end), b':' | b'.' | b'H') {
            let two = text.get(end + 1..end + 3).unwrap_or_default();
            let full = two.len() == 2 && two.iter().all(|b| is_digit_like(*b)) && !at(end + 3).is_ascii_digit();
            if full && (at(end) == b'H' || two.iter().any(u8::is_ascii_digit) || !is_letter(at(end + 3))) {
                mended += two.iter().filter(|b| is_letter(**b)).count() as u32;
                end += 3;
            } else if at(end) == b'H' && !at(end + 1).is_ascii_digit() {
                end += 1;
            }
        }
        // A point or comma with digits after it that made no time belongs to the value all the same.
        let mut broken = false;
        while matches!(at(end), b':' | b'.' | b',') && at(end + 1).is_ascii_digit() {
            broken = true;
            end += 1;
            while at(end).is_ascii_digit() {
                end += 1;
            }
        }
        let gap = usize::from(at(end) == b' ');
        let half = matches!(at(end + gap), b'A' | b'P') && at(end + gap + 1) == b'M';
        if half && (gap == 0 || !is_letter(at(end + gap + 2))) {
            end += gap + 2;
        }
        let raw = text.get(from..end).unwrap_or_default();
        let read: String = mend(raw);
        let result = if broken {
            Err(Reason::Unclear)
        } else {
            match clock(&read) {
                Ok((_, clock)) => judge_time(&clock, min, max),
                Err(_) => match number(&read) {
                    Some(n) if is_null(question, n) => Ok(Some(Value::NotAvailable { na: n })),
                    _ if read.len() > 4 && read.bytes().all(|b| b.is_ascii_digit()) => Err(Reason::OutOfRange),
                    _ => Err(Reason::WrongType),
                },
            }
        };
        let result = match (&result, number(&read)) {
            (Err(_), Some(n)) if is_null(question, n) => Ok(Some(Value::NotAvailable { na: n })),
            _ => result,
        };
        push_number(text, Lexeme { end, mended, grouped: false }, result, out);
    });
}

fn judge_time(clock: &Clock, min: u16, max: u16) -> Result<Option<Value>, Reason> {
    let hours = match (clock.half, clock.hours) {
        (None, h) => h,
        (Some(false), 12) => 0,
        (Some(true), h) if h < 12 => h + 12,
        (Some(false), h) if h > 12 => return Err(Reason::Unclear),
        (Some(_), h) => h,
    };
    if hours > 23 || clock.minutes > 59 || !(min..=max).contains(&(hours * 60 + clock.minutes)) {
        return Err(Reason::OutOfRange);
    }
    Ok(Some(Value::Text(format!("{hours:02}:{:02}", clock.minutes))))
}
