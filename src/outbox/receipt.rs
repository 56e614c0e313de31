//! Delivery receipts: which message they are about and what they say. Read as bytes, as their text is
//! no text of a person; TLVs go first (SMPP 3.4, 5.3.2.12, 5.3.2.35, and appendix B).

use crate::domain::message_id::MessageIdFormat;
use crate::handoff::message::Mobile;

/// What a receipt says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The SMSC's id as it came, without spaces around it.
    pub message_id: String,
    /// Word of the specification: `DELIVRD`, `EXPIRED`, `UNDELIV` …
    pub word: String,
    /// `delivered`, `undelivered`, or `None` while it is under way.
    pub state: Option<&'static str>,
    /// How its SMSC writes ids.
    pub ids: MessageIdFormat,
}

/// Bytes of an id; longer ones are no ids (SMPP 3.4, 5.2.23 allows 64).
const ID_BYTES_MAX: usize = 128;

/// Reads a receipt; `None` when it names no message.
pub fn parse(mobile: &Mobile) -> Option<Receipt> {
    let text = if mobile.short_message.is_empty() {
        mobile.payload.as_deref().unwrap_or_default()
    } else {
        &mobile.short_message
    };
    let message_id = mobile
        .receipted_message_id
        .as_deref()
        .map(str::trim)
        .filter(|id| !id.is_empty())
        .map(str::to_owned)
        .or_else(|| field(text, b"id:"))?;
    if message_id.len() > ID_BYTES_MAX || message_id.contains('\0') {
        return None;
    }
    let word = mobile
        .message_state
        .and_then(word_of_state)
        .map(str::to_owned)
        .or_else(|| field(text, b"stat:").map(|w| w.to_ascii_uppercase().chars().take(16).collect()));
    let word = word.unwrap_or_else(|| "UNKNOWN".to_owned());
    Some(Receipt::new(message_id, word))
}

impl Receipt {
    /// A receipt that says this word.
    pub fn new(message_id: String, word: String) -> Self {
        let state = match word.as_str() {
            "DELIVRD" => Some("delivered"),
            "EXPIRED" | "DELETED" | "UNDELIV" | "REJECTD" => Some("undelivered"),
            _ => None,
        };
        Self { message_id, word, state, ids: MessageIdFormat::Auto }
    }

    /// Forms in which the response may have named the same id, each with its rank: one of rank 0 is the same id for
    /// sure, any other must be of the phone that the receipt names.
    pub fn forms(&self) -> Vec<(String, i16)> {
        let Some((receipts, responses)) = self.ids.bases() else {
            let all = if self.ids == MessageIdFormat::Auto {
                id_forms(&self.message_id)
            } else {
                vec![self.message_id.clone()]
            };
            return all.into_iter().zip(0..).collect();
        };
        let mut forms = if self.ids.same_as_it_came() { vec![self.message_id.clone()] } else { Vec::new() };
        if let Some(number) = number(&self.message_id, receipts) {
            for form in written(number, responses) {
                if !forms.contains(&form) {
                    forms.push(form);
                }
            }
        } else if forms.is_empty() {
            // It is no number in that base: the setting is wrong for it, and as it came is all there is.
            forms.push(self.message_id.clone());
        }
        forms.into_iter().map(|form| (form, 0)).collect()
    }
}

/// Value after a name, up to white space; names are found in any case, at the start or after a space.
fn field(text: &[u8], name: &[u8]) -> Option<String> {
    let at = (0..text.len()).find(|&i| {
        (i == 0 || text.get(i - 1).is_some_and(u8::is_ascii_whitespace))
            && text.get(i..i + name.len()).is_some_and(|t| t.eq_ignore_ascii_case(name))
    })?;
    let rest = text.get(at + name.len()..)?;
    let start = rest.iter().position(|b| *b != b' ')?;
    let rest = rest.get(start..)?;
    let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
    let value = String::from_utf8_lossy(rest.get(..end)?).into_owned();
    (!value.is_empty()).then_some(value)
}

fn word_of_state(state: u8) -> Option<&'static str> {
    Some(match state {
        1 => "ENROUTE",
        2 => "DELIVRD",
        3 => "EXPIRED",
        4 => "DELETED",
        5 => "UNDELIV",
        6 => "ACCEPTD",
        8 => "REJECTD",
        _ => return None,
    })
}

/// Forms in which the response may have named the same id, the likeliest first; the first is the id as
/// it came. SMSCs pad, change case, and write hexadecimal here and decimal there.
pub fn id_forms(id: &str) -> Vec<String> {
    let mut forms = vec![id.to_owned()];
    let mut add = |form: String| {
        if !form.is_empty() && !forms.contains(&form) {
            forms.push(form);
        }
    };
    let bare = id.trim_start_matches('0');
    add(id.to_ascii_lowercase());
    add(id.to_ascii_uppercase());
    for form in uuid_forms(id).into_iter().flatten() {
        add(form);
    }
    add(bare.to_owned());
    add(bare.to_ascii_lowercase());
    add(bare.to_ascii_uppercase());
    if !bare.is_empty() && bare.len() <= 20 && bare.bytes().all(|b| b.is_ascii_digit()) {
        add(format!("{bare:0>10}"));
        if let Ok(n) = bare.parse::<u64>() {
            add(format!("{n:x}"));
            add(format!("{n:X}"));
            add(format!("{n:08x}"));
            add(format!("{n:08X}"));
        }
    }
    if !bare.is_empty() && bare.len() <= 16 && bare.bytes().all(|b| b.is_ascii_hexdigit()) {
        if let Ok(n) = u64::from_str_radix(bare, 16) {
            add(n.to_string());
            add(format!("{n:010}"));
        }
        add(format!("{:0>8}", bare.to_ascii_lowercase()));
        add(format!("{:0>8}", bare.to_ascii_uppercase()));
    }
    forms
}

/// An id as a number in a base; signs are no digits.
fn number(id: &str, base: u32) -> Option<u128> {
    if id.is_empty() || !id.chars().all(|c| c.is_digit(base)) {
        return None;
    }
    u128::from_str_radix(id, base).ok()
}

/// A number as SMSCs write it in a base: bare, and with zeros before it up to the widths that are in use.
fn written(number: u128, base: u32) -> Vec<String> {
    let widths = [0usize, 8, 10, 16, 20];
    if base == 10 {
        return widths.iter().map(|width| format!("{number:0width$}")).collect();
    }
    widths.iter().flat_map(|width| [format!("{number:0width$x}"), format!("{number:0width$X}")]).collect()
}

/// A UUID with and without its dashes, in small and in capital letters.
fn uuid_forms(id: &str) -> Option<[String; 4]> {
    let uuid = uuid::Uuid::parse_str(id).ok()?;
    let (dashed, plain) = (uuid.hyphenated().to_string(), uuid.simple().to_string());
    let capitals = [dashed.to_ascii_uppercase(), plain.to_ascii_uppercase()];
    let [dashed_capitals, plain_capitals] = capitals;
    Some([dashed, plain, dashed_capitals, plain_capitals])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mobile(text: &[u8]) -> Mobile {
        Mobile { short_message: text.to_vec(), esm_class: 4, ..Mobile::default() }
    }

    #[test]
    fn the_usual_text_is_read() {
        let r = parse(&mobile(
            b"id:0123456789 sub:001 dlvrd:001 submit date:2611211200 done date:2611211201 stat:DELIVRD err:000 text:PS 1",
        ))
        .unwrap();
        assert_eq!((r.message_id.as_str(), r.word.as_str(), r.state), ("0123456789", "DELIVRD", Some("delivered")));
    }

    #[test]
    fn tlvs_go_before_the_text() {
        let mut m = mobile(b"id:5 stat:DELIVRD");
        m.receipted_message_id = Some("AB12".to_owned());
        m.message_state = Some(5);
        let r = parse(&m).unwrap();
        assert_eq!((r.message_id.as_str(), r.word.as_str(), r.state), ("AB12", "UNDELIV", Some("undelivered")));
    }

    #[test]
    fn odd_writings_are_read() {
        let r = parse(&mobile(b"ID: 77 Stat: undeliv \xff")).unwrap();
        assert_eq!((r.message_id.as_str(), r.state), ("77", Some("undelivered")));
        assert_eq!(parse(&mobile(b"id:9 stat:ENROUTE")).unwrap().state, None);
        assert_eq!(parse(&mobile(b"id:9")).unwrap().word, "UNKNOWN");
        assert_eq!(parse(&mobile(b"msgid:9 stat:DELIVRD")), None, "a longer name is another name");
        assert_eq!(parse(&mobile(b"")), None);
    }

    #[test]
    fn an_id_is_found_in_the_forms_that_smscs_write() {
        for (receipt, response) in [
            ("0000A1B2", "a1b2"),
            ("41394", "a1b2"),
            ("a1b2", "41394"),
            ("A1B2", "0000041394"),
            ("0000041394", "41394"),
        ] {
            assert!(id_forms(receipt).contains(&response.to_owned()), "{receipt} {response}");
        }
        let id = "9f1c7a52-0000-4000-8000-00000000000a";
        assert_eq!(id_forms(&id.to_ascii_uppercase())[1], id);
    }

    #[test]
    fn a_link_says_how_its_smsc_writes_ids_and_nothing_else_is_the_same_then() {
        let forms = |id: &str, ids| {
            let receipt = Receipt { ids, ..Receipt::new(id.to_owned(), "DELIVRD".to_owned()) };
            receipt.forms()
        };
        let named = |id: &str, ids, response: &str| forms(id, ids).iter().find(|(f, _)| f == response).map(|f| f.1);
        use MessageIdFormat::{Auto, Decimal, DecimalHex, Hex, HexDecimal, Verbatim};
        // Response in hexadecimal, receipt in decimal: for sure, whatever the case and the zeros.
        for response in ["a1b2", "A1B2", "0000a1b2", "0000A1B2", "000000000000A1B2"] {
            assert_eq!(named("0000041394", HexDecimal, response), Some(0), "{response}");
        }
        assert_eq!(named("41394", HexDecimal, "41394"), None, "the same digits are another number");
        assert_eq!(named("41394", Auto, "a1b2").map(|rank| rank > 0), Some(true), "a guess needs the phone");
        for response in ["41394", "0000041394", "00041394"] {
            assert_eq!(named("A1B2", DecimalHex, response), Some(0), "{response}");
            assert_eq!(named("41394", Decimal, response), Some(0), "{response}");
        }
        assert_eq!(named("41394", Decimal, "a1b2"), None);
        assert_eq!((named("a1B2", Hex, "0000A1B2"), named("10", Hex, "16")), (Some(0), None));
        assert_eq!(forms("00A1", Verbatim), [("00A1".to_owned(), 0)]);
        // What is no number there is looked for as it came.
        assert_eq!(forms("9f-7", HexDecimal), [("9f-7".to_owned(), 0)]);
        assert_eq!(forms("+1", Decimal), [("+1".to_owned(), 0)]);
        assert!(forms(&"f".repeat(32), Hex).len() <= 16 && forms(&"9".repeat(60), Decimal).len() == 1);
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(text in proptest::collection::vec(any::<u8>(), 0..200), id in "\\PC{0,40}") {
            let _ = parse(&mobile(&text));
            let forms = id_forms(&id);
            prop_assert_eq!(&forms[0], &id);
            prop_assert!(forms.len() <= 16);
        }
    }
}
