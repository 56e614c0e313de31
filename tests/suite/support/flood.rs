//! An SMSC that delivers as fast as its window allows: what is refused or not answered it delivers again,
//! as an SMSC must, and it remembers what was acknowledged to it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::BytesMut;
use scrutineer::smpp::{Address, Frame, Pdu, ShortMessage, decode, encode, split};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep_until};

/// How long it waits before it delivers again what was refused.
const AGAIN: Duration = Duration::from_millis(200);

/// Makes the message of a number.
pub type Make = Arc<dyn Fn(u64) -> ShortMessage + Send + Sync>;

/// What it came to.
#[derive(Debug, Default)]
pub struct Seen {
    /// Numbers that were acknowledged.
    pub acknowledged: HashSet<u64>,
    /// Times that it was told to deliver later.
    pub refused: u64,
    /// Times that it was unbound.
    pub unbinds: u64,
    /// Sessions.
    pub binds: u64,
    /// Texts that were submitted to it: phone and bytes.
    pub submitted: Vec<(String, Vec<u8>)>,
    /// The longest that a message waited for its answer.
    pub slowest: Duration,
    /// When a message was acknowledged last.
    pub last: Option<Instant>,
}

#[derive(Default)]
struct State {
    seen: Seen,
    next: u64,
    total: u64,
    again: VecDeque<(Instant, u64)>,
}

/// A running one. Dropped, it is gone.
pub struct Flood {
    /// Port on 127.0.0.1.
    pub port: u16,
    state: Arc<Mutex<State>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Flood {
    /// Delivers numbers from `first` on, as many as [`Flood::offer`] allows, `window` at a time.
    pub async fn start(window: usize, first: u64, make: Make) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State { next: first, total: first, ..State::default() }));
        let shared = state.clone();
        let task = tokio::spawn(async move {
            loop {
                let (io, _) = listener.accept().await.unwrap();
                let _ = io.set_nodelay(true);
                Session { io, state: &shared, make: &make, window, waiting: HashMap::new(), sequence: 0, bound: false }
                    .serve()
                    .await;
            }
        });
        Self { port, state, task }
    }

    /// So many more messages.
    pub fn offer(&self, more: u64) {
        self.lock().total += more;
    }

    /// No more that were not delivered yet.
    pub fn hold(&self) {
        let mut state = self.lock();
        state.total = state.next;
    }

    /// A look at what it came to.
    pub fn seen<R>(&self, look: impl FnOnce(&Seen) -> R) -> R {
        look(&self.lock().seen)
    }

    /// How many were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.seen(|seen| seen.acknowledged.len())
    }

    /// Numbers that were given out, each delivered at least once or about to be.
    pub fn given(&self) -> u64 {
        self.lock().next
    }

    /// Waits until so many are acknowledged.
    pub async fn until_acknowledged(&self, count: usize, deadline: Duration) {
        super::within(deadline, &format!("{count} acknowledgements"), async {
            while self.acknowledged() < count {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

struct Session<'a> {
    io: TcpStream,
    state: &'a Mutex<State>,
    make: &'a Make,
    window: usize,
    waiting: HashMap<u32, (u64, Instant)>,
    sequence: u32,
    bound: bool,
}

impl Session<'_> {
    async fn serve(mut self) {
        let (mut input, mut out) = (BytesMut::new(), BytesMut::new());
        let mut open = true;
        while open || !out.is_empty() {
            if self.bound && open {
                self.deliver(&mut out);
            }
            let wake = Instant::now() + Duration::from_millis(50);
            let (mut reader, mut writer) = self.io.split();
            let ended = tokio::select! {
                read = reader.read_buf(&mut input), if open => !matches!(read, Ok(n) if n > 0),
                written = writer.write_buf(&mut out), if !out.is_empty() => written.is_err(),
                () = sleep_until(wake) => false,
            };
            if ended {
                break;
            }
            while let Ok(Some(frame)) = split(&mut input) {
                open &= self.take(&frame, &mut out);
            }
        }
        let mut left: Vec<u64> = self.waiting.values().map(|(number, _)| *number).collect();
        left.sort_unstable();
        let now = Instant::now();
        let mut state = self.state.lock().unwrap();
        for number in left.into_iter().rev() {
            state.again.push_front((now, number));
        }
    }

    fn deliver(&mut self, out: &mut BytesMut) {
        let now = Instant::now();
        while self.waiting.len() < self.window && out.len() < 256 << 10 {
            let number = {
                let mut state = self.state.lock().unwrap();
                match state.again.front() {
                    Some((at, _)) if *at <= now => state.again.pop_front().map(|(_, number)| number),
                    _ if state.next < state.total => {
                        state.next += 1;
                        Some(state.next - 1)
                    }
                    _ => None,
                }
            };
            let Some(number) = number else { return };
            self.sequence += 1;
            self.waiting.insert(self.sequence, (number, now));
            encode(out, 0, self.sequence, &Pdu::DeliverSm((self.make)(number)));
        }
    }

    /// False when the session is to end.
    fn take(&mut self, frame: &Frame, out: &mut BytesMut) -> bool {
        let mut answer = |pdu: Pdu| encode(out, 0, frame.sequence, &pdu);
        let mut state = self.state.lock().unwrap();
        match decode(frame) {
            Ok(Pdu::BindTransceiver(_)) => {
                answer(Pdu::BindTransceiverResp("flood".into()));
                state.seen.binds += 1;
                self.bound = true;
            }
            Ok(Pdu::DeliverSmResp) => {
                let Some((number, at)) = self.waiting.remove(&frame.sequence) else { return true };
                let now = Instant::now();
                state.seen.slowest = state.seen.slowest.max(now - at);
                if frame.status == 0 {
                    state.seen.acknowledged.insert(number);
                    state.seen.last = Some(now);
                } else {
                    state.seen.refused += 1;
                    state.again.push_back((now + AGAIN, number));
                }
            }
            Ok(Pdu::EnquireLink) => answer(Pdu::EnquireLinkResp),
            Ok(Pdu::SubmitSm(message)) => {
                let id = state.seen.submitted.len().to_string();
                state.seen.submitted.push((message.destination.number, message.short_message));
                answer(Pdu::SubmitSmResp(id));
            }
            Ok(Pdu::Unbind) => {
                answer(Pdu::UnbindResp);
                state.seen.unbinds += 1;
                return false;
            }
            _ => {}
        }
        true
    }
}

/// A text from a phone, GSM 7-bit characters that are those of ASCII.
pub fn text(source: &str, text: &str) -> ShortMessage {
    ShortMessage {
        source: Address::guess(source),
        destination: Address::guess("12345"),
        short_message: text.as_bytes().to_vec(),
        ..ShortMessage::default()
    }
}
