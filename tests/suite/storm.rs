//! Ten links at once: some well behaved, and beside them SMSCs that drop every session, read a byte a second,
//! never answer, or send the longest PDUs as fast as they can. Memory stays under the gateway's cap, with
//! socket buffers counted, and the well behaved don't notice.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::BytesMut;
use scrutineer::limits::{GATEWAY_MEMORY_BYTES_MAX, PDU_BYTES_MAX};
use scrutineer::smpp::{CommandId, decode};
use scrutineer::smpp::{Pdu, encode, split};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::support::cgroup::Cgroup;
use super::support::flood::text;
use super::support::process::{Launch, Process};
use super::support::site::Site;
use super::support::{torture, within};

/// Links of each kind; ten in all.
const GOOD: usize = 3;
const DROPPING: usize = 4;
/// One message in so long on each good link.
const PACE: Duration = Duration::from_millis(20);
/// What a good link's message may wait at most, whatever the others do: an SMSC waits longer.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// What the SMSCs came to.
#[derive(Default)]
struct Seen {
    /// Times from `deliver_sm` to its response on the good links, microseconds.
    waits: Mutex<Vec<u64>>,
    /// Sessions of the good links.
    good_sessions: AtomicUsize,
    /// Statuses other than ESME_ROK on the good links.
    refused: AtomicUsize,
    /// Sessions that were dropped.
    dropped: AtomicUsize,
    /// Longest PDUs that were sent and answered.
    big: AtomicUsize,
    /// Bytes read one by one.
    crawled: AtomicUsize,
    /// Binds that got no answer.
    muted: AtomicUsize,
}

type Serve = fn(TcpStream, Arc<Seen>) -> JoinHandle<()>;

/// An SMSC on a port of its own; each connection is served by itself.
async fn listen(seen: &Arc<Seen>, serve: Serve) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, seen) = (listener.local_addr().unwrap().port(), seen.clone());
    let task = tokio::spawn(async move {
        while let Ok((io, _)) = listener.accept().await {
            let _ = io.set_nodelay(true);
            serve(io, seen.clone());
        }
    });
    (port, task)
}

/// The next PDU's id, status and sequence.
async fn next(reader: &mut OwnedReadHalf, input: &mut BytesMut) -> Option<(CommandId, u32, u32)> {
    loop {
        if let Ok(Some(frame)) = split(input) {
            return Some((frame.id, frame.status, frame.sequence));
        }
        if !matches!(reader.read_buf(input).await, Ok(n) if n > 0) {
            return None;
        }
    }
}

async fn say(writer: &mut OwnedWriteHalf, sequence: u32, pdu: &Pdu) -> bool {
    let mut out = BytesMut::new();
    encode(&mut out, 0, sequence, pdu);
    writer.write_all(&out).await.is_ok()
}

/// Takes the bind.
async fn bound(io: TcpStream) -> Option<(OwnedReadHalf, OwnedWriteHalf, BytesMut)> {
    let (mut reader, mut writer) = io.into_split();
    let mut input = BytesMut::new();
    let (_, _, sequence) = next(&mut reader, &mut input).await?;
    say(&mut writer, sequence, &Pdu::BindTransceiverResp("storm".into())).await.then_some((reader, writer, input))
}

/// Delivers at an even pace, and takes the time of each.
fn good(io: TcpStream, seen: Arc<Seen>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let Some((mut reader, mut writer, mut input)) = bound(io).await else { return };
        seen.good_sessions.fetch_add(1, Ordering::Relaxed);
        let (mut sent, mut sequence) = (HashMap::new(), 0u32);
        let mut tick = tokio::time::interval(PACE);
        loop {
            tokio::select! {
                _ = tick.tick() => {
                    sequence += 1;
                    sent.insert(sequence, Instant::now());
                    let message = text("355680000001", &format!("PS {sequence} AA1 BA2 CA135"));
                    if !say(&mut writer, sequence, &Pdu::DeliverSm(message)).await { return }
                }
                pdu = next(&mut reader, &mut input) => match pdu {
                    None => return,
                    Some((CommandId::EnquireLink, _, of)) => if !say(&mut writer, of, &Pdu::EnquireLinkResp).await { return },
                    Some((CommandId::Unbind, _, of)) => { say(&mut writer, of, &Pdu::UnbindResp).await; return }
                    Some((_, status, of)) => if let Some(at) = sent.remove(&of) {
                        seen.refused.fetch_add(usize::from(status != 0), Ordering::Relaxed);
                        seen.waits.lock().unwrap().push(u64::try_from(at.elapsed().as_micros()).unwrap());
                    }
                }
            }
        }
    })
}

/// Delivers one message and drops the session before it may be answered.
fn dropping(io: TcpStream, seen: Arc<Seen>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let Some((_reader, mut writer, _)) = bound(io).await else { return };
        say(&mut writer, 1, &Pdu::DeliverSm(text("355680000002", "PS 1 AA1"))).await;
        seen.dropped.fetch_add(1, Ordering::Relaxed);
    })
}

/// Says much that wants an answer, and reads a byte a second.
fn crawling(io: TcpStream, seen: Arc<Seen>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let Some((mut reader, mut writer, _)) = bound(io).await else { return };
        let ask = tokio::spawn(async move {
            let mut out = BytesMut::new();
            (1..2_000).for_each(|n| encode(&mut out, 0, n, &Pdu::EnquireLink));
            while writer.write_all(&out).await.is_ok() {}
        });
        while reader.read_u8().await.is_ok() {
            seen.crawled.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        ask.abort();
    })
}

/// Never answers.
fn mute(io: TcpStream, seen: Arc<Seen>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let (mut io, mut input) = (io, BytesMut::new());
        seen.muted.fetch_add(1, Ordering::Relaxed);
        while matches!(io.read_buf(&mut input).await, Ok(n) if n > 0) {
            input.clear();
        }
    })
}

/// Sends `deliver_sm` of the greatest length that there may be, without a pause; a few thousand at most, as
/// each stays on disk.
fn big(io: TcpStream, seen: Arc<Seen>) -> JoinHandle<()> {
    let most = torture::rounds(300, 4_000);
    tokio::spawn(async move {
        let Some((mut reader, mut writer, mut input)) = bound(io).await else { return };
        let write = tokio::spawn(async move {
            for n in 1..=u32::try_from(most).unwrap() {
                if writer.write_all(&longest(n)).await.is_err() {
                    return None;
                }
            }
            Some(writer)
        });
        while let Some((id, ..)) = next(&mut reader, &mut input).await {
            if id == CommandId::DeliverSmResp && seen.big.fetch_add(1, Ordering::Relaxed) + 1 >= most {
                break;
            }
        }
        let Ok(Some(mut writer)) = write.await else { return };
        while let Some((id, _, of)) = next(&mut reader, &mut input).await {
            let pdu = if id == CommandId::Unbind { Pdu::UnbindResp } else { Pdu::EnquireLinkResp };
            say(&mut writer, of, &pdu).await;
        }
    })
}

/// As long as a PDU may be: a full `message_payload`, and a vendor's TLV behind it.
fn longest(sequence: u32) -> Vec<u8> {
    let mut message = text("355680000003", "");
    message.payload = Some(vec![b'x'; 65_535]);
    let mut out = BytesMut::new();
    encode(&mut out, 0, sequence, &Pdu::DeliverSm(message));
    let rest = PDU_BYTES_MAX - out.len() - 4;
    out.extend_from_slice(&[0x15, 0]);
    out.extend_from_slice(&u16::try_from(rest).unwrap().to_be_bytes());
    out.resize(PDU_BYTES_MAX, 0);
    out[..4].copy_from_slice(&u32::try_from(PDU_BYTES_MAX).unwrap().to_be_bytes());
    out.to_vec()
}

#[test]
fn the_longest_pdu_of_the_storm_is_one_that_is_taken() {
    let mut bytes = BytesMut::from(&longest(7)[..]);
    let frame = split(&mut bytes).unwrap().unwrap();
    assert!(matches!(decode(&frame), Ok(Pdu::DeliverSm(m)) if m.payload.as_ref().is_some_and(|p| p.len() == 65_535)));
}

/// Median, 99th percentile and greatest, milliseconds.
fn percentiles(waits: &mut [u64]) -> (f64, f64, f64) {
    waits.sort_unstable();
    let at = |part: f64| waits.get(((waits.len() as f64 - 1.0) * part) as usize).map_or(0.0, |us| *us as f64 / 1_000.0);
    (at(0.5), at(0.99), at(1.0))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_links_of_which_seven_misbehave_stay_within_the_cap_and_the_others_do_not_notice() {
    let seen = Arc::<Seen>::default();
    let reconnects = torture::rounds(40, 1_000);
    let mut site = Site::without_database();
    site.log = "warn".to_owned();
    let mut tasks = Vec::new();
    let kinds: [(&str, Serve, usize); 5] = [
        ("good", good, GOOD),
        ("drop", dropping, DROPPING),
        ("crawl", crawling, 1),
        ("mute", mute, 1),
        ("big", big, 1),
    ];
    for (name, serve, count) in kinds {
        for n in 0..count {
            let (port, task) = listen(&seen, serve).await;
            site = site.link_with(&format!("{name}{n}"), port, "reconnect_seconds_max = 1");
            tasks.push(task);
        }
    }
    let group = Cgroup::memory(GATEWAY_MEMORY_BYTES_MAX);
    let counted = group.as_ref().is_ok_and(|group| group.count_sockets(GATEWAY_MEMORY_BYTES_MAX).is_ok());
    if let Err(why) = &group {
        torture::skip(&format!("the cap itself: {why}; memory is measured all the same"));
    }
    let launch = Launch { cgroup: group.as_ref().ok().map(Cgroup::procs), ..Launch::default() };
    let mut gateway = Process::launch("gateway", &site.config(), &launch);
    gateway.ready().await;
    let big_wanted = torture::rounds(300, 4_000);
    within(Duration::from_secs(900), "the storm's end", async {
        let done = || {
            seen.dropped.load(Ordering::Relaxed) >= reconnects
                && seen.big.load(Ordering::Relaxed) >= big_wanted
                && seen.crawled.load(Ordering::Relaxed) >= 8
                && seen.waits.lock().unwrap().len() >= 1_000
        };
        while !done() && gateway.is_running() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    assert!(gateway.is_running(), "the gateway ended:\n{}", gateway.log());
    let (_, peak) = gateway.memory();
    let usage = group.as_ref().ok().map(Cgroup::usage);
    let (p50, p99, most) = percentiles(&mut seen.waits.lock().unwrap());
    let held = usage.map_or_else(|| format!("peak {} KiB resident", peak >> 10), |usage| usage.to_string());
    torture::figure(
        "Ten links, seven of which misbehave",
        &format!(
            "{} sessions dropped, {} PDUs of 128 KiB, {} bytes read one by one; {held} | good links answered in {p50:.1} ms, p99 {p99:.1}, at most {most:.0} | {} refused",
            seen.dropped.load(Ordering::Relaxed),
            seen.big.load(Ordering::Relaxed),
            seen.crawled.load(Ordering::Relaxed),
            seen.refused.load(Ordering::Relaxed),
        ),
    );
    assert_eq!(seen.good_sessions.load(Ordering::Relaxed), GOOD, "a good link was dropped:\n{}", gateway.log());
    assert!(most < WAIT_MAX.as_secs_f64() * 1_000.0, "a good link's message waited {most} ms");
    assert!(peak < GATEWAY_MEMORY_BYTES_MAX as u64, "{peak} bytes resident");
    if let Some(usage) = usage {
        assert_eq!(usage.kills, 0, "{usage}");
        assert!(!counted || usage.tcp_peak > 0, "what the sockets hold is counted: {usage}");
        let sum = usage.anon + usage.kernel + usage.tcp_peak;
        assert!(sum < GATEWAY_MEMORY_BYTES_MAX as u64, "with socket buffers {sum} bytes: {usage}");
    }
    let status = gateway.stop().await;
    assert!(status.success(), "{status}\n{}", gateway.log());
    tasks.iter().for_each(JoinHandle::abort);
}
