//! What the pages show, and that they show all of it.

use std::collections::BTreeSet;

use super::*;
use crate::web::sign_in::PRIVATE;

/// Follows the pages of a list, and gathers where its rows lead.
async fn all_rows(browser: &mut Browser, path: &str, row: &str) -> Vec<String> {
    let mut rows = Vec::new();
    let mut at = Some(path.to_owned());
    while let Some(path) = at {
        let answer = browser.get(&path).await;
        assert_eq!(answer.status, 200, "{path}");
        let page: Vec<String> = answer.links(row).into_iter().filter(|l| !l.contains('?')).collect();
        assert!(page.len() <= 50, "{path}: {} rows", page.len());
        rows.extend(page);
        assert!(rows.len() < 10_000, "the pages never end");
        at = answer.next();
    }
    rows
}

#[tokio::test]
async fn the_pages_of_a_list_hold_each_row_once_whatever_is_filtered() {
    let dashboard = Dashboard::start().await;
    let mut browser = dashboard.person().await;
    let submissions = "/elections/general-2026/submissions";
    let below =
        "station_id IN (SELECT id FROM location WHERE path @> ARRAY[(SELECT id FROM location WHERE code = 'D11')])";
    for (query, condition) in [
        ("", "true".to_owned()),
        ("?checklist=CL", "prefix = 'CL'".to_owned()),
        ("?state=partial&checklist=OP", "prefix = 'OP' AND missing > 0".to_owned()),
        ("?state=broken", "broken_rules <> '{}'".to_owned()),
        ("?area=D11", below.to_owned()),
        ("?area=D11&state=revised", format!("{below} AND revisions > 1")),
    ] {
        let rows = all_rows(&mut browser, &format!("{submissions}{query}"), &format!("{submissions}/")).await;
        let sql = format!("SELECT '{submissions}/' || id FROM submission WHERE election_id = 1 AND {condition}");
        let wanted: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut dashboard.database.admin().await).await.unwrap();
        assert!(!wanted.is_empty(), "{query}");
        assert_eq!(rows.len(), wanted.len(), "{query}");
        assert_eq!(rows.into_iter().collect::<BTreeSet<_>>(), wanted.into_iter().collect(), "{query}");
    }
    for (query, condition) in [
        ("", "true"),
        ("?election=general-2026", "election_id = 1"),
        ("?outcome=unknown_observer", "outcome = 'unknown_observer'"),
        ("?election=general-2026&outcome=unclear", "election_id = 1 AND outcome = 'unclear'"),
    ] {
        let rows = all_rows(&mut browser, &format!("/messages{query}"), "/messages/").await;
        let sql = format!(
            "SELECT '/messages/' || s.uuid || '/' || sequence FROM message m JOIN spool s ON s.id = m.spool_id WHERE {condition}"
        );
        let wanted: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut dashboard.database.admin().await).await.unwrap();
        assert_eq!(rows.len(), wanted.len(), "{query}");
        assert_eq!(rows.into_iter().collect::<BTreeSet<_>>(), wanted.into_iter().collect(), "{query}");
    }
}

#[tokio::test]
async fn the_overview_counts_what_the_database_holds() {
    let dashboard = Dashboard::start().await;
    let mut browser = dashboard.person().await;
    let page = browser.get("/elections/general-2026").await.body;
    let figures = |name: &str| {
        let rest = page.split(&format!("<dt>{name}</dt><dd>")).nth(1).unwrap();
        rest.chars()
            .take_while(|c| c.is_ascii_digit() || *c == ',')
            .filter(char::is_ascii_digit)
            .collect::<String>()
            .parse::<i64>()
            .unwrap()
    };
    let complete = "SELECT count(*) FROM submission WHERE election_id = 1 AND kind = 'checklist' AND missing = 0";
    let partial = "SELECT count(*) FROM submission WHERE election_id = 1 AND kind = 'checklist' AND missing > 0";
    assert_eq!(figures("Expected"), 3 * 540);
    assert_eq!(figures("Complete"), dashboard.value::<i64>(complete).await);
    assert_eq!(figures("Partial"), dashboard.value::<i64>(partial).await);
    assert_eq!(figures("Missing"), 3 * 540 - figures("Complete") - figures("Partial"));
    assert_eq!(figures("Incidents"), 59);
    for wanted in [
        "<svg class=\"plot\"",
        "role=\"img\"",
        "<title id=\"plot-title\">",
        "Opening of the poll",
        "Central Plateau",
        "Times are those of Africa/Lagos",
    ] {
        assert!(page.contains(wanted), "{wanted}");
    }
    let district = browser.get("/elections/general-2026?area=D11").await.body;
    assert!(
        district.contains("By polling station")
            && district.contains("PS0181")
            && district.contains(">Central Plateau<")
    );
    assert_eq!(browser.get("/elections/general-2026?area=NONE").await.status, 404);
    assert_eq!(browser.get("/elections/nothing").await.status, 404);
}

#[tokio::test]
async fn a_submission_shows_its_questions_in_order_its_broken_rules_and_its_history() {
    let dashboard = Dashboard::start().await;
    let mut browser = dashboard.person().await;
    let id: String = dashboard
        .value("SELECT id::text FROM submission WHERE prefix = 'OP' AND revisions = 2 AND (answers ->> 'AC')::int <= 9 ORDER BY id LIMIT 1")
        .await;
    let page = browser.get(&format!("/elections/general-2026/submissions/{id}")).await.body;
    let at = |needle: &str| page.find(needle).unwrap_or_else(|| panic!("no {needle} in {page}"));
    assert!(at("At what time did the station open?") < at("How many officials were there?"));
    assert!(at("Was the ballot box shown to be empty?") < at("Which materials were missing?"));
    assert!(page.contains("<del>") && page.contains("<ins><bdi>9</bdi></ins>"), "old and new");
    assert!(page.contains("corrected. Thank you.") && page.contains("delivered"));
    let broken: String = dashboard
        .value("SELECT id::text FROM submission WHERE prefix = 'CL' AND broken_rules <> '{}' AND missing = 0 LIMIT 1")
        .await;
    let page = browser.get(&format!("/elections/general-2026/submissions/{broken}")).await.body;
    assert!(page.contains("The votes do not add up to the ballots in the box."));
    let partial: String =
        dashboard.value("SELECT id::text FROM submission WHERE prefix = 'TU' AND missing = 1 LIMIT 1").await;
    let page = browser.get(&format!("/elections/general-2026/submissions/{partial}")).await.body;
    assert!(page.contains("Was the queue longer than 50 people?") && page.contains(">missing<"));
    assert_eq!(
        browser.get(&format!("/elections/councils-2025/submissions/{partial}")).await.status,
        404,
        "of another election"
    );
}

#[tokio::test]
async fn what_an_attacker_texts_is_shown_and_does_nothing() {
    let dashboard = Dashboard::start().await;
    let mut browser = dashboard.person().await;
    let mut pages = vec!["/messages?election=general-2026".to_owned(), "/set-aside".to_owned()];
    pages.extend((3001..=3007).map(|n| format!("/messages/0190a0a0-0000-7000-8000-000000000002/{n}")));
    pages.push("/elections/general-2026/submissions/8e20e5f0-a627-b4dd-4ded-c41a597ab672".to_owned());
    let mut all = String::new();
    for path in pages {
        let answer = browser.get(&path).await;
        assert_eq!(answer.status, 200, "{path}");
        for bad in
            ["<script", "<img", "onerror=alert(1)>\"", "<b>", "\u{202e}", "\u{1b}", "\u{1}", "\u{200b}", "\u{feff}"]
        {
            assert!(!answer.body.contains(bad), "{path} holds {bad:?}");
        }
        all.push_str(&answer.body);
    }
    for wanted in [
        "&lt;script&gt;alert(document.cookie)",
        "[U+202E]",
        "␁",
        "␛",
        "[U+200B]",
        "10,237 characters",
        "{{7*7}}",
        "مرحبا",
    ] {
        assert!(all.contains(wanted), "{wanted}");
    }
}

#[tokio::test]
async fn a_query_made_up_by_hand_gets_an_answer_that_says_so() {
    let dashboard = Dashboard::start().await;
    let mut browser = dashboard.person().await;
    for (path, status) in [
        ("/elections/general-2026/submissions?after=nonsense", 400),
        ("/messages?after=1_2", 400),
        ("/messages?outcome=nothing", 404),
        ("/messages/0190a0a0-0000-7000-8000-000000000001/x", 404),
        ("/elections/general-2026/submissions/x", 404),
        ("/elections/general-2026/submissions?checklist=%00", 400),
        ("/messages?election=%FF", 404),
    ] {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert!(answer.body.contains("<h1>") && answer.body.contains("Sign out"), "{path}: a page with the way on");
    }
}

#[tokio::test]
async fn every_answer_has_the_protective_headers() {
    let dashboard = Dashboard::start().await;
    let mut browser = dashboard.person().await;
    let page = browser.get("/elections").await;
    let style = page.links("/assets/style").remove(0);
    let mut answers = vec![page];
    for path in PRIVATE.into_iter().chain(["/sign-in", "/healthz", "/nothing", "/assets/nothing", &style]) {
        answers.push(browser.get(path).await);
    }
    answers.push(browser.post_with("/sign-in", &[], &[("sec-fetch-site", "cross-site")]).await);
    answers.push(browser.post("/elections", &[]).await);
    for answer in &answers {
        let policy = answer.header("content-security-policy");
        for part in [
            "default-src 'none'",
            "style-src 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("script") && !policy.contains("unsafe"));
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert!(answer.header("permissions-policy").contains("geolocation=()"));
        assert!(
            !answer.body.contains("<script") && !answer.body.contains(" style=") && !answer.body.contains(" onclick")
        );
    }
    let (css, pages): (Vec<_>, Vec<_>) = answers.iter().partition(|a| a.header("content-type").starts_with("text/css"));
    assert_eq!(css.len(), 1);
    assert_eq!(css[0].header("cache-control"), "public, max-age=31536000, immutable");
    assert!(pages.iter().all(|a| a.header("cache-control") == "no-store"));
}

#[tokio::test]
async fn the_first_page_weighs_little_on_the_wire() {
    let dashboard = Dashboard::start().await;
    let mut browser = dashboard.person().await;
    let style = browser.get("/elections").await.links("/assets/style").remove(0);
    let mut weight = 0;
    for path in ["/elections/general-2026", &style] {
        let answer = browser.send("GET", path, &[("accept-encoding", "gzip")], String::new()).await;
        assert_eq!(answer.header("content-encoding"), "gzip", "{path}");
        weight += answer.bytes.len();
    }
    println!("overview and style sheet: {weight} bytes");
    assert!(weight < 60_000, "{weight} bytes");
}
