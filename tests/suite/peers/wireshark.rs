//! `tshark` reads what we send: a capture is written of the bytes that a gateway sent to this test, every
//! kind of PDU that it has, and none of them is marked as malformed.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use bytes::BytesMut;
use scrutineer::handoff::message::{FromWorker, Submit};
use scrutineer::smpp::{Bind, CommandId, Frame, Pdu, ShortMessage, decode, encode, split};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

use crate::support::flood::text;
use crate::support::handoff::Client;
use crate::support::site::Site;
use crate::support::{dir, torture, within};

/// One text of each alphabet, short and in segments.
const TEXTS: [&str; 6] = [
    "Thank you: AA1 BA2",
    "Kept: {AA} [1] ~ €5 \\ ^ |",
    "Faleminderit, ç'është e plotë për ju àéù",
    "Спасибо, принято: АА1",
    "",
    "",
];

/// Records each PDU of the gateway, and answers it.
struct Recorder {
    io: TcpStream,
    input: BytesMut,
    sent: Vec<Frame>,
}

impl Recorder {
    async fn say(&mut self, sequence: u32, pdu: &Pdu) {
        let mut out = BytesMut::new();
        encode(&mut out, 0, sequence, pdu);
        self.io.write_all(&out).await.unwrap();
    }

    /// Until a PDU of this kind came so often in all.
    async fn until(&mut self, id: CommandId, times: usize) {
        let what = format!("{times} of {id:?}");
        within(Duration::from_secs(60), &what, async {
            while self.sent.iter().filter(|frame| frame.id == id).count() < times {
                while let Some(frame) = split(&mut self.input).unwrap() {
                    let answer = match decode(&frame).unwrap() {
                        Pdu::BindTransceiver(_) => Some(Pdu::BindTransceiverResp("tshark".into())),
                        Pdu::SubmitSm(_) => Some(Pdu::SubmitSmResp(self.sent.len().to_string())),
                        Pdu::EnquireLink => Some(Pdu::EnquireLinkResp),
                        Pdu::Unbind => Some(Pdu::UnbindResp),
                        _ => None,
                    };
                    if let Some(answer) = answer {
                        self.say(frame.sequence, &answer).await;
                    }
                    self.sent.push(frame);
                }
                if self.sent.iter().filter(|frame| frame.id == id).count() < times {
                    assert_ne!(self.io.read_buf(&mut self.input).await.unwrap(), 0, "the gateway closed");
                }
            }
        })
        .await;
    }
}

/// A capture of raw IPv4: one TCP stream to port 2775, a packet a PDU.
fn pcap(path: &Path, frames: &[Vec<u8>]) {
    let mut out = Vec::new();
    // Magic, version 2.4, zone, accuracy, snap length, link type 101: an IP header comes first.
    for word in [0xA1B2_C3D4, 0x0002_0004, 0, 0, 0x4_0000, 101u32] {
        out.extend_from_slice(&word.to_be_bytes());
    }
    let mut sequence = 1u32;
    for (second, frame) in (0u32..).zip(frames) {
        let length = u32::try_from(40 + frame.len()).unwrap();
        for word in [second, 0, length, length] {
            out.extend_from_slice(&word.to_be_bytes());
        }
        out.extend_from_slice(&[0x45, 0]);
        out.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
        // Identification, flags, time to live, TCP, no checksum, from and to.
        out.extend_from_slice(&[0, 0, 0x40, 0, 64, 6, 0, 0, 127, 0, 0, 1, 127, 0, 0, 2]);
        out.extend_from_slice(&40_000u16.to_be_bytes());
        out.extend_from_slice(&2_775u16.to_be_bytes());
        out.extend_from_slice(&sequence.to_be_bytes());
        out.extend_from_slice(&1u32.to_be_bytes());
        // Header of five words, PSH and ACK, window, no checksum.
        out.extend_from_slice(&[0x50, 0x18, 0xFF, 0xFF, 0, 0, 0, 0]);
        out.extend_from_slice(frame);
        sequence += u32::try_from(frame.len()).unwrap();
    }
    std::fs::write(path, out).unwrap();
}

fn tshark(capture: &Path, args: &[&str]) -> Option<String> {
    let output = std::process::Command::new("tshark")
        .args(["-d", "tcp.port==2775,smpp", "-r"])
        .arg(capture)
        .args(args)
        .output()
        .ok()?;
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[tokio::test]
async fn tshark_reads_every_kind_of_pdu_that_we_send() {
    if std::process::Command::new("tshark").arg("--version").output().is_err() {
        return torture::skip("tshark isn't installed (Debian's tshark)");
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let keys = "enquire_link_seconds = 1\nreconnect_seconds_max = 1";
    let site = Site::without_database().link_with("smsc", port, keys);
    let mut gateway = site.start("gateway").await;
    let accept = || async { within(Duration::from_secs(60), "a bind", listener.accept()).await.unwrap().0 };
    let mut smsc = Recorder { io: accept().await, input: BytesMut::new(), sent: Vec::new() };
    smsc.until(CommandId::BindTransceiver, 1).await;
    smsc.say(11, &Pdu::DeliverSm(text("355680000001", "PS 1"))).await;
    let payload = ShortMessage { payload: Some(b"PS 1".to_vec()), ..text("355680000001", "") };
    smsc.say(12, &Pdu::DataSm(payload)).await;
    smsc.say(13, &Pdu::EnquireLink).await;
    smsc.say(14, &Pdu::Other(CommandId::Other(0x99))).await;
    smsc.until(CommandId::DataSmResp, 1).await;
    smsc.until(CommandId::DeliverSmResp, 1).await;
    smsc.until(CommandId::EnquireLinkResp, 1).await;
    smsc.until(CommandId::GenericNack, 1).await;
    smsc.until(CommandId::EnquireLink, 1).await;
    let mut client = Client::connect(&site.socket()).await;
    let long = |word: &str| word.repeat(300 / word.chars().count());
    let (gsm, ucs2) = (long("Thank you. "), long("Спасибо. "));
    for (number, text) in (1u128..).zip(TEXTS) {
        let text = match number {
            5 => gsm.clone(),
            6 => ucs2.clone(),
            _ => text.to_owned(),
        };
        let submit = Submit {
            id: Uuid::from_u128(number),
            attempt: 1,
            group: "smsc".into(),
            link: None,
            bulk: false,
            source: "12345".into(),
            destination: "355680000001".into(),
            text,
            expires_us: i64::MAX,
            receipt: number % 2 == 0,
        };
        client.send(FromWorker::Submit(submit)).await;
    }
    // Four short ones, two segments of 7-bit characters at least, four or five of UCS2.
    smsc.until(CommandId::SubmitSm, 4 + 2 + 4).await;
    smsc.say(15, &Pdu::Unbind).await;
    smsc.until(CommandId::UnbindResp, 1).await;
    let mut smsc = Recorder { io: accept().await, input: BytesMut::new(), sent: smsc.sent };
    smsc.until(CommandId::BindTransceiver, 2).await;
    let stop = tokio::spawn(async move { gateway.stop().await });
    smsc.until(CommandId::Unbind, 1).await;
    assert!(stop.await.unwrap().success());

    let mut frames: Vec<Vec<u8>> = smsc.sent.iter().map(|frame| frame.raw.to_vec()).collect();
    let bind =
        Bind { system_id: "scrutineer".into(), password: "secret".into(), interface_version: 0x34, ..Bind::default() };
    for pdu in [Pdu::BindReceiver(bind.clone()), Pdu::BindTransmitter(bind)] {
        let mut out = BytesMut::new();
        encode(&mut out, 0, 1, &pdu);
        frames.push(out.to_vec());
    }
    let folder = dir::fresh();
    let capture = folder.path().join("sent.pcap");
    pcap(&capture, &frames);
    let Some(marked) = tshark(&capture, &["-Y", "_ws.malformed || _ws.short || tcp.analysis.lost_segment"]) else {
        return;
    };
    assert_eq!(marked, "", "tshark finds these malformed");
    let read = tshark(&capture, &["-T", "fields", "-e", "smpp.command_id"]).unwrap();
    let mut kinds: BTreeMap<u32, usize> = BTreeMap::new();
    for id in read.split([',', '\n']).filter(|id| !id.is_empty()) {
        *kinds.entry(u32::from_str_radix(id.trim_start_matches("0x"), 16).unwrap()).or_default() += 1;
    }
    println!("tshark read {} PDUs: {kinds:x?}", kinds.values().sum::<usize>());
    assert_eq!(kinds.values().sum::<usize>(), frames.len(), "each PDU that was sent is read");
    // bind_receiver, bind_transmitter, submit_sm, unbind, bind_transceiver, enquire_link, and responses.
    for id in [0x1, 0x2, 0x4, 0x6, 0x9, 0x15, 0x8000_0000, 0x8000_0005, 0x8000_0006, 0x8000_0015, 0x8000_0103] {
        assert!(kinds.contains_key(&id), "{id:#x} is not among {kinds:x?}");
    }
    let codings = tshark(&capture, &["-T", "fields", "-e", "smpp.data_coding", "-Y", "smpp.command_id == 4"]).unwrap();
    println!("data_coding of the submits: {:?}", codings.split_whitespace().collect::<Vec<_>>());
    let parts = tshark(
        &capture,
        &["-Y", "smpp.command_id == 4 && smpp.esm.submit.features == 1", "-T", "fields", "-e", "frame.number"],
    );
    assert!(parts.unwrap().lines().count() >= 6, "segments with a header");
}
