//! A record that was set aside, processed again: through the same decision and the same statements as
//! the first time, in one transaction with the request that asks for it.

use serde_json::{Value, json};

use super::*;
use crate::domain::order::OrderKey;
use crate::handoff::message::Record;
use crate::intake::gather::StoredPart;
use crate::intake::reassemble;
use crate::store::StaffTx;
use crate::store::message::Finished;
use crate::store::outbox::ReplyRows;
use crate::store::request::{Closed, Open};
use crate::store::set_aside::Kept;
use crate::store::submission::{RevisionRows, SubmissionRows};

/// What became of one text.
#[derive(Debug)]
pub(super) struct Told {
    order: OrderKey,
    value: Value,
    error: Option<String>,
}

impl Told {
    pub(super) fn new(judged: &Judged) -> Self {
        let order = judged.text.order;
        let mut value = json!({
            "message": order.record.to_string(),
            "text": judged.shown(),
            "outcome": judged.outcome().as_str(),
        });
        if let (Ok(decision), Some(fields)) = (&judged.decision, value.as_object_mut()) {
            fields.insert("reading".to_owned(), decision.reading.json());
            fields.insert("submissions".to_owned(), json!(judged.submissions));
            if let Some((submit, state)) = &judged.reply {
                fields.insert("reply".to_owned(), json!({"text": submit.text, "state": state}));
            }
        }
        Self { order, value, error: judged.decision.as_ref().err().cloned() }
    }
}

/// What came of a request to process a record again.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// It was carried out; the request is closed.
    Done,
    /// Another worker has it, or it was closed before.
    Gone,
    /// Nothing was changed; the request is to be closed so, with this.
    Nothing(Closed, Value),
}

/// Processes a record that was set aside again, and closes the request. With `preview`, all is done
/// and then undone.
pub async fn again<L: Ledger>(
    session: &Session<L>,
    request: &Open,
    kept: &Kept,
    preview: bool,
) -> Result<(Done, Answer), Trouble> {
    let unreadable = |error: postcard::Error| {
        let why = format!("the record can't be read by this version of the program: {error}");
        (Done::default(), Answer::Nothing(Closed::Failed, json!({"error": why})))
    };
    let record: Record = match postcard::from_bytes(&kept.record) {
        Ok(record) => record,
        Err(error) => return Ok(unreadable(error)),
    };
    let mut parts = Vec::with_capacity(kept.parts.len());
    for part in &kept.parts {
        match postcard::from_bytes::<Record>(part) {
            Ok(part) => parts.push(part),
            Err(error) => return Ok(unreadable(error)),
        }
    }
    let items = [Item::new(kept.spool, record, 0)];
    let how = How { look_for_stored: true, distrust: true, again: true, ..How::default() };
    let phones = phone_ids(session, &items).await?;
    let mut work = Work::new(session, (kept.spool_id, kept.spool), &items, how, phones);
    let mut answer = Answer::Gone;
    let again = Again { work: &mut work, request, kept, parts, preview, answer: &mut answer };
    let result = session.store.transact(session.store.deadline() * 2, again).await;
    if let Answer::Nothing(..) = &answer {
        // Undone on purpose.
        return Ok((Done::default(), answer));
    }
    Ok((work.conclude(result)?, answer))
}

struct Again<'w, 'a, L> {
    work: &'w mut Work<'a, L>,
    request: &'w Open,
    kept: &'w Kept,
    parts: Vec<Record>,
    preview: bool,
    answer: &'w mut Answer,
}

impl<L: Ledger> Transaction<L::Tx> for Again<'_, '_, L> {
    type Output = ();

    async fn run(self, tx: &mut L::Tx) -> Result<(), StoreError> {
        let Self { work, request, kept, parts, preview, answer } = self;
        if !tx.lock_request(request.id).await? {
            *answer = Answer::Gone;
            return Ok(());
        }
        let mut undo = |how, value| {
            *answer = Answer::Nothing(how, value);
            StoreError::GivenUp
        };
        if !tx.take_set_aside(kept.spool_id, kept.sequence).await? {
            return Err(undo(Closed::Refused, json!({"error": "it is not set aside any more"})));
        }
        work.process_again(tx, parts).await?;
        let error = work.told.iter().find_map(|t| t.error.clone()).or_else(|| work.aside.values().next().cloned());
        if let Some(error) = error {
            return Err(undo(Closed::Failed, json!({"error": error})));
        }
        work.told.sort_by_key(|t| t.order);
        let told: Vec<Value> = work.told.iter().map(|t| t.value.clone()).collect();
        let result = json!({"preview": preview, "texts": told});
        if preview {
            return Err(undo(Closed::Done, result));
        }
        if !tx.close_request(request.id, Closed::Done, &result).await? {
            return Err(undo(Closed::Refused, json!({"error": "the request was closed meanwhile"})));
        }
        *answer = Answer::Done;
        Ok(())
    }
}

impl<L: Ledger> Work<'_, L> {
    /// Everything that the record would have done the first time.
    async fn process_again(&mut self, tx: &mut L::Tx, parts: Vec<Record>) -> Result<(), StoreError> {
        let items = self.items;
        let Some(item) = items.first() else { return Ok(()) };
        match &item.kind {
            Kind::Sms(_) => {}
            Kind::Undecodable | Kind::Broken(_) | Kind::Corrupt => {
                self.messages(tx).await?;
                return Ok(());
            }
            Kind::Receipt { .. } | Kind::Result | Kind::Redelivery { .. } => {
                self.results(tx).await?;
                return self.redeliveries(tx).await;
            }
        }
        // Its row is there, but for a record whose row was refused as well.
        let missing = self.messages(tx).await?;
        if !self.aside.is_empty() {
            return Ok(());
        }
        if !missing.is_empty() {
            let aside = BTreeMap::from([(0, String::new())]);
            let phones = &self.phones;
            let phone = |phone: &str| phones.get(phone).copied();
            let rows = rows::messages(items, &missing, &aside, &[], phone, self.place.spool_id);
            let (submissions, revisions, replies) =
                (SubmissionRows::default(), RevisionRows::default(), ReplyRows::default());
            if !tx.write(self.place, &rows, &submissions, &revisions, &replies).await?.is_whole {
                return Err(self.give_up(Trouble::Lost));
            }
        }
        let record = Box::new(item.record.clone());
        let spool_id = self.place.spool_id;
        let mut gathered = if parts.is_empty() {
            gather(tx, items, &[0], false, (spool_id, item.order.record.spool)).await?
        } else {
            self.whole(parts)
        };
        let mut stands = false;
        for text in &mut gathered.texts {
            if matches!(text.stands, Stands::Item(_)) {
                text.stands = Stands::Stored { spool_id, record: record.clone() };
                stands = true;
            }
        }
        if !stands {
            // A part of a text that is not whole yet, or that was processed without it.
            let row = Finished {
                record: (spool_id, item.record.sequence.cast_signed()),
                text: "",
                outcome: Outcome::Segment.as_str(),
                election_id: None,
                observer_id: None,
                reading: "{}".to_owned(),
                submissions: &[],
                reply_id: None,
            };
            tx.finish(&row).await?;
            self.told.push(Told {
                order: item.order,
                value: json!({"message": item.order.record.to_string(), "outcome": Outcome::Segment.as_str()}),
                error: None,
            });
        }
        self.judge_and_write(tx, gathered, &[]).await
    }

    /// The text that the record made with parts that were kept with it.
    fn whole(&self, parts: Vec<Record>) -> Gathered {
        let mut gathered = Gathered::default();
        let Some(item) = self.items.first() else { return gathered };
        let others: Vec<Item> = parts.into_iter().map(|record| Item::new(item.order.record.spool, record, 0)).collect();
        let mut mobiles = BTreeMap::new();
        let mut total = 1;
        for part in others.iter().chain([item]) {
            if let Some((sms, mobile)) = part.sms() {
                let number = sms.part.as_ref().map_or(1, |p| p.part);
                total = sms.part.as_ref().map_or(total, |p| p.set.total);
                mobiles.insert(number, mobile);
            }
        }
        let mut text = super::super::gather::of_item(self.items, 0, reassemble::join(&mobiles, total));
        // Their rows point to this record already.
        text.stored_parts = Vec::<StoredPart>::new();
        gathered.texts.push(text);
        gathered
    }
}
