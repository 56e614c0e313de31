//! The gateway's parts, made of the configuration.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::keep::Keeper;
use crate::config::{Acknowledge, BindName, Config, ConfigError, LinkConfig, Problem};
use crate::handoff::doubt::DoubtSet;
use crate::handoff::message::Vitals;
use crate::handoff::queue::{SubmitCount, SubmitQueue};
use crate::handoff::server::{LinkName, Server};
use crate::limits::{
    GATEWAY_HANG_SECONDS, LINK_SOCKET_BYTES, LINK_SOCKETS_BYTES_MAX, PDU_BYTES_MAX, RECEIVE_BYTES_MAX,
    RECEIVE_WINDOW_MAX, SUBMIT_QUEUE_MAX, SUBMIT_WINDOW_MAX,
};
use crate::smpp::link::Link;
use crate::smpp::meters::Meters;
use crate::smpp::options::LinkOptions;
use crate::smpp::pace::Pace;
use crate::smpp::shared::LinkStates;
use crate::smpp::statuses::{Meaning, Statuses};
use crate::smpp::tls::{Tls, TlsOptions};
use crate::spool::{Options, Spool};
use crate::text::alphabets::Sending;
use crate::vitals::clock::Receipts;
use crate::vitals::pressure::Pressure;
use crate::vitals::progress::Progress;
use crate::world::World;

/// What runs.
pub struct Parts {
    /// Each link of the configuration.
    pub links: Vec<Link>,
    /// Serves the worker.
    pub server: Server,
    /// What is done once a second.
    pub keeper: Keeper,
    /// Each group's queue, with its first link.
    pub queues: Vec<(u16, Arc<SubmitQueue>)>,
    /// Set by whoever looks at the memory.
    pub pressure: Pressure,
}

/// How the configuration wants its spool.
pub fn spool_options(config: &Config) -> Options {
    Options {
        folder: config.gateway.spool.clone(),
        links: binds(config).map(|(link, bind)| (bind.name, link.group().to_owned())).collect(),
        keep: Duration::from_secs(u64::from(config.gateway.keep_hours) * 3600),
        host: host_name(),
        bytes_max: u64::from(config.gateway.spool_megabytes_max) << 20,
        world: World::real(),
    }
}

/// Every bind of every link, in the configuration's order.
fn binds(config: &Config) -> impl Iterator<Item = (&LinkConfig, BindName)> {
    config.link.iter().flat_map(|link| link.binds().into_iter().map(move |bind| (link, bind)))
}

/// What the link's SMSC means by a `command_status`, where it is not what it commonly means.
fn statuses(config: &LinkConfig) -> Statuses {
    let lists = [
        (Meaning::LinkWide, &config.throttle_statuses),
        (Meaning::Temporary, &config.temporary_statuses),
        (Meaning::Permanent, &config.permanent_statuses),
    ];
    Statuses::new(lists.into_iter().flat_map(|(meaning, list)| list.iter().map(move |status| (*status, meaning))))
}

/// `binds`: how many share what may be held.
fn link_options(config: &LinkConfig, bind: BindName, binds: usize) -> LinkOptions {
    let seconds = |n: u32| Duration::from_secs(n.max(1).into());
    LinkOptions {
        name: bind.name,
        link: config.name.clone(),
        role: bind.role,
        version: config.version.number(),
        group: config.group().to_owned(),
        host: config.host.clone(),
        port: config.port,
        tls: tls_options(config),
        system_id: config.system_id.clone(),
        password: config.password.reveal().to_owned(),
        system_type: config.system_type.clone(),
        default_alphabet: config.default_alphabet,
        receive_window: (config.receive_window.max(1) as usize).min(RECEIVE_WINDOW_MAX),
        receive_bytes: (RECEIVE_BYTES_MAX / binds.max(1)).max(PDU_BYTES_MAX),
        socket_bytes: (LINK_SOCKETS_BYTES_MAX / binds.max(1)).min(LINK_SOCKET_BYTES),
        submit_window: (config.submit_window.max(1) as usize).min(SUBMIT_WINDOW_MAX),
        submits_per_second: config.submits_per_second,
        enquire_link: seconds(config.enquire_link_seconds),
        response_timeout: seconds(config.response_timeout_seconds),
        reconnect_max: seconds(config.reconnect_seconds_max),
        withhold: seconds(config.withhold_seconds),
        overload_status: config.overload_status,
        redelivery: seconds(config.redelivery_seconds),
        receipts: config.receipts,
        sending: Sending {
            long: config.long_messages,
            wide: config.reference_bits == 16,
            ..Sending::new(config.default_alphabet, &config.alphabets, &config.shift_tables)
        },
        statuses: statuses(config),
        validity: config.validity_period,
    }
}

fn tls_options(config: &LinkConfig) -> Option<TlsOptions> {
    config.tls.then(|| TlsOptions {
        server_name: config.server_name.as_ref().unwrap_or(&config.host).clone(),
        authorities: config.pem.authorities.bytes().to_vec(),
        certificate: config.pem.certificate.bytes().to_vec(),
        key: config.pem.key.bytes().to_vec(),
    })
}

/// Can every link's TLS be used? What files alone don't show: a key that is of another certificate, say.
pub fn check_tls(config: &Config) -> Result<(), ConfigError> {
    let mut problems = Vec::new();
    for link in &config.link {
        if let Some(Err(error)) = tls_options(link).as_ref().map(Tls::new) {
            problems.push(Problem {
                place: format!("link `{}`", link.name),
                key: "tls".to_owned(),
                what: error.to_string(),
                mend: "look at ca_file, server_name, client_certificate_file and client_key_file".to_owned(),
            });
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(ConfigError { problems }) }
}

struct Group {
    name: String,
    first: u16,
    queue: Arc<SubmitQueue>,
    doubt: Arc<DoubtSet>,
}

impl Parts {
    /// Nothing runs yet.
    pub fn new(config: &Config, spool: &mut Spool, world: &World, stop: CancellationToken) -> anyhow::Result<Self> {
        let marks = spool.marks();
        let count = Arc::<SubmitCount>::default();
        let pressure = Pressure::default();
        let receipts = Arc::new(Receipts::after(spool.newest_received_us(), world.clone()));
        let progress = Progress::new(Duration::from_secs(GATEWAY_HANG_SECONDS));
        progress.add(marks.work().clone());
        let all = binds(config).count();
        let states = Arc::new(LinkStates::new(all));
        let in_doubt = spool.take_in_doubt();
        let mut groups: Vec<Group> = Vec::new();
        let (mut links, mut names) = (Vec::new(), Vec::new());
        let mut paces: HashMap<&str, Arc<Pace>> = HashMap::new();
        for (place, (link, bind)) in binds(config).enumerate() {
            let index = u16::try_from(place)?;
            let options = link_options(link, bind, all);
            if !groups.iter().any(|g| g.name == options.group) {
                let queue = Arc::new(SubmitQueue::new(count.clone()));
                groups.push(Group { name: options.group.clone(), first: index, queue, doubt: Arc::default() });
            }
            let Some(group) = groups.iter().find(|g| g.name == options.group) else { continue };
            group.doubt.add(index, in_doubt.get(place).map(Vec::as_slice).unwrap_or_default(), 0);
            let completions = spool.completions(place).ok_or_else(|| anyhow::anyhow!("a link without a place"))?;
            let work = progress.place(format!("link {}", options.name));
            work.beat();
            names.push(LinkName { link: options.name.clone(), group: options.group.clone() });
            links.push(Link {
                meters: Meters::new(&options.link, &options.name),
                pace: paces.entry(&link.name).or_default().clone(),
                desk: Arc::default(),
                options,
                index,
                spool: spool.queue(),
                completions,
                doubt: group.doubt.clone(),
                queue: group.queue.clone(),
                marks: marks.clone(),
                pressure: pressure.clone(),
                receipts: receipts.clone(),
                states: states.clone(),
                committed: (config.gateway.acknowledge == Acknowledge::Committed).then(|| marks.committed()),
                stop: stop.clone(),
                work,
                last_tag: 0,
                reference: u16::from_be_bytes([world.byte(), world.byte()]),
                world: world.clone(),
                stored: 0,
                overload: None,
            });
        }
        let (impossible, unsendable) = mpsc::channel(SUBMIT_QUEUE_MAX);
        let (vitals, told) = watch::channel(Vitals::default());
        let server = Server {
            marks,
            reader: spool.reader(),
            links: names,
            bound: states.watch(),
            queues: groups.iter().map(|g| (g.name.clone(), g.queue.clone())).collect(),
            impossible,
            host: host_name(),
            vitals: told,
        };
        let queues: Vec<_> = groups.iter().map(|g| (g.first, g.queue.clone())).collect();
        let keeper = Keeper {
            spool: spool.queue(),
            receipts,
            queues: queues.clone(),
            count,
            doubts: groups.iter().map(|g| g.doubt.clone()).collect(),
            unsendable,
            progress,
            world: world.clone(),
            vitals,
            folder: (config.gateway.spool.clone(), u64::from(config.gateway.spool_megabytes_max) << 20),
        };
        Ok(Self { links, server, keeper, queues, pressure })
    }
}

/// Name of this host.
pub(in crate::role) fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").map_or_else(|_| "unknown".into(), |s| s.trim().to_owned())
}
