//! Messages read anew by real workers: corrected by staff, or after the roster was mended; what came is
//! kept, newer reports stand, and everything that changed is in the history.

mod checklist;
mod web;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Row};

use super::support::peer::{Delivery, Peer};
use super::support::pg::{self, Database};
use super::support::process::{self, Process};
use super::support::site::Site;
use super::support::{poll, soon};

async fn number(database: &Database, sql: &str) -> i64 {
    sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_one(&mut database.admin().await).await.unwrap().get(0)
}

async fn json_of(database: &Database, sql: &str) -> Value {
    let text: Option<String> =
        sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_one(&mut database.admin().await).await.unwrap().get(0);
    text.map_or(Value::Null, |t| serde_json::from_str(&t).unwrap())
}

async fn until(database: &Database, sql: &str, wanted: i64) {
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
    _worker: Process,
}

impl Stand {
    async fn new(database: &Database, set_up: bool, worker: &str) -> Self {
        let peer = Peer::start(json!({})).await;
        let mut site = Site::new(database).link_with("smsc", peer.port, "reconnect_seconds_max = 1");
        site.worker = worker.to_owned();
        if set_up {
            poll::book("poll", 60).set_up(&site).await;
        }
        let (gateway, worker) = (site.start("gateway").await, site.start("worker").await);
        Self { site, peer, _gateway: gateway, _worker: worker }
    }

    /// A command that asks for JSON, and what it said.
    async fn ask(&self, args: &[&str]) -> Value {
        let said = process::run(&self.site.config(), ["message"].iter().chain(args).chain(&["--json"])).await;
        serde_json::from_slice(&said.stdout)
            .unwrap_or_else(|_| panic!("{args:?}: {}", String::from_utf8_lossy(&said.stderr)))
    }

    /// The name of the message with this text.
    async fn key(&self, database: &Database, text: &str) -> String {
        let row =
            sqlx::query("SELECT s.uuid, m.sequence FROM message m JOIN spool s ON s.id = m.spool_id WHERE m.text = $1")
                .bind(text)
                .fetch_one(&mut database.admin().await)
                .await
                .unwrap();
        let uuid: uuid::Uuid = row.get(0);
        format!("{}:{}", uuid.simple(), row.get::<i64, _>(1))
    }
}

const ANSWERS: &str =
    "SELECT answers::text FROM submission WHERE observer_id = (SELECT id FROM observer WHERE code = '100000')";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_corrected_reading_counts_at_the_message_s_own_time_and_keeps_what_came() {
    let database = pg::database().await;
    let mut stand = Stand::new(&database, true, "").await;
    let (first, later) = (poll::report(0, "AA5 AA6"), poll::report(0, "AA7 AB1"));
    stand.peer.deliver(&[Delivery::text(1, &poll::phone(0), &first)]).await;
    until(&database, "SELECT count(*) FROM outbox WHERE state IN ('sent', 'delivered')", 1).await;
    stand.peer.deliver(&[Delivery::text(2, &poll::phone(0), &later)]).await;
    until(&database, "SELECT count(*) FROM outbox WHERE state IN ('sent', 'delivered')", 2).await;

    // It is in the list, with why and what was answered, its phone masked.
    let trouble = stand.ask(&["trouble"]).await;
    assert_eq!(trouble["counts"], json!({"unclear": 1}), "{trouble}");
    let listed = &trouble["messages"][0];
    assert_eq!((&listed["text"], &listed["outcome"]), (&json!(first), &json!("unclear")));
    assert!(listed["why"].to_string().contains("more than one way"), "{listed}");
    assert!(listed["phone"].as_str().unwrap().contains("••") && listed["reply"].is_string(), "{listed}");
    let none = stand.ask(&["trouble", "--outcome", "unknown_observer"]).await;
    assert_eq!(none["messages"], json!([]));

    let key = stand.key(&database, &first).await;
    let corrected = poll::report(0, "AA5 AC9 @ read by phone");
    let preview = stand.ask(&["correct", &key, &corrected, "--why", "called", "--preview"]).await;
    assert_eq!(preview["state"], "done", "{preview}");
    assert_eq!(preview["result"]["outcomes"], json!({"unclear → accepted": 1}), "{preview}");
    assert!(preview["result"]["texts"][0]["reply"].is_string());
    assert_eq!(number(&database, "SELECT count(*) FROM reading").await, 0, "a preview changes nothing");
    assert_eq!(json_of(&database, ANSWERS).await, json!({"AA": 7, "AB": 1}));

    let done = stand.ask(&["correct", &key, &corrected, "--why", "called"]).await;
    assert_eq!(done["state"], "done", "{done}");
    assert_eq!(json_of(&database, ANSWERS).await, json!({"AA": 7, "AB": 1, "AC": 9}), "the newer report stands");
    assert_eq!(number(&database, "SELECT count(*) FROM outbox").await, 2, "nobody is sent anything");
    let message =
        "SELECT json_build_object('text', text, 'outcome', outcome, 'n', cardinality(submissions))::text FROM message";
    assert_eq!(
        json_of(&database, &format!("{message} WHERE sequence = (SELECT min(sequence) FROM message)")).await,
        json!({"text": first, "outcome": "accepted", "n": 1}),
        "what came is kept"
    );
    let reading = json_of(&database, "SELECT to_json(r)::text FROM reading r").await;
    assert_eq!((&reading["text"], &reading["why"]), (&json!(corrected), &json!("called")));
    assert_eq!((&reading["outcome_before"], &reading["outcome"]), (&json!("unclear"), &json!("accepted")));
    assert!(reading["made_by"].as_str().unwrap().contains("(command)"), "{reading}");
    let revision = "SELECT json_build_object('channel', channel, 'by', made_by, 'answers', answers, 'reading', reading)::text FROM revision WHERE channel <> 'sms'";
    let revision = json_of(&database, revision).await;
    assert_eq!((&revision["channel"], &revision["answers"]), (&json!("staff"), &json!({"AA": 5, "AC": 9})));
    assert_eq!(revision["by"], reading["made_by"]);
    let comment = "SELECT json_build_object('c', comment, 'r', revisions, 'm', missing)::text FROM submission";
    assert_eq!(json_of(&database, comment).await, json!({"c": "read by phone", "r": 2, "m": 0}));
    assert_eq!(stand.ask(&["trouble"]).await["messages"], json!([]));

    // Once more the same text: nothing changes. And corrected again, with a reply.
    let again = stand.ask(&["reread", &key]).await;
    assert_eq!((&again["result"]["looked"], &again["result"]["changed"]), (&json!(1), &json!(0)), "{again}");
    let other = poll::report(0, "AC8");
    let done = stand.ask(&["correct", &key, &other, "--why", "misheard", "--reply"]).await;
    assert_eq!(done["state"], "done", "{done}");
    assert_eq!(json_of(&database, ANSWERS).await, json!({"AA": 7, "AB": 1, "AC": 8}));
    assert_eq!(number(&database, "SELECT count(*) FROM revision WHERE superseded IS NOT NULL").await, 1);
    until(&database, "SELECT count(*) FROM outbox WHERE state IN ('sent', 'delivered')", 3).await;

    // A newer report after all that is one like any other.
    stand.peer.deliver(&[Delivery::text(3, &poll::phone(0), &poll::report(0, "AC2"))]).await;
    until(&database, "SELECT count(*) FROM submission WHERE answers->>'AC' = '2'", 1).await;
    assert_eq!(json_of(&database, ANSWERS).await, json!({"AA": 7, "AB": 1, "AC": 2}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_read_as_another_observer_s_leaves_nothing_with_the_first() {
    let database = pg::database().await;
    let mut stand = Stand::new(&database, true, "").await;
    let (wrong, incident) = (poll::report(1, "AA1 AB2 AC3"), poll::incident(3, "at the gate"));
    stand
        .peer
        .deliver(&[Delivery::text(1, &poll::phone(2), &wrong), Delivery::text(2, &poll::phone(3), &incident)])
        .await;
    until(&database, "SELECT count(*) FROM submission", 2).await;
    let key = stand.key(&database, &wrong).await;
    let done = stand.ask(&["correct", &key, &poll::report(2, "AA1 AB2 AC3"), "--why", "wrong code"]).await;
    assert_eq!(done["state"], "done", "{done}");
    let of = |code: &str| {
        format!("SELECT count(*) FROM submission s JOIN observer o ON o.id = s.observer_id WHERE o.code = '{code}'")
    };
    assert_eq!(number(&database, &of("100001")).await, 0);
    assert_eq!(number(&database, &of("100002")).await, 1);
    assert_eq!(
        number(&database, "SELECT count(*) FROM revision WHERE superseded IS NOT NULL").await,
        1,
        "it stands in the history"
    );
    // The first observer's own report is a new one.
    stand.peer.deliver(&[Delivery::text(3, &poll::phone(1), &poll::report(1, "AA9"))]).await;
    until(&database, &of("100001"), 1).await;
    let answers = json_of(
        &database,
        "SELECT answers::text FROM submission s JOIN observer o ON o.id = s.observer_id WHERE o.code = '100001'",
    )
    .await;
    assert_eq!(answers, json!({"AA": 9}));

    // An incident stays the one that its message opened.
    let id = "SELECT to_json(id)::text FROM submission WHERE kind = 'incident'";
    let before = json_of(&database, id).await;
    let key = stand.key(&database, &incident).await;
    let done = stand.ask(&["correct", &key, &incident.replace("AA1", "AA2"), "--why", "bribery"]).await;
    assert_eq!(done["state"], "done", "{done}");
    assert_eq!(json_of(&database, id).await, before);
    assert_eq!(
        json_of(&database, "SELECT answers::text FROM submission WHERE kind = 'incident'").await,
        json!({"AA": 2})
    );

    for (args, why) in [
        (["correct", "ffff:7", "KT1", "--why", "x"], "there is no message"),
        (["correct", &key, " ", "--why", "x"], "a corrected reading has 1"),
    ] {
        let said = process::run(&stand.site.config(), ["message"].iter().chain(&args)).await;
        let all = format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
        assert!(!said.status.success() && all.contains(why), "{all}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_are_read_once_more_after_the_roster_was_mended_by_two_hosts_while_others_stream_in() {
    const MANY: u32 = 130;
    let database = pg::database().await;
    let mut stand = Stand::new(&database, true, "").await;
    let deliveries: Vec<Delivery> = (0..MANY)
        .map(|n| Delivery::text(u64::from(n), &poll::phone(5_000 + n), &format!("KT{} AA{n} AB1 AC2", 700_000 + n)))
        .collect();
    stand.peer.deliver(&deliveries).await;
    until(&database, "SELECT count(*) FROM message WHERE outcome = 'unknown_observer'", MANY.into()).await;
    until(&database, "SELECT count(*) FROM outbox WHERE state IN ('sent', 'delivered')", MANY.into()).await;

    let nothing = stand.ask(&["reread", "--outcome", "unknown_observer", "--preview"]).await;
    assert_eq!((&nothing["result"]["looked"], &nothing["result"]["changed"]), (&json!(MANY), &json!(0)), "{nothing}");

    let mut csv = String::from("code,phone,station\n");
    for n in 0..MANY {
        csv.push_str(&format!("{},{},S1\n", 700_000 + n, poll::phone(5_000 + n)));
    }
    let file = stand.site.file("more.csv", csv).display().to_string();
    process::ok(&stand.site.config(), ["observer", "import", "poll", &file]).await;
    let preview = stand.ask(&["reread", "--outcome", "unknown_observer", "--preview"]).await;
    assert_eq!(preview["result"]["outcomes"], json!({"unknown_observer → accepted": MANY}), "{preview}");
    assert_eq!(preview["result"]["texts"].as_array().unwrap().len(), 50, "some are shown");
    assert_eq!(number(&database, "SELECT count(*) FROM submission").await, 0);

    // Two hosts, two requests at once, and new reports of the same observers meanwhile.
    let other = Stand::new(&database, false, "").await;
    let streaming: Vec<Delivery> = (0..MANY)
        .map(|n| {
            Delivery::text(u64::from(1_000 + n), &poll::phone(5_000 + n), &format!("KT{} AA{}", 700_000 + n, n + 1))
        })
        .collect();
    let (one, two, ()) = tokio::join!(
        stand_ask(&stand.site, &["reread", "--outcome", "unknown_observer"]),
        stand_ask(&other.site, &["reread", "--outcome", "unknown_observer,unclear", "--since", "1d"]),
        stand.peer.deliver(&streaming),
    );
    assert_eq!((&one["state"], &two["state"]), (&json!("done"), &json!("done")), "{one} {two}");
    let changed = |v: &Value| v["result"]["changed"].as_u64().unwrap();
    assert_eq!(changed(&one) + changed(&two), u64::from(MANY), "each once: {one} {two}");
    until(&database, "SELECT count(*) FROM message", i64::from(2 * MANY)).await;
    let right = "SELECT count(*) FROM submission s JOIN observer o ON o.id = s.observer_id
         WHERE (s.answers->>'AA')::int = o.code::int - 700000 + 1 AND s.answers->>'AC' = '2' AND s.missing = 0 AND s.revisions = 2";
    until(&database, right, MANY.into()).await;
    assert_eq!(number(&database, "SELECT count(*) FROM reading").await, i64::from(MANY));
    assert_eq!(number(&database, "SELECT count(*) FROM reading WHERE text IS NOT NULL").await, 0);
    // Nobody was answered again: one reply a message as it came.
    assert_eq!(number(&database, "SELECT count(*) FROM outbox").await, i64::from(2 * MANY));
    let refused = stand.ask(&["reread", "--outcome", "segment"]).await;
    assert_eq!(refused["state"], "refused", "{refused}");
}

async fn stand_ask(site: &Site, args: &[&str]) -> Value {
    let said = process::run(&site.config(), ["message"].iter().chain(args).chain(&["--json"])).await;
    serde_json::from_slice(&said.stdout)
        .unwrap_or_else(|_| panic!("{args:?}: {}", String::from_utf8_lossy(&said.stderr)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_that_lacks_a_segment_is_never_read_past_the_gap() {
    let database = pg::database().await;
    let mut stand = Stand::new(&database, true, "segments_wait_seconds = 5\n").await;
    let long = poll::report(4, &format!("AB1 @ {} AA13", "seen at the door ".repeat(10).trim_end()));
    let [first, second] = Delivery::two_segments(1, &poll::phone(4), &long, 9);
    let cut = poll::report(5, &format!("AB1 {} AC13", " ".repeat(160)));
    let [head, _tail] = Delivery::two_segments(3, &poll::phone(5), &cut, 10);
    stand.peer.deliver(&[first, second, head]).await;
    until(&database, "SELECT count(*) FROM message WHERE outcome <> 'segment'", 2).await;
    let before = json_of(&database, "SELECT json_agg(reading ORDER BY spool_id, sequence)::text FROM message").await;
    let outcomes = "accepted,partial,unclear,unknown_checklist,corrected";
    let done = stand.ask(&["reread", "--outcome", outcomes]).await;
    assert_eq!((&done["result"]["looked"], &done["result"]["changed"]), (&json!(2), &json!(0)), "{done}");
    assert_eq!(
        json_of(&database, "SELECT json_agg(reading ORDER BY spool_id, sequence)::text FROM message").await,
        before
    );
    // A wrong part is refused, and says which message to name.
    let part: String = {
        let row = sqlx::query(
            "SELECT s.uuid, m.sequence FROM message m JOIN spool s ON s.id = m.spool_id WHERE outcome = 'segment'",
        )
        .fetch_one(&mut database.admin().await)
        .await
        .unwrap();
        format!("{}:{}", row.get::<uuid::Uuid, _>(0).simple(), row.get::<i64, _>(1))
    };
    let refused = stand.ask(&["correct", &part, "KT100004 AA1", "--why", "x"]).await;
    assert_eq!(refused["state"], "refused", "{refused}");
    assert!(refused["result"]["error"].as_str().unwrap().contains("part of a longer text"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_are_decoded_anew_when_the_alphabet_was_wrong() {
    let database = pg::database().await;
    let mut stand = Stand::new(&database, true, "").await;
    // ISO-8859-1 on a link that is taken for GSM 03.38: the mark of the comment comes out as another.
    let text = "KT100006 AA12 AB1 AC2 @ gate 7";
    stand.peer.deliver(&[Delivery::bytes(1, &poll::phone(6), text.as_bytes())]).await;
    until(&database, "SELECT count(*) FROM message", 1).await;
    let outcome = "SELECT to_json(outcome)::text FROM message";
    let before = json_of(&database, outcome).await;
    assert_ne!(before, json!("accepted"));
    let came = json_of(&database, "SELECT json_build_array(text, raw)::text FROM message").await;
    let done = stand
        .ask(&[
            "reread",
            "--outcome",
            before.as_str().unwrap(),
            "--alphabet",
            "latin1",
            "--why",
            "the link speaks ISO-8859-1",
        ])
        .await;
    assert_eq!(done["result"]["changed"], json!(1), "{done}");
    assert_eq!(json_of(&database, outcome).await, json!("accepted"));
    assert_eq!(json_of(&database, "SELECT answers::text FROM submission").await, json!({"AA": 12, "AB": 1, "AC": 2}));
    assert_eq!(
        json_of(&database, "SELECT json_build_array(text, raw)::text FROM message").await,
        came,
        "what came is kept"
    );
    assert_eq!(json_of(&database, "SELECT to_json(text)::text FROM reading").await, json!(text));
}
