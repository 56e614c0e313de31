//! "Content": what a message may hold, in which alphabets, in how many parts; the bytes are always kept.

use super::play::{play, play_with};
use super::{LinkOptions, options};
use crate::domain::alphabet::DefaultAlphabet;
use crate::handoff::message::Body;

async fn reads(alphabet: DefaultAlphabet, tail: &str, text: &str, raw: &str) {
    let text = serde_json::to_string(text).unwrap();
    play_with(
        LinkOptions { default_alphabet: alphabet, ..options() },
        &format!(
            "> $DELIVER 00000007 $PARTIES {tail}
             spool message
             text {text}
             raw {raw}
             < $OK 00000007 00"
        ),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_empty_short_message_is_valid() {
    reads(DefaultAlphabet::Gsm7, "00 $FLAGS 00 00 00", "", "").await;
}

#[tokio::test(start_paused = true)]
async fn message_payload_may_carry_all_the_text() {
    reads(DefaultAlphabet::Gsm7, "00 $FLAGS 00 00 00 0424 0004 'PS 1'", "PS 1", "").await;
}

#[tokio::test(start_paused = true)]
async fn message_payload_may_carry_a_header_too() {
    play(
        "> $DELIVER 00000007 $PARTIES 40 $FLAGS 00 00 00 0424 000A 050003070201 'PS 1'
         spool message
         text \"PS 1\"
         payload 050003070201 'PS 1'
         < $OK 00000007 00",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn short_message_and_message_payload_are_kept_both() {
    play(
        "> $DELIVER 00000007 $PARTIES 00 $FLAGS 00 00 03 'PS ' 0424 0001 '1'
         spool message
         text \"PS 1\"
         raw 'PS '
         payload '1'
         < $OK 00000007 00",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn data_coding_0_is_what_the_link_says() {
    let bytes = "00 $FLAGS 00 00 03 C3A924";
    reads(DefaultAlphabet::Latin1, bytes, "\u{c3}\u{a9}$", "C3A924").await;
    reads(DefaultAlphabet::Utf8, bytes, "\u{e9}$", "C3A924").await;
    reads(DefaultAlphabet::Gsm7, "00 $FLAGS 00 00 03 000224", "@$\u{a4}", "000224").await;
    reads(DefaultAlphabet::Ascii, "00 $FLAGS 00 00 03 402441", "@$A", "402441").await;
}

#[tokio::test(start_paused = true)]
async fn gsm_7_bit_has_its_extension_table() {
    reads(DefaultAlphabet::Gsm7, "00 $FLAGS 00 00 06 1B65 1B3C 1B3E", "\u{20ac}[]", "1B651B3C1B3E").await;
}

#[tokio::test(start_paused = true)]
async fn a_national_single_shift_table_is_named_by_the_header() {
    // Element 0x24, Turkish: an escaped g is a g with a breve.
    let bytes = "03 240101 41 1B67 1B53";
    let tail = format!("40 $FLAGS 00 00 09 {bytes}");
    reads(DefaultAlphabet::Gsm7, &tail, "A\u{11f}\u{15e}", &bytes.replace(' ', "")).await;
}

#[tokio::test(start_paused = true)]
async fn a_national_locking_shift_table_is_named_by_the_header() {
    // Element 0x25, Turkish, and both tables at once, Portuguese and Spanish.
    reads(DefaultAlphabet::Gsm7, "40 $FLAGS 00 00 07 03250101 0B1C40", "\u{11e}\u{15e}\u{130}", "032501010B1C40").await;
    let both = "06250103240102 04 1B41";
    reads(DefaultAlphabet::Gsm7, &format!("40 $FLAGS 00 00 0A {both}"), "\u{ea}\u{c1}", &both.replace(' ', "")).await;
    // Devanagari: one septet a letter.
    reads(DefaultAlphabet::Gsm7, "40 $FLAGS 00 00 07 03250106 155057", "\u{915}\u{93e}\u{945}", "03250106155057").await;
}

#[tokio::test(start_paused = true)]
async fn a_national_table_that_nobody_knows_falls_back_to_the_default_one() {
    reads(DefaultAlphabet::Gsm7, "40 $FLAGS 00 00 06 03240199 '1A'", "1A", "03240199 '1A'").await;
}

#[tokio::test(start_paused = true)]
async fn latin_1_cyrillic_and_hebrew_are_read_by_their_data_coding() {
    reads(DefaultAlphabet::Gsm7, "00 $FLAGS 03 00 01 E9", "\u{e9}", "E9").await;
    reads(DefaultAlphabet::Gsm7, "00 $FLAGS 06 00 02 BFF0", "\u{41f}\u{2116}", "BFF0").await;
    reads(DefaultAlphabet::Gsm7, "00 $FLAGS 07 00 03 31E0FA", "1\u{5d0}\u{5ea}", "31E0FA").await;
}

#[tokio::test(start_paused = true)]
async fn ucs2_has_surrogates_and_an_odd_byte_decodes_as_far_as_it_goes() {
    reads(DefaultAlphabet::Gsm7, "00 $FLAGS 08 00 06 D83DDE00 0041", "\u{1f600}A", "D83DDE000041").await;
    reads(DefaultAlphabet::Gsm7, "00 $FLAGS 08 00 05 0050 0053 00", "PS", "0050005300").await;
    reads(DefaultAlphabet::Gsm7, "00 $FLAGS 08 00 04 D83D 0041", "\u{fffd}A", "D83D0041").await;
}

#[tokio::test(start_paused = true)]
async fn parts_by_an_8_bit_reference_come_in_any_order() {
    play(
        "> $DELIVER 00000007 $PARTIES 40 $FLAGS 00 00 09 050003 AA 02 02 '1B1'
         spool message
         < $OK 00000007 00
         > $DELIVER 00000008 $PARTIES 40 $FLAGS 00 00 0A 050003 AA 02 01 'PS A'
         spool message
         < $OK 00000008 00
         joined \"PS A1B1\"",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn parts_by_a_16_bit_reference_are_put_together() {
    play(
        "> $DELIVER 00000007 $PARTIES 40 $FLAGS 00 00 0B 060804 01AA 02 01 'PS A'
         spool message
         < $OK 00000007 00
         > $DELIVER 00000008 $PARTIES 40 $FLAGS 00 00 0A 060804 01AA 02 02 '1B1'
         spool message
         < $OK 00000008 00
         joined \"PS A1B1\"",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn parts_by_sar_tlvs_are_put_together() {
    let dialog = play(
        "> $DELIVER 00000007 $PARTIES 00 $FLAGS 00 00 04 'PS A' 020C 0002 01AA 020E 0001 02 020F 0001 01
         spool message
         < $OK 00000007 00
         > $DELIVER 00000008 $PARTIES 00 $FLAGS 00 00 03 '1B1' 020F 0001 02 020E 0001 02 020C 0002 01AA
         spool message
         < $OK 00000008 00
         joined \"PS A1B1\"",
    )
    .await;
    let sar: Vec<_> = dialog.records.iter().map(|r| if let Body::Message(m) = r { m.sar } else { None }).collect();
    assert_eq!(sar, [Some((0x01AA, 2, 1)), Some((0x01AA, 2, 2))]);
}

#[tokio::test(start_paused = true)]
async fn a_character_that_the_sender_cut_in_two_is_whole_again() {
    play(
        "> $DELIVER 00000007 $PARTIES 40 $FLAGS 08 00 0A 050003 07 02 01 0041 D83D
         spool message
         < $OK 00000007 00
         > $DELIVER 00000008 $PARTIES 40 $FLAGS 08 00 0A 050003 07 02 02 DE00 0042
         spool message
         < $OK 00000008 00
         joined \"A\u{1f600}B\"",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_submits_came_to_is_spooled_like_a_message() {
    // `result` is what the spool was asked to keep.
    play(
        "submit 1 \"x\"
         intend
         < $SUBMIT 00000002 $REPLY 00 0000 00 00 01 00 00 00 01 'x'
         > $ACCEPT 00000002 'id' 00
         result 1 accepted id
         > $DELIVER 00000007 $PARTIES 04 $FLAGS 00 00 12 'id:id stat:DELIVRD'
         spool receipt
         < $OK 00000007 00",
    )
    .await;
}
