//! From the best reading of a body to a report: what is recorded, what goes back to the observer, what
//! is only noted.

use super::clean::Clean;
use super::lexicon::{Book, Type};
use super::search::{Junk, Piece, Sent, Step};
use super::value::is_separator;
use super::{Found, Part, Span};
use crate::domain::report::{Note, Reason, Rejected, Report};
use crate::domain::value::Value;

/// Characters of a value or leftover that are quoted.
const QUOTED_MAX: usize = 20;
const LEFTOVER_MAX: usize = 60;
/// Notes on one report.
const NOTES_MAX: usize = 50;

/// A text with all that is needed to quote from it.
pub(super) struct Source<'a> {
    pub raw: &'a str,
    pub clean: &'a Clean,
    /// Places of the clean text at which something is missing.
    pub gaps: &'a [usize],
}

/// What was made of one code.
struct Entry {
    code: String,
    result: Result<Option<Value>, Reason>,
    value: String,
}

/// Writes the pieces of a body into a report.
pub(super) fn fill(found: &mut Found, book: &Book, source: &Source<'_>, pieces: &[Piece]) {
    let mut entries: Vec<Entry> = Vec::with_capacity(pieces.len().min(book.questions.len() + 8));
    let mut remarks = false;
    let mut at = 0;
    while let Some(piece) = pieces.get(at) {
        at += 1;
        match &piece.step {
            Step::Separators => {}
            Step::Unclear(questions) => {
                let value = source.quote(piece.from, piece.to, QUOTED_MAX);
                for question in questions.iter().filter_map(|q| book.questions.get(usize::from(*q))) {
                    enter(&mut entries, &mut found.report, &question.code, Err(Reason::Unclear), value.clone());
                }
                found.spans.push(source.span(piece.from, piece.to, Part::Unclear));
            }
            Step::Unknown(value_from) => {
                let end = value_from.saturating_sub(1);
                let code = source.clean.text.get(piece.from..end).unwrap_or_default();
                let value = source.quote(*value_from, piece.to, QUOTED_MAX);
                enter(&mut entries, &mut found.report, code, Err(Reason::UnknownCode), value);
                found.spans.push(source.span(piece.from, piece.to, Part::UnknownCode));
            }
            Step::Sent(sent) => {
                let from = at;
                at = answer(&mut entries, &mut found.report, book, source, (pieces, at), piece, sent, remarks);
                let to = pieces.get(from..at).and_then(<[_]>::last).map_or(piece.to, |p| p.to);
                found.spans.push(source.span(piece.from, to, Part::Code(sent.question)));
            }
            Step::Junk(_) => {
                let (end, next) = junk(&mut entries, found, book, source, pieces, at - 1);
                remarks |= end;
                at = next;
            }
        }
    }
    for entry in entries {
        match entry.result {
            Ok(value) => {
                found.report.answers.insert(entry.code, value);
            }
            Err(reason) => found.report.rejected.push(Rejected { code: entry.code, reason, value: entry.value }),
        }
    }
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
    report.answers.insert(question.code.clone(), Some(Value::Text(comment.to_owned())));
    found.spans.extend(span.map(|span| Span { part: Part::Code(index), ..span }));
}

impl Source<'_> {
    /// What was sent at a place of the clean text, cut to so many characters.
    pub(super) fn quote(&self, from: usize, to: usize, most: usize) -> String {
        let quoted = self.clean.quote(self.raw, from, to);
        let end = quoted.char_indices().nth(most).map_or(quoted.len(), |(i, _)| i);
        quoted.get(..end).unwrap_or_default().to_owned()
    }

    /// A stretch of the clean text as a span of the text as it came.
    pub(super) fn span(&self, from: usize, to: usize, part: Part) -> Span {
        Span { from: self.clean.raw_at(from), to: self.clean.raw_at(to), part }
    }

    fn cut(&self, from: usize, to: usize) -> bool {
        self.gaps.iter().any(|gap| (from..=to).contains(gap))
    }
}

/// Takes a code up, merging it with an earlier one of the same name.
fn enter(
    entries: &mut Vec<Entry>,
    report: &mut Report,
    code: &str,
    result: Result<Option<Value>, Reason>,
    value: String,
) {
    let Some(known) = entries.iter_mut().find(|e| e.code == code) else {
        entries.push(Entry { code: code.to_owned(), result, value });
        return;
    };
    if known.result == result {
        note(report, "repeated", code);
    } else if known.result == Err(Reason::NoValue) {
        (known.result, known.value) = (result, value);
    } else if result != Err(Reason::NoValue) {
        // Two values: neither is recorded.
        if !known.value.is_empty() && !value.is_empty() {
            known.value.push(' ');
        }
        known.value.push_str(&value);
        known.result = Err(Reason::Unclear);
    }
}

fn note(report: &mut Report, kind: &str, detail: &str) {
    let note = Note { kind: kind.to_owned(), detail: detail.to_owned() };
    if !report.notes.contains(&note) && report.notes.len() < NOTES_MAX {
        report.notes.push(note);
    }
}

/// A code with its value; returns the place of the next piece.
#[expect(clippy::too_many_arguments, reason = "the state of one walk over the pieces")]
fn answer(
    entries: &mut Vec<Entry>,
    report: &mut Report,
    book: &Book,
    source: &Source<'_>,
    (pieces, mut next): (&[Piece], usize),
    piece: &Piece,
    sent: &Sent,
    remarks: bool,
) -> usize {
    let Some(question) = book.questions.get(usize::from(sent.question)) else { return next };
    let mut result = match question.kind {
        // Free text is kept as it was sent.
        Type::Text if matches!(sent.result, Ok(Some(_))) => {
            let words = source.clean.quote(source.raw, sent.value_from, piece.to);
            Ok(Some(Value::Text(words.to_owned())))
        }
        _ => sent.result.clone(),
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
            // `no problem`, `5 I am late`: the value may be the first word of a remark.
            Some(Piece { step: Step::Junk(Junk::Letters), .. })
                if sent.wordy && gap.is_some_and(|(from, to)| source.blank(from, to)) =>
            {
                result = Err(Reason::Unclear);
            }
            _ => {}
        }
    }
    if sent.bare && remarks && entries.iter().any(|e| e.code == question.code && e.result.is_ok()) {
        return next;
    }
    if sent.bare && remarks {
        // After a remark or a signature a bare code may be a part of it.
        result = Err(Reason::Unclear);
    }
    if source.cut(piece.from, to) {
        result = Err(Reason::Cut);
    }
    if sent.mended > 0 && result.is_ok() {
        note(report, "mended", &source.quote(piece.from, piece.to, QUOTED_MAX));
    }
    enter(entries, report, &question.code, result, source.quote(sent.value_from, to, QUOTED_MAX));
    next
}

impl Source<'_> {
    /// Nothing but spaces.
    fn blank(&self, from: usize, to: usize) -> bool {
        self.clean.text.get(from..to).is_some_and(|s| s.bytes().all(|b| b == b' '))
    }
}

/// A stretch that is not explained, from piece `first`. Says whether it was a remark, and which piece is next.
fn junk(
    entries: &mut Vec<Entry>,
    found: &mut Found,
    book: &Book,
    source: &Source<'_>,
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
                let value = source.quote(digits.0, digits.1, QUOTED_MAX);
                enter(entries, &mut found.report, code, Err(Reason::UnknownCode), value);
                found.spans.push(source.span(piece.from, digits.1, Part::UnknownCode));
            }
            None if unknown && only_codes => {
                flush(found, &mut left);
                let code = source.clean.text.get(piece.from..piece.to).unwrap_or_default();
                enter(entries, &mut found.report, code, Err(Reason::UnknownCode), String::new());
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
    let quoted = source.quote(from, to, LEFTOVER_MAX);
    if quoted.is_empty() {
        return;
    }
    found.spans.push(source.span(from, to, Part::Leftover));
    let report = &mut found.report;
    if asks(book, source.clean.text.get(from..to).unwrap_or_default()) || source.cut(from, to) {
        if !report.leftover.is_empty() {
            report.leftover.push_str(" … ");
        }
        report.leftover.push_str(&quoted);
    } else {
        note(report, "leftover", &quoted);
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
        book.codes_at(word, false).any(|(_, question, _)| {
            let rest = word.get(question.code.len()..).unwrap_or_default();
            rest.is_empty()
                || matches!(rest, [b'I' | b'L' | b'O' | b'Y' | b'N'] | [b'Y', b'E', b'S', ..] | [b'N', b'O', ..])
                || book.codes_at(rest, false).next().is_some()
                || (book.has_flags && book.code_length.is_some_and(|l| word.len() % l == 0))
                || (book.has_flags && word.len() > question.code.len() + 2)
        })
    })
}
