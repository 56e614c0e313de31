//! Lists under their filters, held against the database.

use std::collections::BTreeSet;

use super::*;

const LIST: &str = "/elections/general-2026/submissions";

/// Walks a list to its end and back to its beginning: both ways show the same rows, each once.
pub(super) async fn walk(browser: &mut Browser, path: &str, row: &str) -> Vec<String> {
    let (mut there, mut back, mut looked) = (Vec::new(), Vec::new(), false);
    let mut at = Some(path.to_owned());
    let mut last = String::new();
    while let Some(path) = at {
        let answer = browser.get(&path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        let rows: Vec<String> = answer.links(row).into_iter().filter(|l| !l.contains('?')).collect();
        assert!(rows.len() <= 50, "{path}: {} rows", rows.len());
        looked |= answer.body.contains("looked through");
        there.extend(rows);
        at = answer.link("next");
        assert!(there.len() < 20_000 && at.as_ref() != Some(&path), "the pages never end");
        last = path;
    }
    let mut at = Some(last);
    while let Some(path) = at {
        let answer = browser.get(&path).await;
        assert_eq!(answer.status, 200, "{path}");
        let mut rows: Vec<String> = answer.links(row).into_iter().filter(|l| !l.contains('?')).collect();
        rows.append(&mut back);
        back = rows;
        at = answer.link("prev");
    }
    if !looked {
        assert_eq!(there, back, "{path}: the way back");
    }
    assert_eq!(there.iter().collect::<BTreeSet<_>>().len(), there.len(), "{path}: a row stands twice");
    there
}

async fn wanted(dashboard: &Dashboard, condition: &str) -> BTreeSet<String> {
    let sql = format!("SELECT '{LIST}/' || id FROM submission WHERE election_id = 1 AND {condition}");
    let rows: Vec<String> =
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut dashboard.database.admin().await).await.unwrap();
    rows.into_iter().collect()
}

#[tokio::test]
async fn a_list_holds_what_any_filter_lets_pass_and_walks_both_ways() {
    let dashboard = Dashboard::start().await;
    let mut browser = dashboard.person().await;
    let number = "jsonb_typeof(answers -> 'AB') = 'number' AND (answers ->> 'AB')::int";
    for (query, condition) in [
        ("", "true".to_owned()),
        ("?q=AB&op=gt&v=6", format!("{number} > 6")),
        ("?q=ab&op=le&v=4&q=&op=eq&v=", format!("{number} <= 4")),
        ("?q=AB&op=ne&v=9&q=BC&op=eq&v=2", format!("{number} <> 9 AND answers -> 'BC' = '2'")),
        ("?q=BA&op=eq&v=no", "answers -> 'BA' = 'false'".to_owned()),
        ("?q=BB&op=eq&v=3", "answers -> 'BB' @> '3'".to_owned()),
        ("?q=CB&op=na", "answers -> 'CB' @> '{\"na\": 999}'".to_owned()),
        ("?q=CB&op=ge&v=0", "jsonb_typeof(answers -> 'CB') = 'number'".to_owned()),
        ("?q=AA&op=lt&v=07:00", "prefix = 'OP' AND answers ->> 'AA' < '07:00'".to_owned()),
        ("?q=CB&op=missing", "prefix = 'OP' AND NOT answers ? 'CB'".to_owned()),
        ("?q=PA&op=answered&state=broken", "answers ? 'PA' AND broken_rules <> '{}'".to_owned()),
        ("?state=comment&state=revised", "comment IS NOT NULL AND revisions > 1".to_owned()),
        ("?observer=200007", "observer_id = 1".to_owned()),
        ("?area=PS0003", "station_id = 1003".to_owned()),
        (
            // Clocks in Lagos are an hour ahead.
            "?from=2026-02-21T08:00&until=2026-02-21T09:30&area=R2",
            "last_received_at >= '2026-02-21 07:00Z' AND last_received_at < '2026-02-21 08:30Z'
             AND station_id IN (SELECT id FROM location WHERE path @> '{2}')"
                .to_owned(),
        ),
    ] {
        let rows = walk(&mut browser, &format!("{LIST}{query}"), &format!("{LIST}/")).await;
        let wanted = wanted(&dashboard, &condition).await;
        assert_eq!(rows.into_iter().collect::<BTreeSet<_>>(), wanted, "{query}");
        assert_eq!(wanted.is_empty(), query.contains("comment"), "{query}: the fixture has some");
    }
    for (query, words) in [
        ("?q=XX&op=eq&v=1", "has a question with this code"),
        ("?q=AB&op=eq&v=many", "whole number"),
        ("?q=AB&op=eq&v=%22%20%7C%7C%20true", "whole number"),
        ("?observer=999", "No observer"),
        ("?from=yesterday", "2026-02-21T14:30"),
    ] {
        let answer = browser.get(&format!("{LIST}{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.body.contains(words), "{query}: {}", answer.body);
    }
}

#[tokio::test]
async fn each_filter_that_is_set_can_be_taken_away_by_itself() {
    let dashboard = Dashboard::start().await;
    let mut browser = dashboard.person().await;
    let page = browser.get(&format!("{LIST}?checklist=OP&state=partial&q=AB&op=gt&v=%3Cb%3E5")).await;
    assert_eq!(page.status, 400, "a value that is no number");
    let page = browser.get(&format!("{LIST}?checklist=OP&state=partial&q=AB&op=gt&v=5")).await;
    for without in [
        "/submissions?state=partial&q=AB&op=gt&v=5",
        "/submissions?checklist=OP&q=AB&op=gt&v=5",
        "/submissions?checklist=OP&state=partial",
        "/submissions.csv?checklist=OP&state=partial&q=AB&op=gt&v=5",
    ] {
        assert!(page.links("/elections/").iter().any(|l| l.ends_with(without)), "{without}: {}", page.body);
    }
}

#[tokio::test]
async fn a_file_that_is_made_while_it_is_sent_is_whole_compressed_too() {
    let dashboard = Dashboard::start().await;
    let mut browser = dashboard.person().await;
    for form in ["csv", "json"] {
        let path = format!("{LIST}.{form}");
        let plain = browser.get(&path).await;
        let packed = browser.send("GET", &path, &[("accept-encoding", "gzip")], String::new()).await;
        assert_eq!(packed.header("content-encoding"), "gzip", "{path}");
        let mut text = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&packed.bytes[..]), &mut text).unwrap();
        assert!(text == plain.bytes && text.len() > 1_000, "{path}: {} bytes", text.len());
    }
}

#[tokio::test]
async fn what_is_rare_is_found_behind_many_and_what_no_index_names_says_how_far_it_looked() {
    let dashboard = Dashboard::start().await;
    let mut browser = dashboard.person().await;
    let newer = scrutineer::limits::WEB_SCAN_FAR_ROWS + 500;
    // As many newer ones of another answer, the older third of them sent twice.
    let sql = format!(
        "INSERT INTO submission (election_id, id, checklist_id, prefix, kind, observer_id, station_id, answers, missing,
             first_received_at, last_received_at, last_spool, last_sequence, revisions)
         SELECT 1, md5('many' || n)::uuid, 1, 'OP', 'checklist', 2, 1002, '{{\"AB\": 15, \"AA\": \"06:00\"}}', 0, at, at,
             '0190a0a0-0000-7000-8000-000000000001', 100000 + n, CASE WHEN n < {newer} / 3 THEN 2 ELSE 1 END
         FROM (SELECT n, '2026-02-22 06:00Z'::timestamptz + make_interval(secs => n) AS at FROM generate_series(1, {newer}) n) x"
    );
    dashboard.database.admin().await.execute(AssertSqlSafe(sql)).await.unwrap();
    dashboard.change("ANALYZE submission").await;
    let few = [
        ("?q=AB&op=eq&v=7", "answers -> 'AB' = '7'"),
        ("?q=AB&op=lt&v=5", "jsonb_typeof(answers -> 'AB') = 'number' AND (answers ->> 'AB')::int < 5"),
        ("?observer=200007", "observer_id = 1"),
        (
            "?area=D11",
            "station_id IN (SELECT id FROM location WHERE path @> ARRAY[(SELECT id FROM location WHERE code = 'D11')])",
        ),
        (
            "?state=broken&area=R3",
            "broken_rules <> '{}' AND station_id IN (SELECT id FROM location WHERE path @> '{3}')",
        ),
        ("?checklist=CL&state=partial", "prefix = 'CL' AND missing > 0"),
    ];
    for (query, condition) in few {
        let rows = walk(&mut browser, &format!("{LIST}{query}"), &format!("{LIST}/")).await;
        let wanted = wanted(&dashboard, condition).await;
        assert_eq!(rows.len(), wanted.len(), "{query}");
        assert_eq!(rows.into_iter().collect::<BTreeSet<_>>(), wanted, "{query}");
    }
    let first = browser.get(&format!("{LIST}?q=AA&op=has&v=07:1")).await;
    assert!(first.body.contains("12,000 were looked through"), "{}", first.body);
    let rows = walk(&mut browser, &format!("{LIST}?q=AA&op=has&v=07:1"), &format!("{LIST}/")).await;
    assert_eq!(rows.into_iter().collect::<BTreeSet<_>>(), wanted(&dashboard, "answers ->> 'AA' LIKE '%07:1%'").await);
    // An index that names too many is left, and the next ones found in order.
    let page = browser.get(&format!("{LIST}?state=revised&q=AB&op=eq&v=15")).await;
    assert_eq!(page.links(&format!("{LIST}/")).len(), 50, "{}", page.body);
}

#[tokio::test]
async fn the_log_holds_what_any_filter_lets_pass_and_walks_both_ways() {
    let dashboard = Dashboard::start().await;
    let mut browser = dashboard.person().await;
    let reply = "(SELECT text FROM outbox b WHERE b.id = m.reply_id)";
    for (query, condition) in [
        ("?q=ink+only", format!("(text ILIKE '%ink only%' OR {reply} ILIKE '%ink only%')")),
        ("?q=100%25", "false".to_owned()),
        (
            "?election=general-2026&q=corrected.&outcome=corrected",
            format!("outcome = 'corrected' AND {reply} ILIKE '%corrected.%'"),
        ),
        ("?election=general-2026&sender=200007", "observer_id = 1".to_owned()),
        ("?link=airtel-1&reply=in", "link = 'airtel-1' AND reply_id IS NULL".to_owned()),
        ("?reply=sent&outcome=corrected", "outcome = 'corrected' AND reply_id IS NOT NULL".to_owned()),
        (
            "?election=general-2026&from=2026-02-21T10:00&until=2026-02-21T10:03",
            "election_id = 1 AND received_at >= '2026-02-21 09:00Z' AND received_at < '2026-02-21 09:03Z'".to_owned(),
        ),
    ] {
        let rows = walk(&mut browser, &format!("/messages{query}"), "/messages/").await;
        let sql = format!(
            "SELECT '/messages/' || s.uuid || '/' || sequence FROM message m JOIN spool s ON s.id = m.spool_id WHERE {condition}"
        );
        let wanted: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut dashboard.database.admin().await).await.unwrap();
        assert_eq!(rows.into_iter().collect::<BTreeSet<_>>(), wanted.into_iter().collect(), "{query}");
    }
    // An analyst finds nobody by a number, an operator does, and sees it masked all the same.
    let number: String = dashboard.value("SELECT msisdn FROM phone WHERE id = 20001").await;
    assert_eq!(browser.get(&format!("/messages?sender={number}")).await.status, 400);
    dashboard.change("UPDATE web_user SET role = 'operator'").await;
    let mut browser = dashboard.person().await;
    let found = browser.get(&format!("/messages?sender=%2B{number}")).await;
    assert_eq!(found.status, 200, "{}", found.body);
    assert_eq!(found.links("/messages/").len(), 50);
    assert!(!found.body.replace(&format!("%2B{number}"), "").replace(&format!("+{number}"), "").contains(&number));
}
