//! `[[link]]`: one SMPP link.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Secret;
use crate::domain::alphabet::DefaultAlphabet;

/// How to bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BindMode {
    /// `bind_transceiver`.
    #[default]
    Transceiver,
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
    /// Our own numbers on this link; the first is the source of texts that answer nothing.
    pub numbers: Vec<String>,
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
    /// Seconds after a bind in which what the SMSC sends again, as it had no response, is known as such.
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
}
