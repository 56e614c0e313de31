//! What the work on staff's requests asks of a transaction: the requests, and messages read anew, each
//! method the function of that name in its table's file.

use std::future::Future;

use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Result;
use crate::domain::order::OrderKey;
use crate::domain::value::Answers;
use crate::store::reading::{self, RawPart, ReadAnew, TextRow, Which};
use crate::store::request::{self, Closed};
use crate::store::{reread, set_aside};

/// What stands open to a transaction that carries out a request.
pub trait StaffTx {
    /// [`set_aside::take`].
    fn take_set_aside(&mut self, spool_id: i32, sequence: i64) -> impl Future<Output = Result<bool>> + Send;

    /// [`request::lock`].
    fn lock_request(&mut self, id: i64) -> impl Future<Output = Result<bool>> + Send;

    /// [`request::close`], with what it changed.
    fn close_request(&mut self, id: i64, how: Closed, result: &Value) -> impl Future<Output = Result<bool>> + Send;

    /// [`reading::lock_texts`].
    fn lock_texts(&mut self, which: &Which, limit: i64) -> impl Future<Output = Result<Vec<TextRow>>> + Send;

    /// [`reading::lock_text`].
    fn lock_text(&mut self, spool: Uuid, sequence: i64) -> impl Future<Output = Result<bool>> + Send;

    /// [`reading::texts`].
    fn texts(&mut self, records: &[(Uuid, i64)]) -> impl Future<Output = Result<Vec<TextRow>>> + Send;

    /// [`reading::other_parts`].
    fn other_parts(&mut self, spool_id: i32, sequence: i64) -> impl Future<Output = Result<Vec<RawPart>>> + Send;

    /// [`reading::write`].
    fn write_reading(&mut self, it: &ReadAnew<'_>) -> impl Future<Output = Result<()>> + Send;

    /// [`reread::set_answers`].
    fn set_answers(
        &mut self,
        election: i32,
        id: Uuid,
        answers: &Answers,
        last: OrderKey,
    ) -> impl Future<Output = Result<()>> + Send;

    /// [`reread::refresh`].
    fn refresh_submissions(&mut self, elections: &[i32], ids: &[Uuid]) -> impl Future<Output = Result<()>> + Send;

    /// [`reread::comments`].
    fn comments(
        &mut self,
        elections: &[i32],
        ids: &[Uuid],
    ) -> impl Future<Output = Result<Vec<(Uuid, OrderKey, String)>>> + Send;

    /// [`request::progress`].
    fn progress(&mut self, id: i64) -> impl Future<Output = Result<(Option<Value>, OffsetDateTime)>> + Send;

    /// [`request::set_progress`].
    fn set_progress(&mut self, id: i64, progress: &Value) -> impl Future<Output = Result<()>> + Send;
}

impl StaffTx for PgConnection {
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
        reread::set_answers(self, election, id, answers, last).await
    }

    async fn refresh_submissions(&mut self, elections: &[i32], ids: &[Uuid]) -> Result<()> {
        reread::refresh(self, elections, ids).await
    }

    async fn comments(&mut self, elections: &[i32], ids: &[Uuid]) -> Result<Vec<(Uuid, OrderKey, String)>> {
        reread::comments(self, elections, ids).await
    }

    async fn progress(&mut self, id: i64) -> Result<(Option<Value>, OffsetDateTime)> {
        request::progress(self, id).await
    }

    async fn set_progress(&mut self, id: i64, progress: &Value) -> Result<()> {
        request::set_progress(self, id, progress).await
    }
}
