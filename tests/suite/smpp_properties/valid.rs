//! Any valid PDU of a kind that we send or take: each field anything that the specification allows (SMPP 3.4,
//! sections 4 and 5.2), with TLVs that we know, that others know, and that nobody does.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use rusmpp::tlvs::TlvTag;
use scrutineer::smpp::{Address, Bind, CommandId, Pdu, ShortMessage};

/// A PDU with its header, and with what a peer may say in it that we neither say nor keep.
#[derive(Debug, Clone)]
pub(super) struct Valid {
    pub(super) status: u32,
    pub(super) sequence: u32,
    pub(super) pdu: Pdu,
    pub(super) more: More,
}

/// See [`Valid`].
#[derive(Debug, Clone)]
pub(super) struct More {
    /// `replace_if_present_flag`, `sm_default_msg_id`.
    pub(super) flags: (u8, u8),
    /// `addr_ton`, `addr_npi`, `address_range` of a bind; the parties of what has them.
    pub(super) range: (u8, u8, String),
    /// `sc_interface_version` of a bind response.
    pub(super) version: Option<u8>,
    /// TLVs that we pass over: tag, value.
    pub(super) tlvs: Vec<(u16, Vec<u8>)>,
    /// Where among the others each of ours stands.
    pub(super) places: Vec<prop::sample::Index>,
    /// Body of a PDU of another kind.
    pub(super) body: Vec<u8>,
}

/// A C-string of at most so many letters: any ASCII but NUL.
fn text(max: usize) -> impl Strategy<Value = String> {
    vec(1u8..0x80, 0..=max).prop_map(|bytes| bytes.into_iter().map(char::from).collect())
}

/// Nothing, or the sixteen characters of a time (7.1.1).
fn time() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[0-9]{15}[-+R]"]
}

fn address(max: usize) -> impl Strategy<Value = Address> {
    (any::<u8>(), any::<u8>(), text(max)).prop_map(|(ton, npi, number)| Address { ton, npi, number })
}

/// Seldom as long as there may be.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        20 => vec(any::<u8>(), 0..300),
        1 => (any::<u8>(), 60_000usize..=65_535).prop_map(|(byte, length)| vec![byte; length]),
    ]
}

fn short_message(address_max: usize) -> impl Strategy<Value = ShortMessage> {
    let parties = (text(5), address(address_max), address(address_max));
    let numbers = any::<(u8, u8, u8, u8, u8)>();
    let tlvs = (option::of(payload()), option::of(any::<(u16, u8, u8)>()), option::of(text(64)), any::<Option<u8>>());
    (parties, numbers, (time(), time()), vec(any::<u8>(), 0..=255), tlvs).prop_map(
        |((service_type, source, destination), numbers, times, short_message, tlvs)| ShortMessage {
            service_type,
            source,
            destination,
            esm_class: numbers.0,
            protocol_id: numbers.1,
            priority_flag: numbers.2,
            schedule_delivery_time: times.0,
            validity_period: times.1,
            registered_delivery: numbers.3,
            data_coding: numbers.4,
            short_message,
            payload: tlvs.0,
            sar: tlvs.1,
            receipted_message_id: tlvs.2,
            message_state: tlvs.3,
        },
    )
}

/// What `data_sm` has of it.
fn data(message: ShortMessage) -> ShortMessage {
    ShortMessage {
        protocol_id: 0,
        priority_flag: 0,
        schedule_delivery_time: String::new(),
        validity_period: String::new(),
        short_message: Vec::new(),
        ..message
    }
}

fn bind() -> impl Strategy<Value = Bind> {
    (text(15), text(8), text(12), any::<u8>()).prop_map(|(system_id, password, system_type, interface_version)| Bind {
        system_id,
        password,
        system_type,
        interface_version,
    })
}

/// TLVs that the specification knows and we pass over: tag, least and greatest length of a value.
const OTHERS: [(u16, usize, usize); 15] = [
    (0x0005, 1, 1),  // dest_addr_subunit
    (0x0019, 1, 1),  // payload_type
    (0x0201, 1, 1),  // privacy_indicator
    (0x0204, 2, 2),  // user_message_reference
    (0x0205, 1, 1),  // user_response_code
    (0x020A, 2, 2),  // source_port
    (0x020B, 2, 2),  // dest_port
    (0x020D, 1, 1),  // language_indicator
    (0x0303, 0, 65), // callback_num_atag
    (0x0381, 4, 19), // callback_num
    (0x0423, 3, 3),  // network_error_code
    (0x0501, 1, 1),  // ussd_service_op
    (0x060F, 6, 6),  // source_node_id
    (0x1380, 1, 1),  // its_reply_type
    (0x1383, 2, 2),  // its_session_info
];

fn tlv() -> impl Strategy<Value = (u16, Vec<u8>)> {
    let known = prop::sample::select(OTHERS.to_vec())
        .prop_flat_map(|(tag, least, most)| (Just(tag), vec(any::<u8>(), least..=most)));
    let is_nobodys = |tag: &u16| matches!(TlvTag::from(*tag), TlvTag::Other(_));
    let nobodys = any::<u16>().prop_filter("a tag that nobody knows", is_nobodys);
    prop_oneof![known, (nobodys, vec(any::<u8>(), 0..40)), (0x1400u16..0x4000, vec(any::<u8>(), 0..40))]
}

fn more() -> impl Strategy<Value = More> {
    let range = (any::<u8>(), any::<u8>(), text(20));
    let places = vec(any::<prop::sample::Index>(), 6);
    (any::<(u8, u8)>(), range, any::<Option<u8>>(), vec(tlv(), 0..5), places, vec(any::<u8>(), 0..60))
        .prop_map(|(flags, range, version, tlvs, places, body)| More { flags, range, version, tlvs, places, body })
}

/// Kinds that we neither send nor take, but for their header.
fn other() -> impl Strategy<Value = Pdu> {
    let known = [CommandId::QuerySm, CommandId::Outbind, CommandId::QuerySmResp, CommandId::CancelSmResp];
    let nobodys =
        any::<u32>().prop_map(CommandId::from).prop_filter("nobody's", |id| matches!(id, CommandId::Other(_)));
    prop_oneof![prop::sample::select(known.to_vec()), nobodys].prop_map(Pdu::Other)
}

/// See the module. `address_max`: letters of an address in `data_sm`, of which the specification allows 64.
pub(super) fn valid(address_max: usize) -> impl Strategy<Value = Valid> {
    let requests = prop_oneof![
        bind().prop_map(Pdu::BindTransceiver),
        bind().prop_map(Pdu::BindReceiver),
        bind().prop_map(Pdu::BindTransmitter),
        short_message(20).prop_map(Pdu::DeliverSm),
        short_message(20).prop_map(Pdu::SubmitSm),
        short_message(address_max).prop_map(data).prop_map(Pdu::DataSm),
        Just(Pdu::EnquireLink),
        Just(Pdu::Unbind),
        Just(Pdu::AlertNotification),
    ];
    let responses = prop_oneof![
        text(15).prop_map(Pdu::BindTransceiverResp),
        text(15).prop_map(Pdu::BindReceiverResp),
        text(15).prop_map(Pdu::BindTransmitterResp),
        Just(Pdu::DeliverSmResp),
        text(64).prop_map(Pdu::SubmitSmResp),
        text(64).prop_map(Pdu::DataSmResp),
        Just(Pdu::EnquireLinkResp),
        Just(Pdu::UnbindResp),
        Just(Pdu::GenericNack),
        other(),
    ];
    let with_status = (prop_oneof![Just(0), any::<u32>()], responses);
    let both = prop_oneof![(Just(0), requests), with_status];
    (both, any::<u32>(), more()).prop_map(|((status, pdu), sequence, more)| Valid { status, sequence, pdu, more })
}

/// One word for a kind.
pub(super) fn kind(pdu: &Pdu) -> String {
    let name = format!("{pdu:?}");
    name.split(['(', ' ']).next().unwrap_or_default().to_owned()
}

/// Kinds that [`valid`] gives.
pub(super) const KINDS: usize = 19;
