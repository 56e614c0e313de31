//! Checks that types alone can't make: ranges, names, files, addresses, and what contradicts what.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::path::Path;

use super::pem::Holds;
use super::places::Places;
use super::{BindMode, Config, LinkConfig, LoginConfig, Problem, secret};
use crate::domain::alphabet::SHIFT_LANGUAGES;
use crate::limits;
use crate::store::TlsMode;

/// A status after which some SMSCs deliver nothing to that number any more.
const ESME_RX_P_APPN: u32 = 0x65;
/// SMPP 3.4, 5.2.1: 16 octets with the closing zero.
const SYSTEM_ID_BYTES_MAX: usize = 15;
/// SMPP 3.4, 5.2.2: 9 octets with the closing zero.
const SMPP_PASSWORD_BYTES_MAX: usize = 8;
/// SMPP 3.4, 5.2.3: 13 octets with the closing zero.
const SYSTEM_TYPE_BYTES_MAX: usize = 12;
/// SMPP 3.4, 5.2.8: 21 octets with the closing zero.
const ADDRESS_BYTES_MAX: usize = 20;
/// `sockaddr_un` holds 108 bytes with the closing zero.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Collects what is wrong and what is doubtful.
pub(super) struct Checker<'a> {
    places: &'a Places,
    folder: &'a Path,
    credentials: Option<&'a Path>,
    pub(super) errors: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

impl<'a> Checker<'a> {
    pub(super) fn new(places: &'a Places, folder: &'a Path, credentials: Option<&'a Path>) -> Self {
        Self { places, folder, credentials, errors: Vec::new(), warnings: Vec::new() }
    }

    fn error(&mut self, key: &str, what: impl Into<String>, mend: impl Into<String>) {
        self.errors.push(self.places.problem(key, what, mend));
    }

    fn warn(&mut self, key: &str, what: impl Into<String>, mend: impl Into<String>) {
        self.warnings.push(self.places.problem(key, what, mend));
    }

    fn range(&mut self, key: &str, value: u64, least: u64, most: u64) {
        if !(least..=most).contains(&value) {
            self.error(key, format!("{value} is out of range"), format!("choose from {least} to {most}"));
        }
    }

    /// Everything; fills in the secrets that stand in files.
    pub(super) fn check(&mut self, config: &mut Config, link_numbers: &[usize]) {
        self.log(config);
        self.gateway(config);
        self.worker(config);
        self.web(config);
        self.endpoints(config);
        self.database(config);
        if config.link.len() > limits::LINKS_MAX {
            self.error("link", format!("{} links", config.link.len()), format!("at most {}", limits::LINKS_MAX));
        }
        let binds: usize = config.link.iter().map(|link| link.binds().len()).sum();
        if binds > limits::BINDS_MAX && config.link.len() <= limits::LINKS_MAX {
            let mend = format!("at most {} of all links together: lower `binds`", limits::BINDS_MAX);
            self.error("link", format!("{binds} binds"), mend);
        }
        self.groups(config, link_numbers);
        self.prefixes(config, link_numbers);
        let mut names: HashMap<String, usize> = HashMap::new();
        for (link, number) in config.link.iter_mut().zip(link_numbers) {
            self.link(&format!("link[{number}]"), link);
            if let Some(first) = names.insert(link.name.clone(), *number) {
                self.error(
                    &format!("link[{number}].name"),
                    format!("link {first} is called `{}` too", link.name),
                    "give each link a name of its own",
                );
            }
        }
    }

    fn log(&mut self, config: &Config) {
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(&config.log.filter) {
            self.error("log.filter", format!("not a filter: {error}"), "for example \"info,scrutineer::smpp=debug\"");
        }
    }

    fn gateway(&mut self, config: &Config) {
        let gateway = &config.gateway;
        let admin = gateway.admin();
        let sockets = [("gateway.socket", &gateway.socket), ("gateway.admin_socket", &admin)];
        for (key, path) in sockets.into_iter().chain([("gateway.spool", &gateway.spool)]) {
            // One that is not set lies beside the other, which is named.
            let is_set = key != "gateway.admin_socket" || gateway.admin_socket.is_some();
            if is_set && !path.is_absolute() {
                self.error(key, "is not an absolute path", "begin it with /");
            }
        }
        for (key, path) in sockets {
            if path.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
                self.error(key, "is too long for a Unix socket", format!("at most {SOCKET_PATH_BYTES_MAX} bytes"));
            }
        }
        if gateway.socket == admin {
            self.error("gateway.admin_socket", "is gateway.socket, too", "give each a path of its own");
        }
        self.range("gateway.keep_hours", gateway.keep_hours.into(), 1, 24 * 90);
        self.range("gateway.spool_megabytes_max", gateway.spool_megabytes_max.into(), 16, 1 << 20);
        self.range("gateway.stop_seconds", gateway.stop_seconds.into(), 1, 300);
    }

    fn worker(&mut self, config: &Config) {
        let worker = &config.worker;
        self.range("worker.lanes", worker.lanes.into(), 1, limits::LANES_MAX as u64);
        self.range("worker.hang_seconds", worker.hang_seconds.into(), 5, 3600);
        self.range("worker.segments_wait_seconds", worker.segments_wait_seconds.into(), 1, 24 * 3600);
        self.range("worker.lease_seconds", worker.lease_seconds.into(), 20, 3600);
        self.range("worker.stop_seconds", worker.stop_seconds.into(), 1, 300);
        if let Some(folder) = &worker.replies
            && let Err(error) = std::fs::read_dir(folder)
        {
            self.error(
                "worker.replies",
                format!("{} can't be read: {error}", folder.display()),
                "make the folder, or leave the key out for the built-in replies",
            );
        }
    }

    fn web(&mut self, config: &Config) {
        let web = &config.web;
        self.range("web.session_hours", web.session_hours.into(), 1, 24 * 30);
        self.range("web.stop_seconds", web.stop_seconds.into(), 1, 300);
        if !web.listen.ip().is_loopback() {
            if web.secure_cookie {
                self.warn(
                    "web.listen",
                    "is reachable from other machines without TLS",
                    "keep it on 127.0.0.1 behind a TLS front",
                );
            } else {
                self.error(
                    "web.secure_cookie",
                    "sessions could be read off the network, as web.listen is not loopback",
                    "set it to true, or listen on 127.0.0.1",
                );
            }
        }
    }

    /// Prometheus endpoints have no sign-in, so they stay on this machine; and no address is used twice.
    fn endpoints(&mut self, config: &Config) {
        let mut taken: HashSet<SocketAddr> = HashSet::new();
        let all = [
            ("gateway.metrics", config.gateway.metrics),
            ("worker.metrics", config.worker.metrics),
            ("web.metrics", config.web.metrics),
            ("web.listen", Some(config.web.listen)),
        ];
        for (key, address) in all {
            let Some(address) = address else { continue };
            if key != "web.listen" && !address.ip().is_loopback() {
                self.error(
                    key,
                    format!("{address} is not loopback"),
                    "metrics need no sign-in: use 127.0.0.1 or [::1]",
                );
            }
            if address.port() != 0 && !taken.insert(address) {
                self.error(key, format!("{address} is used by another key"), "choose another port");
            }
        }
    }

    fn database(&mut self, config: &mut Config) {
        let database = &mut config.database;
        if database.host.iter().any(|host| host.name.is_empty()) || database.host.iter().len() == 0 {
            self.error("database.host", "is empty", "name a host, or the folder of PostgreSQL's socket");
        }
        if database.host.iter().len() > limits::DATABASE_HOSTS_MAX {
            self.error(
                "database.host",
                format!("{} hosts", database.host.iter().len()),
                format!("at most {}", limits::DATABASE_HOSTS_MAX),
            );
        }
        let mut named = HashSet::new();
        if let Some(twice) = database.host.iter().find(|h| !named.insert((&h.name, h.port.unwrap_or(database.port)))) {
            self.error("database.host", format!("{twice} stands there twice"), "name each host once");
        }
        if database.name.is_empty() {
            self.error("database.name", "is empty", "name the database");
        }
        self.range("database.port", database.port.into(), 1, 65_535);
        self.range("database.deadline_seconds", database.deadline_seconds, 1, 300);
        if database.tls == Some(TlsMode::Disable) && !database.is_local() {
            self.warn(
                "database.tls",
                "what observers reported crosses the network in the clear",
                "use \"verify-full\"",
            );
        }
        if let Some(file) = &database.ca_file
            && let Err(error) = std::fs::File::open(file)
        {
            self.error("database.ca_file", format!("{} can't be read: {error}", file.display()), "name a PEM file");
        }
        let local = database.is_local();
        for (login, key) in [
            (&mut database.owner, "database.owner"),
            (&mut database.worker, "database.worker"),
            (&mut database.web, "database.web"),
        ] {
            self.login(login, key, local);
        }
        if config.database.web.user == config.database.owner.user {
            self.warn(
                "database.web.user",
                "is the owner too",
                "give the web a login of its own that can only read elections",
            );
        }
    }

    fn login(&mut self, login: &mut LoginConfig, key: &str, local: bool) {
        if login.user.is_empty() {
            self.error(&format!("{key}.user"), "is empty", "name a PostgreSQL role");
        }
        self.secret(&mut login.password, login.password_file.as_deref(), key);
        if login.password.is_empty() && login.password.problem().is_none() && !local {
            self.warn(&format!("{key}.password"), "is empty, and the database is on another host", "set password_file");
        }
    }

    fn secret(&mut self, password: &mut super::Secret, file: Option<&Path>, key: &str) {
        let Some(file) = file else { return };
        let file_key = format!("{key}.password_file");
        if !password.is_empty() {
            // The environment may override a file's password, but one of the two in the file is a mistake.
            if !self.places.is_from_env(&format!("{key}.password")) {
                self.error(&file_key, "stands beside password", "leave one of the two out");
            }
            return;
        }
        let file = secret::place_of(file, self.credentials, self.folder);
        password.read(&file, |why| {
            self.places.problem(&file_key, why, "make the file, and let this process's user alone read it")
        });
    }

    fn link(&mut self, key: &str, link: &mut LinkConfig) {
        let at = |name: &str| format!("{key}.{name}");
        let sound = |name: &str| {
            (1..=32).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        let name_rule = "use 1 to 32 letters, digits, - and _";
        if !sound(&link.name) {
            self.error(&at("name"), format!("`{}` is not a name", link.name), name_rule);
        }
        if let Some(group) = &link.group
            && !sound(group)
        {
            self.error(&at("group"), format!("`{group}` is not a name"), name_rule);
        }
        if link.host.is_empty() {
            self.error(&at("host"), "is empty", "name the SMSC's host");
        }
        self.range(&at("port"), link.port.into(), 1, 65_535);
        if link.system_id.is_empty() || link.system_id.len() > SYSTEM_ID_BYTES_MAX || !link.system_id.is_ascii() {
            self.error(&at("system_id"), "is not 1 to 15 ASCII characters", "use what the aggregator gave you");
        }
        if link.system_type.len() > SYSTEM_TYPE_BYTES_MAX || !link.system_type.is_ascii() {
            self.error(&at("system_type"), "is longer than 12 ASCII characters", "use what the aggregator gave you");
        }
        self.secret(&mut link.password, link.password_file.as_deref(), key);
        if link.password.reveal().len() > SMPP_PASSWORD_BYTES_MAX {
            self.warn(
                &at("password"),
                "is longer than SMPP's 8 characters",
                "it is sent as it is; some SMSCs cut it or refuse the bind",
            );
        }
        self.tls(key, link);
        self.numbers(&at("numbers"), &link.numbers);
        self.range(&at("binds"), link.binds.into(), 1, limits::BINDS_MAX as u64);
        self.range(&at("receive_window"), link.receive_window.into(), 1, limits::RECEIVE_WINDOW_MAX as u64);
        self.range(&at("submit_window"), link.submit_window.into(), 1, limits::SUBMIT_WINDOW_MAX as u64);
        self.range(&at("submits_per_second"), link.submits_per_second.into(), 0, 100_000);
        self.range(&at("enquire_link_seconds"), link.enquire_link_seconds.into(), 1, 3600);
        self.range(&at("response_timeout_seconds"), link.response_timeout_seconds.into(), 1, 300);
        self.range(&at("reconnect_seconds_max"), link.reconnect_seconds_max.into(), 1, 3600);
        self.range(&at("withhold_seconds"), link.withhold_seconds.into(), 2, 30);
        self.range(&at("redelivery_seconds"), link.redelivery_seconds.into(), 1, 3600);
        if ![8, 16].contains(&link.reference_bits) {
            self.error(&at("reference_bits"), format!("{} bits", link.reference_bits), "write 8 or 16");
        }
        if link.alphabets.is_empty() {
            self.error(&at("alphabets"), "is empty", "allow at least one of default, latin1 and ucs2");
        }
        for language in link.shift_tables.iter().filter(|code| !SHIFT_LANGUAGES.contains(&code.as_str())) {
            let known = format!("use codes of {}", SHIFT_LANGUAGES.join(", "));
            self.error(&at("shift_tables"), format!("`{language}` has no such tables"), known);
        }
        let lists = [&link.throttle_statuses, &link.temporary_statuses, &link.permanent_statuses];
        let mut named: Vec<u32> = lists.into_iter().flatten().copied().collect();
        named.sort_unstable();
        if named.contains(&0) || named.windows(2).any(|pair| pair.first() == pair.last()) {
            let mend = "name each command_status once, and never 0, which is success";
            self.error(&at("temporary_statuses"), "a status stands twice in these lists, or is 0", mend);
        }
        if link.overload_status == ESME_RX_P_APPN {
            let mend = "it stops everything for that number: use 8 (ESME_RSYSERR) or 88 (ESME_RTHROTTLED)";
            self.error(&at("overload_status"), "101 is ESME_RX_P_APPN", mend);
        }
        if link.overload_status == 0 {
            self.error(
                &at("overload_status"),
                "0 would acknowledge what is not stored",
                "use an error such as 8 (ESME_RSYSERR) or 88 (ESME_RTHROTTLED)",
            );
        }
    }

    fn tls(&mut self, key: &str, link: &mut LinkConfig) {
        let files = [
            ("ca_file", link.ca_file.clone(), Holds::Certificates),
            ("client_certificate_file", link.client_certificate_file.clone(), Holds::Certificates),
            ("client_key_file", link.client_key_file.clone(), Holds::Key),
        ];
        let named = files.iter().filter(|(_, file, _)| file.is_some()).map(|(name, ..)| *name);
        for name in named.chain(link.server_name.is_some().then_some("server_name")) {
            if !link.tls {
                self.error(&format!("{key}.{name}"), "is of no use without TLS", "write tls = true, or leave it out");
            }
        }
        if let Some(name) = &link.server_name
            && rustls::pki_types::ServerName::try_from(name.as_str()).is_err()
        {
            let what = format!("`{name}` is no name that a certificate can have");
            self.error(&format!("{key}.server_name"), what, "write the SMSC's DNS name or address");
        }
        if link.client_certificate_file.is_some() != link.client_key_file.is_some() {
            let there = if link.client_key_file.is_some() { "client_key_file" } else { "client_certificate_file" };
            let mend = "name both client_certificate_file and client_key_file, or neither";
            self.error(&format!("{key}.{there}"), "stands without the other", mend);
        }
        if !link.tls {
            return;
        }
        for (name, file, holds) in files {
            let Some(file) = file else { continue };
            let file = secret::place_of(&file, self.credentials, self.folder);
            let pem = match name {
                "ca_file" => &mut link.pem.authorities,
                "client_certificate_file" => &mut link.pem.certificate,
                _ => &mut link.pem.key,
            };
            let key = format!("{key}.{name}");
            pem.read(&file, holds, |why| {
                self.places.problem(&key, why, "name a PEM file that the gateway's user can read")
            });
        }
    }

    /// A prefix leads to one group.
    fn prefixes(&mut self, config: &Config, link_numbers: &[usize]) {
        let mut taken: HashMap<&str, (usize, &str)> = HashMap::new();
        for (link, number) in config.link.iter().zip(link_numbers) {
            let key = format!("link[{number}].prefixes");
            if link.prefixes.len() > limits::PREFIXES_MAX {
                let mend = format!("at most {} of a link", limits::PREFIXES_MAX);
                self.error(&key, format!("{} prefixes", link.prefixes.len()), mend);
            }
            if !link.prefixes.is_empty() && link.bind == BindMode::Receiver {
                self.warn(&key, "this link sends nothing", "name the prefixes at a link that does");
            }
            for prefix in &link.prefixes {
                let digits = prefix.strip_prefix('+').unwrap_or(prefix);
                if !(1..=15).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
                    let mend = "write the first digits of international numbers, for example \"2547\"";
                    self.error(&key, format!("`{prefix}` is not a prefix"), mend);
                    continue;
                }
                let (first, group) = *taken.entry(digits).or_insert((*number, link.group()));
                if group != link.group() {
                    self.error(
                        &key,
                        format!("`{prefix}` stands at link {first} too, which is of group `{group}`"),
                        "leave it to one of them; of two where one begins the other, the longer one wins",
                    );
                }
            }
        }
    }

    /// Who receives must be able to answer.
    fn groups(&mut self, config: &Config, link_numbers: &[usize]) {
        for (link, number) in config.link.iter().zip(link_numbers) {
            let sends = |link: &LinkConfig| link.bind != BindMode::Receiver;
            if !sends(link) && !config.link.iter().any(|other| other.group() == link.group() && sends(other)) {
                self.warn(
                    &format!("link[{number}].bind"),
                    format!("no link of group `{}` can send: nobody who texts here is answered", link.group()),
                    "bind = \"pair\", or a link with bind = \"transmitter\" in the same group",
                );
            }
        }
    }

    fn numbers(&mut self, key: &str, numbers: &[String]) {
        if numbers.is_empty() {
            self.error(key, "is empty", "list the short codes or numbers that observers text to");
        }
        for number in numbers {
            let bare = number.strip_prefix('+').unwrap_or(number);
            if bare.is_empty()
                || bare.len() > ADDRESS_BYTES_MAX
                || !bare.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
            {
                self.error(key, format!("`{number}` is not a number"), "write digits, at most 20 characters");
            }
        }
    }
}
