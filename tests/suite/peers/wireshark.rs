//! `tshark` reads what we send: a capture is written of the bytes that a gateway sent to this test, on links of
//! every way to bind and to send texts, with every kind of PDU that there is in the code, and none of them is
//! marked as malformed.

mod capture;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use scrutineer::handoff::message::{FromWorker, Submit};
use scrutineer::limits::BEFORE_BIND_MAX;
use scrutineer::smpp::{CommandId, Frame, Pdu, ShortMessage, decode, encode, split};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use uuid::Uuid;

use crate::support::flood::text;
use crate::support::handoff::Client;
use crate::support::site::Site;
use crate::support::{dir, source, torture, within};
use capture::Row;

/// Links, each with the keys that make it another, and what is sent by it.
const LINKS: [(&str, &str, &[&str]); 8] = [
    ("trx", "version = \"5.0\"", &["Thank you: AA1 BA2", "Kept: {AA} [1] ~ €5 \\ ^ |", "Спасибо: АА1", LONG, CYRILLIC]),
    ("pair", "bind = \"pair\"\nsystem_type = \"OBS\"", &["by the transmitter"]),
    ("latin", "alphabets = [\"default\", \"latin1\"]", &["Ça va très bien: ê", LATIN]),
    ("turkish", "shift_tables = [\"tr\"]", &[SINGLE, LOCKING]),
    ("portuguese", "shift_tables = [\"pt\"]", &[BOTH]),
    ("sar", "long_messages = \"sar\"", &[LONG, CYRILLIC]),
    ("payload", "long_messages = \"payload\"", &[LONG, CYRILLIC]),
    ("wide", "reference_bits = 16\nvalidity_period = false\nreceipts = false", &[LONG]),
];

/// Two segments and more, in each alphabet.
const LONG: &str = "Thank you. Thank you. Thank you. Thank you. Thank you. Thank you. Thank you. Thank you. Thank you. \
                    Thank you. Thank you. Thank you. Thank you. Thank you. Thank you. Thank you. Thank you. Thank you.";
const CYRILLIC: &str = "Спасибо, ваш отчёт принят. Спасибо, ваш отчёт принят. Спасибо, ваш отчёт принят. До встречи!";
const LATIN: &str = "Ê ê Ê ê Ê ê Ê ê Ê ê Ê ê Ê ê Ê ê Ê ê Ê ê Ê ê Ê ê Ê ê Ê ê Ê ê Ê ê Ê ê Ê ê Ê ê Ê ê Ê ê Ê ê Ê ê Ê ê Ê ê \
                     Ê ê Ê ê Ê ê Ê ê Ê ê Ê ê Ê ê Ê ê Ê ê Ê ê Ê ê Ê ê Ê ê Ê ê";
/// One letter of the table in a text that would be two segments of UCS2.
const SINGLE: &str = "değil: AA1 BA2 CA135 AA1 BA2 CA135 AA1 BA2 CA135 AA1 BA2 CA135 AA1 BA2 CA135 AA1";
/// Many, so that an escape each would be too long.
const LOCKING: &str = "şğışğışğışğışğışğışğışğışğışğışğışğışğışğışğışğışğışğışğışğışğışğışğışğışğışğışğışğışğışğışğ";
/// Of both tables.
const BOTH: &str = "Ω: ãõãõãõãõãõãõãõãõãõãõãõãõãõãõãõãõãõãõãõãõãõãõãõãõãõãõãõãõãõãõãõãõãõãõãõãõãõãõãõãõ";

/// `Pdu`s that the session's code writes. A new one must be in the capture too.
const WRITTEN: [&str; 12] = [
    "BindReceiver",
    "BindTransceiver",
    "BindTransmitter",
    "DataSmResp",
    "DeliverSmResp",
    "EnquireLink",
    "EnquireLinkResp",
    "GenericNack",
    "Other",
    "SubmitSm",
    "Unbind",
    "UnbindResp",
];

/// Requests that an ESME doesn't serve; each has a response of its own.
const NOT_SERVED: [u32; 11] = [1, 2, 3, 4, 7, 8, 9, 0x21, 0x111, 0x112, 0x113];

type Sent = Arc<watch::Sender<Vec<(String, Frame)>>>;

/// One session of an SMSC: what it says before and after the bind response. All that comes is recorded, and
/// answered.
struct Session {
    io: TcpStream,
    link: String,
    sent: Sent,
    before: Vec<Vec<u8>>,
    after: Vec<Vec<u8>>,
}

impl Session {
    async fn run(mut self) -> std::io::Result<()> {
        let mut input = BytesMut::new();
        loop {
            while let Some(frame) = split(&mut input).unwrap() {
                let pdu = decode(&frame).unwrap();
                let answer = match &pdu {
                    Pdu::BindTransceiver(_) => Some(Pdu::BindTransceiverResp("tshark".into())),
                    Pdu::BindReceiver(_) => Some(Pdu::BindReceiverResp("tshark".into())),
                    Pdu::BindTransmitter(_) => Some(Pdu::BindTransmitterResp("tshark".into())),
                    Pdu::SubmitSm(_) => Some(Pdu::SubmitSmResp(frame.sequence.to_string())),
                    Pdu::EnquireLink => Some(Pdu::EnquireLinkResp),
                    Pdu::Unbind => Some(Pdu::UnbindResp),
                    _ => None,
                };
                let mut out = Vec::new();
                let is_bind = matches!(pdu, Pdu::BindTransceiver(_) | Pdu::BindReceiver(_) | Pdu::BindTransmitter(_));
                if is_bind {
                    out.append(&mut self.before);
                }
                out.extend(answer.map(|pdu| bytes(frame.sequence, &pdu)));
                if is_bind {
                    out.append(&mut self.after);
                }
                self.sent.send_modify(|sent| sent.push((self.link.clone(), frame)));
                for bytes in out {
                    self.io.write_all(&bytes).await?;
                }
            }
            if self.io.read_buf(&mut input).await? == 0 {
                return Ok(());
            }
        }
    }
}

fn bytes(sequence: u32, pdu: &Pdu) -> Vec<u8> {
    let mut out = BytesMut::new();
    encode(&mut out, 0, sequence, pdu);
    out.to_vec()
}

/// What the SMSC of `trx` says, and makes us say: texts that come before the bind response, more than are kept,
/// so that one of each kind is told to come later; then one of each kind, and requests that are not for us.
fn everything() -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let deliver = |n: u32| bytes(n, &Pdu::DeliverSm(text("355680000001", &format!("PS {n}"))));
    let data = |n: u32| {
        let payload = Some(format!("PS {n}").into_bytes());
        bytes(n, &Pdu::DataSm(ShortMessage { payload, ..text("355680000001", "") }))
    };
    let most = u32::try_from(BEFORE_BIND_MAX).unwrap();
    let before = (1..=most).map(deliver).chain([deliver(most + 1), data(most + 2)]).collect();
    let mut after = vec![deliver(101), data(102), bytes(103, &Pdu::EnquireLink)];
    after.push(bytes(104, &Pdu::Other(CommandId::Other(0x99))));
    after.extend((200..).zip(NOT_SERVED).map(|(sequence, id)| bytes(sequence, &Pdu::Other(CommandId::from(id)))));
    (before, after)
}

/// Serves one link's SMSC; `leaves` unbinds its first session, and sends what is no PDU in its second.
async fn serve(listener: TcpListener, link: String, sent: Sent) {
    for session in 0.. {
        let Ok((io, _)) = listener.accept().await else { return };
        let (before, after) = match (link.as_str(), session) {
            ("trx", 0) => everything(),
            ("leaves", 0) => (Vec::new(), vec![bytes(7, &Pdu::Unbind)]),
            ("leaves", 1) => (Vec::new(), vec![vec![0, 0, 0, 15, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 9]]),
            _ => (Vec::new(), Vec::new()),
        };
        tokio::spawn(Session { io, link: link.clone(), sent: sent.clone(), before, after }.run());
    }
}

/// Waits until something was sent.
async fn until(sent: &Sent, what: &str, is: impl Fn(&[(String, Frame)]) -> bool) {
    let mut seen = sent.subscribe();
    within(Duration::from_secs(120), what, seen.wait_for(|sent| is(sent))).await.unwrap();
}

fn count(sent: &[(String, Frame)], link: &str, id: CommandId) -> usize {
    sent.iter().filter(|(of, frame)| of == link && frame.id == id).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tshark_reads_every_kind_of_pdu_that_we_send() {
    if std::process::Command::new("tshark").arg("--version").output().is_err() {
        return torture::skip("tshark isn't installed (Debian's tshark)");
    }
    let sent: Sent = Arc::new(watch::channel(Vec::new()).0);
    let mut site = Site::without_database();
    let leaves = ("leaves", "", &[][..]);
    for (name, keys, _) in LINKS.into_iter().chain([leaves]) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        site = site.link_with(name, port, &format!("enquire_link_seconds = 1\nreconnect_seconds_max = 1\n{keys}"));
        tokio::spawn(serve(listener, name.to_owned(), sent.clone()));
    }
    let mut gateway = site.start("gateway").await;
    let mut client = Client::connect(&site.socket()).await;
    let mut submits = 0u128;
    for (name, _, texts) in LINKS {
        for text in texts {
            submits += 1;
            let submit = Submit {
                id: Uuid::from_u128(submits),
                attempt: 1,
                group: name.into(),
                link: None,
                bulk: false,
                source: if submits.is_multiple_of(2) { "Observers" } else { "12345" }.into(),
                destination: "355680000001".into(),
                text: (*text).into(),
                expires_us: now_us() + 3_600_000_000,
                receipt: true,
            };
            client.send(FromWorker::Submit(submit)).await;
        }
    }
    // A result each: all segments are out.
    for _ in 0..submits {
        while client.record().await.body.result().is_none() {}
    }
    until(&sent, "what `trx` was asked for", |sent| {
        count(sent, "trx", CommandId::DeliverSmResp) == BEFORE_BIND_MAX + 2
            && count(sent, "trx", CommandId::DataSmResp) == 2
            && count(sent, "trx", CommandId::EnquireLinkResp) == 1
            && count(sent, "trx", CommandId::GenericNack) == 1
            && sent.iter().filter(|(link, frame)| link == "trx" && frame.status == 4).count() == NOT_SERVED.len()
    })
    .await;
    until(&sent, "two ends and a third session of `leaves`", |sent| {
        count(sent, "leaves", CommandId::UnbindResp) == 1
            && count(sent, "leaves", CommandId::GenericNack) == 1
            && count(sent, "leaves", CommandId::BindTransceiver) >= 3
            && count(sent, "pair", CommandId::EnquireLink) >= 1
    })
    .await;
    assert!(gateway.stop().await.success());
    assert!(!gateway.log().contains("did not stop in time"), "{}", gateway.log());
    until(&sent, "an unbind of each bind", |sent| {
        count(sent, "pair", CommandId::Unbind) == 2 && count(sent, "trx", CommandId::Unbind) == 1
    })
    .await;

    let frames: Vec<Vec<u8>> = sent.borrow().iter().map(|(_, frame)| frame.raw.to_vec()).collect();
    let folder = dir::fresh();
    let path = folder.path().join("sent.pcap");
    capture::write(&path, &frames);
    assert_eq!(capture::marked(&path), "", "tshark finds these malformed");
    let rows = capture::rows(&path);
    assert_eq!(rows.len(), frames.len(), "each PDU that was sent is read");
    let missing: Vec<&str> = kinds().into_iter().filter(|(_, is)| !rows.iter().any(is)).map(|(what, _)| what).collect();
    assert!(missing.is_empty(), "not in the capture: {missing:?}\n{rows:#?}");
    for id in NOT_SERVED {
        assert!(rows.iter().any(|row| row.id == (id | 1 << 31) && row.status == 4), "{id:#x} has no response");
    }
    println!("tshark read {} PDUs of {} kinds, none malformed", rows.len(), kinds().len() + NOT_SERVED.len());
}

fn now_us() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_micros()).unwrap()
}

type Is = fn(&Row) -> bool;

/// Every kind of PDU that we send, as tshark sees it.
fn kinds() -> Vec<(&'static str, Is)> {
    vec![
        ("bind_receiver", |row| row.id == 1 && row.version == Some(0x34)),
        ("bind_transmitter", |row| row.id == 2 && row.version == Some(0x34)),
        ("bind_transceiver of 3.4", |row| row.id == 9 && row.version == Some(0x34)),
        ("bind_transceiver of 5.0", |row| row.id == 9 && row.version == Some(0x50)),
        ("unbind", |row| row.id == 6),
        ("unbind_resp", |row| row.id == 0x8000_0006),
        ("enquire_link", |row| row.id == 0x15),
        ("enquire_link_resp", |row| row.id == 0x8000_0015),
        ("generic_nack of a command", |row| row.id == 0x8000_0000 && row.status == 3),
        ("generic_nack of a length", |row| row.id == 0x8000_0000 && row.status == 2),
        ("deliver_sm_resp", |row| row.id == 0x8000_0005 && row.status == 0),
        ("deliver_sm_resp of overload", |row| row.id == 0x8000_0005 && row.status == 8),
        ("data_sm_resp", |row| row.id == 0x8000_0103 && row.status == 0),
        ("data_sm_resp of overload", |row| row.id == 0x8000_0103 && row.status == 8),
        ("submit_sm in GSM 7-bit", |row| row.is_submit(0) && !row.udh && row.message.contains("5468616e6b")),
        ("submit_sm with the extension table", |row| row.is_submit(0) && row.message.contains("1b65")),
        ("submit_sm in UCS2", |row| row.is_submit(8) && !row.udh && !row.message.is_empty()),
        ("submit_sm in Latin-1", |row| row.is_submit(3) && !row.udh && row.message.ends_with("ea")),
        ("segments of GSM 7-bit", |row| row.is_submit(0) && row.udh && row.message.starts_with("050003")),
        ("segments of UCS2", |row| row.is_submit(8) && row.udh && row.message.starts_with("050003")),
        ("segments of Latin-1", |row| row.is_submit(3) && row.udh && row.message.starts_with("050003")),
        ("segments with references of 16 bits", |row| row.udh && row.message.starts_with("060804")),
        ("a national single shift table", |row| row.udh && row.message.starts_with("03240101")),
        ("a national locking shift table", |row| row.udh && row.message.starts_with("03250101")),
        ("both tables of a language", |row| {
            row.udh && row.message.starts_with("06") && ["240103", "250103"].iter().all(|e| row.message.contains(e))
        }),
        ("SAR TLVs, GSM 7-bit", |row| row.is_submit(0) && row.sar.is_some_and(|sar| sar.1 >= 2 && sar.2 == 2)),
        ("SAR TLVs, UCS2", |row| row.is_submit(8) && row.sar.is_some_and(|sar| sar.1 >= 2 && sar.2 == 1)),
        ("message_payload, GSM 7-bit", |row| row.is_submit(0) && row.payload > 160),
        ("message_payload, UCS2", |row| row.is_submit(8) && row.payload > 140),
        ("a validity_period", |row| row.id == 4 && row.validity),
        ("no validity_period", |row| row.id == 4 && !row.validity),
        ("a receipt asked for", |row| row.id == 4 && row.receipt),
        ("no receipt asked for", |row| row.id == 4 && !row.receipt),
    ]
}

#[test]
fn the_capture_is_of_every_pdu_that_the_code_of_a_session_writes() {
    let mut named = BTreeSet::new();
    for file in source::files("src", "rs") {
        let of_a_session = file.name.starts_with("src/smpp/session/") || file.name == "src/smpp/options.rs";
        if !of_a_session || source::is_tests(&file.name) {
            continue;
        }
        for (_, name) in source::named_after(&source::code_without_tests(&file.text), "Pdu") {
            named.insert(name.to_owned());
        }
    }
    // Those that it only reads.
    for read in ["DeliverSm", "DataSm", "SubmitSmResp"] {
        assert!(named.remove(read), "{named:?}");
    }
    assert_eq!(named, WRITTEN.map(str::to_owned).into());
}
