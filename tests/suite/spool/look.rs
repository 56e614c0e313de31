//! `scrutineer spool status|verify|export`, beside a gateway that runs and on a copy.

use std::time::Duration;

use serde_json::Value;

use super::smsc::{Smsc, text};
use crate::support::process::{PROGRAM, Process, ok, run};
use crate::support::site::Site;
use crate::support::{dir, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_spool_is_looked_at_while_the_gateway_runs_and_in_a_copy() {
    let mut smsc = Smsc::start(16).await;
    let site = Site::without_database().link_with("smsc", smsc.port, "reconnect_seconds_max = 1");
    let config = site.config();
    let mut gateway = site.start("gateway").await;
    smsc.deliver(30);
    within(Duration::from_secs(60), "acknowledgements", smsc.until_acknowledged(30)).await;

    let status: Value = serde_json::from_str(&ok(&config, ["spool", "status", "--json"]).await).unwrap();
    assert_eq!((status["records"].as_u64(), status["uncommitted"].as_u64()), (Some(30), Some(30)), "{status}");
    assert_eq!(status["process"].as_i64(), Some(gateway.pid().into()));
    assert_eq!((status["state"].as_str(), status["last_hour"].as_u64()), (Some("ok"), Some(30)));
    assert!(status["capacity"]["messages"].as_u64() > Some(1_000_000), "{status}");
    assert!(ok(&config, ["spool", "status"]).await.contains("messages more fit"));
    assert!(ok(&config, ["spool", "verify"]).await.contains("30 records, nothing changed, nothing missing"));

    let lines = ok(&config, ["spool", "export"]).await;
    assert_eq!(lines.lines().count(), 30);
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!((first["kind"].as_str(), first["source"].as_str()), (Some("message"), Some("355•••••••00")));
    let hex: String = text(0).bytes().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(first["short_message"].as_str(), Some(hex.as_str()));
    assert!(ok(&config, ["spool", "export", "--phones"]).await.contains("355680000000"));

    // A second gateway on this folder refuses, and says who has it.
    let mut second = Process::spawn("gateway", &config);
    assert!(!second.ended().await.success());
    let said = second.log();
    assert!(said.contains("another gateway is using it") && said.contains(&gateway.pid().to_string()), "{said}");

    gateway.kill().await;
    let copy = dir::fresh();
    for entry in std::fs::read_dir(site.spool()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    let db = rusqlite::Connection::open(copy.path().join("spool.sqlite")).unwrap();
    db.execute("DELETE FROM record WHERE sequence = 7", []).unwrap();
    db.execute("UPDATE record SET received_us = received_us + 1 WHERE sequence = 20", []).unwrap();
    drop(db);
    let folder = copy.path().display().to_string();
    let output = run(&config, ["spool", "--folder", &folder, "verify", "--json"]).await;
    assert_eq!(output.status.code(), Some(1), "{PROGRAM} finds it");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let faults = found["faults"].as_array().unwrap();
    let places: Vec<_> = faults.iter().map(|fault| fault["sequence"].as_u64()).collect();
    assert_eq!(places, [Some(7), Some(20)], "{found}");
    assert!(found["mend"].as_str().unwrap().contains("set-aside"));
    let missing = run(&config, ["spool", "--folder", "/nonexistent", "status"]).await;
    assert!(!missing.status.success() && String::from_utf8_lossy(&missing.stderr).contains("/nonexistent"));
}
