//! Numbers, shares and times as people read them.

use std::fmt;

use askama::filters::HtmlSafe;
use time::macros::format_description;

use crate::store::pages::Moment;

/// A whole number of any kind; templates hand over references too.
pub(super) trait Whole {
    /// As `i64`; what does not fit is the greatest.
    fn whole(self) -> i64;
}

macro_rules! whole {
    ($($kind:ty),*) => {$(
        impl Whole for $kind {
            fn whole(self) -> i64 {
                i64::try_from(self).unwrap_or(i64::MAX)
            }
        }
    )*};
}
whole!(i16, i32, i64, u32, usize);

impl<T: Whole + Copy> Whole for &T {
    fn whole(self) -> i64 {
        (*self).whole()
    }
}

/// `1,500`.
pub(super) fn num(n: impl Whole) -> String {
    let n = n.whole();
    let digits = n.unsigned_abs().to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if n < 0 {
        out.push('−');
    }
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// `62.4%`; a share that is not quite all or nothing is never shown as 100% or 0%; `–` of nothing.
pub(super) fn share(part: impl Whole, whole: impl Whole) -> String {
    let (part, whole) = (part.whole(), whole.whole());
    if whole <= 0 {
        return "–".to_owned();
    }
    let tenths = (part as i128 * 1000 + whole as i128 / 2) / whole as i128;
    let tenths = match tenths {
        1000.. if part < whole => 999,
        0 if part > 0 => 1,
        t => t,
    };
    match tenths {
        0 => "0%".to_owned(),
        t if t % 1000 == 0 => format!("{}%", t / 10),
        t => format!("{}.{}%", t / 10, t % 10),
    }
}

/// `<time>` in the election's own time, the instant in its attribute.
#[derive(Debug, Clone, Copy)]
pub(super) struct Time(Moment, bool);

/// Day and time to the second.
pub(super) fn time(moment: &Moment) -> Time {
    Time(*moment, true)
}

/// Day and time to the minute.
pub(super) fn minute(moment: &Moment) -> Time {
    Time(*moment, false)
}

/// `14:05`, or with its day.
pub(super) fn clock(moment: &Moment, day: bool) -> String {
    let kind = if day {
        format_description!("[day padding:none] [month repr:short] [hour]:[minute]")
    } else {
        format_description!("[hour]:[minute]")
    };
    moment.local.format(kind).unwrap_or_default()
}

/// `1 Feb 2026`.
pub(super) fn date(moment: &Moment) -> String {
    moment.local.format(format_description!("[day padding:none] [month repr:short] [year]")).unwrap_or_default()
}

/// `1 Feb`.
pub(super) fn day(moment: &Moment) -> String {
    moment.local.format(format_description!("[day padding:none] [month repr:short]")).unwrap_or_default()
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(moment, seconds) = self;
        let utc = moment
            .at
            .to_offset(time::UtcOffset::UTC)
            .format(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z"))
            .map_err(|_| fmt::Error)?;
        let local = if *seconds {
            moment
                .local
                .format(format_description!("[day padding:none] [month repr:short] [year], [hour]:[minute]:[second]"))
        } else {
            moment.local.format(format_description!("[day padding:none] [month repr:short] [year], [hour]:[minute]"))
        };
        write!(f, "<time datetime=\"{utc}\">{}</time>", local.map_err(|_| fmt::Error)?)
    }
}

impl HtmlSafe for Time {}

/// `3 min`, `2 h 5 min`, `4 days`.
pub(super) fn age(seconds: impl Whole) -> String {
    match seconds.whole().max(0) {
        s @ 0..60 => format!("{s} s"),
        s @ 60..3_600 => format!("{} min", s / 60),
        s @ 3_600..172_800 => format!("{} h {} min", s / 3_600, s % 3_600 / 60),
        s => format!("{} days", s / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!([0i64, 999, 1000, -1_234_567].map(num), ["0", "999", "1,000", "−1,234,567"]);
    }

    #[test]
    fn a_share_is_never_rounded_to_all_or_nothing() {
        assert_eq!(share(0i64, 540i64), "0%");
        assert_eq!(share(1i64, 5000i64), "0.1%");
        assert_eq!(share(4999i64, 5000i64), "99.9%");
        assert_eq!(share(5000i64, 5000i64), "100%");
        assert_eq!(share(337i64, 540i64), "62.4%");
        assert_eq!(share(0i64, 0i64), "–");
    }
}
