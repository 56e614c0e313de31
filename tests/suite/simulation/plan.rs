//! What happens in a run, by its seed: the texts that phones send, and the faults. Made before the run, so
//! that it can be printed, and halved when it fails.

use std::fmt;
use std::time::Duration;

use scrutineer::limits::LEASE_SECONDS;
use scrutineer::smpp::pdu::ESM_UDH;
use scrutineer::smpp::{Address, ShortMessage};
use scrutineer::spool::Fails;
use scrutineer::text::segments;

use super::dice::Dice;
use super::model::{DATABASE, Failing};
use super::net::Host;
use super::site::{GATEWAYS, OBSERVERS, Site, Topology, WORKERS, phone};
use super::smsc::{Mood, SHORTCODE, SMSC};

/// The shortest lease that may be set.
const LEASE_SECONDS_MIN: i32 = 20;
/// Texts and faults begin within so many milliseconds.
const TEXTS_MS: u64 = 30_000;
/// Seconds after the bind within which a redelivery is expected, as long as the configuration says nothing else.
const REDELIVERED_WITHIN: u64 = 60;
/// All faults are over so long after the last of them, at the earliest.
const HEALS_AFTER: Duration = Duration::from_secs(3);

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A report: code and its answer.
    Report(&'static str, i64),
    /// An incident.
    Incident,
    /// No report at all.
    Other,
    /// What the database refuses.
    Poison,
}

/// A text that a phone sends.
#[derive(Debug, Clone)]
pub struct Text {
    pub at: Duration,
    pub observer: usize,
    pub kind: Kind,
    pub text: String,
    /// Each part with the account that it is delivered by.
    pub parts: Vec<(usize, ShortMessage)>,
}

/// A fault, or its end.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    CrashGateway(usize),
    StartGateway(usize),
    CrashWorker(usize),
    StartWorker(usize),
    CrashSmsc,
    StartSmsc,
    Part(Host, Host),
    Join(Host, Host),
    Cut(Host, Host),
    DatabaseDown,
    DatabaseUp,
    /// Another server takes over, which lacks so many commits.
    FailOver(usize),
    SmscIs(Mood),
    Delays(u64),
    SlowDisk(usize, u64),
    DiskFails(usize, Fails),
    DiskWorks(usize),
    /// A worker neither reads nor writes, and keeps its connections and what its transactions hold.
    Hang(usize),
    Thaw(usize),
    SlowDatabase(u64),
    DatabaseFails(Failing),
    CrashAll,
    StartAll,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    pub topology: Topology,
    pub texts: Vec<Text>,
    /// Each with its end, when it has one.
    pub faults: Vec<Vec<(Duration, Fault)>>,
}

impl Plan {
    pub fn new(seed: u64) -> Self {
        let dice = Dice::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d).wrapping_add(1));
        let gateways = 1 + dice.below(2);
        let links = 1 + usize::from(dice.once_in(3));
        let lanes = 1 + dice.below(3) as u16;
        // Two links that wait for one mark are woken in an order that tokio draws by lot.
        let committed = dice.once_in(6) && links == 1;
        let lease_seconds = *dice.pick(&[LEASE_SECONDS_MIN, LEASE_SECONDS]);
        let roams = gateways * links > 1 && dice.once_in(2);
        let topology = Topology { gateways, links, lanes, committed, lease_seconds, roams };
        let texts = texts(&dice, topology);
        // A few runs have no faults at all: there nothing may happen twice.
        let faults = if dice.once_in(12) { 0 } else { 1 + dice.below(9) };
        let faults = (0..faults).map(|_| fault(&dice, topology, &texts)).collect();
        Self { seed, topology, texts, faults }
    }

    /// With a host that is gone as it took an incident, on half of the sites with two hosts between which the SMSC
    /// roams: the other host is given the incident too. By chance alone that happens once in hundreds of plans.
    pub fn with_an_incident_on_two_hosts(mut self) -> Self {
        let dice = Dice::new(self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(7));
        let incidents: Vec<&Text> =
            self.texts.iter().filter(|text| text.kind == Kind::Incident && text.parts.len() == 1).collect();
        if !self.topology.roams || self.topology.gateways < 2 || incidents.is_empty() || dice.once_in(2) {
            return self;
        }
        let text = dice.pick(&incidents);
        let host = text.parts[0].0 / self.topology.links;
        let at = text.at + dice.millis(5, 400);
        let until = at + dice.millis(500, 20_000);
        self.faults.push(match dice.below(3) {
            0 => vec![(at, Fault::CrashGateway(host)), (until, Fault::StartGateway(host))],
            1 => vec![(at, Fault::Part(GATEWAYS[host], SMSC)), (until, Fault::Join(GATEWAYS[host], SMSC))],
            _ => {
                let cut = |n: u64| (at + Duration::from_millis(700 * n), Fault::Cut(GATEWAYS[host], SMSC));
                (0..4).map(cut).collect()
            }
        });
        self
    }

    /// With a database that is away, on some sites with two hosts between which the SMSC roams, for longer than what
    /// was left unanswered is expected again: both hosts look at what both were given only after that.
    pub fn with_a_long_outage(mut self) -> Self {
        let dice = Dice::new(self.seed.wrapping_mul(0xd6e8_feb8_6659_fd93).wrapping_add(13));
        let incidents: Vec<&Text> = self.texts.iter().filter(|text| text.kind == Kind::Incident).collect();
        if !self.topology.roams || self.topology.gateways < 2 || incidents.is_empty() || !dice.once_in(3) {
            return self;
        }
        let at = dice.pick(&incidents).at.saturating_sub(dice.millis(0, 4_000));
        let until = at + Duration::from_secs(REDELIVERED_WITHIN) + dice.millis(5_000, 60_000);
        self.faults.push(vec![(at, Fault::DatabaseDown), (until, Fault::DatabaseUp)]);
        self
    }

    /// What a seed stands for.
    pub fn of(seed: u64) -> Self {
        Self::new(seed).with_an_incident_on_two_hosts().with_a_long_outage()
    }

    /// When all faults are over.
    pub fn healed(&self) -> Duration {
        let faults = self.faults.iter().flatten().map(|(at, _)| *at);
        faults.chain(self.texts.iter().map(|text| text.at)).max().unwrap_or_default() + HEALS_AFTER
    }

    /// All faults and their ends, in order.
    pub fn events(&self) -> Vec<(Duration, Fault)> {
        let mut events: Vec<_> = self.faults.iter().flatten().copied().collect();
        events.sort_by_key(|(at, _)| *at);
        events
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}: {:?}, {} texts", self.seed, self.topology, self.texts.len())?;
        for (at, fault) in self.events() {
            writeln!(f, "  {:>8.3} s  {fault:?}", at.as_secs_f64())?;
        }
        Ok(())
    }
}

fn texts(dice: &Dice, topology: Topology) -> Vec<Text> {
    let accounts = topology.gateways * topology.links;
    let count = 8 + dice.below(25);
    let mut texts: Vec<Text> = Vec::with_capacity(count);
    for n in 0..count {
        let at = dice.millis(0, TEXTS_MS);
        let observer = dice.below(OBSERVERS);
        let code = 100_001 + observer;
        let unique = 1_000 + n as i64;
        let (kind, text) = match dice.below(20) {
            // A genuine resend, soon or late, by the same phone.
            0..=2 if !texts.is_empty() => {
                let before = dice.pick(&texts);
                let mut again = before.clone();
                again.at += dice.millis(0, 12_000);
                for (account, message) in &mut again.parts {
                    *account = dice.below(accounts);
                    if message.esm_class == ESM_UDH {
                        message.short_message[3] = n as u8;
                    }
                }
                texts.push(again);
                continue;
            }
            3..=4 => (Kind::Incident, format!("EM{code}!{}", dice.pick(&["EA", "EB", "EAEB"]))),
            5 if dice.once_in(4) => (Kind::Poison, format!("poison {n}")),
            5 => (Kind::Other, format!("hello {n}")),
            6..=8 => {
                let long = "the queue is long and the box is open since morning ".repeat(4 + dice.below(3));
                (Kind::Report("AC", unique), format!("PS{code}AC{unique} @{long}"))
            }
            _ => {
                let question = *dice.pick(&["AA", "AB", "AC"]);
                (Kind::Report(question, unique), format!("PS{code}{question}{unique}"))
            }
        };
        let one = dice.below(accounts);
        let split = segments::split(&text, n as u8, 10).unwrap();
        let parts = split
            .into_iter()
            .map(|part| {
                // The SMSC may send the parts of one text by several hosts.
                let account = if dice.once_in(3) { dice.below(accounts) } else { one };
                let message = ShortMessage {
                    source: Address::guess(&phone(observer)),
                    destination: Address::guess(SHORTCODE),
                    esm_class: if part.udhi { ESM_UDH } else { 0 },
                    data_coding: part.data_coding,
                    short_message: part.short_message,
                    ..ShortMessage::default()
                };
                (account, message)
            })
            .collect();
        texts.push(Text { at, observer, kind, text, parts });
    }
    texts
}

fn fault(dice: &Dice, topology: Topology, texts: &[Text]) -> Vec<(Duration, Fault)> {
    // Half of them while a text is on its way.
    let at = if dice.once_in(2) { dice.pick(texts).at + dice.millis(0, 60) } else { dice.millis(500, 36_000) };
    // Some last longer than the shortest lease, so that another host takes over.
    let until = at + dice.millis(0, *dice.pick(&[4_000, 4_000, 4_000, 25_000, 25_000, 50_000]));
    let one = dice.below(topology.gateways);
    let (gateway, worker) = (GATEWAYS[one], WORKERS[one]);
    let pairs = [(gateway, SMSC), (worker, gateway), (worker, DATABASE)];
    let (a, b) = *dice.pick(&pairs);
    match dice.below(21) {
        0 | 1 => vec![(at, Fault::CrashGateway(one)), (until, Fault::StartGateway(one))],
        2 | 3 => vec![(at, Fault::CrashWorker(one)), (until, Fault::StartWorker(one))],
        4 => vec![(at, Fault::CrashSmsc), (until, Fault::StartSmsc)],
        5 | 6 => vec![(at, Fault::Part(a, b)), (until, Fault::Join(a, b))],
        7 | 8 => vec![(at, Fault::Cut(a, b))],
        9 => vec![(at, Fault::DatabaseDown), (until, Fault::DatabaseUp)],
        10 => vec![(at, Fault::FailOver(dice.below(12)))],
        11 => {
            let mood = Mood {
                silent: dice.below(40),
                throttled: dice.below(40),
                refused: dice.below(10),
                late_ms: dice.millis(1, 14_000).as_millis() as u64,
            };
            vec![(at, Fault::SmscIs(mood)), (until, Fault::SmscIs(Mood::default()))]
        }
        12 => vec![(at, Fault::Delays(dice.millis(5, 2_500).as_millis() as u64)), (until, Fault::Delays(5))],
        13 => {
            let ms = dice.millis(10, 9_000).as_millis() as u64;
            vec![(at, Fault::SlowDisk(one, ms)), (until, Fault::SlowDisk(one, 0))]
        }
        14 => {
            let how = *dice.pick(&[Fails::Full, Fails::ReadOnly, Fails::Sync]);
            vec![(at, Fault::DiskFails(one, how)), (until, Fault::DiskWorks(one))]
        }
        15 | 16 => {
            let failing = Failing { statements: *dice.pick(&[0, 10, 100, 500]), commits: *dice.pick(&[0, 50, 500]) };
            vec![(at, Fault::DatabaseFails(failing)), (until, Fault::DatabaseFails(Failing::default()))]
        }
        17 if dice.once_in(3) => vec![(at, Fault::CrashAll), (until, Fault::StartAll)],
        // Both ways of a worker at once: as if it hung.
        17 => vec![
            (at, Fault::Part(worker, gateway)),
            (at, Fault::Part(worker, DATABASE)),
            (until, Fault::Join(worker, gateway)),
            (until, Fault::Join(worker, DATABASE)),
        ],
        // A sync that fails, and often a host that restarts before the disk works again: what was refused may
        // stand in the file all the same.
        18 => {
            let mut events = vec![(at, Fault::DiskFails(one, Fails::Sync)), (until, Fault::DiskWorks(one))];
            if dice.once_in(2) {
                let crash = at + dice.millis(0, 3_000);
                events.push((crash, Fault::CrashGateway(one)));
                events.push((crash + dice.millis(0, 6_000), Fault::StartGateway(one)));
            }
            events
        }
        // A worker that stands still, with all that it holds, until its watchdog restarts it.
        19 => vec![
            (at, Fault::Hang(one)),
            (until, Fault::CrashWorker(one)),
            (until, Fault::Thaw(one)),
            (until + dice.millis(0, 2_000), Fault::StartWorker(one)),
        ],
        _ => {
            let ms = dice.millis(10, 4_000).as_millis() as u64;
            vec![(at, Fault::SlowDatabase(ms)), (until, Fault::SlowDatabase(0))]
        }
    }
}

impl Fault {
    pub async fn happen(self, site: &mut Site) {
        site.net.note(format_args!("=== {self:?}"));
        match self {
            Self::CrashGateway(at) => site.crash_gateway(at).await,
            Self::StartGateway(at) => site.start_gateway(at),
            Self::CrashWorker(at) => site.crash_worker(at).await,
            Self::StartWorker(at) => site.start_worker(at),
            Self::CrashSmsc => site.smsc.crash().await,
            Self::StartSmsc => site.smsc.start().await,
            Self::Part(a, b) => site.net.part(a, b, true),
            Self::Join(a, b) => site.net.part(a, b, false),
            Self::Cut(a, b) => site.net.cut(a, b),
            Self::DatabaseDown => site.db.down(),
            Self::DatabaseUp => site.db.up(),
            Self::FailOver(lacks) => {
                let lost = site.db.fail_over(lacks);
                site.net.note(format_args!("lost {lost} commits"));
            }
            Self::SmscIs(mood) => site.smsc.mood(mood),
            Self::Delays(ms) => site.net.delays(ms),
            Self::SlowDisk(at, ms) => site.slow_disk(at, ms),
            Self::DiskFails(at, how) => site.disk_fails(at, Some(how)),
            Self::DiskWorks(at) => site.disk_fails(at, None),
            Self::Hang(at) => site.hang(at, true),
            Self::Thaw(at) => site.hang(at, false),
            Self::SlowDatabase(ms) => site.db.slow(ms),
            Self::DatabaseFails(failing) => site.db.fail(failing),
            Self::CrashAll => {
                for at in 0..site.topology.gateways {
                    site.crash_worker(at).await;
                    site.crash_gateway(at).await;
                }
                site.smsc.crash().await;
                site.db.down();
            }
            Self::StartAll => {
                site.db.up();
                site.smsc.start().await;
                for at in 0..site.topology.gateways {
                    site.start_gateway(at);
                    site.start_worker(at);
                }
            }
        }
    }
}
