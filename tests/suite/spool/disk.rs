//! A disk that is full, slow, read-only or broken: nothing is acknowledged that is not stored, the reason is
//! said, and all goes on by itself when the disk does.

use std::collections::BTreeMap;
use std::time::Duration;

use scrutineer::handoff::message::Body;

use super::smsc::{Smsc, text};
use super::{lab, opened_and_read};
use crate::support::process::Process;
use crate::support::site::Site;
use crate::support::{dir, torture, within};

const LONG: Duration = Duration::from_secs(90);

async fn all_once(site: &Site, smsc: &Smsc) {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for (_, record) in opened_and_read(&site.spool()).await {
        if let Body::Message(m) = record.body {
            *times.entry(String::from_utf8(m.short_message).unwrap()).or_default() += 1;
        }
    }
    for n in smsc.acknowledged() {
        assert_eq!(times.get(&text(n)), Some(&1), "acknowledged text {n}");
    }
}

/// A gateway under load meets a fault, and is past it.
async fn fault(word: &str, said: &str) {
    let Some(library) = lab("diskfault").await else { return };
    let work = dir::fresh();
    let control = work.path().join("fault");
    let mut smsc = Smsc::start(16).await;
    let site = Site::without_database().link_with("smsc", smsc.port, "reconnect_seconds_max = 1");
    let config = site.config();
    let environment = [
        ("LD_PRELOAD", library.display().to_string()),
        ("DISKFAULT_DIR", site.spool().canonicalize().unwrap().display().to_string()),
        ("DISKFAULT_CONTROL", control.display().to_string()),
    ];
    let mut gateway = Process::start_with("gateway", &config, &environment).await;
    smsc.deliver(200);
    within(LONG, "the first acknowledgements", smsc.until_acknowledged(200)).await;

    std::fs::write(&control, word).unwrap();
    let begun = std::time::Instant::now();
    // What was synced before this moment may still be acknowledged.
    smsc.deliver(50);
    let line = within(LONG, "the reason", gateway.logged("the spool cannot be written")).await;
    assert!(line.contains(said) && line.contains(&site.spool().display().to_string()), "{line}");
    within(LONG, "the SMSC to be told to wait", smsc.until_refused(5)).await;
    let told = begun.elapsed();
    let at_the_fault = smsc.acknowledged().len();
    assert!(at_the_fault < 250, "acknowledged what cannot be stored");

    std::fs::write(&control, "").unwrap();
    let healed = std::time::Instant::now();
    within(LONG, "the rest", smsc.until_acknowledged(250)).await;
    let again = healed.elapsed();
    gateway.logged("the spool can be written again").await;
    assert!(gateway.is_running(), "it went on by itself");
    gateway.kill().await;
    all_once(&site, &smsc).await;
    torture::figure(
        &format!("the spool's disk: {word}"),
        &format!(
            "the SMSC is told to wait after {:.1} s | {:.1} s after the disk is back all is acknowledged | nothing",
            told.as_secs_f64(),
            again.as_secs_f64()
        ),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_waited_for() {
    fault("enospc", "its disk is full").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_became_read_only_is_waited_for() {
    fault("erofs", "disk").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fails_to_write_is_waited_for() {
    fault("eio", "its disk fails").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fails_to_sync_is_waited_for() {
    fault("syncfail", "its disk fails").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_that_takes_seconds_holds_acknowledgements_back_and_loses_none() {
    let Some(library) = lab("diskfault").await else { return };
    let work = dir::fresh();
    let control = work.path().join("fault");
    let mut smsc = Smsc::start(16).await;
    let site = Site::without_database().link_with("smsc", smsc.port, "reconnect_seconds_max = 1");
    let config = site.config();
    let environment = [
        ("LD_PRELOAD", library.display().to_string()),
        ("DISKFAULT_DIR", site.spool().canonicalize().unwrap().display().to_string()),
        ("DISKFAULT_CONTROL", control.display().to_string()),
    ];
    let mut gateway = Process::start_with("gateway", &config, &environment).await;
    smsc.deliver(20);
    within(LONG, "the first acknowledgements", smsc.until_acknowledged(20)).await;
    std::fs::write(&control, "slow 2500").unwrap();
    smsc.deliver(40);
    within(LONG, "acknowledgements at the pace of the disk", smsc.until_acknowledged(60)).await;
    std::fs::write(&control, "").unwrap();
    smsc.deliver(20);
    within(LONG, "the rest", smsc.until_acknowledged(80)).await;
    gateway.kill().await;
    all_once(&site, &smsc).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_real_disk_that_fills_is_waited_for_until_it_has_room() {
    let mut smsc = Smsc::start(64).await;
    let site = Site::without_database().link_with("smsc", smsc.port, "reconnect_seconds_max = 1");
    let folder = site.spool().display().to_string();
    let mount = |arguments: &[&str]| {
        std::process::Command::new("mount").args(arguments).arg(&folder).output().is_ok_and(|out| out.status.success())
    };
    if !mount(&["-t", "tmpfs", "-o", "size=3m", "tmpfs"]) {
        return torture::skip("a mount (root) for a disk of its own");
    }
    struct Unmount(String);
    impl Drop for Unmount {
        fn drop(&mut self) {
            let _ = std::process::Command::new("umount").args(["-l", &self.0]).status();
        }
    }
    let _unmount = Unmount(folder.clone());
    let mut gateway = site.start("gateway").await;
    smsc.pour(true);
    within(LONG, "the disk to fill", gateway.logged("its disk is full")).await;
    within(LONG, "the SMSC to be told to wait", smsc.until_refused(5)).await;
    let doctor = crate::support::process::run(&site.config(), ["doctor"]).await;
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(said.contains(&folder), "{said}");
    let before = smsc.acknowledged().len();
    assert!(mount(&["-o", "remount,size=256m"]));
    within(LONG, "what goes on", smsc.until_acknowledged(before + 500)).await;
    smsc.pour(false);
    gateway.kill().await;
    all_once(&site, &smsc).await;
    assert!(smsc.refused() > 0);
}
