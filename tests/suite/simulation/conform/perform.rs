//! Asks a thing of a transaction, whichever it is, and says what came of it in words without keys.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use scrutineer::store::auth::NewAttempt;
use scrutineer::store::confirmed::{Repeated, Response};
use scrutineer::store::message::Finished;
use scrutineer::store::outbox_result::EarlyReceipt;
use scrutineer::store::segment::{DonePart, Part, SetKey};
use scrutineer::store::sender::SenderChange;
use scrutineer::store::set_aside::SetAside;
use scrutineer::store::{StoreError, Tx, instant};
use uuid::Uuid;

use super::op::{Op, Row, uuid};
use super::rows::{receipt_rows, result_rows, write};

/// Group of every link.
pub const GROUP: &str = "main";
/// Seconds of a lease.
pub const LEASE_SECONDS: i32 = 150;
/// A time that every row may have: what is not counted from now.
const AT_US: i64 = 1_790_000_000_000_000;

/// Keys of one side.
#[derive(Debug, Default)]
pub struct Keys {
    pub spools: Vec<i32>,
    pub phones: Vec<i64>,
    pub sets: BTreeMap<usize, i64>,
}

impl Keys {
    pub fn spool_of(&self, id: i32) -> String {
        self.spools.iter().position(|s| *s == id).map_or("?".to_owned(), |at| format!("spool{at}"))
    }

    pub fn phone_of(&self, id: i64) -> String {
        self.phones.iter().position(|p| *p == id).map_or("?".to_owned(), |at| format!("phone{at}"))
    }

    pub(super) fn row(&self, row: Row) -> (i32, i64) {
        (self.spools[row.0], row.1)
    }

    fn set(&self, set: usize) -> i64 {
        self.sets.get(&set).copied().unwrap_or(i64::MAX)
    }

    fn set_of(&self, id: i64) -> String {
        self.sets.iter().find(|(_, i)| **i == id).map_or("?".to_owned(), |(at, _)| format!("set{at}"))
    }
}

/// UUID of a run.
pub fn run(spool: usize) -> Uuid {
    uuid(7, spool)
}

/// A phone's number.
pub fn number(phone: usize) -> String {
    format!("35569000000{phone}")
}

pub fn set_key(set: usize) -> SetKey {
    SetKey {
        link_group: GROUP.to_owned(),
        source: number(set % 2),
        destination: "4040".to_owned(),
        reference: set as i32,
        total: 3,
    }
}

pub(super) fn at(seconds: i64) -> time::OffsetDateTime {
    instant(AT_US + seconds * 1_000_000)
}

/// Times that are the further apart, the later they are: some nearer than clocks may be, some further than what
/// comes late.
pub(super) fn apart(n: i64) -> time::OffsetDateTime {
    at(n * n * 3)
}

/// So many seconds from now, on both sides.
pub(super) fn from_now(seconds: i64) -> time::OffsetDateTime {
    time::OffsetDateTime::now_utc() + time::Duration::seconds(seconds)
}

fn content(content: u8) -> [u8; 16] {
    [content; 16]
}

pub(super) fn sorted<T: Ord>(mut all: Vec<T>) -> Vec<T> {
    all.sort();
    all
}

/// See the module. `shift` is by how many seconds the model's clock is ahead, which PostgreSQL's is not.
pub async fn perform<T: Tx>(tx: &mut T, op: &Op, keys: &Arc<Mutex<Keys>>, shift: i64) -> Result<String, StoreError> {
    let k = || keys.lock().unwrap();
    Ok(match op {
        Op::Stored(spool, sequences) => {
            let id = k().spools[*spool];
            format!("{:?}", sorted(tx.stored(id, sequences).await?))
        }
        Op::CountRedelivered(rows) => {
            let spools: Vec<Uuid> = rows.iter().map(|r| run(r.0)).collect();
            let (sequences, times): (Vec<i64>, Vec<i32>) = rows.iter().map(|r| (r.1, r.2)).unzip();
            tx.count_redelivered(&spools, &sequences, &times).await?;
            String::new()
        }
        Op::PointToWhole(parts, whole) => {
            let (parts, whole): (Vec<_>, _) = (parts.iter().map(|r| k().row(*r)).collect(), k().row(*whole));
            tx.point_to_whole(&parts, whole).await?;
            String::new()
        }
        Op::Finish(row, outcome, submissions, reply) => {
            let record = k().row(*row);
            let submissions: Vec<Uuid> = submissions.iter().map(|s| uuid(1, *s)).collect();
            let row = Finished {
                record,
                text: "finished",
                outcome,
                election_id: Some(1),
                observer_id: None,
                reading: "{}".to_owned(),
                submissions: &submissions,
                reply_id: reply.map(|r| uuid(2, r)),
            };
            tx.finish(&row).await?;
            String::new()
        }
        Op::PhoneIds(phones) => {
            let numbers: Vec<String> = phones.iter().map(|p| number(*p)).collect();
            let found = tx.phone_ids(&numbers).await?;
            for (number, id) in &found {
                let place = number.bytes().last().map_or(0, |b| usize::from(b - b'0'));
                k().phones[place] = *id;
            }
            format!("{:?}", sorted(found.into_iter().map(|(n, _)| n).collect()))
        }
        Op::LockSets(sets) => format!("{}", lock(tx, keys, sets.iter().copied()).await?),
        Op::LockExpired(seconds) => {
            let found = tx.lock_expired(*seconds, 100).await?;
            format!("{:?}", sorted(found.into_iter().map(|(_, key)| key).collect()))
        }
        Op::Parts(sets) => {
            let ids: Vec<i64> = sets.iter().map(|s| k().set(*s)).collect();
            let parts = tx.parts(&ids).await?;
            let parts = parts.iter().map(|p| (k().set_of(p.set_id), p.part, p.spool, p.sequence, p.record.clone()));
            format!("{:?}", sorted(parts.collect()))
        }
        Op::DoneParts(sets) => {
            let keys: Vec<SetKey> = sorted(sets.iter().map(|s| set_key(*s)).collect());
            format!("{:?}", sorted(tx.done_parts(&keys).await?))
        }
        Op::RememberParts(parts) => {
            let part = |p: &(usize, i16, u8)| DonePart { key: set_key(p.0), part: p.1, content: content(p.2) };
            format!("{}", tx.remember_parts(&parts.iter().map(part).collect::<Vec<_>>()).await?)
        }
        Op::ForgetParts(seconds) => {
            tx.forget_parts(*seconds, 100).await?;
            String::new()
        }
        Op::KeepParts(parts) => {
            lock(tx, keys, parts.iter().map(|(set, ..)| *set)).await?;
            let sets = k().sets.clone();
            let spools = k().spools.clone();
            let part = |(set, part, row): &(usize, i16, Row)| Part {
                set_id: sets.get(set).copied().unwrap_or(i64::MAX),
                part: *part,
                spool_id: spools[row.0],
                spool: run(row.0),
                sequence: row.1,
                received_at: at(0),
                record: vec![*part as u8],
            };
            let parts: Vec<Part> = parts.iter().map(part).collect();
            tx.keep_parts(&parts).await?;
            String::new()
        }
        Op::RestartSet(set) => {
            lock(tx, keys, [*set]).await?;
            let id = k().set(*set);
            tx.restart_set(id).await?;
            String::new()
        }
        Op::RemoveSets(sets) => {
            lock(tx, keys, sets.iter().copied()).await?;
            let ids: Vec<i64> = sets.iter().map(|s| k().set(*s)).collect();
            tx.remove_sets(&ids).await?;
            String::new()
        }
        Op::LockSubmissions(submissions, sets, phones) => {
            let ids: Vec<Uuid> = submissions.iter().map(|s| uuid(1, *s)).collect();
            let sets: Vec<SetKey> = sets.iter().map(|s| set_key(*s)).collect();
            let phones: Vec<i64> = phones.iter().map(|p| k().phones[*p]).collect();
            let sets: Vec<&SetKey> = sets.iter().collect();
            let found = tx.lock_submissions(&vec![1; ids.len()], &ids, &sets, &phones).await?;
            let rows = found.submissions.iter().map(|s| {
                let answers = serde_json::to_string(&s.answers).unwrap();
                (s.id, answers, s.last, s.revisions, s.comment.clone())
            });
            let stopped = found.stopped.iter().map(|id| k().phone_of(*id)).collect();
            format!("{:?} {} {:?}", sorted(rows.collect()), found.segments, sorted(stopped))
        }
        Op::NoteSenders(changes) => {
            let change = |(phone, stopped, seconds): &(usize, bool, i64)| SenderChange {
                phone_id: k().phones[*phone],
                stopped: *stopped,
                at: at(*seconds),
            };
            let changes: Vec<SenderChange> = changes.iter().map(change).collect();
            tx.note_senders(&changes).await?;
            String::new()
        }
        Op::History(submissions) => {
            let ids: Vec<Uuid> = submissions.iter().map(|s| uuid(1, *s)).collect();
            let history = tx.history(&vec![1; ids.len()], &ids).await?;
            let history = history.iter().map(|(id, a)| (id, a.order, serde_json::to_string(&a.answers).unwrap()));
            format!("{:?}", history.collect::<Vec<_>>())
        }
        Op::Write(spool, through, messages, submissions, replies) => {
            return write(tx, keys, *spool, *through, (messages, submissions, replies), shift).await;
        }
        Op::SetAside(row, error) => {
            let (spool_id, sequence) = k().row(*row);
            let error = format!("error {error}");
            let row = SetAside {
                spool_id,
                sequence,
                received_at: at(0),
                link: "link",
                record: b"record",
                parts: &[vec![1], vec![2]],
                error: &error,
            };
            format!("{}", tx.set_aside(&row).await?)
        }
        Op::TakeSetAside(row) => {
            let (spool_id, sequence) = k().row(*row);
            format!("{}", tx.take_set_aside(spool_id, sequence).await?)
        }
        Op::ApplyResults(results) => {
            tx.apply_results(&result_rows(results)).await?;
            String::new()
        }
        Op::AsSent(texts) => {
            let ids: Vec<Uuid> = texts.iter().map(|(r, _)| uuid(2, *r)).collect();
            let texts: Vec<String> = texts.iter().map(|(_, t)| format!("text {t}")).collect();
            tx.as_sent(&ids, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await?;
            String::new()
        }
        Op::ApplyReceipts(receipts) => {
            let rows = receipt_rows(receipts, |p| k().phones[p]);
            format!("{:?}", sorted(tx.apply_receipts(&rows).await?))
        }
        Op::KeepEarly(receipts) => {
            let early = |(id, phone, ago): &(u8, Option<usize>, i64)| EarlyReceipt {
                link_group: GROUP.to_owned(),
                message_id: format!("id{id}"),
                receipt: ["DELIVRD", "UNDELIV", "ACCEPTD"][*ago as usize / 100].to_owned(),
                phone_id: phone.map(|p| k().phones[p]),
                received_at: from_now(shift - ago),
            };
            let receipts: Vec<EarlyReceipt> = receipts.iter().map(early).collect();
            tx.keep_early(&receipts).await?;
            String::new()
        }
        Op::LockEarly => {
            let found = tx.lock_early(100).await?;
            let found = found.iter().map(|r| (r.message_id.clone(), r.receipt.clone()));
            format!("{:?}", sorted(found.collect()))
        }
        Op::RemoveEarly(ids) => {
            let early = |id: &u8| EarlyReceipt {
                link_group: GROUP.to_owned(),
                message_id: format!("id{id}"),
                receipt: String::new(),
                phone_id: None,
                received_at: at(0),
            };
            let receipts: Vec<EarlyReceipt> = ids.iter().map(early).collect();
            tx.remove_early(&receipts).await?;
            String::new()
        }
        Op::LockPhones(phones) => {
            let phones: Vec<i64> = phones.iter().map(|p| k().phones[*p]).collect();
            tx.lock_phones(&phones).await?;
            String::new()
        }
        Op::FindElsewhere(row, phone, raw, own, taken, response) => {
            let (spool_id, sequence) = k().row(*row);
            let phone_id = k().phones[*phone];
            let runs: Vec<Uuid> = own.iter().map(|spool| run(*spool)).collect();
            let taken: Vec<Uuid> = taken.iter().map(|s| uuid(1, *s)).collect();
            let of = Repeated {
                spool_id,
                sequence,
                link: "link",
                response: [Response::Seen, Response::Open, Response::Lost][*response],
                received_at: apart(sequence),
                phone_id,
                destination: "4040",
                data_coding: 0,
                raw: &[*raw; 20],
                payload: None,
                runs: &runs,
                seconds: 90,
                taken: &taken,
            };
            format!("{:?}", tx.find_elsewhere(&of).await?)
        }
        Op::Attempts(phones, observers) => {
            let phones: Vec<(i64, bool)> = phones.iter().map(|(p, wrong)| (k().phones[*p], *wrong)).collect();
            let found = tx.attempts(&phones, observers).await?;
            let phones = found.phones.iter().map(|(id, a)| (k().phone_of(*id), format!("{a:?}"))).collect();
            let observers = found.observers.iter().map(|(id, a)| (*id, format!("{a:?}"))).collect();
            format!("{:?} {:?}", sorted::<(String, String)>(phones), sorted::<(i32, String)>(observers))
        }
        Op::NoteAttempts(new) => {
            let attempt = |(is_phone, which, failed, told): &(bool, usize, Vec<i64>, Option<i64>)| NewAttempt {
                is_phone: *is_phone,
                id: if *is_phone { k().phones[*which] } else { *which as i64 },
                failed_at: failed.iter().map(|s| at(*s)).collect(),
                told_until: told.map(at),
            };
            let new: Vec<NewAttempt> = new.iter().map(attempt).collect();
            tx.note_attempts(&new).await?;
            String::new()
        }
    })
}

/// Locks sets: what changes parts must hold them.
async fn lock<T: Tx>(
    tx: &mut T,
    keys: &Arc<Mutex<Keys>>,
    sets: impl IntoIterator<Item = usize>,
) -> Result<usize, StoreError> {
    let wanted: BTreeMap<SetKey, usize> = sets.into_iter().map(|s| (set_key(s), s)).collect();
    let ids = tx.lock_sets(&wanted.keys().cloned().collect::<Vec<_>>()).await?;
    for (set, id) in wanted.values().zip(&ids) {
        keys.lock().unwrap().sets.insert(*set, *id);
    }
    Ok(ids.len())
}
