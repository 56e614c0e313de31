//! What was decided, as the columns that one statement writes.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::decide::{Decision, SubmissionChange};
use super::gather::{Stands, Text};
use super::item::Item;
use crate::domain::checklist::Kind as ChecklistKind;
use crate::domain::outcome::Outcome;
use crate::handoff::message::Submit;
use crate::store::message::{Finished, MessageRows};
use crate::store::outbox::ReplyRows;
use crate::store::submission::{RevisionRows, SubmissionRows};
use crate::store::{array_literal, instant};

/// A text with what became of it.
#[derive(Debug)]
pub struct Judged {
    /// The text.
    pub text: Text,
    /// The decision, or why it could not be made: the message is then set aside.
    pub decision: Result<Decision, String>,
    /// JSON of [`Decision::reading`].
    pub reading: String,
    /// Key in `phone`.
    pub phone_id: i64,
    /// The reply, or the notice that it was set aside, with the state in which it is stored.
    pub reply: Option<(Submit, &'static str)>,
    /// Key of each change's submission.
    pub submissions: Vec<Uuid>,
}

impl Judged {
    /// The message's outcome.
    pub fn outcome(&self) -> Outcome {
        self.decision.as_ref().map_or(Outcome::SetAside, |d| d.outcome)
    }

    /// The text as it is kept: an authentication code in it stands in the bytes alone.
    pub fn shown(&self) -> &str {
        let shown = self.decision.as_ref().ok().and_then(|d| d.shown.as_deref());
        shown.unwrap_or(&self.text.whole.text)
    }

    /// What is to be written on the row of a part that was stored earlier.
    pub fn finished(&self) -> Option<Finished<'_>> {
        let Stands::Stored { spool_id, record } = &self.text.stands else { return None };
        let decision = self.decision.as_ref().ok();
        Some(Finished {
            record: (*spool_id, record.sequence.cast_signed()),
            text: self.shown(),
            outcome: self.outcome().as_str(),
            election_id: decision.and_then(|d| d.election),
            observer_id: decision.and_then(|d| d.observer),
            reading: self.reading.clone(),
            submissions: &self.submissions,
            reply_id: self.reply.as_ref().map(|(submit, _)| submit.id),
        })
    }
}

/// A message's row before it is known what became of its text.
struct Row<'a> {
    outcome: Outcome,
    judged: Option<&'a Judged>,
    whole: Option<(i32, i64)>,
    reply: Option<Uuid>,
}

/// Rows of the messages among `chosen`; `aside` has those that are set aside.
pub fn messages<'a>(
    items: &'a [Item],
    chosen: &[usize],
    aside: &BTreeMap<usize, String>,
    judged: &'a [Judged],
    phone_of: impl Fn(&str) -> Option<i64>,
    spool_id: i32,
) -> MessageRows<'a> {
    let mut by_item: BTreeMap<usize, Row<'a>> = BTreeMap::new();
    for one in judged {
        let whole = match &one.text.stands {
            Stands::Item(at) => {
                let reply = one.reply.as_ref().map(|(submit, _)| submit.id);
                by_item.insert(*at, Row { outcome: one.outcome(), judged: Some(one), whole: None, reply });
                items.get(*at).map(|i| (spool_id, i.record.sequence.cast_signed()))
            }
            Stands::Stored { spool_id, record } => Some((*spool_id, record.sequence.cast_signed())),
        };
        for part in &one.text.parts {
            by_item.insert(*part, Row { outcome: Outcome::Segment, judged: None, whole, reply: None });
        }
    }
    let mut rows = MessageRows::default();
    for &at in chosen {
        let Some(item) = items.get(at) else { continue };
        let Some((sms, mobile)) = item.sms() else { continue };
        let Some(phone_id) = phone_of(&sms.phone) else { continue };
        let row = match by_item.remove(&at) {
            row if aside.contains_key(&at) => {
                let reply = row.and_then(|r| r.reply);
                Row { outcome: Outcome::SetAside, judged: None, whole: None, reply }
            }
            Some(row) => row,
            None => Row { outcome: Outcome::Segment, judged: None, whole: None, reply: None },
        };
        let decision = row.judged.and_then(|j| j.decision.as_ref().ok());
        rows.sequence.push(item.record.sequence.cast_signed());
        rows.received_at.push(item.at);
        rows.link.push(&item.record.link);
        rows.phone_id.push(phone_id);
        rows.destination.push(&sms.destination);
        rows.esm_class.push(i16::from(mobile.esm_class));
        rows.data_coding.push(i16::from(mobile.data_coding));
        rows.raw.push(&mobile.short_message);
        rows.payload.push(mobile.payload.as_deref());
        rows.content_hash.push(&sms.hash);
        rows.text.push(row.judged.map(Judged::shown));
        rows.outcome.push(row.outcome.as_str());
        rows.election_id.push(decision.and_then(|d| d.election));
        rows.observer_id.push(decision.and_then(|d| d.observer));
        rows.reading.push(row.judged.map(|j| j.reading.as_str()));
        rows.submissions.push(row.judged.map_or_else(|| "{}".to_owned(), |j| array_literal(&j.submissions)));
        rows.whole_spool.push(row.whole.map(|(spool, _)| spool));
        rows.whole_seq.push(row.whole.map(|(_, sequence)| sequence));
        rows.reply_id.push(row.reply);
    }
    rows
}

/// A submission that the batch touches, while its changes are followed.
struct Touched<'a> {
    last: &'a SubmissionChange,
    is_new: bool,
    revisions: i32,
    first_us: i64,
    comment: Option<&'a str>,
}

/// Rows of submissions, in the order of their keys, and of revisions. `stored` says how many revisions
/// a submission had before the batch.
pub fn submissions<'a>(judged: &'a [Judged], stored: impl Fn(Uuid) -> i32) -> (SubmissionRows<'a>, RevisionRows<'a>) {
    let mut revisions = RevisionRows::default();
    let mut touched: BTreeMap<(i32, Uuid), Touched<'a>> = BTreeMap::new();
    for one in judged {
        let Ok(decision) = &one.decision else { continue };
        for (change, &id) in decision.changes.iter().zip(&one.submissions) {
            let order = change.assertion.order;
            let entry = touched.entry((change.key.election, id)).or_insert_with(|| {
                let before = stored(id);
                Touched {
                    last: change,
                    is_new: before == 0,
                    revisions: before,
                    first_us: order.received_us,
                    comment: None,
                }
            });
            entry.last = change;
            entry.revisions += 1;
            entry.first_us = entry.first_us.min(order.received_us);
            // An older report's comment never takes the place of a newer one's.
            if change.comment.is_some() && change.after.last == Some(order) {
                entry.comment = change.comment.as_deref();
            }
            revisions.election_id.push(change.key.election);
            revisions.submission_id.push(id);
            revisions.received_at.push(instant(order.received_us));
            revisions.spool.push(order.record.spool);
            revisions.sequence.push(order.record.sequence.cast_signed());
            revisions.place.push(i16::try_from(change.place).unwrap_or(i16::MAX));
            revisions.answers.push(json(&change.assertion.answers));
            revisions.replaced.push((!change.change.replaced.is_empty()).then(|| json(&change.change.replaced)));
            revisions.comment.push(change.comment.as_deref());
        }
    }
    let mut rows = SubmissionRows::default();
    for ((election, id), t) in touched {
        let Some(last) = t.last.after.last else { continue };
        rows.is_new.push(t.is_new);
        rows.election_id.push(election);
        rows.id.push(id);
        rows.checklist_id.push(t.last.checklist.id);
        rows.prefix.push(&t.last.key.prefix);
        rows.kind.push(match t.last.checklist.kind {
            ChecklistKind::Checklist => "checklist",
            ChecklistKind::Incident => "incident",
        });
        rows.observer_id.push(t.last.key.observer);
        rows.station_id.push(t.last.station);
        rows.serial.push(t.last.key.serial.as_deref());
        rows.answers.push(json(&t.last.after.answers));
        rows.missing.push(i16::try_from(t.last.missing.len()).unwrap_or(i16::MAX));
        rows.broken_rules.push(array_literal(&t.last.broken_rules));
        rows.comment.push(t.comment);
        rows.first_received_at.push(instant(t.first_us));
        rows.last_received_at.push(instant(last.received_us));
        rows.last_spool.push(last.record.spool);
        rows.last_sequence.push(last.record.sequence.cast_signed());
        rows.revisions.push(t.revisions);
    }
    (rows, revisions)
}

/// Rows of replies.
pub fn replies(judged: &[Judged], own_spool: i32) -> ReplyRows<'_> {
    let mut rows = ReplyRows::default();
    for one in judged {
        let Some((submit, state)) = &one.reply else { continue };
        rows.id.push(submit.id);
        rows.spool_id.push(match &one.text.stands {
            Stands::Item(_) => own_spool,
            Stands::Stored { spool_id, .. } => *spool_id,
        });
        rows.sequence.push(one.text.order.record.sequence.cast_signed());
        rows.phone_id.push(one.phone_id);
        rows.link_group.push(&submit.group);
        rows.source.push(&submit.source);
        rows.text.push(&submit.text);
        rows.state.push(state);
        rows.expires_at.push(instant(submit.expires_us));
    }
    rows
}

/// JSON. Texts have no NUL when they are decided on, so none is in it.
pub fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}
