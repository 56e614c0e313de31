//! One lane: takes what is there, as a batch, and does not let go of it before it is committed, set
//! aside, or the session ends.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::batch::{Done, How, Session, Trouble, attempt};
use super::item::{Item, Kind};
use super::judge;
use crate::handoff::message::FromWorker;
use crate::limits::{BATCH_RACES_MAX, BATCH_RECORDS_MAX, BATCH_RECORDS_SHORT, BATCH_TRIES_MAX};
use crate::store::migrate::Schema;
use crate::store::{Ledger, Store, StoreError};
use crate::vitals::progress::Work;

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
pub enum End {
    /// The database is away, or refuses.
    #[error("database: {0}")]
    Database(#[from] StoreError),
    /// The gateway is away.
    #[error("gateway: {0}")]
    Gateway(String),
    /// The database's schema is not this program's.
    #[error("{0}")]
    Schema(Schema),
    /// A bug: a task ended that should not have.
    #[error("internal: {0}")]
    Internal(String),
}

/// How often it is looked whether the message is stored that a redelivery repeats.
const REPEATED_POLL: Duration = Duration::from_millis(5);

/// Pause before work is tried again that the database did not take for the moment: doubled from the first
/// to the last, with jitter.
const RETRY_PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Why a batch did not commit.
enum Broken {
    /// These records cannot be written, for this reason; fewer of them may.
    Data(String),
    /// They can be written later, or fewer of them can.
    Moment(StoreError),
    /// Nothing can.
    Session(End),
}

/// Records in a batch: halved when a batch took too long, so that a slow database still moves on.
#[derive(Debug)]
pub struct BatchSize(AtomicUsize);

impl Default for BatchSize {
    fn default() -> Self {
        Self(AtomicUsize::new(BATCH_RECORDS_MAX))
    }
}

impl BatchSize {
    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed).clamp(1, BATCH_RECORDS_MAX)
    }

    /// A batch of so many records took so long: a size that would come near the deadline is not tried,
    /// as each batch that passes it costs the deadline and a session begun anew.
    fn committed(&self, records: usize, took: Duration, deadline: Duration) {
        let now = self.get();
        if took * 2 > deadline {
            self.0.store((records.min(now) / 2).max(1), Ordering::Relaxed);
        } else if records >= now && took * 8 <= deadline && now < BATCH_RECORDS_MAX {
            self.0.store((now * 2).min(BATCH_RECORDS_MAX), Ordering::Relaxed);
        }
    }

    /// A batch of so many passed its deadline.
    fn too_slow(&self, records: usize) {
        self.0.store((records.min(self.get()) / 2).max(1), Ordering::Relaxed);
    }
}

/// See the module.
#[derive(Debug)]
pub struct Lane<L = Store> {
    /// What the lanes share.
    pub session: Arc<Session<L>>,
    /// Its number.
    pub number: i16,
    /// Records in a batch.
    pub size: Arc<BatchSize>,
    /// For the watchdog.
    pub work: Arc<Work>,
    /// Told when everything is committed that the gateway had at the start.
    pub caught_up: Arc<watch::Sender<bool>>,
    /// The greatest sequence that it had then.
    pub newest: u64,
    /// Where the run that is read has ended: told when all of it is committed.
    pub ended: Option<CancellationToken>,
    /// Messages may be stored already: look before deciding.
    pub wary: bool,
}

impl<L: Ledger> Lane<L> {
    /// Processes the queue until it ends or the worker stops.
    pub async fn run(mut self, mut queue: mpsc::Receiver<Item>, stop: CancellationToken) -> Result<(), End> {
        let mut items = Vec::new();
        loop {
            let count = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                count = queue.recv_many(&mut items, self.batch_records()) => count,
            };
            if count == 0 {
                return Ok(());
            }
            let work = Arc::clone(&self.work);
            let _busy = work.begin();
            if !self.repeated_are_there(&items, &stop).await {
                return Ok(());
            }
            self.process(&items, &stop).await?;
            items.clear();
        }
    }

    /// Few at a time while memory is short: a batch is held with all that is made of it.
    fn batch_records(&self) -> usize {
        let most = if self.session.pressure.is_high() { BATCH_RECORDS_SHORT } else { BATCH_RECORDS_MAX };
        self.size.get().min(most)
    }

    /// A redelivery is counted on the message that it repeats, which another lane may be about to
    /// store: waits for that. False when the worker stops first.
    async fn repeated_are_there(&self, items: &[Item], stop: &CancellationToken) -> bool {
        for item in items {
            let Kind::Redelivery { run, of } = item.kind else { continue };
            // What an earlier run holds is committed before this one is read.
            let here = run != self.session.spool || items.iter().any(|i| i.record.sequence == of);
            let is_open = || self.session.tracker.lock().unwrap_or_else(PoisonError::into_inner).is_open(of);
            while !here && is_open() {
                if stop.run_until_cancelled(tokio::time::sleep(REPEATED_POLL)).await.is_none() {
                    return false;
                }
            }
        }
        true
    }

    /// Commits all of these, splitting off what fails alone, and trying again what the database does
    /// not take for the moment.
    async fn process(&mut self, items: &[Item], stop: &CancellationToken) -> Result<(), End> {
        let mut slices = vec![items];
        let mut tries = 0;
        while let Some(slice) = slices.pop() {
            match self.contained(slice, How::default()).await {
                Ok(()) => tries = 0,
                Err(Broken::Moment(error)) => {
                    tries += 1;
                    if self.is_to_be_tried_again(&error, tries, stop).await {
                        match slice.split_at_checked(slice.len() / 2) {
                            Some((first, second)) if error.is_too_slow() && !first.is_empty() => {
                                self.size.too_slow(slice.len());
                                slices.push(second);
                                slices.push(first);
                            }
                            _ => slices.push(slice),
                        }
                    } else {
                        return Err(error.into());
                    }
                }
                Err(Broken::Data(error)) => match slice {
                    [] => {}
                    [one] => self.put_aside(one, &error).await?,
                    several => {
                        debug!(records = several.len(), error, "a batch failed; it is split");
                        metrics::counter!("scrutineer_batches_split_total").increment(1);
                        let (first, second) = several.split_at(several.len() / 2);
                        slices.push(second);
                        slices.push(first);
                    }
                },
                Err(Broken::Session(end)) => return Err(end),
            }
        }
        Ok(())
    }

    /// Waits for the next try, unless there were enough or the worker stops.
    async fn is_to_be_tried_again(&mut self, error: &StoreError, tries: u32, stop: &CancellationToken) -> bool {
        // What failed may have been done, with replies that nobody has handed over.
        self.wary = true;
        self.session.in_flight.say_unclear();
        if tries > 1 || !error.is_broken_connection() {
            self.session.health.trouble(error);
        }
        self.work.beat();
        if tries >= BATCH_TRIES_MAX {
            return false;
        }
        let pause = RETRY_PAUSE.0.saturating_mul(1 << (tries - 1).min(8)).min(RETRY_PAUSE.1);
        let pause = pause.mul_f64(self.session.world.between(0.5, 1.5));
        stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some()
    }

    /// Keeps a record that failed alone, for staff, and tells its sender. Where the notice or the row that
    /// would stand for it is refused as well, the record is kept without.
    async fn put_aside(&mut self, one: &Item, error: &str) -> Result<(), End> {
        warn!(message = %one.order.record, kind = one.kind_word(), error, "a record failed alone");
        let mut how = How { set_aside: Some(error), ..How::default() };
        loop {
            match self.contained(std::slice::from_ref(one), how).await {
                Ok(()) => return Ok(()),
                Err(Broken::Data(error)) => {
                    how = how.less().ok_or_else(|| {
                        End::Internal(format!("record {} cannot be set aside: {error}", one.order.record))
                    })?;
                }
                Err(Broken::Moment(error)) => return Err(error.into()),
                Err(Broken::Session(end)) => return Err(end),
            }
        }
    }

    /// Commits, and tells what is about these records from what ends the session. A panic is about them:
    /// all that it held is dropped with it.
    async fn contained(&mut self, items: &[Item], how: How<'_>) -> Result<(), Broken> {
        match judge::contained_async(self.commit(items, how)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(End::Database(error))) if error.is_about_the_data() => Err(Broken::Data(error.to_string())),
            Ok(Err(End::Database(error))) if error.is_momentary() => Err(Broken::Moment(error)),
            Ok(Err(end)) => Err(Broken::Session(end)),
            Err(panic) => {
                metrics::counter!("scrutineer_worker_panics_total").increment(1);
                error!(records = items.len(), %panic, "a batch broke the worker: a bug; it is split");
                Err(Broken::Data(panic))
            }
        }
    }

    async fn commit(&mut self, items: &[Item], how: How<'_>) -> Result<(), End> {
        let mut how = How { look_for_stored: self.wary, ..how };
        let began = Instant::now();
        for race in 0..BATCH_RACES_MAX {
            match attempt(&self.session, self.number, items, how).await {
                Ok(done) => {
                    if how.look_for_stored {
                        self.wary = done.found_stored;
                    }
                    if done.found_stored {
                        self.session.in_flight.say_unclear();
                    }
                    self.session.health.success();
                    metrics::histogram!("scrutineer_batch_seconds").record(began.elapsed().as_secs_f64());
                    self.size.committed(items.len(), began.elapsed(), self.session.store.deadline());
                    return self.committed(items, done).await;
                }
                Err(Trouble::Lost) => {
                    how.look_for_stored = true;
                    how.distrust = true;
                }
                Err(Trouble::Roster { seen }) => {
                    self.session.roster.reload(&self.session.store, Some(seen)).await?;
                }
                Err(Trouble::Store(error)) if error.is_race() => {
                    debug!(%error, "a race was lost; the batch is tried again");
                    metrics::counter!("scrutineer_batch_races_total").increment(1);
                    let pause = self.session.world.between(0.001, 0.006) * f64::from(race + 1);
                    tokio::time::sleep(Duration::from_secs_f64(pause)).await;
                }
                Err(Trouble::Store(error)) => return Err(error.into()),
                Err(Trouble::Panic(panic)) => return Err(End::Internal(panic)),
            }
        }
        info!(tries = BATCH_RACES_MAX, "a batch lost every race; beginning anew from the watermark");
        Err(StoreError::GivenUp.into())
    }

    async fn committed(&self, items: &[Item], done: Done) -> Result<(), End> {
        let mut kinds: [(&'static str, u64); 6] = [
            ("message", 0),
            ("receipt", 0),
            ("submit_result", 0),
            ("undecodable", 0),
            ("redelivery", 0),
            ("corrupt", 0),
        ];
        for item in items {
            if let Some(count) = kinds.iter_mut().find(|(kind, _)| *kind == item.kind_word()) {
                count.1 += 1;
            }
        }
        for (kind, count) in kinds {
            if count > 0 {
                metrics::counter!("scrutineer_records_total", "kind" => kind).increment(count);
            }
        }
        metrics::counter!("scrutineer_batches_total").increment(1);
        metrics::counter!("scrutineer_batch_records_total").increment(items.len() as u64);
        let sequences: Vec<u64> = items.iter().map(|i| i.record.sequence).collect();
        let (moved, finished) = {
            let mut tracker = self.session.tracker.lock().unwrap_or_else(PoisonError::into_inner);
            (tracker.done(&sequences), tracker.is_finished())
        };
        let credit = items.iter().fold(0u32, |sum, i| sum.saturating_add(i.credit));
        after(&self.session, done).await?;
        let more = self.session.credits.returned(credit);
        if more > 0 {
            send(&self.session, FromWorker::Credit { bytes: more }).await?;
        }
        if let Some(through) = moved {
            send(&self.session, FromWorker::Committed { through }).await?;
            if through >= self.newest && self.ended.is_none() {
                self.caught_up.send_if_modified(|c| !std::mem::replace(c, true));
            }
        }
        if finished && let Some(ended) = &self.ended {
            ended.cancel();
        }
        Ok(())
    }
}

/// What follows a commit: replies go out, places come free, counts are kept.
pub async fn after<L: Ledger>(session: &Session<L>, done: Done) -> Result<(), End> {
    for (outcome, count) in done.outcomes {
        metrics::counter!("scrutineer_messages_total", "outcome" => outcome.as_str()).increment(count);
    }
    if !done.answered.is_empty() {
        let mut limiter = session.limiter.lock().unwrap_or_else(PoisonError::into_inner);
        for (phone, at) in done.answered {
            limiter.count(phone, at);
        }
    }
    for (id, attempt) in done.settled {
        session.in_flight.release(id, attempt);
    }
    for submit in done.submits {
        send(session, FromWorker::Submit(submit)).await?;
    }
    if done.some_due {
        session.in_flight.say_due();
    }
    Ok(())
}

async fn send<L: Ledger>(session: &Session<L>, frame: FromWorker) -> Result<(), End> {
    session.to_gateway.send(frame).await.map_err(|_| End::Gateway("the socket was closed".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_shrink_while_the_database_is_slow_and_grow_again() {
        let size = BatchSize::default();
        for _ in 0..20 {
            size.too_slow(size.get());
        }
        assert_eq!(size.get(), 1);
        let deadline = Duration::from_secs(5);
        for _ in 0..20 {
            size.committed(size.get(), deadline / 4, deadline);
        }
        assert_eq!(size.get(), 1, "twice as many would take half of the deadline");
        for _ in 0..20 {
            size.committed(size.get(), deadline / 10, deadline);
        }
        assert_eq!(size.get(), BATCH_RECORDS_MAX);
        size.committed(BATCH_RECORDS_MAX, deadline / 3 * 2, deadline);
        assert_eq!(size.get(), BATCH_RECORDS_MAX / 2, "near the deadline fewer are tried before it is passed");
    }
}
