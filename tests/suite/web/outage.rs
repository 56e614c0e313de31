//! The database goes away, comes back, or is not the one that was meant.

use tokio::io::AsyncWriteExt;

use super::*;
use crate::support::cluster::{Cluster, Durability};
use crate::support::soon;

#[tokio::test(flavor = "multi_thread")]
async fn with_the_database_away_a_person_sees_the_last_good_page_of_their_role_with_its_age_and_its_return_needs_no_restart()
 {
    let cluster = Cluster::start(Durability::Synced);
    let dashboard = Dashboard::on(pg::database_on(&cluster).await, false).await;
    dashboard.fill().await;
    let owner = Store::new(&dashboard.database.store_options(OWNER, 1));
    let phc = password::hash(PASSWORD).unwrap();
    for (name, role) in [("badu", "analyst"), ("chidi", "viewer")] {
        assert!(user::add(&owner, name, role, &phc).await.unwrap());
    }
    let mut amina = dashboard.person().await;
    let (mut badu, mut chidi) = (dashboard.stranger(), dashboard.stranger());
    for (browser, name) in [(&mut badu, "badu"), (&mut chidi, "chidi")] {
        assert_eq!(browser.sign_in(name, PASSWORD).await.status, 303);
        assert_eq!(browser.get("/account").await.status, 200);
    }
    let page = "/elections/general-2026";
    let fresh = amina.get(page).await;
    assert!(fresh.status == 200 && !fresh.body.contains("The database is away"));
    cluster.kill();
    for browser in [&mut amina, &mut badu] {
        // Figures computed a moment ago need no database.
        let stale = soon("a page as it was", async {
            loop {
                let answer = browser.get(page).await;
                assert_eq!(answer.status, 200, "{}", answer.body);
                if answer.body.contains("The database is away") {
                    return answer;
                }
            }
        })
        .await;
        assert!(stale.body.contains("The database is away") && stale.body.contains(" ago</span>"), "{}", stale.body);
        assert!(stale.body.contains("Reports received") && !stale.header("age").is_empty(), "{}", stale.body);
        let begun = std::time::Instant::now();
        assert_eq!(browser.get(page).await.status, 200);
        println!("a stale page took {:?}", begun.elapsed());
    }
    let stale = badu.get(page).await;
    assert!(stale.body.contains("badu") && !stale.body.contains("amina"), "another one's name");
    // A role that has seen no such page sees none, nor one that nobody has looked at.
    for (mut browser, path) in
        [(chidi, page), (amina.clone(), "/status"), (amina.clone(), "/elections/general-2026?area=R1")]
    {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, 503, "{path}: {}", answer.body);
        assert!(answer.body.contains("The database is away"), "{path}: {}", answer.body);
        assert!(!answer.header("retry-after").is_empty(), "{path}");
        assert!(!answer.body.contains("Reports received"), "{path}");
    }
    let answer = dashboard.stranger().sign_in(NAME, PASSWORD).await;
    assert_eq!(answer.status, 503, "nobody can sign in");
    let mut guess = dashboard.stranger();
    guess.cookie = Some("scrutineer=AAAAAAAAAAAAAAAAAAAAAA".to_owned());
    assert_eq!(guess.get(page).await.status, 503, "a token that nobody knows opens nothing");
    let health = amina.get("/healthz").await;
    assert_eq!(health.status, 200, "this process is well");
    cluster.up();
    soon("the pages' return", async {
        loop {
            let answer = amina.get(page).await;
            if answer.status == 200 && !answer.body.contains("The database is away") {
                return;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_page_whose_reader_has_gone_ends_its_query_on_the_server_too() {
    let dashboard = Dashboard::start().await;
    let browser = dashboard.person().await;
    let mut lock = dashboard.database.owner().await;
    lock.execute("BEGIN; LOCK TABLE message IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let mut stream = tokio::net::TcpStream::connect(dashboard.address).await.unwrap();
    let request = format!("GET /messages HTTP/1.1\r\nHost: x\r\nCookie: {}\r\n\r\n", browser.cookie.unwrap());
    stream.write_all(request.as_bytes()).await.unwrap();
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    soon("the query's begin", async { while dashboard.value::<i64>(waits).await == 0 {} }).await;
    let begun = std::time::Instant::now();
    drop(stream);
    soon("the query's end", async { while dashboard.value::<i64>(waits).await > 0 {} }).await;
    println!("the query ended {:?} after its reader", begun.elapsed());
    // Its own time would have been the deadline of a use, 10 s here.
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    lock.execute("ROLLBACK").await.unwrap();
}

#[tokio::test]
async fn a_file_whose_reader_goes_in_its_midst_ends_its_query_on_the_server_too() {
    use tokio::io::AsyncReadExt;
    let dashboard = Dashboard::start().await;
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
    let mut stream = tokio::net::TcpStream::connect(dashboard.address).await.unwrap();
    let path = "/elections/general-2026/submissions.csv";
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nCookie: {}\r\n\r\n", browser.cookie.unwrap());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut part = vec![0; 64 << 10];
    soon("the file's begin", stream.read_exact(&mut part)).await.unwrap();
    assert!(part.starts_with(b"HTTP/1.1 200"));
    let mut lock = dashboard.database.owner().await;
    lock.execute("BEGIN; LOCK TABLE submission IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    // Read on until the next rows are asked for.
    soon("a query of the file", async {
        while dashboard.value::<i64>(waits).await == 0 {
            let _ = tokio::time::timeout(Duration::from_millis(20), stream.read(&mut part)).await;
        }
    })
    .await;
    let begun = std::time::Instant::now();
    drop(stream);
    soon("the query's end", async { while dashboard.value::<i64>(waits).await > 0 {} }).await;
    println!("the query ended {:?} after its reader", begun.elapsed());
    // Its own time would have been the deadline of a use, 10 s here.
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    lock.execute("ROLLBACK").await.unwrap();
}

#[tokio::test]
async fn a_database_that_is_not_migrated_is_said_so_with_the_command_that_mends_it() {
    let dashboard = Dashboard::on(pg::empty_database().await, false).await;
    let mut browser = dashboard.stranger();
    browser.cookie = Some("scrutineer=AAAAAAAAAAAAAAAAAAAAAA".to_owned());
    soon("a look at the database", async {
        while !browser.get("/healthz").await.body.contains("another schema") {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for answer in [browser.get("/elections").await, browser.sign_in(NAME, PASSWORD).await] {
        assert!(answer.body.contains("scrutineer migrate"), "{}: {}", answer.status, answer.body);
        assert_eq!(answer.status, 503);
    }
}
