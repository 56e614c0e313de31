//! An SMSC with faults of its own. It stores what phones send until the gateway has acknowledged it, and
//! delivers again what was not when a session ended; it takes texts, and answers late, never, or with a
//! refusal; its receipts come before the response, or long after. One that roams gives what waits for a
//! session that ended to another account of the number, as one queue for all binds does.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use scrutineer::handoff::dial::Accept;
use scrutineer::smpp::pdu::{ESM_RECEIPT, ESM_UDH};
use scrutineer::smpp::{self, Address, CommandStatus, Frame, Pdu, ShortMessage};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::dice::Dice;
use super::net::{Host, Net, Pipe};

/// The host of the SMSC.
pub const SMSC: Host = "smsc";
/// Our number.
pub const SHORTCODE: &str = "4040";
/// `deliver_sm` without response that it has at a time.
const WINDOW: usize = 8;
/// An SMSC that roams ends a session that has not answered a delivery for so long.
const ANSWER: Duration = Duration::from_secs(20);

/// How it treats what is submitted, in so many of a hundred.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mood {
    /// Taken, and never answered.
    pub silent: usize,
    /// Refused for now.
    pub throttled: usize,
    /// Refused for good.
    pub refused: usize,
    /// Answered up to so many milliseconds later.
    pub late_ms: u64,
}

/// Something to deliver to a gateway's account.
#[derive(Debug, Clone)]
pub struct Item {
    pub account: usize,
    pub message: ShortMessage,
    /// Number of the text, and which part of it; `None` for a receipt.
    pub of: Option<(usize, usize)>,
    pub acked: bool,
    /// Times that it was written.
    pub sent: u32,
    /// Accounts that it was written to.
    pub to: BTreeSet<usize>,
    /// A session that did not answer was ended while it was under way: the network may bring it yet.
    pub late: bool,
    on_wire: bool,
    not_before: Instant,
}

/// A text that it took for a phone.
#[derive(Debug, Clone)]
pub struct Taken {
    pub phone: String,
    pub text: Vec<u8>,
    pub part: bool,
}

#[derive(Debug)]
struct State {
    items: Vec<Item>,
    taken: Vec<Taken>,
    mood: Mood,
    /// Submits that were not answered, or whose answer a session's end swallowed.
    unanswered: u64,
    next_id: u64,
    redelivered: u64,
    /// Redeliveries by another account than the one before.
    roamed: u64,
    /// Gives what waits for an account without a session to another one.
    roams: bool,
    /// Sessions of each account.
    bound: BTreeMap<usize, usize>,
}

impl State {
    /// What waits for accounts without a session goes to those that have one, most of it.
    fn roam(&mut self, dice: &Dice) {
        let live: Vec<usize> = self.bound.iter().filter(|(_, n)| **n > 0).map(|(account, _)| *account).collect();
        if !self.roams || live.is_empty() {
            return;
        }
        for item in self.items.iter_mut().filter(|item| !item.acked && !item.on_wire) {
            if !live.contains(&item.account) && !dice.once_in(5) {
                item.account = *dice.pick(&live);
                item.not_before = item.not_before.max(Instant::now() + dice.millis(0, 3_000));
            }
        }
    }
}

/// See the module. Clones are one.
#[derive(Debug, Clone)]
pub struct Smsc {
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
    net: Net,
    dice: Dice,
    tasks: Arc<tokio::sync::Mutex<JoinSet<()>>>,
}

impl Smsc {
    pub fn new(net: &Net, dice: Dice, roams: bool) -> Self {
        let state = State {
            items: Vec::new(),
            taken: Vec::new(),
            mood: Mood::default(),
            unanswered: 0,
            next_id: 0x4a00,
            redelivered: 0,
            roamed: 0,
            roams,
            bound: BTreeMap::new(),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            changed: Arc::default(),
            net: net.clone(),
            dice,
            tasks: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn mood(&self, mood: Mood) {
        self.lock().mood = mood;
    }

    pub fn items(&self) -> Vec<Item> {
        self.lock().items.clone()
    }

    pub fn taken(&self) -> Vec<Taken> {
        self.lock().taken.clone()
    }

    /// Submits whose outcome the gateway may not know, deliveries that were made again, and those of them that
    /// another account was given.
    pub fn counts(&self) -> (u64, u64, u64) {
        let state = self.lock();
        (state.unanswered, state.redelivered, state.roamed)
    }

    /// Are all texts acknowledged?
    pub fn all_acknowledged(&self) -> bool {
        self.lock().items.iter().all(|item| item.acked)
    }

    /// A part of a text goes to an account's queue.
    pub fn deliver(&self, account: usize, message: ShortMessage, of: Option<(usize, usize)>, delay: Duration) {
        let not_before = Instant::now() + delay;
        let to = BTreeSet::new();
        let mut state = self.lock();
        state.items.push(Item {
            account,
            message,
            of,
            acked: false,
            sent: 0,
            to,
            late: false,
            on_wire: false,
            not_before,
        });
        state.roam(&self.dice);
        drop(state);
        self.changed.notify_waiters();
    }

    /// Starts to take connections.
    pub async fn start(&self) {
        let mut listener = self.net.listen(SMSC);
        let smsc = self.clone();
        let mut tasks = self.tasks.lock().await;
        tasks.spawn(async move {
            let mut sessions = JoinSet::new();
            while let Ok(pipe) = listener.accept().await {
                let smsc = smsc.clone();
                sessions.spawn(async move { smsc.serve(pipe).await });
            }
        });
    }

    /// It goes away, with all sessions. What it has not had acknowledged it delivers again.
    pub async fn crash(&self) {
        self.net.down(SMSC);
        self.tasks.lock().await.shutdown().await;
        let mut state = self.lock();
        state.bound.clear();
        for item in &mut state.items {
            item.on_wire = false;
        }
    }

    async fn serve(&self, mut pipe: Pipe) {
        let mut session = Session {
            account: None,
            read: BytesMut::new(),
            out: BytesMut::new(),
            sequence: 0,
            sent: Vec::new(),
            later: VecDeque::new(),
            gave_up: false,
        };
        while session.turn(self, &mut pipe).await.is_some() {}
        let mut state = self.lock();
        state.unanswered += session.later.len() as u64;
        for (_, item, _) in session.sent {
            state.items[item].on_wire = false;
            state.items[item].late |= session.gave_up;
        }
        if let Some(bound) = session.account.and_then(|account| state.bound.get_mut(&account)) {
            *bound = bound.saturating_sub(1);
        }
        state.roam(&self.dice);
        drop(state);
        self.changed.notify_waiters();
    }
}

/// One connection.
struct Session {
    account: Option<usize>,
    read: BytesMut,
    out: BytesMut,
    sequence: u32,
    /// Deliveries without response: sequence number, item, and when it was written.
    sent: Vec<(u32, usize, Instant)>,
    /// Responses that wait for their time.
    later: VecDeque<(Instant, u32, String)>,
    /// Was it ended as it did not answer?
    gave_up: bool,
}

impl Session {
    /// `None` when it is over.
    async fn turn(&mut self, smsc: &Smsc, pipe: &mut Pipe) -> Option<()> {
        let mut changed = std::pin::pin!(smsc.changed.notified());
        changed.as_mut().enable();
        let next = self.fill(smsc);
        let late = self.sent.iter().any(|(.., at)| at.elapsed() >= ANSWER);
        if late && smsc.lock().roams {
            smsc.net.note("the SMSC ends a session that does not answer");
            self.gave_up = true;
            return None;
        }
        let (mut reader, mut writer) = tokio::io::split(pipe);
        tokio::select! {
            biased;
            n = writer.write(&self.out), if !self.out.is_empty() => self.out.advance(n.ok()?),
            n = reader.read_buf(&mut self.read) => {
                if n.ok()? == 0 {
                    return None;
                }
                while let Some(frame) = smpp::split(&mut self.read).ok()? {
                    self.frame(smsc, &frame)?;
                }
            }
            () = &mut changed => {}
            () = sleep_until(next) => {}
        }
        Some(())
    }

    /// Writes what is due; when more will be.
    fn fill(&mut self, smsc: &Smsc) -> Instant {
        let now = Instant::now();
        let mut next = now + Duration::from_secs(3_600);
        while let Some((due, sequence, id)) = self.later.front() {
            if *due > now {
                next = next.min(*due);
                break;
            }
            smpp::encode(&mut self.out, 0, *sequence, &Pdu::SubmitSmResp(id.clone()));
            self.later.pop_front();
        }
        let Some(account) = self.account else { return next };
        let mut state = smsc.lock();
        if state.roams
            && let Some(at) = self.sent.iter().map(|(.., at)| *at).min()
        {
            next = next.min(at + ANSWER);
        }
        let (mut again, mut elsewhere) = (0, 0);
        for (at, item) in state.items.iter_mut().enumerate() {
            if item.account != account || item.acked || item.on_wire {
                continue;
            }
            if item.not_before > now {
                next = next.min(item.not_before);
                continue;
            }
            if self.sent.len() >= WINDOW {
                break;
            }
            self.sequence += 1;
            again += u64::from(item.sent > 0);
            elsewhere += u64::from(item.to.insert(account) && item.sent > 0);
            (item.on_wire, item.sent) = (true, item.sent + 1);
            smpp::encode(&mut self.out, 0, self.sequence, &Pdu::DeliverSm(item.message.clone()));
            smsc.net.note(format_args!("deliver account {account} item {at} {:?} time {}", item.of, item.sent));
            self.sent.push((self.sequence, at, now));
        }
        state.redelivered += again;
        state.roamed += elsewhere;
        next
    }

    fn frame(&mut self, smsc: &Smsc, frame: &Frame) -> Option<()> {
        let sequence = frame.sequence;
        match smpp::decode(frame).ok()? {
            Pdu::BindTransceiver(bind) => {
                let account: usize = bind.system_id.trim_start_matches("account").parse().ok()?;
                smpp::encode(&mut self.out, 0, sequence, &Pdu::BindTransceiverResp("smsc".to_owned()));
                self.account = Some(account);
                let mut state = smsc.lock();
                *state.bound.entry(account).or_default() += 1;
                state.roam(&smsc.dice);
            }
            Pdu::EnquireLink => smpp::encode(&mut self.out, 0, sequence, &Pdu::EnquireLinkResp),
            Pdu::Unbind => {
                smpp::encode(&mut self.out, 0, sequence, &Pdu::UnbindResp);
                if let Some(account) = self.account.take()
                    && let Some(bound) = smsc.lock().bound.get_mut(&account)
                {
                    *bound = bound.saturating_sub(1);
                }
            }
            Pdu::DeliverSmResp => {
                let at = self.sent.iter().position(|(s, ..)| *s == sequence)?;
                let (_, at, _) = self.sent.remove(at);
                smsc.net.note(format_args!("response to item {at}: {:#x}", frame.status));
                let mut state = smsc.lock();
                let item = &mut state.items[at];
                item.on_wire = false;
                if frame.status == 0 {
                    item.acked = true;
                } else {
                    item.not_before = Instant::now() + Duration::from_secs(1);
                }
            }
            Pdu::SubmitSm(message) => self.submitted(smsc, sequence, &message),
            _ => {}
        }
        Some(())
    }

    fn submitted(&mut self, smsc: &Smsc, sequence: u32, message: &ShortMessage) {
        let mut state = smsc.lock();
        let mood = state.mood;
        let lot = smsc.dice.below(100);
        let refuse = |status: CommandStatus, out: &mut BytesMut| {
            smpp::encode(out, status.into(), sequence, &Pdu::SubmitSmResp(String::new()));
        };
        if lot < mood.throttled {
            return refuse(CommandStatus::EsmeRthrottled, &mut self.out);
        }
        if lot < mood.throttled + mood.refused {
            return refuse(CommandStatus::EsmeRsubmitfail, &mut self.out);
        }
        let account = self.account.unwrap_or(0);
        let phone = message.destination.number.clone();
        state.next_id += 1;
        let id = format!("{:08X}", state.next_id);
        state.taken.push(Taken {
            phone: phone.clone(),
            text: message.short_message.clone(),
            part: message.esm_class & ESM_UDH != 0,
        });
        let text = String::from_utf8_lossy(&message.short_message).into_owned();
        smsc.net.note(format_args!("submit {id} to {phone}: {text:?}"));
        let silent = lot < mood.throttled + mood.refused + mood.silent;
        state.unanswered += u64::from(silent);
        drop(state);
        if !silent {
            let at = Instant::now() + smsc.dice.millis(0, mood.late_ms.max(1));
            let behind = self.later.partition_point(|(due, ..)| *due <= at);
            self.later.insert(behind, (at, sequence, id.clone()));
        }
        if message.registered_delivery & 1 == 1 && !smsc.dice.once_in(10) {
            let delay = if smsc.dice.once_in(3) { Duration::ZERO } else { smsc.dice.millis(0, 20_000) };
            smsc.deliver(account, receipt(&id, &phone), None, delay);
        }
    }
}

fn receipt(id: &str, phone: &str) -> ShortMessage {
    ShortMessage {
        source: Address::guess(phone),
        destination: Address::guess(SHORTCODE),
        esm_class: ESM_RECEIPT,
        short_message: format!(
            "id:{id} sub:001 dlvrd:001 submit date:2611210000 done date:2611210000 stat:DELIVRD err:000 text:"
        )
        .into_bytes(),
        ..ShortMessage::default()
    }
}
