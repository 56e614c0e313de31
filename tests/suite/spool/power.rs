//! Power loss under load: what was not synced may be there, or not, or torn. What was acknowledged is there,
//! once.

use std::collections::{BTreeMap, HashMap};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use scrutineer::handoff::message::Body;

use super::smsc::{Smsc, text};
use super::{lab, opened_and_read};
use crate::acknowledge;
use crate::support::cluster::{Cluster, Durability};
use crate::support::flood::Flood;
use crate::support::process::{Launch, Process};
use crate::support::site::Site;
use crate::support::{dir, pg, torture, within};

const LONG: Duration = Duration::from_secs(120);

/// A write or a cut that no sync followed.
struct Unsynced {
    path: PathBuf,
    kind: u64,
    at: u64,
    length: u64,
    old: Vec<u8>,
    old_size: u64,
}

fn unsynced(journal: &Path) -> Vec<Unsynced> {
    let bytes = std::fs::read(journal).unwrap_or_default();
    let (mut paths, mut all) = (HashMap::new(), Vec::<Option<(u64, Unsynced)>>::new());
    let mut at = 0;
    while let Some(head) = bytes.get(at..at + 48) {
        let word = |n: usize| u64::from_ne_bytes(head[n * 8..n * 8 + 8].try_into().unwrap());
        let [kind, file, offset, length, old_length, old_size] = std::array::from_fn(word);
        let Some(old) = bytes.get(at + 48..at + 48 + old_length as usize) else { break };
        at += 48 + old_length as usize;
        match kind {
            1 => drop(paths.insert(file, PathBuf::from(String::from_utf8_lossy(old).into_owned()))),
            4 => all.retain(|one| one.as_ref().is_some_and(|(of, _)| *of != file)),
            _ => {
                let path = paths[&file].clone();
                all.push(Some((file, Unsynced { path, kind, at: offset, length, old: old.to_vec(), old_size })));
            }
        }
    }
    all.into_iter().flatten().map(|(_, one)| one).collect()
}

/// What a disk may do with what was not synced: any of it is lost, whole or in part.
fn lose(journal: &Path, random: &mut StdRng) -> (usize, usize) {
    let all = unsynced(journal);
    let keep = [0.0, 0.5, 0.9][random.random_range(0..3usize)];
    let (mut lost, mut torn) = (0, 0);
    for one in all.iter().rev() {
        if random.random_bool(keep) {
            continue;
        }
        let Ok(file) = std::fs::File::options().read(true).write(true).open(&one.path) else { continue };
        lost += 1;
        if one.kind == 3 {
            // The end that was cut off is there again.
            let size = file.metadata().unwrap().len();
            if size < one.old_size {
                let from = (size.max(one.at) - one.at) as usize;
                file.write_all_at(one.old.get(from..).unwrap_or_default(), one.at + from as u64).unwrap();
            }
            continue;
        }
        let mut before = one.old.clone();
        before.resize(one.length as usize, 0);
        // Half a sector stays as it was written.
        let from = if random.random_bool(0.3) {
            torn += 1;
            random.random_range(0..=before.len() / 256) * 256
        } else {
            0
        };
        file.write_all_at(before.get(from..).unwrap_or_default(), one.at + from as u64).unwrap();
        if one.at + one.length == file.metadata().unwrap().len()
            && one.old_size < one.at + from as u64
            && random.random_bool(0.5)
        {
            file.set_len(one.at + from as u64).unwrap();
        }
    }
    let _ = std::fs::remove_file(journal);
    (lost, torn)
}

/// A gateway's environment in which what it writes to its spool is kept until it is synced.
fn under(library: &Path, site: &Site, journal: &Path) -> [(&'static str, String); 3] {
    [
        ("LD_PRELOAD", library.display().to_string()),
        ("POWERLOSS_DIR", site.spool().canonicalize().unwrap().display().to_string()),
        ("POWERLOSS_JOURNAL", journal.display().to_string()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_before_the_power_went_is_there_once() {
    let Some(library) = lab("powerloss").await else { return };
    let seed = torture::seed();
    let rounds = torture::rounds(6, 200);
    let mut random = StdRng::seed_from_u64(seed);
    let work = dir::fresh();
    let journal = work.path().join("journal");
    let mut smsc = Smsc::start(64).await;
    let site = Site::without_database().link_with("smsc", smsc.port, "reconnect_seconds_max = 1");
    let config = site.config();
    let environment = under(&library, &site, &journal);
    let (mut lost, mut torn) = (0, 0);
    smsc.pour(true);
    for round in 0..rounds * 20 {
        // By chance each of few kills finds all synced.
        if round >= rounds && lost > 0 {
            break;
        }
        let mut gateway = Process::start_with("gateway", &config, &environment).await;
        let so_far = smsc.acknowledged().len();
        within(Duration::from_secs(60), "some acknowledgements", smsc.until_acknowledged(so_far + 100)).await;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..300))).await;
        gateway.kill().await;
        let (l, t) = lose(&journal, &mut random);
        println!("round {round}: {} acknowledged, {l} writes lost, {t} torn", smsc.acknowledged().len());
        (lost, torn) = (lost + l, torn + t);
    }
    smsc.pour(false);
    let acknowledged = smsc.acknowledged();
    assert!(lost > 0, "nothing was ever lost: is the journal kept?");
    let (mut times, mut named): (BTreeMap<String, usize>, _) = (BTreeMap::new(), 0);
    for (_, record) in opened_and_read(&site.spool()).await {
        match record.body {
            Body::Message(m) => *times.entry(String::from_utf8(m.short_message).unwrap()).or_default() += 1,
            // Of a transaction that was torn, which nobody acknowledged, one may be named as missing: from the
            // file alone it cannot be told from one that the disk lost.
            Body::Corrupt { .. } => named += 1,
            _ => {}
        }
    }
    for n in &acknowledged {
        assert_eq!(times.get(&text(*n)), Some(&1), "acknowledged text {n}");
    }
    assert!(times.values().all(|n| *n == 1), "a text stands twice");
    torture::figure(
        "power loss of the gateway's host under load",
        &format!(
            "{rounds} times, {lost} unsynced writes lost, {torn} of them torn | until the host is up | 0 of {} acknowledged, none twice; {named} never acknowledged named as missing",
            acknowledged.len()
        ),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_goes_down_in_the_middle_again_and_again_has_each_acknowledged_text_stored_once() {
    let Some(library) = lab("powerloss").await else { return };
    const ROUND: usize = 1_000;
    let restarts = torture::rounds(2, 40);
    let mut random = StdRng::seed_from_u64(torture::seed());
    let work = dir::fresh();
    let journal = work.path().join("journal");
    let postgres = Cluster::start(Durability::Synced);
    let database = pg::database_on(&postgres).await;
    let flood = Flood::start(50, 0, acknowledge::make()).await;
    let site = Site::new(&database).link_with("smsc", flood.port, "reconnect_seconds_max = 1");
    let environment = under(&library, &site, &journal).map(|(name, value)| (name.to_owned(), value));
    let (config, launch) = (site.config(), Launch { env: environment.into(), ..Launch::default() });
    let (mut lost, mut offered, mut waits) = (0, 0, Vec::new());
    let mut down = None;
    for restart in 0..=restarts {
        // All that a host runs, begun at once, as after its power came back: nobody waits for anybody.
        let mut gateway = Process::launch("gateway", &config, &launch);
        let mut worker = Process::spawn("worker", &config);
        let before = flood.acknowledged();
        // More than it takes until it goes down again.
        flood.offer((before + ROUND).saturating_sub(offered) as u64);
        offered = offered.max(before + ROUND);
        flood.until_acknowledged(before + 100, LONG).await;
        waits.extend(down.take().map(|at: tokio::time::Instant| at.elapsed().as_secs_f64()));
        if restart == restarts {
            // Up for good.
            flood.until_acknowledged(offered, LONG).await;
            let all = flood.seen(|seen| seen.acknowledged.clone());
            acknowledge::until_stored(&database, &all, 5 * LONG).await;
            break;
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(0..300))).await;
        down = Some(tokio::time::Instant::now());
        gateway.kill().await;
        worker.kill().await;
        tokio::task::block_in_place(|| postgres.kill());
        let (l, torn) = lose(&journal, &mut random);
        println!("restart {restart}: {} acknowledged, {l} writes lost, {torn} torn", flood.acknowledged());
        lost += l;
        tokio::task::block_in_place(|| postgres.up());
    }
    waits.sort_by(f64::total_cmp);
    torture::figure(
        "the host of gateway, worker and PostgreSQL goes down under load and comes back, unsynced writes of the spool lost",
        &format!(
            "{restarts} times, {lost} unsynced writes lost: each text stored once | takes messages again after {:.1} s, at most {:.1} s | nothing of {} acknowledged",
            waits[waits.len() / 2],
            waits[waits.len() - 1],
            flood.acknowledged()
        ),
    );
}
