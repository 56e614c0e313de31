//! A text with all that is needed to quote from it, and to tell where it is not known what stood: PURE.

use smallvec::SmallVec;

use super::clean::Clean;
use super::search::{Piece, Step};
use super::span::{Part, Span};

/// Characters of a value that are quoted.
pub(super) const QUOTED_MAX: usize = 20;

/// A text as it came and as it is read.
pub(super) struct Source<'a> {
    pub raw: &'a str,
    pub clean: &'a Clean,
    pub gaps: Gaps,
    /// Digits of the shortest observer code, where that is known.
    pub shortest: Option<usize>,
}

/// Places of a clean text at which it is not known what stood.
pub(super) struct Gaps {
    /// Where a segment is missing.
    segments: SmallVec<[usize; 2]>,
    /// Where a character that can't be read begins and ends: it may have been a digit of the value beside it.
    unread: SmallVec<[(usize, usize); 1]>,
}

impl Gaps {
    /// Those of a text of which segments are missing at these bytes of it.
    pub(super) fn new(raw: &str, clean: &Clean, segments: &[usize]) -> Self {
        let segments = segments.iter().map(|at| clean.clean_at(*at)).collect();
        let mut unread = SmallVec::new();
        if !raw.is_ascii() {
            let found = raw.match_indices(char::REPLACEMENT_CHARACTER);
            unread.extend(found.map(|(at, c)| (clean.clean_at(at), clean.clean_at(at + c.len()))));
        }
        Self { segments, unread }
    }

    /// How many characters can't be read.
    pub(super) fn unread(&self) -> usize {
        self.unread.len()
    }

    pub(super) fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Is something unknown in a stretch, or at one of its ends?
    pub(super) fn touch(&self, from: usize, to: usize) -> bool {
        let within = |at: &usize| (from..=to).contains(at);
        self.touch_words(from, to) || self.unread.iter().any(|(begin, end)| within(begin) || within(end))
    }

    /// The same of words: those with a character that can't be read are still words.
    pub(super) fn touch_words(&self, from: usize, to: usize) -> bool {
        self.segments.iter().any(|at| (from..=to).contains(at))
    }

    /// Characters that can't be read and begin in a stretch.
    fn unread_in(&self, from: usize, to: usize) -> impl Iterator<Item = usize> {
        self.unread.iter().map(|(begin, _)| *begin).filter(move |at| (from..to).contains(at))
    }
}

impl Source<'_> {
    /// What was sent at a place of the clean text, cut to so many characters.
    pub(super) fn quote(&self, from: usize, to: usize, most: usize) -> String {
        self.quoted(from, to, most).to_owned()
    }

    pub(super) fn quoted(&self, from: usize, to: usize, most: usize) -> &str {
        let quoted = self.clean.quote(self.raw, from, to);
        let end = if quoted.len() <= most { None } else { quoted.char_indices().nth(most) };
        quoted.get(..end.map_or(quoted.len(), |(i, _)| i)).unwrap_or_default()
    }

    /// What was sent as the values of one code.
    pub(super) fn quotes(&self, places: &[(usize, usize)]) -> String {
        let mut out = String::new();
        for (from, to) in places {
            let quoted = self.quoted(*from, *to, QUOTED_MAX);
            if !out.is_empty() && !quoted.is_empty() {
                out.push(' ');
            }
            out.push_str(quoted);
        }
        out
    }

    /// A stretch of the clean text as a span of the text as it came.
    pub(super) fn span(&self, from: usize, to: usize, part: Part) -> Span {
        Span { from: self.clean.raw_at(from), to: self.clean.raw_at(to), part }
    }

    /// Nothing but spaces.
    pub(super) fn blank(&self, from: usize, to: usize) -> bool {
        self.clean.text.get(from..to).is_some_and(|s| s.bytes().all(|b| b == b' '))
    }

    /// Does a character that can't be read stand here, and after it as many digits as make an observer code with
    /// it? Then it may be the header of another report, and what follows may be that report's.
    pub(super) fn may_hide_header(&self, from: usize, to: usize) -> bool {
        let mut unread = self.gaps.unread_in(from, to);
        let Some(first) = unread.next() else { return false };
        let rest = self.clean.text.as_bytes().get(first..to).unwrap_or_default();
        let digits = rest.split(|b| !b.is_ascii_digit()).map(<[u8]>::len).max().unwrap_or_default();
        digits > 0 && digits + 1 + unread.count() >= self.shortest.unwrap_or_default()
    }

    /// What stands after a value, blanks between at most, and begins with a character that can't be read: its end,
    /// and which piece comes then.
    pub(super) fn unread_after(&self, pieces: &[Piece], mut next: usize) -> Option<(usize, usize)> {
        if !self.gaps.has_unread() {
            return None;
        }
        if let Some(Piece { step: Step::Separators, from, to }) = pieces.get(next)
            && self.blank(*from, *to)
        {
            next += 1;
        }
        let first = pieces.get(next).filter(|p| matches!(p.step, Step::Junk(_)))?;
        self.gaps.unread_in(first.from, first.to).next()?;
        let stretch = pieces.get(next..)?.iter().take_while(|p| matches!(p.step, Step::Junk(_)));
        let (count, to) = stretch.fold((0, first.to), |(count, _), piece| (count + 1, piece.to));
        Some((to, next + count))
    }
}
