//! The short way through a body in which nothing is left to doubt: no search.
//!
//! The steps that cost nothing in [`super::search`] are separators, codes with a value in which nothing is
//! mended, and bare codes of flags. Where from each place exactly one such step leads on, and the last ends
//! with the body, that path is the only one that costs nothing; as no path costs less, the search would
//! choose it. Everywhere else there is no short way, and the search decides.

use super::lexicon::{Book, Type};
use super::scratch::Scratch;
use super::search::{Piece, Sent, Step};
use super::value::{Candidate, Meant, candidates, is_separator, plain};

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
    if let Some((to, result)) = plain(question, text, value_from) {
        let sent = Sent { question: index, value_from, result, mended: 0, wordy: false, bare: false };
        return Some((to, sent));
    }
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
    const WITHIN: &str = r#"{"checklists":[{"prefix":"PS","title":"x","serial":true,"questions":[
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
    /// Codes of which mostly none stands within another.
    const ALONE: &str = r#"{"checklists":[{"prefix":"PS","title":"x","serial":true,"questions":[
        {"code":"OA","type":"count","max":900,"null_value":999,"text":"?"},
        {"code":"OB","type":"yes_no","text":"?"},
        {"code":"LA","type":"count","max":5000,"text":"?"},
        {"code":"LI","type":"choice","options":{"1":"Good","2":"Very bad","3":"No","12":"Yes"},"text":"?"},
        {"code":"BI","type":"count","max":3000000,"text":"?"},
        {"code":"ILA","type":"count","max":20,"text":"?"},
        {"code":"IA","type":"multi_choice","options":{"1":"a","2":"b","3":"c"},"text":"?"},
        {"code":"IO","type":"time","text":"?"},
        {"code":"N","type":"count","max":40,"text":"?"},
        {"code":"CO","type":"count","min":-20,"max":2000,"text":"?"}]}]}"#;

    fn lexicon(file: &str) -> Lexicon {
        let setting = Setting { observer_lengths: vec![6], phone_identifies: true, ..Setting::default() };
        Lexicon::new(check(file).unwrap().checklists.into_iter().map(Arc::new), setting)
    }

    /// What is read does not hang on how it is searched.
    fn same(file: &str, text: &str) -> Result<(), TestCaseError> {
        let (short, searched) = (lexicon(file), lexicon(file).searching_all());
        for text in [format!("PS123456 {text}"), format!("PS123456{text}"), text.to_owned()] {
            prop_assert_eq!(read(&short, &text, &[]), read(&searched, &text, &[]), "{:?}", text);
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn the_short_way_reads_what_the_search_reads(
            text in "(PS123456|PS 12345O|AA|A|BA|CA|DA|TI|IO|LL|YES|FL|NO|N|I|L|O|0|1|2|3|7|12|999|730|1830|1,200|2026-03-04| |, |\n|-|:|\\.|\\*|@|!|GOOD|VERY BAD|A M|PM|~|é){0,14}",
        ) {
            same(WITHIN, &text)?;
        }

        #[test]
        fn a_search_by_stretches_reads_what_the_whole_search_reads(
            text in "((OA|OB|LA|LI|BI|ILA|IA|IO|N|CO|0A|1A|L1|1L|1O|I1A|C0|XY|PS|PS12345O)[ :,.=-]{0,2}(0|1|2|7|12|999|1830|1,200|1 200|1\\.5|2 thousand|1O|O|no|yes|good|very bad|b|\\*)?( |, |\n|; |,|\\.|-|/|  )?){0,9}( 7|@ x|thanks, Li|!|~|é)?",
        ) {
            same(ALONE, &text)?;
        }
    }
}
