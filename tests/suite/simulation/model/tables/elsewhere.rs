//! What hosts tell each other: responses that the SMSC has, texts that came to two of them, wrong codes.

use std::collections::btree_map::Entry;

use scrutineer::domain::auth::Attempts;
use scrutineer::limits::{ARRIVES_LATE_SECONDS, AUTH_ATTEMPTS_MAX, CLOCKS_APART_SECONDS, CONFIRMED_SECONDS};
use scrutineer::store::auth::{NewAttempt, Stored};
use scrutineer::store::confirmed::{Elsewhere, LinkResponses, Repeated, Response};
use scrutineer::store::micros;

use super::{Message, RevisionKey, SECOND, Tables};

impl Tables {
    /// Notes what is confirmed, and forgets the long gone.
    pub fn note_confirmed(&mut self, rows: &[((i32, String), LinkResponses)], now_us: i64) {
        let since = now_us - i64::from(CONFIRMED_SECONDS) * SECOND;
        self.confirmed.retain(|_, (_, seen)| *seen >= since);
        for (key, known) in rows {
            let before = self.confirmed.get(key).map_or(0, |(known, _)| known.through);
            let known = LinkResponses { through: known.through.max(before), ..known.clone() };
            self.confirmed.insert(key.clone(), (known, now_us));
        }
    }

    /// The equal text that another host took.
    pub fn elsewhere(&self, of: &Repeated<'_>) -> Option<Elsewhere> {
        let received_us = micros(of.received_at);
        let within = i64::from(of.seconds) * SECOND;
        let known = |spool: i32, link: &str| self.confirmed.get(&(spool, link.to_owned())).map(|(known, _)| known);
        let uuid_of = |id: i32| self.spools.iter().find(|(_, i)| **i == id).map(|(uuid, _)| *uuid);
        let is_equal = |m: &Message| {
            (received_us - within..=received_us + within).contains(&m.received_us)
                && (m.phone_id, m.destination.as_str(), m.data_coding) == (of.phone_id, of.destination, of.data_coding)
                && (m.raw.as_slice(), m.payload.as_deref()) == (of.raw, of.payload)
                && !m.submissions.is_empty()
                && !m.submissions.iter().any(|id| of.taken.contains(id))
                && m.whole.is_none()
        };
        // The first of the two, by clocks that may be apart and a network that holds back, is not known to be seen.
        let (apart, late) = (i64::from(CLOCKS_APART_SECONDS) * SECOND, i64::from(ARRIVES_LATE_SECONDS) * SECOND);
        let ours_unseen =
            of.response != Response::Seen && of.sequence > known(of.spool_id, of.link).map_or(0, |known| known.through);
        let may_be_one = |at: i64, sequence: i64, known: Option<&LinkResponses>| {
            known.is_some_and(|known| known.unanswered.contains(&sequence)) && at <= received_us + late
                || sequence > known.map_or(0, |known| known.through) && at <= received_us + apart
                || of.response == Response::Lost && at >= received_us - late
                || ours_unseen && at >= received_us - apart
        };
        let found = self.messages.iter().filter_map(|((spool_id, sequence), m)| {
            let uuid = uuid_of(*spool_id)?;
            let unconfirmed = may_be_one(m.received_us, *sequence, known(*spool_id, &m.link));
            // What stands in the way: a repetition by this host, or one that the SMSC knows to have arrived.
            let repeated = self.revisions.keys().any(|(election, id, at, run, other, _)| {
                let is_another = Some(*election) == m.election_id
                    && m.submissions.contains(id)
                    && (*run, *other) != (uuid, *sequence);
                let Some(run_id) = self.spools.get(run).filter(|_| is_another) else { return false };
                let link = self.messages.get(&(*run_id, *other)).map(|m| m.link.as_str());
                of.runs.contains(run) || !may_be_one(*at, *other, link.and_then(|link| known(*run_id, link)))
            });
            let is = is_equal(m) && !of.runs.contains(&uuid) && unconfirmed && !repeated;
            is.then_some((m.received_us, *spool_id, *sequence, uuid))
        });
        let (_, spool_id, sequence, uuid) = found.min()?;
        let m = self.messages.get(&(spool_id, sequence))?;
        let in_them = |key: &&RevisionKey| Some(key.0) == m.election_id && m.submissions.contains(&key.1);
        let mut all: Vec<_> = self.revisions.keys().filter(in_them).map(|key| (key.2, key.3, key.4)).collect();
        all.sort_unstable();
        let all = all.into_iter().map(|(_, run, sequence)| (run, sequence)).collect();
        Some(Elsewhere { record: (uuid, sequence), submissions: m.submissions.clone(), all })
    }

    /// Wrong codes of these.
    pub fn attempts_of(&self, phones: &[i64], observers: &[i32]) -> Stored {
        let row = |is_phone: bool, id: i64| {
            let (failed, told) = self.attempts.get(&(is_phone, id))?;
            let mut failed_us = failed.clone();
            failed_us.sort_unstable();
            Some(Attempts { failed_us, told_until_us: told.unwrap_or(0) })
        };
        Stored {
            phones: phones.iter().filter_map(|id| Some((*id, row(true, *id)?))).collect(),
            observers: observers.iter().filter_map(|id| Some((*id, row(false, i64::from(*id))?))).collect(),
        }
    }

    /// Adds wrong codes: of one that is known, the last of all.
    pub fn note_attempts(&mut self, new: &[NewAttempt]) {
        for one in new {
            let failed: Vec<i64> = one.failed_at.iter().copied().map(micros).collect();
            let told = one.told_until.map(micros);
            match self.attempts.entry((one.is_phone, one.id)) {
                Entry::Vacant(entry) => drop(entry.insert((failed, told))),
                Entry::Occupied(mut entry) => {
                    let row = entry.get_mut();
                    row.0.extend(failed);
                    row.0.sort_unstable_by_key(|at| std::cmp::Reverse(*at));
                    row.0.truncate(usize::try_from(AUTH_ATTEMPTS_MAX).unwrap_or(0));
                    row.1 = row.1.max(told);
                }
            }
        }
    }
}
