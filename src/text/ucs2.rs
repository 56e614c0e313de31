//! UCS2 as phones send it, which is UTF-16, big endian, with surrogates.

use super::Decoded;

/// Decodes big-endian units (little-endian ones after their byte order mark). An odd last byte and a
/// lone surrogate are noted; all before and after them is kept.
pub fn decode(bytes: &[u8]) -> Decoded {
    let (little, body) = match bytes {
        [0xFF, 0xFE, rest @ ..] => (true, rest),
        [0xFE, 0xFF, rest @ ..] => (false, rest),
        _ => (false, bytes),
    };
    let mut out = Decoded { text: String::with_capacity(body.len()), lossy: body.len() % 2 == 1 };
    let (pairs, _) = body.as_chunks::<2>();
    let units = pairs.iter().map(|&pair| if little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) });
    for c in char::decode_utf16(units) {
        out.lossy |= c.is_err();
        out.push(c.unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    out
}

/// Encodes a text as big-endian UTF-16.
pub fn encode(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_odd_last_byte_loses_only_itself() {
        let decoded = decode(&[0x00, b'P', 0x00, b'S', 0x00]);
        assert_eq!((decoded.text.as_str(), decoded.lossy), ("PS", true));
    }

    #[test]
    fn a_lone_surrogate_loses_only_itself() {
        let decoded = decode(&[0xD8, 0x3D, 0x00, b'A']);
        assert_eq!((decoded.text.as_str(), decoded.lossy), ("\u{FFFD}A", true));
    }

    #[test]
    fn a_byte_order_mark_is_followed() {
        assert_eq!(decode(&[0xFF, 0xFE, b'A', 0x00]).text, "A");
        assert_eq!(decode(&[0xFE, 0xFF, 0x00, b'A']).text, "A");
    }

    proptest! {
        #[test]
        fn every_text_comes_back(text in "[^\u{0}\u{FEFF}\u{FFFE}]*") {
            prop_assert_eq!(decode(&encode(&text)), Decoded { text, lossy: false });
        }
    }
}
