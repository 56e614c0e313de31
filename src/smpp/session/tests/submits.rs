//! Dialogs of submits.

use super::*;
use crate::limits::LATE_SUBMITS_MAX;

#[tokio::test(start_paused = true)]
async fn a_submit_is_written_when_its_intent_is_durable_and_settled_by_the_response() {
    let mut rig = Rig::bound().await;
    assert!(rig.queue.push(submit(1, "thank you")));
    let append = rig.append().await;
    assert!(matches!(append.op, Op::Intent { attempt: 1, .. }));
    assert!(rig.is_quiet().await, "written before its intent was durable");
    rig.done(Done::Intended { tag: append.tag });
    let (frame, pdu) = rig.recv().await;
    let Pdu::SubmitSm(m) = pdu else { panic!("{pdu:?}") };
    assert_eq!(
        (m.destination.number.as_str(), m.registered_delivery, &m.short_message[..]),
        ("355691234567", 1, &b"thank you"[..])
    );
    rig.send(0, frame.sequence, Pdu::SubmitSmResp("id7".into())).await;
    assert_eq!(rig.result().await, (Uuid::from_u128(1), SubmitOutcome::Accepted { message_ids: vec!["id7".into()] }));
}

#[tokio::test(start_paused = true)]
async fn a_long_text_goes_in_segments_within_the_window_and_has_one_result() {
    let mut rig = Rig::bound().await;
    assert!(rig.queue.push(submit(1, &"x".repeat(400))));
    rig.intend().await;
    let (first, _) = rig.recv().await;
    let (second, pdu) = rig.recv().await;
    assert!(matches!(pdu, Pdu::SubmitSm(m) if m.esm_class == 0x40 && m.short_message[..6] == [5, 0, 3, 1, 3, 2]));
    assert!(rig.is_quiet().await, "the window of two is full");
    rig.send(0, second.sequence, Pdu::SubmitSmResp("b".into())).await;
    let (third, _) = rig.recv().await;
    rig.send(0, first.sequence, Pdu::SubmitSmResp("a".into())).await;
    rig.send(0, third.sequence, Pdu::SubmitSmResp("c".into())).await;
    let ids = ["a", "b", "c"].map(String::from).to_vec();
    assert_eq!(rig.result().await.1, SubmitOutcome::Accepted { message_ids: ids });
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_intent_is_dropped_and_a_failed_one_goes_back_to_the_queue() {
    let mut rig = Rig::bound().await;
    assert!(rig.queue.push(submit(1, "x")));
    let append = rig.append().await;
    rig.done(Done::Duplicate { tag: append.tag });
    assert!(rig.is_quiet().await);
    assert!(rig.queue.push(submit(2, "y")));
    let append = rig.append().await;
    rig.done(Done::Failed { tag: append.tag });
    let again = rig.append().await;
    assert!(matches!(again.op, Op::Intent { id, .. } if id == Uuid::from_u128(2)), "{again:?}");
}

#[tokio::test(start_paused = true)]
async fn throttling_pauses_the_link_and_then_goes_on_in_order() {
    let mut rig = Rig::bound().await;
    for n in 1..=2 {
        assert!(rig.queue.push(submit(n, &format!("text {n}"))));
        rig.intend().await;
    }
    let (first, _) = rig.recv().await;
    let (second, _) = rig.recv().await;
    rig.send(0x58, second.sequence, Pdu::SubmitSmResp(String::new())).await;
    rig.send(0x14, first.sequence, Pdu::Other(CommandId::SubmitSmResp)).await;
    let begun = Instant::now();
    let (first, pdu) = rig.recv().await;
    assert!(begun.elapsed() >= Duration::from_millis(900), "{:?}", begun.elapsed());
    assert!(matches!(pdu, Pdu::SubmitSm(m) if m.short_message == b"text 1"));
    let (second, _) = rig.recv().await;
    for (n, frame) in [(1, first), (2, second)] {
        rig.send(0, frame.sequence, Pdu::SubmitSmResp("id".into())).await;
        assert_eq!(rig.result().await.0, Uuid::from_u128(n));
    }
}

#[tokio::test(start_paused = true)]
async fn the_pace_is_kept_by_segment() {
    let mut rig = Rig::bound_with(LinkOptions { submits_per_second: 2, submit_window: 10, ..options() }, false).await;
    assert!(rig.queue.push(submit(1, &"x".repeat(600))));
    rig.intend().await;
    let begun = Instant::now();
    for _ in 0..4 {
        assert!(matches!(rig.recv().await.1, Pdu::SubmitSm(_)));
    }
    let took = begun.elapsed().as_millis();
    assert!((1400..2000).contains(&took), "{took} ms");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_final_and_the_rest_of_the_text_is_not_sent() {
    let mut rig = Rig::bound().await;
    assert!(rig.queue.push(submit(1, &"x".repeat(400))));
    rig.intend().await;
    let (first, _) = rig.recv().await;
    let (second, _) = rig.recv().await;
    rig.send(0x0B, first.sequence, Pdu::SubmitSmResp(String::new())).await;
    rig.send(0, second.sequence, Pdu::SubmitSmResp("b".into())).await;
    assert_eq!(rig.result().await.1, SubmitOutcome::Refused { status: 0x0B });
    assert!(rig.is_quiet().await);
    assert!(rig.queue.push(submit(2, "x")));
    rig.intend().await;
    let (frame, _) = rig.recv().await;
    rig.send(0x03, frame.sequence, Pdu::GenericNack).await;
    assert_eq!(rig.result().await.1, SubmitOutcome::Refused { status: 0x03 }, "a generic_nack names its request");
}

#[tokio::test(start_paused = true)]
async fn a_response_that_does_not_come_leaves_the_outcome_unknown() {
    let mut rig = Rig::bound().await;
    assert!(rig.queue.push(submit(1, "x")));
    rig.intend().await;
    rig.recv().await;
    let begun = Instant::now();
    assert_eq!(rig.result().await.1, SubmitOutcome::Unknown);
    assert!((10..12).contains(&begun.elapsed().as_secs()));
    assert!(timeout(Duration::from_secs(1), rig.appends.recv()).await.is_err(), "one result for one attempt");
}

#[tokio::test(start_paused = true)]
async fn a_response_that_comes_late_settles_its_attempt_once_and_what_waits_to_be_sent_again_is_not() {
    let mut rig = Rig::bound().await;
    assert!(rig.queue.push(submit(1, "x")));
    rig.intend().await;
    let (frame, _) = rig.recv().await;
    assert_eq!(rig.result().await.1, SubmitOutcome::Unknown);
    // The link is at its window, so that the second attempt waits.
    for n in 2..=3 {
        assert!(rig.queue.push(submit(n, "y")));
        rig.intend().await;
        rig.recv_answering().await;
    }
    assert!(rig.queue.push(Submit { attempt: 2, ..submit(1, "x") }));
    for _ in 0..2 {
        rig.send(0, frame.sequence, Pdu::SubmitSmResp("late".into())).await;
    }
    let (id, outcome) = rig.result().await;
    assert_eq!((id, outcome), (Uuid::from_u128(1), SubmitOutcome::Accepted { message_ids: vec!["late".into()] }));
    let Op::Result { id, attempt, outcome, .. } = rig.append().await.op else { panic!() };
    assert_eq!((id, attempt), (Uuid::from_u128(1), 2));
    assert_eq!(outcome, SubmitOutcome::NotSent { reason: NotSent::Stopping });
    assert!(timeout(Duration::from_secs(1), rig.appends.recv()).await.is_err(), "settled once");
}

#[tokio::test(start_paused = true)]
async fn past_a_bound_the_oldest_of_those_whose_response_may_come_late_is_forgotten() {
    let mut rig = Rig::bound_with(LinkOptions { submit_window: LATE_SUBMITS_MAX, ..options() }, false).await;
    let mut sequences = Vec::new();
    // As many as are remembered, and one more after them.
    for batch in [1..=LATE_SUBMITS_MAX, LATE_SUBMITS_MAX + 1..=LATE_SUBMITS_MAX + 1] {
        for n in batch.clone() {
            assert!(rig.queue.push(submit(n as u128, "x")));
            rig.intend().await;
            sequences.push(rig.recv_answering().await.0.sequence);
        }
        for n in batch {
            assert_eq!(rig.result().await, (Uuid::from_u128(n as u128), SubmitOutcome::Unknown));
        }
    }
    assert_eq!(sequences.len(), LATE_SUBMITS_MAX + 1);
    for sequence in [sequences[0], sequences[1], sequences[LATE_SUBMITS_MAX]] {
        rig.send(0, sequence, Pdu::SubmitSmResp(sequence.to_string())).await;
    }
    // Of the oldest nothing is known any more: its outcome stays unknown. The others are settled.
    for n in [2, LATE_SUBMITS_MAX + 1] {
        let (id, outcome) = rig.result().await;
        assert_eq!(id, Uuid::from_u128(n as u128));
        assert!(matches!(outcome, SubmitOutcome::Accepted { .. }), "{outcome:?}");
    }
    assert!(timeout(Duration::from_secs(1), rig.appends.recv()).await.is_err(), "settled once");
}

#[tokio::test(start_paused = true)]
async fn a_lost_session_makes_what_was_written_unknown_and_keeps_the_rest_in_its_order() {
    let mut rig = Rig::bound().await;
    for n in 1..=2 {
        assert!(rig.queue.push(submit(n, "x")));
    }
    rig.intend().await;
    let intent = rig.append().await;
    rig.recv().await;
    assert!(rig.queue.push(submit(3, "x")));
    drop(rig.io);
    let Op::Result { id, outcome, .. } = rig.appends.recv().await.unwrap().op else { panic!() };
    assert_eq!((id, outcome), (Uuid::from_u128(1), SubmitOutcome::Unknown));
    rig.completions.put(&mut vec![Done::Intended { tag: intent.tag }]);
    assert!(matches!(rig.task.await.unwrap(), End::Closed));
    let order = [rig.queue.pop("a"), rig.queue.pop("a")].map(|w| w.map(|w| (w.submit.id.as_u128(), w.intended)));
    assert_eq!(order, [Some((2, true)), Some((3, false))], "the next session, or another link, goes on with them");
}

#[tokio::test(start_paused = true)]
async fn a_text_too_long_or_too_old_is_not_sent() {
    let mut rig = Rig::bound().await;
    assert!(rig.queue.push(submit(1, &"x".repeat(5_000))));
    rig.intend().await;
    assert_eq!(rig.result().await.1, SubmitOutcome::NotSent { reason: NotSent::Impossible });
    assert!(rig.queue.push(Submit { expires_us: 1, ..submit(2, "x") }));
    assert_eq!(rig.result().await.1, SubmitOutcome::NotSent { reason: NotSent::Expired });
}
