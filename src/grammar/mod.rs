//! The SMS grammar: from a text to reports. PURE.
//!
//! Law: an answer is recorded as the observer meant it, or the observer is told; it is never silently
//! recorded as something else, and never silently dropped. Every recorded answer is backed by a span of
//! the text. Reading never fails and its work is bounded, whatever the text.

mod body;
mod clean;
mod doubt;
mod header;
mod keyed;
mod lexicon;
pub mod print;
mod scratch;
mod search;
mod source;
mod span;
mod sure;
mod value;
mod words;

#[cfg(test)]
mod reference;

use std::sync::Arc;

use smallvec::SmallVec;
use smol_str::SmolStr;

use crate::domain::checklist::Checklist;
use crate::domain::report::{Note, Report};
use crate::limits::{GRAMMAR_STEPS_MAX, REPORTS_PER_TEXT_MAX, TEXT_BYTES_MAX};
use clean::Clean;
use header::{Head, Sender};
use lexicon::Book;
pub use lexicon::{Lexicon, Setting};
use scratch::Scratch;
use search::{Piece, search};
use source::{Gaps, Source};
pub use span::{Part, Span};
use sure::sure;

/// Kind of the note on a text that lacks segments; its detail has the bytes of the text at which they are
/// missing, commas between.
pub const INCOMPLETE: &str = "incomplete";

/// What a text holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    /// Its reports, in order.
    pub reports: Vec<Found>,
    /// What stood before the first header (or the whole text, when there is none) and is to be quoted back.
    pub leftover: String,
    /// What stood after `@` when no header stood before it.
    pub comment: Option<String>,
    /// Notes on the text as a whole.
    pub notes: Vec<Note>,
    /// What stands outside every report, and the comment.
    pub spans: Vec<Span>,
}

/// A report as found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// What was read. Nothing in it has been checked against the roster.
    pub report: Report,
    /// Its checklist; `None` when the prefix is nobody's.
    pub checklist: Option<Arc<Checklist>>,
    /// Who sent it can be read in more than one way: nothing of it may be recorded.
    pub doubtful: bool,
    /// Its authentication code, where one was sent. It is in nothing else of the report.
    pub code: Option<Code>,
    /// What each stretch of the text was taken for, in the text's order; between them stand separators only.
    pub spans: Vec<Span>,
}

/// An authentication code as it was sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Code {
    /// Its digits, mended; empty where they were not shown.
    pub digits: String,
    /// Bytes of the text that it stands in, once for each time that it was sent.
    pub at: Vec<std::ops::Range<usize>>,
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Code(at {:?})", self.at)
    }
}

/// Reads a text. `gaps` are bytes of `raw` at which a segment is missing.
pub fn read(lexicon: &Lexicon, raw: &str, gaps: &[usize]) -> Reading {
    let mut out = Reading::default();
    let mut raw = raw;
    let mut missing: SmallVec<[usize; 2]> = gaps.into();
    if raw.len() > TEXT_BYTES_MAX {
        raw = raw.get(..raw.floor_char_boundary(TEXT_BYTES_MAX)).unwrap_or_default();
        missing.push(raw.len());
        out.note("too_long", &format!("only the first {TEXT_BYTES_MAX} bytes were read"));
    }
    if !gaps.is_empty() {
        // Where, so that the text can be read again without the parts that it came in.
        out.note(INCOMPLETE, &gaps.iter().map(usize::to_string).collect::<Vec<_>>().join(","));
    }
    scratch::with(|scratch| {
        let clean = Clean::reusing(std::mem::take(&mut scratch.text), raw);
        reports(&mut out, lexicon, raw, &clean, &missing, scratch);
        scratch.text = clean.text;
    });
    out
}

/// Reads a text's reports, and what stands outside them. `missing` are bytes of `raw` at which a segment is missing.
fn reports(out: &mut Reading, lexicon: &Lexicon, raw: &str, clean: &Clean, missing: &[usize], scratch: &mut Scratch) {
    let source = Source { raw, clean, gaps: Gaps::new(raw, clean, missing), shortest: lexicon.shortest };
    if source.gaps.has_unread() {
        out.note("undecodable", &format!("characters that can't be read: {}", source.gaps.unread()));
    }
    if !clean.look_alikes.is_empty() {
        out.note("look_alike", &clean.look_alikes);
    }
    let (mut heads, at) = header::scan(lexicon, &clean.text);
    let comment = raw.get(clean.raw_at(at + 1)..).filter(|_| at < clean.text.len()).map(str::trim);
    let comment = comment.filter(|c| !c.is_empty()).map(str::to_owned);
    let spare = heads.len().saturating_sub(REPORTS_PER_TEXT_MAX);
    let end = if spare > 0 { heads.get(REPORTS_PER_TEXT_MAX).map_or(at, |h| h.from) } else { at };
    heads.truncate(REPORTS_PER_TEXT_MAX);

    let first = heads.first().map_or(end, |h| h.from);
    let mut before = Found::default();
    if first > 0 {
        body::leave(&mut before, None, &source, 0, first);
    }
    out.spans = before.spans;
    if at < clean.text.len() {
        out.spans.push(source.span(at, clean.text.len(), Part::Comment));
    }
    if heads.is_empty() {
        out.leftover = source.quote(0, first, 60);
        out.comment = comment;
        return;
    }
    out.leftover = before.report.leftover;
    out.notes.extend(before.report.notes);
    let mut steps = 0;
    out.reports.reserve_exact(heads.len());
    for (i, head) in heads.iter().enumerate() {
        let to = heads.get(i + 1).map_or(end, |next| next.from);
        out.reports.push(report(lexicon, &source, head, to, &mut steps, scratch));
    }
    if let Some(last) = out.reports.last_mut() {
        if spare > 0 {
            body::leave(last, None, &source, end, at);
        }
        let book = heads.last().and_then(|h| h.book).and_then(|i| lexicon.books.get(i));
        if let (Some(comment), Some(book)) = (&comment, book) {
            body::take_comment(last, book, comment, out.spans.last().copied());
        }
        last.report.comment = comment;
    }
    merge(out);
}

impl Reading {
    fn note(&mut self, kind: &'static str, detail: &str) {
        self.notes.push(Note { kind: SmolStr::new_static(kind), detail: detail.to_owned() });
    }
}

/// Reads one report, from its header up to `to`.
fn report(
    lexicon: &Lexicon,
    source: &Source<'_>,
    head: &Head,
    to: usize,
    steps: &mut usize,
    scratch: &mut Scratch,
) -> Found {
    let text = source.clean.text.get(..to).unwrap_or_default();
    let book = head.book.and_then(|i| lexicon.books.get(i));
    let mut out = Found { checklist: book.map(|b| b.checklist.clone()), ..Found::default() };
    out.report.prefix = match book {
        Some(book) => book.prefix.clone(),
        None => SmolStr::new(text.get(head.from..head.prefix_end).unwrap_or_default()),
    };
    let begin = |out: &mut Found, sender: &Sender| {
        out.spans.push(source.span(head.from, sender.body, Part::Header));
        let plain = |code: &str| code.bytes().all(|b| b.is_ascii_digit());
        let code = sender.observer.and_then(|(from, to)| text.get(from..to));
        out.report.observer =
            code.map(|code| if plain(code) { SmolStr::new(code) } else { value::mend(code.as_bytes()) });
        out.report.incident = sender.incident || book.is_some_and(Book::is_incident);
        out.report.serial = sender.serial.and_then(|(from, to)| text.get(from..to)).map(SmolStr::new);
        out.code = sender.code.map(|(from, to)| Code {
            digits: value::mend::<String>(source.clean.text.as_bytes().get(from..to).unwrap_or_default())
                .replace('*', ""),
            at: std::iter::once(source.clean.raw_at(from)..source.clean.raw_at(to)).collect(),
        });
        if sender.mended + head.mended > 0 {
            let detail = match sender.code {
                Some((from, _)) => source.quote(head.from, from, 30),
                None => source.quote(head.from, sender.body, 30),
            };
            out.report.notes.push(Note { kind: SmolStr::new_static("mended"), detail });
        }
    };
    let Some(book) = book else {
        if let Some(sender) = head.senders.first() {
            begin(&mut out, sender);
            out.spans.clear();
        }
        body::leave(&mut out, None, source, head.from, to);
        return out;
    };
    let mut best: Option<(u64, &Sender, Vec<Piece>)> = None;
    let mut tied = false;
    // The longest observer code first: it mostly leaves a body that is understood, so that the others need no search.
    for sender in head.senders.iter().rev().filter(|s| s.body <= to) {
        let understood = best.as_ref().is_some_and(|(least, ..)| *least < search::UNEXPLAINED);
        if understood && !book.keyed && search::begins_unexplained(book, text.as_bytes(), sender.body) {
            continue;
        }
        let Some(cost) = body_of(lexicon, book, text, sender.body, steps, scratch) else {
            if *steps > GRAMMAR_STEPS_MAX {
                // Not all readings could be compared: none is sure.
                best = None;
                break;
            }
            continue;
        };
        let cost = cost + u64::from(sender.mended);
        match &best {
            Some((least, ..)) if *least < cost => {}
            Some((least, other, _)) if *least == cost => tied |= other.observer != sender.observer,
            _ => {
                best = Some((cost, sender, std::mem::take(&mut scratch.pieces)));
                tied = false;
            }
        }
    }
    match best {
        Some((_, sender, pieces)) if !tied => {
            // One for the header, one for a comment that is an answer.
            let spans = pieces.iter().filter(|p| p.step != search::Step::Separators).count() + 2;
            out.spans.reserve_exact(spans);
            begin(&mut out, sender);
            // A header at a missing edge may lack digits of the observer code.
            let (start, last) = (head.from + 1, sender.body.saturating_sub(1));
            out.doubtful = source.gaps.touch(start, sender.body)
                && (source.gaps.touch(start, last) || !sure_length(lexicon, sender));
            body::fill(&mut out, book, source, &pieces);
            scratch.pieces = pieces;
        }
        _ => {
            if let Some(sender) = head.senders.first() {
                begin(&mut out, sender);
            }
            out.spans.clear();
            out.doubtful = true;
            body::leave(&mut out, Some(book), source, head.from, to);
        }
    }
    out
}

/// Reads a body into `scratch.pieces`; its cost.
fn body_of(
    lexicon: &Lexicon,
    book: &Book,
    text: &str,
    from: usize,
    steps: &mut usize,
    scratch: &mut Scratch,
) -> Option<u64> {
    let text = text.as_bytes();
    if book.keyed {
        return keyed::parse(book, text, from, steps, scratch);
    }
    let whole = lexicon.searches_all;
    let short = if whole { None } else { sure(book, text, from, steps, scratch) };
    short.or_else(|| search(book, text, from, whole, steps, scratch))
}

/// Is this observer code as long as every observer code is?
fn sure_length(lexicon: &Lexicon, sender: &Sender) -> bool {
    let lengths = &lexicon.setting.observer_lengths;
    sender.observer.is_some_and(|(from, to)| !lengths.is_empty() && lengths.iter().all(|l| *l == to - from))
}

/// The same report twice in one text counts once; two parts of one report are one report.
fn merge(reading: &mut Reading) {
    if reading.reports.len() < 2 {
        return;
    }
    let mut out: Vec<Found> = Vec::with_capacity(reading.reports.len());
    for found in reading.reports.drain(..) {
        let same = out.iter_mut().find(|o| {
            let (a, b) = (&o.report, &found.report);
            o.checklist.is_some()
                && (&a.prefix, &a.observer, &a.serial, a.incident) == (&b.prefix, &b.observer, &b.serial, b.incident)
                && o.doubtful == found.doubtful
                && o.code.as_ref().zip(found.code.as_ref()).is_none_or(|(a, b)| a.digits == b.digits)
                && (!a.incident || (&a.answers, &a.rejected) == (&b.answers, &b.rejected))
        });
        match same {
            None => out.push(found),
            Some(same) => {
                join(&mut same.report, found.report);
                same.spans.extend(found.spans);
                match (&mut same.code, found.code) {
                    (Some(first), Some(second)) => first.at.extend(second.at),
                    (None, second) => same.code = second,
                    (Some(_), None) => {}
                }
            }
        }
    }
    reading.reports = out;
}

/// Joins a repeated report to the first; a code with two values is unclear.
fn join(first: &mut Report, second: Report) {
    use crate::domain::report::{Reason, Rejected};
    for (code, value) in second.answers {
        match first.answers.get(&code) {
            Some(known) if *known == value => {}
            Some(_) => {
                first.answers.remove(&code);
                first.rejected.push(Rejected { code, reason: Reason::Unclear, value: String::new() });
            }
            None => match first.rejected.iter().position(|r| r.code == code) {
                Some(i) if first.rejected.get(i).is_some_and(|r| r.reason == Reason::NoValue) => {
                    first.rejected.remove(i);
                    first.answers.insert(code, value);
                }
                Some(_) => {}
                None => {
                    first.answers.insert(code, value);
                }
            },
        }
    }
    for rejected in second.rejected {
        if first.answers.contains_key(&rejected.code) && rejected.reason != Reason::NoValue {
            first.answers.remove(&rejected.code);
            first.rejected.push(Rejected { reason: Reason::Unclear, ..rejected });
        } else if !first.answers.contains_key(&rejected.code) && !first.rejected.iter().any(|r| r.code == rejected.code)
        {
            first.rejected.push(rejected);
        }
    }
    if first.comment.is_none() {
        first.comment = second.comment;
    }
    if !second.leftover.is_empty() && !first.leftover.contains(&second.leftover) {
        first.leftover = format!("{} {}", first.leftover, second.leftover).trim().to_owned();
    }
    for note in second.notes {
        if !first.notes.contains(&note) {
            first.notes.push(note);
        }
    }
}

/// Digits of any script as ASCII, other characters left out.
pub fn ascii_digits(text: &str) -> String {
    Clean::new(text).text.chars().filter(char::is_ascii_digit).collect()
}

/// The command that a text is: the word alone, whatever stands around it that is no letter or digit.
pub fn command(raw: &str) -> Option<&'static str> {
    if raw.len() > 40 {
        return None;
    }
    let clean = Clean::new(raw);
    let word = clean.text.trim_matches(|c: char| !c.is_alphanumeric());
    ["HELP", "STATUS", "STOP", "START"].into_iter().find(|known| *known == word)
}
