//! A link's metrics, looked up once.

use metrics::{Counter, Gauge, Histogram};

use super::overload::{Reason, Rung};

/// Handles by name, labelled with the link.
#[derive(Clone)]
pub struct Meters {
    pub(super) link: String,
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
    pub(super) receive_window: Gauge,
    pub(super) submit_window: Gauge,
    pub(super) acknowledge_seconds: Histogram,
    pub(super) response_seconds: Histogram,
}

impl Meters {
    /// The handles of one link.
    pub fn new(link: &str) -> Self {
        let link = link.to_owned();
        let received = |kind: &'static str| metrics::counter!("scrutineer_smpp_received_total", "link" => link.clone(), "kind" => kind);
        let submits = |outcome: &'static str| metrics::counter!("scrutineer_smpp_submit_responses_total", "link" => link.clone(), "outcome" => outcome);
        Self {
            messages: received("message"),
            receipts: received("receipt"),
            undecodable: received("undecodable"),
            redeliveries: received("redelivery"),
            acknowledged: metrics::counter!("scrutineer_smpp_acknowledged_total", "link" => link.clone()),
            overloaded: metrics::counter!("scrutineer_smpp_overload_answers_total", "link" => link.clone()),
            rung: metrics::gauge!("scrutineer_smpp_overload_rung", "link" => link.clone()),
            reasons: Reason::ALL.map(
                |reason| metrics::gauge!("scrutineer_smpp_overload", "link" => link.clone(), "reason" => reason.word()),
            ),
            submitted: metrics::counter!("scrutineer_smpp_submitted_segments_total", "link" => link.clone()),
            accepted: submits("accepted"),
            throttled: submits("throttled"),
            unknown: submits("unknown"),
            late: submits("late"),
            bound: metrics::gauge!("scrutineer_smpp_bound", "link" => link.clone()),
            receive_window: metrics::gauge!("scrutineer_smpp_receive_window_used", "link" => link.clone()),
            submit_window: metrics::gauge!("scrutineer_smpp_submit_window_used", "link" => link.clone()),
            acknowledge_seconds: metrics::histogram!("scrutineer_smpp_acknowledge_seconds", "link" => link.clone()),
            response_seconds: metrics::histogram!("scrutineer_smpp_submit_response_seconds", "link" => link.clone()),
            link,
        }
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
        metrics::counter!("scrutineer_smpp_submit_refused_total", "link" => self.link.clone(), "status" => format!("{status:#010x}"))
            .increment(1);
    }

    /// A session ended.
    pub(super) fn ended(&self, why: &'static str) {
        metrics::counter!("scrutineer_smpp_sessions_ended_total", "link" => self.link.clone(), "why" => why)
            .increment(1);
    }
}
