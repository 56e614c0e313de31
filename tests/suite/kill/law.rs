//! What must hold when the fire is over.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;
use sqlx::Row;

use super::load;
use crate::support::pg::Database;
use crate::support::poll;

/// What of replies was in doubt.
#[derive(Debug, Default)]
pub struct Replies {
    /// All that were due.
    pub all: usize,
    /// Sent again, as nobody knew what became of the first.
    pub again: usize,
    /// Of them: the observer got the text twice.
    pub doubled: usize,
    /// Both attempts unknown.
    pub given_up: usize,
}

/// Every text stands once, and every part of one; nothing is set aside or left waiting.
pub async fn messages(database: &Database, observers: u32) {
    let mut admin = database.admin().await;
    let rows = sqlx::query("SELECT text, outcome, redelivered FROM message").fetch_all(&mut admin).await.unwrap();
    let mut whole: HashMap<String, u32> = HashMap::new();
    let (mut parts, mut redelivered) = (0, 0);
    for row in &rows {
        redelivered += row.get::<i32, _>("redelivered");
        match row.get::<&str, _>("outcome") {
            "segment" => parts += 1,
            "accepted" | "corrected" => *whole.entry(row.get("text")).or_default() += 1,
            other => panic!("outcome {other}: {:?}", row.get::<Option<String>, _>("text")),
        }
    }
    println!("{} messages, {redelivered} redeliveries recognised", rows.len());
    for observer in 0..observers {
        for which in 0..load::TEXTS {
            let text = load::text(observer, which);
            assert_eq!(whole.remove(&text), Some(1), "stored once: {text}");
        }
    }
    assert!(whole.is_empty(), "nobody sent {whole:?}");
    assert_eq!(parts, (0..observers).filter(|n| load::is_long(*n)).count(), "each part stands once");
    for (what, sql) in
        [("set aside", "SELECT count(*) FROM set_aside"), ("waiting parts", "SELECT count(*) FROM segment")]
    {
        let left: i64 = sqlx::query(sql).fetch_one(&mut admin).await.unwrap().get(0);
        assert_eq!(left, 0, "{what}");
    }
}

/// Every report has its corrected answers, and every incident stands once.
pub async fn submissions(database: &Database, observers: u32) {
    let sql = "SELECT o.code, s.prefix, s.answers::text AS answers, s.revisions,
                      (SELECT count(*) FROM revision r WHERE r.election_id = s.election_id AND r.submission_id = s.id) AS history
               FROM submission s JOIN observer o ON o.id = s.observer_id";
    let rows = sqlx::query(sql).fetch_all(&mut database.admin().await).await.unwrap();
    assert_eq!(rows.len(), 2 * observers as usize, "submissions");
    for row in &rows {
        let observer = row.get::<&str, _>("code").parse::<u32>().unwrap() - 100_000;
        let (revisions, history): (i32, i64) = (row.get("revisions"), row.get("history"));
        if row.get::<&str, _>("prefix") == "KT" {
            let answers: Value = serde_json::from_str(row.get("answers")).unwrap();
            assert_eq!((answers, revisions, history), (load::answers(observer), 2, 2), "observer {observer}");
        } else {
            assert_eq!((revisions, history), (1, 1), "observer {observer}'s incident");
        }
    }
}

/// One reply a text in the outbox. What the SMSC was given for a phone (`got`, where that is known) lies
/// between what it is known to have accepted and the attempts; nobody goes without an answer unless both
/// attempts are unknown; twice only where one is, and the row says why.
pub async fn replies(database: &Database, observers: u32, got: Option<&HashMap<String, usize>>) -> Replies {
    let sql = "SELECT p.msisdn, o.state, o.attempt, o.unknown_before, o.accepted, o.unknown_why
               FROM outbox o JOIN phone p ON p.id = o.phone_id";
    let rows = sqlx::query(sql).fetch_all(&mut database.admin().await).await.unwrap();
    assert_eq!(rows.len(), (load::TEXTS * observers) as usize, "one reply a text in the outbox");
    let mut seen = Replies { all: rows.len(), ..Replies::default() };
    // By phone: at least, at most, replies.
    let mut bounds: BTreeMap<String, (usize, usize, usize)> = BTreeMap::new();
    for row in &rows {
        let (phone, state): (&str, &str) = (row.get("msisdn"), row.get("state"));
        let (attempt, unknown, accepted): (i16, i16, i16) =
            (row.get("attempt"), row.get("unknown_before"), row.get("accepted"));
        let given_up = state == "unknown" && unknown == 2 && attempt == 2;
        assert!(
            given_up || ["sent", "delivered"].contains(&state),
            "{phone}: {state}, attempt {attempt}, {unknown} unknown"
        );
        assert!((1..=2).contains(&attempt) && unknown <= attempt, "{phone}: one retry is the law");
        assert_eq!(attempt == 2, unknown > 0, "{phone}: a second attempt only after an unknown one");
        assert_eq!(unknown > 0, row.get::<Option<&str>, _>("unknown_why").is_some(), "{phone}: the row says why");
        seen.again += usize::from(attempt == 2);
        seen.given_up += usize::from(given_up);
        let known = accepted.count_ones() as usize;
        let bound = bounds.entry(phone.to_owned()).or_default();
        // A receipt tells of a submit whose response was lost.
        bound.0 += if given_up { known } else { known.max(1) };
        bound.1 += usize::try_from(attempt).unwrap();
        bound.2 += 1;
    }
    assert_eq!(bounds.len(), observers as usize);
    for (phone, (least, most, replies)) in &bounds {
        let Some(got) = got else { continue };
        let got = got.get(phone).copied().unwrap_or_default();
        assert!((*least..=*most).contains(&got), "{phone} got {got} replies: between {least} and {most} by the outbox");
        seen.doubled += got.saturating_sub(*replies);
    }
    seen
}

/// The phone of an observer, as the SMSC writes it.
pub fn phone(observer: u32) -> u64 {
    poll::phone(observer).parse().unwrap()
}
