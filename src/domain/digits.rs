//! A number of digits that stands for somebody: an observer code or a phone, packed into eight bytes.
//!
//! Fifty thousand observers stand in the worker's memory, and are looked up by both. Leading zeros count.

use std::fmt;

/// Digits that fit.
const LENGTH_MAX: usize = 17;

/// One to seventeen digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digits(u64);

impl Digits {
    /// `None` for what is no digits, or too many.
    pub fn new(text: &str) -> Option<Self> {
        if !(1..=LENGTH_MAX).contains(&text.len()) {
            return None;
        }
        let mut number = 0u64;
        for byte in text.bytes() {
            number = number * 10 + u64::from(byte.is_ascii_digit().then(|| byte - b'0')?);
        }
        Some(Self((text.len() as u64) << 57 | number))
    }

    /// How many there are.
    pub fn length(self) -> usize {
        usize::try_from(self.0 >> 57).unwrap_or(LENGTH_MAX)
    }
}

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0width$}", self.0 & ((1 << 57) - 1), width = self.length())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_come_back_as_they_were_with_leading_zeros() {
        for text in ["0", "007", "123456", "255700000000", "99999999999999999"] {
            let digits = Digits::new(text).unwrap();
            assert_eq!((digits.to_string().as_str(), digits.length()), (text, text.len()));
        }
        assert_ne!(Digits::new("7"), Digits::new("07"));
        for text in ["", "12a", "+25", "123456789012345678"] {
            assert_eq!(Digits::new(text), None, "{text}");
        }
    }
}
