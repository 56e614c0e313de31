//! Numbers: where they end, what their points and commas mean, counts and decimals.

use smallvec::SmallVec;
use smol_str::SmolStr;

use super::{Candidate, Judged, Meant, is_digit_like, is_letter, is_null, mend, mended, push_number};
use crate::domain::decimal::Decimal;
use crate::domain::report::Reason;
use crate::grammar::lexicon::Ready;

/// Characters of a value within which letters are mended to digits.
const MENDED_WITHIN: usize = 24;

/// A run of digits and letters taken for them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lexeme {
    pub end: usize,
    pub mended: u32,
    pub grouped: bool,
}

/// Every place at which a number that begins at `from` may end: before a letter, never before a digit.
pub(super) fn lexemes(text: &[u8], from: usize, groups: bool, each: &mut dyn FnMut(Lexeme)) {
    let at = |k: usize| text.get(k).copied().unwrap_or(0);
    // Digits alone, as most write a number.
    let digits = text.get(from..).unwrap_or_default().iter().take_while(|b| b.is_ascii_digit()).count();
    if digits > 0 && !matches!(at(from + digits), b'I' | b'L' | b'O' | b',' | b'.' | b'\'') {
        return each(Lexeme { end: from + digits, mended: 0, grouped: false });
    }
    let (mut k, mut mended, mut grouped, mut true_digits) = (from, 0, false, 0usize);
    loop {
        let b = at(k);
        if b.is_ascii_digit() {
            true_digits += 1;
        } else if matches!(b, b'I' | b'L' | b'O') && k - from < MENDED_WITHIN {
            // A word such as OIL is no number: without a true digit two letters are the most.
            if k > from && is_digit_like(at(k - 1)) && (true_digits > 0 || k - from <= 2) {
                each(Lexeme { end: k, mended, grouped });
            }
            mended += 1;
        } else if groups && k > from && is_digit_like(at(k - 1)) && begins_group(text, k) {
            // `240,IO2`: what looks like a group may be the next code.
            if !at(k + 1).is_ascii_digit() && (true_digits > 0 || k - from <= 2) {
                each(Lexeme { end: k, mended, grouped });
            }
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

/// The whole number that these digits are, letters taken for digits among them; `None` when it is none
/// or too great for any question.
pub(super) fn whole(text: &[u8]) -> Option<i64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0i64, |n, b| {
        let digit = mended(*b);
        digit.is_ascii_digit().then_some(())?;
        n.checked_mul(10)?.checked_add(i64::from(digit - b'0'))
    })
}

/// `1,200` or `1.200.000`: one kind of mark, groups of exactly three, no leading zero. Its digits,
/// letters taken for digits mended.
fn grouped(text: &[u8]) -> Option<SmallVec<[u8; 24]>> {
    let mark = text.iter().map(|b| mended(*b)).find(|b| !b.is_ascii_digit());
    let mark = mark.filter(|b| matches!(b, b',' | b'.' | b'\'' | b' '))?;
    let mut digits = SmallVec::new();
    for (i, group) in text.split(|b| *b == mark).enumerate() {
        let own = digits.len();
        digits.extend(group.iter().map(|b| mended(*b)));
        let own = digits.get(own..).unwrap_or_default();
        let right = if i == 0 { (1..=3).contains(&own.len()) && !own.starts_with(b"0") } else { own.len() == 3 };
        if !right || !own.iter().all(u8::is_ascii_digit) {
            return None;
        }
    }
    Some(digits)
}

/// What a dash between code and number says.
#[derive(Clone, Copy)]
struct Sign {
    negative: bool,
    /// Where numbers below zero are allowed, a dash that stands apart from its number says nothing sure.
    doubtful: bool,
}

impl Sign {
    fn new(below_zero: bool, between: &[u8]) -> Self {
        let dashes = between.iter().filter(|b| **b == b'-').count();
        let negative = below_zero && dashes == 1 && between.ends_with(b"-");
        Self { negative, doubtful: below_zero && dashes > 0 && !negative }
    }
}

pub(super) fn counts(
    question: &Ready,
    (min, max): (i64, i64),
    text: &[u8],
    code_end: usize,
    from: usize,
    out: &mut Vec<Candidate>,
) {
    let sign = Sign::new(min < 0, text.get(code_end..from).unwrap_or_default());
    let judge = |n: Option<i64>| match n.map(|n| if sign.negative { -n } else { n }) {
        _ if sign.doubtful => Err(Reason::Unclear),
        Some(n) if (min..=max).contains(&n) => Ok(Some(Meant::Number(n))),
        Some(n) if is_null(question, n) => Ok(Some(Meant::NotAvailable(n))),
        _ => Err(Reason::OutOfRange),
    };
    lexemes(text, from, true, &mut |l| {
        let read = text.get(from..l.end).unwrap_or_default();
        let result = if l.grouped {
            grouped(read).and_then(|digits| judge(whole(&digits)).ok()).ok_or(Reason::Unclear)
        } else {
            judge(whole(read))
        };
        push_number(text, l, result, out);
    });
    // `1 200`: only exact groups that give a number in range are worth a reading.
    let spaced = text.get(from..).unwrap_or_default();
    let digits = spaced.iter().take_while(|b| b.is_ascii_digit()).count();
    if !(1..=3).contains(&digits) || spaced.get(digits) != Some(&b' ') {
        return;
    }
    let length = spaced.iter().take(20).take_while(|b| b.is_ascii_digit() || **b == b' ').count();
    let spaced = spaced.get(..length).unwrap_or_default().trim_ascii_end();
    if spaced.contains(&b' ')
        && let Some(digits) = grouped(spaced)
        && let Ok(answer) = judge(whole(&digits))
    {
        out.push(Candidate { end: from + spaced.len(), mended: 1, result: Ok(answer), wordy: false });
    }
}

pub(super) fn decimals(
    question: &Ready,
    (min, max): (Decimal, Decimal),
    text: &[u8],
    code_end: usize,
    from: usize,
    out: &mut Vec<Candidate>,
) {
    let sign = Sign::new(min < Decimal::default(), text.get(code_end..from).unwrap_or_default());
    // `EA.5` may be 5 and 0.5.
    let pointed = matches!(text.get(code_end..from), Some([.., b'.' | b',']));
    let judge = |written: &str| -> Judged {
        if sign.doubtful || (pointed && written.bytes().all(|b| b.is_ascii_digit())) {
            return Err(Reason::Unclear);
        }
        match meanings(written) {
            Meanings::None => Err(Reason::Unclear),
            Meanings::TooLong => Err(Reason::OutOfRange),
            Meanings::Some(mut read) => {
                if sign.negative {
                    read.iter_mut().for_each(|n| *n = n.negated());
                }
                let null = |n: &Decimal| question.null_value.and_then(|v| v.to_string().parse().ok()) == Some(*n);
                // `1.200` is 1.2 and 1200: sure only where the question allows one of them.
                let mut right = read.iter().filter(|n| (min..=max).contains(n) || null(n));
                match (right.next(), right.next()) {
                    (Some(_), Some(_)) => Err(Reason::Unclear),
                    (Some(n), None) if (min..=max).contains(n) => Ok(Some(Meant::Decimal(*n))),
                    (Some(_), None) => Ok(question.null_value.map(Meant::NotAvailable)),
                    (None, _) => Err(Reason::OutOfRange),
                }
            }
        }
    };
    lexemes(text, from, true, &mut |l| {
        push_number(text, l, judge(&mend::<SmolStr>(text.get(from..l.end).unwrap_or_default())), out);
    });
}

enum Meanings {
    /// It is no number.
    None,
    /// More digits than a decimal has.
    TooLong,
    /// Each number that it may be.
    Some(Vec<Decimal>),
}

/// What digits with points and commas may mean as a decimal.
fn meanings(written: &str) -> Meanings {
    let mut found: Vec<Decimal> = Vec::new();
    let mut too_long = false;
    let mut take = |text: &str| match text.parse() {
        Ok(n) if !found.contains(&n) => found.push(n),
        Ok(_) => {}
        Err(_) => too_long = true,
    };
    let marks = written.bytes().filter(|b| !b.is_ascii_digit()).count();
    match written.rfind([',', '.']) {
        None if marks == 0 => take(written),
        Some(last) => {
            let (before, after) =
                (written.get(..last).unwrap_or_default(), written.get(last + 1..).unwrap_or_default());
            let mark = written.get(last..=last).unwrap_or_default();
            if marks == 1 {
                take(&format!("{before}.{after}"));
            } else if !before.contains(mark)
                && let Some(digits) = grouped(before.as_bytes())
            {
                take(&format!("{}.{after}", String::from_utf8_lossy(&digits)));
            }
        }
        None => {}
    }
    if marks > 0
        && let Some(digits) = grouped(written.as_bytes())
    {
        take(&String::from_utf8_lossy(&digits));
    }
    match (found.is_empty(), too_long) {
        (true, true) => Meanings::TooLong,
        (true, false) => Meanings::None,
        _ => Meanings::Some(found),
    }
}

/// Does a letter stand at this place?
pub(super) fn letter_at(text: &[u8], at: usize) -> bool {
    text.get(at).is_some_and(|b| is_letter(*b))
}
