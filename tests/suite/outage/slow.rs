//! PostgreSQL is slow: batches shrink until they fit its deadline, and stay so.

use std::time::Instant;

use super::{change, said_away, said_troubled, server, sessions};
use crate::support::flow::Flow;
use crate::support::torture::figure;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_database_gets_smaller_batches_until_they_fit_its_deadline() {
    let (_cluster, database) = server("").await;
    change(
        &database,
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.1); RETURN NULL; END $$;
         CREATE TRIGGER slow AFTER INSERT ON message FOR EACH ROW EXECUTE FUNCTION slow()",
    )
    .await;
    let mut flow = Flow::start(&database, None, "deadline_seconds = 1\n").await;
    let mut admin = database.admin().await;
    let begun = Instant::now();
    flow.feed(160).await;
    flow.until_stored(&mut admin, 160).await;
    let took = begun.elapsed();
    let doubled = flow.check(&mut admin).await;
    let log = flow.worker.log();
    assert_eq!((said_away(&flow), sessions(&flow)), (0, 1), "slowness is met in the lanes\n{log}");
    assert!((1..=2).contains(&said_troubled(&flow)), "said once, not once a try\n{log}");
    figure(
        "PostgreSQL is slow (100 ms a message, deadline 1 s)",
        &format!(
            "batches shrink until they fit | 160 messages in {took:.1?} | 0 of {} lost, {doubled} replies doubled",
            flow.fed()
        ),
    );
    flow.stop().await;
}
