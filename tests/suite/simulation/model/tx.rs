//! A connection, and a transaction on it: it begins, sees, holds, changes, and ends.

use std::time::Duration;

use scrutineer::limits::DATABASE_PEER_SILENT_SECONDS;
use scrutineer::store::StoreError;
use tokio::time::{sleep, timeout};

use super::super::net::{Host, Net};
use super::db::{Db, How, Lock};
use super::refusal::broken;
use super::tables::Tables;

mod alone;
mod batch;
mod elsewhere;
mod owned;
mod staff;
mod statements;

type Result<T> = std::result::Result<T, StoreError>;

/// The host of the database.
pub const DATABASE: Host = "database";

/// A message with this in it is refused, as PostgreSQL refuses what it cannot hold.
pub const POISON: &[u8] = b"poison";

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
        let delay = self.net.delay();
        if !delay.is_zero() {
            sleep(delay).await;
        }
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
        if self.conn.db.swallows_an_answer() {
            return Err(broken());
        }
        self.conn.leg().await
    }

    /// A statement gets there, and is refused at times.
    async fn ask(&self) -> Result<()> {
        self.conn.ask().await?;
        self.conn.db.refusal().map_or(Ok(()), Err)
    }

    pub async fn roll_back(mut self) -> Result<()> {
        self.conn.ask().await?;
        self.ended = true;
        self.conn.db.end(self.id, false)?;
        self.conn.leg().await
    }

    pub(super) fn see<T>(&self, look: impl FnOnce(&Tables) -> T) -> Result<T> {
        self.conn.db.see(self.id, look)
    }

    async fn hold(&self, locks: impl IntoIterator<Item = Lock>) -> Result<()> {
        self.hold_as(locks, How::Changed).await.map(drop)
    }

    /// Takes rows to update. One that somebody changed meanwhile, so that it is to be updated no more, stays
    /// locked all the same, as PostgreSQL looks at it again under its lock.
    async fn hold_to_update(
        &self,
        locks: impl IntoIterator<Item = Lock>,
        are: impl Fn(&Tables, &Lock) -> bool,
    ) -> Result<()> {
        let new = self.hold_as(locks, How::Changed).await?;
        let not: Vec<Lock> = self.see(|t| new.into_iter().filter(|lock| !are(t, lock)).collect())?;
        self.conn.db.keep_unchanged(self.id, &not);
        Ok(())
    }

    /// Takes rows to change, and leaves those again of which that is not so once it has them.
    async fn hold_those(
        &self,
        locks: impl IntoIterator<Item = Lock>,
        are: impl Fn(&Tables, &Lock) -> bool,
    ) -> Result<()> {
        let new = self.hold_as(locks, How::Changed).await?;
        let not: Vec<Lock> = self.see(|t| new.into_iter().filter(|lock| !are(t, lock)).collect())?;
        self.conn.db.leave(self.id, &not);
        Ok(())
    }

    async fn hold_as(&self, locks: impl IntoIterator<Item = Lock>, how: How) -> Result<Vec<Lock>> {
        self.conn.db.hold(self.id, locks.into_iter().collect(), how).await
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
}

impl Drop for ModelTx {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        // The client went: the server learns it sooner or later, and a COMMIT may be on the wire.
        let (db, id, net, host) = (self.conn.db.clone(), self.id, self.conn.net.clone(), self.conn.host);
        let commit = self.committing && db.dice.once_in(2);
        let learns = if db.dice.once_in(3) { db.dice.millis(0, 4_000) } else { db.dice.millis(0, 20) };
        if tokio::runtime::Handle::try_current().is_ok() {
            tokio::spawn(async move {
                sleep(learns).await;
                // Nothing is heard of a client that is parted or stands still: what it holds it holds until then.
                let silent = Duration::from_secs(DATABASE_PEER_SILENT_SECONDS);
                let _ = timeout(silent, net.reach(host, DATABASE)).await;
                let _ = db.end(id, commit);
            });
        }
    }
}
