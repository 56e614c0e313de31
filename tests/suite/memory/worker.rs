//! A worker that is short of memory takes little at a time, the gateway spools on, and all goes on when the
//! pressure is gone.

use std::collections::HashSet;

use scrutineer::limits::{BATCH_RECORDS_SHORT, WORKER_MEMORY_BYTES_MAX};
use sqlx::{Connection, Executor};

use super::{LONG, mixed};
use crate::acknowledge::until_stored;
use crate::support::cgroup::Cgroup;
use crate::support::flood::Flood;
use crate::support::pg;
use crate::support::process::{Launch, Process};
use crate::support::site::Site;
use crate::support::torture::{figure, rounds, skip};

/// Records and batches that the worker committed so far.
async fn committed(worker: &Process) -> (f64, f64) {
    let text = worker.metrics().await;
    let of = |name: &str| {
        let lines = text.lines().filter_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
        lines.sum::<f64>()
    };
    (of("scrutineer_batch_records_total "), of("scrutineer_batches_total "))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_short_of_memory_takes_little_at_a_time_while_the_gateway_spools_and_goes_on_when_it_eased() {
    let group = match Cgroup::memory(WORKER_MEMORY_BYTES_MAX) {
        Ok(group) => group,
        Err(missing) => return skip(&missing),
    };
    let database = pg::database().await;
    let flood = Flood::start(200, 0, mixed()).await;
    let site = Site::new(&database).link_with("smsc", flood.port, "receive_window = 1000");
    let config = site.config();
    let _gateway = site.start("gateway").await;
    let launch = Launch { cgroup: Some(group.procs()), ..Launch::default() };
    let mut worker = Process::launch("worker", &config, &launch);
    worker.ready().await;
    let some = rounds(1_000, 10_000) as u64;
    let mut offered = 0;
    // What it needs for such a load it has from then on: the allocator keeps it.
    let mut at_a_time = Vec::new();
    for short in [false, true, false] {
        if short {
            let held = group.usage();
            group.set_cap((held.anon + held.kernel) * 10 / 8).unwrap();
            worker.logged("memory is short").await;
        }
        // Nothing can be committed while they come: so they wait in the spool, and the SMSC does not.
        let mut admin = database.admin().await;
        let mut hold = admin.begin().await.unwrap();
        hold.execute("LOCK TABLE message IN ACCESS EXCLUSIVE MODE").await.unwrap();
        offered += some;
        flood.offer(some);
        flood.until_acknowledged(offered as usize, LONG).await;
        let before = committed(&worker).await;
        hold.rollback().await.unwrap();
        until_stored(&database, &(0..offered).collect::<HashSet<u64>>(), LONG).await;
        let after = committed(&worker).await;
        at_a_time.push((after.0 - before.0) / (after.1 - before.1).max(1.0));
        if short {
            group.set_cap(WORKER_MEMORY_BYTES_MAX as u64).unwrap();
            worker.logged("memory is below its limit again").await;
        }
    }
    assert!(at_a_time[1] <= BATCH_RECORDS_SHORT as f64, "records in a batch: {at_a_time:?}");
    assert_eq!(group.usage().kills, 0, "{}\n{}", group.usage(), worker.log());
    assert!(worker.is_running());
    figure(
        "worker short of memory, the gateway goes on",
        &format!(
            "{:.0} records in a batch instead of {:.0}, all acknowledged meanwhile; then {:.0} again | until memory eases | nothing of {offered}, nothing twice",
            at_a_time[1], at_a_time[0], at_a_time[2]
        ),
    );
}
