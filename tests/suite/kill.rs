//! Nothing lost, nothing recorded twice: the real gateway, worker and PostgreSQL against an SMSC that
//! we did not write, each killed again and again (SIGKILL) in the middle of 5,000 messages.
//!
//! What is asserted: every message that was acknowledged stands in PostgreSQL once, every submission
//! is right, every observer is answered; twice only where a submit's outcome was unknown.
//! `SCRUTINEER_TEST_SEED` repeats a run's kills.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use sqlx::Row;

use super::support::book::{Book, Place, Watcher};
use super::support::cluster::{Cluster, Durability};
use super::support::peer::{Delivery, Peer, Reader};
use super::support::pg;
use super::support::process::Process;
use super::support::site::Site;

/// Observers who send one `deliver_sm`.
const SINGLE: u32 = 4_700;
/// Observers whose text comes in two.
const DOUBLE: u32 = 150;
/// All `deliver_sm`.
const MESSAGES: u32 = SINGLE + 2 * DOUBLE;
/// Observers ahead of the replies: keeps all three processes busy to the end.
const AHEAD: usize = 400;
/// How long the whole may stand still before it is a failure: a reply whose outcome is unknown is
/// sent again when its lease is over.
const STANDSTILL: Duration = Duration::from_secs(scrutineer::limits::LEASE_SECONDS as u64 + 60);

/// Whom to kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Gateway,
    Worker,
    Postgres,
    All,
}

/// One observer's report: what is texted, and what is to be stored.
struct Case {
    phone: String,
    text: String,
    answers: Value,
    deliveries: Vec<Delivery>,
}

fn case(number: u32) -> Case {
    let (code, phone) = (format!("{}", 100_000 + number), format!("3556{:07}", 1_000_000 + number));
    let (aa, ab) = (number % 997, number * 7 % 4001);
    let (ba, ca) = (number % 4 + 1, [number % 3 + 1, number % 2 + 4]);
    let time = format!("{:02}{:02}", 6 + number % 4, number % 60);
    let sent = format!("KT{code} AA{aa} AB{ab} BA{ba} CA{}{} TA{time} YA{}", ca[0], ca[1], number % 2 + 1);
    let answers = json!({
        "AA": aa, "AB": ab, "BA": ba, "CA": ca, "TA": format!("{}:{}", &time[..2], &time[2..]), "YA": number.is_multiple_of(2),
    });
    let id = u64::from(number) * 2;
    if number < SINGLE {
        return Case { deliveries: vec![Delivery::text(id, &phone, &sent)], phone, text: sent, answers };
    }
    let text = format!("{sent} @ {}", format!("seen by observer {code} at the door ").repeat(5).trim_end());
    Case { deliveries: Delivery::two_segments(id, &phone, &text, number as u8).to_vec(), phone, text, answers }
}

fn book() -> Book {
    let place = |code: &str, level, parent: &str, registered_voters| Place {
        code: code.to_owned(),
        name: format!("{level} {code}"),
        level,
        parent: parent.to_owned(),
        registered_voters,
    };
    let mut places = vec![place("R1", "region", "", None)];
    places.extend((0..10).map(|n| place(&format!("S{n}"), "station", "R1", Some(800))));
    let watchers = (0..SINGLE + DOUBLE)
        .map(|n| Watcher { code: format!("{}", 100_000 + n), phone: case(n).phone, station: format!("S{}", n % 10) })
        .collect();
    let options =
        |n: u32| (1..=n).map(|i| (i.to_string(), json!(format!("Option {i}")))).collect::<serde_json::Map<_, _>>();
    let checklist = json!({
        "prefix": "KT",
        "title": "Under fire",
        "questions": [
            {"code": "AA", "text": "First count", "type": "count", "max": 9999},
            {"code": "AB", "text": "Second count", "type": "count", "max": 9999},
            {"code": "BA", "text": "One of four", "type": "choice", "options": options(4)},
            {"code": "CA", "text": "Some of five", "type": "multi_choice", "options": options(5)},
            {"code": "TA", "text": "When", "type": "time"},
            {"code": "YA", "text": "Was it so", "type": "yes_no"},
        ],
    });
    Book { slug: "under-fire", places, watchers, checklists: vec![checklist], options: &[] }
}

/// The processes under fire.
struct Range<'a> {
    site: &'a Site,
    postgres: &'a Cluster,
    gateway: Process,
    worker: Process,
}

impl Range<'_> {
    async fn shoot(&mut self, victim: Victim) {
        let config = self.site.config();
        let all = victim == Victim::All;
        if all || victim == Victim::Gateway {
            self.gateway.kill().await;
        }
        if all || victim == Victim::Worker {
            self.worker.kill().await;
        }
        if all || victim == Victim::Postgres {
            tokio::task::block_in_place(|| {
                self.postgres.kill();
                self.postgres.up();
            });
        }
        // Awaited by what they do next, not by their word.
        if all || victim == Victim::Gateway {
            self.gateway = Process::spawn("gateway", &config);
        }
        if all || victim == Victim::Worker {
            self.worker = Process::spawn("worker", &config);
        }
    }

    fn logs(&self) -> String {
        format!(
            "gateway:\n{}\nworker:\n{}\nPostgreSQL:\n{}",
            self.gateway.log(),
            self.worker.log(),
            self.postgres.log()
        )
    }
}

/// What the SMSC saw so far.
#[derive(Default)]
struct Seen {
    acknowledged: HashSet<u64>,
    closed: u32,
    /// Texts submitted, by phone.
    replies: HashMap<String, Vec<String>>,
    events: usize,
}

impl Seen {
    fn take(&mut self, event: &Value) {
        self.events += 1;
        match event["event"].as_str().unwrap() {
            "acknowledged" => {
                self.acknowledged.insert(event["id"].as_u64().unwrap());
            }
            "closed" => self.closed += 1,
            "submit" => {
                assert_eq!(event["udh"], Value::Null, "a reply fits one segment: {event}");
                let phone = event["destination"].as_str().unwrap().to_owned();
                self.replies.entry(phone).or_default().push(event["text"].as_str().unwrap().to_owned());
            }
            "refused" | "rejected" | "error" => println!("SMSC: {event}"),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_message_is_stored_once_and_answered_though_all_are_killed() {
    let seed = std::env::var("SCRUTINEER_TEST_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    println!("SCRUTINEER_TEST_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);

    let postgres = Cluster::start(Durability::Synced);
    let database = pg::database_on(&postgres).await;
    let mut peer = Peer::start(json!({ "window": 50 })).await;
    let site = Site::new(&database).link_with("smsc", peer.port, "reconnect_seconds_max = 1");
    book().set_up(&site).await;

    let cases: Vec<Case> = (0..SINGLE + DOUBLE).map(case).collect();
    let mut order: Vec<usize> = (0..cases.len()).collect();
    order.shuffle(&mut random);

    // Each is killed several times, at points of progress, in any order.
    let mut kills: Vec<Victim> = [Victim::Gateway, Victim::Worker, Victim::Postgres].repeat(4);
    kills.extend([Victim::All, Victim::All]);
    kills.shuffle(&mut random);
    let span = 2 * cases.len();
    let mut points: Vec<usize> = kills.iter().map(|_| random.random_range(span / 20..span - span / 20)).collect();
    points.sort_unstable();
    let mut plan = points.into_iter().zip(kills).peekable();

    let mut range = Range {
        site: &site,
        postgres: &postgres,
        gateway: site.start("gateway").await,
        worker: site.start("worker").await,
    };
    let mut journal = peer.reader();
    let mut seen = Seen::default();
    let mut fed = 0;
    while seen.acknowledged.len() < MESSAGES as usize || seen.replies.len() < cases.len() {
        while fed < cases.len() && fed < seen.replies.len() + AHEAD {
            let batch = order[fed..(fed + 50).min(cases.len())].iter();
            let deliveries: Vec<Delivery> = batch.flat_map(|&i| cases[i].deliveries.clone()).collect();
            fed = (fed + 50).min(cases.len());
            peer.deliver(&deliveries).await;
        }
        next(&mut journal, &mut seen, &range, &database).await;
        let progress = seen.acknowledged.len() + seen.replies.len();
        if let Some((_, victim)) = plan.next_if(|(point, _)| *point <= progress) {
            println!(
                "at {} acknowledged, {} answered: killing {victim:?}",
                seen.acknowledged.len(),
                seen.replies.len()
            );
            if matches!(victim, Victim::Gateway | Victim::All) {
                // An unknown outcome is retried once: that attempt may end before the gateway is killed again,
                // or the observer would rightly go unanswered.
                until_none(&database, "unknown_before > 0 AND state IN ('due', 'leased')", &range).await;
            }
            range.shoot(victim).await;
        }
    }
    assert!(plan.next().is_none(), "every kill happened");
    settle(&database, &range).await;
    // What came in meanwhile.
    while let Some(event) = journal.next(Duration::from_millis(1)).await {
        seen.take(&event);
    }
    println!("the link closed {} times", seen.closed);
    check_messages(&database, &cases).await;
    check_replies(&database, &cases, &seen).await;
    check_submissions(&database, &cases).await;
    let (gateway, worker) = (range.gateway.stop().await, range.worker.stop().await);
    assert!(gateway.success() && worker.success(), "gateway {gateway}, worker {worker}");
}

async fn next(journal: &mut Reader, seen: &mut Seen, range: &Range<'_>, database: &pg::Database) {
    match journal.next(STANDSTILL).await {
        Some(event) => seen.take(&event),
        None => panic!(
            "nothing moved for {STANDSTILL:?}: {} of {MESSAGES} acknowledged, {} answered; outbox {}\n{}",
            seen.acknowledged.len(),
            seen.replies.len(),
            outbox(database).await,
            range.logs()
        ),
    }
}

/// Replies by state and earlier unknown outcomes, for the one who reads of a failure.
async fn outbox(database: &pg::Database) -> String {
    let sql = "SELECT coalesce(string_agg(format('%s after %s unknown: %s', state, unknown_before, n), ', '), 'empty')
               FROM (SELECT state, unknown_before, count(*) AS n FROM outbox GROUP BY 1, 2) AS s";
    sqlx::query(sql).fetch_one(&mut database.admin().await).await.unwrap().get(0)
}

/// Waits until the outbox has nothing left to do.
async fn settle(database: &pg::Database, range: &Range<'_>) {
    until_none(database, "state IN ('due', 'leased')", range).await;
}

/// Waits until no reply is such.
async fn until_none(database: &pg::Database, such: &str, range: &Range<'_>) {
    let mut admin = database.admin().await;
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    let begun = tokio::time::Instant::now();
    loop {
        let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM outbox WHERE {such}"));
        let open: i64 = sqlx::query(sql).fetch_one(&mut admin).await.unwrap().get(0);
        if open == 0 {
            return;
        }
        assert!(begun.elapsed() < STANDSTILL, "{open} replies stay open\n{}", range.logs());
        tick.tick().await;
    }
}

async fn check_messages(database: &pg::Database, cases: &[Case]) {
    let rows = sqlx::query("SELECT text, outcome, redelivered FROM message")
        .fetch_all(&mut database.admin().await)
        .await
        .unwrap();
    let mut whole: BTreeMap<String, u32> = BTreeMap::new();
    let (mut parts, mut redelivered) = (0, 0);
    for row in &rows {
        redelivered += row.get::<i32, _>("redelivered");
        match row.get::<&str, _>("outcome") {
            "segment" => parts += 1,
            "accepted" => *whole.entry(row.get("text")).or_default() += 1,
            other => panic!("outcome {other}: {:?}", row.get::<Option<String>, _>("text")),
        }
    }
    println!("{} messages, {redelivered} redeliveries recognised", rows.len());
    let twice: Vec<_> = whole.iter().filter(|(_, n)| **n > 1).collect();
    assert!(twice.is_empty(), "recorded more than once: {twice:?}");
    let lost: Vec<_> = cases.iter().filter(|case| !whole.contains_key(&case.text)).map(|case| &case.text).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    assert_eq!((rows.len(), parts), (MESSAGES as usize, DOUBLE), "each part stands once");
    let mut admin = database.admin().await;
    for (what, sql) in
        [("set aside", "SELECT count(*) FROM set_aside"), ("waiting parts", "SELECT count(*) FROM segment")]
    {
        let left: i64 = sqlx::query(sql).fetch_one(&mut admin).await.unwrap().get(0);
        assert_eq!(left, 0, "{what}");
    }
}

async fn check_submissions(database: &pg::Database, cases: &[Case]) {
    let sql = "SELECT p.msisdn, s.answers::text AS answers, s.missing, s.revisions,
                      (SELECT count(*) FROM revision r WHERE r.election_id = s.election_id AND r.submission_id = s.id) AS history
               FROM submission s JOIN observer_phone op ON op.observer_id = s.observer_id JOIN phone p ON p.id = op.phone_id";
    let rows = sqlx::query(sql).fetch_all(&mut database.admin().await).await.unwrap();
    assert_eq!(rows.len(), cases.len(), "submissions");
    let by_phone: HashMap<String, &Case> = cases.iter().map(|case| (case.phone.clone(), case)).collect();
    for row in &rows {
        let case = by_phone[row.get::<&str, _>("msisdn")];
        let answers: Value = serde_json::from_str(row.get("answers")).unwrap();
        assert_eq!(answers, case.answers, "{}", case.text);
        assert_eq!(
            (row.get::<i16, _>("missing"), row.get::<i32, _>("revisions"), row.get::<i64, _>("history")),
            (0, 1, 1),
            "{}",
            case.text
        );
    }
}

async fn check_replies(database: &pg::Database, cases: &[Case], seen: &Seen) {
    let sql = "SELECT p.msisdn, o.state, o.unknown_before, o.text FROM outbox o JOIN phone p ON p.id = o.phone_id";
    let rows = sqlx::query(sql).fetch_all(&mut database.admin().await).await.unwrap();
    assert_eq!(rows.len(), cases.len(), "one reply each in the outbox");
    let (mut unknown, mut doubled) = (0, 0);
    for row in &rows {
        let (phone, text): (&str, &str) = (row.get("msisdn"), row.get("text"));
        let unknown_before: i16 = row.get("unknown_before");
        unknown += u32::from(unknown_before > 0);
        let got = seen.replies.get(phone).map(Vec::as_slice).unwrap_or_default();
        assert!(!got.is_empty(), "{phone} was not answered");
        assert!(got.iter().all(|reply| reply == text), "{phone}: {got:?} is not {text:?}");
        let state: &str = row.get("state");
        assert!(["sent", "delivered", "unknown"].contains(&state), "{phone}: {state}");
        let allowed = 1 + usize::try_from(unknown_before).unwrap();
        assert!(got.len() <= allowed, "{phone} was answered {} times, unknown before: {unknown_before}", got.len());
        doubled += u32::from(got.len() > 1);
    }
    println!("{} replies, {unknown} sent again as their outcome was unknown, {doubled} of them doubled", rows.len());
}
