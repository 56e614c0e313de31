//! Which way a text runs.

use serde::Deserialize;

/// Direction of a text or page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Left to right.
    Ltr,
    /// Right to left.
    Rtl,
}

impl Direction {
    /// As HTML's `dir` has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ltr => "ltr",
            Self::Rtl => "rtl",
        }
    }

    /// The direction of a text's first letter (Unicode Bidirectional Algorithm, rule P2); `None` when it has none.
    pub fn of(text: &str) -> Option<Self> {
        text.chars().find_map(|c| match c {
            '\u{590}'..='\u{8FF}'
            | '\u{FB1D}'..='\u{FDFF}'
            | '\u{FE70}'..='\u{FEFC}'
            | '\u{10800}'..='\u{10FFF}'
            | '\u{1E800}'..='\u{1EFFF}'
                if c.is_alphabetic() =>
            {
                Some(Self::Rtl)
            }
            c if c.is_alphabetic() => Some(Self::Ltr),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_letter_decides() {
        assert_eq!(Direction::of("3 كم PS"), Some(Direction::Rtl));
        assert_eq!(Direction::of("PS كم"), Some(Direction::Ltr));
        assert_eq!(Direction::of("שלום"), Some(Direction::Rtl));
        assert_eq!(Direction::of("12, ٣"), None);
    }
}
