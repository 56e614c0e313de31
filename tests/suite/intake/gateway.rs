//! A gateway in the test's hands: it speaks the handoff protocol over a spool in memory.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use scrutineer::domain::message_id::MessageIdFormat;
use scrutineer::handoff::codec::{self, decode, encode};
use scrutineer::handoff::message::{
    Body, FromGateway, FromWorker, Mobile, PROTOCOL, Record, Run, Submit, SubmitOutcome, SubmitResult,
};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::support::{PATIENCE, dir, within};

/// What becomes of a submit; `None`: nothing is ever heard of it.
pub type Answer = Box<dyn Fn(&Submit) -> Option<SubmitOutcome> + Send>;

struct State {
    spool: Uuid,
    records: Vec<Record>,
    next: u64,
    submits: Vec<Submit>,
    /// Where each session began.
    reads: Vec<u64>,
    committed: u64,
    answer: Answer,
    /// Refuse so many submits as busy.
    busy: usize,
    /// How the SMSC writes ids.
    ids: MessageIdFormat,
}

/// See the module.
pub struct Gateway {
    dir: tempfile::TempDir,
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
    task: Option<tokio::task::JoinHandle<()>>,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Gateway {
    /// A gateway with an empty spool that takes every submit and accepts it.
    pub fn new() -> Self {
        let accept =
            |submit: &Submit| Some(SubmitOutcome::Accepted { message_ids: vec![submit.id.as_simple().to_string()] });
        let state = State {
            spool: Uuid::new_v4(),
            records: Vec::new(),
            next: 1,
            submits: Vec::new(),
            reads: Vec::new(),
            committed: 0,
            answer: Box::new(accept),
            busy: 0,
            ids: MessageIdFormat::Auto,
        };
        let mut gateway = Self {
            dir: dir::fresh(),
            state: Arc::new(Mutex::new(state)),
            changed: Arc::new(Notify::new()),
            task: None,
        };
        gateway.open();
        gateway
    }

    /// Serves workers.
    pub fn open(&mut self) {
        let _ = std::fs::remove_file(self.socket());
        let listener = UnixListener::bind(self.socket()).unwrap();
        let (state, changed) = (Arc::clone(&self.state), Arc::clone(&self.changed));
        self.task = Some(tokio::spawn(async move {
            let mut served = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                // A newcomer takes the place of the one before it.
                served.shutdown().await;
                served.spawn(serve(stream, Arc::clone(&state), Arc::clone(&changed)));
            }
        }));
    }

    /// Goes away, its connection too.
    pub async fn close(&mut self) {
        let _ = std::fs::remove_file(self.socket());
        if let Some(task) = self.task.take() {
            task.abort();
            let _ = task.await;
        }
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("gateway.sock")
    }

    pub fn answer(&self, answer: impl Fn(&Submit) -> Option<SubmitOutcome> + Send + 'static) {
        self.state.lock().unwrap().answer = Box::new(answer);
    }

    /// The link's SMSC writes ids so; workers that connect from now on hear of it.
    pub fn ids(&self, ids: MessageIdFormat) {
        self.state.lock().unwrap().ids = ids;
    }

    pub fn busy(&self, times: usize) {
        self.state.lock().unwrap().busy = times;
    }

    /// Appends a record.
    pub fn append(&self, received_us: i64, body: Body) -> u64 {
        let mut state = self.state.lock().unwrap();
        let sequence = append(&mut state, received_us, body);
        drop(state);
        self.changed.notify_waiters();
        sequence
    }

    /// Appends a text, received now.
    pub fn text(&self, phone: &str, text: &str) -> u64 {
        self.append(now_us(), message(phone, text))
    }

    /// Appends many texts at once.
    pub fn texts(&self, texts: impl IntoIterator<Item = (String, String)>) -> u64 {
        let mut state = self.state.lock().unwrap();
        for (phone, text) in texts {
            append(&mut state, now_us(), message(&phone, &text));
        }
        let last = state.next - 1;
        drop(state);
        self.changed.notify_waiters();
        last
    }

    /// Changes a record that was given already.
    pub fn forge(&self, sequence: u64, text: &str) {
        let mut state = self.state.lock().unwrap();
        let record = state.records.iter_mut().find(|r| r.sequence == sequence).unwrap();
        let Body::Message(mobile) = &mut record.body else { panic!("not a message") };
        mobile.short_message = text.as_bytes().to_vec();
    }

    /// The run that its records are of.
    pub fn run(&self) -> Uuid {
        self.state.lock().unwrap().spool
    }

    pub fn submits(&self) -> Vec<Submit> {
        self.state.lock().unwrap().submits.clone()
    }

    pub fn reads(&self) -> Vec<u64> {
        self.state.lock().unwrap().reads.clone()
    }

    /// Waits until the worker says that all up to here is committed.
    pub async fn committed(&self, through: u64) {
        self.wait("commit", |s| s.committed >= through).await;
    }

    /// Waits until all that there is is committed, results of submits too.
    pub async fn settled(&self, submits: usize) {
        self.wait("all results", |s| s.submits.len() >= submits && s.committed == s.next - 1).await;
    }

    /// [`Gateway::committed`] with more patience.
    pub async fn committed_within(&self, through: u64, patience: Duration) {
        self.wait_for(patience, "commit", |s| s.committed >= through).await;
    }

    async fn wait(&self, what: &str, done: impl Fn(&State) -> bool) {
        self.wait_for(PATIENCE, what, done).await;
    }

    async fn wait_for(&self, patience: Duration, what: &str, done: impl Fn(&State) -> bool) {
        let wait = within(patience, what, async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if done(&self.state.lock().unwrap()) {
                    return;
                }
                changed.await;
            }
        });
        wait.await;
    }
}

fn append(state: &mut State, received_us: i64, body: Body) -> u64 {
    let sequence = state.next;
    state.next += 1;
    state.records.push(Record { sequence, received_us, link: "main".to_owned(), group: "main".to_owned(), body });
    sequence
}

pub fn message(phone: &str, text: &str) -> Body {
    Body::Message(Mobile {
        source: phone.to_owned(),
        source_ton: 1,
        source_npi: 1,
        destination: "4321".to_owned(),
        short_message: text.as_bytes().to_vec(),
        ..Mobile::default()
    })
}

pub fn now_us() -> i64 {
    scrutineer::store::micros(time::OffsetDateTime::now_utc())
}

async fn serve(stream: UnixStream, state: Arc<Mutex<State>>, changed: Arc<Notify>) {
    let mut stream = codec::framed(stream);
    let mut after: Option<u64> = None;
    let mut credit: i64 = 0;
    loop {
        let wake = changed.notified();
        tokio::pin!(wake);
        wake.as_mut().enable();
        let mut out = Vec::new();
        if let Some(sent) = &mut after {
            let state = state.lock().unwrap();
            let from = state.records.partition_point(|r| r.sequence <= *sent);
            for record in state.records[from..].iter().take(128) {
                if credit <= 0 {
                    break;
                }
                credit -= i64::try_from(encode(record).unwrap().len()).unwrap();
                *sent = record.sequence;
                out.push(record.clone());
            }
        }
        if !out.is_empty() {
            if stream.send(encode(&FromGateway::Records(out)).unwrap()).await.is_err() {
                return;
            }
            continue;
        }
        let frame = tokio::select! {
            frame = stream.next() => frame,
            () = wake => continue,
        };
        let Some(Ok(frame)) = frame else { return };
        let mut answer = Vec::new();
        {
            let mut state = state.lock().unwrap();
            match decode::<FromWorker>(&frame).unwrap() {
                FromWorker::Hello { protocol } => {
                    assert_eq!(protocol, PROTOCOL);
                    answer.push(FromGateway::Welcome {
                        protocol,
                        runs: vec![Run {
                            uuid: state.spool,
                            begins_after: 0,
                            oldest: state.records.first().map_or(0, |r| r.sequence),
                            newest: state.next - 1,
                        }],
                        live: state.spool,
                        host: "test".to_owned(),
                    });
                    answer.push(FromGateway::Link {
                        link: "main".to_owned(),
                        group: "main".to_owned(),
                        bound: true,
                        ids: state.ids,
                    });
                }
                FromWorker::Read { run, after: from } => {
                    assert_eq!(run, state.spool);
                    assert_eq!(after, None, "Read comes once");
                    state.reads.push(from);
                    state.committed = from;
                    after = Some(from);
                }
                FromWorker::Credit { bytes } => credit += i64::from(bytes),
                FromWorker::Committed { through } => {
                    // Two lanes that commit at once may say so in either order.
                    state.committed = through.max(state.committed);
                }
                FromWorker::Submit(submit) if state.busy > 0 => {
                    state.busy -= 1;
                    answer.push(FromGateway::Busy { id: submit.id, attempt: submit.attempt });
                }
                FromWorker::Submit(submit) => {
                    // To the wire at most once, whatever is asked twice.
                    if !state.submits.iter().any(|s| (s.id, s.attempt) == (submit.id, submit.attempt)) {
                        let outcome = (state.answer)(&submit);
                        if let Some(outcome) = outcome {
                            let result = SubmitResult { id: submit.id, attempt: submit.attempt, outcome };
                            append(&mut state, now_us(), Body::SubmitResult(result));
                        }
                        state.submits.push(submit);
                    }
                }
            }
        }
        changed.notify_waiters();
        for frame in answer {
            if stream.send(encode(&frame).unwrap()).await.is_err() {
                return;
            }
        }
    }
}
