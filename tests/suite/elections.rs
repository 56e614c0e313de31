//! Migrating, and the life of an election, by the commands.

use serde_json::Value;
use sqlx::Executor;

use super::support::pg::{self, WEB, WORKER};
use super::support::process::{ok, run};
use super::support::site::Site;

async fn json(site: &Site, args: &[&str]) -> Value {
    serde_json::from_str(&ok(&site.config(), args).await).unwrap()
}

async fn refused(site: &Site, args: &[&str]) -> String {
    let output = run(&site.config(), args).await;
    assert_eq!(output.status.code(), Some(1), "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn migrate_brings_an_empty_database_to_the_schema_once_and_says_what_it_did() {
    let database = pg::empty_database().await;
    let site = Site::new(&database);
    assert!(refused(&site, &["election", "list"]).await.contains("run `scrutineer migrate`"));
    let output = run(&site.config(), ["migrate", "--check", "--json"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap()["schema"], "not_migrated");
    // Two at once: one does the work, the other waits for it.
    let config = site.config();
    let (one, other) = tokio::join!(run(&config, ["migrate", "--json"]), run(&config, ["migrate", "--json"]));
    for output in [&one, &other] {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap()["schema"]["schema"], "current");
    }
    assert_eq!(json(&site, &["migrate", "--json"]).await["applied"], Value::Array(vec![]));
    let logins = json(&site, &["migrate", "--grant-logins", "--json"]).await["logins"].clone();
    assert_eq!((&logins[0]["user"], &logins[0]["done"]), (&WORKER.into(), &"already_in".into()));
    assert_eq!((&logins[1]["user"], &logins[1]["done"]), (&WEB.into(), &"already_in".into()));
}

#[tokio::test]
async fn a_schema_that_is_newer_or_behind_is_named_with_how_to_mend_it() {
    let database = pg::database().await;
    let site = Site::new(&database);
    let mut admin = database.admin().await;
    admin.execute("UPDATE _sqlx_migrations SET version = 9999 WHERE version = 1").await.unwrap();
    assert!(refused(&site, &["election", "list"]).await.contains("install the newer program"));
    assert!(refused(&site, &["migrate"]).await.contains("install the newer program"));
    admin.execute("DELETE FROM _sqlx_migrations WHERE version = 9999 OR version > 5").await.unwrap();
    assert!(refused(&site, &["migrate", "--check"]).await.is_empty());
    assert!(refused(&site, &["election", "list"]).await.contains("behind this program"));
    admin.execute("UPDATE _sqlx_migrations SET checksum = '\\x00' WHERE version = 2").await.unwrap();
    assert!(refused(&site, &["migrate"]).await.contains("migration 2 of the database is not this program's"));
}

#[tokio::test]
async fn an_election_is_created_opened_closed_and_reopened_by_the_databases_clock() {
    let database = pg::database().await;
    let site = Site::new(&database);
    let made = json(
        &site,
        &[
            "election",
            "create",
            "mali-2027",
            "--name",
            "Mali 2027",
            "--timezone",
            "Africa/Bamako",
            "--language",
            "fr",
            "--json",
        ],
    )
    .await;
    assert_eq!((&made["state"], &made["opened_at"]), (&"draft".into(), &Value::Null));
    assert!(
        refused(&site, &["election", "create", "mali-2027", "--name", "x"])
            .await
            .contains("there is an election `mali-2027` already")
    );
    assert!(
        refused(&site, &["election", "create", "x", "--name", "x", "--timezone", "Mars/One"])
            .await
            .contains("`Mars/One` is not a time zone")
    );
    assert!(
        refused(&site, &["election", "close", "mali-2027"])
            .await
            .contains("is draft; only an open election can be closed")
    );
    assert!(refused(&site, &["election", "open", "mali"]).await.contains("there is no election `mali`"));
    let open = json(&site, &["election", "open", "mali-2027", "--json"]).await;
    assert_eq!(open["state"], "open");
    assert!(open["opened_at"].is_string());
    assert!(refused(&site, &["election", "open", "mali-2027"]).await.contains("nothing to do"));
    let closed = json(&site, &["election", "close", "mali-2027", "--json"]).await;
    assert_eq!((&closed["state"], &closed["opened_at"]), (&"closed".into(), &open["opened_at"]));
    assert!(closed["closed_at"].is_string());
    assert!(refused(&site, &["election", "open", "mali-2027"]).await.contains("--reopen"));
    let again = json(&site, &["election", "open", "mali-2027", "--reopen", "--json"]).await;
    assert_eq!((&again["closed_at"], &again["opened_at"]), (&Value::Null, &open["opened_at"]));
    assert_eq!(json(&site, &["election", "list", "--json"]).await.as_array().unwrap().len(), 1);
    let shown = json(&site, &["election", "show", "mali-2027", "--json"]).await;
    assert_eq!((&shown["election"]["language"], &shown["counts"]["observers"]), (&"fr".into(), &0.into()));
}

#[tokio::test]
async fn settings_of_an_election_change_one_by_one_and_are_shown() {
    let database = pg::database().await;
    let site = Site::new(&database);
    json(&site, &["election", "create", "e", "--name", "E", "--auth-code", "unknown_phones", "--json"]).await;
    let set = async |args: &[&str]| json(&site, &[&["election", "set", "e", "--json"], args].concat()).await;
    let new = set(&["--date-order", "month_day", "--auth-lockout-minutes", "15"]).await;
    assert_eq!((&new["date_order"], &new["identify"]), (&"month_day".into(), &"code".into()));
    assert_eq!((&new["auth_code"], &new["auth_lockout_minutes"]), (&"unknown_phones".into(), &15.into()));
    let new = set(&["--identify", "both", "--unverified", "hold", "--language", "pt-BR", "--auth-code", "off"]).await;
    assert_eq!((&new["date_order"], &new["identify"]), (&"month_day".into(), &"both".into()));
    assert_eq!(
        (&new["unverified"], &new["language"], &new["auth_code"]),
        (&"hold".into(), &"pt-br".into(), &"off".into())
    );
    let new = set(&["--help-text", "en=Call 100", "--help-text", "fr=Appelez le 100", "--replies-per-hour", "7"]).await;
    assert_eq!((&new["help"]["fr"], &new["replies_per_hour"]), (&"Appelez le 100".into(), &7.into()));
    assert_eq!(set(&["--help-text", ""]).await["help"], Value::Null);
    for wrong in
        [["--date-order", "year_day"], ["--auth-code", "maybe"], ["--auth-failures", "0"], ["--identify", "face"]]
    {
        let output = run(&site.config(), [&["election", "set", "e"], &wrong[..]].concat()).await;
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
    }
    assert!(refused(&site, &["election", "set", "x", "--identify", "both"]).await.contains("there is no election `x`"));
}
