//! The database goes away, comes back, or is not the one that was meant.

use super::*;
use crate::support::cluster::{Cluster, Durability};
use crate::support::soon;

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_is_said_so_and_its_return_needs_no_restart() {
    let cluster = Cluster::start(Durability::Synced);
    let dashboard = Dashboard::on(pg::database_on(&cluster).await, false).await;
    dashboard.fill().await;
    let mut browser = dashboard.person().await;
    assert_eq!(browser.get("/elections/general-2026").await.status, 200);
    cluster.kill();
    for path in ["/elections/general-2026", "/status", "/sign-in"] {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, 503, "{path}: {}", answer.body);
        assert!(answer.body.contains("The database is away"), "{path}: {}", answer.body);
        assert!(!answer.header("retry-after").is_empty(), "{path}");
    }
    let health = browser.get("/healthz").await;
    assert_eq!(health.status, 200, "this process is well");
    cluster.up();
    soon("the pages' return", async {
        while browser.get("/elections/general-2026").await.status != 200 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_database_that_is_not_migrated_is_said_so_with_the_command_that_mends_it() {
    let dashboard = Dashboard::on(pg::empty_database().await, false).await;
    let mut browser = dashboard.stranger();
    browser.cookie = Some("scrutineer=AAAAAAAAAAAAAAAAAAAAAA".to_owned());
    soon("a look at the database", async {
        while !browser.get("/healthz").await.body.contains("another schema") {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for answer in [browser.get("/elections").await, browser.sign_in(NAME, PASSWORD).await] {
        assert!(answer.body.contains("scrutineer migrate"), "{}: {}", answer.status, answer.body);
        assert_eq!(answer.status, 503);
    }
}
