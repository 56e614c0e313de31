//! What the SMSC says and does, without sockets: PDUs in, bytes out, time handed in (microseconds
//! since the run began).

use std::collections::VecDeque;

use bytes::BytesMut;

use crate::limits::{SMSC_OUT_BYTES_MAX, SMSC_SEGMENTS_MAX};
use crate::smpp::{self, Address, Bind, CommandStatus, Frame, Pdu, ShortMessage};
use crate::text::{segments, udh};

use super::ledger::{Cargo, Delivery, Ledger};
use super::report::Report;
use super::submits::{Submits, Verdict, message_id, receipt};
use super::{Options, Outgoing};

/// After so long a text that the gateway refused for now is delivered again.
const RETRY_US: u64 = 1_000_000;
/// Silence after which `enquire_link` is sent, and after thrice which the session is given up.
const SILENCE_US: u64 = 30_000_000;

/// Whether the session goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// It does.
    Go,
    /// Write what there is, then close.
    Close,
    /// Close now.
    Cut,
}

pub(super) struct Dialog<S: Iterator<Item = Outgoing>> {
    options: Options,
    source: S,
    next: Option<Outgoing>,
    exhausted: bool,
    pub(super) ledger: Ledger,
    submits: Submits,
    sequence: u32,
    /// To be delivered again at once: the session that had it ended.
    again: VecDeque<Delivery>,
    /// To be delivered again at their time: the gateway refused them for now.
    refused: VecDeque<(u64, Delivery)>,
    bound: bool,
    first_bind_us: Option<u64>,
    heard_us: u64,
    enquired_us: u64,
    sent_us: u64,
    reference: u8,
    texts_of_session: u64,
    unbinding: bool,
}

impl<S: Iterator<Item = Outgoing>> Dialog<S> {
    pub(super) fn new(options: Options, source: S) -> Self {
        Self {
            submits: Submits::new(&options),
            options,
            source,
            next: None,
            exhausted: false,
            ledger: Ledger::default(),
            sequence: 0,
            again: VecDeque::new(),
            refused: VecDeque::new(),
            bound: false,
            first_bind_us: None,
            heard_us: 0,
            enquired_us: 0,
            sent_us: 0,
            reference: 0,
            texts_of_session: 0,
            unbinding: false,
        }
    }

    fn next_sequence(&mut self) -> u32 {
        self.sequence = if self.sequence >= 0x7FFF_FFFF { 1 } else { self.sequence + 1 };
        self.sequence
    }

    pub(super) fn is_bound(&self) -> bool {
        self.bound
    }

    /// One PDU of the gateway.
    pub(super) fn frame(&mut self, frame: &Frame, now: u64, out: &mut BytesMut) -> Flow {
        self.heard_us = now;
        let sequence = frame.sequence;
        let pdu = match smpp::decode(frame) {
            Ok(pdu) => pdu,
            Err(_) => {
                self.ledger.counts.bad_pdus += 1;
                smpp::encode_nack(out, CommandStatus::EsmeRinvcmdlen, sequence);
                return Flow::Go;
            }
        };
        match pdu {
            Pdu::BindTransceiver(bind) => return self.bind(&bind, sequence, now, out),
            Pdu::EnquireLink => smpp::encode(out, 0, sequence, &Pdu::EnquireLinkResp),
            Pdu::EnquireLinkResp => {}
            Pdu::Unbind => {
                smpp::encode(out, 0, sequence, &Pdu::UnbindResp);
                self.bound = false;
                return Flow::Close;
            }
            Pdu::UnbindResp => return Flow::Close,
            Pdu::DeliverSmResp => {
                if let Some(delivery) = self.ledger.responded(u64::from(sequence), frame.status, now) {
                    self.refused.push_back((now + RETRY_US, delivery));
                }
            }
            Pdu::SubmitSm(message) if self.bound => self.submit(&message, sequence, now, out),
            Pdu::GenericNack => {
                // It may name a deliver_sm of ours: deliver that again.
                if let Some(delivery) = self.ledger.responded(u64::from(sequence), frame.status.max(1), now) {
                    self.refused.push_back((now + RETRY_US, delivery));
                }
            }
            _ => {
                self.ledger.counts.bad_pdus += 1;
                smpp::encode_nack(out, CommandStatus::EsmeRinvcmdid, sequence);
            }
        }
        Flow::Go
    }

    fn bind(&mut self, bind: &Bind, sequence: u32, now: u64, out: &mut BytesMut) -> Flow {
        let any = self.options.system_id.is_empty();
        let status = if !any && bind.system_id != self.options.system_id {
            CommandStatus::EsmeRinvsysid
        } else if !any && bind.password != self.options.password {
            CommandStatus::EsmeRinvpaswd
        } else {
            CommandStatus::EsmeRok
        };
        let refused = status != CommandStatus::EsmeRok;
        smpp::encode(out, status.into(), sequence, &Pdu::BindTransceiverResp("rehearsal".to_owned()));
        if refused {
            self.ledger.counts.binds_refused += 1;
            return Flow::Close;
        }
        self.ledger.counts.binds += 1;
        self.bound = true;
        self.texts_of_session = 0;
        self.first_bind_us.get_or_insert(now);
        Flow::Go
    }

    fn submit(&mut self, message: &ShortMessage, sequence: u32, now: u64, out: &mut BytesMut) {
        let phone = message.destination.number.trim_start_matches('+').parse().unwrap_or(0);
        let (verdict, room) = self.submits.take(sequence, phone, message.registered_delivery & 3 == 1, now);
        if verdict == Verdict::Throttled {
            self.ledger.counts.throttled += 1;
            smpp::encode(out, CommandStatus::EsmeRthrottled.into(), sequence, &Pdu::SubmitSmResp(String::new()));
            return;
        }
        self.ledger.counts.submits += 1;
        if !room {
            self.ledger.counts.receipts_lost += 1;
        }
        // A reply of several segments is one reply: its first one counts.
        let first = message.esm_class & smpp::pdu::ESM_UDH == 0
            || udh::split(&message.short_message).concat.is_none_or(|c| c.part == 1);
        if first {
            self.ledger.replied(phone, now);
        }
        match verdict {
            Verdict::Now(id) => smpp::encode(out, 0, sequence, &Pdu::SubmitSmResp(message_id(id))),
            Verdict::Silent => {
                self.ledger.counts.responses_dropped += 1;
                if first {
                    self.ledger.unconfirmed(phone);
                }
            }
            Verdict::Later | Verdict::Throttled => {}
        }
    }

    /// Puts out whatever is due and has room in the window.
    pub(super) fn fill(&mut self, now: u64, out: &mut BytesMut) -> Flow {
        if !self.bound || self.unbinding {
            return Flow::Go;
        }
        while let Some((sequence, id)) = self.submits.response_due(now) {
            smpp::encode(out, 0, sequence, &Pdu::SubmitSmResp(message_id(id)));
        }
        if now.saturating_sub(self.heard_us) > 3 * SILENCE_US {
            return Flow::Cut;
        }
        if now.saturating_sub(self.heard_us.max(self.enquired_us)) > SILENCE_US {
            self.enquired_us = now;
            let sequence = self.next_sequence();
            smpp::encode(out, 0, sequence, &Pdu::EnquireLink);
        }
        while self.has_room(out) {
            let Some(delivery) = self
                .again
                .pop_front()
                .or_else(|| self.refused.pop_front_if(|(due, _)| *due <= now).map(|(_, delivery)| delivery))
            else {
                break;
            };
            self.ledger.counts.redelivered += 1;
            self.deliver(delivery.message, delivery.cargo, now, out);
        }
        while self.has_room(out) {
            let Some((id, phone)) = self.submits.receipt_due(now) else { break };
            let message = receipt(id, phone, &self.options.shortcode);
            self.deliver(message, Cargo::Receipt, now, out);
        }
        while self.has_room(out) {
            let Some(text) = self.take_due(now) else { break };
            self.text(&text, now, out);
            self.texts_of_session += 1;
            let cut = self.options.drop_connection_every;
            if cut > 0 && self.texts_of_session >= cut {
                return Flow::Cut;
            }
        }
        Flow::Go
    }

    fn has_room(&self, out: &BytesMut) -> bool {
        self.ledger.in_flight() < self.options.window.max(1) && out.len() < SMSC_OUT_BYTES_MAX
    }

    fn peek(&mut self) -> Option<&Outgoing> {
        if self.next.is_none() && !self.exhausted {
            self.next = self.source.next();
            self.exhausted = self.next.is_none();
        }
        self.next.as_ref()
    }

    fn due_us(&self, text: &Outgoing) -> u64 {
        self.first_bind_us.unwrap_or(0) + u64::try_from(text.due.as_micros()).unwrap_or(u64::MAX / 2)
    }

    fn take_due(&mut self, now: u64) -> Option<Outgoing> {
        self.peek()?;
        if self.next.as_ref().is_some_and(|text| self.due_us(text) <= now) { self.next.take() } else { None }
    }

    fn text(&mut self, text: &Outgoing, now: u64, out: &mut BytesMut) {
        self.reference = self.reference.wrapping_add(1);
        let parts = segments::split(&text.text, self.reference, SMSC_SEGMENTS_MAX).unwrap_or_else(|_| {
            // Longer than a phone sends: one empty text stands for it, and is told as such by its outcome.
            vec![segments::Segment::default()]
        });
        let number = self.ledger.begin(text.phone, parts.len(), text.answered, now);
        let (source, destination) = (Address::guess(&text.phone.to_string()), Address::guess(&self.options.shortcode));
        let count = parts.len();
        for (i, part) in parts.into_iter().enumerate() {
            let message = ShortMessage {
                source: source.clone(),
                destination: destination.clone(),
                esm_class: if part.udhi { smpp::pdu::ESM_UDH } else { 0 },
                data_coding: part.data_coding,
                short_message: part.short_message,
                ..ShortMessage::default()
            };
            self.deliver(message, Cargo::Text { number, last: i + 1 == count }, now, out);
        }
    }

    fn deliver(&mut self, message: ShortMessage, cargo: Cargo, now: u64, out: &mut BytesMut) {
        let sequence = self.next_sequence();
        let pdu = Pdu::DeliverSm(message);
        smpp::encode(out, 0, sequence, &pdu);
        if let Pdu::DeliverSm(message) = pdu {
            self.ledger.sent(u64::from(sequence), message, cargo, now);
        }
        self.sent_us = now;
    }

    /// The session ended, however: what had no response goes out again on the next one.
    pub(super) fn session_ended(&mut self, now: u64) {
        self.bound = false;
        let mut back: VecDeque<Delivery> = self.ledger.session_ended(now).into();
        // What was refused and what was not yet sent again stands behind what was sent before it.
        back.append(&mut self.again);
        back.extend(self.refused.drain(..).map(|(_, delivery)| delivery));
        self.again = back;
        self.ledger.counts.responses_dropped += self.submits.session_ended() as u64;
    }

    /// Begins our own unbind.
    pub(super) fn unbind(&mut self, out: &mut BytesMut) {
        if self.bound && !self.unbinding {
            self.unbinding = true;
            let sequence = self.next_sequence();
            smpp::encode(out, 0, sequence, &Pdu::Unbind);
        }
    }

    /// When something falls due, if nothing comes before.
    pub(super) fn next_due(&mut self, now: u64) -> u64 {
        let mut due = self.heard_us.max(self.enquired_us) + SILENCE_US + 1;
        due = due.min(self.submits.next_due().unwrap_or(u64::MAX));
        due = due.min(self.refused.front().map_or(u64::MAX, |(at, _)| *at));
        if self.ledger.in_flight() < self.options.window.max(1)
            && self.peek().is_some()
            && let Some(at) = self.next.as_ref().map(|text| self.due_us(text))
        {
            due = due.min(at);
        }
        due.max(now)
    }

    /// All was sent, acknowledged and answered, or the wait for it is over.
    pub(super) fn finished(&mut self, now: u64) -> bool {
        if self.peek().is_some() || self.options.linger {
            return false;
        }
        let nothing_left = self.again.is_empty()
            && self.refused.is_empty()
            && self.ledger.in_flight() == 0
            && self.ledger.waiting() == 0
            && self.submits.receipts_waiting() == 0;
        let wait = u64::try_from(self.options.wait.as_micros()).unwrap_or(u64::MAX);
        nothing_left || now.saturating_sub(self.ledger.last_us().max(self.sent_us)) > wait
    }

    /// The account at the end.
    pub(super) fn report(&self) -> Report {
        let mut report = self.ledger.report();
        let receipts = self.ledger.receipts_in_flight() + self.submits.receipts_waiting();
        report.receipts_lost += receipts as u64;
        report
    }
}

#[cfg(test)]
mod tests;
