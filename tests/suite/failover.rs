//! Failing over to a standby, two hosts in the setting: the writes follow the primary by themselves,
//! also when the standby lacks the last commits.

use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::Executor;

use super::support::flow::{self, Flow, number};
use super::support::pg;
use super::support::process::{self, Process};
use super::support::replica::{Pair, until};
use super::support::torture::{figure, rounds};

/// Texts of one phase.
fn some() -> u64 {
    rounds(300, 3_000) as u64
}

async fn flow(pair: &Pair) -> Flow {
    flow::elect(&mut pg::connect(pair.first.socket_dir(), pg::OWNER, &pair.database.name).await).await;
    Flow::start(&pair.database, Some(&pair.hosts()), "").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_follow_the_primary_and_an_old_one_that_comes_back_is_left() {
    let pair = Pair::start(true).await;
    let mut flow = flow(&pair).await;
    flow.feed(some()).await;
    flow.until_stored(&mut pair.on_first().await, some() / 3).await;
    let killed = Instant::now();
    pair.first.kill();
    pair.promote().await;
    let promoted = Instant::now();
    flow.feed(some()).await;
    let mut second = pair.on_second().await;
    let had = number(&mut second, "SELECT count(*) FROM message").await;
    flow.until_stored(&mut second, u64::try_from(had).unwrap() + 1).await;
    let (after_kill, after_promotion) = (killed.elapsed(), promoted.elapsed());
    flow.worker.logged("another database host takes the writes").await;
    flow.until_stored(&mut second, 2 * some()).await;

    // The old primary comes back, writable, as nobody told it; a new worker must know which is which.
    pair.first.up();
    let mut first = pair.on_first().await;
    first.execute("ALTER SYSTEM SET synchronous_standby_names = ''").await.unwrap();
    first.execute("SELECT pg_reload_conf()").await.unwrap();
    let stale = number(&mut first, "SELECT count(*) FROM message").await;
    flow.worker.kill().await;
    flow.worker = Process::start("worker", &flow.config).await;
    flow.feed(some()).await;
    flow.until_stored(&mut second, 3 * some()).await;
    assert_eq!(number(&mut first, "SELECT count(*) FROM message").await, stale, "the old primary takes nothing");
    let said = process::run(&flow.config, ["doctor", "--json"]).await;
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(level(&said, "database.primary"), "error", "two primaries are told: {said:#}");
    let doubled = flow.check(&mut second).await;
    figure(
        "PostgreSQL's primary killed, synchronous standby promoted",
        &format!(
            "work goes on at the standby | {after_kill:.1?}, {after_promotion:.1?} after the promotion | 0 of {} lost, {doubled} replies doubled",
            flow.fed()
        ),
    );
    flow.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_that_the_standby_lacks_are_made_again_and_nobody_is_answered_twice() {
    let pair = Pair::start(false).await;
    let mut flow = flow(&pair).await;
    flow.feed(some()).await;
    let mut first = pair.on_first().await;
    flow.until_stored(&mut first, some()).await;
    flow.until_replied(some() as usize).await;
    pair.cut().await;
    // These are committed, and answered, on a primary whose standby knows nothing of them.
    flow.feed(some()).await;
    flow.until_stored(&mut first, 2 * some()).await;
    flow.until_replied(2 * some() as usize).await;
    drop(first);
    flow.feed(some()).await;
    pair.first.kill();
    pair.promote().await;
    let mut second = pair.on_second().await;
    let lost = 2 * some() as i64 - number(&mut second, "SELECT count(*) FROM message").await;
    assert!(lost > 0, "the standby lacks commits");
    flow.worker.logged("it lost its last commits; rewinding").await;
    let doubled = flow.check(&mut second).await;
    assert_eq!(doubled, 0, "what was answered before is not answered again");
    figure(
        "asynchronous standby that lacks the last commits",
        &format!(
            "{lost} commits read again from the gateway | until the standby is promoted | 0 of {} lost, {doubled} replies doubled",
            flow.fed()
        ),
    );
    flow.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_still_takes_writes_is_left_when_another_took_over() {
    let pair = Pair::start(false).await;
    let mut flow = flow(&pair).await;
    flow.feed(some()).await;
    let mut first = pair.on_first().await;
    flow.until_stored(&mut first, some()).await;
    // Nobody stopped the old one.
    pair.promote().await;
    let promoted = Instant::now();
    flow.feed(some()).await;
    // Some of it goes to the old one, until the newer one is found.
    flow.until_stored(&mut first, some() + 1).await;
    let mut second = pair.on_second().await;
    flow.until_stored(&mut second, 2 * some()).await;
    let left = promoted.elapsed();
    flow.feed(some()).await;
    let doubled = flow.check(&mut second).await;
    assert!(number(&mut first, "SELECT count(*) FROM message").await < flow.fed() as i64, "the old one was left");
    figure(
        "two primaries at once (the old one was not stopped)",
        &format!(
            "the newer one is found; what only the old one has is read again | {left:.1?} | 0 of {} lost, {doubled} replies doubled",
            flow.fed()
        ),
    );
    flow.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_became_read_only_is_left_and_commands_find_the_primary_too() {
    let pair = Pair::start(false).await;
    let mut flow = flow(&pair).await;
    flow.feed(50).await;
    let mut first = pair.on_first().await;
    flow.until_stored(&mut first, 50).await;
    let said = process::run(&flow.config, ["doctor", "--json"]).await;
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    let host =
        |server: &super::support::cluster::Cluster| format!("database.host.{}:5432", server.socket_dir().display());
    let what = |said: &Value, check: &str| finding(said, check)["what"].as_str().unwrap().to_owned();
    assert!(what(&said, &host(&pair.first)).starts_with("primary"), "{said:#}");
    assert!(what(&said, &host(&pair.second)).starts_with("standby"), "{said:#}");
    first.execute("ALTER SYSTEM SET default_transaction_read_only = on").await.unwrap();
    first.execute("SELECT pg_reload_conf()").await.unwrap();
    pair.promote().await;
    flow.feed(50).await;
    let mut second = pair.on_second().await;
    flow.until_stored(&mut second, 100).await;
    process::ok(&flow.config, ["election", "create", "next", "--name", "Next"]).await;
    until(&mut second, "SELECT count(*) FROM election WHERE slug = 'next'", 1).await;
    flow.check(&mut second).await;
    flow.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_web_follows_the_primary_within_ten_seconds() {
    let pair = Pair::start(true).await;
    flow::elect(&mut pg::connect(pair.first.socket_dir(), pg::OWNER, &pair.database.name).await).await;
    let site = super::support::site::Site::new(&pair.database);
    let config = flow::configure(&site, &pair.database, Some(&pair.hosts()), "");
    process::run_with_input(
        &config,
        ["user", "add", "amina", "--role", "analyst", "--password-file", "-"],
        "correct horse battery\n",
    )
    .await;
    let web = Process::start("web", &config).await;
    let mut browser = super::web::browser::Browser::new(flow::web_address(&web).await);
    assert_eq!(browser.sign_in("amina", "correct horse battery").await.status, 303);
    assert_eq!(browser.get("/elections/test").await.status, 200);
    pair.first.kill();
    pair.promote().await;
    let promoted = Instant::now();
    while browser.get("/elections/test").await.status != 200 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let took = promoted.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    // The person stays signed in, as the standby has the session.
    assert_eq!(browser.get("/elections").await.status, 200);
    figure(
        "PostgreSQL's primary killed: the web",
        &format!("pages come from the new primary, people stay signed in | {took:.1?} after the promotion | nothing"),
    );
}

fn finding<'a>(said: &'a Value, check: &str) -> &'a Value {
    let found = said["findings"].as_array().unwrap().iter().find(|f| f["check"] == check);
    found.unwrap_or_else(|| panic!("no {check} in {said:#}"))
}

fn level<'a>(said: &'a Value, check: &str) -> &'a str {
    finding(said, check)["level"].as_str().unwrap()
}
