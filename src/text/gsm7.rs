//! The GSM 7-bit default alphabet with its extension table (GSM 03.38 section 6.2.1), a septet a byte,
//! which is how SMPP carries it. Packing is the SMSC's affair.

use super::Decoded;
use super::national::{Shifts, locked, shifted};

/// Leads to the extension table.
const ESCAPE: u8 = 0x1B;

/// The basic table. The escape's place holds a no-break space, which is how the standard shows it.
const BASIC: [char; 128] = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å', //
    'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', '\u{A0}', 'Æ', 'æ', 'ß', 'É', //
    ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/', //
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?', //
    '¡', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', //
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§', //
    '¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', //
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à',
];

/// The extension table.
const EXTENSION: [(u8, char); 10] = [
    (0x0A, '\u{0C}'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2F, '\\'),
    (0x3C, '['),
    (0x3D, '~'),
    (0x3E, ']'),
    (0x40, '|'),
    (0x65, '€'),
];

/// Decodes septets by the default tables.
pub fn decode(bytes: &[u8]) -> Decoded {
    decode_shifted(bytes, Shifts::default())
}

/// Decodes septets by the tables that the header names. A byte above 127 is taken for Latin-1; an escape that
/// leads nowhere is dropped and its second septet read from the main table, as the standard asks of those who
/// do not know it.
pub fn decode_shifted(bytes: &[u8], shifts: Shifts) -> Decoded {
    let mut out = Decoded { text: String::with_capacity(bytes.len()), lossy: false };
    let mut escaped = false;
    for &byte in bytes {
        if std::mem::take(&mut escaped) {
            if let Some(c) = extension(byte, shifts) {
                out.push(c);
                continue;
            }
            out.lossy = true;
        }
        if byte == ESCAPE {
            escaped = true;
        } else if let Some(c) = main(byte, shifts) {
            out.push(c);
        } else {
            out.lossy = true;
            out.push(if byte < 0x80 { char::REPLACEMENT_CHARACTER } else { char::from(byte) });
        }
    }
    out.lossy |= escaped;
    out
}

fn main(septet: u8, shifts: Shifts) -> Option<char> {
    let default = BASIC.get(usize::from(septet)).copied();
    shifts.locking.map_or(default, |language| locked(language, septet, default))
}

fn extension(septet: u8, shifts: Shifts) -> Option<char> {
    let default = EXTENSION.iter().find(|(at, _)| *at == septet).map(|(_, c)| *c);
    shifts.single.map_or(default, |language| shifted(language, septet, default))
}

/// Septets of one character: one, or an escape and another; `None` when the alphabet lacks it.
pub fn septets(c: char) -> Option<(Option<u8>, u8)> {
    // Most of ASCII stands where ASCII has it.
    if matches!(c, ' '..='#' | '%'..='?' | 'A'..='Z' | 'a'..='z') {
        return Some((None, c as u8));
    }
    if c == '\u{A0}' {
        return None;
    }
    if let Some(at) = BASIC.iter().position(|b| *b == c) {
        return Some((None, at as u8));
    }
    EXTENSION.iter().find(|(_, e)| *e == c).map(|(septet, _)| (Some(ESCAPE), *septet))
}

/// Septets of one character by these tables.
pub fn septets_shifted(c: char, shifts: Shifts) -> Option<(Option<u8>, u8)> {
    if shifts == Shifts::default() {
        return septets(c);
    }
    if c == '\u{A0}' {
        return None;
    }
    let places = || (0..0x80u8).filter(|septet| *septet != ESCAPE);
    if let Some(septet) = places().find(|septet| main(*septet, shifts) == Some(c)) {
        return Some((None, septet));
    }
    places().find(|septet| extension(*septet, shifts) == Some(c)).map(|septet| (Some(ESCAPE), septet))
}

/// Encodes a text; `None` when a character is not in the alphabet.
pub fn encode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    for c in text.chars() {
        let (escape, septet) = septets(c)?;
        out.extend(escape);
        out.push(septet);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_extension_table_takes_two_septets() {
        assert_eq!(encode("€[1]").as_deref(), Some(&[0x1B, 0x65, 0x1B, 0x3C, 0x31, 0x1B, 0x3E][..]));
        assert_eq!(decode(&[0x1B, 0x65, 0x1B, 0x3C]).text, "€[");
    }

    #[test]
    fn at_sign_and_dollar_are_not_where_ascii_has_them() {
        assert_eq!(encode("@$_").as_deref(), Some(&[0x00, 0x02, 0x11][..]));
    }

    #[test]
    fn an_escape_that_leads_nowhere_is_noted() {
        let decoded = decode(&[b'A', 0x1B, b'B', 0x1B]);
        assert_eq!((decoded.text.as_str(), decoded.lossy), ("AB", true));
    }

    #[test]
    fn what_the_alphabet_lacks_is_not_encoded() {
        assert_eq!(encode("AA١"), None);
        assert_eq!(encode("`"), None);
        assert_eq!(encode("\u{A0}"), None);
    }

    proptest! {
        #[test]
        fn every_text_of_the_alphabet_comes_back(picks in proptest::collection::vec(0usize..138, 0..200)) {
            let text: String = picks.iter().map(|&i| if i < 128 { BASIC[i] } else { EXTENSION[i - 128].1 }).filter(|c| *c != '\u{A0}').collect();
            let bytes = encode(&text).unwrap();
            prop_assert_eq!(decode(&bytes), Decoded { text, lossy: false });
        }
    }
}
