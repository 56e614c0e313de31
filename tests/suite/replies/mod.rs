//! Exactly one reply to a message when nothing failed; one more attempt when nobody knows what became of
//! the first, counted and explained.

use std::time::Duration;

use serde_json::json;
use sqlx::{AssertSqlSafe, Row};

use super::support::peer::{Delivery, Peer};
use super::support::pg::{self, Database};
use super::support::process::{self, Process};
use super::support::site::Site;
use super::support::{poll, torture, within};

const LONG: Duration = Duration::from_secs(120);

async fn until(database: &Database, sql: &str, wanted: i64) {
    within(LONG, &format!("{sql}: {wanted}"), async {
        while number(database, sql).await != wanted {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

async fn number(database: &Database, sql: &str) -> i64 {
    sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_one(&mut database.admin().await).await.unwrap().get(0)
}

fn submits(peer: &Peer, phone: &str) -> usize {
    peer.journal().iter().filter(|e| e["event"] == "submit" && e["destination"] == json!(phone)).count()
}

struct Stand {
    database: Database,
    site: Site,
    peer: Peer,
    _gateway: Process,
    worker: Process,
}

async fn stand(observers: u32) -> Stand {
    let database = pg::database().await;
    let peer = Peer::start(json!({})).await;
    let keys = "reconnect_seconds_max = 1\nresponse_timeout_seconds = 2";
    let site = Site::new(&database).link_with("smsc", peer.port, keys);
    poll::book("replies", observers).set_up(&site).await;
    let (gateway, worker) = (site.start("gateway").await, site.start("worker").await);
    Stand { database, site, peer, _gateway: gateway, worker }
}

/// Waits until the SMSC was given so many replies for a phone.
async fn submitted(peer: &Peer, phone: &str, times: usize) {
    within(LONG, "a submit_sm", async {
        while submits(peer, phone) < times {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_message_gets_exactly_one_reply_when_nothing_fails() {
    let observers = u32::try_from(torture::rounds(300, 10_000)).unwrap();
    let mut stand = stand(observers).await;
    let texts: Vec<Delivery> = (0..observers)
        .flat_map(|n| {
            let sent = [poll::report(n, "AA1 AB1 AC1"), poll::report(n, "AA2"), poll::incident(n, "a queue")];
            sent.into_iter()
                .enumerate()
                .map(move |(k, text)| Delivery::text(u64::from(n) * 10 + k as u64, &poll::phone(n), &text))
        })
        .collect();
    stand.peer.deliver(&texts).await;
    let all = i64::from(observers) * 3;
    until(&stand.database, "SELECT count(*) FROM outbox WHERE state = 'delivered'", all).await;
    assert_eq!(number(&stand.database, "SELECT count(*) FROM outbox").await, all);
    assert_eq!(number(&stand.database, "SELECT count(*) FROM outbox WHERE attempt > 1 OR accepted <> 1").await, 0);
    let sent = stand.peer.journal().iter().filter(|e| e["event"] == "submit").count();
    assert_eq!(i64::try_from(sent).unwrap(), all);
    torture::figure("none", &format!("{all} messages, {sent} replies | at once | nothing"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_without_response_is_followed_by_one_more_and_late_responses_tell_what_became_of_both() {
    let mut stand = stand(3).await;
    // The first attempt runs out of time, the second is answered in its time, and then the first is too.
    stand.peer.tell(json!({"mute": true})).await;
    stand.peer.deliver(&[Delivery::text(1, &poll::phone(0), &poll::report(0, "AA1 AB1 AC1"))]).await;
    submitted(&stand.peer, &poll::phone(0), 2).await;
    stand.peer.tell(json!({"mute": false})).await;
    until(&stand.database, "SELECT count(*) FROM outbox WHERE accepted = 3 AND state IN ('sent', 'delivered')", 1)
        .await;
    let why =
        "SELECT count(*) FROM outbox WHERE attempt = 2 AND unknown_before = 1 AND unknown_why = 'no response came'";
    assert_eq!(number(&stand.database, why).await, 1, "the row says why it went twice");

    // Never answered in time: one retry and no more; what is heard hours later still counts.
    stand.peer.tell(json!({"mute": true})).await;
    stand.peer.deliver(&[Delivery::text(2, &poll::phone(1), &poll::report(1, "AA1 AB1 AC1"))]).await;
    until(&stand.database, "SELECT count(*) FROM outbox WHERE state = 'unknown' AND unknown_before = 2", 1).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(submits(&stand.peer, &poll::phone(1)), 2, "one retry is the law");
    stand.peer.tell(json!({"mute": false})).await;
    until(&stand.database, "SELECT count(*) FROM outbox WHERE state IN ('sent', 'delivered') AND accepted = 3", 2)
        .await;

    // Counted, and told to whoever looks.
    let metrics = stand.worker.metrics().await;
    assert!(metrics.lines().any(|l| l == "scrutineer_replies_doubled_total 2"), "{metrics}");
    assert!(metrics.lines().any(|l| l == "scrutineer_replies_unknown_total 3"), "{metrics}");
    let log = process::ok(&stand.site.config(), ["message", "log"]).await;
    assert_eq!(log.matches("no response came").count(), 2, "{log}");
}
