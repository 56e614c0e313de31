//! Imports: all or nothing, each bad line named, and again changes nothing.

use serde_json::{Value, json};

use super::support::pg::{self, Database};
use super::support::process::{ok, run};
use super::support::site::Site;

struct Here {
    site: Site,
    database: Database,
}

impl Here {
    async fn new() -> Self {
        let database = pg::database().await;
        let site = Site::new(&database);
        ok(&site.config(), ["election", "create", "e", "--name", "E"]).await;
        Self { site, database }
    }

    async fn import(&self, what: &str, file: &str, more: &[&str]) -> Value {
        let (code, said) = self.try_import(what, file, more).await;
        assert_eq!(code, 0, "{said}");
        said
    }

    /// Exit status and JSON.
    async fn try_import(&self, what: &str, file: &str, more: &[&str]) -> (i32, Value) {
        let path = self.site.file("import.csv", file);
        let path = path.to_str().unwrap();
        let mut args = vec![what, "import", "e", path, "--json"];
        args.extend(more);
        let output = run(&self.site.config(), args).await;
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap_or(Value::String(text)))
    }

    async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&mut self.database.admin().await).await.unwrap()
    }

    async fn list(&self, args: &[&str]) -> Value {
        serde_json::from_str(&ok(&self.site.config(), args).await).unwrap()
    }
}

const WIDE: &str = "\u{feff}Region;District;Station code;Station name;Registered voters\r\n\
    North;One;S1;School;500\r\nNorth;One;S2;Hall;610\r\nSouth;One;S3;Tent;\r\n";

fn counts(read: u32, added: u32, changed: u32, unchanged: u32) -> Value {
    json!({"read": read, "added": added, "changed": changed, "unchanged": unchanged, "ignored_columns": []})
}

#[tokio::test]
async fn one_line_a_station_makes_the_areas_above_it_and_again_changes_nothing() {
    let here = Here::new().await;
    let levels = ["--levels", "region,district,station"];
    assert_eq!(here.import("location", WIDE, &levels).await, counts(7, 7, 0, 0));
    assert_eq!(here.import("location", WIDE, &levels).await, counts(7, 0, 0, 7));
    assert_eq!(
        here.count("SELECT count(*) FROM location WHERE is_station AND cardinality(path) = 3 AND path[3] = id").await,
        3
    );
    assert_eq!(
        here.count("SELECT count(*) FROM location s JOIN location d ON d.id = s.parent_id JOIN location r ON r.id = d.parent_id
                    WHERE s.path = ARRAY[r.id, d.id, s.id] AND r.code = 'North' AND d.code = 'North/One'").await,
        2
    );
    assert_eq!(here.count("SELECT sum(registered_voters) FROM location").await, 1110);
    let mended = WIDE.replace("Hall;610", "Hall;620");
    assert_eq!(here.import("location", &mended, &levels).await, counts(7, 0, 1, 6));
    let listed = here.list(&["location", "list", "e", "--json"]).await;
    assert_eq!(listed.as_array().unwrap().iter().find(|l| l["code"] == "S2").unwrap()["registered_voters"], 620);
}

#[tokio::test]
async fn further_columns_of_whole_numbers_become_figures_that_rules_refer_to() {
    let here = Here::new().await;
    let file = "code,name,level,parent,Ballots issued,booths\nR,North,region,,,\nS,School,station,R,500,3\n";
    let more = ["--figure", "ballots_issued", "--figure", "booths"];
    assert_eq!(here.import("location", file, &more).await, counts(2, 2, 0, 0));
    assert_eq!(here.import("location", file, &more).await, counts(2, 0, 0, 2));
    let listed = here.list(&["location", "list", "e", "--json"]).await;
    assert_eq!(listed[1]["figures"], json!({"ballots_issued": 500, "booths": 3}));
    let changed = file.replace("500,3", "510,");
    assert_eq!(here.import("location", &changed, &more).await, counts(2, 0, 1, 1));
    assert_eq!(
        here.count(
            "SELECT (figures->>'ballots_issued')::bigint FROM location WHERE figures = '{\"ballots_issued\": 510}'"
        )
        .await,
        510
    );
    let without = "code,name,level,parent\nS,School,station,R\n";
    assert_eq!(here.import("location", without, &[]).await, counts(1, 0, 0, 1), "a column that is not named stays");
    let (code, said) = here.try_import("location", &file.replace("500", "5.5"), &more).await;
    assert_eq!((code, &said["bad_lines"]), (1, &1.into()), "{said}");
    assert!(said["errors"][0]["reason"].as_str().unwrap().starts_with("ballots_issued `5.5` is not a whole number"));
}

#[tokio::test]
async fn a_checklist_goes_from_draft_to_live_paused_and_closed_by_command() {
    let here = Here::new().await;
    let file =
        r#"{"prefix":"PS","title":"x","state":"draft","questions":[{"code":"AA","type":"count","max":5,"text":"?"}]}"#;
    here.import("checklist", file, &[]).await;
    for state in ["live", "paused", "live", "closed"] {
        here.list(&["checklist", "state", "e", "PS", state, "--json"]).await;
        let listed = here.list(&["checklist", "list", "e", "--json"]).await;
        assert_eq!(listed[0]["state"], state, "{listed}");
    }
    assert_eq!(here.count("SELECT count(*) FROM checklist WHERE state_before = 'live' AND state = 'closed'").await, 1);
}

#[tokio::test]
async fn one_line_a_location_is_read_in_any_order_and_a_move_takes_those_below_along() {
    let here = Here::new().await;
    let file = "code,name,level,parent,registered\nS,School,station,D,10\nD,One,district,R,\nR,North,region,,\nR2,South,region,,\n";
    assert_eq!(here.import("location", file, &[]).await, counts(4, 4, 0, 0));
    assert_eq!(here.import("location", "code,name,level,parent\nD,One,district,R2\n", &[]).await, counts(1, 0, 1, 0));
    assert_eq!(
        here.count("SELECT count(*) FROM location s JOIN location r ON r.code = 'R2' WHERE s.code = 'S' AND s.path[1] = r.id AND s.registered_voters = 10").await,
        1
    );
}

#[tokio::test]
async fn bad_lines_of_locations_are_named_and_nothing_is_imported() {
    let here = Here::new().await;
    let file = "code,name,level,parent,registered voters\nR,North,region,,\nD,,district,R,\nS,School,station,R,-1\nT,Tent,station,R,1.5\n";
    let (code, said) = here.try_import("location", file, &[]).await;
    assert_eq!((code, &said["bad_lines"]), (1, &3.into()), "{said}");
    assert_eq!(said["errors"][0], json!({"line": 3, "reason": "name is empty"}));
    assert_eq!(said["errors"][1]["reason"], "registered voters `-1` is not a whole number from 0; write digits only");
    let file = "code,name,level,parent\nR,North,region,\nA,A,district,B\nB,B,district,A\nC,C,district,X\n";
    let (code, said) = here.try_import("location", file, &[]).await;
    assert_eq!((code, &said["bad_lines"]), (1, &3.into()), "{said}");
    assert_eq!(said["errors"][2]["reason"], "parent `X` is neither in the file nor in the election");
    assert_eq!(here.count("SELECT count(*) FROM location").await, 0);
}

#[tokio::test]
async fn observers_are_imported_with_phones_language_and_station_and_updated_by_code() {
    let here = Here::new().await;
    here.import("location", WIDE, &["--levels", "region,district,station"]).await;
    let file = "Observer ID\tFull name\tPhone\tPhone 2\tlang\tStation\n\
        100001\tAnn\t0712 345 678\t\ten\tS1\n100002\tBo\t+255713000001; 255713000002\t0714000000\t\tS2\n";
    let tz = ["--country-code", "255"];
    assert_eq!(here.import("observer", file, &tz).await, counts(2, 2, 0, 0));
    assert_eq!(here.import("observer", file, &tz).await, counts(2, 0, 0, 2));
    let listed = here.list(&["observer", "list", "e", "--json"]).await;
    assert_eq!(
        listed,
        json!([
            {"code": "100001", "name": "Ann", "language": "en", "station": "S1", "phones": ["255•••••••78"], "auth_code": false},
            {"code": "100002", "name": "Bo", "language": null, "station": "S2",
             "phones": ["255•••••••01", "255•••••••02", "255•••••••00"], "auth_code": false},
        ])
    );
    // A file without a column leaves what was known; a cell that is empty clears it.
    let version = here.count("SELECT version FROM roster_version").await;
    assert_eq!(here.import("observer", "code,station\n100001,\n100002,S3\n", &[]).await, counts(2, 0, 2, 0));
    assert!(here.count("SELECT version FROM roster_version").await > version, "the worker must hear of it");
    let listed = here.list(&["observer", "list", "e", "--json", "--show-phones"]).await;
    assert_eq!(
        listed[0],
        json!({"code": "100001", "name": "Ann", "language": "en", "station": null, "phones": ["255712345678"], "auth_code": false})
    );
    assert_eq!(listed[1]["station"], "S3");
}

#[tokio::test]
async fn bad_lines_of_observers_are_named_and_nothing_is_imported() {
    let here = Here::new().await;
    here.import("location", WIDE, &["--levels", "region,district,station"]).await;
    let file = "code,phone,language,station\n1x,,,\n2,12345,,\n3,0712345678,,\n4,,klingon,\n4,,,\n";
    let (code, said) = here.try_import("observer", file, &[]).await;
    let lines: Vec<u64> = said["errors"].as_array().unwrap().iter().map(|e| e["line"].as_u64().unwrap()).collect();
    assert_eq!((code, lines), (1, vec![2, 3, 4, 5, 6]), "{said}");
    let (code, said) = here.try_import("observer", "code,station\n1,S1\n2,S9\n3,North\n", &[]).await;
    assert_eq!((code, &said["bad_lines"]), (1, &2.into()), "{said}");
    assert_eq!(said["errors"][0]["reason"], "station `S9` is not among the election's locations; import those first");
    assert_eq!(said["errors"][1]["reason"], "location `North` is not a station; name the code of a polling station");
    assert_eq!(here.count("SELECT count(*) FROM observer").await, 0);
}

#[tokio::test]
async fn more_bad_lines_than_are_shown_are_counted() {
    let here = Here::new().await;
    let file = format!("code\n{}", "x\n".repeat(scrutineer::limits::IMPORT_ERRORS_SHOWN + 7));
    let path = here.site.file("import.csv", &file);
    let output = run(&here.site.config(), ["observer", "import", "e", path.to_str().unwrap()]).await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains(&format!("scrutineer: {}:2: observer code `x` is not 1 to 12 digits\n", path.display())),
        "{said}"
    );
    assert!(
        said.contains("scrutineer: and 7 more\n") && said.ends_with("57 bad lines; nothing was imported\n"),
        "{said}"
    );
}

#[tokio::test]
async fn fifty_thousand_observers_are_imported_in_one_transaction() {
    let here = Here::new().await;
    here.import("location", WIDE, &["--levels", "region,district,station"]).await;
    let mut file = "code,name,phone,station\n".to_owned();
    for i in 0..50_000 {
        file.push_str(&format!("{},Observer {i},2557{:08},S{}\n", 100_000 + i, i, 1 + i % 3));
    }
    assert_eq!(here.import("observer", &file, &[]).await, counts(50_000, 50_000, 0, 0));
    assert_eq!(here.count("SELECT count(DISTINCT phone_id) FROM observer_phone").await, 50_000);
}

#[tokio::test]
async fn a_checklist_becomes_a_new_version_only_when_it_changed_and_older_ones_rest() {
    let here = Here::new().await;
    let file = |max: u32| {
        json!({"prefix": "PS", "title": "Opening", "questions": [{"code": "AA", "text": "How many?", "type": "count", "max": max}]})
            .to_string()
    };
    let import = async |text: String| {
        let path = here.site.file("ps.json", text);
        here.list(&["checklist", "import", "e", path.to_str().unwrap(), "--json"]).await
    };
    assert_eq!(import(file(50)).await, json!([{"prefix": "PS", "version": 1, "done": "added"}]));
    assert_eq!(import(file(50)).await, json!([{"prefix": "PS", "version": 1, "done": "unchanged"}]));
    assert_eq!(import(file(60)).await, json!([{"prefix": "PS", "version": 2, "done": "changed"}]));
    let listed = here.list(&["checklist", "list", "e", "--json"]).await;
    let states: Vec<_> =
        listed.as_array().unwrap().iter().map(|l| (&l["version"], &l["state"], &l["newest"])).collect();
    assert_eq!(states, [(&2.into(), &"live".into(), &true.into()), (&1.into(), &"closed".into(), &false.into())]);
}

#[tokio::test]
async fn a_checklist_with_a_fault_is_not_imported() {
    let here = Here::new().await;
    let question = json!({"code": "AA", "text": "How many?", "type": "count", "max": 5});
    let text = json!({"prefix": "PS", "title": "Opening", "questions": [question, question]}).to_string();
    let path = here.site.file("ps.json", text);
    let output = run(&here.site.config(), ["checklist", "import", "e", path.to_str().unwrap()]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("AA"));
    assert_eq!(here.count("SELECT count(*) FROM checklist").await, 0);
}
