//! Compares what PostgreSQL holds with what the day's generator says a right system holds: every
//! text once, in order, with its outcome and a reply; every submission with its answers.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde::Serialize;

use crate::domain::outcome::Outcome;
use crate::domain::value::{Answers, Value};
use crate::generator::{Event, ExpectedReport, Form};
use crate::store::account::{StoredMessage, StoredSubmission};

/// Differences that are told in full.
const SHOWN_MAX: usize = 20;

/// What the comparison came to.
#[derive(Debug, Default, Serialize)]
pub(super) struct Findings {
    /// Texts sent.
    pub(super) texts: u64,
    /// Texts stored, each just once and in order, as it was sent.
    pub(super) stored: u64,
    /// Texts that are not there.
    pub(super) missing: u64,
    /// Texts that are there though nobody sent them, or once too often.
    pub(super) surplus: u64,
    /// Texts with another outcome than expected.
    pub(super) other_outcome: u64,
    /// Texts that were due a reply and have none that was sent.
    pub(super) without_reply: u64,
    /// Stored texts by outcome.
    pub(super) outcomes: BTreeMap<String, u64>,
    /// Replies by state.
    pub(super) replies: BTreeMap<String, u64>,
    /// Submissions expected.
    pub(super) submissions: u64,
    /// Submissions that are there with just the answers expected.
    pub(super) submissions_right: u64,
    /// Submissions that are not expected.
    pub(super) submissions_surplus: u64,
    /// Answers expected in all submissions.
    pub(super) answers: u64,
    /// Some differences, in words.
    pub(super) differences: Vec<String>,
}

impl Findings {
    /// All is as expected.
    pub(super) fn is_right(&self) -> bool {
        self.stored == self.texts
            && self.submissions_right == self.submissions
            && self.missing + self.surplus + self.other_outcome + self.without_reply + self.submissions_surplus == 0
    }

    fn differ(&mut self, what: impl FnOnce() -> String) {
        if self.differences.len() < SHOWN_MAX {
            self.differences.push(what());
        }
    }

    /// Compares the texts, phone by phone in the order of receipt.
    pub(super) fn texts(&mut self, events: impl Iterator<Item = Event>, stored: &[StoredMessage]) {
        let mut by_phone: HashMap<String, VecDeque<&StoredMessage>> = HashMap::new();
        for message in stored {
            by_phone.entry(message.phone.clone()).or_default().push_back(message);
            *self.outcomes.entry(message.outcome.clone()).or_default() += 1;
            if let Some(state) = &message.reply {
                *self.replies.entry(state.clone()).or_default() += 1;
            }
        }
        for event in events {
            self.texts += 1;
            let list = by_phone.entry(event.phone.clone()).or_default();
            let Some(at) = list.iter().position(|m| m.text == event.text) else {
                self.missing += 1;
                self.differ(|| format!("not stored: {}", quoted(&event.text)));
                continue;
            };
            if at > 0 {
                self.differ(|| format!("out of order: {}", quoted(&event.text)));
            }
            let Some(message) = list.remove(at) else { continue };
            self.stored += 1;
            if message.outcome != event.expected.outcome.as_str() {
                self.other_outcome += 1;
                let (is, due) = (message.outcome.clone(), event.expected.outcome);
                self.differ(|| format!("{is} in place of {due}: {}", quoted(&event.text)));
            }
            let sent = matches!(message.reply.as_deref(), Some("sent" | "delivered" | "unknown"));
            if event.expected.answered && !sent {
                self.without_reply += 1;
                let state = message.reply.clone().unwrap_or_else(|| "none".to_owned());
                self.differ(|| format!("reply {state}: {}", quoted(&event.text)));
            }
        }
        for message in by_phone.into_values().flatten() {
            self.surplus += 1;
            self.differ(|| format!("stored once too often: {}", quoted(&message.text)));
        }
    }

    /// Compares the submissions.
    pub(super) fn submissions(&mut self, events: impl Iterator<Item = Event>, stored: Vec<StoredSubmission>) {
        let mut expected = fold(events);
        self.submissions = expected.values().map(|list| list.len() as u64).sum();
        self.answers = expected.values().flatten().map(|answers| answers.len() as u64).sum();
        for submission in stored {
            let key = (submission.prefix.clone(), submission.observer.clone());
            let answers: Answers = serde_json::from_value(submission.answers).unwrap_or_default();
            let list = expected.entry(key).or_default();
            if let Some(at) = list.iter().position(|due| *due == answers) {
                list.swap_remove(at);
                self.submissions_right += 1;
            } else {
                self.submissions_surplus += 1;
                let due = list.first().map(|due| difference(due, &answers));
                self.differ(|| {
                    let what = due.unwrap_or_else(|| "not expected at all".to_owned());
                    format!("{} of {}: {what}", submission.prefix, submission.observer)
                });
            }
        }
        for ((prefix, observer), list) in expected {
            for _ in list {
                self.differ(|| format!("{prefix} of {observer}: not there as expected"));
            }
        }
    }
}

fn quoted(text: &str) -> String {
    let short: String = text.chars().take(90).collect();
    format!("`{}`", short.replace('\n', "\\n"))
}

fn difference(due: &Answers, is: &Answers) -> String {
    let show = |value: Option<&Option<Value>>| value.map_or_else(|| "nothing".to_owned(), |v| format!("{v:?}"));
    due.keys().chain(is.keys()).find(|code| due.get(code) != is.get(code)).map_or_else(String::new, |code| {
        format!("{code} is {} in place of {}", show(is.get(code)), show(due.get(code)))
    })
}

/// What the texts make together: one submission a checklist and observer, one for each incident.
fn fold(events: impl Iterator<Item = Event>) -> BTreeMap<(String, String), Vec<Answers>> {
    let mut all: BTreeMap<(String, String), Vec<Answers>> = BTreeMap::new();
    for event in events {
        let incident_again = event.expected.outcome == Outcome::Duplicate;
        for ExpectedReport { form, observer, answers, .. } in event.expected.reports {
            let list = all.entry((form.prefix().to_owned(), observer)).or_default();
            if form == Form::Incident {
                if !incident_again {
                    list.push(answers);
                }
            } else if let Some(one) = list.first_mut() {
                one.extend(answers);
            } else {
                list.push(answers);
            }
        }
    }
    all
}

#[cfg(test)]
mod whole_day;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::Day;

    fn stored(day: &Day) -> (Vec<StoredMessage>, Vec<StoredSubmission>) {
        let messages = day
            .events()
            .map(|e| StoredMessage {
                phone: e.phone,
                text: e.text,
                outcome: e.expected.outcome.as_str().to_owned(),
                reply: Some("delivered".to_owned()),
            })
            .collect();
        let submissions = fold(day.events())
            .into_iter()
            .flat_map(|((prefix, observer), list)| {
                list.into_iter().map(move |answers| StoredSubmission {
                    prefix: prefix.clone(),
                    kind: String::new(),
                    observer: observer.clone(),
                    answers: serde_json::to_value(answers).unwrap(),
                })
            })
            .collect();
        (messages, submissions)
    }

    fn findings(day: &Day, messages: &[StoredMessage], submissions: Vec<StoredSubmission>) -> Findings {
        let mut findings = Findings::default();
        findings.texts(day.events(), messages);
        findings.submissions(day.events(), submissions);
        findings
    }

    #[test]
    fn a_day_stored_as_expected_is_right_and_each_fault_is_found() {
        let day = Day::new(2, 600, 60, 0.1);
        let (messages, submissions) = stored(&day);
        let right = findings(&day, &messages, submissions.clone());
        assert!(right.is_right(), "{right:?}");

        let lost = findings(&day, &messages[1..], submissions.clone());
        assert_eq!((lost.missing, lost.is_right()), (1, false));
        let mut doubled = messages.clone();
        doubled.push(messages[3].clone());
        assert_eq!(findings(&day, &doubled, submissions.clone()).surplus, 1);
        let mut silent = messages.clone();
        silent[5].reply = Some("due".to_owned());
        assert_eq!(findings(&day, &silent, submissions.clone()).without_reply, 1);
        let mut other = messages.clone();
        other[0].outcome = "ignored".to_owned();
        assert_eq!(findings(&day, &other, submissions.clone()).other_outcome, 1);
        let mut wrong = submissions;
        let code = wrong[0].answers.as_object().unwrap().keys().next().unwrap().clone();
        wrong[0].answers[&code] = serde_json::json!(77_777);
        let wrong = findings(&day, &messages, wrong);
        assert_eq!((wrong.submissions_surplus, wrong.is_right()), (1, false));
    }
}
