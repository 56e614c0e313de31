//! What a slice of messages read anew comes to, written: replies, readings with their revisions, and the
//! submissions as they are now.

use serde_json::json;
use uuid::Uuid;

use super::submissions::Rows;
use super::{Of, Read, Slice};
use crate::domain::outcome::Outcome;
use crate::intake::batch::Trouble;
use crate::intake::item;
use crate::limits::REPLY_EXPIRES_SECONDS;
use crate::store::batch::Place;
use crate::store::message::MessageRows;
use crate::store::outbox::ReplyRows;
use crate::store::reading::{NewRevision, ReadAnew};
use crate::store::sender::SenderChange;
use crate::store::submission::RevisionRows;
use crate::store::{Ledger, StaffTx, StoreError, Tx, instant};

impl<L: Ledger> Slice<'_, L> {
    /// Writes all of it; the submissions that it touches are `elections` and `ids`.
    pub(super) async fn write(
        &mut self,
        tx: &mut L::Tx,
        read: &[Read],
        rows: &Rows,
        (elections, ids): (&[i32], &[Uuid]),
    ) -> Result<(), StoreError> {
        let mut replies = ReplyRows::default();
        let texts: Vec<String> = read
            .iter()
            .map(|r| r.reply.as_ref().map(|(_, text)| item::clean(text.clone())).unwrap_or_default())
            .collect();
        let expires = instant(self.session.world.now_us().saturating_add(REPLY_EXPIRES_SECONDS * 1_000_000));
        for (one, text) in read.iter().zip(&texts) {
            let Some((id, _)) = &one.reply else { continue };
            replies.id.push(*id);
            replies.spool_id.push(one.row.spool_id);
            replies.sequence.push(one.row.sequence);
            replies.phone_id.push(one.row.phone_id);
            replies.link_group.push(one.row.group.as_deref().unwrap_or(&one.row.link));
            replies.source.push(&one.row.destination);
            replies.text.push(text);
            replies.state.push("due");
            replies.expires_at.push(expires);
            self.done.some_due = true;
        }
        let place = Place {
            spool_id: self.session.spool_id,
            spool: self.session.spool,
            lease: self.session.lease,
            lane: 0,
            through: None,
            lease_seconds: self.session.store.lease_seconds(),
        };
        let (messages, revisions) = (MessageRows::default(), RevisionRows::default());
        if !tx.write(place, &messages, &rows.columns(), &revisions, &replies).await?.is_whole {
            return Err(self.give_up(Trouble::Lost));
        }
        for (election, id, answers, last) in &rows.bare {
            tx.set_answers(*election, *id, answers, *last).await?;
        }
        for one in read.iter().filter(|one| one.changed) {
            self.write_one(tx, one).await?;
            if one.row.outcome == Outcome::SetAside.as_str() {
                tx.take_set_aside(one.row.spool_id, one.row.sequence).await?;
            }
        }
        tx.refresh_submissions(elections, ids).await
    }

    async fn write_one(&self, tx: &mut L::Tx, one: &Read) -> Result<(), StoreError> {
        let corrected = matches!(&self.ask.of, Of::One { text: Some(_), .. });
        let anew = corrected || self.ask.alphabet.is_some();
        let revisions = one
            .decision
            .changes
            .iter()
            .zip(&one.submissions)
            .map(|(change, id)| NewRevision {
                election: change.key.election,
                submission: *id,
                place: i16::try_from(change.place).unwrap_or(i16::MAX),
                answers: json!(change.assertion.answers),
                replaced: (!change.change.replaced.is_empty()).then(|| json!(change.change.replaced)),
                comment: change.comment.clone(),
            })
            .collect();
        let it = ReadAnew {
            before: &one.row,
            text: anew.then_some(one.decision.shown.as_deref().unwrap_or(&one.text)).filter(|t| !t.is_empty()),
            vouched: self.vouched(&one.row),
            made_by: &self.request.made_by,
            why: &self.ask.why,
            request: self.request.id,
            outcome: one.decision.outcome.as_str(),
            election_id: one.decision.election,
            observer_id: one.decision.observer,
            reading: one.decision.reading.json(),
            submissions: &one.submissions,
            reply_id: one.reply.as_ref().map(|(id, _)| *id),
            revisions,
        };
        if let Some(stopped) = one.decision.silence {
            tx.note_senders(&[SenderChange { phone_id: one.row.phone_id, stopped, at: one.row.received_at }]).await?;
        }
        metrics::counter!("scrutineer_readings_total", "outcome" => it.outcome).increment(1);
        tx.write_reading(&it).await
    }
}
