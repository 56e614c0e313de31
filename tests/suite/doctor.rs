//! Doctor finds what is wrong, says how to mend it, and ends in time when things are away.

use serde_json::Value;

use super::support::pg;
use super::support::process::run;
use super::support::site::Site;

async fn examine(site: &Site) -> (i32, Value) {
    let output = run(&site.config(), ["doctor", "--json"]).await;
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap())
}

fn finding<'a>(said: &'a Value, check: &str) -> &'a Value {
    let found = said["findings"].as_array().unwrap().iter().find(|f| f["check"] == check);
    found.unwrap_or_else(|| panic!("no {check} in {said:#}"))
}

#[tokio::test]
async fn a_sound_installation_has_no_errors() {
    let database = pg::database().await;
    let smsc = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut site = Site::new(&database).link(smsc.local_addr().unwrap().port());
    site.gateway = "spool_megabytes_max = 16".to_owned();
    std::fs::create_dir_all(site.spool()).unwrap();
    // Its link's password stands in it.
    use std::os::unix::fs::PermissionsExt;
    let config = site.config();
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o600)).unwrap();
    let (code, said) = examine(&site).await;
    for check in ["database.owner", "database.worker", "database.web", "schema", "clock", "link.smsc", "spool", "disk"]
    {
        assert_eq!(finding(&said, check)["level"], "ok", "{said:#}");
    }
    assert_eq!((code, &said["errors"]), (0, &0.into()), "{said:#}");
    assert_eq!(std::fs::read_dir(site.spool()).unwrap().count(), 0, "it cleans up after itself");
}

#[tokio::test]
async fn what_is_away_is_named_each_with_how_to_mend_it() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let site = Site::without_database().link(port);
    drop(std::fs::remove_dir(site.spool()));
    let (code, said) = examine(&site).await;
    assert_eq!(code, 1);
    for check in ["database.owner", "database.worker", "database.web", "link.smsc"] {
        assert_eq!(finding(&said, check)["level"], "error", "{said:#}");
    }
    assert!(finding(&said, "database.web")["mend"].as_str().unwrap().contains("is PostgreSQL running"), "{said:#}");
    for check in ["gateway.socket", "spool"] {
        assert_eq!(finding(&said, check)["level"], "warning", "{said:#}");
    }
    for finding in said["findings"].as_array().unwrap() {
        assert_eq!(finding["level"] == "ok", finding["mend"] == "", "{finding}");
    }
}

#[tokio::test]
async fn logins_that_may_do_too_much_or_too_little_and_an_old_schema_are_errors() {
    let database = pg::empty_database().await;
    let site = Site::new(&database);
    let text = std::fs::read_to_string(site.config()).unwrap();
    let config = site.file(
        "swapped.toml",
        text.replace("worker = { user = \"test-worker\" }", "worker = { user = \"test-web\" }")
            .replace("web = { user = \"test-web\" }", "web = { user = \"postgres\" }"),
    );
    let output = run(&config, ["doctor", "--json"]).await;
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        finding(&said, "database.worker")["what"].as_str().unwrap().contains("is not in scrutineer_worker"),
        "{said:#}"
    );
    assert_eq!(finding(&said, "schema")["mend"], "run `scrutineer migrate`", "{said:#}");
    let migrated = pg::database().await;
    let config =
        site.file("swapped.toml", std::fs::read_to_string(&config).unwrap().replace(&database.name, &migrated.name));
    let output = run(&config, ["doctor", "--json"]).await;
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(finding(&said, "database.web")["what"].as_str().unwrap().contains("can change reports"), "{said:#}");
}

#[tokio::test]
async fn a_password_that_everybody_can_read_is_an_error_and_a_bad_file_is_told_line_by_line() {
    let site = Site::without_database().link(2775);
    use std::os::unix::fs::PermissionsExt;
    let config = site.config();
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o644)).unwrap();
    let output = run(&config, ["doctor", "--json"]).await;
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(finding(&said, "secrets")["level"], "error", "{said:#}");
    let bad = site.file("bad.toml", "[gatway]\n");
    let output = run(&bad, ["doctor"]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("bad.toml:1: gatway: unknown key; did you mean `gateway`?"), "{text}");
    assert_eq!(output.status.code(), Some(1));
}
