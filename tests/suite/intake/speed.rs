//! How fast the intake is: not part of a run, as it says nothing on a machine that does other things.
//! `cargo nextest run --release --run-ignored only -E 'test(intake::speed)' --no-capture`, where
//! `SCRUTINEER_SPEED_URL_HOST` may name another server's socket folder.

use std::time::Instant;

use super::gateway::Gateway;
use super::{Worker, elect, number, phone};
use crate::support::pg;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn texts_with_eleven_answers_each_through_the_intake() {
    let count: u32 = std::env::var("SCRUTINEER_SPEED_TEXTS").ok().and_then(|n| n.parse().ok()).unwrap_or(50_000);
    let observers: u32 =
        std::env::var("SCRUTINEER_SPEED_OBSERVERS").ok().and_then(|n| n.parse().ok()).unwrap_or(50_000);
    let lanes: u16 = std::env::var("SCRUTINEER_SPEED_LANES").ok().and_then(|n| n.parse().ok()).unwrap_or(4);
    let answered = std::env::var("SCRUTINEER_SPEED_ANSWERED").is_ok();
    let database = pg::database().await;
    elect(&mut database.owner().await, i32::try_from(observers).unwrap()).await;
    let gateway = Gateway::new();
    if !answered {
        gateway.answer(|_| None);
    }
    let last = gateway.texts((0..count).map(|n| {
        let observer = n % observers + 1;
        let answers: String = ["AA", "AB", "AC", "AD", "AE", "AF", "AG", "AH", "AI", "AJ", "AK"]
            .iter()
            .enumerate()
            .map(|(i, code)| format!("{code}{} ", (n as usize * 7 + i) % 900))
            .collect();
        (phone(observer), format!("PS {} {}", 100_000 + observer, answers))
    }));
    let began = Instant::now();
    let worker = Worker::with(&database, &gateway, lanes, 600);
    gateway.committed_within(last, std::time::Duration::from_secs(300)).await;
    let texts = began.elapsed();
    if answered {
        gateway.settled(count as usize).await;
    }
    let all = began.elapsed();
    let mut db = database.owner().await;
    assert_eq!(number(&mut db, "SELECT count(*) FROM message").await, i64::from(count));
    println!(
        "{count} texts of {observers} observers, {lanes} lanes: committed in {texts:.2?}, {:.0} a second; all settled in {all:.2?}",
        f64::from(count) / texts.as_secs_f64()
    );
    worker.stop().await;
}
