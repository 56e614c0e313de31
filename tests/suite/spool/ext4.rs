//! The spool on a real ext4 of its own, which the kernel makes read-only or shuts down; and one that has
//! reached its size. Each time the SMSC is told to wait, then to store; log, metric and `doctor` say why.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use scrutineer::limits::OVERLOAD_UNBIND_SECONDS;

use super::opened_and_read;
use crate::support::flood::{self, Flood, Make};
use crate::support::handoff::Client;
use crate::support::process::{self, Process};
use crate::support::site::Site;
use crate::support::{torture, within};

const LONG: Duration = Duration::from_secs(90);

/// `EXT4_IOC_SHUTDOWN` of `fs/ext4/ext4.h`, and its flag that leaves what is in the journal's memory unwritten.
const SHUTDOWN: &str = "import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack('I', 2))";

/// A file system in a file, mounted on a folder.
struct Ext4 {
    image: PathBuf,
    folder: PathBuf,
    mounts: usize,
}

impl Ext4 {
    fn new(site: &Site) -> Option<Self> {
        let made = site.file("disk.img", b"");
        std::fs::File::options().write(true).open(&made).unwrap().set_len(24 << 20).unwrap();
        let quietly = |command: &mut Command| command.output().is_ok_and(|out| out.status.success());
        if !quietly(Command::new("mkfs.ext4").args(["-q", "-m", "0"]).arg(&made)) {
            torture::skip("mkfs.ext4");
            return None;
        }
        let mut disk = Self { image: made, folder: site.spool(), mounts: 0 };
        if !disk.mount() {
            torture::skip("a loop device and a mount (root) for a disk of its own");
            return None;
        }
        Some(disk)
    }

    /// Mounts it, over what is mounted there: what the disk holds then, in a file of its own, as the kernel keeps
    /// the state of one that is mounted still.
    fn mount(&mut self) -> bool {
        let copy = self.image.with_extension(format!("{}.img", self.mounts));
        std::fs::copy(&self.image, &copy).unwrap();
        let mounted = run("mount", &["-o", "loop", text(&copy), text(&self.folder)]);
        self.image = copy;
        self.mounts += usize::from(mounted);
        mounted
    }
}

impl Drop for Ext4 {
    fn drop(&mut self) {
        for _ in 0..self.mounts {
            run("umount", &["-l", text(&self.folder)]);
        }
    }
}

fn run(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|out| out.status.success())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn make() -> Make {
    Arc::new(|number| flood::text(&format!("3556{:07}", number % 1_000), &format!("note {number}")))
}

/// What the gateway's metrics and `doctor` say.
async fn said(gateway: &Process, config: &Path, why: &str) -> String {
    let metrics = gateway.metrics().await;
    let line = format!("scrutineer_spool_trouble{{why=\"{why}\"}} 1");
    assert!(metrics.contains(&line), "{line}\n{metrics}");
    let doctor = process::run(config, ["doctor"]).await;
    String::from_utf8_lossy(&doctor.stdout).into_owned()
}

/// A fault of the disk, for so long that the link is unbound where `to_the_end`.
async fn fault(name: &str, happens: impl Fn(&Ext4) -> bool, why: &str, words: &str, doctor: &str, to_the_end: bool) {
    let flood = Flood::start(20, 0, make()).await;
    let site = Site::without_database().link_with("smsc", flood.port, "reconnect_seconds_max = 1");
    let Some(mut disk) = Ext4::new(&site) else { return };
    let config = site.config();
    let mut gateway = Process::start("gateway", &config).await;
    flood.offer(200);
    flood.until_acknowledged(200, LONG).await;
    let mut worker = Client::connect(&site.socket()).await;
    worker.record().await;

    if !happens(&disk) {
        return torture::skip(&format!("{name}: the kernel does not do that here"));
    }
    let begun = tokio::time::Instant::now();
    flood.offer(100);
    let reached = async |what: &str, reached: &dyn Fn() -> bool| {
        within(Duration::from_secs(OVERLOAD_UNBIND_SECONDS) + LONG, what, async {
            while !reached() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        begun.elapsed().as_secs_f64()
    };
    within(LONG, "the reason", gateway.logged(words)).await;
    let told = reached("an answer to deliver later", &|| flood.seen(|seen| seen.refused > 0)).await;
    let finding = said(&gateway, &config, why).await;
    assert!(finding.contains(doctor) && finding.contains(text(&disk.folder)), "{finding}");
    let mut unbound = None;
    if to_the_end {
        unbound = Some(reached("an unbind", &|| flood.seen(|seen| seen.unbinds > 0)).await);
        assert!(told < unbound.unwrap(), "the rungs come one after the other");
    }
    let before = flood.acknowledged();
    assert!(before < 300, "acknowledged what cannot be stored");

    assert!(disk.mount(), "the disk is back");
    let healed = tokio::time::Instant::now();
    flood.until_acknowledged(300, LONG).await;
    let again = healed.elapsed().as_secs_f64();
    gateway.logged("the spool can be written again").await;
    assert!(gateway.is_running(), "it went on by itself");
    let all = within(LONG, "the worker to read on", Client::all(&site.socket())).await.len();
    assert!(all >= 300, "{all} records are handed over");
    gateway.kill().await;
    let stored = opened_and_read(&site.spool()).await;
    let texts = |n: u64| {
        let wanted = format!("note {n}");
        stored.iter().filter(|(_, r)| matches!(&r.body, scrutineer::handoff::message::Body::Message(m) if m.short_message == wanted.as_bytes())).count()
    };
    for number in 0..300 {
        assert_eq!(texts(number), 1, "text {number}");
    }
    torture::figure(
        name,
        &format!(
            "the SMSC is told to deliver later after {told:.1} s{} | {again:.1} s after the disk is back all is acknowledged | nothing",
            unbound.map(|s| format!(", unbound after {s:.0} s")).unwrap_or_default()
        ),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_shut_down_takes_nothing_until_the_link_is_unbound_and_all_goes_on_when_it_is_back() {
    let shut = |disk: &Ext4| run("python3", &["-c", SHUTDOWN, text(&disk.folder)]);
    fault("the spool's disk is shut down (EIO)", shut, "io", "its disk fails", "can't be written", true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_the_kernel_made_read_only_is_waited_for() {
    // As with `errors=remount-ro`: files that are open do not stand in the way.
    let abort = |disk: &Ext4| run("mount", &["-o", "remount,abort", text(&disk.folder)]);
    fault(
        "the spool's disk became read-only",
        abort,
        "read_only",
        "the spool cannot be written",
        "can't be written",
        false,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spool_that_has_reached_its_size_takes_nothing_until_it_may_be_greater() {
    let make: Make = Arc::new(|number| {
        let mut message = flood::text(&format!("3556{:07}", number % 1_000), "");
        message.payload = Some(format!("note {number} {}", "x".repeat(40_000)).into_bytes());
        message
    });
    let flood = Flood::start(20, 0, make).await;
    let mut site = Site::without_database().link_with("smsc", flood.port, "reconnect_seconds_max = 1");
    site.gateway = "spool_megabytes_max = 16".to_owned();
    let config = site.config();
    let mut gateway = site.start("gateway").await;
    flood.offer(600);
    within(LONG, "the spool to fill", gateway.logged("it has reached spool_megabytes_max")).await;
    // The size is looked at once a second: what came until then is taken.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let held = flood.acknowledged();
    assert!(held >= 200, "{held} of 40,000 bytes each fit 16 MiB");
    flood.offer(100);
    within(LONG, "an answer to deliver later", async {
        while flood.seen(|seen| seen.refused) == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    gateway.logged("reason=\"spool_full\"").await;
    let finding = said(&gateway, &config, "full").await;
    assert!(finding.contains("spool.contents") && finding.contains("spool_megabytes_max"), "{finding}");
    assert_eq!(flood.acknowledged(), held, "nothing more is taken");
    assert!(gateway.log().contains("the spool is nearly full"), "{}", gateway.log());
    assert!(gateway.stop().await.success(), "it stops though it is full");
    site.gateway = "spool_megabytes_max = 64".to_owned();
    let _gateway = site.start("gateway").await;
    flood.until_acknowledged(700, LONG).await;
}
