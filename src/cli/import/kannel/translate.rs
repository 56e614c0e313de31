//! From Kannel's groups to our links, key by key.

use super::link::{Link, Translated, Weight};
use super::read::{Group, Line};

/// Links of all SMPP groups; of every other group one note.
pub(super) fn all(groups: &[Group], numbers: &[String], show_passwords: bool) -> Translated {
    let mut out = Translated::default();
    let is_smpp = |group: &&Group| group.value("group") == Some("smsc") && group.value("smsc") == Some("smpp");
    for group in groups.iter().filter(is_smpp) {
        let id = group.value("smsc-id").or(group.value("host")).unwrap_or("smsc");
        let same = |other: &&Group| other.value("smsc-id").is_some_and(|of| of == id);
        let shared = groups.iter().filter(is_smpp).filter(same).count() > 1;
        One { group, out: &mut out, numbers, show_passwords, shared }.translate(&name(id));
    }
    for group in groups.iter().filter(|group| !is_smpp(group)) {
        other(group, &mut out);
    }
    out
}

/// Letters, digits, `-` and `_`, 32 at most.
fn name(text: &str) -> String {
    let sound = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' };
    let name: String = text.chars().map(sound).take(28).collect();
    if name.is_empty() { "smsc".to_owned() } else { name }
}

/// What isn't about SMPP.
fn other(group: &Group, out: &mut Translated) {
    let kind = group.value("group").unwrap_or("(none)").to_owned();
    let (weight, what) = match (kind.as_str(), group.value("smsc")) {
        ("smsc", Some(protocol)) => {
            (Weight::NoEqual, format!("a link that speaks `{protocol}`; only SMPP is spoken here"))
        }
        ("core", _) => (
            Weight::Otherwise,
            "store, logs, admin port and delivery reports: here the spool, the journal, `scrutineer` itself and the database".to_owned(),
        ),
        ("smsbox" | "sms-service" | "sendsms-user" | "sms-user", _) => (
            Weight::Otherwise,
            "no HTTP between gateway and application: elections, checklists and replies take its place".to_owned(),
        ),
        ("smpp-tlv", _) => (Weight::NoEqual, "TLVs of one's own are kept with a message's bytes, not handed on".to_owned()),
        _ => (Weight::NoEqual, "nothing of it is SMPP".to_owned()),
    };
    out.note(&group.place, &format!("group = {kind}"), weight, what);
}

struct One<'a> {
    group: &'a Group,
    out: &'a mut Translated,
    numbers: &'a [String],
    show_passwords: bool,
    /// Do other groups have the same `smsc-id`, so that Kannel shares the load among them?
    shared: bool,
}

fn is_true(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "true" | "yes" | "on" | "1")
}

impl One<'_> {
    fn note(&mut self, line: &Line, weight: Weight, what: impl Into<String>) {
        self.out.note(&line.place, &line.key, weight, what);
    }

    fn missing(&mut self, key: &str, what: &str) {
        self.out.note(&self.group.place, key, Weight::Mend, what);
    }

    fn is_set(&self, key: &str) -> bool {
        self.group.value(key).is_some_and(is_true)
    }

    fn translate(mut self, id: &str) {
        let group = self.group;
        let name = self.name(id);
        let mut link = Link { from: group.place.clone(), keys: Vec::new() };
        link.text("name", &name);
        let ports = self.ports();
        let apart = ports.len() > 1;
        if self.shared || apart {
            link.text("group", id);
        }
        let Some(host) = group.value("host") else {
            return self.missing("host", "a group without a host is no link");
        };
        link.text("host", host);
        self.login(&mut link, &name);
        for key in ["version", "numbers", "rest"] {
            match key {
                "version" => self.version(&mut link),
                "numbers" => self.numbers(&mut link),
                _ => self.rest(&mut link),
            }
        }
        self.without_equal();
        for (suffix, bind, port) in ports {
            let mut one = link.clone();
            let at = one.keys.iter().position(|(key, _)| *key == "host").map_or(0, |at| at + 1);
            one.keys.insert(at, ("port", port.to_string()));
            if bind != "transceiver" {
                one.keys.insert(at + 1, ("bind", format!("\"{bind}\"")));
            }
            if apart && let Some((_, value)) = one.keys.first_mut() {
                *value = toml::Value::String(format!("{name}-{suffix}")).to_string();
            }
            self.out.links.push(one);
        }
    }

    /// A name that no link has yet.
    fn name(&self, id: &str) -> String {
        let taken = |name: &str| {
            let value = toml::Value::String(name.to_owned()).to_string();
            self.out.links.iter().any(|link| link.keys.first().is_some_and(|(_, of)| *of == value))
        };
        let mut name = if self.shared { format!("{id}-1") } else { id.to_owned() };
        let mut number = 1;
        while taken(&name) || taken(&format!("{name}-tx")) {
            number += 1;
            name = format!("{id}-{number}");
        }
        name
    }

    /// Binds and their ports: one link, or two where Kannel receives on another port than it sends to.
    fn ports(&mut self) -> Vec<(&'static str, &'static str, u16)> {
        let port = |key: &str| self.group.value(key).and_then(|text| text.parse::<u16>().ok()).filter(|port| *port > 0);
        let (send, receive) = (port("port"), port("receive-port"));
        if self.is_set("transceiver-mode") {
            return send.or(receive).map(|port| vec![("", "transceiver", port)]).unwrap_or_else(|| self.no_port());
        }
        match (send, receive) {
            (Some(send), Some(receive)) if send == receive => vec![("", "pair", send)],
            (Some(send), Some(receive)) => vec![("rx", "receiver", receive), ("tx", "transmitter", send)],
            (Some(send), None) => {
                let what = "only sends: without receive-port nothing is received, so this link takes no reports";
                self.out.note(&self.group.place, "receive-port", Weight::Mend, what);
                vec![("", "transmitter", send)]
            }
            (None, Some(receive)) => vec![("", "receiver", receive)],
            (None, None) => self.no_port(),
        }
    }

    fn no_port(&mut self) -> Vec<(&'static str, &'static str, u16)> {
        self.missing("port", "no port: 2775 is put down, the registered one; ask the aggregator");
        vec![("", "transceiver", 2775)]
    }

    fn login(&mut self, link: &mut Link, name: &str) {
        match self.group.value("smsc-username") {
            Some(user) => link.text("system_id", user),
            None => {
                self.missing("smsc-username", "no user name");
                link.text("system_id", "");
            }
        }
        match self.group.value("smsc-password") {
            Some(password) if self.show_passwords => link.text("password", password),
            Some(password) => {
                let file = format!("smpp-{name}");
                link.text("password_file", &file);
                self.out.passwords.push((file, password.to_owned()));
            }
            None => self.missing("smsc-password", "no password"),
        }
        if let Some(kind) = self.group.value("system-type").filter(|kind| !kind.is_empty()) {
            link.text("system_type", kind);
        }
    }

    fn version(&mut self, link: &mut Link) {
        let Some(line) = self.group.line("interface-version") else { return };
        match line.value.as_str() {
            "34" => {}
            "50" => link.text("version", "5.0"),
            _ => self.note(line, Weight::NoEqual, "SMPP 3.4 is spoken instead; 5.0 is the other choice"),
        }
    }

    fn numbers(&mut self, link: &mut Link) {
        let mine: Vec<String> = self.group.value("my-number").map(str::to_owned).into_iter().collect();
        let numbers = if mine.is_empty() { self.numbers } else { &mine };
        if numbers.is_empty() {
            self.missing("my-number", "list under `numbers` what observers text to (or give --number)");
        }
        link.list("numbers", numbers);
    }

    /// A number of a line within bounds; what lies outside is noted.
    fn bounded(&mut self, key: &str, least: u64, most: u64) -> Option<u64> {
        let line = self.group.line(key)?;
        // Some are fractions, such as a throughput of less than one a second.
        let Ok(value) = line.value.parse::<f64>() else {
            self.note(line, Weight::Mend, format!("`{}` is no number", line.value));
            return None;
        };
        let whole = value.ceil().clamp(0.0, 1e9) as u64;
        let taken = whole.clamp(least, most);
        if taken as f64 != value {
            self.note(line, Weight::Mend, format!("{} became {taken}", line.value));
        }
        Some(taken)
    }

    fn rest(&mut self, link: &mut Link) {
        use crate::limits::SUBMIT_WINDOW_MAX;
        let keepalive =
            if self.group.line("enquire-link-interval").is_some() { "enquire-link-interval" } else { "keepalive" };
        if let Some(seconds) = self.bounded(keepalive, 1, 3600) {
            link.number("enquire_link_seconds", seconds);
        }
        if let Some(seconds) = self.bounded("reconnect-delay", 1, 3600) {
            link.number("reconnect_seconds_max", seconds);
        }
        if let Some(seconds) = self.bounded("wait-ack", 1, 300) {
            link.number("response_timeout_seconds", seconds);
        }
        if let Some(rate) = self.bounded("throughput", 0, 100_000) {
            link.number("submits_per_second", rate);
        }
        // Kannel's default is 10, and the SMSC may count on it.
        link.number("submit_window", self.bounded("max-pending-submits", 1, SUBMIT_WINDOW_MAX as u64).unwrap_or(10));
        if let Some(binds) = self.bounded("instances", 1, 16).filter(|binds| *binds > 1) {
            link.number("binds", binds);
        }
        self.alphabet(link);
        self.ids(link);
        self.tls(link);
        self.prefixes(link);
    }

    fn alphabet(&mut self, link: &mut Link) {
        let Some(line) = self.group.line("alt-charset") else { return };
        let bare: String = line.value.to_ascii_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
        match bare.as_str() {
            "gsm" | "gsm7" | "gsm0338" => link.text("default_alphabet", "gsm7"),
            "ascii" | "usascii" => link.text("default_alphabet", "ascii"),
            "iso88591" | "latin1" | "windows1252" | "cp1252" => link.text("default_alphabet", "latin1"),
            "utf8" => link.text("default_alphabet", "utf8"),
            _ => {
                let what = format!("`{}` is not among gsm7, latin1, ascii and utf8; gsm7 is taken", line.value);
                self.note(line, Weight::Mend, what);
            }
        }
    }

    /// Bit 0: the response's id is hexadecimal; bit 1: that of receipts.
    fn ids(&mut self, link: &mut Link) {
        let Some(line) = self.group.line("msg-id-type") else { return };
        let value = line.value.to_ascii_lowercase();
        let bits = value.strip_prefix("0x").map_or(value.parse().ok(), |hex| u32::from_str_radix(hex, 16).ok());
        match bits {
            Some(0) => link.text("message_id_format", "decimal"),
            Some(1) => link.text("message_id_format", "hex-decimal"),
            Some(2) => link.text("message_id_format", "decimal-hex"),
            Some(3) => link.text("message_id_format", "hex"),
            _ => self.note(
                line,
                Weight::Mend,
                format!("`{}` is none of 0x00 to 0x03; ids are matched in each form", line.value),
            ),
        }
    }

    fn tls(&mut self, link: &mut Link) {
        if !self.is_set("use-ssl") {
            return;
        }
        link.keys.push(("tls", "true".to_owned()));
        if let Some(line) = self.group.line("ssl-client-certkey-file") {
            // Kannel keeps certificate and key in one file; each reader takes its part of it.
            link.text("client_certificate_file", &line.value);
            link.text("client_key_file", &line.value);
        }
        if let Some(line) = self.group.line("use-ssl") {
            self.note(
                line,
                Weight::Mend,
                "the SMSC's certificate is verified here, which Kannel doesn't do: name its authority where that is not a public one",
            );
        }
    }

    fn prefixes(&mut self, link: &mut Link) {
        let mut prefixes: Vec<String> = Vec::new();
        for key in ["preferred-prefix", "allowed-prefix"] {
            let Some(line) = self.group.line(key) else { continue };
            // Numbers have no 00 and no + before their country's code here.
            let bare = |p: &str| p.trim().trim_start_matches('+').trim_start_matches("00").to_owned();
            prefixes.extend(line.value.split(';').map(bare).filter(|p| !p.is_empty()));
            if key == "allowed-prefix" {
                self.note(
                    line,
                    Weight::Otherwise,
                    "taken as what this link is preferred for: others may still carry it",
                );
            }
        }
        prefixes.sort();
        prefixes.dedup();
        if !prefixes.is_empty() {
            link.list("prefixes", &prefixes);
        }
    }

    /// Each line of the group that nothing was made of.
    fn without_equal(&mut self) {
        const TAKEN: &[&str] = &[
            "group",
            "smsc",
            "smsc-id",
            "host",
            "port",
            "receive-port",
            "transceiver-mode",
            "smsc-username",
            "smsc-password",
            "system-type",
            "interface-version",
            "my-number",
            "enquire-link-interval",
            "keepalive",
            "reconnect-delay",
            "wait-ack",
            "throughput",
            "max-pending-submits",
            "instances",
            "alt-charset",
            "msg-id-type",
            "use-ssl",
            "ssl-client-certkey-file",
            "preferred-prefix",
            "allowed-prefix",
        ];
        for line in self.group.lines.iter().filter(|line| !TAKEN.contains(&line.key.as_str())) {
            let (weight, what) = without_equal(&line.key);
            self.note(line, weight, what);
        }
    }
}

fn without_equal(key: &str) -> (Weight, &'static str) {
    use Weight::{Mend, NoEqual, Otherwise};
    match key {
        "address-range" => (NoEqual, "the bind asks for all that the SMSC has for the account"),
        "allowed-smsc-id"
        | "denied-smsc-id"
        | "preferred-smsc-id"
        | "allowed-smsc-id-regex"
        | "denied-smsc-id-regex" => {
            (Otherwise, "replies leave by the link that the report came on, or another of its `group`")
        }
        "denied-prefix" | "denied-prefix-regex" | "allowed-prefix-regex" | "preferred-prefix-regex" => {
            (NoEqual, "`prefixes` names what a link is preferred for; there is no list of what it may not carry")
        }
        "unified-prefix" | "reroute" | "reroute-smsc-id" | "reroute-receiver" | "reroute-dlr" => {
            (NoEqual, "numbers are kept as the SMSC writes them; nothing is rerouted")
        }
        "alt-dcs" => (NoEqual, "data_coding is written as SMPP 3.4 has it"),
        "validityperiod" => (Otherwise, "each reply has its own validity, from when it stops being worth sending"),
        "source-addr-ton" | "source-addr-npi" | "dest-addr-ton" | "dest-addr-npi" | "source-addr-autodetect" => {
            (Otherwise, "type and plan are chosen by the number: letters 5/0, up to 8 digits 0/1, longer 1/1")
        }
        "bind-addr-ton" | "bind-addr-npi" => (NoEqual, "the bind says 0/0"),
        "esm-class" => (NoEqual, "the SMSC's own mode is asked for, with a segment's header marked"),
        "service-type" => (NoEqual, "service_type is left empty"),
        "wait-ack-expire" => {
            (Otherwise, "what has no response in time is of unknown outcome: a receipt or one retry settles it")
        }
        "connection-timeout" => (Otherwise, "two enquire_link without a sign of life close the session"),
        "max-sms-octets" => (Otherwise, "segments are of 140 bytes"),
        "our-host" | "our-port" | "our-receiver-port" => (NoEqual, "the system chooses the local address"),
        "dead-start" => (Mend, "every link that is configured is bound at start; leave it out until it is wanted"),
        "log-file" | "log-level" => (Otherwise, "logs go to the journal, each line with its link"),
        "smsc-admin-id" | "connect-allow-ip" => (Otherwise, "`scrutineer link` administers it, over a local socket"),
        "default-schedule-delivery-time" | "priority" => (NoEqual, "messages go at once, replies before bulk"),
        _ => (NoEqual, "this key is not known here"),
    }
}
