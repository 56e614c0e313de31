//! Submissions, and what a batch writes.

use std::collections::BTreeMap;
use std::sync::Arc;

use scrutineer::domain::order::{OrderKey, RecordKey};
use scrutineer::domain::submission::Assertion;
use uuid::Uuid;

use super::{Batch, EarlyResult, Submission, Tables};

/// What a row says of a reply that went before it was written, where it is not known in which words.
pub const WENT_BEFORE: &str = "it went before the database lost its last commits, perhaps as another text";
/// And where it went in other words than were decided anew.
pub const WENT_SO: &str =
    "it went so before the database lost its last commits; decided anew, its words would be others";

impl Tables {
    pub fn history(&self, elections: &[i32], ids: &[Uuid]) -> Vec<(Uuid, Assertion)> {
        let mut all = Vec::new();
        for (election, id) in elections.iter().zip(ids) {
            for ((e, s, at, spool, sequence, place), answers) in &self.revisions {
                if (e, s) == (election, id) {
                    let record = RecordKey { spool: *spool, sequence: sequence.cast_unsigned() };
                    let order = OrderKey { received_us: *at, record };
                    all.push((*id, *place, Assertion { order, answers: (**answers).clone() }));
                }
            }
        }
        all.sort_by_key(|(id, place, a)| (*id, a.order, *place));
        all.into_iter().map(|(id, _, a)| (id, a)).collect()
    }

    /// Does all of it go in? What was there already is not counted.
    pub fn fits(&self, batch: &Batch) -> bool {
        batch.messages.iter().all(|(s, _)| !self.messages.contains_key(&(batch.spool_id, *s)))
            && batch.submissions.iter().all(|(is_new, key, _)| *is_new != self.submissions.contains_key(key))
            && batch.revisions.iter().all(|(key, _)| !self.revisions.contains_key(key))
    }

    /// Replies of the batch that went before, as the database knew before it lost its last commits.
    pub fn sent_before(&self, batch: &Batch) -> BTreeMap<Uuid, EarlyResult> {
        let early = |(id, _): &(Uuid, _)| Some((*id, self.early_results.get(id)?.clone()));
        batch.replies.iter().filter_map(early).collect()
    }

    /// Writes it; `sent_before` is what the statement saw.
    pub fn write(&mut self, batch: &Batch, sent_before: &BTreeMap<Uuid, EarlyResult>) {
        self.early_results.retain(|id, _| !sent_before.contains_key(id));
        if let Some(through) = batch.through {
            self.watermarks.insert((batch.spool_id, batch.lane), through);
        }
        for (sequence, row) in &batch.messages {
            self.messages.entry((batch.spool_id, *sequence)).or_insert_with(|| Arc::new(row.clone()));
        }
        for (is_new, key, row) in &batch.submissions {
            match self.submissions.get_mut(key) {
                None if *is_new => {
                    self.submissions.insert(*key, Arc::new(row.clone()));
                }
                Some(there) if !is_new => {
                    let there = Arc::make_mut(there);
                    *there = Submission {
                        prefix: there.prefix.clone(),
                        observer_id: there.observer_id,
                        comment: row.comment.clone().or(there.comment.take()),
                        first_us: there.first_us.min(row.first_us),
                        ..row.clone()
                    };
                }
                _ => {}
            }
        }
        for (key, answers) in &batch.revisions {
            self.revisions.entry(*key).or_insert_with(|| Arc::new(answers.clone()));
        }
        for (id, reply) in &batch.replies {
            let before = sent_before.get(id);
            self.outbox.entry(*id).or_insert_with(|| {
                let mut reply = reply.clone();
                if let Some((attempt, message_id, at_us, text)) = before {
                    (reply.state, reply.lease, reply.attempt) = ("sent", None, *attempt);
                    (reply.sent_us, reply.went_before) = (Some(*at_us), text.is_none());
                    reply.error = match text {
                        None => Some(WENT_BEFORE.to_owned()),
                        Some(text) => (*text != reply.text).then(|| WENT_SO.to_owned()),
                    };
                    reply.text = text.clone().unwrap_or(reply.text);
                    (reply.message_id, reply.accepted) = (message_id.clone(), 1 << (attempt - 1));
                }
                Arc::new(reply)
            });
        }
    }
}
