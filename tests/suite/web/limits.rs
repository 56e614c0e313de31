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

#[tokio::test]
async fn a_list_looks_through_as_many_as_the_bounds_say_and_its_file_has_all() {
    let dashboard = Dashboard::start().await;
    let many = limits::WEB_SCAN_STATE_ROWS.max(limits::WEB_SCAN_FAR_ROWS + limits::WEB_CANDIDATES_MAX) + 100;
    let sql = format!(
        "INSERT INTO submission (election_id, id, checklist_id, prefix, kind, observer_id, station_id, answers, missing,
             first_received_at, last_received_at, last_spool, last_sequence, revisions)
         SELECT 1, md5('many' || n)::uuid, 1, 'OP', 'checklist', 2, 1002, '{{\"AB\": 15}}', 0, at, at,
             '0190a0a0-0000-7000-8000-000000000001', 100000 + n, 2
         FROM generate_series(1, {many}) n, LATERAL (SELECT now() + make_interval(secs => n) AS at) t"
    );
    dashboard.database.admin().await.execute(AssertSqlSafe(sql)).await.unwrap();
    let mut browser = dashboard.person().await;
    let list = "/elections/general-2026/submissions";
    let rows = |body: &str| body.matches("<tr>\n<td class=\"when\">").count() as i64;
    let first = browser.get(list).await.body;
    let words = |n: i64| format!("{},{:03}", n / 1_000, n % 1_000);
    let all: i64 = dashboard.value("SELECT count(*) FROM submission WHERE election_id = 1").await;
    assert!(first.contains(&format!("<strong>{}</strong> submissions", words(all))), "{first}");
    assert_eq!(rows(&first), limits::WEB_PAGE_ROWS);
    // None of those is like that, and no index names such: the page says how far it looked.
    for query in ["?state=comment", "?checklist=OP&state=comment"] {
        let rare = browser.get(&format!("{list}{query}")).await.body;
        assert!(rare.contains(&format!("{} were looked through", words(limits::WEB_SCAN_FAR_ROWS))), "{query}: {rare}");
    }
    let some = browser.get(&format!("{list}?q=AB&op=eq&v=15")).await.body;
    assert!(some.contains(&format!("of the newest {} submissions", words(limits::WEB_SCAN_ROWS))), "{some}");
    let in_state = browser.get(&format!("{list}?state=revised")).await.body;
    assert!(
        in_state.contains(&format!("More than <strong>{}</strong> submissions", words(limits::WEB_SCAN_STATE_ROWS)))
    );
    assert_eq!(rows(&in_state), limits::WEB_PAGE_ROWS);
    let rare = browser.get(&format!("{list}?state=revised&checklist=CL")).await.body;
    assert!(rare.contains(&format!("{} were looked through", words(limits::WEB_SCAN_STATE_ROWS))), "{rare}");
    // Of those that an index names, however old, the first page has them.
    let old = browser.get(&format!("{list}?checklist=CL")).await.body;
    assert_eq!(rows(&old), limits::WEB_PAGE_ROWS);
    // The file is read in several slices.
    assert!(many > limits::WEB_EXPORT_ROWS);
    let file = browser.get(&format!("{list}.json")).await.body;
    assert_eq!(file.lines().filter(|line| line.starts_with('{')).count() as i64, all);
    let observers = browser.get("/elections/general-2026/observers").await.body;
    assert_eq!(observers.matches("<td class=\"came\"").count() as i64, limits::WEB_OBSERVER_ROWS);
}

#[tokio::test]
async fn what_a_file_s_statement_reads_is_bounded_in_bytes_and_the_next_one_goes_on_from_there() {
    use scrutineer::store::pages::{messages, submission_export, submission_filter};
    let dashboard = Dashboard::start().await;
    dashboard
        .change(
            "UPDATE submission SET comment = repeat('long ', 2000) WHERE election_id = 1 AND observer_id % 4 = 0;
             UPDATE message SET text = repeat('long ', 2000) WHERE sequence % 4 = 0",
        )
        .await;
    let store = Store::new(&dashboard.database.store_options(WEB, 1));
    let filter = submission_filter::Filter { election: 1, timezone: "UTC".to_owned(), ..Default::default() };
    let (mut rows, mut slices, mut after) = (0, 0, None);
    loop {
        let (slice, end) = submission_export::next(&store, &filter, after).await.unwrap();
        let sizes: Vec<i64> = slice.iter().map(|r| r.comment.as_ref().map_or(0, String::len) as i64).collect();
        let but_last: i64 = sizes.iter().rev().skip(1).sum();
        assert!(but_last < limits::WEB_EXPORT_BYTES, "{but_last}");
        (rows, slices) = (rows + slice.len() as i64, slices + 1);
        let Some(end) = end else { break };
        after = Some(end);
    }
    assert_eq!(rows, dashboard.value::<i64>("SELECT count(*) FROM submission WHERE election_id = 1").await);
    assert!(slices > 2 + rows / limits::WEB_EXPORT_ROWS, "{slices} slices of {rows}");
    let (mut rows, mut slices, mut after) = (0, 0, None);
    loop {
        let (slice, end) = messages::next(&store, &messages::Filter::default(), after).await.unwrap();
        let sizes: Vec<i64> = slice.iter().map(|r| r.text.as_ref().map_or(0, String::len) as i64).collect();
        let but_last: i64 = sizes.iter().rev().skip(1).sum();
        assert!(but_last < limits::WEB_EXPORT_BYTES, "{but_last}");
        (rows, slices) = (rows + slice.len() as i64, slices + 1);
        let Some(end) = end else { break };
        after = Some(end);
    }
    assert_eq!(rows, dashboard.value::<i64>("SELECT count(*) FROM message").await);
    assert!(slices > 2 + rows / limits::WEB_EXPORT_ROWS, "{slices} slices of {rows}");
}

#[tokio::test]
async fn more_hosts_than_a_page_shows_are_said_to_be_more() {
    let dashboard = Dashboard::start().await;
    dashboard.change("UPDATE web_user SET role = 'operator'").await;
    let mut browser = dashboard.person().await;
    let shown = async |browser: &mut Browser, parts: i64| {
        let sql = format!(
            "INSERT INTO host_status (host, part, status) SELECT 'host-' || n, 'worker', '{{\"lanes\": 4}}'
             FROM generate_series(1, {parts}) n ON CONFLICT DO NOTHING"
        );
        dashboard.database.admin().await.execute(AssertSqlSafe(sql)).await.unwrap();
        let page = browser.get("/operators").await.body;
        (page.matches(">host-").count() as i64, page.contains("Only the first 200 parts of hosts are shown"))
    };
    let most = limits::HOST_STATUS_SHOWN;
    assert_eq!(shown(&mut browser, most - 1).await, (most - 1, false));
    assert_eq!(shown(&mut browser, most + 20).await, (most, true));
}

#[tokio::test]
async fn a_text_in_a_list_is_cut_and_a_history_ends_at_its_bound() {
    let dashboard = Dashboard::start().await;
    let chars = limits::WEB_LIST_TEXT_CHARS;
    let sql = format!(
        "UPDATE message SET text = repeat('a', {chars}) || 'TAIL' WHERE sequence = 3001;
         INSERT INTO revision (election_id, submission_id, received_at, spool, sequence, answers)
         SELECT 1, md5('i3')::uuid, now() + make_interval(secs => n), '0190a0a0-0000-7000-8000-000000000002', 500000 + n, '{{}}'
         FROM generate_series(1, {}) n",
        limits::WEB_REVISIONS_MAX + 20
    );
    dashboard.database.admin().await.execute(AssertSqlSafe(sql)).await.unwrap();
    let mut browser = dashboard.person().await;
    let list = browser.get("/messages?election=general-2026").await.body;
    assert!(list.contains(&"a".repeat(chars as usize)) && !list.contains("TAIL"));
    let id: uuid::Uuid = dashboard.value("SELECT md5('i3')::uuid").await;
    let page = browser.get(&format!("/elections/general-2026/incidents/{id}")).await.body;
    let revisions =
        page.split("<ol class=\"history\">").nth(1).unwrap_or_default().matches("<li>\n<p class=\"when\">").count();
    assert_eq!(revisions as i64, limits::WEB_REVISIONS_MAX, "{page}");
    assert!(page.contains("Only the first 200 are shown"));
}
