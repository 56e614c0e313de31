//! `[[link]]`: one SMPP link.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Secret;
use super::pem::Pem;
use crate::domain::alphabet::{DefaultAlphabet, LongMessages, SendAlphabet};
use crate::domain::bind::Role;
use crate::domain::message_id::MessageIdFormat;
use crate::limits::BINDS_MAX;

/// How to bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BindMode {
    /// `bind_transceiver`: both ways.
    #[default]
    Transceiver,
    /// `bind_transmitter`: it sends.
    Transmitter,
    /// `bind_receiver`: it receives.
    Receiver,
    /// Both, each on a connection of its own.
    Pair,
}

/// Version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
pub enum SmppVersion {
    /// SMPP 3.4.
    #[default]
    #[serde(rename = "3.4")]
    V34,
    /// SMPP 5.0.
    #[serde(rename = "5.0")]
    V50,
}

impl SmppVersion {
    /// As `interface_version` has it.
    pub fn number(self) -> u8 {
        match self {
            Self::V34 => 0x34,
            Self::V50 => 0x50,
        }
    }
}

/// What stands in a link's PEM files.
#[derive(Debug, Clone, Default)]
pub struct PemFiles {
    /// Of `ca_file`.
    pub authorities: Pem,
    /// Of `client_certificate_file`.
    pub certificate: Pem,
    /// Of `client_key_file`.
    pub key: Pem,
}

/// One bind of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindName {
    /// Name of the link for its first bind, `NAME#2` and so on for others, `NAME#tx`, `NAME#tx2` for the
    /// transmitters of pairs. As `#` stands in no name of a link, no two are the same; and as long as a link
    /// receives, its first receiving bind has its name, however it is bound.
    pub name: String,
    /// What it is.
    pub role: Role,
}

/// One link to an SMSC.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LinkConfig {
    /// Name, unique: letters, digits, dashes.
    pub name: String,
    /// Links of one group carry each other's replies; the link's name when left out.
    #[serde(default)]
    pub group: Option<String>,
    /// Host of the SMSC.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Speak TLS? The SMSC's certificate and name are verified.
    #[serde(default)]
    pub tls: bool,
    /// PEM file of the authorities that may have signed the SMSC's certificate; the system's when left out.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Name that the SMSC's certificate must have; `host` when left out.
    #[serde(default)]
    pub server_name: Option<String>,
    /// PEM file of our certificate, where the SMSC asks for one.
    #[serde(default)]
    pub client_certificate_file: Option<PathBuf>,
    /// PEM file of its key (systemd's `LoadCredential`).
    #[serde(default)]
    pub client_key_file: Option<PathBuf>,
    /// What stands in those files.
    #[serde(skip)]
    pub pem: PemFiles,
    /// SMPP `system_id`, at most 15 bytes.
    pub system_id: String,
    /// SMPP password, at most 8 bytes by the specification; longer ones are sent as they are.
    #[serde(default)]
    pub password: Secret,
    /// File that holds the password instead (systemd's `LoadCredential`).
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// SMPP `system_type`.
    #[serde(default)]
    pub system_type: String,
    /// Bind mode.
    #[serde(default)]
    pub bind: BindMode,
    /// How many binds (pairs of them, where `bind` says so) it has at a time, where the SMSC allows several.
    #[serde(default = "one")]
    pub binds: u32,
    /// Version of SMPP that is asked for.
    #[serde(default)]
    pub version: SmppVersion,
    /// Our own numbers on this link; the first is the source of texts that answer nothing.
    pub numbers: Vec<String>,
    /// First digits of the numbers whose texts go by this link's group where they answer nothing.
    #[serde(default)]
    pub prefixes: Vec<String>,
    /// What `data_coding` 0 means here.
    #[serde(default)]
    pub default_alphabet: DefaultAlphabet,
    /// `deliver_sm` taken while earlier ones wait for the disk.
    #[serde(default = "default_receive_window")]
    pub receive_window: u32,
    /// `submit_sm` sent ahead of their responses.
    #[serde(default = "default_submit_window")]
    pub submit_window: u32,
    /// Segments a second, at most; 0: no limit.
    #[serde(default)]
    pub submits_per_second: u32,
    /// Seconds of silence after which `enquire_link` is sent.
    #[serde(default = "default_enquire")]
    pub enquire_link_seconds: u32,
    /// Seconds for which a response is waited.
    #[serde(default = "default_timeout")]
    pub response_timeout_seconds: u32,
    /// Greatest pause before a new bind, seconds; the first is one second.
    #[serde(default = "default_backoff")]
    pub reconnect_seconds_max: u32,
    /// Seconds after a bind, or after a message was refused for now, in which what the SMSC sends again, as it had no
    /// response, is known as such.
    /// A text that is sent again later is a message of its own.
    #[serde(default = "default_redelivery")]
    pub redelivery_seconds: u32,
    /// Seconds for which a response is withheld under overload, before the SMSC is told to deliver later.
    #[serde(default = "default_withhold")]
    pub withhold_seconds: u32,
    /// `command_status` that tells this SMSC to deliver later.
    #[serde(default = "default_overload")]
    pub overload_status: u32,
    /// Ask for delivery receipts?
    #[serde(default = "yes")]
    pub receipts: bool,
    /// How the SMSC writes a text's id in its response and in receipts.
    #[serde(default)]
    pub message_id_format: MessageIdFormat,
    /// Take what follows as the text where `sm_length` says more?
    #[serde(default)]
    pub tolerate_sm_length: bool,
    /// How a text of several segments is sent.
    #[serde(default)]
    pub long_messages: LongMessages,
    /// Bits of a long text's reference: 8 or 16.
    #[serde(default = "default_reference")]
    pub reference_bits: u32,
    /// Alphabets that texts may be sent in; of them the one that takes the fewest segments is.
    #[serde(default = "default_alphabets")]
    pub alphabets: Vec<SendAlphabet>,
    /// Languages (ISO 639-1) whose national shift tables the phones here know.
    #[serde(default)]
    pub shift_tables: Vec<String>,
    /// Tell the SMSC until when a text is worth delivering?
    #[serde(default = "yes")]
    pub validity_period: bool,
    /// `command_status` of responses that pause the whole link, beside the common ones.
    #[serde(default)]
    pub throttle_statuses: Vec<u32>,
    /// Those after which a text is tried again a little later.
    #[serde(default)]
    pub temporary_statuses: Vec<u32>,
    /// Those that are final though they commonly are not.
    #[serde(default)]
    pub permanent_statuses: Vec<u32>,
}

fn default_reference() -> u32 {
    8
}
fn default_alphabets() -> Vec<SendAlphabet> {
    vec![SendAlphabet::Default, SendAlphabet::Ucs2]
}

fn one() -> u32 {
    1
}
fn default_receive_window() -> u32 {
    500
}
fn default_submit_window() -> u32 {
    50
}
fn default_enquire() -> u32 {
    30
}
fn default_timeout() -> u32 {
    10
}
fn default_backoff() -> u32 {
    60
}
fn default_redelivery() -> u32 {
    60
}
fn default_withhold() -> u32 {
    u32::try_from(crate::limits::WITHHOLD_SECONDS).unwrap_or(5)
}
fn default_overload() -> u32 {
    0x08
}
fn yes() -> bool {
    true
}

impl LinkConfig {
    /// The group that the link belongs to.
    pub fn group(&self) -> &str {
        self.group.as_deref().unwrap_or(&self.name)
    }

    /// Its binds, those that receive first.
    pub fn binds(&self) -> Vec<BindName> {
        let roles: &[(&str, Role)] = match self.bind {
            BindMode::Transceiver => &[("", Role::Transceiver)],
            BindMode::Receiver => &[("", Role::Receiver)],
            BindMode::Transmitter => &[("", Role::Transmitter)],
            BindMode::Pair => &[("", Role::Receiver), ("tx", Role::Transmitter)],
        };
        let mut all = Vec::new();
        for &(suffix, role) in roles {
            // What is out of range is named by the configuration's check.
            for n in 1..=self.binds.clamp(1, BINDS_MAX as u32 + 1) {
                let name = match (suffix, n) {
                    ("", 1) => self.name.clone(),
                    (suffix, 1) => format!("{}#{suffix}", self.name),
                    (suffix, n) => format!("{}#{suffix}{n}", self.name),
                };
                all.push(BindName { name, role });
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(keys: &str) -> Vec<String> {
        let text = format!("name='a'\nhost='h'\nport=1\nsystem_id='s'\nnumbers=['1']\n{keys}");
        let link: LinkConfig = toml::from_str(&text).unwrap();
        link.binds().into_iter().map(|b| format!("{} {}", b.name, b.role.word())).collect()
    }

    #[test]
    fn the_first_bind_that_receives_has_the_links_name() {
        assert_eq!(names(""), ["a transceiver"]);
        assert_eq!(names("binds = 3"), ["a transceiver", "a#2 transceiver", "a#3 transceiver"]);
        assert_eq!(names("bind = 'pair'"), ["a receiver", "a#tx transmitter"]);
        assert_eq!(
            names("bind = 'pair'\nbinds = 2"),
            ["a receiver", "a#2 receiver", "a#tx transmitter", "a#tx2 transmitter"]
        );
        assert_eq!(names("bind = 'transmitter'"), ["a transmitter"]);
    }
}
