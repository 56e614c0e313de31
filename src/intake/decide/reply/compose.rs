//! A reply in parts, of which as much is said as fits.
//!
//! What must be said (a head for each report, one code of each list, what a rule says) decides how many
//! segments it takes; then codes, reasons and what is still missing are added while they fit.

use std::cell::Cell;

use smallvec::SmallVec;
use smol_str::format_smolstr;

use super::length::Length;
use super::templates::{Filled, Key, Place, Set, Slot};
use crate::limits::REPLY_SEGMENTS_MAX;

/// Bytes of words whose memory a thread keeps for its next reply.
const WORDS_KEPT_BYTES_MAX: usize = 4_096;

thread_local! {
    static WORDS: Cell<String> = const { Cell::new(String::new()) };
}

/// A reply on its way: all that it may say stands in one string, of which parts are chosen.
pub(super) struct Draft<'a> {
    pub set: &'a Set,
    /// All that may be said.
    pub words: String,
    parts: SmallVec<[Part; 4]>,
    items: SmallVec<[Item; 12]>,
}

/// A part of a reply.
enum Part {
    Text(Place, Length),
    /// Said only if there is room.
    Extra(Place, Length, bool),
    List(List),
}

/// A list that may be cut.
struct List {
    before: Place,
    after: Place,
    /// Its items among the draft's.
    first: usize,
    count: usize,
    /// Items in all, those not kept included.
    all: usize,
    /// Length of what stands around it.
    around: Length,
    shown: usize,
    reasons: usize,
    /// It names what is wrong, and goes before others.
    urgent: bool,
}

/// An item of a list, without its reason and with it.
#[derive(Clone, Copy)]
struct Item {
    bare: Place,
    full: Option<Place>,
    lengths: (Length, Length),
}

impl<'a> Draft<'a> {
    pub(super) fn new(set: &'a Set) -> Self {
        let mut words = WORDS.take();
        words.clear();
        Self { set, words, parts: SmallVec::new(), items: SmallVec::new() }
    }

    fn said(&self, (from, to): Place) -> &str {
        self.words.get(from..to).unwrap_or_default()
    }

    fn length(&self, place: Place) -> Length {
        Length::of(self.said(place))
    }

    /// Puts words where parts are taken from.
    pub(super) fn word(&mut self, text: &str) -> Place {
        let from = self.words.len();
        self.words.push_str(text);
        (from, self.words.len())
    }

    /// Fills a template where parts are taken from.
    pub(super) fn fill(&mut self, key: Key, values: &[(Slot, Filled<'_>)]) -> Place {
        let from = self.words.len();
        self.set.fill(&mut self.words, key, values);
        (from, self.words.len())
    }

    /// Says what stands there.
    pub(super) fn say(&mut self, place: Place) {
        let length = self.length(place);
        self.parts.push(Part::Text(place, length));
    }

    /// Says a filled template.
    pub(super) fn text(&mut self, key: Key, values: &[(Slot, Filled<'_>)]) {
        let place = self.fill(key, values);
        self.say(place);
    }

    /// Says what stands there if there is room.
    pub(super) fn say_too(&mut self, place: Place) {
        let length = self.length(place);
        self.parts.push(Part::Extra(place, length, false));
    }

    /// Adds an item to the list that [`Draft::list`] ends.
    pub(super) fn item(&mut self, bare: Place, full: Option<Place>) {
        let length = self.length(bare);
        let lengths = (length, full.map_or(length, |f| self.length(f)));
        self.items.push(Item { bare, full, lengths });
    }

    /// How many items there are.
    pub(super) fn mark(&self) -> usize {
        self.items.len()
    }

    /// Says a list of the items since `first`, of which there are `all`, between these words.
    pub(super) fn list(&mut self, (before, after): (Place, Place), first: usize, all: usize, urgent: bool) {
        let count = self.items.len() - first;
        let around = self.length(before).and(self.length(after));
        let shown = count.min(1);
        self.parts.push(Part::List(List { before, after, first, count, all, around, shown, reasons: 0, urgent }));
    }

    fn list_length(&self, list: &List) -> Length {
        let mut sum = list.around.and(self.set.separator_length.times(list.shown.saturating_sub(1)));
        for (i, item) in self.items.iter().skip(list.first).take(list.shown).enumerate() {
            sum = sum.and(if i < list.reasons { item.lengths.1 } else { item.lengths.0 });
        }
        match list.all - list.shown {
            0 => sum,
            more => sum.and(self.more(list, more)),
        }
    }

    /// Length of the mark that so many items are left out.
    fn more(&self, list: &List, more: usize) -> Length {
        let own = self.set.more_length(more);
        if list.shown > 0 { Length::SPACE.and(own) } else { own }
    }

    /// Longer than whatever is said of a part.
    fn longest(&self, part: &Part) -> Length {
        match part {
            Part::Text(_, length) | Part::Extra(_, length, _) => *length,
            Part::List(list) => {
                let mut sum = list.around.and(self.set.separator_length.times(list.count));
                for item in self.items.iter().skip(list.first).take(list.count) {
                    sum = sum.and(item.lengths.0.longer(item.lengths.1));
                }
                sum.and(Length::SPACE).and(self.set.more_length(list.all))
            }
        }
    }

    fn total(&self) -> Length {
        let mut sum = Length::default();
        let mut said = 0;
        for part in &self.parts {
            let own = match part {
                Part::Text(_, length) | Part::Extra(_, length, true) => *length,
                Part::Extra(_, _, false) => continue,
                Part::List(list) => self.list_length(list),
            };
            said += 1;
            sum = sum.and(own);
        }
        sum.and(Length::SPACE.times(usize::max(said, 1) - 1))
    }

    /// Chooses what is said and writes it.
    pub(super) fn compose(&mut self) -> String {
        let least = self.total();
        let fitting = (1..=REPLY_SEGMENTS_MAX).find(|n| least.fits(*n));
        let segments = fitting.unwrap_or(REPLY_SEGMENTS_MAX);
        let spaces = Length::SPACE.times(self.parts.len());
        let most = self.parts.iter().fold(spaces, |sum, part| sum.and(self.longest(part)));
        if most.fits(segments) {
            self.say_all();
        } else {
            self.grow_all(segments);
        }
        let mut out = String::with_capacity(160);
        for part in &self.parts {
            if matches!(part, Part::Extra(_, _, false)) {
                continue;
            }
            if !out.is_empty() {
                out.push(' ');
            }
            match part {
                Part::Text(place, _) | Part::Extra(place, ..) => out.push_str(self.said(*place)),
                Part::List(list) => self.write(list, &mut out),
            }
        }
        if self.words.capacity() <= WORDS_KEPT_BYTES_MAX {
            WORDS.set(std::mem::take(&mut self.words));
        }
        // What was added to what must be said was measured.
        if fitting.is_some() { out } else { cut(out) }
    }

    /// All there is fits.
    fn say_all(&mut self) {
        for part in &mut self.parts {
            match part {
                Part::Text(..) => {}
                Part::Extra(_, _, said) => *said = true,
                Part::List(list) => {
                    let items = self.items.iter().skip(list.first).take(list.count);
                    list.shown = list.count;
                    list.reasons = items.take_while(|item| item.full.is_some()).count();
                }
            }
        }
    }

    /// Every wrong code, then what else rules say, then the reasons, then what is missing, while they fit.
    fn grow_all(&mut self, segments: u32) {
        for urgent in [true, false] {
            for i in 0..self.parts.len() {
                let may = |_: &Self, list: &List| list.urgent == urgent && list.shown < list.count;
                self.grow(i, segments, may, |list| &mut list.shown);
            }
            if urgent {
                for i in 0..self.parts.len() {
                    self.try_extra(i, segments);
                }
                for i in 0..self.parts.len() {
                    let may = |draft: &Self, list: &List| {
                        let next = draft.items.get(list.first + list.reasons);
                        list.reasons < list.shown && next.is_some_and(|item| item.full.is_some())
                    };
                    self.grow(i, segments, may, |list| &mut list.reasons);
                }
            }
        }
    }

    fn try_extra(&mut self, place: usize, segments: u32) {
        if let Some(Part::Extra(_, _, said)) = self.parts.get_mut(place) {
            *said = true;
            let fit = self.total().fits(segments);
            if let Some(Part::Extra(_, _, said)) = self.parts.get_mut(place) {
                *said = fit;
            }
        }
    }

    /// Makes a list one longer, again and again, while that fits.
    fn grow(
        &mut self,
        place: usize,
        segments: u32,
        may: impl Fn(&Self, &List) -> bool,
        count: impl Fn(&mut List) -> &mut usize,
    ) {
        loop {
            match self.parts.get(place) {
                Some(Part::List(list)) if may(self, list) => {}
                _ => return,
            }
            if let Some(Part::List(list)) = self.parts.get_mut(place) {
                *count(list) += 1;
            }
            if !self.total().fits(segments) {
                if let Some(Part::List(list)) = self.parts.get_mut(place) {
                    *count(list) -= 1;
                }
                return;
            }
        }
    }

    fn write(&self, list: &List, out: &mut String) {
        out.push_str(self.said(list.before));
        for (i, item) in self.items.iter().skip(list.first).take(list.shown).enumerate() {
            if i > 0 {
                out.push_str(&self.set.separator);
            }
            out.push_str(self.said(item.full.filter(|_| i < list.reasons).unwrap_or(item.bare)));
        }
        let more = list.all - list.shown;
        if more > 0 {
            if list.shown > 0 {
                out.push(' ');
            }
            self.set.fill(out, Key::More, &[(Slot::Count, Filled::Text(&format_smolstr!("{more}")))]);
        }
        out.push_str(self.said(list.after));
    }
}

/// Bounds a reply that nothing else made short enough.
pub(super) fn cut(mut reply: String) -> String {
    if Length::of(&reply).fits(REPLY_SEGMENTS_MAX) {
        return reply;
    }
    // The alphabet is that of the whole, so that what is left surely fits.
    let mut length = Length::of("...").in_alphabet_of(&reply);
    let mut end = 0;
    let mut buffer = [0; 4];
    for (at, c) in reply.char_indices() {
        length = length.and(Length::of(c.encode_utf8(&mut buffer)));
        if !length.fits(REPLY_SEGMENTS_MAX) {
            break;
        }
        end = at + c.len_utf8();
    }
    reply.truncate(end);
    reply.push_str("...");
    reply
}
