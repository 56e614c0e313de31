//! Parts to a text. PURE: which parts belong together and what text they make; the rows are
//! `store::segment`'s.

use std::collections::BTreeMap;

use super::item::{shifts, user_data};
use crate::handoff::message::Mobile;
use crate::text;

/// A text with the places at which parts of it are missing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Whole {
    /// The text, without NUL.
    pub text: String,
    /// Byte offsets at which a part is missing.
    pub gaps: Vec<usize>,
}

/// The text of one message.
pub fn single(mobile: &Mobile) -> Whole {
    Whole { text: decode_run(&[mobile]), gaps: Vec::new() }
}

/// The text that these parts make, of `total`. Neighbours are decoded as one run of bytes, so that a
/// character cut in two by the sender's phone comes out whole.
pub fn join(parts: &BTreeMap<i16, &Mobile>, total: i16) -> Whole {
    let mut whole = Whole::default();
    let mut run: Vec<&Mobile> = Vec::new();
    for number in 1..=total {
        let part = parts.get(&number).copied();
        let breaks = match (part, run.last()) {
            (Some(part), Some(last)) => {
                (part.data_coding, part.default_alphabet, shifts(part))
                    != (last.data_coding, last.default_alphabet, shifts(last))
            }
            _ => part.is_none(),
        };
        if breaks && !run.is_empty() {
            whole.text.push_str(&decode_run(&run));
            run.clear();
        }
        match part {
            Some(part) => run.push(part),
            None if whole.gaps.last() != Some(&whole.text.len()) => whole.gaps.push(whole.text.len()),
            None => {}
        }
    }
    if !run.is_empty() {
        whole.text.push_str(&decode_run(&run));
    }
    whole
}

fn decode_run(run: &[&Mobile]) -> String {
    let Some(first) = run.first() else { return String::new() };
    let bytes: Vec<&[u8]> = run.iter().flat_map(|m| user_data(m).1).collect();
    let decode = |bytes: &[u8]| text::decode_shifted(first.data_coding, first.default_alphabet, shifts(first), bytes);
    let decoded = match bytes.as_slice() {
        [one] | [one, []] => decode(one),
        several => decode(&several.concat()),
    };
    super::item::clean(decoded.text)
}

/// What a new part is to those that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// Its place is free.
    New,
    /// The same part again.
    Again,
    /// Its place holds another: the reference was used anew, and a new text begins.
    NewSet,
}

/// Compares a part with the one that has its place.
pub fn fit(there: Option<&Mobile>, new: &Mobile) -> Fit {
    match there {
        None => Fit::New,
        Some(there)
            if (&there.short_message, &there.payload, there.data_coding)
                == (&new.short_message, &new.payload, new.data_coding) =>
        {
            Fit::Again
        }
        Some(_) => Fit::NewSet,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(text: &[u8], coding: u8) -> Mobile {
        Mobile { sar: Some((1, 3, 1)), short_message: text.to_vec(), data_coding: coding, ..Mobile::default() }
    }

    fn joined(parts: &[(i16, &Mobile)], total: i16) -> (String, Vec<usize>) {
        let whole = join(&parts.iter().copied().collect(), total);
        (whole.text, whole.gaps)
    }

    #[test]
    fn parts_make_their_text_whatever_order_they_came_in() {
        let (a, b) = (part(b"PS 123456 AA", 1), part(b"1BA2", 1));
        assert_eq!(joined(&[(2, &b), (1, &a)], 2), ("PS 123456 AA1BA2".to_owned(), vec![]));
    }

    #[test]
    fn missing_parts_are_marked_where_they_are_missing() {
        let (a, b) = (part(b"AA1", 1), part(b"BA2", 1));
        assert_eq!(joined(&[(1, &a), (3, &b)], 3), ("AA1BA2".to_owned(), vec![3]));
        assert_eq!(joined(&[(2, &a)], 4), ("AA1".to_owned(), vec![0, 3]));
        assert_eq!(joined(&[(4, &a)], 4), ("AA1".to_owned(), vec![0]), "neighbours that are missing are one gap");
    }

    #[test]
    fn a_character_cut_in_two_by_the_cut_is_whole_again() {
        // U+1F600 is D83D DE00.
        let (a, b) = (part(&[0, b'A', 0xD8, 0x3D], 8), part(&[0xDE, 0, 0, b'B'], 8));
        assert_eq!(joined(&[(1, &a), (2, &b)], 2).0, "A\u{1F600}B");
    }

    #[test]
    fn the_same_part_with_other_bytes_begins_a_new_text() {
        let a = part(b"AA1", 1);
        assert_eq!(fit(None, &a), Fit::New);
        assert_eq!(fit(Some(&a), &a.clone()), Fit::Again);
        assert_eq!(fit(Some(&a), &part(b"AA2", 1)), Fit::NewSet);
    }
}
