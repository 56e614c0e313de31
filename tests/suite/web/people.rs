//! Incidents and observers: lists, counts and files agree with what is stored.

use scrutineer::limits;

use super::*;

/// Follows a list's pages and counts its rows.
async fn rows(browser: &mut Browser, path: &str) -> usize {
    let (mut rows, mut at) = (0, Some(path.to_owned()));
    while let Some(path) = at {
        let answer = browser.get(&path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        rows += answer.body.matches("<tr>").count().saturating_sub(usize::from(answer.body.contains("<thead>")));
        at = answer.next();
    }
    rows
}

/// Rows of the file behind it.
async fn lines(browser: &mut Browser, path: &str) -> usize {
    let file = browser.get(path).await;
    assert_eq!(file.status, 200, "{path}: {}", file.body);
    file.body.lines().count() - 1
}

#[tokio::test]
async fn incidents_are_listed_counted_and_taken_away_as_they_are_stored_whatever_is_filtered() {
    let dashboard = Dashboard::start().await;
    let mut browser = dashboard.person().await;
    let path = "/elections/general-2026/incidents";
    for (query, condition) in [
        ("", "true"),
        ("state=comment", "comment IS NOT NULL"),
        ("words=TWO+men", "comment LIKE '%two men%'"),
        ("words=100%25", "comment LIKE '%100%%'"),
        ("area=R2", "station_id IN (SELECT id FROM location WHERE path @> ARRAY[2])"),
        ("state=partial", "missing > 0"),
        ("checklist=NO", "prefix = 'NO'"),
    ] {
        let sql =
            format!("SELECT count(*) FROM submission WHERE election_id = 1 AND kind = 'incident' AND {condition}");
        let wanted: i64 =
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut dashboard.database.admin().await).await.unwrap();
        let wanted = usize::try_from(wanted).unwrap();
        assert_eq!(rows(&mut browser, &format!("{path}?{query}")).await, wanted, "{query}");
        assert_eq!(lines(&mut browser, &format!("{path}.csv?{query}")).await, wanted, "{query}");
    }
    let first = browser.get(path).await;
    assert!(first.body.contains("<dt>Reported</dt><dd>59</dd>"), "{}", first.body);
    let one = first.links(&format!("{path}/"));
    assert_eq!(browser.get(&one[0]).await.status, 200);
    for bad in ["area=NO", "state=NO"] {
        assert_eq!(browser.get(&format!("{path}?{bad}")).await.status, 404, "{bad}");
    }
    assert_eq!(browser.get(&format!("{path}?after=x")).await.status, 400);
    let words = |chars: usize| format!("{path}?words={}", "x".repeat(chars));
    let most = scrutineer::limits::WEB_WORDS_CHARS_MAX;
    assert_eq!(browser.get(&words(most)).await.status, 200);
    assert_eq!(browser.get(&words(most + 1)).await.status, 400);
}

#[tokio::test]
async fn observers_are_missing_what_they_have_not_sent_and_each_stands_once() {
    let dashboard = Dashboard::start().await;
    let mut browser = dashboard.person().await;
    let path = "/elections/general-2026/observers";
    let came = "(SELECT count(DISTINCT prefix) FROM submission s WHERE s.observer_id = o.id AND kind = 'checklist')";
    for (query, condition) in [
        ("", "true".to_owned()),
        ("state=missing", format!("{came} < 3")),
        ("state=nothing", format!("{came} = 0")),
        (
            "state=complete",
            format!("{came} = 3 AND NOT EXISTS (SELECT FROM submission s WHERE s.observer_id = o.id AND missing > 0)"),
        ),
        (
            "state=partial",
            "EXISTS (SELECT FROM submission s WHERE s.observer_id = o.id AND kind = 'checklist' AND missing > 0)"
                .to_owned(),
        ),
        ("area=D07", "station_id IN (SELECT id FROM location WHERE path @> ARRAY[107])".to_owned()),
        (
            "checklist=TU&state=missing",
            "NOT EXISTS (SELECT FROM submission s WHERE s.observer_id = o.id AND prefix = 'TU')".to_owned(),
        ),
        ("code=2000", "code LIKE '2000%'".to_owned()),
        ("silent=1", "true".to_owned()),
    ] {
        let sql = format!("SELECT count(*) FROM observer o WHERE election_id = 1 AND {condition}");
        let wanted: i64 =
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut dashboard.database.admin().await).await.unwrap();
        let wanted = usize::try_from(wanted).unwrap();
        assert_eq!(rows(&mut browser, &format!("{path}?{query}")).await, wanted, "{query}");
        assert_eq!(lines(&mut browser, &format!("{path}.csv?{query}")).await, wanted, "{query}");
    }
    let page = browser.get(path).await.body;
    assert!(page.contains("<dt>Observers</dt><dd>540</dd>") && page.contains("••••"), "{page}");
    for bad in ["code=x", "after=%27"] {
        assert_eq!(browser.get(&format!("{path}?{bad}")).await.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn observers_in_a_rare_state_are_found_behind_more_than_are_looked_up_one_by_one() {
    let dashboard = Dashboard::start().await;
    let mut browser = dashboard.person().await;
    let path = "/elections/general-2026/observers";
    let wanted: i64 = dashboard
        .value("SELECT count(DISTINCT observer_id) FROM submission WHERE election_id = 1 AND kind = 'checklist' AND missing > 0")
        .await;
    let wanted = usize::try_from(wanted).unwrap();
    assert!(wanted > 0);
    for before in [limits::WEB_OBSERVERS_LOOKED_FIRST, limits::WEB_OBSERVERS_LOOKED] {
        let sql = format!(
            "INSERT INTO observer (id, election_id, code, station_id)
             SELECT 1000000 + n, 1, (100000 + n)::text, 1002 FROM generate_series(1, {before} + 100) n ON CONFLICT DO NOTHING"
        );
        dashboard.database.admin().await.execute(AssertSqlSafe(sql)).await.unwrap();
        assert_eq!(rows(&mut browser, &format!("{path}?state=partial")).await, wanted, "{before}");
        assert_eq!(lines(&mut browser, &format!("{path}.csv?state=partial")).await, wanted, "{before}");
    }
}
