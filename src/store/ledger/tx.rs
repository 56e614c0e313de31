//! What the work on records asks of a transaction, each method the function of that name in its table's file.

use std::future::Future;

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Result, StaffTx};
use crate::domain::submission::Assertion;
use crate::store::auth::{self, NewAttempt};
use crate::store::batch::{self, Place, Written};
use crate::store::confirmed::{self, Elsewhere, Repeated};
use crate::store::message::{self, Finished, MessageRows};
use crate::store::outbox::ReplyRows;
use crate::store::outbox_result::{self, EarlyReceipt, ReceiptRows, ResultRows};
use crate::store::phone;
use crate::store::segment::{self, DonePart, Part, SetKey};
use crate::store::sender::{self, SenderChange};
use crate::store::set_aside::{self, SetAside};
use crate::store::submission::{self, Found, RevisionRows, SubmissionRows};

/// What stands open to a transaction: messages, parts of texts, submissions, replies.
pub trait Tx: StaffTx + Send {
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
    fn find_elsewhere(&mut self, _of: &Repeated<'_>) -> impl Future<Output = Result<Option<Elsewhere>>> + Send {
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

    /// [`segment::done_parts`].
    fn done_parts(&mut self, keys: &[SetKey]) -> impl Future<Output = Result<Vec<(usize, i16, Vec<u8>)>>> + Send;

    /// [`segment::remember_parts`].
    fn remember_parts(&mut self, parts: &[DonePart]) -> impl Future<Output = Result<bool>> + Send;

    /// [`segment::forget_parts`].
    fn forget_parts(&mut self, seconds: i32, limit: i64) -> impl Future<Output = Result<()>> + Send;

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
    fn note_senders(&mut self, changes: &[SenderChange]) -> impl Future<Output = Result<()>> + Send;

    /// [`auth::attempts`]. A ledger that remembers none locks nobody.
    fn attempts(
        &mut self,
        _phones: &[(i64, bool)],
        _observers: &[(i32, bool)],
    ) -> impl Future<Output = Result<auth::Stored>> + Send {
        std::future::ready(Ok(auth::Stored::default()))
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
    ) -> impl Future<Output = Result<Written>> + Send;

    /// [`set_aside::insert`].
    fn set_aside(&mut self, row: &SetAside<'_>) -> impl Future<Output = Result<bool>> + Send;

    /// [`outbox_result::apply_results`].
    fn apply_results(&mut self, rows: &ResultRows<'_>) -> impl Future<Output = Result<()>> + Send;

    /// [`outbox_result::as_sent`].
    fn as_sent(&mut self, ids: &[Uuid], texts: &[&str]) -> impl Future<Output = Result<()>> + Send;

    /// [`outbox_result::apply_receipts`].
    fn apply_receipts(&mut self, rows: &ReceiptRows) -> impl Future<Output = Result<Vec<i32>>> + Send;

    /// [`outbox_result::keep_early`].
    fn keep_early(&mut self, receipts: &[EarlyReceipt]) -> impl Future<Output = Result<()>> + Send;

    /// [`outbox_result::lock_early`].
    fn lock_early(&mut self, limit: i64) -> impl Future<Output = Result<Vec<EarlyReceipt>>> + Send;

    /// [`outbox_result::remove_early`].
    fn remove_early(&mut self, receipts: &[EarlyReceipt]) -> impl Future<Output = Result<()>> + Send;
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

    async fn find_elsewhere(&mut self, of: &Repeated<'_>) -> Result<Option<Elsewhere>> {
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

    async fn attempts(&mut self, phones: &[(i64, bool)], observers: &[(i32, bool)]) -> Result<auth::Stored> {
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
    ) -> Result<Written> {
        batch::write(self, place, messages, submissions, revisions, replies).await
    }

    async fn set_aside(&mut self, row: &SetAside<'_>) -> Result<bool> {
        set_aside::insert(self, row).await
    }

    async fn apply_results(&mut self, rows: &ResultRows<'_>) -> Result<()> {
        outbox_result::apply_results(self, rows).await
    }

    async fn as_sent(&mut self, ids: &[Uuid], texts: &[&str]) -> Result<()> {
        outbox_result::as_sent(self, ids, texts).await
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
