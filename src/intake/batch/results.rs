//! What is not a text: results of submits, receipts, redeliveries, and records set aside.

use super::*;

impl<L: Ledger> Work<'_, L> {
    pub(super) async fn set_aside(&mut self, tx: &mut L::Tx, judged: &[Judged]) -> Result<(), StoreError> {
        let broken = judged.iter().filter_map(|j| match (&j.text.stands, &j.decision) {
            (Stands::Stored { spool_id, record }, Err(why)) => Some((*spool_id, record.as_ref(), why)),
            _ => None,
        });
        let here = self
            .aside
            .iter()
            .filter_map(|(at, why)| self.items.get(*at).map(|item| (self.place.spool_id, &item.record, why)));
        for (spool_id, record, why) in broken.chain(here) {
            let encoded = postcard::to_stdvec(record).unwrap_or_default();
            let parts = self.other_parts(judged, record.sequence);
            // What the database said may quote the data that it refused.
            let why = set_aside::reason(why);
            let row = SetAside {
                spool_id,
                sequence: record.sequence.cast_signed(),
                received_at: crate::store::instant(record.received_us),
                link: &record.link,
                record: &encoded,
                parts: &parts,
                error: &why,
            };
            if tx.set_aside(&row).await? {
                self.newly_aside += 1;
                metrics::counter!("scrutineer_records_set_aside_total").increment(1);
                warn!(sequence = record.sequence, why, "record set aside");
            }
        }
        Ok(())
    }

    /// The other parts of the text that this record stands for.
    fn other_parts(&self, judged: &[Judged], sequence: u64) -> Vec<Vec<u8>> {
        let Some(text) = judged.iter().map(|j| &j.text).find(|text| text.order.record.sequence == sequence) else {
            return Vec::new();
        };
        let here = text.parts.iter().filter_map(|at| self.items.get(*at)).map(Item::encoded);
        let stored = text.stored_parts.iter().map(|part| postcard::to_stdvec(&part.record).unwrap_or_default());
        here.chain(stored).collect()
    }

    pub(super) async fn results(&mut self, tx: &mut L::Tx) -> Result<(), StoreError> {
        let mut results: Vec<ResultRecord<'_>> = Vec::new();
        let mut as_sent: BTreeMap<Uuid, &str> = BTreeMap::new();
        let mut receipts: Vec<ReceiptRecord<'_>> = Vec::new();
        for (at, item) in self.items.iter().enumerate() {
            if self.aside.contains_key(&at) {
                continue;
            }
            if let Some((SubmitResult { id, outcome: SubmitOutcome::Otherwise { text }, .. }, _)) = item.result() {
                as_sent.insert(*id, text);
            } else if let Some((result, text)) = item.result() {
                results.push(ResultRecord { group: &item.record.group, at: item.at, result, text });
            } else if let Kind::Receipt { receipt: Some(receipt), phone } = &item.kind {
                receipts.push(ReceiptRecord {
                    group: &item.record.group,
                    at: item.at,
                    receipt,
                    phone_id: self.phones.get(phone).copied(),
                });
            }
        }
        self.done.settled.extend(results.iter().map(|r| (r.result.id, r.result.attempt)));
        self.done.some_due |=
            results.iter().any(|r| matches!(r.result.outcome, SubmitOutcome::NotSent { .. } | SubmitOutcome::Unknown));
        if !as_sent.is_empty() {
            let (ids, texts): (Vec<Uuid>, Vec<&str>) = as_sent.into_iter().unzip();
            tx.as_sent(&ids, &texts).await?;
        }
        for round in settle::results(&results, &mut receipts) {
            tx.apply_results(&round).await?;
        }
        if !receipts.is_empty() {
            let found = tx.apply_receipts(&settle::receipts(&receipts)).await?;
            let early = settle::early(&receipts, &found);
            if !early.is_empty() {
                // Those whose response is not here yet, and those of texts that are not ours.
                metrics::counter!("scrutineer_receipts_unmatched_total").increment(early.len() as u64);
                tx.keep_early(&early).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn redeliveries(&self, tx: &mut L::Tx) -> Result<(), StoreError> {
        let mut times: BTreeMap<(Uuid, i64), i32> = BTreeMap::new();
        for (at, item) in self.items.iter().enumerate() {
            if let Kind::Redelivery { run, of } = item.kind
                && !self.aside.contains_key(&at)
            {
                *times.entry((run, of.cast_signed())).or_default() += 1;
            }
        }
        if times.is_empty() {
            return Ok(());
        }
        let (keys, counts): (Vec<(Uuid, i64)>, Vec<i32>) = times.into_iter().unzip();
        let (runs, sequences): (Vec<Uuid>, Vec<i64>) = keys.into_iter().unzip();
        tx.count_redelivered(&runs, &sequences, &counts).await
    }
}
