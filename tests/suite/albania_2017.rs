//! A real election day: what 524 observers reported of the opening in Albania on 25 June 2017, and
//! the results of their stations, texted through the whole chain; then PostgreSQL is compared with
//! the files, answer by answer.
//!
//! The files are read from `../shared/data`, where that stands beside the project; they are not ours
//! to ship.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::Row as _;

use super::support::book::{Book, Place, Watcher};
use super::support::peer::{Delivery, Peer};
use super::support::site::Site;
use super::support::{pg, source};

type Record = HashMap<String, String>;

/// How an opening question's answers stand in the file, and how an observer texts them.
enum Opening {
    /// A whole number; `n/a` is texted as this.
    Count(i64),
    /// The file's words in the order of the option numbers; `n/a` is texted as 9.
    Choice(&'static [&'static str]),
    /// `po` and `jo`; `n/a` is texted as 9.
    YesNo,
}

/// Column, code, answers: all of the opening checklist.
const OPENING: &[(&str, &str, Opening)] = &[
    ("votersList", "VL", Opening::Count(9999)),
    ("ballotPapers", "BP", Opening::Count(9999)),
    ("pubPriv", "PU", Opening::Choice(&["pub", "priv"])),
    ("openTime", "OT", Opening::Choice(&["7_00", "7-730", "730-8", "8-830"])),
    ("numKommish", "NK", Opening::Count(99)),
    ("secrecyOpen", "SO", Opening::YesNo),
    ("movementOpen", "MO", Opening::YesNo),
    ("removeMatInside", "RI", Opening::Choice(&["po", "jo", "na"])),
    ("removeMatOutside", "RO", Opening::Choice(&["po", "jo", "na"])),
    ("pvComplete", "PV", Opening::YesNo),
    ("boxChecked", "BC", Opening::YesNo),
    ("boxSealed", "BS", Opening::YesNo),
    ("recordBox", "RB", Opening::YesNo),
    ("centerMat", "CM", Opening::YesNo),
    ("blindTools", "BT", Opening::YesNo),
    ("disabledTools", "DT", Opening::Choice(&["po", "pjeserisht", "jo"])),
    ("overallOpen", "OO", Opening::Choice(&["shummir", "mir", "meprob", "shumprob"])),
];

/// Column and code of the results: registered, voters, cast, invalid, valid, and the parties.
const RESULTS: &[(&str, &str)] = &[
    ("zgjedhes", "RG"),
    ("totalVoters", "TV"),
    ("ballotsCast", "BC"),
    ("invalidVotes", "IV"),
    ("validVotes", "VV"),
    ("ps", "PA"),
    ("pd", "PB"),
    ("lsi", "PC"),
    ("pdiu", "PD"),
    ("libra", "PE"),
    ("psd", "PF"),
];

fn read(folder: &std::path::Path, name: &str) -> Vec<Record> {
    let mut reader = csv::Reader::from_path(folder.join(name)).unwrap();
    reader.deserialize().map(|record| record.unwrap()).collect()
}

/// The opening checklist numbers a split station `0002-01`, the stations file `00021`.
fn station_code(ps_id: &str) -> String {
    let (number, part) = ps_id.split_once('-').unwrap();
    let part = part.trim_start_matches('0');
    format!("{number}{part}")
}

fn opening_checklist() -> Value {
    let questions: Vec<Value> = OPENING
        .iter()
        .map(|(column, code, kind)| match kind {
            Opening::Count(absent) => {
                let max = absent * 3 / 4;
                json!({"code": code, "text": column, "type": "count", "max": max, "null_value": absent})
            }
            Opening::Choice(words) => {
                let options: BTreeMap<String, &str> =
                    (1..).map(|n: u32| n.to_string()).zip(words.iter().copied()).collect();
                json!({"code": code, "text": column, "type": "choice", "options": options, "null_value": 9})
            }
            Opening::YesNo => json!({"code": code, "text": column, "type": "yes_no", "null_value": 9}),
        })
        .collect();
    json!({"prefix": "HA", "title": "Opening", "questions": questions})
}

fn results_checklist() -> Value {
    let questions: Vec<Value> = RESULTS
        .iter()
        .map(|(column, code)| json!({"code": code, "text": column, "type": "count", "max": 5000}))
        .collect();
    json!({
        "prefix": "RZ", "title": "Results", "questions": questions,
        "rules": [
            {"name": "cast", "expr": "VV + IV == BC", "message": "valid and invalid make the cast"},
            {"name": "turnout", "expr": "BC <= RG", "message": "more cast than registered"},
            {"name": "parties", "expr": "PA + PB + PC + PD + PE + PF <= VV", "message": "more for parties than valid"},
            {"name": "roll", "expr": "RG == registered", "message": "another number than the station's roll"},
        ],
    })
}

/// What is texted for an opening answer, and what is to be stored.
fn opening_answer(kind: &Opening, word: &str) -> (i64, Value) {
    match (kind, word) {
        (Opening::Count(absent), "n/a") => (*absent, json!({"na": absent})),
        (_, "n/a") => (9, json!({"na": 9})),
        (Opening::Count(_), number) => {
            let number: i64 = number.parse().unwrap();
            (number, json!(number))
        }
        (Opening::YesNo, word) => {
            assert!(["po", "jo"].contains(&word), "{word}");
            (if word == "po" { 1 } else { 2 }, json!(word == "po"))
        }
        (Opening::Choice(words), word) => {
            let at = words.iter().position(|known| *known == word).unwrap_or_else(|| panic!("{word}"));
            (at as i64 + 1, json!(at + 1))
        }
    }
}

/// A text as observers write them: spaced, run together, or in lower case with commas and lines.
fn text(prefix: &str, observer: &str, answers: &[(&str, i64)], style: usize) -> String {
    let all: Vec<String> = answers.iter().map(|(code, value)| format!("{code}{value}")).collect();
    match style % 3 {
        0 => format!("{prefix}{observer} {}", all.join(" ")),
        1 => format!("{prefix}{observer}{}", all.concat()),
        _ => {
            let spaced: Vec<String> = answers.iter().map(|(code, value)| format!("{code}: {value}")).collect();
            format!("{prefix} {observer}\n{}", spaced.join(",")).to_lowercase()
        }
    }
}

/// One observer's two reports.
struct Case {
    watcher: Watcher,
    stratum: String,
    /// Prefix, text, answers to be stored.
    reports: [(&'static str, String, Value); 2],
    /// Rules that the file's own figures break.
    broken: BTreeSet<&'static str>,
}

fn case(index: usize, opening: &Record, results: &Record) -> Case {
    let code = format!("{}", 200_001 + index);
    let phone = format!("35568{:07}", 2_000_000 + index * 7);
    let station = station_code(&opening["psID"]);
    assert_eq!(station, results["code"], "the two files go together line by line");
    let (mut sent, mut stored) = (Vec::new(), serde_json::Map::new());
    for (column, code, kind) in OPENING {
        let (value, answer) = opening_answer(kind, &opening[*column]);
        sent.push((*code, value));
        stored.insert((*code).to_owned(), answer);
    }
    let first = ("HA", text("HA", &code, &sent, index), Value::Object(stored));
    let figures: Vec<(&str, i64)> =
        RESULTS.iter().map(|(column, code)| (*code, results[*column].parse().unwrap())).collect();
    let stored = figures.iter().map(|(code, value)| ((*code).to_owned(), json!(value))).collect();
    let second = ("RZ", text("RZ", &code, &figures, index + 1), Value::Object(stored));
    let figure: HashMap<&str, i64> = figures.into_iter().collect();
    let parties: i64 = ["PA", "PB", "PC", "PD", "PE", "PF"].iter().map(|code| figure[code]).sum();
    let mut broken = BTreeSet::new();
    for (name, holds) in [
        ("cast", figure["VV"] + figure["IV"] == figure["BC"]),
        ("turnout", figure["BC"] <= figure["RG"]),
        ("parties", parties <= figure["VV"]),
    ] {
        if !holds {
            broken.insert(name);
        }
    }
    Case {
        watcher: Watcher { code, phone, station },
        stratum: opening["qarku"].clone(),
        reports: [first, second],
        broken,
    }
}

/// Strata, municipalities, and the stations that are observed.
fn places(stations: &[Record], cases: &[Case]) -> Vec<Place> {
    let observed: BTreeSet<&str> = cases.iter().map(|case| case.watcher.station.as_str()).collect();
    let mut strata = BTreeMap::new();
    let mut municipalities = BTreeMap::new();
    let mut found = Vec::new();
    for station in stations {
        // The file has its codes in quotation marks, to keep their zeros.
        let code = station["qvKod"].trim_matches('"');
        let (stratum, municipality) = (format!("Q{}", station["Q_ID"]), format!("B{}", station["BAS_ID"]));
        strata.insert(stratum.clone(), station["qarku"].clone());
        municipalities.insert(municipality.clone(), (station["bashkia"].clone(), stratum));
        if observed.contains(code) {
            found.push(Place {
                code: code.to_owned(),
                name: station["vendndodhja"].clone(),
                level: "station",
                parent: municipality,
                registered_voters: Some(station["zgjedhes"].parse().unwrap()),
            });
        }
    }
    assert_eq!((strata.len(), found.len()), (12, cases.len()), "12 strata, each observer's station");
    let above = strata.into_iter().map(|(code, name)| Place {
        code,
        name,
        level: "qark",
        parent: String::new(),
        registered_voters: None,
    });
    let between = municipalities.into_iter().map(|(code, (name, parent))| Place {
        code,
        name,
        level: "bashkia",
        parent,
        registered_voters: None,
    });
    above.chain(between).chain(found).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_opening_and_results_of_albania_2017_come_through_as_they_were_reported() {
    let folder: PathBuf = source::root().join("../shared/data");
    if !folder.join("albania_2017_observer_opening_checklist.csv").exists() {
        println!("skipped: {} is not there", folder.display());
        return;
    }
    let opening = read(&folder, "albania_2017_observer_opening_checklist.csv");
    let results = read(&folder, "albania_2017_cdo_sample_joined.csv");
    let stations = read(&folder, "albania_2017_parliamentary_stations.csv");
    assert_eq!((opening.len(), results.len()), (524, 524));
    let cases: Vec<Case> = opening.iter().zip(&results).enumerate().map(|(i, (o, r))| case(i, o, r)).collect();

    let database = pg::database().await;
    let mut peer = Peer::start(json!({ "window": 100 })).await;
    let site = Site::new(&database).link(peer.port);
    Book {
        slug: "albania-2017",
        places: places(&stations, &cases),
        watchers: cases.iter().map(|case| case.watcher.clone()).collect(),
        checklists: vec![opening_checklist(), results_checklist()],
        options: &["--timezone", "Europe/Tirane"],
    }
    .set_up(&site)
    .await;
    let mut gateway = site.start("gateway").await;
    let mut worker = site.start("worker").await;

    for (which, report) in [0, 1].into_iter().enumerate() {
        let deliveries: Vec<Delivery> = cases
            .iter()
            .enumerate()
            .flat_map(|(i, case)| deliveries(which * 10_000 + i * 2, &case.watcher.phone, &case.reports[report].1))
            .collect();
        peer.deliver(&deliveries).await;
        answered(&peer, cases.len() * (which + 1)).await;
    }
    check(&database, &cases).await;
    check_outbox(&database, &peer, &cases).await;
    assert!(gateway.stop().await.success());
    assert!(worker.stop().await.success());
}

/// One `deliver_sm`, or two where the text is long or its observer one of those who add a comment.
fn deliveries(id: usize, phone: &str, text: &str) -> Vec<Delivery> {
    if id.is_multiple_of(20) {
        let long =
            format!("{text} @ {}", "the commission opened the box before all party observers ".repeat(2).trim_end());
        return Delivery::two_segments(id as u64, phone, &long, (id % 251) as u8).to_vec();
    }
    assert!(text.len() <= 160, "{text}");
    vec![Delivery::text(id as u64, phone, text)]
}

/// Waits until this many replies have begun to come.
async fn answered(peer: &Peer, count: usize) {
    let mut journal = peer.reader();
    let mut replies = 0;
    while replies < count {
        let event = journal.next(Duration::from_secs(60)).await;
        let event = event.unwrap_or_else(|| panic!("{replies} of {count} replies came"));
        replies += usize::from(begins_reply(&event));
    }
}

fn begins_reply(event: &Value) -> bool {
    // Of a reply in segments, the first: the last byte of the concatenation header is its number.
    event["event"] == "submit" && event["udh"].as_str().is_none_or(|udh| udh.ends_with("01"))
}

async fn check(database: &pg::Database, cases: &[Case]) {
    let sql = "SELECT o.code, s.prefix, s.answers::text AS answers, s.missing, s.broken_rules,
                      st.code AS station, top.name AS stratum, st.depth
               FROM submission s
               JOIN observer o ON o.id = s.observer_id
               JOIN location st ON st.id = s.station_id
               JOIN location top ON top.id = st.path[1]";
    let rows = sqlx::query(sql).fetch_all(&mut database.admin().await).await.unwrap();
    assert_eq!(rows.len(), 2 * cases.len(), "submissions");
    let stored: HashMap<(String, String), _> =
        rows.iter().map(|row| ((row.get("code"), row.get("prefix")), row)).collect();
    let (mut answers, mut broken, mut wrong) = (0, 0, Vec::new());
    for case in cases {
        for (prefix, text, expected) in &case.reports {
            let Some(row) = stored.get(&(case.watcher.code.clone(), (*prefix).to_owned())) else {
                wrong.push(format!("missing: {text}"));
                continue;
            };
            let found: Value = serde_json::from_str(row.get("answers")).unwrap();
            for (code, value) in expected.as_object().unwrap() {
                answers += 1;
                if found.get(code) != Some(value) {
                    wrong.push(format!("{code} is {:?}, not {value}: {text}", found.get(code)));
                }
            }
            if found.as_object().unwrap().len() != expected.as_object().unwrap().len()
                || row.get::<i16, _>("missing") != 0
            {
                wrong.push(format!("answers too many or missing: {found}: {text}"));
            }
            let rules: Vec<String> = row.get("broken_rules");
            let rules: BTreeSet<&str> = rules.iter().map(String::as_str).collect();
            let expected = if *prefix == "RZ" { case.broken.clone() } else { BTreeSet::new() };
            broken += rules.len();
            if rules != expected {
                wrong.push(format!("broken rules {rules:?}, not {expected:?}: {text}"));
            }
            let place: (String, String, i16) = (row.get("station"), row.get("stratum"), row.get("depth"));
            if place != (case.watcher.station.clone(), case.stratum.clone(), 2) {
                wrong.push(format!("place {place:?}: {text}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    println!("{} reports, {answers} answers, {broken} broken rules: all as in the files", rows.len());
}

async fn check_outbox(database: &pg::Database, peer: &Peer, cases: &[Case]) {
    let rows = sqlx::query("SELECT outcome, count(*) AS n FROM message WHERE outcome <> 'segment' GROUP BY 1")
        .fetch_all(&mut database.admin().await)
        .await
        .unwrap();
    let outcomes: Vec<(String, i64)> = rows.iter().map(|row| (row.get("outcome"), row.get("n"))).collect();
    assert_eq!(outcomes, [("accepted".to_owned(), 2 * cases.len() as i64)]);
    let mut replies: HashMap<String, u32> = HashMap::new();
    for event in peer.journal().iter().filter(|event| begins_reply(event)) {
        *replies.entry(event["destination"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    for case in cases {
        assert_eq!(replies.get(&case.watcher.phone), Some(&2), "replies to observer {}", case.watcher.code);
    }
}
