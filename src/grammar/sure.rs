//! The short way through a body in which nothing is left to doubt: no search.
//!
//! The steps that cost nothing in [`super::search`] are separators, codes with a value in which nothing is
//! mended, and bare codes of flags. Where from each place exactly one such step leads on, and the last ends
//! with the body, that path is the only one that costs nothing; as no path costs less, the search would
//! choose it. Everywhere else there is no short way, and the search decides.

use super::lexicon::{Book, Type};
use super::scratch::Scratch;
use super::search::{Piece, Sent, Step};
use super::value::{Candidate, Meant, candidates, is_separator};

/// Reads `text[from..]` into `scratch.pieces` where no other reading is as good; `None` where that is not
/// plain. The cost is none.
pub(super) fn sure(book: &Book, text: &[u8], from: usize, steps: &mut usize, scratch: &mut Scratch) -> Option<u64> {
    let Scratch { pieces, values, .. } = scratch;
    pieces.clear();
    let mut at = from;
    while let Some(&byte) = text.get(at) {
        *steps += 1;
        let (to, step) = if is_separator(byte) {
            (end_of_separators(text, at), Step::Separators)
        } else {
            let (to, sent) = only_code(book, text, at, values)?;
            (to, Step::Sent(sent))
        };
        pieces.push(Piece { from: at, to, step });
        at = to;
    }
    Some(0)
}

fn end_of_separators(text: &[u8], from: usize) -> usize {
    from + text.get(from..).unwrap_or_default().iter().take_while(|b| is_separator(**b)).count()
}

/// The one step with a code that begins at `at` and costs nothing.
fn only_code(book: &Book, text: &[u8], at: usize, values: &mut Vec<Candidate>) -> Option<(usize, Sent)> {
    let mut codes = book.exact_codes_at(text.get(at..)?);
    let (index, question) = codes.next()?;
    if codes.next().is_some() {
        return None;
    }
    let end = at + question.code.len();
    let value_from = end_of_separators(text, end);
    candidates(question, text, end, value_from, values);
    values.retain(|v| v.mended == 0);
    let sent = |value_from, result, wordy, bare| Sent { question: index, value_from, result, mended: 0, wordy, bare };
    let bare = matches!(question.kind, Type::Flag { .. }) && !text.get(end).is_some_and(u8::is_ascii_digit);
    match (values.pop(), bare) {
        (None, true) => Some((end, sent(end, Ok(Some(Meant::Bool(true))), false, true))),
        (Some(value), false) if values.is_empty() => {
            Some((value.end, sent(value_from, value.result, value.wordy, false)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use crate::domain::checklist::check;
    use crate::grammar::{Lexicon, Setting, read};

    /// Every type, codes within codes, codes of letters that look like digits, words that are codes.
    fn lexicon() -> Lexicon {
        let file = r#"{"checklists":[{"prefix":"PS","title":"x","serial":true,"questions":[
            {"code":"A","type":"count","max":900,"null_value":999,"text":"?"},
            {"code":"AA","type":"count","min":-9,"max":5000,"text":"?"},
            {"code":"BA","type":"yes_no","text":"?"},
            {"code":"CA","type":"choice","options":{"1":"Good","2":"Very bad","3":"No"},"text":"?"},
            {"code":"DA","type":"multi_choice","options":{"1":"a","2":"b","3":"c"},"text":"?"},
            {"code":"TI","type":"time","text":"?"},
            {"code":"IO","type":"decimal","max":2000,"text":"?"},
            {"code":"LL","type":"date","text":"?"},
            {"code":"YES","type":"flag","text":"?"},
            {"code":"FL","type":"flag","text":"?"},
            {"code":"ZT","type":"text","text":"?"}]}]}"#;
        let setting = Setting { observer_lengths: vec![6], phone_identifies: true, ..Setting::default() };
        Lexicon::new(check(file).unwrap().checklists.into_iter().map(Arc::new), setting)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn the_short_way_reads_what_the_search_reads(
            text in "(PS123456|PS 12345O|AA|A|BA|CA|DA|TI|IO|LL|YES|FL|NO|N|I|L|O|0|1|2|3|7|12|999|730|1830|1,200|2026-03-04| |, |\n|-|:|\\.|\\*|@|!|GOOD|VERY BAD|A M|PM|~|é){0,14}",
        ) {
            let (short, searched) = (lexicon(), lexicon().searching_all());
            for text in [format!("PS123456 {text}"), text] {
                prop_assert_eq!(read(&short, &text, &[]), read(&searched, &text, &[]), "{:?}", text);
            }
        }
    }
}
