//! "Receipts": told by `esm_class`, read as bytes, matched by any form of their id, always acknowledged.

use super::options;
use super::play::{BIND, BOUND, Dialog, play};
use crate::domain::message_id::MessageIdFormat;
use crate::handoff::message::Body;
use crate::outbox::receipt::{self, Receipt, id_forms};

/// What a receipt says, with its length.
fn text(said: &str) -> String {
    format!("{:02X} '{said}'", said.len())
}

#[tokio::test(start_paused = true)]
async fn a_receipt_is_one_by_esm_class_and_never_by_its_text() {
    let looks = text("id:7 sub:001 dlvrd:001 stat:DELIVRD err:000 text:");
    play(&format!(
        "> $DELIVER 00000007 $PARTIES 00 $FLAGS 00 00 {looks}
         spool message
         < $OK 00000007 00
         > $DELIVER 00000008 $PARTIES 04 $FLAGS 00 00 {looks}
         spool receipt
         names 7 DELIVRD
         < $OK 00000008 00"
    ))
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_receipt_whose_text_is_none_is_a_receipt_still_and_acknowledged() {
    play(
        "> $DELIVER 00000007 $PARTIES 04 $FLAGS 00 00 02 'hm'
         spool receipt
         < $OK 00000007 00",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn its_text_is_read_as_bytes_whatever_the_alphabet() {
    // UCS2 by data_coding, ASCII by its bytes; and a text that is no text at all after it.
    play(&format!(
        "> $DELIVER 00000007 $PARTIES 04 $FLAGS 08 00 {} FFFE
         spool receipt
         names 0A1B UNDELIV
         < $OK 00000007 00",
        text("id:0A1B stat:UNDELIV ")
    ))
    .await;
}

#[tokio::test(start_paused = true)]
async fn its_tlvs_go_before_its_text() {
    play(&format!(
        "> $DELIVER 00000007 $PARTIES 04 $FLAGS 00 00 {} 001E 0005 'A1B2' 00 0427 0001 05
         spool receipt
         names A1B2 UNDELIV
         < $OK 00000007 00
         > $DELIVER 00000008 $PARTIES 04 $FLAGS 00 00 00 001E 0004 'A1B2' 0427 0001 02
         spool receipt
         names A1B2 DELIVRD
         < $OK 00000008 00",
        text("id:9 stat:DELIVRD")
    ))
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_intermediate_notification_is_a_receipt_that_settles_nothing() {
    play(&format!(
        "> $DELIVER 00000007 $PARTIES 20 $FLAGS 00 00 {}
         spool receipt
         names 9 ENROUTE
         < $OK 00000007 00",
        text("id:9 stat:ENROUTE")
    ))
    .await;
    assert_eq!(crate::outbox::receipt::Receipt::new("9".into(), "ENROUTE".into()).state, None);
}

#[tokio::test(start_paused = true)]
async fn a_users_own_acknowledgement_is_a_message() {
    // Bits 2 to 5: 0100, a person pressed a key.
    play("> $DELIVER 00000007 $PARTIES 10 $FLAGS 00 00 02 'OK'\nspool message\ntext \"OK\"\n< $OK 00000007 00").await;
}

#[tokio::test(start_paused = true)]
async fn a_receipt_through_data_sm_is_one() {
    play(
        "> $DATA 00000007 $PARTIES 04 00 00 001E 0002 '7' 00 0427 0001 02
         spool receipt
         names 7 DELIVRD
         < 00000011 80000103 00000000 00000007 00
         > $DATA 00000008 $PARTIES 04 00 00 0424 0011 'id:8 stat:EXPIRED'
         spool receipt
         names 8 EXPIRED
         < 00000011 80000103 00000000 00000008 00",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_receipt_before_the_submit_sm_resp_twice_or_unasked_is_spooled_and_acknowledged() {
    play(
        "submit 1 \"x\"
         intend
         < $SUBMIT 00000002 $REPLY 00 0000 00 00 01 00 00 00 01 'x'
         > $DELIVER 00000007 $PARTIES 04 $FLAGS 00 00 11 'id:7 stat:DELIVRD'
         spool receipt
         < $OK 00000007 00
         > $ACCEPT 00000002 '7' 00
         result 1 accepted 7
         > $DELIVER 00000008 $PARTIES 04 $FLAGS 00 00 11 'id:7 stat:DELIVRD'
         spool receipt
         < $OK 00000008 00
         > $DELIVER 00000009 $PARTIES 04 $FLAGS 00 00 11 'id:9 stat:DELIVRD'
         spool receipt
         < $OK 00000009 00",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn each_part_of_a_long_text_has_an_id_of_its_own() {
    let long = "x".repeat(162);
    play(&format!(
        "submit 1 \"{long}\"
         intend
         < $SUBMIT 00000002 $REPLY 40 0000 00 00 01 00 00 00 9F 050003010201 78*153
         < $SUBMIT 00000003 $REPLY 40 0000 00 00 01 00 00 00 0F 050003010202 78*9
         > $ACCEPT 00000003 'b' 00
         > $ACCEPT 00000002 'a' 00
         result 1 accepted a,b"
    ))
    .await;
}

#[test]
fn ids_come_as_hex_where_the_response_had_decimal_padded_upper_cased_and_as_uuids() {
    for (receipt, response) in [
        ("1A2B", "6699"),
        ("6699", "1a2b"),
        ("0000006699", "6699"),
        ("6699", "0000006699"),
        ("00001A2B", "1a2b"),
        ("1a2b", "1A2B"),
        ("1A2B", "0000006699"),
        ("9F1C7A52-0000-4000-8000-00000000000A", "9f1c7a52-0000-4000-8000-00000000000a"),
        ("9f1c7a5200004000800000000000000a", "9f1c7a52-0000-4000-8000-00000000000a"),
        ("9f1c7a52-0000-4000-8000-00000000000a", "9F1C7A5200004000800000000000000A"),
    ] {
        assert!(id_forms(receipt).contains(&response.to_owned()), "{receipt} for {response}: {:?}", id_forms(receipt));
        assert_eq!(id_forms(receipt)[0], receipt, "as it came, first");
    }
}

#[tokio::test(start_paused = true)]
async fn ids_are_matched_as_the_link_says_that_its_smsc_writes_them() {
    use MessageIdFormat::{Auto, Decimal, DecimalHex, Hex, HexDecimal, Verbatim};
    // Format, id in the response, id in the receipt: is it of that text for sure, perhaps, or not?
    for (format, response, said, means) in [
        (HexDecimal, "0000A1B2", "41394", Some(true)),
        (HexDecimal, "41394", "41394", None),
        (DecimalHex, "0000041394", "A1B2", Some(true)),
        (DecimalHex, "a1b2", "A1B2", None),
        (Decimal, "0000041394", "41394", Some(true)),
        (Decimal, "a1b2", "41394", None),
        (Hex, "0000a1b2", "A1B2", Some(true)),
        (Hex, "41394", "A1B2", None),
        (Verbatim, "00A1", "00A1", Some(true)),
        (Verbatim, "a1", "00A1", None),
        (Auto, "a1b2", "a1b2", Some(true)),
        (Auto, "a1b2", "41394", Some(false)),
    ] {
        let dialog = play(&format!(
            "submit 1 \"x\"
             intend
             < $SUBMIT 00000002 $REPLY 00 0000 00 00 01 00 00 00 01 'x'
             > $ACCEPT 00000002 '{response}' 00
             result 1 accepted {response}
             > $DELIVER 00000007 $PARTIES 04 $FLAGS 00 00 {}
             spool receipt
             names {said} DELIVRD
             < $OK 00000007 00",
            text(&format!("id:{said} stat:DELIVRD"))
        ))
        .await;
        let Some(Body::Receipt(mobile)) = dialog.records.last() else { panic!("{:?}", dialog.records) };
        let receipt = Receipt { ids: format, ..receipt::parse(mobile).unwrap() };
        let found = receipt.forms().into_iter().find(|(form, _)| form == response).map(|(_, rank)| rank == 0);
        assert_eq!(found, means, "{format:?}: {said} for {response}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_receipt_of_a_submit_that_nobody_answered_is_spooled_for_it_to_be_settled() {
    let unanswered = "submit 1 \"x\"
        intend
        < $SUBMIT 00000002 $REPLY 00 0000 00 00 01 00 00 00 01 'x'";
    let receipt = "> $DELIVER 00000007 $PARTIES 04 $FLAGS 00 00 11 'id:7 stat:DELIVRD'
        spool receipt
        names 7 DELIVRD
        < $OK 00000007 00";
    // Past its timeout; its parties and its time are what the intake goes by.
    let dialog = play(&format!("{unanswered}\nwait 11s\nresult 1 unknown\n{receipt}")).await;
    let Some(Body::Receipt(mobile)) = dialog.records.last() else { panic!("{:?}", dialog.records) };
    assert_eq!((mobile.source.as_str(), mobile.destination.as_str()), ("355691234567", "4636"));
    // And on the session after the one that was lost.
    let first = play(&format!("{unanswered}\nhangup\nresult 1 unknown\nend closed")).await;
    let mut second = Dialog::begin_like(options(), &first);
    second.go_on(&format!("{BIND}\n{BOUND}\n{receipt}")).await;
}
