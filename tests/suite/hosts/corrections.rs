//! One observer's corrections through two hosts: the answer that was received last stands, whatever
//! order they reach PostgreSQL in.

use serde_json::json;

use super::super::support::peer::{Delivery, Peer};
use super::super::support::{pg, poll};
use super::{Host, number, site, submissions, until};
use crate::support::gate::Gate;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_correction_through_another_host_stands_though_the_older_report_arrives_later() {
    let database = pg::database().await;
    let mut peers = [Peer::start(json!({})).await, Peer::start(json!({})).await];
    // The first host reaches PostgreSQL through a gate.
    let gate = Gate::to(&database.host);
    let mut first = site(&database, &peers[0], "");
    first.database = Some((gate.dir().to_owned(), database.name.clone()));
    poll::book("late", 20).set_up(&first).await;
    let second = site(&database, &peers[1], "");
    let _hosts = [Host::start(first).await, Host::start(second).await];

    // In the order in which they came.
    for n in 0..10 {
        peers[0].deliver(&[Delivery::text(n, &poll::phone(n as u32), &poll::report(n as u32, "AA1 AB1 AC1"))]).await;
    }
    until(&database, "SELECT count(*) FROM message", 10).await;
    for n in 0..10 {
        peers[1].deliver(&[Delivery::text(n, &poll::phone(n as u32), &poll::report(n as u32, "AA2"))]).await;
    }
    until(&database, "SELECT count(*) FROM message", 20).await;
    // The older one held back on its host: acknowledged, spooled, and not in PostgreSQL when the newer one is.
    gate.shut();
    for n in 10..20 {
        peers[0].deliver(&[Delivery::text(n, &poll::phone(n as u32), &poll::report(n as u32, "AA1 AB1 AC1"))]).await;
    }
    crate::support::within(super::LONG, "acknowledgements", async {
        while peers[0].journal().iter().filter(|e| e["event"] == "acknowledged").count() < 20 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    for n in 10..20 {
        peers[1].deliver(&[Delivery::text(n, &poll::phone(n as u32), &poll::report(n as u32, "AA2"))]).await;
    }
    until(&database, "SELECT count(*) FROM message", 30).await;
    assert_eq!(submissions(&database, "KT", &poll::code(15)).await, [(json!({"AA": 2}), 1)]);
    gate.open();
    until(&database, "SELECT count(*) FROM message", 40).await;
    for n in 0..20 {
        let stored = submissions(&database, "KT", &poll::code(n)).await;
        assert_eq!(stored, [(json!({"AA": 2, "AB": 1, "AC": 1}), 2)], "observer {n}");
    }
    until(&database, "SELECT count(*) FROM outbox WHERE state IN ('sent', 'delivered')", 40).await;
    assert_eq!(number(&database, "SELECT count(*) FROM revision").await, 40, "the history has both");
}
