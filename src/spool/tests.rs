//! The spool as a gateway that is killed, started twice, or out of disk finds it.

use std::time::Instant;

use uuid::Uuid;

use super::*;
use crate::handoff::append::{Done, Kind};
use crate::handoff::codec::decode;
use crate::handoff::doubt;
use crate::handoff::message::{Body, FromGateway, Mobile, NotSent, Record, Run, SubmitOutcome};
use crate::limits::{SPOOL_BATCH_MAX, SPOOL_CHECK_BYTES, SPOOL_LOST_NAMED_MAX};

fn options(folder: &std::path::Path) -> Options {
    Options {
        folder: folder.to_owned(),
        links: vec![("a".into(), "g".into()), ("b".into(), "g".into())],
        keep: Duration::from_secs(3600),
        host: "host".into(),
        bytes_max: u64::MAX,
        world: crate::world::World::real(),
    }
}

fn body(text: &str) -> Body {
    Body::Message(Mobile { source: "355".into(), short_message: text.as_bytes().to_vec(), ..Mobile::default() })
}

fn record(text: &str) -> Op {
    Op::record(crate::world::World::real().now_us(), Kind::Message, &body(text), None).unwrap()
}

async fn ask(spool: &Spool, link: u16, tag: u64, op: Op) -> Done {
    put(spool, link, tag, op).await;
    next(spool, link).await.remove(0)
}

async fn put(spool: &Spool, link: u16, tag: u64, op: Op) {
    let give_up = Some(Instant::now() + Duration::from_millis(300));
    spool.queue.send(Append { link, tag, give_up, op }).await.unwrap();
}

async fn next(spool: &Spool, link: u16) -> Vec<Done> {
    loop {
        let done = spool.completions[usize::from(link)].take();
        if !done.is_empty() {
            return done;
        }
        spool.completions[usize::from(link)].wait().await;
    }
}

async fn records(spool: &Spool, after: u64) -> Vec<Record> {
    let slice = spool.reader().read(after, u64::MAX, usize::MAX).await.unwrap();
    match decode(&slice.frame).unwrap() {
        FromGateway::Records(records) => records,
        other => panic!("{other:?}"),
    }
}

/// Ends as SIGKILL would leave the files: nothing is checkpointed or closed in an orderly way. The
/// copy is what a new process finds.
fn killed(folder: &std::path::Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for name in ["spool.sqlite", "spool.sqlite-wal"] {
        std::fs::copy(folder.join(name), copy.path().join(name)).unwrap();
    }
    copy
}

#[tokio::test]
async fn what_was_stored_is_there_after_a_kill_and_no_sequence_is_used_twice() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(&options(dir.path())).unwrap();
    let run = spool.marks().live;
    assert_eq!(ask(&spool, 0, 1, record("one")).await, Done::Stored { tag: 1, sequence: 1 });
    assert_eq!(ask(&spool, 1, 1, record("two")).await, Done::Stored { tag: 1, sequence: 2 });
    let dir = killed(dir.path());
    let spool = Spool::open(&options(dir.path())).unwrap();
    let runs = spool.marks().runs();
    assert_eq!(runs[0], Run { uuid: run, begins_after: 0, oldest: 1, newest: 2 });
    let live = Run { uuid: spool.marks().live, begins_after: 2, oldest: 0, newest: 0 };
    assert_eq!(runs[1..], [live], "a run of its own");
    assert_ne!(live.uuid, run);
    let found = records(&spool, 0).await;
    assert_eq!(
        found.iter().map(|r| (r.sequence, r.link.as_str(), r.group.as_str())).collect::<Vec<_>>(),
        [(1, "a", "g"), (2, "b", "g")]
    );
    assert_eq!(found[0].body, body("one"));
    assert_eq!(ask(&spool, 0, 2, record("three")).await, Done::Stored { tag: 2, sequence: 3 });
    assert!(records(&spool, 3).await.is_empty());
}

#[tokio::test]
async fn a_second_gateway_on_one_spool_is_refused_until_the_first_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(&options(dir.path())).unwrap();
    assert!(
        matches!(Spool::open(&options(dir.path())), Err(SpoolError::InUse { process, .. }) if process == std::process::id())
    );
    tokio::task::spawn_blocking(|| spool.close()).await.unwrap();
    Spool::open(&options(dir.path())).unwrap();
}

#[tokio::test]
async fn a_submit_without_a_result_is_unknown_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(&options(dir.path())).unwrap();
    let (open, settled) = (Uuid::from_u128(1), Uuid::from_u128(2));
    for (tag, id) in [(1, open), (2, settled)] {
        assert_eq!(
            ask(&spool, 0, tag, Op::Intent { id, attempt: 1, text: format!("of {tag}") }).await,
            Done::Intended { tag }
        );
    }
    let accepted = SubmitOutcome::Accepted { message_ids: vec!["x".into()] };
    ask(&spool, 0, 3, Op::Result { id: settled, attempt: 1, at_us: 5, outcome: accepted }).await;
    let dir = killed(dir.path());
    for asked in 0..2 {
        let spool = Spool::open(&options(dir.path())).unwrap();
        let found = records(&spool, 0).await;
        assert_eq!(found.len(), 2 + asked, "the unknown outcome is written once, and once more to who asked");
        assert_eq!(found[0].body.result().and_then(|(_, text)| text), Some("of 2"), "a result says what went");
        for told in &found[1..] {
            let Some((result, text)) = told.body.result() else { panic!() };
            assert_eq!((result.id, &result.outcome, text), (open, &SubmitOutcome::Unknown, Some("of 1")));
        }
        // And it is remembered: for the worker that asks again nothing is sent.
        assert_eq!(
            ask(&spool, 0, 9, Op::Intent { id: open, attempt: 1, text: "of 1".to_owned() }).await,
            Done::Duplicate { tag: 9 }
        );
        tokio::task::spawn_blocking(|| spool.close()).await.unwrap();
    }
}

#[tokio::test]
async fn a_submit_that_comes_again_with_another_text_is_told_as_it_went() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(&options(dir.path())).unwrap();
    let id = Uuid::from_u128(1);
    let intent = |text: &str| Op::Intent { id, attempt: 1, text: text.to_owned() };
    assert_eq!(ask(&spool, 0, 1, intent("first")).await, Done::Intended { tag: 1 });
    assert_eq!(ask(&spool, 0, 2, intent("first")).await, Done::Duplicate { tag: 2 });
    assert!(records(&spool, 0).await.is_empty(), "the same text says nothing new");
    assert_eq!(ask(&spool, 0, 3, intent("second")).await, Done::Duplicate { tag: 3 });
    let dir = killed(dir.path());
    let spool = Spool::open(&options(dir.path())).unwrap();
    assert_eq!(ask(&spool, 0, 4, intent("third")).await, Done::Duplicate { tag: 4 });
    let told: Vec<_> = records(&spool, 0)
        .await
        .into_iter()
        .filter_map(|record| record.body.result().map(|(result, _)| result.outcome.clone()))
        .collect();
    let otherwise = || SubmitOutcome::Otherwise { text: "first".to_owned() };
    let unknown = || SubmitOutcome::Unknown;
    assert_eq!(told, [otherwise(), unknown(), otherwise(), unknown()], "also after a restart, with what it came to");
}

#[tokio::test]
async fn what_is_told_again_of_a_submit_is_what_was_learnt_last() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(&options(dir.path())).unwrap();
    let id = Uuid::from_u128(1);
    let intent = || Op::Intent { id, attempt: 1, text: "text".to_owned() };
    let accepted = SubmitOutcome::Accepted { message_ids: vec!["x".into()] };
    ask(&spool, 0, 1, intent()).await;
    ask(&spool, 0, 2, Op::Result { id, attempt: 1, at_us: 5, outcome: SubmitOutcome::Unknown }).await;
    let late = Op::LateResult { id, attempt: 1, at_us: 6, outcome: accepted.clone() };
    put(&spool, 0, 0, late).await;
    assert_eq!(ask(&spool, 0, 3, intent()).await, Done::Duplicate { tag: 3 });
    let told: Vec<_> =
        records(&spool, 0).await.into_iter().map(|r| r.body.result().unwrap().0.outcome.clone()).collect();
    assert_eq!(told, [SubmitOutcome::Unknown, accepted.clone(), accepted]);
}

#[tokio::test]
async fn a_spool_of_a_format_before_is_taken_over() {
    let without_texts = "ALTER TABLE submit DROP COLUMN text; UPDATE meta SET value = 3 WHERE name = 'version'";
    let without_words = "UPDATE meta SET value = 4 WHERE name = 'version'";
    for (makes_it_old, text) in [(without_texts, None), (without_words, Some("text"))] {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(&options(dir.path())).unwrap();
        let id = Uuid::from_u128(1);
        let intent = |attempt| Op::Intent { id, attempt, text: "text".to_owned() };
        assert_eq!(ask(&spool, 0, 1, intent(1)).await, Done::Intended { tag: 1 });
        tokio::task::spawn_blocking(|| spool.close()).await.unwrap();
        let connection = rusqlite::Connection::open(dir.path().join("spool.sqlite")).unwrap();
        connection.execute_batch(makes_it_old).unwrap();
        drop(connection);
        let spool = Spool::open(&options(dir.path())).unwrap();
        let found = records(&spool, 0).await;
        assert_eq!(found[0].body.result().map(|(_, text)| text), Some(text), "what is not known is not said");
        assert_eq!(ask(&spool, 0, 2, intent(1)).await, Done::Duplicate { tag: 2 });
        assert_eq!(ask(&spool, 0, 3, intent(2)).await, Done::Intended { tag: 3 });
    }
}

#[tokio::test]
async fn a_submit_has_one_intent_and_one_result_unless_it_was_not_sent() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(&options(dir.path())).unwrap();
    let id = Uuid::from_u128(1);
    let intent = || Op::Intent { id, attempt: 1, text: String::new() };
    let result = |outcome| Op::Result { id, attempt: 1, at_us: 0, outcome };
    let not_sent = || SubmitOutcome::NotSent { reason: NotSent::NoLink };
    assert_eq!(ask(&spool, 0, 1, intent()).await, Done::Intended { tag: 1 });
    assert_eq!(ask(&spool, 1, 1, intent()).await, Done::Duplicate { tag: 1 });
    assert!(matches!(ask(&spool, 0, 2, result(not_sent())).await, Done::Stored { .. }));
    // It was never written, so that the same attempt may come again.
    assert_eq!(ask(&spool, 0, 3, intent()).await, Done::Intended { tag: 3 });
    assert!(matches!(ask(&spool, 0, 4, result(SubmitOutcome::Refused { status: 8 })).await, Done::Stored { .. }));
    assert_eq!(ask(&spool, 0, 5, result(SubmitOutcome::Unknown)).await, Done::Duplicate { tag: 5 });
    // A copy that waited in a queue expires: the attempt has its result already.
    assert_eq!(ask(&spool, 0, 6, result(not_sent())).await, Done::Duplicate { tag: 6 });
    assert_eq!(ask(&spool, 0, 7, Op::Intent { id, attempt: 2, text: String::new() }).await, Done::Intended { tag: 7 });
    assert_eq!(records(&spool, 0).await.len(), 2);
}

#[tokio::test]
async fn unconfirmed_records_are_in_doubt_after_a_session_and_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(&options(dir.path())).unwrap();
    for tag in 1..=3 {
        ask(&spool, 0, tag, record(&format!("text {tag}"))).await;
    }
    ask(&spool, 1, 1, record("other link")).await;
    put(&spool, 0, 0, Op::Confirmed { through: 1 }).await;
    let key = |text: &str| doubt::key(&body(text)).unwrap();
    let Done::InDoubt { records: found, .. } = ask(&spool, 0, 4, Op::Doubt { only: None }).await else { panic!() };
    assert_eq!(found.iter().map(|r| (r.sequence, r.key)).collect::<Vec<_>>(), [(3, key("text 3")), (2, key("text 2"))]);
    // The next session stores and confirms more; one in doubt came again, the other stays.
    let redelivery = Op::record(
        crate::world::World::real().now_us(),
        Kind::Redelivery,
        &Body::Redelivery { run: spool.marks().live, of: 2 },
        Some(2),
    )
    .unwrap();
    let Done::Stored { sequence, .. } = ask(&spool, 0, 5, redelivery).await else { panic!() };
    put(&spool, 0, 0, Op::Confirmed { through: sequence }).await;
    ask(&spool, 0, 6, record("last")).await;
    let dir = killed(dir.path());
    let mut spool = Spool::open(&options(dir.path())).unwrap();
    let doubts = spool.take_in_doubt();
    let mut sequences: Vec<u64> = doubts[0].iter().map(|r| r.sequence).collect();
    sequences.sort_unstable();
    assert_eq!(sequences, [3, 4, 6], "unconfirmed ones of every link of the group, and not what came again");
    assert!(doubts[1].is_empty(), "a group's are given once");
}

#[tokio::test]
async fn a_redelivery_that_is_in_doubt_itself_puts_its_original_in_doubt_again() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(&options(dir.path())).unwrap();
    ask(&spool, 0, 1, record("text")).await;
    ask(&spool, 0, 2, Op::Doubt { only: None }).await;
    let again = Op::record(
        crate::world::World::real().now_us(),
        Kind::Redelivery,
        &Body::Redelivery { run: spool.marks().live, of: 1 },
        Some(1),
    )
    .unwrap();
    ask(&spool, 0, 3, again).await;
    let Done::InDoubt { records, .. } = ask(&spool, 0, 4, Op::Doubt { only: None }).await else { panic!() };
    assert_eq!(records.iter().map(|r| r.sequence).collect::<Vec<_>>(), [1]);
}

#[tokio::test]
async fn many_appends_wait_and_are_committed_in_batches_in_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(&options(dir.path())).unwrap();
    let n = (SPOOL_QUEUE_MAX + SPOOL_BATCH_MAX) as u64;
    let all = tokio::spawn({
        let queue = spool.queue();
        async move {
            for tag in 1..=n {
                queue.send(Append { link: 0, tag, give_up: None, op: record("x") }).await.unwrap();
            }
        }
    });
    let mut tag = 0;
    while tag < n {
        for done in next(&spool, 0).await {
            tag += 1;
            assert_eq!(done, Done::Stored { tag, sequence: tag });
        }
    }
    all.await.unwrap();
}

#[tokio::test]
async fn a_full_spool_gives_records_back_and_takes_them_again_when_it_has_room() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(&Options { bytes_max: 300 << 10, ..options(dir.path()) }).unwrap();
    let big = "x".repeat(40 << 10);
    let mut tag = 0;
    loop {
        tag += 1;
        Spool::housekeep(&spool.queue);
        match ask(&spool, 0, tag, record(&big)).await {
            Done::Stored { .. } => assert!(tag < 20, "the cap is never reached"),
            Done::Failed { .. } => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(spool.marks().is_failing());
    let id = Uuid::from_u128(1);
    let outcome = SubmitOutcome::NotSent { reason: NotSent::Expired };
    assert!(
        matches!(ask(&spool, 0, 50, Op::Result { id, attempt: 1, at_us: 0, outcome }).await, Done::Stored { .. }),
        "results still have their place"
    );
}

#[tokio::test]
async fn a_disk_that_fails_gives_back_and_is_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(&options(dir.path())).unwrap();
    ask(&spool, 0, 1, record("one")).await;
    // Another writer holds the file: SQLite cannot write, as on a disk that does not answer.
    let other = rusqlite::Connection::open(dir.path().join("spool.sqlite")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(ask(&spool, 0, 2, record("two")).await, Done::Failed { tag: 2 });
    assert!(spool.marks().is_failing());
    spool.queue.send(Append { link: 0, tag: 3, give_up: None, op: record("three") }).await.unwrap();
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(next(&spool, 0).await, [Done::Stored { tag: 3, sequence: 2 }]);
    assert_eq!(records(&spool, 1).await[0].body, body("three"));
}

#[tokio::test]
async fn only_committed_records_past_their_time_are_pruned_and_the_chain_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(&Options { keep: Duration::ZERO, ..options(dir.path()) }).unwrap();
    for tag in 1..=3 {
        ask(&spool, 0, tag, record("x")).await;
    }
    spool.marks().set_committed(2);
    Spool::housekeep(&spool.queue);
    ask(&spool, 0, 4, record("y")).await;
    Spool::housekeep(&spool.queue);
    ask(&spool, 0, 5, record("z")).await;
    assert_eq!(records(&spool, 0).await.iter().map(|r| r.sequence).collect::<Vec<_>>(), [3, 4, 5]);
    assert_eq!(spool.marks().oldest(), 3);
    let file = rusqlite::Connection::open(dir.path().join("spool.sqlite")).unwrap();
    let committed: i64 = file.query_row("SELECT value FROM meta WHERE name = 'committed'", [], |r| r.get(0)).unwrap();
    assert_eq!(committed, 2);
    let found = super::audit::verify(dir.path(), &mut |_| {}).unwrap();
    assert_eq!((found.records, found.faults), (3, Vec::new()));
}

#[tokio::test]
async fn of_many_records_lost_in_one_place_the_last_stands_for_all() {
    for (lost, named) in [(SPOOL_LOST_NAMED_MAX, SPOOL_LOST_NAMED_MAX), (SPOOL_LOST_NAMED_MAX + 1, 1)] {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(&options(dir.path())).unwrap();
        ask(&spool, 0, 1, record("first")).await;
        tokio::task::spawn_blocking(|| spool.close()).await.unwrap();
        let file = rusqlite::Connection::open(dir.path().join("spool.sqlite")).unwrap();
        file.execute("UPDATE sqlite_sequence SET seq = ?1 WHERE name = 'record'", [lost as i64 + 1]).unwrap();
        drop(file);
        let spool = Spool::open(&options(dir.path())).unwrap();
        ask(&spool, 0, 2, record("last")).await;
        let (mut found, mut last) = (Vec::new(), 0);
        while last < lost + 2 {
            let some = records(&spool, last).await;
            last = some.last().unwrap().sequence;
            found.extend(some);
        }
        let corrupt: Vec<&Record> = found.iter().filter(|r| matches!(r.body, Body::Corrupt { .. })).collect();
        assert_eq!((corrupt.len() as u64, found.len() as u64), (named, named + 2));
        assert_eq!(corrupt.last().unwrap().sequence, lost + 1);
        let Body::Corrupt { error, .. } = &corrupt.last().unwrap().body else { unreachable!() };
        assert_eq!(error.contains(&format!("records 2 to {} are missing", lost + 1)), named == 1, "{error}");
    }
}

#[tokio::test]
async fn a_spool_that_is_too_large_to_be_checked_at_each_start_is_opened_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(&options(dir.path())).unwrap();
    ask(&spool, 0, 1, record("one")).await;
    tokio::task::spawn_blocking(|| spool.close()).await.unwrap();
    let file = dir.path().join("spool.sqlite");
    {
        let connection = rusqlite::Connection::open(&file).unwrap();
        connection.execute_batch("CREATE TABLE filled (bytes BLOB)").unwrap();
        connection.execute("INSERT INTO filled VALUES (zeroblob(?1))", [SPOOL_CHECK_BYTES.cast_signed()]).unwrap();
    }
    assert!(std::fs::metadata(&file).unwrap().len() > SPOOL_CHECK_BYTES);
    let spool = Spool::open(&options(dir.path())).unwrap();
    assert_eq!(records(&spool, 0).await.len(), 1);
}
