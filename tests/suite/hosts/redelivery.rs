//! What the SMSC delivers again as it had no response, beside what a person sends again.

use std::time::Duration;

use scrutineer::limits::CLOCKS_APART_SECONDS;
use serde_json::json;

use super::super::support::peer::{Delivery, Peer};
use super::super::support::{pg, poll, within};
use super::{Host, LONG, answers, number, site, submissions, until};

/// Of this link, in seconds.
const WINDOW: u64 = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_smsc_delivers_again_is_recorded_once_and_what_a_person_sends_again_is_a_message_of_its_own() {
    let database = pg::database().await;
    let mut peer = Peer::start(json!({})).await;
    let host = Host::start(site(&database, &peer, &format!("redelivery_seconds = {WINDOW}"))).await;
    poll::book("again", 10).set_up(&host.site).await;
    let (incident, report) = (poll::incident(3, "boxes on a lorry"), poll::report(4, "AA1 AB2 AC3"));
    peer.deliver(&[Delivery::text(1, &poll::phone(1), &poll::report(1, "AA1 AB1 AC1"))]).await;
    until(&database, "SELECT count(*) FROM outbox WHERE state IN ('sent', 'delivered')", 1).await;

    // The acknowledgements of these are lost with the session: both come again.
    peer.tell(json!({"deaf": true})).await;
    peer.deliver(&[Delivery::text(3, &poll::phone(3), &incident), Delivery::text(4, &poll::phone(4), &report)]).await;
    until(&database, "SELECT count(*) FROM message", 3).await;
    peer.tell(json!({"close": true})).await;
    until(&database, "SELECT coalesce(sum(redelivered), 0) FROM message", 2).await;
    assert_eq!(number(&database, "SELECT count(*) FROM message").await, 3);

    // A second equal incident in the same session, and a third.
    tokio::time::sleep(Duration::from_secs(WINDOW + 1)).await;
    for id in [30, 31] {
        peer.deliver(&[Delivery::text(id, &poll::phone(3), &incident)]).await;
        until(&database, "SELECT count(*) FROM message", i64::try_from(id - 26).unwrap()).await;
    }
    assert_eq!(submissions(&database, "NK", &poll::code(3)).await.len(), 3, "each is an incident of its own");

    // Acknowledged, and then the session ends before anything confirms that the SMSC saw it: in doubt, but the
    // SMSC does not deliver it again. What comes when the window is over was sent by a person.
    let doubtful = poll::incident(5, "no ink");
    peer.deliver(&[Delivery::text(50, &poll::phone(5), &doubtful)]).await;
    within(LONG, "its acknowledgement", async {
        while !peer.journal().iter().any(|e| e["event"] == "acknowledged" && e["id"] == 50) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let bound = peer.journal().iter().filter(|e| e["event"] == "bound").count();
    peer.tell(json!({"close": true})).await;
    within(LONG, "the next bind", async {
        while peer.journal().iter().filter(|e| e["event"] == "bound").count() == bound {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    tokio::time::sleep(Duration::from_secs(WINDOW + 1)).await;
    peer.deliver(&[Delivery::text(51, &poll::phone(5), &doubtful)]).await;
    until(&database, "SELECT count(*) FROM message", 7).await;
    assert_eq!(submissions(&database, "NK", &poll::code(5)).await.len(), 2);

    // Whoever sent a text was answered for each; what the SMSC delivered again was not answered again.
    until(&database, "SELECT count(*) FROM outbox WHERE state IN ('sent', 'delivered')", 7).await;
    for (observer, wanted) in [(1, 1), (3, 3), (4, 1), (5, 2)] {
        let unknown = number(
            &database,
            &format!(
                "SELECT coalesce(sum(unknown_before), 0) FROM outbox o JOIN phone p ON p.id = o.phone_id WHERE p.msisdn = '{}'",
                poll::phone(observer)
            ),
        )
        .await;
        let got = i64::try_from(answers(&peer, &poll::phone(observer))).unwrap();
        assert!((wanted..=wanted + unknown).contains(&got), "observer {observer}: {got}, {unknown} in doubt");
    }
    assert_eq!(number(&database, "SELECT sum(redelivered) FROM message").await, 2);
    drop(host);
}

/// As the SMSC does it that loses the connection to one host before it had the response: it has another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incident_delivered_to_another_host_after_the_first_one_died_is_one_and_a_second_equal_one_is_two() {
    let database = pg::database().await;
    let mut peers = [Peer::start(json!({})).await, Peer::start(json!({})).await];
    let first = site(&database, &peers[0], "");
    poll::book("elsewhere", 20).set_up(&first).await;
    let second = site(&database, &peers[1], "");
    let (mut doomed, heir) = (Host::start(first).await, Host::start(second).await);
    until(&database, "SELECT count(*) FROM confirmed", 2).await;

    // One who sends the same twice while both hosts are well, the second one later than the SMSC's confirmation and
    // than the hosts' clocks may be apart.
    let incident = |n| poll::incident(n, "boxes on a lorry");
    peers[0].deliver(&[Delivery::text(1, &poll::phone(1), &incident(1))]).await;
    until(&database, "SELECT count(*) FROM message", 1).await;
    until(&database, "SELECT count(*) FROM confirmed WHERE sequence > 0", 1).await;
    let past = format!("SELECT count(*) FROM message WHERE received_at < now() - interval '{CLOCKS_APART_SECONDS} s'");
    until(&database, &past, 1).await;
    peers[1].deliver(&[Delivery::text(2, &poll::phone(1), &incident(1))]).await;
    until(&database, "SELECT count(*) FROM message", 2).await;
    assert_eq!(submissions(&database, "NK", &poll::code(1)).await.len(), 2, "the SMSC had the first response");

    // Stored, the response lost with the host.
    peers[0].tell(json!({"deaf": true})).await;
    peers[0].deliver(&[Delivery::text(3, &poll::phone(3), &incident(3))]).await;
    until(&database, "SELECT count(*) FROM message", 3).await;
    // Acknowledged, and not stored when the host goes.
    doomed.worker.kill().await;
    peers[0].deliver(&[Delivery::text(4, &poll::phone(4), &incident(4))]).await;
    let spool = rusqlite::Connection::open(doomed.site.spool().join("spool.sqlite")).unwrap();
    within(LONG, "the record in the spool", async {
        let count = "SELECT count(*) FROM record WHERE instr(body, CAST(?1 AS BLOB)) > 0";
        while spool.query_row(count, [poll::phone(4)], |row| row.get::<_, i64>(0)).unwrap() == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    drop(spool);
    doomed.gateway.kill().await;
    peers[1].deliver(&[3, 4].map(|n: u32| Delivery::text(n.into(), &poll::phone(n), &incident(n)))).await;
    until(&database, "SELECT count(*) FROM message", 5).await;
    assert_eq!(submissions(&database, "NK", &poll::code(3)).await, [(json!({"AA": 1}), 2)], "one incident");
    assert_eq!(number(&database, "SELECT count(*) FROM message WHERE outcome = 'duplicate'").await, 1);
    // And once more, by a person.
    peers[1].deliver(&[Delivery::text(33, &poll::phone(3), &incident(3))]).await;
    until(&database, "SELECT count(*) FROM message", 6).await;
    assert_eq!(submissions(&database, "NK", &poll::code(3)).await.len(), 2, "a second equal incident is one");
    // The host comes back with what it had not stored.
    let back = Host::start(doomed.site).await;
    until(&database, "SELECT count(*) FROM message", 7).await;
    assert_eq!(submissions(&database, "NK", &poll::code(4)).await, [(json!({"AA": 1}), 2)], "one incident");
    drop((back, heir));
}
