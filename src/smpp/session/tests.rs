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
use crate::handoff::message::{Body, Mobile, NotSent, Responses, Run, Submit, SubmitOutcome};
use crate::handoff::queue::SubmitQueue;
use crate::limits::{BEFORE_BIND_MAX, IDLE_SECONDS, SILENCE_SECONDS, SPOOL_QUEUE_MAX};
use crate::smpp::meters::Meters;
use crate::smpp::options::LinkOptions;
use crate::smpp::pace::Pace;
use crate::smpp::pdu::{Address, ShortMessage};
use crate::smpp::shared::LinkStates;
use crate::smpp::{Frame, decode, encode, split};
use crate::vitals::clock::Receipts;
use crate::vitals::pressure::{Level, Pressure};
use crate::vitals::progress::Work;

mod binding;
mod dialog;
mod overload;
mod receiving;
mod submits;

struct Rig {
    io: DuplexStream,
    input: BytesMut,
    appends: mpsc::Receiver<Append>,
    completions: Arc<Completions>,
    doubt: Arc<DoubtSet>,
    queue: Arc<SubmitQueue>,
    pace: Arc<Pace>,
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
        link: "a".into(),
        role: Default::default(),
        version: 0x34,
        tls: None,
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
        message_ids: Default::default(),
        tolerate_sm_length: false,
        sending: Default::default(),
        statuses: Default::default(),
        validity: true,
    }
}

impl Rig {
    fn unbound(options: LinkOptions, committed_mode: bool) -> Self {
        Self::over(options, committed_mode, |mut link, ours| tokio::spawn(async move { run(&mut link, ours).await }))
    }

    /// `start` runs the link.
    fn over(
        options: LinkOptions,
        committed_mode: bool,
        start: impl FnOnce(Link, DuplexStream) -> JoinHandle<End>,
    ) -> Self {
        Self::shared(options, committed_mode, Arc::default(), Arc::default(), start)
    }

    /// `queue` and `pace` are those of another bind, or of an earlier session.
    fn shared(
        options: LinkOptions,
        committed_mode: bool,
        queue: Arc<SubmitQueue>,
        pace: Arc<Pace>,
        start: impl FnOnce(Link, DuplexStream) -> JoinHandle<End>,
    ) -> Self {
        let (io, ours) = tokio::io::duplex(1 << 20);
        let (spool, appends) = mpsc::channel(SPOOL_QUEUE_MAX);
        let (completions, doubt) = (Arc::default(), Arc::default());
        let (committed, stop) = (watch::channel(0).0, CancellationToken::new());
        let states = Arc::new(LinkStates::new(1));
        let (marks, pressure) = (Arc::new(Marks::new(Vec::new(), Run::default(), 0)), Pressure::default());
        let link = Link {
            meters: Meters::new(&options.link, &options.name),
            binds: Arc::default(),
            pace: pace.clone(),
            desk: Arc::default(),
            tap: Arc::default(),
            options,
            index: 0,
            spool,
            completions: Arc::clone(&completions),
            doubt: Arc::clone(&doubt),
            queue: queue.clone(),
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
            settling: None,
            tlvs: false,
        };
        let task = start(link, ours);
        Self {
            io,
            input: BytesMut::new(),
            appends,
            completions,
            doubt,
            queue,
            pace,
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
        link: None,
        bulk: false,
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
