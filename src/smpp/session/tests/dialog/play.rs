//! The language of the dialogs: a script plays the SMSC and the spool, byte by byte, against the real session.
//!
//! A line is one step. Bytes are written in hexadecimal; `'text'` stands for its ASCII bytes, `30*20` for a byte
//! twenty times, `LEN` for a `command_length` (up to the next one, `|`, or the line's end), and the names in
//! [`WORDS`] for what recurs.
//!
//! | step | what happens |
//! |---|---|
//! | `> BYTES` | the SMSC sends them |
//! | `>> BYTES` | it sends them one by one |
//! | `< BYTES` | the session has sent exactly these; an `enquire_link` before them is answered |
//! | `record KIND` | the spool is asked to store a record: `message`, `receipt`, `undecodable`, `redelivery` |
//! | `durable`, `fails` | the oldest record that it was asked for is stored, or not |
//! | `spool KIND` | `record` and `durable` |
//! | `text "…"` | the text that the intake reads in the last record |
//! | `joined "…"` | the text that the parts among all records make |
//! | `raw BYTES` | what is kept of the last record: `short_message`, or the PDU that could not be read |
//! | `payload BYTES` | its `message_payload` |
//! | `names ID WORD` | the last record is a receipt that says this of that message |
//! | `submit N "…"`, `again N "…"` | the worker hands a reply over, for the first or second time |
//! | `intend` | its intent is durable |
//! | `result N WORD …` | what came of it, known within a second: `accepted IDS`, `refused STATUS`, `unknown`, `not_sent` |
//! | `quiet TIME` | nothing is sent for so long, but `enquire_link` |
//! | `wait TIME` | time passes |
//! | `committed N` | the worker has committed so far |
//! | `stop`, `hangup` | the gateway stops; the SMSC closes the connection |
//! | `end WORD`, `end WORD TIME` | the session has ended, for this reason; within two seconds, or so many |

use std::collections::VecDeque;

use super::super::*;
use crate::intake::reassemble::{join, single};
use crate::outbox::receipt;
use crate::text::udh;

/// What recurs. The parties: no `service_type`, an observer's phone, the shortcode. After `esm_class`:
/// `protocol_id`, `priority_flag`, the two times, `registered_delivery`, `replace_if_present_flag`.
const WORDS: &[(&str, &str)] = &[
    ("$PARTIES", "00 0101 '355691234567' 00 0001 '4636' 00"),
    ("$REPLY", "00 0001 '4636' 00 0101 '355691234567' 00"),
    ("$FLAGS", "00 00 00 00 00 00"),
    ("$DELIVER", "LEN 00000005 00000000"),
    ("$DATA", "LEN 00000103 00000000"),
    ("$SUBMIT", "LEN 00000004 00000000"),
    ("$ACCEPT", "LEN 80000004 00000000"),
    ("$OK", "00000011 80000005 00000000"),
    ("$ENQUIRE", "00000010 00000015 00000000"),
    ("$ALIVE", "00000010 80000015 00000000"),
    ("$NACK", "00000010 80000000"),
];

/// `bind_transceiver` of the rig's link, as it must stand on the wire.
pub(super) const BIND: &str = "< 00000021 00000009 00000000 00000001 'esme' 00 'secret' 00 00 34 00 00 00";
/// The SMSC takes it.
pub(super) const BOUND: &str = "> 00000015 80000009 00000000 00000001 'smsc' 00";

/// It takes it, and says that it speaks 3.4: TLVs may be sent to it.
pub(super) const BOUND_34: &str = "> LEN 80000009 00000000 00000001 'smsc' 00 0210 0001 34";

/// A dialog under way or at its end.
pub(super) struct Dialog {
    pub(super) rig: Rig,
    pub(super) records: Vec<Body>,
    asked: VecDeque<u64>,
}

/// Plays a script after the bind.
pub(super) async fn play(script: &str) -> Dialog {
    play_with(options(), script).await
}

/// The same on another link.
pub(super) async fn play_with(options: LinkOptions, script: &str) -> Dialog {
    play_bound(options, BOUND, script).await
}

/// The same, with an SMSC that takes the bind so.
pub(super) async fn play_bound(options: LinkOptions, bound: &str, script: &str) -> Dialog {
    let mut dialog = Dialog::begin(options, false);
    dialog.go_on(&format!("{BIND}\n{bound}")).await;
    dialog.rig.states.watch().wait_for(|states| states[0]).await.unwrap();
    dialog.go_on(script).await;
    dialog
}

impl Dialog {
    /// The session has been begun, and its bind request may be read.
    pub(super) fn begin(options: LinkOptions, committed: bool) -> Self {
        let rig = Rig::unbound(options, committed);
        Self { rig, records: Vec::new(), asked: VecDeque::new() }
    }

    /// The next session of a link whose first one was another dialog's.
    pub(super) fn begin_like(options: LinkOptions, first: &Self) -> Self {
        let (queue, pace) = (first.rig.queue.clone(), first.rig.pace.clone());
        let rig = Rig::shared(options, false, queue, pace, |mut link, ours| {
            tokio::spawn(async move { run(&mut link, ours).await })
        });
        Self { rig, records: Vec::new(), asked: VecDeque::new() }
    }

    /// Plays further steps.
    pub(super) async fn go_on(&mut self, script: &str) {
        for (number, line) in script.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with("--") {
                continue;
            }
            let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
            if let Err(why) = self.step(verb, rest.trim()).await {
                panic!("line {}: {line}\n{why}", number + 1);
            }
        }
    }

    async fn step(&mut self, verb: &str, rest: &str) -> Result<(), String> {
        match verb {
            ">" => self.write(&bytes(rest)).await,
            ">>" => {
                for byte in bytes(rest) {
                    self.write(&[byte]).await;
                    tokio::task::yield_now().await;
                }
            }
            "<" => return self.expect(&bytes(rest)).await,
            "record" => return self.record(rest).await,
            "durable" => self.stored()?,
            "fails" => {
                let tag = self.asked.pop_front().ok_or("no record was asked for")?;
                self.rig.done(Done::Failed { tag });
            }
            "spool" => {
                self.record(rest).await?;
                self.stored()?;
            }
            "text" => return same(&single(self.mobile()?).text, &said(rest)),
            "joined" => return same(&self.joined(), &said(rest)),
            "raw" => {
                let kept = match self.records.last() {
                    Some(Body::Message(m) | Body::Receipt(m)) => m.short_message.clone(),
                    Some(Body::Undecodable { pdu, .. }) => pdu.clone(),
                    other => return Err(format!("{other:?}")),
                };
                return same(&hex(&kept), &hex(&bytes(rest)));
            }
            "payload" => return same(&self.mobile()?.payload.as_deref().map(hex), &Some(hex(&bytes(rest)))),
            "names" => {
                let found = receipt::parse(self.mobile()?).map(|r| format!("{} {}", r.message_id, r.word));
                return same(&found.as_deref(), &Some(rest));
            }
            "submit" | "again" => {
                let (n, text) = rest.split_once(' ').ok_or("submit N TEXT")?;
                let attempt = if verb == "again" { 2 } else { 1 };
                let submit = Submit { attempt, ..submit(n.parse().map_err(|e| format!("{e}"))?, &said(text)) };
                if !self.rig.queue.push(submit) {
                    return Err("the queue is full".into());
                }
            }
            "intend" => self.rig.intend().await,
            "result" => {
                let result = timeout(Duration::from_secs(1), self.rig.result()).await;
                let (id, outcome) = result.map_err(|_| "no result within a second")?;
                let outcome = match outcome {
                    SubmitOutcome::Accepted { message_ids } => format!("accepted {}", message_ids.join(",")),
                    SubmitOutcome::Refused { status } => format!("refused {status:02X}"),
                    SubmitOutcome::Unknown => "unknown".to_owned(),
                    SubmitOutcome::NotSent { .. } => "not_sent".to_owned(),
                    SubmitOutcome::Otherwise { .. } => "otherwise".to_owned(),
                };
                return same(&format!("{} {outcome}", id.as_u128()).trim(), &rest);
            }
            "quiet" => return self.quiet(time(rest)).await,
            "wait" => tokio::time::sleep(time(rest)).await,
            "committed" => drop(self.rig.committed.send_replace(rest.parse().map_err(|e| format!("{e}"))?)),
            "stop" => self.rig.stop.cancel(),
            "hangup" => self.rig.io.shutdown().await.map_err(|e| e.to_string())?,
            "end" => {
                let (word, limit) = rest.split_once(' ').unwrap_or((rest, "2s"));
                let end = timeout(time(limit), &mut self.rig.task).await;
                let end = end.map_err(|_| "the session goes on")?.map_err(|e| e.to_string())?;
                return same(&end.word(), &word);
            }
            _ => return Err("no such step".into()),
        }
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) {
        self.rig.io.write_all(bytes).await.unwrap();
    }

    /// The next PDU of the session.
    async fn next(&mut self) -> Result<Frame, String> {
        loop {
            if let Some(frame) = split(&mut self.rig.input).map_err(|e| e.to_string())? {
                return Ok(frame);
            }
            let read = timeout(Duration::from_secs(60), self.rig.io.read_buf(&mut self.rig.input)).await;
            if read.map_err(|_| "nothing comes")?.map_err(|e| e.to_string())? == 0 {
                return Err("the session closed".into());
            }
        }
    }

    async fn expect(&mut self, wanted: &[u8]) -> Result<(), String> {
        loop {
            let frame = self.next().await?;
            if frame.id == CommandId::EnquireLink && frame.raw[..] != *wanted {
                self.rig.send(0, frame.sequence, Pdu::EnquireLinkResp).await;
                continue;
            }
            return same(&hex(&frame.raw), &hex(wanted));
        }
    }

    async fn quiet(&mut self, time: Duration) -> Result<(), String> {
        let until = Instant::now() + time;
        while let Ok(frame) = tokio::time::timeout_at(until, self.next()).await {
            let frame = frame?;
            if frame.id != CommandId::EnquireLink {
                return Err(format!("{} was sent", hex(&frame.raw)));
            }
            self.rig.send(0, frame.sequence, Pdu::EnquireLinkResp).await;
        }
        Ok(())
    }

    async fn record(&mut self, kind: &str) -> Result<(), String> {
        loop {
            let append = timeout(Duration::from_secs(60), self.rig.append()).await.map_err(|_| "nothing is spooled")?;
            match &append.op {
                Op::Confirmed { .. } => {}
                Op::Record { body, kind: said, .. } => {
                    let body: Body = postcard::from_bytes(body).map_err(|e| e.to_string())?;
                    let (word, of) = match &body {
                        Body::Message(_) => ("message", Kind::Message),
                        Body::Receipt(_) => ("receipt", Kind::Receipt),
                        Body::Undecodable { .. } => ("undecodable", Kind::Undecodable),
                        Body::Redelivery { .. } => ("redelivery", Kind::Redelivery),
                        other => return Err(format!("{other:?}")),
                    };
                    // The spool's own column says the same.
                    same(said, &of)?;
                    self.records.push(body);
                    self.asked.push_back(append.tag);
                    return same(&word, &kind);
                }
                other => return Err(format!("{other:?}")),
            }
        }
    }

    fn stored(&mut self) -> Result<(), String> {
        let tag = self.asked.pop_front().ok_or("no record was asked for")?;
        self.rig.sequence += 1;
        self.rig.done(Done::Stored { tag, sequence: self.rig.sequence });
        Ok(())
    }

    fn mobile(&self) -> Result<&Mobile, String> {
        match self.records.last() {
            Some(Body::Message(mobile) | Body::Receipt(mobile)) => Ok(mobile),
            other => Err(format!("{other:?}")),
        }
    }

    /// The text of all parts, each in the place that its header or its SAR TLVs name.
    fn joined(&self) -> String {
        let mut total = 0;
        let parts = self.records.iter().filter_map(|body| {
            let Body::Message(mobile) = body else { return None };
            let (of, part) = match udh::split(&mobile.short_message).concat.filter(|_| mobile.esm_class & 0x40 != 0) {
                Some(concat) => (concat.total, concat.part),
                None => mobile.sar.map(|(_, total, part)| (total, part))?,
            };
            total = total.max(i16::from(of));
            Some((i16::from(part), mobile))
        });
        let parts = parts.collect();
        join(&parts, total).text
    }
}

fn same<T: PartialEq + std::fmt::Debug>(found: &T, wanted: &T) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("found  {found:?}\nwanted {wanted:?}")) }
}

fn said(quoted: &str) -> String {
    serde_json::from_str(quoted).unwrap_or_else(|e| panic!("{quoted}: {e}"))
}

fn time(text: &str) -> Duration {
    match text.strip_suffix("ms") {
        Some(ms) => Duration::from_millis(ms.parse().unwrap()),
        None => Duration::from_secs(text.strip_suffix('s').unwrap().parse().unwrap()),
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02X}")).collect()
}

/// The bytes that a line stands for.
pub(super) fn bytes(line: &str) -> Vec<u8> {
    let mut line = line.to_owned();
    for (word, stands) in WORDS {
        line = line.replace(word, stands);
    }
    let (mut out, mut length_at) = (Vec::new(), None);
    let mut rest = line.trim();
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix('\'') {
            let (text, after) = quoted.split_once('\'').expect("a quote ends");
            out.extend_from_slice(text.as_bytes());
            rest = after.trim_start();
            continue;
        }
        let end = rest.find([' ', '\'']).unwrap_or(rest.len());
        let (token, after) = rest.split_at(end);
        rest = after.trim_start();
        if token == "LEN" || token == "|" {
            measure(&mut out, &mut length_at);
            if token == "LEN" {
                length_at = Some(out.len());
                out.extend_from_slice(&[0; 4]);
            }
            continue;
        }
        let (digits, times) = token.split_once('*').map_or((token, 1), |(d, n)| (d, n.parse().unwrap()));
        assert!(digits.len().is_multiple_of(2), "{token}: half a byte");
        let some: Vec<u8> = (0..digits.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap_or_else(|e| panic!("{token}: {e}")))
            .collect();
        out.extend(some.iter().copied().cycle().take(some.len() * times));
    }
    measure(&mut out, &mut length_at);
    out
}

/// The PDU that began there ends here.
fn measure(out: &mut [u8], begun: &mut Option<usize>) {
    if let Some(at) = begun.take() {
        let length = u32::try_from(out.len() - at).unwrap();
        out[at..at + 4].copy_from_slice(&length.to_be_bytes());
    }
}
