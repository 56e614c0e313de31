//! What a text changes, and its outcome.

use smallvec::SmallVec;
use smol_str::SmolStr;

use super::reply::{self, Told};
use super::{Command, Decision, KnownReport, PresentStates, Reading, Replies, SubmissionChange, Understanding};
use crate::domain::checklist::Severity;
use crate::domain::checklist::formula::Facts;
use crate::domain::outcome::Outcome;
use crate::domain::report::Report;
use crate::domain::submission::Assertion;

/// Applies a text to the present state of the submissions that it touches (a submission that is not in
/// `present` is new), brings `present` up to date, and writes the reply.
pub fn settle(understanding: &Understanding, present: &mut PresentStates, replies: &Replies) -> Decision {
    let mut changes: SmallVec<[SubmissionChange; 1]> = SmallVec::with_capacity(understanding.known.len());
    let mut asides: SmallVec<[Aside<'_>; 1]> = SmallVec::new();
    for known in &understanding.known {
        let (change, aside) = report(understanding, known, present);
        changes.push(change);
        asides.push(aside);
    }
    let mut told: SmallVec<[Told<'_>; 1]> = SmallVec::new();
    for ((known, change), aside) in understanding.known.iter().zip(&changes).zip(&asides) {
        told.push(Told {
            outcome: aside.outcome,
            report: &known.report,
            checklist: Some(&known.checklist),
            instead: None,
            minutes: 0,
            missing: &change.missing,
            uncalled: &aside.uncalled,
            check: &aside.check,
        });
    }
    let quiet = understanding.unknown.iter().any(|u| u.quiet);
    told.extend(understanding.unknown.iter().filter(|u| !u.quiet).map(|u| Told {
        outcome: u.outcome,
        report: &u.report,
        checklist: u.checklist.as_deref(),
        instead: u.instead.as_deref(),
        minutes: u.minutes,
        missing: &[],
        uncalled: &[],
        check: &[],
    }));
    let outcome = understanding
        .refused
        .or_else(|| {
            let unknown = understanding.unknown.iter().map(|u| u.outcome);
            asides.iter().map(|a| a.outcome).chain(unknown).max_by_key(|o| rank(*o))
        })
        .unwrap_or(Outcome::UnknownChecklist);
    let outcome =
        if outcome == Outcome::Accepted && !understanding.leftover.is_empty() { Outcome::Partial } else { outcome };
    let reply = match understanding.command {
        Some(command) => Some(answer(understanding, command, present, replies)),
        None if told.is_empty() && quiet => None,
        None => reply::write(replies, understanding, outcome, &told),
    };
    drop(told);
    Decision {
        outcome,
        election: understanding.election,
        observer: understanding.observer,
        reading: Reading::new(understanding),
        reply,
        shown: understanding.shown.clone(),
        silence: match understanding.command {
            Some(Command::Stop) => Some(true),
            Some(Command::Start) => Some(false),
            _ => None,
        },
        changes,
    }
}

/// What the reply needs to know of a report beside its change.
struct Aside<'a> {
    outcome: Outcome,
    uncalled: Vec<&'a str>,
    /// What rules say to the observer.
    check: Vec<String>,
}

fn report<'a>(
    understanding: &Understanding,
    known: &'a KnownReport,
    present: &mut PresentStates,
) -> (SubmissionChange, Aside<'a>) {
    let state = present.entry(known.key.clone()).or_default();
    let assertion = Assertion { order: understanding.order, answers: known.report.answers.clone() };
    let change = state.submission.apply(&assertion, &state.history);
    let is_new = state.revisions == 0;
    state.history.push(assertion.clone());
    state.revisions += 1;
    let comment = &known.report.comment;
    let same_comment = comment.is_none() || *comment == state.comment;
    if comment.is_some() && state.submission.last == Some(understanding.order) {
        state.comment.clone_from(comment);
    }
    let after = state.submission.clone();
    let facts = Facts { answers: &after.answers, figures: &known.figures };
    let missing: Vec<SmolStr> = known.logic.missing(facts).cloned().collect();
    let uncalled: Vec<&'a str> = {
        let codes = known.logic.uncalled(facts);
        codes.filter_map(|code| known.checklist.question(code)).map(|q| q.code.as_str()).collect()
    };
    let mut check = known.refusals.clone();
    let mut broken_rules: Vec<String> = Vec::new();
    for broken in known.logic.broken(facts) {
        if broken.rule.severity != Severity::Warning {
            check.push(broken.message(&understanding.language, &facts));
        }
        broken_rules.push(broken.rule.name.clone());
    }
    broken_rules.extend(uncalled.iter().map(|code| format!("applies:{code}")));
    let outcome = if is_complaint(&known.report) {
        Outcome::Partial
    } else if is_new {
        Outcome::Accepted
    } else if !change.replaced.is_empty() {
        Outcome::Corrected
    } else if change.added == 0 && same_comment {
        Outcome::Duplicate
    } else {
        Outcome::Accepted
    };
    let change = SubmissionChange {
        key: known.key.clone(),
        checklist: known.checklist.clone(),
        station: known.station.map(|s| s.id),
        place: known.place,
        assertion,
        change,
        after,
        missing,
        broken_rules,
        comment: comment.clone(),
    };
    (change, Aside { outcome, uncalled, check })
}

/// The answer to a command.
fn answer(understanding: &Understanding, command: Command, present: &PresentStates, replies: &Replies) -> String {
    let language = &understanding.language;
    if command != Command::Status || understanding.asks.is_empty() {
        return reply::command(replies, language, command.word(), understanding.help.as_deref());
    }
    let stands: Vec<(&str, Option<Vec<SmolStr>>)> = understanding
        .asks
        .iter()
        .map(|ask| {
            let state = present.get(&ask.key).filter(|p| p.revisions > 0);
            let missing = state.map(|p| {
                let facts = Facts { answers: &p.submission.answers, figures: &ask.figures };
                ask.logic.missing(facts).map(|code| reply::named(Some(&ask.checklist), code).into()).collect()
            });
            (ask.key.prefix.as_str(), missing)
        })
        .collect();
    reply::status(replies, language, &stands)
}

/// Something that was sent is not recorded, and the observer must hear of it.
pub(super) fn is_complaint(report: &Report) -> bool {
    !report.rejected.is_empty() || !report.leftover.is_empty()
}

/// How much an observer must do about an outcome: of several reports in one text the worst decides.
pub(super) fn rank(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Duplicate => 0,
        Outcome::Accepted => 1,
        Outcome::Corrected => 2,
        Outcome::Partial => 3,
        Outcome::Unclear => 4,
        Outcome::UnknownChecklist => 5,
        Outcome::UnknownObserver => 6,
        Outcome::Unverified | Outcome::Held | Outcome::WrongCode | Outcome::Locked => 7,
        Outcome::Outdated => 8,
        Outcome::Draft | Outcome::Paused | Outcome::Closed => 9,
        Outcome::Command | Outcome::Ignored | Outcome::Segment | Outcome::SetAside => 10,
    }
}
