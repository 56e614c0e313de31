//! The socket of a session: the greeting, and what is read and written.

use std::sync::{Arc, PoisonError};

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::super::batch::Session;
use super::super::board::Board;
use super::super::item::Item;
use super::super::lane::End;
use super::super::runs::Greeting;
use crate::handoff::codec::{self, Incoming};
use crate::handoff::dial::{self, Dial};
use crate::handoff::message::{FromGateway, FromWorker, PROTOCOL};
use crate::limits::HANDOFF_QUEUE_MAX;
use crate::outbox::links::Links;
use crate::store::Ledger;

/// Frames both ways.
pub(super) type Stream<S> = tokio_util::codec::Framed<S, tokio_util::codec::LengthDelimitedCodec>;

/// The greeting: what the gateway has.
pub(super) async fn greet<D: Dial>(dial: &D) -> Result<(Stream<D::Stream>, Greeting), End> {
    let gone = |e: &dyn std::fmt::Display| End::Gateway(e.to_string());
    let socket = dial.dial().await.map_err(|e| gone(&e))?;
    let mut stream = codec::framed(socket);
    send(&mut stream, &FromWorker::Hello { protocol: PROTOCOL }).await?;
    let frame = stream.next().await.ok_or_else(|| gone(&"closed before its welcome"))?.map_err(|e| gone(&e))?;
    match codec::decode::<FromGateway>(&frame).map_err(|e| gone(&e))? {
        FromGateway::Welcome { protocol: PROTOCOL, runs, live, host } => Ok((stream, Greeting { runs, live, host })),
        FromGateway::Welcome { protocol, .. } => Err(gone(&format!(
            "it speaks version {protocol} of the handoff and this worker {PROTOCOL}: install both from one package"
        ))),
        FromGateway::Refused(why) => Err(gone(&why)),
        _ => Err(gone(&"its first frame was no welcome")),
    }
}

pub(super) async fn send<S: dial::Stream>(stream: &mut Stream<S>, frame: &FromWorker) -> Result<(), End> {
    let body = codec::encode(frame).map_err(|e| End::Gateway(e.to_string()))?;
    stream.send(body).await.map_err(|e| End::Gateway(e.to_string()))
}

/// Writes frames, many to a flush.
pub(super) async fn write<S: dial::Stream>(
    mut sink: SplitSink<Stream<S>, bytes::Bytes>,
    mut frames: mpsc::Receiver<FromWorker>,
    over: CancellationToken,
) -> Result<(), End> {
    let gone = |e: &dyn std::fmt::Display| End::Gateway(e.to_string());
    let mut some = Vec::new();
    loop {
        let count = tokio::select! {
            biased;
            count = frames.recv_many(&mut some, HANDOFF_QUEUE_MAX) => count,
            () = over.cancelled(), if !frames.is_closed() => {
                frames.close();
                continue;
            }
        };
        if count == 0 {
            return Ok(());
        }
        for frame in some.drain(..) {
            let body = codec::encode(&frame).map_err(|e| gone(&e))?;
            sink.feed(body).await.map_err(|e| gone(&e))?;
        }
        sink.flush().await.map_err(|e| gone(&e))?;
    }
}

/// Hands records to their lanes.
pub(super) async fn read<L: Ledger, S: dial::Stream>(
    mut source: SplitStream<Stream<S>>,
    session: Arc<Session<L>>,
    queues: Vec<mpsc::Sender<Item>>,
    (links, board): (Arc<Links>, Arc<Board>),
    stop: CancellationToken,
) -> Result<(), End> {
    let gone = |e: &dyn std::fmt::Display| End::Gateway(e.to_string());
    while let Some(frame) = source.next().await {
        let frame = frame.map_err(|e| gone(&e))?;
        match codec::decode_from_gateway(&frame).map_err(|e| gone(&e))? {
            Incoming::Records(records) => {
                for (record, credit) in records {
                    let mut item = Item::new(session.spool, record, credit);
                    item.ids_are(|link| links.ids_of(link));
                    let ascends = session
                        .tracker
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .begin(item.record.sequence, item.record.received_us);
                    if !ascends {
                        return Err(gone(&format!("record {} does not ascend", item.record.sequence)));
                    }
                    debug!(message = %item.order.record, kind = item.kind_word(), "record taken");
                    let lane = usize::from(item.bucket()) % queues.len().max(1);
                    let Some(queue) = queues.get(lane) else { continue };
                    if queue.send(item).await.is_err() {
                        // The lane ended; why is its own to say.
                        std::future::pending::<()>().await;
                    }
                }
            }
            Incoming::Other(FromGateway::Link { link, group, bound, ids }) => {
                links.set(link, group, bound, ids);
                session.in_flight.wake.notify_one();
            }
            Incoming::Other(FromGateway::Confirmed { link, known }) => session.confirmed.say(link, known),
            Incoming::Other(FromGateway::Busy { id, .. }) => session.in_flight.say_busy(id),
            Incoming::Other(FromGateway::Status(status)) => board.put(*status),
            Incoming::Other(FromGateway::Refused(why)) => return Err(gone(&why)),
            Incoming::Other(FromGateway::RunEnd) => {
                let mut tracker = session.tracker.lock().unwrap_or_else(PoisonError::into_inner);
                tracker.end();
                if tracker.is_finished() {
                    stop.cancel();
                }
            }
            Incoming::Other(_) => return Err(gone(&"a frame that has no place here")),
        }
    }
    Err(gone(&"it closed the connection"))
}
