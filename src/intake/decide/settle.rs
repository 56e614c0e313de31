//! What a text changes, and its outcome.

use super::reply::{self, Told};
use super::{Decision, PresentStates, Replies, SubmissionChange, Understanding};
use crate::domain::checklist::Severity;
use crate::domain::checklist::formula::Facts;
use crate::domain::checklist::logic::Check;
use crate::domain::outcome::Outcome;
use crate::domain::report::Report;
use crate::domain::submission::Assertion;

/// Applies a text to the present state of the submissions that it touches (a submission that is not in
/// `present` is new), brings `present` up to date, and writes the reply.
pub fn settle(understanding: &Understanding, present: &mut PresentStates, replies: &Replies) -> Decision {
    let mut changes = Vec::with_capacity(understanding.known.len());
    let mut told = Vec::with_capacity(understanding.known.len());
    for known in &understanding.known {
        let state = present.entry(known.key.clone()).or_default();
        let assertion = Assertion { order: understanding.order, answers: known.report.answers.clone() };
        let change = state.submission.apply(&assertion, &state.history);
        let is_new = state.revisions == 0;
        state.history.push(assertion.clone());
        state.revisions += 1;
        let after = state.submission.clone();
        let facts = Facts { answers: &after.answers, figures: &known.figures };
        let missing: Vec<String> = known.logic.missing(facts).map(str::to_owned).collect();
        let uncalled: Vec<&str> = known.logic.uncalled(facts).collect();
        let broken: Vec<&Check> = known.logic.broken(facts).collect();
        let mut check = known.refusals.clone();
        check.extend(
            broken
                .iter()
                .filter(|c| c.rule.severity != Severity::Warning)
                .map(|c| c.message(&understanding.language, &facts)),
        );
        let outcome = if is_complaint(&known.report) {
            Outcome::Partial
        } else if is_new {
            Outcome::Accepted
        } else if !change.replaced.is_empty() {
            Outcome::Corrected
        } else if change.added.is_empty() && known.report.comment.is_none() {
            Outcome::Duplicate
        } else {
            Outcome::Accepted
        };
        told.push(Told {
            outcome,
            report: &known.report,
            checklist: Some(&known.checklist),
            instead: None,
            missing: missing.clone(),
            uncalled: uncalled.iter().map(|c| (*c).to_owned()).collect(),
            check,
        });
        changes.push(SubmissionChange {
            key: known.key.clone(),
            checklist: known.checklist.clone(),
            station: known.station.map(|s| s.id),
            place: known.place,
            assertion,
            change,
            missing,
            broken_rules: broken
                .iter()
                .map(|c| c.rule.name.clone())
                .chain(uncalled.iter().map(|code| format!("applies:{code}")))
                .collect(),
            comment: known.report.comment.clone(),
            after,
        });
    }
    told.extend(understanding.unknown.iter().map(|u| Told {
        outcome: u.outcome,
        report: &u.report,
        checklist: None,
        instead: u.instead.as_deref(),
        missing: Vec::new(),
        uncalled: Vec::new(),
        check: Vec::new(),
    }));
    let outcome = understanding
        .refused
        .or_else(|| told.iter().map(|t| t.outcome).max_by_key(|o| rank(*o)))
        .unwrap_or(Outcome::UnknownChecklist);
    let outcome =
        if outcome == Outcome::Accepted && !understanding.leftover.is_empty() { Outcome::Partial } else { outcome };
    Decision {
        outcome,
        election: understanding.election,
        observer: understanding.observer,
        reading: reading(understanding),
        reply: reply::write(replies, understanding, outcome, &told),
        changes,
    }
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
        Outcome::Unverified | Outcome::Held => 7,
        Outcome::Outdated => 8,
        Outcome::Draft | Outcome::Paused | Outcome::Closed => 9,
        Outcome::Command | Outcome::Ignored | Outcome::Segment | Outcome::SetAside => 10,
    }
}

/// For staff, as stored with the message.
fn reading(understanding: &Understanding) -> serde_json::Value {
    let mut out = serde_json::json!({
        "reports": understanding.known.iter().map(|k| &k.report).collect::<Vec<_>>(),
        "unknown": understanding.unknown.iter().map(|u| serde_json::json!({"outcome": u.outcome, "report": u.report})).collect::<Vec<_>>(),
        "notes": understanding.notes,
    });
    if let Some(fields) = out.as_object_mut() {
        if !understanding.leftover.is_empty() {
            fields.insert("leftover".to_owned(), understanding.leftover.clone().into());
        }
        if let Some(comment) = &understanding.comment {
            fields.insert("comment".to_owned(), comment.clone().into());
        }
        if let Some(command) = &understanding.command {
            fields.insert("command".to_owned(), command.clone().into());
        }
    }
    out
}
