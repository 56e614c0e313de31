//! The port between the worker's work (`intake`, `outbox`) and the database: what it asks for, by
//! name, so that a simulation can stand in PostgreSQL's place.
//!
//! [`Store`] is the implementation that runs; each method is the function of that name in its
//! table's file.

use std::future::Future;
use std::time::Duration;

use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::auth::{NewAttempt, Stored};
use super::batch::Place;
use super::confirmed::Repeated;
use super::message::{Finished, MessageRows};
use super::migrate::{Schema, check_schema};
use super::outbox::{Leased, ReplyRows};
use super::outbox_result::{EarlyReceipt, ReceiptRows, ResultRows};
use super::reading::{RawPart, ReadAnew, TextRow, Which};
use super::request::{Closed, Open};
use super::roster::Loaded;
use super::segment::{DonePart, Part, SetKey};
use super::sender::SenderChange;
use super::set_aside::{Kept, SetAside};
use super::submission::{Found, RevisionRows, SubmissionRows};
use super::watermark::Mark;
use super::{Store, StoreError};
use super::{
    auth, batch, confirmed, message, outbox, outbox_result, phone, reading, request, roster, segment, sender,
    set_aside, submission, watermark,
};
use crate::domain::order::OrderKey;
use crate::domain::submission::Assertion;
use crate::domain::value::Answers;
use crate::limits::LEASE_SECONDS;

type Result<T> = std::result::Result<T, StoreError>;

/// What an upkeep of the outbox did and found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// Leases of other spools that ran out.
    pub lapsed: u64,
    /// Due rows whose time had passed.
    pub expired: u64,
    /// Rows that are due.
    pub due: i64,
    /// Rows under lease.
    pub leased: i64,
}

/// Something to do in one transaction.
pub trait Transaction<T>: Send {
    /// What comes of it.
    type Output: Send;

    /// Does it. An error rolls everything back.
    fn run(self, tx: &mut T) -> impl Future<Output = Result<Self::Output>> + Send;
}

/// The database as the worker uses it. Every use has a deadline; one that is cut short leaves nothing
/// open, and whether it was done is then unknown.
pub trait Ledger: Clone + std::fmt::Debug + Send + Sync + 'static {
    /// What a transaction can do.
    type Tx: Tx;

    /// The deadline of a use that names none.
    fn deadline(&self) -> Duration;

    /// A handle that is bound to the server of its first use, as [`Store::pinned`] is.
    #[must_use]
    fn pinned(&self) -> Self {
        self.clone()
    }

    /// Seconds after which another host's worker may take a leased reply.
    fn lease_seconds(&self) -> i32 {
        LEASE_SECONDS
    }

    /// [`check_schema`].
    fn schema(&self) -> impl Future<Output = Result<Schema>> + Send;

    /// [`watermark::register`].
    fn open_runs(&self, runs: &[Uuid], host: &str) -> impl Future<Output = Result<Vec<Mark>>> + Send;

    /// Says that a run which has ended is committed up to here: its last record.
    fn conclude_run(&self, spool_id: i32, newest: u64) -> impl Future<Output = Result<()>> + Send;

    /// [`roster::load`].
    fn roster(&self, closed_days: i32) -> impl Future<Output = Result<Loaded>> + Send;

    /// [`phone::ids`], outside any transaction.
    fn phone_ids(&self, numbers: &[String]) -> impl Future<Output = Result<Vec<(String, i64)>>> + Send;

    /// [`outbox::own_leased`].
    fn own_leased(
        &self,
        live: Uuid,
        runs: &[Uuid],
        except: &[Uuid],
        limit: i64,
    ) -> impl Future<Output = Result<Vec<Leased>>> + Send;

    /// [`outbox::take_due`].
    fn take_due(&self, spool: Uuid, groups: &[String], limit: i64) -> impl Future<Output = Result<Vec<Leased>>> + Send;

    /// [`outbox::renew`] for `ids`, [`outbox::settle_lapsed`], [`outbox::expire`], [`outbox::open_counts`].
    fn upkeep(&self, spool: Uuid, ids: &[Uuid], limit: i64) -> impl Future<Output = Result<Upkeep>> + Send;

    /// [`confirmed::note`]. A ledger that notes nothing knows of no other hosts.
    fn note_confirmed(
        &self,
        _run: Uuid,
        _runs: &[Uuid],
        _links: &[(String, i64)],
    ) -> impl Future<Output = Result<bool>> + Send {
        std::future::ready(Ok(false))
    }

    /// [`request::next`]. A ledger without requests has none.
    fn next_request(&self, _kinds: &[&str], _after: i64) -> impl Future<Output = Result<Option<Open>>> + Send {
        std::future::ready(Ok(None))
    }

    /// [`request::close`], of one whose work changed nothing.
    fn close_request(&self, _id: i64, _how: Closed, _result: &Value) -> impl Future<Output = Result<bool>> + Send {
        std::future::ready(Ok(false))
    }

    /// [`set_aside::find`].
    fn kept(&self, _spool: Uuid, _sequence: i64) -> impl Future<Output = Result<Option<Kept>>> + Send {
        std::future::ready(Ok(None))
    }

    /// Work in one transaction, as [`Store::with_tx`] does it.
    fn transact<W: Transaction<Self::Tx>>(
        &self,
        deadline: Duration,
        work: W,
    ) -> impl Future<Output = Result<W::Output>> + Send;
}

/// What stands open to a transaction. Each method is the function of that name in its table's file.
pub trait Tx: Send {
    /// [`message::stored`].
    fn stored(&mut self, spool_id: i32, sequences: &[i64]) -> impl Future<Output = Result<Vec<(i64, Vec<u8>)>>> + Send;

    /// [`message::count_redelivered`].
    fn count_redelivered(
        &mut self,
        spools: &[Uuid],
        sequences: &[i64],
        times: &[i32],
    ) -> impl Future<Output = Result<()>> + Send;

    /// [`confirmed::lock_phones`].
    fn lock_phones(&mut self, _phones: &[i64]) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Ok(()))
    }

    /// [`confirmed::find`].
    fn find_elsewhere(&mut self, _of: &Repeated<'_>) -> impl Future<Output = Result<Option<(Uuid, i64)>>> + Send {
        std::future::ready(Ok(None))
    }

    /// [`message::point_to_whole`].
    fn point_to_whole(&mut self, parts: &[(i32, i64)], whole: (i32, i64)) -> impl Future<Output = Result<()>> + Send;

    /// [`message::finish`].
    fn finish(&mut self, row: &Finished<'_>) -> impl Future<Output = Result<()>> + Send;

    /// [`phone::ids`], for phones whose rows are there.
    fn phone_ids(&mut self, numbers: &[String]) -> impl Future<Output = Result<Vec<(String, i64)>>> + Send;

    /// [`segment::lock_sets`].
    fn lock_sets(&mut self, keys: &[SetKey]) -> impl Future<Output = Result<Vec<i64>>> + Send;

    /// [`segment::lock_expired`].
    fn lock_expired(
        &mut self,
        wait_seconds: i32,
        limit: i64,
    ) -> impl Future<Output = Result<Vec<(i64, SetKey)>>> + Send;

    /// [`segment::parts`].
    fn parts(&mut self, sets: &[i64]) -> impl Future<Output = Result<Vec<Part>>> + Send;

    /// [`segment::done_parts`]. A ledger that remembers none has no copies to know.
    fn done_parts(&mut self, _keys: &[SetKey]) -> impl Future<Output = Result<Vec<(usize, i16, Vec<u8>)>>> + Send {
        std::future::ready(Ok(Vec::new()))
    }

    /// [`segment::remember_parts`].
    fn remember_parts(&mut self, _parts: &[DonePart]) -> impl Future<Output = Result<bool>> + Send {
        std::future::ready(Ok(true))
    }

    /// [`segment::forget_parts`].
    fn forget_parts(&mut self, _seconds: i32, _limit: i64) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Ok(()))
    }

    /// [`segment::keep_parts`].
    fn keep_parts(&mut self, parts: &[Part]) -> impl Future<Output = Result<()>> + Send;

    /// [`segment::restart_set`].
    fn restart_set(&mut self, set: i64) -> impl Future<Output = Result<()>> + Send;

    /// [`segment::remove_sets`].
    fn remove_sets(&mut self, sets: &[i64]) -> impl Future<Output = Result<()>> + Send;

    /// [`submission::lock`].
    fn lock_submissions(
        &mut self,
        elections: &[i32],
        ids: &[Uuid],
        sets: &[&SetKey],
        phones: &[i64],
    ) -> impl Future<Output = Result<Found>> + Send;

    /// [`sender::note`].
    fn note_senders(&mut self, _changes: &[SenderChange]) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Ok(()))
    }

    /// [`auth::attempts`]. A ledger that remembers none locks nobody.
    fn attempts(
        &mut self,
        _phones: &[(i64, bool)],
        _observers: &[(i32, bool)],
    ) -> impl Future<Output = Result<Stored>> + Send {
        std::future::ready(Ok(Stored::default()))
    }

    /// [`auth::note`].
    fn note_attempts(&mut self, _new: &[NewAttempt]) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Ok(()))
    }

    /// [`submission::history`].
    fn history(
        &mut self,
        elections: &[i32],
        ids: &[Uuid],
    ) -> impl Future<Output = Result<Vec<(Uuid, Assertion)>>> + Send;

    /// [`batch::write`].
    fn write(
        &mut self,
        place: Place,
        messages: &MessageRows<'_>,
        submissions: &SubmissionRows<'_>,
        revisions: &RevisionRows<'_>,
        replies: &ReplyRows<'_>,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// [`set_aside::insert`].
    fn set_aside(&mut self, row: &SetAside<'_>) -> impl Future<Output = Result<bool>> + Send;

    /// [`set_aside::take`].
    fn take_set_aside(&mut self, _spool_id: i32, _sequence: i64) -> impl Future<Output = Result<bool>> + Send {
        std::future::ready(Ok(false))
    }

    /// [`request::lock`].
    fn lock_request(&mut self, _id: i64) -> impl Future<Output = Result<bool>> + Send {
        std::future::ready(Ok(false))
    }

    /// [`request::close`], with what it changed.
    fn close_request(&mut self, _id: i64, _how: Closed, _result: &Value) -> impl Future<Output = Result<bool>> + Send {
        std::future::ready(Ok(false))
    }

    /// [`reading::lock_texts`]. A ledger without readings has none, nor what follows.
    fn lock_texts(&mut self, _which: &Which, _limit: i64) -> impl Future<Output = Result<Vec<TextRow>>> + Send {
        std::future::ready(Ok(Vec::new()))
    }

    /// [`reading::lock_text`].
    fn lock_text(&mut self, _spool: Uuid, _sequence: i64) -> impl Future<Output = Result<bool>> + Send {
        std::future::ready(Ok(false))
    }

    /// [`reading::texts`].
    fn texts(&mut self, _records: &[(Uuid, i64)]) -> impl Future<Output = Result<Vec<TextRow>>> + Send {
        std::future::ready(Ok(Vec::new()))
    }

    /// [`reading::other_parts`].
    fn other_parts(&mut self, _spool_id: i32, _sequence: i64) -> impl Future<Output = Result<Vec<RawPart>>> + Send {
        std::future::ready(Ok(Vec::new()))
    }

    /// [`reading::write`].
    fn write_reading(&mut self, _it: &ReadAnew<'_>) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Ok(()))
    }

    /// [`reading::set_answers`].
    fn set_answers(
        &mut self,
        _election: i32,
        _id: Uuid,
        _answers: &Answers,
        _last: OrderKey,
    ) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Ok(()))
    }

    /// [`reading::refresh`].
    fn refresh_submissions(&mut self, _elections: &[i32], _ids: &[Uuid]) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Ok(()))
    }

    /// [`reading::comments`].
    fn comments(
        &mut self,
        _elections: &[i32],
        _ids: &[Uuid],
    ) -> impl Future<Output = Result<Vec<(Uuid, OrderKey, String)>>> + Send {
        std::future::ready(Ok(Vec::new()))
    }

    /// [`reading::progress`].
    fn progress(&mut self, _id: i64) -> impl Future<Output = Result<(Option<Value>, OffsetDateTime)>> + Send {
        std::future::ready(Ok((None, OffsetDateTime::UNIX_EPOCH)))
    }

    /// [`reading::set_progress`].
    fn set_progress(&mut self, _id: i64, _progress: &Value) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Ok(()))
    }

    /// [`outbox_result::apply_results`].
    fn apply_results(&mut self, rows: &ResultRows<'_>) -> impl Future<Output = Result<()>> + Send;

    /// [`outbox_result::apply_receipts`].
    fn apply_receipts(&mut self, rows: &ReceiptRows) -> impl Future<Output = Result<Vec<i32>>> + Send;

    /// [`outbox_result::keep_early`].
    fn keep_early(&mut self, receipts: &[EarlyReceipt]) -> impl Future<Output = Result<()>> + Send;

    /// [`outbox_result::lock_early`].
    fn lock_early(&mut self, limit: i64) -> impl Future<Output = Result<Vec<EarlyReceipt>>> + Send;

    /// [`outbox_result::remove_early`].
    fn remove_early(&mut self, receipts: &[EarlyReceipt]) -> impl Future<Output = Result<()>> + Send;
}

impl Ledger for Store {
    type Tx = PgConnection;

    fn deadline(&self) -> Duration {
        Store::deadline(self)
    }

    fn pinned(&self) -> Self {
        Store::pinned(self)
    }

    fn lease_seconds(&self) -> i32 {
        Store::lease_seconds(self)
    }

    async fn schema(&self) -> Result<Schema> {
        check_schema(self).await
    }

    async fn open_runs(&self, runs: &[Uuid], host: &str) -> Result<Vec<Mark>> {
        self.with_conn(self.deadline(), async |conn: &mut PgConnection| watermark::register(conn, runs, host).await)
            .await
    }

    async fn conclude_run(&self, spool_id: i32, newest: u64) -> Result<()> {
        self.with_conn(self.deadline(), async |conn: &mut PgConnection| {
            watermark::write(conn, spool_id, 0, newest.cast_signed()).await
        })
        .await
    }

    async fn roster(&self, closed_days: i32) -> Result<Loaded> {
        roster::load(self, closed_days).await
    }

    async fn phone_ids(&self, numbers: &[String]) -> Result<Vec<(String, i64)>> {
        self.with_conn(self.deadline(), async |conn: &mut PgConnection| phone::ids(conn, numbers).await).await
    }

    async fn own_leased(&self, live: Uuid, runs: &[Uuid], except: &[Uuid], limit: i64) -> Result<Vec<Leased>> {
        self.with_conn(self.deadline(), async |conn: &mut PgConnection| {
            outbox::own_leased(conn, live, runs, except, limit, self.lease_seconds()).await
        })
        .await
    }

    async fn take_due(&self, spool: Uuid, groups: &[String], limit: i64) -> Result<Vec<Leased>> {
        self.with_conn(self.deadline(), async |conn: &mut PgConnection| {
            outbox::take_due(conn, spool, groups, limit, self.lease_seconds()).await
        })
        .await
    }

    async fn upkeep(&self, spool: Uuid, ids: &[Uuid], limit: i64) -> Result<Upkeep> {
        self.with_conn(self.deadline(), async |conn: &mut PgConnection| {
            if !ids.is_empty() {
                outbox::renew(conn, spool, ids, self.lease_seconds()).await?;
            }
            let lapsed = outbox::settle_lapsed(conn, spool, limit).await?;
            let expired = outbox::expire(conn, limit).await?;
            let (due, leased) = outbox::open_counts(conn).await?;
            Ok(Upkeep { lapsed, expired, due, leased })
        })
        .await
    }

    async fn note_confirmed(&self, run: Uuid, runs: &[Uuid], links: &[(String, i64)]) -> Result<bool> {
        self.with_conn(self.deadline(), async |conn: &mut PgConnection| confirmed::note(conn, run, runs, links).await)
            .await
    }

    async fn next_request(&self, kinds: &[&str], after: i64) -> Result<Option<Open>> {
        self.with_conn(self.deadline(), async |conn: &mut PgConnection| request::next(conn, kinds, after).await).await
    }

    async fn close_request(&self, id: i64, how: Closed, result: &Value) -> Result<bool> {
        self.with_conn(self.deadline(), async |conn: &mut PgConnection| request::close(conn, id, how, result).await)
            .await
    }

    async fn kept(&self, spool: Uuid, sequence: i64) -> Result<Option<Kept>> {
        self.with_conn(self.deadline(), async |conn: &mut PgConnection| set_aside::find(conn, spool, sequence).await)
            .await
    }

    async fn transact<W: Transaction<PgConnection>>(&self, deadline: Duration, work: W) -> Result<W::Output> {
        self.with_tx(deadline, async |conn: &mut PgConnection| work.run(conn).await).await
    }
}

impl Tx for PgConnection {
    async fn stored(&mut self, spool_id: i32, sequences: &[i64]) -> Result<Vec<(i64, Vec<u8>)>> {
        message::stored(self, spool_id, sequences).await
    }

    async fn count_redelivered(&mut self, spools: &[Uuid], sequences: &[i64], times: &[i32]) -> Result<()> {
        message::count_redelivered(self, spools, sequences, times).await
    }

    async fn lock_phones(&mut self, phones: &[i64]) -> Result<()> {
        confirmed::lock_phones(self, phones).await
    }

    async fn find_elsewhere(&mut self, of: &Repeated<'_>) -> Result<Option<(Uuid, i64)>> {
        confirmed::find(self, of).await
    }

    async fn point_to_whole(&mut self, parts: &[(i32, i64)], whole: (i32, i64)) -> Result<()> {
        message::point_to_whole(self, parts, whole).await
    }

    async fn finish(&mut self, row: &Finished<'_>) -> Result<()> {
        message::finish(self, row).await
    }

    async fn phone_ids(&mut self, numbers: &[String]) -> Result<Vec<(String, i64)>> {
        phone::ids(self, numbers).await
    }

    async fn lock_sets(&mut self, keys: &[SetKey]) -> Result<Vec<i64>> {
        segment::lock_sets(self, keys).await
    }

    async fn lock_expired(&mut self, wait_seconds: i32, limit: i64) -> Result<Vec<(i64, SetKey)>> {
        segment::lock_expired(self, wait_seconds, limit).await
    }

    async fn parts(&mut self, sets: &[i64]) -> Result<Vec<Part>> {
        segment::parts(self, sets).await
    }

    async fn done_parts(&mut self, keys: &[SetKey]) -> Result<Vec<(usize, i16, Vec<u8>)>> {
        segment::done_parts(self, keys).await
    }

    async fn remember_parts(&mut self, parts: &[DonePart]) -> Result<bool> {
        segment::remember_parts(self, parts).await
    }

    async fn forget_parts(&mut self, seconds: i32, limit: i64) -> Result<()> {
        segment::forget_parts(self, seconds, limit).await
    }

    async fn keep_parts(&mut self, parts: &[Part]) -> Result<()> {
        segment::keep_parts(self, parts).await
    }

    async fn restart_set(&mut self, set: i64) -> Result<()> {
        segment::restart_set(self, set).await
    }

    async fn remove_sets(&mut self, sets: &[i64]) -> Result<()> {
        segment::remove_sets(self, sets).await
    }

    async fn lock_submissions(
        &mut self,
        elections: &[i32],
        ids: &[Uuid],
        sets: &[&SetKey],
        phones: &[i64],
    ) -> Result<Found> {
        submission::lock(self, elections, ids, sets, phones).await
    }

    async fn attempts(&mut self, phones: &[(i64, bool)], observers: &[(i32, bool)]) -> Result<Stored> {
        auth::attempts(self, phones, observers).await
    }

    async fn note_attempts(&mut self, new: &[NewAttempt]) -> Result<()> {
        auth::note(self, new).await
    }

    async fn note_senders(&mut self, changes: &[SenderChange]) -> Result<()> {
        sender::note(self, changes).await
    }

    async fn history(&mut self, elections: &[i32], ids: &[Uuid]) -> Result<Vec<(Uuid, Assertion)>> {
        submission::history(self, elections, ids).await
    }

    async fn write(
        &mut self,
        place: Place,
        messages: &MessageRows<'_>,
        submissions: &SubmissionRows<'_>,
        revisions: &RevisionRows<'_>,
        replies: &ReplyRows<'_>,
    ) -> Result<bool> {
        batch::write(self, place, messages, submissions, revisions, replies).await
    }

    async fn set_aside(&mut self, row: &SetAside<'_>) -> Result<bool> {
        set_aside::insert(self, row).await
    }

    async fn take_set_aside(&mut self, spool_id: i32, sequence: i64) -> Result<bool> {
        set_aside::take(self, spool_id, sequence).await
    }

    async fn lock_request(&mut self, id: i64) -> Result<bool> {
        request::lock(self, id).await
    }

    async fn close_request(&mut self, id: i64, how: Closed, result: &Value) -> Result<bool> {
        request::close(self, id, how, result).await
    }

    async fn lock_texts(&mut self, which: &Which, limit: i64) -> Result<Vec<TextRow>> {
        reading::lock_texts(self, which, limit).await
    }

    async fn lock_text(&mut self, spool: Uuid, sequence: i64) -> Result<bool> {
        reading::lock_text(self, spool, sequence).await
    }

    async fn texts(&mut self, records: &[(Uuid, i64)]) -> Result<Vec<TextRow>> {
        reading::texts(self, records).await
    }

    async fn other_parts(&mut self, spool_id: i32, sequence: i64) -> Result<Vec<RawPart>> {
        reading::other_parts(self, spool_id, sequence).await
    }

    async fn write_reading(&mut self, it: &ReadAnew<'_>) -> Result<()> {
        reading::write(self, it).await
    }

    async fn set_answers(&mut self, election: i32, id: Uuid, answers: &Answers, last: OrderKey) -> Result<()> {
        reading::set_answers(self, election, id, answers, last).await
    }

    async fn refresh_submissions(&mut self, elections: &[i32], ids: &[Uuid]) -> Result<()> {
        reading::refresh(self, elections, ids).await
    }

    async fn comments(&mut self, elections: &[i32], ids: &[Uuid]) -> Result<Vec<(Uuid, OrderKey, String)>> {
        reading::comments(self, elections, ids).await
    }

    async fn progress(&mut self, id: i64) -> Result<(Option<Value>, OffsetDateTime)> {
        reading::progress(self, id).await
    }

    async fn set_progress(&mut self, id: i64, progress: &Value) -> Result<()> {
        reading::set_progress(self, id, progress).await
    }

    async fn apply_results(&mut self, rows: &ResultRows<'_>) -> Result<()> {
        outbox_result::apply_results(self, rows).await
    }

    async fn apply_receipts(&mut self, rows: &ReceiptRows) -> Result<Vec<i32>> {
        outbox_result::apply_receipts(self, rows).await
    }

    async fn keep_early(&mut self, receipts: &[EarlyReceipt]) -> Result<()> {
        outbox_result::keep_early(self, receipts).await
    }

    async fn lock_early(&mut self, limit: i64) -> Result<Vec<EarlyReceipt>> {
        outbox_result::lock_early(self, limit).await
    }

    async fn remove_early(&mut self, receipts: &[EarlyReceipt]) -> Result<()> {
        outbox_result::remove_early(self, receipts).await
    }
}
