//! Archived elections in the browser: made by command, served with validators, at no cost to what lives.

use scrutineer::archive;
use scrutineer::store::election;

use super::*;

const SLUG: &str = "general-2026";

async fn owner(dashboard: &Dashboard) -> Store {
    Store::new(&dashboard.database.store_options(OWNER, 2))
}

#[tokio::test]
async fn an_archived_election_shows_what_it_showed_before_and_reads_no_live_table() {
    let dashboard = Dashboard::start().await;
    let mut browser = dashboard.person().await;
    let base = format!("/elections/{SLUG}");
    let paths = [
        base.clone(),
        format!("{base}?area=R2"),
        format!("{base}?checklist=OP&area=D03"),
        format!("{base}/questions/OP"),
        format!("{base}/questions/OP?area=R2"),
        format!("{base}/questions/CL/VA"),
        format!("{base}/questions/OP/AA?area=R2"),
        format!("{base}/questions/IN/KA"),
        format!("{base}/questions/OP/AA.csv"),
        format!("{base}/overview.csv"),
        format!("{base}/checklists.json"),
        format!("{base}/growth.csv"),
        format!("{base}/submissions.json?area=R2&state=partial"),
        format!("{base}/submissions.json?checklist=OP&q=AB&op=gt&v=5"),
        format!("{base}/incidents.csv?state=comment"),
        format!("{base}/incidents.json"),
    ];
    let owner = owner(&dashboard).await;
    election::close(&owner, SLUG).await.unwrap();
    let mut before = Vec::new();
    for path in &paths {
        before.push(browser.get(path).await.body);
    }
    let one = browser.get(&format!("{base}/submissions")).await.links(&format!("{base}/submissions/"))[0].clone();
    let detail = browser.get(&one).await.body;
    let numbers: Vec<String> = sqlx::query_scalar("SELECT msisdn FROM phone WHERE length(msisdn) > 5")
        .fetch_all(&mut dashboard.database.admin().await)
        .await
        .unwrap();
    let observers_were: i64 = dashboard.value("SELECT count(*) FROM observer WHERE election_id = 1").await;
    let done = archive::freeze(&owner, SLUG, true, &|_, _| {}).await.unwrap();
    assert!(done.figures > 100 && done.submissions > 1_000, "{done:?}");
    dashboard
        .change(
            "ALTER TABLE submission RENAME TO gone_1; ALTER TABLE revision RENAME TO gone_2; ALTER TABLE observer RENAME TO gone_3;
             ALTER TABLE location RENAME TO gone_4; ALTER TABLE checklist RENAME TO gone_5; ALTER TABLE message RENAME TO gone_6;
             ALTER TABLE tally RENAME TO gone_7; ALTER TABLE election RENAME TO gone_8; ALTER TABLE outbox RENAME TO gone_9",
        )
        .await;
    // A dashboard that remembers nothing.
    let (mut browser, _stop) = dashboard.elsewhere().await;
    // The figures are the same; what says that it is archived, and what is left out of the ways, is not.
    let main =
        |body: &str| body.split("<main").nth(1).and_then(|b| b.split("</main>").next()).unwrap_or(body).to_owned();
    for (path, before) in paths.iter().zip(before) {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        // Files have the same rows; their order is that of the list.
        let sorted = |body: &str| {
            let mut lines: Vec<String> = main(body).lines().map(|l| l.trim_end_matches(',').to_owned()).collect();
            lines.sort_unstable();
            lines
        };
        assert_eq!(sorted(&answer.body), sorted(&before), "{path}");
    }
    let answer = browser.get(&one).await;
    assert_eq!(main(&answer.body), main(&detail), "{one}");
    assert!(answer.body.contains("frozen-at"));
    for (path, words) in [
        ("submissions", "submissions</p>"),
        ("submissions?checklist=OP&state=partial&q=AB&op=gt&v=5", "Remove all"),
        ("incidents", "Incidents"),
        ("incidents?state=comment", "Remove the filter"),
        ("observers", "Observers"),
        ("observers?state=missing&checklist=OP&area=R2", "Remove all"),
    ] {
        let answer = browser.get(&format!("{base}/{path}")).await;
        assert!(answer.status == 200 && answer.body.contains(words), "{path}: {} {}", answer.status, answer.body);
    }
    let observers = browser.get(&format!("{base}/observers.csv")).await.body;
    assert_eq!(observers.lines().count() as i64, observers_were + 1, "one line an observer");
    assert!(!numbers.iter().any(|n| observers.contains(n.as_str())), "an archive holds no number");
    let tag = browser.get(&format!("{base}/submissions.csv")).await.header("etag").to_owned();
    let again =
        browser.send("GET", &format!("{base}/submissions.csv"), &[("if-none-match", &tag)], String::new()).await;
    assert_eq!((again.status, again.bytes.len()), (304, 0));
    let long = format!("{base}/submissions?x={}", "x".repeat(scrutineer::limits::WEB_FROZEN_PATH_BYTES_MAX));
    assert_eq!(browser.get(&long).await.status, 404, "no room for an address that long");
    let place = "submissions/0190a0a0-0000-7000-8000-000000000009";
    for path in ["messages", "trouble", place, "x"] {
        assert_eq!(browser.get(&format!("{base}/{path}")).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_page_that_the_reader_has_is_not_sent_again_and_a_new_version_is() {
    let dashboard = Dashboard::start().await;
    let owner = owner(&dashboard).await;
    archive::freeze(&owner, SLUG, true, &|_, _| {}).await.unwrap();
    let mut browser = dashboard.person().await;
    let path = format!("/elections/{SLUG}/questions/OP");
    let first = browser.get(&path).await;
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with('"') && first.header("cache-control") == "private, no-cache", "{:?}", first.headers);
    let again = browser.send("GET", &path, &[("if-none-match", &tag)], String::new()).await;
    assert_eq!((again.status, again.bytes.len()), (304, 0));
    let packed = browser.send("GET", &path, &[("accept-encoding", "gzip")], String::new()).await;
    assert!(packed.header("content-encoding") == "gzip" && packed.bytes.len() < first.bytes.len() / 3);
    assert_ne!(packed.header("etag"), tag);
    // Nobody gets it who is not signed in.
    let stranger = dashboard.stranger().send("GET", &path, &[("if-none-match", &tag)], String::new()).await;
    assert_eq!(stranger.status, 303);

    // A report that came late is in the next version; what did not change is kept once.
    dashboard
        .change("UPDATE submission SET answers = answers || '{\"AB\": 19}' WHERE prefix = 'OP' AND election_id = 1")
        .await;
    let blobs: i64 = dashboard.value("SELECT count(*) FROM archive_blob").await;
    let done = archive::freeze(&owner, SLUG, true, &|_, _| {}).await.unwrap();
    assert_eq!(done.version, 2);
    let versions: i64 = dashboard.value("SELECT count(DISTINCT version) FROM archive_figure").await;
    let now: i64 = dashboard.value("SELECT count(*) FROM archive_blob").await;
    assert!(versions == 1 && now <= blobs, "{versions} versions, {blobs} blobs, then {now}");
    let (mut browser, _stop) = dashboard.elsewhere().await;
    let answer = browser.send("GET", &path, &[("if-none-match", &tag)], String::new()).await;
    assert_eq!(answer.status, 200);
    assert_ne!(answer.header("etag"), tag);
}

#[tokio::test]
async fn the_head_of_an_archived_page_or_file_is_that_of_the_whole_and_no_page_is_kept_without_its_body() {
    let dashboard = Dashboard::start().await;
    archive::freeze(&owner(&dashboard).await, SLUG, true, &|_, _| {}).await.unwrap();
    let mut browser = dashboard.person().await;
    for path in ["", "/questions/OP", "/submissions", "/submissions.csv?area=R2", "/overview.json"] {
        let path = format!("/elections/{SLUG}{path}");
        let head = browser.send("HEAD", &path, &[], String::new()).await;
        assert_eq!((head.status, head.bytes.len()), (200, 0), "{path}");
        let whole = browser.get(&path).await;
        assert!(whole.status == 200 && !whole.body.is_empty(), "{path}");
        for name in ["etag", "content-type", "cache-control", "vary"] {
            assert_eq!(head.header(name), whole.header(name), "{path}: {name}");
        }
        let tag = head.header("etag").to_owned();
        let again = browser.send("HEAD", &path, &[("if-none-match", &tag)], String::new()).await;
        assert_eq!((again.status, again.bytes.len()), (304, 0), "{path}");
    }
}

#[tokio::test]
async fn submissions_are_frozen_a_slice_at_a_time() {
    use scrutineer::limits::ARCHIVE_SLICE;
    let dashboard = Dashboard::start().await;
    let steps = std::sync::Mutex::new(vec![0]);
    let note = |done, _| steps.lock().unwrap().push(done);
    let done = archive::freeze(&owner(&dashboard).await, SLUG, true, &note).await.unwrap();
    assert!(done.submissions > 2 * ARCHIVE_SLICE, "{done:?}");
    let steps = steps.into_inner().unwrap();
    let most = steps.windows(2).map(|two| two[1] - two[0]).max();
    assert_eq!(most, u64::try_from(ARCHIVE_SLICE).ok());
}

#[tokio::test]
async fn an_election_that_keeps_changing_is_begun_anew_a_few_times_and_then_given_up() {
    let dashboard = Dashboard::start().await;
    let address = dashboard.database.options("postgres");
    let tries = std::sync::atomic::AtomicUsize::new(0);
    // Told of the first figure of each try, it changes what the figures were begun with.
    let meddle = |done, _| {
        if done == 1 {
            tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let address = address.clone();
            let change = std::thread::spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async move {
                    let mut admin = sqlx::ConnectOptions::connect(&address).await.unwrap();
                    admin.execute("UPDATE election SET name = name || '!' WHERE slug = 'councils-2025'").await.unwrap();
                });
            });
            change.join().unwrap();
        }
    };
    let given_up = archive::freeze(&owner(&dashboard).await, "councils-2025", true, &meddle).await;
    assert!(matches!(given_up, Err(archive::ArchiveError::Changing)), "{given_up:?}");
    assert_eq!(tries.into_inner(), scrutineer::limits::ARCHIVE_TRIES);
}

#[tokio::test]
async fn an_archive_that_was_broken_off_is_not_served_and_is_taken_up_where_it_stopped() {
    let dashboard = Dashboard::start().await;
    let owner = owner(&dashboard).await;
    let theirs = owner.clone();
    let broken_off = tokio::spawn(async move {
        archive::freeze(&theirs, SLUG, true, &|done, _| assert!(done < 60, "broken off")).await.is_ok()
    });
    assert!(broken_off.await.is_err());
    let figures: i64 = dashboard.value("SELECT count(*) FROM archive_figure").await;
    assert!(figures > 30, "{figures}");
    let mut browser = dashboard.person().await;
    assert!(!browser.get(&format!("/elections/{SLUG}")).await.body.contains("frozen-at"));
    dashboard.change("CREATE TABLE seen AS SELECT key, xmin::text AS made FROM archive_figure").await;
    archive::freeze(&owner, SLUG, true, &|_, _| {}).await.unwrap();
    let kept: i64 = dashboard
        .value("SELECT count(*) FROM seen s JOIN archive_figure f ON f.key = s.key AND f.xmin::text = s.made")
        .await;
    assert_eq!(kept, figures, "what was made is not made again");
    let state: String = dashboard.value("SELECT state FROM election WHERE slug = 'general-2026'").await;
    assert_eq!(state, "archived");
}

#[tokio::test]
async fn an_archive_notices_whatever_its_pages_show() {
    let dashboard = Dashboard::start().await;
    let owner = owner(&dashboard).await;
    let begin = async || scrutineer::store::archive::begin(&owner, 1, SLUG).await.unwrap();
    let mut last = begin().await;
    assert_eq!(begin().await.version, last.version, "nothing has changed");
    for change in [
        "UPDATE location SET name = name || ' (new)' WHERE id = 1003",
        "UPDATE location SET registered_voters = 7 WHERE id = 1003",
        "UPDATE observer SET station_id = 1004 WHERE id = (SELECT min(id) FROM observer WHERE station_id = 1003)",
        "UPDATE checklist SET title = '{\"en\": \"Another title\"}' WHERE election_id = 1 AND prefix = 'OP'",
        "UPDATE submission SET comment = 'other words' WHERE comment IS NOT NULL AND election_id = 1",
        "UPDATE message SET outcome = 'ignored' WHERE election_id = 1 AND sequence % 4 = 0",
        "UPDATE election SET name = name || '!' WHERE id = 1",
    ] {
        dashboard.change(change).await;
        let now = begin().await;
        assert!(now.version > last.version, "{change}");
        last = now;
    }
}

#[tokio::test]
async fn an_archived_election_comes_back_closed() {
    let dashboard = Dashboard::start().await;
    let owner = owner(&dashboard).await;
    let refused = archive::freeze(&owner, SLUG, false, &|_, _| {}).await;
    assert!(matches!(refused, Err(archive::ArchiveError::Open(_))), "{refused:?}");
    archive::freeze(&owner, SLUG, true, &|_, _| {}).await.unwrap();
    let mut browser = dashboard.person().await;
    let list = browser.get("/elections").await.body;
    assert!(list.split("id=\"archived\"").nth(1).unwrap().contains("/elections/general-2026"), "{list}");
    let id: i32 = dashboard.value("SELECT id FROM election WHERE slug = 'general-2026'").await;
    assert!(scrutineer::store::archive::bring_back(&owner, id).await.unwrap());
    let left: i64 = dashboard.value("SELECT count(*) FROM archive_blob").await;
    let state: String = dashboard.value("SELECT state FROM election WHERE slug = 'general-2026'").await;
    assert_eq!((left, state.as_str()), (0, "closed"));
    assert!(!scrutineer::store::archive::bring_back(&owner, id).await.unwrap());
}

#[tokio::test]
async fn the_overview_s_counts_are_those_of_the_submissions_whatever_changes_them() {
    let dashboard = Dashboard::start().await;
    let wrong = "SELECT count(*) FROM (
            SELECT t.election_id, t.area_id, t.prefix, sum(t.submissions) AS a, sum(t.complete) AS b, sum(t.broken) AS c
            FROM tally t GROUP BY 1, 2, 3 HAVING sum(t.submissions) <> 0) kept
        FULL JOIN (SELECT s.election_id, coalesce(l.parent_id, l.id, 0) AS area_id, s.prefix, count(*) AS a,
            count(*) FILTER (WHERE s.missing = 0) AS b, count(*) FILTER (WHERE s.broken_rules <> '{}') AS c
            FROM submission s LEFT JOIN location l ON l.id = s.station_id GROUP BY 1, 2, 3) counted USING (election_id, area_id, prefix)
        WHERE (kept.a, kept.b, kept.c) IS DISTINCT FROM (counted.a, counted.b, counted.c)";
    let outcomes = "SELECT count(*) FROM (SELECT election_id, outcome, sum(messages) AS n FROM tally_outcome GROUP BY 1, 2 HAVING sum(messages) <> 0) kept
        FULL JOIN (SELECT election_id, outcome, count(*) AS n FROM message WHERE election_id IS NOT NULL GROUP BY 1, 2) counted
        USING (election_id, outcome) WHERE kept.n IS DISTINCT FROM counted.n";
    let steps = "SELECT count(*) FROM (SELECT election_id, prefix, from_at, sum(reports) AS n FROM tally_step GROUP BY 1, 2, 3 HAVING sum(reports) <> 0) kept
        FULL JOIN (SELECT election_id, prefix, date_bin('5 minutes', first_received_at, 'epoch') AS from_at, count(*) AS n FROM submission
            WHERE kind = 'checklist' GROUP BY 1, 2, 3) counted USING (election_id, prefix, from_at) WHERE kept.n IS DISTINCT FROM counted.n";
    let observers = "SELECT count(*) FROM (SELECT election_id, area_id, observers AS n FROM tally_observer WHERE observers <> 0) kept
        FULL JOIN (SELECT o.election_id, coalesce(l.parent_id, l.id, 0) AS area_id, count(*) AS n FROM observer o
            LEFT JOIN location l ON l.id = o.station_id GROUP BY 1, 2) counted USING (election_id, area_id) WHERE kept.n IS DISTINCT FROM counted.n";
    for change in [
        "SELECT 1",
        "UPDATE submission SET missing = (missing + 1) % 2 WHERE observer_id % 3 = 0",
        "UPDATE submission SET broken_rules = '{x}' WHERE observer_id % 5 = 0",
        "UPDATE submission SET first_received_at = first_received_at - interval '17 minutes' WHERE observer_id % 7 = 0",
        "UPDATE submission SET station_id = station_id + 18 WHERE observer_id % 11 = 0 AND station_id BETWEEN 1001 AND 1500",
        "DELETE FROM submission WHERE observer_id % 13 = 0",
        "UPDATE message SET outcome = 'ignored' WHERE sequence % 4 = 0",
        "UPDATE message SET election_id = NULL WHERE sequence % 9 = 0",
        "UPDATE observer SET station_id = NULL WHERE id % 4 = 0",
        "UPDATE observer SET station_id = station_id + 20 WHERE station_id < 1400",
        "UPDATE location SET parent_id = 101, path = ARRAY[1, 101, id] WHERE id BETWEEN 1100 AND 1200",
    ] {
        dashboard.change(change).await;
        for (what, sql) in [("submissions", wrong), ("outcomes", outcomes), ("steps", steps), ("observers", observers)]
        {
            let wrong: i64 = sqlx::query_scalar(sql).fetch_one(&mut dashboard.database.admin().await).await.unwrap();
            assert_eq!(wrong, 0, "{what} after: {change}");
        }
    }
}
