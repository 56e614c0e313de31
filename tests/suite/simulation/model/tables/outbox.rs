//! Replies: which are due, who has them under lease.

use std::sync::Arc;

use scrutineer::limits::REPLY_ATTEMPTS_MAX;
use scrutineer::store::instant;
use scrutineer::store::outbox::Leased;
use uuid::Uuid;

use super::{Reply, SECOND, Tables};

impl Tables {
    pub fn leased(&self, id: Uuid) -> Option<Leased> {
        let row = self.outbox.get(&id)?;
        let (phone, _) = self.phones.iter().find(|(_, p)| **p == row.phone_id)?;
        Some(Leased {
            id,
            attempt: row.attempt,
            link_group: row.link_group.clone(),
            link: None,
            bulk: false,
            source: row.source.clone(),
            destination: phone.clone(),
            text: row.text.clone(),
            expires_at: instant(row.expires_us),
        })
    }

    /// Ids of rows that are so, ordered.
    fn choose<K: Ord>(&self, is: impl Fn(&Uuid, &Reply) -> bool, by: impl Fn(&Reply) -> K) -> Vec<Uuid> {
        let mut some: Vec<_> = self.outbox.iter().filter(|(id, r)| is(id, r)).map(|(id, r)| (by(r), *id)).collect();
        some.sort();
        some.into_iter().map(|(_, id)| id).collect()
    }

    pub fn own_leased(&self, runs: &[Uuid], except: &[Uuid]) -> Vec<Uuid> {
        let own = |id: &Uuid, r: &Reply| {
            r.state == "leased" && r.lease.is_some_and(|(run, _)| runs.contains(&run)) && !except.contains(id)
        };
        self.choose(own, |r| r.lease.map(|(_, until)| until))
    }

    pub fn due(&self, groups: &[String], now_us: i64) -> Vec<Uuid> {
        let due = |_: &Uuid, r: &Reply| {
            r.state == "due" && r.due_us <= now_us && r.expires_us > now_us && groups.contains(&r.link_group)
        };
        self.choose(due, |r| r.due_us)
    }

    pub fn lapsed(&self, spool: Uuid, now_us: i64) -> Vec<Uuid> {
        let lapsed = |_: &Uuid, r: &Reply| {
            r.state == "leased" && r.lease.is_some_and(|(of, until)| until < now_us && of != spool)
        };
        self.choose(lapsed, |r| r.lease.map(|(_, until)| until))
    }

    pub fn expired(&self, now_us: i64) -> Vec<Uuid> {
        self.choose(|_, r| r.state == "due" && r.expires_us <= now_us, |r| r.due_us)
    }

    pub fn change_reply(&mut self, id: Uuid, change: impl FnOnce(&mut Reply)) {
        if let Some(row) = self.outbox.get_mut(&id) {
            change(Arc::make_mut(row));
        }
    }

    pub fn lease(&mut self, ids: &[Uuid], spool: Uuid, now_us: i64, seconds: i32) {
        let until = now_us + i64::from(seconds) * SECOND;
        for id in ids {
            self.change_reply(*id, |r| {
                r.state = "leased";
                r.lease = Some((spool, until));
            });
        }
    }

    /// Those of these rows whose lease is to be lengthened.
    pub fn to_renew(&self, spool: Uuid, ids: &[Uuid], now_us: i64, seconds: i32) -> Vec<Uuid> {
        let half = now_us + i64::from(seconds / 2) * SECOND;
        let wanted = |r: &Reply| r.state == "leased" && r.lease.is_some_and(|(of, until)| of == spool && until < half);
        ids.iter().copied().filter(|id| self.outbox.get(id).is_some_and(|r| wanted(r))).collect()
    }

    pub fn lapse(&mut self, ids: &[Uuid], now_us: i64) {
        for id in ids {
            self.change_reply(*id, |r| {
                let again = r.attempt < REPLY_ATTEMPTS_MAX;
                r.state = if again { "due" } else { "unknown" };
                r.attempt += i16::from(again);
                r.unknown_before += 1;
                (r.due_us, r.lease) = (now_us, None);
            });
        }
    }
}
