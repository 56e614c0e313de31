//! The session from bind to unbind: who is there, who is gone, who says goodbye.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_unknown_command_is_nacked_with_its_sequence_and_the_link_stays() {
    let mut rig = Rig::bound().await;
    rig.send(0, 77, Pdu::Other(CommandId::Other(0x0000_0099))).await;
    let (frame, pdu) = rig.recv().await;
    assert_eq!((frame.sequence, frame.status, pdu), (77, 0x03, Pdu::GenericNack));
    rig.send(0, 78, Pdu::Other(CommandId::Other(0x8000_0099))).await;
    rig.send(0, 79, Pdu::EnquireLink).await;
    let (frame, pdu) = rig.recv().await;
    assert_eq!((frame.sequence, pdu), (79, Pdu::EnquireLinkResp), "an unknown response is ignored");
}

#[tokio::test(start_paused = true)]
async fn a_length_that_cannot_be_is_nacked_and_ends_the_session() {
    let mut rig = Rig::bound().await;
    rig.io.write_all(&[0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 42]).await.unwrap();
    let (frame, pdu) = rig.recv().await;
    assert_eq!((frame.sequence, frame.status, pdu), (42, 0x02, Pdu::GenericNack));
    assert!(matches!(rig.task.await.unwrap(), End::BadLength(_)));
}

#[tokio::test(start_paused = true)]
async fn a_pdu_that_begins_must_end() {
    let mut rig = Rig::bound().await;
    rig.io.write_all(&[0, 0, 0, 40, 0, 0]).await.unwrap();
    let end = timeout(Duration::from_secs(PDU_READ_SECONDS + 2), &mut rig.task).await.unwrap().unwrap();
    assert!(matches!(end, End::HalfPdu));
}

#[tokio::test(start_paused = true)]
async fn a_bind_that_is_refused_or_not_answered_ends_the_session() {
    let mut rig = Rig::unbound(options(), false);
    let (bind, _) = rig.recv().await;
    rig.send(0x0E, bind.sequence, Pdu::BindTransceiverResp(String::new())).await;
    assert!(matches!(rig.task.await.unwrap(), End::BindRefused(0x0E)));
    let rig = Rig::unbound(options(), false);
    assert!(matches!(timeout(Duration::from_secs(12), rig.task).await.unwrap().unwrap(), End::BindTimeout));
}

#[tokio::test(start_paused = true)]
async fn after_silence_enquire_link_is_sent_and_two_misses_close() {
    let mut rig = Rig::bound().await;
    let begun = Instant::now();
    for _ in 0..2 {
        assert_eq!(rig.recv().await.1, Pdu::EnquireLink);
    }
    assert!(matches!(rig.task.await.unwrap(), End::Silent));
    assert!(begun.elapsed() < Duration::from_secs(52), "{:?}", begun.elapsed());
}

/// A network may have held it back until the SMSC had given the same to another host.
#[tokio::test(start_paused = true)]
async fn what_comes_after_a_silence_is_taken_when_the_smsc_shows_that_it_is_there_or_soon() {
    for answers in [true, false] {
        let mut rig = Rig::bound().await;
        let (enquire, pdu) = rig.recv().await;
        assert_eq!(pdu, Pdu::EnquireLink);
        tokio::time::sleep(Duration::from_secs(SILENCE_SECONDS)).await;
        rig.deliver(1, "x").await;
        assert!(rig.is_quiet().await, "taken though the session may be over");
        if answers {
            rig.send(0, enquire.sequence, Pdu::EnquireLinkResp).await;
            timeout(TURN, rig.store()).await.expect("at once");
        } else {
            timeout(Duration::from_secs(SILENCE_SECONDS) + TURN, rig.store()).await.expect("soon");
        }
    }
    let mut rig = Rig::bound().await;
    rig.recv().await;
    tokio::time::sleep(Duration::from_secs(SILENCE_SECONDS)).await;
    rig.deliver(1, "x").await;
    rig.io.shutdown().await.unwrap();
    assert!(matches!((&mut rig.task).await.unwrap(), End::Closed));
    assert!(rig.appends.try_recv().is_err(), "the SMSC has it, or gave it to another host");
}

#[tokio::test(start_paused = true)]
async fn what_comes_first_after_a_time_without_a_sign_of_life_waits_until_the_smsc_was_asked_for_one() {
    let mut rig = Rig::bound().await;
    tokio::time::sleep(Duration::from_secs(IDLE_SECONDS)).await;
    rig.deliver(1, "x").await;
    let (enquire, pdu) = rig.recv().await;
    assert_eq!(pdu, Pdu::EnquireLink);
    assert!(rig.is_quiet().await, "taken though the session may be over");
    rig.send(0, enquire.sequence, Pdu::EnquireLinkResp).await;
    timeout(TURN, rig.store()).await.expect("at once");
    // What follows it is taken as it comes.
    rig.deliver(2, "y").await;
    timeout(TURN, rig.store()).await.expect("at once");
}

#[tokio::test(start_paused = true)]
async fn an_smsc_that_answers_no_enquire_link_is_not_kept_waiting_for_it() {
    let mut rig = Rig::bound().await;
    rig.recv().await;
    // It sends something before the answer is due, and does not answer.
    tokio::time::sleep(Duration::from_secs(1)).await;
    rig.deliver(1, "x").await;
    rig.store().await;
    loop {
        if rig.recv().await.1 == Pdu::EnquireLink {
            break;
        }
    }
    tokio::time::sleep(Duration::from_secs(SILENCE_SECONDS)).await;
    rig.deliver(2, "y").await;
    timeout(TURN, rig.store()).await.expect("at once");
}

#[tokio::test(start_paused = true)]
async fn an_enquire_link_answered_confirms_the_responses_before_it() {
    let mut rig = Rig::bound().await;
    rig.deliver(1, "x").await;
    rig.store().await;
    rig.recv().await;
    let (enquire, pdu) = timeout(Duration::from_secs(3), rig.recv()).await.expect("while there is traffic, soon");
    assert_eq!(pdu, Pdu::EnquireLink);
    // Acknowledged after the enquiry was written, so that its answer says nothing about it.
    rig.deliver(2, "y").await;
    rig.store().await;
    rig.recv().await;
    rig.send(0, enquire.sequence, Pdu::EnquireLinkResp).await;
    let confirmed = rig.append().await.op;
    assert!(matches!(confirmed, Op::Confirmed { through: 1 }), "{confirmed:?}");
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_session_left_in_doubt_other_hosts_are_told_until_the_response_to_it_is_seen() {
    let mut rig = Rig::bound().await;
    let again = Mobile {
        source: "355691234567".into(),
        destination: "4636".into(),
        short_message: b"again".to_vec(),
        ..Mobile::default()
    };
    let original = InDoubt { run: Uuid::nil(), sequence: 40, key: doubt::mobile_key(&again), until_us: i64::MAX };
    rig.doubt.add(0, &[original], i64::MAX);
    for (sequence, text, unanswered) in [(41, "x", vec![40]), (42, "again", Vec::new())] {
        rig.deliver(sequence, text).await;
        let append = rig.append().await;
        rig.done(Done::Stored { tag: append.tag, sequence: sequence.into() });
        assert_eq!(rig.recv().await.1, Pdu::DeliverSmResp);
        let (enquire, pdu) = rig.recv().await;
        assert_eq!(pdu, Pdu::EnquireLink);
        rig.send(0, enquire.sequence, Pdu::EnquireLinkResp).await;
        let confirmed = rig.append().await.op;
        assert!(matches!(confirmed, Op::Confirmed { through } if through == u64::from(sequence)), "{confirmed:?}");
        assert!(rig.is_quiet().await);
        assert_eq!(rig.marks.confirmed().borrow()[0], Responses { through: sequence.into(), unanswered });
    }
}

#[tokio::test(start_paused = true)]
async fn an_unbind_of_the_smsc_is_answered_after_the_last_acknowledgement() {
    let mut rig = Rig::bound().await;
    rig.deliver(1, "x").await;
    let append = rig.append().await;
    rig.send(0, 2, Pdu::Unbind).await;
    rig.states.watch().wait_for(|s| !s[0]).await.unwrap();
    assert!(rig.queue.push(submit(1, "x")));
    assert!(rig.is_quiet().await, "nothing is submitted, and the unbind waits");
    rig.done(Done::Stored { tag: append.tag, sequence: 1 });
    assert_eq!(rig.recv().await.1, Pdu::DeliverSmResp);
    let (frame, pdu) = rig.recv().await;
    assert_eq!((frame.sequence, pdu), (2, Pdu::UnbindResp));
    assert!(matches!(rig.task.await.unwrap(), End::PeerUnbound));
}

#[tokio::test(start_paused = true)]
async fn a_stop_unbinds_and_goes_on_acknowledging_until_the_answer() {
    let mut rig = Rig::bound().await;
    rig.stop.cancel();
    let (unbind, pdu) = rig.recv().await;
    assert_eq!(pdu, Pdu::Unbind);
    rig.deliver(9, "x").await;
    rig.store().await;
    assert!(matches!(rig.recv().await, (Frame { sequence: 9, status: 0, .. }, Pdu::DeliverSmResp)));
    rig.send(0, unbind.sequence, Pdu::UnbindResp).await;
    let confirmed = rig.append().await.op;
    assert!(matches!(confirmed, Op::Confirmed { through: 1 }), "{confirmed:?}");
    assert!(matches!(rig.task.await.unwrap(), End::Stopped));
    // An SMSC that does not answer is not waited for for ever.
    let mut rig = Rig::bound().await;
    rig.stop.cancel();
    assert_eq!(rig.recv().await.1, Pdu::Unbind);
    assert!(matches!(timeout(Duration::from_secs(7), rig.task).await.unwrap().unwrap(), End::Stopped));
}

#[tokio::test]
async fn a_peer_that_reads_nothing_is_not_read_from_past_what_may_wait_to_be_written() {
    use crate::limits::{READ_BYTES, WRITE_BYTES_MAX};
    let mut rig = Rig::bound().await;
    let mut enquiries = BytesMut::new();
    (1_000..1_500).for_each(|n| encode(&mut enquiries, 0, n, &Pdu::EnquireLink));
    let (mut written, mut at) = (0, 0);
    while let Ok(some) =
        tokio::time::timeout(Duration::from_millis(500), rig.io.write(&enquiries[at % enquiries.len()..])).await
    {
        at += some.unwrap();
        written = at;
    }
    // Both directions of the pipe, and what the session holds between them.
    let pipe = 2 << 20;
    assert!(written >= pipe + WRITE_BYTES_MAX, "{written}");
    assert!(written <= pipe + WRITE_BYTES_MAX + 4 * READ_BYTES, "{written}");
    for _ in 0..written / 16 {
        assert!(matches!(rig.recv().await.1, Pdu::EnquireLinkResp), "each is answered when it reads");
    }
}
