//! Replies on their way out, and what is heard of them.

use std::sync::atomic::{AtomicU32, Ordering};

use scrutineer::domain::message_id::MessageIdFormat;
use scrutineer::domain::order::{OrderKey, RecordKey};
use scrutineer::domain::phone::normalise;
use scrutineer::handoff::message::{Body, Mobile, NotSent, SubmitOutcome, SubmitResult};
use scrutineer::limits::{RECEIPT_WAITS_SECONDS, RECEIPTS_SHOWN_MAX};
use scrutineer::outbox::reply_id::{bucket, reply_id};
use sqlx::Executor;

use super::gateway::{Gateway, message, now_us};
use super::{Worker, database, number, phone, replies, report, until};

fn receipt(observer: u32, id: &str, word: &str) -> Body {
    Body::Receipt(Mobile {
        source: phone(observer),
        destination: "4321".to_owned(),
        esm_class: 4,
        short_message: format!("id:{id} sub:001 dlvrd:001 stat:{word} err:000 text:PS").into_bytes(),
        ..Mobile::default()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_outcome_is_retried_once_and_then_stays_unknown() {
    let (database, gateway) = (database().await, Gateway::new());
    gateway.answer(|submit| {
        let first_observer = submit.destination == phone(1);
        Some(match (first_observer, submit.attempt) {
            (false, 2) => SubmitOutcome::Accepted { message_ids: vec!["b".to_owned()] },
            _ => SubmitOutcome::Unknown,
        })
    });
    let worker = Worker::start(&database, &gateway);
    gateway.text(&phone(1), &report(1, "AA1"));
    gateway.text(&phone(2), &report(2, "AA1"));
    gateway.settled(4).await;
    let mut db = database.owner().await;
    assert_eq!(replies(&mut db).await, [("unknown".to_owned(), 2, 2, None), ("sent".to_owned(), 2, 1, None)]);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_to_many_whose_outcome_is_unknown_is_never_sent_again() {
    let (database, gateway) = (database().await, Gateway::new());
    gateway.answer(|_| Some(SubmitOutcome::Unknown));
    let mut db = database.owner().await;
    db.execute("INSERT INTO phone (msisdn) VALUES ('355681234567')").await.unwrap();
    db.execute(
        "INSERT INTO outbox (id, kind, phone_id, link_group, source, text, state, due_at, expires_at)
         SELECT gen_random_uuid(), 'broadcast', p.id, 'main', '4321', 'x', 'due', now(), now() + interval '1 day'
         FROM phone p WHERE p.msisdn = '355681234567'",
    )
    .await
    .unwrap();
    let worker = Worker::start(&database, &gateway);
    gateway.settled(1).await;
    assert_eq!(number(&mut db, "SELECT count(*) FROM outbox WHERE state = 'unknown' AND attempt = 1").await, 1);
    // A reply after it goes twice; the text to many has had its one time.
    gateway.text(&phone(1), &report(1, "AA1"));
    gateway.settled(3).await;
    let to_many = gateway.submits().into_iter().filter(|submit| submit.bulk).count();
    assert_eq!((to_many, gateway.submits().len()), (1, 3));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_acceptance_settles_what_was_given_up() {
    let (database, gateway) = (database().await, Gateway::new());
    gateway.answer(|_| Some(SubmitOutcome::Unknown));
    let worker = Worker::start(&database, &gateway);
    gateway.text(&phone(1), &report(1, "AA1"));
    gateway.settled(2).await;
    let outcome = SubmitOutcome::Accepted { message_ids: vec!["late".to_owned()] };
    let result = SubmitResult { id: gateway.submits()[0].id, attempt: 1, outcome };
    let last = gateway.append(now_us(), Body::SubmitResult(result));
    gateway.committed(last).await;
    let mut db = database.owner().await;
    assert_eq!(replies(&mut db).await[0].0, "sent");
    worker.stop().await;
}

/// As after a failover that lost commits: what is decided anew may have other words than those that went.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_that_went_in_other_words_than_were_decided_anew_stands_as_it_went() {
    let (database, gateway) = (database().await, Gateway::new());
    gateway.answer(|_| None);
    let worker = Worker::start(&database, &gateway);
    let mut db = database.owner().await;
    let went = |id| {
        let outcome = SubmitOutcome::Accepted { message_ids: vec!["first".to_owned()] };
        let text = "In other words.".to_owned();
        Body::Written { result: SubmitResult { id, attempt: 1, outcome }, text }
    };
    gateway.text(&phone(1), &report(1, "AA1"));
    gateway.settled(1).await;
    let last = gateway.append(now_us(), went(gateway.submits()[0].id));
    gateway.committed(last).await;
    let stand = "SELECT count(*) FROM outbox WHERE state = 'sent' AND text = 'In other words.'";
    assert_eq!(number(&mut db, stand).await, 1);

    // And a result that comes before its message is stored anew, as the record after it.
    let order = OrderKey { received_us: now_us(), record: RecordKey { spool: gateway.run(), sequence: last + 2 } };
    let early = gateway.append(now_us(), went(reply_id(order, bucket(&normalise(&phone(2))))));
    gateway.committed(early).await;
    let last = gateway.append(order.received_us, message(&phone(2), &report(2, "AA1")));
    gateway.committed(last).await;
    assert_eq!(number(&mut db, stand).await, 2);
    let says = "SELECT count(*) FROM outbox WHERE error LIKE 'it went so before%' AND unknown_why IS NULL";
    assert_eq!(number(&mut db, says).await, 1, "and that it was decided otherwise since");
    assert_eq!(gateway.submits().len(), 1, "what went is not sent again");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_sent_is_sent_again_and_what_is_refused_is_not() {
    let (database, gateway) = (database().await, Gateway::new());
    let times = AtomicU32::new(0);
    gateway.answer(move |submit| {
        Some(match (submit.destination == phone(1), times.fetch_add(1, Ordering::Relaxed)) {
            (true, _) => SubmitOutcome::Refused { status: 0x0B },
            _ => SubmitOutcome::NotSent { reason: NotSent::Expired },
        })
    });
    let worker = Worker::start(&database, &gateway);
    gateway.text(&phone(1), &report(1, "AA1"));
    gateway.text(&phone(2), &report(2, "AA1"));
    gateway.settled(2).await;
    let mut db = database.owner().await;
    assert_eq!(replies(&mut db).await, [("refused".to_owned(), 1, 0, None), ("expired".to_owned(), 1, 0, None)]);
    assert_eq!(number(&mut db, "SELECT count(*) FROM outbox WHERE error = 'command_status 0x0000000B'").await, 1);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_gateway_gets_the_reply_again() {
    let (database, gateway) = (database().await, Gateway::new());
    gateway.busy(3);
    let worker = Worker::start(&database, &gateway);
    gateway.texts((1..=3).map(|n| (phone(n), report(n, "AA1"))));
    gateway.settled(3).await;
    let mut db = database.owner().await;
    assert!(replies(&mut db).await.iter().all(|r| r.0 == "sent"));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_find_their_reply_late_early_or_in_another_form() {
    let (database, gateway) = (database().await, Gateway::new());
    // Observer 1: after the result. 2: hexadecimal here, decimal there. 3: before the result. 4: failed.
    gateway.answer(|submit| {
        let id = match submit.destination.as_str() {
            d if d == phone(1) => "ID-1",
            d if d == phone(2) => "a1b2",
            d if d == phone(3) => "ID-3",
            _ => "ID-4",
        };
        (id != "ID-3").then(|| SubmitOutcome::Accepted { message_ids: vec![id.to_owned()] })
    });
    let worker = Worker::start(&database, &gateway);
    gateway.texts((1..=4).map(|n| (phone(n), report(n, "AA1"))));
    gateway.settled(4).await;
    gateway.append(now_us(), receipt(1, "ID-1", "DELIVRD"));
    gateway.append(now_us(), receipt(2, "0000041394", "DELIVRD"));
    gateway.append(now_us(), receipt(3, "ID-3", "DELIVRD"));
    gateway.append(now_us(), receipt(4, "ID-4", "UNDELIV"));
    let last = gateway.append(now_us(), receipt(4, "somebody else's", "DELIVRD"));
    gateway.committed(last).await;
    let mut db = database.owner().await;
    assert_eq!(number(&mut db, "SELECT count(*) FROM early_receipt").await, 2);
    let id = gateway.submits().iter().find(|s| s.destination == phone(3)).unwrap().id;
    let outcome = SubmitOutcome::Accepted { message_ids: vec!["ID-3".to_owned()] };
    gateway.append(now_us(), Body::SubmitResult(SubmitResult { id, attempt: 1, outcome }));
    until(&mut db, "SELECT count(*) FROM outbox WHERE state = 'delivered'", 3).await;
    assert_eq!(number(&mut db, "SELECT count(*) FROM early_receipt").await, 1, "what belongs to nobody waits and goes");
    assert_eq!(replies(&mut db).await[3], ("undelivered".to_owned(), 1, 0, Some("UNDELIV".to_owned())));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_of_several_segments_is_delivered_when_all_of_them_are() {
    let (database, gateway) = (database().await, Gateway::new());
    gateway.answer(|submit| {
        let of = if submit.destination == phone(1) { "A" } else { "B" };
        Some(SubmitOutcome::Accepted { message_ids: (1..=2).map(|n| format!("{of}{n}")).collect() })
    });
    let worker = Worker::start(&database, &gateway);
    gateway.texts((1..=2).map(|n| (phone(n), report(n, "AA1"))));
    gateway.settled(2).await;
    gateway.append(now_us(), receipt(1, "A1", "DELIVRD"));
    let last = gateway.append(now_us(), receipt(2, "B2", "UNDELIV"));
    gateway.committed(last).await;
    let mut db = database.owner().await;
    let states = |rows: Vec<(String, i16, i16, Option<String>)>| rows.into_iter().map(|r| r.0).collect::<Vec<_>>();
    assert_eq!(states(replies(&mut db).await), ["sent", "undelivered"]);
    gateway.append(now_us(), receipt(1, "A2", "DELIVRD"));
    let last = gateway.append(now_us(), receipt(2, "B1", "DELIVRD"));
    gateway.committed(last).await;
    assert_eq!(states(replies(&mut db).await), ["delivered", "undelivered"]);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_past_the_limit_an_hour_are_withheld_and_the_reports_recorded() {
    let (database, gateway) = (database().await, Gateway::new());
    let mut db = database.owner().await;
    db.execute("UPDATE election SET replies_per_hour = 3").await.unwrap();
    let worker = Worker::start(&database, &gateway);
    for n in 0..6 {
        gateway.text(&phone(1), &report(1, &format!("AA{n}")));
    }
    gateway.settled(3).await;
    until(&mut db, "SELECT count(*) FROM message", 6).await;
    assert_eq!(number(&mut db, "SELECT count(*) FROM outbox WHERE state = 'withheld'").await, 3);
    assert_eq!(super::submission(&mut db, 1).await.0, serde_json::json!({"AA": 5}));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_leased_by_a_worker_that_went_away_are_sent_once() {
    let (database, gateway) = (database().await, Gateway::new());
    let mut db = database.owner().await;
    let worker = Worker::start(&database, &gateway);
    gateway.texts((1..=20).map(|n| (phone(n), report(n, "AA1"))));
    gateway.settled(20).await;
    worker.kill().await;
    // All is behind the watermark (20 texts, 20 results): no result is read again and settles what follows.
    db.execute("UPDATE watermark SET sequence = 40").await.unwrap();
    // As if it had gone before it could hand them over; five are another host's, whose lease is over.
    db.execute(
        "UPDATE outbox SET state = 'leased', lease_until = now(), message_id = NULL,
             lease_spool = CASE WHEN sequence <= 5 THEN gen_random_uuid() ELSE (SELECT uuid FROM spool) END
         WHERE sequence <= 10",
    )
    .await
    .unwrap();
    let worker = Worker::start(&database, &gateway);
    // The gateway knows its own ones already; those of the other host go out as a second attempt.
    gateway.settled(25).await;
    until(&mut db, "SELECT count(*) FROM outbox WHERE state = 'sent' AND attempt = 2 AND unknown_before = 1", 5).await;
    assert_eq!(gateway.submits().len(), 25);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_outage_of_hours_stale_replies_expire_and_the_others_go_out_in_the_order_of_their_texts() {
    let (database, gateway) = (database().await, Gateway::new());
    let hour = 3_600_000_000;
    for n in 1..=20 {
        // From eight hours ago to now; six is the limit.
        let Body::Message(text) = message(&phone(n), &report(n, "AA1")) else { unreachable!() };
        gateway.append(now_us() - i64::from(20 - n) * 8 * hour / 20 - 60_000_000, Body::Message(text));
    }
    let worker = Worker::start(&database, &gateway);
    gateway.settled(15).await;
    let mut db = database.owner().await;
    assert_eq!(number(&mut db, "SELECT count(*) FROM submission").await, 20, "every report is recorded, however late");
    assert_eq!(number(&mut db, "SELECT count(*) FROM outbox WHERE state = 'expired'").await, 5);
    assert_eq!(number(&mut db, "SELECT count(*) FROM outbox WHERE state = 'sent'").await, 15);
    let answered: Vec<String> = gateway.submits().into_iter().map(|s| s.destination).collect();
    assert!((1..=5).all(|n| !answered.contains(&phone(n))), "stale ones were not sent");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_are_taken_before_texts_to_many_however_many_are_due() {
    let database = database().await;
    let mut db = database.owner().await;
    db.execute("INSERT INTO phone (msisdn) VALUES ('355681234567')").await.unwrap();
    let due = |kind: &str, count: u32, ago: u32| {
        sqlx::AssertSqlSafe(format!(
            "INSERT INTO outbox (id, kind, phone_id, link_group, source, text, state, due_at, expires_at)
             SELECT gen_random_uuid(), '{kind}', p.id, 'main', '4321', 'x', 'due', now() - interval '{ago} minutes',
                 now() + interval '1 day'
             FROM phone p, generate_series(1, {count}) WHERE p.msisdn = '355681234567'"
        ))
    };
    db.execute(due("broadcast", 20_000, 60)).await.unwrap();
    db.execute(due("reply", 3, 1)).await.unwrap();
    let groups = ["main".to_owned()];
    let spool = uuid::Uuid::from_u128(1);
    let first = scrutineer::store::outbox::take_due(&mut db, spool, &groups, 5, 60).await.unwrap();
    let mut bulk: Vec<bool> = first.iter().map(|row| row.bulk).collect();
    bulk.sort_unstable();
    assert_eq!(bulk, [false, false, false, true, true], "all replies, though each bulk text is due for longer");
    // Not by sorting what is due: the index has the order.
    db.execute("ANALYZE outbox").await.unwrap();
    let plan: Vec<String> = sqlx::query_scalar(
        "EXPLAIN SELECT id FROM outbox WHERE state = 'due' AND due_at <= now() AND expires_at > now()
             AND link_group = ANY(ARRAY['main']) ORDER BY kind <> 'reply', due_at LIMIT 5 FOR UPDATE SKIP LOCKED",
    )
    .fetch_all(&mut db)
    .await
    .unwrap();
    let plan = plan.join("\n");
    assert!(plan.contains("outbox_due_first") && !plan.contains("Sort"), "{plan}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_links_format_of_ids_finds_the_reply_for_sure_and_nothing_else() {
    let (database, gateway) = (database().await, Gateway::new());
    gateway.ids(MessageIdFormat::HexDecimal);
    gateway.answer(|submit| {
        let id = if submit.destination == phone(1) { "0000A1B2" } else { "41394" };
        Some(SubmitOutcome::Accepted { message_ids: vec![id.to_owned()] })
    });
    let worker = Worker::start(&database, &gateway);
    gateway.texts((1..=2).map(|n| (phone(n), report(n, "AA1"))));
    gateway.settled(2).await;
    // From a phone that the receipt does not name as ours: the id alone decides, and means A1B2, not 41394.
    let last = gateway.append(now_us(), receipt(9, "41394", "DELIVRD"));
    gateway.committed(last).await;
    let mut db = database.owner().await;
    let states: Vec<String> = replies(&mut db).await.into_iter().map(|r| r.0).collect();
    assert_eq!(states, ["delivered", "sent"]);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_whose_id_nobody_told_settles_the_only_text_that_it_can_mean() {
    let (database, gateway) = (database().await, Gateway::new());
    gateway.answer(|_| Some(SubmitOutcome::Unknown));
    let worker = Worker::start(&database, &gateway);
    gateway.texts((1..=4).map(|n| (phone(n), report(n, "AA1"))));
    // Each is sent twice, and nobody answers.
    gateway.settled(8).await;
    let mut db = database.owner().await;
    until(&mut db, "SELECT count(*) FROM outbox WHERE state = 'unknown'", 4).await;
    worker.stop().await;
    // Observer 4 has another text of unknown outcome, so that a receipt may be of either.
    db.execute(
        "INSERT INTO outbox (id, kind, phone_id, link_group, source, text, state, attempt, unknown_before, expires_at,
                             created_at)
         SELECT gen_random_uuid(), kind, o.phone_id, link_group, source, text, state, attempt, unknown_before, expires_at,
             created_at
         FROM outbox o JOIN phone p ON p.id = o.phone_id WHERE p.msisdn = '355690000004'",
    )
    .await
    .unwrap();
    let worker = Worker::start(&database, &gateway);
    gateway.append(now_us(), receipt(1, "never-told-1", "DELIVRD"));
    // One of two attempts failed: the other may have arrived.
    gateway.append(now_us(), receipt(2, "never-told-2", "UNDELIV"));
    // Two ids for one text.
    gateway.append(now_us(), receipt(3, "never-told-3", "DELIVRD"));
    gateway.append(now_us(), receipt(3, "never-told-3b", "UNDELIV"));
    let last = gateway.append(now_us(), receipt(4, "never-told-4", "DELIVRD"));
    gateway.committed(last).await;
    assert_eq!(number(&mut db, "SELECT count(*) FROM early_receipt").await, 5);
    assert_eq!(number(&mut db, "SELECT count(*) FROM outbox WHERE state = 'unknown'").await, 5, "they wait first");
    worker.stop().await;
    sqlx::query("UPDATE early_receipt SET received_at = received_at - make_interval(secs => $1::int)")
        .bind(RECEIPT_WAITS_SECONDS + 1)
        .execute(&mut db)
        .await
        .unwrap();
    db.execute("UPDATE outbox SET created_at = created_at - interval '20 minutes'").await.unwrap();
    let worker = Worker::start(&database, &gateway);
    until(&mut db, "SELECT count(*) FROM outbox WHERE state = 'delivered'", 1).await;
    assert_eq!(
        number(&mut db, "SELECT count(*) FROM outbox WHERE state = 'delivered' AND message_id = 'never-told-1'").await,
        1
    );
    assert_eq!(number(&mut db, "SELECT count(*) FROM outbox WHERE state = 'unknown'").await, 4);
    assert_eq!(number(&mut db, "SELECT count(*) FROM early_receipt").await, 4, "what is not clear is kept");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_receipts_that_found_no_text_the_newest_are_listed_and_all_are_counted() {
    let database = database().await;
    let mut db = database.owner().await;
    sqlx::query(
        "INSERT INTO early_receipt (link_group, message_id, receipt, received_at)
         SELECT 'main', 'id-' || n, 'DELIVRD', now() - make_interval(secs => n::int) FROM generate_series(1, $1::int) AS n",
    )
    .bind(i32::try_from(RECEIPTS_SHOWN_MAX).unwrap() + 5)
    .execute(&mut db)
    .await
    .unwrap();
    let (listed, count) = scrutineer::store::outbox_unknown::unmatched(&mut db, None).await.unwrap();
    assert_eq!((i64::try_from(listed.len()).unwrap(), count), (RECEIPTS_SHOWN_MAX, RECEIPTS_SHOWN_MAX + 5));
    assert_eq!(listed[0].message_id, "id-1");
}
