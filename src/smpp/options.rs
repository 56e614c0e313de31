//! What a link needs to know.

use std::time::Duration;

use super::pdu::{Bind, Pdu};
use super::statuses::Statuses;
use super::tls::TlsOptions;
use crate::domain::alphabet::DefaultAlphabet;
use crate::domain::bind::Role;
use crate::domain::message_id::MessageIdFormat;
use crate::text::alphabets::Sending;

/// The bind request.
pub(super) fn request(role: Role, bind: Bind) -> Pdu {
    match role {
        Role::Transceiver => Pdu::BindTransceiver(bind),
        Role::Transmitter => Pdu::BindTransmitter(bind),
        Role::Receiver => Pdu::BindReceiver(bind),
    }
}

/// One bind of a link to an SMSC.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkOptions {
    /// Name of the bind: the link's own for its first one, `NAME#2` and so on for others, `NAME#tx` for the
    /// transmitter of a pair. Logs and the spool have it.
    pub name: String,
    /// Name of the link that it is a bind of.
    pub link: String,
    /// Which way messages go.
    pub role: Role,
    /// `interface_version` that we bind with.
    pub version: u8,
    /// Its group.
    pub group: String,
    /// Host of the SMSC.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// TLS, where the SMSC speaks it.
    pub tls: Option<TlsOptions>,
    /// `system_id`.
    pub system_id: String,
    /// `password`. Never printed.
    pub password: String,
    /// `system_type`.
    pub system_type: String,
    /// What `data_coding` 0 means here.
    pub default_alphabet: DefaultAlphabet,
    /// Received messages that may wait for their acknowledgement.
    pub receive_window: usize,
    /// Bytes of them, at most: its share of what the gateway may hold may be less.
    pub receive_bytes: usize,
    /// `submit_sm` that may wait for their response.
    pub submit_window: usize,
    /// Segments a second; 0: no limit.
    pub submits_per_second: u32,
    /// Silence after which `enquire_link` is sent.
    pub enquire_link: Duration,
    /// How long a response is waited for.
    pub response_timeout: Duration,
    /// Greatest pause before a new bind.
    pub reconnect_max: Duration,
    /// For how long after a bind the SMSC sends again what it has no response to.
    pub redelivery: Duration,
    /// How long a response is withheld before the SMSC is told to deliver later: less than it waits itself.
    pub withhold: Duration,
    /// `command_status` that tells this SMSC to deliver later.
    pub overload_status: u32,
    /// Ask for delivery receipts, where the worker wants one?
    pub receipts: bool,
    /// How its SMSC writes ids, which the worker matches.
    pub message_ids: MessageIdFormat,
    /// Does what follows count, where `sm_length` says more?
    pub tolerate_sm_length: bool,
    /// How texts are sent.
    pub sending: Sending,
    /// What its responses' statuses mean.
    pub statuses: Statuses,
    /// Say until when a text is worth delivering?
    pub validity: bool,
}

impl std::fmt::Debug for LinkOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinkOptions")
            .field("name", &self.name)
            .field("host", &self.host)
            .field("port", &self.port)
            .field("system_id", &self.system_id)
            .finish_non_exhaustive()
    }
}
