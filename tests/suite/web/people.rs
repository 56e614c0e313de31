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
        // Those are put together of all.
        for (query, condition) in [
            ("state=complete", "true"),
            ("state=complete&area=R2", "station_id IN (SELECT id FROM location WHERE path @> ARRAY[2])"),
        ] {
            let sql = format!(
                "SELECT count(*) FROM observer o WHERE election_id = 1 AND {condition} AND 3 = (SELECT count(DISTINCT prefix) FROM submission s
                     WHERE s.observer_id = o.id AND kind = 'checklist')
                 AND NOT EXISTS (SELECT FROM submission s WHERE s.observer_id = o.id AND kind = 'checklist' AND missing > 0)"
            );
            let complete: i64 =
                sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut dashboard.database.admin().await).await.unwrap();
            assert!(complete > 0);
            assert_eq!(
                rows(&mut browser, &format!("{path}?{query}")).await as i64,
                complete,
                "{query} behind {before}"
            );
        }
    }
}

/// What the page's figures say: all, complete, some, nothing.
fn figures(page: &str) -> Vec<i64> {
    ["Observers", "All is in", "Something lacks", "Nothing came"]
        .map(|words| {
            let rest = page.split(&format!("<dt>{words}</dt><dd>")).nth(1).unwrap_or_else(|| panic!("{words}: {page}"));
            rest.chars().take_while(|c| c.is_ascii_digit()).collect::<String>().parse().unwrap()
        })
        .to_vec()
}

#[tokio::test]
async fn observers_counts_and_lists_hold_where_all_have_sent_all_where_nobody_has_and_between() {
    let dashboard = Dashboard::start().await;
    let path = "/elections/general-2026/observers";
    let lacks =
        "EXISTS (SELECT FROM submission s WHERE s.observer_id = o.id AND s.kind = 'checklist' AND s.missing > 0";
    let came = "(SELECT count(DISTINCT prefix) FROM submission s WHERE s.observer_id = o.id AND s.kind = 'checklist'";
    for change in [
        "SELECT 1",
        // As many reports as observers, of which some have sent two and others none.
        "INSERT INTO submission (election_id, id, checklist_id, prefix, kind, observer_id, station_id, serial, answers, missing,
             first_received_at, last_received_at, last_spool, last_sequence)
         SELECT 1, md5('second' || id)::uuid, checklist_id, prefix, kind, observer_id, station_id, '2', answers, missing, now(), now(),
             last_spool, 900000 + row_number() OVER ()
         FROM (SELECT *, row_number() OVER (PARTITION BY prefix ORDER BY id) AS n, count(*) OVER (PARTITION BY prefix) AS many
               FROM submission WHERE election_id = 1 AND kind = 'checklist') s
         WHERE n <= (SELECT count(*) FROM observer WHERE election_id = 1) - s.many",
        "DELETE FROM submission WHERE election_id = 1 AND serial = '2'",
        // Of all who are left everything came.
        "DELETE FROM observer o WHERE election_id = 1 AND 3 > (SELECT count(DISTINCT prefix) FROM submission s
             WHERE s.observer_id = o.id AND kind = 'checklist');
         DELETE FROM submission s WHERE election_id = 1 AND NOT EXISTS (SELECT FROM observer o WHERE o.id = s.observer_id)",
        "UPDATE submission SET missing = 0 WHERE election_id = 1",
        "UPDATE submission SET missing = 1 WHERE election_id = 1",
        "DELETE FROM submission WHERE election_id = 1",
    ] {
        dashboard.change(change).await;
        // What was counted before is not remembered there.
        let (mut browser, _stop) = dashboard.elsewhere().await;
        for (query, posted, prefix, due) in [
            ("", "true", "true", 3),
            ("area=R2", "station_id IN (SELECT id FROM location WHERE path @> ARRAY[2])", "true", 3),
            ("checklist=TU", "true", "s.prefix = 'TU'", 1),
        ] {
            let (came, lacks) = (format!("{came} AND {prefix})"), format!("{lacks} AND {prefix})"));
            let complete = format!("{came} = {due} AND NOT {lacks}");
            let sql = format!(
                "SELECT ARRAY[count(*), count(*) FILTER (WHERE {complete}), count(*) FILTER (WHERE {came} > 0 AND NOT ({complete})),
                     count(*) FILTER (WHERE {came} = 0), count(*) FILTER (WHERE {came} < {due}), count(*) FILTER (WHERE {lacks})]
                 FROM observer o WHERE election_id = 1 AND {posted}"
            );
            let wanted: Vec<i64> =
                sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut dashboard.database.admin().await).await.unwrap();
            let page = browser.get(&format!("{path}?{query}")).await.body;
            assert_eq!(figures(&page), wanted[..4], "{query} after: {change}");
            for (state, n) in [("complete", 1), ("nothing", 3), ("missing", 4), ("partial", 5)] {
                let listed = rows(&mut browser, &format!("{path}?{query}&state={state}")).await;
                assert_eq!(listed as i64, wanted[n], "{state} {query} after: {change}");
            }
        }
    }
}
