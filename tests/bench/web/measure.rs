//! The pages, each against its aim.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use sqlx::Executor;

use super::figures::Figures;
use super::load::{Connection, Times, Visitor};
use super::support::pg::Database;
use super::{Plan, Web, mb};

/// Requests a second of an archived page.
const ARCHIVED_RATE: f64 = 3_000.0;
/// At half of them, 99 of 100 are answered within so many milliseconds.
const ARCHIVED_P99_MS: f64 = 20.0;
/// Connections that they come over.
const CONNECTIONS: usize = 16;
/// An overview that is computed, milliseconds.
const COMPUTED_MS: f64 = 150.0;
/// And one that is at hand.
const CACHED_MS: f64 = 5.0;
/// A filtered list, milliseconds.
const LIST_MS: f64 = 100.0;
/// An export of 1,000,000 rows, seconds.
const EXPORT_SECONDS: f64 = 30.0;
/// What it may add to the web's memory, bytes.
const EXPORT_GROWTH: u64 = 4 << 20;
/// The first page with all that it needs, bytes as sent.
const FIRST_BYTES: usize = 60_000;

/// What a browser fetches for its first page, compressed.
pub async fn first_page(visitor: &Visitor, figures: &mut Figures) {
    let mut most = (0, "");
    for path in ["/sign-in", "/elections", "/elections/live", "/elections/live/submissions"] {
        let mut connection = visitor.connect().await.unwrap();
        let page = connection.get(path, &[("accept-encoding", "gzip")]).await.unwrap();
        let named = visitor.get(path).await;
        let assets: BTreeSet<String> =
            named.named("href").into_iter().chain(named.named("src")).filter(|a| a.starts_with("/assets/")).collect();
        let mut bytes = page.body.len();
        for asset in assets {
            bytes += connection.get(&asset, &[("accept-encoding", "gzip")]).await.unwrap().body.len();
        }
        most = most.max((bytes, path));
    }
    let figure = format!("{:.1} kB ({})", most.0 as f64 / 1e3, most.1);
    figures.aimed("first page, all told, compressed", figure, "under 60 kB", most.0 < FIRST_BYTES);
}

/// The overview when something has changed, and again.
pub async fn overview(visitor: &Visitor, database: &Database, figures: &mut Figures) {
    let mut admin = database.admin().await;
    let mut connection = visitor.connect().await.unwrap();
    let (mut computed, mut cached) = (Times::default(), Times::default());
    for round in 0..6 {
        let touch = "UPDATE submission SET last_received_at = now() WHERE election_id = 1 AND id =
            (SELECT id FROM submission WHERE election_id = 1 ORDER BY last_received_at LIMIT 1)";
        admin.execute(touch).await.unwrap();
        tokio::time::sleep(Duration::from_secs(scrutineer::limits::WEB_CACHE_SECONDS + 1)).await;
        for repeat in 0..50 {
            let begun = Instant::now();
            let answer = connection.get("/elections/live", &[]).await.unwrap();
            let took = begun.elapsed();
            if answer.status != 200 {
                figures.aimed("overview", format!("answered {}", answer.status), "a page", false);
                return;
            }
            match (round, repeat) {
                // The first of all fills the database's cache too.
                (0, _) => {}
                (_, 0) => computed.push(took),
                _ => cached.push(took),
            }
        }
    }
    let figure = format!("p50 {:.0} ms, at most {:.0} ms", computed.ms(0.5), computed.ms(1.0));
    figures.aimed("overview, computed", figure, "under 150 ms", computed.ms(0.5) < COMPUTED_MS);
    let figure = format!("p50 {:.1} ms, p99 {:.1} ms", cached.ms(0.5), cached.ms(0.99));
    figures.aimed("overview, cached", figure, "under 5 ms", cached.ms(0.5) < CACHED_MS);
}

/// Lists with one filter or several, at the first page and further on.
pub async fn lists(visitor: &Visitor, figures: &mut Figures) {
    let list = "/elections/live/submissions";
    let asked = [
        "",
        "?checklist=TU",
        "?state=broken",
        "?state=partial&checklist=RS",
        "?area=D7",
        "?area=R3&state=revised",
        "?area=PS17",
        "?checklist=CL&area=D31&state=broken",
        "?observer=100017",
        "?from=2026-02-21T08:00&until=2026-02-21T09:00",
        "?q=AE&op=ge&v=290",
        "?checklist=OP&q=AK&op=eq&v=true",
        "?checklist=RS&area=R5&q=AE&op=ge&v=200&q=AF&op=ge&v=280",
        "?checklist=OP",
        "?checklist=OP&state=partial",
        "?state=comment&q=AG&op=eq&v=777",
        "?state=unverified",
        "?q=AK&op=answered",
        // Rare or not there at all.
        "?q=AE&op=eq&v=4000",
        "?q=AE&op=ge&v=4000",
        "?checklist=OP&q=AE&op=ge&v=4000",
        "?observer=100018&state=broken",
    ];
    let mut connection = visitor.connect().await.unwrap();
    let mut worst = (0.0, "");
    for query in asked {
        let mut times = Times::default();
        let mut path = format!("{list}{query}");
        // Each page once cold, as a person sees it, then the pages that follow it.
        for _ in 0..5 {
            let begun = Instant::now();
            let answer = connection.get(&path, &[]).await.unwrap();
            times.push(begun.elapsed());
            if answer.status != 200 {
                figures.aimed(&format!("list {query}"), format!("answered {}", answer.status), "a page", false);
                break;
            }
            let next = answer.named("href").into_iter().find(|a| a.starts_with(list) && a.contains("after="));
            match next {
                Some(next) => path = next,
                None => break,
            }
        }
        figures
            .plain(&format!("list {query}"), format!("p50 {:.0} ms, at most {:.0} ms", times.ms(0.5), times.ms(1.0)));
        if times.ms(0.5) > worst.0 {
            worst = (times.ms(0.5), query);
        }
    }
    let figure = format!("{:.0} ms for the slowest ({})", worst.0, worst.1);
    figures.aimed("filtered list", figure, "under 100 ms", worst.0 < LIST_MS);
    others(&mut connection, figures).await;
}

/// Other pages of such an election, each computed once and then as it is kept.
async fn others(connection: &mut Connection, figures: &mut Figures) {
    for page in [
        "/elections",
        "/elections/live?area=R3",
        "/elections/live?area=D7",
        "/elections/live/questions/OP",
        "/elections/live/questions/OP/AE",
        "/elections/live/incidents",
        "/elections/live/incidents?area=D7",
        "/elections/live/observers",
        "/elections/live/observers?state=nothing",
        "/elections/live/observers?area=R3&state=missing&silent=3",
        "/messages?election=live",
        "/trouble",
        "/status",
    ] {
        let mut times = [0.0; 2];
        let mut status = 0;
        for time in &mut times {
            let begun = Instant::now();
            status = connection.get(page, &[]).await.unwrap().status;
            *time = begun.elapsed().as_secs_f64() * 1e3;
        }
        figures
            .plain(&format!("page {page}"), format!("{:.0} ms, then {:.0} ms (status {status})", times[0], times[1]));
    }
}

/// An archived election's page, as often as it is answered and at half of what is aimed at.
pub async fn archived(plan: &Plan, visitor: &Visitor, figures: &mut Figures) {
    let path = "/elections/old-0";
    if visitor.get(path).await.status != 200 {
        figures.skipped("archived page", "there is no archived election");
        return;
    }
    let full = visitor.flat_out(path, CONNECTIONS, plan.seconds(15)).await;
    let figure = format!("{:.0} a second, {} not answered", full.rate(), full.bad);
    figures.aimed("archived page", figure, "3,000 a second", full.rate() >= ARCHIVED_RATE && full.bad == 0);
    let half = visitor.paced(path, CONNECTIONS, ARCHIVED_RATE / 2.0, plan.seconds(15)).await;
    let figure = format!("p50 {:.1} ms, p99 {:.1} ms, {} not answered", half.ms(0.5), half.ms(0.99), half.bad);
    let reached = half.ms(0.99) < ARCHIVED_P99_MS && half.bad == 0;
    figures.aimed("archived page at 1,500 a second", figure, "p99 under 20 ms", reached);
}

/// All submissions as CSV, read as fast as they come.
pub async fn export(visitor: &Visitor, web: &Web, rows_wanted: u32, figures: &mut Figures) {
    let page = visitor.get("/elections/live/submissions").await;
    let Some(path) = page.named("href").into_iter().find(|address| address.contains("csv")) else {
        figures.skipped("export", "the list of submissions has no link to a CSV");
        return;
    };
    let mut connection = visitor.connect().await.unwrap();
    let (before, begun) = (web.anon(), Instant::now());
    let answer = connection.begin(&path, &[]).await.unwrap();
    let status = answer.status();
    let mut body = answer.into_body();
    let (mut rows, mut bytes, mut peak, mut looked) = (0u64, 0u64, before, Instant::now());
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { break };
        let Some(data) = frame.data_ref() else { continue };
        rows += data.iter().filter(|byte| **byte == b'\n').count() as u64;
        bytes += data.len() as u64;
        if looked.elapsed() > Duration::from_millis(50) {
            (peak, looked) = (peak.max(web.anon()), Instant::now());
        }
    }
    let (seconds, growth) = (begun.elapsed().as_secs_f64(), peak.saturating_sub(before));
    let whole = rows > u64::from(rows_wanted);
    let figure = format!(
        "{rows} lines, {:.0} MB in {seconds:.1} s, grew by {:.1} MB from {:.1} MB (status {status})",
        mb(bytes),
        mb(growth),
        mb(before)
    );
    let allowed = EXPORT_SECONDS * f64::from(rows_wanted) / 1e6;
    figures.aimed(
        "export",
        figure,
        "1,000,000 rows in under 30 s without growth",
        whole && seconds < allowed && growth < EXPORT_GROWTH,
    );
}
