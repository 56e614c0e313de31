//! The protocol on the Unix socket between gateway and worker.
//!
//! Frames are a `u32` length (big endian, at most [`crate::limits::HANDOFF_FRAME_BYTES_MAX`]) and a
//! [postcard](https://postcard.jamesmunns.com) body. One worker is served at a time; a newcomer takes
//! the place of the one before it.
//!
//! ```text
//! worker  → Hello                       gateway → Welcome (spool, oldest and newest sequence)
//! worker  → Read { after }, Credit …    gateway → Records … (at most the bytes granted, then waits for more)
//! worker  → Committed { through }       gateway may delete what is older than its keeping time
//! worker  → Submit …                    gateway → (nothing now; a Record::SubmitResult later, by the spool)
//! ```
//!
//! What a submit came to is a record like any other, so that it outlives an absent worker.

pub mod append;
pub mod codec;
pub mod dial;
pub mod doubt;
pub mod groups;
pub mod marks;
pub mod message;
pub mod queue;
pub mod records;
pub mod seal;
pub mod server;
