//! "Acknowledgement": durable first, ESME_ROK then; and what is said when it can't be.

use super::play::{BIND, BOUND, Dialog, play, play_with};
use super::{LinkOptions, options};

#[tokio::test(start_paused = true)]
async fn esme_rok_goes_out_only_after_the_message_is_durable() {
    play(
        "> $DELIVER 00000007 $PARTIES 00 $FLAGS 00 00 04 'PS 1'
         record message
         quiet 4s
         durable
         < $OK 00000007 00",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn many_messages_wait_for_one_sync() {
    // The spool has three before the first is durable, so that one sync serves them all.
    play(
        "> $DELIVER 00000007 $PARTIES 00 $FLAGS 00 00 01 'a' $DELIVER 00000008 $PARTIES 00 $FLAGS 00 00 01 'b' $DELIVER 00000009 $PARTIES 00 $FLAGS 00 00 01 'c'
         record message
         record message
         record message
         quiet 1s
         durable
         durable
         durable
         < $OK 00000007 00
         < $OK 00000008 00
         < $OK 00000009 00",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn where_the_group_wants_it_esme_rok_waits_for_the_workers_commit() {
    let mut dialog = Dialog::begin(options(), true);
    dialog
        .go_on(&format!(
            "{BIND}
             {BOUND}
             > $DELIVER 00000007 $PARTIES 00 $FLAGS 00 00 04 'PS 1'
             spool message
             quiet 2s
             committed 1
             < $OK 00000007 00"
        ))
        .await;
}

#[tokio::test(start_paused = true)]
async fn the_overload_status_is_esme_rsyserr_or_what_the_link_says() {
    for (status, bytes) in [(0x08, "00000008"), (0x58, "00000058"), (0x14, "00000014")] {
        play_with(
            LinkOptions { overload_status: status, ..options() },
            &format!(
                "> $DELIVER 00000007 $PARTIES 00 $FLAGS 00 00 04 'PS 1'
                 record message
                 fails
                 < 00000011 80000005 {bytes} 00000007 00"
            ),
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn under_overload_responses_are_withheld_then_refused_and_then_the_link_unbinds() {
    let mut dialog = play_with(
        LinkOptions { withhold: std::time::Duration::from_secs(3), ..options() },
        "> $DELIVER 00000007 $PARTIES 00 $FLAGS 00 00 01 'x'
         record message
         quiet 2s
         wait 1s
         < 00000011 80000005 00000008 00000007 00",
    )
    .await;
    // It lasts: delivered again and again, and never durable.
    let begun = tokio::time::Instant::now();
    for _ in 0..25 {
        dialog.go_on("> $DELIVER 00000007 $PARTIES 00 $FLAGS 00 00 01 'y'\nwait 3s").await;
        if begun.elapsed() > std::time::Duration::from_secs(62) {
            break;
        }
    }
    let mut unbound = false;
    while let Ok(Ok(frame)) = tokio::time::timeout(std::time::Duration::from_secs(1), dialog.frame()).await {
        unbound |= frame.id == crate::smpp::CommandId::Unbind;
        if frame.id.is_response() {
            assert_eq!(frame.status, 0x08, "never ESME_RX_P_APPN, never ESME_ROK");
        }
    }
    assert!(unbound, "the SMSC had better store");
}

#[tokio::test(start_paused = true)]
async fn malformed_content_is_no_error() {
    // UCS2 of an odd length, a header that runs past its message, an alphabet that nobody knows, no text at all.
    for (tail, text) in [
        ("00 $FLAGS 08 00 03 005000", "P"),
        ("40 $FLAGS 00 00 03 09 'AB'", "\u{c7}AB"),
        ("00 $FLAGS 0D 00 01 E9", "\u{e9}"),
        ("00 $FLAGS 00 00 00", ""),
        ("FF $FLAGS FF 00 02 'AB'", "AB"),
    ] {
        let text = serde_json::to_string(text).unwrap();
        play(&format!("> $DELIVER 00000007 $PARTIES {tail}\nspool message\ntext {text}\n< $OK 00000007 00")).await;
    }
}
