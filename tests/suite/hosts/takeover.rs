//! Two hosts share the work, and one is killed for good: whatever it acknowledged is stored, whatever it
//! did not the SMSC gives to the other, and the replies that it was about to send are taken over.
//!
//! With `acknowledge = "committed"`, as the disk of the one that is gone is gone with it.

use std::time::Instant;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use sqlx::Row;

use super::super::support::peer::{Delivery, Peer};
use super::super::support::{pg, poll, torture, within};
use super::{Host, LONG, number, site, submissions, until};

/// Seconds of a lease here.
const LEASE: u32 = 20;
/// `deliver_sm` that one session may leave unacknowledged.
const WINDOW: i64 = 30;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_one_of_two_hosts_is_killed_for_good_nothing_is_lost_or_doubled_and_its_replies_are_taken_over() {
    let observers = u32::try_from(torture::rounds(600, 6_000)).unwrap();
    let mut random = StdRng::seed_from_u64(torture::seed());
    let database = pg::database().await;
    let mut peer = Peer::start(json!({"window": WINDOW})).await;
    let mut sites = [(); 2].map(|()| site(&database, &peer, ""));
    for site in &mut sites {
        site.gateway = "acknowledge = \"committed\"".to_owned();
        site.worker = format!("lease_seconds = {LEASE}");
    }
    poll::book("takeover", observers).set_up(&sites[0]).await;
    let [one, other] = sites;
    let (mut doomed, mut heir) = (Host::start(one).await, Host::start(other).await);
    let bound = |peer: &Peer| peer.journal().iter().filter(|e| e["event"] == "bound").count();
    within(LONG, "both binds", async {
        while bound(&peer) < 2 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;

    let all: Vec<Delivery> = (0..observers)
        .map(|n| Delivery::text(n.into(), &poll::phone(n), &poll::report(n, &format!("AA{n} AB1 AC2"))))
        .collect();
    // Some replies are with the one that is killed, without a response: nobody knows what became of them.
    let point = random.random_range(observers / 4..observers / 2);
    let acknowledged = |peer: &Peer| peer.journal().iter().filter(|e| e["event"] == "acknowledged").count();
    peer.deliver(&all).await;
    within(LONG, "load", async {
        while acknowledged(&peer) < point as usize {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await;
    doomed.gateway.kill().await;
    doomed.worker.kill().await;
    let killed = Instant::now();
    within(LONG * 3, "the other host takes the rest", async {
        while acknowledged(&peer) < observers as usize {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await;
    let taken = killed.elapsed();
    until(&database, "SELECT count(*) FROM outbox WHERE state IN ('due', 'leased')", 0).await;
    let settled = killed.elapsed();

    // Each report is one submission, whatever came twice.
    assert_eq!(number(&database, "SELECT count(*) FROM submission").await, i64::from(observers));
    let again = number(&database, "SELECT count(*) FROM message WHERE outcome = 'duplicate'").await;
    assert_eq!(number(&database, "SELECT count(*) FROM message").await, i64::from(observers) + again);
    assert!(again <= WINDOW, "{again}: no more than one session's window came again");
    assert_eq!(
        number(&database, "SELECT count(*) FROM message WHERE outcome = 'accepted'").await,
        i64::from(observers)
    );
    for n in 0..observers {
        if n % 37 == 0 {
            let stored = submissions(&database, "KT", &poll::code(n)).await;
            assert_eq!(stored.len(), 1);
            assert_eq!(stored[0].0, json!({"AA": n, "AB": 1, "AC": 2}));
        }
    }
    let both = number(&database, "SELECT count(DISTINCT spool_id) FROM message").await;
    assert!(both >= 2, "both hosts took their part");

    // Every observer is answered; twice only where the outcome was unknown, or the text came again.
    let sql = "SELECT p.msisdn, count(*) AS replies, sum(o.attempt)::bigint AS attempts,
                      bool_and(o.state IN ('sent', 'delivered')) AS sent, max(o.unknown_why) AS why
               FROM outbox o JOIN phone p ON p.id = o.phone_id GROUP BY p.msisdn";
    let rows = sqlx::query(sql).fetch_all(&mut database.admin().await).await.unwrap();
    assert_eq!(rows.len(), observers as usize);
    // The journal is long: it is read once.
    let mut answered = std::collections::HashMap::<String, i64>::new();
    for event in peer.journal().iter().filter(|e| e["event"] == "submit") {
        *answered.entry(event["destination"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let (mut over, mut doubled) = (0, 0);
    for row in &rows {
        let (phone, replies, attempts): (&str, i64, i64) = (row.get("msisdn"), row.get("replies"), row.get("attempts"));
        let got = answered.get(phone).copied().unwrap_or(0);
        assert!(row.get::<bool, _>("sent"), "{phone}");
        assert!((replies..=attempts).contains(&got), "{phone}: {got} of {replies} replies in {attempts} attempts");
        if attempts > replies {
            over += 1;
            assert!(row.get::<Option<&str>, _>("why").is_some_and(|why| why.contains("lease ran out")), "{phone}");
        }
        doubled += i64::from(got > replies);
    }
    torture::figure(
        "one of two hosts killed for good under load",
        &format!(
            "the SMSC gives {again} texts again to the other host, which stores them as duplicates; {over} replies under \
             lease are sent by it, {doubled} of them for the second time | messages {:.1} s, replies {:.0} s (lease {LEASE} s) | nothing",
            taken.as_secs_f64(),
            settled.as_secs_f64()
        ),
    );
    assert!(heir.worker.is_running() && heir.gateway.is_running());
}
