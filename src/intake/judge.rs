//! The pure decision behind a wall: a panic in it costs one message, not the batch.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::decide::{Decision, Incoming, PresentStates, Understanding};
use crate::domain::roster::Roster;

/// What a text means; an error says that the decision itself broke.
pub fn understand(incoming: &Incoming<'_>, roster: &Roster) -> Result<Understanding, String> {
    guarded(|| stand_in::understand(incoming, roster))
}

/// What it changes and what is answered.
pub fn settle(
    incoming: &Incoming<'_>,
    understanding: &Understanding,
    roster: &Roster,
    present: &PresentStates,
) -> Result<Decision, String> {
    guarded(|| stand_in::settle(incoming, understanding, roster, present))
}

fn guarded<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|panic| {
        let what = panic
            .downcast_ref::<&str>()
            .map(|s| (*s).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned());
        format!("panic while deciding: {what}")
    })
}

mod stand_in {
    use std::sync::Arc;

    use super::super::decide::{Decision, Incoming, KnownReport, PresentStates, SubmissionChange, Understanding};
    use crate::domain::outcome::Outcome;
    use crate::domain::report::Report;
    use crate::domain::roster::Roster;
    use crate::domain::submission::{Assertion, SubmissionKey};
    use crate::domain::value::Value;

    pub(super) fn understand(incoming: &Incoming<'_>, roster: &Roster) -> Understanding {
        let mut u = Understanding {
            refused: Some(Outcome::UnknownChecklist),
            election: None,
            observer: None,
            known: vec![],
            unknown: vec![],
            language: "en".to_owned(),
            command: None,
        };
        let text = incoming.text.split('@').next().unwrap_or("").replace(' ', "");
        assert!(!text.contains("BOOM"), "boom");
        let mut rest = text.as_str();
        let take = |rest: &mut &str, f: fn(&char) -> bool| {
            let s: String = rest.chars().take_while(f).collect();
            *rest = &rest[s.len()..];
            s
        };
        let prefix = take(&mut rest, char::is_ascii_uppercase);
        let code = take(&mut rest, char::is_ascii_digit);
        for book in &roster.books {
            let Some(checklist) = book.checklists.get(&prefix) else { continue };
            u.election = Some(book.election.id);
            let Some(observer) = book.observer(&code) else {
                u.refused = Some(Outcome::UnknownObserver);
                return u;
            };
            let mut report = Report { prefix: prefix.clone(), observer: Some(code.clone()), ..Report::default() };
            while !rest.is_empty() {
                let q = take(&mut rest, char::is_ascii_uppercase);
                let v = take(&mut rest, char::is_ascii_digit);
                let Ok(n) = v.parse() else { break };
                report.answers.insert(q, Some(Value::Number(n)));
            }
            u.refused = None;
            u.observer = Some(observer.id);
            u.known.push(KnownReport {
                key: SubmissionKey {
                    election: book.election.id,
                    prefix,
                    observer: observer.id,
                    serial: None,
                    incident: None,
                },
                checklist: Arc::clone(checklist),
                station: observer.station,
                report,
            });
            return u;
        }
        u
    }

    pub(super) fn settle(
        incoming: &Incoming<'_>,
        u: &Understanding,
        _roster: &Roster,
        present: &PresentStates,
    ) -> Decision {
        let mut changes = vec![];
        let mut outcome = u.refused.unwrap_or(Outcome::Duplicate);
        for known in &u.known {
            let p = present.get(&known.key).cloned().unwrap_or_default();
            let assertion = Assertion { order: incoming.order, answers: known.report.answers.clone() };
            let mut after = p.submission.clone();
            let change = after.apply(&assertion, &p.history);
            if p.revisions == 0 {
                outcome = Outcome::Accepted;
            } else if !change.is_empty() {
                outcome = Outcome::Corrected;
            }
            let missing = known
                .checklist
                .required_codes()
                .filter(|c| !after.answers.contains_key(*c))
                .map(str::to_owned)
                .collect();
            changes.push(SubmissionChange {
                key: known.key.clone(),
                checklist: Arc::clone(&known.checklist),
                station: known.station.map(|s| s.id),
                place: 0,
                assertion,
                change,
                after,
                missing,
                broken_rules: vec![],
                comment: None,
            });
        }
        let reading = serde_json::json!({"reports": u.known.iter().map(|k| &k.report).collect::<Vec<_>>()});
        Decision {
            outcome,
            election: u.election,
            observer: u.observer,
            changes,
            reading,
            reply: Some(format!("{outcome}: thank you")),
        }
    }
}
