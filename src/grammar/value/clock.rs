//! Times of day: `0705`, `705`, `7:05`, `7.05`, `7h05`, `7h`, `705am`, `7 pm`, `7 p.m.`

use nom::branch::alt;
use nom::bytes::complete::take_while_m_n;
use nom::character::complete::{char as one, one_of};
use nom::combinator::{eof, opt, success, value as is};
use nom::sequence::{preceded, terminated};
use nom::{IResult, Parser};
use smallvec::SmallVec;

use super::number::{Lexeme, lexemes, whole};
use super::{Candidate, Judged, Meant, is_digit_like, is_letter, is_null, mended, push_number};
use crate::domain::report::Reason;
use crate::grammar::lexicon::Ready;

/// Exactly this many digits.
fn digits(n: usize) -> impl Fn(&str) -> IResult<&str, &str> {
    move |input: &str| take_while_m_n(n, n, |c: char| c.is_ascii_digit()).parse(input)
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

pub(super) fn times(question: &Ready, (min, max): (u16, u16), text: &[u8], from: usize, out: &mut Vec<Candidate>) {
    let at = |k: usize| text.get(k).copied().unwrap_or(0);
    lexemes(text, from, false, &mut |l| {
        let (mut end, mut letters) = (l.end, l.mended);
        if end - from <= 2 && matches!(at(end), b':' | b'.' | b'H') {
            let two = text.get(end + 1..end + 3).unwrap_or_default();
            let full = two.len() == 2 && two.iter().all(|b| is_digit_like(*b)) && !at(end + 3).is_ascii_digit();
            if full && (at(end) == b'H' || two.iter().any(u8::is_ascii_digit) || !is_letter(at(end + 3))) {
                letters += two.iter().filter(|b| is_letter(**b)).count() as u32;
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
        // `a.m.` too.
        let point = usize::from(at(end + gap + 1) == b'.');
        let half = matches!(at(end + gap), b'A' | b'P') && at(end + gap + point + 1) == b'M';
        if half && ((gap == 0 && point == 0) || !is_letter(at(end + gap + point + 2))) {
            end += gap + point + 2;
        }
        let raw = text.get(from..end).unwrap_or_default();
        let read: SmallVec<[u8; 16]> = raw.iter().map(|b| mended(*b)).collect();
        let spelled = || std::str::from_utf8(&read).ok().and_then(|read| clock(read).ok());
        let result = if broken {
            Err(Reason::Unclear)
        } else {
            match plain(&read).or_else(|| spelled().map(|(_, clock)| clock)) {
                Some(clock) => judge_time(&clock, min, max),
                None => match whole(&read) {
                    Some(n) if is_null(question, n) => Ok(Some(Meant::NotAvailable(n))),
                    _ if read.len() > 4 && read.iter().all(u8::is_ascii_digit) => Err(Reason::OutOfRange),
                    _ => Err(Reason::WrongType),
                },
            }
        };
        let result = match (&result, whole(&read)) {
            (Err(_), Some(n)) if is_null(question, n) => Ok(Some(Meant::NotAvailable(n))),
            _ => result,
        };
        push_number(text, Lexeme { end, mended: letters, grouped: false }, result, out);
    });
}

fn judge_time(clock: &Clock, min: u16, max: u16) -> Judged {
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
    Ok(Some(Meant::Time(hours * 60 + clock.minutes)))
}

/// `HH:MM`.
pub(super) fn written(minutes: u16) -> String {
    let digit = |n: u16| char::from(b'0' + u8::try_from(n % 10).unwrap_or_default());
    let (hours, minutes) = (minutes / 60, minutes % 60);
    [digit(hours / 10), digit(hours), ':', digit(minutes / 10), digit(minutes)].iter().collect()
}

/// `HHMM` and `HMM`, as most write it.
fn plain(read: &[u8]) -> Option<Clock> {
    if !(3..=4).contains(&read.len()) {
        return None;
    }
    let number = u16::try_from(whole(read)?).ok()?;
    Some(Clock { hours: number / 100, minutes: number % 100, half: None })
}
