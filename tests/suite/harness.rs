//! The helpers themselves: what every other topic leans on.

use sqlx::Row;

use super::support::cluster::{Cluster, Durability};
use super::support::{pg, torture};

#[tokio::test]
async fn each_test_has_a_migrated_database_of_its_own() {
    let (one, other) = (pg::database().await, pg::database().await);
    let mut owner = one.owner().await;
    sqlx::query("INSERT INTO election (slug, name) VALUES ('one', 'One')").execute(&mut owner).await.unwrap();
    let elsewhere = sqlx::query("SELECT count(*) FROM election").fetch_one(&mut other.owner().await).await.unwrap();
    assert_eq!(elsewhere.get::<i64, _>(0), 0);
}

#[tokio::test]
async fn the_logins_of_worker_and_web_have_their_roles_rights_and_no_more() {
    let database = pg::database().await;
    let mut worker = database.connect(pg::WORKER).await;
    sqlx::query("SELECT count(*) FROM message").execute(&mut worker).await.unwrap();
    sqlx::query("SELECT count(*) FROM web_user").execute(&mut worker).await.unwrap_err();
    let mut web = database.connect(pg::WEB).await;
    sqlx::query("SELECT count(*) FROM message").execute(&mut web).await.unwrap();
    sqlx::query("INSERT INTO election (slug, name) VALUES ('x', 'X')").execute(&mut web).await.unwrap_err();
    sqlx::query("SELECT msisdn FROM phone").execute(&mut web).await.unwrap_err();
}

#[tokio::test]
async fn a_cluster_that_was_killed_comes_back_with_what_was_committed() {
    let cluster = Cluster::start(Durability::Synced);
    let database = pg::database_on(&cluster).await;
    let mut owner = database.owner().await;
    sqlx::query("INSERT INTO election (slug, name) VALUES ('one', 'One')").execute(&mut owner).await.unwrap();
    cluster.kill();
    sqlx::query("SELECT 1").execute(&mut owner).await.unwrap_err();
    cluster.up();
    let found = sqlx::query("SELECT count(*) FROM election").fetch_one(&mut database.owner().await).await.unwrap();
    assert_eq!(found.get::<i64, _>(0), 1);
}

#[test]
fn a_seed_stays_the_same_within_a_run_and_a_test_has_its_short_or_its_long_form() {
    assert_eq!(torture::seed(), torture::seed());
    let long = std::env::var("SCRUTINEER_TORTURE").is_ok_and(|value| value == "1");
    assert_eq!(torture::rounds(3, 300), if long { 300 } else { 3 });
}
