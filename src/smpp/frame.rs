//! Frames: where one PDU ends and the next begins, and the four numbers of its header.
//!
//! Invariant: exactly one frame is split off, by its own `command_length`; nothing that stands in its
//! body can reach into the next one.

use bytes::{Buf, Bytes, BytesMut};
use rusmpp::CommandId;

use crate::limits::PDU_BYTES_MAX;

/// Bytes of a PDU's header.
pub const HEADER_BYTES: usize = 16;

/// One PDU, its header read and its body not yet looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// `command_id`.
    pub id: CommandId,
    /// `command_status`.
    pub status: u32,
    /// `sequence_number`; any 32-bit value is taken from a peer.
    pub sequence: u32,
    /// The whole PDU, header included. It pins the buffer that it was read into: copy what stays.
    pub raw: Bytes,
}

impl Frame {
    /// What follows the header.
    pub fn body(&self) -> &[u8] {
        self.raw.get(HEADER_BYTES..).unwrap_or_default()
    }
}

/// A `command_length` below 16 or over [`PDU_BYTES_MAX`]: the stream cannot be followed any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("command_length {length} is not within 16 to {PDU_BYTES_MAX}")]
pub struct BadLength {
    /// The length as sent.
    pub length: u32,
    /// The PDU's sequence number, where so much had come; 0 otherwise.
    pub sequence: u32,
}

/// Splits the next whole frame off; `None` until there is one.
pub fn split(buffer: &mut BytesMut) -> Result<Option<Frame>, BadLength> {
    let Some(mut header) = buffer.get(..4) else { return Ok(None) };
    let length = header.get_u32();
    if !(HEADER_BYTES..=PDU_BYTES_MAX).contains(&(length as usize)) {
        let sequence = buffer.get(12..16).map_or(0, |mut b| b.get_u32());
        return Err(BadLength { length, sequence });
    }
    if buffer.len() < length as usize {
        return Ok(None);
    }
    let raw = buffer.split_to(length as usize).freeze();
    let mut rest = raw.get(4..).unwrap_or_default();
    Ok(Some(Frame { id: CommandId::from(rest.get_u32()), status: rest.get_u32(), sequence: rest.get_u32(), raw }))
}

/// How many bytes the frame that has begun still lacks; 0 when its length has not come or is bad.
pub fn lacking(buffer: &[u8]) -> usize {
    let Some(mut header) = buffer.get(..4) else { return 0 };
    let length = header.get_u32() as usize;
    if length > PDU_BYTES_MAX { 0 } else { length.saturating_sub(buffer.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(id: u32, sequence: u32, body: &[u8]) -> Vec<u8> {
        let mut pdu = Vec::new();
        pdu.extend_from_slice(&(16 + body.len() as u32).to_be_bytes());
        pdu.extend_from_slice(&id.to_be_bytes());
        pdu.extend_from_slice(&0u32.to_be_bytes());
        pdu.extend_from_slice(&sequence.to_be_bytes());
        pdu.extend_from_slice(body);
        pdu
    }

    proptest! {
        #[test]
        fn any_cut_of_the_bytes_gives_the_same_frames(
            bodies in proptest::collection::vec((any::<u32>(), any::<u32>(), proptest::collection::vec(any::<u8>(), 0..40)), 0..8),
            cuts in proptest::collection::vec(1usize..30, 1..20),
        ) {
            let stream: Vec<u8> = bodies.iter().flat_map(|(id, seq, body)| frame(*id, *seq, body)).collect();
            let mut buffer = BytesMut::new();
            let mut got = Vec::new();
            let mut rest = &stream[..];
            for cut in cuts.iter().cycle() {
                let n = (*cut).min(rest.len());
                buffer.extend_from_slice(&rest[..n]);
                rest = &rest[n..];
                while let Some(f) = split(&mut buffer).unwrap() {
                    got.push((u32::from(f.id), f.sequence, f.body().to_vec()));
                }
                if rest.is_empty() { break; }
            }
            prop_assert_eq!(got, bodies);
            prop_assert!(buffer.is_empty());
        }

        #[test]
        fn any_bytes_give_frames_or_an_error_and_never_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut buffer = BytesMut::from(&bytes[..]);
            let _ = lacking(&buffer);
            while let Ok(Some(f)) = split(&mut buffer) {
                prop_assert!(f.raw.len() >= HEADER_BYTES);
            }
        }
    }

    #[test]
    fn the_longest_pdu_is_taken_and_one_byte_more_is_not() {
        let mut longest = BytesMut::from(&frame(5, 1, &vec![0; PDU_BYTES_MAX - 16])[..]);
        assert_eq!(split(&mut longest).unwrap().unwrap().raw.len(), PDU_BYTES_MAX);
        let mut over = BytesMut::from(&frame(5, 7, &vec![0; PDU_BYTES_MAX - 15])[..]);
        assert_eq!(split(&mut over), Err(BadLength { length: PDU_BYTES_MAX as u32 + 1, sequence: 7 }));
        let mut under = BytesMut::from(&[0u8, 0, 0, 15][..]);
        assert_eq!(split(&mut under), Err(BadLength { length: 15, sequence: 0 }));
    }
}
