//! What the web's database role may not do, and what no page shows.

use super::*;
use crate::web::sign_in::PRIVATE;

#[tokio::test]
async fn the_web_s_role_cannot_read_numbers_and_names_nor_write_election_data() {
    let dashboard = Dashboard::start().await;
    let mut web = dashboard.database.connect(WEB).await;
    for sql in [
        "SELECT msisdn FROM phone",
        "SELECT * FROM phone",
        "SELECT name FROM observer_person",
        "SELECT record FROM set_aside",
        "SELECT source FROM segment_set",
        "UPDATE submission SET missing = 0",
        "INSERT INTO revision SELECT * FROM revision",
        "DELETE FROM message",
        "UPDATE outbox SET state = 'due'",
        "UPDATE election SET state = 'closed'",
        "UPDATE web_user SET role = 'admin'",
        "UPDATE web_user SET password_hash = ''",
        "INSERT INTO web_user (name, role, password_hash) VALUES ('x', 'admin', '')",
        "UPDATE submission_1 SET missing = 0",
        "SELECT * FROM submission_1",
    ] {
        let error = web.execute(sql).await.expect_err(sql);
        assert_eq!(error.as_database_error().and_then(|e| e.code()).as_deref(), Some("42501"), "{sql}: {error}");
    }
    let masked: String = sqlx::query_scalar("SELECT masked FROM phone WHERE id = 1").fetch_one(&mut web).await.unwrap();
    assert_eq!(masked, "234••••••••77");
}

#[tokio::test]
async fn no_page_shows_a_whole_number_or_an_observer_s_name() {
    let dashboard = Dashboard::start().await;
    let mut browser = dashboard.person().await;
    let numbers: Vec<String> = sqlx::query_scalar("SELECT msisdn FROM phone WHERE length(msisdn) > 5")
        .fetch_all(&mut dashboard.database.admin().await)
        .await
        .unwrap();
    for path in PRIVATE {
        let body = browser.get(path).await.body;
        assert!(!numbers.iter().any(|n| body.contains(n.as_str())), "{path} shows a number");
        assert!(!body.contains("Observer Number"), "{path} shows a name");
    }
    assert!(browser.get("/messages").await.body.contains("••••"));
}
