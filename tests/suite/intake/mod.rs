//! The worker's intake on a real PostgreSQL, behind a spool that the test holds in its hands.

mod gateway;
mod order;
mod outages;
mod outbox;
mod poison;
mod repeated;
mod replay;
mod segments;
mod speed;
mod understand;

use std::sync::Arc;

use scrutineer::intake::decide::Replies;
use scrutineer::intake::session::{Intake, Options};
use scrutineer::store::Store;
use scrutineer::vitals::progress::Progress;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::gateway::Gateway;
use super::support::pg::{self, Database};

/// Observers of the test's election; their codes begin at 100001, their phones are [`phone`].
const OBSERVERS: i32 = 200;

/// The phone of an observer.
fn phone(number: u32) -> String {
    format!("35569{number:07}")
}

/// A report of an observer.
fn report(number: u32, answers: &str) -> String {
    format!("PS {} {answers}", 100_000 + number)
}

/// A database with an open election.
async fn database() -> Database {
    let database = pg::database().await;
    elect(&mut database.owner().await, OBSERVERS).await;
    database
}

async fn elect(owner: &mut PgConnection, observers: i32) {
    let questions: Vec<Value> = ["AA", "AB", "AC", "AD", "AE", "AF", "AG", "AH", "AI", "AJ", "AK"]
        .iter()
        .map(|code| serde_json::json!({"code": code, "text": code, "type": "count", "max": 99999}))
        .collect();
    let definition = serde_json::json!({"prefix": "PS", "title": "Polling station", "questions": questions});
    owner
        .execute(AssertSqlSafe(format!(
            "INSERT INTO election (slug, name, state, opened_at) VALUES ('test', 'Test', 'open', '2020-01-01');
             INSERT INTO checklist (election_id, prefix, kind, state, title, definition)
                 SELECT id, 'PS', 'checklist', 'live', '\"Polling station\"', '{definition}' FROM election;
             INSERT INTO observer (election_id, code)
                 SELECT e.id, (100000 + n)::text FROM election e, generate_series(1, {observers}) n;
             INSERT INTO phone (msisdn) SELECT '35569' || lpad(n::text, 7, '0') FROM generate_series(1, {observers}) n;
             INSERT INTO observer_phone (observer_id, phone_id)
                 SELECT o.id, p.id FROM observer o JOIN phone p ON p.msisdn = '35569' || lpad((o.code::int - 100000)::text, 7, '0');"
        )))
        .await
        .unwrap();
}

/// A worker that runs in this process.
struct Worker {
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl Worker {
    fn start(database: &Database, gateway: &Gateway) -> Self {
        Self::with(database, gateway, 2, 600)
    }

    fn with(database: &Database, gateway: &Gateway, lanes: u16, segments_wait_seconds: u32) -> Self {
        let store = Store::new(&database.store_options(pg::WORKER, u32::from(lanes) + 3));
        let options = Options { socket: gateway.socket(), lanes, segments_wait_seconds };
        let intake = Intake::new(options, store, Replies::built_in(), Arc::new(Progress::default()));
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = tokio::spawn(async move { intake.run(stopped, watch::Sender::new(false)).await.unwrap() });
        Self { task, stop }
    }

    /// Ends it in the middle of whatever it does.
    async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    /// Ends it as SIGTERM does.
    async fn stop(self) {
        self.stop.cancel();
        super::support::soon("the worker's stop", self.task).await.unwrap();
    }
}

async fn number(conn: &mut PgConnection, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(conn).await.unwrap()
}

/// Outcomes of all messages, by sequence.
async fn outcomes(conn: &mut PgConnection) -> Vec<(i64, String)> {
    sqlx::query_as("SELECT sequence, outcome FROM message ORDER BY sequence, spool_id").fetch_all(conn).await.unwrap()
}

/// An observer's answers and how many revisions made them.
async fn submission(conn: &mut PgConnection, number: u32) -> (Value, i32) {
    let row = sqlx::query(
        "SELECT s.answers, s.revisions, (SELECT count(*) FROM revision r WHERE r.submission_id = s.id)::int AS stored
         FROM submission s JOIN observer o ON o.id = s.observer_id WHERE o.code = $1",
    )
    .bind((100_000 + number).to_string())
    .fetch_one(conn)
    .await
    .unwrap();
    let (revisions, stored): (i32, i32) = (row.get("revisions"), row.get("stored"));
    assert_eq!(revisions, stored, "as many revisions are stored as the submission says");
    (row.get("answers"), revisions)
}

/// The outbox: state, attempt, earlier unknown ones and receipt, in the order of the records answered.
async fn replies(conn: &mut PgConnection) -> Vec<(String, i16, i16, Option<String>)> {
    sqlx::query_as("SELECT state, attempt, unknown_before, receipt FROM outbox ORDER BY spool_id, sequence")
        .fetch_all(conn)
        .await
        .unwrap()
}

/// Waits until a query gives this number.
async fn until(conn: &mut PgConnection, sql: &'static str, wanted: i64) {
    super::support::soon(sql, async {
        while number(conn, sql).await != wanted {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
}
