//! The notice to a sender whose message is set aside: we have it, the answer follows. It is a reply with a key
//! of its own, so that the answer, once the message is processed again, goes out once like any other.

use super::answer::submit;
use super::*;
use crate::intake::gather::of_item;
use crate::intake::reassemble::single;
use crate::outbox::reply_id::notice_id;
use crate::store::message::MessageRows;
use crate::store::submission::{RevisionRows, SubmissionRows};

impl<L: Ledger> Work<'_, L> {
    /// The notice, where one is to be sent: to a phone that is known, the first time.
    pub(super) fn notice(&self, text: &Text, phone_id: i64) -> Option<Submit> {
        if self.how.mute || self.how.again || phone_id == 0 {
            return None;
        }
        let notice = judge::notice(&incoming(text), &self.known.books, &self.session.replies)?;
        Some(submit(notice_id(text.first, bucket(&text.phone)), text, &notice))
    }

    /// Of a record that is kept without a row: its notice, when it was not kept before. A part of a longer
    /// text gets none, as nobody knows what the whole is.
    pub(super) async fn notice_of_bare(&mut self, tx: &mut L::Tx) -> Result<(), StoreError> {
        if !self.how.bare || self.how.mute || self.newly_aside == 0 {
            return Ok(());
        }
        let Some((sms, mobile)) = self.items.first().and_then(Item::sms).filter(|(sms, _)| sms.part.is_none()) else {
            return Ok(());
        };
        let Some(phone_id) = self.session.phones.get(&sms.phone) else { return Ok(()) };
        self.phones = HashMap::from([(sms.phone.clone(), phone_id)]);
        self.stopped = tx.lock_submissions(&[], &[], &[], &[phone_id]).await?.stopped.into_iter().collect();
        let text = of_item(self.items, 0, single(mobile));
        let why = self.how.set_aside.unwrap_or_default().to_owned();
        let judged = self.settle(vec![(text, Err(why))], &mut PresentStates::default(), &HashMap::new());
        let replies = rows::replies(&judged, self.place.spool_id);
        if replies.id.is_empty() {
            return Ok(());
        }
        let place = Place { through: None, ..self.place };
        let (messages, submissions, revisions) =
            (MessageRows::default(), SubmissionRows::default(), RevisionRows::default());
        let written = tx.write(place, &messages, &submissions, &revisions, &replies).await?;
        if !written.is_whole || !written.sent_before.is_empty() {
            // It stands or went already: its place comes free.
            self.done.sent_before.extend(self.done.submits.drain(..).map(|submit| submit.id));
        }
        Ok(())
    }
}
