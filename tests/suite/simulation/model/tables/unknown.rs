//! Receipts with an id that no response told, and the texts of unknown outcome that they settle.

use std::collections::BTreeMap;

use scrutineer::limits::RECEIPT_WAITS_SECONDS;
use scrutineer::store::micros;
use scrutineer::store::outbox_result::EarlyReceipt;
use uuid::Uuid;

use super::{Reply, SECOND, Tables};

const DAY: i64 = 86_400 * SECOND;

/// Of one segment for sure.
fn is_short(text: &str) -> bool {
    let is_plain = |c: char| matches!(c, ' '..='Z' | '_' | 'a'..='z' | '\r' | '\n');
    let chars = text.chars().count();
    chars <= 35 || (chars <= 160 && text.chars().all(is_plain))
}

impl Tables {
    /// Receipts that have waited long enough for their response, the newest first.
    pub fn long_waiting(&self, now_us: i64) -> Vec<EarlyReceipt> {
        let is_last =
            |r: &EarlyReceipt| matches!(r.receipt.as_str(), "DELIVRD" | "EXPIRED" | "DELETED" | "UNDELIV" | "REJECTD");
        let waits = i64::from(RECEIPT_WAITS_SECONDS) * SECOND;
        let is = |r: &&EarlyReceipt| {
            let age = now_us - micros(r.received_at);
            r.phone_id.is_some() && is_last(r) && age > waits && age < DAY
        };
        let mut some: Vec<_> = self.early.values().filter(is).cloned().collect();
        some.sort_by_key(|r| std::cmp::Reverse(micros(r.received_at)));
        some
    }

    /// Texts that are settled by these receipts, as nothing else can be meant.
    pub fn settled_by(&self, waiting: &[EarlyReceipt]) -> Vec<(Uuid, EarlyReceipt)> {
        let mut by_phone: BTreeMap<(&str, Option<i64>), Vec<&EarlyReceipt>> = BTreeMap::new();
        for r in waiting {
            by_phone.entry((r.link_group.as_str(), r.phone_id)).or_default().push(r);
        }
        let settled = by_phone.into_iter().filter_map(|((group, phone), receipts)| {
            let [receipt] = receipts[..] else { return None };
            let at_us = micros(receipt.received_at);
            let id_is_open = |c: &Reply| c.unknown_before > 0 || (c.state == "sent" && c.message_id.is_none());
            let mut meant = self.outbox.iter().filter(|(_, c)| {
                Some(c.phone_id) == phone
                    && c.link_group == group
                    && id_is_open(c)
                    && (at_us - 2 * DAY < c.created_us && c.created_us < at_us)
            });
            let (Some((id, row)), None) = (meant.next(), meant.next()) else { return None };
            let is_unknown = row.state == "unknown" && row.message_id.is_none();
            let is_sure = receipt.receipt == "DELIVRD" || row.unknown_before == 1;
            (is_unknown && is_short(&row.text) && is_sure).then(|| (*id, receipt.clone()))
        });
        settled.collect()
    }

    pub fn settle_unknown(&mut self, settled: &[(Uuid, EarlyReceipt)]) {
        for (id, receipt) in settled {
            if self.outbox.get(id).is_none_or(|r| r.state != "unknown") {
                continue;
            }
            self.early.remove(&(receipt.link_group.clone(), receipt.message_id.clone()));
            self.change_reply(*id, |r| {
                r.state = if receipt.receipt == "DELIVRD" { "delivered" } else { "undelivered" };
                (r.message_id, r.receipt) = (Some(receipt.message_id.clone()), Some(receipt.receipt.clone()));
                r.sent_us = r.sent_us.or(Some(micros(receipt.received_at)));
            });
        }
    }
}
