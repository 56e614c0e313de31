//! A text cut into the short messages that carry it, in the smallest alphabet that holds it.
//!
//! Invariants: an escape and its septet, and the two halves of a surrogate pair, are never cut apart;
//! the segments' texts joined are the text.

pub use super::alphabets::{Alphabet, Measure, Sending, fits};
use super::udh::{self, Reference};
use crate::domain::alphabet::LongMessages;

/// One short message, ready for `submit_sm`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Segment {
    /// `data_coding`.
    pub data_coding: u8,
    /// `short_message` begins with a user data header: set `esm_class`'s UDHI bit.
    pub udhi: bool,
    /// `short_message`, at most 160 bytes.
    pub short_message: Vec<u8>,
    /// TLV `message_payload`, with all of a long text.
    pub payload: Option<Vec<u8>>,
    /// SAR TLVs: reference, total, part.
    pub sar: Option<(u16, u8, u8)>,
    /// Segments that the SMSC makes of it.
    pub weight: u32,
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
    /// It has a character that none of the link's alphabets has.
    #[error("the text has a character that no alphabet of this link holds: allow `ucs2` there")]
    NoAlphabet,
}

/// How much room a text takes on a link that is set up as links are by default.
pub fn measure(text: &str) -> Measure {
    // UCS2 holds any text.
    Sending::default().choose(text).unwrap_or(Measure { alphabet: Alphabet::Ucs2, segments: 1, units_left: 0 })
}

/// Cuts a text for a link that is set up as links are by default.
///
/// # Errors
/// [`SegmentsError::TooLong`] when it takes more than `max_segments` (at most 255).
pub fn split(text: &str, reference: u8, max_segments: usize) -> Result<Vec<Segment>, SegmentsError> {
    split_for(&Sending::default(), text, reference.into(), max_segments)
}

/// Cuts a text for a link.
///
/// # Errors
/// As [`split`], and [`SegmentsError::NoAlphabet`].
pub fn split_for(
    sending: &Sending,
    text: &str,
    reference: u16,
    max_segments: usize,
) -> Result<Vec<Segment>, SegmentsError> {
    let Measure { alphabet, segments, .. } = sending.choose(text).ok_or(SegmentsError::NoAlphabet)?;
    let max = max_segments.min(usize::from(u8::MAX));
    let total = match u8::try_from(segments) {
        Ok(total) if segments <= max => total,
        _ => return Err(SegmentsError::TooLong { segments, max }),
    };
    let whole = |header: Vec<u8>, part: &str| {
        let (udhi, mut short_message) = (!header.is_empty(), header);
        sending.encode(alphabet, part, &mut short_message);
        Segment { data_coding: alphabet.data_coding(), udhi, short_message, weight: 1, ..Segment::default() }
    };
    if total == 1 {
        return Ok(vec![whole(udh::header(None, alphabet.shifts()), text)]);
    }
    if sending.long == LongMessages::Payload {
        let mut all = whole(Vec::new(), text);
        all.payload = Some(std::mem::take(&mut all.short_message));
        all.weight = total.into();
        return Ok(vec![all]);
    }
    let parts = (1..=total).zip(sending.cuts(text, alphabet)).map(|(part, (piece, _))| match sending.long {
        LongMessages::Sar => Segment { sar: Some((reference, total, part)), ..whole(Vec::new(), piece) },
        _ => {
            let [_, low] = reference.to_be_bytes();
            let reference = if sending.wide { Reference::Wide(reference) } else { Reference::Narrow(low) };
            whole(udh::header(Some((reference, total, part)), alphabet.shifts()), piece)
        }
    });
    Ok(parts.collect())
}

#[cfg(test)]
mod tests;
