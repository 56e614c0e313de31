//! Chromium walks through every page (`tests/browser/walk.mjs`): signs in, filters, takes a file away,
//! goes by keyboard alone; axe judges each page, light and dark, at a desk's width and a phone's; what an
//! attacker texted runs nothing and bends no page.

use std::process::Stdio;

use scrutineer::archive;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::rights::address;
use super::*;
use crate::support::{source, within};

/// Bytes of the first page with all that it loads.
const FIRST_BYTES: usize = 60_000;
/// Bytes of any page.
const PAGE_BYTES: usize = 80_000;

/// The election that is archived.
const OLD: &str = "/elections/councils-2025";
/// Names, titles and texts as somebody who means ill would write them, where the fixture has none.
const HOSTILE: &str = r#"
    UPDATE location SET name = '<script>window.pwned=1</script>' || U&'\202E' || 'gnirts' || repeat('W', 200) WHERE id = 5102;
    UPDATE submission SET comment = '=1+1<img src=x onerror=window.pwned=1>' || U&'\202E' || repeat('y', 900) WHERE election_id = 2;
    UPDATE location SET name = '<script>window.pwned=1</script>' || U&'\202E' || 'gnirts' || repeat('W', 400) WHERE id = 1003;
    UPDATE location SET name = '"><img src=x onerror=window.pwned=1>' WHERE id = 1;
    UPDATE observer_person SET name = U&'\202E' || '<svg onload=window.pwned=1>' || repeat('x', 300) WHERE observer_id = 3;
    UPDATE submission SET comment = repeat('=HYPERLINK(1)<script>window.pwned=1</script>', 240) || U&'\2066\202E' || 'end'
        WHERE election_id = 1 AND id = md5('i3')::uuid;
    UPDATE submission SET comment = 'a' || chr(1) || chr(27) || '[31m' || chr(10) || repeat('W', 600) || U&'\200F\FEFF'
        WHERE election_id = 1 AND id = md5('i6')::uuid;
    INSERT INTO host_status (host, part, status) VALUES
        (U&'h\202E<script>window.pwned=1</script>', 'gateway', '{"version": "<b>1", "links": [{"link": "<img src=x onerror=1>", "group": "g", "bound": true}],
          "newest": 9, "committed": 4, "vitals": {"memory_bytes": 20000000, "memory_cap_bytes": 50331648, "spool_bytes": 4096, "spool_bytes_max": 4294967296}}'),
        ('sms-1', 'worker', '{"version": "1", "lanes": 4, "memory_bytes": 90000000, "memory_cap_bytes": 100663296}');
"#;

/// Debian's name for it, or another one's.
fn chromium() -> String {
    let names = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
    let own = std::env::var("CHROMIUM").ok();
    own.or_else(|| names.iter().find(|name| std::path::Path::new(name).exists()).map(ToString::to_string))
        .expect("Chromium is missing: `tests/tools chromium` installs it, as `make test` does")
}

/// Every page that the table of routes has, but files, forms and redirects.
fn pages() -> Vec<String> {
    let mut pages: Vec<String> = web::routes()
        .into_iter()
        .filter(|(route, right)| {
            *route != "/"
                && *right != web::Right::Ask
                && !route.ends_with(".csv")
                && !route.ends_with(".json")
                && *route != "/elections/{slug}/questions"
        })
        .map(|(route, _)| address(route))
        .collect();
    pages.push("/elections/general-2026?area=R1&checklist=OP".to_owned());
    pages
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_finds_every_page_sound_by_mouse_and_by_keyboard() {
    let dashboard = Dashboard::start().await;
    dashboard.database.admin().await.execute(HOSTILE).await.unwrap();
    // One that is carried out: the page of one that is not loads itself again, also while it is judged.
    dashboard
        .change(
            "INSERT INTO request (kind, made_by, payload, state, done_at, result) VALUES ('reread', 'amina',
               '{\"why\": \"<script>window.pwned=1</script>\", \"outcomes\": [\"unclear\"]}', 'done', now(),
               '{\"looked\": 3, \"changed\": 3, \"outcomes\": {\"unclear → unknown_observer\": 3}}')",
        )
        .await;
    dashboard.change("UPDATE web_user SET role = 'admin'").await;
    let election = "/elections/general-2026";
    let spool = "/messages/0190a0a0-0000-7000-8000-000000000002";
    let mut hostile: Vec<String> = (3001..=3007).map(|n| format!("{spool}/{n}")).collect();
    hostile
        .extend(["/messages", "/trouble", "/set-aside", "/requests", "/requests/1", "/operators"].map(str::to_owned));
    hostile.extend(
        [
            "",
            "?area=R1",
            "/submissions",
            "/submissions?area=R1",
            "/incidents",
            "/incidents?area=R1",
            "/observers",
            "/questions/OP",
        ]
        .map(|p| format!("{election}{p}")),
    );
    hostile.push(format!("{election}/submissions/8e20e5f0-a627-b4dd-4ded-c41a597ab672"));
    for incident in ["i3", "i6"] {
        let id: uuid::Uuid = sqlx::query_scalar("SELECT md5($1)::uuid")
            .bind(incident)
            .fetch_one(&mut dashboard.database.admin().await)
            .await
            .unwrap();
        hostile.push(format!("{election}/incidents/{id}"));
    }
    let owner = Store::new(&dashboard.database.store_options(OWNER, 2));
    let done = archive::freeze(&owner, "councils-2025", true, &|_, _| {}).await.unwrap();
    assert!(done.submissions > 0, "{done:?}");
    let one: uuid::Uuid = dashboard.value("SELECT id FROM submission WHERE election_id = 2 ORDER BY id LIMIT 1").await;
    let one = format!("/submissions/{one}");
    let archived: Vec<String> = [
        "",
        "/questions/OUV",
        "/questions/OUV/AA",
        "/submissions",
        "/submissions?area=A&state=comment",
        &one,
        "/incidents",
        "/observers",
    ]
    .map(|p| format!("{OLD}{p}"))
    .to_vec();
    hostile.extend(archived.iter().cloned());
    let plan = json!({
        "chromium": chromium(),
        "base": format!("http://{}", dashboard.address),
        "name": NAME,
        "password": PASSWORD,
        "pages": pages(),
        "archived": archived,
        "archive": {"page": format!("{OLD}/submissions"), "label": "Checklist", "value": "OUV", "query": "checklist=OUV"},
        "hostile": hostile,
        "keyboard": [election, format!("{OLD}/submissions"), format!("{election}/submissions"), format!("{election}/observers?state=nothing")],
        "filter": {"page": format!("{election}/observers"), "label": "State", "value": "missing", "query": "state=missing"},
        "download": {"page": "/elections"},
        "first_budget": FIRST_BYTES,
        "budget": PAGE_BYTES,
        "shots": std::env::var("SCRUTINEER_SHOTS").ok(),
    });
    let peers = source::root().join("tests/peers");
    assert!(
        peers.join("node_modules/playwright-core").exists(),
        "run `make peers` first: npm's `playwright-core` is missing"
    );
    let mut node = Command::new("node")
        .arg(source::root().join("tests/browser/walk.mjs"))
        .current_dir(peers)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    node.stdin.take().unwrap().write_all(plan.to_string().as_bytes()).await.unwrap();
    let output = within(Duration::from_secs(900), "the end of the walk", node.wait_with_output()).await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    println!("{said}");
    let steps: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let bad: Vec<&Value> = steps.iter().filter(|step| step["ok"] != true).collect();
    assert!(bad.is_empty(), "{bad:#?}");
    assert!(output.status.success() && steps.last().is_some_and(|step| step["step"] == "all"));
    for page in pages() {
        assert!(steps.iter().any(|step| step["step"] == format!("page {page}")), "{page} was not visited");
    }
}
