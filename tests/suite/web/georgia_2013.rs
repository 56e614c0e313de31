//! A real election, archived: the protocols of the 3,707 polling stations of Georgia's presidential
//! election of 27 October 2013, as reports of one observer each; what the archive shows is compared with
//! the file.
//!
//! The file is read from `../shared/data`, where that stands beside the project; it is not ours to ship.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use scrutineer::analysis::summary::Spread;
use scrutineer::archive::{self, key};
use scrutineer::domain::location::LocationRow;
use scrutineer::store::pages::question::{ByArea, Questions};
use scrutineer::store::{election, location};
use serde_json::{Value, json};

use super::*;
use crate::support::source;

/// Columns and codes of what is asked; the candidates' columns follow.
const ASKED: [(&str, &str, &str); 5] = [
    ("registered", "RG", "Voters on the main list"),
    ("special_list", "SL", "Voters on the special list"),
    ("ballots_signed_for", "CA", "Voters who signed for a ballot"),
    ("ballots_received", "BR", "Ballots received"),
    ("invalid", "IV", "Invalid ballots"),
];

type Record = HashMap<String, String>;

fn number(record: &Record, column: &str) -> i64 {
    record[column].parse().unwrap_or(0)
}

/// Column, code and words of all questions.
fn questions(columns: &[String]) -> Vec<(String, String, String)> {
    let asked =
        ASKED.iter().map(|(column, code, words)| ((*column).to_owned(), (*code).to_owned(), (*words).to_owned()));
    let candidates = columns.iter().filter(|c| c.starts_with('c')).enumerate().map(|(i, column)| {
        let words = column.split_once('_').map_or(column.as_str(), |(_, name)| name).replace('_', " ");
        (column.clone(), format!("V{}", char::from(b'A' + u8::try_from(i).unwrap())), words)
    });
    asked.chain(candidates).collect()
}

/// Makes the election with its districts, stations, observers and reports.
async fn fill(dashboard: &Dashboard, owner: &Store, records: &[Record], questions: &[(String, String, String)]) {
    let new = election::NewElection {
        slug: "georgia-2013",
        name: "Presidential election, 27 October 2013",
        timezone: "Asia/Tbilisi",
        language: "en",
        identify: Default::default(),
        unverified: Default::default(),
        date_order: Default::default(),
        help: None,
        replies_per_hour: 60,
        auth: Default::default(),
    };
    let id = election::create(owner, &new).await.unwrap();
    election::open(owner, new.slug, false).await.unwrap();
    let districts: BTreeSet<&String> = records.iter().map(|r| &r["district_id"]).collect();
    let row =
        |line, code: String, name: String, level: &str, parent: Option<String>, voters: Option<i32>| LocationRow {
            line,
            code,
            name,
            level: level.to_owned(),
            parent,
            registered_voters: Some(voters),
            figures: Default::default(),
        };
    let above = districts.iter().map(|d| row(1, format!("D{d}"), format!("District {d}"), "district", None, None));
    let stations = records.iter().map(|r| {
        let (d, p) = (&r["district_id"], &r["precinct_id"]);
        let voters = number(r, "registered") + number(r, "special_list");
        let name = format!("Precinct {d}-{p}");
        row(2, format!("{d}-{p}"), name, "precinct", Some(format!("D{d}")), i32::try_from(voters).ok())
    });
    let rows: Vec<LocationRow> = above.chain(stations).collect();
    location::import(owner, new.slug, &rows, &|_| {}).await.unwrap();

    let definition = json!({
        "prefix": "RS", "title": {"en": "Protocol of results"}, "kind": "checklist",
        "questions": questions.iter().map(|(column, code, words)| json!({
            "code": code, "text": {"en": words}, "type": "count", "max": 10_000,
            "section": if column.starts_with('c') { "Votes" } else { "Ballots" },
        })).collect::<Vec<_>>(),
        "rules": [{"name": "turnout", "expr": "CA <= RG + SL", "message": {"en": "More signed than are on the lists."}}],
    });
    let reports: Vec<Value> = records
        .iter()
        .map(|r| {
            let answers: BTreeMap<&String, i64> = questions.iter().map(|(c, code, _)| (code, number(r, c))).collect();
            let over = number(r, "ballots_signed_for") > number(r, "registered") + number(r, "special_list");
            json!({"station": format!("{}-{}", r["district_id"], r["precinct_id"]), "answers": answers, "over": over})
        })
        .collect();
    let mut conn = dashboard.database.owner().await;
    sqlx::query(
        "WITH list AS (
             INSERT INTO checklist (election_id, prefix, kind, state, title, definition)
             VALUES ($1, 'RS', 'checklist', 'live', $2 -> 'title', $2) RETURNING id),
         report AS (
             SELECT row_number() OVER ()::int AS n, x.station, x.answers, x.over, l.id AS station_id
             FROM jsonb_to_recordset($3) AS x (station text, answers jsonb, over bool)
             JOIN location l ON l.election_id = $1 AND l.code = x.station),
         watcher AS (
             INSERT INTO observer (election_id, code, station_id) SELECT $1, (100000 + n)::text, station_id FROM report
             RETURNING id, station_id),
         sent AS (
             INSERT INTO submission (election_id, id, checklist_id, prefix, kind, observer_id, station_id, answers, missing,
                 broken_rules, first_received_at, last_received_at, last_spool, last_sequence)
             SELECT $1, md5(r.station)::uuid, list.id, 'RS', 'checklist', w.id, r.station_id, r.answers, 0,
                 CASE WHEN r.over THEN '{turnout}'::text[] ELSE '{}' END, at, at, md5('spool')::uuid, r.n
             FROM report r JOIN watcher w USING (station_id), list,
                 LATERAL (SELECT '2013-10-27 16:00Z'::timestamptz + make_interval(secs => r.n * 5) AS at) t
             RETURNING *)
         INSERT INTO revision (election_id, submission_id, received_at, spool, sequence, answers)
         SELECT election_id, id, last_received_at, last_spool, last_sequence, answers FROM sent",
    )
    .bind(id)
    .bind(definition)
    .bind(Value::Array(reports))
    .execute(&mut conn)
    .await
    .unwrap();
}

fn sum(spread: &Spread) -> i64 {
    let Spread::Numbers(Some(n)) = spread else { panic!("{spread:?}") };
    n.sum as i64
}

#[tokio::test]
async fn georgia_2013_archived_shows_what_the_file_holds_and_reads_no_live_table() {
    let file = source::root().join("../shared/data/georgia_2013_presidential_precincts.csv");
    if !file.exists() {
        println!("skipped: {} is not there", file.display());
        return;
    }
    let mut reader = csv::Reader::from_path(&file).unwrap();
    let columns: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let records: Vec<Record> = reader.deserialize().map(Result::unwrap).collect();
    assert_eq!(records.len(), 3_707);
    let questions = questions(&columns);

    let dashboard = Dashboard::on(pg::database().await, false).await;
    dashboard.add_person().await;
    let owner = Store::new(&dashboard.database.store_options(OWNER, 2));
    fill(&dashboard, &owner, &records, &questions).await;
    assert!(matches!(
        archive::freeze(&owner, "georgia-2013", false, &|_, _| {}).await,
        Err(archive::ArchiveError::Open(_))
    ));
    let begun = std::time::Instant::now();
    let done = archive::freeze(&owner, "georgia-2013", true, &|_, _| {}).await.unwrap();
    println!("archived in {:?}: {done:?}", begun.elapsed());
    assert_eq!((done.version, done.submissions), (1, 3_707));

    // From here on the tables of living elections are out of reach.
    dashboard
        .change(
            "ALTER TABLE submission RENAME TO gone_submission; ALTER TABLE revision RENAME TO gone_revision;
             ALTER TABLE observer RENAME TO gone_observer; ALTER TABLE location RENAME TO gone_location;
             ALTER TABLE checklist RENAME TO gone_checklist; ALTER TABLE message RENAME TO gone_message;
             ALTER TABLE tally RENAME TO gone_tally; ALTER TABLE election RENAME TO gone_election",
        )
        .await;
    let web = Store::new(&dashboard.database.store_options(WEB, 2));
    let archived = archive::served(&web).await.unwrap().pop().unwrap();
    let all: Questions = archive::read(&web, &archived, &key::questions("RS", "")).await.unwrap().unwrap();
    assert_eq!((all.expected, all.reports), (Some(3_707), 3_707));
    for ((column, code, _), summary) in questions.iter().zip(&all.summaries) {
        assert_eq!(sum(&summary.spread), records.iter().map(|r| number(r, column)).sum::<i64>(), "{code} {column}");
    }
    let winner = questions.iter().position(|(column, ..)| column.starts_with("c41")).unwrap();
    let votes: i64 = all.summaries[ASKED.len()..].iter().map(|s| sum(&s.spread)).sum();
    let share = sum(&all.summaries[winner].spread) as f64 / votes as f64;
    assert!((share - 0.6212).abs() < 0.00005, "{share}");
    // Area by area.
    let code = &questions[winner].1;
    let by: ByArea = archive::read(&web, &archived, &key::by_area("RS", code, "")).await.unwrap().unwrap();
    assert_eq!(by.areas.len(), 74);
    for area in &by.areas {
        let district = area.place.as_ref().unwrap().code.trim_start_matches('D').to_owned();
        let of: Vec<&Record> = records.iter().filter(|r| r["district_id"] == district).collect();
        assert_eq!((area.expected, area.reports), (Some(of.len() as i64), of.len() as i64), "{district}");
        let column = &questions[winner].0;
        assert_eq!(sum(&area.summary.spread), of.iter().map(|r| number(r, column)).sum::<i64>(), "{district}");
    }

    // In the browser.
    let mut browser = dashboard.person().await;
    let overview = browser.get("/elections/georgia-2013").await;
    assert_eq!(overview.status, 200, "{}", overview.body);
    assert!(overview.body.contains("archived") && overview.body.contains("3,707"), "{}", overview.body);
    let broken = overview.body.split("Break a rule").nth(1).unwrap();
    assert!(broken.split("</dd>").next().unwrap().contains(">1</a>"), "one station with more signed than on its lists");
    for path in ["/questions/RS", "/questions/RS?area=D1", "/questions/RS/CA", "/questions/RS/CA?area=D1", "?area=D1"] {
        let answer = browser.get(&format!("/elections/georgia-2013{path}")).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        assert!(answer.body.contains("archived"), "{path}");
    }
    // Each submission once.
    let mut seen = BTreeSet::new();
    let mut at = Some("/elections/georgia-2013/submissions".to_owned());
    while let Some(path) = at {
        let answer = browser.get(&path).await;
        assert_eq!(answer.status, 200, "{path}");
        let rows = answer.links("/elections/georgia-2013/submissions/");
        assert!(rows.iter().all(|row| seen.insert(row.clone())), "a row comes twice");
        at = answer.next();
    }
    assert_eq!(seen.len(), 3_707);
    let broken = browser.get("/elections/georgia-2013/submissions?state=broken").await;
    let rows = broken.links("/elections/georgia-2013/submissions/");
    assert_eq!(rows.len(), 1);
    let page = browser.get(&rows[0]).await;
    assert!(page.body.contains("More signed than are on the lists."), "{}", page.body);
}
