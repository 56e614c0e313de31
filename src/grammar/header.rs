//! Headers: where each report of a text begins, which checklist it is for, and who sends it.
//!
//! A header that is cut or unknown begins a report of its own too, so that what follows it is never
//! read as part of the report before.

mod tail;

use nom::bytes::complete::take_while;
use nom::{IResult, Parser};
use smallvec::{SmallVec, smallvec};

use super::keyed::{self, Context};
use super::lexicon::{Book, Lexicon, Type, spelled};
use super::value::{is_digit_like, is_letter, is_separator};
use crate::limits::REPORTS_PER_TEXT_MAX;
use tail::tail;

/// Characters that an observer code may have, mended letters among them.
const OBSERVER_CODE_MAX: usize = 20;
/// Letters that are looked through for codes that run together.
const RUN_MAX: usize = 64;
/// Digits of the shortest observer code that is known as such after a prefix which is nobody's.
const SURE_DIGITS: usize = 4;
/// Letters of a word that may be the prefix of a checklist which does not exist.
const PREFIX_MAX: usize = 8;

/// One way to read what stands after the prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sender {
    /// Where the observer code stands, letters to be mended in it; `None` when there is none.
    pub observer: Option<(usize, usize)>,
    /// Letters read as digits.
    pub mended: u32,
    pub incident: bool,
    /// Where the serial stands.
    pub serial: Option<(usize, usize)>,
    /// Where its authentication code stands, the `*` not with it.
    pub code: Option<(usize, usize)>,
    /// Where the body begins.
    pub body: usize,
}

/// One header.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub from: usize,
    /// Which checklist; `None` when the prefix is nobody's.
    pub book: Option<usize>,
    /// Where the prefix of an unknown checklist ends.
    pub prefix_end: usize,
    /// Every way to read the sender, at least one.
    pub senders: SmallVec<[Sender; 2]>,
    /// The prefix was mended.
    pub mended: u32,
    /// Its checklist's questions are numbered.
    keyed: bool,
}

/// The headers of a text, in order.
pub(super) type Heads = SmallVec<[Head; 1]>;

/// Finds the headers of a text, and where the comment begins: at the first `@` that stands in no free text.
pub(super) fn scan(lexicon: &Lexicon, text: &str) -> (Heads, usize) {
    let bytes = text.as_bytes();
    let mut heads = Heads::new();
    let mut fallback: Option<Head> = None;
    let mut context = Context::default();
    // The report that is being read: its checklist, where its body begins, and whether its questions are numbered.
    let mut current: (Option<&Book>, usize, bool) = (None, 0, false);
    let reading =
        |head: &Head| (head.book.and_then(|i| lexicon.books.get(i)), head.body().unwrap_or(usize::MAX), head.keyed);
    // What may be the observer code of an unknown checklist's report, here or further on: mostly there is none.
    let shortest = lexicon.shortest.filter(|least| *least >= SURE_DIGITS);
    let mut run = 0;
    let mut observer_ahead = |at: usize| {
        let Some(shortest) = shortest else { return false };
        if run < at {
            run = next_run(bytes, at, shortest);
        }
        run < bytes.len()
    };
    let mut at = 0;
    while heads.len() <= REPORTS_PER_TEXT_MAX {
        let Some(&here) = bytes.get(at) else { break };
        if here == b'@' && context.text.is_none() {
            break;
        }
        if !current.2 && here != b'@' && !lexicon.may_begin(here, None) && !observer_ahead(at) {
            // Nothing but a prefix begins a header from here on.
            let rest = bytes.get(at..).unwrap_or_default();
            at += rest.iter().take_while(|b| **b != b'@' && !lexicon.may_begin(**b, None)).count();
            continue;
        }
        let letter = is_letter(here);
        let begins_word = letter
            && !at.checked_sub(1).and_then(|i| bytes.get(i)).is_some_and(|b| is_letter(*b))
            && observer_ahead(at);
        let begins_prefix = lexicon.may_begin(here, bytes.get(at + 1).copied());
        if !begins_prefix && !begins_word && !(current.2 && (letter || here.is_ascii_digit())) {
            at += 1;
            continue;
        }
        if let (Some(book), body, true) = current
            && body <= at
            && let Some(key) = keyed::key_at(bytes, body, at)
        {
            context.pass(book, key);
        }
        let starting = if begins_prefix { lexicon.starting(here) } else { &[] };
        let books = starting.iter().filter_map(|i| Some((usize::from(*i), lexicon.books.get(usize::from(*i))?)));
        let (mut head, mut complete) = (None, false);
        for indexed in books {
            let Some(known) = known_head(lexicon, indexed, text, at, heads.last()) else { continue };
            let known_complete = known.senders.iter().any(|s| s.complete(lexicon));
            if head.is_none() || known_complete || !complete {
                (head, complete) = (Some(known), known_complete);
            }
        }
        if head.is_none() && begins_word {
            head = unknown_head(lexicon, text, at, heads.last());
        }
        match head {
            // In free text only what can be nothing but a header is one.
            Some(head) if context.text.is_some() && !is_header_alone(lexicon, bytes, &head) => at += 1,
            Some(head) if head.senders.iter().all(|s| s.observer.is_none()) && heads.is_empty() => {
                // A prefix without an observer code begins a report only when nothing better does.
                current = reading(fallback.get_or_insert(head));
                at += 1;
            }
            Some(mut head) => {
                if context.text.is_some() {
                    // What made it a header is not read otherwise afterwards.
                    head.senders.retain(|s| s.complete(lexicon));
                }
                at = head.body().unwrap_or(at + 1).max(at + 1);
                context = Context::default();
                current = reading(&head);
                heads.push(head);
            }
            None => at += 1,
        }
    }
    let end = text.get(at..).and_then(|rest| rest.find('@')).filter(|_| context.text.is_none());
    let end = end.map_or(text.len(), |i| at + i);
    if let Some(head) = fallback
        && heads.is_empty()
    {
        heads.push(head);
    }
    (heads, end)
}

/// Where a run of at least so many digits begins, at `from` or further on; the text's end where none does.
fn next_run(text: &[u8], from: usize, digits: usize) -> usize {
    let is_digit = |i: usize| text.get(i).is_some_and(u8::is_ascii_digit);
    let mut begin = from;
    // The last digit that the run needs is looked at first: where it is none, no run begins before it.
    while begin + digits <= text.len() {
        match (begin..begin + digits).rev().find(|i| !is_digit(*i)) {
            None => return begin,
            Some(other) => begin = other + 1,
        }
    }
    text.len()
}

/// Can it be nothing but a header?
fn is_header_alone(lexicon: &Lexicon, bytes: &[u8], head: &Head) -> bool {
    head.senders.iter().any(|s| s.complete(lexicon))
        && (head.book.is_some() || head.body().is_some_and(|b| next_is_key(bytes, b)))
}

/// Does a key follow, whatever separators stand before it?
fn next_is_key(text: &[u8], from: usize) -> bool {
    let gap = text.get(from..).unwrap_or_default().iter().take_while(|b| is_separator(**b)).count();
    keyed::key_at(text, from, from + gap).is_some()
}

impl Head {
    /// Where the body begins, at the earliest.
    fn body(&self) -> Option<usize> {
        self.senders.iter().map(|s| s.body).min()
    }
}

impl Sender {
    fn complete(&self, lexicon: &Lexicon) -> bool {
        self.observer
            .map(|(from, to)| to - from)
            .is_some_and(|n| lexicon.fits(n) && (n > 2 || !lexicon.setting.observer_lengths.is_empty()))
    }
}

/// A header with this checklist's prefix at this place.
fn known_head(
    lexicon: &Lexicon,
    (index, book): (usize, &Book),
    text: &str,
    at: usize,
    last: Option<&Head>,
) -> Option<Head> {
    let bytes = text.as_bytes();
    let prefix = &book.checklist.prefix;
    let typed = bytes.get(at..at + prefix.len())?;
    let mended = spelled(prefix.as_bytes(), typed)?;
    if mended as usize == prefix.len() {
        return None;
    }
    let before = at.checked_sub(1).and_then(|i| bytes.get(i)).copied();
    let apart = !before.is_some_and(|b| is_letter(b) || (mended > 0 && b.is_ascii_digit()));
    let current = last.and_then(|h| h.book).and_then(|i| lexicon.books.get(i));
    if !apart && (mended > 0 || !current.is_some_and(|book| explains_run(book, bytes, at))) {
        return None;
    }
    // A code of the report that is being read is that code, whatever another checklist is called.
    if current.is_some_and(|c| {
        !c.keyed
            && c.checklist.prefix != *prefix
            && c.exact_codes_at(bytes.get(at..).unwrap_or_default()).next().is_some()
    }) {
        return None;
    }
    let end = at + prefix.len();
    let (rest, gap) = gap(text.get(end..)?).ok()?;
    let from = text.len() - rest.len();
    let mut head =
        Head { from: at, book: Some(index), prefix_end: end, senders: SmallVec::new(), mended, keyed: book.keyed };
    let key = keyed::key_at(bytes, from, from).filter(|k| book.keyed && book.numbered(k.number).is_some());
    let next_is_code =
        || if book.keyed { key.is_some() } else { book.exact_codes_at(rest.as_bytes()).next().is_some() };
    // `FORM 1.15`: a question's number is no observer code.
    if key.is_none() && rest.bytes().next().is_some_and(is_digit_like) {
        head.senders = senders(lexicon, book, text, from);
        let complete = head.senders.iter().any(|s| s.complete(lexicon));
        let starts_with_code = is_letter(rest.bytes().next()?) && next_is_code();
        if complete || (apart && !starts_with_code && !head.senders.is_empty()) {
            return Some(head);
        }
    }
    // No observer code: the prefix stands alone, or straight before a code.
    let alone = gap > 0 || rest.is_empty() || rest.starts_with('*');
    if !apart || !(alone || next_is_code()) || (last.is_some() && !(alone && next_is_code())) {
        return None;
    }
    head.senders = smallvec![tail(book, text, end, false)];
    Some(head)
}

/// Separators and marks; how many there are.
fn gap(input: &str) -> IResult<&str, usize> {
    let (rest, gap) = take_while(|c: char| c == '!' || u8::try_from(c).is_ok_and(is_separator)).parse(input)?;
    Ok((rest, gap.len()))
}

/// Every way to read an observer code: it may end before a letter, never before a digit.
fn senders(lexicon: &Lexicon, book: &Book, text: &str, from: usize) -> SmallVec<[Sender; 2]> {
    let asked = lexicon.setting.code_asked;
    let bytes = text.as_bytes();
    let run = bytes.get(from..).unwrap_or_default().iter().take_while(|b| is_digit_like(**b)).count();
    let mut out = SmallVec::new();
    for length in 1..=run.min(OBSERVER_CODE_MAX) {
        let code = bytes.get(from..from + length).unwrap_or_default();
        let next = bytes.get(from + length).copied().unwrap_or(b' ');
        if next.is_ascii_digit() || !code.iter().any(u8::is_ascii_digit) {
            continue;
        }
        let mended = code.iter().filter(|b| is_letter(**b)).count() as u32;
        out.push(Sender { observer: Some((from, from + length)), mended, ..tail(book, text, from + length, asked) });
    }
    if out.is_empty() && run > OBSERVER_CODE_MAX {
        out.push(Sender { observer: Some((from, from + run)), ..tail(book, text, from + run, asked) });
    }
    out
}

/// A word, which begins at `at`, of another checklist's making, with what must be an observer code.
fn unknown_head(lexicon: &Lexicon, text: &str, at: usize, last: Option<&Head>) -> Option<Head> {
    let bytes = text.as_bytes();
    let shortest = lexicon.shortest.filter(|least| *least >= SURE_DIGITS)?;
    let rest = bytes.get(at..)?;
    let letters = rest.iter().take(PREFIX_MAX + 1).take_while(|b| is_letter(**b)).count();
    if !(2..=PREFIX_MAX).contains(&letters) {
        return None;
    }
    let rest = rest.get(letters..)?;
    let rest = rest.get(rest.iter().take_while(|b| **b == b'!' || is_separator(**b)).count()..)?;
    if !rest.get(..shortest)?.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    if !lexicon.fits(digits) {
        return None;
    }
    let current = last.and_then(|h| h.book).and_then(|i| lexicon.books.get(i));
    // `AA123456` is a code with a value that is too great, `YESAA123456` an answer and such a code.
    if current.is_some_and(|book| explains_run(book, bytes, at + letters)) {
        return None;
    }
    // `AFPS123456`: a code, and a header that is known.
    let glued = |prefix: &str| {
        let place = (at + letters).checked_sub(prefix.len()).filter(|place| *place > at);
        place.is_some_and(|p| {
            bytes.get(p..at + letters) == Some(prefix.as_bytes()) && current.is_some_and(|c| explains_run(c, bytes, p))
        })
    };
    if lexicon.books.iter().any(|book| glued(&book.checklist.prefix)) {
        return None;
    }
    let body = text.len() - rest.len() + digits;
    let observer = Some((body - digits, body));
    let sender = Sender { observer, mended: 0, incident: false, serial: None, code: None, body };
    Some(Head { from: at, book: None, prefix_end: at + letters, senders: smallvec![sender], mended: 0, keyed: false })
}

/// Are the letters before `to` nothing but codes, words for yes and no, and the end of a number?
fn explains_run(book: &Book, text: &[u8], to: usize) -> bool {
    let Some(before) = text.get(..to).filter(|_| !book.keyed) else { return false };
    let run = before.iter().rev().take_while(|b| is_letter(**b)).count();
    let from = to - run;
    if run == 0 || run > RUN_MAX {
        return false;
    }
    let mut reach = [false; RUN_MAX + 1];
    let reach = reach.get_mut(..=run).unwrap_or_default();
    let mark = |reach: &mut [bool], i: usize| {
        if let Some(place) = reach.get_mut(i) {
            *place = true;
        }
    };
    mark(reach, 0);
    if from > 0 && text.get(from - 1).is_some_and(u8::is_ascii_digit) {
        for i in 1..=before.get(from..).unwrap_or_default().iter().take_while(|b| is_digit_like(**b)).count() {
            mark(reach, i);
        }
    }
    for i in 0..run {
        if !reach.get(i).copied().unwrap_or_default() {
            continue;
        }
        let rest = before.get(from + i..).unwrap_or_default();
        for (_, question) in book.exact_codes_at(rest) {
            let end = i + question.code.len();
            mark(reach, end);
            let after = rest.get(question.code.len()..).unwrap_or_default();
            for k in 1..=after.iter().take_while(|b| is_digit_like(**b)).count() {
                mark(reach, end + k);
            }
            if let Type::YesNo { words, .. } | Type::Flag { words } = &question.kind {
                for (word, _) in words {
                    if after.starts_with(word.as_bytes()) {
                        mark(reach, end + word.len());
                    }
                }
            }
        }
        if i == 0 && from > 0 {
            for word in ["YES", "NO", "Y", "N"] {
                if rest.starts_with(word.as_bytes()) {
                    mark(reach, word.len());
                }
            }
        }
    }
    reach.last().copied().unwrap_or_default()
}
