//! Clean-up of a text before it is read, with a map back to the text as it came.
//!
//! What it does: Unicode NFKC, marks of direction and of no width dropped, every script's decimal
//! digits as ASCII, look-alikes of Latin capitals as those, upper case. Letter/digit mix-ups are not
//! its affair: whether an `O` is a zero only the grammar knows.
//!
//! Invariants: [`Clean::text`] is what the grammar reads, and every byte of it knows the byte of the
//! raw text that it came from, so that comment and leftovers can be quoted as they were sent. A
//! character that is no letter, digit, separator or mark of the grammar is [`JUNK`].

use unicode_normalization::char::canonical_combining_class;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};

/// Stands for a character that means nothing to the grammar.
pub(super) const JUNK: char = '~';

/// Zeros of the scripts that have decimal digits and that NFKC leaves as they are.
const ZEROS: [u32; 68] = [
    0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50, 0xed0, 0xf20,
    0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0,
    0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0x104a0, 0x10d30, 0x10d40, 0x11066, 0x110f0, 0x11136, 0x111d0, 0x112f0,
    0x11450, 0x114d0, 0x11650, 0x116c0, 0x116d0, 0x116da, 0x11730, 0x118e0, 0x11950, 0x11bf0, 0x11c50, 0x11d50,
    0x11da0, 0x11de0, 0x11f50, 0x16130, 0x16a60, 0x16ac0, 0x16b50, 0x16d70, 0x1e140, 0x1e2f0, 0x1e4f0, 0x1e5f1,
    0x1e950,
];

/// A text ready to be read.
#[derive(Debug, Clone, Default)]
pub(super) struct Clean {
    /// Upper case; ASCII, and letters of other scripts.
    pub text: String,
    /// For each byte of `text` the byte of the raw text where its character begins, and one more for
    /// the end; empty where each byte came from its own place.
    at: Vec<u32>,
    /// Raw characters that were replaced by the Latin letter or digit they look like or stand for.
    pub look_alikes: String,
}

impl Clean {
    /// Cleans a text.
    pub(super) fn new(raw: &str) -> Self {
        Self::reusing(String::new(), raw)
    }

    /// Cleans a text into the memory of an earlier one.
    pub(super) fn reusing(mut text: String, raw: &str) -> Self {
        text.clear();
        if raw.is_ascii() {
            let control = |b: u8| (b < b' ') & (b != b'\t') & (b != b'\n') & (b != b'\r') | (b == 0x7F);
            if raw.bytes().fold(false, |any, b| any | control(b)) {
                text.extend(raw.chars().map(fold));
            } else {
                text.push_str(raw);
                text.make_ascii_uppercase();
            }
            return Self { text, ..Self::default() };
        }
        text.reserve(raw.len());
        let mut out = Self { text, at: Vec::with_capacity(raw.len() + 1), look_alikes: String::new() };
        let mut rest = raw.char_indices().peekable();
        let mut cluster = String::new();
        while let Some((start, c)) = rest.next() {
            if c.is_ascii() && rest.peek().is_none_or(|(_, next)| next.is_ascii()) {
                out.push(fold(c), start);
                continue;
            }
            if let Some(digit) = raised(c) {
                // No more a digit of the number before it than a sign is.
                out.push(JUNK, start);
                out.push(digit, start);
                continue;
            }
            if rest.peek().is_none_or(|(_, next)| canonical_combining_class(*next) == 0)
                && is_nfkc_quick(std::iter::once(c)) == IsNormalized::Yes
            {
                out.push_unicode(c, start);
                continue;
            }
            // A character with its combining marks is normalised as one.
            cluster.clear();
            cluster.push(c);
            while let Some((_, mark)) = rest.next_if(|(_, next)| canonical_combining_class(*next) != 0) {
                cluster.push(mark);
            }
            for c in cluster.nfkc() {
                out.push_unicode(c, start);
            }
        }
        out.at.push(u32::try_from(raw.len()).unwrap_or(u32::MAX));
        out
    }

    fn push(&mut self, c: char, start: usize) {
        let start = u32::try_from(start).unwrap_or(u32::MAX);
        self.text.push(c);
        self.at.extend(std::iter::repeat_n(start, c.len_utf8()));
    }

    fn push_unicode(&mut self, c: char, start: usize) {
        if c.is_ascii() {
            return self.push(fold(c), start);
        }
        if is_invisible(c) {
            return;
        }
        if let Some(digit) = decimal(c) {
            return self.push(digit, start);
        }
        let mut upper = c.to_uppercase();
        let upper = match (upper.next(), upper.next()) {
            (Some(one), None) => one,
            _ => c,
        };
        if upper.is_ascii() {
            return self.push(upper, start);
        }
        if let Some(latin) = look_alike(upper) {
            self.look_alikes.push(c);
            return self.push(latin, start);
        }
        match punctuation(c) {
            Some(ascii) => self.push(ascii, start),
            None if upper.is_alphanumeric() || canonical_combining_class(c) != 0 => self.push(upper, start),
            None if c.is_whitespace() || c.is_control() => self.push(' ', start),
            None => self.push(JUNK, start),
        }
    }

    /// The byte of the raw text that a byte of the clean text came from.
    pub(super) fn raw_at(&self, at: usize) -> usize {
        self.at.get(at).or(self.at.last()).map_or(at.min(self.text.len()), |&i| i as usize)
    }

    /// The first byte of the clean text that came from this byte of the raw text or a later one.
    pub(super) fn clean_at(&self, raw: usize) -> usize {
        if self.at.is_empty() {
            return raw.min(self.text.len());
        }
        self.at.partition_point(|&i| (i as usize) < raw).min(self.text.len())
    }

    /// What was sent where the clean text has `from..to`, without blanks around it.
    pub(super) fn quote<'a>(&self, raw: &'a str, from: usize, to: usize) -> &'a str {
        raw.get(self.raw_at(from)..self.raw_at(to)).unwrap_or_default().trim()
    }
}

/// Upper case, and blanks for control characters.
fn fold(c: char) -> char {
    match c {
        '\t' | '\n' | '\r' => c,
        c if c.is_ascii_control() => ' ',
        c => c.to_ascii_uppercase(),
    }
}

/// Zero-width characters, marks of direction, the stroke that stretches Arabic words, its vowel marks: what
/// shows nothing or changes no word.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{640}' | '\u{64B}'..='\u{652}' | '\u{670}' | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{20E3}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E01EF}')
}

/// A digit above or below the line.
fn raised(c: char) -> Option<char> {
    let digit = match c {
        '\u{B9}' => 1,
        '\u{B2}' | '\u{B3}' => u32::from(c) - 0xB0,
        '\u{2070}' | '\u{2074}'..='\u{2079}' | '\u{2080}'..='\u{2089}' => u32::from(c) & 0xF,
        _ => return None,
    };
    char::from_digit(digit, 10)
}

/// A decimal digit of another script, as ASCII.
fn decimal(c: char) -> Option<char> {
    let code = u32::from(c);
    let zero = *ZEROS.get(ZEROS.partition_point(|z| *z <= code).checked_sub(1)?)?;
    char::from_digit(code - zero, 10)
}

/// The Latin capital that a Cyrillic or Greek capital looks like.
fn look_alike(c: char) -> Option<char> {
    Some(match c {
        'А' | 'Α' => 'A',
        'В' | 'Β' => 'B',
        'С' | 'Ϲ' => 'C',
        'Е' | 'Ε' => 'E',
        'Ԍ' => 'G',
        'Н' | 'Η' => 'H',
        'І' | 'Ӏ' | 'Ι' => 'I',
        'Ј' => 'J',
        'К' | 'Κ' => 'K',
        'М' | 'Μ' => 'M',
        'Ν' => 'N',
        'О' | 'Ο' => 'O',
        'Р' | 'Ρ' => 'P',
        'Ԛ' => 'Q',
        'Ѕ' => 'S',
        'Т' | 'Τ' => 'T',
        'Ѵ' => 'V',
        'Ԝ' => 'W',
        'Х' | 'Χ' => 'X',
        'У' | 'Υ' | 'Ү' => 'Y',
        'Ζ' => 'Z',
        _ => return None,
    })
}

/// What other scripts and phones write for our separators.
fn punctuation(c: char) -> Option<char> {
    Some(match c {
        '،' | '٬' | '、' | '‚' => ',',
        '؛' => ';',
        '٫' | '。' | '·' | '•' => '.',
        '‐' | '‑' | '‒' | '–' | '—' | '―' | '−' => '-',
        '⁄' | '∕' => '/',
        '٭' | '×' | '∗' => '*',
        '’' | '‘' => '\'',
        '¡' => '!',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn clean(raw: &str) -> String {
        Clean::new(raw).text
    }

    #[test]
    fn digits_of_every_script_become_ascii() {
        assert_eq!(clean("٠١٩ ۴ १ ๓ ５ ④ 𝟗"), "019 4 1 3 5 4 9");
    }

    #[test]
    fn look_alikes_become_latin_and_are_noted() {
        let clean = Clean::new("ХАр1");
        assert_eq!((clean.text.as_str(), clean.look_alikes.as_str()), ("XAP1", "ХАр"));
    }

    #[test]
    fn marks_of_direction_and_of_no_width_are_dropped() {
        assert_eq!(clean("\u{200F}PS\u{200B}12\u{202C}\u{FEFF}"), "PS12");
    }

    #[test]
    fn quotes_are_from_the_text_as_it_came() {
        let raw = "é ＸＡ１ e\u{301}t";
        let clean = Clean::new(raw);
        let from = clean.text.find("XA1").unwrap();
        assert_eq!(clean.quote(raw, from, from + 3), "ＸＡ１");
        assert_eq!(clean.quote(raw, from + 4, clean.text.len()), "e\u{301}t");
    }

    proptest! {
        #[test]
        fn any_text_is_cleaned_and_maps_back(raw in "\\PC{0,60}") {
            let clean = Clean::new(&raw);
            prop_assert!(raw.is_ascii() || clean.at.len() == clean.text.len() + 1);
            prop_assert!(clean.at.is_sorted());
            for (i, _) in clean.text.char_indices() {
                prop_assert!(raw.is_char_boundary(clean.raw_at(i)));
            }
        }

        #[test]
        fn ascii_keeps_its_places(raw in "[ -~]{0,60}") {
            prop_assert_eq!(clean(&raw), raw.to_ascii_uppercase());
        }
    }
}
