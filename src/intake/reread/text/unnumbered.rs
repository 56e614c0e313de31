//! Parts whose numbers stood beside the text (`sar_segment_seqnum`) and are not stored: the whole text, which
//! is, says in which order they belong, and the note on it where some are missing.

use serde_json::Value;

use super::{ALPHABETS, agree};
use crate::domain::alphabet::DefaultAlphabet;
use crate::grammar::INCOMPLETE;
use crate::handoff::message::Mobile;
use crate::intake::reassemble::{self, Whole};

/// Bytes of the stored text at which segments are missing.
pub(super) fn gaps(reading: Option<&Value>) -> Vec<usize> {
    let notes = reading.and_then(|r| r["notes"].as_array()).into_iter().flatten();
    let detail = notes.filter(|n| n["kind"] == INCOMPLETE).find_map(|n| n["detail"].as_str());
    detail.into_iter().flat_map(|d| d.split(',')).filter_map(|at| at.parse().ok()).collect()
}

/// The text of these parts, in whatever order they are given; `None` where they don't make the stored text.
pub(super) fn put_together(
    stored: &str,
    gaps: &[usize],
    mut parts: Vec<Mobile>,
    asked: Option<DefaultAlphabet>,
) -> Option<Whole> {
    let came = ALPHABETS.into_iter().find_map(|alphabet| {
        parts.iter_mut().for_each(|p| p.default_alphabet = alphabet);
        in_order(stored, &parts)
    });
    let Some(order) = came else {
        // One part is in order, and nothing but a hidden code asks for its bytes.
        let [one] = parts.as_mut_slice() else { return None };
        let text = match asked {
            Some(alphabet) => {
                one.default_alphabet = alphabet;
                reassemble::single(one).text
            }
            None => stored.to_owned(),
        };
        let gaps = gaps.iter().map(|gap| if *gap == 0 { 0 } else { text.len() }).collect();
        return Some(Whole { text, gaps });
    };
    let ordered = |alphabet: Option<DefaultAlphabet>| -> Vec<Mobile> {
        let one = |i: &usize| parts.get(*i).cloned();
        let with = |p: Mobile| Mobile { default_alphabet: alphabet.unwrap_or(p.default_alphabet), ..p };
        order.iter().filter_map(one).map(with).collect()
    };
    let (whole, ends) = joined(&ordered(None));
    let Some(alphabet) = asked else { return Some(Whole { text: whole, gaps: gaps.to_vec() }) };
    let (text, now) = joined(&ordered(Some(alphabet)));
    let moved = |gap: &usize| ends.iter().position(|end| end == gap).and_then(|place| now.get(place).copied());
    Some(Whole { gaps: gaps.iter().map(moved).collect::<Option<_>>()?, text })
}

/// The text that parts make in this order, and where each of them ends in it, from 0 on.
fn joined(parts: &[Mobile]) -> (String, Vec<usize>) {
    let text_of = |n: usize| {
        let numbered = (1i16..).zip(parts.iter().take(n)).collect();
        reassemble::join(&numbered, i16::try_from(n).unwrap_or(i16::MAX)).text
    };
    (text_of(parts.len()), (0..=parts.len()).map(|n| text_of(n).len()).collect())
}

/// The order in which the parts make the stored text: at each place the longest that fits there.
fn in_order(stored: &str, parts: &[Mobile]) -> Option<Vec<usize>> {
    let texts: Vec<String> = parts.iter().map(|p| reassemble::single(p).text).collect();
    let mut left: Vec<usize> = (0..parts.len()).collect();
    left.sort_by_key(|i| std::cmp::Reverse(texts.get(*i).map(|t| t.chars().count())));
    let mut order = Vec::with_capacity(parts.len());
    let mut rest = stored;
    while !left.is_empty() {
        let (place, length) = left.iter().enumerate().find_map(|(place, i)| {
            let chars = texts.get(*i)?.chars().count();
            let end = rest.char_indices().nth(chars).map_or(rest.len(), |(end, _)| end);
            let head = rest.get(..end)?;
            (head.chars().count() == chars && agree(head, texts.get(*i)?)).then_some((place, end))
        })?;
        order.push(left.remove(place));
        rest = rest.get(length..)?;
    }
    rest.is_empty().then_some(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(bytes: &[u8], data_coding: u8) -> Mobile {
        Mobile { short_message: bytes.to_vec(), data_coding, ..Mobile::default() }
    }

    #[test]
    fn the_stored_text_says_the_order_of_its_parts() {
        let parts = vec![part(b" BA2", 1), part(b"PS 123456 AA1", 1), part(b" BA2 CA3", 1)];
        let stored = "PS 123456 AA1 BA2 CA3 BA2";
        let whole = put_together(stored, &[25], parts.clone(), None).unwrap();
        assert_eq!((whole.text.as_str(), whole.gaps), (stored, vec![25]));
        assert_eq!(put_together("PS 123456 AA1 BA2", &[], parts, None), None, "a part is left over");
    }

    #[test]
    fn a_code_that_is_hidden_is_read_from_the_bytes() {
        let parts = vec![part(b"91 AA1", 1), part(b"PS 123456 *73", 1)];
        let whole = put_together("PS 123456 ***** AA1", &[], parts, None).unwrap();
        assert_eq!(whole.text, "PS 123456 *7391 AA1");
    }

    #[test]
    fn bytes_decoded_anew_keep_their_gap() {
        // `@` of ISO-8859-1 is an inverted exclamation mark in GSM 03.38, which takes two bytes in UTF-8.
        let parts = vec![part(b"AA1 @ gate", 0), part(b" open", 0)];
        let whole = put_together("AA1 \u{A1} gate open", &[11], parts, Some(DefaultAlphabet::Latin1)).unwrap();
        assert_eq!((whole.text.as_str(), whole.gaps), ("AA1 @ gate open", vec![10]));
    }

    #[test]
    fn one_part_of_several_keeps_the_place_of_those_that_never_came() {
        let reading = serde_json::json!({"notes": [{"kind": "incomplete", "detail": "0,9"}]});
        let whole = put_together("AA13 BA12", &gaps(Some(&reading)), vec![part(b"AA13 BA12", 1)], None).unwrap();
        assert_eq!(whole.gaps, [0, 9]);
    }
}
