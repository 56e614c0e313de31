//! Results and receipts of a batch as rows: merged where a text's result and receipt came together, so
//! that its row is written once.

use std::collections::HashMap;

use time::OffsetDateTime;
use uuid::Uuid;

use super::receipt::Receipt;
use crate::handoff::message::{NotSent, SubmitOutcome, SubmitResult};
use crate::limits::{REPLY_RETRY_SECONDS, SUBMIT_SEGMENTS_MAX};
use crate::store::outbox_result::{EarlyReceipt, ReceiptRows, ResultRows};

/// A result with where and when it came from.
#[derive(Debug, Clone, Copy)]
pub struct ResultRecord<'a> {
    /// Group of the link.
    pub group: &'a str,
    /// When the gateway knew.
    pub at: OffsetDateTime,
    /// The result.
    pub result: &'a SubmitResult,
    /// The text as it went, where that is known.
    pub text: Option<&'a str>,
}

/// A receipt with where and when it came from.
#[derive(Debug, Clone)]
pub struct ReceiptRecord<'a> {
    /// Group of the link.
    pub group: &'a str,
    /// When it came.
    pub at: OffsetDateTime,
    /// What it says.
    pub receipt: &'a Receipt,
    /// Key of the phone that it names, where it is known.
    pub phone_id: Option<i64>,
}

/// Results as rows, in rounds: of one reply each round has one, as they were given. Receipts that
/// belong to a result of this batch are taken out of `receipts`.
pub fn results<'a>(records: &[ResultRecord<'a>], receipts: &mut Vec<ReceiptRecord<'a>>) -> Vec<ResultRows<'a>> {
    let mut rounds: Vec<ResultRows<'a>> = Vec::new();
    let mut seen: HashMap<Uuid, usize> = HashMap::new();
    // Where the result stands that named an id: round and place in it.
    let mut named: HashMap<(&'a str, &'a str), (usize, usize)> = HashMap::new();
    for record in records {
        // Says what went, not what came of it.
        if matches!(record.result.outcome, SubmitOutcome::Otherwise { .. }) {
            continue;
        }
        let round = seen.entry(record.result.id).and_modify(|n| *n += 1).or_insert(0);
        if rounds.len() <= *round {
            rounds.push(ResultRows::default());
        }
        let Some(rows) = rounds.get_mut(*round) else { continue };
        // A text of several segments waits for the receipts of all.
        if let SubmitOutcome::Accepted { message_ids } = &record.result.outcome
            && let [first] = message_ids.as_slice()
            && !first.is_empty()
        {
            named.insert((record.group, first), (*round, rows.id.len()));
        }
        push(rows, record);
    }
    receipts.retain(|r| {
        let Some(state) = r.receipt.state.filter(|_| r.receipt.ids.same_as_it_came()) else { return true };
        let place = named.get(&(r.group, r.receipt.message_id.as_str()));
        let Some((rows, at)) = place.and_then(|(round, at)| rounds.get_mut(*round).map(|rows| (rows, *at))) else {
            return true;
        };
        if let (Some(s), Some(word), Some(when)) =
            (rows.state.get_mut(at), rows.receipt.get_mut(at), rows.receipt_at.get_mut(at))
        {
            *s = state;
            *word = Some(&r.receipt.word);
            *when = Some(r.at);
        }
        false
    });
    rounds
}

fn push<'a>(rows: &mut ResultRows<'a>, record: &ResultRecord<'a>) {
    let (result, text) = (record.result, record.text.filter(|text| !text.contains('\0')));
    let (state, error, due) = match &result.outcome {
        SubmitOutcome::Accepted { .. } => ("sent", None, 0),
        SubmitOutcome::Refused { status } => ("refused", Some(format!("command_status 0x{status:08X}")), 0),
        SubmitOutcome::NotSent { reason: NotSent::Expired } => {
            ("expired", Some("expired before it was sent".into()), 0)
        }
        SubmitOutcome::NotSent { reason: NotSent::Impossible } => {
            ("refused", Some("cannot be sent: too long, or no such link group".into()), 0)
        }
        SubmitOutcome::NotSent { reason: NotSent::NoLink } => ("due", Some("no link".into()), REPLY_RETRY_SECONDS),
        SubmitOutcome::NotSent { reason: NotSent::Stopping } => ("due", None, 0),
        SubmitOutcome::Unknown | SubmitOutcome::Otherwise { .. } => ("unknown", Some("no response came".into()), 0),
    };
    let mut first = None;
    if let SubmitOutcome::Accepted { message_ids } = &result.outcome {
        // An SMSC may leave ids empty: then there is nothing that a receipt could name.
        first = message_ids.first().map(String::as_str).filter(|id| usable(id));
        let several = if message_ids.len() > 1 { message_ids.as_slice() } else { &[] };
        for (place, id) in several.iter().enumerate().take(SUBMIT_SEGMENTS_MAX).filter(|(_, id)| usable(id)) {
            rows.segment_id.push(result.id);
            rows.segment_message_id.push(id);
            rows.segment_group.push(record.group);
            rows.segment_place.push(i16::try_from(place + 1).unwrap_or(i16::MAX));
        }
    }
    rows.id.push(result.id);
    rows.attempt.push(i16::try_from(result.attempt).unwrap_or(i16::MAX));
    rows.state.push(state);
    rows.text.push(text);
    rows.message_id.push(first);
    rows.error.push(error);
    rows.at.push(record.at);
    rows.due_seconds.push(due);
    rows.receipt.push(None);
    rows.receipt_at.push(None);
}

fn usable(id: &str) -> bool {
    !id.is_empty() && !id.contains('\0')
}

/// Receipts as rows, each with the forms in which its id may have been written.
pub fn receipts(records: &[ReceiptRecord<'_>]) -> ReceiptRows {
    let mut rows = ReceiptRows::default();
    for (no, r) in records.iter().enumerate() {
        for (form, rank) in r.receipt.forms() {
            rows.receipt_no.push(i32::try_from(no).unwrap_or(i32::MAX));
            rows.form.push(form);
            rows.rank.push(rank);
            rows.link_group.push(r.group.to_owned());
            rows.phone_id.push(r.phone_id);
            rows.receipt.push(r.receipt.word.clone());
            rows.state.push(r.receipt.state);
            rows.at.push(r.at);
        }
    }
    rows
}

/// Those of the receipts that found no row, to be kept until their results come.
pub fn early(records: &[ReceiptRecord<'_>], found: &[i32]) -> Vec<EarlyReceipt> {
    let found: std::collections::HashSet<i32> = found.iter().copied().collect();
    records
        .iter()
        .enumerate()
        .filter(|(no, _)| i32::try_from(*no).is_ok_and(|no| !found.contains(&no)))
        .map(|(_, r)| EarlyReceipt {
            link_group: r.group.to_owned(),
            message_id: r.receipt.message_id.clone(),
            receipt: r.receipt.word.clone(),
            phone_id: r.phone_id,
            received_at: r.at,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(n: u128, ids: &[&str]) -> SubmitResult {
        let message_ids = ids.iter().map(|s| (*s).to_owned()).collect();
        SubmitResult { id: Uuid::from_u128(n), attempt: 1, outcome: SubmitOutcome::Accepted { message_ids } }
    }

    #[test]
    fn a_receipt_that_came_with_its_result_is_merged_into_it() {
        let at = OffsetDateTime::UNIX_EPOCH;
        let (one, two) = (accepted(1, &["a", "b"]), accepted(2, &["c"]));
        let records = [&one, &two].map(|result| ResultRecord { group: "main", at, result, text: None });
        let said = |id: &str| Receipt::new(id.to_owned(), "DELIVRD".to_owned());
        let (for_two, for_other) = (said("c"), said("x"));
        let mut receipts =
            [&for_two, &for_other].map(|receipt| ReceiptRecord { group: "main", at, receipt, phone_id: None }).to_vec();
        let rounds = results(&records, &mut receipts);
        assert_eq!(rounds.len(), 1);
        assert_eq!(rounds[0].state, ["sent", "delivered"]);
        assert_eq!(rounds[0].segment_message_id, ["a", "b"]);
        assert_eq!(receipts.len(), 1);
        assert_eq!(early(&receipts, &[])[0].message_id, "x");
    }

    #[test]
    fn two_results_of_one_reply_are_applied_one_after_the_other() {
        let at = OffsetDateTime::UNIX_EPOCH;
        let unknown = SubmitResult { id: Uuid::from_u128(1), attempt: 1, outcome: SubmitOutcome::Unknown };
        let late = accepted(1, &["a"]);
        let records = [&unknown, &late].map(|result| ResultRecord { group: "main", at, result, text: None });
        let rounds = results(&records, &mut Vec::new());
        assert_eq!(rounds.iter().map(|r| r.state[0]).collect::<Vec<_>>(), ["unknown", "sent"]);
    }
}
