//! The demo and the rehearsal on the real processes: a small day is stored and answered as its
//! generator expects, and nothing outlives the demo, however it ends.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::{Child, Command};

use super::support::process::PROGRAM;
use super::support::{dir, soon, within};

fn demo(folder: &Path, args: &[&str]) -> Child {
    Command::new(PROGRAM)
        .arg("demo")
        .arg("--dir")
        .arg(folder)
        .args(["--stations=120", "--observers=60"])
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// Processes whose command line names the folder.
fn of(folder: &Path) -> Vec<String> {
    let needle = folder.display().to_string();
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " "))
        // The demo itself is named so too, and is none of what it leaves.
        .filter(|line| line.contains(&needle) && !line.contains(" demo --dir "))
        .collect()
}

async fn until(what: &str, done: impl Fn() -> bool) {
    soon(what, async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_made_up_day_is_stored_once_and_answered_as_expected_and_leaves_nothing() {
    let base = dir::fresh();
    let folder = base.path().join("demo");
    let child = demo(&folder, &["--once", "--json", "--seed=11"]);
    let output = within(Duration::from_secs(120), "the demo", child.wait_with_output()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let figures: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert!(output.status.success() && figures["ok"] == true, "{figures:#}\n{said}");
    assert_eq!(figures["stored"]["texts"], figures["sent"]["answered"]);
    assert!(figures["stored"]["submissions"].as_u64() > Some(150), "{figures:#}");
    until("the end of its processes", || of(&folder).is_empty()).await;
    assert!(!folder.exists());
}

#[tokio::test]
async fn a_demo_that_is_killed_leaves_no_process_and_no_folder() {
    let base = dir::fresh();
    let folder = base.path().join("demo");
    let mut child = demo(&folder, &["--speed=50"]);
    until("its four processes", || of(&folder).iter().filter(|line| !line.contains("postgres:")).count() >= 4).await;
    child.start_kill().unwrap();
    child.wait().await.unwrap();
    until("the end of its processes", || of(&folder).is_empty()).await;
    until("the folder's end", || !folder.exists()).await;
}

#[tokio::test]
async fn a_folder_that_holds_something_is_refused_and_left_as_it_is() {
    let base = dir::fresh();
    std::fs::write(base.path().join("mine"), "x").unwrap();
    let output = demo(base.path(), &["--once"]).wait_with_output().await.unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("is not empty"), "{output:?}");
    assert!(base.path().join("mine").exists());
}

#[tokio::test]
async fn a_rehearsal_without_a_gateway_says_what_to_look_at() {
    let output = Command::new(PROGRAM)
        .args(["rehearse", "--listen=127.0.0.1:0", "--bind-wait=1", "--observers=5"])
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no gateway bound"), "{output:?}");
}
