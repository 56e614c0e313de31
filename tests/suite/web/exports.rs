//! Tables as files.

use scrutineer::limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::support::soon;

const LIST: &str = "/elections/general-2026/submissions";

/// Rows of a CSV, its cells as they stand.
fn rows(csv: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = csv.strip_prefix('\u{feff}').expect("a byte order mark").chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted && chars.peek() == Some(&'\n') => {
                chars.next();
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c => cell.push(c),
        }
    }
    assert!(!quoted && row.is_empty() && cell.is_empty(), "the file ends with its last row");
    rows
}

#[tokio::test]
async fn a_file_holds_the_rows_of_its_list_with_their_answers_as_csv_and_json() {
    let dashboard = Dashboard::start().await;
    let mut browser = dashboard.person().await;
    for (query, condition) in [
        ("", "true"),
        ("?checklist=OP&q=AB&op=gt&v=5", "prefix = 'OP' AND (answers ->> 'AB')::int > 5"),
        ("?area=R1&state=partial", "missing > 0 AND station_id IN (SELECT id FROM location WHERE path @> '{1}')"),
    ] {
        let sql = format!("SELECT id::text FROM submission WHERE election_id = 1 AND {condition} ORDER BY id");
        let wanted: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut dashboard.database.admin().await).await.unwrap();
        assert!(!wanted.is_empty());
        let csv = browser.get(&format!("{LIST}.csv{query}")).await;
        assert_eq!((csv.status, csv.header("content-type")), (200, "text/csv; charset=utf-8; header=present"));
        let name = csv.header("content-disposition");
        assert!(
            name.starts_with("attachment; filename=\"general-2026-submissions-") && name.ends_with("Z.csv\""),
            "{name}"
        );
        let table = rows(&csv.body);
        assert!(table.iter().all(|r| r.len() == table[0].len()), "{query}: a row has its columns");
        assert_eq!(table.iter().skip(1).map(|r| r[0].clone()).collect::<Vec<_>>(), wanted, "{query}");
        let json = browser.get(&format!("{LIST}.json{query}")).await;
        let json: Vec<serde_json::Map<String, serde_json::Value>> = serde_json::from_str(&json.body).unwrap();
        assert_eq!(json.iter().map(|r| r["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>(), wanted, "{query}");
        if query.contains("checklist") {
            let column = table[0].iter().position(|c| c == "AB").unwrap();
            assert!(table.iter().skip(1).all(|r| r[column].parse::<i64>().unwrap() > 5), "a number stays a number");
            assert!(json.iter().all(|r| r["AB"].as_i64().unwrap() > 5));
        }
    }
    for path in ["/elections", "/messages", "/trouble", "/requests", "/set-aside"] {
        let csv = browser.get(&format!("{path}.csv")).await;
        assert_eq!(csv.status, 200, "{path}: {}", csv.body);
        rows(&csv.body);
        let json = browser.get(&format!("{path}.json")).await;
        assert!(serde_json::from_str::<Vec<serde_json::Value>>(&json.body).is_ok(), "{path}");
    }
    let all: i64 = dashboard.value("SELECT count(*) FROM message").await;
    assert_eq!(rows(&browser.get("/messages.csv").await.body).len() as i64, all + 1);
}

#[tokio::test]
async fn no_cell_of_a_file_is_run_and_phones_stay_masked() {
    let dashboard = Dashboard::start().await;
    dashboard
        .change(
            "UPDATE message SET text = '=HYPERLINK(\"http://evil.example\")' WHERE sequence = 3001;
             UPDATE message SET text = E'\t@SUM(A1);=1+1' WHERE sequence = 3002;
             UPDATE location SET name = '+44 school, \"north\"' WHERE code = 'PS0003';
             UPDATE submission SET comment = '-1+2' WHERE comment IS NOT NULL",
        )
        .await;
    let mut browser = dashboard.person().await;
    let numbers: Vec<String> = sqlx::query_scalar("SELECT msisdn FROM phone WHERE length(msisdn) > 5")
        .fetch_all(&mut dashboard.database.admin().await)
        .await
        .unwrap();
    for path in ["/messages.csv".to_owned(), format!("{LIST}.csv"), "/trouble.csv".to_owned()] {
        let body = browser.get(&path).await.body;
        for cell in rows(&body).concat() {
            let is_number = cell.parse::<f64>().is_ok();
            assert!(is_number || !cell.trim_start().starts_with(['=', '+', '-', '@']), "{path}: {cell:?}");
            assert!(!cell.contains(";="), "{path}: {cell:?}");
        }
        assert!(!numbers.iter().any(|n| body.contains(n.as_str())), "{path} holds a number");
    }
    let json = browser.get("/messages.json").await.body;
    assert!(json.contains("\"=HYPERLINK(\\\"http://evil.example\\\")\""), "JSON holds texts as they came");
}

#[tokio::test]
async fn each_table_there_is_has_a_file_in_which_nothing_is_run_no_number_is_whole_and_nobody_keeps_a_copy() {
    let dashboard = Dashboard::start().await;
    dashboard
        .change(
            "UPDATE message SET text = '=HYPERLINK(\"http://evil.example\")';
             UPDATE location SET name = '+44 school, \"north\"';
             UPDATE submission SET comment = '@SUM(A1);=1+1';
             UPDATE observer_person SET name = '-2+3';
             UPDATE election SET name = '=1+1';
             UPDATE checklist SET title = '{\"en\": \"=1+1\"}';
             UPDATE spool SET host = '=1+1';
             INSERT INTO request (kind, made_by, payload) VALUES ('reread', '=1+1', '{\"why\": \"=1+1\"}');
             INSERT INTO host_status (host, part, status) VALUES
                ('=1+1', 'gateway', '{\"version\": \"=1+1\", \"links\": [{\"link\": \"=1+1\", \"group\": \"=1+1\", \"bound\": true}]}'),
                ('=1+1', 'worker', '{\"version\": \"=1+1\"}')",
        )
        .await;
    dashboard.change("UPDATE web_user SET role = 'operator'").await;
    let mut operator = dashboard.person().await;
    let owner = Store::new(&dashboard.database.store_options(OWNER, 1));
    assert!(user::add(&owner, "badu", "analyst", &password::hash(PASSWORD).unwrap()).await.unwrap());
    let mut analyst = dashboard.stranger();
    assert_eq!(analyst.sign_in("badu", PASSWORD).await.status, 303);
    let numbers: Vec<String> = sqlx::query_scalar("SELECT msisdn FROM phone WHERE length(msisdn) > 5")
        .fetch_all(&mut dashboard.database.admin().await)
        .await
        .unwrap();
    let mut files: Vec<String> = web::routes()
        .into_iter()
        .filter(|(route, _)| route.ends_with(".csv") || route.ends_with(".json"))
        .map(|(route, _)| super::rights::address(route))
        .collect();
    // Those that are told apart by the ending of an address that a page has too.
    for page in ["/elections/general-2026/questions/OP", "/elections/general-2026/questions/OP/AC"]
        .into_iter()
        .chain(["/messages/0190a0a0-0000-7000-8000-000000000001/20", "/requests/1"])
        .chain(["/elections/general-2026/submissions/8e20e5f0-a627-b4dd-4ded-c41a597ab672"])
    {
        files.extend([format!("{page}.csv"), format!("{page}.json")]);
    }
    assert!(files.len() > 30, "{files:?}");
    let mut cells = 0;
    for path in &files {
        for (browser, is_analyst) in [(&mut operator, false), (&mut analyst, true)] {
            let answer = browser.get(path).await;
            let operates = path.starts_with("/operators");
            assert_eq!(answer.status, if is_analyst && operates { 403 } else { 200 }, "{path}: {}", answer.body);
            assert_eq!(answer.header("cache-control"), "no-store", "{path}");
            if is_analyst {
                assert!(!numbers.iter().any(|n| answer.body.contains(n.as_str())), "{path} holds a number");
                assert!(!answer.body.contains("-2+3"), "{path} holds an observer's name");
            }
            if answer.status == 200 && path.ends_with(".csv") {
                for cell in rows(&answer.body).concat() {
                    let is_number = cell.parse::<f64>().is_ok();
                    assert!(is_number || !cell.trim_start().starts_with(['=', '+', '-', '@']), "{path}: {cell:?}");
                    assert!(!cell.contains(";="), "{path}: {cell:?}");
                    cells += usize::from(cell.starts_with('\''));
                }
            }
        }
    }
    assert!(cells > 100, "{cells} cells would have been run");
}

/// Asks for a file, reads its head and no more.
async fn begin(dashboard: &Dashboard, cookie: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(dashboard.address).await.unwrap();
    let head = format!("GET {LIST}.csv HTTP/1.1\r\nhost: x\r\ncookie: {cookie}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut begin = vec![0; 64];
    soon("a head", stream.read_exact(&mut begin)).await.unwrap();
    (stream, String::from_utf8_lossy(&begin).into_owned())
}

#[tokio::test]
async fn more_files_at_once_than_the_bound_are_turned_away_until_a_reader_has_gone() {
    let dashboard = Dashboard::start().await;
    // More than the sockets between hold, so that a file whose reader waits is under way.
    dashboard
        .change(
            "INSERT INTO submission (election_id, id, checklist_id, prefix, kind, observer_id, station_id, answers, missing, comment,
                 first_received_at, last_received_at, last_spool, last_sequence)
             SELECT 1, md5('many' || n)::uuid, 1, 'OP', 'checklist', 2, 1002, '{\"AB\": 15}', 0, repeat('long ', 200), now(), now(),
                 '0190a0a0-0000-7000-8000-000000000001', 100000 + n
             FROM generate_series(1, 20000) n",
        )
        .await;
    let browser = dashboard.person().await;
    let cookie = browser.cookie.clone().unwrap();
    let mut held = Vec::new();
    for _ in 0..limits::WEB_EXPORTS_MAX {
        let (stream, head) = begin(&dashboard, &cookie).await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        held.push(stream);
    }
    let (_, head) = begin(&dashboard, &cookie).await;
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    held.pop();
    soon("a free place", async {
        while !begin(&dashboard, &cookie).await.1.starts_with("HTTP/1.1 200") {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn small_tables_are_files_too_safe_and_for_those_only_who_may_take_them() {
    let dashboard = Dashboard::start().await;
    dashboard
        .change(
            "UPDATE message SET reading = '{\"reports\": [{\"prefix\": \"OP\", \"observer\": \"200007\", \"incident\": false, \"serial\": null,
               \"answers\": {\"AB\": 5}, \"rejected\": [{\"code\": \"AC\", \"value\": \"=1+1\", \"reason\": \"unclear\"}],
               \"comment\": null, \"leftover\": \"\", \"notes\": []}]}' WHERE sequence = 20 AND spool_id = 1",
        )
        .await;
    dashboard
        .change(
            "INSERT INTO request (kind, made_by, state, done_at, result) VALUES ('reread', 'amina', 'done', now(),
               '{\"looked\": 3, \"outcomes\": {\"unclear → unknown_observer\": 3}}')",
        )
        .await;
    let mut browser = dashboard.person().await;
    let message = "/messages/0190a0a0-0000-7000-8000-000000000001/20";
    let of_message: [&[&str]; 2] = [&["1", "AB", "5", "true", ""], &["1", "AC", "'=1+1", "false"]];
    let of_request: [&[&str]; 1] = [&["unclear → unknown observer", "3"]];
    let files = [(message, message, &of_message[..]), ("/requests/1", "/requests/1", &of_request[..])];
    for (page, file, wanted) in files.into_iter().chain([("/account", "/account/sessions", &[][..])]) {
        let shown = browser.get(page).await;
        for form in ["csv", "json"] {
            assert!(!shown.links(&format!("{file}.{form}")).is_empty(), "{page}: {}", shown.body);
        }
        let csv = browser.get(&format!("{file}.csv")).await;
        assert_eq!(csv.status, 200, "{file}: {}", csv.body);
        let table = rows(&csv.body);
        assert!(table.len() > 1 && table.iter().all(|r| r.len() == table[0].len()), "{file}: {}", csv.body);
        for (row, wanted) in table.iter().skip(1).zip(wanted) {
            assert_eq!(&row[..wanted.len()], *wanted, "{file}");
        }
        let json = browser.get(&format!("{file}.json")).await;
        let json: Vec<serde_json::Value> = serde_json::from_str(&json.body).unwrap();
        assert_eq!(json.len(), table.len() - 1, "{file}");
    }
    let sessions = browser.get("/account/sessions.json").await.body;
    assert!(sessions.contains("\"this_one\":true"), "{sessions}");

    dashboard.change("UPDATE web_user SET role = 'viewer'").await;
    soon("the new role", async { while !browser.get("/elections").await.body.contains(">viewer<") {} }).await;
    for (page, file) in [(message, message), ("/requests/1", "/requests/1"), ("/account", "/account/sessions")] {
        assert!(browser.get(page).await.links(".csv").is_empty(), "{page}");
        assert_eq!(browser.get(&format!("{file}.csv")).await.status, 403, "{file}");
    }
}
