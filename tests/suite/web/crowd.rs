//! A crowd at the door: those who work here are served all the same, and the process lives.

use std::collections::BTreeMap;

use scrutineer::limits::WEB_MEMORY_BYTES_MAX;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::*;
use crate::support::cgroup::Cgroup;
use crate::support::process::{Launch, Process};
use crate::support::site::Site;
use crate::support::torture::{figure, skip};
use crate::support::{soon, within};

/// Connections offered.
const OFFERED: usize = 10_000;

/// A dashboard as a process, in a group with its cap where that can be had, and somebody who signs in.
async fn capped(database: &Database) -> (Result<Cgroup, String>, Process, SocketAddr, Site) {
    let site = Site::new(database);
    let owner = Store::new(&database.store_options(OWNER, 1));
    assert!(user::add(&owner, NAME, "analyst", &password::hash(PASSWORD).unwrap()).await.unwrap());
    let group = Cgroup::memory(WEB_MEMORY_BYTES_MAX);
    let launch = Launch { cgroup: group.as_ref().ok().map(Cgroup::procs), ..Launch::default() };
    let mut web = Process::launch("web", &site.config(), &launch);
    web.ready().await;
    let address = super::process::address(&web).await;
    (group, web, address, site)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_ten_thousand_connections_the_excess_is_refused_and_somebody_signed_in_is_served() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut files = getrlimit(Resource::Nofile);
    files.current = files.maximum;
    let _ = setrlimit(Resource::Nofile, files);
    let can = files.maximum.map_or(OFFERED, |max| usize::try_from(max).unwrap_or(OFFERED).saturating_sub(500));
    if can < OFFERED {
        return skip(&format!("a limit of {OFFERED} open files (it is {:?})", files.maximum));
    }
    let database = pg::database().await;
    let (group, mut web, address, _site) = capped(&database).await;
    let mut browser = Browser::new(address);
    assert_eq!(browser.sign_in(NAME, PASSWORD).await.status, 303);
    let mut crowd = tokio::task::JoinSet::new();
    for _ in 0..20 {
        crowd.spawn(async move {
            let mut held = Vec::new();
            for _ in 0..OFFERED / 20 {
                held.extend(TcpStream::connect(address).await.ok());
            }
            held
        });
    }
    let (mut held, mut served, mut slowest) = (Vec::new(), 0, Duration::ZERO);
    let begun = std::time::Instant::now();
    while !crowd.is_empty() || served < 20 {
        let asked = std::time::Instant::now();
        assert_eq!(browser.get("/elections").await.status, 200);
        served += 1;
        slowest = slowest.max(asked.elapsed());
        while let Some(done) = crowd.try_join_next() {
            held.extend(done.unwrap());
        }
    }
    assert!(held.len() > OFFERED * 9 / 10, "{} connections were made", held.len());
    // Each beyond the bound was ended; the others wait for their first request.
    let refused = within(Duration::from_secs(60), "the end of the excess", async {
        loop {
            let mut byte = [0];
            let open = held
                .iter()
                .filter(|s| matches!(s.try_read(&mut byte), Err(e) if e.kind() == std::io::ErrorKind::WouldBlock))
                .count();
            if open <= scrutineer::limits::WEB_CONNECTIONS_MAX {
                return held.len() - open;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(web.is_running(), "{}", web.log());
    let usage = group.as_ref().ok().map(Cgroup::usage);
    assert_eq!(usage.map_or(0, |u| u.kills), 0);
    figure(
        "dashboard, 10,000 connections offered",
        &format!(
            "{refused} refused, {served} pages of somebody signed in, the slowest {slowest:?}, in {:?} | {usage:?} | nothing",
            begun.elapsed()
        ),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_sign_ins_at_once_are_computed_one_after_the_other_within_the_cap() {
    let database = pg::database().await;
    let (group, mut web, address, _site) = capped(&database).await;
    let group = match group {
        Ok(group) => group,
        Err(missing) => return skip(&missing),
    };
    let tries =
        (0..50).map(|_| tokio::spawn(async move { Browser::new(address).sign_in(NAME, PASSWORD).await.status }));
    let mut statuses = BTreeMap::<u16, usize>::new();
    for one in tries.collect::<Vec<_>>() {
        *statuses.entry(soon("the end of a sign-in", one).await.unwrap()).or_default() += 1;
    }
    // In turn, or told to come back; some meet the lock that tries side by side make.
    assert!(statuses.keys().all(|status| [303, 403, 503].contains(status)), "{statuses:?}");
    assert!(statuses.contains_key(&303), "{statuses:?}");
    let usage = group.usage();
    assert!(web.is_running() && usage.kills == 0, "{usage}\n{}", web.log());
    sqlx::query("UPDATE web_user SET failures = 0, locked_until = NULL")
        .execute(&mut database.admin().await)
        .await
        .unwrap();
    assert_eq!(Browser::new(address).sign_in(NAME, PASSWORD).await.status, 303);
    figure("dashboard at its cap, 50 sign-ins at once", &format!("{statuses:?} | {usage} | nothing"));
    let mut left = Vec::new();
    let mut idle = TcpStream::connect(address).await.unwrap();
    web.stop().await;
    let _ = soon("the end of a connection", idle.read_to_end(&mut left)).await;
}
