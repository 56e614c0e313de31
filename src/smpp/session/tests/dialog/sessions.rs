//! "Sessions": bind, silence, goodbyes, sequence numbers, outcomes that nobody knows.

use std::time::Duration;

use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::super::{Rig, submit};
use super::play::{BIND, BOUND, Dialog, bytes, hex, play, play_with};
use super::{LinkOptions, options};
use crate::handoff::dial::Dial;
use crate::limits::BEFORE_BIND_MAX;
use crate::smpp::Pdu;
use crate::smpp::session::{End, Session};

/// A submit of one letter, under way with this sequence number.
const SUBMITTED: &str = "submit 1 \"x\"
    intend
    < $SUBMIT 00000002 $REPLY 00 0000 00 00 01 00 00 00 01 'x'";

#[tokio::test(start_paused = true)]
async fn a_bind_response_comes_within_ten_seconds_or_the_session_ends() {
    let mut dialog = Dialog::begin(options(), false);
    dialog.go_on(&format!("{BIND}\nwait 9s\n{BOUND}\n> $ENQUIRE 00000002\n< $ALIVE 00000002")).await;
    let mut dialog = Dialog::begin(options(), false);
    dialog.go_on(&format!("{BIND}\nwait 11s\nend bind_timeout")).await;
}

#[tokio::test(start_paused = true)]
async fn a_bind_response_that_comes_late_or_twice_changes_nothing() {
    let mut dialog = Dialog::begin(options(), false);
    // The first one decides; a second, even a refusal, is a response to nothing.
    dialog.go_on(&format!("{BIND}\n> 00000015 80000009 00000000 00000009 'smsc' 00\nwait 2s")).await;
    assert!(!dialog.rig.states.watch().borrow()[0], "bound by a response to something else");
    dialog
        .go_on(&format!(
            "{BOUND}
             > 00000010 80000009 0000000E 00000001
             {BOUND}
             > $ENQUIRE 00000002
             < $ALIVE 00000002
             {SUBMITTED}"
        ))
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_bind_response_may_have_a_body_or_none() {
    for body in ["", "00", "'a name of more than sixteen letters' 00", "'no nul'", "'x' 00 0210 0001 34"] {
        let mut dialog = Dialog::begin(options(), false);
        dialog
            .go_on(&format!(
                "{BIND}
                 > LEN 80000009 00000000 00000001 {body}
                 > $ENQUIRE 00000002
                 < $ALIVE 00000002"
            ))
            .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_has_ten_seconds_and_its_outcome_is_unknown_then() {
    play(&format!("{SUBMITTED}\nwait 9s\n> $ACCEPT 00000002 'id' 00\nresult 1 accepted id")).await;
    play(&format!("{SUBMITTED}\nwait 11s\nresult 1 unknown")).await;
}

#[tokio::test(start_paused = true)]
async fn after_thirty_seconds_of_silence_enquire_link_goes_out_and_two_misses_close() {
    let begun = Instant::now();
    play(
        "wait 29s
         < 00000010 00000015 00000000 00000002
         < 00000010 00000015 00000000 00000003
         end silent 11s",
    )
    .await;
    assert!((49..52).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn any_pdu_counts_as_life() {
    // A response to nothing, an alert, a half PDU that ends: each within the time that silence has.
    play(
        "wait 29s
         > LEN 80000099 00000000 00000001
         wait 29s
         > LEN 00000102 00000000 00000001 0101 '355691234567' 00 0001 '4636' 00
         wait 29s
         > $ENQUIRE 00000002
         < $ALIVE 00000002",
    )
    .await;
    // One enquiry goes unanswered, but something else is heard.
    play(
        "< 00000010 00000015 00000000 00000002
         wait 5s
         > LEN 80000099 00000000 00000001
         wait 20s
         > $ENQUIRE 00000007
         < $ALIVE 00000007",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_deliver_sm_before_the_bind_response_is_kept_and_answered_once_bound() {
    let mut dialog = Dialog::begin(options(), false);
    dialog
        .go_on(&format!(
            "{BIND}
             > $DELIVER 00000007 $PARTIES 00 $FLAGS 00 00 04 'PS 1'
             > $DATA 00000008 $PARTIES 00 00 00 0424 0004 'PS 2'
             quiet 5s
             {BOUND}
             spool message
             text \"PS 1\"
             spool message
             text \"PS 2\"
             < $OK 00000007 00
             < 00000011 80000103 00000000 00000008 00"
        ))
        .await;
}

#[tokio::test(start_paused = true)]
async fn only_a_few_are_kept_before_the_bind_response() {
    let mut dialog = Dialog::begin(options(), false);
    dialog.go_on(BIND).await;
    for n in 0..=BEFORE_BIND_MAX {
        dialog.go_on(&format!("> $DELIVER {n:08X} $PARTIES 00 $FLAGS 00 00 01 'x'")).await;
    }
    dialog.go_on(&format!("< 00000011 80000005 00000008 {BEFORE_BIND_MAX:08X} 00")).await;
}

#[tokio::test(start_paused = true)]
async fn an_unbind_of_the_smsc_waits_for_durable_acknowledgements_and_stops_submits() {
    play(
        "> $DELIVER 00000007 $PARTIES 00 $FLAGS 00 00 01 'x'
         record message
         > 00000010 00000006 00000000 00000008
         wait 1s
         submit 1 \"x\"
         quiet 2s
         durable
         < $OK 00000007 00
         < 00000010 80000006 00000000 00000008
         end peer_unbound",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_unbind_of_the_smsc_waits_for_responses_to_what_was_submitted() {
    play(&format!(
        "{SUBMITTED}
         > 00000010 00000006 00000000 00000008
         quiet 2s
         > $ACCEPT 00000002 'id' 00
         result 1 accepted id
         < 00000010 80000006 00000000 00000008
         end peer_unbound"
    ))
    .await;
    // Not for ever: five seconds.
    let begun = Instant::now();
    play(&format!(
        "{SUBMITTED}
         > 00000010 00000006 00000000 00000008
         quiet 4s
         < 00000010 80000006 00000000 00000008
         result 1 unknown
         end peer_unbound"
    ))
    .await;
    assert!((4..7).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_unbind_while_binding_or_while_we_unbind_is_answered() {
    let mut dialog = Dialog::begin(options(), false);
    dialog
        .go_on(&format!(
            "{BIND}\n> 00000010 00000006 00000000 00000008\n< 00000010 80000006 00000000 00000008\nend peer_unbound"
        ))
        .await;
    play(
        "stop
         < 00000010 00000006 00000000 00000002
         > 00000010 00000006 00000000 00000008
         < 00000010 80000006 00000000 00000008
         end stopped",
    )
    .await;
    // Twice: once is enough.
    play(
        "> $DELIVER 00000007 $PARTIES 00 $FLAGS 00 00 01 'x'
         record message
         > 00000010 00000006 00000000 00000008
         > 00000010 00000006 00000000 00000009
         wait 1s
         durable
         < $OK 00000007 00
         < 00000010 80000006 00000000 00000009
         end peer_unbound",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn our_own_stop_unbinds_and_goes_on_acknowledging_until_unbind_resp_or_five_seconds() {
    play(
        "stop
         < 00000010 00000006 00000000 00000002
         submit 1 \"x\"
         > $DELIVER 00000007 $PARTIES 00 $FLAGS 00 00 01 'x'
         spool message
         < $OK 00000007 00
         > 00000010 80000006 00000000 00000002
         end stopped",
    )
    .await;
    // What is under way is waited for, and nothing more is begun.
    play(&format!(
        "{SUBMITTED}
         stop
         submit 2 \"y\"
         quiet 1s
         > $ACCEPT 00000002 'id' 00
         result 1 accepted id
         < 00000010 00000006 00000000 00000003
         > 00000010 80000006 00000000 00000003
         end stopped"
    ))
    .await;
    let begun = Instant::now();
    play("stop\n< 00000010 00000006 00000000 00000002\nend stopped 6s").await;
    assert!((4..7).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn responses_match_by_sequence_number_alone_in_any_order() {
    play(&format!(
        "{SUBMITTED}
         submit 2 \"y\"
         intend
         < $SUBMIT 00000003 $REPLY 00 0000 00 00 01 00 00 00 01 'y'
         > $ACCEPT 00000003 'second' 00
         result 2 accepted second
         > $ACCEPT 00000002 'first' 00
         result 1 accepted first"
    ))
    .await;
}

#[tokio::test(start_paused = true)]
async fn our_sequence_numbers_wrap_at_0x7fffffff() {
    let (got, mut sent) = mpsc::channel(4);
    let _rig = Rig::over(options(), false, move |mut link, _| {
        tokio::spawn(async move {
            let mut session = Session::new(&mut link);
            session.next_sequence = 0x7FFF_FFFF;
            session.request(&Pdu::EnquireLink);
            session.request(&Pdu::EnquireLink);
            got.send(session.out.to_vec()).await.unwrap();
            End::Closed
        })
    });
    let sent = sent.recv().await.unwrap();
    assert_eq!(hex(&sent), hex(&bytes("$ENQUIRE 7FFFFFFF $ENQUIRE 00000001")));
}

#[tokio::test(start_paused = true)]
async fn any_32_bit_sequence_number_is_taken_from_the_peer() {
    for sequence in ["00000000", "7FFFFFFF", "80000000", "FFFFFFFF"] {
        play(&format!(
            "> $DELIVER {sequence} $PARTIES 00 $FLAGS 00 00 01 'x'
             spool message
             < $OK {sequence} 00
             > $ENQUIRE {sequence}
             < $ALIVE {sequence}"
        ))
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_after_its_timeout_settles_what_was_unknown() {
    play(&format!(
        "{SUBMITTED}
         wait 11s
         result 1 unknown
         > $ACCEPT 00000002 'late' 00
         result 1 accepted late"
    ))
    .await;
    // A refusal that comes late settles it too: it was not sent.
    play(&format!(
        "{SUBMITTED}
         wait 11s
         result 1 unknown
         > LEN 80000004 0000000B 00000002
         result 1 refused 0B"
    ))
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_leaves_what_was_written_unknown() {
    play(&format!("{SUBMITTED}\nhangup\nresult 1 unknown\nend closed")).await;
}

#[tokio::test(start_paused = true)]
async fn alert_notification_has_no_response() {
    play(
        "> LEN 00000102 00000000 00000007 0101 '355691234567' 00 0001 '4636' 00 0422 0001 00
         > LEN 00000102 00000000 00000008 01
         quiet 3s",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn data_sm_is_a_message_like_deliver_sm() {
    play(
        "> $DATA 00000007 $PARTIES 00 00 00 0424 0004 'PS 1'
         record message
         text \"PS 1\"
         quiet 1s
         durable
         < 00000011 80000103 00000000 00000007 00
         > $DATA 00000008 $PARTIES 40 00 08 0424 000A 050003070201 00500053
         spool message
         text \"PS\"
         < 00000011 80000103 00000000 00000008 00",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn outbind_is_not_used() {
    play("> LEN 0000000B 00000000 00000007 'smsc' 00 'secret' 00\n< $NACK 00000003 00000007\n> $ENQUIRE 00000002\n< $ALIVE 00000002")
        .await;
}

#[tokio::test(start_paused = true)]
async fn an_observers_genuine_resend_is_a_message_of_its_own() {
    play_with(
        options(),
        "> $DELIVER 00000007 $PARTIES 00 $FLAGS 00 00 04 'PS 1'
         spool message
         < $OK 00000007 00
         > $DELIVER 00000008 $PARTIES 00 $FLAGS 00 00 04 'PS 1'
         spool message
         < $OK 00000008 00",
    )
    .await;
}

/// An SMSC that is asked for connections.
struct Pipes(mpsc::Sender<DuplexStream>);

impl Dial for Pipes {
    type Stream = DuplexStream;

    async fn dial(&self) -> std::io::Result<DuplexStream> {
        let (theirs, ours) = tokio::io::duplex(1 << 16);
        self.0.send(theirs).await.map_err(std::io::Error::other)?;
        Ok(ours)
    }
}

/// Seconds between the binds of a link whose SMSC answers each of them with this status.
async fn pauses(status: &str, binds: usize) -> (Vec<f64>, Rig) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (asked, mut connections) = mpsc::channel(1);
    let mut rig = Rig::over(options(), false, |link, _| {
        tokio::spawn(async move {
            link.run_over(&Pipes(asked)).await;
            End::Stopped
        })
    });
    let mut pauses = Vec::new();
    let mut before: Option<Instant> = None;
    for _ in 0..binds {
        let mut io = connections.recv().await.unwrap();
        if let Some(before) = before {
            pauses.push(before.elapsed().as_secs_f64());
        }
        let mut bind = vec![0; 33];
        io.read_exact(&mut bind).await.unwrap();
        io.write_all(&bytes(&format!("00000010 80000009 {status} 00000001"))).await.unwrap();
        before = Some(Instant::now());
        // The session closes.
        let mut rest = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(5), io.read_to_end(&mut rest)).await;
        assert!(rest.is_empty(), "nothing follows a refusal: {}", hex(&rest));
    }
    assert!(rig.queue.push(submit(1, "x")));
    assert!(rig.appends.try_recv().is_err(), "it is not bound");
    rig.stop.cancel();
    (pauses, rig)
}

#[tokio::test(start_paused = true)]
async fn esme_ralybnd_is_not_bound_and_backs_off_with_jitter_from_one_second_to_sixty() {
    let (pauses, _rig) = pauses("00000005", 10).await;
    let (mut longest, mut parts) = (1.0, Vec::new());
    for pause in &pauses {
        assert!((longest * 0.5 - 0.1..=longest + 0.5).contains(pause), "{pauses:?}");
        parts.push(pause / longest);
        longest = (longest * 2.0_f64).min(60.0);
    }
    // Two gateways that lost their SMSC at once don't come back at once.
    let least = parts.iter().skip(3).copied().fold(f64::INFINITY, f64::min);
    assert!(parts.iter().skip(3).any(|part| part - least > 0.01), "jitter: {pauses:?}");
    assert!(pauses.last().is_some_and(|last| *last >= 29.0), "{pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_retries_slowly() {
    let (pauses, _rig) = pauses("0000000E", 3).await;
    assert!(pauses.iter().all(|pause| (29.0..=61.0).contains(pause)), "{pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn a_link_with_another_timeout_has_it() {
    let quick = LinkOptions { response_timeout: Duration::from_secs(3), ..options() };
    play_with(quick, &format!("{SUBMITTED}\nwait 4s\nresult 1 unknown")).await;
}
