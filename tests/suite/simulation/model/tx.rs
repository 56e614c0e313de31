//! A transaction's statements: what each locks, and which function of the tables it is.

use std::collections::BTreeSet;
use std::sync::Arc;

use scrutineer::domain::order::{OrderKey, RecordKey};
use scrutineer::domain::submission::Assertion;
use scrutineer::limits::LEASE_SECONDS;
use scrutineer::store::batch::Place;
use scrutineer::store::ledger::Tx;
use scrutineer::store::message::{Finished, MessageRows};
use scrutineer::store::outbox::ReplyRows;
use scrutineer::store::outbox_result::{EarlyReceipt, ReceiptRows, ResultRows};
use scrutineer::store::segment::{Part, SetKey};
use scrutineer::store::set_aside::SetAside;
use scrutineer::store::submission::{Found, RevisionRows, Stored, SubmissionRows};
use scrutineer::store::{StoreError, micros};
use tokio::time::sleep;
use uuid::Uuid;

use super::super::net::{Host, Net};
use super::db::{Db, Lock, broken, refused};
use super::tables::{Batch, Message, ReceiptForm, Reply, ResultRow, SECOND, Set, Submission, Tables};

type Result<T> = std::result::Result<T, StoreError>;

/// The host of the database.
pub const DATABASE: Host = "database";

/// A connection.
#[derive(Debug, Clone)]
pub struct Conn {
    pub db: Db,
    pub net: Net,
    pub host: Host,
    pub epoch: u64,
}

impl Conn {
    /// There or back: a delay, and the chance that the other side is not there any more.
    pub async fn leg(&self) -> Result<()> {
        sleep(self.net.delay()).await;
        self.net.reach(self.host, DATABASE).await;
        if self.db.is_up() && self.db.epoch() == self.epoch { Ok(()) } else { Err(broken()) }
    }

    /// A statement gets there, and takes its time.
    pub async fn ask(&self) -> Result<()> {
        self.leg().await?;
        let slow = self.db.slowness();
        if slow > 0 {
            sleep(self.db.dice.millis(0, slow)).await;
        }
        Ok(())
    }
}

/// An open transaction. Dropped before its end, nobody knows what the server makes of it.
#[derive(Debug)]
pub struct ModelTx {
    conn: Conn,
    id: u64,
    /// Time of its begin, which is `now()` to all its statements.
    now_us: i64,
    /// Its COMMIT is on its way.
    committing: bool,
    ended: bool,
}

impl ModelTx {
    pub async fn begin(conn: Conn) -> Result<Self> {
        conn.ask().await?;
        let id = conn.db.begin();
        let now_us = conn.db.world.now_us();
        let tx = Self { conn, id, now_us, committing: false, ended: false };
        tx.conn.leg().await?;
        Ok(tx)
    }

    pub async fn commit(mut self) -> Result<()> {
        self.committing = true;
        self.conn.ask().await?;
        self.ended = true;
        self.conn.db.end(self.id, true)?;
        self.conn.leg().await
    }

    pub async fn roll_back(mut self) -> Result<()> {
        self.conn.ask().await?;
        self.ended = true;
        self.conn.db.end(self.id, false)?;
        self.conn.leg().await
    }

    fn see<T>(&self, look: impl FnOnce(&Tables) -> T) -> Result<T> {
        self.conn.db.see(self.id, look)
    }

    async fn hold(&self, locks: impl IntoIterator<Item = Lock>) -> Result<()> {
        self.conn.db.hold(self.id, locks.into_iter().collect()).await
    }

    /// Takes those that nobody has, up to a limit.
    async fn hold_free<K: Clone>(&self, some: Vec<K>, limit: i64, lock: impl Fn(&K) -> Lock) -> Result<Vec<K>> {
        let free = some.into_iter().filter(|k| !self.conn.db.is_held(self.id, &lock(k)));
        let taken: Vec<K> = free.take(usize::try_from(limit).unwrap_or(0)).collect();
        self.hold(taken.iter().map(lock)).await?;
        Ok(taken)
    }

    fn change(&self, write: impl Fn(&mut Tables) + Send + Sync + 'static) -> Result<()> {
        self.conn.db.write(self.id, Box::new(write))
    }

    // ---- statements that stand alone, each in a transaction of its own

    pub async fn own_leased(&self, live: Uuid, runs: &[Uuid], except: &[Uuid], limit: i64) -> Result<Vec<Uuid>> {
        let some = self.see(|t| t.own_leased(runs, except))?;
        let ids = self.hold_free(some, limit, |id| Lock::Reply(*id)).await?;
        let (chosen, now_us) = (ids.clone(), self.now_us);
        self.change(move |t| t.lease(&chosen, live, now_us))?;
        Ok(ids)
    }

    pub async fn take_due(&self, spool: Uuid, groups: &[String], limit: i64) -> Result<Vec<Uuid>> {
        let now_us = self.now_us;
        let some = self.see(|t| t.due(groups, now_us))?;
        let ids = self.hold_free(some, limit, |id| Lock::Reply(*id)).await?;
        let chosen = ids.clone();
        self.change(move |t| t.lease(&chosen, spool, now_us))?;
        Ok(ids)
    }

    pub async fn renew(&self, spool: Uuid, ids: &[Uuid]) -> Result<()> {
        let (ids, now_us): (BTreeSet<Uuid>, i64) = (ids.iter().copied().collect(), self.now_us);
        let ids: Vec<Uuid> = self.see(|t| ids.into_iter().filter(|id| t.outbox.contains_key(id)).collect())?;
        self.hold(ids.iter().copied().map(Lock::Reply)).await?;
        self.change(move |t| t.renew(spool, &ids, now_us))
    }

    pub async fn settle_lapsed(&self, spool: Uuid, limit: i64) -> Result<u64> {
        let now_us = self.now_us;
        let some = self.see(|t| t.lapsed(spool, now_us))?;
        let ids = self.hold_free(some, limit, |id| Lock::Reply(*id)).await?;
        let count = ids.len() as u64;
        self.conn.db.lock().lapsed += count;
        self.change(move |t| t.lapse(&ids, now_us))?;
        Ok(count)
    }

    pub async fn expire(&self, limit: i64) -> Result<u64> {
        let some = self.see(|t| t.expired(self.now_us))?;
        let ids = self.hold_free(some, limit, |id| Lock::Reply(*id)).await?;
        let count = ids.len() as u64;
        self.change(move |t| ids.iter().for_each(|id| t.change_reply(*id, |r| r.state = "expired")))?;
        Ok(count)
    }

    pub fn open_counts(&self) -> Result<(i64, i64)> {
        let count = |t: &Tables, state: &str| t.outbox.values().filter(|r| r.state == state).count() as i64;
        self.see(|t| (count(t, "due"), count(t, "leased")))
    }

    pub async fn register(&self, runs: &[Uuid]) -> Result<()> {
        for run in runs.iter().copied().collect::<BTreeSet<_>>() {
            if self.see(|t| t.spools.contains_key(&run))? {
                continue;
            }
            self.hold([Lock::Spool(run)]).await?;
            let id = self.conn.db.identity(0) as i32;
            self.change(move |t| {
                t.spools.entry(run).or_insert(id);
            })?;
        }
        Ok(())
    }

    pub async fn watermark(&self, spool_id: i32, lane: i16, through: i64) -> Result<()> {
        self.hold([Lock::Watermark(spool_id, lane)]).await?;
        self.change(move |t| {
            t.watermarks.insert((spool_id, lane), through);
        })
    }

    pub async fn phones(&self, numbers: &[String]) -> Result<Vec<(String, i64)>> {
        let mut missing: Vec<String> =
            self.see(|t| numbers.iter().filter(|n| !t.phones.contains_key(*n)).cloned().collect())?;
        missing.sort_unstable();
        for number in missing {
            self.hold([Lock::Phone(number.clone())]).await?;
            let id = self.conn.db.identity(1);
            self.change(move |t| {
                t.phones.entry(number.clone()).or_insert(id);
            })?;
        }
        self.see(|t| t.phone_ids(numbers))
    }
}

impl Drop for ModelTx {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        // The client went: the server learns it sooner or later, and a COMMIT may be on the wire.
        let (db, id) = (self.conn.db.clone(), self.id);
        let commit = self.committing && db.dice.once_in(2);
        let learns = if db.dice.once_in(3) { db.dice.millis(0, 4_000) } else { db.dice.millis(0, 20) };
        if tokio::runtime::Handle::try_current().is_ok() {
            tokio::spawn(async move {
                sleep(learns).await;
                let _ = db.end(id, commit);
            });
        }
    }
}

impl Tx for ModelTx {
    async fn stored(&mut self, spool_id: i32, sequences: &[i64]) -> Result<Vec<(i64, Vec<u8>)>> {
        self.conn.ask().await?;
        let found = self.see(|t| t.stored(spool_id, sequences))?;
        self.conn.leg().await?;
        Ok(found)
    }

    async fn count_redelivered(&mut self, spools: &[Uuid], sequences: &[i64], times: &[i32]) -> Result<()> {
        self.conn.ask().await?;
        let known = self.see(|t| {
            let rows = spools.iter().zip(sequences).zip(times);
            let rows = rows.filter_map(|((run, s), n)| Some(((*t.spools.get(run)?, *s), *n)));
            rows.filter(|(key, _)| t.messages.contains_key(key)).collect::<Vec<_>>()
        })?;
        self.hold(known.iter().map(|((spool, s), _)| Lock::Message(*spool, *s))).await?;
        self.change(move |t| known.iter().for_each(|(key, n)| t.change_message(*key, |m| m.redelivered += n)))?;
        self.conn.leg().await
    }

    async fn point_to_whole(&mut self, parts: &[(i32, i64)], whole: (i32, i64)) -> Result<()> {
        self.conn.ask().await?;
        let parts: Vec<_> = self.see(|t| parts.iter().copied().filter(|k| t.messages.contains_key(k)).collect())?;
        self.hold(parts.iter().map(|(spool, s)| Lock::Message(*spool, *s))).await?;
        self.change(move |t| parts.iter().for_each(|key| t.change_message(*key, |m| m.whole = Some(whole))))?;
        self.conn.leg().await
    }

    async fn finish(&mut self, row: &Finished<'_>) -> Result<()> {
        self.conn.ask().await?;
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
        self.conn.ask().await?;
        let ids = self.phones(numbers).await?;
        self.conn.leg().await?;
        Ok(ids)
    }

    async fn lock_sets(&mut self, keys: &[SetKey]) -> Result<Vec<i64>> {
        self.conn.ask().await?;
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
        self.conn.ask().await?;
        let some = self.see(|t| t.expired_sets(self.now_us, wait_seconds))?;
        let sets = self.hold_free(some, limit, |(_, key)| Lock::Set(key.clone())).await?;
        self.conn.leg().await?;
        Ok(sets)
    }

    async fn parts(&mut self, sets: &[i64]) -> Result<Vec<Part>> {
        self.conn.ask().await?;
        let parts = self.see(|t| t.parts(sets))?;
        self.conn.leg().await?;
        Ok(parts)
    }

    async fn keep_parts(&mut self, parts: &[Part]) -> Result<()> {
        self.conn.ask().await?;
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
        self.conn.ask().await?;
        let now_us = self.now_us;
        self.change(move |t| t.restart_set(set, now_us))?;
        self.conn.leg().await
    }

    async fn remove_sets(&mut self, sets: &[i64]) -> Result<()> {
        self.conn.ask().await?;
        let sets = sets.to_vec();
        self.change(move |t| t.remove_sets(&sets))?;
        self.conn.leg().await
    }

    async fn lock_submissions(
        &mut self,
        elections: &[i32],
        ids: &[Uuid],
        sets: &[&SetKey],
        _phones: &[i64],
    ) -> Result<Found> {
        self.conn.ask().await?;
        // What the statement looks at is what was there when it began; rows it waited for come as they are then.
        let segments = self.see(|t| sets.iter().any(|key| t.sets.contains_key(*key)))?;
        let mut keys: Vec<(i32, Uuid)> = elections.iter().copied().zip(ids.iter().copied()).collect();
        keys = self.see(|t| keys.drain(..).filter(|key| t.submissions.contains_key(key)).collect())?;
        self.hold(keys.iter().map(|(e, id)| Lock::Submission(*e, *id))).await?;
        let submissions = self.see(|t| {
            let rows = keys.iter().filter_map(|key| Some((key.1, t.submissions.get(key)?)));
            rows.map(|(id, s)| {
                let (answers, comment) = (s.answers.clone(), s.comment.clone());
                Stored { id, answers, comment, last: s.last, revisions: s.revisions }
            })
            .collect()
        })?;
        self.conn.leg().await?;
        Ok(Found { roster_version: 1, submissions, segments, stopped: Vec::new() })
    }

    async fn history(&mut self, elections: &[i32], ids: &[Uuid]) -> Result<Vec<(Uuid, Assertion)>> {
        self.conn.ask().await?;
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
    ) -> Result<bool> {
        self.conn.ask().await?;
        let batch = owned(place, messages, submissions, revisions, replies, self.now_us);
        if batch.messages.is_empty() && batch.submissions.is_empty() && batch.replies.is_empty() {
            if let Some(through) = place.through {
                self.watermark(place.spool_id, place.lane, through).await?;
            }
            self.conn.leg().await?;
            return Ok(true);
        }
        let mut locks: Vec<Lock> = batch.messages.iter().map(|(s, _)| Lock::Message(place.spool_id, *s)).collect();
        locks.extend(batch.submissions.iter().map(|(_, (e, id), _)| Lock::Submission(*e, *id)));
        locks.extend(batch.revisions.iter().map(|(key, _)| Lock::Revision(*key)));
        if place.through.is_some() {
            locks.push(Lock::Watermark(place.spool_id, place.lane));
        }
        locks.extend(batch.replies.iter().map(|(id, _)| Lock::Reply(*id)));
        self.hold(locks).await?;
        let fits = self.see(|t| t.fits(&batch))?;
        self.change(move |t| t.write(&batch))?;
        self.conn.leg().await?;
        Ok(fits)
    }

    async fn set_aside(&mut self, row: &SetAside<'_>) -> Result<bool> {
        self.conn.ask().await?;
        let key = (row.spool_id, row.sequence);
        self.hold([Lock::Aside(key.0, key.1)]).await?;
        let is_new = self.see(|t| !t.aside.contains_key(&key))?;
        let why = row.error.to_owned();
        self.change(move |t| {
            t.aside.entry(key).or_insert_with(|| why.clone());
        })?;
        self.conn.leg().await?;
        Ok(is_new)
    }

    async fn apply_results(&mut self, rows: &ResultRows<'_>) -> Result<()> {
        self.conn.ask().await?;
        let results: Vec<ResultRow> = (0..rows.id.len())
            .map(|i| ResultRow {
                id: rows.id[i],
                attempt: rows.attempt[i],
                state: rows.state[i],
                message_id: rows.message_id[i].map(str::to_owned),
                error: rows.error[i].clone(),
                due_seconds: rows.due_seconds[i],
                receipt: rows.receipt[i].map(str::to_owned),
            })
            .collect();
        let segments: Vec<_> = (0..rows.segment_id.len())
            .map(|i| {
                let (id, group) = (rows.segment_message_id[i].to_owned(), rows.segment_group[i].to_owned());
                (rows.segment_id[i], rows.segment_place[i], id, group)
            })
            .collect();
        let known: Vec<Uuid> =
            self.see(|t| rows.id.iter().copied().filter(|id| t.outbox.contains_key(id)).collect())?;
        self.hold(known.iter().copied().map(Lock::Reply)).await?;
        let now_us = self.now_us;
        self.change(move |t| t.apply_results(&results, &segments, now_us))?;
        self.conn.leg().await
    }

    async fn apply_receipts(&mut self, rows: &ReceiptRows) -> Result<Vec<i32>> {
        self.conn.ask().await?;
        let forms: Vec<ReceiptForm> = (0..rows.form.len())
            .map(|i| ReceiptForm {
                no: rows.receipt_no[i],
                form: rows.form[i].clone(),
                rank: rows.rank[i],
                link_group: rows.link_group[i].clone(),
                phone_id: rows.phone_id[i],
                receipt: rows.receipt[i].clone(),
                state: rows.state[i],
                at_us: micros(rows.at[i]),
            })
            .collect();
        let ids: BTreeSet<Uuid> = self.see(|t| t.hits(&forms).into_iter().map(|(_, id, ..)| id).collect())?;
        self.hold(ids.into_iter().map(Lock::Reply)).await?;
        let found = self.see(|t| t.hits(&forms).into_iter().map(|(no, ..)| no).collect())?;
        self.change(move |t| {
            t.apply_receipts(&forms);
        })?;
        self.conn.leg().await?;
        Ok(found)
    }

    async fn keep_early(&mut self, receipts: &[EarlyReceipt]) -> Result<()> {
        self.conn.ask().await?;
        self.hold(receipts.iter().map(|r| Lock::Early(r.link_group.clone(), r.message_id.clone()))).await?;
        let receipts = receipts.to_vec();
        self.change(move |t| t.keep_early(&receipts))?;
        self.conn.leg().await
    }

    async fn lock_early(&mut self, limit: i64) -> Result<Vec<EarlyReceipt>> {
        self.conn.ask().await?;
        let now_us = self.now_us;
        let some = self.see(|t| t.waiting(now_us))?;
        let lock = |r: &EarlyReceipt| Lock::Early(r.link_group.clone(), r.message_id.clone());
        let taken = self.hold_free(some, limit, lock).await?;
        self.change(move |t| t.forget_early(now_us))?;
        self.conn.leg().await?;
        Ok(taken)
    }

    async fn remove_early(&mut self, receipts: &[EarlyReceipt]) -> Result<()> {
        self.conn.ask().await?;
        let keys: Vec<_> = receipts.iter().map(|r| (r.link_group.clone(), r.message_id.clone())).collect();
        self.change(move |t| t.early.retain(|key, _| !keys.contains(key)))?;
        self.conn.leg().await
    }
}

fn owned(
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
        phone_id: m.phone_id[i],
        raw: m.raw[i].to_vec(),
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
        let lease = (place.lease, now_us + i64::from(LEASE_SECONDS) * SECOND);
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
            due_us: now_us,
            expires_us: micros(o.expires_at[i]),
            lease: (o.state[i] == "leased").then_some(lease),
            message_id: None,
            error: None,
            receipt: None,
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
