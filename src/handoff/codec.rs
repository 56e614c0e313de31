//! Frames of the handoff: a `u32` length and a postcard body.

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use super::message::{FromGateway, Record};
use crate::limits::{HANDOFF_FRAME_BYTES_MAX, HANDOFF_RECORDS_MAX};

/// What can go wrong on the socket.
#[derive(Debug, thiserror::Error)]
pub enum HandoffError {
    /// The socket failed, or a frame was over the limit.
    #[error("handoff socket: {0}")]
    Io(#[from] std::io::Error),
    /// A frame that is no message of this protocol version.
    #[error("handoff frame cannot be read: {0}")]
    Frame(#[from] postcard::Error),
}

/// Frames over a byte stream, read and written as [`Bytes`].
pub fn framed<T: AsyncRead + AsyncWrite>(io: T) -> Framed<T, LengthDelimitedCodec> {
    LengthDelimitedCodec::builder().max_frame_length(HANDOFF_FRAME_BYTES_MAX).new_framed(io)
}

/// The body of a frame.
pub fn encode<M: Serialize>(message: &M) -> Result<Bytes, HandoffError> {
    Ok(Bytes::from(postcard::to_stdvec(message)?))
}

/// A message from a frame's body.
pub fn decode<M: DeserializeOwned>(body: &[u8]) -> Result<M, HandoffError> {
    Ok(postcard::from_bytes(body)?)
}

/// What a frame of the gateway holds; of records also the size of each, which credit is counted in.
#[derive(Debug)]
pub enum Incoming {
    /// Records with the bytes of their encoded form.
    Records(Vec<(Record, u32)>),
    /// Anything else.
    Other(FromGateway),
}

/// [`decode`] for the worker, which gives back as credit exactly what a record took.
pub fn decode_from_gateway(body: &[u8]) -> Result<Incoming, HandoffError> {
    let (tag, rest) = postcard::take_from_bytes::<u32>(body)?;
    if tag != RECORDS_TAG {
        return Ok(Incoming::Other(decode(body)?));
    }
    let (count, mut rest) = postcard::take_from_bytes::<u32>(rest)?;
    let mut records = Vec::with_capacity((count as usize).min(HANDOFF_RECORDS_MAX));
    for _ in 0..count {
        let (record, after) = postcard::take_from_bytes::<Record>(rest)?;
        records.push((record, u32::try_from(rest.len() - after.len()).unwrap_or(u32::MAX)));
        rest = after;
    }
    Ok(Incoming::Records(records))
}

/// Place of [`FromGateway::Records`] in its enum, as postcard writes it.
const RECORDS_TAG: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handoff::message::{Body, FromGateway, Mobile};

    #[test]
    fn records_come_with_the_size_that_credit_is_counted_in() {
        let record = |sequence: u64, text: &str| Record {
            sequence,
            received_us: 1_700_000_000_000_000,
            link: "main".to_owned(),
            group: "main".to_owned(),
            body: Body::Message(Mobile { short_message: text.as_bytes().to_vec(), ..Mobile::default() }),
        };
        let sent = vec![record(1, "PS 123456 AA1"), record(300, &"x".repeat(300))];
        let frame = encode(&FromGateway::Records(sent.clone())).unwrap();
        let Incoming::Records(got) = decode_from_gateway(&frame).unwrap() else { panic!("not records") };
        for ((record, size), sent) in got.iter().zip(&sent) {
            assert_eq!(record, sent);
            assert_eq!(*size as usize, postcard::to_stdvec(sent).unwrap().len());
        }
        assert_eq!(got.len(), 2);
        let frame = encode(&FromGateway::Refused("no".to_owned())).unwrap();
        assert!(matches!(decode_from_gateway(&frame).unwrap(), Incoming::Other(FromGateway::Refused(_))));
        assert!(decode_from_gateway(&[1, 5, 0]).is_err(), "a frame cut short is an error, not fewer records");
    }
}
