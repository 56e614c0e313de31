//! Messages from the SMSC: spooled first, acknowledged then.

use std::time::Duration;

use tokio::time::Instant;

use super::state::{Pending, Phase, Received, Session};
use crate::handoff::append::{Append, Kind, Op};
use crate::handoff::doubt;
use crate::handoff::message::Body;
use crate::limits::{BEFORE_BIND_MAX, OVERLOAD_ANSWER_SECONDS};
use crate::smpp::frame::Frame;
use crate::smpp::overload::{Change, Reason, Rung, Sight};
use crate::smpp::pdu::Pdu;
use crate::smpp::{CommandId, decode, decode_tolerant};

impl Session<'_> {
    /// Has the window room for one more message? One may overshoot the link's share of bytes.
    pub(super) fn has_room(&self) -> bool {
        let withheld = self.ladder.is_short_of_memory() && self.ladder.rung() == Rung::Withhold;
        !withheld
            && self.received + self.refused.len() + self.parked.len() < self.link.options.receive_window
            && self.waiting_bytes < self.link.receive_bytes()
    }

    /// A `deliver_sm` or `data_sm`.
    pub(super) fn take_message(&mut self, frame: &Frame) {
        let data = frame.id == CommandId::DataSm;
        if self.phase == Phase::Binding {
            if self.before_bind.len() < BEFORE_BIND_MAX {
                self.before_bind.push(unpinned(frame));
            } else {
                self.answer_later(data, frame.sequence);
            }
            return;
        }
        if self.ladder.is_short_of_memory() && self.ladder.rung() > Rung::Withhold {
            // Its bytes go at once. The answer is held back a little, or an SMSC's retries would spin.
            self.refused.push_back((self.now, frame.sequence, data));
            return;
        }
        if !self.parked.is_empty() || self.link.doubt.is_settling() || self.is_broken_silence() {
            // The SMSC may give here what it had no answer to from a link of the group whose session ended,
            // before the spool has said what that one stored. Or it may have ended this session, and given it to
            // another host.
            self.waiting_bytes += frame.raw.len();
            self.parked.push_back((self.now, unpinned(frame)));
            return;
        }
        self.spool_message(frame, data);
    }

    /// What was parked is taken once it is known what it may repeat, and that the SMSC is there; what has waited for
    /// as long as a response may be withheld is for later.
    pub(super) fn take_parked(&mut self) {
        let limit = self.link.options.withhold;
        while let Some((at, _)) = self.parked.front() {
            let settling = self.link.doubt.is_settling();
            if settling && self.now - *at < limit || self.is_broken_silence() {
                return;
            }
            let Some((_, frame)) = self.parked.pop_front() else { return };
            self.waiting_bytes -= frame.raw.len();
            let data = frame.id == CommandId::DataSm;
            if settling {
                self.answer_later(data, frame.sequence);
                self.ladder.refused(self.now, self.disk_trouble().unwrap_or(Reason::SlowSync));
            } else {
                self.spool_message(&frame, data);
            }
        }
    }

    /// The session is over: until the spool has said which of its messages are stored, other links of the
    /// group wait.
    pub(super) fn begin_settling(&mut self) {
        if !self.pending.is_empty() || self.link.stored > 0 {
            self.link.settling = Some(self.link.doubt.settle());
        }
    }

    fn spool_message(&mut self, frame: &Frame, data: bool) {
        let alphabet = self.link.options.default_alphabet;
        let decoded = if self.link.options.tolerate_sm_length { decode_tolerant(frame) } else { decode(frame) };
        let (mut kind, mut body) = match decoded {
            Ok(Pdu::DeliverSm(message) | Pdu::DataSm(message)) => {
                if message.is_receipt() {
                    self.link.meters.receipts.increment(1);
                    (Kind::Receipt, message.into_body(alphabet))
                } else {
                    self.link.meters.messages.increment(1);
                    (Kind::Message, message.into_body(alphabet))
                }
            }
            Ok(_) => return,
            Err(error) => {
                self.link.meters.undecodable.increment(1);
                (Kind::Undecodable, Body::Undecodable { pdu: frame.raw.to_vec(), error: error.to_string() })
            }
        };
        let received_us = self.link.receipts.now_us();
        let key = doubt::key(&body);
        // Of several equal ones the oldest.
        let waiting = key.and_then(|key| self.answered.range((key, 0)..=(key, u64::MAX)).next().copied());
        if let Some((key, tag)) = waiting
            && self.answered.remove(&(key, tag))
            && let Some(Pending::Received(received)) = self.pending.get_mut(&tag)
        {
            // It was told to be delivered later and here it is, while the spool has the first still: the one
            // record answers for both.
            (received.sequence, received.data) = (frame.sequence, data);
            (received.answered, received.at) = (false, self.now);
            self.link.doubt.release(key);
            self.by_age.push_back((self.now, tag));
            return;
        }
        if key.is_some_and(|key| self.link.doubt.holds(key)) {
            // It came back before the spool knows that it would: once more, a little later.
            self.refused.push_back((self.now, frame.sequence, data));
            return;
        }
        let mut repeats = None;
        if !self.link.doubt.is_empty()
            && let Some(key) = key
        {
            repeats = self.link.doubt.take(key, self.link.world.steady_us());
        }
        if let Some(original) = repeats {
            self.link.meters.redeliveries.increment(1);
            (kind, body) = (Kind::Redelivery, Body::Redelivery { run: original.run, of: original.sequence });
        }
        let original = repeats.map(|original| original.sequence);
        let Ok(op) = Op::record(received_us, kind, &body, original) else {
            // Writing to memory does not fail; were it to, the SMSC must keep the message.
            return self.answer_later(data, frame.sequence);
        };
        let bytes = frame.raw.len();
        self.waiting_bytes += bytes;
        let received = Received { sequence: frame.sequence, data, bytes, at: self.now, repeats, answered: false, key };
        let tag = self.link.tag();
        self.received += 1;
        self.pending.insert(tag, Pending::Received(received));
        self.by_age.push_back((self.now, tag));
        let give_up = Some((self.now + self.link.options.withhold).into_std());
        let link = self.index();
        self.ask(Append { link, tag, give_up, op });
    }

    /// A record is durable: acknowledge it, or wait for the worker's commit.
    pub(super) fn stored(&mut self, received: Received, sequence: u64) {
        self.waiting_bytes -= received.bytes;
        self.link.stored = sequence;
        if let Some(original) = received.repeats {
            self.link.doubt.stored_again(original.sequence, self.link.index, sequence);
        }
        if received.answered {
            // The SMSC was told to deliver it again, and it is stored after all.
            self.doubt(sequence, received.key);
            self.settled(&received);
            self.received -= 1;
        } else if self.link.committed.is_some() {
            self.uncommitted.push_back((sequence, received));
        } else {
            self.acknowledge(&received, sequence);
        }
    }

    /// The spool has said what became of it: it is not to be held for that any more.
    fn settled(&mut self, received: &Received) {
        if received.answered
            && let Some(key) = received.key
        {
            let pending = &self.pending;
            self.answered.retain(|(of, tag)| *of != key || pending.contains_key(tag));
            self.link.doubt.release(key);
        }
    }

    fn acknowledge(&mut self, received: &Received, sequence: u64) {
        let pdu = if received.data { Pdu::DataSmResp(String::new()) } else { Pdu::DeliverSmResp };
        self.respond(0, received.sequence, &pdu);
        self.acked = self.acked.max(sequence);
        self.received -= 1;
        self.link.meters.acknowledged.increment(1);
        self.link.meters.acknowledge_seconds.record((self.now - received.at).as_secs_f64());
    }

    /// The disk did not take it in time.
    pub(super) fn not_stored(&mut self, received: Received) {
        self.settled(&received);
        self.waiting_bytes -= received.bytes;
        self.received -= 1;
        if let Some(original) = received.repeats {
            self.link.doubt.add_certain(self.link.index, &[original]);
        }
        if !received.answered {
            self.answer_later(received.data, received.sequence);
            self.ladder.refused(self.now, self.disk_trouble().unwrap_or(Reason::DiskFailing));
        }
    }

    /// Acknowledges what the worker has committed.
    pub(super) fn acknowledge_committed(&mut self) {
        let Some(committed) = &mut self.link.committed else { return };
        let through = *committed.borrow_and_update();
        while self.uncommitted.front().is_some_and(|&(sequence, _)| sequence <= through) {
            if let Some((sequence, received)) = self.uncommitted.pop_front() {
                self.acknowledge(&received, sequence);
            }
        }
    }

    fn disk_trouble(&self) -> Option<Reason> {
        let marks = &self.link.marks;
        if marks.is_full() { Some(Reason::SpoolFull) } else { marks.is_failing().then_some(Reason::DiskFailing) }
    }

    /// Looks where the link stands on the overload ladder.
    pub(super) fn look_at_overload(&mut self) {
        let memory = self.link.pressure.is_high().then_some(Reason::Memory);
        let sight = Sight {
            state: memory.or_else(|| self.disk_trouble()),
            syncs: self.oldest_unsynced(),
            commits: self.uncommitted.front().map(|(_, received)| received.at),
        };
        let before = (self.ladder.rung(), self.ladder.reason());
        let change = self.ladder.look(self.now, &sight);
        let (rung, reason) = (self.ladder.rung(), self.ladder.reason());
        if (rung, reason) != before {
            self.link.meters.overload(rung, reason);
        }
        let link = &self.link.options.name;
        match change {
            None => {}
            Some(Change::Passed) => tracing::info!(%link, "the overload has passed; all is taken again"),
            Some(Change::Climbed(rung, reason)) => {
                let what = match rung {
                    Rung::Open | Rung::Withhold => "overload: responses are withheld, so that the SMSC waits",
                    Rung::Refuse => "overload: the SMSC is told to deliver later",
                    Rung::Unbind => "overload lasts: the link is unbound, so that the SMSC stores",
                };
                tracing::warn!(%link, reason = reason.word(), "{what}");
            }
        }
    }

    /// Since when the oldest message that is neither stored nor answered waits.
    fn oldest_unsynced(&mut self) -> Option<Instant> {
        while let Some(&(at, tag)) = self.by_age.front() {
            if matches!(self.pending.get(&tag), Some(Pending::Received(received)) if !received.answered) {
                return Some(at);
            }
            self.by_age.pop_front();
        }
        None
    }

    /// The overload ladder's second rung: what was withheld too long is answered with the status
    /// that makes this SMSC deliver it later.
    pub(super) fn withheld(&mut self) {
        let held = Duration::from_secs(OVERLOAD_ANSWER_SECONDS);
        while self.refused.front().is_some_and(|&(at, ..)| self.now - at >= held) {
            if let Some((_, sequence, data)) = self.refused.pop_front() {
                self.answer_later(data, sequence);
            }
        }
        let limit = self.link.options.withhold;
        while let Some(&(at, tag)) = self.by_age.front() {
            match self.pending.get_mut(&tag) {
                Some(Pending::Received(received)) if self.now - at >= limit => {
                    received.answered = true;
                    if let Some(key) = received.key {
                        self.answered.insert((key, tag));
                        // It may come by another link of the group.
                        self.link.doubt.hold(key);
                    }
                    let (data, sequence) = (received.data, received.sequence);
                    self.answer_later(data, sequence);
                    self.ladder.refused(self.now, self.disk_trouble().unwrap_or(Reason::SlowSync));
                }
                Some(_) => break,
                None => {}
            }
            self.by_age.pop_front();
        }
        while self.uncommitted.front().is_some_and(|(_, received)| self.now - received.at >= limit) {
            if let Some((sequence, received)) = self.uncommitted.pop_front() {
                self.answer_later(received.data, received.sequence);
                self.ladder.refused(self.now, Reason::WorkerNotCommitting);
                self.received -= 1;
                self.doubt(sequence, received.key);
            }
        }
    }

    fn answer_later(&mut self, data: bool, sequence: u32) {
        let pdu = if data { Pdu::DataSmResp(String::new()) } else { Pdu::DeliverSmResp };
        self.respond(self.link.options.overload_status, sequence, &pdu);
        self.link.meters.overloaded.increment(1);
        self.link.doubt.put_off(self.link.world.steady_us(), self.link.redelivery_until());
    }

    /// This record, though stored, will be delivered again; its key is held until the spool knows it.
    fn doubt(&mut self, sequence: u64, key: Option<u128>) {
        if let Some(key) = key {
            self.link.doubt.hold(key);
        }
        let tag = self.link.tag();
        self.pending.insert(tag, Pending::Doubt(key));
        let link = self.index();
        self.ask(Append { link, tag, give_up: None, op: Op::Doubt { only: Some(sequence) } });
    }
}

/// A copy, as a frame pins what it was read with.
fn unpinned(frame: &Frame) -> Frame {
    Frame { raw: bytes::Bytes::copy_from_slice(&frame.raw), ..*frame }
}
