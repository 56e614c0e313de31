//! What one election's checklists call their prefixes, codes and options, made ready for reading.

use std::sync::Arc;

use smallvec::SmallVec;
use smol_str::SmolStr;

use super::clean::Clean;
use super::words;
use time::Date;

use crate::domain::checklist::{Checklist, GrammarKind, Kind, QuestionType, day, minutes};
use crate::domain::decimal::Decimal;
use crate::domain::election::DateOrder;

/// What is known beside the checklists when a text is read.
#[derive(Debug, Clone, Default)]
pub struct Setting {
    /// Lengths that observer codes have; empty when unknown.
    pub observer_lengths: Vec<usize>,
    /// The phone may identify the observer, so that a header may lack the code.
    pub phone_identifies: bool,
    /// An authentication code is asked for: digits apart after the observer code are one, `*` before them or not.
    pub code_asked: bool,
    /// Languages of the election, for words such as *yes*.
    pub languages: Vec<String>,
    /// How dates are written.
    pub date_order: DateOrder,
}

/// An election's checklists, ready for [`super::read`].
#[derive(Debug, Clone)]
pub struct Lexicon {
    /// The checklists, longest prefix first.
    pub(super) books: Vec<Book>,
    /// See [`Setting`].
    pub(super) setting: Setting,
    /// Every body is searched, also one in which nothing is left to doubt.
    pub(super) searches_all: bool,
    /// For each byte the books whose prefix may begin with it, typed as the digit it looks like or not.
    starting: Vec<Vec<u16>>,
    /// For each byte what may stand second in a prefix that it begins: a bit for the lowest six bits of each.
    seconds: [u64; 256],
    /// Length of the shortest observer code, where lengths are known.
    pub(super) shortest: Option<usize>,
}

/// One checklist, ready.
#[derive(Debug, Clone)]
pub(super) struct Book {
    pub checklist: Arc<Checklist>,
    pub prefix: SmolStr,
    /// The questions in the checklist's order.
    pub questions: Vec<Ready>,
    /// For each letter the questions whose code begins with it.
    by_letter: [Vec<Coded>; 26],
    /// The same by what stands second too, see [`pair`]: mostly one code, found without a look at the others.
    by_pair: Vec<SmallVec<[Coded; 1]>>,
    /// Length of every code, when all have the same.
    pub code_length: Option<usize>,
    /// Length of the longest code.
    pub code_length_max: usize,
    /// Its questions are numbered, in the checklist's order.
    pub keyed: bool,
    /// It asks for bare codes.
    pub has_flags: bool,
}

/// A code as it is looked for.
#[derive(Debug, Clone, Copy)]
struct Coded {
    question: u16,
    /// The code's first bytes as [`four`] gives those of a text, and which bits of them count.
    key: u32,
    mask: u32,
}

/// What may stand second in a code, as far as it is told apart: a capital, or anything else.
const SECONDS: usize = 27;

/// Where a text's first two bytes stand in [`Book::by_pair`]; beyond its end where the first is no capital.
fn pair(text: &[u8]) -> usize {
    let capital = |b: Option<&u8>| usize::from(b.map_or(u8::MAX, |b| b.wrapping_sub(b'A')));
    capital(text.first()) * SECONDS + capital(text.get(1)).min(SECONDS - 1)
}

/// The codes by their first two letters; one of a single letter stands with each second.
fn pairs(by_letter: &[Vec<Coded>; 26], questions: &[Ready]) -> Vec<SmallVec<[Coded; 1]>> {
    let mut out = vec![SmallVec::new(); by_letter.len() * SECONDS];
    for (first, list) in by_letter.iter().enumerate() {
        for coded in list {
            let code = questions.get(usize::from(coded.question)).map_or(&[][..], |q| q.code.as_bytes());
            let alone = first * SECONDS..(first + 1) * SECONDS;
            let places = if code.len() == 1 { alone } else { pair(code)..pair(code) + 1 };
            out.get_mut(places).unwrap_or_default().iter_mut().for_each(|slot: &mut SmallVec<_>| slot.push(*coded));
        }
    }
    out
}

/// The first four bytes of a text, zeros where it ends.
pub(super) fn four(text: &[u8]) -> u32 {
    let mut bytes = [0; 4];
    match text.first_chunk() {
        Some(first) => bytes = *first,
        None => bytes.iter_mut().zip(text).for_each(|(slot, b)| *slot = *b),
    }
    u32::from_le_bytes(bytes)
}

/// One question, ready.
#[derive(Debug, Clone)]
pub(super) struct Ready {
    pub code: SmolStr,
    /// The code's first bytes, see [`four`].
    pub head: u32,
    pub kind: Type,
    pub null_value: Option<i64>,
    /// No other code begins with this one, which is of letters alone.
    pub stands_alone: bool,
}

/// A question's type, ready.
#[derive(Debug, Clone)]
pub(super) enum Type {
    Count { min: i64, max: i64 },
    YesNo { yes: u16, no: u16, words: Vec<(String, bool)> },
    Choice { options: Vec<u16>, words: Vec<(String, u16)> },
    Multi { options: Vec<u16>, run_together: bool },
    Time { min: u16, max: u16 },
    Flag { words: Vec<(String, bool)> },
    Decimal { min: Decimal, max: Decimal },
    Date { min: Date, max: Date, order: DateOrder },
    Text,
}

impl Default for Lexicon {
    fn default() -> Self {
        Self::new(std::iter::empty(), Setting::default())
    }
}

impl Lexicon {
    /// Makes the checklists ready.
    pub fn new(checklists: impl IntoIterator<Item = Arc<Checklist>>, setting: Setting) -> Self {
        let mut books: Vec<Book> = checklists.into_iter().map(|c| Book::new(c, &setting)).collect();
        // `PSX` must be found before `PS`; the name decides among equals, so that the order given does not.
        books.sort_by(|a, b| {
            (b.checklist.prefix.len(), &a.checklist.prefix).cmp(&(a.checklist.prefix.len(), &b.checklist.prefix))
        });
        let mut starting: Vec<Vec<u16>> = vec![Vec::new(); 256];
        for (i, book) in (0u16..).zip(&books) {
            let first = book.checklist.prefix.bytes().next();
            for byte in first.into_iter().chain(first.and_then(looks)) {
                if let Some(slot) = starting.get_mut(usize::from(byte)) {
                    slot.push(i);
                }
            }
        }
        let shortest = setting.observer_lengths.iter().min().copied();
        let mut seconds = [0; 256];
        for (slot, places) in seconds.iter_mut().zip(&starting) {
            for book in places.iter().filter_map(|i| books.get(usize::from(*i))) {
                *slot |= match book.checklist.prefix.as_bytes().get(1) {
                    Some(&b) => std::iter::once(b).chain(looks(b)).fold(0, |bits, b| bits | 1 << (b & 63)),
                    None => u64::MAX,
                };
            }
        }
        Self { books, setting, searches_all: false, starting, seconds, shortest }
    }

    /// The same without the short way for bodies in which nothing is left to doubt, to measure and to compare.
    #[must_use]
    pub fn searching_all(self) -> Self {
        Self { searches_all: true, ..self }
    }

    /// May a prefix begin with these bytes? `false` is sure.
    pub(super) fn may_begin(&self, first: u8, second: Option<u8>) -> bool {
        let seconds = self.seconds.get(usize::from(first)).copied().unwrap_or(0);
        seconds & second.map_or(u64::MAX, |b| 1 << (b & 63)) != 0
    }

    /// Places of the books whose prefix may begin with this byte.
    pub(super) fn starting(&self, byte: u8) -> &[u16] {
        self.starting.get(usize::from(byte)).map_or(&[], Vec::as_slice)
    }

    /// Is the length of observer codes known, and is this one?
    pub(super) fn fits(&self, length: usize) -> bool {
        self.setting.observer_lengths.is_empty() || self.setting.observer_lengths.contains(&length)
    }
}

impl Book {
    fn new(checklist: Arc<Checklist>, setting: &Setting) -> Self {
        let begins = |code: &str| checklist.questions.iter().filter(|q| q.code.starts_with(code)).count();
        let questions: Vec<Ready> = checklist
            .questions
            .iter()
            .map(|q| Ready {
                code: SmolStr::new(&q.code),
                head: four(q.code.as_bytes()),
                kind: Type::new(&q.kind, setting),
                null_value: q.null_value,
                stands_alone: q.code.bytes().all(|b| b.is_ascii_uppercase()) && begins(&q.code) == 1,
            })
            .collect();
        let mut by_letter: [Vec<Coded>; 26] = Default::default();
        for (i, question) in questions.iter().enumerate() {
            let slot = question.code.bytes().next().and_then(|b| by_letter.get_mut(usize::from(b.wrapping_sub(b'A'))));
            if let (Some(slot), Ok(i)) = (slot, u16::try_from(i)) {
                let mask = u32::MAX.checked_shr(8 * (4 - question.code.len().min(4)) as u32).unwrap_or(0);
                slot.push(Coded { question: i, key: question.head, mask });
            }
        }
        let by_pair = pairs(&by_letter, &questions);
        let first = questions.first().map_or(0, |q| q.code.len());
        Self {
            code_length: questions.iter().all(|q| q.code.len() == first).then_some(first),
            code_length_max: questions.iter().map(|q| q.code.len()).max().unwrap_or(0),
            keyed: checklist.grammar == GrammarKind::Keyed,
            has_flags: questions.iter().any(|q| matches!(q.kind, Type::Flag { .. })),
            questions,
            by_letter,
            by_pair,
            prefix: SmolStr::new(&checklist.prefix),
            checklist,
        }
    }

    /// The codes that stand at the beginning of `text`, each with the letters that were typed as
    /// digits. Those are mended only in a code that has a true letter too.
    pub(super) fn codes_at<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = (u16, &'a Ready, u32)> {
        let letters: [u8; 2] = match text.first() {
            Some(b'0') => [b'O', 0],
            Some(b'1') => [b'I', b'L'],
            Some(&b) => [b, 0],
            None => [0, 0],
        };
        letters.into_iter().filter_map(|b| self.by_letter.get(usize::from(b.wrapping_sub(b'A')))).flatten().filter_map(
            move |coded| {
                let question = self.questions.get(usize::from(coded.question))?;
                let typed = text.get(..question.code.len())?;
                let mended = spelled(question.code.as_bytes(), typed)?;
                ((mended as usize) < typed.len()).then_some((coded.question, question, mended))
            },
        )
    }

    /// The codes that stand at the beginning of `text` letter by letter.
    pub(super) fn exact_codes_at<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = (u16, &'a Ready)> {
        let word = four(text);
        let codes = self.by_pair.get(pair(text)).map_or(&[][..], SmallVec::as_slice);
        codes.iter().filter_map(move |coded| {
            if word & coded.mask != coded.key {
                return None;
            }
            let question = self.questions.get(usize::from(coded.question))?;
            let all = question.code.len() <= size_of_val(&word) || text.starts_with(question.code.as_bytes());
            all.then_some((coded.question, question))
        })
    }

    /// The question with this number in the printed guide, from 1.
    pub(super) fn numbered(&self, number: usize) -> Option<&Ready> {
        number.checked_sub(1).and_then(|i| self.questions.get(i))
    }

    /// The question that takes the comment.
    pub(super) fn comment_question(&self) -> Option<u16> {
        let place = self.questions.iter().position(|q| matches!(q.kind, Type::Text)).filter(|_| !self.keyed)?;
        u16::try_from(place).ok()
    }

    /// Does the checklist take incidents?
    pub(super) fn is_incident(&self) -> bool {
        self.checklist.kind == Kind::Incident
    }
}

/// The digit that a letter is mistyped as.
fn looks(letter: u8) -> Option<u8> {
    match letter {
        b'O' => Some(b'0'),
        b'I' | b'L' => Some(b'1'),
        _ => None,
    }
}

/// How many letters of a word were typed as the digit they look like; `None` when it is another word.
pub(super) fn spelled(word: &[u8], typed: &[u8]) -> Option<u32> {
    let mut mended = 0;
    for (w, t) in word.iter().zip(typed) {
        match (w, t) {
            (w, t) if w == t => {}
            (b'O', b'0') | (b'I' | b'L', b'1') => mended += 1,
            _ => return None,
        }
    }
    Some(mended)
}

impl Type {
    fn new(kind: &QuestionType, setting: &Setting) -> Self {
        let label = |text: &str| Clean::new(text).text.trim().to_owned();
        let yes_no = || words::yes_no(&setting.languages).map(|(word, yes)| (label(word), yes)).collect::<Vec<_>>();
        match kind {
            QuestionType::Count { min, max } => Self::Count { min: *min, max: *max },
            QuestionType::YesNo { options } => {
                let mut numbers = options.keys().copied();
                let (yes, no) = (numbers.next().unwrap_or(1), numbers.next().unwrap_or(2));
                let mut words = yes_no();
                for (number, texts) in options {
                    words.extend(texts.all().map(|text| (label(text), *number == yes)));
                }
                Self::YesNo { yes, no, words: sorted(words) }
            }
            QuestionType::Choice { options } => Self::Choice {
                options: options.keys().copied().collect(),
                words: sorted(options.iter().flat_map(|(n, t)| t.all().map(|t| (label(t), *n))).collect()),
            },
            QuestionType::MultiChoice { options } => Self::Multi {
                options: options.keys().copied().collect(),
                run_together: options.keys().all(|n| *n <= 9),
            },
            QuestionType::Time { min, max } => {
                Self::Time { min: minutes(min).unwrap_or(0), max: minutes(max).unwrap_or(24 * 60 - 1) }
            }
            QuestionType::Flag {} => Self::Flag { words: sorted(yes_no()) },
            QuestionType::Decimal { min, max } => Self::Decimal { min: *min, max: *max },
            QuestionType::Date { min, max } => Self::Date {
                min: min.as_deref().and_then(day).unwrap_or(Date::MIN),
                max: max.as_deref().and_then(day).unwrap_or(Date::MAX),
                order: setting.date_order,
            },
            QuestionType::Text {} => Self::Text,
        }
    }
}

/// Longest first, so that `VERY CALM` is tried before `VERY`; a word with two meanings is none.
fn sorted<T: PartialEq>(mut words: Vec<(String, T)>) -> Vec<(String, T)> {
    words.retain(|(word, _)| word.chars().any(char::is_alphabetic) && !word.starts_with(|c: char| c.is_ascii_digit()));
    let mut out: Vec<(String, T)> = Vec::with_capacity(words.len());
    let mut torn: Vec<String> = Vec::new();
    for (word, meaning) in words {
        match out.iter().find(|(known, _)| *known == word) {
            None => out.push((word, meaning)),
            Some((_, known)) if *known != meaning => torn.push(word),
            Some(_) => {}
        }
    }
    out.retain(|(word, _)| !torn.contains(word));
    out.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
    out
}
