//! PDUs to bytes, many to one buffer, so that one write carries them all.

use bytes::{BufMut, BytesMut};
use rusmpp::tlvs::TlvTag;
use rusmpp::{CommandId, CommandStatus};

use super::frame::HEADER_BYTES;
use super::pdu::{Address, Bind, Pdu, ShortMessage};

/// Appends one PDU. A refused bind is answered by its header alone; the other responses carry their
/// `message_id` whatever the status, as old peers ask for it.
pub fn encode(out: &mut BytesMut, status: u32, sequence: u32, pdu: &Pdu) {
    let begin = out.len();
    out.put_bytes(0, HEADER_BYTES);
    let id = body(out, status, pdu);
    let length = (out.len() - begin) as u32;
    if let Some(mut header) = out.get_mut(begin..begin + HEADER_BYTES) {
        header.put_u32(length);
        header.put_u32(id.into());
        header.put_u32(status);
        header.put_u32(sequence);
    }
}

/// Appends a `generic_nack`.
pub fn encode_nack(out: &mut BytesMut, status: CommandStatus, sequence: u32) {
    encode(out, status.into(), sequence, &Pdu::GenericNack);
}

fn body(out: &mut BytesMut, status: u32, pdu: &Pdu) -> CommandId {
    match pdu {
        Pdu::BindTransceiver(b) => bind(out, b, CommandId::BindTransceiver),
        Pdu::BindReceiver(b) => bind(out, b, CommandId::BindReceiver),
        Pdu::BindTransmitter(b) => bind(out, b, CommandId::BindTransmitter),
        Pdu::BindTransceiverResp(id) => bind_resp(out, status, id, CommandId::BindTransceiverResp),
        Pdu::BindReceiverResp(id) => bind_resp(out, status, id, CommandId::BindReceiverResp),
        Pdu::BindTransmitterResp(id) => bind_resp(out, status, id, CommandId::BindTransmitterResp),
        Pdu::DeliverSm(m) => short_message(out, m, CommandId::DeliverSm),
        Pdu::SubmitSm(m) => short_message(out, m, CommandId::SubmitSm),
        Pdu::DataSm(m) => data_sm(out, m),
        Pdu::DeliverSmResp => {
            out.put_u8(0);
            CommandId::DeliverSmResp
        }
        Pdu::SubmitSmResp(id) => {
            string(out, id, 64);
            CommandId::SubmitSmResp
        }
        Pdu::DataSmResp(id) => {
            string(out, id, 64);
            CommandId::DataSmResp
        }
        Pdu::EnquireLink => CommandId::EnquireLink,
        Pdu::EnquireLinkResp => CommandId::EnquireLinkResp,
        Pdu::Unbind => CommandId::Unbind,
        Pdu::UnbindResp => CommandId::UnbindResp,
        Pdu::GenericNack => CommandId::GenericNack,
        Pdu::AlertNotification => CommandId::AlertNotification,
        Pdu::Other(id) => *id,
    }
}

/// A C-string of at most `max` bytes and its NUL. Characters that are no Latin-1 become `?`; a NUL
/// would end it early and is left out.
fn string(out: &mut BytesMut, text: &str, max: usize) {
    if text.is_ascii() && text.len() <= max && !text.contains('\0') {
        out.put_slice(text.as_bytes());
    } else {
        for c in text.chars().filter(|&c| c != '\0').take(max) {
            out.put_u8(u8::try_from(u32::from(c)).unwrap_or(b'?'));
        }
    }
    out.put_u8(0);
}

fn bind(out: &mut BytesMut, bind: &Bind, id: CommandId) -> CommandId {
    string(out, &bind.system_id, 15);
    // The specification's 8 bytes are too few for some aggregators' passwords.
    string(out, &bind.password, 255);
    string(out, &bind.system_type, 12);
    out.put_u8(bind.interface_version);
    // addr_ton, addr_npi, address_range: whatever the SMSC has for us.
    out.put_slice(&[0, 0, 0]);
    id
}

/// What the simulated SMSC says that it speaks: 3.4.
const SC_INTERFACE_VERSION: u8 = 0x34;

fn bind_resp(out: &mut BytesMut, status: u32, system_id: &str, id: CommandId) -> CommandId {
    if status == 0 {
        string(out, system_id, 15);
        tlv(out, TlvTag::ScInterfaceVersion, &[SC_INTERFACE_VERSION]);
    }
    id
}

fn address(out: &mut BytesMut, address: &Address, max: usize) {
    out.put_u8(address.ton);
    out.put_u8(address.npi);
    string(out, &address.number, max);
}

fn short_message(out: &mut BytesMut, m: &ShortMessage, id: CommandId) -> CommandId {
    string(out, &m.service_type, 5);
    address(out, &m.source, 20);
    address(out, &m.destination, 20);
    out.put_slice(&[m.esm_class, m.protocol_id, m.priority_flag]);
    string(out, &m.schedule_delivery_time, 16);
    string(out, &m.validity_period, 16);
    // registered_delivery, replace_if_present_flag, data_coding, sm_default_msg_id
    out.put_slice(&[m.registered_delivery, 0, m.data_coding, 0]);
    let text = m.short_message.get(..m.short_message.len().min(255)).unwrap_or_default();
    out.put_u8(text.len() as u8);
    out.put_slice(text);
    tlvs(out, m);
    id
}

fn data_sm(out: &mut BytesMut, m: &ShortMessage) -> CommandId {
    string(out, &m.service_type, 5);
    address(out, &m.source, 64);
    address(out, &m.destination, 64);
    out.put_slice(&[m.esm_class, m.registered_delivery, m.data_coding]);
    tlvs(out, m);
    CommandId::DataSm
}

fn tlv(out: &mut BytesMut, tag: TlvTag, value: &[u8]) {
    let value = value.get(..value.len().min(u16::MAX.into())).unwrap_or_default();
    out.put_u16(tag.into());
    out.put_u16(value.len() as u16);
    out.put_slice(value);
}

fn tlvs(out: &mut BytesMut, m: &ShortMessage) {
    if let Some(payload) = &m.payload {
        tlv(out, TlvTag::MessagePayload, payload);
    }
    if let Some((reference, total, part)) = m.sar {
        tlv(out, TlvTag::SarMsgRefNum, &reference.to_be_bytes());
        tlv(out, TlvTag::SarTotalSegments, &[total]);
        tlv(out, TlvTag::SarSegmentSeqnum, &[part]);
    }
    if let Some(id) = &m.receipted_message_id {
        let mut value = BytesMut::new();
        string(&mut value, id, 64);
        tlv(out, TlvTag::ReceiptedMessageId, &value);
    }
    if let Some(state) = m.message_state {
        tlv(out, TlvTag::MessageState, &[state]);
    }
}

#[cfg(test)]
mod tests;
