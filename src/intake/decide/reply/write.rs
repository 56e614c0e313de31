//! What there is to say about a text, the most useful first.

use std::borrow::Cow;

use smallvec::SmallVec;
use smol_str::{SmolStr, format_smolstr};

use super::super::Understanding;
use super::compose::{Draft, cut};
use super::length::spelled;
use super::templates::{Filled, Key, Place, Replies, Slot};
use super::why;
use crate::domain::checklist::{Checklist, GrammarKind};
use crate::domain::outcome::Outcome;
use crate::domain::report::Report;

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
    pub missing: &'a [SmolStr],
    /// Answered though not asked.
    pub uncalled: &'a [&'a str],
    /// Messages of broken rules that the observer is asked about.
    pub check: &'a [String],
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
    let set = replies.set(&understanding.language);
    if told.is_empty() {
        let text: String = understanding.leftover.chars().take(QUOTED_CHARS).collect();
        return Some(set.text(Key::UnknownChecklist, &[(Slot::Text, Filled::Text(&spelled(&text)))]));
    }
    let mut draft = Draft::new(set);
    for one in told {
        say(&mut draft, one);
    }
    if !understanding.leftover.is_empty() {
        leftover(&mut draft, &understanding.leftover);
    }
    Some(draft.compose())
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

/// What somebody is told whose message could not be processed, and is kept.
pub(in crate::intake::decide) fn set_aside(replies: &Replies, language: &str) -> String {
    replies.set(language).text(Key::SetAside, &[])
}

/// How an observer's checklists stand: of each the prefix and what is missing, `None` when nothing came.
pub(in crate::intake::decide) fn status(
    replies: &Replies,
    language: &str,
    checklists: &[(&str, Option<Vec<SmolStr>>)],
) -> String {
    let set = replies.set(language);
    let mut draft = Draft::new(set);
    let mut frame = String::new();
    let (before, after) = set.around(&mut frame, Key::StatusList, Slot::List, &[]);
    let (before, after) = (frame.get(before.0..before.1), frame.get(after.0..after.1));
    for (i, (prefix, missing)) in checklists.iter().enumerate() {
        let lead = before.filter(|_| i == 0).unwrap_or_default();
        let end = if i + 1 == checklists.len() { after.unwrap_or_default() } else { ";" };
        let values = [(Slot::Prefix, Filled::Text(prefix))];
        let key = match missing.as_deref() {
            None => Key::StatusNothing,
            Some([]) => Key::StatusComplete,
            Some(codes) => {
                let first = bare(&mut draft, codes.iter().map(|code| Cow::Borrowed(code.as_str())));
                let from = draft.word(lead).0;
                let (before, after) = set.around(&mut draft.words, Key::StatusMissing, Slot::List, &values);
                let to = draft.word(end).1;
                let (before, after) = ((from, before.1), (after.0, to));
                draft.list((before, after), first, codes.len(), true);
                continue;
            }
        };
        let from = draft.word(lead).0;
        draft.fill(key, &values);
        let to = draft.word(end).1;
        draft.say((from, to));
    }
    draft.compose()
}

/// What observers know a question by: its code, or its number where they send numbers.
pub(in crate::intake::decide) fn named<'a>(checklist: Option<&Checklist>, code: &'a str) -> Cow<'a, str> {
    let keyed = checklist.filter(|c| c.grammar == GrammarKind::Keyed);
    let place = keyed.and_then(|c| c.questions.iter().position(|q| q.code == code));
    place.map_or(Cow::Borrowed(code), |place| Cow::Owned((place + 1).to_string()))
}

/// Codes as items without reasons; where they begin.
fn bare<'a>(draft: &mut Draft<'_>, codes: impl Iterator<Item = Cow<'a, str>>) -> usize {
    let first = draft.mark();
    for code in codes.take(NAMED_MAX) {
        let place = draft.word(&code);
        draft.item(place, None);
    }
    first
}

/// The words around a template's list.
fn around(draft: &mut Draft<'_>, key: Key) -> (Place, Place) {
    draft.set.around(&mut draft.words, key, Slot::List, &[])
}

fn leftover(draft: &mut Draft<'_>, left: &str) {
    let end = left.char_indices().nth(LEFTOVER_CHARS).map(|(end, _)| end);
    let quoted = left.get(..end.unwrap_or(left.len())).unwrap_or_default();
    let quoted = if end.is_some() { format_smolstr!("{quoted}...") } else { SmolStr::new(quoted) };
    draft.text(Key::Leftover, &[(Slot::Text, Filled::Text(&spelled(&quoted)))]);
}

/// The template that heads what is said about a report.
fn head(told: &Told<'_>) -> Key {
    let report = told.report;
    match told.outcome {
        Outcome::Accepted | Outcome::Partial if report.answers.is_empty() && report.comment.is_some() => Key::Comment,
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
    }
}

/// What is said about one report.
fn say(draft: &mut Draft<'_>, told: &Told<'_>) {
    let report = told.report;
    let observer = report.observer.as_deref().unwrap_or_default();
    let mut name = draft.word(&report.prefix);
    if !observer.is_empty() {
        draft.word(" ");
        name.1 = draft.word(observer).1;
    }
    let answers = match report.answers.len() {
        1 => draft.fill(Key::AnswersOne, &[]),
        n => draft.fill(Key::AnswersMany, &[(Slot::Count, Filled::Text(&format_smolstr!("{n}")))]),
    };
    let minutes = if told.minutes == 0 { SmolStr::new_static("0") } else { format_smolstr!("{}", told.minutes) };
    let values = [
        (Slot::Report, Filled::Said(name)),
        (Slot::Count, Filled::Text(&minutes)),
        (Slot::Answers, Filled::Said(answers)),
        (Slot::Prefix, Filled::Text(&report.prefix)),
        (Slot::Observer, Filled::Text(observer)),
        (Slot::Form, Filled::Text(told.instead.unwrap_or_default())),
        (Slot::Text, Filled::Said(name)),
    ];
    draft.text(head(told), &values);
    if !matches!(
        told.outcome,
        Outcome::Accepted | Outcome::Partial | Outcome::Corrected | Outcome::Duplicate | Outcome::Unclear
    ) {
        return;
    }
    if !report.rejected.is_empty() {
        let first = draft.mark();
        for rejected in report.rejected.iter().take(NAMED_MAX) {
            let code = named(told.checklist, &rejected.code);
            let bare = draft.word(&spelled(&code));
            let reason = why(draft.set, &mut draft.words, told.checklist, rejected);
            let full = draft.fill(Key::Item, &[(Slot::Code, Filled::Said(bare)), (Slot::Reason, Filled::Said(reason))]);
            draft.item(bare, Some(full));
        }
        let around = around(draft, Key::Wrong);
        draft.list(around, first, report.rejected.len(), true);
    }
    if told.outcome == Outcome::Unclear && report.rejected.is_empty() && report.leftover.is_empty() {
        draft.text(Key::Empty, &[]);
        return;
    }
    if !report.leftover.is_empty() {
        leftover(draft, &report.leftover);
    }
    if told.outcome != Outcome::Duplicate {
        for (i, message) in told.check.iter().take(CHECKS_MAX).enumerate() {
            let said = draft.fill(Key::Check, &[(Slot::Text, Filled::Text(&spelled(message)))]);
            if i == 0 { draft.say(said) } else { draft.say_too(said) }
        }
        if !told.uncalled.is_empty() {
            let first = bare(draft, told.uncalled.iter().map(|code| named(told.checklist, code)));
            let around = around(draft, Key::Uncalled);
            draft.list(around, first, told.uncalled.len(), true);
        }
    }
    if told.outcome == Outcome::Unclear {
        return;
    }
    let refused = |code: &str| report.rejected.iter().any(|r| r.code == code);
    let missing: SmallVec<[&str; 16]> = told.missing.iter().map(SmolStr::as_str).filter(|m| !refused(m)).collect();
    if !missing.is_empty() {
        let first = bare(draft, missing.iter().map(|code| named(told.checklist, code)));
        let around = around(draft, Key::Missing);
        draft.list(around, first, missing.len(), false);
    }
}
