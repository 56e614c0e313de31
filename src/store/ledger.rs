//! The port between the worker's work (`intake`, `outbox`) and the database: what it asks for, by
//! name, so that a simulation can stand in PostgreSQL's place.
//!
//! [`Store`] is the implementation that runs; each method is the function of that name in its
//! table's file.

use std::future::Future;
use std::time::Duration;

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::confirmed::LinkResponses;
use super::migrate::{Schema, check_schema};
use super::outbox::Leased;
use super::request::{Closed, Open};
use super::roster::Loaded;
use super::set_aside::Kept;
use super::watermark::Mark;
use super::{Store, StoreError, confirmed, outbox, outbox_unknown, phone, request, roster, set_aside, watermark};

mod staff;
mod tx;

pub use self::staff::StaffTx;
pub use self::tx::Tx;

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
    fn pinned(&self) -> Self;

    /// Seconds after which another host's worker may take a leased reply.
    fn lease_seconds(&self) -> i32;

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

    /// [`phone::known`].
    fn known_phone_ids(&self, numbers: &[String]) -> impl Future<Output = Result<Vec<(String, i64)>>> + Send;

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

    /// [`confirmed::note`].
    fn note_confirmed(&self, _run: Uuid, _links: &[LinkResponses]) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Ok(()))
    }

    /// [`request::next`].
    fn next_request(&self, kinds: &[&str], after: i64) -> impl Future<Output = Result<Option<Open>>> + Send;

    /// [`request::close`], of one whose work changed nothing.
    fn close_request(&self, id: i64, how: Closed, result: &Value) -> impl Future<Output = Result<bool>> + Send;

    /// [`set_aside::find`].
    fn kept(&self, spool: Uuid, sequence: i64) -> impl Future<Output = Result<Option<Kept>>> + Send;

    /// Work in one transaction, as [`Store::with_tx`] does it.
    fn transact<W: Transaction<Self::Tx>>(
        &self,
        deadline: Duration,
        work: W,
    ) -> impl Future<Output = Result<W::Output>> + Send;
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

    async fn known_phone_ids(&self, numbers: &[String]) -> Result<Vec<(String, i64)>> {
        self.with_conn(self.deadline(), async |conn: &mut PgConnection| phone::known(conn, numbers).await).await
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
            let settled = outbox_unknown::settle(conn, limit).await?;
            if settled > 0 {
                tracing::info!(
                    texts = settled,
                    "texts of unknown outcome are settled by receipts whose id nobody told"
                );
                metrics::counter!("scrutineer_outbox_settled_by_phone_total").increment(settled);
            }
            let (due, leased) = outbox::open_counts(conn).await?;
            Ok(Upkeep { lapsed, expired, due, leased })
        })
        .await
    }

    async fn note_confirmed(&self, run: Uuid, links: &[LinkResponses]) -> Result<()> {
        self.with_conn(self.deadline(), async |conn: &mut PgConnection| confirmed::note(conn, run, links).await).await
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
