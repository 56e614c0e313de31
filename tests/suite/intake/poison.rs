//! A record that fails alone is set aside, and the rest goes on.

use scrutineer::handoff::message::Body;
use sqlx::Executor;

use super::gateway::{Gateway, message, now_us};
use super::{Worker, database, number, outcomes, phone, report};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_the_database_refuses_is_split_off_and_the_rest_is_stored() {
    let (database, gateway) = (database().await, Gateway::new());
    let mut db = database.owner().await;
    db.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF NEW.text LIKE '%666' THEN RAISE EXCEPTION 'refused' USING ERRCODE = '22000'; END IF; RETURN NEW; END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON message FOR EACH ROW EXECUTE FUNCTION refuse();",
    )
    .await
    .unwrap();
    gateway.texts((1..=150).map(|n| (phone(n), report(n, if n % 50 == 7 { "AA666" } else { "AA1" }))));
    let worker = Worker::start(&database, &gateway);
    gateway.settled(147).await;
    assert_eq!(number(&mut db, "SELECT count(*) FROM set_aside WHERE error LIKE '%refused%'").await, 3);
    let outcomes = outcomes(&mut db).await;
    assert_eq!(outcomes.len(), 150);
    let aside: Vec<i64> = outcomes.iter().filter(|o| o.1 == "set_aside").map(|o| o.0).collect();
    assert_eq!(aside, [7, 57, 107]);
    assert_eq!(number(&mut db, "SELECT count(*) FROM submission").await, 147);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_decoded_is_kept_and_texts_with_nul_are_stored() {
    let (database, gateway) = (database().await, Gateway::new());
    let worker = Worker::start(&database, &gateway);
    gateway.append(now_us(), Body::Undecodable { pdu: vec![0, 1, 2], error: "cut short".to_owned() });
    let Body::Message(mut odd) = message(&phone(1), "") else { unreachable!() };
    odd.data_coding = 8;
    odd.short_message = vec![0, b'P', 0, 0, 0, b'S', 0xD8];
    gateway.append(now_us(), Body::Message(odd));
    gateway.text("INFO\0", &"x".repeat(10_000));
    // Lanes go side by side: what is counted must be there.
    gateway.committed(3).await;
    gateway.append(now_us(), Body::Redelivery { run: gateway.run(), of: 2 });
    gateway.text(&phone(2), &report(2, "AA1"));
    gateway.committed(5).await;
    let mut db = database.owner().await;
    assert_eq!(number(&mut db, "SELECT count(*) FROM message").await, 3);
    assert_eq!(
        number(&mut db, "SELECT count(*) FROM set_aside WHERE error LIKE '%cut short%' AND sequence = 1").await,
        1
    );
    assert_eq!(number(&mut db, "SELECT sum(redelivered) FROM message").await, 1);
    assert_eq!(
        number(&mut db, "SELECT count(*) FROM message WHERE octet_length(raw) = 7 AND text LIKE 'P%S%'").await,
        1
    );
    worker.stop().await;
}
