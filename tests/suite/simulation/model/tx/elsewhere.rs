//! What hosts tell each other, as a transaction locks and changes it.

use std::collections::{BTreeMap, BTreeSet};

use scrutineer::store::auth::{NewAttempt, Stored};
use scrutineer::store::confirmed::LinkResponses;
use uuid::Uuid;

use super::super::db::Lock;
use super::{ModelTx, Result};

impl ModelTx {
    pub async fn note_confirmed(&self, run: Uuid, links: &[LinkResponses]) -> Result<()> {
        let now_us = self.now_us;
        let id = self.see(|t| t.spools.get(&run).copied())?;
        let row = |id: i32, known: &LinkResponses| ((id, known.link.clone()), known.clone());
        let rows: Vec<_> = id.into_iter().flat_map(|id| links.iter().map(move |known| row(id, known))).collect();
        self.hold(rows.iter().map(|((id, link), _)| Lock::Confirmed(*id, link.clone()))).await?;
        self.change(move |t| t.note_confirmed(&rows, now_us))
    }

    pub(super) async fn lock_phones_elsewhere(&self, phones: &[i64]) -> Result<()> {
        self.ask().await?;
        let phones: BTreeSet<i64> = phones.iter().copied().collect();
        self.hold(phones.into_iter().map(Lock::PhoneElsewhere)).await?;
        self.conn.leg().await
    }

    /// Rows of those with a wrong code are made and locked, observers before phones.
    pub(super) async fn lock_attempts(&self, phones: &[(i64, bool)], observers: &[(i32, bool)]) -> Result<Stored> {
        self.ask().await?;
        let wrong = observers.iter().map(|(id, wrong)| (false, i64::from(*id), *wrong));
        let wrong = wrong.chain(phones.iter().map(|(id, wrong)| (true, *id, *wrong)));
        let keys: BTreeSet<(bool, i64)> = wrong.filter(|w| w.2).map(|w| (w.0, w.1)).collect();
        if !keys.is_empty() {
            self.hold(keys.iter().map(|(is_phone, id)| Lock::Attempts(*is_phone, *id))).await?;
            self.change(move |t| {
                for key in &keys {
                    t.attempts.entry(*key).or_default();
                }
            })?;
        }
        let phones: Vec<i64> = phones.iter().map(|(id, _)| *id).collect();
        let observers: Vec<i32> = observers.iter().map(|(id, _)| *id).collect();
        let stored = self.see(|t| t.attempts_of(&phones, &observers))?;
        self.conn.leg().await?;
        Ok(stored)
    }

    pub(super) async fn add_attempts(&self, new: &[NewAttempt]) -> Result<()> {
        let by: BTreeMap<(bool, i64), &NewAttempt> = new.iter().map(|n| ((n.is_phone, n.id), n)).collect();
        for ((is_phone, id), one) in by {
            self.ask().await?;
            self.hold([Lock::Attempts(is_phone, id)]).await?;
            let one = one.clone();
            self.change(move |t| t.note_attempts(std::slice::from_ref(&one)))?;
            self.conn.leg().await?;
        }
        Ok(())
    }
}
