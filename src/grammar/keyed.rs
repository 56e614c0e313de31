//! The keyed grammar's body: `1.15 2.b 3.free text 4.7`.
//!
//! A key is a question's number and a point, at the beginning of a token. A value ends where the next
//! key begins; free text ends at the next key that is a question's and ascends. A number with a point
//! in free text that may have been a key as well as prose (`it took 3.5 hours`) makes both unclear.

use smol_str::SmolStr;

use super::lexicon::{Book, Ready, Type};
use super::scratch::Scratch;
use super::search::{Junk, Piece, Sent, Step, cost};
use super::value::{
    Candidate, Chosen, Meant, by_letter, candidates, is_digit_like, is_letter, is_separator, mend, set,
};
use crate::domain::report::Reason;
use crate::limits::GRAMMAR_STEPS_MAX;

/// Digits of a question's number.
const KEY_DIGITS_MAX: usize = 3;
/// Keys that a decimal, a date or a time may seem to hold.
const KEYS_IN_A_VALUE: usize = 3;

/// A question's number as it stands in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    pub at: usize,
    /// Where the value begins, separators before it.
    pub after: usize,
    pub number: usize,
    /// Letters read as digits.
    pub mended: u32,
}

/// The key that begins at `at`, in a body that begins at `from`.
pub(super) fn key_at(text: &[u8], from: usize, at: usize) -> Option<Key> {
    let rest = text.get(at..)?;
    let digits = rest.iter().take(KEY_DIGITS_MAX + 1).take_while(|b| is_digit_like(**b)).count();
    if !(1..=KEY_DIGITS_MAX).contains(&digits) || rest.get(digits) != Some(&b'.') || !begins_token(text, from, at) {
        return None;
    }
    let typed = rest.get(..digits)?;
    let mended = typed.iter().filter(|b| is_letter(**b)).count() as u32;
    // `I.` is an initial; only beside a true digit does a letter stand for one.
    if mended as usize == digits {
        return None;
    }
    Some(Key { at, after: at + digits + 1, number: mend::<SmolStr>(typed).parse().ok()?, mended })
}

/// A comma between digits belongs to a number, and a dash may be its sign.
fn begins_token(text: &[u8], from: usize, at: usize) -> bool {
    let before = |n: usize| at.checked_sub(n).filter(|i| *i >= from).and_then(|i| text.get(i)).copied();
    match before(1) {
        None => true,
        Some(b' ' | b'\t' | b'\n' | b'\r' | b';' | b'#' | b'!' | b'~' | b'"' | b'(') => true,
        Some(b',') => !before(2).is_some_and(|b| b.is_ascii_digit()),
        Some(_) => false,
    }
}

/// Where in a keyed body a place lies, found by walking over the text.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Context {
    /// The text question within which it lies.
    pub text: Option<usize>,
}

impl Context {
    /// Takes up a key.
    pub(super) fn pass(&mut self, book: &Book, key: Key) {
        if let Some(question) = book.numbered(key.number)
            && self.text.is_none_or(|n| key.number > n && key.mended == 0)
        {
            self.text = matches!(question.kind, Type::Text).then_some(key.number);
        }
    }
}

/// Reads `text[from..]` into `scratch.pieces`; the cost. `steps` counts work over all bodies of one text;
/// `None` when it runs out.
pub(super) fn parse(book: &Book, text: &[u8], from: usize, steps: &mut usize, scratch: &mut Scratch) -> Option<u64> {
    let keys: Vec<Key> = (from..text.len()).filter_map(|at| key_at(text, from, at)).collect();
    let mut walk = Walk { book, text, keys: &keys, pieces: Vec::new(), values: Vec::new(), steps };
    let first = keys.first().map_or(text.len(), |k| k.at);
    tokens(text, from, first, &mut walk.pieces);
    let mut i = 0;
    while let Some(key) = keys.get(i) {
        walk.work(1)?;
        i = match book.numbered(key.number) {
            None => walk.unknown(i),
            Some(Ready { kind: Type::Text, .. }) => walk.text(i)?,
            Some(question) => {
                let (next, segment) = walk.value(question, i)?;
                walk.pieces.extend(segment.pieces);
                next
            }
        };
    }
    scratch.pieces = walk.pieces;
    Some(scratch.pieces.iter().map(|p| weight(p, text)).sum())
}

fn weight(piece: &Piece, text: &[u8]) -> u64 {
    match &piece.step {
        Step::Separators | Step::Unclear(_) => 0,
        Step::Unknown(_) => cost(2, 0, 0).0,
        Step::Junk(_) => {
            let bytes = text.get(piece.from..piece.to).unwrap_or_default();
            cost(bytes.iter().filter(|b| !matches!(b, 0x80..=0xBF)).count(), 0, 0).0
        }
        Step::Sent(sent) => cost(0, u32::from(sent.result.is_err()), sent.mended).0,
    }
}

/// A key's value with what stands around it.
#[derive(Default)]
struct Segment {
    pieces: Vec<Piece>,
    /// All of it is explained.
    clean: bool,
    right: bool,
}

struct Walk<'a> {
    book: &'a Book,
    text: &'a [u8],
    keys: &'a [Key],
    pieces: Vec<Piece>,
    values: Vec<Candidate>,
    steps: &'a mut usize,
}

impl Walk<'_> {
    fn work(&mut self, steps: usize) -> Option<()> {
        *self.steps += steps;
        (*self.steps <= GRAMMAR_STEPS_MAX).then_some(())
    }

    /// Where the value of key `i` ends when key `next` is the next one.
    fn end(&self, next: usize) -> usize {
        self.keys.get(next).map_or(self.text.len(), |k| k.at)
    }

    /// A number that is no question's.
    fn unknown(&mut self, i: usize) -> usize {
        if let Some(key) = self.keys.get(i) {
            let to = trimmed(self.text, key.after, self.end(i + 1));
            self.pieces.push(Piece { from: key.at, to: to.max(key.after), step: Step::Unknown(key.after) });
        }
        i + 1
    }

    /// A value that is no free text, and which key is next.
    fn value(&mut self, question: &Ready, i: usize) -> Option<(usize, Segment)> {
        let wide = matches!(question.kind, Type::Decimal { .. } | Type::Date { .. } | Type::Time { .. });
        let first = self.segment(question, i, i + 1)?;
        if wide && !(first.clean && first.right) {
            for next in (i + 2..=i + 1 + KEYS_IN_A_VALUE).take_while(|n| *n <= self.keys.len()) {
                let longer = self.segment(question, i, next)?;
                if longer.clean && longer.right {
                    return Some((next, self.or_torn(i, next, longer)?));
                }
            }
        }
        Some((i + 1, first))
    }

    /// `7. 8.30`: 8.30 may be the answer to 7, and 30 the one to 8. Then neither is sure.
    fn or_torn(&mut self, i: usize, next: usize, longer: Segment) -> Option<Segment> {
        let (book, keys) = (self.book, self.keys);
        let Some(own) = keys.get(i) else { return Some(longer) };
        let mut torn = vec![own.number];
        for place in i + 1..next {
            let Some(other) = keys.get(place).filter(|k| k.number != own.number) else { continue };
            if let Some(question) = book.numbered(other.number)
                && self.segment(question, place, place + 1)?.right
            {
                torn.push(other.number);
            }
        }
        if torn.len() == 1 {
            return Some(longer);
        }
        let to = longer.pieces.last().map_or(own.after, |p| p.to);
        let step = Step::Unclear(torn.into_iter().filter_map(|n| u16::try_from(n - 1).ok()).collect());
        Some(Segment { pieces: vec![Piece { from: own.at, to, step }], clean: true, right: false })
    }

    fn segment(&mut self, question: &Ready, i: usize, next: usize) -> Option<Segment> {
        self.work(1)?;
        let Some(key) = self.keys.get(i) else { return Some(Segment::default()) };
        let Ok(index) = u16::try_from(key.number - 1) else { return Some(Segment::default()) };
        let to = self.end(next);
        let text = self.text.get(..to).unwrap_or_default();
        let end = self.text.get(key.after..to).unwrap_or_default().iter().rposition(|b| !is_separator(*b));
        let end = end.map_or(key.after, |last| key.after + last + 1);
        let from =
            key.after + text.get(key.after..end).unwrap_or_default().iter().take_while(|b| is_separator(**b)).count();
        let sent = |value_from: usize, result, mended: u32, wordy, bare| {
            Step::Sent(Sent { question: index, value_from, result, mended: mended + key.mended, wordy, bare })
        };
        if from >= end {
            let bare = matches!(question.kind, Type::Flag { .. });
            let result = if bare { Ok(Some(Meant::Bool(true))) } else { Err(Reason::NoValue) };
            let step = sent(key.after, result, 0, false, bare);
            let pieces = vec![Piece { from: key.at, to: key.after, step }];
            return Some(Segment { pieces, clean: true, right: bare });
        }
        self.values.clear();
        candidates(question, text, key.after, from, &mut self.values);
        letters_apart(question, text, from, end, &mut self.values);
        let whole = |c: &&Candidate| c.end >= end;
        let best = self.values.iter().filter(whole).min_by_key(|c| (c.result.is_err(), c.mended));
        if let Some(best) = best {
            let torn =
                self.values.iter().filter(whole).any(|c| {
                    c.mended == best.mended && c.result.is_ok() && best.result.is_ok() && c.result != best.result
                });
            let result = if torn { Err(Reason::Unclear) } else { best.result.clone() };
            let right = result.is_ok();
            let pieces = vec![Piece { from: key.at, to: end, step: sent(from, result, best.mended, false, false) }];
            return Some(Segment { pieces, clean: true, right });
        }
        // A value with a remark after it, apart from it.
        let apart =
            |c: &&Candidate| c.result.is_ok() && text.get(c.end).is_some_and(|b| !b.is_ascii_digit() && !is_letter(*b));
        let step = match self.values.iter().filter(apart).max_by_key(|c| c.end) {
            Some(best) => {
                let step = sent(from, best.result.clone(), best.mended, best.wordy, false);
                let mut pieces = vec![Piece { from: key.at, to: best.end, step }];
                tokens(text, best.end, end, &mut pieces);
                // Signs that mean nothing leave no doubt.
                let signs = |p: &Piece| matches!(p.step, Step::Separators | Step::Junk(Junk::Other));
                let clean = pieces.iter().skip(1).all(signs);
                return Some(Segment { pieces, clean, right: true });
            }
            None if matches!(question.kind, Type::Choice { .. } | Type::Multi { .. }) => Err(Reason::NotAnOption),
            None => Err(Reason::WrongType),
        };
        let pieces = vec![Piece { from: key.at, to: end, step: sent(from, step, 0, false, false) }];
        Some(Segment { pieces, clean: false, right: false })
    }

    /// Free text, and which key is next.
    fn text(&mut self, i: usize) -> Option<usize> {
        let (book, keys) = (self.book, self.keys);
        let Some(key) = keys.get(i) else { return Some(i + 1) };
        let ascends = |k: &Key| k.number > key.number && book.numbered(k.number).is_some();
        let mut next = i + 1;
        while let Some(other) = keys.get(next) {
            self.work(1)?;
            let Some(question) = book.numbered(other.number).filter(|_| ascends(other)) else {
                next += 1;
                continue;
            };
            let clean =
                other.mended == 0 && (matches!(question.kind, Type::Text) || self.value(question, next)?.1.clean);
            if clean {
                break;
            }
            // It was prose if the question is answered further on, or if a question before it is.
            self.work(keys.len() - next)?;
            let mut later = keys.iter().skip(next + 1).filter(|k| ascends(k));
            let prose =
                later.next().is_some_and(|k| k.number <= other.number) || later.any(|k| k.number == other.number);
            if !prose {
                let to = trimmed(self.text, key.after, self.end(next + 1));
                let torn = [key.number, other.number].into_iter().filter_map(|n| u16::try_from(n - 1).ok()).collect();
                self.pieces.push(Piece { from: key.at, to, step: Step::Unclear(torn) });
                return Some(next + 1);
            }
            next += 1;
        }
        let to = trimmed(self.text, key.after, self.end(next));
        let from = self.text.get(key.after..to).unwrap_or_default();
        let from = key.after + from.iter().take_while(|b| blank(**b)).count();
        let result = match self.text.get(from..to) {
            None | Some([]) => Err(Reason::NoValue),
            Some(b"*") => Ok(None),
            // The words themselves are taken from the text as it was sent.
            Some(_) => Ok(Some(Meant::Words)),
        };
        if let Ok(question) = u16::try_from(key.number - 1) {
            let sent = Sent { question, value_from: from, result, mended: key.mended, wordy: false, bare: false };
            self.pieces.push(Piece { from: key.at, to: to.max(key.after), step: Step::Sent(sent) });
        }
        Some(next)
    }
}

/// What stands before and after free text and is not of it.
fn blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b';')
}

/// Where `text[from..to]` ends without the separators at its end.
fn trimmed(text: &[u8], from: usize, to: usize) -> usize {
    let mut text = text.get(from..to).unwrap_or_default();
    loop {
        text = text.get(..text.iter().rposition(|b| !blank(*b)).map_or(0, |last| last + 1)).unwrap_or_default();
        match text {
            // A mark that stands apart at the end separates, as in `all calm - 4.7`.
            [.., before, mark] if blank(*before) && is_separator(*mark) => {
                text = text.split_last().map_or(text, |(_, t)| t)
            }
            _ => return from + text.len(),
        }
    }
}

/// `b,d,b`: options by letter, apart.
fn letters_apart(question: &Ready, text: &[u8], from: usize, end: usize, out: &mut Vec<Candidate>) {
    let Type::Multi { options, .. } = &question.kind else { return };
    let typed = text.get(from..end).unwrap_or_default();
    if !typed.iter().any(|b| blank(*b)) {
        return;
    }
    let parts = typed.split(|b| blank(*b)).filter(|part| !part.is_empty());
    let chosen: Option<Chosen> = parts
        .map(|part| match part {
            [letter] => by_letter(options, *letter),
            _ => None,
        })
        .collect();
    if let Some(chosen) = chosen {
        out.push(Candidate { end, mended: 0, result: Ok(Some(set(chosen))), wordy: false });
    }
}

/// The tokens of what no key explains.
fn tokens(text: &[u8], from: usize, to: usize, out: &mut Vec<Piece>) {
    let mut at = from;
    while at < to {
        let byte = text.get(at).copied().unwrap_or(b' ');
        let run = |of: fn(u8) -> bool| text.get(at..to).unwrap_or_default().iter().take_while(|b| of(**b)).count();
        let (length, step) = match byte {
            b if is_separator(b) => (run(is_separator), Step::Separators),
            b if is_letter(b) => (run(is_letter), Step::Junk(Junk::Letters)),
            b if b.is_ascii_digit() => (run(|b| b.is_ascii_digit()), Step::Junk(Junk::Digits)),
            _ => (1, Step::Junk(Junk::Other)),
        };
        out.push(Piece { from: at, to: at + length, step });
        at += length;
    }
}
