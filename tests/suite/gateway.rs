//! The gateway process between an SMSC and a worker that the test plays byte by byte: what it keeps
//! through dropped sessions and SIGKILL.

use std::time::Duration;

use bytes::BytesMut;
use scrutineer::handoff::message::{Body, FromWorker, NotSent, Record, Submit, SubmitOutcome};
use scrutineer::smpp::{Address, Frame, Pdu, ShortMessage, decode, encode, split};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

use super::support::flood::{self, Flood};
use super::support::handoff::Client;
use super::support::site::Site;
use super::support::soon;

/// One session of an SMSC.
struct Smsc {
    io: TcpStream,
    input: BytesMut,
}

impl Smsc {
    /// The gateway's next bind, accepted.
    async fn accept(listener: &TcpListener) -> Self {
        let (io, _) = soon("a connection of the gateway", listener.accept()).await.unwrap();
        let mut smsc = Self { io, input: BytesMut::new() };
        let (bind, pdu) = smsc.recv().await;
        assert!(matches!(pdu, Pdu::BindTransceiver(_)), "{pdu:?}");
        smsc.send(bind.sequence, Pdu::BindTransceiverResp("smsc".into())).await;
        smsc
    }

    async fn send(&mut self, sequence: u32, pdu: Pdu) {
        let mut out = BytesMut::new();
        encode(&mut out, 0, sequence, &pdu);
        self.io.write_all(&out).await.unwrap();
    }

    async fn recv(&mut self) -> (Frame, Pdu) {
        loop {
            if let Some(frame) = split(&mut self.input).unwrap() {
                let pdu = decode(&frame).unwrap();
                return (frame, pdu);
            }
            let n = soon("a PDU of the gateway", self.io.read_buf(&mut self.input)).await.unwrap();
            assert_ne!(n, 0, "the gateway closed");
        }
    }

    /// The next of a kind; `enquire_link` is left unanswered, so that nothing is confirmed.
    async fn recv_but_enquiries(&mut self) -> (Frame, Pdu) {
        loop {
            let (frame, pdu) = self.recv().await;
            if pdu != Pdu::EnquireLink {
                return (frame, pdu);
            }
        }
    }

    async fn deliver(&mut self, sequence: u32, text: &str) {
        let message = ShortMessage {
            source: Address::guess("355680000001"),
            destination: Address::guess("12345"),
            short_message: text.as_bytes().to_vec(),
            ..ShortMessage::default()
        };
        self.send(sequence, Pdu::DeliverSm(message)).await;
    }

    async fn deliver_acknowledged(&mut self, sequence: u32, text: &str) {
        self.deliver(sequence, text).await;
        let (frame, pdu) = self.recv_but_enquiries().await;
        assert_eq!((frame.sequence, frame.status, pdu), (sequence, 0, Pdu::DeliverSmResp));
    }
}

/// A worker's end of the socket.
struct Worker(Client);

impl Worker {
    async fn connect(site: &Site) -> Self {
        Self(Client::connect(&site.socket()).await)
    }

    async fn send(&mut self, message: FromWorker) {
        self.0.send(message).await;
    }

    async fn record(&mut self) -> Record {
        self.0.record().await
    }

    async fn result(&mut self) -> (Uuid, SubmitOutcome) {
        loop {
            if let Some((result, _)) = self.record().await.body.result() {
                return (result.id, result.outcome.clone());
            }
        }
    }
}

fn submit(n: u128, expires_us: i64) -> FromWorker {
    FromWorker::Submit(Submit {
        id: Uuid::from_u128(n),
        attempt: 1,
        group: "smsc".into(),
        link: None,
        bulk: false,
        source: "12345".into(),
        destination: "355680000001".into(),
        text: "thank you".into(),
        expires_us,
        receipt: false,
    })
}

async fn site() -> (Site, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (Site::without_database().link_with("smsc", port, "reconnect_seconds_max = 1"), listener)
}

fn text(record: &Record) -> String {
    match &record.body {
        Body::Message(m) => String::from_utf8_lossy(&m.short_message).into_owned(),
        Body::Redelivery { of, .. } => format!("again {of}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_the_smsc_delivers_again_after_a_drop_or_a_kill_is_known_and_a_resend_is_not_swallowed() {
    let (site, listener) = site().await;
    let mut gateway = site.start("gateway").await;
    let mut smsc = Smsc::accept(&listener).await;
    smsc.deliver_acknowledged(1, "first").await;
    smsc.deliver_acknowledged(2, "first").await;
    drop(smsc);
    let mut smsc = Smsc::accept(&listener).await;
    for sequence in 1..=3 {
        smsc.deliver_acknowledged(sequence, "first").await;
    }
    smsc.deliver_acknowledged(4, "last").await;
    gateway.kill().await;
    let _gateway = site.start("gateway").await;
    let mut smsc = Smsc::accept(&listener).await;
    smsc.deliver_acknowledged(1, "last").await;
    smsc.deliver_acknowledged(2, "last").await;
    let mut worker = Worker::connect(&site).await;
    let mut got = Vec::new();
    for _ in 0..8 {
        got.push(text(&worker.record().await));
    }
    assert_eq!(got, ["first", "first", "again 1", "again 2", "first", "last", "again 6", "last"]);
}

#[tokio::test]
async fn what_the_smsc_has_confirmed_is_no_redelivery_after_a_drop() {
    let (site, listener) = site().await;
    let _gateway = site.start("gateway").await;
    let mut smsc = Smsc::accept(&listener).await;
    smsc.deliver_acknowledged(1, "first").await;
    let (enquiry, pdu) = smsc.recv().await;
    assert_eq!(pdu, Pdu::EnquireLink);
    smsc.send(enquiry.sequence, Pdu::EnquireLinkResp).await;
    smsc.deliver_acknowledged(2, "second").await;
    drop(smsc);
    let mut smsc = Smsc::accept(&listener).await;
    smsc.deliver_acknowledged(1, "first").await;
    smsc.deliver_acknowledged(2, "second").await;
    let mut worker = Worker::connect(&site).await;
    let mut got = Vec::new();
    for _ in 0..4 {
        got.push(text(&worker.record().await));
    }
    assert_eq!(got, ["first", "second", "first", "again 2"]);
}

#[tokio::test]
async fn each_submit_has_one_result_through_kills_and_is_written_once() {
    let (site, listener) = site().await;
    let mut gateway = site.start("gateway").await;
    let mut smsc = Smsc::accept(&listener).await;
    let mut worker = Worker::connect(&site).await;
    worker.send(submit(1, i64::MAX)).await;
    let (frame, pdu) = smsc.recv_but_enquiries().await;
    assert!(matches!(pdu, Pdu::SubmitSm(_)));
    smsc.send(frame.sequence, Pdu::SubmitSmResp("m1".into())).await;
    let accepted = SubmitOutcome::Accepted { message_ids: vec!["m1".into()] };
    assert_eq!(worker.result().await, (Uuid::from_u128(1), accepted));
    worker.send(submit(2, i64::MAX)).await;
    smsc.recv_but_enquiries().await;
    gateway.kill().await;

    let mut gateway = site.start("gateway").await;
    let mut smsc = Smsc::accept(&listener).await;
    let mut worker = Worker::connect(&site).await;
    worker.result().await;
    assert_eq!(worker.result().await, (Uuid::from_u128(2), SubmitOutcome::Unknown));
    // The worker asks again for what it had leased: neither is written a second time, and it is told again.
    for n in 1..=3 {
        worker.send(submit(n, i64::MAX)).await;
    }
    let accepted = SubmitOutcome::Accepted { message_ids: vec!["m1".into()] };
    assert_eq!(worker.result().await, (Uuid::from_u128(1), accepted));
    assert_eq!(worker.result().await, (Uuid::from_u128(2), SubmitOutcome::Unknown));
    let (frame, _) = smsc.recv_but_enquiries().await;
    smsc.send(frame.sequence, Pdu::SubmitSmResp("m3".into())).await;
    let accepted = SubmitOutcome::Accepted { message_ids: vec!["m3".into()] };
    assert_eq!(worker.result().await, (Uuid::from_u128(3), accepted));

    // Without a link a submit waits, until it expires or the gateway stops.
    drop((smsc, listener));
    gateway.logged("session ended").await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    worker.send(submit(4, (now + Duration::from_secs(1)).as_micros() as i64)).await;
    let expired = SubmitOutcome::NotSent { reason: NotSent::Expired };
    assert_eq!(worker.result().await, (Uuid::from_u128(4), expired));
    worker.send(submit(5, i64::MAX)).await;
    // Frames are taken in order: once this one is refused, the one before it waits in the queue.
    let FromWorker::Submit(nowhere) = submit(6, i64::MAX) else { unreachable!() };
    worker.send(FromWorker::Submit(Submit { group: "nowhere".into(), ..nowhere })).await;
    let impossible = SubmitOutcome::NotSent { reason: NotSent::Impossible };
    assert_eq!(worker.result().await, (Uuid::from_u128(6), impossible));
    assert!(gateway.stop().await.success());
    let _gateway = site.start("gateway").await;
    let mut worker = Worker::connect(&site).await;
    let mut last = worker.result().await;
    while last.0 != Uuid::from_u128(5) {
        last = worker.result().await;
    }
    assert_eq!(last.1, SubmitOutcome::NotSent { reason: NotSent::Stopping });
}

#[tokio::test]
async fn a_stop_waits_for_what_is_under_way_and_for_nothing_else() {
    let (site, listener) = site().await;
    let mut gateway = site.start("gateway").await;
    let (io, _) = listener.accept().await.unwrap();
    let mut smsc = Smsc { io, input: BytesMut::new() };
    let (bind, _) = smsc.recv().await;
    smsc.send(bind.sequence, Pdu::BindTransceiverResp("smsc".into())).await;
    let worker = Worker::connect(&site).await;
    let stop = tokio::spawn(async move {
        let status = gateway.stop().await;
        (status, gateway.log())
    });
    let unbind = loop {
        let (frame, pdu) = smsc.recv().await;
        if pdu == Pdu::Unbind {
            break frame;
        }
    };
    smsc.send(unbind.sequence, Pdu::UnbindResp).await;
    let (status, log) = stop.await.unwrap();
    assert!(status.success(), "{log}");
    assert!(!log.contains("did not stop in time"), "{log}");
    drop(worker);
}

#[tokio::test]
async fn a_second_gateway_on_the_same_spool_is_refused_and_says_why() {
    let (site, _listener) = site().await;
    let _gateway = site.start("gateway").await;
    let mut second = super::support::process::Process::spawn("gateway", &site.config());
    assert_eq!(second.ended().await.code(), Some(1));
    second.logged("another gateway is using it").await;
}

#[tokio::test]
async fn a_wrong_password_is_an_error_that_says_what_to_mend() {
    let (site, listener) = site().await;
    let gateway = site.start("gateway").await;
    let (io, _) = listener.accept().await.unwrap();
    let mut smsc = Smsc { io, input: BytesMut::new() };
    let (bind, _) = smsc.recv().await;
    let mut out = BytesMut::new();
    encode(&mut out, 0x0E, bind.sequence, &Pdu::BindTransceiverResp(String::new()));
    smsc.io.write_all(&out).await.unwrap();
    let line = gateway.logged("refuses our login").await;
    assert!(line.contains("ERROR") && line.contains("smsc") && !line.contains("secret"), "{line}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_whose_smsc_sends_and_reads_nothing_holds_no_other() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let flood = Flood::start(50, 0, std::sync::Arc::new(|n| flood::text("355650000000", &format!("note {n}")))).await;
    let site = Site::without_database()
        .link_with("stuck", listener.local_addr().unwrap().port(), "")
        .link_with("well", flood.port, "");
    let mut gateway = site.start("gateway").await;
    let mut stuck = Smsc::accept(&listener).await;
    let mut out = BytesMut::new();
    for sequence in 0..1_000 {
        encode(&mut out, 0, sequence, &Pdu::DeliverSm(flood::text("355650000001", "from the stuck one")));
    }
    let mut taken = 0;
    while let Ok(some) =
        tokio::time::timeout(Duration::from_millis(500), stuck.io.write(&out[taken % out.len()..])).await
    {
        taken += some.unwrap();
        assert!(taken < 256 << 20, "it is read without end");
    }
    for more in 1..=3 {
        flood.offer(1_000);
        flood.until_acknowledged(more * 1_000, Duration::from_secs(60)).await;
    }
    assert_eq!(flood.seen(|seen| seen.refused), 0, "{}", gateway.log());
    assert!(gateway.stop().await.success());
}
