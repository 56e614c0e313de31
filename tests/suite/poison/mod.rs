//! Records that the worker or the database cannot take: set aside, listed, and processed again when
//! what was in their way is mended. The rest goes on.

use serde_json::Value;
use sqlx::{Executor, Row};

use super::support::peer::{Delivery, Peer};
use super::support::pg::{self, Database};
use super::support::process::{self, Process};
use super::support::site::Site;
use super::support::{poll, soon};

/// Refuses an observer's report of 666, and whatever stands for a text with 667 in it.
const TRIGGERS: &str = "
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF position('363637' IN to_jsonb(NEW)->>'raw') > 0 OR to_jsonb(NEW)->'answers'->>'AA' = '666'
        THEN RAISE EXCEPTION 'refused by the test' USING ERRCODE = '23514'; END IF;
        RETURN NEW; END $$;
    CREATE TRIGGER refuse_submission BEFORE INSERT ON submission FOR EACH ROW EXECUTE FUNCTION refuse();
    CREATE TRIGGER refuse_message BEFORE INSERT ON message FOR EACH ROW EXECUTE FUNCTION refuse();";

async fn number(database: &Database, sql: &'static str) -> i64 {
    sqlx::query(sql).fetch_one(&mut database.admin().await).await.unwrap().get(0)
}

async fn until(database: &Database, sql: &'static str, wanted: i64) {
    soon(sql, async {
        while number(database, sql).await != wanted {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await;
}

struct Stand {
    site: Site,
    peer: Peer,
    _gateway: Process,
    worker: Process,
}

async fn stand(database: &Database) -> Stand {
    let peer = Peer::start(serde_json::json!({})).await;
    let site = Site::new(database).link_with("smsc", peer.port, "reconnect_seconds_max = 1");
    poll::book("poison", 60).set_up(&site).await;
    let (gateway, worker) = (site.start("gateway").await, site.start("worker").await);
    Stand { site, peer, _gateway: gateway, worker }
}

/// What `message retry --json` says, by the sequence of its message.
async fn retry(site: &Site, more: &[&str]) -> Vec<(i64, String, Value)> {
    let args = ["message", "retry", "--json"].iter().chain(more);
    let said = process::run(&site.config(), args).await;
    let all: Value = serde_json::from_slice(&said.stdout).unwrap();
    let mut all: Vec<_> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|a| (a["sequence"].as_i64().unwrap(), a["state"].as_str().unwrap().to_owned(), a["result"].clone()))
        .collect();
    all.sort_by_key(|a| a.0);
    let well = all.iter().all(|a| a.1 == "done");
    assert_eq!(said.status.success(), well, "{}", String::from_utf8_lossy(&said.stderr));
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_database_refuses_is_set_aside_listed_and_processed_again_when_it_is_mended() {
    let database = pg::database().await;
    let mut stand = stand(&database).await;
    let mut owner = database.owner().await;
    owner.execute(TRIGGERS).await.unwrap();

    // Good ones; one whose report is refused; one for which no row can stand at all; a long text, refused whole.
    let mut deliveries: Vec<Delivery> = (0..50)
        .map(|n| {
            let value = match n {
                7 => 666,
                23 => 667,
                _ => n,
            };
            Delivery::text(u64::from(n), &poll::phone(n), &poll::report(n, &format!("AA{value} AB1 AC2")))
        })
        .collect();
    let long = poll::report(50, &format!("AA666 AB1 AC2 @ {}", "seen at the door ".repeat(9).trim_end()));
    deliveries.extend(Delivery::two_segments(1_000, &poll::phone(50), &long, 9));
    stand.peer.deliver(&deliveries).await;
    until(&database, "SELECT count(*) FROM submission", 48).await;
    until(&database, "SELECT count(*) FROM set_aside", 3).await;
    // The three are told that their messages are there; each knows it once.
    until(&database, "SELECT count(*) FROM outbox WHERE state IN ('sent', 'delivered')", 51).await;
    let told = "SELECT count(*) FROM outbox WHERE text LIKE 'We have your message%'";
    assert_eq!(number(&database, told).await, 3);
    assert_eq!(number(&database, "SELECT count(*) FROM message WHERE outcome = 'set_aside'").await, 2);
    assert_eq!(
        number(
            &database,
            "SELECT count(*) FROM message m JOIN outbox o ON o.id = m.reply_id
             WHERE m.outcome = 'set_aside' AND o.text LIKE 'We have your message%'"
        )
        .await,
        2
    );
    assert_eq!(number(&database, "SELECT count(*) FROM message").await, 51, "one has no row");
    assert_eq!(number(&database, "SELECT count(*) FROM segment").await, 0, "the long one was set aside whole");

    let listed = process::ok(&stand.site.config(), ["message", "set-aside", "list"]).await;
    assert_eq!(listed.matches("refused by the test").count(), 3, "{listed}");

    // Still in the way: nothing changes, and it says so.
    for (_, state, result) in retry(&stand.site, &["--all"]).await {
        assert_eq!(state, "failed");
        assert!(result["error"].as_str().unwrap().contains("refused by the test"), "{result}");
    }
    assert_eq!(number(&database, "SELECT count(*) FROM set_aside").await, 3);

    owner
        .execute("DROP TRIGGER refuse_submission ON submission; DROP TRIGGER refuse_message ON message")
        .await
        .unwrap();
    let preview = retry(&stand.site, &["--all", "--preview"]).await;
    assert_eq!(preview.len(), 3);
    for (_, state, result) in &preview {
        assert_eq!(state, "done");
        assert_eq!(result["texts"][0]["outcome"], "accepted", "{result}");
        assert!(result["texts"][0]["reply"]["text"].as_str().is_some_and(|t| !t.is_empty()), "{result}");
    }
    assert_eq!(number(&database, "SELECT count(*) FROM set_aside").await, 3, "a preview changes nothing");
    assert_eq!(number(&database, "SELECT count(*) FROM submission").await, 48);

    // One by its name, then the others.
    let key = listed.lines().next().unwrap().split_whitespace().next().unwrap();
    let said = process::ok(&stand.site.config(), ["message", "retry", key]).await;
    assert!(said.contains("accepted"), "{said}");
    let rest = retry(&stand.site, &["--all"]).await;
    assert_eq!(rest.iter().map(|a| a.1.as_str()).collect::<Vec<_>>(), ["done", "done"]);
    assert!(retry(&stand.site, &["--all"]).await.is_empty());
    let gone = process::run(&stand.site.config(), ["message", "retry", key]).await;
    assert!(!gone.status.success() && String::from_utf8_lossy(&gone.stderr).contains("no such message is set aside"));

    // As if nothing had been: every report once, every observer answered once, beside the three notices.
    until(&database, "SELECT count(*) FROM outbox WHERE state IN ('sent', 'delivered')", 54).await;
    assert_eq!(number(&database, told).await, 3);
    assert_eq!(number(&database, "SELECT count(*) FROM submission WHERE revisions = 1 AND missing = 0").await, 51);
    assert_eq!(number(&database, "SELECT count(*) FROM message WHERE outcome = 'accepted'").await, 51);
    assert_eq!(number(&database, "SELECT count(*) FROM message WHERE outcome = 'segment'").await, 1);
    let text: String = sqlx::query("SELECT text FROM message WHERE text LIKE '%at the door'")
        .fetch_one(&mut database.admin().await)
        .await
        .unwrap()
        .get(0);
    assert_eq!(text, long);
    let mut answered: Vec<String> = stand
        .peer
        .journal()
        .iter()
        .filter(|e| e["event"] == "submit")
        .map(|e| e["destination"].as_str().unwrap().to_owned())
        .collect();
    answered.sort_unstable();
    let mut wanted: Vec<String> = (0..=50).chain([7, 23, 50]).map(poll::phone).collect();
    wanted.sort_unstable();
    assert_eq!(answered, wanted);
    assert!(stand.worker.is_running());
}
