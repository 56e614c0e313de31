//! Away and refusing.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use sqlx::{Connection, PgConnection};

use super::{change, said_away, server};
use crate::support::flow::{Flow, number};
use crate::support::pg::Database;
use crate::support::replica::until;
use crate::support::torture::{figure, is_long, rounds};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_of_an_hour_are_acknowledged_while_the_database_is_away_and_stored_when_it_is_back() {
    let (cluster, database) = server("").await;
    let mut flow = Flow::start(&database, None, "").await;
    flow.feed(200).await;
    flow.until_stored(&mut database.admin().await, 100).await;
    cluster.kill();
    let load = rounds(2_000, 11_000) as u64;
    let begun = Instant::now();
    flow.feed(load).await;
    flow.until_acknowledged(200 + load).await;
    let acknowledged = begun.elapsed();
    flow.worker.logged("the database is away").await;
    if is_long() {
        tokio::time::sleep(Duration::from_secs(300)).await;
    }
    assert_eq!(said_away(&flow), 1, "the state is said once\n{}", flow.worker.log());
    cluster.up();
    let mut admin = database.admin().await;
    let had = u64::try_from(number(&mut admin, "SELECT count(*) FROM message").await).unwrap();
    let first = flow.until_stored(&mut admin, had + 1).await;
    assert!(first < Duration::from_secs(10), "{first:?}");
    let drained = first + flow.until_stored(&mut admin, flow.fed()).await;
    let doubled = flow.check(&mut admin).await;
    figure(
        "PostgreSQL away while texts come in",
        &format!(
            "{load} texts acknowledged and spooled meanwhile, in {acknowledged:.1?} | first stored {first:.1?} after its return, all {drained:.1?} | 0 of {} lost, {doubled} replies doubled",
            flow.fed()
        ),
    );
    flow.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_shuts_down_or_refuses_is_waited_for_whatever_its_reason() {
    let (cluster, database) = server("").await;
    let mut flow = Flow::start(&database, None, "").await;
    let end_worker = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'test-worker'";
    let hba = cluster.socket_dir().join("data/pg_hba.conf");
    let lets_in = std::fs::read_to_string(&hba).unwrap();
    let mut worst = Duration::ZERO;
    for refusal in ["fast", "immediate", "smart", "too many", "hba"] {
        let (before, away) = (flow.fed(), said_away(&flow));
        flow.feed(200).await;
        let mut admin = database.admin().await;
        flow.until_stored(&mut admin, before + 60).await;
        match refusal {
            "fast" | "immediate" => {
                cluster.signal(if refusal == "fast" { Signal::INT } else { Signal::QUIT });
                tokio::task::block_in_place(|| cluster.wait());
            }
            "smart" => {
                // It lets whoever is connected go on, and nobody new in; a fast one ends that.
                cluster.signal(Signal::TERM);
                flow.until_stored(&mut admin, before + 200).await;
                cluster.signal(Signal::INT);
                tokio::task::block_in_place(|| cluster.wait());
            }
            "too many" => {
                change(&database, "ALTER ROLE \"test-worker\" CONNECTION LIMIT 0").await;
                number(&mut admin, end_worker).await;
            }
            _ => {
                std::fs::write(&hba, "local all postgres trust\nlocal all all reject\n").unwrap();
                number(&mut admin, "SELECT count(pg_reload_conf())").await;
                until_refused(&database).await;
                number(&mut admin, end_worker).await;
            }
        }
        drop(admin);
        flow.worker.logged_times("the database is away", away + 1).await;
        flow.feed(100).await;
        flow.until_acknowledged(flow.fed()).await;
        match refusal {
            "too many" => change(&database, "ALTER ROLE \"test-worker\" CONNECTION LIMIT -1").await,
            "hba" => {
                std::fs::write(&hba, &lets_in).unwrap();
                change(&database, "SELECT pg_reload_conf()").await;
            }
            _ => tokio::task::block_in_place(|| cluster.up()),
        }
        let mut admin = database.admin().await;
        let took = flow.until_stored(&mut admin, before + 300).await;
        println!("{refusal}: all stored {took:.1?} after its end");
        assert!(took < Duration::from_secs(20), "{refusal}: {took:?}");
        worst = worst.max(took);
        until(&mut admin, "SELECT count(*) FROM outbox WHERE state IN ('due', 'leased')", 0).await;
    }
    let said = said_away(&flow);
    assert!((5..=10).contains(&said), "the state is said once a change, not {said} times\n{}", flow.worker.log());
    let doubled = flow.check(&mut database.admin().await).await;
    figure(
        "PostgreSQL shuts down (smart, fast, immediate), is full of clients, or lets nobody in",
        &format!(
            "waited for | all stored {worst:.1?} at most after its end | 0 of {} lost, {doubled} replies doubled",
            flow.fed()
        ),
    );
    flow.stop().await;
}

/// The server reads its rules anew some time after it was told to.
async fn until_refused(database: &Database) {
    let begun = Instant::now();
    while PgConnection::connect_with(&database.options("test-worker")).await.is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the server lets everyone in still");
    }
}
