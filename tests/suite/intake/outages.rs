//! A dependency that is away is a state: nothing is lost, and all goes on by itself.

use std::time::Duration;

use sqlx::Executor;

use super::gateway::Gateway;
use super::{Worker, database, elect, number, phone, report, submission};
use crate::support::cluster::{Cluster, Durability};
use crate::support::pg;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_goes_away_in_the_middle_loses_nothing() {
    let server = Cluster::start(Durability::Fast);
    let database = pg::database_on(&server).await;
    elect(&mut database.owner().await, 200).await;
    let gateway = Gateway::new();
    let worker = Worker::start(&database, &gateway);
    let last =
        gateway.texts((0..2_000u32).map(|n| (phone(n % 200 + 1), report(n % 200 + 1, &format!("AA{}", n / 200)))));
    gateway.committed(last / 3).await;
    server.kill();
    gateway.text(&phone(1), &report(1, "AB7"));
    tokio::time::sleep(Duration::from_millis(700)).await;
    server.up();
    gateway.settled(2_001).await;
    let mut db = database.owner().await;
    assert_eq!(number(&mut db, "SELECT count(*) FROM message").await, 2_001);
    assert_eq!(submission(&mut db, 1).await.0, serde_json::json!({"AA": 9, "AB": 7}));
    assert_eq!(gateway.submits().len(), 2_001, "each text is answered once");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_roster_that_changes_is_known_to_the_very_next_text() {
    let (database, gateway) = (database().await, Gateway::new());
    let worker = Worker::start(&database, &gateway);
    gateway.text(&phone(1), "PS 777 AA1");
    gateway.settled(1).await;
    let mut db = database.owner().await;
    assert_eq!(number(&mut db, "SELECT count(*) FROM message WHERE outcome = 'unknown_observer'").await, 1);
    db.execute("INSERT INTO observer (election_id, code) SELECT id, '777' FROM election").await.unwrap();
    gateway.text(&phone(1), "PS 777 AA1");
    gateway.settled(2).await;
    assert_eq!(number(&mut db, "SELECT count(*) FROM submission").await, 1);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_restarts_is_found_again() {
    let (database, mut gateway) = (database().await, Gateway::new());
    let worker = Worker::start(&database, &gateway);
    gateway.text(&phone(1), &report(1, "AA1"));
    gateway.settled(1).await;
    gateway.close().await;
    gateway.text(&phone(2), &report(2, "AA1"));
    gateway.open();
    gateway.settled(2).await;
    let mut db = database.owner().await;
    assert_eq!(number(&mut db, "SELECT count(*) FROM message").await, 2);
    worker.stop().await;
}
