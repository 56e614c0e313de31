//! What results and receipts make of replies.

use std::collections::BTreeMap;

use scrutineer::limits::REPLY_ATTEMPTS_MAX;
use scrutineer::store::micros;
use scrutineer::store::outbox_result::EarlyReceipt;
use uuid::Uuid;

use super::{EarlyResult, ReceiptForm, Reply, ResultRow, SECOND, Tables};

fn is_sent(state: &str) -> bool {
    matches!(state, "sent" | "delivered" | "undelivered")
}

impl Tables {
    /// Does this result change its row?
    fn counts(row: &Reply, result: &ResultRow) -> bool {
        let bit = 1 << (result.attempt - 1);
        if is_sent(result.state) {
            matches!(row.state, "due" | "leased" | "unknown" | "expired")
                || row.accepted & bit == 0
                || Self::is_second(row, result)
        } else {
            row.state == "leased" && row.attempt == result.attempt
        }
    }

    /// Was the only attempt that was accepted accepted under another id? Then two hosts sent it.
    fn is_second(row: &Reply, result: &ResultRow) -> bool {
        is_sent(result.state)
            && row.accepted == 1 << (result.attempt - 1)
            && result.message_id.is_some()
            && row.message_id.is_some()
            && result.message_id != row.message_id
    }

    /// Rows that these results change.
    pub fn changed_by(&self, rows: &[ResultRow]) -> Vec<Uuid> {
        let changes = |r: &&ResultRow| self.outbox.get(&r.id).is_some_and(|row| Self::counts(row, r));
        rows.iter().filter(changes).map(|r| r.id).collect()
    }

    /// Those of these rows whose text is another one.
    pub fn otherwise(&self, ids: &[Uuid], texts: &[&str]) -> Vec<Uuid> {
        let is = |(id, text): &(&Uuid, &&str)| self.outbox.get(*id).is_some_and(|row| row.text != **text);
        ids.iter().zip(texts).filter(is).map(|(id, _)| *id).collect()
    }

    /// Acceptances among these of replies that have no row (yet).
    pub fn early(&self, rows: &[ResultRow]) -> Vec<(Uuid, EarlyResult)> {
        let none = |r: &&ResultRow| is_sent(r.state) && !self.outbox.contains_key(&r.id);
        rows.iter().filter(none).map(|r| (r.id, (r.attempt, r.message_id.clone()))).collect()
    }

    pub fn keep_early_results(&mut self, early: &[(Uuid, EarlyResult)]) {
        for (id, row) in early {
            self.early_results.entry(*id).or_insert_with(|| row.clone());
        }
    }

    pub fn apply_results(&mut self, rows: &[ResultRow], segments: &[(Uuid, i16, String, String)], now_us: i64) {
        for (id, place, message_id, group) in segments {
            if self.outbox.contains_key(id) {
                let row = (message_id.clone(), group.clone());
                self.outbox_segments.entry((*id, *place)).or_insert(row);
            }
        }
        for result in rows {
            self.change_reply(result.id, |r| {
                if !Self::counts(r, result) {
                    return;
                }
                let was_sent = is_sent(r.state);
                let again = result.state == "unknown" && r.attempt < REPLY_ATTEMPTS_MAX;
                r.unknown_before += i16::from(result.state == "unknown" || Self::is_second(r, result));
                if is_sent(result.state) {
                    r.accepted |= if Self::is_second(r, result) { 4 } else { 1 << (result.attempt - 1) };
                }
                if !was_sent {
                    r.state = if again { "due" } else { result.state };
                    r.message_id = result.message_id.clone().or(r.message_id.take());
                }
                r.attempt += i16::from(again);
                r.error.clone_from(&result.error);
                if matches!(result.state, "due" | "unknown") {
                    r.due_us = now_us + i64::from(result.due_seconds) * SECOND;
                }
                r.receipt = result.receipt.clone().or(r.receipt.take());
                r.lease = None;
            });
        }
    }

    /// The texts as they went.
    pub fn as_sent(&mut self, ids: &[Uuid], texts: &[String]) {
        for (id, text) in ids.iter().zip(texts) {
            self.change_reply(*id, |r| r.text.clone_from(text));
        }
    }

    /// What receipts are about: number, row, and the form that named it.
    pub fn hits<'a>(&self, forms: &'a [ReceiptForm]) -> Vec<(i32, Uuid, bool, &'a ReceiptForm)> {
        let mut best: BTreeMap<i32, (i16, bool, Uuid, &ReceiptForm)> = BTreeMap::new();
        for f in forms {
            let phone_fits = |row: &Reply| f.rank == 0 || Some(row.phone_id) == f.phone_id;
            let named = |id: &Option<String>| id.as_deref() == Some(f.form.as_str());
            let first = self
                .outbox
                .iter()
                .filter(|(_, r)| named(&r.message_id) && r.link_group == f.link_group && phone_fits(r))
                .map(|(id, _)| (*id, true));
            let further = self
                .outbox_segments
                .iter()
                .filter(|(_, (id, group))| *id == f.form && *group == f.link_group)
                .filter(|((id, _), _)| self.outbox.get(id).is_some_and(|r| phone_fits(r)))
                .map(|((id, _), _)| (*id, false));
            for (id, is_first) in first.chain(further) {
                let there = best.get(&f.no).map(|(rank, first, ..)| (*rank, !*first));
                if there.is_none_or(|there| (f.rank, !is_first) < there) {
                    best.insert(f.no, (f.rank, is_first, id, f));
                }
            }
        }
        best.into_iter().map(|(no, (_, first, id, f))| (no, id, first, f)).collect()
    }

    /// What receipts change: rows, each with the one that counts.
    pub fn receipted<'a>(&self, forms: &'a [ReceiptForm]) -> BTreeMap<Uuid, &'a ReceiptForm> {
        let mut last: BTreeMap<Uuid, &ReceiptForm> = BTreeMap::new();
        let weight = |f: &ReceiptForm| (f.state.is_some(), f.state == Some("undelivered"), f.at_us);
        for (_, id, first, f) in self.hits(forms) {
            if (first || f.state == Some("undelivered")) && last.get(&id).is_none_or(|l| weight(f) > weight(l)) {
                last.insert(id, f);
            }
        }
        last.retain(|id, f| self.outbox.get(id).is_some_and(|row| Self::is_receipted(row, f)));
        last
    }

    fn is_receipted(row: &Reply, f: &ReceiptForm) -> bool {
        let open = matches!(row.state, "sent" | "delivered" | "unknown");
        open && (row.state != "delivered" || f.state == Some("undelivered"))
    }

    /// Those that were found to change something; a row that changed meanwhile may not any more.
    pub fn apply_receipts(&mut self, found: &[(Uuid, ReceiptForm)]) {
        for (id, f) in found {
            self.change_reply(*id, |r| {
                if Self::is_receipted(r, f) {
                    r.state = f.state.unwrap_or(r.state);
                    r.receipt = Some(f.receipt.clone());
                }
            });
        }
    }

    pub fn keep_early(&mut self, receipts: &[EarlyReceipt]) {
        let mut newest: BTreeMap<(String, String), &EarlyReceipt> = BTreeMap::new();
        for r in receipts {
            let key = (r.link_group.clone(), r.message_id.clone());
            if newest.get(&key).is_none_or(|there| r.received_at > there.received_at) {
                newest.insert(key, r);
            }
        }
        for (key, r) in newest {
            let there = self.early.get(&key);
            let phone_id = there.map_or(r.phone_id, |there| there.phone_id);
            self.early.insert(key, EarlyReceipt { phone_id, ..r.clone() });
        }
    }

    /// Those to look at, the newest first.
    pub fn waiting(&self, now_us: i64) -> Vec<EarlyReceipt> {
        let since = now_us - 15 * 60 * SECOND;
        let mut some: Vec<_> = self.early.values().filter(|r| micros(r.received_at) > since).cloned().collect();
        some.sort_by_key(|r| std::cmp::Reverse(micros(r.received_at)));
        some
    }

    pub fn any_old_early(&self, now_us: i64) -> bool {
        self.early.values().any(|r| micros(r.received_at) < now_us - 86_400 * SECOND)
    }

    pub fn forget_early(&mut self, now_us: i64) {
        self.early.retain(|_, r| micros(r.received_at) >= now_us - 86_400 * SECOND);
    }
}
