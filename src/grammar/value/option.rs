//! Options: by number, by letter, by word; one of them or several.

use super::number::{Lexeme, letter_at, lexemes, whole};
use super::{Candidate, Chosen, Meant, is_letter, is_null, mended, push_number, push_word};
use crate::domain::report::Reason;
use crate::grammar::lexicon::Ready;

/// The option that a letter names: A the first, B the second. I, L, O look like digits and name none.
pub(in crate::grammar) fn by_letter(options: &[u16], letter: u8) -> Option<u16> {
    if matches!(letter, b'I' | b'L' | b'O') {
        return None;
    }
    named(options, letter)
}

fn named(options: &[u16], letter: u8) -> Option<u16> {
    options.get(usize::from(letter.checked_sub(b'A')?)).copied().filter(|_| letter.is_ascii_uppercase())
}

/// A letter that looks like a digit and names an option too: nobody knows which was meant.
fn torn(options: &[u16], typed: &[u8]) -> bool {
    matches!(typed, [letter @ (b'I' | b'L' | b'O')] if named(options, *letter).is_some())
}

/// A single number that names something.
pub(super) fn numbers(
    question: &Ready,
    text: &[u8],
    from: usize,
    out: &mut Vec<Candidate>,
    mut meaning: impl FnMut(i64) -> Option<Meant>,
) {
    lexemes(text, from, true, &mut |l| {
        let result = if l.grouped {
            Err(Reason::Unclear)
        } else {
            match whole(text.get(from..l.end).unwrap_or_default()) {
                Some(n) if is_null(question, n) => Ok(Some(Meant::NotAvailable(n))),
                Some(n) => meaning(n).map(Some).ok_or(Reason::NotAnOption),
                None => Err(Reason::NotAnOption),
            }
        };
        push_number(text, l, result, out);
    });
}

/// One option.
pub(super) fn choice(
    question: &Ready,
    options: &[u16],
    words: &[(String, u16)],
    text: &[u8],
    from: usize,
    out: &mut Vec<Candidate>,
) {
    numbers(question, text, from, out, |n| {
        u16::try_from(n).is_ok_and(|n| options.contains(&n)).then_some(Meant::Number(n))
    });
    for candidate in out.iter_mut().filter(|c| torn(options, text.get(from..c.end).unwrap_or_default())) {
        candidate.result = Err(Reason::Unclear);
    }
    let worded = text.get(from).is_some_and(|b| !b.is_ascii_digit());
    for (word, option) in words.iter().filter(|_| worded) {
        push_word(text, from, word, true, out, || Ok(Some(Meant::Number(i64::from(*option)))));
    }
    if let Some(option) = text.get(from).and_then(|b| by_letter(options, *b))
        && !letter_at(text, from + 1)
    {
        let result = Ok(Some(Meant::Number(i64::from(option))));
        out.push(Candidate { end: from + 1, mended: 0, result, wordy: true });
    }
}

/// Several options: digits run together while no option is above 9, or numbers apart, or letters.
pub(super) fn several(
    question: &Ready,
    options: &[u16],
    run_together: bool,
    text: &[u8],
    from: usize,
    out: &mut Vec<Candidate>,
) {
    lexemes(text, from, false, &mut |l| {
        let mut chosen = Chosen::new();
        let mut wrong = false;
        let mut take = |digits: &[u8]| {
            let mut one = |n: Option<u16>| match n {
                Some(n) if options.contains(&n) => chosen.push(n),
                _ => wrong = true,
            };
            if run_together {
                digits.iter().for_each(|b| one(Some(u16::from(mended(*b).wrapping_sub(b'0')))));
            } else {
                one(whole(digits).and_then(|n| u16::try_from(n).ok()));
            }
        };
        let first = text.get(from..l.end).unwrap_or_default();
        take(first);
        let (mut end, mut more) = (l.end, false);
        // Further numbers stand after a blank, a comma, a point, a slash. Not after a dash: `1-3` may be a range.
        while let Some((start, stop)) = next_number(text, end) {
            take(text.get(start..stop).unwrap_or_default());
            (end, more) = (stop, true);
        }
        let result = match whole(first) {
            Some(n) if !more && is_null(question, n) => Ok(Some(Meant::NotAvailable(n))),
            _ if !more && torn(options, first) => Err(Reason::Unclear),
            // `L 245`: the letter may be of the code before it.
            _ if more && !first.iter().any(u8::is_ascii_digit) => Err(Reason::Unclear),
            _ if wrong => Err(Reason::NotAnOption),
            _ => Ok(Some(set(chosen))),
        };
        push_number(text, Lexeme { end, ..l }, result, out);
    });
    let letters = text.get(from..).unwrap_or_default().iter().take_while(|b| is_letter(**b)).count();
    if !(1..=options.len()).contains(&letters) {
        return;
    }
    let typed = text.get(from..from + letters).unwrap_or_default();
    let chosen: Option<Chosen> = typed.iter().map(|b| by_letter(options, *b)).collect();
    // A letter twice is rather a word.
    if let Some(chosen) = chosen.filter(|c| c.iter().enumerate().all(|(i, n)| !c.iter().take(i).any(|k| k == n))) {
        let mut end = from + letters;
        out.push(Candidate { end, mended: 0, result: Ok(Some(set(chosen.clone()))), wordy: true });
        // `a, b, c`: each letter alone.
        let mut chosen = chosen;
        while let Some((option, next)) = next_letter(options, text, end).filter(|_| letters == 1) {
            chosen.push(option);
            end = next;
            out.push(Candidate { end, mended: 0, result: Ok(Some(set(chosen.clone()))), wordy: true });
        }
    }
}

/// An option's letter that stands alone after one or more separators, and where it ends.
fn next_letter(options: &[u16], text: &[u8], from: usize) -> Option<(u16, usize)> {
    let rest = text.get(from..)?;
    let gap = rest.iter().take_while(|b| matches!(b, b' ' | b',' | b'.' | b'/' | b';')).count();
    let option = by_letter(options, *rest.get(gap)?)?;
    let alone = !rest.get(gap + 1).is_some_and(|b| is_letter(*b) || b.is_ascii_digit());
    ((1..4).contains(&gap) && alone).then_some((option, from + gap + 1))
}

/// Ascending, each once.
pub(in crate::grammar) fn set(mut chosen: Chosen) -> Meant {
    chosen.sort_unstable();
    chosen.dedup();
    Meant::Options(chosen)
}

/// The number after one or more separators that do not join a range.
fn next_number(text: &[u8], from: usize) -> Option<(usize, usize)> {
    let rest = text.get(from..)?;
    let gap = rest.iter().take_while(|b| matches!(b, b' ' | b',' | b'.' | b'/' | b';')).count();
    let count = rest.get(gap..)?.iter().take_while(|b| b.is_ascii_digit()).count();
    let next = rest.get(gap + count).copied().unwrap_or(b' ');
    (gap > 0 && gap < 4 && count > 0 && !matches!(next, b'I' | b'L' | b'O')).then_some((from + gap, from + gap + count))
}
