//! From the form in the browser over the request to the worker and back to the page, as processes.

use super::process::address;
use super::*;
use crate::support::peer::{Delivery, Peer};
use crate::support::process::run;
use crate::support::site::Site;
use crate::support::{poll, soon};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_person_asks_in_the_browser_is_done_by_the_worker_and_shown_by_the_page() {
    let database = pg::database().await;
    let mut peer = Peer::start(serde_json::json!({})).await;
    let site = Site::new(&database).link_with("smsc", peer.port, "reconnect_seconds_max = 1");
    poll::book("poll", 5).set_up(&site).await;
    let config = site.config();
    let file = site.file("password", format!("{PASSWORD}\n"));
    let add = ["user", "add", NAME, "--role", "analyst", "--password-file", file.to_str().unwrap()];
    assert!(run(&config, add).await.status.success());
    let (_gateway, _worker) = (site.start("gateway").await, site.start("worker").await);
    let web = site.start("web").await;
    peer.deliver(&[Delivery::text(1, &poll::phone(0), &poll::report(0, "AA5 AA6"))]).await;
    let find =
        "SELECT s.uuid::text, m.sequence FROM message m JOIN spool s ON s.id = m.spool_id WHERE m.outcome = 'unclear'";
    let (spool, sequence): (String, i64) = soon("the message", async {
        loop {
            if let Some(row) = sqlx::query_as(find).fetch_optional(&mut database.admin().await).await.unwrap() {
                return row;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let mut browser = Browser::new(address(&web).await);
    assert_eq!(browser.sign_in(NAME, PASSWORD).await.status, 303);
    let text = poll::report(0, "AA6");
    let number = sequence.to_string();
    let form =
        [("spool", spool.as_str()), ("sequence", &number), ("text", &text), ("why", "called back"), ("reply", "1")];
    let page = browser.post("/requests", &form).await.header("location").to_owned();
    soon("the page to say that it is done", async {
        while browser.get(&page).await.body.contains("waits for a worker") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let shown = browser.get(&page).await.body;
    assert!(shown.contains("accepted"), "{shown}");
    let message = browser.get(&format!("/messages/{spool}/{sequence}")).await.body;
    assert!(message.contains("called back") && message.contains("AA6"), "{message}");
    let answer: String = sqlx::query_scalar("SELECT answers->>'AA' FROM submission")
        .fetch_one(&mut database.admin().await)
        .await
        .unwrap();
    assert_eq!(answer, "6");
    soon("the observer is answered", async {
        while !peer.journal().iter().any(|e| e["event"] == "submit" && e.to_string().contains("1 answer recorded")) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}
