//! `scrutineer checklist try` as a group rehearses with it: from this phone or that, by every way of telling
//! who reports; and what `checklist check` warns of.

use serde_json::{Value, json};

use super::support::process::{ok, run, run_with_input};
use super::support::site::Site;
use super::support::{pg, poll};

const ROSTER: &str = "code,phone,language,auth_code\n100001,+255700000001,,4711\n100002,+255700000002 +255700000009,fr,\n100003,+255700000009,,\n";

struct Stand {
    site: Site,
    checklist: String,
    roster: String,
}

impl Stand {
    fn new() -> Self {
        let site = Site::without_database();
        let count = |code: &str| json!({"code": code, "type": "count", "max": 50, "text": code});
        let file = json!({"prefix": "PS", "title": "Opening", "questions": [count("AA"), count("AB")]});
        let checklist = site.file("ps.json", file.to_string()).display().to_string();
        let roster = site.file("roster.csv", ROSTER).display().to_string();
        Self { site, checklist, roster }
    }

    async fn tried(&self, text: &str, more: &[&str]) -> Value {
        let args = ["checklist", "try", &self.checklist, text, "--json", "--roster", &self.roster];
        let said = run(&self.site.config(), args.iter().chain(more)).await;
        serde_json::from_slice(&said.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&said.stderr)))
    }
}

#[tokio::test]
async fn a_text_is_tried_as_from_a_phone_by_every_way_of_telling_who_reports() {
    let stand = Stand::new();
    let (own, shared, strange) = ("+255700000001", "255700000009", "+255711111111");
    for (text, from, more, outcome, is) in [
        ("PS 100001 AA1", own, &["--identify", "code"][..], "accepted", "100001, whose phone it is"),
        ("PS 100001 AA1", strange, &[], "accepted", "100001, from an unknown phone (accept)"),
        ("PS 100001 AA1", strange, &["--unverified", "refuse"], "unverified", "100001, from an unknown phone (refuse)"),
        (
            "PS 100001 AA1",
            shared,
            &["--unverified", "hold"],
            "held",
            "100001, from the phone of 100002 and 100003 (hold)",
        ),
        ("PS 100009 AA1", own, &[], "unknown_observer", "nobody: no observer has code 100009"),
        ("PS AA1", own, &["--identify", "phone"], "accepted", "100001, by the phone"),
        ("PS AA1", shared, &["--identify", "either"], "unknown_observer", "nobody: 100002 and 100003 share the phone"),
        ("PS AA1", strange, &["--identify", "phone"], "unknown_observer", "nobody: the phone is unknown"),
        ("PS 100001 AA1", strange, &["--identify", "both"], "unverified", "100001, from an unknown phone (accept)"),
        ("PS 100001 AA1", own, &["--auth-code", "required"], "wrong_code", "100001, whose phone it is"),
        ("PS 100001*4711 AA1", own, &["--auth-code", "required"], "accepted", "100001, whose phone it is"),
    ] {
        let more: Vec<&str> = ["--from", from].iter().chain(more).copied().collect();
        let tried = stand.tried(text, &more).await;
        assert_eq!((tried["outcome"].as_str(), tried["from"].as_str()), (Some(outcome), Some(is)), "{text}: {tried}");
        let recorded = tried["answers"].as_object().is_some_and(|a| !a.is_empty());
        assert_eq!(recorded, outcome == "accepted", "{tried}");
        assert!(tried["reply"].is_string(), "{tried}");
    }
    let french = stand.tried("PS 100002 AA1 AB2", &["--from", "+255700000002"]).await;
    assert_eq!(french["reply"], "PS 100002: merci, enregistré: 2 réponses.", "{french}");
    assert_eq!(stand.tried("PS 100001 AA1", &["--from", "INFO"]).await["outcome"], "ignored");
}

#[tokio::test]
async fn a_checklist_whose_replies_can_pass_one_segment_is_sound_and_warned_of() {
    let stand = Stand::new();
    let rule = json!({"name": "sum", "expr": "AA <= AB", "severity": "error", "message": "x".repeat(200)});
    let count = |code: &str| json!({"code": code, "type": "count", "max": 50, "text": code});
    let file = json!({"prefix": "PS", "title": "Opening", "questions": [count("AA"), count("AB")], "rules": [rule]});
    let long = stand.site.file("long.json", file.to_string()).display().to_string();
    let said = run(&stand.site.config(), ["checklist", "check", &long, "--json"]).await;
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    let warnings = said["warnings"].as_array().unwrap();
    assert_eq!((&said["ok"], warnings.len()), (&json!(true), 1), "{said}");
    let warning = warnings[0].as_str().unwrap();
    assert!(warning.starts_with("PS, rule sum: its message in `en` passes one segment by "), "{warning}");
}

#[tokio::test]
async fn texts_in_turn_are_corrections_and_repetitions_and_without_it_each_is_the_first() {
    let stand = Stand::new();
    let texts = "PS 100001 AA1\nPS 100001 AA1\nPS 100001 AA2 AB3\nPS 100002 AA1\n";
    let outcomes = async |more: &[&str]| {
        let args =
            ["checklist", "try", &stand.checklist, "--json", "--roster", &stand.roster, "--from", "+255700000001"];
        let said = run_with_input(&stand.site.config(), args.iter().chain(more), texts).await;
        let lines = String::from_utf8(said.stdout).unwrap();
        let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.map(|line| line["outcome"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(outcomes(&["--in-turn"]).await, ["accepted", "duplicate", "corrected", "accepted"]);
    assert_eq!(outcomes(&[]).await, ["accepted"; 4]);
}

#[tokio::test]
async fn a_text_is_tried_with_the_observers_and_rules_of_an_election_and_nothing_is_stored() {
    let database = pg::database().await;
    let site = Site::new(&database);
    let book = poll::book("poll", 3);
    book.set_up(&site).await;
    let file = site.file("try.json", book.checklists[0].to_string()).display().to_string();
    let tried = async |text: &str, from: &str| -> Value {
        let args = ["checklist", "try", &file, text, "--json", "--election", "poll", "--from", from];
        serde_json::from_str(&ok(&site.config(), args).await).unwrap()
    };
    let own = tried(&poll::report(1, "AA5 AB7"), &poll::phone(1)).await;
    assert_eq!(own["outcome"], "accepted", "{own}");
    assert_eq!(own["answers"], json!({"AA": 5, "AB": 7}), "{own}");
    assert_eq!(own["from"], "100001, whose phone it is", "{own}");
    let unknown = tried(&poll::report(7, "AA5"), &poll::phone(1)).await;
    assert_eq!((&unknown["outcome"], &unknown["answers"]), (&json!("unknown_observer"), &json!({})), "{unknown}");
    let none = run(&site.config(), ["checklist", "try", &file, "KT 1", "--election", "nowhere"]).await;
    assert!(!none.status.success() && String::from_utf8_lossy(&none.stderr).contains("nowhere"));
    let stored: i64 =
        sqlx::query_scalar("SELECT count(*) FROM message").fetch_one(&mut database.admin().await).await.unwrap();
    assert_eq!(stored, 0);
}
