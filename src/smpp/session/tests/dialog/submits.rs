//! Submits: pace, window, priorities, what a status means, what is tried again, and how long texts are sent.

use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::super::submit;
use super::play::{BIND, BOUND, BOUND_34, Dialog, hex, play, play_bound, play_with};
use super::{LinkOptions, options};
use crate::domain::alphabet::{DefaultAlphabet, LongMessages, SendAlphabet};
use crate::handoff::message::Submit;
use crate::smpp::statuses::{Meaning, Statuses};
use crate::text::alphabets::Sending;

/// A `submit_sm` of one letter with this sequence number, as it must stand on the wire.
fn one(sequence: u32, letter: &str) -> String {
    format!("< $SUBMIT {sequence:08X} $REPLY 00 0000 00 00 01 00 00 00 01 '{letter}'")
}

#[tokio::test(start_paused = true)]
async fn segments_are_paced_one_by_one() {
    let paced = || LinkOptions { submits_per_second: 2, submit_window: 10, ..options() };
    let begun = Instant::now();
    play_with(
        paced(),
        "submit 1 \"a\"
         submit 2 \"b\"
         submit 3 \"c\"
         intend
         intend
         intend
         < $SUBMIT 00000002 $REPLY 00 0000 00 00 01 00 00 00 01 'a'
         < $SUBMIT 00000003 $REPLY 00 0000 00 00 01 00 00 00 01 'b'
         < $SUBMIT 00000004 $REPLY 00 0000 00 00 01 00 00 00 01 'c'",
    )
    .await;
    assert!((900..1_500).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    // Three texts or one of three segments, or one payload that the SMSC cuts into three, are the same to it.
    let begun = Instant::now();
    let long = format!("submit 1 \"{}\"\nintend\nsubmit 2 \"a\"\nintend", "x".repeat(400));
    let mut dialog = play_with(paced(), &long).await;
    for _ in 0..4 {
        assert_eq!(dialog.frame().await.unwrap().id, crate::smpp::CommandId::SubmitSm);
    }
    assert!((1_400..2_000).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    let begun = Instant::now();
    let sending = Sending { long: LongMessages::Payload, ..Sending::default() };
    let mut dialog = play_bound(LinkOptions { sending, ..paced() }, BOUND_34, &long).await;
    for _ in 0..2 {
        assert_eq!(dialog.frame().await.unwrap().id, crate::smpp::CommandId::SubmitSm);
    }
    assert!((1_400..2_000).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn no_more_than_the_window_waits_for_responses() {
    let script = format!(
        "submit 1 \"a\"
         submit 2 \"b\"
         submit 3 \"c\"
         intend
         intend
         {}
         {}
         quiet 3s
         > $ACCEPT 00000003 'id' 00
         result 2 accepted id
         intend",
        one(2, "a"),
        one(3, "b")
    );
    let mut dialog = play(&script).await;
    let frame = dialog.frame().await.unwrap();
    assert!(hex(&frame.raw).ends_with("000163"), "the third, once there is room: {}", hex(&frame.raw));
}

#[tokio::test(start_paused = true)]
async fn replies_go_before_bulk() {
    let mut dialog = play_with(LinkOptions { submit_window: 1, ..options() }, "submit 1 \"a\"\nintend").await;
    for n in 2..=3 {
        assert!(dialog.rig.queue.push(Submit { bulk: true, ..submit(n, "bulk") }));
    }
    assert!(dialog.rig.queue.push(submit(4, "r")));
    dialog
        .go_on(&format!(
            "{}
             > $ACCEPT 00000002 '1' 00
             result 1 accepted 1
             intend
             {}
             > $ACCEPT 00000003 '4' 00
             result 4 accepted 4
             intend
             < $SUBMIT 00000004 $REPLY 00 0000 00 00 01 00 00 00 04 'bulk'",
            one(2, "a"),
            one(3, "r")
        ))
        .await;
}

#[tokio::test(start_paused = true)]
async fn throttling_pauses_the_link_and_goes_on_in_order() {
    for status in ["00000058", "00000014"] {
        let begun = Instant::now();
        play(&format!(
            "submit 1 \"a\"
             submit 2 \"b\"
             intend
             intend
             {}
             {}
             > LEN 80000004 {status} 00000003
             > LEN 80000004 {status} 00000002 00
             quiet 900ms
             {}
             {}
             > LEN 80000004 {status} 00000004 00
             quiet 1900ms
             {}",
            one(2, "a"),
            one(3, "b"),
            one(4, "a"),
            one(5, "b"),
            one(6, "a"),
        ))
        .await;
        assert!(begun.elapsed() < Duration::from_secs(4), "1 s, then 2 s: {:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn an_acceptance_of_what_was_written_before_the_smsc_throttled_does_not_shorten_the_next_pause() {
    let options = LinkOptions { submit_window: 3, ..options() };
    play_with(
        options,
        &format!(
            "submit 1 \"a\"
             submit 2 \"b\"
             intend
             intend
             {}
             {}
             > LEN 80000004 00000058 00000002
             wait 500ms
             > $ACCEPT 00000003 'b' 00
             result 2 accepted b
             {}
             > LEN 80000004 00000058 00000004
             quiet 1900ms
             {}
             > $ACCEPT 00000005 'a' 00
             result 1 accepted a
             submit 3 \"c\"
             intend
             {}
             > LEN 80000004 00000058 00000006
             wait 1100ms
             {}",
            one(2, "a"),
            one(3, "b"),
            one(4, "a"),
            one(5, "a"),
            one(6, "c"),
            one(7, "c"),
        ),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_pause_survives_a_reconnect_and_what_waited_goes_first() {
    let script = format!(
        "submit 1 \"a\"
         intend
         {}
         > LEN 80000004 00000058 00000002
         wait 500ms
         submit 2 \"b\"
         hangup
         end closed",
        one(2, "a")
    );
    let first = play(&script).await;
    let mut second = Dialog::begin_like(options(), &first);
    let begun = Instant::now();
    second.go_on(&format!("{BIND}\n{BOUND}\n{}\nintend\n{}", one(2, "a"), one(3, "b"))).await;
    assert!((300..800).contains(&begun.elapsed().as_millis()), "what is left of the second: {:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_temporary_refusal_is_tried_again_later_and_others_go_on() {
    play(&format!(
        "submit 1 \"a\"
         intend
         {}
         > LEN 80000004 00000008 00000002
         submit 2 \"b\"
         intend
         {}
         > $ACCEPT 00000003 'b' 00
         result 2 accepted b
         quiet 4s
         {}
         > $ACCEPT 00000004 'a' 00
         result 1 accepted a",
        one(2, "a"),
        one(3, "b"),
        one(4, "a")
    ))
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_temporary_refusal_is_tried_so_many_times_and_is_final_then() {
    let mut dialog = play("submit 1 \"a\"\nintend").await;
    let mut tries = 0;
    loop {
        let got = tokio::time::timeout(Duration::from_secs(120), dialog.frame()).await;
        let Ok(Ok(frame)) = got else { break };
        if frame.id == crate::smpp::CommandId::SubmitSm {
            tries += 1;
            dialog.go_on(&format!("> LEN 80000004 00000008 {:08X}", frame.sequence)).await;
            if tries == 1 + crate::limits::SUBMIT_TRIES_MAX {
                break;
            }
        } else {
            dialog.go_on(&format!("> $ALIVE {:08X}", frame.sequence)).await;
        }
    }
    assert_eq!(tries, 1 + crate::limits::SUBMIT_TRIES_MAX);
    dialog.go_on("result 1 refused 08").await;
}

#[tokio::test(start_paused = true)]
async fn a_link_says_what_its_smscs_statuses_mean() {
    let statuses = Statuses::new([(0x08, Meaning::Permanent), (0x0400, Meaning::Temporary)]);
    play_with(
        LinkOptions { statuses, ..options() },
        &format!(
            "submit 1 \"a\"
             intend
             {}
             > LEN 80000004 00000008 00000002
             result 1 refused 08
             submit 2 \"b\"
             intend
             {}
             > LEN 80000004 00000400 00000003
             quiet 4s
             {}",
            one(2, "a"),
            one(3, "b"),
            one(4, "b")
        ),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_permanent_refusal_is_final() {
    play(&format!(
        "submit 1 \"a\"\nintend\n{}\n> LEN 80000004 0000000B 00000002\nresult 1 refused 0B\nquiet 5s",
        one(2, "a")
    ))
    .await;
}

#[tokio::test(start_paused = true)]
async fn until_when_a_text_is_worth_delivering_is_said() {
    let left = |minutes: i64| crate::world::World::real().steady_us() + (minutes * 60 + 30) * 1_000_000;
    for (validity, expires, field) in [
        (true, left(90), "'000000013000000R'"),
        (true, left(2 * 1_440 + 61), "'000002010100000R'"),
        (true, left(100 * 1_440), ""),
        (false, left(90), ""),
    ] {
        let mut dialog = play_with(LinkOptions { validity, ..options() }, "wait 1s").await;
        assert!(dialog.rig.queue.push(Submit { expires_us: expires, ..submit(1, "a") }));
        dialog.go_on(&format!("intend\n< $SUBMIT 00000002 $REPLY 00 0000 00 {field} 00 01 00 00 00 01 'a'")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_expired_is_not_sent() {
    let mut dialog = play("wait 1s").await;
    assert!(dialog.rig.queue.push(Submit { expires_us: 1, ..submit(1, "a") }));
    dialog.go_on("result 1 not_sent\nquiet 1s").await;
}

#[tokio::test(start_paused = true)]
async fn a_late_response_keeps_the_second_attempt_from_going_out() {
    let mut dialog = play(&format!("submit 1 \"a\"\nintend\n{}\nwait 11s\nresult 1 unknown", one(2, "a"))).await;
    // The link is stopped short by its window.
    dialog.go_on("submit 2 \"b\"\nintend\nsubmit 3 \"c\"\nintend").await;
    dialog.go_on("again 1 \"a\"\n> $ACCEPT 00000002 'late' 00\nresult 1 accepted late\nresult 1 not_sent").await;
    assert!(dialog.rig.queue.take_out(Uuid::from_u128(1)).is_none());
}

/// The submit of a text on a link that sends so, to the end of its script.
async fn sent(sending: Sending, text: &str, expected: &[&str]) {
    sent_to(BOUND_34, sending, text, expected).await;
}

/// The same to an SMSC that takes the bind so.
async fn sent_to(bound: &str, sending: Sending, text: &str, expected: &[&str]) {
    let mut script = format!("submit 1 {}\nintend", serde_json::to_string(text).unwrap());
    for (n, body) in expected.iter().enumerate() {
        script += &format!("\n< $SUBMIT {:08X} $REPLY {body}", n + 2);
    }
    play_bound(LinkOptions { sending, submit_window: 10, ..options() }, bound, &script).await;
}

const NATIONAL: [SendAlphabet; 2] = [SendAlphabet::Default, SendAlphabet::Ucs2];

#[tokio::test(start_paused = true)]
async fn a_long_text_goes_in_segments_with_headers_of_8_or_16_bits() {
    let text = "x".repeat(161);
    sent(
        Sending::default(),
        &text,
        &["40 0000 00 00 01 00 00 00 9F 050003010201 78*153", "40 0000 00 00 01 00 00 00 0E 050003010202 78*8"],
    )
    .await;
    sent(
        Sending { wide: true, ..Sending::default() },
        &text,
        &["40 0000 00 00 01 00 00 00 9F 06080400010201 78*152", "40 0000 00 00 01 00 00 00 10 06080400010202 78*9"],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_long_text_goes_with_sar_tlvs_where_the_link_wants_them() {
    sent(
        Sending { long: LongMessages::Sar, ..Sending::default() },
        &"x".repeat(161),
        &[
            "00 0000 00 00 01 00 00 00 98 78*152 020C00020001 020E000102 020F000101",
            "00 0000 00 00 01 00 00 00 09 78*9 020C00020001 020E000102 020F000102",
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_long_text_goes_as_one_payload_where_the_link_wants_it() {
    let payload = Sending { long: LongMessages::Payload, ..Sending::default() };
    sent(payload, &"x".repeat(161), &["00 0000 00 00 01 00 00 00 00 0424 00A1 78*161"]).await;
    sent(payload, "x", &["00 0000 00 00 01 00 00 00 01 78"]).await;
}

#[tokio::test(start_paused = true)]
async fn an_smsc_that_does_not_say_that_it_speaks_3_4_is_sent_no_tlvs() {
    let text = "x".repeat(161);
    let headers =
        ["40 0000 00 00 01 00 00 00 9F 050003010201 78*153", "40 0000 00 00 01 00 00 00 0E 050003010202 78*8"];
    let says = |version: &str| format!("> LEN 80000009 00000000 00000001 'smsc' 00 0210 0001 {version}");
    for long in [LongMessages::Sar, LongMessages::Payload] {
        let sending = Sending { long, ..Sending::default() };
        for bound in [BOUND, &says("33"), "> 00000010 80000009 00000000 00000001"] {
            sent_to(bound, sending, &text, &headers).await;
        }
    }
    let payload = Sending { long: LongMessages::Payload, ..Sending::default() };
    sent_to(&says("50"), payload, &text, &["00 0000 00 00 01 00 00 00 00 0424 00A1 78*161"]).await;
}

#[tokio::test(start_paused = true)]
async fn an_escape_and_a_surrogate_pair_are_never_cut() {
    sent(
        Sending::default(),
        &format!("{}€{}", "x".repeat(152), "x".repeat(10)),
        &["40 0000 00 00 01 00 00 00 9E 050003010201 78*152", "40 0000 00 00 01 00 00 00 12 050003010202 1B65 78*10"],
    )
    .await;
    sent(
        Sending::default(),
        &format!("{}😀{}", "я".repeat(66), "я".repeat(5)),
        &[
            "40 0000 00 00 01 00 08 00 8A 050003010201 044F*66",
            "40 0000 00 00 01 00 08 00 14 050003010202 D83DDE00 044F*5",
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_smallest_alphabet_that_the_smsc_takes_is_chosen() {
    sent(Sending::default(), "é€", &["00 0000 00 00 01 00 00 00 03 05 1B65"]).await;
    sent(Sending::default(), "ê", &["00 0000 00 00 01 00 08 00 02 00EA"]).await;
    let latin = Sending::new(DefaultAlphabet::Gsm7, &[SendAlphabet::Default, SendAlphabet::Latin1], &[]);
    sent(latin, "ê", &["00 0000 00 00 01 00 03 00 01 EA"]).await;
    let other = Sending { default: DefaultAlphabet::Latin1, ..Sending::default() };
    sent(other, "é@", &["00 0000 00 00 01 00 00 00 02 E940"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_national_table_is_used_where_the_language_is_the_links_and_it_is_smaller() {
    let turkish = Sending::new(DefaultAlphabet::Gsm7, &NATIONAL, &["tr".to_owned()]);
    // 71 units of UCS2 would be two segments. Single shift: an escape a letter.
    sent(turkish, &format!("ğ{}", "x".repeat(70)), &["40 0000 00 00 01 00 00 00 4C 03240101 1B67 78*70"]).await;
    // Locking: a septet a letter.
    sent(turkish, &"ş".repeat(150), &["40 0000 00 00 01 00 00 00 9A 03250101 1D*150"]).await;
    // As short in UCS2.
    sent(turkish, "ğ", &["00 0000 00 00 01 00 08 00 02 011F"]).await;
    sent(Sending::default(), "ğ", &["00 0000 00 00 01 00 08 00 02 011F"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_text_that_no_allowed_alphabet_holds_is_not_sent() {
    let sending = Sending::new(DefaultAlphabet::Gsm7, &[SendAlphabet::Default], &[]);
    play_with(LinkOptions { sending, ..options() }, "submit 1 \"я\"\nintend\nresult 1 not_sent\nquiet 1s").await;
}
