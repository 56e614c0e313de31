//! What a batch writes: which rows it waits for, and what it finds there.

use std::collections::BTreeSet;

use scrutineer::store::batch::{Place, Written};
use uuid::Uuid;

use super::super::db::{How, Lock};
use super::super::refusal::refused;
use super::super::tables::{Batch, RevisionKey};
use super::{ModelTx, Result};

impl ModelTx {
    pub(super) async fn write_batch(&mut self, place: Place, mut batch: Batch) -> Result<Written> {
        if batch.messages.is_empty() && batch.submissions.is_empty() && batch.replies.is_empty() {
            if let Some(through) = place.through {
                self.watermark(place.spool_id, place.lane, through).await?;
            }
            self.conn.leg().await?;
            return Ok(Written { is_whole: true, sent_before: Vec::new() });
        }
        // What is there already is left alone, once nobody changes it.
        let (mut locks, passed): (Vec<Lock>, Vec<Lock>) = self.see(|t| {
            let message =
                |(s, _): &(i64, _)| (t.messages.contains_key(&(place.spool_id, *s)), Lock::Message(place.spool_id, *s));
            let revision = |(key, _): &(RevisionKey, _)| (t.revisions.contains_key(key), Lock::Revision(*key));
            let reply = |(id, _): &(Uuid, _)| (t.outbox.contains_key(id), Lock::Reply(*id));
            let submission = |(is_new, key, _): &(bool, (i32, Uuid), _)| {
                (*is_new && t.submissions.contains_key(key), Lock::Submission(key.0, key.1))
            };
            // An update of what is not there waits for nobody.
            let some = batch.submissions.iter().filter(|(is_new, key, _)| *is_new || t.submissions.contains_key(key));
            let all = batch.messages.iter().map(message);
            let all = all.chain(some.map(submission)).chain(batch.revisions.iter().map(revision));
            let all = all.chain(place.through.map(|_| (false, Lock::Watermark(place.spool_id, place.lane))));
            let (passed, held): (Vec<_>, Vec<_>) = all.chain(batch.replies.iter().map(reply)).partition(|(is, _)| *is);
            let locks = |all: Vec<(bool, Lock)>| all.into_iter().map(|(_, lock)| lock).collect();
            (locks(held), locks(passed))
        })?;
        // What the statement sees as it begins.
        let (mut sent_before, seen) = self.see(|t| {
            let seen = batch.submissions.iter().map(|(_, key, _)| *key).filter(|key| t.submissions.contains_key(key));
            (t.sent_before(&batch), seen.collect::<BTreeSet<_>>())
        })?;
        locks.extend(sent_before.keys().copied().map(Lock::EarlyResult));
        self.hold_those(locks, |t, lock| match lock {
            Lock::Message(spool, sequence) => !t.messages.contains_key(&(*spool, *sequence)),
            Lock::Submission(election, id) => {
                seen.contains(&(*election, *id)) || !t.submissions.contains_key(&(*election, *id))
            }
            Lock::Revision(key) => !t.revisions.contains_key(key),
            Lock::Reply(id) => !t.outbox.contains_key(id),
            Lock::EarlyResult(id) => t.early_results.contains_key(id),
            _ => true,
        })
        .await?;
        self.hold_as(passed, How::Passed).await?;
        if place.through.is_some() && self.see(|t| t.spools.values().all(|id| *id != place.spool_id))? {
            return Err(refused("23503", "a watermark without its spool"));
        }
        // Another one may have taken it meanwhile.
        sent_before =
            self.see(|t| sent_before.into_iter().filter(|(id, _)| t.early_results.contains_key(id)).collect())?;
        // A row that was inserted while it waited is none that it updates.
        let of = batch.submissions.len();
        batch.submissions.retain(|(is_new, key, _)| *is_new || seen.contains(key));
        let is_whole = batch.submissions.len() == of && self.see(|t| t.fits(&batch))?;
        let ids = sent_before.keys().copied().collect();
        self.change(move |t| t.write(&batch, &sent_before))?;
        self.conn.leg().await?;
        Ok(Written { is_whole, sent_before: ids })
    }
}
