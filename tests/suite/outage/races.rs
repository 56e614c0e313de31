//! Deadlocks, serialization failures, and a race that is never won.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use scrutineer::limits::BATCH_RACES_MAX;
use sqlx::Executor;

use super::{change, said_away, server};
use crate::support::flow::{Flow, number};
use crate::support::replica::until;
use crate::support::torture::{figure, rounds};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deadlocks_and_serialization_failures_cost_a_try_and_nothing_else() {
    let (cluster, database) = server("deadlock_timeout = '20ms'").await;
    change(&database, "ALTER ROLE \"test-worker\" SET default_transaction_isolation = 'serializable'").await;
    let mut flow = Flow::start(&database, None, "").await;
    let mut admin = database.admin().await;
    flow.feed(400).await;
    flow.until_stored(&mut admin, 400).await;
    // Somebody who takes two submissions in the other order, again and again.
    let over = Arc::new(AtomicBool::new(false));
    let mut rivals = Vec::new();
    for _ in 0..2 {
        let (mut rival, over) = (database.admin().await, Arc::clone(&over));
        rivals.push(tokio::spawn(async move {
            while !over.load(Ordering::Relaxed) {
                let all = "BEGIN; DO $$ DECLARE one uuid; BEGIN
                    FOR one IN SELECT id FROM submission ORDER BY id DESC LOOP
                        UPDATE submission SET missing = missing WHERE id = one;
                    END LOOP; END $$; COMMIT";
                if rival.execute(all).await.is_err() {
                    rival.execute("ROLLBACK").await.unwrap();
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }));
    }
    flow.feed(rounds(600, 6_000) as u64).await;
    flow.until_stored(&mut admin, flow.fed()).await;
    over.store(true, Ordering::Relaxed);
    for rival in rivals {
        rival.await.unwrap();
    }
    let doubled = flow.check(&mut admin).await;
    let sql = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    let deadlocks = number(&mut admin, sql).await;
    let failures = cluster.log().matches("could not serialize access").count();
    assert!(deadlocks > 0 && failures > 0, "{deadlocks} deadlocks, {failures} serialization failures");
    assert_eq!(said_away(&flow), 0, "a race that was lost is no outage\n{}", flow.worker.log());
    figure(
        "deadlocks and serialization failures",
        &format!(
            "{deadlocks} deadlocks, {failures} serialization failures: the batch is tried again | at once | 0 of {} lost, {doubled} replies doubled",
            flow.fed()
        ),
    );
    flow.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_loses_every_race_is_begun_anew_from_the_watermark() {
    let (_cluster, database) = server("").await;
    change(
        &database,
        "CREATE TABLE losing (yes boolean); INSERT INTO losing VALUES (true);
         CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
             IF EXISTS (SELECT FROM public.losing) THEN
                 RAISE EXCEPTION 'lost on purpose' USING ERRCODE = '40001';
             END IF;
             RETURN NULL; END $$;
         CREATE TRIGGER lose AFTER INSERT ON message FOR EACH STATEMENT EXECUTE FUNCTION lose()",
    )
    .await;
    let mut flow = Flow::start(&database, None, "").await;
    flow.feed(100).await;
    let line = flow.worker.logged("a batch lost every race").await;
    assert!(line.contains(&format!("tries={BATCH_RACES_MAX}")), "{line}");
    assert_eq!(number(&mut database.admin().await, "SELECT count(*) FROM message").await, 0);
    change(&database, "TRUNCATE losing").await;
    let mut admin = database.admin().await;
    flow.until_stored(&mut admin, 100).await;
    until(&mut admin, "SELECT count(*) FROM set_aside", 0).await;
    assert_eq!(flow.check(&mut admin).await, 0);
    assert_eq!(said_away(&flow), 0, "{}", flow.worker.log());
    flow.stop().await;
}
