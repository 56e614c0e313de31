//! Rows of what a batch, results and receipts write, made of their short forms.

use std::sync::{Arc, Mutex};

use scrutineer::store::batch::Place;
use scrutineer::store::message::MessageRows;
use scrutineer::store::outbox::ReplyRows;
use scrutineer::store::outbox_result::{ReceiptRows, ResultRows};
use scrutineer::store::submission::{RevisionRows, SubmissionRows};
use scrutineer::store::{StoreError, Tx};

use super::op::{NewMessage, NewReceipt, NewReply, NewResult, NewSubmission, uuid};
use super::perform::{GROUP, Keys, LEASE_SECONDS, apart, at, from_now, run, sorted};

pub(super) async fn write<T: Tx>(
    tx: &mut T,
    keys: &Arc<Mutex<Keys>>,
    spool: usize,
    through: Option<i64>,
    (messages, submissions, replies): (&[NewMessage], &[NewSubmission], &[NewReply]),
    shift: i64,
) -> Result<String, StoreError> {
    let (place, phones, rows) = {
        let k = keys.lock().unwrap();
        let place = Place {
            spool_id: k.spools[spool],
            spool: run(spool),
            lease: run(spool),
            lease_seconds: LEASE_SECONDS,
            lane: 1,
            through,
        };
        let whole: Vec<Option<(i32, i64)>> = messages.iter().map(|m| m.whole.map(|row| k.row(row))).collect();
        (place, k.phones.clone(), whole)
    };
    let raws: Vec<Vec<u8>> = messages.iter().map(|m| vec![m.raw; 20]).collect();
    let comments: Vec<Option<String>> = submissions.iter().map(|s| s.comment.map(|c| format!("comment {c}"))).collect();
    let texts: Vec<String> = replies.iter().map(|r| format!("text {}", r.text)).collect();
    let mut m = MessageRows::default();
    for ((message, raw), whole) in messages.iter().zip(&raws).zip(rows) {
        m.sequence.push(message.sequence);
        m.received_at.push(apart(message.sequence));
        m.link.push("link");
        m.phone_id.push(phones[message.phone]);
        m.destination.push("4040");
        m.esm_class.push(0);
        m.data_coding.push(0);
        m.raw.push(raw);
        m.payload.push(None);
        m.content_hash.push(&raw[..16]);
        m.text.push(Some("text"));
        m.outcome.push(message.outcome);
        m.election_id.push(Some(1));
        m.observer_id.push(None);
        m.reading.push(None);
        let ids = message.submissions.iter().map(|s| uuid(1, *s));
        m.submissions.push(scrutineer::store::array_literal(ids));
        m.whole_spool.push(whole.map(|w| w.0));
        m.whole_seq.push(whole.map(|w| w.1));
        m.reply_id.push(message.reply.map(|r| uuid(2, r)));
    }
    let (mut s, mut r) = (SubmissionRows::default(), RevisionRows::default());
    for (new, comment) in submissions.iter().zip(&comments) {
        let answers = format!(r#"{{"AA":{}}}"#, new.answer);
        s.is_new.push(new.is_new);
        s.election_id.push(1);
        s.id.push(uuid(1, new.which));
        s.checklist_id.push(1);
        s.prefix.push("PS");
        s.kind.push("checklist");
        s.observer_id.push(1);
        s.station_id.push(None);
        s.serial.push(None);
        s.answers.push(answers.clone());
        s.missing.push(0);
        s.broken_rules.push("{}".to_owned());
        s.comment.push(comment.as_deref());
        s.first_received_at.push(at(new.at));
        s.last_received_at.push(at(new.at));
        s.last_spool.push(run(spool));
        s.last_sequence.push(new.sequence);
        s.revisions.push(new.revisions);
        if new.revision {
            r.election_id.push(1);
            r.submission_id.push(uuid(1, new.which));
            r.received_at.push(apart(new.at));
            r.spool.push(run(spool));
            r.sequence.push(new.sequence);
            r.place.push(0);
            r.answers.push(answers);
            r.replaced.push(None);
            r.comment.push(None);
        }
    }
    let mut o = ReplyRows::default();
    for (new, text) in replies.iter().zip(&texts) {
        o.id.push(uuid(2, new.which));
        o.spool_id.push(place.spool_id);
        o.sequence.push(new.sequence);
        o.phone_id.push(phones[new.phone]);
        o.link_group.push(GROUP);
        o.source.push("4040");
        o.text.push(text);
        o.state.push(new.state);
        o.expires_at.push(from_now(shift + new.expires));
    }
    let written = tx.write(place, &m, &s, &r, &o).await?;
    Ok(format!("{} {:?}", written.is_whole, sorted(written.sent_before)))
}

/// Texts and ids, as strings that live as long as they are needed.
const TEXTS: [&str; 3] = ["text 0", "text 1", "text 2"];
const IDS: [&str; 4] = ["id0", "id1", "id2", "id3"];

pub(super) fn result_rows(results: &[NewResult]) -> ResultRows<'static> {
    let mut rows = ResultRows::default();
    let now = from_now(0);
    for new in results {
        let id = uuid(2, new.which);
        rows.id.push(id);
        rows.attempt.push(new.attempt);
        rows.state.push(new.state);
        rows.text.push(new.text.map(|text| TEXTS[usize::from(text)]));
        rows.message_id.push(new.message_id.map(|i| IDS[usize::from(i)]));
        rows.error.push((new.state == "refused").then(|| "refused".to_owned()));
        rows.at.push(now);
        rows.due_seconds.push(new.due_seconds);
        rows.receipt.push(new.receipt);
        rows.receipt_at.push(new.receipt.map(|_| at(0)));
        if let Some(segment) = new.segment {
            rows.segment_id.push(id);
            rows.segment_message_id.push(IDS[usize::from(segment)]);
            rows.segment_group.push(GROUP);
            rows.segment_place.push(2);
        }
    }
    rows
}

pub(super) fn receipt_rows(receipts: &[NewReceipt], phone: impl Fn(usize) -> i64) -> ReceiptRows {
    let mut rows = ReceiptRows::default();
    for new in receipts {
        rows.receipt_no.push(new.no);
        rows.form.push(format!("id{}", new.form));
        rows.rank.push(new.rank);
        rows.link_group.push(GROUP.to_owned());
        rows.phone_id.push(new.phone.map(&phone));
        rows.receipt.push(format!("word {}", new.no));
        rows.state.push(new.state);
        rows.at.push(at(new.at));
    }
    rows
}
