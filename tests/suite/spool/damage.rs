//! Bits that a disk changed: what was stored is read as it was, or named.

use std::collections::BTreeMap;
use std::path::Path;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use scrutineer::handoff::message::Body;
use scrutineer::spool::{Spool, audit};

use super::{Key, all_read_or_named, append, close, opened_and_read, options};
use crate::support::{dir, torture};

/// A folder with two runs, the last one as SIGKILL left it.
struct Made {
    closed: tempfile::TempDir,
    killed: tempfile::TempDir,
    stored: BTreeMap<Key, String>,
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if !entry.file_name().to_string_lossy().ends_with("-shm") {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

async fn made() -> Made {
    let (closed, killed) = (dir::fresh(), dir::fresh());
    let mut stored = BTreeMap::new();
    for run in 0..2 {
        let spool = Spool::open(&options(closed.path())).unwrap();
        for n in 0..150 {
            // Some do not fit a page.
            let text = format!("run {run} text {n} {}", "x".repeat(if n % 40 == 0 { 9_000 } else { n }));
            stored.insert(append(&spool, &text).await, text);
        }
        if run == 1 {
            copy(closed.path(), killed.path());
        }
        close(spool).await;
    }
    Made { closed, killed, stored }
}

fn flip(path: &Path, random: &mut StdRng) -> (usize, u8) {
    let mut bytes = std::fs::read(path).unwrap();
    let (at, bit) = (random.random_range(0..bytes.len()), random.random_range(0..8u8));
    bytes[at] ^= 1 << bit;
    std::fs::write(path, bytes).unwrap();
    (at, bit)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bit_changed_anywhere_loses_no_record_without_a_word() {
    let made = made().await;
    let seed = torture::seed();
    let rounds = torture::rounds(40, 2_000);
    let mut random = StdRng::seed_from_u64(seed);
    let (mut named, mut put_aside) = (0, 0);
    for round in 0..rounds {
        let dir = dir::fresh();
        let (from, file) = match round % 4 {
            0 | 1 => (&made.closed, "spool.sqlite"),
            2 => (&made.killed, "spool.sqlite-wal"),
            _ => (&made.killed, "spool.sqlite"),
        };
        copy(from.path(), dir.path());
        let path = dir.path().join(file);
        if std::fs::metadata(&path).map_or(0, |m| m.len()) == 0 {
            continue;
        }
        let (at, bit) = flip(&path, &mut random);
        println!("round {round}: bit {bit} of byte {at} of {file}");
        let found = opened_and_read(dir.path()).await;
        let lost = all_read_or_named(&made.stored, &found);
        assert!(lost <= 150, "one bit took {lost} records");
        named += lost;
        put_aside += usize::from(!audit::status(dir.path(), 1 << 40).unwrap().damaged.is_empty());
        // What is received from now on has keys of its own, and is read.
        let spool = Spool::open(&options(dir.path())).unwrap();
        let key = append(&spool, "afterwards").await;
        assert!(!made.stored.contains_key(&key));
        close(spool).await;
    }
    torture::figure(
        "a bit of the spool's file changed",
        &format!(
            "{rounds} times, each one bit anywhere; the file was put aside {put_aside} times | the next start | {named} of {} records named and set aside, none without a word",
            rounds * made.stored.len()
        ),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_whose_first_pages_are_gone_gives_what_the_others_hold() {
    let made = made().await;
    for pages in [1, 5] {
        let dir = dir::fresh();
        copy(made.closed.path(), dir.path());
        let path = dir.path().join("spool.sqlite");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[..pages * 4096].fill(0);
        std::fs::write(&path, bytes).unwrap();
        let found = opened_and_read(dir.path()).await;
        let lost = all_read_or_named(&made.stored, &found);
        assert!(lost < 100, "{lost}");
        assert_eq!(audit::status(dir.path(), 1 << 40).unwrap().damaged.len(), 1, "the damaged file is kept");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_whose_commits_sqlite_would_forget_gives_them() {
    let made = made().await;
    let dir = dir::fresh();
    copy(made.killed.path(), dir.path());
    let path = dir.path().join("spool.sqlite-wal");
    let mut bytes = std::fs::read(&path).unwrap();
    // The second frame: all behind it would be forgotten.
    bytes[32 + 24 + 4096 + 24 + 100] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let found = opened_and_read(dir.path()).await;
    let lost = all_read_or_named(&made.stored, &found);
    assert!(lost <= 5, "{lost}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_row_is_handed_on_as_corrupt_while_the_gateway_runs_and_the_rest_goes_on() {
    let dir = dir::fresh();
    let spool = Spool::open(&options(dir.path())).unwrap();
    for n in 1..=9 {
        append(&spool, &format!("text {n}")).await;
    }
    let other = rusqlite::Connection::open(dir.path().join("spool.sqlite")).unwrap();
    other.execute("UPDATE record SET body = x'00' || body WHERE sequence = 4", []).unwrap();
    other.execute("DELETE FROM record WHERE sequence IN (7, 9)", []).unwrap();
    let all = super::read(&spool).await.unwrap();
    assert_eq!(all.iter().map(|(key, _)| key.1).collect::<Vec<_>>(), (1..=9).collect::<Vec<_>>());
    for ((_, sequence), record) in &all {
        match sequence {
            4 => assert!(
                matches!(&record.body, Body::Corrupt { raw, error } if !raw.is_empty() && error.contains("checksum"))
            ),
            7 | 9 => assert!(matches!(&record.body, Body::Corrupt { error, .. } if error.contains("is missing"))),
            n => assert_eq!(super::text(&record.body), format!("text {n}")),
        }
    }
    let found = audit::verify(dir.path(), &mut |_| {}).unwrap();
    let faults: Vec<_> = found.faults.iter().map(|f| (f.sequence, f.run)).collect();
    let run = Some(spool.marks().live);
    assert_eq!(faults, [(Some(4), run), (Some(7), run), (Some(9), run)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_changed_with_its_checksum_breaks_the_chain() {
    let dir = dir::fresh();
    let spool = Spool::open(&options(dir.path())).unwrap();
    for n in 1..=5 {
        append(&spool, &format!("text {n}")).await;
    }
    close(spool).await;
    // As a person would who knows the program: another's row, with a checksum that fits.
    let other = Spool::open(&options(dir::fresh().path())).unwrap();
    close(other).await;
    let db = rusqlite::Connection::open(dir.path().join("spool.sqlite")).unwrap();
    db.execute("UPDATE link SET name = 'smsd'", []).unwrap();
    let found = audit::verify(dir.path(), &mut |_| {}).unwrap();
    assert_eq!(found.faults.len(), 5, "the link's name is part of the chain");
    assert!(found.faults[0].what.contains("chain breaks"), "{:?}", found.faults);
}
