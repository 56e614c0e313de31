//! What results and receipts make of replies.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use scrutineer::limits::REPLY_ATTEMPTS_MAX;
use scrutineer::store::micros;
use scrutineer::store::outbox_result::EarlyReceipt;
use uuid::Uuid;

use super::{EarlyResult, ReceiptForm, Reply, ResultRow, SECOND, Tables};

/// What a receipt is about: the least of them by rank, further part, time, row and place.
type Weight = (i16, bool, Reverse<Option<i64>>, Uuid, i16);

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
            let refused_late = row.state == "unknown" && result.state == "refused";
            (row.state == "leased" || refused_late) && row.attempt == result.attempt
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
        rows.iter().filter(none).map(|r| (r.id, (r.attempt, r.message_id.clone(), r.at_us, r.text.clone()))).collect()
    }

    pub fn keep_early_results(&mut self, early: &[(Uuid, EarlyResult)]) {
        for (id, row) in early {
            self.early_results.entry(*id).or_insert_with(|| row.clone());
        }
    }

    pub fn apply_results(&mut self, rows: &[ResultRow], segments: &[(Uuid, i16, String, String)], now_us: i64) {
        for (id, place, message_id, group) in segments {
            if self.outbox.contains_key(id) {
                let row = (message_id.clone(), group.clone(), None);
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
                r.went_before &= !Self::is_second(r, result);
                if is_sent(result.state) {
                    r.accepted |= if Self::is_second(r, result) { 4 } else { 1 << (result.attempt - 1) };
                }
                if !was_sent {
                    r.text = result.text.clone().unwrap_or_else(|| r.text.clone());
                    r.state = if again { "due" } else { result.state };
                    r.message_id = result.message_id.clone().or(r.message_id.take());
                    if result.message_id.is_some() || is_sent(result.state) {
                        r.sent_us = Some(result.at_us);
                    }
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

    /// What receipts are about: number, row, the part's place, and the form that named it.
    pub fn hits<'a>(&self, forms: &'a [ReceiptForm]) -> Vec<(i32, Uuid, i16, &'a ReceiptForm)> {
        let mut best: BTreeMap<i32, (Weight, &ReceiptForm)> = BTreeMap::new();
        for f in forms {
            let phone_fits = |row: &Reply| f.rank == 0 || Some(row.phone_id) == f.phone_id;
            let named = |id: &Option<String>| id.as_deref() == Some(f.form.as_str());
            let first = self
                .outbox
                .iter()
                .filter(|(_, r)| named(&r.message_id) && r.link_group == f.link_group && phone_fits(r))
                .map(|(id, _)| (*id, 1));
            let further = self
                .outbox_segments
                .iter()
                .filter(|(_, (id, group, _))| *id == f.form && *group == f.link_group)
                .filter(|((id, _), _)| self.outbox.get(id).is_some_and(|r| phone_fits(r)))
                .map(|((id, place), _)| (*id, *place));
            for (id, place) in first.chain(further) {
                // The text that went last, where an id was used again.
                let sent = Reverse(self.outbox.get(&id).and_then(|r| r.sent_us));
                let weight = (f.rank, place > 1, sent, id, place);
                if best.get(&f.no).is_none_or(|(there, _)| weight < *there) {
                    best.insert(f.no, (weight, f));
                }
            }
        }
        best.into_iter().map(|(no, ((.., id, place), f))| (no, id, place, f)).collect()
    }

    /// What these receipts say of single parts.
    pub fn parted(&self, forms: &[ReceiptForm]) -> BTreeMap<(Uuid, i16), &'static str> {
        let mut said: BTreeMap<(Uuid, i16), &'static str> = BTreeMap::new();
        for (_, id, place, f) in self.hits(forms) {
            let Some(state) = f.state else { continue };
            if said.get(&(id, place)).is_none_or(|there| *there != "undelivered") {
                said.insert((id, place), state);
            }
        }
        said
    }

    /// Are all parts of this text delivered, with what these receipts say? `None`: it has but one.
    fn is_whole(&self, id: Uuid, said: &BTreeMap<(Uuid, i16), &'static str>) -> Option<bool> {
        let mut parts = self.outbox_segments.range((id, i16::MIN)..=(id, i16::MAX)).peekable();
        parts.peek()?;
        Some(parts.all(|(key, (.., state))| match state {
            Some("undelivered") => false,
            there => said.get(key).copied().or(*there) == Some("delivered"),
        }))
    }

    /// What receipts change: rows, each with the one that counts.
    pub fn receipted(&self, forms: &[ReceiptForm]) -> BTreeMap<Uuid, ReceiptForm> {
        let said = self.parted(forms);
        let mut last: BTreeMap<Uuid, &ReceiptForm> = BTreeMap::new();
        let weight = |f: &ReceiptForm| (f.state.is_some(), f.state == Some("undelivered"), f.at_us, f.no);
        for (_, id, place, f) in self.hits(forms) {
            let counts = place == 1 || f.state == Some("undelivered") || self.is_whole(id, &said) == Some(true);
            if counts && last.get(&id).is_none_or(|l| weight(f) > weight(l)) {
                last.insert(id, f);
            }
        }
        last.retain(|id, f| self.outbox.get(id).is_some_and(|row| Self::is_receipted(row, f)));
        let noted = |(id, f): (Uuid, &ReceiptForm)| {
            let half = f.state == Some("delivered") && self.is_whole(id, &said) == Some(false);
            (id, ReceiptForm { state: if half { None } else { f.state }, ..f.clone() })
        };
        last.into_iter().map(noted).collect()
    }

    fn is_receipted(row: &Reply, f: &ReceiptForm) -> bool {
        let open = matches!(row.state, "sent" | "delivered" | "unknown");
        open && (row.state != "delivered" || f.state == Some("undelivered"))
    }

    /// Those that were found to change something; a row that changed meanwhile may not any more.
    pub fn apply_receipts(&mut self, found: &[(Uuid, ReceiptForm)], said: &BTreeMap<(Uuid, i16), &'static str>) {
        for (key, state) in said {
            if let Some((.., there)) = self.outbox_segments.get_mut(key)
                && *there != Some("undelivered")
            {
                *there = Some(state);
            }
        }
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
            let phone_id = r.phone_id.or(there.and_then(|there| there.phone_id));
            let first = there.filter(|there| there.receipt == r.receipt).map_or(r.received_at, |t| t.received_at);
            let received_at = first.min(r.received_at);
            self.early.insert(key, EarlyReceipt { phone_id, received_at, ..r.clone() });
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
