//! Statements that stand alone, each in a transaction of its own.

use std::collections::BTreeSet;

use scrutineer::store::outbox_result::EarlyReceipt;
use uuid::Uuid;

use super::super::db::Lock;
use super::super::refusal::refused;
use super::super::tables::Tables;
use super::{ModelTx, Result};

impl ModelTx {
    pub async fn own_leased(
        &self,
        live: Uuid,
        runs: &[Uuid],
        except: &[Uuid],
        limit: i64,
        seconds: i32,
    ) -> Result<Vec<Uuid>> {
        let some = self.see(|t| t.own_leased(runs, except))?;
        let ids = self.hold_free(some, limit, |id| Lock::Reply(*id)).await?;
        let (chosen, now_us) = (ids.clone(), self.now_us);
        if !chosen.is_empty() {
            self.change(move |t| t.lease(&chosen, live, now_us, seconds))?;
        }
        Ok(ids)
    }

    pub async fn take_due(&self, spool: Uuid, groups: &[String], limit: i64, seconds: i32) -> Result<Vec<Uuid>> {
        let now_us = self.now_us;
        let some = self.see(|t| t.due(groups, now_us))?;
        let ids = self.hold_free(some, limit, |id| Lock::Reply(*id)).await?;
        let chosen = ids.clone();
        if !chosen.is_empty() {
            self.change(move |t| t.lease(&chosen, spool, now_us, seconds))?;
        }
        Ok(ids)
    }

    pub async fn renew(&self, spool: Uuid, ids: &[Uuid], seconds: i32) -> Result<()> {
        let now_us = self.now_us;
        let ids = self.see(|t| t.to_renew(spool, ids, now_us, seconds))?;
        self.hold(ids.iter().copied().map(Lock::Reply)).await?;
        let ids = self.see(|t| t.to_renew(spool, &ids, now_us, seconds))?;
        if !ids.is_empty() {
            self.change(move |t| t.lease(&ids, spool, now_us, seconds))?;
        }
        Ok(())
    }

    pub async fn settle_lapsed(&self, spool: Uuid, limit: i64) -> Result<u64> {
        let now_us = self.now_us;
        let some = self.see(|t| t.lapsed(spool, now_us))?;
        let ids = self.hold_free(some, limit, |id| Lock::Reply(*id)).await?;
        let count = ids.len() as u64;
        if count > 0 {
            self.conn.db.lock().lapsed += count;
            self.change(move |t| t.lapse(&ids, now_us))?;
        }
        Ok(count)
    }

    pub async fn expire(&self, limit: i64) -> Result<u64> {
        let some = self.see(|t| t.expired(self.now_us))?;
        let ids = self.hold_free(some, limit, |id| Lock::Reply(*id)).await?;
        let count = ids.len() as u64;
        if count > 0 {
            self.change(move |t| ids.iter().for_each(|id| t.change_reply(*id, |r| r.state = "expired")))?;
        }
        Ok(count)
    }

    /// Texts of unknown outcome are settled by receipts whose id no response told.
    pub async fn settle_unknown(&self, limit: i64) -> Result<()> {
        let some = self.see(|t| t.long_waiting(self.now_us))?;
        let lock = |r: &EarlyReceipt| Lock::Early(r.link_group.clone(), r.message_id.clone());
        let waiting = self.hold_free(some, limit, lock).await?;
        let settled = self.see(|t| t.settled_by(&waiting))?;
        self.hold(settled.iter().map(|(id, _)| Lock::Reply(*id))).await?;
        if !settled.is_empty() {
            self.conn.db.lock().settled += settled.len() as u64;
            self.change(move |t| t.settle_unknown(&settled))?;
        }
        Ok(())
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
        if self.see(|t| t.spools.values().all(|id| *id != spool_id))? {
            return Err(refused("23503", "a watermark without its spool"));
        }
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

    pub fn known_phones(&self, numbers: &[String]) -> Result<Vec<(String, i64)>> {
        self.see(|t| t.phone_ids(numbers))
    }
}
