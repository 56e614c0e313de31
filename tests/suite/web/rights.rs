//! What the web's database role may not do, and what no page shows.

use super::browser::Answer;
use super::*;
use crate::support::soon;
use crate::web::sign_in::PRIVATE;

#[tokio::test]
async fn the_web_s_role_cannot_read_numbers_and_names_nor_write_election_data() {
    let dashboard = Dashboard::start().await;
    let mut web = dashboard.database.connect(WEB).await;
    for sql in [
        "SELECT msisdn FROM phone",
        "SELECT * FROM phone",
        "SELECT name FROM observer_person",
        "SELECT record FROM set_aside",
        "SELECT source FROM segment_set",
        "UPDATE submission SET missing = 0",
        "INSERT INTO revision SELECT * FROM revision",
        "DELETE FROM message",
        "UPDATE outbox SET state = 'due'",
        "UPDATE election SET state = 'closed'",
        "UPDATE web_user SET role = 'admin'",
        "UPDATE web_user SET password_hash = ''",
        "INSERT INTO web_user (name, role, password_hash) VALUES ('x', 'admin', '')",
        "UPDATE submission_1 SET missing = 0",
        "SELECT * FROM submission_1",
    ] {
        let error = web.execute(sql).await.expect_err(sql);
        assert_eq!(error.as_database_error().and_then(|e| e.code()).as_deref(), Some("42501"), "{sql}: {error}");
    }
    let masked: String = sqlx::query_scalar("SELECT masked FROM phone WHERE id = 1").fetch_one(&mut web).await.unwrap();
    assert_eq!(masked, "234••••••••77");
}

#[tokio::test]
async fn no_page_shows_a_whole_number_or_an_observer_s_name() {
    let dashboard = Dashboard::start().await;
    let mut browser = dashboard.person().await;
    let numbers: Vec<String> = sqlx::query_scalar("SELECT msisdn FROM phone WHERE length(msisdn) > 5")
        .fetch_all(&mut dashboard.database.admin().await)
        .await
        .unwrap();
    for path in PRIVATE {
        let body = browser.get(path).await.body;
        assert!(!numbers.iter().any(|n| body.contains(n.as_str())), "{path} shows a number");
        assert!(!body.contains("Observer Number"), "{path} shows a name");
    }
    assert!(browser.get("/messages").await.body.contains("••••"));
}

/// An address of each route that exists in the fixture. A route without one fails the tests.
pub(crate) fn address(route: &str) -> String {
    const SUBMISSION: &str = "8e20e5f0-a627-b4dd-4ded-c41a597ab672";
    const OF_ROUTE: [(&str, &str); 5] = [
        ("/messages/{spool}/{sequence}", "/messages/0190a0a0-0000-7000-8000-000000000001/20"),
        ("/requests/{id}", "/requests/1"),
        ("/elections/{slug}/incidents/{id}", "/elections/general-2026/incidents/9ce88802-f075-91e5-ce04-57ef51ece021"),
        ("/elections/{slug}/questions/{prefix}", "/elections/general-2026/questions/OP"),
        ("/elections/{slug}/questions/{prefix}/{code}", "/elections/general-2026/questions/OP/AC"),
    ];
    if let Some((_, address)) = OF_ROUTE.iter().find(|(r, _)| *r == route) {
        return (*address).to_owned();
    }
    let address =
        route.replace("{slug}", "general-2026").replace("submissions/{id}", &format!("submissions/{SUBMISSION}"));
    assert!(!address.contains('{'), "no address is known for {route}: add one to OF_ROUTE");
    address
}

#[tokio::test]
async fn each_page_is_open_to_just_those_roles_that_the_table_names() {
    let dashboard = Dashboard::start().await;
    dashboard.change("INSERT INTO request (kind, made_by) VALUES ('reread', 'amina')").await;
    let mut browser = dashboard.person().await;
    for role in web::Role::ALL {
        let mut owner = dashboard.database.owner().await;
        sqlx::query("UPDATE web_user SET role = $1").bind(role.as_str()).execute(&mut owner).await.unwrap();
        let word = format!(">{}<", role.as_str());
        soon("the new role", async { while !browser.get("/elections").await.body.contains(&word) {} }).await;
        for (route, right) in web::routes() {
            let answer = match right {
                web::Right::Ask => browser.post(&address(route), &[]).await,
                _ => browser.get(&address(route)).await,
            };
            let refused = answer.status == 403 && answer.body.contains("Not yours to do");
            assert_eq!(!refused, right.is_of(role), "{role:?} {route} {right:?}: {} {}", answer.status, answer.body);
            // Who may is answered: a form that asks for nothing is not understood, and no page fails.
            assert!(refused || [200, 303, 400].contains(&answer.status), "{route}: {} {}", answer.status, answer.body);
        }
    }
}

#[tokio::test]
async fn whatever_stands_in_an_address_or_a_form_is_answered_and_fails_no_page() {
    const VALUES: [&str; 14] = [
        "%00",
        "%27%3B+DROP+TABLE+submission%3B--",
        "%22+%7C%7C+true+%7C%7C+%22",
        "%5C",
        "%25%5F",
        "%F0%9F%92%A9%E2%80%AE",
        "%FF",
        "-1",
        "99999999999999999999",
        "-9999-01-01T00:00",
        "9999-12-31T23:59",
        "NaN",
        "1e400",
        "%5Bobject%20Object%5D",
    ];
    const LISTS: [(&str, &[&str]); 4] = [
        ("/elections/general-2026/submissions", &["area", "checklist", "observer", "from", "until", "state", "after"]),
        ("/messages", &["election", "outcome", "q", "sender", "reply", "link", "from", "until", "before"]),
        ("/elections/general-2026/observers", &["area", "checklist", "state", "silent", "code", "after"]),
        ("/elections/general-2026/incidents", &["area", "checklist", "state", "hours", "words", "after"]),
    ];
    let dashboard = Dashboard::start().await;
    dashboard.change("INSERT INTO request (kind, made_by) VALUES ('reread', 'amina')").await;
    dashboard.change("UPDATE web_user SET role = 'admin'").await;
    let mut browser = dashboard.person().await;
    let pages: Vec<&str> = web::routes()
        .into_iter()
        .filter(|(route, right)| *right != web::Right::Ask && !route.ends_with(".json"))
        .map(|(route, _)| route)
        .collect();
    let mut failed = Vec::new();
    let mut well = |path: &str, answer: &Answer| {
        if ![200, 303, 400, 404].contains(&answer.status) {
            failed.push(format!("{path}: {}", answer.status));
        }
    };
    for page in &pages {
        // In the place of what the route names.
        for value in ["%00", "%FF", "-1", "%27"] {
            let path = match page.split_once('{') {
                Some((before, _)) => format!("{before}{value}"),
                None => format!("{page}?area={value}&election={value}&after={value}"),
            };
            well(&path, &browser.get(&path).await);
        }
    }
    for value in VALUES {
        for (list, names) in LISTS {
            for name in names {
                let path = format!("{list}?{name}={value}");
                well(&path, &browser.get(&path).await);
            }
        }
        // Conditions on questions of several types, and on none.
        for code in ["AA", "AB", "VA", value] {
            for comparison in ["eq", "ne", "ge", "has", value] {
                let path = format!("/elections/general-2026/submissions?q={code}&op={comparison}&v={value}");
                well(&path, &browser.get(&path).await);
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(dashboard.value::<i64>("SELECT count(*) FROM submission").await > 1_000, "all is there");
}

#[tokio::test]
async fn each_form_is_refused_that_comes_from_another_site() {
    let dashboard = Dashboard::start().await;
    let mut browser = dashboard.person().await;
    let mut forms = vec!["/sign-in", "/sign-out"];
    forms.extend(web::routes().into_iter().filter(|(_, right)| *right == web::Right::Ask).map(|(route, _)| route));
    assert!(forms.len() > 2);
    for form in &forms {
        for headers in [
            [("sec-fetch-site", "cross-site")],
            [("sec-fetch-site", "same-site")],
            [("origin", "https://evil.example")],
        ] {
            let answer = browser.post_with(form, &[("outcomes", "unclear"), ("why", "x")], &headers).await;
            assert_eq!(answer.status, 403, "{form} {headers:?}");
            assert!(answer.body.contains("came from another site"), "{form}: {}", answer.body);
        }
    }
    assert_eq!(dashboard.value::<i64>("SELECT count(*) FROM request").await, 0);
    // No address that is read changes anything: a form's address is not answered to a link.
    for form in ["/sign-out", "/requests"] {
        assert_ne!(browser.get(form).await.status, 303, "{form}");
    }
    assert_eq!(browser.get("/elections").await.status, 200, "still signed in");
}

#[tokio::test]
async fn nobody_between_and_no_browser_keeps_a_page_of_somebody_who_is_signed_in() {
    let dashboard = Dashboard::start().await;
    dashboard.change("INSERT INTO request (kind, made_by) VALUES ('reread', 'amina')").await;
    dashboard.change("UPDATE web_user SET role = 'admin'").await;
    let mut browser = dashboard.person().await;
    for (route, _) in web::routes().into_iter().filter(|(_, right)| *right != web::Right::Ask) {
        let answer = browser.get(&address(route)).await;
        assert_eq!(answer.header("cache-control"), "no-store", "{route}");
        for (name, wanted) in [("content-security-policy", "default-src 'none'"), ("x-content-type-options", "nosniff")]
        {
            assert!(answer.header(name).starts_with(wanted), "{route}: {name}");
        }
    }
    assert_eq!(browser.get("/sign-in").await.header("cache-control"), "no-store");
}

#[tokio::test]
async fn numbers_and_names_open_to_those_roles_only_that_the_table_names_in_pages_files_and_in_the_database_itself() {
    let dashboard = Dashboard::start().await;
    let number: String = dashboard.value("SELECT msisdn FROM phone WHERE id = 1").await;
    let name: String = dashboard.value("SELECT name FROM observer_person WHERE observer_id = 1").await;
    let mut browser = dashboard.person().await;
    for role in web::Role::ALL {
        let mut owner = dashboard.database.owner().await;
        sqlx::query("UPDATE web_user SET role = $1").bind(role.as_str()).execute(&mut owner).await.unwrap();
        let opened: i64 = sqlx::query_scalar("SELECT count(*) FROM web_session s, web_contacts(s.id, ARRAY[1, 2]) c")
            .fetch_one(&mut dashboard.database.connect(WEB).await)
            .await
            .unwrap();
        let may = web::Right::Phones.is_of(role);
        assert_eq!(opened == 2, may, "{role:?}: {opened}");
        let word = format!(">{}<", role.as_str());
        soon("the new role", async { while !browser.get("/elections").await.body.contains(&word) {} }).await;
        for ending in ["", ".csv", ".json"] {
            let answer = browser.get(&format!("/elections/general-2026/observers{ending}?code=200007")).await;
            assert_eq!(answer.body.contains(&number), may, "{role:?} {ending}");
            assert_eq!(answer.body.contains(&name), may, "{role:?} {ending}");
        }
    }
    let none: i64 = sqlx::query_scalar("SELECT count(*) FROM web_contacts(sha256('x'), ARRAY[1, 2])")
        .fetch_one(&mut dashboard.database.connect(WEB).await)
        .await
        .unwrap();
    assert_eq!(none, 0, "a session that is none");
}
