//! From the best reading of a body to a report: what is recorded, what goes back to the observer, what
//! is only noted.

use smallvec::{SmallVec, smallvec};
use smol_str::SmolStr;

use super::lexicon::{Book, Ready, Type, four};
use super::search::{Junk, Piece, Sent, Step};
use super::source::{QUOTED_MAX, Source};
use super::value::{Meant, candidates, is_separator};
use super::{Found, Part, Span, doubt};
use crate::domain::answers::Answers;
use crate::domain::report::{Note, Reason, Rejected, Report};
use crate::domain::value::Value;

/// Characters of a leftover that are quoted.
const LEFTOVER_MAX: usize = 60;
/// Notes on one report.
const NOTES_MAX: usize = 50;

/// What was made of one code.
struct Entry<'a> {
    code: Code<'a>,
    /// The code's first bytes, which tell most codes apart.
    head: u32,
    result: Result<Option<Value>, Reason>,
    /// What stood as its value: stretches of the clean text.
    values: Quotes,
}

/// A code: of the checklist, or as it was sent.
#[derive(Clone, Copy)]
enum Code<'a> {
    Known(&'a Ready),
    Sent(&'a str),
}

impl Code<'_> {
    fn as_str(&self) -> &str {
        match self {
            Self::Known(question) => &question.code,
            Self::Sent(code) => code,
        }
    }

    fn owned(&self) -> SmolStr {
        match self {
            Self::Known(question) => question.code.clone(),
            Self::Sent(code) => SmolStr::new(code),
        }
    }
}

/// Codes in the order sent, each once.
#[derive(Default)]
struct Entries<'a> {
    list: SmallVec<[Entry<'a>; 12]>,
    /// A bit for each code, which few share: a code whose bit is not set is new.
    seen: u64,
}

/// Stretches of the clean text.
type Quotes = SmallVec<[(usize, usize); 1]>;

/// Writes the pieces of a body into a report.
pub(super) fn fill(found: &mut Found, book: &Book, source: &Source<'_>, pieces: &[Piece]) {
    let mut entries = Entries::default();
    let mut remarks = false;
    let mut lost = false;
    let mut at = 0;
    while let Some(piece) = pieces.get(at) {
        at += 1;
        let begun = at;
        match &piece.step {
            Step::Separators => {}
            Step::Unclear(questions) => {
                let value = (piece.from, piece.to);
                for question in questions.iter().filter_map(|q| book.questions.get(usize::from(*q))) {
                    enter(&mut entries, &mut found.report, Code::Known(question), Err(Reason::Unclear), value);
                }
                found.spans.push(source.span(piece.from, piece.to, Part::Unclear));
            }
            Step::Unknown(value_from) => {
                let end = value_from.saturating_sub(1);
                let code = source.clean.text.get(piece.from..end).unwrap_or_default();
                let value = (*value_from, piece.to);
                enter(&mut entries, &mut found.report, Code::Sent(code), Err(Reason::UnknownCode), value);
                found.spans.push(source.span(piece.from, piece.to, Part::UnknownCode));
            }
            Step::Sent(sent) => {
                at = answer(&mut entries, &mut found.report, book, source, (pieces, at), piece, sent, (remarks, lost));
                let to = pieces.get(begun..at).and_then(<[_]>::last).map_or(piece.to, |p| p.to);
                found.spans.push(source.span(piece.from, to, Part::Code(sent.question)));
            }
            Step::Junk(_) => {
                let (end, next) = junk(&mut entries, found, book, source, pieces, at - 1);
                remarks |= end;
                at = next;
            }
        }
        if source.gaps.has_unread() {
            let to = pieces.get(begun..at).and_then(<[_]>::last).map_or(piece.to, |p| p.to);
            lost |= source.may_hide_header(piece.from, to);
        }
    }
    if values_first(book, source, pieces) {
        entries.list.iter_mut().filter(|e| e.result.is_ok()).for_each(|e| e.result = Err(Reason::Unclear));
    }
    let mut order: SmallVec<[(u32, usize); 24]> = SmallVec::new();
    for (place, entry) in entries.list.iter().enumerate() {
        match &entry.result {
            Ok(_) => order.push((entry.head.swap_bytes(), place)),
            Err(reason) => {
                let value = source.quotes(&entry.values);
                found.report.rejected.push(Rejected { code: entry.code.owned(), reason: reason.clone(), value });
            }
        }
    }
    if !order.is_sorted_by(|a, b| a.0 < b.0) {
        let code = |place: usize| entries.list.get(place).map(|e| e.code.as_str());
        order.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| code(a.1).cmp(&code(b.1))));
    }
    let taken = order.iter().filter_map(|(_, place)| {
        let entry = entries.list.get_mut(*place)?;
        Some((entry.code.owned(), entry.result.as_mut().ok()?.take()))
    });
    found.report.answers = Answers::listed(order.len(), taken);
}

/// `5AA 1BA 2BB`: each value before its code. Read the usual way the codes have their neighbours' values, the
/// first value is left over and the last code has none.
fn values_first(book: &Book, source: &Source<'_>, pieces: &[Piece]) -> bool {
    let mut said = pieces.iter().filter(|p| p.step != Step::Separators);
    let (Some(Piece { from, to, step: Step::Junk(kind) }), Some(Piece { step: Step::Sent(first), .. }), false) =
        (said.next(), said.next(), book.keyed)
    else {
        return false;
    };
    let sent = |p: &&Piece| matches!(p.step, Step::Sent(_));
    let last = pieces.iter().rev().find(sent).map(|p| &p.step);
    if !matches!(last, Some(Step::Sent(Sent { result: Err(Reason::NoValue), .. }))) {
        return false;
    }
    let Some(question) = book.questions.get(usize::from(first.question)) else { return false };
    let text = source.clean.text.as_bytes().get(..*to).unwrap_or_default();
    let mut values = Vec::new();
    candidates(question, text, *from, *from, &mut values);
    *kind == Junk::Digits || values.iter().any(|v| v.end == *to && v.result.is_ok())
}

/// The comment answers a compact checklist's text question.
pub(super) fn take_comment(found: &mut Found, book: &Book, comment: &str, span: Option<Span>) {
    let Some(index) = book.comment_question() else { return };
    let Some(question) = book.questions.get(usize::from(index)) else { return };
    let report = &mut found.report;
    report.rejected.retain(|r| r.code != question.code || r.reason != Reason::NoValue);
    if report.rejected.iter().any(|r| r.code == question.code) || report.answers.contains_key(&question.code) {
        return;
    }
    report.answers.insert(question.code.as_str(), Some(Value::Text(comment.to_owned())));
    found.spans.extend(span.map(|span| Span { part: Part::Code(index), ..span }));
}

/// Takes a code up, merging it with an earlier one of the same name.
fn enter<'a>(
    entries: &mut Entries<'a>,
    report: &mut Report,
    code: Code<'a>,
    result: Result<Option<Value>, Reason>,
    value: (usize, usize),
) {
    let head = match code {
        Code::Known(question) => question.head,
        Code::Sent(code) => four(code.as_bytes()),
    };
    // By the second letter and the last bit of the first, in which the codes of one checklist mostly differ.
    let bit = 1u64 << ((head >> 8 & 31) | (head & 1) << 5);
    let seen = entries.seen & bit != 0;
    entries.seen |= bit;
    let known = entries.list.iter_mut().filter(|_| seen).find(|e| e.head == head && e.code.as_str() == code.as_str());
    let Some(known) = known else {
        entries.list.push(Entry { code, head, result, values: smallvec![value] });
        return;
    };
    if known.result == result {
        note(report, "repeated", code.as_str());
    } else if known.result == Err(Reason::NoValue) {
        (known.result, known.values) = (result, smallvec![value]);
    } else if result != Err(Reason::NoValue) || code.as_str().len() > 1 {
        // Two values, or one and something that was not understood: neither is recorded. A code of one letter
        // without a value may be a word.
        known.values.push(value);
        known.result = Err(Reason::Unclear);
    }
}

fn note(report: &mut Report, kind: &'static str, detail: &str) {
    let known = report.notes.iter().any(|n| n.kind == kind && n.detail == detail);
    if !known && report.notes.len() < NOTES_MAX {
        report.notes.push(Note { kind: SmolStr::new_static(kind), detail: detail.to_owned() });
    }
}

/// A code with its value; returns the place of the next piece.
#[expect(clippy::too_many_arguments, reason = "the state of one walk over the pieces")]
fn answer<'a>(
    entries: &mut Entries<'a>,
    report: &mut Report,
    book: &'a Book,
    source: &Source<'_>,
    (pieces, mut next): (&[Piece], usize),
    piece: &Piece,
    sent: &Sent,
    (remarks, lost): (bool, bool),
) -> usize {
    let Some(question) = book.questions.get(usize::from(sent.question)) else { return next };
    let mut result = match question.kind {
        // Free text is kept as it was sent.
        Type::Text if matches!(sent.result, Ok(Some(_))) => {
            let words = source.clean.quote(source.raw, sent.value_from, piece.to);
            Ok(Some(Value::Text(words.to_owned())))
        }
        _ => sent.result.as_ref().map(|answer| answer.as_ref().map(Meant::value)).map_err(Clone::clone),
    };
    let mut to = piece.to;
    if (sent.value_from < piece.to || sent.bare) && !matches!(question.kind, Type::Text) {
        let (gap, after) = match (pieces.get(next), pieces.get(next + 1)) {
            (Some(Piece { step: Step::Separators, from, to }), after) => (Some((*from, *to)), after),
            (after, _) => (None, after),
        };
        match after {
            // `AA1 7`: a number split by a blank is never half a number.
            Some(Piece { step: Step::Junk(Junk::Digits), to: end, .. }) => {
                result = Err(Reason::Unclear);
                to = *end;
                next += if gap.is_some() { 2 } else { 1 };
            }
            Some(Piece { step: Step::Junk(kind), .. }) => {
                let clean = source.clean.text.as_bytes();
                let end = end_of_junk(pieces, next);
                let words = clean.get(piece.to..end).unwrap_or_default();
                // `no problem`, `5 I am late`: the value may be the first word of a remark.
                let begins_remark =
                    *kind == Junk::Letters && sent.wordy && gap.is_some_and(|(from, to)| source.blank(from, to));
                if begins_remark && !(sent.mended == 0 && doubt::is_courtesy(words)) {
                    result = Err(Reason::Unclear);
                } else if let Ok(Some(meant)) = &sent.result
                    && doubt::doubted(question, meant, clean, (piece.to, end))
                {
                    result = Err(Reason::Unclear);
                }
            }
            _ => {}
        }
    }
    if sent.bare && remarks && entries.list.iter().any(|e| e.code.as_str() == question.code && e.result.is_ok()) {
        return next;
    }
    if sent.bare && remarks {
        // After a remark or a signature a bare code may be a part of it.
        result = Err(Reason::Unclear);
    }
    let words = matches!(question.kind, Type::Text);
    if let Some((end, after)) = source.unread_after(pieces, next).filter(|_| !words) {
        // It may have been a digit, of this number or of one beside it.
        result = Err(Reason::Cut);
        (to, next) = (end, after);
    }
    let cut = if words { source.gaps.touch_words(piece.from, to) } else { source.gaps.touch(piece.from, to) };
    if lost || cut {
        result = Err(Reason::Cut);
    }
    if sent.mended > 0 && result.is_ok() {
        note(report, "mended", &source.quote(piece.from, piece.to, QUOTED_MAX));
    }
    enter(entries, report, Code::Known(question), result, (sent.value_from, to));
    next
}

/// Where what is not explained ends, from piece `next` on.
fn end_of_junk(pieces: &[Piece], next: usize) -> usize {
    let rest = pieces.get(next..).unwrap_or_default();
    let stretch = rest.iter().take_while(|p| matches!(p.step, Step::Junk(_) | Step::Separators));
    stretch.filter(|p| matches!(p.step, Step::Junk(_))).last().map_or(0, |p| p.to)
}

/// A stretch that is not explained, from piece `first`. Says whether it was a remark, and which piece is next.
fn junk<'a>(
    entries: &mut Entries<'a>,
    found: &mut Found,
    book: &Book,
    source: &Source<'a>,
    pieces: &[Piece],
    first: usize,
) -> (bool, usize) {
    let stretch = pieces.get(first..).unwrap_or_default();
    let length = stretch.iter().take_while(|p| matches!(p.step, Step::Junk(_) | Step::Separators)).count();
    let stretch = stretch.get(..length).unwrap_or_default();
    let kind = |i: usize| match stretch.get(i).map(|p| &p.step) {
        Some(Step::Junk(junk)) => Some(*junk),
        _ => None,
    };
    // Places of what is left once unknown codes are taken out.
    let mut left: Option<(usize, usize)> = None;
    let flush = |found: &mut Found, left: &mut Option<(usize, usize)>| {
        if let Some((from, to)) = left.take() {
            leave(found, Some(book), source, from, to);
        }
    };
    let mut remark = false;
    let only_codes = book.has_flags
        && stretch.iter().all(|p| p.step != Step::Junk(Junk::Letters) || book.code_length == Some(p.to - p.from));
    let mut i = 0;
    while let Some(piece) = stretch.get(i) {
        let mut step = 1;
        let unknown = !book.keyed
            && kind(i) == Some(Junk::Letters)
            && (2..=book.code_length_max.max(3)).contains(&(piece.to - piece.from));
        let value = match (kind(i + 1), kind(i + 2)) {
            (Some(Junk::Digits), _) => Some(1),
            (None, Some(Junk::Digits)) => Some(2),
            _ => None,
        };
        match value {
            Some(steps) if unknown => {
                flush(found, &mut left);
                step += steps;
                let digits = stretch.get(i + steps).map_or((piece.to, piece.to), |p| (p.from, p.to));
                let code = source.clean.text.get(piece.from..piece.to).unwrap_or_default();
                enter(entries, &mut found.report, Code::Sent(code), Err(Reason::UnknownCode), digits);
                found.spans.push(source.span(piece.from, digits.1, Part::UnknownCode));
            }
            None if unknown && only_codes => {
                flush(found, &mut left);
                let code = source.clean.text.get(piece.from..piece.to).unwrap_or_default();
                enter(entries, &mut found.report, Code::Sent(code), Err(Reason::UnknownCode), (piece.to, piece.to));
                found.spans.push(source.span(piece.from, piece.to, Part::UnknownCode));
            }
            _ if piece.step == Step::Separators => {}
            _ => {
                remark |= kind(i) == Some(Junk::Letters);
                left = Some((left.map_or(piece.from, |l| l.0), piece.to));
            }
        }
        i += step;
    }
    flush(found, &mut left);
    (remark, first + length)
}

/// Keeps a stretch as leftover: asked back when it holds a digit or begins a word with a code, else noted.
pub(super) fn leave(found: &mut Found, book: Option<&Book>, source: &Source<'_>, from: usize, to: usize) {
    let quoted = source.quoted(from, to, LEFTOVER_MAX);
    if quoted.is_empty() {
        return;
    }
    found.spans.push(source.span(from, to, Part::Leftover));
    let report = &mut found.report;
    if asks(book, source.clean.text.get(from..to).unwrap_or_default()) || source.gaps.touch(from, to) {
        if !report.leftover.is_empty() {
            report.leftover.push_str(" … ");
        }
        report.leftover.push_str(quoted);
    } else {
        note(report, "leftover", quoted);
    }
}

/// Could a stretch be something that was meant to be recorded?
pub(super) fn asks(book: Option<&Book>, text: &str) -> bool {
    if text.bytes().any(|b| b.is_ascii_digit()) {
        return true;
    }
    let Some(book) = book.filter(|b| !b.keyed) else { return false };
    text.as_bytes().split(|b| is_separator(*b) || !(b.is_ascii_alphabetic() || *b >= 0x80)).any(|word| {
        // A word that begins with a code and goes on with a value or another code.
        book.exact_codes_at(word).any(|(_, question)| {
            let rest = word.get(question.code.len()..).unwrap_or_default();
            rest.is_empty()
                || matches!(rest, [b'I' | b'L' | b'O' | b'Y' | b'N'] | [b'Y', b'E', b'S', ..] | [b'N', b'O', ..])
                || book.exact_codes_at(rest).next().is_some()
                || (book.has_flags && book.code_length.is_some_and(|l| word.len() % l == 0))
                || (book.has_flags && word.len() > question.code.len() + 2)
        })
    })
}
