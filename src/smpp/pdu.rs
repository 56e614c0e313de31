//! The PDUs that Scrutineer and its simulated SMSC exchange, as plain owned values.

use crate::domain::alphabet::DefaultAlphabet;
use crate::handoff::message::{Body, Mobile};

/// A party of a message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Address {
    /// Type of number.
    pub ton: u8,
    /// Numbering plan.
    pub npi: u8,
    /// The number. A byte that is not ASCII stands as the Latin-1 character of the same value.
    pub number: String,
}

impl Address {
    /// The way such numbers are commonly sent: letters as alphanumeric (5/0), up to 8 digits as a
    /// network's own number (0/1), more as international (1/1).
    pub fn guess(number: &str) -> Self {
        let digits = number.strip_prefix('+').unwrap_or(number);
        let (ton, npi, kept) = if !digits.bytes().all(|b| b.is_ascii_digit()) {
            (5, 0, number)
        } else if digits.len() <= 8 {
            (0, 1, digits)
        } else {
            (1, 1, digits)
        };
        Self { ton, npi, number: kept.to_owned() }
    }
}

/// `bind_transceiver`, `bind_receiver` or `bind_transmitter`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Bind {
    /// `system_id`.
    pub system_id: String,
    /// `password`. Never printed.
    pub password: String,
    /// `system_type`.
    pub system_type: String,
    /// `interface_version`: 0x34 for SMPP 3.4.
    pub interface_version: u8,
}

impl std::fmt::Debug for Bind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bind")
            .field("system_id", &self.system_id)
            .field("system_type", &self.system_type)
            .field("interface_version", &self.interface_version)
            .finish_non_exhaustive()
    }
}

/// `deliver_sm`, `submit_sm` or `data_sm`: the three carry the same things.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ShortMessage {
    /// `service_type`.
    pub service_type: String,
    /// Who sent it.
    pub source: Address,
    /// To whom.
    pub destination: Address,
    /// `esm_class`.
    pub esm_class: u8,
    /// `protocol_id`; not in `data_sm`.
    pub protocol_id: u8,
    /// `priority_flag`; not in `data_sm`.
    pub priority_flag: u8,
    /// `schedule_delivery_time`; not in `data_sm`.
    pub schedule_delivery_time: String,
    /// `validity_period`; not in `data_sm`.
    pub validity_period: String,
    /// `registered_delivery`.
    pub registered_delivery: u8,
    /// `data_coding`.
    pub data_coding: u8,
    /// `short_message`, at most 255 bytes; not in `data_sm`.
    pub short_message: Vec<u8>,
    /// TLV `message_payload`.
    pub payload: Option<Vec<u8>>,
    /// TLVs `sar_msg_ref_num`, `sar_total_segments`, `sar_segment_seqnum`: all three or none.
    pub sar: Option<(u16, u8, u8)>,
    /// TLV `receipted_message_id`.
    pub receipted_message_id: Option<String>,
    /// TLV `message_state`.
    pub message_state: Option<u8>,
}

/// `esm_class`: the message begins with a user data header.
pub const ESM_UDH: u8 = 0x40;
/// `esm_class`: it is a delivery receipt of the SMSC.
pub const ESM_RECEIPT: u8 = 0x04;

impl ShortMessage {
    /// Is it a receipt or notification, by `esm_class` alone (SMPP 3.4, 5.2.12, bits 2 to 5)? What
    /// its text looks like is no matter. A user's own acknowledgement (0x10) is a message.
    pub fn is_receipt(&self) -> bool {
        matches!(self.esm_class & 0x3C, 0x04 | 0x08 | 0x20 | 0x24)
    }

    /// What the spool keeps of one that came: a receipt or a message. `data_coding` 0 means `default_alphabet`.
    pub fn into_body(self, default_alphabet: DefaultAlphabet) -> Body {
        let is_receipt = self.is_receipt();
        let mobile = Mobile {
            source: self.source.number,
            source_ton: self.source.ton,
            source_npi: self.source.npi,
            destination: self.destination.number,
            esm_class: self.esm_class,
            data_coding: self.data_coding,
            default_alphabet,
            short_message: self.short_message,
            payload: self.payload,
            sar: self.sar,
            receipted_message_id: self.receipted_message_id,
            message_state: self.message_state,
        };
        if is_receipt { Body::Receipt(mobile) } else { Body::Message(mobile) }
    }
}

/// One PDU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pdu {
    /// `bind_transceiver`.
    BindTransceiver(Bind),
    /// `bind_receiver`.
    BindReceiver(Bind),
    /// `bind_transmitter`.
    BindTransmitter(Bind),
    /// `bind_transceiver_resp`: the peer's `system_id`.
    BindTransceiverResp(String),
    /// `bind_receiver_resp`.
    BindReceiverResp(String),
    /// `bind_transmitter_resp`.
    BindTransmitterResp(String),
    /// `deliver_sm`.
    DeliverSm(ShortMessage),
    /// `deliver_sm_resp`. Its `message_id` is unused and left out.
    DeliverSmResp,
    /// `data_sm`, from either side.
    DataSm(ShortMessage),
    /// `data_sm_resp`: `message_id`.
    DataSmResp(String),
    /// `submit_sm`.
    SubmitSm(ShortMessage),
    /// `submit_sm_resp`: `message_id`, empty when the SMSC refused or gave none.
    SubmitSmResp(String),
    /// `enquire_link`.
    EnquireLink,
    /// `enquire_link_resp`.
    EnquireLinkResp,
    /// `unbind`.
    Unbind,
    /// `unbind_resp`.
    UnbindResp,
    /// `generic_nack`.
    GenericNack,
    /// `alert_notification`, which has no response; its body is not read.
    AlertNotification,
    /// Any other `command_id`.
    Other(rusmpp::CommandId),
}
