//! What must hold for any bytes that an SMSC sends, as far as frames and bodies go: asserted by the fuzz
//! target `pdu` and, on the kept corpus, by the suite.
//!
//! The first byte of an input says how the rest is cut; the rest is what comes from the socket.

use super::limits::PDU_BYTES_MAX;
use super::smpp::{BadLength, Frame, Pdu, decode, encode, frame, split};
use bytes::BytesMut;

/// All frames of a stream that comes in pieces of `cut` bytes, and how it ended.
fn frames(stream: &[u8], cut: usize) -> (Vec<Frame>, Result<usize, BadLength>) {
    let (mut buffer, mut found) = (BytesMut::new(), Vec::new());
    for piece in stream.chunks(cut.max(1)) {
        buffer.extend_from_slice(piece);
        loop {
            match split(&mut buffer) {
                Ok(Some(frame)) => found.push(frame),
                Ok(None) => break,
                Err(error) => return (found, Err(error)),
            }
        }
        assert!(frame::lacking(&buffer) <= PDU_BYTES_MAX);
    }
    (found, Ok(buffer.len()))
}

/// Frames are the same in any cut; what is read, written and read again is the same.
pub fn hold(bytes: &[u8]) {
    let Some((cut, stream)) = bytes.split_first() else { return };
    let (whole, end) = frames(stream, stream.len());
    let (cut, end_of_cut) = frames(stream, usize::from(*cut));
    assert_eq!(whole, cut);
    // Of a bad length less may be known when it is seen earlier: its sequence number.
    assert_eq!(end.map_err(|error| error.length), end_of_cut.map_err(|error| error.length));
    for frame in &whole {
        if let Ok(pdu) = decode(frame) {
            settles(frame, &pdu);
        }
    }
}

fn again(frame: &Frame, pdu: &Pdu) -> (BytesMut, Frame) {
    let mut out = BytesMut::new();
    encode(&mut out, frame.status, frame.sequence, pdu);
    let bytes = out.clone();
    let found = split(&mut out).expect("our own frame").expect("our own frame is whole");
    assert!(out.is_empty());
    (bytes, found)
}

/// What was read is written so that it reads the same, and that again writes the same bytes.
fn settles(frame: &Frame, pdu: &Pdu) {
    let (first, written) = again(frame, pdu);
    assert_eq!((written.id, written.status, written.sequence), (frame.id, frame.status, frame.sequence));
    let read = decode(&written).expect("what we write can be read");
    let (second, _) = again(frame, &read);
    assert_eq!(first, second, "{pdu:?}\n{read:?}");
}
