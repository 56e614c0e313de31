//! `enquire_link`: is the SMSC there, and which of our responses has it got?
//!
//! A response is known to have arrived when an `enquire_link` written after it is answered, as TCP
//! keeps the order. So there is one every two seconds while there is traffic.

use std::time::Duration;

use tokio::time::Instant;

use super::state::{End, Enquiry, Phase, Session};
use crate::handoff::append::{Append, Op};
use crate::limits::{CONFIRM_SECONDS, IDLE_SECONDS, SILENCE_SECONDS};
use crate::smpp::pdu::Pdu;

/// `enquire_link`s that may stay without any sign of life.
const MISSES_MAX: u32 = 2;

impl Session<'_> {
    pub(super) fn keepalive(&mut self) -> Option<End> {
        let options = &self.link.options;
        if let Some(enquiry) = self.enquiry {
            // While the window is full nothing is read, so that silence says nothing.
            if self.now - enquiry.at < options.response_timeout || !self.has_room() {
                return None;
            }
            self.enquiry = None;
            self.ignores_enquiries |= self.heard >= enquiry.at;
            if self.heard < enquiry.at {
                self.misses += 1;
                if self.misses >= MISSES_MAX {
                    return Some(End::Silent);
                }
                self.enquire();
                return None;
            }
        }
        let unconfirmed = self.acked > self.confirmed;
        let silent = self.now - self.heard >= options.enquire_link;
        if silent || (unconfirmed && self.now - self.enquired >= Duration::from_secs(CONFIRM_SECONDS)) {
            self.enquire();
        }
        None
    }

    /// Bytes may have come since `before`. After a silence the network may have held them back until the SMSC had
    /// given up the session, and given the same to another host: what came is taken when it answers, or soon.
    pub(super) fn break_silence(&mut self, before: Instant) {
        if self.heard == before || self.ignores_enquiries || self.phase != Phase::Bound {
            return;
        }
        let is_silence = match self.enquiry {
            None => self.heard - before >= Duration::from_secs(IDLE_SECONDS),
            Some(enquiry) => {
                let late = self.misses > 0 || self.heard - enquiry.at >= Duration::from_secs(SILENCE_SECONDS);
                late && before < enquiry.at
            }
        };
        if !is_silence {
            return;
        }
        if self.enquiry.is_none() {
            self.enquire();
        }
        self.silence_broken = Some(self.heard);
    }

    /// Did a silence end just now, with no sign yet that the SMSC is still there?
    pub(super) fn is_broken_silence(&self) -> bool {
        self.silence_broken.is_some_and(|at| self.now - at < Duration::from_secs(SILENCE_SECONDS))
    }

    fn enquire(&mut self) {
        let acked = self.acked;
        let sequence = self.request(&Pdu::EnquireLink);
        self.enquiry = Some(Enquiry { sequence, at: self.now, acked });
        self.enquired = self.now;
    }

    pub(super) fn enquire_link_response(&mut self, sequence: u32) {
        if let Some(enquiry) = self.enquiry
            && enquiry.sequence == sequence
        {
            self.enquiry = None;
            (self.ignores_enquiries, self.silence_broken) = (false, None);
            let took = self.now - enquiry.at;
            self.link.meters.enquire_seconds.record(took.as_secs_f64());
            self.link.desk.say(|view| view.round_trip = Some(took));
            self.confirm(enquiry.acked);
        }
    }

    /// The SMSC has our responses up to this record. Other hosts are told so, and what earlier sessions of the link
    /// left unanswered.
    pub(super) fn confirm(&mut self, through: u64) {
        let link = self.index();
        if through > self.confirmed {
            self.confirmed = through;
            self.ask(Append { link, tag: 0, give_up: None, op: Op::Confirmed { through } });
        }
        let known = self.link.doubt.responses(link, self.confirmed, self.link.world.steady_us());
        self.link.marks.confirm(link, known);
    }
}
