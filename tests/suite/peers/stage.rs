//! Plays a table: starts the peer with all its scenarios, a gateway with a link to each, submits to each,
//! and waits until each row sees what it must.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use scrutineer::handoff::message::{Body, FromWorker, Mobile, Submit, SubmitOutcome};
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::Instant;
use uuid::Uuid;

use crate::support::handoff::Client;
use crate::support::process::{Lines, Process};
use crate::support::site::Site;
use crate::support::soon;

/// How long all rows may take on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(100);
/// Links of one gateway.
const LINKS: usize = 11;
/// Seconds for a response, for silence before `enquire_link`, and between two binds.
const KEYS: &str = "response_timeout_seconds = 2\nenquire_link_seconds = 2\nreconnect_seconds_max = 1\n";

/// One row.
pub struct Scenario {
    /// Name of the SMSC's behaviour.
    pub name: &'static str,
    /// What we submit there.
    pub submits: usize,
    /// What must be seen, in words and by what it is told.
    pub must: &'static str,
    /// Is it?
    pub is_seen: fn(&Seen) -> bool,
}

/// What was seen of one scenario.
#[derive(Debug, Default)]
pub struct Seen {
    /// What each submit came to, in their order; several where a late one followed.
    pub outcomes: Vec<(u128, SubmitOutcome)>,
    /// Records of what the SMSC sent.
    pub records: Vec<Body>,
    /// PDUs of ours that the SMSC heard: name, status, sequence.
    pub heard: Vec<(String, u32, u32)>,
    /// Sessions that ended, by why.
    pub ended: HashMap<String, u64>,
    /// Connections.
    pub connected: usize,
    /// What the peer complained of.
    pub errors: Vec<String>,
}

impl Seen {
    /// How often the SMSC heard this.
    pub fn heard(&self, name: &str, status: u32) -> usize {
        self.heard.iter().filter(|(of, with, _)| of == name && *with == status).count()
    }

    /// Did it hear this with that sequence number?
    pub fn answered(&self, name: &str, status: u32, sequence: u32) -> bool {
        self.heard.contains(&(name.to_owned(), status, sequence))
    }

    /// Did a session end so?
    pub fn ended(&self, why: &str) -> bool {
        self.ended.get(why).is_some_and(|count| *count > 0)
    }

    /// Messages that came, whatever for.
    pub fn messages(&self) -> Vec<&Mobile> {
        self.records.iter().filter_map(|b| if let Body::Message(m) = b { Some(m) } else { None }).collect()
    }

    /// Receipts that came.
    pub fn receipts(&self) -> Vec<&Mobile> {
        self.records.iter().filter_map(|b| if let Body::Receipt(m) = b { Some(m) } else { None }).collect()
    }

    /// The ids of submits that were accepted, in the order of the submits.
    pub fn accepted(&self) -> Vec<&str> {
        let mut all: Vec<_> = self.outcomes.iter().collect();
        all.sort_by_key(|(number, _)| *number);
        let ids = all.into_iter().filter_map(|(_, outcome)| match outcome {
            SubmitOutcome::Accepted { message_ids } => Some(message_ids.iter().map(String::as_str)),
            _ => None,
        });
        ids.flatten().collect()
    }

    /// Is this the outcome of all submits, so many?
    pub fn all(&self, count: usize, is: impl Fn(&SubmitOutcome) -> bool) -> bool {
        self.outcomes.len() == count && self.outcomes.iter().all(|(_, outcome)| is(outcome))
    }
}

/// The SMSC's process.
struct Peer {
    ports: HashMap<String, u16>,
    lines: Lines,
    _child: Child,
}

impl Peer {
    async fn start(program: PathBuf, args: Vec<String>) -> Self {
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = Lines::default();
        lines.follow(child.stdout.take().unwrap());
        let first = soon("an SMSC that listens", lines.find("\"ports\"")).await;
        let ports: Value = serde_json::from_str(&first).unwrap();
        Self { ports: serde_json::from_value(ports["ports"].clone()).unwrap(), lines, _child: child }
    }
}

/// Plays all rows of one peer; `command` is its program and first arguments.
pub async fn play(peer: &str, command: (PathBuf, Vec<String>), rows: &[Scenario]) {
    let (program, mut args) = command;
    super::are_told(peer, &rows.iter().map(|row| row.name).collect::<Vec<_>>());
    args.extend(rows.iter().map(|row| row.name.to_owned()));
    let peer_process = Peer::start(program, args).await;
    let mut stages = Vec::new();
    for part in rows.chunks(LINKS) {
        stages.push(Stage::start(part, &peer_process).await);
    }
    let begun = Instant::now();
    let mut failed = Vec::new();
    for stage in &mut stages {
        failed.extend(stage.watch(&peer_process, begun + PATIENCE).await);
    }
    for stage in &mut stages {
        // Whatever the peers do, a stop ends.
        let status = stage.gateway.stop().await;
        assert!(status.success(), "{status}\n{}", stage.gateway.log());
    }
    let took = begun.elapsed();
    println!("{peer}: {} scenarios in {took:?}", rows.len());
    assert!(
        failed.is_empty(),
        "{} of {} scenarios are not as they must be:\n{}",
        failed.len(),
        rows.len(),
        failed.join("\n")
    );
}

struct Stage<'a> {
    rows: &'a [Scenario],
    gateway: Process,
    client: Client,
    seen: Vec<Seen>,
    _site: Site,
}

impl<'a> Stage<'a> {
    async fn start(rows: &'a [Scenario], peer: &Peer) -> Self {
        let mut site = Site::without_database();
        for row in rows {
            site = site.link_with(&link(row.name), peer.ports[row.name], KEYS);
        }
        let gateway = site.start("gateway").await;
        let mut client = Client::connect(&site.socket()).await;
        for (number, row) in rows.iter().enumerate() {
            for n in 0..row.submits {
                client.send(submit(number, n, &link(row.name))).await;
            }
        }
        let seen = rows.iter().map(|_| Seen::default()).collect();
        Self { rows, gateway, client, seen, _site: site }
    }

    /// Until each row is seen; what those lack that are not by the deadline.
    async fn watch(&mut self, peer: &Peer, deadline: Instant) -> Vec<String> {
        loop {
            let until = Instant::now() + Duration::from_millis(300);
            while let Ok(record) = tokio::time::timeout_at(until, self.client.record()).await {
                let Some(at) = self.rows.iter().position(|row| link(row.name) == record.group) else { continue };
                match record.body.result() {
                    Some((result, _)) => {
                        let number = result.id.as_u128() & 0xFFFF;
                        self.seen[at].outcomes.push((number, result.outcome.clone()));
                    }
                    None => self.seen[at].records.push(record.body),
                }
            }
            self.read_journal(peer);
            self.read_metrics().await;
            let unseen = self.rows.iter().zip(&self.seen).filter(|(row, seen)| !(row.is_seen)(seen));
            let unseen: Vec<_> =
                unseen.map(|(row, seen)| format!("`{}` must be: {}; seen: {seen:?}", row.name, row.must)).collect();
            if unseen.is_empty() || Instant::now() > deadline {
                return unseen;
            }
        }
    }

    fn read_journal(&mut self, peer: &Peer) {
        for seen in &mut self.seen {
            (seen.connected, seen.heard, seen.errors) = (0, Vec::new(), Vec::new());
        }
        for line in peer.lines.from(1) {
            let line: Value = serde_json::from_str(&line).unwrap();
            let Some(at) = self.rows.iter().position(|row| line["name"] == row.name) else { continue };
            let seen = &mut self.seen[at];
            let number = |key: &str| u32::try_from(line[key].as_u64().unwrap_or(0)).unwrap_or(0);
            if let Some(name) = line["heard"].as_str() {
                seen.heard.push((name.to_owned(), number("status"), number("sequence")));
            } else if let Some(error) = line["error"].as_str() {
                seen.errors.push(error.to_owned());
            } else if line["event"] == "connected" {
                seen.connected += 1;
            }
        }
    }

    async fn read_metrics(&mut self) {
        let text = self.gateway.metrics().await;
        for line in text.lines().filter(|line| line.starts_with("scrutineer_smpp_sessions_ended_total{")) {
            let label = |name: &str| line.split_once(&format!("{name}=\""))?.1.split('"').next();
            let (Some(of), Some(why)) = (label("link"), label("why")) else { continue };
            let Some(at) = self.rows.iter().position(|row| link(row.name) == of) else { continue };
            let count = line.rsplit(' ').next().and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
            self.seen[at].ended.insert(why.to_owned(), count as u64);
        }
    }
}

/// The link's name: those of classes are shorter without their common end.
fn link(name: &str) -> String {
    name.strip_suffix("SMSC").filter(|short| !short.is_empty()).unwrap_or(name).chars().take(32).collect()
}

fn submit(row: usize, number: usize, group: &str) -> FromWorker {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    FromWorker::Submit(Submit {
        id: Uuid::from_u128(((row as u128 + 1) << 64) | number as u128),
        attempt: 1,
        group: group.into(),
        link: None,
        bulk: false,
        source: "12345".into(),
        destination: "355680000001".into(),
        text: format!("thank you {number}"),
        // For those that never bind.
        expires_us: i64::try_from(now.as_micros()).unwrap() + 20_000_000,
        receipt: true,
    })
}
