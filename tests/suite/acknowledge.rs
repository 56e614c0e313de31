//! `acknowledge = "spooled" | "committed"` on the real processes: what an acknowledgement promises, and
//! what the SMSC is told while the promise cannot be kept.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use scrutineer::limits::{OVERLOAD_UNBIND_SECONDS, WITHHOLD_SECONDS};
use sqlx::Row;

use super::support::cluster::{Cluster, Durability};
use super::support::flood::{self, Flood, Make};
use super::support::pg::{self, Database};
use super::support::site::Site;
use super::support::torture::{figure, is_long, rounds};

const LONG: Duration = Duration::from_secs(120);

/// Notes of strangers, each with its number.
pub fn make() -> Make {
    Arc::new(|number| flood::text(&format!("3556{:07}", 5_000_000 + number % 1_000), &format!("note {number}")))
}

/// Numbers that PostgreSQL has, each once.
pub async fn stored(database: &Database) -> HashSet<u64> {
    let rows = sqlx::query("SELECT text FROM message WHERE text LIKE 'note %'")
        .fetch_all(&mut database.admin().await)
        .await
        .unwrap();
    let mut numbers = HashSet::new();
    for row in &rows {
        let text: &str = row.get(0);
        let number = text.split(' ').nth(1).unwrap().parse().unwrap();
        assert!(numbers.insert(number), "stored twice: {text:.40}");
    }
    numbers
}

/// Waits until PostgreSQL has all of these, and checks that it has each once.
pub async fn until_stored(database: &Database, wanted: &HashSet<u64>, deadline: Duration) {
    let begun = tokio::time::Instant::now();
    loop {
        let stored = stored(database).await;
        let lacking = wanted.difference(&stored).count();
        if lacking == 0 {
            return;
        }
        assert!(begun.elapsed() < deadline, "{lacking} of {} acknowledged messages are not stored", wanted.len());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn spooled_acknowledges_though_worker_and_database_are_away() {
    let flood = Flood::start(50, 0, make()).await;
    let site = Site::without_database().link(flood.port);
    let _gateway = site.start("gateway").await;
    flood.offer(2_000);
    flood.until_acknowledged(2_000, LONG).await;
    assert_eq!(flood.seen(|seen| seen.refused), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn committed_acknowledges_what_postgresql_has_and_has_the_smsc_store_while_it_is_away() {
    let postgres = Cluster::start(Durability::Synced);
    let database = pg::database_on(&postgres).await;
    let flood = Flood::start(20, 0, make()).await;
    let mut site = Site::new(&database).link_with("smsc", flood.port, "reconnect_seconds_max = 1");
    site.gateway = "acknowledge = \"committed\"".to_owned();
    let gateway = site.start("gateway").await;
    let mut worker = site.start("worker").await;
    flood.offer(500);
    for _ in 0..10 {
        // What is acknowledged now is in PostgreSQL by then.
        let acknowledged = flood.seen(|seen| seen.acknowledged.clone());
        let stored = stored(&database).await;
        assert!(acknowledged.is_subset(&stored), "acknowledged before it was committed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    flood.until_acknowledged(500, LONG).await;

    for round in 0..rounds(1, 3) {
        // The worker goes, or the database: nothing is acknowledged, the SMSC told to deliver later, then to store.
        let from_worker = round % 2 == 0;
        if from_worker {
            worker.kill().await;
        } else {
            tokio::task::block_in_place(|| postgres.kill());
        }
        let before = flood.acknowledged();
        let (refused, unbinds) = flood.seen(|seen| (seen.refused, seen.unbinds));
        flood.offer(100);
        let begun = tokio::time::Instant::now();
        let reached = async |what: &str, limit: u64, reached: &dyn Fn() -> bool| {
            let limit = Duration::from_secs(limit);
            super::support::within(limit, what, async {
                while !reached() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            })
            .await;
            begun.elapsed()
        };
        let told = reached("an answer to deliver later", 60, &|| flood.seen(|seen| seen.refused > refused)).await;
        assert!(told >= Duration::from_secs(WITHHOLD_SECONDS - 1), "withheld first: {told:?}");
        gateway.logged("reason=\"worker_not_committing\"").await;
        // The last rung takes a minute; a disk that fails climbs it in the short form, too.
        let mut unbound = String::new();
        if is_long() {
            let limit = OVERLOAD_UNBIND_SECONDS + 60;
            let after = reached("an unbind", limit, &|| flood.seen(|seen| seen.unbinds > unbinds)).await;
            unbound = format!(", unbound after {:.0} s", after.as_secs_f64());
        }
        assert_eq!(flood.acknowledged(), before, "nothing is acknowledged that PostgreSQL lacks");
        if from_worker {
            worker = site.start("worker").await;
        } else {
            tokio::task::block_in_place(|| postgres.up());
        }
        let healed = tokio::time::Instant::now();
        flood.until_acknowledged(before + 100, LONG).await;
        let all = flood.seen(|seen| seen.acknowledged.clone());
        until_stored(&database, &all, LONG).await;
        figure(
            if from_worker {
                "worker away, acknowledge = \"committed\""
            } else {
                "PostgreSQL away, acknowledge = \"committed\""
            },
            &format!(
                "responses withheld, told to deliver later after {:.1} s{unbound}; all acknowledged {:.0} s after it was back | {:.0} s | nothing; what was stored and came again stands once",
                told.as_secs_f64(),
                healed.elapsed().as_secs_f64(),
                healed.duration_since(begun).as_secs_f64(),
            ),
        );
    }
}

/// Two hosts, two links each: every link acknowledges what PostgreSQL has, whichever worker brought it, and one
/// host without a worker holds only its own links back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn committed_on_two_hosts_with_two_links_each_holds_back_only_what_is_not_committed() {
    let database = pg::database().await;
    let mut floods = Vec::new();
    for first in 0..4 {
        floods.push(Flood::start(20, first * 100_000, make()).await);
    }
    let sites = [0, 2].map(|at| {
        let keys = "reconnect_seconds_max = 1";
        let mut site =
            Site::new(&database).link_with("one", floods[at].port, keys).link_with("other", floods[at + 1].port, keys);
        site.gateway = "acknowledge = \"committed\"".to_owned();
        site
    });
    let mut hosts = Vec::new();
    for site in &sites {
        hosts.push((site.start("gateway").await, site.start("worker").await));
    }
    let offer = |count| floods.iter().for_each(|flood| flood.offer(count));
    let acknowledged =
        || floods.iter().flat_map(|flood| flood.seen(|seen| seen.acknowledged.clone())).collect::<HashSet<u64>>();
    offer(300);
    for _ in 0..10 {
        let acknowledged = acknowledged();
        assert!(acknowledged.is_subset(&stored(&database).await), "acknowledged before it was committed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for flood in &floods {
        flood.until_acknowledged(300, LONG).await;
    }
    hosts[0].1.kill().await;
    offer(100);
    for flood in &floods[2..] {
        flood.until_acknowledged(400, LONG).await;
    }
    super::support::within(LONG, "answers to deliver later on both links", async {
        while floods[..2].iter().any(|flood| flood.seen(|seen| seen.refused == 0)) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert!(floods[..2].iter().all(|flood| flood.acknowledged() == 300), "what no worker took is not acknowledged");
    assert!(
        floods[2..].iter().all(|flood| flood.seen(|seen| seen.refused == 0)),
        "the other host has nothing to wait for"
    );
    hosts[0].1 = sites[0].start("worker").await;
    for flood in &floods {
        flood.until_acknowledged(400, LONG).await;
    }
    let all = acknowledged();
    assert_eq!(all.len(), 1_600);
    until_stored(&database, &all, LONG).await;
}

/// What `committed` is there for: what goes with a host's disk the SMSC still has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn committed_loses_nothing_though_the_host_loses_its_disk_again_and_again() {
    const TEXTS: u64 = 400;
    const WINDOW: usize = 20;
    let losses = rounds(3, 60);
    let database = pg::database().await;
    let flood = Flood::start(WINDOW, 0, make()).await;
    let mut site = Site::new(&database).link_with("smsc", flood.port, "reconnect_seconds_max = 1");
    site.gateway = "acknowledge = \"committed\"".to_owned();
    let (mut gateway, mut worker) = (site.start("gateway").await, site.start("worker").await);
    let mut acknowledged = 0;
    for loss in 0..losses {
        flood.offer(TEXTS);
        // In the middle, each time at another place.
        flood.until_acknowledged(acknowledged + 20 + loss * 37 % 300, LONG).await;
        gateway.kill().await;
        if loss % 2 == 0 {
            worker.kill().await;
        }
        std::fs::remove_dir_all(site.spool()).unwrap();
        gateway = site.start("gateway").await;
        if loss % 2 == 0 {
            worker = site.start("worker").await;
        }
        acknowledged += usize::try_from(TEXTS).unwrap();
        flood.until_acknowledged(acknowledged, LONG).await;
    }
    let rows = sqlx::query("SELECT text FROM message WHERE text LIKE 'note %'");
    let rows = rows.fetch_all(&mut database.admin().await).await.unwrap();
    let different: HashSet<&str> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(different.len(), acknowledged, "acknowledged, and gone with the disk");
    // Stored, and the response lost with the host: what the SMSC delivers again is known by the spool alone.
    let again = rows.len() - different.len();
    assert!(again <= losses * WINDOW, "{again} stored anew");
    figure(
        "SIGKILL and the spool's disk lost, acknowledge = \"committed\"",
        &format!(
            "{losses} disks lost in {acknowledged} texts; {again} that the SMSC had no response to were delivered and stored again | the restart | nothing"
        ),
    );
}
