//! The role as a process, and the command that adds people.

use super::*;
use crate::support::process::{Process, run};
use crate::support::site::Site;

pub async fn address(process: &Process) -> SocketAddr {
    let line = process.logged("the dashboard listens").await;
    let at = line.split("127.0.0.1:").nth(1).unwrap();
    let port: String = at.chars().take_while(char::is_ascii_digit).collect();
    ([127, 0, 0, 1], port.parse().unwrap()).into()
}

#[tokio::test]
async fn a_person_added_by_the_command_signs_in_and_is_gone_when_disabled() {
    let database = pg::database().await;
    let site = Site::new(&database);
    let config = site.config();
    let file = site.file("password", format!("{PASSWORD}\n"));
    let file = file.to_str().unwrap();
    let add = ["user", "add", NAME, "--role", "operator", "--password-file", file];
    let done = run(&config, add).await;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let again = run(&config, add).await;
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("there is a person named amina already"));
    let weak = site.file("weak", "short\n");
    let weak = run(&config, ["user", "password", NAME, "--password-file", weak.to_str().unwrap()]).await;
    assert!(String::from_utf8_lossy(&weak.stderr).contains("at least 10"));

    let mut web = Process::start("web", &config).await;
    let mut browser = Browser::new(address(&web).await);
    assert_eq!(browser.sign_in(NAME, PASSWORD).await.status, 303);
    assert_eq!(browser.get("/elections").await.status, 200);
    let list = run(&config, ["user", "list", "--json"]).await;
    let list: serde_json::Value = serde_json::from_slice(&list.stdout).unwrap();
    assert_eq!(
        (&list[0]["name"], &list[0]["role"], &list[0]["failures"]),
        (&NAME.into(), &"operator".into(), &0.into())
    );
    let sessions = run(&config, ["user", "sessions", NAME, "--json"]).await;
    let sessions: serde_json::Value = serde_json::from_slice(&sessions.stdout).unwrap();
    assert_eq!(sessions.as_array().unwrap().len(), 1, "{sessions}");
    assert!(run(&config, ["user", "role", NAME, "viewer"]).await.status.success());
    crate::support::soon("the new role", async { while !browser.get("/elections").await.body.contains(">viewer<") {} })
        .await;
    let ended = run(&config, ["user", "sessions", NAME, "--end"]).await;
    assert!(String::from_utf8_lossy(&ended.stdout).contains("ended 1 session of amina"));
    super::sign_in::until_out(&mut browser, "the end of a session that a command ended").await;
    assert_eq!(browser.sign_in(NAME, PASSWORD).await.status, 303);
    assert!(run(&config, ["user", "disable", NAME]).await.status.success());
    super::sign_in::until_out(&mut browser, "the end of a session of somebody disabled").await;
    let (resident, peak) = web.memory();
    println!("resident {} KiB, peak {} KiB", resident >> 10, peak >> 10);
    assert!(peak < 64 << 20, "{peak}");
    assert!(web.stop().await.success(), "{}", web.log());
}

#[tokio::test]
async fn a_configuration_that_is_wrong_ends_the_role_with_the_status_that_is_not_restarted() {
    let site = Site::without_database();
    let file = site.file("bad.toml", "[web]\nlisten = \"127.0.0.1:0\"\nsession_hour = 3\n");
    let done = run(&file, ["web"]).await;
    assert_eq!(done.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&done.stderr).contains("session_hour"));
}

#[tokio::test]
async fn without_a_database_the_role_is_ready_and_says_what_is_missing() {
    let site = Site::without_database();
    let web = Process::start("web", &site.config()).await;
    let answer = Browser::new(address(&web).await).get("/healthz").await;
    assert_eq!(answer.status, 200);
    web.logged("the database is away").await;
    let answer = Browser::new(address(&web).await).sign_in(NAME, PASSWORD).await;
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains("The database is away"));
}

#[tokio::test]
async fn a_session_survives_the_loss_of_its_host_and_ends_on_all_of_them() {
    let database = pg::database().await;
    let site = Site::new(&database);
    let owner = Store::new(&database.store_options(OWNER, 1));
    user::add(&owner, NAME, "analyst", &password::hash(PASSWORD).unwrap()).await.unwrap();
    let (mut one, mut two) = (site.start("web").await, site.start("web").await);
    let mut browser = Browser::new(address(&one).await);
    assert_eq!(browser.sign_in(NAME, PASSWORD).await.status, 303);
    assert_eq!(browser.get("/elections").await.status, 200);
    one.kill().await;
    browser.moved(address(&two).await);
    assert_eq!(browser.get("/elections").await.status, 200, "the other host knows the session");
    let mut again = site.start("web").await;
    let mut elsewhere = browser.clone();
    elsewhere.moved(address(&again).await);
    assert_eq!(elsewhere.get("/elections").await.status, 200);
    assert_eq!(browser.post("/sign-out", &[]).await.status, 303);
    super::sign_in::until_out(&mut elsewhere, "the end on the other host").await;
    assert!(two.stop().await.success() && again.stop().await.success());
}

#[tokio::test]
async fn an_operator_sees_what_each_host_said_and_that_it_is_old_when_the_host_is_gone() {
    let database = pg::database().await;
    // Nobody listens there.
    let site = Site::new(&database).link_with("north", 1, "");
    let owner = Store::new(&database.store_options(OWNER, 1));
    user::add(&owner, NAME, "operator", &password::hash(PASSWORD).unwrap()).await.unwrap();
    let _gateway = site.start("gateway").await;
    let mut worker = site.start("worker").await;
    let web = site.start("web").await;
    let mut browser = Browser::new(address(&web).await);
    assert_eq!(browser.sign_in(NAME, PASSWORD).await.status, 303);
    let page = crate::support::within(Duration::from_secs(60), "what the hosts say", async {
        loop {
            let answer = browser.get("/operators").await;
            if answer.body.contains("not bound")
                && answer.body.contains("of 48 MiB")
                && answer.body.contains("of 96 MiB")
            {
                return answer.body;
            }
        }
    })
    .await;
    assert!(page.contains(">north<") && page.contains("primary") && !page.contains(">old<"), "{page}");
    worker.kill().await;
    sqlx::query("UPDATE host_status SET at = now() - interval '1 hour'")
        .execute(&mut database.admin().await)
        .await
        .unwrap();
    let page = browser.get("/operators").await.body;
    assert!(page.contains("was not bound") && page.contains(">old<"), "{page}");
}
