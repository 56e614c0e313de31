//! The search for the best reading of a body.
//!
//! All readings are paths through the body whose steps are separators, codes with their values, codes
//! without one, and what cannot be explained. A path's cost is, in this order, characters unexplained,
//! codes without a value, mendings. The least cost wins; where paths of least cost differ, or where one
//! with fewer mendings and more codes without a value differs, the codes between are unclear.
//!
//! A word is explained as a whole or not at all, so that no code is ever found inside a word. Work is
//! bounded by [`GRAMMAR_STEPS_MAX`].

use super::lexicon::{Book, Type};
use super::scratch::Scratch;
use super::value::{Candidate, Judged, Meant, candidates, is_letter, is_separator, plain};
use crate::domain::report::Reason;
use crate::limits::GRAMMAR_STEPS_MAX;

/// What the unexplained is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Junk {
    Letters,
    Digits,
    Other,
}

/// A code that was sent, with its value or why it has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sent {
    /// Index of the question.
    pub question: u16,
    /// Where the value begins; the end of the piece when there is none.
    pub value_from: usize,
    pub result: Judged,
    /// Letters read as digits, or digits as letters.
    pub mended: u32,
    /// See [`Candidate::wordy`].
    pub wordy: bool,
    /// A flag's bare code.
    pub bare: bool,
}

/// A step of the chosen reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Separators,
    Junk(Junk),
    Sent(Sent),
    /// Codes on which the best readings differ.
    Unclear(Vec<u16>),
    /// A number that no question has; where its value begins.
    Unknown(usize),
}

/// A step with its place in the text.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub from: usize,
    pub to: usize,
    pub step: Step,
}

/// A step of some reading.
#[derive(Debug)]
pub(super) struct Edge {
    from: u32,
    to: u32,
    by_law: u64,
    by_mending: u64,
    step: Step,
}

/// Costs, each in an order of its own: unexplained, then the two others.
pub(super) fn cost(unexplained: usize, no_value: u32, mended: u32) -> (u64, u64) {
    let (u, n, m) = (unexplained as u64 * UNEXPLAINED, u64::from(no_value), u64::from(mended));
    (u | n << 20 | m, u | m << 20 | n)
}

/// What is not explained costs this much at the least.
pub(super) const UNEXPLAINED: u64 = 1 << 40;

/// Does every reading of `text[from..]` begin with what is not explained? It costs [`UNEXPLAINED`] or more then.
pub(super) fn begins_unexplained(book: &Book, text: &[u8], from: usize) -> bool {
    let rest = text.get(from..).unwrap_or_default();
    let gap = rest.iter().take_while(|b| is_separator(**b)).count();
    let rest = rest.get(gap..).unwrap_or_default();
    // Any code that may be mended is one, to be on the safe side.
    !rest.is_empty() && book.exact_codes_at(rest).next().is_none() && book.codes_at(rest).next().is_none()
}

/// Reads `text[from..]` into `scratch.pieces`; the cost. `steps` counts work over all bodies of one text;
/// `None` when it runs out.
///
/// The body is read stretch by stretch, each up to a place which no step passes over: all readings meet there,
/// so the best reading of the whole is made of the best ones of the stretches. `whole`: it is one stretch all
/// the same, to measure and to compare.
pub(super) fn search(
    book: &Book,
    text: &[u8],
    from: usize,
    whole: bool,
    steps: &mut usize,
    scratch: &mut Scratch,
) -> Option<u64> {
    scratch.pieces.clear();
    let (mut at, mut total) = (from, 0);
    while at < text.len() {
        if !whole && let Some(piece) = alone(book, text, at) {
            *steps += 1;
            at = piece.to;
            scratch.pieces.push(piece);
            continue;
        }
        let (to, cost) = stretch(book, text, at, whole, steps, scratch)?;
        (at, total) = (to, total + cost);
    }
    Some(total)
}

/// Reads from `from` to the next place where all readings meet; that place, and the cost.
fn stretch(
    book: &Book,
    text: &[u8],
    from: usize,
    whole: bool,
    steps: &mut usize,
    scratch: &mut Scratch,
) -> Option<(usize, u64)> {
    let Scratch { edges, reach, values, .. } = &mut *scratch;
    edges.clear();
    reach.clear();
    reach.push((0, 0));
    let (mut at, mut end) = (from, from);
    while at < text.len() && (whole || at == from || at < end) {
        if let Some(&here) = reach.get(at - from).filter(|here| here.0 != u64::MAX) {
            let first = edges.len();
            edges_at(book, text, at, values, edges);
            let new = edges.get(first..)?;
            end = new.iter().map(|e| e.to as usize).fold(end, usize::max);
            if reach.len() <= end - from {
                reach.resize(end - from + 1, (u64::MAX, u64::MAX));
            }
            for edge in new {
                let to = reach.get_mut(edge.to as usize - from)?;
                to.0 = to.0.min(here.0 + edge.by_law);
                to.1 = to.1.min(here.1 + edge.by_mending);
            }
            *steps += new.len() + 1;
            if *steps > GRAMMAR_STEPS_MAX {
                return None;
            }
        }
        at += 1;
    }
    if end == from || (whole && end < text.len()) {
        return None;
    }
    let total = *reach.last()?;
    choose(scratch, from, end)?;
    Some((end, total.0))
}

/// The step at `at`, where all readings meet, if nothing else is as good and all readings meet again where it
/// ends: separators, or a code with a plain number of which no other step takes a part and more.
fn alone(book: &Book, text: &[u8], at: usize) -> Option<Piece> {
    let rest = text.get(at..)?;
    let separators = rest.iter().take_while(|b| is_separator(**b)).count();
    if separators > 0 {
        return Some(Piece { from: at, to: at + separators, step: Step::Separators });
    }
    let mut codes = book.exact_codes_at(rest);
    let (index, question) = codes.next().filter(|(_, question)| question.stands_alone)?;
    if codes.next().is_some() {
        return None;
    }
    let end = at + question.code.len();
    // No code begins within this one.
    if (at + 1..end).any(|i| text.get(i..).is_some_and(|rest| book.exact_codes_at(rest).next().is_some())) {
        return None;
    }
    let value_from = end + text.get(end..)?.iter().take_while(|b| is_separator(**b)).count();
    let (to, result) = plain(question, text, value_from)?;
    // Nor does a code whose first letters were typed as the digits they look like: `AA 1O5`.
    if value_from > end && text.get(to).is_some_and(|b| is_letter(*b)) {
        return None;
    }
    let sent = Sent { question: index, value_from, result, mended: 0, wordy: false, bare: false };
    Some(Piece { from: at, to, step: Step::Sent(sent) })
}

/// Adds the steps of the best readings, as far as they agree.
fn choose(scratch: &mut Scratch, from: usize, n: usize) -> Option<()> {
    let Scratch { pieces, edges, reach, rest, over, best, .. } = scratch;
    if let [_] = edges.as_slice() {
        pieces.extend(edges.pop().map(|e| Piece { from: e.from as usize, to: e.to as usize, step: e.step }));
        return Some(());
    }
    let total = *reach.last()?;
    rest.clear();
    rest.resize(n - from + 1, (u64::MAX, u64::MAX));
    *rest.last_mut()? = (0, 0);
    best.clear();
    // How many of the best steps pass over a place; where none does, all best readings meet.
    over.clear();
    over.resize(n - from + 2, 0);
    for (i, edge) in edges.iter().enumerate().rev() {
        let (a, b) = (edge.from as usize - from, edge.to as usize - from);
        let after = *rest.get(b)?;
        if after.0 == u64::MAX {
            continue;
        }
        let before = (after.0 + edge.by_law, after.1 + edge.by_mending);
        let here = rest.get_mut(a)?;
        *here = (here.0.min(before.0), here.1.min(before.1));
        let reached = *reach.get(a)?;
        if reached.0 + before.0 == total.0 || reached.1 + before.1 == total.1 {
            best.push(u32::try_from(i).ok()?);
            *over.get_mut(a + 1)? += 1;
            *over.get_mut(b)? -= 1;
        }
    }
    best.reverse();
    let (mut open, mut next) = (0, 0);
    let mut start = 0;
    for place in 0..=n - from {
        open += *over.get(place)?;
        if place == 0 || open > 0 || place == start {
            continue;
        }
        // All best readings pass through `start` and `place`: the steps between belong together.
        let first = next;
        while best.get(next).and_then(|e| edges.get(*e as usize)).is_some_and(|e| (e.from as usize - from) < place) {
            next += 1;
        }
        if let Some(piece) = agree(edges, best.get(first..next)?) {
            pieces.push(piece);
        }
        start = place;
    }
    Some(())
}

/// One piece of what lies between two places where all best readings meet.
fn agree(edges: &[Edge], steps: &[u32]) -> Option<Piece> {
    let edge = |i: &u32| edges.get(*i as usize);
    if let [only] = steps {
        let only = edge(only)?;
        return Some(Piece { from: only.from as usize, to: only.to as usize, step: only.step.clone() });
    }
    let (from, to) = (steps.first().and_then(edge)?.from, steps.iter().filter_map(edge).map(|e| e.to).max()?);
    let mut codes: Vec<u16> = Vec::new();
    for edge in steps.iter().filter_map(edge) {
        if let Step::Sent(sent) = &edge.step
            && !codes.contains(&sent.question)
        {
            codes.push(sent.question);
        }
    }
    let step = if codes.is_empty() { Step::Junk(Junk::Letters) } else { Step::Unclear(codes) };
    Some(Piece { from: from as usize, to: to as usize, step })
}

/// Every step that may begin at `at`.
fn edges_at(book: &Book, text: &[u8], at: usize, values: &mut Vec<Candidate>, out: &mut Vec<Edge>) {
    let Some(&byte) = text.get(at) else { return };
    let before = at.checked_sub(1).and_then(|i| text.get(i)).copied();
    let rest = text.get(at..).unwrap_or_default();
    let run = |of: fn(u8) -> bool| rest.iter().take_while(|b| of(**b)).count();
    let mut push = |to: usize, (by_law, by_mending): (u64, u64), step: Step| {
        let (Ok(from), Ok(to)) = (u32::try_from(at), u32::try_from(to)) else { return };
        out.push(Edge { from, to, by_law, by_mending, step });
    };
    if is_separator(byte) {
        push(at + run(is_separator), (0, 0), Step::Separators);
        return;
    }
    let starts_word = !before.is_some_and(is_letter);
    if is_letter(byte) {
        if starts_word {
            let length = run(is_letter);
            let unexplained = rest.iter().take(length).filter(|b| !matches!(b, 0x80..=0xBF)).count();
            push(at + length, cost(unexplained, 0, 0), Step::Junk(Junk::Letters));
        }
    } else if byte.is_ascii_digit() {
        if !before.is_some_and(|b| b.is_ascii_digit()) {
            let length = number_run(rest);
            push(at + length, cost(length, 0, 0), Step::Junk(Junk::Digits));
        }
    } else {
        push(at + 1, cost(1, 0, 0), Step::Junk(Junk::Other));
        return;
    }
    let token_start = !before.is_some_and(|b| is_letter(b) || b.is_ascii_digit());
    let mut known = false;
    let exact = (!token_start).then(|| book.exact_codes_at(rest).map(|(index, question)| (index, question, 0)));
    let typed = token_start.then(|| book.codes_at(rest));
    for (index, question, mended_code) in exact.into_iter().flatten().chain(typed.into_iter().flatten()) {
        known = true;
        let end = at + question.code.len();
        let value_from = end + text.get(end..).unwrap_or_default().iter().take_while(|b| is_separator(**b)).count();
        candidates(question, text, end, value_from, values);
        for value in values.drain(..) {
            let mended = value.mended + mended_code;
            // Letters that make no right value when they are read as digits were hardly meant as those.
            let no_value = u32::from(value.mended > 0 && value.result.is_err());
            let (result, wordy) = (value.result, value.wordy);
            let sent = Sent { question: index, value_from, result, mended, wordy, bare: false };
            push(value.end, cost(0, no_value, mended), Step::Sent(sent));
        }
        if !text.get(end).is_some_and(u8::is_ascii_digit) {
            let bare = matches!(question.kind, Type::Flag { .. });
            let result = if bare { Ok(Some(Meant::Bool(true))) } else { Err(Reason::NoValue) };
            let sent = Sent { question: index, value_from: end, result, mended: mended_code, wordy: false, bare };
            push(end, cost(0, u32::from(!bare), mended_code), Step::Sent(sent));
        }
    }
    // A code that the checklist lacks, run together with what stands before it and its own value.
    if !starts_word
        && !known
        && let Some(length) = book.code_length
        && run(is_letter) == length
    {
        let digits = number_run(rest.get(length..).unwrap_or_default());
        if digits > 0 {
            push(at + length, cost(length, 0, 0), Step::Junk(Junk::Letters));
        }
    }
}

/// Length of a number with its points and commas.
fn number_run(text: &[u8]) -> usize {
    let digits = |from: usize| text.get(from..).unwrap_or_default().iter().take_while(|b| b.is_ascii_digit()).count();
    let mut end = digits(0);
    while end > 0 && matches!(text.get(end), Some(b',' | b'.' | b':')) && digits(end + 1) > 0 {
        end += 1 + digits(end + 1);
    }
    end
}
