//! Dates: `YYYYMMDD`, `YYYY-MM-DD`, and day, month and year in the election's order.

use time::{Date, Month};

use super::number::{Lexeme, lexemes, whole};
use super::{Candidate, Judged, Meant, is_digit_like, is_letter, is_null, push_number};
use crate::domain::election::DateOrder;
use crate::domain::report::Reason;
use crate::grammar::lexicon::Ready;

/// Dates at `from`.
pub(super) fn dates(
    question: &Ready,
    range: (Date, Date),
    order: DateOrder,
    text: &[u8],
    from: usize,
    out: &mut Vec<Candidate>,
) {
    let before = out.len();
    parted(range, order, text, from, out);
    if out.len() > before {
        return;
    }
    lexemes(text, from, false, &mut |l| {
        let typed = text.get(from..l.end).unwrap_or_default();
        let result = match whole(typed) {
            Some(n) if is_null(question, n) => Ok(Some(Meant::NotAvailable(n))),
            Some(n) if typed.len() == 8 => judge(range, date(n / 10_000, n / 100 % 100, n % 100)),
            _ => Err(Reason::WrongType),
        };
        push_number(text, l, result, out);
    });
}

/// Three numbers with one kind of mark between them.
fn parted(range: (Date, Date), order: DateOrder, text: &[u8], from: usize, out: &mut Vec<Candidate>) {
    let run = |at: usize| text.get(at..).unwrap_or_default().iter().take(5).take_while(|b| is_digit_like(**b)).count();
    let number = |at: usize, length: usize| {
        let typed = text.get(at..at + length).unwrap_or_default();
        typed.iter().any(u8::is_ascii_digit).then(|| whole(typed)).flatten()
    };
    let first = run(from);
    let Some(mark @ (b'/' | b'.' | b'-')) = text.get(from + first).copied() else { return };
    let second_at = from + first + 1;
    let second = run(second_at);
    let third_at = second_at + second + 1;
    let (Some(a), Some(b)) = (number(from, first), number(second_at, second)) else { return };
    if text.get(second_at + second) != Some(&mark) {
        return;
    }
    for third in 1..=run(third_at) {
        let end = third_at + third;
        let Some(c) = number(third_at, third).filter(|_| !text.get(end).is_some_and(u8::is_ascii_digit)) else {
            continue;
        };
        let result = match (first, second, third) {
            (4, 1..=2, 1..=2) => judge(range, date(a, b, c)),
            (1..=2, 1..=2, 4) => {
                let (own, other) = match order {
                    DateOrder::DayMonth => (date(c, b, a), date(c, a, b)),
                    DateOrder::MonthDay => (date(c, a, b), date(c, b, a)),
                };
                // `2/29/2028` where the day comes first: the other order would be one.
                if own.is_none() && other.is_some() { Err(Reason::Unclear) } else { judge(range, own) }
            }
            (1..=2, 1..=2, 1..=2) => Err(Reason::Unclear),
            _ => Err(Reason::WrongType),
        };
        let mended = text.get(from..end).unwrap_or_default().iter().filter(|b| is_letter(**b)).count() as u32;
        push_number(text, Lexeme { end, mended, grouped: false }, result, out);
    }
}

fn date(year: i64, month: i64, day: i64) -> Option<Date> {
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    Date::from_calendar_date(i32::try_from(year).ok()?, month, u8::try_from(day).ok()?).ok()
}

fn judge((min, max): (Date, Date), date: Option<Date>) -> Judged {
    match date {
        None => Err(Reason::WrongType),
        Some(date) if !(min..=max).contains(&date) => Err(Reason::OutOfRange),
        Some(date) => Ok(Some(Meant::Date(date))),
    }
}

/// `YYYY-MM-DD`.
pub(super) fn written(date: Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
}
