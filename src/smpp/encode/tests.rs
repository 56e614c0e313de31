//! The codec against itself and against rusmpp's strict decoder.

use bytes::BytesMut;
use proptest::prelude::*;
use rusmpp::decode::DecodeWithLength;

use super::*;
use crate::smpp::{decode, split};

fn round(pdu: &Pdu) -> Pdu {
    let mut out = BytesMut::new();
    encode(&mut out, 0, 0x7FFF_FFFF, pdu);
    let frame = split(&mut out).unwrap().unwrap();
    assert_eq!(frame.sequence, 0x7FFF_FFFF);
    assert!(out.is_empty());
    decode(&frame).unwrap()
}

fn strict(pdu: &Pdu) -> rusmpp::Command {
    let mut out = BytesMut::new();
    encode(&mut out, 0, 9, pdu);
    let length = out.len();
    let mut rest = out.split_off(4);
    rusmpp::Command::decode(&mut rest, length - 4).unwrap().0
}

fn message() -> impl Strategy<Value = ShortMessage> {
    let number = "[0-9A-Za-z]{0,20}";
    let text = proptest::collection::vec(any::<u8>(), 0..=255);
    (
        (number, "[0-9A-Za-z]{0,20}", any::<u8>(), any::<u8>(), text),
        proptest::option::of(proptest::collection::vec(any::<u8>(), 0..400)),
        proptest::option::of(any::<(u16, u8, u8)>()),
        proptest::option::of("[0-9a-f]{1,64}"),
        proptest::option::of(any::<u8>()),
    )
        .prop_map(|((source, destination, esm_class, data_coding, short_message), payload, sar, id, state)| {
            ShortMessage {
                source: Address { ton: 1, npi: 1, number: source },
                destination: Address { ton: 0, npi: 1, number: destination },
                esm_class,
                data_coding,
                short_message,
                payload,
                sar,
                receipted_message_id: id,
                message_state: state,
                ..ShortMessage::default()
            }
        })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(m in message()) {
        prop_assert_eq!(round(&Pdu::DeliverSm(m.clone())), Pdu::DeliverSm(m.clone()));
        prop_assert_eq!(round(&Pdu::SubmitSm(m.clone())), Pdu::SubmitSm(m.clone()));
        let data = ShortMessage { short_message: Vec::new(), ..m };
        prop_assert_eq!(round(&Pdu::DataSm(data.clone())), Pdu::DataSm(data));
    }

    #[test]
    fn any_body_is_read_or_refused_and_never_panics(id in 0u32..0x112, response in any::<bool>(), body in proptest::collection::vec(any::<u8>(), 0..120)) {
        let mut out = BytesMut::new();
        encode(&mut out, 0, 1, &Pdu::Other((id | u32::from(response) << 31).into()));
        out.truncate(16);
        out.extend_from_slice(&body);
        let length = (out.len() as u32).to_be_bytes();
        out[..4].copy_from_slice(&length);
        let _ = decode(&split(&mut out).unwrap().unwrap());
    }
}

#[test]
fn a_strict_decoder_reads_what_we_submit() {
    let m = ShortMessage {
        source: Address::guess("4636"),
        destination: Address::guess("+355691234567"),
        esm_class: 0x40,
        registered_delivery: 1,
        data_coding: 8,
        short_message: vec![5, 0, 3, 7, 2, 1, 0, 65],
        ..ShortMessage::default()
    };
    let command = strict(&Pdu::SubmitSm(m));
    assert_eq!(command.sequence_number(), 9);
    let Some(rusmpp::Pdu::SubmitSm(sm)) = command.pdu() else { panic!("{command:?}") };
    assert_eq!(sm.source_addr.to_string(), "4636");
    assert_eq!(sm.destination_addr.to_string(), "355691234567");
    assert_eq!(u8::from(sm.esm_class), 0x40);
    assert_eq!(u8::from(sm.registered_delivery), 1);
    assert_eq!(sm.short_message().as_ref(), [5, 0, 3, 7, 2, 1, 0, 65]);
}

#[test]
fn a_strict_decoder_reads_the_session_pdus() {
    let bind =
        Bind { system_id: "esme".into(), password: "secret".into(), system_type: "".into(), interface_version: 0x34 };
    assert!(
        matches!(strict(&Pdu::BindTransceiver(bind.clone())).pdu(), Some(rusmpp::Pdu::BindTransceiver(b)) if b.system_id.to_string() == "esme")
    );
    assert!(matches!(strict(&Pdu::DeliverSmResp).pdu(), Some(rusmpp::Pdu::DeliverSmResp(_))));
    assert!(matches!(strict(&Pdu::EnquireLink).pdu(), Some(rusmpp::Pdu::EnquireLink)));
    assert!(matches!(strict(&Pdu::EnquireLinkResp).pdu(), Some(rusmpp::Pdu::EnquireLinkResp)));
    assert!(matches!(strict(&Pdu::Unbind).pdu(), Some(rusmpp::Pdu::Unbind)));
    assert!(matches!(strict(&Pdu::GenericNack).pdu(), Some(rusmpp::Pdu::GenericNack)));
    assert_eq!(round(&Pdu::BindTransceiver(bind.clone())), Pdu::BindTransceiver(bind.clone()));
    assert!(!format!("{bind:?}").contains("secret"), "a password must not be printed");
}

#[test]
fn a_response_without_a_body_is_read() {
    for id in [CommandId::SubmitSmResp, CommandId::BindTransceiverResp, CommandId::DataSmResp, CommandId::DeliverSmResp]
    {
        let mut out = BytesMut::new();
        encode(&mut out, 0x58, 3, &Pdu::Other(id));
        assert!(decode(&split(&mut out).unwrap().unwrap()).is_ok());
    }
}

/// A `deliver_sm` whose strings are given as raw bytes, NUL or not.
fn crooked(source: &[u8], destination: &[u8], tail: &[u8]) -> Result<ShortMessage, crate::smpp::BadBody> {
    crooked_to(0, source, destination, tail)
}

fn crooked_to(ton: u8, source: &[u8], destination: &[u8], tail: &[u8]) -> Result<ShortMessage, crate::smpp::BadBody> {
    let mut body = vec![0u8, 1, 1];
    body.extend_from_slice(source);
    body.extend_from_slice(&[ton, 1]);
    body.extend_from_slice(destination);
    body.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 8, 0]);
    body.extend_from_slice(tail);
    let mut out = BytesMut::new();
    encode(&mut out, 0, 1, &Pdu::Other(CommandId::DeliverSm));
    out.extend_from_slice(&body);
    let length = (out.len() as u32).to_be_bytes();
    out[..4].copy_from_slice(&length);
    match decode(&split(&mut out).unwrap().unwrap())? {
        Pdu::DeliverSm(m) => Ok(m),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_over_long_address_is_kept_whole() {
    let m = crooked(b"123456789012345678901234567890\0", b"4636\0", b"\x02AB").unwrap();
    assert_eq!(m.source.number, "123456789012345678901234567890");
    assert_eq!((m.destination.number.as_str(), &m.short_message[..]), ("4636", &b"AB"[..]));
}

#[test]
fn an_address_that_fills_its_field_needs_no_nul() {
    let m = crooked(b"123456789012345678901", b"4636\0", b"\x02AB").unwrap();
    assert_eq!(m.source.number, "123456789012345678901");
    assert_eq!((m.destination.number.as_str(), &m.short_message[..]), ("4636", &b"AB"[..]));
    // One byte less, where the type of number that follows is no NUL itself.
    let m = crooked_to(1, b"12345678901234567890", b"4636\0", b"\x02AB").unwrap();
    assert_eq!(m.source.number, "12345678901234567890");
    assert_eq!((m.destination.number.as_str(), &m.short_message[..]), ("4636", &b"AB"[..]));
}

#[test]
fn bytes_after_the_message_and_tlvs_cut_short_are_tolerated() {
    let m = crooked(b"1\0", b"2\0", b"\x01A\x04\x24\x00\x02hi\xFF").unwrap();
    assert_eq!(m.payload.as_deref(), Some(&b"hi"[..]));
    let m = crooked(b"1\0", b"2\0", b"\x01A\x14\x01\x00\x01x\x04\x24\x00\x09hi").unwrap();
    assert_eq!((m.payload, &m.short_message[..]), (None, &b"A"[..]));
    let m = crooked(b"1\0", b"2\0", b"\x00\x02\x0C\x00\x01\x07\x02\x0E\x00\x01\x02\x02\x0F\x00\x01\x01").unwrap();
    assert_eq!(m.sar, Some((7, 2, 1)));
}

#[test]
fn bytes_that_are_no_ascii_in_an_address_are_kept_as_latin1() {
    assert_eq!(crooked(b"caf\xE9\0", b"2\0", b"\x00").unwrap().source.number, "café");
}

#[test]
fn a_message_length_past_the_end_is_refused_alone() {
    assert_eq!(crooked(b"1\0", b"2\0", b"\x09AB"), Err(crate::smpp::BadBody::SmLength { length: 9, left: 2 }));
    assert_eq!(crooked(b"1\0", b"2\0", b""), Err(crate::smpp::BadBody::Short("sm_length")));
}

#[test]
fn a_receipt_is_told_by_esm_class_alone() {
    let of = |esm_class, text: &[u8]| {
        ShortMessage { esm_class, short_message: text.to_vec(), ..ShortMessage::default() }.is_receipt()
    };
    assert!(!of(0, b"id:1 sub:001 dlvrd:001 stat:DELIVRD"));
    assert!(of(0x04, b"hello") && of(0x44, b"") && of(0x08, b"") && of(0x20, b""));
    assert!(!of(0x10, b"") && !of(0x40, b"") && !of(0x43, b""));
}
