//! The overload ladder as the SMSC sees it, where memory or the disk is short.

use super::*;
use crate::limits::{OVERLOAD_UNBIND_SECONDS, WITHHOLD_SECONDS};

#[tokio::test(start_paused = true)]
async fn short_of_memory_nothing_is_read_then_refused_then_the_link_is_unbound() {
    let mut rig = Rig::bound().await;
    rig.pressure.set(Level::High);
    tokio::time::sleep(2 * TURN).await;
    let begun = Instant::now();
    for n in 1..=3 {
        rig.deliver(n, "x").await;
    }
    for n in 1..=3 {
        let (frame, _) = rig.recv_answering().await;
        assert_eq!((frame.sequence, frame.status), (n, 0x08));
    }
    let waited = begun.elapsed().as_secs();
    assert!((WITHHOLD_SECONDS - 1..WITHHOLD_SECONDS + 4).contains(&waited), "{waited}");
    let mut sequence = 10;
    let unbind = loop {
        rig.deliver(sequence, "x").await;
        sequence += 1;
        let (frame, pdu) = rig.recv_answering().await;
        if pdu == Pdu::Unbind {
            break frame;
        }
        assert_eq!(frame.status, 0x08);
    };
    let lasted = begun.elapsed().as_secs();
    assert!((OVERLOAD_UNBIND_SECONDS - 2..OVERLOAD_UNBIND_SECONDS + 5).contains(&lasted), "{lasted}");
    assert!(u64::from(sequence) < 10 + lasted * 2, "each answer was held back, or retries would spin: {sequence}");
    assert!(rig.appends.try_recv().is_err(), "nothing was taken");
    rig.send(0, unbind.sequence, Pdu::UnbindResp).await;
    assert!(matches!(rig.task.await.unwrap(), End::Overloaded));
}

#[tokio::test(start_paused = true)]
async fn when_memory_eases_what_waited_in_the_socket_is_taken() {
    let mut rig = Rig::bound().await;
    rig.pressure.set(Level::High);
    tokio::time::sleep(2 * TURN).await;
    rig.deliver(1, "x").await;
    assert!(timeout(Duration::from_secs(2), rig.appends.recv()).await.is_err(), "not taken");
    rig.pressure.set(Level::Calm);
    rig.store().await;
    assert_eq!(rig.recv_answering().await.0.status, ROK);
}

#[tokio::test(start_paused = true)]
async fn a_full_spool_is_a_reason_of_its_own_and_an_idle_link_is_unbound_too() {
    let mut rig = Rig::bound().await;
    rig.marks.set_failing(true);
    rig.marks.set_full(true);
    let unbind = loop {
        let (frame, pdu) = rig.recv_answering().await;
        if pdu == Pdu::Unbind {
            break frame;
        }
    };
    rig.send(0, unbind.sequence, Pdu::UnbindResp).await;
    assert!(matches!(rig.task.await.unwrap(), End::Overloaded));
}

#[tokio::test(start_paused = true)]
async fn past_its_share_of_bytes_a_link_is_not_read() {
    let mut rig = Rig::bound_with(LinkOptions { receive_bytes: 100, ..options() }, false).await;
    rig.deliver(1, &"x".repeat(120)).await;
    rig.deliver(2, "y").await;
    let first = rig.append().await;
    assert!(timeout(Duration::from_millis(500), rig.appends.recv()).await.is_err(), "a second was taken");
    rig.done(Done::Stored { tag: first.tag, sequence: 1 });
    rig.append().await;
}
