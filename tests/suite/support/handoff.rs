//! A worker's end of the socket in the test's hands: it reads the spool's runs one after the other,
//! and commits nothing unless it is told to.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use futures_util::{SinkExt, StreamExt};
use scrutineer::handoff::codec::{decode, encode, framed};
use scrutineer::handoff::message::{FromGateway, FromWorker, PROTOCOL, Record, Run};
use tokio::net::UnixStream;
use tokio_util::codec::{Framed, LengthDelimitedCodec};
use uuid::Uuid;

use super::soon;

/// See the module.
pub struct Client {
    socket: PathBuf,
    frames: Framed<UnixStream, LengthDelimitedCodec>,
    records: VecDeque<Record>,
    /// Runs that the gateway told of at the last connection.
    pub runs: Vec<Run>,
    /// The run that takes new records.
    pub live: Uuid,
    /// The run that is read.
    pub run: Uuid,
    /// Submits that the gateway had no place for.
    pub busy: usize,
}

impl Client {
    /// Connects, and reads from the oldest record that is kept.
    pub async fn connect(socket: &Path) -> Self {
        Self::connect_after(socket, None).await
    }

    /// Connects, and reads after this record.
    pub async fn connect_after(socket: &Path, after: Option<(Uuid, u64)>) -> Self {
        let mut frames = framed(UnixStream::connect(socket).await.unwrap());
        frames.send(encode(&FromWorker::Hello { protocol: PROTOCOL }).unwrap()).await.unwrap();
        let frame = soon("the gateway's welcome", frames.next()).await.unwrap().unwrap();
        let FromGateway::Welcome { runs, live, .. } = decode(&frame).unwrap() else { panic!("no welcome") };
        let mut client =
            Self { socket: socket.to_owned(), frames, records: VecDeque::new(), runs, live, run: live, busy: 0 };
        let first = client.runs.iter().find(|run| run.oldest > 0).map(|run| (run.uuid, run.begins_after));
        let (run, after) = after.or(first).unwrap_or((live, 0));
        client.run = run;
        client.send(FromWorker::Read { run, after }).await;
        client.send(FromWorker::Credit { bytes: u32::MAX }).await;
        client
    }

    /// Says something to the gateway.
    pub async fn send(&mut self, message: FromWorker) {
        self.frames.send(encode(&message).unwrap()).await.unwrap();
    }

    /// The next record of the run that is read, or of the one after it.
    pub async fn record(&mut self) -> Record {
        soon("a record", self.wait()).await
    }

    async fn wait(&mut self) -> Record {
        loop {
            if let Some(record) = self.records.pop_front() {
                return record;
            }
            let frame = self.frames.next().await.unwrap().unwrap();
            match decode(&frame).unwrap() {
                FromGateway::Records(records) => self.records.extend(records),
                FromGateway::RunEnd => self.next_run().await,
                FromGateway::Busy { .. } => self.busy += 1,
                _ => {}
            }
        }
    }

    async fn next_run(&mut self) {
        let at = self.runs.iter().position(|run| run.uuid == self.run).unwrap();
        let next = self.runs[at + 1..].iter().find(|run| run.oldest > 0 || run.uuid == self.live).unwrap();
        let busy = self.busy;
        *self = Box::pin(Self::connect_after(&self.socket.clone(), Some((next.uuid, next.begins_after)))).await;
        self.busy += busy;
    }

    /// All records that are kept now, in their order, each with its run.
    pub async fn all(socket: &Path) -> Vec<(Uuid, Record)> {
        let mut client = Self::connect(socket).await;
        let Some(last) = client.runs.iter().rev().find(|run| run.oldest > 0).copied() else { return Vec::new() };
        let mut all = Vec::new();
        loop {
            let record = client.record().await;
            let end = (client.run, record.sequence) == (last.uuid, last.newest);
            all.push((client.run, record));
            if end {
                return all;
            }
        }
    }
}
