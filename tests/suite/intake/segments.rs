//! Texts in parts: in any order, twice, over batches, on two hosts, or never whole.

use scrutineer::handoff::message::{Body, Mobile};
use scrutineer::limits::{SEGMENT_COPIES_SECONDS, SEGMENT_COPIES_SLICE};
use scrutineer::store::segment::forget_parts;
use serde_json::json;
use sqlx::{AssertSqlSafe, Executor, Row};

use super::gateway::{Gateway, now_us};
use super::{Worker, database, number, outcomes, phone, report, submission};

fn part(observer: u32, reference: u8, total: u8, number: u8, text: &str) -> Body {
    let mut short_message = vec![5, 0, 3, reference, total, number];
    short_message.extend_from_slice(text.as_bytes());
    Body::Message(Mobile {
        source: phone(observer),
        source_ton: 1,
        destination: "4321".to_owned(),
        esm_class: 0x40,
        short_message,
        ..Mobile::default()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_in_any_order_twice_and_over_batches_make_one_report() {
    let (database, gateway) = (database().await, Gateway::new());
    // Observer 1: all at once, in disorder. Observer 2: one part twice.
    gateway.append(now_us(), part(1, 7, 3, 3, " AC3"));
    gateway.append(now_us(), part(1, 7, 3, 1, &report(1, "AA1")));
    gateway.append(now_us(), part(1, 7, 3, 2, " AB2"));
    gateway.append(now_us(), part(2, 7, 2, 2, " AB2"));
    gateway.append(now_us(), part(2, 7, 2, 2, " AB2"));
    let worker = Worker::start(&database, &gateway);
    gateway.settled(1).await;
    let mut db = database.owner().await;
    assert_eq!(number(&mut db, "SELECT count(*) FROM segment").await, 1, "parts wait in the database");
    // Over a restart, too.
    worker.kill().await;
    let worker = Worker::start(&database, &gateway);
    gateway.append(now_us(), part(2, 7, 2, 1, &report(2, "AA1")));
    gateway.settled(2).await;
    assert_eq!(submission(&mut db, 1).await.0, json!({"AA": 1, "AB": 2, "AC": 3}));
    assert_eq!(submission(&mut db, 2).await.0, json!({"AA": 1, "AB": 2}));
    assert_eq!(number(&mut db, "SELECT count(*) FROM segment_set").await, 0);
    assert_eq!(number(&mut db, "SELECT count(*) FROM message WHERE outcome = 'segment'").await, 4);
    assert_eq!(
        number(&mut db, "SELECT count(*) FROM message WHERE outcome = 'segment' AND whole_seq IS NULL").await,
        1,
        "the part that came again"
    );
    let text: String = sqlx::query("SELECT text FROM message WHERE outcome <> 'segment' AND text LIKE '%100001%'")
        .fetch_one(&mut db)
        .await
        .unwrap()
        .get(0);
    assert_eq!(text, "PS 100001 AA1 AB2 AC3");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hosts_that_each_hold_a_part_make_one_report() {
    let database = database().await;
    let gateways = [Gateway::new(), Gateway::new()];
    let workers = [Worker::start(&database, &gateways[0]), Worker::start(&database, &gateways[1])];
    for n in 1..=60u32 {
        gateways[n as usize % 2].append(now_us(), part(n, 9, 2, 1, &report(n, "AA1")));
        gateways[(n as usize + 1) % 2].append(now_us(), part(n, 9, 2, 2, " AB2"));
    }
    let mut db = database.owner().await;
    super::until(&mut db, "SELECT count(*) FROM submission", 60).await;
    for n in 1..=60 {
        assert_eq!(submission(&mut db, n).await, (json!({"AA": 1, "AB": 2}), 1));
    }
    assert_eq!(number(&mut db, "SELECT count(*) FROM segment_set").await, 0);
    assert_eq!(number(&mut db, "SELECT count(*) FROM message WHERE whole_seq IS NOT NULL").await, 60);
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reference_that_is_used_anew_begins_a_new_text() {
    let (database, gateway) = (database().await, Gateway::new());
    let worker = Worker::start(&database, &gateway);
    gateway.append(now_us(), part(1, 3, 2, 1, &report(1, "AA1")));
    gateway.committed(1).await;
    gateway.append(now_us(), part(1, 3, 2, 1, &report(1, "AA2")));
    gateway.append(now_us(), part(1, 3, 2, 2, " AB2"));
    // The older one is processed as far as it came, and answered too.
    gateway.settled(2).await;
    let mut db = database.owner().await;
    let (answers, revisions) = submission(&mut db, 1).await;
    assert_eq!((&answers["AA"], &answers["AB"]), (&json!(2), &json!(2)));
    assert!(revisions <= 2);
    assert_eq!(number(&mut db, "SELECT count(*) FROM segment_set").await, 0);
    assert_eq!(outcomes(&mut db).await.iter().filter(|o| o.1 == "segment").count(), 1);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_text_that_never_gets_whole_is_processed_once_as_far_as_it_came() {
    let database = database().await;
    let gateways = [Gateway::new(), Gateway::new()];
    let workers = [Worker::with(&database, &gateways[0], 2, 1), Worker::with(&database, &gateways[1], 2, 1)];
    for n in 1..=10 {
        gateways[0].append(now_us(), part(n, 5, 3, 1, &report(n, "AA1 AB1")));
        gateways[0].append(now_us(), part(n, 5, 3, 3, " AD4"));
    }
    let mut db = database.owner().await;
    super::until(&mut db, "SELECT count(*) FROM outbox WHERE state = 'sent'", 10).await;
    assert_eq!(number(&mut db, "SELECT count(*) FROM segment_set").await, 0);
    assert_eq!(number(&mut db, "SELECT count(*) FROM message").await, 20);
    assert_eq!(
        number(&mut db, "SELECT count(*) FROM message WHERE outcome = 'segment' AND whole_seq IS NOT NULL").await,
        10
    );
    assert_eq!(submission(&mut db, 1).await.0["AA"], json!(1));
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test]
async fn parts_that_were_processed_long_ago_are_forgotten_so_many_at_a_time() {
    let database = database().await;
    let mut db = database.owner().await;
    let remembered = "SELECT count(*) FROM segment_done";
    let insert = |many: i64, age: i32| {
        AssertSqlSafe(format!(
            "INSERT INTO segment_done (link_group, source, destination, reference, total, part, content, done_at)
             SELECT 'main', '35569' || n, '4321', {age}, 2, 1, decode(md5(n::text), 'hex'), now() - make_interval(secs => {age})
             FROM generate_series(1, {many}) n"
        ))
    };
    db.execute(insert(SEGMENT_COPIES_SLICE + 5, SEGMENT_COPIES_SECONDS + 60)).await.unwrap();
    db.execute(insert(3, SEGMENT_COPIES_SECONDS - 60)).await.unwrap();
    for left in [8, 3, 3] {
        forget_parts(&mut db, SEGMENT_COPIES_SECONDS, SEGMENT_COPIES_SLICE).await.unwrap();
        assert_eq!(number(&mut db, remembered).await, left);
    }
}
