//! What must be so when all faults are over and everything has drained.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use scrutineer::domain::order::{OrderKey, RecordKey};
use scrutineer::domain::submission::{Assertion, Submission};
use scrutineer::domain::value::{Answers, Value};
use scrutineer::handoff::message::{Body, Mobile};
use uuid::Uuid;

use super::model::POISON;
use super::model::tables::Tables;
use super::plan::{Kind, Plan};
use super::site::{GATEWAYS, Site, phone};
use super::smsc::Item;

mod replies;

/// A record of a spool.
#[derive(Debug, Clone)]
pub struct Record {
    pub order: OrderKey,
    pub body: Body,
}

/// What a spool holds at the end.
#[derive(Debug, Default)]
pub struct Spooled {
    pub records: Vec<Record>,
    /// Submits that were or may have been written to the wire: row and attempt, and the text as it went.
    pub submits: BTreeMap<(Uuid, u16), String>,
}

pub fn read_spool(folder: &Path) -> Spooled {
    let conn = rusqlite::Connection::open(folder.join("spool.sqlite")).unwrap();
    let mut statement = conn
        .prepare("SELECT run.uuid, sequence, received_us, body FROM record JOIN run ON run.id = record.run ORDER BY sequence")
        .unwrap();
    let records = statement
        .query_map([], |row| {
            let record = RecordKey { spool: Uuid::from_bytes(row.get(0)?), sequence: row.get::<_, i64>(1)? as u64 };
            let body: Vec<u8> = row.get(3)?;
            let order = OrderKey { received_us: row.get(2)?, record };
            Ok(Record { order, body: postcard::from_bytes(&body).unwrap() })
        })
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let mut statement = conn.prepare("SELECT id, attempt, text FROM submit").unwrap();
    let submits = statement
        .query_map([], |row| Ok(((Uuid::from_bytes(row.get(0)?), row.get(1)?), row.get(2)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    Spooled { records, submits }
}

/// Does the database refuse it?
pub fn is_poison(text: &[u8]) -> bool {
    text.windows(POISON.len()).any(|bytes| bytes == POISON)
}

/// Whatever is wrong, a line each.
#[derive(Debug, Default)]
pub struct Findings(pub Vec<String>);

impl Findings {
    fn must(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.0.push(what());
        }
    }
}

/// What makes two parts of texts the same: phone and content.
type Content = (String, Vec<u8>);

fn content(m: &Mobile) -> Content {
    (m.source.clone(), m.short_message.clone())
}

/// All of it.
pub fn check(plan: &Plan, site: &Site, spools: &[Spooled]) -> Findings {
    let mut f = Findings::default();
    let tables = site.db.tables();
    for ended in site.ended.lock().unwrap().iter() {
        f.0.push(format!("a task ended by itself: {ended}"));
    }
    acknowledged_is_stored(&mut f, plan, site, spools);
    spooled_is_stored_once(&mut f, spools, &tables);
    submissions_are_their_folds(&mut f, plan, site, spools, &tables);
    replies::check(&mut f, plan, site, spools, &tables);
    nothing_is_open(&mut f, site, &tables);
    f
}

/// What the SMSC had acknowledged stands in a spool, as often as a phone sent it.
fn acknowledged_is_stored(f: &mut Findings, plan: &Plan, site: &Site, spools: &[Spooled]) {
    let mut messages: BTreeMap<Content, usize> = BTreeMap::new();
    let mut by_key: BTreeMap<RecordKey, Content> = BTreeMap::new();
    for record in spools.iter().flat_map(|s| &s.records) {
        if let Body::Message(m) = &record.body {
            *messages.entry(content(m)).or_default() += 1;
            by_key.insert(record.order.record, content(m));
        }
    }
    let mut repeated: BTreeMap<&Content, usize> = BTreeMap::new();
    for record in spools.iter().flat_map(|s| &s.records) {
        if let Body::Redelivery { run, of } = &record.body
            && let Some(what) = by_key.get(&RecordKey { spool: *run, sequence: *of })
        {
            *repeated.entry(what).or_default() += 1;
        }
    }
    // How often it was sent, and of these how many a host was given at all.
    let mut sent: BTreeMap<Content, (usize, [usize; GATEWAYS.len()])> = BTreeMap::new();
    for item in site.smsc.items().iter().filter(|item| item.of.is_some()) {
        f.must(item.acked, || format!("text {:?} was never acknowledged", item.of));
        let source = item.message.source.number.clone();
        let of = sent.entry((source, item.message.short_message.clone())).or_default();
        of.0 += 1;
        let hosts: BTreeSet<usize> = item.to.iter().map(|account| account / plan.topology.links).collect();
        hosts.into_iter().for_each(|host| of.1[host] += 1);
    }
    for (what, (times, given)) in &sent {
        let stored = messages.get(what).copied().unwrap_or(0);
        let again = repeated.get(what).copied().unwrap_or(0);
        let (phone, text) = (&what.0, String::from_utf8_lossy(&what.1));
        f.must(stored > 0, || format!("{phone} {text:?} was acknowledged and is in no spool"));
        // A host stores once what it is given, however often that is. Two hosts that are given one text each
        // store it: what is one of it then is said of submissions.
        for (host, spool) in spools.iter().enumerate() {
            let here = |r: &&Record| matches!(&r.body, Body::Message(m) if content(m) == *what);
            let here = spool.records.iter().filter(here).count();
            f.must(here <= given[host], || {
                format!("{phone} {text:?}: gateway {host} was given {} of it and stored {here}", given[host])
            });
        }
        // Of two equal texts of one phone, the second can pass for the first, delivered again, as long as
        // nobody knows whether the SMSC has the response to the first: it is noted as that then.
        f.must(stored >= *times || *times > 1 && stored + again >= *times, || {
            format!("{phone} {text:?} was sent {times} times, stored {stored} times and noted as delivered again {again} times")
        });
    }
    for what in messages.keys() {
        f.must(sent.contains_key(what), || format!("nobody sent {what:?}"));
    }
    if plan.faults.is_empty() {
        f.must(site.smsc.counts().1 == 0 && site.smsc.counts().2 == 0, || "delivered again without a fault".to_owned());
    }
}

/// Each message of a spool is one row, with its content; and there are no other rows.
fn spooled_is_stored_once(f: &mut Findings, spools: &[Spooled], tables: &Tables) {
    let mut expected = BTreeSet::new();
    for record in spools.iter().flat_map(|s| &s.records) {
        let key = record.order.record;
        match &record.body {
            Body::Message(m) => {
                let id = tables.spools.get(&key.spool).copied().unwrap_or(0);
                let row = (id, key.sequence.cast_signed());
                expected.insert(row);
                if is_poison(&m.short_message) {
                    f.must(tables.aside.contains_key(&row), || format!("record {key} is poison, and not set aside"));
                    continue;
                }
                f.must(!tables.aside.contains_key(&row), || {
                    format!("record {key} was set aside: {}", tables.aside[&row].error)
                });
                match tables.messages.get(&row) {
                    None => f.0.push(format!("record {key} is not stored")),
                    Some(stored) => {
                        f.must(stored.raw == m.short_message, || format!("record {key} is stored with another content"))
                    }
                }
            }
            Body::Redelivery { run, of } => {
                let id = tables.spools.get(run).copied().unwrap_or(0);
                let row = tables.messages.get(&(id, of.cast_signed()));
                let receipt = spools.iter().flat_map(|s| &s.records).any(|r| {
                    (r.order.record.spool, r.order.record.sequence) == (*run, *of) && matches!(r.body, Body::Receipt(_))
                });
                let poison = tables.aside.contains_key(&(id, of.cast_signed()));
                f.must(receipt || poison || row.is_some_and(|m| m.redelivered > 0), || {
                    format!("record {key} repeats {of}, of which the database does not know that")
                });
            }
            Body::Undecodable { .. } => f.0.push(format!("record {key} could not be decoded")),
            _ => {}
        }
    }
    for row in tables.messages.keys() {
        f.must(expected.contains(row), || format!("a row {row:?} that no spool has"));
    }
    for row in tables.aside.keys() {
        f.must(expected.contains(row), || format!("a record {row:?} is set aside that no spool has"));
    }
}

/// Each observer's answers are what the reports make, in the order in which they were received.
fn submissions_are_their_folds(f: &mut Findings, plan: &Plan, site: &Site, spools: &[Spooled], tables: &Tables) {
    let mut revisions: BTreeMap<(i32, Uuid), Vec<Assertion>> = BTreeMap::new();
    for ((election, id, at, spool, sequence, _), answers) in &tables.revisions {
        let record = RecordKey { spool: *spool, sequence: sequence.cast_unsigned() };
        let order = OrderKey { received_us: *at, record };
        revisions.entry((*election, *id)).or_default().push(Assertion { order, answers: (**answers).clone() });
    }
    for (key, submission) in &tables.submissions {
        let history = revisions.remove(key).unwrap_or_default();
        let folded = Submission::fold(&history);
        let as_stored = Submission { answers: submission.answers.clone(), last: Some(submission.last) };
        f.must(folded == as_stored, || format!("submission {key:?} is {as_stored:?}, its revisions make {folded:?}"));
        f.must(history.len() == submission.revisions.unsigned_abs() as usize, || {
            format!("submission {key:?} says {} revisions, there are {}", submission.revisions, history.len())
        });
    }
    f.must(revisions.is_empty(), || format!("revisions without a submission: {:?}", revisions.keys()));

    // Against what the phones sent, where no text came in parts: there a record is a report.
    let records: Vec<(usize, &Record)> =
        spools.iter().enumerate().flat_map(|(host, s)| s.records.iter().map(move |r| (host, r))).collect();
    let lost = site.db.counts()[0] > 0;
    for observer in 0..super::site::OBSERVERS {
        let own: Vec<_> = plan.texts.iter().filter(|t| t.observer == observer).collect();
        let mut assertions = Vec::new();
        // At least, and at most.
        let mut incidents = (0, 0);
        let mut seen: BTreeSet<&[u8]> = BTreeSet::new();
        for text in own.iter().filter(|t| t.parts.len() == 1) {
            let (_, message) = &text.parts[0];
            if !seen.insert(&message.short_message) {
                continue;
            }
            let mut on_host = [0; GATEWAYS.len()];
            for (host, record) in &records {
                let Body::Message(m) = &record.body else { continue };
                if m.source != phone(observer) || m.short_message != message.short_message {
                    continue;
                }
                match text.kind {
                    Kind::Report(code, value) => {
                        let answers = Answers::from([(code.to_owned(), Some(Value::Number(value)))]);
                        assertions.push(Assertion { order: record.order, answers });
                    }
                    Kind::Incident => on_host[*host] += 1,
                    Kind::Other | Kind::Poison => {}
                }
            }
            // What a person sends once more by another host passes for the SMSC's repetition, as long as it is
            // not known that the SMSC has the first one's response.
            incidents.0 += on_host.iter().max().unwrap_or(&0);
            // What the SMSC gives to two hosts is one incident, where no failover lost what one said of it, and the
            // network did not hold it back until the other one had it.
            let sum = on_host.iter().sum::<usize>();
            let late = site.smsc.items();
            let is_late = |item: &&Item| item.late && item.message.short_message == message.short_message;
            let late = late.iter().filter(is_late).filter(|item| item.message.source == message.source).count();
            let times = own.iter().filter(|t| t.text == text.text).count() + late;
            incidents.1 += if lost { sum } else { sum.min(times) };
        }
        let id = observer as i32 + 1;
        let of =
            |prefix: &str| tables.submissions.values().filter(|s| s.observer_id == id && s.prefix == prefix).count();
        f.must((incidents.0..=incidents.1).contains(&of("EM")), || {
            format!("observer {observer} sent {incidents:?} incidents, {} are stored", of("EM"))
        });
        let long = own.iter().any(|t| t.parts.len() > 1);
        let stored = tables.submissions.values().find(|s| s.observer_id == id && s.prefix == "PS");
        if long {
            // A report of several parts asserts its answer whenever its last part came.
            for text in own.iter().filter(|t| t.parts.len() > 1) {
                let Kind::Report(code, value) = text.kind else { continue };
                let asserted = tables.revisions.values().any(|a| a.get(code) == Some(&Some(Value::Number(value))));
                f.must(asserted, || format!("observer {observer}: {code}{value} of a text in parts is nowhere"));
            }
        } else {
            let expected = Submission::fold(&assertions).answers;
            let got = stored.map(|s| s.answers.clone()).unwrap_or_default();
            f.must(got == expected, || format!("observer {observer}: stored {got:?}, reported {expected:?}"));
        }
    }
}

/// Nothing waits or is held.
fn nothing_is_open(f: &mut Findings, site: &Site, tables: &Tables) {
    f.must(tables.sets.is_empty() && tables.segments.is_empty(), || format!("parts wait for ever: {:?}", tables.sets));
    let open = site.db.open_transactions();
    f.must(open == 0, || format!("{open} transactions are open"));
    let ids: BTreeSet<i32> = tables.spools.values().copied().collect();
    for ((spool, lane), through) in &tables.watermarks {
        f.must(ids.contains(spool), || format!("a watermark of lane {lane} of spool {spool}, which is not registered"));
        f.must(*through >= 0, || format!("watermark {through}"));
    }
}
