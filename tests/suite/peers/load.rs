//! PyPI's `smpp34` as load: all that it delivers is acknowledged, and recorded once.

use std::collections::HashSet;
use std::process::Stdio;

use scrutineer::handoff::message::Body;
use serde_json::Value;
use tokio::process::Command;

use crate::support::handoff::Client;
use crate::support::process::Lines;
use crate::support::site::Site;
use crate::support::{soon, source, torture, within};
use std::time::Duration;

#[tokio::test]
async fn smpp34_delivers_as_fast_as_it_can_and_each_text_is_recorded_once() {
    let Some(folder) = super::python() else { return };
    super::are_told("smpp34", &["load"]);
    let count = torture::rounds(3_000, 50_000);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut child = Command::new(folder.join("venv/bin/python"))
        .arg("-u")
        .arg(source::root().join("tests/peers/load.py"))
        .args([port.to_string(), count.to_string(), "50".to_owned()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let lines = Lines::default();
    lines.follow(child.stdout.take().unwrap());
    soon("smpp34 that listens", lines.find("listening")).await;
    let site = Site::without_database().link_with("smsc", port, "reconnect_seconds_max = 1");
    let mut gateway = site.start("gateway").await;
    let told = within(Duration::from_secs(3_600), "the end of the load", lines.find("acknowledged")).await;
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((told["acknowledged"].as_u64(), told["refused"].as_u64()), (Some(count as u64), Some(0)), "{told}");
    let mut client = Client::connect(&site.socket()).await;
    let mut texts = HashSet::new();
    for _ in 0..count {
        match client.record().await.body {
            Body::Message(m) => assert!(texts.insert(m.short_message), "one text twice"),
            other => panic!("{other:?}"),
        }
    }
    let rate = count as f64 / told["seconds"].as_f64().unwrap();
    torture::figure("PyPI's smpp34 delivers", &format!("{count} acknowledged, {rate:.0}/s | - | 0"));
    let status = gateway.stop().await;
    assert!(status.success(), "{status}\n{}", gateway.log());
}
