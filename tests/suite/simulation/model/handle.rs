//! A worker's handle on the simulated database: what `Store` is to the real one.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use scrutineer::store::StoreError;
use scrutineer::store::confirmed::LinkResponses;
use scrutineer::store::ledger::{Ledger, Transaction, Upkeep};
use scrutineer::store::migrate::Schema;
use scrutineer::store::outbox::Leased;
use scrutineer::store::request::{Closed, Open};
use scrutineer::store::roster::Loaded;
use scrutineer::store::set_aside::Kept;
use scrutineer::store::watermark::Mark;
use serde_json::Value;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::super::net::{Host, Net};
use super::db::Db;
use super::tx::{Conn, DATABASE, ModelTx};

type Result<T> = std::result::Result<T, StoreError>;

/// The deadline of one use.
const DEADLINE: Duration = Duration::from_secs(5);
/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(3);

/// See the module.
#[derive(Clone)]
pub struct Handle {
    pub db: Db,
    pub net: Net,
    pub host: Host,
    pub roster: Arc<dyn Fn() -> Loaded + Send + Sync>,
    lease_seconds: i32,
    pinned: Option<Arc<OnceLock<u64>>>,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({})", self.host)
    }
}

impl Handle {
    pub fn new(
        db: &Db,
        net: &Net,
        host: Host,
        roster: Arc<dyn Fn() -> Loaded + Send + Sync>,
        lease_seconds: i32,
    ) -> Self {
        Self { db: db.clone(), net: net.clone(), host, roster, lease_seconds, pinned: None }
    }

    /// A connection to the server that takes writes now.
    async fn lend(&self) -> Result<Conn> {
        let made = timeout(CONNECT, async {
            sleep(self.net.delay()).await;
            self.net.reach(self.host, DATABASE).await;
            self.db.is_up()
        });
        if made.await != Ok(true) {
            return Err(StoreError::Unavailable(sqlx::Error::PoolTimedOut));
        }
        let epoch = self.db.epoch();
        if let Some(pinned) = &self.pinned
            && *pinned.get_or_init(|| epoch) != epoch
        {
            return Err(StoreError::Moved);
        }
        Ok(Conn { db: self.db.clone(), net: self.net.clone(), host: self.host, epoch })
    }

    /// One statement in a transaction of its own, which the server commits before it answers.
    async fn alone<T>(&self, f: impl AsyncFnOnce(&ModelTx) -> Result<T>) -> Result<T> {
        let conn = self.lend().await?;
        let tx = ModelTx::begin(conn).await?;
        let value = f(&tx).await?;
        tx.commit().await?;
        Ok(value)
    }

    async fn in_time<T>(&self, deadline: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
        timeout(deadline, work).await.unwrap_or(Err(StoreError::Deadline(deadline)))
    }

    fn rows(&self, ids: &[Uuid]) -> Vec<Leased> {
        let tables = self.db.tables();
        ids.iter().filter_map(|id| tables.leased(*id)).collect()
    }
}

impl Ledger for Handle {
    type Tx = ModelTx;

    fn pinned(&self) -> Self {
        Self { pinned: Some(Arc::default()), ..self.clone() }
    }

    fn deadline(&self) -> Duration {
        DEADLINE
    }

    fn lease_seconds(&self) -> i32 {
        self.lease_seconds
    }

    async fn schema(&self) -> Result<Schema> {
        self.lend().await?;
        Ok(Schema::Current { version: 1 })
    }

    async fn open_runs(&self, runs: &[Uuid], _host: &str) -> Result<Vec<Mark>> {
        self.in_time(DEADLINE, async {
            self.alone(async |tx| tx.register(runs).await).await?;
            Ok(self.db.tables().marks(runs))
        })
        .await
    }

    async fn conclude_run(&self, spool_id: i32, newest: u64) -> Result<()> {
        let work = self.alone(async |tx| tx.watermark(spool_id, 0, newest.cast_signed()).await);
        self.in_time(DEADLINE, work).await
    }

    async fn roster(&self, _closed_days: i32) -> Result<Loaded> {
        self.lend().await?;
        Ok((self.roster)())
    }

    async fn phone_ids(&self, numbers: &[String]) -> Result<Vec<(String, i64)>> {
        self.in_time(DEADLINE, self.alone(async |tx| tx.phones(numbers).await)).await
    }

    async fn known_phone_ids(&self, numbers: &[String]) -> Result<Vec<(String, i64)>> {
        self.in_time(DEADLINE, self.alone(async |tx| tx.known_phones(numbers))).await
    }

    async fn own_leased(&self, live: Uuid, runs: &[Uuid], except: &[Uuid], limit: i64) -> Result<Vec<Leased>> {
        let work = self.alone(async |tx| tx.own_leased(live, runs, except, limit, self.lease_seconds).await);
        Ok(self.rows(&self.in_time(DEADLINE, work).await?))
    }

    async fn take_due(&self, spool: Uuid, groups: &[String], limit: i64) -> Result<Vec<Leased>> {
        let work = self.alone(async |tx| tx.take_due(spool, groups, limit, self.lease_seconds).await);
        Ok(self.rows(&self.in_time(DEADLINE, work).await?))
    }

    async fn upkeep(&self, spool: Uuid, ids: &[Uuid], limit: i64) -> Result<Upkeep> {
        self.in_time(DEADLINE * 2, async {
            if !ids.is_empty() {
                self.alone(async |tx| tx.renew(spool, ids, self.lease_seconds).await).await?;
            }
            let lapsed = self.alone(async |tx| tx.settle_lapsed(spool, limit).await).await?;
            let expired = self.alone(async |tx| tx.expire(limit).await).await?;
            self.alone(async |tx| tx.settle_unknown(limit).await).await?;
            let (due, leased) = self.alone(async |tx| tx.open_counts()).await?;
            Ok(Upkeep { lapsed, expired, due, leased })
        })
        .await
    }

    async fn note_confirmed(&self, run: Uuid, links: &[LinkResponses]) -> Result<()> {
        self.in_time(DEADLINE, self.alone(async |tx| tx.note_confirmed(run, links).await)).await
    }

    async fn next_request(&self, _: &[&str], _: i64) -> Result<Option<Open>> {
        Ok(None)
    }

    async fn close_request(&self, _: i64, _: Closed, _: &Value) -> Result<bool> {
        Ok(false)
    }

    async fn kept(&self, spool: Uuid, sequence: i64) -> Result<Option<Kept>> {
        let work = self.alone(async |tx| {
            tx.see(|t| {
                let spool_id = *t.spools.get(&spool)?;
                let row = t.aside.get(&(spool_id, sequence))?;
                Some(Kept { spool_id, spool, sequence, record: row.record.clone(), parts: row.parts.clone() })
            })
        });
        self.in_time(DEADLINE, work).await
    }

    async fn transact<W: Transaction<ModelTx>>(&self, deadline: Duration, work: W) -> Result<W::Output> {
        let conn = self.lend().await?;
        self.in_time(deadline, async {
            let mut tx = ModelTx::begin(conn).await?;
            match work.run(&mut tx).await {
                Ok(value) => {
                    tx.commit().await?;
                    Ok(value)
                }
                Err(error) => {
                    tx.roll_back().await?;
                    Err(error)
                }
            }
        })
        .await
    }
}
