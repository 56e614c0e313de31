//! The binds of a gateway that runs: who is there, what the operator wants of them, and what a reload of the
//! configuration adds, changes and drops, while the others go on.
//!
//! Invariant: a place (in the spool, in what is bound) belongs to one bind; another one gets it when the task
//! of the one before has ended, and not before the spool knows it by its new name.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::parts;
use super::speech::{BindView, Changes};
use crate::config::Config;
use crate::domain::bind::link_of;
use crate::handoff::append::{Append, Completions, LinkIndex};
use crate::handoff::groups::{Group, Groups};
use crate::handoff::marks::Marks;
use crate::handoff::server::LinkName;
use crate::limits::{BINDS_MAX, GROUPS_KNOWN_MAX};
use crate::smpp::desk::{Desk, Wanted};
use crate::smpp::link::Link;
use crate::smpp::meters::Meters;
use crate::smpp::options::LinkOptions;
use crate::smpp::pace::Pace;
use crate::smpp::shared::LinkStates;
use crate::smpp::trace::Tap;
use crate::vitals::clock::Receipts;
use crate::vitals::pressure::Pressure;
use crate::vitals::progress::{Progress, Work};
use crate::world::World;

/// What all links use.
pub struct Common {
    pub(super) spool: mpsc::Sender<Append>,
    pub(super) completions: Vec<Arc<Completions>>,
    pub(super) groups: Arc<Groups>,
    pub(super) marks: Arc<Marks>,
    pub(super) pressure: Pressure,
    pub(super) receipts: Arc<Receipts>,
    pub(super) states: Arc<LinkStates>,
    pub(super) committed: Option<watch::Receiver<u64>>,
    pub(super) progress: Arc<Progress>,
    pub(super) world: World,
}

/// What the operator asks of the links.
pub enum Ask {
    /// How they fare.
    List(oneshot::Sender<Vec<BindView>>),
    /// All binds of a link are to run, pause or drain; the answer: is there such a link?
    Want(String, Wanted, oneshot::Sender<bool>),
    /// Be as this configuration says; the answer: what changed, or why nothing did.
    Reload(Box<Config>, oneshot::Sender<Result<Changes, String>>),
    /// Where one may look on at a link, by bind.
    Taps(String, oneshot::Sender<Vec<(String, Arc<Tap>)>>),
}

/// A bind that has a place.
struct Running {
    options: LinkOptions,
    desk: Arc<Desk>,
    tap: Arc<Tap>,
    work: Arc<Work>,
    stop: CancellationToken,
    /// It is to end, as it is not configured any more, or otherwise.
    leaves: bool,
}

/// See the module.
pub struct Fleet {
    common: Common,
    config: Config,
    stop: CancellationToken,
    places: Vec<Option<Running>>,
    /// Name and group by which the spool knows a place.
    known: Vec<Option<(String, String)>>,
    /// Binds without a place yet.
    waiting: VecDeque<LinkOptions>,
    names: watch::Sender<Vec<Option<LinkName>>>,
    binds: Arc<AtomicUsize>,
    paces: HashMap<String, Arc<Pace>>,
    /// What the operator wants of links that are not to run.
    wanted: HashMap<String, Wanted>,
    /// Places given so far: tags of one are never those of another.
    given: u64,
    tasks: JoinSet<LinkIndex>,
}

impl Fleet {
    pub(super) fn new(config: &Config, common: Common, stop: CancellationToken) -> Self {
        Self {
            common,
            config: config.clone(),
            stop,
            places: (0..BINDS_MAX).map(|_| None).collect(),
            known: vec![None; BINDS_MAX],
            waiting: VecDeque::new(),
            names: watch::channel(vec![None; BINDS_MAX]).0,
            binds: Arc::new(AtomicUsize::new(parts::binds(config).count())),
            paces: HashMap::new(),
            wanted: HashMap::new(),
            given: 0,
            tasks: JoinSet::new(),
        }
    }

    /// Names of links by their place.
    pub(super) fn names(&self) -> watch::Receiver<Vec<Option<LinkName>>> {
        self.names.subscribe()
    }

    /// A bind for a place that is free.
    pub(super) fn take_place(&mut self, index: LinkIndex, options: LinkOptions) -> anyhow::Result<(Link, Arc<Group>)> {
        let at = usize::from(index);
        let Common { spool, groups, marks, pressure, receipts, states, committed, progress, world, completions } =
            &self.common;
        let group = groups
            .join(&options.group, index)
            .ok_or_else(|| anyhow::anyhow!("more than {GROUPS_KNOWN_MAX} groups since the start"))?;
        group.led_by(index);
        let completions = completions.get(at).ok_or_else(|| anyhow::anyhow!("a link without a place"))?.clone();
        let work = progress.place(format!("link {}", options.name));
        work.beat();
        let (desk, tap, stop) = (Arc::<Desk>::default(), Arc::<Tap>::default(), self.stop.child_token());
        if let Some(wanted) = self.wanted.get(&options.link) {
            desk.want(*wanted, Duration::ZERO);
        }
        let name = LinkName {
            link: options.name.clone(),
            group: options.group.clone(),
            sends: options.role.submits(),
            ids: options.message_ids,
        };
        self.names.send_modify(|names| {
            if let Some(place) = names.get_mut(at) {
                *place = Some(name);
            }
        });
        let running = Running {
            options: options.clone(),
            desk: desk.clone(),
            tap: tap.clone(),
            work: work.clone(),
            stop: stop.clone(),
            leaves: false,
        };
        if let (Some(place), Some(known)) = (self.places.get_mut(at), self.known.get_mut(at)) {
            (*place, *known) = (Some(running), Some((options.name.clone(), options.group.clone())));
        }
        let link = Link {
            meters: Meters::new(&options.link, &options.name),
            index,
            spool: spool.clone(),
            completions,
            doubt: group.doubt.clone(),
            queue: group.queue.clone(),
            marks: marks.clone(),
            pressure: pressure.clone(),
            receipts: receipts.clone(),
            states: states.clone(),
            committed: committed.clone(),
            stop,
            world: world.clone(),
            binds: self.binds.clone(),
            pace: self.paces.entry(options.link.clone()).or_default().clone(),
            tap,
            desk,
            work,
            last_tag: self.given << 40,
            reference: u16::from_be_bytes([world.byte(), world.byte()]),
            stored: 0,
            overload: None,
            settling: None,
            tlvs: false,
            options,
        };
        self.given += 1;
        Ok((link, group))
    }

    /// Runs these links, and those that come, until told to stop; sooner when one ends by itself.
    pub async fn run(mut self, links: Vec<Link>, mut asked: mpsc::Receiver<Ask>) {
        for link in links {
            self.spawn(link, false);
        }
        while !self.stop.is_cancelled() || !self.tasks.is_empty() {
            tokio::select! {
                biased;
                Some(ended) = self.tasks.join_next() => match ended {
                    Ok(place) if self.ended(place) => {}
                    Ok(_) => return,
                    Err(error) => {
                        tracing::error!(%error, "a link failed");
                        return;
                    }
                },
                () = self.stop.cancelled(), if self.tasks.is_empty() => {}
                Some(ask) = asked.recv(), if !self.stop.is_cancelled() => self.answer(ask),
            }
        }
    }

    fn spawn(&mut self, mut link: Link, takes_over: bool) {
        let place = link.index;
        self.tasks.spawn(async move {
            if !takes_over || link.take_over().await {
                link.run().await;
            }
            place
        });
    }

    /// The task of a place ended; false: nobody wanted that.
    fn ended(&mut self, index: LinkIndex) -> bool {
        let at = usize::from(index);
        let Some(running) = self.places.get_mut(at).and_then(Option::take) else { return false };
        self.common.progress.remove(&running.work);
        self.common.states.set(at, false);
        if !running.leaves {
            return self.stop.is_cancelled();
        }
        self.names.send_modify(|names| {
            if let Some(place) = names.get_mut(at) {
                *place = None;
            }
        });
        self.begin_waiting();
        true
    }

    /// Gives free places to binds that wait for one.
    fn begin_waiting(&mut self) {
        for _ in 0..self.waiting.len() {
            let Some(options) = self.waiting.pop_front() else { return };
            let is_there = self.places.iter().flatten().any(|running| running.options.name == options.name);
            let key = Some((options.name.clone(), options.group.clone()));
            let free = || self.places.iter().enumerate().filter(|(_, place)| place.is_none()).map(|(at, _)| at);
            let best = free().find(|at| self.known.get(*at) == Some(&key)).or_else(|| free().next());
            let Some(index) = best.and_then(|at| LinkIndex::try_from(at).ok()).filter(|_| !is_there) else {
                self.waiting.push_back(options);
                continue;
            };
            let takes_over = self.known.get(usize::from(index)) != Some(&key);
            match self.take_place(index, options) {
                Ok((link, _)) => {
                    tracing::info!(link = %link.options.name, "a link begins");
                    self.spawn(link, takes_over);
                }
                Err(error) => tracing::error!(error = %format_args!("{error:#}"), "a link cannot begin"),
            }
        }
    }

    fn answer(&mut self, ask: Ask) {
        // Who asked may be gone.
        match ask {
            Ask::List(answer) => drop(answer.send(self.list())),
            Ask::Want(link, wanted, answer) => drop(answer.send(self.want(&link, wanted))),
            Ask::Reload(config, answer) => drop(answer.send(self.reload(*config))),
            Ask::Taps(link, answer) => {
                let of_link = |r: &&Running| r.options.link == link;
                let taps =
                    self.places.iter().flatten().filter(of_link).map(|r| (r.options.name.clone(), r.tap.clone()));
                drop(answer.send(taps.collect()));
            }
        }
    }

    fn list(&self) -> Vec<BindView> {
        let now = Instant::now();
        let of = |r: &Running| BindView::new(&r.options, &r.desk, r.leaves, self.paces.get(&r.options.link), now);
        let mut all: Vec<BindView> = self.places.iter().flatten().map(of).collect();
        let order = |link: &str| self.config.link.iter().position(|l| l.name == link).unwrap_or(usize::MAX);
        all.sort_by_key(|view| (order(&view.link), view.bind.len(), view.bind.clone()));
        all
    }

    fn want(&mut self, link: &str, wanted: Wanted) -> bool {
        if !self.config.link.iter().any(|l| l.name == link) {
            return false;
        }
        match wanted {
            Wanted::Run => self.wanted.remove(link),
            other => self.wanted.insert(link.to_owned(), other),
        };
        for running in self.places.iter().flatten().filter(|r| r.options.link == link) {
            let patience = running.options.response_timeout + Duration::from_secs(1);
            running.desk.want(wanted, patience);
        }
        tracing::info!(link, ?wanted, "the operator wants it so");
        true
    }

    /// Adds, changes and drops links, and touches no others.
    fn reload(&mut self, config: Config) -> Result<Changes, String> {
        let mut known: Vec<String> = self.common.groups.all().iter().map(|group| group.name.clone()).collect();
        known.extend(config.link.iter().map(|link| link.group().to_owned()));
        known.sort_unstable();
        known.dedup();
        if known.len() > GROUPS_KNOWN_MAX {
            return Err(format!("there were more than {GROUPS_KNOWN_MAX} groups since the start; restart the gateway"));
        }
        let mut changes = Changes { restart: restart_for(&self.config, &config), ..Changes::default() };
        let mut wanted: HashMap<String, LinkOptions> =
            parts::binds(&config).map(|(link, bind)| (bind.name.clone(), parts::link_options(link, bind))).collect();
        let before: Vec<String> = self.config.link.iter().map(|link| link.name.clone()).collect();
        self.waiting.clear();
        for running in self.places.iter_mut().flatten() {
            let name = &running.options.name;
            match wanted.get(name) {
                Some(options) if *options == running.options && !running.leaves => {
                    wanted.remove(name);
                    continue;
                }
                Some(_) => changes.changed.push(running.options.link.clone()),
                None => changes.dropped.push(name.clone()),
            }
            running.leaves = true;
            running.stop.cancel();
        }
        for (link, bind) in parts::binds(&config) {
            if let Some(options) = wanted.remove(&bind.name) {
                if !before.contains(&link.name) {
                    changes.added.push(link.name.clone());
                } else if !changes.changed.contains(&link.name) {
                    changes.changed.push(link.name.clone());
                }
                self.waiting.push_back(options);
            }
        }
        // Of a link that stays, a bind less is a change.
        let stays = |link: &str| config.link.iter().any(|l| l.name == link);
        let (fewer, dropped): (Vec<_>, Vec<_>) =
            changes.dropped.iter().map(|bind| link_of(bind).to_owned()).partition(|l| stays(l));
        changes.dropped = dropped;
        changes.changed.extend(fewer);
        for list in [&mut changes.added, &mut changes.changed, &mut changes.dropped] {
            list.sort_unstable();
            list.dedup();
        }
        self.binds.store(parts::binds(&config).count(), Ordering::Relaxed);
        let groups: Vec<&str> = config.link.iter().map(|link| link.group()).collect();
        for group in &groups {
            self.common.groups.join(group, 0);
        }
        self.common.groups.keep(&groups);
        self.common.groups.set_routes(parts::routes(&config));
        self.paces.retain(|link, _| stays(link));
        self.wanted.retain(|link, _| stays(link));
        self.config = config;
        self.begin_waiting();
        tracing::info!(added = ?changes.added, changed = ?changes.changed, dropped = ?changes.dropped, "configuration reloaded");
        if !changes.restart.is_empty() {
            tracing::warn!(keys = ?changes.restart, "these take a restart of the gateway");
        }
        Ok(changes)
    }
}

/// Keys that the gateway reads at its start alone, and that are not as they were.
fn restart_for(old: &Config, new: &Config) -> Vec<String> {
    let sections = |config: &Config| {
        [("gateway", toml::Table::try_from(&config.gateway)), ("log", toml::Table::try_from(&config.log))]
    };
    let mut keys = Vec::new();
    for ((section, old), (_, new)) in sections(old).into_iter().zip(sections(new)) {
        let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
        let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
        names.sort_unstable();
        names.dedup();
        keys.extend(
            names.into_iter().filter(|key| old.get(*key) != new.get(*key)).map(|key| format!("{section}.{key}")),
        );
    }
    keys
}
