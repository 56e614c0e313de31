//! Gateways, workers and an SMSC under thousands of seeded schedules of delays, cuts, partitions, crashes
//! and failovers, on simulated time, network and database.
//!
//! The program's own code runs: links, spool (on SQLite), handoff, intake and outbox, as the roles compose
//! them. Instead of PostgreSQL there is a model of its tables (`model`). A seed gives the same run each time;
//! a run that fails prints its seed, its schedule without the faults that it does not need, and what happened.
//!
//! Broken on purpose, one thing at a time, from seed 1 on, with the schedule that found it:
//!
//! | what was broken | found by |
//! |---|---|
//! | acknowledged before the spool has it | 9 |
//! | a rewound watermark is passed over | 10 |
//! | the watermark is the newest of a batch, not what has no gap | 74 |
//! | leased replies are taken as if they were due | 2 |
//! | the gateway forgets what it submitted | 9 |
//! | a reply is tried three times | 40 |
//! | corrections count as they arrive | 5 |
//! | redeliveries are not matched | 1 |
//! | submits that a crash left open stay so | 47 |
//! | what may be delivered again is forgotten with the process | 9 |
//! | an incident that another host has stored already is stored once more | 100 |
//! | what ended sessions left unanswered other hosts are not told of | 424 |
//! | a reply decided anew does not learn the text that went, from its result or its gateway | 105 |
//! | only the result does not say it | 1, 5, 16, 21 and 27 of the pinned plan |
//! | acceptances of replies that have no row (yet) are dropped | 198 |
//!
//! A sync that fails leaves what it wrote in the file or not, and a crash finds either. A worker that stands still
//! reaches nobody and keeps what its transactions hold, until its watchdog restarts it. Not simulated: one thread
//! of several that stands still (`hang` does that to the real processes).
//!
//! What the law leaves open: an incident that the network holds back for less than that is asked after, until another
//! host was given it, is a second one there.
//!
//! On half of the sites with several links the SMSC roams: what waits for an account without a session goes to
//! another one, of that host or the other. A host stores it once, by whichever link; two hosts both store the
//! text, and one incident.
//!
//! Where failovers lost commits, a host may store anew, and decide otherwise, what another host's reply answered,
//! or its own before: a result says the text that went, so the row does too.
//!
//! Not found within 200 schedules, as the law leaves room for it where a failover lost commits, or as it is rarer:
//! what a write found there already is not looked at; a receipt settles one of several texts that it may mean. Nor,
//! with the plans as they were before, a reply's key by the part that came last, copies of parts that are not known,
//! an attempt that two hosts sent and that is not counted. `acknowledge = "committed"` is played, but no host loses
//! its disk.

#![allow(missing_docs, reason = "what these are is said by the program's own types of these names")]

mod check;
mod conform;
mod dice;
mod model;
mod net;
mod plan;
mod site;
mod smsc;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use scrutineer::limits::RECEIPT_WAITS_SECONDS;
use tokio::time::{Instant, sleep, sleep_until};

use self::check::{Spooled, check, read_spool};
use self::model::Failing;
use self::plan::{Fault, Plan};
use self::site::Site;
use super::support::torture;

/// All must have drained by then.
const DRAINED: Duration = Duration::from_secs(1_500);

/// Schedules of `make test`, and of `make torture`.
const ROUNDS: (usize, usize) = (150, 10_000);

/// Schedules that may fail before it ends.
const FAILING: usize = 10;

/// See [`Outcome::seen`].
type Seen = [u64; 7];

/// What a run came to.
struct Outcome {
    findings: Vec<String>,
    trace: Vec<String>,
    /// Redeliveries, those of them to another account, unanswered submits, lost commits, leases that ran out,
    /// texts of unknown outcome that a receipt settled, and simulated seconds.
    seen: Seen,
}

fn run(plan: &Plan) -> Outcome {
    if let Ok(filter) = std::env::var("SCRUTINEER_SIMULATION_LOG") {
        let _ = tracing_subscriber::fmt().with_env_filter(filter).without_time().with_test_writer().try_init();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut site = Site::new(plan.seed, plan.topology);
        site.heal().await;
        let begun = Instant::now();
        let mut faults = plan.events();
        faults.reverse();
        let mut texts: Vec<_> = plan.texts.iter().enumerate().collect();
        texts.sort_by_key(|(n, text)| (std::cmp::Reverse(text.at), *n));
        loop {
            let fault = faults.last().map(|(at, _)| *at);
            let text = texts.last().map(|(_, text)| text.at);
            let Some(next) = [fault, text].into_iter().flatten().min() else { break };
            sleep_until(begun + next).await;
            if Some(next) == text
                && let Some((n, text)) = texts.pop()
            {
                site.net.note(format_args!("observer {} sends text {n}: {:?}", text.observer, text.text));
                for (part, (account, message)) in text.parts.iter().enumerate() {
                    site.smsc.deliver(*account, message.clone(), Some((n, part)), Duration::ZERO);
                }
            } else if let Some((_, fault)) = faults.pop() {
                fault.happen(&mut site).await;
            }
        }
        sleep_until(begun + plan.healed()).await;
        site.net.note("=== all faults are over");
        site.heal().await;
        let mut findings = Vec::new();
        let mut calm = 0;
        while calm < 2 {
            sleep(Duration::from_secs(5)).await;
            calm = if waits_for(&site).is_empty() { calm + 1 } else { 0 };
            if begun.elapsed() > DRAINED {
                findings.push(format!("it does not end: {}", waits_for(&site).join("; ")));
                break;
            }
        }
        site.net.note("=== drained");
        if a_receipt_may_settle_something(&site) {
            sleep(Duration::from_secs(u64::from(RECEIPT_WAITS_SECONDS.unsigned_abs()) + 30)).await;
        }
        site.stop().await;
        sleep(Duration::from_secs(10)).await;
        let spools: Vec<Spooled> = (0..plan.topology.gateways).map(|at| read_spool(&site.spool(at))).collect();
        findings.extend(check(plan, &site, &spools).0);
        let (unanswered, redelivered, roamed) = site.smsc.counts();
        let [lost, lapsed, settled] = site.db.counts();
        Outcome {
            findings,
            trace: site.net.trace(),
            seen: [redelivered, roamed, unanswered, lost, lapsed, settled, begun.elapsed().as_secs()],
        }
    })
}

/// What is still under way.
fn waits_for(site: &Site) -> Vec<String> {
    let mut waits = Vec::new();
    if !site.smsc.all_acknowledged() {
        waits.push("the SMSC has something to deliver".to_owned());
    }
    for at in 0..site.topology.gateways {
        match site.marks(at) {
            Some((newest, committed)) if committed >= newest => {}
            marks => waits.push(format!("gateway {at} has records to hand over (newest, committed: {marks:?})")),
        }
    }
    let tables = site.db.tables();
    let open = tables.outbox.values().filter(|r| matches!(r.state, "due" | "leased")).count();
    if open > 0 {
        waits.push(format!("{open} replies are due or leased"));
    }
    if !tables.sets.is_empty() {
        waits.push("parts of texts wait".to_owned());
    }
    waits
}

/// Is a text of unknown outcome, and do receipts wait whose id no response told?
fn a_receipt_may_settle_something(site: &Site) -> bool {
    let tables = site.db.tables();
    let unknown = tables.outbox.values().filter(|r| r.state == "unknown");
    let waits = |phone: i64| tables.early.values().any(|r| r.phone_id == Some(phone));
    unknown.into_iter().any(|r| waits(r.phone_id))
}

/// Leaves faults out, half of them at first, as long as it fails all the same.
fn shrink(plan: &Plan) -> (Plan, Outcome) {
    let (mut least, mut outcome) = (plan.clone(), run(plan));
    let mut slice = least.faults.len().div_ceil(2);
    while slice > 0 {
        let mut at = 0;
        while at < least.faults.len() {
            let mut less = least.clone();
            less.faults.drain(at..(at + slice).min(less.faults.len()));
            let now = run(&less);
            if now.findings.is_empty() {
                at += slice;
            } else {
                (least, outcome) = (less, now);
            }
        }
        slice /= 2;
    }
    (least, outcome)
}

fn fail(plan: &Plan) -> ! {
    let (least, outcome) = shrink(plan);
    let from = outcome.trace.len().saturating_sub(400);
    panic!(
        "{}\n{least}what happened (of {} lines the last):\n{}\n\n{}\nSCRUTINEER_SEED={} repeats it",
        outcome.findings.join("\n"),
        outcome.trace.len(),
        outcome.trace[from..].join("\n"),
        outcome.findings.join("\n"),
        plan.seed
    );
}

/// Once stored twice: the SMSC, told to deliver later what a slow disk then stored all the same, did so before
/// the gateway knew it.
#[test]
fn what_a_slow_disk_stores_after_all_is_stored_once() {
    for seed in 0..5 {
        let mut plan = Plan::new(seed);
        let slow = |at, ms| (Duration::from_secs(at), Fault::SlowDisk(0, ms));
        plan.faults = vec![vec![slow(1, 9_000), slow(31, 0)]];
        if !run(&plan).findings.is_empty() {
            fail(&plan);
        }
    }
}

/// Once a row said words that never went, and nothing told: failovers had lost commits, what was decided anew was
/// committed without an answer, and the result of what had gone was read before the gateway was asked; or another
/// host stored the reply anew.
#[test]
fn a_reply_decided_anew_by_commits_without_answers_says_what_went() {
    for seed in [1, 5, 16, 21, 27] {
        let mut plan = Plan::new(seed);
        let at = Duration::from_secs;
        let failing = |commits| Fault::DatabaseFails(Failing { statements: 0, commits });
        let mut faults = vec![(at(1), failing(500)), (at(33), failing(0))];
        faults.extend((1..9).map(|n| (at(4 * n), Fault::FailOver(8))));
        plan.faults = vec![faults];
        if !run(&plan).findings.is_empty() {
            fail(&plan);
        }
    }
}

/// Once two: a disk that failed stored it after its session had ended, the link was bound again and went on, and
/// other hosts were told that the SMSC had all responses so far; or neither host knew yet that there was another; or
/// the one that had it first was the later one by the hosts' clocks; or two equal ones came to the other host in
/// one batch; or the network had held it back, until the other host was given it.
#[test]
fn an_incident_left_unanswered_and_given_to_another_host_is_one() {
    for seed in [200_408, 200_444, 201_790, 309_022, 403_175] {
        let plan = Plan::new(seed).with_an_incident_on_two_hosts();
        if !run(&plan).findings.is_empty() {
            fail(&plan);
        }
    }
}

/// Once twice: the gateway was started anew, or its session ended again, and what it had not acknowledged, as nothing
/// could be committed, came again later than redeliveries are expected.
#[test]
fn what_was_not_acknowledged_while_nothing_could_be_committed_is_stored_once() {
    for seed in [503_741, 503_806, 504_771, 506_224] {
        let plan = Plan::of(seed);
        if !run(&plan).findings.is_empty() {
            fail(&plan);
        }
    }
}

/// Once two: what had come by one link was left unanswered, and given again, by another one, and hosts were told of it
/// as if that one had brought it; or it was told no more as soon as it had come again, before that was stored.
#[test]
fn an_incident_that_came_by_another_link_and_was_given_to_another_host_is_one() {
    for seed in [9_010_903, 5_827_838_913_159_189_527] {
        let plan = Plan::of(seed);
        if !run(&plan).findings.is_empty() {
            fail(&plan);
        }
    }
}

/// Once twice: the SMSC was told to deliver later for a minute and a half, and what it had no response to from before
/// came after that, when it was expected no more.
#[test]
fn what_waits_behind_messages_that_are_refused_is_stored_once() {
    let plan = Plan::of(9_010_354);
    if !run(&plan).findings.is_empty() {
        fail(&plan);
    }
}

/// Once kept for ever, and with it every text whose parts did not all come: a host kept a part while another one
/// committed the whole text.
#[test]
fn a_copy_of_a_part_that_came_while_another_host_had_the_text_whole_goes_in_time() {
    for seed in [608_846, 609_652] {
        let plan = Plan::of(seed);
        if !run(&plan).findings.is_empty() {
            fail(&plan);
        }
    }
}

/// Once leased for ever: a crash, and commits that were lost, and the result of what had gone was read before the
/// reply was leased anew.
#[test]
fn a_reply_that_went_before_it_was_leased_anew_is_settled() {
    let plan = Plan::new(201_189).with_an_incident_on_two_hosts();
    if !run(&plan).findings.is_empty() {
        fail(&plan);
    }
}

/// Runs schedules on every processor; what they saw, added up. Past [`FAILING`] of them that fail it ends; the first
/// is told whole, the others by what is wrong.
fn run_all(seed: u64, rounds: u64) -> Seen {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicU64::new(0);
    let failing = Mutex::new(Vec::new());
    let work = || {
        let mut seen = Seen::default();
        loop {
            let round = next.fetch_add(1, Ordering::Relaxed);
            if round >= rounds {
                return seen;
            }
            let plan = Plan::of(seed.wrapping_add(round));
            let outcome = run(&plan);
            if !outcome.findings.is_empty() {
                eprintln!("seed {}: {}", plan.seed, outcome.findings.join("; "));
                let mut failing = failing.lock().unwrap();
                failing.push(plan);
                if failing.len() >= FAILING {
                    next.store(rounds, Ordering::Relaxed);
                }
            }
            seen.iter_mut().zip(outcome.seen).for_each(|(sum, n)| *sum += n);
        }
    };
    let seen = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut seen = Seen::default();
        for thread in threads {
            match thread.join() {
                Ok(of) => seen.iter_mut().zip(of).for_each(|(sum, n)| *sum += n),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        seen
    });
    if let Some(plan) = failing.into_inner().unwrap().iter().min_by_key(|plan| plan.seed) {
        fail(plan);
    }
    seen
}

/// The long form takes other schedules each time. The short one takes the same: what it finds is new.
fn seed() -> u64 {
    let is_free = torture::is_long() || std::env::var_os("SCRUTINEER_SEED").is_some();
    if is_free { torture::seed() } else { 1 }
}

#[test]
fn every_schedule_keeps_the_promises() {
    let seed = seed();
    let rounds = match std::env::var("SCRUTINEER_SCHEDULES") {
        Ok(rounds) => rounds.parse().expect("SCRUTINEER_SCHEDULES is a number"),
        Err(_) => torture::rounds(ROUNDS.0, ROUNDS.1),
    };
    let began = std::time::Instant::now();
    let [redelivered, roamed, unanswered, lost, lapsed, settled, simulated] = run_all(seed, rounds as u64);
    let seconds = began.elapsed().as_secs_f64();
    torture::figure(
        "simulated schedules of delays, cuts, partitions, crashes, failovers, failing disks and databases",
        &format!(
            "{rounds} schedules: {redelivered} redeliveries, {roamed} of them to another link or host, {unanswered} submits without answer, {lost} commits lost, {lapsed} leases that ran out, {settled} unknown outcomes settled by a receipt, {} hours simulated | {seconds:.0} s, {:.0} schedules/s | nothing",
            simulated / 3_600,
            rounds as f64 / seconds
        ),
    );
}

#[test]
fn a_seed_gives_the_same_run_each_time() {
    let seed = seed();
    for round in 0..torture::rounds(5, 200) as u64 {
        let plan = Plan::of(seed.wrapping_add(round));
        let (first, second) = (run(&plan).trace, run(&plan).trace);
        let differs = first.iter().zip(&second).position(|(a, b)| a != b);
        if let Some(at) = differs.or((first.len() != second.len()).then_some(first.len().min(second.len()))) {
            let around = at.saturating_sub(10);
            panic!(
                "seed {}: the runs part at line {at}\n{}\n--- the other:\n{}",
                plan.seed,
                first[around..(at + 3).min(first.len())].join("\n"),
                second[around..(at + 3).min(second.len())].join("\n")
            );
        }
    }
}
