//! Bytes of a short message to text and back: alphabets, user data headers, segments.
//!
//! Decoding never fails and never yields NUL (PostgreSQL's `text` has no place for it): what cannot be
//! read becomes U+FFFD or the likeliest character, and [`Decoded::lossy`] says so. The raw bytes are
//! kept by whoever calls.

pub mod alphabets;
pub mod gsm7;
pub mod national;
pub mod segments;
pub mod ucs2;
pub mod udh;

use self::national::Shifts;
use crate::domain::alphabet::DefaultAlphabet;

/// A text with what became of it on the way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decoded {
    /// The text.
    pub text: String,
    /// Some byte had no meaning in its alphabet, or the alphabet itself was guessed.
    pub lossy: bool,
}

impl Decoded {
    fn push(&mut self, c: char) {
        if c == '\0' {
            self.lossy = true;
            self.text.push(char::REPLACEMENT_CHARACTER);
        } else {
            self.text.push(c);
        }
    }
}

/// Decodes a message's text, its user data header already [split off](udh::split), by
/// `data_coding` (SMPP 3.4 section 5.2.19, GSM 03.38 section 4) and by what 0 means on the link.
pub fn decode(data_coding: u8, default: DefaultAlphabet, bytes: &[u8]) -> Decoded {
    decode_shifted(data_coding, default, Shifts::default(), bytes)
}

/// The same where the header names national tables. They are of the GSM 7-bit alphabet: whoever names them
/// sends it, whatever the link's default is.
pub fn decode_shifted(data_coding: u8, default: DefaultAlphabet, shifts: Shifts, bytes: &[u8]) -> Decoded {
    let by_default = |default, bytes| {
        if shifts == Shifts::default() { by_default(default, bytes) } else { gsm7::decode_shifted(bytes, shifts) }
    };
    match data_coding {
        0 => by_default(default, bytes),
        1 => ascii(bytes),
        3 => latin1(bytes),
        6 => cyrillic(bytes),
        7 => hebrew(bytes),
        8 => ucs2::decode(bytes),
        // GSM 03.38's own groups, which some SMSCs hand through. Bits 3 and 2 name the alphabet.
        0x10..=0x1F | 0x40..=0x5F => match data_coding & 0x0C {
            0x00 => by_default(default, bytes),
            0x08 => ucs2::decode(bytes),
            _ => guess(bytes),
        },
        // Message waiting: stored in the default alphabet, or in UCS2.
        0xC0..=0xDF => by_default(default, bytes),
        0xE0..=0xEF => ucs2::decode(bytes),
        // Message class: bit 2 tells 8-bit data from the default alphabet.
        0xF0..=0xFF if data_coding & 0x04 == 0 => by_default(default, bytes),
        _ => guess(bytes),
    }
}

fn by_default(default: DefaultAlphabet, bytes: &[u8]) -> Decoded {
    match default {
        DefaultAlphabet::Gsm7 => gsm7::decode(bytes),
        DefaultAlphabet::Latin1 => latin1(bytes),
        DefaultAlphabet::Ascii => ascii(bytes),
        DefaultAlphabet::Utf8 => utf8(bytes),
    }
}

/// US-ASCII; a byte above 127 is taken for Latin-1 and noted.
fn ascii(bytes: &[u8]) -> Decoded {
    let mut out = latin1(bytes);
    out.lossy |= !bytes.is_ascii();
    out
}

fn latin1(bytes: &[u8]) -> Decoded {
    let mut out = Decoded { text: String::with_capacity(bytes.len()), lossy: false };
    for &byte in bytes {
        out.push(char::from(byte));
    }
    out
}

fn utf8(bytes: &[u8]) -> Decoded {
    let text = String::from_utf8_lossy(bytes);
    let mut out = Decoded { text: String::with_capacity(text.len()), lossy: std::str::from_utf8(bytes).is_err() };
    for c in text.chars() {
        out.push(c);
    }
    out
}

/// ISO-8859-5.
fn cyrillic(bytes: &[u8]) -> Decoded {
    let mut out = Decoded { text: String::with_capacity(bytes.len()), lossy: false };
    for &byte in bytes {
        out.push(match byte {
            0xAD => '\u{AD}',
            0xF0 => '\u{2116}',
            0xFD => '\u{A7}',
            0xA1..=0xFF => char::from_u32(0x400 + u32::from(byte) - 0xA0).unwrap_or(char::REPLACEMENT_CHARACTER),
            _ => char::from(byte),
        });
    }
    out
}

/// ISO-8859-8, its letters and marks of direction.
fn hebrew(bytes: &[u8]) -> Decoded {
    let mut out = Decoded { text: String::with_capacity(bytes.len()), lossy: false };
    for &byte in bytes {
        out.push(match byte {
            0xAA => '\u{D7}',
            0xBA => '\u{F7}',
            0xDF => '\u{2017}',
            0xE0..=0xFA => char::from_u32(0x5D0 + u32::from(byte) - 0xE0).unwrap_or(char::REPLACEMENT_CHARACTER),
            0xFD => '\u{200E}',
            0xFE => '\u{200F}',
            0xBF..=0xDE | 0xFB..=0xFF => char::REPLACEMENT_CHARACTER,
            _ => char::from(byte),
        });
    }
    out.lossy |= out.text.contains(char::REPLACEMENT_CHARACTER);
    out
}

/// For alphabets that we do not know: UTF-8 if it is valid, else Latin-1; always noted as lossy.
fn guess(bytes: &[u8]) -> Decoded {
    let mut out = if std::str::from_utf8(bytes).is_ok() { utf8(bytes) } else { latin1(bytes) };
    out.lossy = true;
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(data_coding: u8, default: DefaultAlphabet, bytes: &[u8]) -> (String, bool) {
        let decoded = decode(data_coding, default, bytes);
        (decoded.text, decoded.lossy)
    }

    #[test]
    fn data_coding_zero_means_what_the_link_says() {
        assert_eq!(text(0, DefaultAlphabet::Gsm7, b"PS\x00\x02"), ("PS@$".into(), false));
        assert_eq!(text(0, DefaultAlphabet::Latin1, b"caf\xE9@"), ("café@".into(), false));
        assert_eq!(text(0, DefaultAlphabet::Ascii, b"PS1"), ("PS1".into(), false));
        assert_eq!(text(0, DefaultAlphabet::Ascii, b"\xE9"), ("é".into(), true));
        assert_eq!(text(0, DefaultAlphabet::Utf8, "٣@".as_bytes()), ("٣@".into(), false));
        assert_eq!(text(0, DefaultAlphabet::Utf8, b"a\xFF"), ("a\u{FFFD}".into(), true));
    }

    #[test]
    fn named_codings_do_not_depend_on_the_link() {
        for default in [DefaultAlphabet::Gsm7, DefaultAlphabet::Latin1, DefaultAlphabet::Utf8] {
            assert_eq!(text(1, default, b"AA1"), ("AA1".into(), false));
            assert_eq!(text(3, default, b"\xE9"), ("é".into(), false));
            assert_eq!(text(6, default, b"\xC0\xF0"), ("Р№".into(), false));
            assert_eq!(text(7, default, b"1\xE0\xFA"), ("1את".into(), false));
            assert_eq!(text(8, default, b"\x06\x63"), ("٣".into(), false));
            assert_eq!(text(0x18, default, b"\x06\x63"), ("٣".into(), false));
            assert_eq!(text(0xE0, default, b"\x00A"), ("A".into(), false));
        }
    }

    #[test]
    fn class_coded_messages_follow_their_bits() {
        assert_eq!(text(0xF0, DefaultAlphabet::Gsm7, b"\x00"), ("@".into(), false));
        assert_eq!(text(0xF1, DefaultAlphabet::Latin1, b"@"), ("@".into(), false));
        assert_eq!(text(0xF5, DefaultAlphabet::Gsm7, b"PS"), ("PS".into(), true));
    }

    #[test]
    fn an_unknown_coding_is_read_as_well_as_it_goes_and_noted() {
        assert_eq!(text(4, DefaultAlphabet::Gsm7, "é".as_bytes()), ("é".into(), true));
        assert_eq!(text(13, DefaultAlphabet::Gsm7, b"\xE9"), ("é".into(), true));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fail_or_yield_nul(coding in any::<u8>(), which in 0usize..4, bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let defaults = [DefaultAlphabet::Gsm7, DefaultAlphabet::Latin1, DefaultAlphabet::Ascii, DefaultAlphabet::Utf8];
            prop_assert!(!decode(coding, defaults[which], &bytes).text.contains('\0'));
        }
    }
}
