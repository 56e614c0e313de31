//! Frames of the handoff: a `u32` length and a postcard body.

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use crate::limits::HANDOFF_FRAME_BYTES_MAX;

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
