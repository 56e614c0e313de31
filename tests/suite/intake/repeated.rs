//! Incidents that the SMSC gave to several hosts, as those before went before it had their responses.

use sqlx::{Executor, PgConnection};

use super::super::support::pg::Database;
use super::gateway::{Gateway, message, now_us};
use super::{Worker, database, number, phone, until};

/// Incidents may be told.
async fn with_incidents(database: &Database) -> PgConnection {
    let mut db = database.owner().await;
    db.execute(
        r#"INSERT INTO checklist (election_id, prefix, kind, state, title, definition)
               SELECT id, 'EM', 'incident', 'live', '"Incident"',
                      '{"prefix":"EM","kind":"incident","title":"Incident","questions":[{"code":"EA","type":"flag","text":"a"}]}'
               FROM election"#,
    )
    .await
    .unwrap();
    db
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incident_that_three_hosts_were_given_is_one_whichever_stored_it_first() {
    let database = database().await;
    let mut db = with_incidents(&database).await;
    let hosts = [Gateway::new(), Gateway::new(), Gateway::new()];
    let incident = "EM100001!EA";
    let begun = now_us();
    for (host, n) in hosts.iter().zip(0..) {
        host.append(begun + n * 1_000, message(&phone(1), incident));
    }
    // The second one stores it before the first one does.
    for at in [1, 0, 2] {
        let worker = Worker::start(&database, &hosts[at]);
        hosts[at].committed(1).await;
        worker.stop().await;
    }
    assert_eq!(number(&mut db, "SELECT count(*) FROM message").await, 3);
    assert_eq!(number(&mut db, "SELECT count(*) FROM submission").await, 1, "one incident");
    assert_eq!(number(&mut db, "SELECT revisions::bigint FROM submission").await, 3);

    // Who sends it once more has another one to tell of.
    hosts[2].append(begun + 9_000, message(&phone(1), incident));
    let worker = Worker::start(&database, &hosts[2]);
    until(&mut db, "SELECT count(*) FROM message", 4).await;
    assert_eq!(number(&mut db, "SELECT count(*) FROM submission").await, 2, "a second equal incident is one");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_equal_incidents_that_both_come_to_another_host_at_once_are_two() {
    let database = database().await;
    let mut db = with_incidents(&database).await;
    let hosts = [Gateway::new(), Gateway::new()];
    let begun = now_us();
    for (host, n) in hosts.iter().zip(0..) {
        for second in 0..2 {
            host.append(begun + n * 1_000 + second, message(&phone(1), "EM100001!EA"));
        }
    }
    for host in &hosts {
        let worker = Worker::start(&database, host);
        host.committed(2).await;
        worker.stop().await;
    }
    assert_eq!(number(&mut db, "SELECT count(*) FROM message").await, 4);
    assert_eq!(number(&mut db, "SELECT count(*) FROM submission WHERE revisions = 2").await, 2);
    assert_eq!(number(&mut db, "SELECT count(*) FROM submission").await, 2, "each of both was given to both hosts");
}
