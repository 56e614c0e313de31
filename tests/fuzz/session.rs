//! What must hold for a link whatever the SMSC and the spool do: asserted by the fuzz target `session`
//! and, on the kept corpus, by the suite.
//!
//! An input is a script. The SMSC at the other end of a pipe writes any bytes in any cut, or whole PDUs, reads
//! or doesn't, closes; the spool stores, fails, or says nothing; submits come; time (paused, so that it costs
//! nothing) passes. The link is the real one, over as many sessions as the script makes.
//!
//! - What we write is always whole PDUs that can be read.
//! - Each `deliver_sm` or `data_sm` gets at most one answer, and ESME_ROK never before a record is stored.
//! - A `submit_sm` goes out only after its intent is durable.
//! - What is asked of the spool at once is bounded by the window.
//! - Told to stop, the link ends.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::handoff::append::{Append, Completions, Done, InDoubt, Op};
use super::handoff::dial::Dial;
use super::handoff::doubt;
use super::handoff::marks::Marks;
use super::handoff::message::{Run, Submit};
use super::handoff::queue::SubmitQueue;
use super::limits::{BEFORE_BIND_MAX, SPOOL_QUEUE_MAX, SUBMIT_SEGMENTS_MAX};
use super::smpp::link::Link;
use super::smpp::meters::Meters;
use super::smpp::options::LinkOptions;
use super::smpp::shared::LinkStates;
use super::smpp::{Address, CommandId, Frame, Pdu, ShortMessage, decode, encode, split};
use super::vitals::clock::Receipts;
use super::vitals::pressure::{Level, Pressure};
use super::vitals::progress::Work;
use super::world::{Outside, World};

/// Messages that the link takes ahead of the spool.
const WINDOW: usize = 4;
/// Steps of one script.
const STEPS_MAX: usize = 300;
/// Bytes that either end of the pipe takes unread.
const PIPE: usize = 64 << 10;

/// Plays one script.
pub fn hold(bytes: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut player = Player::new(bytes);
        player.play().await;
        player.end().await;
    });
}

/// Bytes taken one by one; zero when there are no more.
struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    fn next(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    fn take(&mut self, n: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(n.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// Time that goes with the runtime's, and chance that is none.
#[derive(Debug)]
struct Still {
    begun: Instant,
    bits: AtomicU64,
}

impl Outside for Still {
    fn now_us(&self) -> i64 {
        1_800_000_000_000_000 + i64::try_from(self.begun.elapsed().as_micros()).unwrap_or(0)
    }

    fn bits(&self) -> u64 {
        self.bits.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed)
    }
}

/// Hands one end of each new pipe to the player.
struct Pipes(mpsc::Sender<DuplexStream>);

impl Dial for Pipes {
    type Stream = DuplexStream;

    async fn dial(&self) -> io::Result<DuplexStream> {
        let (theirs, ours) = duplex(PIPE);
        self.0.send(theirs).await.map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
        Ok(ours)
    }
}

/// The SMSC's end of one session.
struct Session {
    io: DuplexStream,
    /// What we were sent, as far as it is no whole PDU yet.
    heard: BytesMut,
    /// What we sent, likewise; `None` once it can't be followed.
    said: Option<BytesMut>,
    /// Messages delivered and not answered, by sequence number.
    delivered: HashMap<u32, usize>,
    /// Sequence numbers of the latest of its requests.
    bind: u32,
    enquiry: u32,
    unbind: u32,
    submits: Vec<u32>,
}

struct Player<'a> {
    script: Script<'a>,
    pipes: mpsc::Receiver<DuplexStream>,
    session: Option<Session>,
    appends: mpsc::Receiver<Append>,
    waiting: VecDeque<Append>,
    completions: Arc<Completions>,
    queue: Arc<SubmitQueue>,
    marks: Arc<Marks>,
    pressure: Pressure,
    stop: CancellationToken,
    task: JoinHandle<()>,
    begun: Instant,
    /// The spool stores by itself.
    prompt: bool,
    /// The SMSC reads nothing.
    deaf: bool,
    /// Records stored, with their keys.
    stored: Vec<(u64, Option<u128>)>,
    acknowledged: usize,
    intended: usize,
    submitted: usize,
    named: u128,
    committed: Option<Arc<watch::Sender<u64>>>,
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
        receive_window: WINDOW,
        receive_bytes: 1 << 20,
        redelivery: Duration::from_secs(60),
        submit_window: 2,
        submits_per_second: 0,
        enquire_link: Duration::from_secs(30),
        response_timeout: Duration::from_secs(10),
        reconnect_max: Duration::from_secs(60),
        withhold: Duration::from_secs(5),
        overload_status: 0x08,
        receipts: true,
        message_ids: Default::default(),
        tolerate_sm_length: false,
        sending: Default::default(),
        statuses: Default::default(),
        validity: true,
    }
}

fn short(text: &[u8], esm_class: u8) -> ShortMessage {
    ShortMessage {
        source: Address::guess("355691234567"),
        destination: Address::guess("4636"),
        esm_class,
        short_message: text.to_vec(),
        ..ShortMessage::default()
    }
}

impl<'a> Player<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let mut script = Script(bytes);
        let mode = script.next();
        let begun = Instant::now();
        let world = World::simulated(Arc::new(Still { begun, bits: AtomicU64::new(mode.into()) }));
        let (spool, appends) = mpsc::channel(SPOOL_QUEUE_MAX);
        let (completions, queue, stop) =
            (Arc::<Completions>::default(), Arc::<SubmitQueue>::default(), CancellationToken::new());
        let marks = Arc::new(Marks::new(Vec::new(), Run::default(), 0));
        let pressure = Pressure::default();
        let committed = (mode & 2 != 0).then(|| Arc::new(watch::channel(0).0));
        let options = LinkOptions { submits_per_second: if mode & 4 == 0 { 0 } else { 1 }, ..options() };
        let link = Link {
            meters: Meters::new(&options.link, &options.name),
            binds: Arc::default(),
            pace: Arc::default(),
            desk: Arc::default(),
            tap: Arc::default(),
            options,
            index: 0,
            spool,
            completions: completions.clone(),
            doubt: Arc::default(),
            queue: queue.clone(),
            marks: marks.clone(),
            pressure: pressure.clone(),
            receipts: Arc::new(Receipts::after(0, world.clone())),
            states: Arc::new(LinkStates::new(1)),
            committed: committed.as_ref().map(|sender| sender.subscribe()),
            stop: stop.clone(),
            work: Arc::new(Work::new("link a")),
            last_tag: 0,
            reference: 0,
            world,
            stored: 0,
            overload: None,
            settling: None,
            tlvs: false,
        };
        let (pipe, pipes) = mpsc::channel(1);
        let task = tokio::spawn(async move { link.run_over(&Pipes(pipe)).await });
        Self {
            script,
            pipes,
            session: None,
            appends,
            waiting: VecDeque::new(),
            completions,
            queue,
            marks,
            pressure,
            stop,
            task,
            begun,
            prompt: mode & 1 == 0,
            deaf: false,
            stored: Vec::new(),
            acknowledged: 0,
            intended: 0,
            submitted: 0,
            named: 0,
            committed,
        }
    }

    async fn play(&mut self) {
        for _ in 0..STEPS_MAX {
            if self.script.0.is_empty() {
                return;
            }
            self.step().await;
            self.settle().await;
        }
    }

    async fn step(&mut self) {
        let what = self.script.next();
        match what % 16 {
            0 => {
                let n = self.script.next();
                let bytes = self.script.take(n.into());
                self.say(bytes).await;
            }
            1..=7 => self.pdu(what).await,
            8 => {
                let how = self.script.next();
                self.answer_spool(usize::from(how >> 4) + 1, how % 8);
            }
            9 => {
                let ms = [5, 200, 1_000, 5_100, 11_000, 31_000, 61_000, 20][usize::from(self.script.next() % 8)];
                sleep(Duration::from_millis(ms)).await;
            }
            10 => self.submit(),
            11 => {
                let newest = self.stored.last().map_or(0, |(sequence, _)| *sequence);
                if let Some(committed) = &self.committed {
                    committed.send_replace(newest);
                }
            }
            12 => self.deaf = !self.deaf,
            13 => {
                let level = [Level::Calm, Level::High, Level::Critical][usize::from(self.script.next() % 3)];
                self.pressure.set(level);
            }
            14 => {
                let how = self.script.next();
                self.marks.set_failing(how & 1 != 0);
                self.marks.set_full(how & 2 != 0);
                self.prompt = how & 4 != 0;
            }
            _ => self.session = None,
        }
    }

    /// A whole PDU, perhaps cut short, perhaps followed by more in the same write.
    async fn pdu(&mut self, what: u8) {
        let (kind, number) = (self.script.next(), self.script.next());
        let Some(session) = &self.session else { return };
        let status =
            if kind & 0x20 == 0 { 0 } else { [8, 0x14, 0x58, 0x0E, 5, 0x45, 1, 0xFF][usize::from(number % 8)] };
        let sequence = u32::from(number % 16) + 1;
        let submit =
            session.submits.get(usize::from(number) % session.submits.len().max(1)).copied().unwrap_or(sequence);
        let (sequence, pdu) = match kind % 16 {
            0 | 1 => (session.bind, Pdu::BindTransceiverResp("smsc".into())),
            2 | 3 => {
                let n = usize::from(number % 40);
                (sequence, Pdu::DeliverSm(short(self.script.take(n), if number & 0x80 == 0 { 0 } else { 0x40 })))
            }
            4 => (sequence, Pdu::DeliverSm(short(b"id:1 sub:001 dlvrd:001 stat:DELIVRD err:000", 4))),
            5 => (
                sequence,
                Pdu::DataSm(ShortMessage { payload: Some(vec![b'x'; usize::from(number) * 16]), ..short(b"", 0) }),
            ),
            6 | 7 => (submit, Pdu::SubmitSmResp(format!("{number:x}"))),
            8 => (sequence, Pdu::EnquireLink),
            9 => (session.enquiry, Pdu::EnquireLinkResp),
            10 => (sequence, Pdu::Unbind),
            11 => (session.unbind, Pdu::UnbindResp),
            12 => (if number & 1 == 0 { 0 } else { submit }, Pdu::GenericNack),
            13 => (sequence, Pdu::AlertNotification),
            14 => (sequence, Pdu::Other(CommandId::from(u32::from(number) << (number % 25)))),
            _ => (sequence, Pdu::SubmitSm(short(b"x", 0))),
        };
        let mut out = BytesMut::new();
        encode(&mut out, status, sequence, &pdu);
        if what & 0x80 != 0 {
            // Shorter than it should be, its length sound.
            let length = out.len().saturating_sub(usize::from(number % 24)).max(16);
            out.truncate(length);
            out[..4].copy_from_slice(&u32::try_from(length).unwrap().to_be_bytes());
        }
        if what & 0x40 != 0 {
            let cut = usize::from(number) % out.len();
            let rest = out.split_off(cut);
            self.say(&out).await;
            self.settle().await;
            self.say(&rest).await;
        } else {
            self.say(&out).await;
        }
    }

    /// As much as the pipe takes.
    async fn say(&mut self, bytes: &[u8]) {
        let Some(session) = &mut self.session else { return };
        let Ok(Ok(n)) = timeout(Duration::from_millis(5), session.io.write(bytes)).await else { return };
        let Some(said) = &mut session.said else { return };
        said.extend_from_slice(&bytes[..n]);
        loop {
            match split(said) {
                Ok(Some(frame)) if matches!(frame.id, CommandId::DeliverSm | CommandId::DataSm) => {
                    *session.delivered.entry(frame.sequence).or_default() += 1;
                }
                Ok(Some(_)) => {}
                Ok(None) => return,
                Err(_) => {
                    session.said = None;
                    return;
                }
            }
        }
    }

    /// The link does what it can; what it says and asks is taken in.
    async fn settle(&mut self) {
        sleep(Duration::from_millis(1)).await;
        if let Ok(io) = self.pipes.try_recv() {
            self.session = Some(Session {
                io,
                heard: BytesMut::new(),
                said: Some(BytesMut::new()),
                delivered: HashMap::new(),
                bind: 1,
                enquiry: 0,
                unbind: 0,
                submits: Vec::new(),
            });
        }
        while let Ok(append) = self.appends.try_recv() {
            self.waiting.push_back(append);
        }
        let records = self.waiting.iter().filter(|append| matches!(append.op, Op::Record { .. })).count();
        assert!(records <= WINDOW + BEFORE_BIND_MAX, "{records} asked at once");
        if self.prompt {
            self.answer_spool(usize::MAX, 0);
        }
        if !self.deaf {
            self.hear().await;
        }
    }

    async fn hear(&mut self) {
        let Some(session) = &mut self.session else { return };
        loop {
            let read = timeout(Duration::from_micros(10), session.io.read_buf(&mut session.heard)).await;
            let closed = matches!(read, Ok(Ok(0) | Err(_)));
            while let Some(frame) = split(&mut session.heard).expect("a sound length") {
                let pdu = decode(&frame).expect("a sound body");
                session.take(&frame, &pdu);
                match pdu {
                    Pdu::DeliverSmResp | Pdu::DataSmResp(_) if frame.status == 0 => self.acknowledged += 1,
                    Pdu::SubmitSm(_) => self.submitted += 1,
                    _ => {}
                }
                assert!(self.acknowledged <= self.stored.len(), "acknowledged before it is stored");
                assert!(self.submitted <= self.intended * SUBMIT_SEGMENTS_MAX, "submitted before it is intended");
            }
            if closed {
                self.session = None;
                return;
            }
            if read.is_err() {
                return;
            }
        }
    }

    fn submit(&mut self) {
        let how = self.script.next();
        let text = match how % 4 {
            0 => "OK".to_owned(),
            1 => "x".repeat(170),
            2 => "ë".repeat(usize::from(how)),
            _ => "Ж".repeat(usize::from(how)),
        };
        self.named += 1;
        let expires_us = if how & 0x80 == 0 { i64::MAX } else { 1_800_000_003_000_000 };
        let _ = self.queue.push(Submit {
            id: Uuid::from_u128(self.named),
            attempt: 1,
            group: "g".into(),
            link: None,
            bulk: how & 0x20 != 0,
            source: "4636".into(),
            destination: "355691234567".into(),
            text,
            expires_us,
            receipt: how & 0x40 == 0,
        });
    }

    /// The spool does the next few things: 0 as asked, 1 it fails, 2 it knows them already.
    fn answer_spool(&mut self, most: usize, how: u8) {
        for _ in 0..most {
            let Some(append) = self.waiting.pop_front() else { return };
            let tag = append.tag;
            let done = match append.op {
                Op::Record { .. } | Op::Intent { .. } if how == 1 => Done::Failed { tag },
                Op::Intent { .. } if how == 2 => Done::Duplicate { tag },
                Op::Intent { .. } => {
                    self.intended += 1;
                    Done::Intended { tag }
                }
                Op::Record { body, .. } => {
                    let key = postcard::from_bytes(&body).ok().and_then(|body| doubt::key(&body));
                    Done::Stored { tag, sequence: self.store(key) }
                }
                Op::Result { .. } if tag != 0 => Done::Stored { tag, sequence: self.store(None) },
                Op::Doubt { only } => {
                    let of = |(sequence, _): &&(u64, Option<u128>)| only.is_none_or(|only| only == *sequence);
                    let records = self.stored.iter().filter(of).filter_map(|(sequence, key)| {
                        let (run, until_us) = (Uuid::nil(), i64::MAX);
                        key.map(|key| InDoubt { run, sequence: *sequence, key, until_us })
                    });
                    Done::InDoubt { tag, records: records.collect() }
                }
                _ => continue,
            };
            self.completions.put(&mut vec![done]);
        }
    }

    fn store(&mut self, key: Option<u128>) -> u64 {
        let sequence = self.stored.len() as u64 + 1;
        self.stored.push((sequence, key));
        self.marks.set_newest(sequence);
        sequence
    }

    /// Told to stop, with a disk that works, it ends.
    async fn end(&mut self) {
        self.stop.cancel();
        self.prompt = true;
        let stopped = Instant::now();
        while !self.task.is_finished() {
            let waited = stopped.elapsed();
            assert!(waited < Duration::from_secs(60), "does not stop; {:?} since it began", self.begun.elapsed());
            self.settle().await;
            sleep(Duration::from_millis(500)).await;
        }
        (&mut self.task).await.expect("the link's task does not panic");
    }
}

impl Session {
    /// A PDU of the link.
    fn take(&mut self, frame: &Frame, pdu: &Pdu) {
        match pdu {
            Pdu::BindTransceiver(_) => self.bind = frame.sequence,
            Pdu::EnquireLink => self.enquiry = frame.sequence,
            Pdu::Unbind => self.unbind = frame.sequence,
            Pdu::SubmitSm(_) => self.submits.push(frame.sequence),
            Pdu::DeliverSmResp | Pdu::DataSmResp(_) => {
                let left = self.delivered.get_mut(&frame.sequence).filter(|left| **left > 0);
                *left.expect("answered once, and only what was delivered") -= 1;
            }
            _ => {}
        }
    }
}
