//! A bind's metrics, looked up once.

use std::collections::HashMap;

use metrics::{Counter, Gauge, Histogram, Label};
use rusmpp::CommandId;

use super::overload::{Reason, Rung};
use crate::limits::PDU_COUNTERS_MAX;

/// Handles by name, labelled with link and bind.
#[derive(Clone)]
pub struct Meters {
    link: String,
    bind: String,
    /// By direction, `command_id` and `command_status`.
    pdus: HashMap<(&'static str, u32, u32), Counter>,
    pub(super) messages: Counter,
    pub(super) receipts: Counter,
    pub(super) undecodable: Counter,
    pub(super) redeliveries: Counter,
    pub(super) acknowledged: Counter,
    pub(super) overloaded: Counter,
    rung: Gauge,
    reasons: [Gauge; Reason::ALL.len()],
    pub(super) submitted: Counter,
    pub(super) accepted: Counter,
    pub(super) throttled: Counter,
    pub(super) unknown: Counter,
    pub(super) late: Counter,
    pub(super) bound: Gauge,
    pub(super) bound_at: Gauge,
    pub(super) binds: Counter,
    pub(super) receive_window: Gauge,
    pub(super) submit_window: Gauge,
    pub(super) oldest: Gauge,
    pub(super) acknowledge_seconds: Histogram,
    pub(super) response_seconds: Histogram,
    pub(super) enquire_seconds: Histogram,
}

impl Meters {
    /// The handles of one bind.
    pub fn new(link: &str, bind: &str) -> Self {
        let of = [Label::new("link", link.to_owned()), Label::new("bind", bind.to_owned())];
        let with = |name, value: &'static str| -> Vec<Label> {
            of.iter().cloned().chain([Label::from_static_parts(name, value)]).collect()
        };
        let of = || of.iter();
        let received = |kind| metrics::counter!("scrutineer_smpp_received_total", with("kind", kind));
        let submits = |outcome| metrics::counter!("scrutineer_smpp_submit_responses_total", with("outcome", outcome));
        Self {
            messages: received("message"),
            receipts: received("receipt"),
            undecodable: received("undecodable"),
            redeliveries: received("redelivery"),
            acknowledged: metrics::counter!("scrutineer_smpp_acknowledged_total", of()),
            overloaded: metrics::counter!("scrutineer_smpp_overload_answers_total", of()),
            rung: metrics::gauge!("scrutineer_smpp_overload_rung", of()),
            reasons: Reason::ALL
                .map(|reason| metrics::gauge!("scrutineer_smpp_overload", with("reason", reason.word()))),
            submitted: metrics::counter!("scrutineer_smpp_submitted_segments_total", of()),
            accepted: submits("accepted"),
            throttled: submits("throttled"),
            unknown: submits("unknown"),
            late: submits("late"),
            bound: metrics::gauge!("scrutineer_smpp_bound", of()),
            bound_at: metrics::gauge!("scrutineer_smpp_bound_timestamp_seconds", of()),
            binds: metrics::counter!("scrutineer_smpp_binds_total", of()),
            receive_window: metrics::gauge!("scrutineer_smpp_receive_window_used", of()),
            submit_window: metrics::gauge!("scrutineer_smpp_submit_window_used", of()),
            oldest: metrics::gauge!("scrutineer_smpp_oldest_unanswered_seconds", of()),
            acknowledge_seconds: metrics::histogram!("scrutineer_smpp_acknowledge_seconds", of()),
            response_seconds: metrics::histogram!("scrutineer_smpp_submit_response_seconds", of()),
            enquire_seconds: metrics::histogram!("scrutineer_smpp_enquire_link_seconds", of()),
            pdus: HashMap::new(),
            link: link.to_owned(),
            bind: bind.to_owned(),
        }
    }

    /// A PDU went by: counted by direction, `command_id` and `command_status`. A peer that makes statuses up
    /// has the further ones counted as `other`.
    pub(super) fn passed(&mut self, direction: &'static str, pdu: &[u8]) {
        let [_, _, _, _, a, b, c, d, e, f, g, h, ..] = *pdu else { return };
        let (id, status) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
        let (link, bind) = (&self.link, &self.bind);
        let known = self.pdus.len() < PDU_COUNTERS_MAX || self.pdus.contains_key(&(direction, id, status));
        let key = if known { (direction, id, status) } else { (direction, u32::MAX, u32::MAX) };
        let counter = self.pdus.entry(key).or_insert_with(|| {
            let name = |number: u32, words: String| if number == u32::MAX { "other".to_owned() } else { words };
            let pdu = name_of(CommandId::from(id));
            metrics::counter!("scrutineer_smpp_pdus_total", "link" => link.clone(), "bind" => bind.clone(),
                "direction" => direction, "pdu" => name(key.1, pdu), "status" => name(key.2, format!("{status:#010x}")))
        });
        counter.increment(1);
    }

    /// Where the link stands on the overload ladder, and why.
    pub(super) fn overload(&self, rung: Rung, reason: Option<Reason>) {
        self.rung.set(f64::from(rung.number()));
        for (gauge, of) in self.reasons.iter().zip(Reason::ALL) {
            gauge.set(f64::from(u8::from(reason == Some(of))));
        }
    }

    /// A submit that the SMSC refused: few enough to be looked up.
    pub(super) fn refused(&self, status: u32) {
        metrics::counter!("scrutineer_smpp_submit_refused_total", "link" => self.link.clone(), "bind" => self.bind.clone(), "status" => format!("{status:#010x}"))
            .increment(1);
    }

    /// A session ended.
    pub(super) fn ended(&self, why: &'static str) {
        metrics::counter!("scrutineer_smpp_sessions_ended_total", "link" => self.link.clone(), "bind" => self.bind.clone(), "why" => why)
            .increment(1);
    }
}

/// A PDU's name as the specification writes it; a number where it has none.
pub(super) fn name_of(id: CommandId) -> String {
    match id {
        CommandId::Other(id) => format!("{id:#010x}"),
        id => snake(&format!("{id:?}")),
    }
}

/// `DeliverSmResp` as the specification writes it: `deliver_sm_resp`.
fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_makes_statuses_up_does_not_make_up_counters() {
        let mut meters = Meters::new("a", "a#2");
        for status in 0..2 * PDU_COUNTERS_MAX as u32 {
            let mut pdu = vec![0, 0, 0, 16, 0x80, 0, 0, 4];
            pdu.extend_from_slice(&status.to_be_bytes());
            meters.passed("in", &pdu);
        }
        assert_eq!(meters.pdus.len(), PDU_COUNTERS_MAX + 1, "one more counts the others");
        meters.passed("in", b"short");
        assert_eq!(snake(&format!("{:?}", CommandId::DeliverSmResp)), "deliver_sm_resp");
    }
}
