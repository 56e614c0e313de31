//! Numbers of formulas: exact, whole or with up to six digits after the point.

use std::fmt;

/// A signed number in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Number(i128);

const ONE: i128 = 1_000_000;

impl Number {
    /// A whole number.
    pub fn whole(n: i64) -> Self {
        Self(i128::from(n) * ONE)
    }

    /// A decimal, a time `HH:MM` as minutes since midnight, a date `YYYY-MM-DD` as a number that grows
    /// with the date.
    pub fn of_text(text: &str) -> Option<Self> {
        if let Some((hours, minutes)) = text.split_once(':') {
            return Some(Self::whole(hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?));
        }
        let bytes = text.as_bytes();
        if bytes.len() == 10 && bytes.get(4) == Some(&b'-') {
            return text.replace('-', "").parse().ok().map(Self::whole);
        }
        let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() || whole.len() > 15 || fraction.len() > 6 || digits.ends_with('.') {
            return None;
        }
        if !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
            return None;
        }
        format!("{whole}{fraction:0<6}").parse::<i128>().ok().map(|n| Self(sign * n))
    }

    /// As a whole number, where it is one.
    pub fn as_whole(self) -> Option<i64> {
        (self.0 % ONE == 0).then(|| i64::try_from(self.0 / ONE).ok()).flatten()
    }

    /// The sum, where it is not too great.
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The product, where it is not too great.
    pub fn times(self, factor: i64) -> Option<Self> {
        self.0.checked_mul(i128::from(factor)).map(Self)
    }
}

impl fmt::Display for Number {
    /// `12`, `-3`, `0.5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0.abs() / ONE, self.0.abs() % ONE);
        let sign = if self.0 < 0 { "-" } else { "" };
        if rest == 0 {
            return write!(f, "{sign}{whole}");
        }
        let rest = format!("{rest:06}");
        write!(f, "{sign}{whole}.{}", rest.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact_and_written_as_people_write_them() {
        for text in ["0", "12", "-3", "0.5", "-0.25", "123456789012345.000001"] {
            assert_eq!(Number::of_text(text).unwrap().to_string(), text);
        }
        assert_eq!(Number::of_text("1.50").unwrap().to_string(), "1.5");
        assert_eq!(Number::of_text("07:30"), Some(Number::whole(450)));
        assert!(Number::of_text("2026-02-01") < Number::of_text("2026-10-01"));
        for text in ["", ".", "1.", "x", "1.1234567", "1e5"] {
            assert_eq!(Number::of_text(text), None, "{text}");
        }
    }
}
