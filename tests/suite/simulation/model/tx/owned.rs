//! Rows of a statement's columns, with what the model keeps of them.

use scrutineer::domain::order::{OrderKey, RecordKey};
use scrutineer::store::batch::Place;
use scrutineer::store::message::MessageRows;
use scrutineer::store::micros;
use scrutineer::store::outbox::ReplyRows;
use scrutineer::store::outbox_result::{ReceiptRows, ResultRows};
use scrutineer::store::submission::{RevisionRows, SubmissionRows};
use uuid::Uuid;

use super::super::tables::{Batch, Message, ReceiptForm, Reply, ResultRow, SECOND, Submission};

/// A batch of rows that are its own.
pub fn batch(
    place: Place,
    m: &MessageRows<'_>,
    s: &SubmissionRows<'_>,
    r: &RevisionRows<'_>,
    o: &ReplyRows<'_>,
    now_us: i64,
) -> Batch {
    let uuids = |literal: &str| {
        let bare = literal.trim_matches(['{', '}']);
        bare.split(',').filter_map(|id| id.trim_matches('"').parse::<Uuid>().ok()).collect::<Vec<_>>()
    };
    let message = |i: usize| Message {
        received_us: micros(m.received_at[i]),
        link: m.link[i].to_owned(),
        phone_id: m.phone_id[i],
        destination: m.destination[i].to_owned(),
        data_coding: m.data_coding[i],
        raw: m.raw[i].to_vec(),
        payload: m.payload[i].map(<[u8]>::to_vec),
        content_hash: m.content_hash[i].to_vec(),
        text: m.text[i].map(str::to_owned),
        outcome: m.outcome[i].to_owned(),
        election_id: m.election_id[i],
        observer_id: m.observer_id[i],
        submissions: uuids(&m.submissions[i]),
        whole: m.whole_spool[i].zip(m.whole_seq[i]),
        redelivered: 0,
        reply_id: m.reply_id[i],
    };
    let submission = |i: usize| {
        let record = RecordKey { spool: s.last_spool[i], sequence: s.last_sequence[i].cast_unsigned() };
        Submission {
            prefix: s.prefix[i].to_owned(),
            observer_id: s.observer_id[i],
            answers: serde_json::from_str(&s.answers[i]).unwrap(),
            comment: s.comment[i].map(str::to_owned),
            first_us: micros(s.first_received_at[i]),
            last: OrderKey { received_us: micros(s.last_received_at[i]), record },
            revisions: s.revisions[i],
        }
    };
    let revision = |i: usize| {
        let at = micros(r.received_at[i]);
        let key = (r.election_id[i], r.submission_id[i], at, r.spool[i], r.sequence[i], r.place[i]);
        (key, serde_json::from_str(&r.answers[i]).unwrap())
    };
    let reply = |i: usize| {
        let lease = (place.lease, now_us + i64::from(place.lease_seconds) * SECOND);
        let reply = Reply {
            spool_id: o.spool_id[i],
            sequence: o.sequence[i],
            phone_id: o.phone_id[i],
            link_group: o.link_group[i].to_owned(),
            source: o.source[i].to_owned(),
            text: o.text[i].to_owned(),
            state: o.state[i],
            attempt: 1,
            unknown_before: 0,
            created_us: now_us,
            due_us: now_us,
            expires_us: micros(o.expires_at[i]),
            lease: (o.state[i] == "leased").then_some(lease),
            message_id: None,
            sent_us: None,
            error: None,
            receipt: None,
            accepted: 0,
            went_before: false,
        };
        (o.id[i], reply)
    };
    Batch {
        spool_id: place.spool_id,
        lane: place.lane,
        through: place.through,
        messages: (0..m.sequence.len()).map(|i| (m.sequence[i], message(i))).collect(),
        submissions: (0..s.id.len()).map(|i| (s.is_new[i], (s.election_id[i], s.id[i]), submission(i))).collect(),
        revisions: (0..r.submission_id.len()).map(revision).collect(),
        replies: (0..o.id.len()).map(reply).collect(),
    }
}

/// The id of a further segment: row, place, id, group.
pub type Further = (Uuid, i16, String, String);

/// Results, and the ids of further segments.
pub fn results(rows: &ResultRows<'_>) -> (Vec<ResultRow>, Vec<Further>) {
    let result = |i: usize| ResultRow {
        id: rows.id[i],
        attempt: rows.attempt[i],
        state: rows.state[i],
        text: rows.text[i].map(str::to_owned),
        message_id: rows.message_id[i].map(str::to_owned),
        at_us: micros(rows.at[i]),
        error: rows.error[i].clone(),
        due_seconds: rows.due_seconds[i],
        receipt: rows.receipt[i].map(str::to_owned),
    };
    let segment = |i: usize| {
        let (id, group) = (rows.segment_message_id[i].to_owned(), rows.segment_group[i].to_owned());
        (rows.segment_id[i], rows.segment_place[i], id, group)
    };
    ((0..rows.id.len()).map(result).collect(), (0..rows.segment_id.len()).map(segment).collect())
}

/// Receipts, a form of an id each.
pub fn receipts(rows: &ReceiptRows) -> Vec<ReceiptForm> {
    let form = |i: usize| ReceiptForm {
        no: rows.receipt_no[i],
        form: rows.form[i].clone(),
        rank: rows.rank[i],
        link_group: rows.link_group[i].clone(),
        phone_id: rows.phone_id[i],
        receipt: rows.receipt[i].clone(),
        state: rows.state[i],
        at_us: micros(rows.at[i]),
    };
    (0..rows.form.len()).map(form).collect()
}
