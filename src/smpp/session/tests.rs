//! Scripted dialogs: the test plays the SMSC on one side and the spool on the other, the session is
//! the real one. Each test names its rule.

use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::DuplexStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::*;
use crate::handoff::append::{Completions, InDoubt, Kind, Op};
use crate::handoff::doubt::{self, DoubtSet};
use crate::handoff::marks::Marks;
use crate::handoff::message::{Body, Mobile, NotSent, Run, Submit, SubmitOutcome};
use crate::handoff::queue::SubmitQueue;
use crate::limits::{BEFORE_BIND_MAX, SPOOL_QUEUE_MAX};
use crate::smpp::meters::Meters;
use crate::smpp::options::LinkOptions;
use crate::smpp::pdu::{Address, ShortMessage};
use crate::smpp::shared::LinkStates;
use crate::smpp::{Frame, decode, encode, split};
use crate::vitals::clock::Receipts;
use crate::vitals::pressure::{Level, Pressure};
use crate::vitals::progress::Work;

mod overload;
mod submits;

struct Rig {
    io: DuplexStream,
    input: BytesMut,
    appends: mpsc::Receiver<Append>,
    completions: Arc<Completions>,
    doubt: Arc<DoubtSet>,
    queue: Arc<SubmitQueue>,
    committed: watch::Sender<u64>,
    states: Arc<LinkStates>,
    marks: Arc<Marks>,
    pressure: Pressure,
    stop: CancellationToken,
    task: JoinHandle<End>,
    sequence: u64,
}

fn options() -> LinkOptions {
    LinkOptions {
        name: "a".into(),
        group: "g".into(),
        host: "smsc".into(),
        port: 2775,
        system_id: "esme".into(),
        password: "secret".into(),
        system_type: String::new(),
        default_alphabet: Default::default(),
        receive_window: 4,
        receive_bytes: 1 << 20,
        redelivery: Duration::from_secs(60),
        submit_window: 2,
        submits_per_second: 0,
        enquire_link: Duration::from_secs(30),
        response_timeout: Duration::from_secs(10),
        reconnect_max: Duration::from_secs(60),
        withhold: Duration::from_secs(crate::limits::WITHHOLD_SECONDS),
        overload_status: 0x08,
        receipts: true,
    }
}

impl Rig {
    fn unbound(options: LinkOptions, committed_mode: bool) -> Self {
        let (io, ours) = tokio::io::duplex(1 << 20);
        let (spool, appends) = mpsc::channel(SPOOL_QUEUE_MAX);
        let (completions, doubt, queue) = (Arc::default(), Arc::default(), Arc::default());
        let (committed, stop) = (watch::channel(0).0, CancellationToken::new());
        let states = Arc::new(LinkStates::new(1));
        let (marks, pressure) = (Arc::new(Marks::new(Vec::new(), Run::default(), 0)), Pressure::default());
        let mut link = Link {
            meters: Meters::new(&options.name),
            options,
            index: 0,
            spool,
            completions: Arc::clone(&completions),
            doubt: Arc::clone(&doubt),
            queue: Arc::clone(&queue),
            marks: marks.clone(),
            pressure: pressure.clone(),
            receipts: Arc::new(Receipts::after(0, crate::world::World::real())),
            states: states.clone(),
            committed: committed_mode.then(|| committed.subscribe()),
            stop: stop.clone(),
            work: Arc::new(Work::new("link a")),
            last_tag: 0,
            reference: 0,
            world: crate::world::World::real(),
            stored: 0,
            overload: None,
        };
        let task = tokio::spawn(async move { run(&mut link, ours).await });
        Self {
            io,
            input: BytesMut::new(),
            appends,
            completions,
            doubt,
            queue,
            committed,
            states,
            marks,
            pressure,
            stop,
            task,
            sequence: 0,
        }
    }

    async fn bound_with(options: LinkOptions, committed_mode: bool) -> Self {
        let mut rig = Self::unbound(options, committed_mode);
        let (bind, pdu) = rig.recv().await;
        assert!(matches!(pdu, Pdu::BindTransceiver(b) if b.system_id == "esme" && b.password == "secret"));
        rig.send(0, bind.sequence, Pdu::BindTransceiverResp("smsc".into())).await;
        rig.states.watch().wait_for(|s| s[0]).await.unwrap();
        rig
    }

    async fn bound() -> Self {
        Self::bound_with(options(), false).await
    }

    async fn send(&mut self, status: u32, sequence: u32, pdu: Pdu) {
        let mut out = BytesMut::new();
        encode(&mut out, status, sequence, &pdu);
        self.io.write_all(&out).await.unwrap();
    }

    async fn deliver(&mut self, sequence: u32, text: &str) {
        self.send(0, sequence, Pdu::DeliverSm(sms(text))).await;
    }

    async fn recv(&mut self) -> (Frame, Pdu) {
        loop {
            if let Some(frame) = split(&mut self.input).unwrap() {
                let pdu = decode(&frame).unwrap();
                return (frame, pdu);
            }
            assert_ne!(self.io.read_buf(&mut self.input).await.unwrap(), 0, "the session closed");
        }
    }

    /// The next that is no `enquire_link`, each of which is answered.
    async fn recv_answering(&mut self) -> (Frame, Pdu) {
        loop {
            let (frame, pdu) = self.recv().await;
            if pdu != Pdu::EnquireLink {
                return (frame, pdu);
            }
            self.send(0, frame.sequence, Pdu::EnquireLinkResp).await;
        }
    }

    async fn append(&mut self) -> Append {
        self.appends.recv().await.unwrap()
    }

    fn done(&self, done: Done) {
        self.completions.put(&mut vec![done]);
    }

    /// The spool stores the next record.
    async fn store(&mut self) -> (Append, u64) {
        let append = self.append().await;
        assert!(matches!(append.op, Op::Record { .. }), "{append:?}");
        self.sequence += 1;
        self.done(Done::Stored { tag: append.tag, sequence: self.sequence });
        (append, self.sequence)
    }

    async fn intend(&mut self) {
        let append = self.append().await;
        assert!(matches!(append.op, Op::Intent { .. }), "{append:?}");
        self.done(Done::Intended { tag: append.tag });
    }

    async fn result(&mut self) -> (Uuid, SubmitOutcome) {
        loop {
            match self.append().await.op {
                Op::Result { id, outcome, .. } | Op::LateResult { id, outcome, .. } => return (id, outcome),
                Op::Confirmed { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Nothing comes for a while.
    async fn is_quiet(&mut self) -> bool {
        timeout(Duration::from_millis(300), self.recv()).await.is_err()
    }
}

fn sms(text: &str) -> ShortMessage {
    ShortMessage {
        source: Address::guess("355691234567"),
        destination: Address::guess("4636"),
        short_message: text.as_bytes().to_vec(),
        ..ShortMessage::default()
    }
}

fn submit(n: u128, text: &str) -> Submit {
    Submit {
        id: Uuid::from_u128(n),
        attempt: 1,
        group: "g".into(),
        source: "4636".into(),
        destination: "355691234567".into(),
        text: text.into(),
        expires_us: i64::MAX,
        receipt: true,
    }
}

fn body(append: &Append) -> Body {
    match &append.op {
        Op::Record { body, .. } => postcard::from_bytes(body).unwrap(),
        other => panic!("{other:?}"),
    }
}

const ROK: u32 = 0;

#[tokio::test(start_paused = true)]
async fn a_message_is_acknowledged_only_when_it_is_stored() {
    let mut rig = Rig::bound().await;
    rig.deliver(0xFFFF_FFFE, "PS 1").await;
    assert!(rig.is_quiet().await, "answered before it was durable");
    let (append, _) = rig.store().await;
    assert!(matches!(body(&append), Body::Message(m) if m.short_message == b"PS 1" && m.source == "355691234567"));
    let (frame, pdu) = rig.recv().await;
    assert_eq!((frame.sequence, frame.status, pdu), (0xFFFF_FFFE, ROK, Pdu::DeliverSmResp));
}

#[tokio::test(start_paused = true)]
async fn a_message_before_the_bind_response_is_kept_and_answered_once_bound() {
    let mut rig = Rig::unbound(options(), false);
    let (bind, _) = rig.recv().await;
    for n in 0..=BEFORE_BIND_MAX as u32 {
        rig.deliver(100 + n, "early").await;
    }
    let (frame, _) = rig.recv().await;
    assert_eq!((frame.sequence, frame.status), (100 + BEFORE_BIND_MAX as u32, 0x08), "more than a few are for later");
    rig.send(0, bind.sequence, Pdu::BindTransceiverResp(String::new())).await;
    for n in 0..BEFORE_BIND_MAX as u32 {
        rig.store().await;
        assert_eq!(rig.recv().await.0.sequence, 100 + n);
    }
}

#[tokio::test(start_paused = true)]
async fn past_the_receive_window_the_socket_is_not_read() {
    let mut rig = Rig::bound().await;
    for n in 1..=6 {
        rig.deliver(n, "x").await;
    }
    let mut waiting = Vec::new();
    for _ in 0..4 {
        waiting.push(rig.append().await);
    }
    assert!(timeout(Duration::from_millis(500), rig.appends.recv()).await.is_err(), "a fifth was taken");
    rig.done(Done::Stored { tag: waiting[0].tag, sequence: 1 });
    rig.append().await;
    assert_eq!(rig.recv().await.0.sequence, 1);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_cannot_be_read_is_spooled_raw_and_acknowledged() {
    let mut rig = Rig::bound().await;
    let mut out = BytesMut::new();
    encode(&mut out, 0, 9, &Pdu::DeliverSm(sms("hello")));
    let cut = out.len() - 3;
    out.truncate(cut);
    out[..4].copy_from_slice(&(cut as u32).to_be_bytes());
    rig.io.write_all(&out).await.unwrap();
    let (append, _) = rig.store().await;
    assert!(matches!(body(&append), Body::Undecodable { pdu, error } if pdu == out[..] && error.contains("sm_length")));
    let (frame, pdu) = rig.recv().await;
    assert_eq!((frame.sequence, frame.status, pdu), (9, ROK, Pdu::DeliverSmResp));
}

#[tokio::test(start_paused = true)]
async fn data_sm_is_a_message_and_a_receipt_is_one_by_esm_class() {
    let mut rig = Rig::bound().await;
    let data = ShortMessage { short_message: Vec::new(), payload: Some(b"PS 1".to_vec()), ..sms("") };
    rig.send(0, 5, Pdu::DataSm(data)).await;
    let (append, _) = rig.store().await;
    assert!(matches!(body(&append), Body::Message(Mobile { payload: Some(p), .. }) if p == b"PS 1"));
    assert!(matches!(rig.recv().await, (Frame { sequence: 5, status: 0, .. }, Pdu::DataSmResp(_))));
    rig.deliver(6, "id:1 sub:001 dlvrd:001 stat:DELIVRD").await;
    assert!(matches!(body(&rig.store().await.0), Body::Message(_)));
    rig.recv().await;
    rig.send(0, 7, Pdu::DeliverSm(ShortMessage { esm_class: 0x04, ..sms("id:1") })).await;
    assert!(matches!(body(&rig.store().await.0), Body::Receipt(_)));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_command_is_nacked_with_its_sequence_and_the_link_stays() {
    let mut rig = Rig::bound().await;
    rig.send(0, 77, Pdu::Other(CommandId::Other(0x0000_0099))).await;
    let (frame, pdu) = rig.recv().await;
    assert_eq!((frame.sequence, frame.status, pdu), (77, 0x03, Pdu::GenericNack));
    rig.send(0, 78, Pdu::Other(CommandId::Other(0x8000_0099))).await;
    rig.send(0, 79, Pdu::EnquireLink).await;
    let (frame, pdu) = rig.recv().await;
    assert_eq!((frame.sequence, pdu), (79, Pdu::EnquireLinkResp), "an unknown response is ignored");
}

#[tokio::test(start_paused = true)]
async fn a_length_that_cannot_be_is_nacked_and_ends_the_session() {
    let mut rig = Rig::bound().await;
    rig.io.write_all(&[0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 42]).await.unwrap();
    let (frame, pdu) = rig.recv().await;
    assert_eq!((frame.sequence, frame.status, pdu), (42, 0x02, Pdu::GenericNack));
    assert!(matches!(rig.task.await.unwrap(), End::BadLength(_)));
}

#[tokio::test(start_paused = true)]
async fn a_pdu_that_begins_must_end() {
    let mut rig = Rig::bound().await;
    rig.io.write_all(&[0, 0, 0, 40, 0, 0]).await.unwrap();
    let end = timeout(Duration::from_secs(PDU_READ_SECONDS + 2), &mut rig.task).await.unwrap().unwrap();
    assert!(matches!(end, End::HalfPdu));
}

#[tokio::test(start_paused = true)]
async fn a_bind_that_is_refused_or_not_answered_ends_the_session() {
    let mut rig = Rig::unbound(options(), false);
    let (bind, _) = rig.recv().await;
    rig.send(0x0E, bind.sequence, Pdu::BindTransceiverResp(String::new())).await;
    assert!(matches!(rig.task.await.unwrap(), End::BindRefused(0x0E)));
    let rig = Rig::unbound(options(), false);
    assert!(matches!(timeout(Duration::from_secs(12), rig.task).await.unwrap().unwrap(), End::BindTimeout));
}

#[tokio::test(start_paused = true)]
async fn after_silence_enquire_link_is_sent_and_two_misses_close() {
    let mut rig = Rig::bound().await;
    let begun = Instant::now();
    for _ in 0..2 {
        assert_eq!(rig.recv().await.1, Pdu::EnquireLink);
    }
    assert!(matches!(rig.task.await.unwrap(), End::Silent));
    assert!(begun.elapsed() < Duration::from_secs(52), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_enquire_link_answered_confirms_the_responses_before_it() {
    let mut rig = Rig::bound().await;
    rig.deliver(1, "x").await;
    rig.store().await;
    rig.recv().await;
    let (enquire, pdu) = timeout(Duration::from_secs(3), rig.recv()).await.expect("while there is traffic, soon");
    assert_eq!(pdu, Pdu::EnquireLink);
    // Acknowledged after the enquiry was written, so that its answer says nothing about it.
    rig.deliver(2, "y").await;
    rig.store().await;
    rig.recv().await;
    rig.send(0, enquire.sequence, Pdu::EnquireLinkResp).await;
    let confirmed = rig.append().await.op;
    assert!(matches!(confirmed, Op::Confirmed { through: 1 }), "{confirmed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_redelivery_of_what_is_in_doubt_is_recorded_as_one_and_only_once() {
    let mut rig = Rig::bound().await;
    let mobile = Mobile {
        source: "355691234567".into(),
        destination: "4636".into(),
        short_message: b"PS 1".to_vec(),
        ..Mobile::default()
    };
    let original = InDoubt { run: Uuid::nil(), sequence: 40, key: doubt::mobile_key(&mobile), until_us: i64::MAX };
    rig.doubt.add(0, &[original], i64::MAX);
    for (sequence, expected) in [(1, Some(40)), (2, None)] {
        rig.deliver(sequence, "PS 1").await;
        let (append, _) = rig.store().await;
        match expected {
            Some(of) => {
                assert_eq!(body(&append), Body::Redelivery { run: Uuid::nil(), of });
                assert!(matches!(append.op, Op::Record { kind: Kind::Redelivery, repeats: Some(40), .. }));
            }
            None => assert!(matches!(body(&append), Body::Message(_)), "a genuine resend is a message of its own"),
        }
        assert_eq!(rig.recv().await.0.status, ROK);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_durable_in_time_is_withheld_and_then_answered_with_the_overload_status() {
    let mut rig = Rig::bound().await;
    rig.deliver(1, "x").await;
    rig.deliver(2, "y").await;
    let (first, second) = (rig.append().await, rig.append().await);
    let begun = Instant::now();
    let (frame, _) = rig.recv_answering().await;
    assert_eq!((frame.sequence, frame.status), (1, 0x08));
    assert!((4..7).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    assert_eq!(rig.recv_answering().await.0.sequence, 2);
    // The disk comes back and took the first after all: its redelivery must be known.
    rig.done(Done::Stored { tag: first.tag, sequence: 7 });
    rig.done(Done::Failed { tag: second.tag });
    let doubt = rig.append().await;
    assert!(matches!(doubt.op, Op::Doubt { only: Some(7) }), "{doubt:?}");
    let entry = InDoubt { run: Uuid::nil(), sequence: 7, key: 1, until_us: i64::MAX };
    rig.done(Done::InDoubt { tag: doubt.tag, records: vec![entry] });
    assert!(rig.is_quiet().await, "each is answered once");
    assert_eq!(rig.doubt.take(1, 0), Some(entry));
}

#[tokio::test(start_paused = true)]
async fn overload_that_lasts_unbinds_so_that_the_smsc_stores() {
    let mut rig = Rig::bound().await;
    let begun = Instant::now();
    let mut sequence = 0;
    let unbind = loop {
        sequence += 1;
        rig.deliver(sequence, "x").await;
        let append = rig.append().await;
        rig.done(Done::Failed { tag: append.tag });
        let (frame, pdu) = rig.recv_answering().await;
        if pdu == Pdu::Unbind {
            break frame;
        }
        assert_eq!(frame.status, 0x08);
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    assert!((54..70).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    rig.send(0, unbind.sequence, Pdu::UnbindResp).await;
    assert!(matches!(rig.task.await.unwrap(), End::Overloaded));
}

#[tokio::test(start_paused = true)]
async fn acknowledge_committed_waits_for_the_workers_commit() {
    let mut rig = Rig::bound_with(options(), true).await;
    rig.deliver(1, "x").await;
    rig.deliver(2, "y").await;
    rig.store().await;
    rig.store().await;
    assert!(rig.is_quiet().await);
    rig.committed.send_replace(1);
    assert_eq!(rig.recv().await.0.sequence, 1);
    assert!(rig.is_quiet().await);
    rig.committed.send_replace(5);
    assert_eq!(rig.recv().await.0.sequence, 2);
}

#[tokio::test(start_paused = true)]
async fn an_unbind_of_the_smsc_is_answered_after_the_last_acknowledgement() {
    let mut rig = Rig::bound().await;
    rig.deliver(1, "x").await;
    let append = rig.append().await;
    rig.send(0, 2, Pdu::Unbind).await;
    rig.states.watch().wait_for(|s| !s[0]).await.unwrap();
    assert!(rig.queue.push(submit(1, "x")));
    assert!(rig.is_quiet().await, "nothing is submitted, and the unbind waits");
    rig.done(Done::Stored { tag: append.tag, sequence: 1 });
    assert_eq!(rig.recv().await.1, Pdu::DeliverSmResp);
    let (frame, pdu) = rig.recv().await;
    assert_eq!((frame.sequence, pdu), (2, Pdu::UnbindResp));
    assert!(matches!(rig.task.await.unwrap(), End::PeerUnbound));
}

#[tokio::test(start_paused = true)]
async fn a_stop_unbinds_and_goes_on_acknowledging_until_the_answer() {
    let mut rig = Rig::bound().await;
    rig.stop.cancel();
    let (unbind, pdu) = rig.recv().await;
    assert_eq!(pdu, Pdu::Unbind);
    rig.deliver(9, "x").await;
    rig.store().await;
    assert!(matches!(rig.recv().await, (Frame { sequence: 9, status: 0, .. }, Pdu::DeliverSmResp)));
    rig.send(0, unbind.sequence, Pdu::UnbindResp).await;
    let confirmed = rig.append().await.op;
    assert!(matches!(confirmed, Op::Confirmed { through: 1 }), "{confirmed:?}");
    assert!(matches!(rig.task.await.unwrap(), End::Stopped));
    // An SMSC that does not answer is not waited for for ever.
    let mut rig = Rig::bound().await;
    rig.stop.cancel();
    assert_eq!(rig.recv().await.1, Pdu::Unbind);
    assert!(matches!(timeout(Duration::from_secs(7), rig.task).await.unwrap().unwrap(), End::Stopped));
}

#[tokio::test]
async fn a_peer_that_reads_nothing_is_not_read_from_past_what_may_wait_to_be_written() {
    use crate::limits::{READ_BYTES, WRITE_BYTES_MAX};
    let mut rig = Rig::bound().await;
    let mut enquiries = BytesMut::new();
    (1_000..1_500).for_each(|n| encode(&mut enquiries, 0, n, &Pdu::EnquireLink));
    let (mut written, mut at) = (0, 0);
    while let Ok(some) =
        tokio::time::timeout(Duration::from_millis(500), rig.io.write(&enquiries[at % enquiries.len()..])).await
    {
        at += some.unwrap();
        written = at;
    }
    // Both directions of the pipe, and what the session holds between them.
    let pipe = 2 << 20;
    assert!(written >= pipe + WRITE_BYTES_MAX, "{written}");
    assert!(written <= pipe + WRITE_BYTES_MAX + 4 * READ_BYTES, "{written}");
    for _ in 0..written / 16 {
        assert!(matches!(rig.recv().await.1, Pdu::EnquireLinkResp), "each is answered when it reads");
    }
}
