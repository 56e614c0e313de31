//! What a text means, on the real tables: states of checklists, silence, loops, STATUS.

use serde_json::json;
use sqlx::Executor;

use super::gateway::Gateway;
use super::{Worker, database, number, outcomes, phone, replies, report, submission};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_refused_by_a_pause_counts_when_it_is_sent_again() {
    let (database, gateway) = (database().await, Gateway::new());
    let worker = Worker::start(&database, &gateway);
    let mut owner = database.owner().await;
    owner.execute("UPDATE checklist SET state = 'paused'").await.unwrap();
    gateway.text(&phone(1), &report(1, "AA1"));
    gateway.settled(1).await;
    owner.execute("UPDATE checklist SET state = 'live'").await.unwrap();
    gateway.text(&phone(1), &report(1, "AA1"));
    gateway.text(&phone(1), &report(1, "AA1"));
    gateway.settled(3).await;
    let all: Vec<String> = outcomes(&mut owner).await.into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(all, ["paused", "accepted", "duplicate"]);
    assert_eq!(submission(&mut owner, 1).await.0, json!({"AA": 1}));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_phone_that_said_stop_gets_no_reply_on_any_host_and_its_reports_count() {
    let database = database().await;
    let (here, there) = (Gateway::new(), Gateway::new());
    let workers = [Worker::start(&database, &here), Worker::start(&database, &there)];
    here.text(&phone(1), "Stop!");
    here.settled(1).await;
    let stopped = there.text(&phone(1), &report(1, "AA1"));
    there.committed(stopped).await;
    assert!(there.submits().is_empty());
    let again = here.text(&phone(1), "STOP");
    here.committed(again).await;
    assert_eq!(here.submits().len(), 1, "a second STOP is not answered");
    let mut owner = database.owner().await;
    assert_eq!(submission(&mut owner, 1).await.0, json!({"AA": 1}));
    there.text(&phone(1), "START");
    there.settled(1).await;
    here.text(&phone(1), &report(1, "AB2"));
    here.settled(2).await;
    let states: Vec<String> = replies(&mut owner).await.into_iter().map(|r| r.0).collect();
    assert_eq!(states.iter().filter(|s| *s == "withheld").count(), 2, "{states:?}");
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_auto_responder_gets_few_replies_however_long_it_answers_them() {
    let (database, gateway) = (database().await, Gateway::new());
    let worker = Worker::start(&database, &gateway);
    // One that says the same each time, on an observer's phone, and one of a stranger that counts.
    for round in 0..12 {
        gateway.text(&phone(1), "I am out of the office until Monday");
        let last = gateway.text("355601112223", &format!("Your message {round} was received"));
        gateway.committed(last).await;
    }
    let mut owner = database.owner().await;
    let to = |phone: &'static str| {
        let submits = gateway.submits();
        submits.iter().filter(|s| s.destination == phone).count()
    };
    assert_eq!((to("355690000001"), to("355601112223")), (2, 5));
    assert_eq!(number(&mut owner, "SELECT count(*) FROM message WHERE outcome = 'unknown_checklist'").await, 24);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_names_what_is_still_missing() {
    let (database, gateway) = (database().await, Gateway::new());
    let worker = Worker::start(&database, &gateway);
    gateway.text(&phone(1), &report(1, "AA1 AB1 AC1 AD1 AE1 AF1 AG1 AH1 AI1"));
    gateway.settled(1).await;
    gateway.text(&phone(1), "STATUS");
    gateway.settled(2).await;
    assert_eq!(gateway.submits()[1].text, "PS still missing AJ, AK.");
    let mut owner = database.owner().await;
    assert_eq!(number(&mut owner, "SELECT count(*) FROM revision").await, 1, "asking changes nothing");
    worker.stop().await;
}
