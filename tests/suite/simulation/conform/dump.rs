//! What stands in the tables, of the model and of PostgreSQL, in one form: a line a row, in words without
//! keys, and its times as seconds from now.

use scrutineer::store::PgConnection;
use sqlx::Row;
use time::OffsetDateTime;
use uuid::Uuid;

use super::super::model::tables::Tables;
use super::super::model::tables::batch::WENT_BEFORE;
use super::perform::Keys;

/// A row, and its times.
pub type Line = (String, Vec<i64>);

/// Of the model, whose clock says `now_us`.
pub fn of_model(t: &Tables, keys: &Keys, now_us: i64) -> Vec<Line> {
    let ago = |at_us: i64| (at_us - now_us) / 1_000_000;
    let spool = |id: &i32| keys.spool_of(*id);
    let mut lines: Vec<Line> = Vec::new();
    let mut line = |text: String, times: Vec<i64>| lines.push((text, times));
    for ((id, sequence), m) in &t.messages {
        let whole = m.whole.map(|(id, sequence)| (spool(&id), sequence));
        let phone = keys.phone_of(m.phone_id);
        line(
            format!(
                "message {} {sequence} {} {phone} {:?} {:?} {:?} {} {:?} {:?} {:?} {whole:?} {} {:?}",
                spool(id),
                m.received_us,
                m.raw,
                m.content_hash,
                m.text,
                m.outcome,
                m.election_id,
                m.observer_id,
                m.submissions,
                m.redelivered,
                m.reply_id
            ),
            vec![],
        );
    }
    for ((election, id), s) in &t.submissions {
        let answers = serde_json::to_value(&s.answers).unwrap();
        let last = (s.last.received_us, s.last.record.spool, s.last.record.sequence as i64);
        line(
            format!(
                "submission {election} {id} {} {} {answers} {:?} {} {last:?} {}",
                s.prefix, s.observer_id, s.comment, s.first_us, s.revisions
            ),
            vec![],
        );
    }
    for ((election, id, at, spool, sequence, place), answers) in &t.revisions {
        let answers = serde_json::to_value(&**answers).unwrap();
        line(format!("revision {election} {id} {at} {spool} {sequence} {place} {answers}"), vec![]);
    }
    for (key, set) in &t.sets {
        line(format!("set {} {} {}", key.source, key.reference, key.total), vec![ago(set.begun_us)]);
    }
    for ((set, part), p) in &t.segments {
        let of = t.sets.iter().find(|(_, s)| s.id == *set).map_or(-1, |(key, _)| key.reference);
        line(format!("segment {of} {part} {} {} {:?}", spool(&p.spool_id), p.sequence, p.record), vec![]);
    }
    for ((key, part, content), at) in &t.done {
        line(format!("done {} {} {part} {content:?}", key.source, key.reference), vec![ago(*at)]);
    }
    for ((id, lane), through) in &t.watermarks {
        line(format!("watermark {} {lane} {through}", spool(id)), vec![]);
    }
    for ((id, sequence), a) in &t.aside {
        line(format!("aside {} {sequence} {:?} {:?} {}", spool(id), a.record, a.parts, a.error), vec![]);
    }
    for (id, r) in &t.outbox {
        let due = if r.state == "due" { ago(r.due_us) } else { 0 };
        let lease = r.lease.map(|(run, _)| run);
        line(
            format!(
                "reply {id} {} {} {} {} {} {} {} {:?} {:?} {:?} {} {lease:?} {}",
                spool(&r.spool_id),
                r.sequence,
                keys.phone_of(r.phone_id),
                r.text,
                r.state,
                r.attempt,
                r.unknown_before,
                r.message_id,
                r.error,
                r.receipt,
                r.accepted,
                r.went_before
            ),
            vec![due, ago(r.expires_us), r.lease.map_or(0, |(_, until)| ago(until))],
        );
    }
    for ((id, place), (message_id, group, state)) in &t.outbox_segments {
        line(format!("further {id} {place} {message_id} {group} {state:?}"), vec![]);
    }
    for ((group, id), r) in &t.early {
        let phone = r.phone_id.map(|p| keys.phone_of(p));
        let at = scrutineer::store::micros(r.received_at);
        line(format!("early {group} {id} {} {phone:?}", r.receipt), vec![ago(at)]);
    }
    for (id, (attempt, message_id, _, text)) in &t.early_results {
        line(format!("early result {id} {attempt} {message_id:?} {text:?}"), vec![]);
    }
    for (phone, (stopped, at)) in &t.senders {
        line(format!("sender {} {stopped} {at}", keys.phone_of(*phone)), vec![]);
    }
    for ((id, link), (known, seen)) in &t.confirmed {
        let (sequence, unanswered) = (known.through, &known.unanswered);
        line(format!("confirmed {} {link} {sequence} {unanswered:?}", spool(id)), vec![ago(*seen)]);
    }
    for ((is_phone, id), (failed, told)) in &t.attempts {
        let of = if *is_phone { keys.phone_of(*id) } else { format!("observer {id}") };
        line(format!("attempts {of} {failed:?} {told:?}"), vec![]);
    }
    for number in t.phones.keys() {
        line(format!("phone {number}"), vec![]);
    }
    lines.sort();
    lines
}

/// Of PostgreSQL.
pub async fn of_postgresql(conn: &mut PgConnection, keys: &Keys) -> Vec<Line> {
    let now: OffsetDateTime = sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(&mut *conn).await.unwrap();
    let now_us = scrutineer::store::micros(now);
    let us = |at: OffsetDateTime| scrutineer::store::micros(at);
    let ago = |at: OffsetDateTime| (us(at) - now_us) / 1_000_000;
    let spool = |id: i32| keys.spool_of(id);
    let mut lines: Vec<Line> = Vec::new();
    let mut rows = async |sql: &'static str| sqlx::query(sql).fetch_all(&mut *conn).await.unwrap();
    for r in rows("SELECT * FROM message").await {
        let whole = r.get::<Option<i32>, _>("whole_spool").map(|id| (spool(id), r.get::<i64, _>("whole_seq")));
        lines.push((
            format!(
                "message {} {} {} {} {:?} {:?} {:?} {} {:?} {:?} {:?} {whole:?} {} {:?}",
                spool(r.get("spool_id")),
                r.get::<i64, _>("sequence"),
                us(r.get("received_at")),
                keys.phone_of(r.get("phone_id")),
                r.get::<Vec<u8>, _>("raw"),
                r.get::<Vec<u8>, _>("content_hash"),
                r.get::<Option<String>, _>("text"),
                r.get::<String, _>("outcome"),
                r.get::<Option<i32>, _>("election_id"),
                r.get::<Option<i32>, _>("observer_id"),
                r.get::<Vec<Uuid>, _>("submissions"),
                r.get::<i32, _>("redelivered"),
                r.get::<Option<Uuid>, _>("reply_id")
            ),
            vec![],
        ));
    }
    for r in rows("SELECT * FROM submission").await {
        let last = (us(r.get("last_received_at")), r.get::<Uuid, _>("last_spool"), r.get::<i64, _>("last_sequence"));
        lines.push((
            format!(
                "submission {} {} {} {} {} {:?} {} {last:?} {}",
                r.get::<i32, _>("election_id"),
                r.get::<Uuid, _>("id"),
                r.get::<String, _>("prefix"),
                r.get::<i32, _>("observer_id"),
                r.get::<serde_json::Value, _>("answers"),
                r.get::<Option<String>, _>("comment"),
                us(r.get("first_received_at")),
                r.get::<i32, _>("revisions")
            ),
            vec![],
        ));
    }
    for r in rows("SELECT * FROM revision").await {
        lines.push((
            format!(
                "revision {} {} {} {} {} {} {}",
                r.get::<i32, _>("election_id"),
                r.get::<Uuid, _>("submission_id"),
                us(r.get("received_at")),
                r.get::<Uuid, _>("spool"),
                r.get::<i64, _>("sequence"),
                r.get::<i16, _>("place"),
                r.get::<serde_json::Value, _>("answers")
            ),
            vec![],
        ));
    }
    for r in rows("SELECT * FROM segment_set").await {
        let (source, reference, total): (String, i32, i16) = (r.get("source"), r.get("reference"), r.get("total"));
        lines.push((format!("set {source} {reference} {total}"), vec![ago(r.get("begun_at"))]));
    }
    for r in rows("SELECT s.*, t.reference FROM segment s JOIN segment_set t ON t.id = s.set_id").await {
        lines.push((
            format!(
                "segment {} {} {} {} {:?}",
                r.get::<i32, _>("reference"),
                r.get::<i16, _>("part"),
                spool(r.get("spool_id")),
                r.get::<i64, _>("sequence"),
                r.get::<Vec<u8>, _>("record")
            ),
            vec![],
        ));
    }
    for r in rows("SELECT * FROM segment_done").await {
        let (source, reference, part): (String, i32, i16) = (r.get("source"), r.get("reference"), r.get("part"));
        let content: Vec<u8> = r.get("content");
        lines.push((format!("done {source} {reference} {part} {content:?}"), vec![ago(r.get("done_at"))]));
    }
    for r in rows("SELECT * FROM watermark").await {
        let (lane, sequence): (i16, i64) = (r.get("lane"), r.get("sequence"));
        lines.push((format!("watermark {} {lane} {sequence}", spool(r.get("spool_id"))), vec![]));
    }
    for r in rows("SELECT * FROM set_aside").await {
        let (record, parts): (Vec<u8>, Vec<Vec<u8>>) = (r.get("record"), r.get("parts"));
        let (sequence, error): (i64, String) = (r.get("sequence"), r.get("error"));
        lines.push((format!("aside {} {sequence} {record:?} {parts:?} {error}", spool(r.get("spool_id"))), vec![]));
    }
    for r in rows("SELECT * FROM outbox").await {
        let state: String = r.get("state");
        let due = if state == "due" { ago(r.get("due_at")) } else { 0 };
        let lease = r.get::<Option<OffsetDateTime>, _>("lease_until").map_or(0, ago);
        lines.push((
            format!(
                "reply {} {} {} {} {} {state} {} {} {:?} {:?} {:?} {} {:?} {}",
                r.get::<Uuid, _>("id"),
                spool(r.get("spool_id")),
                r.get::<i64, _>("sequence"),
                keys.phone_of(r.get("phone_id")),
                r.get::<String, _>("text"),
                r.get::<i16, _>("attempt"),
                r.get::<i16, _>("unknown_before"),
                r.get::<Option<String>, _>("message_id"),
                r.get::<Option<String>, _>("error"),
                r.get::<Option<String>, _>("receipt"),
                r.get::<i16, _>("accepted"),
                r.get::<Option<Uuid>, _>("lease_spool"),
                r.get::<Option<String>, _>("unknown_why").is_some_and(|why| why == WENT_BEFORE)
            ),
            vec![due, ago(r.get("expires_at")), lease],
        ));
    }
    for r in rows("SELECT * FROM outbox_segment").await {
        let (id, place): (Uuid, i16) = (r.get("outbox_id"), r.get("place"));
        let (message_id, group): (String, String) = (r.get("message_id"), r.get("link_group"));
        let state: Option<String> = r.get("state");
        lines.push((format!("further {id} {place} {message_id} {group} {state:?}"), vec![]));
    }
    for r in rows("SELECT * FROM early_receipt").await {
        let (group, id, receipt): (String, String, String) =
            (r.get("link_group"), r.get("message_id"), r.get("receipt"));
        let phone = r.get::<Option<i64>, _>("phone_id").map(|p| keys.phone_of(p));
        lines.push((format!("early {group} {id} {receipt} {phone:?}"), vec![ago(r.get("received_at"))]));
    }
    for r in rows("SELECT * FROM early_result").await {
        let (id, attempt, message_id): (Uuid, i16, Option<String>) =
            (r.get("id"), r.get("attempt"), r.get("message_id"));
        let text: Option<String> = r.get("text");
        lines.push((format!("early result {id} {attempt} {message_id:?} {text:?}"), vec![]));
    }
    for r in rows("SELECT * FROM sender").await {
        let (stopped, at): (bool, i64) = (r.get("stopped"), us(r.get("changed_at")));
        lines.push((format!("sender {} {stopped} {at}", keys.phone_of(r.get("phone_id"))), vec![]));
    }
    for r in rows("SELECT * FROM confirmed").await {
        let (link, sequence): (String, i64) = (r.get("link"), r.get("sequence"));
        let unanswered: Vec<i64> = r.get("unanswered");
        let line = format!("confirmed {} {link} {sequence} {unanswered:?}", spool(r.get("spool_id")));
        lines.push((line, vec![ago(r.get("seen_at"))]));
    }
    for r in rows("SELECT * FROM auth_attempt").await {
        let (of, id): (String, i64) = (r.get("of"), r.get("id"));
        let of = if of == "phone" { keys.phone_of(id) } else { format!("observer {id}") };
        let failed: Vec<i64> = r.get::<Vec<OffsetDateTime>, _>("failed_at").into_iter().map(us).collect();
        let told = r.get::<Option<OffsetDateTime>, _>("told_until").map(us);
        lines.push((format!("attempts {of} {failed:?} {told:?}"), vec![]));
    }
    for r in rows("SELECT * FROM phone").await {
        lines.push((format!("phone {}", r.get::<String, _>("msisdn")), vec![]));
    }
    lines.sort();
    lines
}
