//! A record that comes again, whatever the reason, is stored once.

use sqlx::Executor;

use super::gateway::Gateway;
use super::{Worker, database, number, outcomes, phone, replies, report, submission};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_is_stored_and_answered_once() {
    let (database, gateway) = (database().await, Gateway::new());
    let worker = Worker::start(&database, &gateway);
    gateway.text(&format!("+{}", phone(1)), &report(1, "AA5 AB6"));
    gateway.settled(1).await;
    let mut db = database.owner().await;
    assert_eq!(outcomes(&mut db).await.len(), 1);
    assert_eq!(submission(&mut db, 1).await, (serde_json::json!({"AA": 5, "AB": 6}), 1));
    assert_eq!(replies(&mut db).await, [("sent".to_owned(), 1, 0, None)]);
    let submit = &gateway.submits()[0];
    assert_eq!(
        (submit.destination.as_str(), submit.source.as_str(), submit.group.as_str()),
        (phone(1).as_str(), "4321", "main")
    );
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_killed_again_and_again_stores_and_answers_everything_once() {
    let (database, gateway) = (database().await, Gateway::new());
    let texts = (0..1_000u32).map(|n| (phone(n % 200 + 1), report(n % 200 + 1, &format!("AA{}", n / 200))));
    let last = gateway.texts(texts);
    for round in 1..6 {
        let worker = Worker::start(&database, &gateway);
        gateway.committed(last * round / 6).await;
        worker.kill().await;
    }
    let worker = Worker::start(&database, &gateway);
    gateway.settled(1_000).await;
    let mut db = database.owner().await;
    assert_eq!(number(&mut db, "SELECT count(*) FROM message").await, 1_000);
    assert_eq!(number(&mut db, "SELECT count(*) FROM revision").await, 1_000);
    for n in 1..=200 {
        assert_eq!(submission(&mut db, n).await, (serde_json::json!({"AA": 4}), 5));
    }
    assert_eq!(gateway.submits().len(), 1_000, "each text is answered once");
    assert!(replies(&mut db).await.iter().all(|r| (r.0.as_str(), r.1) == ("sent", 1)));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rewind_to_an_older_watermark_is_harmless() {
    let (database, gateway) = (database().await, Gateway::new());
    let worker = Worker::start(&database, &gateway);
    gateway.texts((1..=50).map(|n| (phone(n), report(n, "AA1"))));
    gateway.settled(50).await;
    worker.stop().await;
    let mut db = database.owner().await;
    db.execute("UPDATE watermark SET sequence = 3").await.unwrap();
    let worker = Worker::start(&database, &gateway);
    gateway.text(&phone(1), &report(1, "AA2"));
    gateway.settled(51).await;
    assert_eq!(gateway.reads(), [0, 3]);
    assert_eq!(number(&mut db, "SELECT count(*) FROM message").await, 51);
    assert_eq!(number(&mut db, "SELECT count(*) FROM revision").await, 51);
    assert_eq!(gateway.submits().len(), 51);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_lost_its_last_commits_gets_them_again_and_nobody_is_answered_twice() {
    let (database, gateway) = (database().await, Gateway::new());
    let worker = Worker::start(&database, &gateway);
    gateway.texts((1..=20).map(|n| (phone(n), report(n, "AA1"))));
    gateway.settled(20).await;
    worker.stop().await;
    let mut db = database.owner().await;
    db.execute(
        "DELETE FROM outbox WHERE sequence > 10; DELETE FROM message WHERE sequence > 10;
         DELETE FROM revision WHERE sequence > 10; DELETE FROM submission WHERE last_sequence > 10;
         DELETE FROM watermark; INSERT INTO watermark (spool_id, lane, sequence) SELECT id, 0, 10 FROM spool;",
    )
    .await
    .unwrap();
    let worker = Worker::start(&database, &gateway);
    super::until(&mut db, "SELECT count(*) FROM message", 20).await;
    super::until(&mut db, "SELECT count(*) FROM outbox WHERE state = 'sent'", 20).await;
    assert_eq!(gateway.submits().len(), 20);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_message_under_a_stored_sequence_is_set_aside_and_overwrites_nothing() {
    let (database, gateway) = (database().await, Gateway::new());
    let worker = Worker::start(&database, &gateway);
    let sequence = gateway.text(&phone(1), &report(1, "AA1"));
    gateway.settled(1).await;
    worker.stop().await;
    gateway.forge(sequence, &report(1, "AA9"));
    let mut db = database.owner().await;
    db.execute("UPDATE watermark SET sequence = 0").await.unwrap();
    let worker = Worker::start(&database, &gateway);
    gateway.text(&phone(2), &report(2, "AA1"));
    gateway.settled(2).await;
    assert_eq!(submission(&mut db, 1).await.0, serde_json::json!({"AA": 1}));
    assert_eq!(number(&mut db, "SELECT count(*) FROM set_aside WHERE error LIKE '%another content%'").await, 1);
    worker.stop().await;
}
