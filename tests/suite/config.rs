//! The configuration as an operator meets it: each bad file gives just the errors that stand in it.

use std::path::Path;

use scrutineer::config::Config;

use super::support::process::{ok, run};
use super::support::site::Site;

/// `# error: LINE: key: what; mend`, as the files of `tests/fixtures/config-bad` end.
fn expected(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.strip_prefix("# error: ")).collect()
}

fn bad_files() -> Vec<std::path::PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config-bad");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn each_bad_configuration_gives_its_errors_all_at_once_with_lines() {
    let files = bad_files();
    assert!(files.len() >= 15, "the fixtures are gone");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!expected(&text).is_empty(), "{} expects nothing", file.display());
        let problems = Config::load_with(&file, [], None).err().map(|e| e.problems).unwrap_or_default();
        let place = format!("{}:", file.display());
        let said: Vec<String> = problems.iter().map(|p| p.to_string().replacen(&place, "", 1)).collect();
        assert_eq!(said, expected(&text), "{}", file.display());
    }
}

#[tokio::test]
async fn every_process_refuses_a_bad_configuration_with_status_78_and_a_line_an_error() {
    let site = Site::without_database();
    let file = site.file("bad.toml", "[gateway]\nspol = \"x\"\n[worker]\nlanes = 99\n");
    for command in
        [&["gateway"][..], &["worker"], &["web"], &["election", "list"], &["config", "check"], &["config", "show"]]
    {
        let output = run(&file, command).await;
        let said = String::from_utf8(output.stderr).unwrap();
        let at = file.display();
        assert_eq!(
            said,
            format!(
                "scrutineer: {at}:2: gateway.spol: unknown key; did you mean `spool`?\n\
                 scrutineer: {at}:4: worker.lanes: 99 is out of range; choose from 1 to 16\n"
            ),
            "{command:?}"
        );
        assert_eq!(output.status.code(), Some(78), "{command:?}");
    }
    let output = run(&site.path().join("nowhere.toml"), ["gateway"]).await;
    assert_eq!(output.status.code(), Some(78));
}

#[tokio::test]
async fn the_configuration_is_shown_with_defaults_and_without_secrets() {
    let site = Site::without_database().link(2775);
    let shown = ok(&site.config(), ["config", "show"]).await;
    assert!(shown.contains("keep_hours = 48"), "{shown}");
    assert!(shown.contains("password = \"••••\""), "{shown}");
    assert!(!shown.contains("password = \"secret\""), "{shown}");
    let json: serde_json::Value =
        serde_json::from_str(&ok(&site.config(), ["config", "show", "--json"]).await).unwrap();
    assert_eq!(json["link"][0]["password"], "••••");
    let check: serde_json::Value =
        serde_json::from_str(&ok(&site.config(), ["config", "check", "--json"]).await).unwrap();
    assert_eq!(check["ok"], true);
}

#[tokio::test]
async fn a_reply_that_can_pass_one_segment_is_warned_of_and_sound_and_a_wrong_one_is_refused() {
    let mut site = Site::without_database().link(2775);
    let folder = site.path().join("replies");
    std::fs::create_dir(&folder).unwrap();
    site.worker = format!("replies = \"{}\"\n", folder.display());
    let check = async || {
        let said = run(&site.config(), ["config", "check", "--json"]).await;
        let json: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
        (said.status.code(), json)
    };
    std::fs::write(folder.join("en.toml"), format!("closed = \"{{prefix}} {}\"\n", "x".repeat(158))).unwrap();
    let (status, said) = check().await;
    assert_eq!((status, &said["ok"]), (Some(0), &true.into()), "{said}");
    let warnings = said["warnings"].as_array().unwrap();
    let warned = |w: &serde_json::Value| {
        w["key"] == "worker.replies"
            && w["what"].as_str().is_some_and(|what| {
                what == "replies/en.toml, `closed`: 163 characters at its longest, and one segment has 160: shorten it"
            })
    };
    assert!(warnings.iter().any(warned), "{said}");
    std::fs::write(folder.join("en.toml"), "closed = \"{nobody} x\"\n").unwrap();
    let (status, said) = check().await;
    assert_eq!((status, &said["ok"]), (Some(78), &false.into()), "{said}");
    assert!(said["errors"][0]["what"].as_str().is_some_and(|what| what.contains("nobody")), "{said}");
}
