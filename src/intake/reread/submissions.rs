//! Submissions brought together anew: the fold of all that counts, judged as if the newest report had
//! just come.

use std::collections::{BTreeMap, HashSet};

use uuid::Uuid;

use super::super::decide::{Present, PresentStates, Replies, SubmissionChange, Understanding};
use super::super::judge;
use super::super::roster::Known;
use super::{Read, text, understand};
use crate::domain::checklist::Kind;
use crate::domain::order::OrderKey;
use crate::domain::submission::{Assertion, Submission};
use crate::domain::value::Answers;
use crate::intake::rows::json;
use crate::store::submission::SubmissionRows;
use crate::store::{StoreError, Tx, array_literal, instant};

/// What counts for each submission, in the order of receipt.
#[derive(Debug, Default)]
pub(super) struct Assertions {
    answers: BTreeMap<Uuid, Vec<Assertion>>,
    comments: BTreeMap<Uuid, BTreeMap<OrderKey, String>>,
}

impl Assertions {
    pub(super) fn add(&mut self, id: Uuid, assertion: Assertion) {
        let list = self.answers.entry(id).or_default();
        let at = list.partition_point(|a| a.order <= assertion.order);
        list.insert(at, assertion);
    }

    pub(super) fn comment(&mut self, id: Uuid, order: OrderKey, comment: String) {
        self.comments.entry(id).or_default().insert(order, comment);
    }

    /// The comment that stood when a message came.
    pub(super) fn comment_before(&self, id: Uuid, order: OrderKey) -> Option<String> {
        self.comments.get(&id)?.range(..order).next_back().map(|(_, comment)| comment.clone())
    }

    /// Those of older messages.
    pub(super) fn before(&self, id: Uuid, order: OrderKey) -> Vec<Assertion> {
        self.of(id).iter().take_while(|a| a.order < order).cloned().collect()
    }

    fn of(&self, id: Uuid) -> &[Assertion] {
        self.answers.get(&id).map_or(&[], Vec::as_slice)
    }
}

/// What is to be written of submissions.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Whole rows: is it new, the change, how many reports it has, when the first came.
    whole: Vec<(bool, Uuid, SubmissionChange, i32, i64)>,
    /// Answers alone.
    pub(super) bare: Vec<(i32, Uuid, Answers, OrderKey)>,
}

impl Rows {
    pub(super) fn columns(&self) -> SubmissionRows<'_> {
        let mut rows = SubmissionRows::default();
        for (is_new, id, change, revisions, first_us) in &self.whole {
            let Some(last) = change.after.last else { continue };
            rows.is_new.push(*is_new);
            rows.election_id.push(change.key.election);
            rows.id.push(*id);
            rows.checklist_id.push(change.checklist.id);
            rows.prefix.push(&change.key.prefix);
            rows.kind.push(match change.checklist.kind {
                Kind::Checklist => "checklist",
                Kind::Incident => "incident",
            });
            rows.observer_id.push(change.key.observer);
            rows.station_id.push(change.station);
            rows.serial.push(change.key.serial.as_deref());
            rows.answers.push(json(&change.after.answers));
            rows.missing.push(i16::try_from(change.missing.len()).unwrap_or(i16::MAX));
            rows.broken_rules.push(array_literal(&change.broken_rules));
            rows.comment.push(change.comment.as_deref());
            rows.first_received_at.push(instant(*first_us));
            rows.last_received_at.push(instant(last.received_us));
            rows.last_spool.push(last.record.spool);
            rows.last_sequence.push(last.record.sequence.cast_signed());
            rows.revisions.push(*revisions);
        }
        rows
    }
}

/// Folds what counts. A submission of which nothing is left is not among them.
pub(super) async fn bring_together<T: Tx>(
    tx: &mut T,
    known: &Known,
    replies: &Replies,
    wanted: &[(i32, Uuid)],
    stored: &HashSet<Uuid>,
    assertions: &Assertions,
    read: &[Read],
) -> Result<Rows, StoreError> {
    let here = |order: OrderKey| read.iter().find(|r| r.order == order).map(|r| r.understanding.clone());
    // The newest reports of messages that are not read now are understood once more, to be judged with.
    let mut elsewhere: Vec<(Uuid, i64)> = wanted
        .iter()
        .filter_map(|(_, id)| assertions.of(*id).last())
        .filter(|a| here(a.order).is_none())
        .map(|a| (a.order.record.spool, a.order.record.sequence.cast_signed()))
        .collect();
    elsewhere.sort_unstable();
    elsewhere.dedup();
    let mut others: Vec<Understanding> = Vec::with_capacity(elsewhere.len());
    for row in tx.texts(&elsewhere).await? {
        if let Ok(whole) = text::of(tx, &row, None).await? {
            others.extend(understand(known, &row, &whole.text, whole.gaps, true));
        }
    }
    let mut rows = Rows::default();
    for (election, id) in wanted {
        let all = assertions.of(*id);
        let Some((last, older)) = all.split_last() else { continue };
        let understanding = here(last.order).or_else(|| others.iter().find(|u| u.order == last.order).cloned());
        let revisions = i32::try_from(all.len()).unwrap_or(i32::MAX);
        match understanding.and_then(|u| judged(u, *id, last, older, replies)) {
            Some(change) => {
                let first = all.first().map_or(0, |a| a.order.received_us);
                rows.whole.push((!stored.contains(id), *id, change, revisions, first));
            }
            None => rows.bare.push((*election, *id, Submission::fold(all).answers, last.order)),
        }
    }
    Ok(rows)
}

/// The submission after its newest report.
fn judged(
    mut understanding: Understanding,
    id: Uuid,
    last: &Assertion,
    older: &[Assertion],
    replies: &Replies,
) -> Option<SubmissionChange> {
    understanding.known.retain(|k| k.key.id() == id);
    understanding.known.truncate(1);
    let report = understanding.known.first_mut()?;
    std::sync::Arc::make_mut(&mut report.report).answers = last.answers.clone();
    let revisions = i32::try_from(older.len()).unwrap_or(i32::MAX);
    let state = Present { submission: Submission::fold(older), history: older.into(), revisions, comment: None };
    let mut present: PresentStates = [(report.key.clone(), state)].into_iter().collect();
    judge::settle(&understanding, &mut present, replies).ok()?.changes.into_iter().next()
}
