//! What was not understood, and asking for it to be read anew: who may, what is noted, what is shown.

use scrutineer::store::{Store, user};
use sqlx::Row;

use super::*;

const MESSAGE: &str = "/messages/0190a0a0-0000-7000-8000-000000000001/20";

/// A browser of a person of this role.
async fn of_role(dashboard: &Dashboard, name: &str, role: &str) -> Browser {
    let owner = Store::new(&dashboard.database.store_options(OWNER, 1));
    assert!(user::add(&owner, name, role, &password::hash(PASSWORD).unwrap()).await.unwrap());
    let mut browser = dashboard.stranger();
    assert_eq!(browser.sign_in(name, PASSWORD).await.status, 303);
    browser
}

async fn requests(dashboard: &Dashboard) -> Vec<(String, serde_json::Value)> {
    sqlx::query("SELECT made_by, payload FROM request ORDER BY id")
        .fetch_all(&mut dashboard.database.admin().await)
        .await
        .unwrap()
        .into_iter()
        .map(|r| (r.get(0), r.get(1)))
        .collect()
}

#[tokio::test]
async fn the_list_says_what_is_wrong_of_whom_it_shows_no_number_and_filters() {
    let dashboard = Dashboard::start().await;
    let hostile = "UPDATE message SET outcome = 'unclear', text = '<script>alert(1)</script>\u{202e}x', reading =
        '{\"reports\": [{\"prefix\": \"OP\", \"rejected\": [{\"code\": \"AB\", \"value\": \"<b>5 6</b>\", \"reason\": \"unclear\"}], \"leftover\": \"<i>hi</i>\"}]}'
        WHERE sequence = 20 AND spool_id = 1";
    dashboard.change(hostile).await;
    let mut browser = dashboard.person().await;
    let page = browser.get("/trouble?outcome=unclear").await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(
        !page.body.contains("<script>") && !page.body.contains("<b>5 6") && !page.body.contains("<i>hi"),
        "escaped"
    );
    assert!(
        page.body.contains("can be read in more than one way") && page.body.contains("not understood: &lt;i&gt;hi")
    );
    assert!(page.body.contains("••••"));
    assert!(page.body.contains("action=\"/requests\""), "an analyst may ask");
    let unclear: i64 = dashboard.value("SELECT count(*) FROM message WHERE outcome = 'unclear'").await;
    let filtered = browser.get("/trouble?outcome=unclear").await.body;
    assert!(filtered.contains(&format!("<dt>unclear</dt><dd>{unclear}</dd>")), "{filtered}");
    assert!(!filtered.contains("<dt>unknown observer</dt>"));
    assert_eq!(browser.get("/trouble?outcome=nonsense").await.status, 404);
    assert_eq!(browser.get("/trouble?hours=x").await.status, 404);
    let none = browser.get("/trouble?hours=1").await.body;
    assert!(none.contains("There is none."), "the fixture's are older");
}

#[tokio::test]
async fn those_who_may_ask_and_the_web_only_notes_it() {
    let dashboard = Dashboard::start().await;
    let spool = "0190a0a0-0000-7000-8000-000000000001";
    let form =
        [("spool", spool), ("sequence", "20"), ("text", "OP 200007 AB5\r\nAC2"), ("why", "called"), ("preview", "1")];
    let before: String =
        dashboard.value("SELECT md5(string_agg(m::text, '' ORDER BY spool_id, sequence)) FROM message m").await;

    let mut viewer = of_role(&dashboard, "vera", "viewer").await;
    assert!(!viewer.get(MESSAGE).await.body.contains("action=\"/requests\""));
    assert!(!viewer.get("/trouble").await.body.contains("action=\"/requests\""));
    let refused = viewer.post("/requests", &form).await;
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("Your role"), "{}", refused.body);
    assert_eq!(dashboard.stranger().post("/requests", &form).await.status, 303, "to the sign-in");
    assert!(requests(&dashboard).await.is_empty());

    let mut browser = dashboard.person().await;
    let foreign = browser
        .post_with("/requests", &form, &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")])
        .await;
    assert_eq!(foreign.status, 403);
    assert!(requests(&dashboard).await.is_empty(), "another site's form is refused");
    for (field, value) in [("why", ""), ("text", "  "), ("spool", "x"), ("sequence", "x")] {
        let bad = form.map(|(n, v)| (n, if n == field { value } else { v }));
        assert_eq!(browser.post("/requests", &bad).await.status, 400, "{field}");
    }
    assert_eq!(browser.post("/requests", &[("outcomes", "nonsense")]).await.status, 400);

    let answer = browser.post("/requests", &form).await;
    assert_eq!(answer.status, 303);
    let page = answer.header("location").to_owned();
    let many =
        [("outcomes", "unclear,unknown_observer"), ("election", "general-2026"), ("hours", "24"), ("why", "roster")];
    assert_eq!(browser.post("/requests", &many).await.status, 303);
    let made = requests(&dashboard).await;
    assert_eq!(made.len(), 2);
    assert_eq!(made[0].0, NAME);
    assert_eq!(made[0].1["text"], "OP 200007 AB5\nAC2");
    assert_eq!((&made[0].1["preview"], &made[0].1["reply"]), (&true.into(), &false.into()));
    assert_eq!(made[1].1["outcomes"], serde_json::json!(["unclear", "unknown_observer"]));
    assert!(made[1].1["since"].is_string());
    let after: String =
        dashboard.value("SELECT md5(string_agg(m::text, '' ORDER BY spool_id, sequence)) FROM message m").await;
    assert_eq!(before, after, "nothing of the election is written");

    // Until a worker took it up the page loads itself again; then it shows what came of it, and leads on.
    let waiting = browser.get(&page).await;
    assert_eq!((waiting.status, waiting.header("refresh")), (200, "2"));
    assert!(waiting.body.contains("waits for a worker"));
    dashboard
        .change(
            "UPDATE request SET state = 'done', done_at = now(), result = '{\"preview\": true, \"looked\": 1, \"changed\": 1,
               \"outcomes\": {\"unclear → accepted\": 1}, \"texts\": [{\"spool\": \"0190a0a0-0000-7000-8000-000000000001\", \"sequence\": 20,
               \"message\": \"0190a0a0:20\", \"text\": \"<script>x</script>\", \"before\": \"unclear\", \"after\": \"accepted\",
               \"answers\": [[\"OP 200007 AB\", null, \"<u>5</u>\"]], \"reply\": \"<p>thanks\", \"error\": null}]}' WHERE id = 1",
        )
        .await;
    let done = browser.get(&page).await;
    assert_eq!((done.status, done.header("refresh")), (200, ""));
    assert!(
        done.body.contains("unclear → accepted") && done.body.contains("Do it, and answer nobody"),
        "{}",
        done.body
    );
    assert!(!done.body.contains("<script>x") && !done.body.contains("<u>5") && !done.body.contains("<p>thanks"));
    assert!(!viewer.get(&page).await.body.contains("Do it"));
    let list = browser.get("/requests").await.body;
    assert!(list.contains("Corrected reading of one message") && list.contains("Messages read once more"), "{list}");
    assert_eq!(browser.get("/requests/99").await.status, 404);
    assert_eq!(browser.get("/requests/x").await.status, 404);
}

#[tokio::test]
async fn a_message_shows_how_it_was_read_before() {
    let dashboard = Dashboard::start().await;
    dashboard
        .change(
            "INSERT INTO reading (spool_id, sequence, number, text, made_by, why, request_id, outcome_before, submissions_before, outcome)
             SELECT id, 20, 1, 'OP 200007 <AB5>', 'amina', 'called <them>', 7, 'unclear', '{}', 'accepted' FROM spool
             WHERE uuid = '0190a0a0-0000-7000-8000-000000000001'",
        )
        .await;
    let page = dashboard.person().await.get(MESSAGE).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("Read anew") && page.body.contains("called &lt;them&gt;"), "{}", page.body);
    assert!(
        !page.body.contains("<AB5>") && page.body.contains(">OP 200007 &#60;AB5&#62;</textarea>"),
        "the form begins with what is read now"
    );
}
