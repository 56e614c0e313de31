//! The same PDUs as `rusmpp` has them: a codec that others wrote, strict where ours is lenient.

use bytes::BytesMut;
use rusmpp::decode::DecodeWithLength;
use rusmpp::encode::{Encode, Length};
use rusmpp::pdus::{
    AlertNotification, BindReceiver, BindReceiverResp, BindTransceiver, BindTransceiverResp, BindTransmitter,
    BindTransmitterResp, DataSm, DataSmResp, DeliverSm, DeliverSmResp, Outbind, QuerySm, SubmitSm, SubmitSmResp,
};
use rusmpp::tlvs::{
    MessageDeliveryRequestTlvValue, MessageDeliveryResponseTlvValue, MessageSubmissionRequestTlvValue,
    MessageSubmissionResponseTlvValue,
};
use rusmpp::types::{AnyOctetString, COctetString, EmptyOrFullCOctetString, OctetString};
use rusmpp::values::{
    DataCoding, EsmClass, InterfaceVersion, Npi, PriorityFlag, RegisteredDelivery, ReplaceIfPresentFlag, ServiceType,
    Ton,
};
use rusmpp::{Command, CommandId};
use scrutineer::smpp::{Bind, Pdu, ShortMessage};

use super::valid::{More, Valid};

fn string<const MIN: usize, const MAX: usize>(text: &str) -> COctetString<MIN, MAX> {
    COctetString::from_vec([text.as_bytes(), &[0]].concat()).unwrap()
}

fn time(text: &str) -> EmptyOrFullCOctetString<17> {
    EmptyOrFullCOctetString::from_vec([text.as_bytes(), &[0]].concat()).unwrap()
}

/// TLVs of a message that we know, in the order in which we write them.
fn ours(m: &ShortMessage) -> Vec<(u16, Vec<u8>)> {
    let mut tlvs: Vec<(u16, Vec<u8>)> = m.payload.iter().map(|payload| (0x0424, payload.clone())).collect();
    if let Some((reference, total, part)) = m.sar {
        tlvs.push((0x020C, reference.to_be_bytes().to_vec()));
        tlvs.push((0x020E, vec![total]));
        tlvs.push((0x020F, vec![part]));
    }
    tlvs.extend(m.receipted_message_id.iter().map(|id| (0x001E, [id.as_bytes(), &[0]].concat())));
    tlvs.extend(m.message_state.map(|state| (0x0427, vec![state])));
    tlvs
}

/// Ours alone, or in any places among the others.
fn tlvs(m: &ShortMessage, more: Option<&More>) -> Vec<(u16, Vec<u8>)> {
    let ours = ours(m);
    let Some(more) = more else { return ours };
    let mut all = more.tlvs.clone();
    for (tlv, place) in ours.into_iter().zip(&more.places) {
        all.insert(place.index(all.len() + 1), tlv);
    }
    all
}

macro_rules! values {
    ($kind:ident, $tlvs:expr) => {
        $tlvs
            .into_iter()
            .map(|(tag, value)| $kind::Other { tag: tag.into(), value: AnyOctetString::from_vec(value) })
            .collect::<Vec<$kind>>()
    };
}

macro_rules! bind {
    ($kind:ident, $bind:expr, $more:expr) => {{
        let bind: &Bind = $bind;
        let (ton, npi, range) = $more.map_or((0, 0, ""), |more| (more.range.0, more.range.1, more.range.2.as_str()));
        $kind::new(
            string(&bind.system_id),
            string(&bind.password),
            string(&bind.system_type),
            InterfaceVersion::from(bind.interface_version),
            Ton::from(ton),
            Npi::from(npi),
            string(range),
        )
        .into()
    }};
}

macro_rules! bind_resp {
    ($kind:ident, $system_id:expr, $more:expr) => {{
        // 3.4 is what the simulated SMSC says.
        let version = $more.map_or(Some(0x34), |more| more.version);
        $kind::new(string($system_id), version.map(InterfaceVersion::from)).into()
    }};
}

macro_rules! short_message {
    ($kind:ident, $tlv:ident, $message:expr, $more:expr) => {{
        let m: &ShortMessage = $message;
        let (replace, default_message) = $more.map_or((0, 0), |more| more.flags);
        $kind::new(
            ServiceType::new(string(&m.service_type)),
            Ton::from(m.source.ton),
            Npi::from(m.source.npi),
            string(&m.source.number),
            Ton::from(m.destination.ton),
            Npi::from(m.destination.npi),
            string(&m.destination.number),
            EsmClass::from(m.esm_class),
            m.protocol_id,
            PriorityFlag::from(m.priority_flag),
            time(&m.schedule_delivery_time),
            time(&m.validity_period),
            RegisteredDelivery::from(m.registered_delivery),
            ReplaceIfPresentFlag::from(replace),
            DataCoding::from(m.data_coding),
            default_message,
            OctetString::from_slice(&m.short_message).unwrap(),
            values!($tlv, tlvs(m, $more)),
        )
        .into()
    }};
}

fn data_sm(m: &ShortMessage, more: Option<&More>) -> DataSm {
    DataSm::new(
        ServiceType::new(string(&m.service_type)),
        Ton::from(m.source.ton),
        Npi::from(m.source.npi),
        string(&m.source.number),
        Ton::from(m.destination.ton),
        Npi::from(m.destination.npi),
        string(&m.destination.number),
        EsmClass::from(m.esm_class),
        RegisteredDelivery::from(m.registered_delivery),
        DataCoding::from(m.data_coding),
        values!(MessageSubmissionRequestTlvValue, tlvs(m, more)),
    )
}

fn alert(more: &More) -> AlertNotification {
    let (ton, npi, number) = &more.range;
    let (ton, npi) = (Ton::from(*ton), Npi::from(*npi));
    AlertNotification::new(ton, npi, string(number), ton, npi, string("12345"), None)
}

fn other(id: CommandId, more: Option<&More>) -> rusmpp::Pdu {
    let (Some(more), body) = (more, more.map_or(Vec::new(), |more| more.body.clone())) else {
        return rusmpp::Pdu::Other { command_id: id, body: AnyOctetString::empty() };
    };
    match id {
        CommandId::QuerySm => {
            let (ton, npi, number) = &more.range;
            QuerySm::new(string("id"), Ton::from(*ton), Npi::from(*npi), string(number)).into()
        }
        CommandId::Outbind => Outbind::new(string("smsc"), string("secret")).into(),
        CommandId::Other(_) => rusmpp::Pdu::Other { command_id: id, body: AnyOctetString::from_vec(body) },
        _ => rusmpp::Pdu::Other { command_id: id, body: AnyOctetString::empty() },
    }
}

/// A PDU as rusmpp has it: with what a peer may say more, or as bare as we write it.
fn theirs(pdu: &Pdu, more: Option<&More>) -> rusmpp::Pdu {
    let said = || more.map_or(Vec::new(), |more| more.tlvs.clone());
    match pdu {
        Pdu::BindTransceiver(b) => bind!(BindTransceiver, b, more),
        Pdu::BindReceiver(b) => bind!(BindReceiver, b, more),
        Pdu::BindTransmitter(b) => bind!(BindTransmitter, b, more),
        Pdu::BindTransceiverResp(id) => bind_resp!(BindTransceiverResp, id, more),
        Pdu::BindReceiverResp(id) => bind_resp!(BindReceiverResp, id, more),
        Pdu::BindTransmitterResp(id) => bind_resp!(BindTransmitterResp, id, more),
        Pdu::DeliverSm(m) => short_message!(DeliverSm, MessageDeliveryRequestTlvValue, m, more),
        Pdu::SubmitSm(m) => short_message!(SubmitSm, MessageSubmissionRequestTlvValue, m, more),
        Pdu::DataSm(m) => data_sm(m, more).into(),
        Pdu::DeliverSmResp => {
            let id = more.map_or("", |more| more.range.2.as_str());
            DeliverSmResp::new(string(id), values!(MessageDeliveryResponseTlvValue, said())).into()
        }
        Pdu::SubmitSmResp(id) => {
            SubmitSmResp::new(string(id), values!(MessageSubmissionResponseTlvValue, said())).into()
        }
        Pdu::DataSmResp(id) => DataSmResp::new(string(id), values!(MessageDeliveryResponseTlvValue, said())).into(),
        Pdu::EnquireLink => rusmpp::Pdu::EnquireLink,
        Pdu::EnquireLinkResp => rusmpp::Pdu::EnquireLinkResp,
        Pdu::Unbind => rusmpp::Pdu::Unbind,
        Pdu::UnbindResp => rusmpp::Pdu::UnbindResp,
        Pdu::GenericNack => rusmpp::Pdu::GenericNack,
        // Never sent: of ours there is its header alone.
        Pdu::AlertNotification => match more {
            Some(more) => alert(more).into(),
            None => rusmpp::Pdu::Other { command_id: CommandId::AlertNotification, body: AnyOctetString::empty() },
        },
        Pdu::Other(id) => other(*id, more),
    }
}

/// Bytes of a PDU as rusmpp writes it: with all that a peer may say in it, or (`bare`) as we do.
pub(super) fn encode(valid: &Valid, bare: bool) -> Vec<u8> {
    let pdu = theirs(&valid.pdu, (!bare).then_some(&valid.more));
    written(&Command::new(valid.status.into(), valid.sequence, pdu))
}

fn written(command: &Command) -> Vec<u8> {
    let mut bytes = vec![0; 4 + command.length()];
    let length = u32::try_from(bytes.len()).unwrap();
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    assert_eq!(command.encode(&mut bytes[4..]) + 4, bytes.len());
    bytes
}

/// What rusmpp reads in a whole PDU, and writes again.
pub(super) fn again(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut body = BytesMut::from(&bytes[4..]);
    let length = body.len();
    let (command, taken) = Command::decode(&mut body, length).map_err(|error| format!("{error:?}"))?;
    if taken != length {
        return Err(format!("{taken} of {length} bytes are read"));
    }
    Ok(written(&command))
}
