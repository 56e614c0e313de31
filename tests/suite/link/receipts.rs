//! Delivery receipts by whichever way they come, on a real gateway, worker and database: before the response, on
//! another bind of the link, on another link of the group, after both processes were started anew, and for nobody.

use scrutineer::smpp::{Address, Pdu, ShortMessage};
use serde_json::{Value, json};
use sqlx::{PgConnection, Row};
use tokio::net::TcpListener;

use super::smsc::{Smsc, listener};
use crate::support::site::Site;
use crate::support::{pg, poll, process, soon};

/// A pair's receiver and its transmitter.
async fn pair(listener: &TcpListener) -> (Smsc, Smsc) {
    let (a, b) = (Smsc::accept(listener).await, Smsc::accept(listener).await);
    if matches!(a.request, Pdu::BindReceiver(_)) { (a, b) } else { (b, a) }
}

fn receipt(observer: u32, id: &str, word: &str) -> Pdu {
    Pdu::DeliverSm(ShortMessage {
        source: Address::guess(&poll::phone(observer)),
        destination: Address::guess("12345"),
        esm_class: 0x04,
        short_message: format!("id:{id} sub:001 dlvrd:001 stat:{word} err:000 text:").into_bytes(),
        ..ShortMessage::default()
    })
}

/// Sends what must be acknowledged.
async fn acknowledged(smsc: &mut Smsc, sequence: u32, pdu: Pdu) {
    smsc.send(sequence, pdu).await;
    let (frame, pdu) = smsc.recv_but_enquiries().await;
    assert_eq!((frame.sequence, frame.status, pdu), (sequence, 0, Pdu::DeliverSmResp));
}

async fn reports(smsc: &mut Smsc, sequence: u32, observer: u32) {
    let message = ShortMessage {
        source: Address::guess(&poll::phone(observer)),
        destination: Address::guess("12345"),
        short_message: poll::report(observer, "AA1 AB2 AC3").into_bytes(),
        ..ShortMessage::default()
    };
    acknowledged(smsc, sequence, Pdu::DeliverSm(message)).await;
}

/// The next submit: its sequence number.
async fn submitted(smsc: &mut Smsc, observer: u32) -> u32 {
    let (frame, pdu) = smsc.recv_but_enquiries().await;
    let Pdu::SubmitSm(message) = pdu else { panic!("{pdu:?}") };
    assert_eq!(message.destination.number, poll::phone(observer));
    frame.sequence
}

/// Waits until the reply to an observer is so.
async fn until(db: &mut PgConnection, observer: u32, state: &str) {
    let phone = poll::phone(observer);
    soon(&format!("the reply to {observer} {state}"), async {
        loop {
            let found =
                sqlx::query("SELECT o.state FROM outbox o JOIN phone p ON p.id = o.phone_id WHERE p.msisdn = $1")
                    .bind(&phone)
                    .fetch_optional(&mut *db)
                    .await
                    .unwrap();
            if found.is_some_and(|row| row.get::<String, _>(0) == state) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_finds_its_reply_early_on_another_bind_on_another_link_and_after_a_restart() {
    let database = pg::database().await;
    let ((one, port_one), (two, port_two)) = (listener().await, listener().await);
    // Those who are not looked at for a while don't answer an `enquire_link`.
    let keys =
        "group = \"main\"\nreconnect_seconds_max = 1\nenquire_link_seconds = 3600\nresponse_timeout_seconds = 120";
    let site = Site::new(&database)
        .link_with("one", port_one, &format!("{keys}\nbind = \"pair\"\nmessage_id_format = \"hex-decimal\""))
        .link_with("two", port_two, &format!("{keys}\nmessage_id_format = \"hex-decimal\""));
    poll::book("receipts", 5).set_up(&site).await;
    let (mut gateway, mut worker) = (site.start("gateway").await, site.start("worker").await);
    let ((mut receives, mut sends), mut other) = (pair(&one).await, Smsc::accept(&two).await);
    let mut db = database.admin().await;

    // Before the response, on another bind of the link: 0x1A2B is 6699.
    reports(&mut receives, 1, 1).await;
    let sequence = submitted(&mut sends, 1).await;
    acknowledged(&mut receives, 2, receipt(1, "0000006699", "DELIVRD")).await;
    sends.send(sequence, Pdu::SubmitSmResp("1A2B".into())).await;
    until(&mut db, 1, "delivered").await;

    // After it, on another link of the group.
    reports(&mut receives, 3, 2).await;
    let sequence = submitted(&mut sends, 2).await;
    sends.send(sequence, Pdu::SubmitSmResp("1a2c".into())).await;
    until(&mut db, 2, "sent").await;
    acknowledged(&mut other, 1, receipt(2, "6700", "UNDELIV")).await;
    until(&mut db, 2, "undelivered").await;

    // After both processes were started anew.
    reports(&mut receives, 4, 3).await;
    let sequence = submitted(&mut sends, 3).await;
    sends.send(sequence, Pdu::SubmitSmResp("1a2d".into())).await;
    until(&mut db, 3, "sent").await;
    gateway.kill().await;
    worker.kill().await;
    drop((receives, sends, other));
    let (_gateway, _worker) = (site.start("gateway").await, site.start("worker").await);
    let ((mut receives, _sends), _other) = (pair(&one).await, Smsc::accept(&two).await);
    acknowledged(&mut receives, 2, receipt(3, "6701", "EXPIRED")).await;
    until(&mut db, 3, "undelivered").await;

    // What is nobody's is kept, and shown.
    let shown = async |more: &[&str]| -> Value {
        let args = ["link", "receipts", "--json"].iter().chain(more);
        serde_json::from_str(&process::ok(&site.config(), args).await).unwrap()
    };
    acknowledged(&mut receives, 3, receipt(4, "99", "DELIVRD")).await;
    let all = soon("a receipt that is nobody's", async {
        loop {
            let all = shown(&["--full"]).await;
            if all["receipts"].as_array().unwrap().iter().any(|r| r["message_id"] == "99") {
                break all;
            }
        }
    })
    .await;
    let ours = all["receipts"].as_array().unwrap().iter().find(|r| r["message_id"] == "99").unwrap();
    assert_eq!((&ours["group"], &ours["says"]), (&json!("main"), &json!("DELIVRD")));
    let masked = shown(&["--group", "main"]).await;
    assert!(!masked.to_string().contains(&poll::phone(4)), "{masked}");
    assert_eq!(shown(&["--group", "other"]).await["count"], 0);
}
