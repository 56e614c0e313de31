//! What may follow the observer code: an authentication code, the mark of an incident, a serial.

use nom::Parser;
use nom::bytes::complete::take_while;
use nom::character::complete::char as one;
use nom::combinator::{opt, recognize};
use nom::multi::many0_count;

use super::Sender;
use crate::grammar::lexicon::Book;
use crate::grammar::value::{is_digit_like, is_separator};

/// Digits of an authentication code that stands without its `*`.
const BARE_CODE_DIGITS: std::ops::RangeInclusive<usize> = 4..=8;
/// Digits after a `*` that are taken for an authentication code, right or wrong.
const CODE_MAX: usize = 20;

/// What may follow the observer code: an authentication code, `!`, and `X` with a serial where the
/// checklist has them; the code before or after these. `bare`: it may lack its `*`.
pub(super) fn tail(book: &Book, text: &str, from: usize, bare: bool) -> Sender {
    let none = Sender { observer: None, mended: 0, incident: false, serial: None, code: None, body: from };
    let next = text.as_bytes().get(from..).and_then(|rest| rest.iter().find(|b| !is_separator(**b)));
    if !bare && !book.checklist.serial && !matches!(next, Some(b'!' | b'*')) {
        return none;
    }
    let separators = |input| take_while(|c: char| u8::try_from(c).is_ok_and(is_separator)).parse(input);
    let mark = |input| recognize((separators, one::<_, nom::error::Error<&str>>('!'))).parse(input);
    let mut code = auth_code(text, from, bare);
    let start = text.get(code.map_or(from, |(_, end)| end)..).unwrap_or_default();
    let Ok((mut rest, marks)) = many0_count(mark).parse(start) else { return none };
    let mut serial = None;
    if book.checklist.serial
        && let Ok((after, _)) = (separators, one::<_, nom::error::Error<&str>>('X'), opt(separators)).parse(rest)
    {
        let length = after.bytes().take_while(|b| b.is_ascii_digit()).count();
        if length > 0 {
            let start = text.len() - after.len();
            serial = Some((start, start + length));
            rest = after.get(length..).unwrap_or_default();
        }
    }
    let mut body = text.len() - rest.len();
    if code.is_none() && (marks > 0 || serial.is_some()) {
        code = auth_code(text, body, bare);
        body = code.map_or(body, |(_, end)| end);
    }
    Sender { incident: marks > 0, serial, code, body, ..none }
}

/// An authentication code, separators before it: after a `*` digits, or more such signs in place of digits
/// that are not shown; `bare`: also digits alone that stand apart.
fn auth_code(text: &str, from: usize, bare: bool) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let run = |at: usize, of: fn(u8) -> bool| {
        bytes.get(at..).unwrap_or_default().iter().take(CODE_MAX).take_while(|b| of(**b)).count()
    };
    let at = from + run(from, is_separator);
    if bytes.get(at) == Some(&b'*') {
        let hidden = run(at + 1, |b| b == b'*');
        if hidden > 0 {
            return Some((at + 1, at + 1 + hidden));
        }
        let at = at + 1 + run(at + 1, is_separator);
        let (digits, alike) = (run(at, |b| b.is_ascii_digit()), run(at, is_digit_like));
        // `*47I1`: a letter is mended where digits alone would be too few.
        let length = if digits < *BARE_CODE_DIGITS.start() && alike > 1 { alike } else { digits };
        let some = bytes.get(at..at + length).unwrap_or_default().iter().any(u8::is_ascii_digit);
        return some.then_some((at, at + length));
    }
    let digits = run(at, |b| b.is_ascii_digit());
    // `7391.5` is no code, nor is what a letter follows that may be a digit.
    let ends = bytes.get(at + digits).is_none_or(|b| !is_digit_like(*b) && !matches!(b, b'.' | b',' | b':'));
    (bare && at > from && BARE_CODE_DIGITS.contains(&digits) && ends).then_some((at, at + digits))
}
