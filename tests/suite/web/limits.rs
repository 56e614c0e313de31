//! Bounds, each reached.

use scrutineer::limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::support::{soon, within};

#[tokio::test]
async fn more_requests_at_once_than_the_bound_are_turned_away_and_later_ones_served() {
    let dashboard = Dashboard::start().await;
    let mut browser = dashboard.person().await;
    // Known from now on, and no stranger.
    assert_eq!(browser.get("/elections").await.status, 200);
    let mut lock = dashboard.database.owner().await;
    lock.execute("BEGIN; LOCK TABLE message IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let held: Vec<_> = (0..limits::WEB_REQUESTS_MAX)
        .map(|_| {
            let mut browser = browser.clone();
            tokio::spawn(async move { browser.get("/messages").await.status })
        })
        .collect();
    let shed = soon("the bound", async {
        loop {
            let answer = browser.get("/sign-in").await;
            if answer.status == 503 && answer.body.contains("Too many people ask at this moment") {
                return answer;
            }
        }
    })
    .await;
    assert_eq!(shed.header("retry-after"), "2");
    lock.execute("ROLLBACK").await.unwrap();
    for one in held {
        // Some waited too long for a connection; none hangs.
        assert!([200, 503].contains(&soon("the end of a held request", one).await.unwrap()));
    }
    assert_eq!(browser.get("/messages").await.status, 200);
}

#[tokio::test]
async fn a_body_or_a_head_past_the_bound_is_refused() {
    let dashboard = Dashboard::on(pg::database().await, false).await;
    let mut browser = dashboard.stranger();
    let long = "x".repeat(limits::WEB_BODY_BYTES_MAX + 1);
    let answer = browser.post("/sign-in", &[("name", "a"), ("password", &long)]).await;
    assert_eq!(answer.status, 413, "{}", answer.body);
    assert!(answer.body.contains("Too large"));
    let answer =
        browser.post("/sign-in", &[("name", "a"), ("password", &"x".repeat(limits::PASSWORD_BYTES_MAX + 1))]).await;
    assert_eq!(answer.status, 403);
    let head = "x".repeat(2 * limits::WEB_HEAD_BYTES_MAX);
    let answer = browser.send("GET", "/sign-in", &[("x-long", &head)], String::new()).await;
    assert_eq!(answer.status, 431);
}

#[tokio::test]
async fn a_connection_that_sends_its_head_too_slowly_is_closed() {
    let dashboard = Dashboard::on(pg::database().await, false).await;
    let mut stream = tokio::net::TcpStream::connect(dashboard.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.unwrap();
    let wait = Duration::from_secs(limits::WEB_HEAD_SECONDS + 15);
    let mut rest = Vec::new();
    within(wait, "the end of a slow connection", stream.read_to_end(&mut rest)).await.unwrap();
    assert!(!String::from_utf8_lossy(&rest).contains("200 OK"));
}

#[tokio::test]
async fn connections_past_the_bound_put_out_those_that_ask_for_nothing_the_longest_first() {
    let dashboard = Dashboard::on(pg::database().await, false).await;
    let mut held = Vec::new();
    for _ in 0..limits::WEB_CONNECTIONS_MAX {
        held.push(tokio::net::TcpStream::connect(dashboard.address).await.unwrap());
    }
    let mut extra = tokio::net::TcpStream::connect(dashboard.address).await.unwrap();
    extra.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut got = String::new();
    soon("the answer", extra.read_to_string(&mut got)).await.unwrap();
    assert!(got.starts_with("HTTP/1.1 200"), "{got}");
    let mut rest = Vec::new();
    let _ = soon("the end of the first", held[0].read_to_end(&mut rest)).await;
    assert!(rest.is_empty());
    let last = held.last_mut().unwrap();
    last.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut got = String::new();
    soon("the answer to the last", last.read_to_string(&mut got)).await.unwrap();
    assert!(got.starts_with("HTTP/1.1 200"), "{got}");
}
