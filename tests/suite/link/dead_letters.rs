//! PDUs that could not be decoded: listed with their bytes, and decoded again once that is mended.

use bytes::BytesMut;
use scrutineer::handoff::message::{Body, Record};
use scrutineer::smpp::{Address, Pdu, ShortMessage, encode};
use serde_json::{Value, json};
use sqlx::Row;

use crate::support::peer::{Peer, hex};
use crate::support::pg;
use crate::support::site::Site;
use crate::support::{poll, process, soon};

async fn letters(site: &Site, more: &[&str]) -> Value {
    let args = ["link", "dead-letters", "--json"].iter().chain(more);
    serde_json::from_str(&process::ok(&site.config(), args).await).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_could_not_be_decoded_is_listed_with_its_bytes_and_decoded_again_when_it_can_be() {
    let database = pg::database().await;
    let mut peer = Peer::start(json!({})).await;
    let site = Site::new(&database).link_with("smsc", peer.port, "reconnect_seconds_max = 1");
    poll::book("letters", 5).set_up(&site).await;
    let (_gateway, _worker) = (site.start("gateway").await, site.start("worker").await);
    peer.event("bound").await;
    peer.tell(json!({ "raw": "00000014000000050000000000000009ff010203" })).await;
    let mut admin = database.admin().await;
    soon("a record that is set aside", async {
        while sqlx::query("SELECT 1 AS there FROM set_aside").fetch_optional(&mut admin).await.unwrap().is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await;
    let all = letters(&site, &[]).await;
    assert_eq!(all.as_array().unwrap().len(), 1, "{all}");
    assert_eq!((&all[0]["link"], &all[0]["decodable"]), (&json!("smsc"), &Value::Null));
    assert!(all[0]["pdu"].as_str().unwrap().starts_with("00000014000000050000000000000009"), "{all}");
    assert!(letters(&site, &["--full"]).await[0]["pdu"].as_str().unwrap().ends_with("ff010203"));
    let again = letters(&site, &["--decode-again", "--preview"]).await;
    assert_eq!(again[0]["decodable"], false, "{again}");
    assert!(letters(&site, &["--link", "other"]).await.as_array().unwrap().is_empty());

    // One that an earlier version could not read, and this one can.
    let row = sqlx::query("SELECT record FROM set_aside").fetch_one(&mut admin).await.unwrap();
    let record: Record = postcard::from_bytes(&row.get::<Vec<u8>, _>(0)).unwrap();
    let mut pdu = BytesMut::new();
    let message = ShortMessage {
        source: Address::guess(&poll::phone(1)),
        destination: Address::guess("12345"),
        short_message: poll::report(1, "AA1 AB2 AC3").into_bytes(),
        ..ShortMessage::default()
    };
    encode(&mut pdu, 0, 9, &Pdu::DeliverSm(message));
    let record = Record { body: Body::Undecodable { pdu: pdu.to_vec(), error: "an earlier version".into() }, ..record };
    sqlx::query("UPDATE set_aside SET record = $1")
        .bind(postcard::to_stdvec(&record).unwrap())
        .execute(&mut admin)
        .await
        .unwrap();
    let preview = letters(&site, &["--decode-again", "--preview"]).await;
    assert_eq!(preview[0]["decodable"], true, "{preview}");
    assert!(!preview.to_string().contains(&poll::phone(1)) && !preview.to_string().contains(&hex(b"AA1 AB2")));
    assert_eq!(letters(&site, &[]).await.as_array().unwrap().len(), 1, "a preview changes nothing");

    let said = process::ok(&site.config(), ["link", "dead-letters", "--decode-again"]).await;
    assert!(said.contains("can be decoded now"), "{said}");
    let stored: i64 = sqlx::query("SELECT count(*) FROM submission").fetch_one(&mut admin).await.unwrap().get(0);
    assert_eq!(stored, 1, "{said}");
    assert!(letters(&site, &[]).await.as_array().unwrap().is_empty());
    peer.event("submit").await;
}

/// A `deliver_sm` of one who counts the bytes of a UCS2 text wrongly: `sm_length` is greater than what follows.
fn miscounted(observer: u32, sequence: u32, text: &str) -> String {
    let mut pdu = BytesMut::new();
    let message = ShortMessage {
        source: Address::guess(&poll::phone(observer)),
        destination: Address::guess("12345"),
        data_coding: 8,
        short_message: text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        ..ShortMessage::default()
    };
    let bytes = message.short_message.len();
    encode(&mut pdu, 0, sequence, &Pdu::DeliverSm(message));
    let at = pdu.len() - bytes - 1;
    assert_eq!(usize::from(pdu[at]), bytes);
    pdu[at] += 9;
    hex(&pdu)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn once_the_links_setting_is_mended_what_was_set_aside_is_decoded_again_and_the_next_at_once() {
    let database = pg::database().await;
    let mut peer = Peer::start(json!({})).await;
    let mut site = Site::new(&database).link_with("smsc", peer.port, "reconnect_seconds_max = 1");
    poll::book("letters", 5).set_up(&site).await;
    let (_gateway, _worker) = (site.start("gateway").await, site.start("worker").await);
    peer.event("bound").await;
    peer.tell(json!({ "raw": miscounted(1, 9, &poll::report(1, "AA1 AB2 AC3")) })).await;
    let mut admin = database.admin().await;
    soon("a record that is set aside", async {
        while sqlx::query("SELECT 1 AS there FROM set_aside").fetch_optional(&mut admin).await.unwrap().is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await;
    let before = letters(&site, &["--decode-again", "--preview"]).await;
    assert_eq!(before[0]["decodable"], false, "{before}");
    assert!(before[0]["error"].as_str().unwrap().contains("sm_length"), "{before}");

    site.tail.push_str("tolerate_sm_length = true\n");
    let reloaded = process::ok(&site.config(), ["link", "reload", "--json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&reloaded).unwrap()["changed"], json!(["smsc"]));
    process::ok(&site.config(), ["link", "dead-letters", "--decode-again"]).await;
    let stored = async |admin: &mut sqlx::PgConnection| -> i64 {
        sqlx::query("SELECT count(*) FROM submission").fetch_one(admin).await.unwrap().get(0)
    };
    assert_eq!(stored(&mut admin).await, 1);
    assert!(letters(&site, &[]).await.as_array().unwrap().is_empty());

    // The link has bound anew, with the setting.
    soon("the link with its new setting", async {
        while peer.journal().iter().filter(|event| event["event"] == "bound").count() < 2 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await;
    peer.tell(json!({ "raw": miscounted(2, 10, &poll::report(2, "AA1 AB2 AC3")) })).await;
    soon("the second report", async {
        while stored(&mut admin).await < 2 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await;
    assert!(letters(&site, &[]).await.as_array().unwrap().is_empty(), "it was never set aside");
}
