//! The user data header (GSM 03.40 section 9.2.3.24) that stands before the text when `esm_class`
//! has its UDHI bit.
//!
//! A header that runs past the message or makes no sense is tolerated: nothing of the text is lost to it.

use super::national::{Language, Shifts};

/// Concatenation: which part of which text this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Concat {
    /// The sender's number for the text.
    pub reference: u16,
    /// Parts that the text has, at least 1.
    pub total: u8,
    /// This part, from 1 to `total`.
    pub part: u8,
    /// The reference has 16 bits: 8-bit and 16-bit references never belong to one text.
    pub wide: bool,
}

/// A message's user data, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserData<'a> {
    /// The concatenation that the header names, if it is sound.
    pub concat: Option<Concat>,
    /// National tables that the header names.
    pub shifts: Shifts,
    /// What stands after the header.
    pub body: &'a [u8],
    /// The header made no sense, in whole or in part.
    pub malformed: bool,
}

/// Splits the header off. When its length runs past the message, all of it is body.
pub fn split(user_data: &[u8]) -> UserData<'_> {
    let whole = UserData { concat: None, shifts: Shifts::default(), body: user_data, malformed: true };
    let Some((&length, rest)) = user_data.split_first() else { return whole };
    let Some((mut elements, body)) = rest.split_at_checked(usize::from(length)) else { return whole };
    let mut out = UserData { concat: None, shifts: Shifts::default(), body, malformed: false };
    while let [id, length, rest @ ..] = elements {
        let Some((data, after)) = rest.split_at_checked(usize::from(*length)) else {
            out.malformed = true;
            break;
        };
        let concat = match (id, data) {
            (0x00, &[reference, total, part]) => {
                Some(Concat { reference: u16::from(reference), total, part, wide: false })
            }
            (0x08, &[high, low, total, part]) => {
                Some(Concat { reference: u16::from_be_bytes([high, low]), total, part, wide: true })
            }
            // An identifier that nobody knows leaves the default tables.
            (0x24, &[language]) => {
                out.shifts.single = Language::from_id(language);
                None
            }
            (0x25, &[language]) => {
                out.shifts.locking = Language::from_id(language);
                None
            }
            (0x00 | 0x08 | 0x24 | 0x25, _) => {
                out.malformed = true;
                None
            }
            _ => None,
        };
        match concat {
            // GSM 03.40 9.2.3.24.1: an element with a part of 0 or beyond the total is ignored.
            Some(c) if c.part == 0 || c.part > c.total => out.malformed = true,
            // The last of several counts.
            Some(c) => out.concat = Some(c),
            None => {}
        }
        elements = after;
    }
    out.malformed |= elements.len() == 1;
    out
}

/// A reference of a text of several parts, in the width that the link wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference {
    /// 8 bits: six bytes of header.
    Narrow(u8),
    /// 16 bits: seven.
    Wide(u16),
}

/// The header of one part with an 8-bit reference.
pub fn concat_header(reference: u8, total: u8, part: u8) -> [u8; 6] {
    [5, 0x00, 3, reference, total, part]
}

/// A header with these elements; empty when there are none.
pub fn header(concat: Option<(Reference, u8, u8)>, shifts: Shifts) -> Vec<u8> {
    let mut out = vec![0];
    match concat {
        Some((Reference::Narrow(reference), total, part)) => out.extend([0x00, 3, reference, total, part]),
        Some((Reference::Wide(reference), total, part)) => {
            let [high, low] = reference.to_be_bytes();
            out.extend([0x08, 4, high, low, total, part]);
        }
        None => {}
    }
    shifts.elements().for_each(|element| out.extend(element));
    match u8::try_from(out.len() - 1) {
        Ok(length) if length > 0 => {
            if let Some(first) = out.first_mut() {
                *first = length;
            }
            out
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_widths_of_reference_are_read() {
        let narrow = split(&[5, 0, 3, 7, 2, 1, b'P', b'S']);
        assert_eq!(narrow.concat, Some(Concat { reference: 7, total: 2, part: 1, wide: false }));
        assert_eq!((narrow.body, narrow.malformed), (&b"PS"[..], false));
        let wide = split(&[6, 8, 4, 1, 2, 3, 3, b'P']);
        assert_eq!(wide.concat, Some(Concat { reference: 258, total: 3, part: 3, wide: true }));
    }

    #[test]
    fn other_elements_are_passed_over() {
        let data = split(&[9, 0x24, 1, 5, 0, 3, 9, 2, 2, 0xFF, b'A']);
        assert_eq!(data.concat, Some(Concat { reference: 9, total: 2, part: 2, wide: false }));
        assert_eq!((data.body, data.malformed), (&b"A"[..], true));
    }

    #[test]
    fn a_header_that_runs_past_the_message_leaves_all_as_body() {
        assert_eq!(split(b"PS1").body, b"PS1");
        assert!(split(&[]).malformed);
    }

    #[test]
    fn an_impossible_part_is_no_concatenation() {
        for bad in [[5, 0, 3, 7, 2, 0], [5, 0, 3, 7, 2, 3], [5, 0, 3, 7, 0, 1]] {
            let data = split(&bad);
            assert!(data.concat.is_none() && data.malformed);
        }
    }

    #[test]
    fn our_own_header_is_read_back() {
        assert_eq!(
            split(&concat_header(200, 3, 2)).concat,
            Some(Concat { reference: 200, total: 3, part: 2, wide: false })
        );
        let shifts = Shifts { locking: Some(Language::Hindi), single: Some(Language::Urdu) };
        let bytes = header(Some((Reference::Wide(513), 3, 2)), shifts);
        assert_eq!(bytes, [12, 8, 4, 2, 1, 3, 2, 0x25, 1, 6, 0x24, 1, 13]);
        let data = split(&bytes);
        assert_eq!(data.concat, Some(Concat { reference: 513, total: 3, part: 2, wide: true }));
        assert_eq!((data.shifts, data.malformed), (shifts, false));
        assert_eq!(header(Some((Reference::Narrow(200), 3, 2)), Shifts::default()), concat_header(200, 3, 2));
        assert!(header(None, Shifts::default()).is_empty());
    }

    proptest! {
        #[test]
        fn garbage_never_loses_more_than_the_header(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let data = split(&bytes);
            prop_assert!(bytes.ends_with(data.body));
            if let Some(c) = data.concat { prop_assert!(c.part >= 1 && c.part <= c.total); }
        }
    }
}
