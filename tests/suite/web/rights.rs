//! What the web's database role may not do, and what no page shows.

use super::*;
use crate::support::soon;
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

/// An address of each route that exists in the fixture. A route without one fails the tests.
pub(crate) fn address(route: &str) -> String {
    const SUBMISSION: &str = "8e20e5f0-a627-b4dd-4ded-c41a597ab672";
    const OF_ROUTE: [(&str, &str); 2] = [
        ("/messages/{spool}/{sequence}", "/messages/0190a0a0-0000-7000-8000-000000000001/20"),
        ("/requests/{id}", "/requests/1"),
    ];
    if let Some((_, address)) = OF_ROUTE.iter().find(|(r, _)| *r == route) {
        return (*address).to_owned();
    }
    let address =
        route.replace("{slug}", "general-2026").replace("submissions/{id}", &format!("submissions/{SUBMISSION}"));
    assert!(!address.contains('{'), "no address is known for {route}: add one to OF_ROUTE");
    address
}

#[tokio::test]
async fn each_page_is_open_to_just_those_roles_that_the_table_names() {
    let dashboard = Dashboard::start().await;
    dashboard.change("INSERT INTO request (kind, made_by) VALUES ('reread', 'amina')").await;
    let mut browser = dashboard.person().await;
    for role in web::Role::ALL {
        let mut owner = dashboard.database.owner().await;
        sqlx::query("UPDATE web_user SET role = $1").bind(role.as_str()).execute(&mut owner).await.unwrap();
        let word = format!(">{}<", role.as_str());
        soon("the new role", async { while !browser.get("/elections").await.body.contains(&word) {} }).await;
        for (route, right) in web::routes() {
            let answer = match right {
                web::Right::Ask => browser.post(&address(route), &[]).await,
                _ => browser.get(&address(route)).await,
            };
            let refused = answer.status == 403 && answer.body.contains("Not yours to do");
            assert_eq!(!refused, right.is_of(role), "{role:?} {route} {right:?}: {} {}", answer.status, answer.body);
            // Who may is answered: a form that asks for nothing is not understood, and no page fails.
            assert!(refused || [200, 303, 400].contains(&answer.status), "{route}: {} {}", answer.status, answer.body);
        }
    }
}
