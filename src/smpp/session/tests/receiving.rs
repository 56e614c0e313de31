//! What is received: the window, what cannot be read, redeliveries, and when it is acknowledged.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_message_is_acknowledged_only_when_it_is_stored() {
    let mut rig = Rig::bound().await;
    rig.deliver(0xFFFF_FFFE, "PS 1").await;
    assert!(rig.is_quiet().await, "answered before it was durable");
    let (append, _) = rig.store().await;
    assert!(matches!(body(&append), Body::Message(m) if m.short_message == b"PS 1" && m.source == "355691234567"));
    let (frame, pdu) = rig.recv().await;
    assert_eq!((frame.sequence, frame.status, pdu), (0xFFFF_FFFE, ROK, Pdu::DeliverSmResp));
}

#[tokio::test(start_paused = true)]
async fn a_message_before_the_bind_response_is_kept_and_answered_once_bound() {
    let mut rig = Rig::unbound(options(), false);
    let (bind, _) = rig.recv().await;
    for n in 0..=BEFORE_BIND_MAX as u32 {
        rig.deliver(100 + n, "early").await;
    }
    let (frame, _) = rig.recv().await;
    assert_eq!((frame.sequence, frame.status), (100 + BEFORE_BIND_MAX as u32, 0x08), "more than a few are for later");
    rig.send(0, bind.sequence, Pdu::BindTransceiverResp(String::new())).await;
    for n in 0..BEFORE_BIND_MAX as u32 {
        rig.store().await;
        assert_eq!(rig.recv().await.0.sequence, 100 + n);
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_was_dropped_is_over_as_soon_as_the_spool_has_answered() {
    let mut rig = Rig::bound().await;
    rig.deliver(1, "x").await;
    let append = rig.append().await;
    rig.io.shutdown().await.unwrap();
    tokio::time::sleep(2 * TURN).await;
    let begun = Instant::now();
    rig.done(Done::Stored { tag: append.tag, sequence: 1 });
    assert!(matches!((&mut rig.task).await.unwrap(), End::Closed));
    // Until then other links of the group keep what they are given waiting.
    assert!(begun.elapsed() < Duration::from_millis(100), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn past_the_receive_window_the_socket_is_not_read() {
    let mut rig = Rig::bound().await;
    for n in 1..=6 {
        rig.deliver(n, "x").await;
    }
    let mut waiting = Vec::new();
    for _ in 0..4 {
        waiting.push(rig.append().await);
    }
    assert!(timeout(Duration::from_millis(500), rig.appends.recv()).await.is_err(), "a fifth was taken");
    rig.done(Done::Stored { tag: waiting[0].tag, sequence: 1 });
    rig.append().await;
    assert_eq!(rig.recv().await.0.sequence, 1);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_cannot_be_read_is_spooled_raw_and_acknowledged() {
    let mut rig = Rig::bound().await;
    let mut out = BytesMut::new();
    encode(&mut out, 0, 9, &Pdu::DeliverSm(sms("hello")));
    let cut = out.len() - 3;
    out.truncate(cut);
    out[..4].copy_from_slice(&(cut as u32).to_be_bytes());
    rig.io.write_all(&out).await.unwrap();
    let (append, _) = rig.store().await;
    assert!(matches!(body(&append), Body::Undecodable { pdu, error } if pdu == out[..] && error.contains("sm_length")));
    let (frame, pdu) = rig.recv().await;
    assert_eq!((frame.sequence, frame.status, pdu), (9, ROK, Pdu::DeliverSmResp));
}

#[tokio::test(start_paused = true)]
async fn data_sm_is_a_message_and_a_receipt_is_one_by_esm_class() {
    let mut rig = Rig::bound().await;
    let data = ShortMessage { short_message: Vec::new(), payload: Some(b"PS 1".to_vec()), ..sms("") };
    rig.send(0, 5, Pdu::DataSm(data)).await;
    let (append, _) = rig.store().await;
    assert!(matches!(body(&append), Body::Message(Mobile { payload: Some(p), .. }) if p == b"PS 1"));
    assert!(matches!(rig.recv().await, (Frame { sequence: 5, status: 0, .. }, Pdu::DataSmResp(_))));
    rig.deliver(6, "id:1 sub:001 dlvrd:001 stat:DELIVRD").await;
    assert!(matches!(body(&rig.store().await.0), Body::Message(_)));
    rig.recv().await;
    rig.send(0, 7, Pdu::DeliverSm(ShortMessage { esm_class: 0x04, ..sms("id:1") })).await;
    assert!(matches!(body(&rig.store().await.0), Body::Receipt(_)));
}

#[tokio::test(start_paused = true)]
async fn a_redelivery_of_what_is_in_doubt_is_recorded_as_one_and_only_once() {
    let mut rig = Rig::bound().await;
    let mobile = Mobile {
        source: "355691234567".into(),
        destination: "4636".into(),
        short_message: b"PS 1".to_vec(),
        ..Mobile::default()
    };
    let original = InDoubt { run: Uuid::nil(), sequence: 40, key: doubt::mobile_key(&mobile), until_us: i64::MAX };
    rig.doubt.add(0, &[original], i64::MAX);
    for (sequence, expected) in [(1, Some(40)), (2, None)] {
        rig.deliver(sequence, "PS 1").await;
        let (append, _) = rig.store().await;
        match expected {
            Some(of) => {
                assert_eq!(body(&append), Body::Redelivery { run: Uuid::nil(), of });
                assert!(matches!(append.op, Op::Record { kind: Kind::Redelivery, repeats: Some(40), .. }));
            }
            None => assert!(matches!(body(&append), Body::Message(_)), "a genuine resend is a message of its own"),
        }
        assert_eq!(rig.recv().await.0.status, ROK);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_durable_in_time_is_withheld_and_then_answered_with_the_overload_status() {
    let mut rig = Rig::bound().await;
    rig.deliver(1, "x").await;
    rig.deliver(2, "y").await;
    let (first, second) = (rig.append().await, rig.append().await);
    let begun = Instant::now();
    let (frame, _) = rig.recv_answering().await;
    assert_eq!((frame.sequence, frame.status), (1, 0x08));
    assert!((4..7).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    assert_eq!(rig.recv_answering().await.0.sequence, 2);
    // The disk comes back and took the first after all: its redelivery must be known.
    rig.done(Done::Stored { tag: first.tag, sequence: 7 });
    rig.done(Done::Failed { tag: second.tag });
    let doubt = rig.append().await;
    assert!(matches!(doubt.op, Op::Doubt { only: Some(7) }), "{doubt:?}");
    let entry = InDoubt { run: Uuid::nil(), sequence: 7, key: 1, until_us: i64::MAX };
    rig.done(Done::InDoubt { tag: doubt.tag, records: vec![entry] });
    assert!(rig.is_quiet().await, "each is answered once");
    assert_eq!(rig.doubt.take(1, 0), Some(entry));
}

#[tokio::test(start_paused = true)]
async fn overload_that_lasts_unbinds_so_that_the_smsc_stores() {
    let mut rig = Rig::bound().await;
    let begun = Instant::now();
    let mut sequence = 0;
    let unbind = loop {
        sequence += 1;
        rig.deliver(sequence, "x").await;
        let append = rig.append().await;
        rig.done(Done::Failed { tag: append.tag });
        let (frame, pdu) = rig.recv_answering().await;
        if pdu == Pdu::Unbind {
            break frame;
        }
        assert_eq!(frame.status, 0x08);
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    assert!((54..70).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    rig.send(0, unbind.sequence, Pdu::UnbindResp).await;
    assert!(matches!(rig.task.await.unwrap(), End::Overloaded));
}

#[tokio::test(start_paused = true)]
async fn acknowledge_committed_waits_for_the_workers_commit() {
    let mut rig = Rig::bound_with(options(), true).await;
    rig.deliver(1, "x").await;
    rig.deliver(2, "y").await;
    rig.store().await;
    rig.store().await;
    assert!(rig.is_quiet().await);
    rig.committed.send_replace(1);
    assert_eq!(rig.recv().await.0.sequence, 1);
    assert!(rig.is_quiet().await);
    rig.committed.send_replace(5);
    assert_eq!(rig.recv().await.0.sequence, 2);
}

#[tokio::test(start_paused = true)]
async fn what_comes_by_another_link_waits_until_it_is_known_what_the_session_that_ended_left_in_doubt() {
    let mut rig = Rig::bound().await;
    let settling = rig.doubt.settle();
    for (sequence, text) in [(1, "PS 1"), (2, "PS 2")] {
        rig.deliver(sequence, text).await;
    }
    assert!(rig.is_quiet().await && rig.appends.try_recv().is_err(), "taken before that is known");
    let key = doubt::mobile_key(&Mobile {
        source: "355691234567".into(),
        destination: "4636".into(),
        short_message: b"PS 1".to_vec(),
        ..Mobile::default()
    });
    let original = InDoubt { run: Uuid::nil(), sequence: 40, key, until_us: i64::MAX };
    rig.doubt.add(1, &[original], i64::MAX);
    drop(settling);
    assert_eq!(body(&rig.store().await.0), Body::Redelivery { run: Uuid::nil(), of: 40 });
    assert!(matches!(body(&rig.store().await.0), Body::Message(m) if m.short_message == b"PS 2"));
    for sequence in [1, 2] {
        let (frame, _) = rig.recv().await;
        assert_eq!((frame.sequence, frame.status), (sequence, ROK));
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_too_long_for_what_another_link_left_in_doubt_is_for_later() {
    let mut rig = Rig::bound().await;
    let settling = rig.doubt.settle();
    let begun = Instant::now();
    for n in 1..=6 {
        rig.deliver(n, "x").await;
    }
    let (frame, _) = rig.recv_answering().await;
    assert_eq!((frame.sequence, frame.status), (1, 0x08));
    assert!((4..7).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    for n in 2..=6 {
        let (frame, _) = rig.recv_answering().await;
        assert_eq!((frame.sequence, frame.status), (n, 0x08), "past the window nothing is read");
    }
    drop(settling);
    rig.deliver(7, "x").await;
    rig.store().await;
    assert_eq!(rig.recv_answering().await.0.sequence, 7);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ended_with_a_message_that_the_spool_has_is_settling_until_its_doubt_is_known() {
    let mut rig = Rig::over(options(), false, |mut link, ours| {
        tokio::spawn(async move {
            let end = run(&mut link, ours).await;
            assert!(link.settling.is_some(), "only the link knows when its doubt is known");
            end
        })
    });
    let (bind, _) = rig.recv().await;
    rig.send(0, bind.sequence, Pdu::BindTransceiverResp("smsc".into())).await;
    rig.deliver(1, "PS 1").await;
    let append = rig.append().await;
    assert!(!rig.doubt.is_settling());
    rig.send(0, 2, Pdu::Unbind).await;
    drop(std::mem::replace(&mut rig.io, tokio::io::duplex(1).0));
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(rig.doubt.is_settling(), "the spool has not answered yet");
    rig.done(Done::Stored { tag: append.tag, sequence: 7 });
    rig.task.await.unwrap();
    assert!(!rig.doubt.is_settling(), "a link that is gone holds up nobody");
}

#[tokio::test(start_paused = true)]
async fn what_was_told_to_come_later_is_not_taken_by_another_link_before_the_spool_has_answered() {
    let mut rig = Rig::bound().await;
    rig.deliver(1, "PS 1").await;
    let append = rig.append().await;
    let Op::Record { body, .. } = &append.op else { panic!("{append:?}") };
    let key = doubt::key(&postcard::from_bytes(body).unwrap()).unwrap();
    assert!(!rig.doubt.holds(key), "equal texts of living sessions are messages of their own");
    assert_eq!(rig.recv_answering().await.0.status, 0x08);
    assert!(rig.doubt.holds(key));
    rig.done(Done::Failed { tag: append.tag });
    assert!(rig.is_quiet().await);
    assert!(!rig.doubt.holds(key));
}
