//! A reading that somebody asks for in the web, carried out by the worker and shown by the web.

use super::*;
use crate::web::browser::{Answer, Browser};
use crate::web::process::address;

const PASSWORD: &str = "correct horse battery";

/// The page of a request, once a worker was done with it.
async fn done(browser: &mut Browser, page: &str) -> Answer {
    soon("the page of a request that is done", async {
        loop {
            let answer = browser.get(page).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            if answer.header("refresh").is_empty() {
                return answer;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await
}

/// The hidden fields of the form that leads from a preview to its doing.
fn fields(page: &str) -> Vec<(String, String)> {
    let form = page.split("class=\"ask\"").nth(1).and_then(|rest| rest.split("</form>").next()).unwrap_or_default();
    let field = |part: &str| {
        let (name, rest) = part.split_once("\" value=\"")?;
        Some((name.to_owned(), rest.split_once('"')?.0.to_owned()))
    };
    form.split("type=\"hidden\" name=\"").skip(1).filter_map(field).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_correction_asked_for_in_the_web_is_previewed_carried_out_by_the_worker_and_shown() {
    let database = pg::database().await;
    let mut stand = Stand::new(&database, true, "").await;
    let text = poll::report(0, "AA5 AA6 AB1");
    stand.peer.deliver(&[Delivery::text(1, &poll::phone(0), &text)]).await;
    until(&database, "SELECT count(*) FROM outbox WHERE state IN ('sent', 'delivered')", 1).await;
    let row = sqlx::query("SELECT s.uuid::text, m.sequence::text FROM message m JOIN spool s ON s.id = m.spool_id")
        .fetch_one(&mut database.admin().await)
        .await
        .unwrap();
    let (spool, sequence): (String, String) = (row.get(0), row.get(1));

    let file = stand.site.file("password", format!("{PASSWORD}\n")).display().to_string();
    process::ok(&stand.site.config(), ["user", "add", "amina", "--role", "analyst", "--password-file", &file]).await;
    let web = stand.site.start("web").await;
    let mut browser = Browser::new(address(&web).await);
    assert_eq!(browser.sign_in("amina", PASSWORD).await.status, 303);
    let corrected = poll::report(0, "AA6 AB1 AC2");
    let ask =
        [("spool", &*spool), ("sequence", &*sequence), ("text", &*corrected), ("why", "called"), ("preview", "1")];
    let foreign = browser.post_with("/requests", &ask, &[("sec-fetch-site", "cross-site")]).await;
    assert_eq!(foreign.status, 403);

    let asked = browser.post("/requests", &ask).await;
    assert_eq!(asked.status, 303, "{}", asked.body);
    let preview = done(&mut browser, asked.header("location")).await.body;
    assert!(preview.contains("A preview: nothing is changed") && preview.contains("partial → accepted"), "{preview}");
    assert_eq!(json_of(&database, ANSWERS).await, json!({"AB": 1}));
    assert_eq!(number(&database, "SELECT count(*) FROM request").await, 1, "the other site's form asked for nothing");

    // The preview's own form asks for the same to be done.
    let form = fields(&preview);
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert!(form.contains(&("sequence", &sequence)) && form.contains(&("text", &corrected)), "{form:?}");
    let asked = browser.post("/requests", &form).await;
    assert_eq!(asked.status, 303, "{}", asked.body);
    let shown = done(&mut browser, asked.header("location")).await.body;
    assert!(!shown.contains("A preview") && shown.contains("<dt>Changed</dt><dd>1</dd>"), "{shown}");
    assert!(shown.contains("partial → accepted"), "{shown}");
    assert_eq!(json_of(&database, ANSWERS).await, json!({"AA": 6, "AB": 1, "AC": 2}));
    assert_eq!(json_of(&database, "SELECT to_json(made_by)::text FROM reading").await, json!("amina"));
    let message = browser.get(&format!("/messages/{spool}/{sequence}")).await.body;
    assert!(message.contains("Read anew") && message.contains("called"), "{message}");
    assert_eq!(number(&database, "SELECT count(*) FROM outbox").await, 1, "nobody is sent anything");
}
