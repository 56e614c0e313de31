//! Whose answer stands: the order of receipt, on one host or several.

use serde_json::json;

use super::gateway::{Gateway, message, now_us};
use super::{Worker, database, number, phone, report, submission};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_report_that_comes_later_does_not_overwrite_a_newer_one() {
    let (database, gateway) = (database().await, Gateway::new());
    let worker = Worker::start(&database, &gateway);
    let now = now_us();
    gateway.append(now - 3_000_000, message(&phone(1), &report(1, "AA1 AB1")));
    gateway.settled(1).await;
    gateway.append(now - 1_000_000, message(&phone(1), &report(1, "AA3")));
    gateway.settled(2).await;
    gateway.append(now - 2_000_000, message(&phone(1), &report(1, "AA2 AC2")));
    gateway.settled(3).await;
    let mut db = database.owner().await;
    assert_eq!(submission(&mut db, 1).await, (json!({"AA": 3, "AB": 1, "AC": 2}), 3));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hosts_correct_one_submission_and_lose_nothing() {
    let database = database().await;
    let gateways = [Gateway::new(), Gateway::new()];
    let workers = [Worker::start(&database, &gateways[0]), Worker::start(&database, &gateways[1])];
    let now = now_us();
    // Both take texts of the same observers at the same time; the greatest time of receipt wins.
    for n in 0..200i64 {
        let observer = u32::try_from(n % 10).unwrap() + 1;
        for (host, gateway) in gateways.iter().enumerate() {
            let at = now + n * 2 + i64::try_from(host).unwrap();
            let (code, value) = (if host == 0 { "AB" } else { "AC" }, n);
            gateway.append(
                at,
                message(&phone(observer), &report(observer, &format!("AA{} {code}{value}", n * 2 + host as i64))),
            );
        }
    }
    for gateway in &gateways {
        gateway.committed(200).await;
    }
    let mut db = database.owner().await;
    assert_eq!(number(&mut db, "SELECT count(*) FROM message").await, 400);
    for observer in 1..=10u32 {
        let last = 190 + i64::from(observer) - 1;
        let (answers, revisions) = submission(&mut db, observer).await;
        assert_eq!(answers, json!({"AA": last * 2 + 1, "AB": last, "AC": last}));
        assert_eq!(revisions, 40);
    }
    for worker in workers {
        worker.stop().await;
    }
}
