//! How much room a text takes in a short message, and spellings that take less.

use std::borrow::Cow;

use crate::text::gsm7;
use crate::text::segments::{Alphabet, Sending, fits};

/// Length of a text in both alphabets. Lengths are added, so that a reply is measured before it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Length {
    septets: u32,
    units: u32,
    /// GSM 7-bit holds it.
    plain: bool,
    /// Some characters take two septets or units, which are not cut apart.
    pairs: bool,
}

impl Default for Length {
    fn default() -> Self {
        Self { septets: 0, units: 0, plain: true, pairs: false }
    }
}

/// Septets of each ASCII character; 0 where the alphabet lacks it.
const ASCII_SEPTETS: [u8; 128] = {
    let mut septets = [1; 128];
    let mut i = 0;
    while i < septets.len() {
        septets[i] = match i as u8 {
            b'\n' | b'\r' | b' '..=b'Z' | b'_' | b'a'..=b'z' => 1,
            0x0C | b'^' | b'{' | b'}' | b'\\' | b'[' | b'~' | b']' | b'|' => 2,
            _ => 0,
        };
        i += 1;
    }
    septets
};

impl Length {
    /// Of one blank.
    pub(super) const SPACE: Self = Self { septets: 1, units: 1, plain: true, pairs: false };

    pub(super) fn of(text: &str) -> Self {
        let units = u32::try_from(text.len()).unwrap_or(u32::MAX);
        // Letters, digits and common marks, which most texts are: looked at many at a time.
        let one = |b: u8| (b' '..=b'Z').contains(&b) | b.is_ascii_lowercase();
        if text.bytes().fold(true, |all, b| all & one(b)) {
            return Self { septets: units, units, ..Self::default() };
        }
        if text.is_ascii() {
            let mut length = Self { units, ..Self::default() };
            for byte in text.bytes() {
                let septets = ASCII_SEPTETS.get(usize::from(byte)).copied().unwrap_or(0);
                length.septets += u32::from(septets);
                length.plain &= septets > 0;
                length.pairs |= septets > 1;
            }
            return length;
        }
        let mut length = Self::default();
        for c in text.chars() {
            let septets = match ASCII_SEPTETS.get(c as usize) {
                Some(septets) => u32::from(*septets),
                None => gsm7::septets(c).map_or(0, |(escape, _)| 1 + u32::from(escape.is_some())),
            };
            length.septets += septets;
            length.plain &= septets > 0;
            length.pairs |= septets > 1 || c.len_utf16() > 1;
            length.units += u32::try_from(c.len_utf16()).unwrap_or(2);
        }
        length
    }

    #[must_use]
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            septets: self.septets + other.septets,
            units: self.units + other.units,
            plain: self.plain && other.plain,
            pairs: self.pairs || other.pairs,
        }
    }

    /// As long as the longer of both, in either alphabet.
    #[must_use]
    pub(super) fn longer(self, other: Self) -> Self {
        Self {
            septets: self.septets.max(other.septets),
            units: self.units.max(other.units),
            plain: self.plain && other.plain,
            pairs: self.pairs || other.pairs,
        }
    }

    #[must_use]
    pub(super) fn times(self, n: usize) -> Self {
        let n = u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            septets: self.septets.saturating_mul(n),
            units: self.units.saturating_mul(n),
            plain: self.plain || n == 0,
            pairs: self.pairs && n > 0,
        }
    }

    /// As part of this text, which may need the larger alphabet.
    #[must_use]
    pub(super) fn in_alphabet_of(self, text: &str) -> Self {
        Self { plain: self.plain && Self::of(text).plain, ..self }
    }

    fn alphabet(self) -> (u32, Alphabet) {
        if self.plain { (self.septets, Alphabet::Gsm7) } else { (self.units, Alphabet::Ucs2) }
    }

    /// Does it fit so many segments, as the gateway will cut it?
    pub(super) fn fits(self, segments: u32) -> bool {
        let (length, alphabet) = self.alphabet();
        fits(alphabet, length as usize, self.pairs, segments.max(1) as usize)
    }

    /// Length in the smallest alphabet that holds it, and the room of one segment.
    pub(super) fn of_one_segment(self) -> (u32, u32) {
        let (length, alphabet) = self.alphabet();
        let (one, _) = Sending::default().room(alphabet);
        (length, u32::try_from(one).unwrap_or(0))
    }
}

/// The text in letters of the GSM alphabet, where each of its letters has one that reads the same or is
/// its base letter; else as it is. One curly apostrophe would more than halve a reply's room.
pub(super) fn spelled(text: &str) -> Cow<'_, str> {
    if text.is_ascii() && !text.contains('`') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if gsm7::septets(c).is_some() {
            out.push(c);
            continue;
        }
        match plain(c) {
            Some(plain) => out.push_str(plain),
            None => return Cow::Borrowed(text),
        }
    }
    Cow::Owned(out)
}

fn plain(c: char) -> Option<&'static str> {
    Some(match c {
        '\u{2018}' | '\u{2019}' | '\u{201B}' | '\u{2032}' | '\u{02BC}' | '\u{B4}' | '`' => "'",
        '\u{201C}' | '\u{201D}' | '\u{201E}' | '\u{AB}' | '\u{BB}' | '\u{2033}' => "\"",
        '\u{2010}'..='\u{2015}' | '\u{2212}' => "-",
        '\u{2026}' => "...",
        '\u{A0}' | '\u{202F}' | '\u{2009}' | '\t' => " ",
        '\u{200B}'..='\u{200F}' | '\u{FEFF}' | '\u{AD}' => "",
        '\u{2022}' | '\u{B7}' => "*",
        '\u{D7}' => "x",
        // What came and can't be read.
        char::REPLACEMENT_CHARACTER => "?",
        'á' | 'â' | 'ã' | 'ā' | 'ă' | 'ą' | 'ª' => "a",
        'Á' | 'Â' | 'Ã' | 'À' | 'Ā' => "A",
        'ç' | 'ć' | 'č' => "c",
        'Ć' | 'Č' => "C",
        'ê' | 'ë' | 'ē' | 'ę' | 'ě' => "e",
        'È' | 'Ê' | 'Ë' | 'Ē' => "E",
        'í' | 'î' | 'ï' | 'ī' | 'ı' => "i",
        'Ì' | 'Í' | 'Î' | 'Ï' | 'İ' => "I",
        'ó' | 'ô' | 'õ' | 'ō' | 'º' => "o",
        'Ò' | 'Ó' | 'Ô' | 'Õ' | 'Ō' => "O",
        'ú' | 'û' | 'ū' => "u",
        'Ù' | 'Ú' | 'Û' | 'Ū' => "U",
        'ý' | 'ÿ' => "y",
        'œ' => "oe",
        'Œ' => "OE",
        'š' | 'ş' => "s",
        'Š' | 'Ş' => "S",
        'ž' | 'ż' => "z",
        'Ž' => "Z",
        'ł' => "l",
        'ń' => "n",
        'ğ' => "g",
        'đ' => "d",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::segments::measure;

    #[test]
    fn lengths_agree_with_what_is_sent() {
        for n in [1, 69, 70, 71, 152, 159, 160, 161, 300] {
            for text in ["a".repeat(n), "é€"[..].repeat(n / 2), "م".repeat(n), format!("{}ç", "a".repeat(n - 1))] {
                let segments = u32::try_from(measure(&text).segments).unwrap();
                assert_eq!(Length::of(&text).fits(1), segments == 1, "{n}");
                for more in 2..=3 {
                    assert!(
                        !Length::of(&text).fits(more) || segments <= more,
                        "{n}: said to fit {more}, takes {segments}"
                    );
                }
            }
        }
    }

    #[test]
    fn ascii_is_as_long_as_the_alphabet_says() {
        for c in (0..128u8).map(char::from) {
            let septets = gsm7::septets(c).map(|(escape, _)| 1 + u32::from(escape.is_some()));
            let pairs = septets == Some(2);
            let expected = Length { septets: septets.unwrap_or(0), units: 1, plain: septets.is_some(), pairs };
            assert_eq!(Length::of(&c.to_string()), expected, "{c:?}");
        }
    }

    #[test]
    fn a_letter_that_the_alphabet_lacks_is_spelled_with_one_that_it_has() {
        assert_eq!(spelled("l\u{2019}été déjà reçu… São «ok»"), "l'été déjà recu... Sao \"ok\"");
        assert_eq!(spelled("شكرا، l\u{2019}été"), "شكرا، l\u{2019}été", "no spelling helps here");
    }
}
