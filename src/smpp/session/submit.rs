//! Submits: taken as the window has room, written when their intent is durable, paced by segment,
//! each with exactly one result.

use std::time::Duration;

use tokio::time::Instant;

use super::state::{Pending, Phase, Session};
use crate::domain::alphabet::LongMessages;
use crate::handoff::append::{Append, Op};
use crate::handoff::message::{NotSent, Submit, SubmitOutcome};
use crate::handoff::queue::Waiting;
use crate::limits::{LATE_SUBMITS_MAX, SUBMIT_AGAIN_SECONDS, SUBMIT_SEGMENTS_MAX, SUBMIT_TRIES_MAX, WRITE_BYTES_MAX};
use crate::smpp::frame::Frame;
use crate::smpp::pdu::{Address, ESM_UDH, Pdu, ShortMessage};
use crate::smpp::statuses::Meaning;
use crate::smpp::{CommandId, CommandStatus, decode};
use crate::text::alphabets::Sending;
use crate::text::segments::{Segment, split_for};

/// A submit whose intent is durable.
#[derive(Debug)]
pub(super) struct Active {
    submit: Submit,
    segments: Vec<Segment>,
    /// `message_id` of each segment that was accepted.
    accepted: Vec<Option<String>>,
    /// Segments without an answer yet, written or not.
    open: usize,
    /// Segments written, and not refused for the moment.
    written: usize,
    /// How often a segment of it was refused for the moment.
    tries: u32,
    refused: Option<u32>,
    unknown: bool,
}

impl Session<'_> {
    fn bound(&self) -> bool {
        self.phase == Phase::Bound && !self.stopping
    }

    fn submits_under_way(&self) -> usize {
        self.intents + self.ready.len() + self.in_flight.len()
    }

    /// Has the window room, and is nothing in the way?
    pub(super) fn wants_submits(&self) -> bool {
        self.offered
            && self.bound()
            && self.later.len() < self.link.options.submit_window
            && self.link.pace.paused_until(self.now).is_none()
            && self.submits_under_way() < self.link.options.submit_window
    }

    /// Takes submits from the group's queue and makes their intents durable.
    pub(super) fn take_submits(&mut self) {
        self.offer(self.bound() && self.link.options.role.submits() && self.link.desk.takes_submits());
        while self.wants_submits() {
            let Some(Waiting { submit, intended }) = self.link.queue.pop(&self.link.options.link) else { return };
            let link = self.index();
            if submit.expires_us <= self.link.world.steady_us() {
                self.settle(&submit, SubmitOutcome::NotSent { reason: NotSent::Expired });
                continue;
            }
            let tag = self.link.tag();
            if intended {
                self.intended(tag, submit);
                continue;
            }
            let op = Op::Intent { id: submit.id, attempt: submit.attempt, text: submit.text.clone() };
            self.intents += 1;
            self.pending.insert(tag, Pending::Intent(submit));
            let give_up = Some((self.now + self.link.options.withhold).into_std());
            self.ask(Append { link, tag, give_up, op });
        }
    }

    /// Tells the queue whether this bind takes submits: while none of its link does, what prefers the link goes
    /// by another.
    fn offer(&mut self, takes: bool) {
        if self.offered != takes {
            self.offered = takes;
            self.link.queue.set_bound(&self.link.options.link, takes);
        }
    }

    /// How this session sends texts: an SMSC that did not say that it knows TLVs gets none, and long texts go with
    /// headers (SMPP 3.4, 3.4.2 and 5.2.25).
    fn sending(&self) -> Sending {
        let sending = self.link.options.sending;
        if self.link.tlvs { sending } else { Sending { long: LongMessages::Udh, ..sending } }
    }

    /// A submit's intent is durable: its segments may be written.
    pub(super) fn intended(&mut self, tag: u64, submit: Submit) {
        self.link.reference = self.link.reference.wrapping_add(1);
        let split = split_for(&self.sending(), &submit.text, self.link.reference, SUBMIT_SEGMENTS_MAX);
        match split {
            Ok(segments) if self.bound() => {
                let open = segments.len();
                self.ready.extend((0..open).map(|segment| (tag, segment)));
                let accepted = vec![None; open];
                let active =
                    Active { submit, segments, accepted, open, written: 0, tries: 0, refused: None, unknown: false };
                self.active.insert(tag, active);
            }
            Ok(_) if self.stopping => self.settle(&submit, SubmitOutcome::NotSent { reason: NotSent::Stopping }),
            Ok(_) => drop(self.unsent.insert(tag, submit)),
            Err(error) => {
                tracing::warn!(link = %self.link.options.name, id = %submit.id, %error, "a text cannot be sent");
                self.settle(&submit, SubmitOutcome::NotSent { reason: NotSent::Impossible });
            }
        }
    }

    /// Writes what is ready as far as window and pace allow; returns when the pace allows more.
    pub(super) fn write_submits(&mut self) -> Option<Instant> {
        while let Some(&(at, order, segment)) = self.later.first()
            && at <= self.now
        {
            self.later.pop_first();
            self.ready.insert((order, segment));
        }
        let per_second = self.link.options.submits_per_second;
        while self.bound() && self.in_flight.len() < self.link.options.submit_window && self.out.len() < WRITE_BYTES_MAX
        {
            let Some(&(order, segment)) = self.ready.first() else { break };
            if let Err(at) = self.link.pace.take(self.now, per_second) {
                return Some(at);
            }
            self.ready.remove(&(order, segment));
            self.write_segment(order, segment);
        }
        None
    }

    fn write_segment(&mut self, order: u64, segment: usize) {
        let Some(active) = self.active.get_mut(&order) else { return };
        let left_us = active.submit.expires_us.saturating_sub(self.link.world.steady_us());
        if left_us <= 0 {
            active.open -= 1;
            active.refused.get_or_insert(u32::from(CommandStatus::EsmeRthrottled));
            return self.complete(order);
        }
        let Some(part) = active.segments.get_mut(segment) else { return };
        let message = ShortMessage {
            source: Address::guess(&active.submit.source),
            destination: Address::guess(&active.submit.destination),
            esm_class: if part.udhi { ESM_UDH } else { 0 },
            registered_delivery: u8::from(active.submit.receipt && self.link.options.receipts),
            data_coding: part.data_coding,
            // Kept: a throttled segment is written again.
            short_message: part.short_message.clone(),
            payload: part.payload.clone(),
            sar: part.sar,
            validity_period: if self.link.options.validity { validity(left_us) } else { String::new() },
            ..ShortMessage::default()
        };
        let more = part.weight.saturating_sub(1);
        active.written += 1;
        let sequence = self.request(&Pdu::SubmitSm(message));
        self.in_flight.insert(sequence, (order, segment, self.now));
        self.written.push_back((self.now, sequence));
        self.link.meters.submitted.increment(1 + u64::from(more));
        if more > 0 {
            self.link.pace.charge(self.now, self.link.options.submits_per_second, more);
        }
    }

    /// A `submit_sm_resp`.
    pub(super) fn submit_response(&mut self, frame: &Frame) {
        let Some((order, segment, at)) = self.in_flight.remove(&frame.sequence) else {
            return self.late_response(frame);
        };
        self.link.meters.response_seconds.record((self.now - at).as_secs_f64());
        self.link.desk.say(|view| view.round_trip = Some(self.now - at));
        let Some(active) = self.active.get_mut(&order) else { return };
        if frame.status == 0 && frame.id == CommandId::SubmitSmResp {
            let id = match decode(frame) {
                Ok(Pdu::SubmitSmResp(id)) => id,
                _ => String::new(),
            };
            if let Some(place) = active.accepted.get_mut(segment) {
                *place = Some(id);
            }
            active.open -= 1;
            self.link.pace.accepted(at);
            self.link.meters.accepted.increment(1);
            self.complete(order);
            return;
        }
        match self.link.options.statuses.of(frame.status) {
            Meaning::LinkWide => {
                active.written -= 1;
                self.ready.insert((order, segment));
                self.link.meters.throttled.increment(1);
                if let Some(pause) = self.link.pace.throttled(self.now) {
                    tracing::info!(link = %self.link.options.name, seconds = pause.as_secs(), "the SMSC throttles: the link pauses");
                }
            }
            // Not taken, so that another try cannot double it.
            Meaning::Temporary if active.tries < SUBMIT_TRIES_MAX && active.refused.is_none() => {
                active.written -= 1;
                active.tries += 1;
                let pause = Duration::from_secs(SUBMIT_AGAIN_SECONDS) * active.tries;
                self.later.insert((self.now + pause, order, segment));
                self.link.meters.refused(frame.status);
            }
            Meaning::Temporary | Meaning::Permanent => {
                active.open -= 1;
                active.refused.get_or_insert(frame.status);
                self.link.meters.refused(frame.status);
                self.complete(order);
            }
        }
    }

    /// A `submit_sm_resp` to a segment that was given up. When all of the text is accepted after all, its
    /// outcome is unknown no more, and what waits to be sent again is not.
    fn late_response(&mut self, frame: &Frame) {
        let name = &self.link.options.name;
        let Some((order, segment)) = self.given_up.remove(&frame.sequence) else {
            tracing::debug!(link = %name, "a submit_sm_resp to nothing that was asked");
            return;
        };
        let Some(active) = self.late.get_mut(&order) else { return };
        if frame.status != 0 || frame.id != CommandId::SubmitSmResp {
            tracing::info!(link = %name, status = frame.status, "a submit_sm_resp came late, with a refusal");
            let (id, attempt) = (active.submit.id, active.submit.attempt);
            // Of a text in one piece nothing was sent.
            if active.accepted.len() == 1 {
                let (link, at_us) = (self.index(), self.link.world.now_us());
                let outcome = SubmitOutcome::Refused { status: frame.status };
                self.ask(Append { link, tag: 0, give_up: None, op: Op::LateResult { id, attempt, at_us, outcome } });
            }
            self.forget_late(order);
            return;
        }
        let id = if let Ok(Pdu::SubmitSmResp(id)) = decode(frame) { id } else { String::new() };
        if let Some(place) = active.accepted.get_mut(segment) {
            *place = Some(id);
        }
        if active.accepted.iter().any(Option::is_none) {
            return;
        }
        let message_ids = active.accepted.iter().map(|id| id.clone().unwrap_or_default()).collect();
        let (id, attempt) = (active.submit.id, active.submit.attempt);
        tracing::info!(link = %name, %id, attempt, "a submit_sm_resp came late: the reply is sent after all");
        self.forget_late(order);
        self.link.meters.late.increment(1);
        let (link, at_us) = (self.index(), self.link.world.now_us());
        let op = Op::LateResult { id, attempt, at_us, outcome: SubmitOutcome::Accepted { message_ids } };
        self.ask(Append { link, tag: 0, give_up: None, op });
        if let Some(again) = self.link.queue.take_out(id) {
            self.settle(&again, SubmitOutcome::NotSent { reason: NotSent::Stopping });
        }
    }

    fn forget_late(&mut self, order: u64) {
        self.late.remove(&order);
        self.given_up.retain(|_, (of, _)| *of != order);
    }

    /// A `generic_nack`: it may name a request of ours.
    pub(super) fn nacked(&mut self, frame: &Frame) {
        if self.in_flight.contains_key(&frame.sequence) {
            self.submit_response(frame);
        } else {
            tracing::warn!(link = %self.link.options.name, status = frame.status, sequence = frame.sequence, "generic_nack");
        }
    }

    /// Segments whose response is overdue: sent or not, nobody knows.
    pub(super) fn late_responses(&mut self) {
        let timeout = self.link.options.response_timeout;
        while let Some(&(at, sequence)) = self.written.front() {
            let open = self.in_flight.contains_key(&sequence);
            if open && self.now - at < timeout {
                return;
            }
            self.written.pop_front();
            if let Some((order, segment, _)) = self.in_flight.remove(&sequence)
                && let Some(active) = self.active.get_mut(&order)
            {
                self.given_up.insert(sequence, (order, segment));
                active.open -= 1;
                active.unknown = true;
                self.link.meters.unknown.increment(1);
                self.complete(order);
            }
        }
    }

    /// Settles a submit when nothing of it is open any more; after a refusal the rest isn't sent.
    fn complete(&mut self, order: u64) {
        let Some(active) = self.active.get_mut(&order) else { return };
        if active.refused.is_some() {
            for segment in 0..active.segments.len() {
                if self.ready.remove(&(order, segment)) {
                    active.open -= 1;
                }
            }
            let waiting = self.later.len();
            self.later.retain(|(_, of, _)| *of != order);
            active.open -= waiting - self.later.len();
        }
        if active.open == 0
            && let Some(active) = self.active.remove(&order)
        {
            let outcome = active.outcome();
            let may_come = outcome == SubmitOutcome::Unknown && active.refused.is_none();
            self.settle(&active.submit, outcome);
            if may_come {
                self.late.insert(order, active);
            } else {
                self.forget_late(order);
            }
            if self.late.len() > LATE_SUBMITS_MAX
                && let Some((&oldest, _)) = self.late.first_key_value()
            {
                self.forget_late(oldest);
            }
        }
    }

    /// One result, durable before anyone hears of it.
    pub(super) fn settle(&mut self, submit: &Submit, outcome: SubmitOutcome) {
        let link = self.index();
        let op = Op::Result { id: submit.id, attempt: submit.attempt, at_us: self.link.world.now_us(), outcome };
        self.ask(Append { link, tag: 0, give_up: None, op });
    }

    /// The session is over: waits for what the spool was asked, and settles every submit.
    pub(super) async fn finish(mut self) {
        if self.phase == Phase::Bound {
            self.stopping |= self.link.stop.is_cancelled();
        }
        self.phase = Phase::Binding;
        self.offer(false);
        for (order, active) in std::mem::take(&mut self.active) {
            if active.written > 0 {
                self.settle(&active.submit, SubmitOutcome::Unknown);
            } else if self.stopping {
                self.settle(&active.submit, SubmitOutcome::NotSent { reason: NotSent::Stopping });
            } else {
                self.unsent.insert(order, active.submit);
            }
        }
        self.in_flight.clear();
        self.ready.clear();
        self.later.clear();
        loop {
            self.send_backlog();
            self.take_done();
            // Looked at between taking and waiting: nothing wakes for what was taken already.
            if (self.pending.is_empty() && self.backlog.is_empty()) || self.link.spool.is_closed() {
                break;
            }
            self.link.turned();
            tokio::select! {
                biased;
                () = self.link.completions.wait() => {}
                permit = self.link.spool.reserve(), if !self.backlog.is_empty() => {
                    if let (Ok(permit), Some(append)) = (permit, self.backlog.pop_front()) {
                        permit.send(append);
                    }
                }
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
        }
        // The last one first, as each goes before all others.
        for (_, submit) in std::mem::take(&mut self.unsent).into_iter().rev() {
            self.link.queue.put_first(Waiting { submit, intended: true });
        }
        self.link.meters.receive_window.set(0.0);
        self.link.meters.submit_window.set(0.0);
    }
}

impl Active {
    fn outcome(&self) -> SubmitOutcome {
        match (self.unknown, self.refused) {
            (true, _) => SubmitOutcome::Unknown,
            (false, Some(_)) if self.written == 0 => SubmitOutcome::NotSent { reason: NotSent::Expired },
            (false, Some(status)) => SubmitOutcome::Refused { status },
            (false, None) => SubmitOutcome::Accepted {
                message_ids: self.accepted.iter().map(|id| id.clone().unwrap_or_default()).collect(),
            },
        }
    }
}

/// `validity_period` (SMPP 3.4, 7.1.1): what is left, in whole minutes, as relative time; empty where it is longer
/// than the format holds, or less than a minute.
fn validity(left_us: i64) -> String {
    let minutes = left_us / 60_000_000;
    let days = minutes / 1_440;
    if minutes < 1 || days > 30 {
        return String::new();
    }
    format!("0000{days:02}{:02}{:02}00000R", minutes / 60 % 24, minutes % 60)
}
