//! The law of replies.
//!
//! A *write* is a row of a spool's `submit`: an attempt at a reply that was, or may have been, written to the
//! wire. What was never written leaves none.
//! - Each message that is decided has one reply, and each reply answers one message; one that is set aside has
//!   the notice of that.
//! - At the end a reply is sent, refused by the SMSC, withheld by a limit, or of unknown outcome after two attempts.
//! - A spool writes an attempt once. There are two attempts at most; the second only after the outcome of the
//!   first was unknown (no response, or its host's lease ran out), and the row counts it in `unknown_before`.
//! - The SMSC took a text as often as rows say that it was sent, at least, and as there are writes, at most.
//! - The row says the text that went, or that it may have been another one.
//! - Only when a failover lost commits can two hosts write one attempt, or a reply be written that has no row in
//!   the end. Two hosts whose write was accepted: the row counts that as well.
//! - Without a fault each reply is sent, once.

use std::collections::{BTreeMap, BTreeSet};

use scrutineer::domain::phone::normalise;
use scrutineer::handoff::message::{Body, SubmitOutcome};
use scrutineer::limits::REPLY_ATTEMPTS_MAX;
use scrutineer::outbox::reply_id::{bucket, notice_id};
use uuid::Uuid;

use super::super::model::tables::{Reply, Tables};
use super::super::plan::Plan;
use super::super::site::Site;
use super::{Findings, Spooled, is_poison};

/// A write: spool, attempt, text.
type Write<'a> = (usize, u16, &'a str);

/// What the simulated SMSC keeps of a text: the first part, of one in parts.
fn first_part(text: &str) -> String {
    if text.chars().count() > 160 { text.chars().take(153).collect() } else { text.to_owned() }
}

fn is_sent(reply: &Reply) -> bool {
    matches!(reply.state, "sent" | "delivered" | "undelivered")
}

pub fn check(f: &mut Findings, plan: &Plan, site: &Site, spools: &[Spooled], tables: &Tables) {
    each_message_has_one(f, spools, tables);
    let lost = site.db.counts()[0] > 0;
    let mut writes: BTreeMap<Uuid, Vec<Write<'_>>> = BTreeMap::new();
    for (at, spool) in spools.iter().enumerate() {
        for ((id, attempt), text) in &spool.submits {
            writes.entry(*id).or_default().push((at, *attempt, text));
        }
    }
    for (id, reply) in &tables.outbox {
        settled(f, *id, reply);
        as_often_as_allowed(f, *id, reply, writes.get(id).map_or(&[], Vec::as_slice), lost);
    }
    two_hosts_are_counted(f, spools, tables);
    taken_as_written(f, site, tables, &writes, lost);
    if plan.faults.is_empty() {
        for (id, reply) in tables.outbox.iter().filter(|(_, r)| !is_sent(r) && r.state != "withheld") {
            f.0.push(format!("without a fault reply {id} was not sent: {reply:?}"));
        }
        for (id, of) in writes.iter().filter(|(_, of)| of.len() > 1) {
            f.0.push(format!("without a fault reply {id} was written {} times", of.len()));
        }
    }
}

fn each_message_has_one(f: &mut Findings, spools: &[Spooled], tables: &Tables) {
    let mut named: BTreeSet<Uuid> = tables.messages.values().filter_map(|m| m.reply_id).collect();
    for record in spools.iter().flat_map(|s| &s.records) {
        if let Body::Message(mobile) = &record.body
            && is_poison(&mobile.short_message)
        {
            let id = notice_id(record.order, bucket(&normalise(&mobile.source)));
            f.must(tables.outbox.contains_key(&id), || format!("{:?} was set aside without a word", record.order));
            named.insert(id);
        }
    }
    for id in tables.outbox.keys() {
        f.must(named.contains(id), || format!("reply {id} answers no message"));
    }
    for (key, message) in &tables.messages {
        match message.reply_id {
            Some(id) => f.must(tables.outbox.contains_key(&id), || format!("message {key:?} has lost its reply")),
            None => {
                f.must(message.outcome == "segment", || format!("message {key:?} ({}) has no reply", message.outcome))
            }
        }
    }
}

fn settled(f: &mut Findings, id: Uuid, reply: &Reply) {
    f.must(!matches!(reply.state, "due" | "leased"), || format!("reply {id} is {} for ever: {reply:?}", reply.state));
    f.must(reply.state != "unknown" || reply.attempt == REPLY_ATTEMPTS_MAX, || {
        format!("reply {id}, of unknown outcome, was not tried again")
    });
    f.must(reply.state != "expired", || format!("reply {id} expired within minutes: {reply:?}"));
}

fn as_often_as_allowed(f: &mut Findings, id: Uuid, reply: &Reply, writes: &[Write<'_>], lost: bool) {
    let attempts: BTreeSet<u16> = writes.iter().map(|(_, attempt, _)| *attempt).collect();
    f.must(attempts.iter().all(|a| *a <= REPLY_ATTEMPTS_MAX.unsigned_abs()), || {
        format!("reply {id} was tried too often: {writes:?}")
    });
    let allowed = 1 + usize::from(reply.unknown_before.unsigned_abs());
    f.must(lost || writes.len() <= allowed, || {
        format!("reply {id} was written {} times, {} unknown outcomes: {reply:?}", writes.len(), reply.unknown_before)
    });
    f.must(lost || attempts.len() == writes.len(), || format!("two hosts wrote one attempt at reply {id}: {writes:?}"));
    let as_written = writes.is_empty() || writes.iter().any(|(.., text)| *text == reply.text);
    f.must(as_written || reply.went_before, || format!("reply {id} went as {writes:?} and stands as {:?}", reply.text));
    f.must(!is_sent(reply) || !writes.is_empty(), || format!("reply {id} is {} and no spool wrote it", reply.state));
    f.must(reply.state != "withheld" || writes.is_empty() || lost, || format!("reply {id}, withheld, was written"));
}

/// An attempt that two hosts wrote and the SMSC took from both is counted on its row, or kept beside it.
fn two_hosts_are_counted(f: &mut Findings, spools: &[Spooled], tables: &Tables) {
    let mut accepted: BTreeMap<(Uuid, u16), BTreeSet<&str>> = BTreeMap::new();
    for record in spools.iter().flat_map(|s| &s.records) {
        if let Some((result, _)) = record.body.result()
            && let SubmitOutcome::Accepted { message_ids } = &result.outcome
            && let Some(first) = message_ids.first()
        {
            accepted.entry((result.id, result.attempt)).or_default().insert(first);
        }
    }
    for ((id, attempt), ids) in accepted.iter().filter(|(_, ids)| ids.len() > 1) {
        let counted = tables.outbox.get(id).is_none_or(|r| r.unknown_before > 0);
        f.must(counted || tables.early_results.contains_key(id), || {
            format!("attempt {attempt} at reply {id} went from two hosts, as {ids:?}, and nothing says so")
        });
    }
}

/// Texts that the SMSC took, beside rows and writes. Replies of one text to one phone can't be told apart.
fn taken_as_written(
    f: &mut Findings,
    site: &Site,
    tables: &Tables,
    writes: &BTreeMap<Uuid, Vec<Write<'_>>>,
    lost: bool,
) {
    let mut taken: BTreeMap<(String, String), usize> = BTreeMap::new();
    for t in site.smsc.taken() {
        if !t.part || t.text.get(5) == Some(&1) {
            let text = if t.part { t.text.get(6..).unwrap_or_default() } else { &t.text };
            *taken.entry((t.phone, String::from_utf8_lossy(text).into_owned())).or_default() += 1;
        }
    }
    let numbers: BTreeMap<i64, &String> = tables.phones.iter().map(|(n, id)| (*id, n)).collect();
    // Of each text to each phone: rows that are sent, and writes.
    let mut groups: BTreeMap<(String, String), (usize, usize)> = BTreeMap::new();
    for (id, reply) in &tables.outbox {
        let phone = numbers.get(&reply.phone_id).map_or("?", |n| n.as_str());
        // Where the row says that another text may have gone, one row is not one taken.
        let says_so = is_sent(reply) && !reply.went_before;
        groups.entry((phone.to_owned(), first_part(&reply.text))).or_default().0 += usize::from(says_so);
        for (.., text) in writes.get(id).into_iter().flatten() {
            groups.entry((phone.to_owned(), first_part(text))).or_default().1 += 1;
        }
    }
    let mut forgotten: BTreeMap<String, usize> = BTreeMap::new();
    for (id, of) in writes.iter().filter(|(id, _)| !tables.outbox.contains_key(id)) {
        // A text whose parts were put together otherwise than before: its reply has another key.
        f.must(lost, || format!("reply {id} was written, and is not stored: {of:?}"));
        for (.., text) in of {
            *forgotten.entry(first_part(text)).or_default() += 1;
        }
    }
    for (what, (sent_rows, written)) in &groups {
        let took = taken.remove(what).unwrap_or(0);
        f.must(took >= *sent_rows, || {
            format!("{what:?}: {sent_rows} rows say that it was sent, it was taken {took} times")
        });
        let most = written + forgotten.get(&what.1).copied().unwrap_or(0);
        f.must(took <= most, || format!("{what:?}: it was taken {took} times, and written {most} times"));
    }
    for ((phone, text), took) in &taken {
        let most = forgotten.get(text).copied().unwrap_or(0);
        f.must(*took <= most, || format!("{text:?} to {phone}: taken {took} times, nobody asked for it"));
    }
}
