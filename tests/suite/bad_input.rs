//! Bad input from outside, met by the real processes: each says what is wrong, where, and how to mend
//! it; one that can go on does.

use serde_json::json;
use sqlx::Row;

use super::support::book::{Book, Place, Watcher};
use super::support::peer::{Delivery, Peer};
use super::support::process::{self, Process};
use super::support::site::Site;
use super::support::{pg, soon};

/// Exit status for a configuration that is wrong: systemd does not start the unit again.
const EX_CONFIG: i32 = 78;

const PHONE: &str = "355680000001";

fn book() -> Book {
    let place = |code: &str, level, parent: &str| Place {
        code: code.to_owned(),
        name: code.to_owned(),
        level,
        parent: parent.to_owned(),
        registered_voters: None,
    };
    let checklist = json!({
        "prefix": "XA", "title": "Small",
        "questions": [{"code": "AA", "text": "How many", "type": "count", "max": 50}],
    });
    Book {
        slug: "small",
        places: vec![place("R1", "region", ""), place("S1", "station", "R1")],
        watchers: vec![Watcher { code: "123456".to_owned(), phone: PHONE.to_owned(), station: "S1".to_owned() }],
        checklists: vec![checklist],
        options: &[],
    }
}

const DELIVER_SM: u32 = 5;

/// A PDU with sequence number 77, in hex: a length that is said, a command, a body.
fn pdu(length: u32, command: u32, body: &str) -> String {
    format!("{length:08x}{command:08x}{:08x}{:08x}{body}", 0, 77)
}

/// The whole chain with one observer, and an SMSC.
struct Chain {
    database: pg::Database,
    peer: Peer,
    _site: Site,
    gateway: Process,
    worker: Process,
}

impl Chain {
    async fn start() -> Self {
        let database = pg::database().await;
        let peer = Peer::start(json!({})).await;
        let site = Site::new(&database).link_with("smsc", peer.port, "reconnect_seconds_max = 1");
        book().set_up(&site).await;
        let (gateway, worker) = (site.start("gateway").await, site.start("worker").await);
        peer.event("bound").await;
        Self { database, peer, _site: site, gateway, worker }
    }

    /// Texts a good report and awaits its answer: all of the chain still works.
    async fn goes_on(&mut self) {
        self.peer.deliver(&[Delivery::text(1_000_000, PHONE, "XA123456 AA7")]).await;
        let answered = "SELECT s.answers::text AS answers FROM message m
                        JOIN submission s ON s.id = ANY (m.submissions) JOIN outbox o ON o.id = m.reply_id
                        WHERE m.text = 'XA123456 AA7' AND o.state IN ('sent', 'delivered')";
        let row = self.row("an answer to a good report", answered).await;
        assert_eq!(row.get::<&str, _>("answers"), r#"{"AA": 7}"#);
        assert!(self.gateway.is_running() && self.worker.is_running());
    }

    /// Awaits a query's first row.
    async fn row(&self, what: &str, sql: &'static str) -> sqlx::postgres::PgRow {
        let mut admin = self.database.admin().await;
        let mut tick = tokio::time::interval(std::time::Duration::from_millis(20));
        let found = async {
            loop {
                tick.tick().await;
                if let Some(row) = sqlx::query(sql).fetch_optional(&mut admin).await.unwrap() {
                    return row;
                }
            }
        };
        soon(what, found).await
    }

    /// Delivers one, and awaits its row: text (where it could be decoded) and outcome.
    async fn stored(&mut self, delivery: Delivery) -> (Option<String>, String) {
        let mut journal = self.peer.reader();
        self.peer.deliver(&[delivery]).await;
        let acknowledged = async {
            while journal.next(super::support::PATIENCE).await.is_none_or(|event| event["event"] != "acknowledged") {}
        };
        soon("an acknowledgement", acknowledged).await;
        let row = self.row("a stored message", "SELECT text, outcome FROM message").await;
        (row.get("text"), row.get("outcome"))
    }
}

#[tokio::test]
async fn an_unknown_key_ends_each_role_with_78_and_is_named() {
    let mut site = Site::without_database();
    site.gateway = "spol = \"/tmp\"".to_owned();
    let config = site.config();
    for role in ["gateway", "worker", "web"] {
        let mut process = Process::spawn(role, &config);
        let status = process.ended().await;
        assert_eq!(status.code(), Some(EX_CONFIG), "{role}");
        let said = process.logged("spol").await;
        assert!(said.contains("scrutineer.toml") || process.log().contains("scrutineer.toml"), "{role}: {said}");
    }
}

#[tokio::test]
async fn a_missing_configuration_file_ends_each_role_with_78_and_is_named() {
    for role in ["gateway", "worker", "web"] {
        let mut process = Process::spawn(role, std::path::Path::new("/nowhere/scrutineer.toml"));
        assert_eq!(process.ended().await.code(), Some(EX_CONFIG), "{role}");
        process.logged("/nowhere/scrutineer.toml").await;
    }
}

#[tokio::test]
async fn a_wrong_password_at_the_smsc_is_said_loudly_and_the_gateway_goes_on() {
    let peer = Peer::start(json!({ "password": "another" })).await;
    let site = Site::without_database().link_with("smsc", peer.port, "reconnect_seconds_max = 1");
    let mut gateway = site.start("gateway").await;
    peer.event("refused").await;
    let said = gateway.logged("password").await;
    assert!(said.contains("smsc") && (said.contains("ERROR") || said.contains("WARN")), "{said}");
    assert!(!gateway.log().contains("secret"), "the password is in the log");
    assert!(gateway.is_running());
    assert!(gateway.stop().await.success());
}

#[tokio::test]
async fn a_deliver_sm_whose_body_is_cut_short_is_kept_and_set_aside_and_the_link_stays() {
    let mut chain = Chain::start().await;
    chain.peer.tell(json!({ "raw": pdu(20, DELIVER_SM, "01020304") })).await;
    chain.goes_on().await;
    let mut admin = chain.database.admin().await;
    let (count,): (i64,) = sqlx::query_as("SELECT count(*) FROM set_aside").fetch_one(&mut admin).await.unwrap();
    assert_eq!(count, 1);
    assert!(!chain.peer.journal().iter().any(|event| event["event"] == "closed"), "the link was kept");
}

#[tokio::test]
async fn a_pdu_that_the_line_cuts_short_costs_the_session_alone() {
    let mut chain = Chain::start().await;
    // 200 bytes are said, 20 come.
    chain.peer.tell(json!({ "raw": pdu(200, DELIVER_SM, "01020304") })).await;
    chain.peer.tell(json!({ "close": true })).await;
    chain.goes_on().await;
}

#[tokio::test]
async fn an_impossible_length_is_answered_by_generic_nack_and_a_new_bind() {
    let mut chain = Chain::start().await;
    chain.peer.tell(json!({ "raw": pdu(8, DELIVER_SM, "") })).await;
    chain.peer.event("closed").await;
    let nack = chain.peer.event("pdu").await;
    assert_eq!((nack["command"].as_str(), nack["status"].as_i64()), (Some("generic_nack"), Some(2)));
    chain.goes_on().await;
}

#[tokio::test]
async fn an_unknown_command_is_answered_by_generic_nack_with_its_sequence_and_the_link_stays() {
    let mut chain = Chain::start().await;
    chain.peer.tell(json!({ "raw": pdu(16, 0x777, "") })).await;
    let nack = chain.peer.event("pdu").await;
    assert_eq!((nack["status"].as_i64(), nack["sequence"].as_i64()), (Some(3), Some(77)));
    chain.goes_on().await;
    assert!(!chain.peer.journal().iter().any(|event| event["event"] == "closed"), "the link was kept");
}

#[tokio::test]
async fn a_text_of_ten_kilobytes_is_kept_whole_and_answered() {
    let mut chain = Chain::start().await;
    let text = format!("XA123456 AA9 @ {}", "x".repeat(10_240));
    let (stored, outcome) = chain.stored(Delivery::payload(1, PHONE, text.replace('@', "\0").as_bytes())).await;
    assert_eq!(stored.map(|stored| stored.len()), Some(text.len()));
    assert!(["accepted", "partial", "unclear"].contains(&outcome.as_str()), "{outcome}");
    chain.peer.event("submit").await;
    chain.goes_on().await;
}

#[tokio::test]
async fn bytes_that_are_no_text_are_kept_and_the_chain_goes_on() {
    let noise: Vec<u8> = (0..=255u8).rev().cycle().take(140).collect();
    for (data_coding, bytes) in
        [(0, &noise[..]), (4, &noise[..]), (8, &noise[..139]), (245, &noise[..]), (8, &[0xd8, 0x00])]
    {
        let mut chain = Chain::start().await;
        let (_, outcome) = chain.stored(Delivery { data_coding, ..Delivery::bytes(1, PHONE, bytes) }).await;
        assert!(["unclear", "unknown_checklist", "ignored"].contains(&outcome.as_str()), "{data_coding}: {outcome}");
        let (raw,): (Vec<u8>,) =
            sqlx::query_as("SELECT raw FROM message").fetch_one(&mut chain.database.admin().await).await.unwrap();
        assert_eq!(raw, bytes, "data_coding {data_coding}");
        chain.goes_on().await;
    }
}

#[tokio::test]
async fn an_empty_text_is_kept_and_the_chain_goes_on() {
    let mut chain = Chain::start().await;
    let (text, outcome) = chain.stored(Delivery::bytes(1, PHONE, &[])).await;
    assert!(text.unwrap_or_default().is_empty());
    assert!(["unclear", "unknown_checklist"].contains(&outcome.as_str()), "{outcome}");
    chain.goes_on().await;
}

#[tokio::test]
async fn a_command_on_a_database_without_schema_says_to_migrate() {
    let database = pg::empty_database().await;
    let output = process::run(&Site::new(&database).config(), ["election", "list"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("run `scrutineer migrate`"), "{output:?}");
}

#[tokio::test]
async fn a_command_on_a_newer_database_says_to_install_the_newer_program() {
    let database = newer_database().await;
    for command in [&["election", "list"][..], &["migrate"]] {
        let output = process::run(&Site::new(&database).config(), command).await;
        assert_eq!(output.status.code(), Some(1), "{command:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("newer than this program"), "{output:?}");
    }
}

#[tokio::test]
async fn worker_and_web_on_a_database_without_schema_say_to_migrate() {
    let database = pg::empty_database().await;
    let site = Site::new(&database);
    for role in ["worker", "web"] {
        let process = Process::spawn(role, &site.config());
        process.logged("scrutineer migrate").await;
    }
}

#[tokio::test]
async fn worker_and_web_on_a_newer_database_say_to_install_the_newer_program() {
    let database = newer_database().await;
    let site = Site::new(&database);
    for role in ["worker", "web"] {
        let process = Process::spawn(role, &site.config());
        process.logged("newer than this program").await;
    }
}

async fn newer_database() -> pg::Database {
    let database = pg::database().await;
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'from the future', true, '', 0)",
    )
    .execute(&mut database.owner().await)
    .await
    .unwrap();
    database
}
