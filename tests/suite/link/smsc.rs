//! One session of an SMSC, played PDU by PDU.

use bytes::BytesMut;
use scrutineer::handoff::message::{FromWorker, Submit};
use scrutineer::smpp::{Address, Bind, Frame, Pdu, ShortMessage, decode, encode, split};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

use crate::support::soon;

/// A port, and those who listen on it.
pub(super) async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// A session.
pub(super) struct Smsc {
    pub(super) io: TcpStream,
    input: BytesMut,
    /// The bind request.
    pub(super) request: Pdu,
}

impl Smsc {
    /// The gateway's next bind, accepted.
    pub(super) async fn accept(listener: &TcpListener) -> Self {
        let (mut smsc, sequence) = Self::asked(listener).await;
        let response = match smsc.request {
            Pdu::BindTransceiver(_) => Pdu::BindTransceiverResp("smsc".into()),
            Pdu::BindReceiver(_) => Pdu::BindReceiverResp("smsc".into()),
            Pdu::BindTransmitter(_) => Pdu::BindTransmitterResp("smsc".into()),
            ref other => panic!("{other:?}"),
        };
        smsc.send(sequence, response).await;
        smsc
    }

    /// The gateway's next bind, not answered, and its sequence number.
    pub(super) async fn asked(listener: &TcpListener) -> (Self, u32) {
        let (io, _) = soon("a connection of the gateway", listener.accept()).await.unwrap();
        let mut smsc = Self { io, input: BytesMut::new(), request: Pdu::EnquireLink };
        let (bind, pdu) = smsc.recv().await;
        smsc.request = pdu;
        (smsc, bind.sequence)
    }

    /// What the gateway bound with.
    pub(super) fn bind(&self) -> &Bind {
        match &self.request {
            Pdu::BindTransceiver(bind) | Pdu::BindReceiver(bind) | Pdu::BindTransmitter(bind) => bind,
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn send(&mut self, sequence: u32, pdu: Pdu) {
        self.send_status(0, sequence, pdu).await;
    }

    pub(super) async fn send_status(&mut self, status: u32, sequence: u32, pdu: Pdu) {
        let mut out = BytesMut::new();
        encode(&mut out, status, sequence, &pdu);
        self.io.write_all(&out).await.unwrap();
    }

    pub(super) async fn recv(&mut self) -> (Frame, Pdu) {
        soon("a PDU of the gateway", self.next()).await.expect("the gateway closed")
    }

    /// The next PDU; `None` when the gateway closes.
    pub(super) async fn next(&mut self) -> Option<(Frame, Pdu)> {
        loop {
            if let Some(frame) = split(&mut self.input).unwrap() {
                let pdu = decode(&frame).unwrap();
                return Some((frame, pdu));
            }
            if self.io.read_buf(&mut self.input).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// The next that is no `enquire_link`; those are answered.
    pub(super) async fn recv_but_enquiries(&mut self) -> (Frame, Pdu) {
        loop {
            let (frame, pdu) = self.recv().await;
            if pdu != Pdu::EnquireLink {
                return (frame, pdu);
            }
            self.send(frame.sequence, Pdu::EnquireLinkResp).await;
        }
    }

    pub(super) async fn deliver(&mut self, sequence: u32, text: &str) {
        let message = ShortMessage {
            source: Address::guess("355680000001"),
            destination: Address::guess("12345"),
            short_message: text.as_bytes().to_vec(),
            ..ShortMessage::default()
        };
        self.send(sequence, Pdu::DeliverSm(message)).await;
    }

    pub(super) async fn deliver_acknowledged(&mut self, sequence: u32, text: &str) {
        self.deliver(sequence, text).await;
        let (frame, pdu) = self.recv_but_enquiries().await;
        assert_eq!((frame.sequence, frame.status, pdu), (sequence, 0, Pdu::DeliverSmResp));
    }

    /// The next `submit_sm`, accepted with this id: to whom.
    pub(super) async fn submit(&mut self, id: &str) -> String {
        let (frame, pdu) = self.recv_but_enquiries().await;
        let Pdu::SubmitSm(message) = pdu else { panic!("{pdu:?}") };
        self.send(frame.sequence, Pdu::SubmitSmResp(id.into())).await;
        message.destination.number
    }
}

/// A text for a group.
pub(super) fn submit(n: u128, group: &str, destination: &str) -> Submit {
    Submit {
        id: Uuid::from_u128(n),
        attempt: 1,
        group: group.into(),
        link: None,
        bulk: false,
        source: "12345".into(),
        destination: destination.into(),
        text: "thank you".into(),
        expires_us: i64::MAX,
        receipt: false,
    }
}

/// The same, as the worker says it.
pub(super) fn asks(n: u128, group: &str, destination: &str) -> FromWorker {
    FromWorker::Submit(submit(n, group, destination))
}
