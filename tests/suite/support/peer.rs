//! The SMSC on npm's `smpp` (`tests/peers/smsc.mjs`): a peer that we did not write, and its journal.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};

use super::process::Lines;
use super::{soon, source};

/// A running SMSC. Dropped, it is killed.
#[derive(Debug)]
pub struct Peer {
    /// Port on 127.0.0.1.
    pub port: u16,
    stdin: ChildStdin,
    lines: Lines,
    _child: Child,
}

/// One text to deliver.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Delivery {
    /// Name of it in the journal.
    pub id: u64,
    /// Phone.
    pub source: String,
    /// Our number.
    pub destination: String,
    /// `esm_class`.
    pub esm_class: u8,
    /// `data_coding`.
    pub data_coding: u8,
    /// The bytes of `short_message`.
    pub hex: String,
    /// The bytes of `message_payload`, where there is one.
    pub payload: Option<String>,
    /// Reference, total and part in the `sar_*` parameters, where it is a part.
    pub sar: Option<[u16; 3]>,
}

impl Delivery {
    /// A text of ASCII characters, which are the same in GSM 7-bit but for `@`, `_`, `$` and brackets.
    pub fn text(id: u64, source: &str, text: &str) -> Self {
        Self::bytes(id, source, &gsm(text))
    }

    /// Bytes as they are, `data_coding` 0.
    pub fn bytes(id: u64, source: &str, bytes: &[u8]) -> Self {
        Self {
            id,
            source: source.to_owned(),
            destination: "12345".to_owned(),
            esm_class: 0,
            data_coding: 0,
            hex: hex(bytes),
            payload: None,
            sar: None,
        }
    }

    /// Bytes in `message_payload`, with an empty `short_message`.
    pub fn payload(id: u64, source: &str, bytes: &[u8]) -> Self {
        Self { payload: Some(hex(bytes)), ..Self::bytes(id, source, &[]) }
    }

    /// A text in two segments that the `sar_*` parameters number; ids `id` and `id + 1`.
    pub fn two_by_sar(id: u64, source: &str, text: &str, reference: u16) -> [Self; 2] {
        let septets = gsm(text);
        let (first, second) = septets.split_at(septets.len() / 2);
        [(1, first), (2, second)].map(|(part, bytes)| Self {
            sar: Some([reference, 2, part]),
            ..Self::bytes(id + u64::from(part) - 1, source, bytes)
        })
    }

    /// A text in two segments with an 8-bit reference; ids `id` and `id + 1`.
    pub fn two_segments(id: u64, source: &str, text: &str, reference: u8) -> [Self; 2] {
        let septets = gsm(text);
        let middle = septets.len() / 2;
        [(1, &septets[..middle]), (2, &septets[middle..])].map(|(part, bytes)| {
            let mut with_header = vec![5, 0, 3, reference, 2, part];
            with_header.extend_from_slice(bytes);
            Self { esm_class: 0x40, ..Self::bytes(id + u64::from(part) - 1, source, &with_header) }
        })
    }
}

/// Bytes as the peer's commands have them.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// GSM 7-bit, unpacked, of the characters that the tests text.
fn gsm(text: &str) -> Vec<u8> {
    text.bytes()
        .map(|byte| match byte {
            b'@' => 0,
            b'_' | b'$' | b'[' | b']' | b'{' | b'}' | b'\\' | b'^' | b'~' | b'|' | b'`' => {
                panic!("not in these tests: {text}")
            }
            byte => byte,
        })
        .collect()
}

impl Peer {
    /// Starts one that takes `scrutineer` with `secret`; `options` go over the defaults.
    ///
    /// # Panics
    /// Where its packages are missing: `npm ci` in `tests/peers` installs them, as `make test` does.
    pub async fn start(options: Value) -> Self {
        let dir = source::root().join("tests/peers");
        assert!(dir.join("node_modules/smpp").exists(), "run `make peers` first: npm's `smpp` is missing");
        let mut child = Command::new("node")
            .arg(dir.join("smsc.mjs"))
            .arg(options.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = Lines::default();
        lines.follow(child.stdout.take().unwrap());
        let stdin = child.stdin.take().unwrap();
        let first = soon("an SMSC that listens", lines.find("\"listening\"")).await;
        let port = serde_json::from_str::<Value>(&first).unwrap()["port"].as_u64().unwrap().try_into().unwrap();
        Self { port, stdin, lines, _child: child }
    }

    /// Gives it a command.
    pub async fn tell(&mut self, command: Value) {
        self.stdin.write_all(format!("{command}\n").as_bytes()).await.unwrap();
    }

    /// Queues texts.
    pub async fn deliver(&mut self, deliveries: &[Delivery]) {
        self.tell(json!({ "deliver": deliveries })).await;
    }

    /// The journal so far.
    pub fn journal(&self) -> Vec<Value> {
        self.lines.from(0).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// A reader of the journal from its beginning.
    pub fn reader(&self) -> Reader {
        Reader { lines: self.lines.clone(), seen: 0, ready: Vec::new().into_iter() }
    }

    /// Waits for the first journal line of this kind.
    pub async fn event(&self, kind: &str) -> Value {
        let needle = format!("\"event\":\"{kind}\"");
        serde_json::from_str(&soon(&format!("`{kind}` in the SMSC's journal"), self.lines.find(&needle)).await).unwrap()
    }
}

/// Reads a journal, event by event.
#[derive(Debug)]
pub struct Reader {
    lines: Lines,
    seen: usize,
    ready: std::vec::IntoIter<String>,
}

impl Reader {
    /// The next event, for at most `deadline`.
    pub async fn next(&mut self, deadline: Duration) -> Option<Value> {
        loop {
            if let Some(line) = self.ready.next() {
                return Some(serde_json::from_str(&line).unwrap());
            }
            tokio::time::timeout(deadline, self.lines.more_than(self.seen)).await.ok()?;
            let new = self.lines.from(self.seen);
            self.seen += new.len();
            self.ready = new.into_iter();
        }
    }
}
