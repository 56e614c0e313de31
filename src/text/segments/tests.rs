//! Cutting texts, and putting them together again.

use super::*;
use crate::domain::alphabet::{DefaultAlphabet, SendAlphabet};
use crate::limits::SUBMIT_SEGMENTS_MAX;
use crate::text::decode_shifted;
use crate::text::national::{Language, Shifts};
use proptest::prelude::*;

#[test]
fn one_segment_holds_160_septets_or_70_units() {
    assert_eq!(split(&"a".repeat(160), 1, 10).unwrap().len(), 1);
    let two = split(&"a".repeat(161), 1, 10).unwrap();
    assert_eq!(two.iter().map(|s| s.short_message.len()).collect::<Vec<_>>(), [6 + 153, 6 + 8]);
    assert!(two.iter().all(|s| s.udhi && s.data_coding == 0));
    assert_eq!(split(&"я".repeat(70), 1, 10).unwrap().len(), 1);
    let two = split(&"я".repeat(71), 1, 10).unwrap();
    assert_eq!(two.iter().map(|s| s.short_message.len()).collect::<Vec<_>>(), [6 + 134, 6 + 8]);
}

#[test]
fn an_escape_and_its_septet_stay_together() {
    let text = format!("{}€{}", "a".repeat(152), "b".repeat(20));
    let parts = split(&text, 1, 10).unwrap();
    assert_eq!(parts[0].short_message.len(), 6 + 152);
    assert_eq!(&parts[1].short_message[6..8], [0x1B, 0x65]);
}

#[test]
fn a_surrogate_pair_stays_together() {
    let text = format!("{}😀{}", "я".repeat(66), "я".repeat(20));
    assert_eq!(split(&text, 1, 10).unwrap()[0].short_message.len(), 6 + 132);
}

#[test]
fn more_segments_than_allowed_are_refused() {
    let text = "a".repeat(153 * SUBMIT_SEGMENTS_MAX);
    assert_eq!(split(&text, 1, SUBMIT_SEGMENTS_MAX).unwrap().len(), SUBMIT_SEGMENTS_MAX);
    let error = split(&format!("{text}a"), 1, SUBMIT_SEGMENTS_MAX).unwrap_err();
    assert_eq!(error, SegmentsError::TooLong { segments: 11, max: 10 });
}

#[test]
fn a_measure_says_how_much_is_left() {
    assert_eq!(measure(""), Measure { alphabet: Alphabet::Gsm7, segments: 1, units_left: 160 });
    assert_eq!(measure("€"), Measure { alphabet: Alphabet::Gsm7, segments: 1, units_left: 158 });
    assert_eq!(measure("я"), Measure { alphabet: Alphabet::Ucs2, segments: 1, units_left: 69 });
    assert_eq!(measure(&"a".repeat(161)), Measure { alphabet: Alphabet::Gsm7, segments: 2, units_left: 145 });
}

#[test]
fn a_link_with_another_default_alphabet_gets_its_bytes() {
    let at = |default| split_for(&Sending { default, ..Sending::default() }, "a@é", 1, 10).unwrap().remove(0);
    assert_eq!(at(DefaultAlphabet::Gsm7).short_message, [0x61, 0x00, 0x05]);
    assert_eq!(at(DefaultAlphabet::Latin1).short_message, [0x61, 0x40, 0xE9]);
    assert_eq!(at(DefaultAlphabet::Ascii).data_coding, 8);
}

fn sending(alphabets: &[SendAlphabet], languages: &[&str]) -> Sending {
    let languages: Vec<String> = languages.iter().map(|code| (*code).to_owned()).collect();
    Sending::new(DefaultAlphabet::Gsm7, alphabets, &languages)
}

const ALL: [SendAlphabet; 3] = [SendAlphabet::Default, SendAlphabet::Latin1, SendAlphabet::Ucs2];

#[test]
fn the_smallest_alphabet_that_holds_the_text_is_taken_of_those_that_the_smsc_takes() {
    let alphabet = |sending: &Sending, text: &str| sending.choose(text).map(|m| (m.alphabet, m.segments));
    let (all, two) = (sending(&ALL, &[]), Sending::default());
    let accents = "â".repeat(100);
    assert_eq!(alphabet(&all, &accents), Some((Alphabet::Latin1, 1)));
    assert_eq!(alphabet(&two, &accents), Some((Alphabet::Ucs2, 2)));
    assert_eq!(alphabet(&all, "é€"), Some((Alphabet::Gsm7, 1)));
    // Latin-1 has no extension table to take two septets, but seven bits beat eight.
    assert_eq!(alphabet(&all, &"[".repeat(100)), Some((Alphabet::Latin1, 1)));
    assert_eq!(alphabet(&all, &"a".repeat(160)), Some((Alphabet::Gsm7, 1)));
    let plain = sending(&[SendAlphabet::Default], &[]);
    assert_eq!(split_for(&plain, "я", 1, 10), Err(SegmentsError::NoAlphabet));
    assert_eq!(alphabet(&sending(&[SendAlphabet::Ucs2], &[]), "a"), Some((Alphabet::Ucs2, 1)));
}

#[test]
fn national_tables_are_taken_only_where_the_language_is_the_links_and_they_are_smaller() {
    let turkish = sending(&[SendAlphabet::Default, SendAlphabet::Ucs2], &["tr"]);
    let text = "Teşekkürler, raporunuz alındı. ".repeat(4);
    assert_eq!(Sending::default().choose(&text).map(|m| m.segments), Some(2));
    let single = Shifts { locking: None, single: Some(Language::Turkish) };
    assert_eq!(turkish.choose(&text).map(|m| (m.alphabet, m.segments)), Some((Alphabet::National(single), 1)));
    // As many segments: UCS2, which every phone knows.
    assert_eq!(turkish.choose("alındı").map(|m| m.alphabet), Some(Alphabet::Ucs2));
    // Nothing but such letters: the locking table has them in one septet each.
    let locking = Shifts { locking: Some(Language::Turkish), single: None };
    let letters = turkish.choose(&"şğı".repeat(50)).unwrap();
    assert_eq!((letters.alphabet, letters.segments), (Alphabet::National(locking), 1));
    let parts = split_for(&turkish, &"şğı".repeat(50), 1, 10).unwrap();
    assert_eq!(
        (parts[0].data_coding, parts[0].udhi, &parts[0].short_message[..5]),
        (0, true, &[3, 0x25, 1, 1, 0x1D][..])
    );
    let hindi = sending(&ALL, &["hi"]);
    assert_eq!(hindi.choose(&"धन्यवाद ".repeat(15)).map(|m| m.segments), Some(1));
    assert_eq!(Sending::default().choose(&"धन्यवाद ".repeat(15)).map(|m| m.segments), Some(2));
}

#[test]
fn headers_take_their_room() {
    let room = |sending: &Sending, alphabet| sending.room(alphabet);
    let (narrow, wide) = (Sending::default(), Sending { wide: true, ..Sending::default() });
    assert_eq!([room(&narrow, Alphabet::Gsm7), room(&wide, Alphabet::Gsm7)], [(160, 153), (160, 152)]);
    assert_eq!([room(&narrow, Alphabet::Ucs2), room(&wide, Alphabet::Ucs2)], [(70, 67), (70, 66)]);
    assert_eq!([room(&narrow, Alphabet::Latin1), room(&wide, Alphabet::Latin1)], [(140, 134), (140, 133)]);
    let both = Alphabet::National(Shifts { locking: Some(Language::Urdu), single: Some(Language::Urdu) });
    let one = Alphabet::National(Shifts { locking: None, single: Some(Language::Urdu) });
    assert_eq!([room(&narrow, one), room(&narrow, both)], [(155, 149), (152, 146)]);
    assert_eq!([room(&wide, one), room(&wide, both)], [(155, 148), (152, 145)]);
}

#[test]
fn long_texts_go_with_headers_sar_tlvs_or_as_one_payload() {
    let text = "x".repeat(200);
    let of = |long, wide| split_for(&Sending { long, wide, ..Sending::default() }, &text, 0x1234, 10).unwrap();
    let udh = of(LongMessages::Udh, true);
    assert_eq!(&udh[1].short_message[..7], [6, 8, 4, 0x12, 0x34, 2, 2]);
    assert_eq!(of(LongMessages::Udh, false)[0].short_message[..6], [5, 0, 3, 0x34, 2, 1]);
    let sar = of(LongMessages::Sar, false);
    assert_eq!(sar.iter().map(|s| s.sar).collect::<Vec<_>>(), [Some((0x1234, 2, 1)), Some((0x1234, 2, 2))]);
    assert!(sar.iter().all(|s| !s.udhi && s.short_message.len() <= 152));
    let payload = of(LongMessages::Payload, false);
    assert_eq!((payload.len(), payload[0].weight, payload[0].short_message.len()), (1, 2, 0));
    assert_eq!(payload[0].payload.as_ref().map(Vec::len), Some(200));
    let short = split_for(&Sending { long: LongMessages::Payload, ..Sending::default() }, "x", 1, 10).unwrap();
    assert_eq!((short[0].payload.as_ref(), &short[0].short_message[..]), (None, &b"x"[..]));
}

#[test]
fn what_is_said_to_fit_does() {
    for n in [1, 69, 70, 71, 134, 135, 153, 159, 160, 161, 305, 306, 307, 459, 460] {
        for text in ["a".repeat(n), "€".repeat(n), "م".repeat(n), "😀".repeat(n), format!("{}€", "a".repeat(n - 1))]
        {
            for wide in [false, true] {
                let measure = Sending { wide, ..Sending::default() }.choose(&text).unwrap();
                let units = text.chars().map(|c| Sending::default().cost(measure.alphabet, c).unwrap()).sum();
                for segments in 1..=4 {
                    if fits(measure.alphabet, units, text.chars().any(|c| "€😀".contains(c)), segments) {
                        assert!(measure.segments <= segments, "{n} {text}, references of 16 bits: {wide}");
                    }
                }
                assert!(!wide || fits(measure.alphabet, units, false, measure.segments));
            }
        }
    }
}

proptest! {
    #[test]
    fn the_segments_joined_are_the_text(
        text in "([a-z€@\\[şğ]|[я😀ि]){0,400}", latin in "[a-zé€@âşı]{0,400}", which in 0usize..4,
        (latin1, wide) in any::<(bool, bool)>(), languages in any::<u16>(), long in 0usize..3,
    ) {
        let default = [DefaultAlphabet::Gsm7, DefaultAlphabet::Latin1, DefaultAlphabet::Ascii, DefaultAlphabet::Utf8][which];
        let long = [LongMessages::Udh, LongMessages::Sar, LongMessages::Payload][long];
        let sending = Sending { default, latin1, wide, languages, long, ..Sending::default() };
        for text in [text, latin] {
            let parts = split_for(&sending, &text, 9, 255).unwrap();
            let mut joined = String::new();
            for part in &parts {
                prop_assert!(part.short_message.len() <= 160);
                let bytes = part.payload.as_deref().unwrap_or(&part.short_message);
                let split = udh::split(bytes);
                let (body, shifts) = if part.udhi { (split.body, split.shifts) } else { (bytes, Shifts::default()) };
                let decoded = decode_shifted(part.data_coding, default, shifts, body);
                prop_assert!(!decoded.lossy);
                joined.push_str(&decoded.text);
            }
            prop_assert_eq!(&joined, &text);
            let weight: u32 = parts.iter().map(|p| p.weight).sum();
            prop_assert_eq!(sending.choose(&text).unwrap().segments, weight as usize);
        }
    }
}
