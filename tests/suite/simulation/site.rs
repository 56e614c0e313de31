//! The hosts: gateways and workers as the program composes them, on simulated time, network and database.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use scrutineer::config::Config;
use scrutineer::domain::checklist::check;
use scrutineer::domain::election::Election;
use scrutineer::domain::roster::{Form, NewObserver, Register, Roster};
use scrutineer::handoff::marks::Marks;
use scrutineer::intake::decide::Replies;
use scrutineer::intake::session::{Intake, Options};
use scrutineer::role::gateway::parts::{Parts, spool_options};
use scrutineer::spool::{Disk, Fails, Spool};
use scrutineer::store::roster::Loaded;
use scrutineer::vitals::progress::Progress;
use scrutineer::world::World;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::dice::{Dice, world};
use super::model::{DATABASE, Db, Failing, Handle};
use super::net::{Host, Net};
use super::smsc::{SHORTCODE, SMSC, Smsc};

/// Gateways, each with its worker.
pub const GATEWAYS: [Host; 2] = ["gateway 0", "gateway 1"];
/// See [`GATEWAYS`].
pub const WORKERS: [Host; 2] = ["worker 0", "worker 1"];
/// Seconds after which a text that lacks parts is processed as far as it came.
pub const SEGMENTS_WAIT_SECONDS: u32 = 60;
/// Observers; their codes begin at 100001.
pub const OBSERVERS: usize = 6;

/// The phone of an observer.
pub fn phone(observer: usize) -> String {
    format!("35569{observer:07}")
}

/// How many of what.
#[derive(Debug, Clone, Copy)]
pub struct Topology {
    pub gateways: usize,
    /// Links of each gateway.
    pub links: usize,
    pub lanes: u16,
    pub committed: bool,
    /// Seconds after which another host takes a reply over.
    pub lease_seconds: i32,
    /// The SMSC delivers what a host did not answer to another one.
    pub roams: bool,
}

/// A disk takes a batch in up to so many milliseconds more, or not at all.
#[derive(Debug, Default)]
struct Slowness {
    ms: u64,
    fails: Option<Fails>,
}

/// A gateway that runs.
struct Running {
    tasks: JoinSet<&'static str>,
    marks: Arc<Marks>,
}

/// See the module.
pub struct Site {
    pub topology: Topology,
    pub net: Net,
    pub db: Db,
    pub smsc: Smsc,
    /// Where the spools are, as long as this is.
    _dir: tempfile::TempDir,
    configs: Vec<Config>,
    worlds: Vec<World>,
    gateways: Vec<Option<Running>>,
    workers: Vec<Option<JoinSet<()>>>,
    disks: Vec<Arc<Mutex<Slowness>>>,
    dice: Dice,
    roster: Arc<Register>,
    /// Tasks that ended by themselves.
    pub ended: Arc<Mutex<Vec<String>>>,
}

/// Made once: what every schedule begins with.
static REGISTER: OnceLock<Arc<Register>> = OnceLock::new();

/// The templates of replies, read once.
fn replies() -> Replies {
    static REPLIES: OnceLock<Replies> = OnceLock::new();
    REPLIES.get_or_init(Replies::built_in).clone()
}

fn register() -> Arc<Register> {
    let checked = check(
        r#"{"checklists":[
          {"prefix":"PS","title":"Opening","questions":[
            {"code":"AA","type":"count","text":"a","max":99999},
            {"code":"AB","type":"count","text":"b","max":99999},
            {"code":"AC","type":"count","text":"c","max":99999}]},
          {"prefix":"EM","kind":"incident","title":"Incident","questions":[
            {"code":"EA","type":"flag","text":"a"},{"code":"EB","type":"flag","text":"b"}]}]}"#,
    )
    .unwrap();
    let election = Election { opened_us: Some(100), replies_per_hour: 100_000, ..Election::plain(1, "sim") };
    let mut register = Register::new(election, checked.checklists.into_iter().map(Form::from).collect());
    for i in 0..OBSERVERS {
        register.add(&NewObserver {
            id: i as i32 + 1,
            code: &(100_001 + i).to_string(),
            language: None,
            station: None,
            phones: &[phone(i)],
        });
    }
    register.sort();
    Arc::new(register)
}

impl Site {
    /// Nothing runs yet.
    pub fn new(seed: u64, topology: Topology) -> Self {
        let dice = Dice::new(seed);
        let begun = Instant::now();
        let net = Net::new(dice.split());
        let skew = |dice: &Dice| dice.bits() as i64 % 2_000_000;
        let db = Db::new(world(begun, skew(&dice), &dice), dice.split());
        let smsc = Smsc::new(&net, dice.split(), topology.roams);
        let dir = tempfile::Builder::new().prefix("scrutineer-simulation").tempdir_in(memory()).unwrap();
        let mut configs = Vec::new();
        let mut worlds = Vec::new();
        for gateway in 0..topology.gateways {
            worlds.push(world(begun, skew(&dice), &dice));
            configs.push(config(&dir.path().join(gateway.to_string()), gateway, topology));
        }
        Self {
            net,
            db,
            smsc,
            _dir: dir,
            configs,
            worlds,
            gateways: (0..topology.gateways).map(|_| None).collect(),
            workers: (0..topology.gateways).map(|_| None).collect(),
            disks: (0..topology.gateways).map(|_| Arc::default()).collect(),
            dice,
            roster: Arc::clone(REGISTER.get_or_init(register)),
            ended: Arc::default(),
            topology,
        }
    }

    /// Folder of a gateway's spool.
    pub fn spool(&self, gateway: usize) -> PathBuf {
        self.configs[gateway].gateway.spool.clone()
    }

    /// How far a gateway's spool is, and how far it knows it committed; `None` when it does not run.
    pub fn marks(&self, gateway: usize) -> Option<(u64, u64)> {
        let marks = &self.gateways[gateway].as_ref()?.marks;
        Some((*marks.newest().borrow(), *marks.committed().borrow()))
    }

    /// A batch takes a disk up to so many milliseconds.
    pub fn slow_disk(&self, gateway: usize, ms: u64) {
        self.disks[gateway].lock().unwrap().ms = ms;
    }

    /// A disk takes nothing, for this reason; `None`: it works again.
    pub fn disk_fails(&self, gateway: usize, fails: Option<Fails>) {
        self.disks[gateway].lock().unwrap().fails = fails;
    }

    /// A worker stands still: nobody hears of it, and what it holds it holds. Or it moves again.
    pub fn hang(&self, worker: usize, hangs: bool) {
        self.net.part(WORKERS[worker], GATEWAYS[worker], hangs);
        self.net.part(WORKERS[worker], DATABASE, hangs);
    }

    pub fn start_gateway(&mut self, at: usize) {
        if self.gateways[at].is_some() {
            return;
        }
        let (config, world) = (&self.configs[at], &self.worlds[at]);
        let mut options = spool_options(config);
        (options.world, options.host) = (world.clone(), GATEWAYS[at].to_owned());
        let (mut spool, inline) = Spool::open_inline(&options).unwrap();
        let stop = CancellationToken::new();
        let parts = Parts::new(config, &mut spool, world, stop.clone()).unwrap();
        let marks = spool.marks();
        let mut tasks = JoinSet::new();
        let (disk, dice) = (Arc::clone(&self.disks[at]), self.dice.split());
        let sync_us = *dice.pick(&[200, 20_000, 150_000]);
        tasks.spawn(async move {
            let _spool = spool;
            inline
                .run(move || {
                    let disk = disk.lock().unwrap();
                    let takes = Duration::from_micros(dice.bits() % (sync_us + disk.ms * 1_000));
                    Disk { takes, fails: disk.fails }
                })
                .await;
            "spool"
        });
        for link in parts.links {
            let dial = self.net.route(GATEWAYS[at], SMSC);
            tasks.spawn(async move {
                link.run_over(&dial).await;
                "link"
            });
        }
        let (listener, token) = (self.net.listen(GATEWAYS[at]), stop.clone());
        let server = parts.server;
        tasks.spawn(async move {
            server.run_over(listener, token).await;
            "handoff"
        });
        let keeper = parts.keeper;
        tasks.spawn(async move {
            keeper.run(stop).await;
            "housekeeping"
        });
        self.gateways[at] = Some(Running { tasks, marks });
    }

    pub async fn crash_gateway(&mut self, at: usize) {
        self.net.down(GATEWAYS[at]);
        if let Some(mut running) = self.gateways[at].take() {
            self.look_for_ends(GATEWAYS[at], &mut running.tasks);
            running.tasks.shutdown().await;
            let came_through = self.dice.once_in(2);
            if scrutineer::spool::crashed(&self.spool(at), came_through).unwrap() {
                self.net.note(format_args!("what {} failed to sync stands in its file", GATEWAYS[at]));
            }
        }
    }

    pub fn start_worker(&mut self, at: usize) {
        if self.workers[at].is_some() {
            return;
        }
        let roster = Arc::clone(&self.roster);
        let loaded = move || Loaded {
            roster: Roster { version: 1, books: vec![Arc::clone(&roster)] },
            unreadable: Vec::new(),
            left_out: 0,
        };
        let handle = Handle::new(&self.db, &self.net, WORKERS[at], Arc::new(loaded), self.topology.lease_seconds);
        let intake = Intake::over(
            Options {
                socket: PathBuf::from("simulated"),
                lanes: self.topology.lanes,
                segments_wait_seconds: SEGMENTS_WAIT_SECONDS,
            },
            handle,
            replies(),
            Arc::new(Progress::new(Duration::from_secs(600))),
            self.net.route(WORKERS[at], GATEWAYS[at]),
            self.worlds[at].clone(),
        );
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            intake.run(CancellationToken::new(), watch::Sender::new(false)).await.unwrap();
        });
        self.workers[at] = Some(tasks);
    }

    pub async fn crash_worker(&mut self, at: usize) {
        self.net.down(WORKERS[at]);
        if let Some(mut tasks) = self.workers[at].take() {
            if let Some(ended) = tasks.try_join_next() {
                self.ended.lock().unwrap().push(format!("{}: {ended:?}", WORKERS[at]));
            }
            tasks.shutdown().await;
        }
    }

    fn look_for_ends(&self, host: Host, tasks: &mut JoinSet<&'static str>) {
        while let Some(ended) = tasks.try_join_next() {
            self.ended.lock().unwrap().push(format!("{host}: {ended:?}"));
        }
    }

    /// Starts whatever does not run, and ends all faults.
    pub async fn heal(&mut self) {
        self.net.heal();
        self.net.delays(5);
        self.db.up();
        self.db.slow(0);
        self.db.fail(Failing::default());
        self.smsc.mood(super::smsc::Mood::default());
        self.smsc.start().await;
        for at in 0..self.topology.gateways {
            self.slow_disk(at, 0);
            self.disk_fails(at, None);
            self.start_gateway(at);
            self.start_worker(at);
        }
    }

    /// Ends all, for what they left to be looked at.
    pub async fn stop(&mut self) {
        for at in 0..self.topology.gateways {
            self.crash_worker(at).await;
            self.crash_gateway(at).await;
        }
        self.smsc.crash().await;
    }
}

/// A folder that no disk is behind, where there is one.
fn memory() -> PathBuf {
    let shm = PathBuf::from("/dev/shm");
    if shm.is_dir() { shm } else { std::env::temp_dir() }
}

/// The configuration of a gateway, read once for each kind.
fn config(folder: &Path, gateway: usize, topology: Topology) -> Config {
    static KNOWN: Mutex<BTreeMap<(usize, usize, bool), Config>> = Mutex::new(BTreeMap::new());
    std::fs::create_dir(folder).unwrap();
    let mut known = KNOWN.lock().unwrap();
    let kind = (gateway, topology.links, topology.committed);
    let mut config = known.entry(kind).or_insert_with(|| read_config(folder, gateway, topology)).clone();
    config.gateway.spool = folder.join("spool");
    config
}

fn read_config(folder: &Path, gateway: usize, topology: Topology) -> Config {
    let mut text = format!(
        "[gateway]\nspool = \"{0}/spool\"\nsocket = \"{0}/socket\"\nacknowledge = \"{1}\"\n\n[database]\nhost = \"{0}\"\nname = \"x\"\n\
         worker = {{ user = \"x\" }}\nweb = {{ user = \"x\" }}\nowner = {{ user = \"x\" }}\n\n",
        folder.display(),
        if topology.committed { "committed" } else { "spooled" },
    );
    for link in 0..topology.links {
        let account = gateway * topology.links + link;
        text.push_str(&format!(
            "[[link]]\nname = \"link{account}\"\ngroup = \"main\"\nhost = \"127.0.0.1\"\nport = 2775\nsystem_id = \"account{account}\"\n\
             password = \"secret\"\nnumbers = [\"{SHORTCODE}\"]\nreconnect_seconds_max = 8\n\n"
        ));
    }
    let file = folder.join("scrutineer.toml");
    std::fs::write(&file, text).unwrap();
    Config::load_with(&file, [], None).unwrap()
}
