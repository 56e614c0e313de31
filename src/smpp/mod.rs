//! SMPP 3.4 and 5.0 as an ESME speaks it: frames, PDUs, one session, and its supervision.
//!
//! [`rusmpp`] names the command ids, statuses and TLV tags, and is the oracle of the codec's tests.
//! The bytes are read and written here, since a robust ESME must take what a strict decoder refuses:
//! a body that cannot be read costs that PDU alone, never the session.

mod decode;
pub mod desk;
mod dial;
mod encode;
pub mod frame;
pub mod link;
pub mod meters;
pub mod options;
pub mod overload;
pub mod pace;
pub mod pdu;
pub mod session;
pub mod shared;
pub mod statuses;
pub mod tls;
pub mod trace;

pub use decode::{BadBody, decode, decode_tolerant};
pub use encode::{encode, encode_nack};
pub use frame::{BadLength, Frame, split};
pub use pdu::{Address, Bind, Pdu, ShortMessage};
pub use rusmpp::{CommandId, CommandStatus};
