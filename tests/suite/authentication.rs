//! Authentication codes on real hosts: a lock holds over restarts and on every host, a command lifts it,
//! and no code stands anywhere that staff look at.

use serde_json::json;
use sqlx::{AssertSqlSafe, Executor, Row};

use super::support::peer::{Delivery, Peer};
use super::support::pg::{self, Database, WEB};
use super::support::poll;
use super::support::process::{ok, run};
use super::support::site::Site;
use super::support::soon;

async fn outcome(database: &Database, number: i64) -> String {
    let sql = "SELECT outcome FROM message ORDER BY received_at, sequence OFFSET $1 LIMIT 1";
    soon(&format!("message {number}"), async {
        loop {
            let row = sqlx::query(sql).bind(number - 1).fetch_optional(&mut database.admin().await).await.unwrap();
            if let Some(row) = row {
                return row.get(0);
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await
}

async fn text(database: &Database, sql: &str) -> String {
    sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_one(&mut database.admin().await).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_codes_lock_on_every_host_until_a_command_lifts_it_and_no_code_is_shown() {
    let database = pg::database().await;
    let mut one = Peer::start(json!({})).await;
    let mut two = Peer::start(json!({})).await;
    let here = Site::new(&database).link_with("smsc", one.port, "reconnect_seconds_max = 1");
    let there = Site::new(&database).link_with("smsc", two.port, "reconnect_seconds_max = 1");
    poll::book("poll", 10).set_up(&here).await;
    let config = here.config();
    let codes = here.file("codes.csv", format!("code,auth_code\n{},482913\n{},5520\n", poll::code(0), poll::code(1)));
    let import = ["observer", "import", "poll", codes.to_str().unwrap(), "--json"];
    assert!(ok(&config, import).await.contains("\"changed\": 2"));
    assert!(ok(&config, import).await.contains("\"unchanged\": 2"));
    let bad = here.file("bad.csv", format!("code,auth_code\n{},99\n", poll::code(0)));
    let refused = run(&config, ["observer", "import", "poll", bad.to_str().unwrap()]).await;
    assert!(String::from_utf8_lossy(&refused.stderr).contains("not 4 to 8 digits"));
    ok(&config, ["election", "set", "poll", "--auth-code", "required", "--auth-failures", "3"]).await;
    assert!(ok(&config, ["election", "show", "poll"]).await.contains("set for 2 of 10 observers; 3 wrong ones lock"));

    let (_gateway, mut worker) = (here.start("gateway").await, here.start("worker").await);
    let (_gateway_there, _worker_there) = (there.start("gateway").await, there.start("worker").await);
    let stranger = "355699999999";
    let report = |code: &str| format!("KT{}*{code} AA5", poll::code(0));
    one.deliver(&[Delivery::text(1, stranger, &report("000001"))]).await;
    assert_eq!(outcome(&database, 1).await, "wrong_code");
    two.deliver(&[Delivery::text(1, stranger, &report("000002"))]).await;
    assert_eq!(outcome(&database, 2).await, "wrong_code");
    worker.stop().await;
    worker = here.start("worker").await;
    one.deliver(&[Delivery::text(2, stranger, &report("000003"))]).await;
    assert_eq!(outcome(&database, 3).await, "locked", "counted over a restart and over hosts");
    two.deliver(&[Delivery::text(2, stranger, &report("482913"))]).await;
    assert_eq!(outcome(&database, 4).await, "locked");
    two.deliver(&[Delivery::text(3, "355688888888", &report("482913"))]).await;
    assert_eq!(outcome(&database, 5).await, "locked", "another strange phone, for this observer");
    one.deliver(&[Delivery::text(3, &poll::phone(0), &report("482913"))]).await;
    assert_eq!(outcome(&database, 6).await, "accepted", "the observer's own phone");
    let replies = text(
        &database,
        "SELECT count(*)::text FROM outbox o JOIN phone p ON p.id = o.phone_id WHERE p.msisdn = '355699999999'",
    );
    assert_eq!(replies.await, "3", "told once that it is locked");

    assert!(ok(&config, ["observer", "unlock", "poll", &poll::code(0)]).await.contains("unlocked"));
    two.deliver(&[Delivery::text(4, "355688888888", &report("482913"))]).await;
    assert_eq!(outcome(&database, 7).await, "duplicate");

    // The right code, sent while it was locked, is found again in the bytes when the message is read anew.
    ok(&config, ["message", "reread", "--outcome", "locked", "--why", "was locked"]).await;
    assert_eq!(outcome(&database, 4).await, "accepted", "it came before the others");
    assert_eq!(outcome(&database, 3).await, "wrong_code", "a wrong one stays wrong");

    let all = text(
        &database,
        "SELECT (SELECT string_agg(concat(text, reading::text), ' ') FROM message)
             || coalesce((SELECT string_agg(concat(r.text, r.reading_before::text), ' ') FROM reading r), '')
             || (SELECT string_agg(text, ' ') FROM outbox) || coalesce((SELECT string_agg(concat(payload, result), ' ') FROM request), '')",
    )
    .await;
    assert!(!all.contains("482913") && !all.contains("000001") && all.contains("****** AA5"), "{all}");
    assert!(!worker.log().contains("482913"));
    let mut web = database.connect(WEB).await;
    for sql in ["SELECT code_hash FROM observer_auth", "SELECT key FROM auth_key"] {
        let error = web.execute(sql).await.expect_err(sql);
        assert_eq!(error.as_database_error().and_then(|e| e.code()).as_deref(), Some("42501"), "{sql}");
    }
    let web = scrutineer::store::Store::new(&database.store_options(WEB, 1));
    let row = sqlx::query("SELECT s.uuid, m.sequence FROM message m JOIN spool s ON s.id = m.spool_id LIMIT 1")
        .fetch_one(&mut database.admin().await)
        .await
        .unwrap();
    let detail = scrutineer::store::pages::message::by_key(&web, row.get(0), row.get(1)).await.unwrap().unwrap();
    assert!(detail.raw.is_empty(), "nor the bytes that it stands in");
}

#[tokio::test]
async fn new_codes_are_printed_once_for_one_observer_or_all_that_have_none() {
    let database = pg::database().await;
    let site = Site::new(&database);
    poll::book("poll", 3).set_up(&site).await;
    let config = site.config();
    let one = ok(&config, ["observer", "code", "poll", &poll::code(1), "--digits", "4"]).await;
    let line = one.lines().nth(1).unwrap().split(',').map(str::to_owned).collect::<Vec<_>>();
    assert_eq!((line[0].as_str(), line[1].len()), (poll::code(1).as_str(), 4));
    let missing = ok(&config, ["observer", "code", "poll", "--missing"]).await;
    assert_eq!(missing.lines().count(), 3, "{missing}");
    assert!(!missing.contains(&poll::code(1)));
    assert_eq!(ok(&config, ["observer", "code", "poll", "--missing"]).await.trim(), "code,auth_code");
    let list: serde_json::Value =
        serde_json::from_str(&ok(&config, ["observer", "list", "poll", "--json"]).await).unwrap();
    assert!(list.as_array().unwrap().iter().all(|o| o["auth_code"] == true), "{list}");
    let unknown = run(&config, ["observer", "unlock", "poll", "999999"]).await;
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("there is no observer 999999"));
}
