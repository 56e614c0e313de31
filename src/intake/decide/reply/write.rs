//! One reply, put together from what there is to say, the most useful first.
//!
//! What must be said (a head for each report, one code of each list, what a rule says) decides how many
//! segments it takes; then codes, reasons and what is still missing are added while they fit.

use super::super::Understanding;
use super::length::{Length, spelled};
use super::templates::{Key, Replies, Set, Slot};
use super::why;
use crate::domain::checklist::Checklist;
use crate::domain::outcome::Outcome;
use crate::domain::report::Report;
use crate::limits::REPLY_SEGMENTS_MAX;

/// Codes of one list that a reply ever names.
const NAMED_MAX: usize = 20;
/// What rules say of one report, at most.
const CHECKS_MAX: usize = 2;
/// Characters quoted of a text that is no report.
pub(super) const QUOTED_CHARS: usize = 20;
/// Characters quoted of what was left over of a report.
const LEFTOVER_CHARS: usize = 25;

/// One report with what is to be said about it.
pub(in crate::intake::decide) struct Told<'a> {
    pub outcome: Outcome,
    pub report: &'a Report,
    pub checklist: Option<&'a Checklist>,
    /// What the text should begin with.
    pub instead: Option<&'a str>,
    /// For how long nothing is taken from who is locked.
    pub minutes: u32,
    pub missing: &'a [String],
    /// Answered though not asked.
    pub uncalled: &'a [&'a str],
    /// Messages of broken rules that the observer is asked about.
    pub check: Vec<String>,
}

/// A part of a reply.
enum Part {
    Text(String, Length),
    /// Said only if there is room.
    Extra(String, Length, bool),
    List(List),
}

/// A list that may be cut.
struct List {
    before: String,
    after: String,
    items: Vec<Item>,
    /// Items in all, those not kept included.
    all: usize,
    /// Length of what stands around it.
    around: Length,
    shown: usize,
    reasons: usize,
    /// It names what is wrong, and goes before others.
    urgent: bool,
}

struct Item {
    bare: String,
    full: Option<String>,
    lengths: (Length, Length),
}

impl List {
    fn new(set: &Set, key: Key, values: &[(Slot, &str)], items: Vec<Item>, all: usize, urgent: bool) -> Self {
        let (before, after) = set.around(key, Slot::List, values);
        let around = Length::of(&before).and(Length::of(&after));
        let shown = items.len().min(1);
        Self { before, after, items, all, around, shown, reasons: 0, urgent }
    }

    fn length(&self, set: &Set) -> Length {
        let mut sum = self.around.and(Length::of(&set.separator).times(self.shown.saturating_sub(1)));
        for (i, item) in self.items.iter().enumerate().take(self.shown) {
            sum = sum.and(if i < self.reasons { item.lengths.1 } else { item.lengths.0 });
        }
        let more = self.all - self.shown;
        if more > 0 { sum.and(Length::of(&self.more(set, more))) } else { sum }
    }

    fn more(&self, set: &Set, more: usize) -> String {
        let mut out = String::from(if self.shown > 0 { " " } else { "" });
        set.fill(&mut out, Key::More, &[(Slot::Count, &more.to_string())]);
        out
    }

    fn write(&self, set: &Set, out: &mut String) {
        out.push_str(&self.before);
        for (i, item) in self.items.iter().enumerate().take(self.shown) {
            if i > 0 {
                out.push_str(&set.separator);
            }
            out.push_str(item.full.as_ref().filter(|_| i < self.reasons).unwrap_or(&item.bare));
        }
        let more = self.all - self.shown;
        if more > 0 {
            out.push_str(&self.more(set, more));
        }
        out.push_str(&self.after);
    }
}

fn bare(code: &str) -> Item {
    let length = Length::of(code);
    Item { bare: code.to_owned(), full: None, lengths: (length, length) }
}

/// Writes the reply to a text; `None` where none is given.
pub(in crate::intake::decide) fn write(
    replies: &Replies,
    understanding: &Understanding,
    outcome: Outcome,
    told: &[Told<'_>],
) -> Option<String> {
    if matches!(outcome, Outcome::Ignored | Outcome::Segment | Outcome::SetAside | Outcome::Command) {
        return None;
    }
    let set = &*replies.set(&understanding.language);
    if told.is_empty() {
        let text: String = understanding.leftover.chars().take(QUOTED_CHARS).collect();
        return Some(set.text(Key::UnknownChecklist, &[(Slot::Text, &*spelled(&text))]));
    }
    let mut parts = Vec::with_capacity(told.len() * 2);
    for one in told {
        say(set, &mut parts, one);
    }
    if !understanding.leftover.is_empty() {
        parts.push(text(leftover(set, &understanding.leftover)));
    }
    Some(compose(set, parts))
}

/// The answer to a command; `help` is the election's own.
pub(in crate::intake::decide) fn command(replies: &Replies, language: &str, word: &str, help: Option<&str>) -> String {
    let set = replies.set(language);
    match (word, help) {
        ("HELP", Some(help)) => cut(spelled(help).into_owned()),
        ("STATUS", _) => set.text(Key::Status, &[]),
        ("STOP", _) => set.text(Key::Stop, &[]),
        ("START", _) => set.text(Key::Start, &[]),
        _ => set.text(Key::Help, &[]),
    }
}

/// How an observer's checklists stand: of each the prefix and what is missing, `None` when nothing came.
pub(in crate::intake::decide) fn status(
    replies: &Replies,
    language: &str,
    checklists: &[(&str, Option<Vec<String>>)],
) -> String {
    let set = &*replies.set(language);
    let (before, after) = set.around(Key::StatusList, Slot::List, &[]);
    let mut parts = Vec::with_capacity(checklists.len() + 2);
    for (i, (prefix, missing)) in checklists.iter().enumerate() {
        let lead = if i == 0 { before.as_str() } else { "" };
        let last = i + 1 == checklists.len();
        let end = if last { after.as_str() } else { ";" };
        let values = [(Slot::Prefix, *prefix)];
        match missing.as_deref() {
            None => parts.push(text(format!("{lead}{}{end}", set.text(Key::StatusNothing, &values)))),
            Some([]) => parts.push(text(format!("{lead}{}{end}", set.text(Key::StatusComplete, &values)))),
            Some(codes) => {
                let items = codes.iter().take(NAMED_MAX).map(|c| bare(c)).collect();
                let mut list = List::new(set, Key::StatusMissing, &values, items, codes.len(), true);
                list.before.insert_str(0, lead);
                list.after.push_str(end);
                list.around = Length::of(&list.before).and(Length::of(&list.after));
                parts.push(Part::List(list));
            }
        }
    }
    compose(set, parts)
}

fn text(text: String) -> Part {
    let length = Length::of(&text);
    Part::Text(text, length)
}

fn leftover(set: &Set, left: &str) -> String {
    let mut quoted: String = left.chars().take(LEFTOVER_CHARS).collect();
    if quoted.len() < left.len() {
        quoted.push_str("...");
    }
    set.text(Key::Leftover, &[(Slot::Text, &*spelled(&quoted))])
}

/// What is said about one report.
fn say(set: &Set, parts: &mut Vec<Part>, told: &Told<'_>) {
    let report = told.report;
    let observer = report.observer.as_deref().unwrap_or_default();
    let count = report.answers.len();
    let key = match told.outcome {
        Outcome::Accepted | Outcome::Partial if count == 0 && report.comment.is_some() => Key::Comment,
        Outcome::Accepted if report.incident => Key::Incident,
        Outcome::Accepted => Key::Accepted,
        Outcome::Partial => Key::Partial,
        Outcome::Corrected => Key::Corrected,
        Outcome::Duplicate => Key::Duplicate,
        Outcome::UnknownObserver if report.observer.is_none() => Key::NoObserver,
        Outcome::UnknownObserver => Key::UnknownObserver,
        Outcome::UnknownChecklist => Key::UnknownChecklist,
        Outcome::Closed => Key::Closed,
        Outcome::Draft => Key::Draft,
        Outcome::Paused => Key::Paused,
        Outcome::Outdated => Key::Outdated,
        Outcome::Unverified => Key::Unverified,
        Outcome::Held => Key::Held,
        Outcome::WrongCode if report.notes.iter().any(|n| n.kind == "no_code") => Key::NoCode,
        Outcome::WrongCode => Key::WrongCode,
        Outcome::Locked => Key::Locked,
        Outcome::Unclear | Outcome::Command | Outcome::Ignored | Outcome::Segment | Outcome::SetAside => Key::Unclear,
    };
    let name = if observer.is_empty() { report.prefix.clone() } else { format!("{} {observer}", report.prefix) };
    let answers = match count {
        1 => set.text(Key::AnswersOne, &[]),
        n => set.text(Key::AnswersMany, &[(Slot::Count, &n.to_string())]),
    };
    let minutes = told.minutes.to_string();
    let values = [
        (Slot::Report, name.as_str()),
        (Slot::Count, &minutes),
        (Slot::Answers, &answers),
        (Slot::Prefix, &report.prefix),
        (Slot::Observer, observer),
        (Slot::Form, told.instead.unwrap_or_default()),
        (Slot::Text, &name),
    ];
    parts.push(text(set.text(key, &values)));
    if !matches!(
        told.outcome,
        Outcome::Accepted | Outcome::Partial | Outcome::Corrected | Outcome::Duplicate | Outcome::Unclear
    ) {
        return;
    }
    if !report.rejected.is_empty() {
        let items = report.rejected.iter().take(NAMED_MAX).map(|rejected| {
            let code = spelled(&rejected.code).into_owned();
            let reason = why(set, told.checklist, rejected);
            let full = set.text(Key::Item, &[(Slot::Code, &code), (Slot::Reason, &reason)]);
            let lengths = (Length::of(&code), Length::of(&full));
            Item { bare: code, full: Some(full), lengths }
        });
        let items = items.collect();
        parts.push(Part::List(List::new(set, Key::Wrong, &[], items, report.rejected.len(), true)));
    }
    if told.outcome == Outcome::Unclear && report.rejected.is_empty() && report.leftover.is_empty() {
        parts.push(text(set.text(Key::Empty, &[])));
        return;
    }
    if !report.leftover.is_empty() {
        parts.push(text(leftover(set, &report.leftover)));
    }
    if told.outcome != Outcome::Duplicate {
        for (i, message) in told.check.iter().take(CHECKS_MAX).enumerate() {
            let said = set.text(Key::Check, &[(Slot::Text, &*spelled(message))]);
            let length = Length::of(&said);
            parts.push(if i == 0 { Part::Text(said, length) } else { Part::Extra(said, length, false) });
        }
        if !told.uncalled.is_empty() {
            let items = told.uncalled.iter().take(NAMED_MAX).map(|c| bare(c)).collect();
            parts.push(Part::List(List::new(set, Key::Uncalled, &[], items, told.uncalled.len(), true)));
        }
    }
    let missing: Vec<&String> =
        told.missing.iter().filter(|m| !report.rejected.iter().any(|r| r.code == **m)).collect();
    if !missing.is_empty() && told.outcome != Outcome::Unclear {
        let items = missing.iter().take(NAMED_MAX).map(|c| bare(c)).collect();
        parts.push(Part::List(List::new(set, Key::Missing, &[], items, missing.len(), false)));
    }
}

/// Chooses what is said and writes it.
fn compose(set: &Set, mut parts: Vec<Part>) -> String {
    let space = Length::of(" ");
    let total = |parts: &[Part]| {
        let mut sum = Length::default();
        let mut said = 0;
        for part in parts {
            let own = match part {
                Part::Text(_, length) | Part::Extra(_, length, true) => *length,
                Part::Extra(_, _, false) => continue,
                Part::List(list) => list.length(set),
            };
            said += 1;
            sum = sum.and(own);
        }
        sum.and(space.times(usize::max(said, 1) - 1))
    };
    let segments = (1..REPLY_SEGMENTS_MAX).find(|n| total(&parts).fits(*n)).unwrap_or(REPLY_SEGMENTS_MAX);
    let fits = |parts: &[Part]| total(parts).fits(segments);
    // Every wrong code, then what else rules say, then the reasons, then what is missing.
    for urgent in [true, false] {
        for i in 0..parts.len() {
            grow(&mut parts, i, |list| list.urgent == urgent && list.shown < list.items.len(), |l| &mut l.shown, &fits);
        }
        if urgent {
            for i in 0..parts.len() {
                if let Some(Part::Extra(_, _, said)) = parts.get_mut(i) {
                    *said = true;
                    let fit = fits(&parts);
                    if let Some(Part::Extra(_, _, said)) = parts.get_mut(i) {
                        *said = fit;
                    }
                }
            }
            for i in 0..parts.len() {
                let has_reason = |list: &List| list.items.get(list.reasons).is_some_and(|item| item.full.is_some());
                grow(&mut parts, i, |l| l.reasons < l.shown && has_reason(l), |l| &mut l.reasons, &fits);
            }
        }
    }
    let mut out = String::with_capacity(160);
    for part in &parts {
        if matches!(part, Part::Extra(_, _, false)) {
            continue;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        match part {
            Part::Text(text, _) | Part::Extra(text, ..) => out.push_str(text),
            Part::List(list) => list.write(set, &mut out),
        }
    }
    cut(out)
}

/// Makes a list one longer, again and again, while that fits.
fn grow(
    parts: &mut [Part],
    place: usize,
    may: impl Fn(&List) -> bool,
    count: impl Fn(&mut List) -> &mut usize,
    fits: &impl Fn(&[Part]) -> bool,
) {
    loop {
        let Some(Part::List(list)) = parts.get_mut(place) else { return };
        if !may(list) {
            return;
        }
        *count(list) += 1;
        if !fits(parts) {
            if let Some(Part::List(list)) = parts.get_mut(place) {
                *count(list) -= 1;
            }
            return;
        }
    }
}

/// Bounds a reply that nothing else made short enough.
fn cut(mut reply: String) -> String {
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
