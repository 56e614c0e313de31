//! How `submit_sm` are answered: message ids, throttling, delays, responses left out, receipts.
//! PURE: time is handed in, microseconds since the run began.

use std::collections::VecDeque;
use std::time::Duration;

use crate::limits::{SMSC_RECEIPTS_MAX, SMSC_RESPONSES_MAX};
use crate::smpp::pdu::ESM_RECEIPT;
use crate::smpp::{Address, ShortMessage};

use super::Options;

/// What is to be done with a `submit_sm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Take it and answer now, under this id.
    Now(u64),
    /// Take it and answer later.
    Later,
    /// Take it and never answer.
    Silent,
    /// Refuse it: too many.
    Throttled,
}

#[derive(Debug)]
pub(super) struct Submits {
    next_id: u64,
    taken: u64,
    throttle: u32,
    tokens: f64,
    refilled_us: u64,
    delay_us: u64,
    drop_every: u32,
    receipt_us: Option<u64>,
    responses: VecDeque<(u64, u32, u64)>,
    receipts: VecDeque<(u64, u64, u64)>,
}

fn us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// A message id as the SMSC writes it: hex, eight digits and more.
pub(super) fn message_id(id: u64) -> String {
    format!("{id:08X}")
}

impl Submits {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            next_id: 0x1000,
            taken: 0,
            throttle: options.throttle,
            tokens: f64::from(options.throttle) / 10.0,
            refilled_us: 0,
            delay_us: us(options.submit_delay),
            drop_every: options.drop_response_every,
            receipt_us: options.receipts.map(us),
            responses: VecDeque::new(),
            receipts: VecDeque::new(),
        }
    }

    /// A `submit_sm` came. False in the second place: its receipt found no room.
    pub(super) fn take(&mut self, sequence: u32, phone: u64, wants_receipt: bool, now: u64) -> (Verdict, bool) {
        if self.throttle > 0 {
            let rate = f64::from(self.throttle);
            let more = now.saturating_sub(self.refilled_us) as f64 / 1e6 * rate;
            // A tenth of a second may come at once.
            self.tokens = (self.tokens + more).min((rate / 10.0).max(1.0));
            self.refilled_us = now;
            if self.tokens < 1.0 {
                return (Verdict::Throttled, true);
            }
            self.tokens -= 1.0;
        }
        let id = self.next_id;
        self.next_id += 1;
        self.taken += 1;
        let mut room = true;
        if let Some(delay) = self.receipt_us.filter(|_| wants_receipt) {
            room = self.receipts.len() < SMSC_RECEIPTS_MAX;
            if room {
                self.receipts.push_back((now + self.delay_us + delay, id, phone));
            }
        }
        if self.drop_every > 0 && self.taken.is_multiple_of(u64::from(self.drop_every)) {
            return (Verdict::Silent, room);
        }
        if self.delay_us > 0 && self.responses.len() < SMSC_RESPONSES_MAX {
            self.responses.push_back((now + self.delay_us, sequence, id));
            return (Verdict::Later, room);
        }
        (Verdict::Now(id), room)
    }

    /// The next response whose time has come: sequence and id.
    pub(super) fn response_due(&mut self, now: u64) -> Option<(u32, u64)> {
        self.responses.pop_front_if(|(due, ..)| *due <= now).map(|(_, sequence, id)| (sequence, id))
    }

    /// The next receipt whose time has come: id and phone.
    pub(super) fn receipt_due(&mut self, now: u64) -> Option<(u64, u64)> {
        self.receipts.pop_front_if(|(due, ..)| *due <= now).map(|(_, id, phone)| (id, phone))
    }

    /// Receipts that wait for their time.
    pub(super) fn receipts_waiting(&self) -> usize {
        self.receipts.len()
    }

    /// When the next response or receipt is due.
    pub(super) fn next_due(&self) -> Option<u64> {
        let first = |q: &VecDeque<(u64, u32, u64)>| q.front().map(|(due, ..)| *due);
        [first(&self.responses), self.receipts.front().map(|(due, ..)| *due)].into_iter().flatten().min()
    }

    /// The session ended: responses not yet given are not given any more.
    pub(super) fn session_ended(&mut self) -> usize {
        let lost = self.responses.len();
        self.responses.clear();
        lost
    }
}

/// A delivery receipt (SMPP 3.4, appendix B).
pub(super) fn receipt(id: u64, phone: u64, shortcode: &str) -> ShortMessage {
    let id = message_id(id);
    let text =
        format!("id:{id} sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 stat:DELIVRD err:000 text:");
    ShortMessage {
        source: Address::guess(&phone.to_string()),
        destination: Address::guess(shortcode),
        esm_class: ESM_RECEIPT,
        short_message: text.into_bytes(),
        receipted_message_id: Some(id),
        message_state: Some(2),
        ..ShortMessage::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_throttle_lets_its_rate_through_and_no_more() {
        let mut submits = Submits::new(&Options { throttle: 50, ..Options::default() });
        let taken = (0..2_000u64).filter(|i| submits.take(0, 1, false, i * 1_000).0 != Verdict::Throttled).count();
        assert!((95..=106).contains(&taken), "{taken} in two seconds at 50 a second");
    }

    #[test]
    fn responses_and_receipts_come_when_they_are_due_and_no_sooner() {
        let mut submits = Submits::new(&Options {
            submit_delay: Duration::from_millis(5),
            receipts: Some(Duration::from_millis(10)),
            ..Options::default()
        });
        assert_eq!(submits.take(9, 77, true, 0), (Verdict::Later, true));
        assert_eq!((submits.next_due(), submits.response_due(4_999)), (Some(5_000), None));
        assert_eq!(submits.response_due(5_000), Some((9, 0x1000)));
        assert_eq!((submits.receipt_due(14_999), submits.receipt_due(15_000)), (None, Some((0x1000, 77))));
        assert_eq!(submits.next_due(), None);
    }

    #[test]
    fn receipts_past_the_bound_are_told() {
        let mut submits = Submits::new(&Options { receipts: Some(Duration::from_secs(1)), ..Options::default() });
        for _ in 0..SMSC_RECEIPTS_MAX {
            assert!(submits.take(0, 1, true, 0).1);
        }
        assert!(!submits.take(0, 1, true, 0).1);
        assert!(submits.take(0, 1, false, 0).1);
    }

    #[test]
    fn every_so_manyth_submit_is_left_without_response() {
        let mut submits = Submits::new(&Options { drop_response_every: 3, ..Options::default() });
        let verdicts: Vec<bool> = (0..6).map(|i| submits.take(i, 1, false, 0).0 == Verdict::Silent).collect();
        assert_eq!(verdicts, [false, false, true, false, false, true]);
    }
}
