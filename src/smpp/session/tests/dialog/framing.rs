//! "Framing": lengths, commands that nobody knows, bodies that cannot be read, and what is tolerated.

use super::play::{BIND, BOUND, Dialog, play, play_with};
use super::{LinkOptions, options};
use crate::limits::PDU_BYTES_MAX;

#[tokio::test(start_paused = true)]
async fn a_command_length_under_16_is_nacked_and_closes_without_resynchronising() {
    // What follows the bad length would be a sound deliver_sm.
    play(
        "> 0000000F 00000005 00000000 0000002A $DELIVER 00000007 $PARTIES 00 $FLAGS 00 00 01 'x'
         < $NACK 00000002 0000002A
         end bad_length",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_command_length_over_the_cap_is_nacked_and_closes() {
    assert_eq!(PDU_BYTES_MAX, 0x0002_0000);
    play(
        "> 00020001 00000005 00000000 0000002B
         < $NACK 00000002 0000002B
         end bad_length",
    )
    .await;
    // Of a length alone nobody knows the sequence number.
    play("> FFFFFFFF\n< $NACK 00000002 00000000\nend bad_length").await;
}

#[tokio::test(start_paused = true)]
async fn a_full_message_payload_of_65535_bytes_fits() {
    let mut dialog = play(
        "> $DELIVER 00000007 $PARTIES 00 $FLAGS 00 00 00 0424 FFFF 41*65535
         spool message
         < $OK 00000007 00",
    )
    .await;
    dialog.go_on("payload 41*65535").await;
}

#[tokio::test(start_paused = true)]
async fn a_pdu_that_is_begun_must_end_within_ten_seconds() {
    play("> 00000010 0000\nwait 9s\n> 0015 00000000 00000003\n< $ALIVE 00000003").await;
    play("> 00000010 0000\nwait 11s\nend half_pdu").await;
}

#[tokio::test(start_paused = true)]
async fn pdus_come_whole_in_any_cut() {
    play(
        ">> $DELIVER 00000007 $PARTIES 00 $FLAGS 00 00 04 'PS 1' | $ENQUIRE 00000008
         < $ALIVE 00000008
         spool message
         text \"PS 1\"
         < $OK 00000007 00",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_unknown_command_is_nacked_with_the_same_sequence_number_and_the_link_stays() {
    play(
        "> LEN 00000099 00000000 FFFFFFFF 'what'
         < $NACK 00000003 FFFFFFFF
         > $ENQUIRE 00000002
         < $ALIVE 00000002",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_unknown_response_is_ignored() {
    play(
        "> LEN 80000099 00000000 00000001 'what'
         > LEN 80000004 00000000 00000063 'nobody asked' 00
         > LEN 80000015 00000000 00000063
         quiet 3s
         > $ENQUIRE 00000002
         < $ALIVE 00000002",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_deliver_sm_that_cannot_be_read_is_spooled_raw_and_answered_esme_rok() {
    // sm_length says nine, two bytes follow.
    let pdu = "$DELIVER 00000007 $PARTIES 00 $FLAGS 00 00 09 'PS'";
    play(&format!(
        "> {pdu}
         record undecodable
         quiet 1s
         durable
         < $OK 00000007 00
         raw {pdu}
         > $DELIVER 00000008 $PARTIES 00 $FLAGS 00 00 02 'PS'
         spool message
         < $OK 00000008 00"
    ))
    .await;
    play("> $DELIVER 00000007\nspool undecodable\n< $OK 00000007 00").await;
}

#[tokio::test(start_paused = true)]
async fn an_sm_length_that_says_too_much_is_taken_where_the_link_tolerates_it() {
    let pdu = "$DELIVER 00000007 $PARTIES 00 $FLAGS 00 00 09 'PS 1'";
    play(&format!("> {pdu}\nspool undecodable\nraw {pdu}\n< $OK 00000007 00")).await;
    let tolerant = || LinkOptions { tolerate_sm_length: true, ..options() };
    play_with(
        tolerant(),
        &format!(
            "> {pdu}
             spool message
             text \"PS 1\"
             raw 'PS 1'
             < $OK 00000007 00
             > $DELIVER 00000008 $PARTIES 00 $FLAGS 08 00 06 0050 0053
             spool message
             text \"PS\"
             < $OK 00000008 00"
        ),
    )
    .await;
    // A sound one is read as ever, TLVs behind it included; one that ends before its text is still none.
    play_with(
        tolerant(),
        "> $DELIVER 00000007 $PARTIES 00 $FLAGS 00 00 02 'PS' 0424 0002 ' 1'
         spool message
         text \"PS 1\"
         < $OK 00000007 00
         > $DELIVER 00000008 00 0101 '355691234567'
         spool undecodable
         < $OK 00000008 00",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_data_sm_that_cannot_be_read_is_spooled_raw_and_answered_esme_rok() {
    play(
        "> $DATA 00000007 00 0101 '355691234567'
         spool undecodable
         raw $DATA 00000007 00 0101 '355691234567'
         < 00000011 80000103 00000000 00000007 00",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_an_esme_does_not_serve_gets_its_own_response_with_an_error() {
    // submit_sm, query_sm, a bind: ESME_RINVBNDSTS, the link stays.
    play(
        "> LEN 00000004 00000000 00000031 'nonsense'
         < 00000010 80000004 00000004 00000031
         > LEN 00000003 00000000 00000032
         < 00000010 80000003 00000004 00000032
         > LEN 00000009 00000000 00000033
         < 00000010 80000009 00000004 00000033
         > $ENQUIRE 00000002
         < $ALIVE 00000002",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_body_where_none_is_due_is_passed_over() {
    play("> LEN 00000015 00000000 00000002 'body'\n< $ALIVE 00000002").await;
    play("> LEN 00000006 00000000 00000002 'body'\n< 00000010 80000006 00000000 00000002\nend peer_unbound").await;
}

#[tokio::test(start_paused = true)]
async fn a_missing_nul_at_the_end_of_a_c_string_that_fills_its_field_is_tolerated() {
    let mut dialog = play(
        "> $DELIVER 00000007 00 0101 '123456789012345678901' 0001 '4636' 00 00 $FLAGS 00 00 04 'PS 1'
         spool message
         text \"PS 1\"
         < $OK 00000007 00",
    )
    .await;
    assert_eq!(dialog.source(), "123456789012345678901");
    // A service_type of six letters, and one of five where five and a NUL are due.
    for service in ["'SIXSIX'", "'FIVE5'"] {
        dialog
            .go_on(&format!(
                "> $DELIVER 00000008 {service} 0101 '355691234567' 00 0001 '4636' 00 00 $FLAGS 00 00 04 'PS 1'
             spool message
             text \"PS 1\"
             < $OK 00000008 00"
            ))
            .await;
        assert_eq!(dialog.source(), "355691234567");
    }
}

#[tokio::test(start_paused = true)]
async fn an_over_long_address_is_kept_whole() {
    let dialog = play(
        "> $DELIVER 00000007 00 0101 '1234567890123456789012345678901234567890' 00 0001 '4636' 00 00 $FLAGS 00 00 04 'PS 1'
         spool message
         text \"PS 1\"
         < $OK 00000007 00",
    )
    .await;
    assert_eq!(dialog.source(), "1234567890123456789012345678901234567890");
}

#[tokio::test(start_paused = true)]
async fn bytes_after_the_short_message_are_tolerated() {
    play(
        "> $DELIVER 00000007 $PARTIES 00 $FLAGS 00 00 04 'PS 1' 00
         spool message
         text \"PS 1\"
         < $OK 00000007 00
         > $DELIVER 00000008 $PARTIES 00 $FLAGS 00 00 04 'PS 1' 'trailing'
         spool message
         text \"PS 1\"
         < $OK 00000008 00",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_tlv_cut_short_costs_itself_alone() {
    play(
        "> $DELIVER 00000007 $PARTIES 00 $FLAGS 00 00 04 'PS 1' 1401 0002 'ok' 0424 0009 'ab'
         spool message
         text \"PS 1\"
         < $OK 00000007 00",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn unknown_and_vendor_tlvs_are_passed_over() {
    play(
        "> $DELIVER 00000007 $PARTIES 00 $FLAGS 00 00 00 1401 0003 010203 0FFF 0000 3FFF 0001 07 0424 0004 'PS 1'
         spool message
         text \"PS 1\"
         < $OK 00000007 00",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn reserved_enum_values_are_tolerated() {
    // TON 255, NPI 119, priority 200, registered_delivery 255, replace_if_present 9, sm_default_msg_id 255.
    let dialog = play(
        "> $DELIVER 00000007 00 FF77 '355691234567' 00 FEFE '4636' 00 00 7F C8 00 00 FF 09 00 FF 04 'PS 1'
         spool message
         text \"PS 1\"
         < $OK 00000007 00",
    )
    .await;
    assert_eq!(dialog.source(), "355691234567");
}

#[tokio::test(start_paused = true)]
async fn an_error_response_is_read_with_or_without_a_body() {
    for body in ["", "00", "'x' 00", "1401 0001 07"] {
        play(&format!(
            "submit 1 \"x\"
             intend
             < $SUBMIT 00000002 $REPLY 00 0000 00 00 01 00 00 00 01 'x'
             > LEN 80000004 0000000B 00000002 {body}
             result 1 refused 0B"
        ))
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_message_id_is_an_acceptance() {
    for body in ["00", ""] {
        play(&format!(
            "submit 1 \"x\"
             intend
             < $SUBMIT 00000002 $REPLY 00 0000 00 00 01 00 00 00 01 'x'
             > $ACCEPT 00000002 {body}
             result 1 accepted"
        ))
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_generic_nack_with_our_sequence_number_fails_that_request_alone() {
    play(
        "submit 1 \"x\"
         intend
         < $SUBMIT 00000002 $REPLY 00 0000 00 00 01 00 00 00 01 'x'
         submit 2 \"y\"
         intend
         < $SUBMIT 00000003 $REPLY 00 0000 00 00 01 00 00 00 01 'y'
         > $NACK 00000003 00000002
         result 1 refused 03
         > $ACCEPT 00000003 'id' 00
         result 2 accepted id",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_generic_nack_with_sequence_0_is_logged_and_timeouts_decide() {
    play(
        "submit 1 \"x\"
         intend
         < $SUBMIT 00000002 $REPLY 00 0000 00 00 01 00 00 00 01 'x'
         > $NACK 00000002 00000000
         quiet 5s
         > $ACCEPT 00000002 'id' 00
         result 1 accepted id",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_generic_nack_of_the_bind_refuses_it() {
    let mut dialog = Dialog::begin(options(), false);
    dialog.go_on(&format!("{BIND}\n> $NACK 00000005 00000001\nend bind_refused")).await;
    let mut dialog = Dialog::begin(options(), false);
    dialog.go_on(&format!("{BIND}\n> $NACK 00000005 00000000\n{BOUND}\n> $ENQUIRE 00000002\n< $ALIVE 00000002")).await;
}
