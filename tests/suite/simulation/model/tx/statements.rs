//! A transaction's statements: what each locks, and which function of the tables it is.

use std::collections::BTreeSet;
use std::sync::Arc;

use scrutineer::domain::submission::Assertion;
use scrutineer::store::auth::{self, NewAttempt};
use scrutineer::store::batch::{Place, Written};
use scrutineer::store::confirmed::{Elsewhere, Repeated};
use scrutineer::store::ledger::Tx;
use scrutineer::store::message::{Finished, MessageRows};
use scrutineer::store::micros;
use scrutineer::store::outbox::ReplyRows;
use scrutineer::store::outbox_result::{EarlyReceipt, ReceiptRows, ResultRows};
use scrutineer::store::segment::{DonePart, Part, SetKey};
use scrutineer::store::sender::SenderChange;
use scrutineer::store::set_aside::SetAside;
use scrutineer::store::submission::{Found, RevisionRows, Stored, SubmissionRows};
use uuid::Uuid;

use super::super::super::check::is_poison;
use super::super::db::{How, Lock};
use super::super::refusal::refused;
use super::super::tables::{Aside, DoneKey, Set};
use super::{ModelTx, Result, owned};

impl Tx for ModelTx {
    async fn stored(&mut self, spool_id: i32, sequences: &[i64]) -> Result<Vec<(i64, Vec<u8>)>> {
        self.ask().await?;
        let found = self.see(|t| t.stored(spool_id, sequences))?;
        self.conn.leg().await?;
        Ok(found)
    }

    async fn count_redelivered(&mut self, spools: &[Uuid], sequences: &[i64], times: &[i32]) -> Result<()> {
        self.ask().await?;
        let known = self.see(|t| {
            let rows = spools.iter().zip(sequences).zip(times);
            let rows = rows.filter_map(|((run, s), n)| Some(((*t.spools.get(run)?, *s), *n)));
            rows.filter(|(key, _)| t.messages.contains_key(key)).collect::<Vec<_>>()
        })?;
        self.hold(known.iter().map(|((spool, s), _)| Lock::Message(*spool, *s))).await?;
        self.change(move |t| known.iter().for_each(|(key, n)| t.change_message(*key, |m| m.redelivered += n)))?;
        self.conn.leg().await
    }

    async fn lock_phones(&mut self, phones: &[i64]) -> Result<()> {
        self.lock_phones_elsewhere(phones).await
    }

    async fn find_elsewhere(&mut self, of: &Repeated<'_>) -> Result<Option<Elsewhere>> {
        self.ask().await?;
        let found = self.see(|t| t.elsewhere(of))?;
        self.conn.leg().await?;
        Ok(found)
    }

    async fn attempts(&mut self, phones: &[(i64, bool)], observers: &[(i32, bool)]) -> Result<auth::Stored> {
        self.lock_attempts(phones, observers).await
    }

    async fn note_attempts(&mut self, new: &[NewAttempt]) -> Result<()> {
        self.add_attempts(new).await
    }

    async fn point_to_whole(&mut self, parts: &[(i32, i64)], whole: (i32, i64)) -> Result<()> {
        self.ask().await?;
        let parts: Vec<_> = self.see(|t| parts.iter().copied().filter(|k| t.messages.contains_key(k)).collect())?;
        self.hold(parts.iter().map(|(spool, s)| Lock::Message(*spool, *s))).await?;
        self.change(move |t| parts.iter().for_each(|key| t.change_message(*key, |m| m.whole = Some(whole))))?;
        self.conn.leg().await
    }

    async fn finish(&mut self, row: &Finished<'_>) -> Result<()> {
        self.ask().await?;
        let key = row.record;
        if self.see(|t| t.messages.contains_key(&key))? {
            self.hold([Lock::Message(key.0, key.1)]).await?;
            let (text, outcome) = (row.text.to_owned(), row.outcome.to_owned());
            let (election_id, observer_id, reply_id) = (row.election_id, row.observer_id, row.reply_id);
            let submissions = row.submissions.to_vec();
            self.change(move |t| {
                t.change_message(key, |m| {
                    (m.text, m.outcome) = (Some(text.clone()), outcome.clone());
                    (m.election_id, m.observer_id, m.reply_id) = (election_id, observer_id, reply_id);
                    (m.submissions, m.whole) = (submissions.clone(), None);
                });
            })?;
        }
        self.conn.leg().await
    }

    async fn phone_ids(&mut self, numbers: &[String]) -> Result<Vec<(String, i64)>> {
        self.ask().await?;
        let ids = self.phones(numbers).await?;
        self.conn.leg().await?;
        Ok(ids)
    }

    async fn lock_sets(&mut self, keys: &[SetKey]) -> Result<Vec<i64>> {
        self.ask().await?;
        for key in keys {
            self.hold([Lock::Set(key.clone())]).await?;
            let (key, id, begun_us) = (key.clone(), self.conn.db.identity(2), self.now_us);
            self.change(move |t| {
                t.sets.entry(key.clone()).or_insert(Set { id, begun_us });
            })?;
        }
        let ids = self.see(|t| keys.iter().map(|k| t.sets.get(k).map_or(0, |s| s.id)).collect())?;
        self.conn.leg().await?;
        Ok(ids)
    }

    async fn lock_expired(&mut self, wait_seconds: i32, limit: i64) -> Result<Vec<(i64, SetKey)>> {
        self.ask().await?;
        let some = self.see(|t| t.expired_sets(self.now_us, wait_seconds))?;
        let sets = self.hold_free(some, limit, |(_, key)| Lock::Set(key.clone())).await?;
        self.conn.leg().await?;
        Ok(sets)
    }

    async fn parts(&mut self, sets: &[i64]) -> Result<Vec<Part>> {
        self.ask().await?;
        let parts = self.see(|t| t.parts(sets))?;
        self.conn.leg().await?;
        Ok(parts)
    }

    async fn done_parts(&mut self, keys: &[SetKey]) -> Result<Vec<(usize, i16, Vec<u8>)>> {
        self.ask().await?;
        let done = self.see(|t| t.done_parts(keys))?;
        self.conn.leg().await?;
        Ok(done)
    }

    async fn remember_parts(&mut self, parts: &[DonePart]) -> Result<bool> {
        self.ask().await?;
        let mut keys: Vec<DoneKey> = parts.iter().map(|p| (p.key.clone(), p.part, p.content.to_vec())).collect();
        keys.sort();
        let (there, absent): (Vec<DoneKey>, Vec<DoneKey>) =
            self.see(|t| keys.iter().cloned().partition(|key| t.done.contains_key(key)))?;
        self.hold_those(absent.into_iter().map(Lock::Done), |t, lock| match lock {
            Lock::Done(key) => !t.done.contains_key(key),
            _ => true,
        })
        .await?;
        // One that somebody is about to forget is waited for.
        self.hold_as(there.into_iter().map(Lock::Done), How::Passed).await?;
        let (now_us, count) = (self.now_us, keys.len());
        let new: BTreeSet<DoneKey> =
            self.see(|t| keys.into_iter().filter(|key| !t.done.contains_key(key)).collect())?;
        let is_new = new.len() == count;
        self.change(move |t| {
            for key in &new {
                t.done.entry(key.clone()).or_insert(now_us);
            }
        })?;
        self.conn.leg().await?;
        Ok(is_new)
    }

    async fn forget_parts(&mut self, seconds: i32, limit: i64) -> Result<()> {
        self.ask().await?;
        let some = self.see(|t| t.old_parts(self.now_us, seconds))?;
        let keys = self.hold_free(some, limit, |key| Lock::Done(key.clone())).await?;
        if !keys.is_empty() {
            self.change(move |t| t.forget_parts(&keys))?;
        }
        self.conn.leg().await
    }

    async fn note_senders(&mut self, changes: &[SenderChange]) -> Result<()> {
        for change in changes {
            self.ask().await?;
            let (phone, stopped, at) = (change.phone_id, change.stopped, micros(change.at));
            // A row that another transaction made is waited for before it is asked whether its phone is there.
            self.hold([Lock::Sender(phone)]).await?;
            if self.see(|t| t.phones.values().all(|id| *id != phone))? {
                return Err(refused("23503", "a sender without its phone"));
            }
            self.change(move |t| {
                let row = t.senders.entry(phone).or_insert((stopped, at));
                if row.1 <= at {
                    *row = (stopped, at);
                }
            })?;
            self.conn.leg().await?;
        }
        Ok(())
    }

    async fn keep_parts(&mut self, parts: &[Part]) -> Result<()> {
        self.ask().await?;
        let mut keys = BTreeSet::new();
        let twice = parts.iter().any(|p| !keys.insert((p.set_id, p.part)));
        let there = self.see(|t| parts.iter().any(|p| t.segments.contains_key(&(p.set_id, p.part))))?;
        if twice || there {
            return Err(refused("23505", "a part is kept already"));
        }
        let orphan = self.see(|t| parts.iter().any(|p| t.sets.values().all(|s| s.id != p.set_id)))?;
        if orphan {
            return Err(refused("23503", "a part without its set"));
        }
        let parts: Vec<Arc<Part>> = parts.iter().cloned().map(Arc::new).collect();
        self.change(move |t| {
            for p in &parts {
                t.segments.insert((p.set_id, p.part), Arc::clone(p));
            }
        })?;
        self.conn.leg().await
    }

    async fn restart_set(&mut self, set: i64) -> Result<()> {
        self.ask().await?;
        let now_us = self.now_us;
        self.change(move |t| t.restart_set(set, now_us))?;
        self.conn.leg().await
    }

    async fn remove_sets(&mut self, sets: &[i64]) -> Result<()> {
        self.ask().await?;
        let sets = sets.to_vec();
        self.change(move |t| t.remove_sets(&sets))?;
        self.conn.leg().await
    }

    async fn lock_submissions(
        &mut self,
        elections: &[i32],
        ids: &[Uuid],
        sets: &[&SetKey],
        phones: &[i64],
    ) -> Result<Found> {
        self.ask().await?;
        // What the statement looks at is what was there when it began; rows it waited for come as they are then.
        let (segments, stopped) = self.see(|t| {
            let stopped = |phone: &i64| t.senders.get(phone).is_some_and(|(stopped, _)| *stopped);
            let mut all: Vec<i64> = phones.iter().copied().filter(stopped).collect();
            all.sort_unstable();
            all.dedup();
            (sets.iter().any(|key| t.sets.contains_key(*key)), all)
        })?;
        let mut keys: Vec<(i32, Uuid)> = elections.iter().copied().zip(ids.iter().copied()).collect();
        keys = self.see(|t| keys.drain(..).filter(|key| t.submissions.contains_key(key)).collect())?;
        self.hold_as(keys.iter().map(|(e, id)| Lock::Submission(*e, *id)), How::Locked).await?;
        let submissions = self.see(|t| {
            let rows = keys.iter().filter_map(|key| Some((key.1, t.submissions.get(key)?)));
            rows.map(|(id, s)| {
                let (answers, comment) = (s.answers.clone(), s.comment.clone());
                Stored { id, answers, comment, last: s.last, revisions: s.revisions }
            })
            .collect()
        })?;
        self.conn.leg().await?;
        Ok(Found { roster_version: 1, submissions, segments, stopped })
    }

    async fn history(&mut self, elections: &[i32], ids: &[Uuid]) -> Result<Vec<(Uuid, Assertion)>> {
        self.ask().await?;
        let history = self.see(|t| t.history(elections, ids))?;
        self.conn.leg().await?;
        Ok(history)
    }

    async fn write(
        &mut self,
        place: Place,
        messages: &MessageRows<'_>,
        submissions: &SubmissionRows<'_>,
        revisions: &RevisionRows<'_>,
        replies: &ReplyRows<'_>,
    ) -> Result<Written> {
        self.ask().await?;
        if messages.raw.iter().any(|raw| is_poison(raw)) {
            return Err(refused("22021", "poison"));
        }
        let batch = owned::batch(place, messages, submissions, revisions, replies, self.now_us);
        self.write_batch(place, batch).await
    }

    async fn set_aside(&mut self, row: &SetAside<'_>) -> Result<bool> {
        self.ask().await?;
        let key = (row.spool_id, row.sequence);
        let how = if self.see(|t| t.aside.contains_key(&key))? { How::Passed } else { How::Changed };
        self.hold_as([Lock::Aside(key.0, key.1)], how).await?;
        let is_new = self.see(|t| !t.aside.contains_key(&key))?;
        if self.see(|t| t.spools.values().all(|id| *id != key.0))? {
            return Err(refused("23503", "a record set aside without its spool"));
        }
        let aside = Aside { record: row.record.to_vec(), parts: row.parts.to_vec(), error: row.error.to_owned() };
        if is_new {
            self.change(move |t| {
                t.aside.entry(key).or_insert_with(|| aside.clone());
            })?;
        }
        self.conn.leg().await?;
        Ok(is_new)
    }

    async fn apply_results(&mut self, rows: &ResultRows<'_>) -> Result<()> {
        self.ask().await?;
        let (mut results, mut segments) = owned::results(rows);
        // Those whose rows the statement sees; an acceptance of another is kept.
        let (known, mut early) = self.see(|t| {
            let known: BTreeSet<Uuid> = rows.id.iter().copied().filter(|id| t.outbox.contains_key(id)).collect();
            segments.retain(|(id, ..)| known.contains(id));
            (t.changed_by(&results).into_iter().collect::<BTreeSet<_>>(), t.early(&results))
        })?;
        let (there, absent): (Vec<Uuid>, Vec<Uuid>) =
            self.see(|t| early.iter().map(|(id, _)| *id).partition(|id| t.early_results.contains_key(id)))?;
        self.hold_those(absent.into_iter().map(Lock::EarlyResult), |t, lock| match lock {
            Lock::EarlyResult(id) => !t.early_results.contains_key(id),
            _ => true,
        })
        .await?;
        self.hold_as(there.into_iter().map(Lock::EarlyResult), How::Passed).await?;
        self.hold_to_update(known.iter().copied().map(Lock::Reply), |t, lock| match lock {
            Lock::Reply(id) => t.changed_by(&results).contains(id),
            _ => true,
        })
        .await?;
        let (there, absent): (Vec<_>, Vec<_>) = self.see(|t| {
            segments.iter().map(|(id, place, ..)| (*id, *place)).partition(|key| t.outbox_segments.contains_key(key))
        })?;
        self.hold(absent.into_iter().map(|(id, place)| Lock::Part(id, place))).await?;
        self.hold_as(there.into_iter().map(|(id, place)| Lock::Part(id, place)), How::Passed).await?;
        results.retain(|r| known.contains(&r.id));
        // One that was found there is left alone, also where somebody takes it before this commits.
        self.see(|t| early.retain(|(id, _)| !t.early_results.contains_key(id)))?;
        let now_us = self.now_us;
        self.change(move |t| {
            t.keep_early_results(&early);
            t.apply_results(&results, &segments, now_us);
        })?;
        self.conn.leg().await
    }

    async fn as_sent(&mut self, ids: &[Uuid], texts: &[&str]) -> Result<()> {
        self.ask().await?;
        let changed: BTreeSet<Uuid> = self.see(|t| t.otherwise(ids, texts))?.into_iter().collect();
        self.hold_to_update(changed.iter().copied().map(Lock::Reply), |t, lock| match lock {
            Lock::Reply(id) => t.otherwise(ids, texts).contains(id),
            _ => true,
        })
        .await?;
        let of = ids.iter().zip(texts).filter(|(id, _)| changed.contains(id));
        let (ids, texts): (Vec<Uuid>, Vec<String>) = of.map(|(id, text)| (*id, (*text).to_owned())).unzip();
        self.change(move |t| t.as_sent(&ids, &texts))?;
        self.conn.leg().await
    }

    async fn apply_receipts(&mut self, rows: &ReceiptRows) -> Result<Vec<i32>> {
        self.ask().await?;
        let forms = owned::receipts(rows);
        let (found, changed, said) = self.see(|t| {
            let found: Vec<i32> = t.hits(&forms).into_iter().map(|(no, ..)| no).collect();
            (found, t.receipted(&forms).into_iter().collect::<Vec<_>>(), t.parted(&forms))
        })?;
        let parts: Vec<(Uuid, i16)> = self.see(|t| {
            let open = |key: &&(Uuid, i16)| t.outbox_segments.get(key).is_some_and(|(.., s)| *s != Some("undelivered"));
            said.keys().filter(open).copied().collect()
        })?;
        self.hold(parts.iter().map(|(id, place)| Lock::Part(*id, *place))).await?;
        self.hold(changed.iter().map(|(id, _)| Lock::Reply(*id))).await?;
        self.change(move |t| t.apply_receipts(&changed, &said))?;
        self.conn.leg().await?;
        Ok(found)
    }

    async fn keep_early(&mut self, receipts: &[EarlyReceipt]) -> Result<()> {
        self.ask().await?;
        self.hold(receipts.iter().map(|r| Lock::Early(r.link_group.clone(), r.message_id.clone()))).await?;
        let receipts = receipts.to_vec();
        self.change(move |t| t.keep_early(&receipts))?;
        self.conn.leg().await
    }

    async fn lock_early(&mut self, limit: i64) -> Result<Vec<EarlyReceipt>> {
        self.ask().await?;
        let now_us = self.now_us;
        let some = self.see(|t| t.waiting(now_us))?;
        let lock = |r: &EarlyReceipt| Lock::Early(r.link_group.clone(), r.message_id.clone());
        let taken = self.hold_free(some, limit, lock).await?;
        if self.see(|t| t.any_old_early(now_us))? {
            self.change(move |t| t.forget_early(now_us))?;
        }
        self.conn.leg().await?;
        Ok(taken)
    }

    async fn remove_early(&mut self, receipts: &[EarlyReceipt]) -> Result<()> {
        self.ask().await?;
        let mut keys: Vec<_> = receipts.iter().map(|r| (r.link_group.clone(), r.message_id.clone())).collect();
        keys = self.see(|t| keys.drain(..).filter(|key| t.early.contains_key(key)).collect())?;
        self.hold(keys.iter().cloned().map(|(group, id)| Lock::Early(group, id))).await?;
        self.change(move |t| t.early.retain(|key, _| !keys.contains(key)))?;
        self.conn.leg().await
    }
}
