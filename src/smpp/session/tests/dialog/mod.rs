//! Every rule of how the SMPP link must behave, as a dialog: bytes in, bytes out.
//!
//! The rules are those that robust ESMEs keep, gathered by section; each has a dialog here that names it, or,
//! where it is about what happens behind the link, a test of that part. [`play`] has the language.

mod acknowledgement;
mod content;
mod framing;
mod play;
mod receipts;
mod sessions;
mod submits;

use super::*;
use play::Dialog;

impl Dialog {
    /// Sender of the last record.
    fn source(&self) -> &str {
        match self.records.last() {
            Some(Body::Message(mobile) | Body::Receipt(mobile)) => &mobile.source,
            other => panic!("{other:?}"),
        }
    }

    /// The next PDU that is sent.
    async fn frame(&mut self) -> Result<Frame, std::io::Error> {
        loop {
            if let Some(frame) = split(&mut self.rig.input).unwrap() {
                return Ok(frame);
            }
            if self.rig.io.read_buf(&mut self.rig.input).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}
