//! An exact decimal number, as answers have it.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Digits before the point and after it that a decimal may have.
const WHOLE_DIGITS_MAX: usize = 15;
/// See [`WHOLE_DIGITS_MAX`].
const FRACTION_DIGITS_MAX: usize = 6;

/// An exact decimal: up to 15 digits before the point and 6 after it. Written without zeros that say
/// nothing, so that equal numbers are written alike; in JSON a string, and a number is read too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "String")]
pub struct Decimal {
    millionths: i128,
}

/// A decimal as it may stand in JSON.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Number(serde_json::Number),
}

/// A text that is no decimal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no decimal number: write digits, a point and at most 6 digits, as in 12.5")]
pub struct NoDecimal(String);

impl Decimal {
    /// Its negative.
    #[must_use]
    pub fn negated(self) -> Self {
        Self { millionths: -self.millionths }
    }
}

impl FromStr for Decimal {
    type Err = NoDecimal;

    fn from_str(text: &str) -> Result<Self, NoDecimal> {
        let wrong = || NoDecimal(text.to_owned());
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if !plain(whole) || !plain(fraction) || whole.is_empty() || digits.ends_with('.') {
            return Err(wrong());
        }
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        if whole.len() > WHOLE_DIGITS_MAX || fraction.len() > FRACTION_DIGITS_MAX {
            return Err(wrong());
        }
        let millionths: i128 = format!("0{whole}{fraction:0<FRACTION_DIGITS_MAX$}").parse().map_err(|_| wrong())?;
        Ok(Self { millionths: if negative { -millionths } else { millionths } })
    }
}

impl TryFrom<Written> for Decimal {
    type Error = NoDecimal;

    fn try_from(written: Written) -> Result<Self, NoDecimal> {
        match written {
            Written::Text(text) => text.parse(),
            Written::Number(number) => number.to_string().parse(),
        }
    }
}

impl From<Decimal> for String {
    fn from(decimal: Decimal) -> Self {
        decimal.to_string()
    }
}

impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.millionths < 0 { "-" } else { "" };
        let (whole, fraction) =
            (self.millionths.unsigned_abs() / 1_000_000, self.millionths.unsigned_abs() % 1_000_000);
        if fraction == 0 {
            return write!(f, "{sign}{whole}");
        }
        let fraction = format!("{fraction:06}");
        write!(f, "{sign}{whole}.{}", fraction.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_are_written_alike() {
        let written = |text: &str| text.parse::<Decimal>().map(|d| d.to_string()).ok();
        assert_eq!(written("007.50").as_deref(), Some("7.5"));
        assert_eq!(written("-0.000001").as_deref(), Some("-0.000001"));
        assert_eq!(written("999999999999999.999999").as_deref(), Some("999999999999999.999999"));
        assert_eq!(written("-0").as_deref(), Some("0"));
        for wrong in ["", "1.", ".5", "1.2.3", "1,5", "1e3", "1.0000001", "1000000000000000"] {
            assert_eq!(written(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn json_has_it_as_text_and_takes_a_number() {
        let read: Vec<Decimal> = serde_json::from_str(r#"["1.50", 1.5, 2]"#).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), r#"["1.5","1.5","2"]"#);
    }
}
