//! The overload ladder on the real gateway when memory is short: the SMSC is told to wait, then to deliver
//! later, then the link is unbound; all goes on by itself when memory is there again.

use std::sync::Arc;
use std::time::Duration;

use scrutineer::limits::{GATEWAY_MEMORY_BYTES_MAX, OVERLOAD_UNBIND_SECONDS, WITHHOLD_SECONDS};

use super::support::cgroup::Cgroup;
use super::support::flood::{self, Flood, Make};
use super::support::process::{Launch, Process};
use super::support::site::Site;
use super::support::torture::{figure, is_long, skip};
use super::support::within;

const LONG: Duration = Duration::from_secs(120);

async fn until(what: &str, reached: impl Fn() -> bool) -> Duration {
    let begun = tokio::time::Instant::now();
    within(Duration::from_secs(OVERLOAD_UNBIND_SECONDS) + LONG, what, async {
        while !reached() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_short_of_memory_climbs_the_ladder_and_binds_again_when_that_has_passed() {
    let group = match Cgroup::memory(GATEWAY_MEMORY_BYTES_MAX) {
        Ok(group) => group,
        Err(missing) => return skip(&missing),
    };
    let make: Make = Arc::new(|number| flood::text("355650000000", &format!("note {number}")));
    let flood = Flood::start(20, 0, make).await;
    let site = Site::without_database().link_with("smsc", flood.port, "reconnect_seconds_max = 1");
    let launch = Launch { cgroup: Some(group.procs()), ..Launch::default() };
    let mut gateway = Process::launch("gateway", &site.config(), &launch);
    gateway.ready().await;
    flood.offer(1_000);
    flood.until_acknowledged(1_000, LONG).await;

    // Page cache is no pressure: a group whose cache fills it takes all.
    assert!(!gateway.log().contains("memory is short"), "{}", gateway.log());
    // What it holds is nine tenths of what it may.
    let held = group.usage();
    group.set_cap((held.anon + held.kernel) * 10 / 9).unwrap();
    gateway.logged("memory is").await;
    gateway.logged("reason=\"memory\"").await;
    // What came in while it was looked at is done by then.
    tokio::time::sleep(Duration::from_secs(1)).await;
    flood.offer(50);
    let before = flood.acknowledged();
    let refused = until("an answer to deliver later", || flood.seen(|seen| seen.refused > 0)).await;
    // The last rung takes a minute, and a disk that fails climbs it in the short form, too.
    let mut unbound = Duration::ZERO;
    if is_long() {
        unbound = until("an unbind", || flood.seen(|seen| seen.unbinds > 0)).await;
        let binds = flood.seen(|seen| seen.binds);
        tokio::time::sleep(Duration::from_secs(15)).await;
        assert_eq!(flood.seen(|seen| seen.binds), binds, "not bound again while memory is short");
    }
    assert_eq!(flood.acknowledged(), before, "nothing is taken");
    assert_eq!(group.usage().kills, 0);
    group.set_cap(GATEWAY_MEMORY_BYTES_MAX as u64).unwrap();
    let healed = tokio::time::Instant::now();
    flood.until_acknowledged(1_050, LONG).await;
    gateway.logged("the overload has passed").await;
    if !is_long() {
        return;
    }
    figure(
        "gateway short of memory",
        &format!(
            "withheld for {WITHHOLD_SECONDS} s, told to deliver later after {:.0} s more, unbound after {:.0} s; bound again and all taken {:.0} s after it eased | as long as it is short | nothing",
            refused.as_secs_f64(),
            (refused + unbound).as_secs_f64(),
            healed.elapsed().as_secs_f64()
        ),
    );
}
