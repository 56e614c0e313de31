//! Dialogs, as a gateway would hold them.

use std::time::Duration;

use super::*;
use crate::smpp::CommandId;

fn texts(n: u64) -> std::vec::IntoIter<Outgoing> {
    (0..n)
        .map(|i| Outgoing {
            due: Duration::ZERO,
            phone: 99_955_000_000 + i,
            text: format!("PS 1 AA{i}"),
            answered: true,
        })
        .collect::<Vec<_>>()
        .into_iter()
}

fn sent(out: &mut BytesMut) -> Vec<(Frame, Pdu)> {
    let mut list = Vec::new();
    while let Some(frame) = smpp::split(out).unwrap() {
        let pdu = smpp::decode(&frame).unwrap();
        list.push((frame, pdu));
    }
    list
}

fn tell<S: Iterator<Item = Outgoing>>(dialog: &mut Dialog<S>, now: u64, sequence: u32, pdu: &Pdu) -> (Flow, BytesMut) {
    let (mut bytes, mut out) = (BytesMut::new(), BytesMut::new());
    smpp::encode(&mut bytes, 0, sequence, pdu);
    let frame = smpp::split(&mut bytes).unwrap().unwrap();
    let flow = dialog.frame(&frame, now, &mut out);
    (flow, out)
}

fn bind<S: Iterator<Item = Outgoing>>(dialog: &mut Dialog<S>, password: &str, now: u64) -> (Flow, u32) {
    let bind = Bind { system_id: "me".into(), password: password.into(), ..Bind::default() };
    let (flow, mut out) = tell(dialog, now, 1, &Pdu::BindTransceiver(bind));
    (flow, sent(&mut out)[0].0.status)
}

fn options(window: usize) -> Options {
    Options { system_id: "me".into(), password: "secret".into(), window, ..Options::default() }
}

fn reply(dialog: &mut Dialog<impl Iterator<Item = Outgoing>>, phone: u64, now: u64) -> u32 {
    let message = ShortMessage {
        source: Address::guess("4040"),
        destination: Address::guess(&phone.to_string()),
        registered_delivery: 1,
        short_message: b"OK".to_vec(),
        ..ShortMessage::default()
    };
    let (_, mut out) = tell(dialog, now, 77, &Pdu::SubmitSm(message));
    sent(&mut out).first().map_or(u32::MAX, |(f, _)| f.status)
}

#[test]
fn a_wrong_password_is_refused_and_nothing_is_delivered() {
    let mut dialog = Dialog::new(options(10), texts(3));
    assert_eq!(bind(&mut dialog, "wrong", 0), (Flow::Close, u32::from(CommandStatus::EsmeRinvpaswd)));
    let mut out = BytesMut::new();
    dialog.fill(1, &mut out);
    assert!(out.is_empty());
    assert_eq!(dialog.report().binds_refused, 1);
}

#[test]
fn the_window_bounds_what_is_unanswered_and_a_response_makes_room() {
    let mut dialog = Dialog::new(options(4), texts(10));
    assert_eq!(bind(&mut dialog, "secret", 0), (Flow::Go, 0));
    let mut out = BytesMut::new();
    dialog.fill(1, &mut out);
    let first = sent(&mut out);
    assert_eq!(first.len(), 4);
    dialog.fill(2, &mut out);
    assert!(out.is_empty());
    tell(&mut dialog, 3, first[1].0.sequence, &Pdu::DeliverSmResp);
    dialog.fill(4, &mut out);
    assert_eq!(sent(&mut out).len(), 1);
}

#[test]
fn what_was_not_acknowledged_comes_again_first_and_under_new_numbers() {
    let mut dialog = Dialog::new(options(4), texts(6));
    bind(&mut dialog, "secret", 0);
    let mut out = BytesMut::new();
    dialog.fill(1, &mut out);
    let first = sent(&mut out);
    tell(&mut dialog, 2, first[0].0.sequence, &Pdu::DeliverSmResp);
    dialog.session_ended(3);
    bind(&mut dialog, "secret", 4);
    dialog.fill(5, &mut out);
    let second = sent(&mut out);
    let text = |pdu: &Pdu| match pdu {
        Pdu::DeliverSm(m) => String::from_utf8(m.short_message.clone()).unwrap(),
        other => panic!("{other:?}"),
    };
    let said: Vec<String> = second.iter().map(|(_, p)| text(p)).collect();
    assert_eq!(said, ["PS 1 AA1", "PS 1 AA2", "PS 1 AA3", "PS 1 AA4"]);
    assert!(second.iter().all(|(f, _)| first.iter().all(|(g, _)| g.sequence != f.sequence)));
    assert_eq!(dialog.report().redelivered, 3);
}

#[test]
fn a_text_refused_for_now_is_delivered_again_a_little_later() {
    let mut dialog = Dialog::new(options(4), texts(1));
    bind(&mut dialog, "secret", 0);
    let mut out = BytesMut::new();
    dialog.fill(1, &mut out);
    let sequence = sent(&mut out)[0].0.sequence;
    let mut bytes = BytesMut::new();
    smpp::encode(&mut bytes, CommandStatus::EsmeRsyserr.into(), sequence, &Pdu::DeliverSmResp);
    dialog.frame(&smpp::split(&mut bytes).unwrap().unwrap(), 2, &mut out);
    dialog.fill(3, &mut out);
    assert!(out.is_empty());
    assert_eq!(dialog.next_due(3), 2 + RETRY_US);
    dialog.fill(2 + RETRY_US, &mut out);
    assert_eq!(sent(&mut out).len(), 1);
    assert_eq!((dialog.report().refused, dialog.report().redelivered), (1, 1));
}

#[test]
fn a_run_is_finished_when_all_is_acknowledged_answered_and_receipted() {
    let mut dialog = Dialog::new(Options { receipts: Some(Duration::from_millis(1)), ..options(9) }, texts(2));
    bind(&mut dialog, "secret", 0);
    let mut out = BytesMut::new();
    dialog.fill(1, &mut out);
    for (frame, _) in sent(&mut out) {
        tell(&mut dialog, 5, frame.sequence, &Pdu::DeliverSmResp);
    }
    assert!(!dialog.finished(6));
    assert_eq!(reply(&mut dialog, 99_955_000_000, 10), 0);
    assert_eq!(reply(&mut dialog, 99_955_000_001, 11), 0);
    assert!(!dialog.finished(12), "receipts are still to come");
    dialog.fill(1_012, &mut out);
    let receipts = sent(&mut out);
    assert!(receipts.iter().all(|(f, p)| f.id == CommandId::DeliverSm
        && matches!(p, Pdu::DeliverSm(m) if m.is_receipt() && m.receipted_message_id.is_some())));
    assert_eq!(receipts.len(), 2);
    for (frame, _) in receipts {
        tell(&mut dialog, 1_020, frame.sequence, &Pdu::DeliverSmResp);
    }
    assert!(dialog.finished(1_021));
    let report = dialog.report();
    assert!(!report.lost, "{report:?}");
    assert_eq!((report.sent, report.acknowledged, report.answered, report.receipts), (2, 2, 2, 2));
}

#[test]
fn a_run_without_replies_ends_after_its_wait_and_says_what_is_missing() {
    let mut dialog = Dialog::new(Options { wait: Duration::from_secs(2), ..options(9) }, texts(2));
    bind(&mut dialog, "secret", 0);
    let mut out = BytesMut::new();
    dialog.fill(1, &mut out);
    for (frame, _) in sent(&mut out) {
        tell(&mut dialog, 5, frame.sequence, &Pdu::DeliverSmResp);
    }
    assert!(!dialog.finished(1_900_000));
    assert!(dialog.finished(2_100_000));
    let report = dialog.report();
    assert!(report.lost);
    assert_eq!((report.unanswered, report.unanswered_examples.len()), (2, 2));
}

#[test]
fn the_connection_is_cut_after_as_many_texts_as_were_asked_for() {
    let mut dialog = Dialog::new(Options { drop_connection_every: 3, ..options(100) }, texts(10));
    bind(&mut dialog, "secret", 0);
    let mut out = BytesMut::new();
    assert_eq!(dialog.fill(1, &mut out), Flow::Cut);
    assert_eq!(sent(&mut out).len(), 3);
}

#[test]
fn a_long_text_goes_out_in_segments_and_counts_as_one() {
    let long = Outgoing { due: Duration::ZERO, phone: 1_234_567_890, text: "x".repeat(200), answered: true };
    let mut dialog = Dialog::new(options(10), std::iter::once(long));
    bind(&mut dialog, "secret", 0);
    let mut out = BytesMut::new();
    dialog.fill(1, &mut out);
    let parts = sent(&mut out);
    assert_eq!(parts.len(), 2);
    assert!(parts.iter().all(|(_, p)| matches!(p, Pdu::DeliverSm(m) if m.esm_class == 0x40)));
    assert_eq!((dialog.report().sent, dialog.report().segments), (1, 2));
}
