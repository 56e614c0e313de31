//! A small gateway of the tests' own against the SMSC, over loopback.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::smpp::{Address, Bind, Pdu, ShortMessage};

/// Binds, acknowledges and answers whatever comes until the SMSC unbinds; `leave_after` texts it
/// hangs up instead, with all of them unacknowledged.
async fn gateway(addr: std::net::SocketAddr, leave_after: Option<usize>) -> usize {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let (mut read, mut out, mut seen) = (BytesMut::new(), BytesMut::new(), 0);
    let bind = Bind { system_id: "me".into(), password: "pw".into(), ..Bind::default() };
    smpp::encode(&mut out, 0, 1, &Pdu::BindTransceiver(bind));
    loop {
        stream.write_all(&out).await.unwrap();
        out.clear();
        if stream.read_buf(&mut read).await.unwrap_or(0) == 0 {
            return seen;
        }
        while let Some(frame) = smpp::split(&mut read).unwrap() {
            match smpp::decode(&frame).unwrap() {
                Pdu::DeliverSm(message) => {
                    seen += 1;
                    if leave_after.is_some() {
                        if leave_after <= Some(seen) {
                            return seen;
                        }
                        continue;
                    }
                    smpp::encode(&mut out, 0, frame.sequence, &Pdu::DeliverSmResp);
                    let reply = ShortMessage {
                        source: Address::guess("4040"),
                        destination: message.source,
                        short_message: b"OK".to_vec(),
                        ..ShortMessage::default()
                    };
                    smpp::encode(&mut out, 0, frame.sequence, &Pdu::SubmitSm(reply));
                }
                Pdu::Unbind => {
                    smpp::encode(&mut out, 0, frame.sequence, &Pdu::UnbindResp);
                    stream.write_all(&out).await.unwrap();
                    return seen;
                }
                _ => {}
            }
        }
    }
}

fn texts(n: u64) -> impl Iterator<Item = Outgoing> {
    (0..n).map(|i| Outgoing {
        due: Duration::ZERO,
        phone: 99_955_000_000 + i % 50,
        text: "PS 1 AA1".into(),
        answered: true,
    })
}

async fn listen() -> (TcpListener, std::net::SocketAddr, Options) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let options = Options { system_id: "me".into(), password: "pw".into(), window: 20, ..Options::default() };
    (listener, addr, options)
}

#[tokio::test]
async fn a_thousand_texts_are_delivered_answered_and_accounted_for() {
    let (listener, addr, options) = listen().await;
    let gateway = tokio::spawn(gateway(addr, None));
    let report = run(listener, options, texts(1_000), CancellationToken::new(), |_| {}).await.unwrap();
    assert_eq!((report.sent, report.acknowledged, report.answered, report.unanswered), (1_000, 1_000, 1_000, 0));
    assert!(!report.lost && report.p99_ms > 0.0 && report.messages_per_second > 0.0, "{report:?}");
    assert_eq!(gateway.await.unwrap(), 1_000);
}

#[tokio::test]
async fn texts_that_a_dead_gateway_had_are_delivered_again_to_the_next_one() {
    let (listener, addr, options) = listen().await;
    let run = tokio::spawn(run(listener, options, texts(100), CancellationToken::new(), |_| {}));
    assert_eq!(gateway(addr, Some(20)).await, 20);
    gateway(addr, None).await;
    let report = run.await.unwrap().unwrap();
    assert_eq!((report.sent, report.answered, report.redelivered, report.binds), (100, 100, 20, 2));
    assert!(!report.lost, "{report:?}");
}

#[tokio::test]
async fn a_run_that_nobody_binds_to_says_so() {
    let (listener, _, options) = listen().await;
    let options = Options { bind_wait: Duration::from_millis(300), ..options };
    let error = run(listener, options, texts(1), CancellationToken::new(), |_| {}).await.unwrap_err();
    assert!(matches!(error, RunError::NoBind(_)), "{error}");
}
