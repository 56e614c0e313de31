//! Records on their way from the spool to the worker: asked for in slices, each a frame made without
//! looking into the records' bodies.

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

/// Some records.
#[derive(Debug, Clone)]
pub struct Slice {
    /// `FromGateway::Records`, encoded.
    pub frame: Bytes,
    /// Bytes of the records' encoded form, as counted against the credit.
    pub bytes: usize,
    /// Sequence of the last; the one asked to begin after when there is none.
    pub last: u64,
    /// How many.
    pub records: usize,
}

/// The spool could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the spool cannot be read: {0}")]
pub struct ReadFailed(pub String);

/// Asks the spool's reading thread for a slice.
#[derive(Debug)]
pub struct ReadRequest {
    /// Begin after this sequence.
    pub after: u64,
    /// End with this one.
    pub through: u64,
    /// Bytes of records wanted at most; one record may overshoot.
    pub bytes: usize,
    /// Where the slice goes.
    pub answer: oneshot::Sender<Result<Slice, ReadFailed>>,
}

/// Requests that may wait: one worker is served, and there may be two while one takes the other's place.
const REQUESTS_MAX: usize = 4;

/// Reads committed records.
#[derive(Debug, Clone)]
pub struct Reader(mpsc::Sender<ReadRequest>);

impl Reader {
    /// A reader and the queue that its thread serves.
    pub fn new() -> (Self, mpsc::Receiver<ReadRequest>) {
        let (requests, queue) = mpsc::channel(REQUESTS_MAX);
        (Self(requests), queue)
    }

    /// Records after a sequence and up to another, worth at most `bytes` but at least one if there is any.
    pub async fn read(&self, after: u64, through: u64, bytes: usize) -> Result<Slice, ReadFailed> {
        let (answer, slice) = oneshot::channel();
        self.0
            .try_send(ReadRequest { after, through, bytes, answer })
            .map_err(|error| ReadFailed(error.to_string()))?;
        slice.await.map_err(|error| ReadFailed(error.to_string()))?
    }
}

/// A `FromGateway::Records` frame made of bodies that are encoded already.
///
/// Postcard writes a struct as its fields one after the other, so that a record's encoded body can
/// stand as it is; a test holds this against the real thing.
#[derive(Debug, Default)]
pub struct RecordsFrame {
    records: Vec<u8>,
    count: usize,
}

/// Place of `Records` among the variants of `FromGateway`.
const RECORDS_VARIANT: u32 = 1;

impl RecordsFrame {
    /// Adds a record, whose body is a postcard of [`super::message::Body`].
    pub fn push(
        &mut self,
        sequence: u64,
        received_us: i64,
        link: &str,
        group: &str,
        body: &[u8],
    ) -> Result<(), postcard::Error> {
        let records = std::mem::take(&mut self.records);
        self.records = postcard::to_extend(&(sequence, received_us, link, group), records)?;
        self.records.extend_from_slice(body);
        self.count += 1;
        Ok(())
    }

    /// Bytes of the records so far.
    pub fn bytes(&self) -> usize {
        self.records.len()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The frame's body.
    pub fn finish(self) -> Result<Bytes, postcard::Error> {
        let mut frame = postcard::to_stdvec(&(RECORDS_VARIANT, self.count))?;
        frame.extend_from_slice(&self.records);
        Ok(Bytes::from(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handoff::codec::{decode, encode};
    use crate::handoff::message::{Body, FromGateway, Record};

    #[test]
    fn a_frame_of_encoded_bodies_is_what_postcard_would_write() {
        let record = |sequence, body| Record {
            sequence,
            received_us: 1_700_000_000_000_000 - (sequence % 7) as i64,
            link: "a".into(),
            group: "group".into(),
            body,
        };
        let records = vec![
            record(1, Body::Redelivery { run: uuid::Uuid::from_u128(9), of: 300 }),
            record(u64::MAX >> 1, Body::Undecodable { pdu: vec![7; 300], error: "x".into() }),
        ];
        let mut frame = RecordsFrame::default();
        for r in &records {
            let body = postcard::to_stdvec(&r.body).unwrap();
            frame.push(r.sequence, r.received_us, &r.link, &r.group, &body).unwrap();
        }
        let frame = frame.finish().unwrap();
        assert_eq!(frame, encode(&FromGateway::Records(records.clone())).unwrap());
        assert_eq!(decode::<FromGateway>(&frame).unwrap(), FromGateway::Records(records));
    }
}
