//! An SMSC that delivers as fast as its window lets it, over as many sessions as it takes, and keeps a
//! book of what was acknowledged: what was not, it delivers again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use bytes::BytesMut;
use scrutineer::smpp::{Address, Pdu, ShortMessage, decode, encode, split};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// See the module. Dropped, it ends.
pub struct Smsc {
    pub port: u16,
    book: Arc<Mutex<Book>>,
    acknowledged: watch::Receiver<usize>,
    refused: watch::Receiver<usize>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Book {
    waiting: VecDeque<u32>,
    acknowledged: BTreeSet<u32>,
    next: u32,
    /// Deliver new texts without end.
    pours: bool,
}

impl Drop for Smsc {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What text `n` says.
pub fn text(n: u32) -> String {
    format!("text {n} {}", "x".repeat(n as usize * 7 % 120))
}

impl Smsc {
    /// With a window of so many.
    pub async fn start(window: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let book = Arc::new(Mutex::new(Book::default()));
        let (acknowledge, acknowledged) = watch::channel(0);
        let (refuse, refused) = watch::channel(0);
        let kept = book.clone();
        let task = tokio::spawn(async move {
            loop {
                let (io, _) = listener.accept().await.unwrap();
                let _ = session(io, &kept, window, &acknowledge, &refuse).await;
            }
        });
        Self { port, book, acknowledged, refused, task }
    }

    /// Delivers so many texts more.
    pub fn deliver(&self, count: u32) {
        let mut book = self.book.lock().unwrap();
        for _ in 0..count {
            let next = book.next;
            book.next += 1;
            book.waiting.push_back(next);
        }
    }

    /// Delivers without end, or no more.
    pub fn pour(&self, pours: bool) {
        self.book.lock().unwrap().pours = pours;
    }

    /// Numbers of the texts that were acknowledged.
    pub fn acknowledged(&self) -> BTreeSet<u32> {
        self.book.lock().unwrap().acknowledged.clone()
    }

    /// Waits until so many were.
    pub async fn until_acknowledged(&mut self, count: usize) {
        self.acknowledged.wait_for(|n| *n >= count).await.unwrap();
    }

    /// Waits until so many were told to be delivered later.
    pub async fn until_refused(&mut self, count: usize) {
        self.refused.wait_for(|n| *n >= count).await.unwrap();
    }

    /// How many were told to be delivered later.
    pub fn refused(&self) -> usize {
        *self.refused.borrow()
    }
}

async fn session(
    mut io: TcpStream,
    book: &Mutex<Book>,
    window: usize,
    acknowledge: &watch::Sender<usize>,
    refuse: &watch::Sender<usize>,
) -> std::io::Result<()> {
    let (mut input, mut bound, mut sequence) = (BytesMut::new(), false, 0u32);
    let mut under_way: BTreeMap<u32, u32> = BTreeMap::new();
    let mut tick = tokio::time::interval(std::time::Duration::from_millis(20));
    let result = loop {
        let mut out = BytesMut::new();
        while let Some(frame) = split(&mut input).unwrap() {
            match decode(&frame) {
                Ok(Pdu::BindTransceiver(_)) => {
                    bound = true;
                    encode(&mut out, 0, frame.sequence, &Pdu::BindTransceiverResp("smsc".into()));
                }
                Ok(Pdu::EnquireLink) => encode(&mut out, 0, frame.sequence, &Pdu::EnquireLinkResp),
                Ok(Pdu::Unbind) => encode(&mut out, 0, frame.sequence, &Pdu::UnbindResp),
                _ => {
                    let Some(n) = under_way.remove(&frame.sequence) else { continue };
                    let mut book = book.lock().unwrap();
                    if frame.status == 0 {
                        book.acknowledged.insert(n);
                        acknowledge.send_replace(book.acknowledged.len());
                    } else {
                        book.waiting.push_back(n);
                        refuse.send_modify(|n| *n += 1);
                    }
                }
            }
        }
        if bound {
            let mut book = book.lock().unwrap();
            while under_way.len() < window {
                if book.waiting.is_empty() && book.pours {
                    let next = book.next;
                    book.next += 1;
                    book.waiting.push_back(next);
                }
                let Some(n) = book.waiting.pop_front() else { break };
                sequence += 1;
                under_way.insert(sequence, n);
                let message = ShortMessage {
                    source: Address::guess(&format!("35568{n:07}")),
                    destination: Address::guess("12345"),
                    short_message: text(n).into_bytes(),
                    ..ShortMessage::default()
                };
                encode(&mut out, 0, sequence, &Pdu::DeliverSm(message));
            }
        }
        if let Err(error) = io.write_all(&out).await {
            break Err(error);
        }
        tokio::select! {
            read = io.read_buf(&mut input) => match read {
                Ok(0) => break Ok(()),
                Err(error) => break Err(error),
                Ok(_) => {}
            },
            _ = tick.tick() => {}
        }
    };
    let mut book = book.lock().unwrap();
    for (_, n) in under_way {
        book.waiting.push_front(n);
    }
    result
}
