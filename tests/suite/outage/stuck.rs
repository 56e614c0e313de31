//! Statements that hang, and those whose reader has gone.

use std::time::{Duration, Instant};

use scrutineer::limits::BATCH_TRIES_MAX;
use sqlx::Executor;

use super::{said_away, said_troubled, server, sessions};
use crate::support::flow::{self, Flow, STANDSTILL};
use crate::support::process::{self, Process};
use crate::support::replica::until;
use crate::support::torture::{figure, rounds};
use crate::web::browser::Browser;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_hangs_is_left_and_done_once_when_it_can_be() {
    let (_cluster, database) = server("").await;
    let mut flow = Flow::start(&database, None, "deadline_seconds = 2").await;
    let mut admin = database.admin().await;
    flow.feed(100).await;
    flow.until_stored(&mut admin, 100).await;
    let mut holder = database.admin().await;
    holder.execute("BEGIN; LOCK TABLE message IN EXCLUSIVE MODE").await.unwrap();
    flow.feed(300).await;
    flow.until_acknowledged(400).await;
    flow.worker.logged("the database does not take what it is given").await;
    let held = rounds(6, 60) as u64;
    tokio::time::sleep(Duration::from_secs(held)).await;
    assert_eq!((said_away(&flow), said_troubled(&flow)), (0, 1), "said once, not once a try\n{}", flow.worker.log());
    // Tries of up to four seconds each; when there were enough, the session begins anew.
    if held > u64::from(BATCH_TRIES_MAX) * 4 {
        assert!(sessions(&flow) > 1, "{}", flow.worker.log());
    }
    holder.execute("ROLLBACK").await.unwrap();
    let took = flow.until_stored(&mut admin, 101).await;
    assert!(took < Duration::from_secs(10), "{took:?}");
    let doubled = flow.check(&mut admin).await;
    figure(
        "a statement hangs (a table is locked)",
        &format!(
            "its deadline ends it, here and on the server | work goes on {took:.1?} after the lock is free | 0 of {} lost, {doubled} replies doubled",
            flow.fed()
        ),
    );
    flow.stop().await;
}

/// One observer's submission is locked, so that one lane cannot go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_whose_work_is_not_taken_holds_no_other_and_ends_no_session() {
    let (_cluster, database) = server("").await;
    let mut flow = Flow::start(&database, None, "deadline_seconds = 1").await;
    let mut admin = database.admin().await;
    flow.feed(200).await;
    flow.until_stored(&mut admin, 200).await;
    let mut holder = database.admin().await;
    holder.execute("BEGIN; SELECT FROM submission ORDER BY id LIMIT 1 FOR UPDATE").await.unwrap();
    let begun = Instant::now();
    flow.feed(200).await;
    // Of four lanes three, and what comes before the locked one in its own.
    flow.until_stored(&mut admin, 320).await;
    let others = begun.elapsed();
    flow.worker.logged("the database does not take what it is given").await;
    flow.feed(200).await;
    flow.until_stored(&mut admin, 440).await;
    let stored = flow::number(&mut admin, "SELECT count(*) FROM message").await;
    assert!(stored < 600, "the lock holds one lane");
    holder.execute("ROLLBACK").await.unwrap();
    let took = flow.until_stored(&mut admin, 600).await;
    assert_eq!((said_away(&flow), sessions(&flow)), (0, 1), "{}", flow.worker.log());
    let doubled = flow.check(&mut admin).await;
    figure(
        "one lane's work is not taken (a row is locked)",
        &format!(
            "the other lanes go on ({others:.1?}); the batch is split and tried again | all stored {took:.1?} after the lock is free | 0 of {} lost, {doubled} replies doubled",
            flow.fed()
        ),
    );
    flow.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_whose_reader_has_gone_or_whose_deadline_passed_leaves_no_statement_behind() {
    let (_cluster, database) = server("").await;
    let site = crate::support::site::Site::new(&database);
    let config = site.config();
    let add = ["user", "add", "amina", "--role", "analyst", "--password-file", "-"];
    assert!(process::run_with_input(&config, add, "correct horse battery\n").await.status.success());
    let web = Process::start("web", &config).await;
    let mut browser = Browser::new(flow::web_address(&web).await);
    assert_eq!(browser.sign_in("amina", "correct horse battery").await.status, 303);
    let mut admin = database.admin().await;
    let mut holder = database.admin().await;
    holder.execute("BEGIN; LOCK TABLE submission IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let waits = "SELECT least(count(*), 1) FROM pg_stat_activity WHERE usename = 'test-web' AND state = 'active' AND wait_event_type = 'Lock'";
    let mut reader = browser.clone();
    let request = tokio::spawn(async move { reader.get("/elections/test").await });
    until(&mut admin, waits, 1).await;
    request.abort();
    let gone = Instant::now();
    until(&mut admin, waits, 0).await;
    let reader_gone = gone.elapsed();
    assert!(reader_gone < Duration::from_secs(4), "{reader_gone:?}");
    // And one who waits: the deadline ends it on both sides.
    let begun = Instant::now();
    let answer = browser.get("/elections/test").await;
    assert!(answer.status >= 500, "{}", answer.status);
    let told = begun.elapsed();
    until(&mut admin, waits, 0).await;
    let both = begun.elapsed();
    assert!(both < told + Duration::from_secs(2), "{both:?}");
    holder.execute("ROLLBACK").await.unwrap();
    while browser.get("/elections/test").await.status != 200 {
        assert!(begun.elapsed() < STANDSTILL, "the page does not come back");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    figure(
        "a page whose reader has gone, or whose deadline passed",
        &format!(
            "its statement ends on the server too | {reader_gone:.1?} after the reader went; told after {told:.1?} | nothing"
        ),
    );
}
