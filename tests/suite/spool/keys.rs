//! Keys: whatever is done with a spool's files, none is given to two records.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use scrutineer::spool::Spool;
use uuid::Uuid;

use super::smsc::Smsc;
use super::{Key, append, close, options, read, text};
use crate::support::site::Site;
use crate::support::{dir, pg, within};

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

async fn texts(spool: &Spool, from: u32, count: u32) -> BTreeMap<Key, String> {
    let mut stored = BTreeMap::new();
    for n in from..from + count {
        let text = format!("text {n}");
        assert!(stored.insert(append(spool, &text).await, text).is_none());
    }
    stored
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spool_restored_wiped_or_copied_gives_no_key_twice() {
    let (dir, backup, second) = (dir::fresh(), dir::fresh(), dir::fresh());
    let spool = Spool::open(&options(dir.path())).unwrap();
    let mut stored = texts(&spool, 0, 5).await;
    close(spool).await;
    copy(dir.path(), backup.path());
    let spool = Spool::open(&options(dir.path())).unwrap();
    stored.append(&mut texts(&spool, 5, 5).await);
    close(spool).await;

    // The backup is put back on one host, and on another; a third begins with nothing.
    std::fs::remove_dir_all(dir.path()).unwrap();
    copy(backup.path(), dir.path());
    copy(backup.path(), second.path());
    let wiped = dir::fresh();
    for (place, folder) in [dir.path(), second.path(), wiped.path()].into_iter().enumerate() {
        let spool = Spool::open(&options(folder)).unwrap();
        let fresh = texts(&spool, 100 * (place as u32 + 1), 7).await;
        let all = read(&spool).await.unwrap();
        for (key, text_) in &fresh {
            assert!(!stored.contains_key(key), "{key:?} was given before");
            assert_eq!(all.iter().filter(|(k, r)| k == key && text(&r.body) == *text_).count(), 1);
        }
        for (key, record) in &all {
            assert!(stored.get(key).is_none_or(|known| *known == text(&record.body)), "{key:?} changed its meaning");
        }
        stored.extend(fresh);
        close(spool).await;
    }
    assert_eq!(stored.len(), 10 + 3 * 7);
    let runs: std::collections::BTreeSet<Uuid> = stored.keys().map(|key| key.0).collect();
    assert_eq!(runs.len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_cloned_from_one_spool_and_one_restored_have_all_that_they_received_stored() {
    let database = pg::database().await;
    let mut db = database.owner().await;
    let (mut sites, mut smscs) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let smsc = Smsc::start(16).await;
        sites.push(Site::new(&database).link_with("smsc", smsc.port, "reconnect_seconds_max = 1"));
        smscs.push(smsc);
    }
    let patience = Duration::from_secs(90);
    let mut total = 0;
    let stored = async |db: &mut sqlx::PgConnection, wanted: i64| {
        within(patience, "all that was acknowledged in the database", async {
            loop {
                let count: i64 = sqlx::query_scalar("SELECT count(*) FROM message").fetch_one(&mut *db).await.unwrap();
                if count >= wanted {
                    assert_eq!(count, wanted, "each once");
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
    };
    // The first host receives, and is copied to the second; the copy is the backup, too.
    let backup = dir::fresh();
    {
        let mut gateway = sites[0].start("gateway").await;
        smscs[0].deliver(20);
        within(patience, "acknowledgements", smscs[0].until_acknowledged(20)).await;
        total += 20;
        gateway.stop().await;
    }
    copy(&sites[0].spool(), backup.path());
    copy(backup.path(), &sites[1].spool());
    // Both go on, each on its own; both workers are on one database.
    let mut processes = Vec::new();
    for (site, smsc) in sites.iter().zip(&mut smscs) {
        processes.push(site.start("gateway").await);
        processes.push(site.start("worker").await);
        let before = smsc.acknowledged().len();
        smsc.deliver(30);
        within(patience, "acknowledgements", smsc.until_acknowledged(before + 30)).await;
        total += 30;
    }
    stored(&mut db, total).await;
    for process in &mut processes {
        process.kill().await;
    }
    // The first host's backup is put back; what it received since is in the database.
    std::fs::remove_dir_all(sites[0].spool()).unwrap();
    copy(backup.path(), &sites[0].spool());
    let _gateway = sites[0].start("gateway").await;
    let _worker = sites[0].start("worker").await;
    let before = smscs[0].acknowledged().len();
    smscs[0].deliver(25);
    within(patience, "acknowledgements", smscs[0].until_acknowledged(before + 25)).await;
    total += 25;
    stored(&mut db, total).await;
    let conflicts: i64 = sqlx::query_scalar("SELECT count(*) FROM set_aside").fetch_one(&mut db).await.unwrap();
    assert_eq!(conflicts, 0, "no key had two meanings");
}
