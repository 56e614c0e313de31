//! Incidents that the SMSC delivered to two hosts, as the first was gone before its response was seen: one
//! incident, not two. A report that is no incident needs none of this, as it says the same again.

use super::*;
use crate::domain::order::RecordKey;
use crate::limits::REPEATED_ELSEWHERE_SECONDS;
use crate::store::confirmed::Repeated;

impl<L: Ledger> Work<'_, L> {
    /// Lets incidents that another host has stored already be what they are there.
    pub(super) async fn elsewhere(
        &self,
        tx: &mut L::Tx,
        understood: &mut [(Text, Result<Understanding, String>)],
    ) -> Result<(), StoreError> {
        let is_incident = |u: &Understanding| u.known.iter().any(|k| k.key.incident.is_some());
        let mut incidents: Vec<(usize, &mut Understanding)> = Vec::new();
        for (text, understanding) in understood {
            // Parts of longer texts are matched one by one.
            if let Stands::Item(at) = text.stands
                && text.parts.is_empty()
                && text.stored_parts.is_empty()
                && let Ok(understanding) = understanding
                && is_incident(understanding)
            {
                incidents.push((at, understanding));
            }
        }
        if incidents.is_empty() {
            return Ok(());
        }
        let phone_of = |at: &usize| {
            self.items.get(*at).and_then(Item::sms).and_then(|(sms, _)| self.phones.get(&sms.phone)).copied()
        };
        let phones: Vec<i64> = incidents.iter().filter_map(|(at, _)| phone_of(at)).collect();
        tx.lock_phones(&phones).await?;
        // Each is repeated once: of two equal ones in this batch, the second repeats the second one there.
        let mut taken: Vec<Uuid> = Vec::new();
        for (at, understanding) in incidents {
            let Some(item) = self.items.get(at) else { continue };
            let (Some((sms, mobile)), Some(phone_id)) = (item.sms(), phone_of(&at)) else { continue };
            let repeated = Repeated {
                spool_id: self.place.spool_id,
                sequence: item.record.sequence.cast_signed(),
                link: &item.record.link,
                response: self.session.confirmed.response(&item.record.link, item.record.sequence),
                received_at: item.at,
                phone_id,
                destination: &sms.destination,
                data_coding: mobile.data_coding.into(),
                raw: &mobile.short_message,
                payload: mobile.payload.as_deref(),
                runs: &self.session.runs,
                seconds: REPEATED_ELSEWHERE_SECONDS,
                taken: &taken,
            };
            let Some(found) = tx.find_elsewhere(&repeated).await? else { continue };
            taken.extend(&found.submissions);
            let key = |(spool, sequence): (Uuid, i64)| RecordKey { spool, sequence: sequence.cast_unsigned() };
            let original = key(found.record);
            metrics::counter!("scrutineer_incidents_repeated_total").increment(1);
            tracing::info!(message = %item.order.record, %original,
                "the SMSC delivered an incident to two hosts; it is one");
            for known in &mut understanding.known {
                // Of three hosts, the one that stored it first gave it its key, whichever received it first.
                let mut with = |original: RecordKey| {
                    if let Some((record, _)) = &mut known.key.incident {
                        *record = original;
                    }
                    found.submissions.contains(&known.key.id())
                };
                if !with(original) && !found.all.iter().any(|record| with(key(*record))) {
                    with(original);
                }
            }
        }
        Ok(())
    }
}
