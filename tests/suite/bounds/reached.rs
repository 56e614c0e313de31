//! Bounds of what is read from PostgreSQL, each with one more than it allows.

use std::time::Duration;

use scrutineer::domain::checklist::check;
use scrutineer::limits::{
    ARCHIVES_MAX, CLOSED_ELECTION_DAYS, DATABASE_ACQUIRE_SECONDS, ELECTIONS_MAX, FORMS_MAX, OBSERVERS_MAX,
    WEB_AREA_ROWS, WEB_POOL_MAX, WEB_SESSION_IDLE_SECONDS, WEB_SESSIONS_SWEPT,
};
use scrutineer::store::pages::election;
use scrutineer::store::{Store, StoreError, archive, roster, session};
use serde_json::to_value;
use sqlx::{Executor, PgConnection};

use crate::support::{pg, soon, torture};

const ELECTION: &str = "INSERT INTO election (slug, name, state, opened_at) VALUES ('full', 'Full', 'open', now())";

async fn count(admin: &mut PgConnection, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(admin).await.unwrap()
}

#[tokio::test]
async fn of_more_elections_than_a_worker_holds_those_that_were_opened_last_are_known() {
    let database = pg::database().await;
    sqlx::query(
        "INSERT INTO election (slug, name, state, opened_at)
         SELECT 'e' || n, 'Election', 'open', now() - make_interval(hours => n::int) FROM generate_series(0, $1::bigint) AS n",
    )
    .bind(ELECTIONS_MAX)
    .execute(&mut database.admin().await)
    .await
    .unwrap();
    let store = Store::new(&database.store_options(pg::WORKER, 1));
    let books = roster::load(&store, CLOSED_ELECTION_DAYS).await.unwrap().roster.books;
    assert_eq!(books.len() as i64, ELECTIONS_MAX);
    assert!(books.iter().all(|book| book.election.slug != format!("e{ELECTIONS_MAX}")), "the oldest is left out");
}

#[tokio::test]
async fn of_more_versions_of_checklists_than_a_worker_holds_the_newest_are_known() {
    let database = pg::database().await;
    let mut admin = database.admin().await;
    admin.execute(ELECTION).await.unwrap();
    let checked = check(
        r#"{"checklists":[{"prefix":"PS","title":"Opening","questions":[{"code":"AA","type":"count","text":"a","max":9}]}]}"#,
    )
    .unwrap();
    sqlx::query(
        "INSERT INTO checklist (election_id, prefix, version, kind, state, title, definition)
         SELECT e.id, 'PS', n, 'checklist', 'live', '{}', $2 FROM election e, generate_series(1, $1::bigint + 1) AS n",
    )
    .bind(FORMS_MAX)
    .bind(to_value(&checked.checklists[0]).unwrap())
    .execute(&mut admin)
    .await
    .unwrap();
    // And two that are closed: one lately, one too long ago to be known.
    sqlx::query(
        "INSERT INTO election (slug, name, state, opened_at, closed_at)
         SELECT 'c' || CASE WHEN n < 0 THEN 'late' ELSE 'old' END, 'Closed', 'closed', now() - interval '1 year', now() - make_interval(days => $1 + n)
         FROM generate_series(-1, 1, 2) AS n",
    )
    .bind(CLOSED_ELECTION_DAYS)
    .execute(&mut admin)
    .await
    .unwrap();
    let store = Store::new(&database.store_options(pg::WORKER, 1));
    let loaded = roster::load(&store, CLOSED_ELECTION_DAYS).await.unwrap();
    let slugs: Vec<&str> = loaded.roster.books.iter().map(|book| book.election.slug.as_str()).collect();
    assert_eq!(slugs, ["full", "clate"]);
    let versions: Vec<u32> = loaded.roster.books[0].forms.iter().map(|form| form.checklist.version).collect();
    assert_eq!(versions.len() as i64, FORMS_MAX);
    assert_eq!((versions.first(), versions.last()), (Some(&(FORMS_MAX as u32 + 1)), Some(&2)));
}

#[tokio::test]
async fn observers_past_what_a_worker_holds_are_left_out_and_counted() {
    if !torture::is_long() {
        return torture::skip("it takes a minute: in the long form");
    }
    let database = pg::database().await;
    let mut admin = database.admin().await;
    admin.execute(ELECTION).await.unwrap();
    sqlx::query(
        "INSERT INTO observer (election_id, code)
         SELECT e.id, (100000 + n)::text FROM election e, generate_series(1, $1::bigint + 7) AS n",
    )
    .bind(OBSERVERS_MAX as i64)
    .execute(&mut admin)
    .await
    .unwrap();
    let store = Store::new(&database.store_options(pg::WORKER, 1));
    let loaded = roster::load(&store, CLOSED_ELECTION_DAYS).await.unwrap();
    assert_eq!((loaded.roster.books[0].len(), loaded.left_out), (OBSERVERS_MAX, 7));
}

#[tokio::test]
async fn more_archived_elections_than_are_listed_leave_out_those_archived_first() {
    let database = pg::database().await;
    let mut admin = database.admin().await;
    admin.execute(ELECTION).await.unwrap();
    let store = Store::new(&database.store_options(pg::WEB, 1));
    let frozen = election::by_slug(&store, "full").await.unwrap().unwrap();
    let listed = election::listed(&store, frozen.id).await.unwrap().unwrap();
    sqlx::query(
        "INSERT INTO archive (election_id, slug, version, archived_at, election, listed)
         SELECT n, 'a' || n, 1 + (n = 1)::int, now() + make_interval(secs => n), $2, $3 FROM generate_series(1, $1::bigint + 1) AS n",
    )
    .bind(ARCHIVES_MAX)
    .bind(to_value(&frozen).unwrap())
    .bind(to_value(&listed).unwrap())
    .execute(&mut admin)
    .await
    .unwrap();
    let served = archive::served(&store).await.unwrap();
    assert_eq!(served.len() as i64, ARCHIVES_MAX);
    assert!(served.iter().all(|archived| archived.version == 1), "the one archived first is left out");
}

#[tokio::test]
async fn no_more_areas_are_shown_at_once_than_the_bound() {
    let database = pg::database().await;
    let mut admin = database.admin().await;
    admin.execute(ELECTION).await.unwrap();
    sqlx::query(
        "INSERT INTO location (election_id, level, depth, code, name, path)
         SELECT e.id, 'region', 1, 'R' || n, 'Region', ARRAY[]::int[] FROM election e, generate_series(0, $1::bigint) AS n",
    )
    .bind(WEB_AREA_ROWS)
    .execute(&mut admin)
    .await
    .unwrap();
    let store = Store::new(&database.store_options(pg::WEB, 1));
    let election = election::by_slug(&store, "full").await.unwrap().unwrap().id;
    assert_eq!(election::first_level(&store, election).await.unwrap().len() as i64, WEB_AREA_ROWS);
}

#[tokio::test]
async fn sessions_end_when_they_are_not_used_and_are_swept_a_bounded_number_at_a_time() {
    let database = pg::database().await;
    let mut admin = database.admin().await;
    admin.execute("INSERT INTO web_user (name, role, password_hash) VALUES ('amina', 'analyst', '')").await.unwrap();
    let sql = "INSERT INTO web_session (id, user_id, data, expires_at, seen_at)
         SELECT decode(lpad(to_hex(n), 64, '0'), 'hex'), u.id, '{}', now() + interval '1 day', now() - make_interval(secs => $3)
         FROM web_user u, generate_series($1::bigint, $2::bigint) AS n";
    let idle = f64::from(WEB_SESSION_IDLE_SECONDS);
    for (from, to, seen) in [(1, WEB_SESSIONS_SWEPT + 1, idle + 1.0), (5_000, 5_000, idle - 600.0)] {
        sqlx::query(sql).bind(from).bind(to).bind(seen).execute(&mut admin).await.unwrap();
    }
    let store = Store::new(&database.store_options(pg::WEB, 1));
    let key = |n: u64| [&[0; 24][..], &n.to_be_bytes()].concat();
    assert!(session::load(&store, &key(1)).await.unwrap().is_none(), "not used for too long");
    assert!(session::load(&store, &key(5_000)).await.unwrap().is_some());
    assert_eq!(session::sweep(&store).await.unwrap() as i64, WEB_SESSIONS_SWEPT);
    assert_eq!(session::sweep(&store).await.unwrap(), 1, "the rest in the next round");
    assert_eq!(count(&mut admin, "SELECT count(*) FROM web_session").await, 1);
}

#[tokio::test]
async fn a_request_past_the_dashboards_connections_is_told_so_in_seconds_and_holds_none_up() {
    let database = pg::database().await;
    let store = Store::new(&database.store_options(pg::WEB, WEB_POOL_MAX));
    let mut held = tokio::task::JoinSet::new();
    let (has_one, mut have) = tokio::sync::mpsc::channel(WEB_POOL_MAX as usize);
    for _ in 0..WEB_POOL_MAX {
        let (store, has_one) = (store.clone(), has_one.clone());
        held.spawn(async move {
            store
                .with_conn(Duration::from_secs(3_600), async |_: &mut PgConnection| {
                    let _ = has_one.send(()).await;
                    std::future::pending::<Result<(), StoreError>>().await
                })
                .await
        });
    }
    for _ in 0..WEB_POOL_MAX {
        soon("a connection in use", have.recv()).await.unwrap();
    }
    let begun = tokio::time::Instant::now();
    let one_more = store.with_conn(store.deadline(), async |_: &mut PgConnection| Ok(())).await;
    assert!(matches!(&one_more, Err(StoreError::Unavailable(_))), "{one_more:?}");
    assert!(
        begun.elapsed() >= Duration::from_secs(DATABASE_ACQUIRE_SECONDS),
        "it waited for one: {:?}",
        begun.elapsed()
    );
    held.shutdown().await;
    soon("a connection", async {
        while store.with_conn(store.deadline(), async |_: &mut PgConnection| Ok(())).await.is_err() {}
    })
    .await;
}
