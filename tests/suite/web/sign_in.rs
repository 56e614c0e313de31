//! The door: who is let in, who is not, and what a session is.

use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::*;
use crate::support::soon;

/// Every private page, with addresses that exist in the fixture.
pub const PRIVATE: [&str; 13] = [
    "/",
    "/elections",
    "/elections/general-2026",
    "/elections/general-2026?area=R1&checklist=OP",
    "/elections/general-2026/submissions",
    "/elections/general-2026/submissions/8e20e5f0-a627-b4dd-4ded-c41a597ab672",
    "/messages?election=general-2026",
    "/messages/0190a0a0-0000-7000-8000-000000000001/20",
    "/set-aside",
    "/status",
    "/trouble",
    "/trouble?election=general-2026&outcome=unclear",
    "/requests",
];

/// What another host changed holds here within seconds.
pub async fn until_out(browser: &mut Browser, what: &str) {
    soon(what, async { while browser.get("/status").await.status != 303 {} }).await;
}

#[tokio::test]
async fn every_page_but_the_sign_in_asks_for_a_session_and_leads_back_afterwards() {
    let dashboard = Dashboard::start().await;
    let mut stranger = dashboard.stranger();
    for path in PRIVATE {
        let answer = stranger.get(path).await;
        assert_eq!(answer.status, 303, "{path}");
        assert!(answer.header("location").starts_with("/sign-in"), "{path}: {}", answer.header("location"));
        assert!(answer.body.is_empty(), "{path}");
    }
    let to = stranger.get("/elections/general-2026?area=R1").await.header("location").to_owned();
    let form = stranger.get(&to).await;
    assert!(form.body.contains("name=\"next\" value=\"/elections/general-2026?area=R1\""), "{}", form.body);
    let next = "/elections/general-2026?area=R1";
    let form = [("name", NAME), ("password", PASSWORD), ("next", next)];
    let inside = stranger.post("/sign-in", &form).await;
    assert_eq!((inside.status, inside.header("location")), (303, next));
    for path in PRIVATE.into_iter().skip(1) {
        let answer = stranger.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    }
}

#[tokio::test]
async fn an_unknown_name_and_a_wrong_password_get_the_same_words_after_the_same_time() {
    let dashboard = Dashboard::on(pg::database().await, false).await;
    dashboard.add_person().await;
    let mut said = Vec::new();
    for name in [NAME, "nobody"] {
        let begun = Instant::now();
        let answer = dashboard.stranger().sign_in(name, "wrong horse battery").await;
        assert!(begun.elapsed() >= Duration::from_millis(600), "{name} was refused too soon");
        assert_eq!(answer.status, 403);
        assert!(answer.headers.get("set-cookie").is_none());
        said.push(answer.body.replace(name, "NAME"));
    }
    assert_eq!(said[0], said[1]);
}

#[tokio::test]
async fn an_account_is_locked_after_failures_for_longer_each_time_and_even_for_the_right_password() {
    let dashboard = Dashboard::on(pg::database().await, false).await;
    dashboard.add_person().await;
    dashboard.change("UPDATE web_user SET failures = 4").await;
    assert_eq!(dashboard.stranger().sign_in(NAME, "wrong horse battery").await.status, 403);
    assert_eq!(dashboard.stranger().sign_in(NAME, PASSWORD).await.status, 403, "locked");
    assert_eq!(dashboard.value::<i32>("SELECT failures FROM web_user").await, 5, "a try while locked is no try");
    let seconds = "SELECT round(extract(epoch FROM locked_until - now()))::int FROM web_user";
    let first = dashboard.value::<i32>(seconds).await;
    assert!((20..=30).contains(&first), "{first}");
    let owner = Store::new(&dashboard.database.store_options(OWNER, 1));
    let mut longest = first;
    for _ in 0..12 {
        dashboard.change("UPDATE web_user SET locked_until = now() - interval '1 second'").await;
        assert!(user::begin_attempt(&owner, NAME).await.unwrap().is_some());
        let next = dashboard.value::<i32>(seconds).await;
        assert!(next >= longest - 2, "{next} after {longest}");
        longest = next;
    }
    assert!((880..=900).contains(&longest), "{longest}");
    dashboard.change("UPDATE web_user SET locked_until = now() - interval '1 second'").await;
    assert_eq!(dashboard.stranger().sign_in(NAME, PASSWORD).await.status, 303);
    assert_eq!(dashboard.value::<i32>("SELECT failures FROM web_user").await, 0);
}

#[tokio::test]
async fn tries_side_by_side_do_not_pass_the_lock() {
    let dashboard = Dashboard::on(pg::database().await, false).await;
    dashboard.add_person().await;
    let store = Store::new(&dashboard.database.store_options(OWNER, 8));
    let tries: Vec<_> = (0..40)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { user::begin_attempt(&store, NAME).await.unwrap().is_some() })
        })
        .collect();
    let mut let_through = 0;
    for one in tries {
        let_through += i32::from(one.await.unwrap());
    }
    assert_eq!(let_through, scrutineer::limits::SIGN_IN_FAILURES_FREE);
}

#[tokio::test]
async fn a_session_has_a_new_token_after_each_sign_in_and_the_table_has_only_its_hash() {
    let dashboard = Dashboard::on(pg::database().await, false).await;
    dashboard.add_person().await;
    let mut browser = dashboard.stranger();
    browser.cookie = Some("scrutineer=AAAAAAAAAAAAAAAAAAAAAA".to_owned());
    let answer = browser.sign_in(NAME, PASSWORD).await;
    let set = answer.header("set-cookie").to_owned();
    for wanted in ["scrutineer=", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=43200"] {
        assert!(set.contains(wanted), "{set}");
    }
    let first = browser.cookie.clone().unwrap();
    assert!(!first.contains("AAAAAAAAAAAAAAAAAAAAAA"), "a planted token is not taken");
    let stored: Vec<u8> = dashboard.value("SELECT id FROM web_session").await;
    let token = first.strip_prefix("scrutineer=").unwrap();
    let id: tower_sessions::session::Id = token.parse().unwrap();
    assert_eq!(stored, Sha256::digest(id.0.to_be_bytes()).to_vec());
    assert_eq!(browser.sign_in(NAME, PASSWORD).await.status, 303);
    assert_ne!(browser.cookie.as_ref(), Some(&first));
    browser.cookie = Some(first);
    assert_eq!(browser.get("/status").await.status, 303, "the old token opens nothing");
}

#[tokio::test]
async fn over_https_the_cookie_is_bound_to_this_host() {
    let dashboard = Dashboard::on(pg::database().await, true).await;
    dashboard.add_person().await;
    let answer = dashboard.stranger().sign_in(NAME, PASSWORD).await;
    let set = answer.header("set-cookie");
    assert!(set.starts_with("__Host-scrutineer=") && set.contains("Secure") && !set.contains("Domain"), "{set}");
    assert!(answer.header("strict-transport-security").starts_with("max-age="));
}

#[tokio::test]
async fn a_session_ends_with_the_sign_out_with_its_hours_and_with_the_person() {
    let dashboard = Dashboard::on(pg::database().await, false).await;
    dashboard.add_person().await;
    let mut browser = dashboard.person().await;
    let kept = browser.clone();
    assert_eq!(browser.post("/sign-out", &[]).await.header("location"), "/sign-in");
    assert_eq!(kept.clone().get("/elections").await.status, 303, "signed out");
    for (what, sql) in [
        ("over", "UPDATE web_session SET expires_at = now() - interval '1 second'"),
        ("idle", "UPDATE web_session SET seen_at = now() - interval '5 hours'"),
        ("disabled", "UPDATE web_user SET disabled = true"),
    ] {
        let mut browser = dashboard.person().await;
        assert_eq!(browser.get("/elections").await.status, 200);
        dashboard.change(sql).await;
        until_out(&mut browser, what).await;
    }
    assert_eq!(dashboard.stranger().sign_in(NAME, PASSWORD).await.status, 403, "disabled");
}

#[tokio::test]
async fn a_role_that_changes_holds_within_seconds() {
    let dashboard = Dashboard::on(pg::database().await, false).await;
    dashboard.add_person().await;
    let mut browser = dashboard.person().await;
    assert!(browser.get("/elections").await.body.contains(">analyst<"));
    dashboard.change("UPDATE web_user SET role = 'viewer'").await;
    let begun = Instant::now();
    soon("the new role", async { while !browser.get("/elections").await.body.contains(">viewer<") {} }).await;
    println!("held after {:?}", begun.elapsed());
}

#[tokio::test]
async fn a_form_from_another_site_is_refused_and_changes_nothing() {
    let dashboard = Dashboard::on(pg::database().await, false).await;
    dashboard.add_person().await;
    let form = [("name", NAME), ("password", "wrong horse battery")];
    for headers in [
        vec![("sec-fetch-site", "cross-site")],
        vec![("sec-fetch-site", "same-site")],
        vec![("origin", "https://evil.example")],
    ] {
        let answer = dashboard.stranger().post_with("/sign-in", &form, &headers).await;
        assert_eq!(answer.status, 403);
        assert!(answer.body.contains("came from another site"), "{headers:?}: {}", answer.body);
    }
    assert_eq!(dashboard.value::<i32>("SELECT failures FROM web_user").await, 0);
    let mut browser = dashboard.person().await;
    assert_eq!(browser.post_with("/sign-out", &[], &[("sec-fetch-site", "cross-site")]).await.status, 403);
    assert_eq!(browser.get("/elections").await.status, 200, "still signed in");
}

#[tokio::test]
async fn a_person_has_a_bounded_number_of_sessions() {
    let dashboard = Dashboard::on(pg::database().await, false).await;
    dashboard.add_person().await;
    let mut first = dashboard.person().await;
    dashboard.change("UPDATE web_session SET expires_at = expires_at - interval '1 hour'").await;
    dashboard
        .change(
            "INSERT INTO web_session SELECT sha256(n::text::bytea), (SELECT id FROM web_user), '{}', now() + interval '12 hours' FROM generate_series(1, 15) n",
        )
        .await;
    assert_eq!(first.get("/status").await.status, 200);
    dashboard.person().await;
    assert_eq!(
        dashboard.value::<i64>("SELECT count(*) FROM web_session").await,
        scrutineer::limits::WEB_SESSIONS_PER_USER
    );
    until_out(&mut first, "the one that ends first gives way").await;
}

#[tokio::test]
async fn who_signs_out_everywhere_is_out_on_each_device_and_others_are_not() {
    let dashboard = Dashboard::on(pg::database().await, false).await;
    dashboard.add_person().await;
    let owner = Store::new(&dashboard.database.store_options(OWNER, 1));
    user::add(&owner, "badu", "viewer", &password::hash(PASSWORD).unwrap()).await.unwrap();
    let (mut one, mut two, mut other) = (dashboard.person().await, dashboard.person().await, dashboard.stranger());
    assert_eq!(other.sign_in("badu", PASSWORD).await.status, 303);
    let account = one.get("/account").await;
    assert_eq!(account.body.matches(" ago</td>").count(), 2, "{}", account.body);
    assert_eq!(two.get("/elections").await.status, 200);
    assert_eq!(one.post("/sign-out", &[("everywhere", "yes")]).await.status, 303);
    assert_eq!(two.get("/elections").await.status, 303, "at once on this host");
    assert_eq!(other.get("/elections").await.status, 200);
    assert_eq!(dashboard.value::<i64>("SELECT count(*) FROM web_session").await, 1);
}

#[tokio::test]
async fn an_address_that_fails_at_many_accounts_is_locked_out_and_no_other_one() {
    let dashboard = Dashboard::on(pg::database().await, false).await;
    dashboard.add_person().await;
    let from = |address: &'static str, name: String, password: &'static str| {
        let mut browser = dashboard.stranger();
        async move {
            let headers = [("sec-fetch-site", "same-origin"), ("x-forwarded-for", address)];
            browser.post_with("/sign-in", &[("name", &name), ("password", password)], &headers).await.status
        }
    };
    let tries = (0..scrutineer::limits::SIGN_IN_ADDRESS_FAILURES_FREE)
        .map(|n| from("198.51.100.7", format!("guess{n}"), "wrong horse battery"));
    for status in futures_util::future::join_all(tries).await {
        assert!([403, 503].contains(&status), "{status}");
    }
    assert_eq!(from("198.51.100.7", NAME.to_owned(), PASSWORD).await, 403, "locked, even for the right password");
    assert_eq!(dashboard.value::<i32>("SELECT failures FROM web_user").await, 0, "nobody's account is touched");
    assert_eq!(from("203.0.113.9", NAME.to_owned(), PASSWORD).await, 303);
}
