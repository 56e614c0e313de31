//! A text cut into the short messages that carry it, in the smallest alphabet that holds it.
//!
//! Invariants: an escape and its septet, and the two halves of a surrogate pair, are never cut apart;
//! the segments' texts joined are the text.

use super::{gsm7, udh};
use crate::domain::alphabet::DefaultAlphabet;

/// Septets of a GSM 7-bit text of one segment, and of each of several.
const GSM7_UNITS: (usize, usize) = (160, 153);
/// Units of a UCS2 text of one segment, and of each of several.
const UCS2_UNITS: (usize, usize) = (70, 67);

/// The alphabet that a text is sent in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Alphabet {
    /// GSM 7-bit default alphabet (`data_coding` 0).
    Gsm7,
    /// UCS2 (`data_coding` 8).
    Ucs2,
}

impl Alphabet {
    fn units(self) -> (usize, usize) {
        match self {
            Self::Gsm7 => GSM7_UNITS,
            Self::Ucs2 => UCS2_UNITS,
        }
    }

    /// Units that a character takes: septets, or 16-bit units.
    fn cost(self, c: char) -> usize {
        match self {
            Self::Gsm7 => gsm7::septets(c).map_or(1, |(escape, _)| 1 + usize::from(escape.is_some())),
            Self::Ucs2 => c.len_utf16(),
        }
    }
}

/// One short message, ready for `submit_sm`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// `data_coding`.
    pub data_coding: u8,
    /// `short_message` begins with a user data header: set `esm_class`'s UDHI bit.
    pub udhi: bool,
    /// `short_message`, at most 160 bytes.
    pub short_message: Vec<u8>,
}

/// How much room a text takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measure {
    /// The smallest alphabet that holds it.
    pub alphabet: Alphabet,
    /// Segments.
    pub segments: usize,
    /// Units free in the last segment: septets, or 16-bit units.
    pub units_left: usize,
}

/// Why a text cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SegmentsError {
    /// It takes more segments than are allowed.
    #[error("the text takes {segments} segments and {max} are allowed: shorten it")]
    TooLong {
        /// Segments that it takes.
        segments: usize,
        /// Segments that are allowed.
        max: usize,
    },
}

/// The smallest alphabet that holds a text.
pub fn alphabet(text: &str) -> Alphabet {
    if text.chars().all(|c| gsm7::septets(c).is_some()) { Alphabet::Gsm7 } else { Alphabet::Ucs2 }
}

/// How much room a text takes.
pub fn measure(text: &str) -> Measure {
    let alphabet = alphabet(text);
    let (single, _) = alphabet.units();
    let units: usize = text.chars().map(|c| alphabet.cost(c)).sum();
    if units <= single {
        return Measure { alphabet, segments: 1, units_left: single - units };
    }
    let (segments, units_left) = cuts(text, alphabet).fold((0, 0), |(n, _), (_, left)| (n + 1, left));
    Measure { alphabet, segments, units_left }
}

/// Parts of a text of several segments, with the units free in each.
fn cuts(text: &str, alphabet: Alphabet) -> impl Iterator<Item = (&str, usize)> {
    let (_, each) = alphabet.units();
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut left = each;
        let mut end = rest.len();
        for (at, c) in rest.char_indices() {
            match left.checked_sub(alphabet.cost(c)) {
                Some(after) => left = after,
                None => {
                    end = at;
                    break;
                }
            }
        }
        let (part, after) = rest.split_at(end);
        rest = after;
        Some((part, left))
    })
}

/// Cuts a text for a link whose `data_coding` 0 is the GSM 7-bit alphabet.
///
/// # Errors
/// [`SegmentsError::TooLong`] when it takes more than `max_segments` (at most 255).
pub fn split(text: &str, reference: u8, max_segments: usize) -> Result<Vec<Segment>, SegmentsError> {
    split_for(DefaultAlphabet::Gsm7, text, reference, max_segments)
}

/// Cuts a text for a link, by what `data_coding` 0 means there. Where that is not GSM 7-bit, a text
/// with characters that both alphabets do not share goes as UCS2.
///
/// # Errors
/// As [`split`].
pub fn split_for(
    default: DefaultAlphabet,
    text: &str,
    reference: u8,
    max_segments: usize,
) -> Result<Vec<Segment>, SegmentsError> {
    let alphabet = match (alphabet(text), default) {
        (Alphabet::Gsm7, DefaultAlphabet::Ascii | DefaultAlphabet::Utf8) if !text.is_ascii() => Alphabet::Ucs2,
        (Alphabet::Gsm7, DefaultAlphabet::Latin1) if text.chars().any(|c| u32::from(c) > 0xFF) => Alphabet::Ucs2,
        (alphabet, _) => alphabet,
    };
    let encode = |part: &str, header: &[u8]| {
        let mut short_message = header.to_vec();
        match (alphabet, default) {
            // Every character has septets, or `alphabet` would be UCS2.
            (Alphabet::Gsm7, DefaultAlphabet::Gsm7) => {
                short_message.extend(gsm7::encode(part).unwrap_or_default());
            }
            (Alphabet::Gsm7, _) => short_message.extend(part.chars().map(|c| c as u8)),
            (Alphabet::Ucs2, _) => short_message.extend(part.encode_utf16().flat_map(u16::to_be_bytes)),
        }
        let data_coding = if alphabet == Alphabet::Gsm7 { 0 } else { 8 };
        Segment { data_coding, udhi: !header.is_empty(), short_message }
    };
    let (single, _) = alphabet.units();
    if text.chars().map(|c| alphabet.cost(c)).sum::<usize>() <= single && max_segments > 0 {
        return Ok(vec![encode(text, &[])]);
    }
    let max = max_segments.min(usize::from(u8::MAX));
    let total = cuts(text, alphabet).count();
    match u8::try_from(total) {
        Ok(wanted) if total <= max => Ok((1..=wanted)
            .zip(cuts(text, alphabet))
            .map(|(part, (piece, _))| encode(piece, &udh::concat_header(reference, wanted, part)))
            .collect()),
        _ => Err(SegmentsError::TooLong { segments: total, max }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::SUBMIT_SEGMENTS_MAX;
    use crate::text::decode;
    use proptest::prelude::*;

    #[test]
    fn one_segment_holds_160_septets_or_70_units() {
        assert_eq!(split(&"a".repeat(160), 1, 10).unwrap().len(), 1);
        let two = split(&"a".repeat(161), 1, 10).unwrap();
        assert_eq!(two.iter().map(|s| s.short_message.len()).collect::<Vec<_>>(), [6 + 153, 6 + 8]);
        assert!(two.iter().all(|s| s.udhi && s.data_coding == 0));
        assert_eq!(split(&"я".repeat(70), 1, 10).unwrap().len(), 1);
        let two = split(&"я".repeat(71), 1, 10).unwrap();
        assert_eq!(two.iter().map(|s| s.short_message.len()).collect::<Vec<_>>(), [6 + 134, 6 + 8]);
    }

    #[test]
    fn an_escape_and_its_septet_stay_together() {
        let text = format!("{}€{}", "a".repeat(152), "b".repeat(20));
        let parts = split(&text, 1, 10).unwrap();
        assert_eq!(parts[0].short_message.len(), 6 + 152);
        assert_eq!(&parts[1].short_message[6..8], [0x1B, 0x65]);
    }

    #[test]
    fn a_surrogate_pair_stays_together() {
        let text = format!("{}😀{}", "я".repeat(66), "я".repeat(20));
        assert_eq!(split(&text, 1, 10).unwrap()[0].short_message.len(), 6 + 132);
    }

    #[test]
    fn more_segments_than_allowed_are_refused() {
        let text = "a".repeat(153 * SUBMIT_SEGMENTS_MAX);
        assert_eq!(split(&text, 1, SUBMIT_SEGMENTS_MAX).unwrap().len(), SUBMIT_SEGMENTS_MAX);
        let error = split(&format!("{text}a"), 1, SUBMIT_SEGMENTS_MAX).unwrap_err();
        assert_eq!(error, SegmentsError::TooLong { segments: 11, max: 10 });
    }

    #[test]
    fn a_measure_says_how_much_is_left() {
        assert_eq!(measure(""), Measure { alphabet: Alphabet::Gsm7, segments: 1, units_left: 160 });
        assert_eq!(measure("€"), Measure { alphabet: Alphabet::Gsm7, segments: 1, units_left: 158 });
        assert_eq!(measure("я"), Measure { alphabet: Alphabet::Ucs2, segments: 1, units_left: 69 });
        assert_eq!(measure(&"a".repeat(161)), Measure { alphabet: Alphabet::Gsm7, segments: 2, units_left: 145 });
    }

    #[test]
    fn a_link_with_another_default_alphabet_gets_its_bytes() {
        let at = |default| split_for(default, "a@é", 1, 10).unwrap().remove(0);
        assert_eq!(at(DefaultAlphabet::Gsm7).short_message, [0x61, 0x00, 0x05]);
        assert_eq!(at(DefaultAlphabet::Latin1).short_message, [0x61, 0x40, 0xE9]);
        assert_eq!(at(DefaultAlphabet::Ascii).data_coding, 8);
    }

    proptest! {
        #[test]
        fn the_segments_joined_are_the_text(text in "([a-z€@\\[]|[я😀]){0,400}", latin in "[a-zé€@]{0,400}", which in 0usize..4) {
            let default = [DefaultAlphabet::Gsm7, DefaultAlphabet::Latin1, DefaultAlphabet::Ascii, DefaultAlphabet::Utf8][which];
            for text in [text, latin] {
                let parts = split_for(default, &text, 9, 255).unwrap();
                let mut joined = String::new();
                for part in &parts {
                    prop_assert!(part.short_message.len() <= 160);
                    let body = if part.udhi { udh::split(&part.short_message).body } else { &part.short_message[..] };
                    let decoded = decode(part.data_coding, default, body);
                    prop_assert!(!decoded.lossy);
                    joined.push_str(&decoded.text);
                }
                prop_assert_eq!(&joined, &text);
                if default == DefaultAlphabet::Gsm7 { prop_assert_eq!(measure(&text).segments, parts.len()); }
            }
        }
    }
}
