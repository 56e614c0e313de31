//! The account of texts: which are unacknowledged, which wait for a reply, which got two.
//!
//! Invariant: a `deliver_sm` stays here until its response came, so that a new session can deliver
//! it again. PURE: time is handed in, microseconds since the run began.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::limits::SMSC_DOUBT_MAX;
use crate::smpp::ShortMessage;

use super::histogram::Histogram;
use super::report::{EXAMPLES_MAX, Report, mask};

/// For how long before a session's end a reply's confirmation may not have arrived or been kept.
const DOUBT_US: u64 = 15_000_000;

/// What a `deliver_sm` carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cargo {
    /// A segment of a text, by number; `last` when it is the text's last.
    Text { number: u64, last: bool },
    /// A receipt.
    Receipt,
}

/// A `deliver_sm` without response.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) message: ShortMessage,
    pub(super) cargo: Cargo,
    sent_us: u64,
}

#[derive(Debug, Default)]
struct Phone {
    /// Texts without reply: number and when the last segment went out.
    waiting: VecDeque<(u64, u64)>,
    /// Texts answered so far.
    answered: u32,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// By sequence number, which is the order in which they were sent.
    unacknowledged: BTreeMap<u64, Delivery>,
    phones: HashMap<u64, Phone>,
    /// Segments still to be acknowledged of texts of several, by the text's number.
    parts_left: HashMap<u64, u8>,
    recent: VecDeque<(u64, u64)>,
    doubt: HashMap<u64, u32>,
    pub(super) counts: Report,
    pub(super) replies: Histogram,
    pub(super) acks: Histogram,
    waiting: u64,
    first_us: Option<u64>,
    last_us: u64,
}

impl Ledger {
    /// A text begins: `segments` will carry it.
    pub(super) fn begin(&mut self, phone: u64, segments: usize, answered: bool, now: u64) -> u64 {
        let number = self.counts.sent;
        self.counts.sent += 1;
        self.counts.segments += segments as u64;
        if segments > 1 {
            self.parts_left.insert(number, segments.min(255) as u8);
        }
        let state = self.phones.entry(phone).or_default();
        if answered {
            self.counts.expected_replies += 1;
            self.waiting += 1;
            state.waiting.push_back((number, now));
        }
        self.first_us.get_or_insert(now);
        number
    }

    /// A `deliver_sm` goes out under a sequence (counted past 32 bits).
    pub(super) fn sent(&mut self, sequence: u64, message: ShortMessage, cargo: Cargo, now: u64) {
        self.unacknowledged.insert(sequence, Delivery { message, cargo, sent_us: now });
    }

    /// How many `deliver_sm` have no response.
    pub(super) fn in_flight(&self) -> usize {
        self.unacknowledged.len()
    }

    /// Receipts without response.
    pub(super) fn receipts_in_flight(&self) -> usize {
        self.unacknowledged.values().filter(|d| d.cargo == Cargo::Receipt).count()
    }

    /// How many texts wait for a reply.
    pub(super) fn waiting(&self) -> u64 {
        self.waiting
    }

    /// A response came. A refused delivery is handed back.
    pub(super) fn responded(&mut self, sequence: u64, status: u32, now: u64) -> Option<Delivery> {
        let delivery = self.unacknowledged.remove(&sequence)?;
        self.last_us = now;
        if status != 0 {
            self.counts.refused += 1;
            return Some(delivery);
        }
        self.acks.record(now.saturating_sub(delivery.sent_us));
        match delivery.cargo {
            Cargo::Receipt => self.counts.receipts += 1,
            Cargo::Text { number, .. } => match self.parts_left.get_mut(&number) {
                Some(left) if *left > 1 => *left -= 1,
                Some(_) => {
                    self.parts_left.remove(&number);
                    self.counts.acknowledged += 1;
                }
                None => self.counts.acknowledged += 1,
            },
        }
        None
    }

    /// A reply to a phone was taken; further segments of one reply are not counted here.
    pub(super) fn replied(&mut self, phone: u64, now: u64) {
        self.last_us = now;
        if self.recent.len() >= SMSC_DOUBT_MAX {
            self.recent.pop_front();
        }
        while self.recent.front().is_some_and(|(at, _)| at + DOUBT_US < now) {
            self.recent.pop_front();
        }
        self.recent.push_back((now, phone));
        let Some(state) = self.phones.get_mut(&phone) else {
            self.counts.unasked += 1;
            return;
        };
        if let Some((_, sent)) = state.waiting.pop_front() {
            self.waiting -= 1;
            state.answered += 1;
            self.counts.answered += 1;
            self.replies.record(now.saturating_sub(sent));
            return;
        }
        match self.doubt.get_mut(&phone) {
            Some(n) if *n > 0 => {
                *n -= 1;
                self.counts.doubled_in_doubt += 1;
            }
            _ => {
                self.counts.answered_twice += 1;
                if self.counts.answered_twice_examples.len() < EXAMPLES_MAX {
                    self.counts.answered_twice_examples.push(mask(phone));
                }
            }
        }
    }

    /// The response to a reply was not sent: the gateway may send it again.
    pub(super) fn unconfirmed(&mut self, phone: u64) {
        *self.doubt.entry(phone).or_default() += 1;
    }

    /// The session ended: whatever was confirmed lately may not have arrived. What has no response
    /// is handed back, in the order in which it was sent.
    pub(super) fn session_ended(&mut self, now: u64) -> Vec<Delivery> {
        for (at, phone) in std::mem::take(&mut self.recent) {
            if at + DOUBT_US >= now {
                *self.doubt.entry(phone).or_default() += 1;
            }
        }
        std::mem::take(&mut self.unacknowledged).into_values().collect()
    }

    /// When anything was last acknowledged or answered.
    pub(super) fn last_us(&self) -> u64 {
        self.last_us
    }

    /// The account as it stands.
    pub(super) fn report(&self) -> Report {
        let mut report = self.counts.clone().with_latencies(&self.replies, &self.acks);
        report.unanswered = self.waiting;
        if self.waiting > 0 {
            let mut open: Vec<(u64, u64)> =
                self.phones.iter().flat_map(|(phone, s)| s.waiting.iter().map(|(n, _)| (*n, *phone))).collect();
            open.sort_unstable();
            report.unanswered_examples = open
                .iter()
                .take(EXAMPLES_MAX)
                .map(|(n, phone)| format!("text {} of {}", n + 1, mask(*phone)))
                .collect();
        }
        report.seconds = self.last_us.saturating_sub(self.first_us.unwrap_or(self.last_us)) as f64 / 1e6;
        if report.seconds > 0.0 {
            let done = if report.expected_replies > 0 { report.answered } else { report.acknowledged };
            report.messages_per_second = (done as f64 / report.seconds * 10.0).round() / 10.0;
        }
        report.lost = report.acknowledged < report.sent || report.unanswered > 0 || report.answered_twice > 0;
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(ledger: &mut Ledger, phone: u64, sequence: u64, now: u64) {
        let number = ledger.begin(phone, 1, true, now);
        ledger.sent(sequence, ShortMessage::default(), Cargo::Text { number, last: true }, now);
    }

    #[test]
    fn a_text_counts_as_acknowledged_when_all_its_segments_are() {
        let mut ledger = Ledger::default();
        let number = ledger.begin(1, 2, true, 0);
        ledger.sent(1, ShortMessage::default(), Cargo::Text { number, last: false }, 0);
        ledger.sent(2, ShortMessage::default(), Cargo::Text { number, last: true }, 0);
        ledger.responded(2, 0, 5);
        assert_eq!(ledger.report().acknowledged, 0);
        ledger.responded(1, 0, 6);
        assert_eq!((ledger.report().acknowledged, ledger.report().segments), (1, 2));
        assert!(ledger.responded(1, 0, 7).is_none(), "a response for nothing changes nothing");
    }

    #[test]
    fn a_second_reply_is_told_from_one_that_doubt_explains() {
        let mut ledger = Ledger::default();
        text(&mut ledger, 7, 1, 0);
        text(&mut ledger, 8, 2, 0);
        for sequence in [1, 2] {
            ledger.responded(sequence, 0, 1);
        }
        ledger.replied(7, 100);
        ledger.replied(7, 200);
        assert_eq!((ledger.report().answered, ledger.report().answered_twice), (1, 1));
        assert!(ledger.report().lost && ledger.report().unanswered == 1);
        ledger.replied(8, 300);
        ledger.session_ended(400);
        ledger.replied(8, 500);
        let report = ledger.report();
        assert_eq!((report.answered, report.answered_twice, report.doubled_in_doubt), (2, 1, 1));
    }

    #[test]
    fn what_has_no_response_is_handed_back_in_order_when_the_session_ends() {
        let mut ledger = Ledger::default();
        for n in 1..=5 {
            text(&mut ledger, n, n, 0);
        }
        ledger.responded(2, 0, 1);
        let back: Vec<Cargo> = ledger.session_ended(2).into_iter().map(|d| d.cargo).collect();
        let numbers = [0, 2, 3, 4].map(|number| Cargo::Text { number, last: true });
        assert_eq!(back, numbers);
        assert_eq!(ledger.in_flight(), 0);
    }

    #[test]
    fn a_reply_to_a_phone_that_sent_nothing_is_counted_apart() {
        let mut ledger = Ledger::default();
        ledger.replied(1, 0);
        assert_eq!((ledger.report().unasked, ledger.report().answered_twice), (1, 0));
    }
}
