//! The gateway's parts, made of the configuration.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::fleet::{Common, Fleet};
use super::keep::Keeper;
use crate::config::{Acknowledge, BindName, Config, ConfigError, LinkConfig, Problem};
use crate::handoff::groups::{Groups, Routes};
use crate::handoff::message::Vitals;
use crate::handoff::server::Server;
use crate::limits::{
    BINDS_MAX, GATEWAY_HANG_SECONDS, RECEIVE_BYTES_MAX, RECEIVE_WINDOW_MAX, SUBMIT_QUEUE_MAX, SUBMIT_WINDOW_MAX,
};
use crate::smpp::link::Link;
use crate::smpp::options::LinkOptions;
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
    /// Each bind of the configuration.
    pub links: Vec<Link>,
    /// Looks after them.
    pub fleet: Fleet,
    /// Serves the worker.
    pub server: Server,
    /// What is done once a second.
    pub keeper: Keeper,
    /// Groups, with what waits for their links.
    pub groups: Arc<Groups>,
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
pub(super) fn binds(config: &Config) -> impl Iterator<Item = (&LinkConfig, BindName)> {
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

/// What a bind needs to know.
pub(super) fn link_options(config: &LinkConfig, bind: BindName) -> LinkOptions {
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
        receive_bytes: RECEIVE_BYTES_MAX,
        submit_window: (config.submit_window.max(1) as usize).min(SUBMIT_WINDOW_MAX),
        submits_per_second: config.submits_per_second,
        enquire_link: seconds(config.enquire_link_seconds),
        response_timeout: seconds(config.response_timeout_seconds),
        reconnect_max: seconds(config.reconnect_seconds_max),
        withhold: seconds(config.withhold_seconds),
        overload_status: config.overload_status,
        redelivery: seconds(config.redelivery_seconds),
        receipts: config.receipts,
        message_ids: config.message_id_format,
        tolerate_sm_length: config.tolerate_sm_length,
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

/// How texts that answer nothing find their group.
pub(super) fn routes(config: &Config) -> Routes {
    let sends = |link: &&LinkConfig| link.binds().iter().any(|bind| bind.role.submits());
    let prefixes =
        config.link.iter().filter(sends).flat_map(|link| {
            link.prefixes.iter().map(|p| (p.trim_start_matches('+').to_owned(), link.group().to_owned()))
        });
    let prefixes: Vec<(String, String)> = prefixes.collect();
    let has_none = |link: &&LinkConfig| !prefixes.iter().any(|(_, group)| group == link.group());
    let rest = config.link.iter().filter(sends).find(has_none).map(|link| link.group().to_owned());
    Routes { prefixes, rest }
}

impl Parts {
    /// Nothing runs yet.
    pub fn new(config: &Config, spool: &mut Spool, world: &World, stop: CancellationToken) -> anyhow::Result<Self> {
        let marks = spool.marks();
        let groups = Arc::<Groups>::default();
        let pressure = Pressure::default();
        let receipts = Arc::new(Receipts::after(spool.newest_received_us(), world.clone()));
        let progress = Arc::new(Progress::new(Duration::from_secs(GATEWAY_HANG_SECONDS)));
        progress.add(marks.work().clone());
        let states = Arc::new(LinkStates::new(BINDS_MAX));
        let completions = (0..BINDS_MAX).filter_map(|place| spool.completions(place)).collect();
        let mut fleet = Fleet::new(
            config,
            Common {
                spool: spool.queue(),
                completions,
                groups: groups.clone(),
                marks: marks.clone(),
                pressure: pressure.clone(),
                receipts: receipts.clone(),
                states: states.clone(),
                committed: (config.gateway.acknowledge == Acknowledge::Committed).then(|| marks.committed()),
                progress: progress.clone(),
                world: world.clone(),
            },
            stop,
        );
        let in_doubt = spool.take_in_doubt();
        let mut links = Vec::new();
        for (place, (link, bind)) in binds(config).enumerate() {
            let options = link_options(link, bind);
            let (made, _) = fleet.take_place(u16::try_from(place)?, options)?;
            made.doubt_all(in_doubt.get(place).map(Vec::as_slice).unwrap_or_default());
            links.push(made);
        }
        groups.set_routes(routes(config));
        let (impossible, unsendable) = mpsc::channel(SUBMIT_QUEUE_MAX);
        let (vitals, told) = watch::channel(Vitals::default());
        let server = Server {
            marks,
            reader: spool.reader(),
            links: fleet.names(),
            bound: states.watch(),
            groups: groups.clone(),
            impossible,
            host: host_name(),
            vitals: told,
            progress: Arc::clone(&progress),
        };
        let keeper = Keeper {
            spool: spool.queue(),
            receipts,
            groups: groups.clone(),
            unsendable,
            progress,
            world: world.clone(),
            vitals,
            folder: (config.gateway.spool.clone(), u64::from(config.gateway.spool_megabytes_max) << 20),
        };
        Ok(Self { links, fleet, server, keeper, groups, pressure })
    }
}

/// Name of this host.
pub(in crate::role) fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").map_or_else(|_| "unknown".into(), |s| s.trim().to_owned())
}
