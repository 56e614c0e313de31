//! npm's `smpp` (`tests/peers/scenarios.mjs`), in every scenario of an SMSC that our rules know.

use scrutineer::handoff::message::{Body, NotSent, SubmitOutcome};

use super::stage::{Scenario, Seen, play};
use crate::support::source;

fn unknown(outcome: &SubmitOutcome) -> bool {
    *outcome == SubmitOutcome::Unknown
}

fn refused(status: u32) -> impl Fn(&SubmitOutcome) -> bool {
    move |outcome| *outcome == SubmitOutcome::Refused { status }
}

fn expired(outcome: &SubmitOutcome) -> bool {
    *outcome == SubmitOutcome::NotSent { reason: NotSent::Expired }
}

fn row(name: &'static str, submits: usize, must: &'static str, is_seen: fn(&Seen) -> bool) -> Scenario {
    Scenario { name, submits, must, is_seen }
}

fn rows() -> Vec<Scenario> {
    vec![
        row("plain", 2, "a message recorded and acknowledged, two replies accepted", |s| {
            s.messages().len() == 1 && s.heard("deliver_sm_resp", 0) == 1 && s.accepted() == ["1", "2"]
        }),
        row("many", 0, "200 at once are all recorded and acknowledged", |s| {
            s.messages().len() == 200 && s.heard("deliver_sm_resp", 0) == 200
        }),
        row("empty", 0, "an empty text is a message", |s| {
            s.messages().iter().any(|m| m.short_message.is_empty()) && s.heard("deliver_sm_resp", 0) == 1
        }),
        row("payload", 0, "65,535 bytes of message_payload are kept whole", |s| {
            s.messages().iter().any(|m| m.payload.as_ref().is_some_and(|p| p.len() == 65_535))
                && s.heard("deliver_sm_resp", 0) == 1
        }),
        row("segments", 0, "headers with 16-bit references, in any order, and SAR TLVs are kept", |s| {
            let m = s.messages();
            m.len() == 3
                && m.iter().any(|m| m.short_message.starts_with(&[6, 8, 4, 1, 2, 2, 2]) && m.esm_class == 0x40)
                && m.iter().any(|m| m.sar == Some((7, 2, 1)))
        }),
        row("data-sm", 0, "data_sm is a message, answered by data_sm_resp", |s| {
            s.messages().iter().any(|m| m.payload.as_deref() == Some(b"PS 1")) && s.heard("data_sm_resp", 0) == 1
        }),
        row("receipt", 0, "a receipt is one by esm_class, also in data_sm, never by its text", |s| {
            let ids: Vec<_> = s.receipts().iter().filter_map(|m| m.receipted_message_id.as_deref()).collect();
            s.messages().len() == 1 && ids == ["1", "2"] && s.heard("deliver_sm_resp", 0) == 2
        }),
        row("early-receipt", 1, "a receipt before the response is acknowledged, and the submit accepted", |s| {
            s.receipts().len() == 1 && s.accepted() == ["77"] && s.heard("deliver_sm_resp", 0) == 1
        }),
        row("before-bound", 0, "a deliver_sm before bind_resp is kept, and answered once bound", |s| {
            s.messages().len() == 1 && s.answered("deliver_sm_resp", 0, 900)
        }),
        row("any-sequence", 0, "sequence numbers of any 32 bits are answered with the same", |s| {
            s.messages().len() == 3
                && [0, 0x8000_0000, 0xFFFF_FFFF].iter().all(|n| s.answered("deliver_sm_resp", 0, *n))
        }),
        row("out-of-order", 3, "responses in reverse are matched by their sequence numbers", |s| {
            s.accepted() == ["1", "2", "3"]
        }),
        row("error-without-body", 1, "an error response of a bare header refuses", |s| s.all(1, refused(0x0B))),
        row("empty-id", 1, "an empty message_id is accepted", |s| s.accepted() == [""]),
        row("nack", 1, "generic_nack with our sequence number fails that submit", |s| s.all(1, refused(3))),
        row("nack-of-nothing", 1, "generic_nack 0 fails nothing: the outcome is unknown after the timeout", |s| {
            s.all(1, unknown)
        }),
        row("throttled", 2, "ESME_RTHROTTLED and ESME_RMSGQFUL pause, then all is accepted, in order", |s| {
            let ids: Vec<u32> = s.accepted().iter().filter_map(|id| id.parse().ok()).collect();
            ids.len() == 2 && ids.is_sorted() && s.heard("submit_sm", 0) >= 4
        }),
        row("no-response", 1, "without a response the outcome is unknown, and the link stays", |s| {
            s.all(1, unknown) && s.heard("submit_sm", 0) == 1 && s.connected == 1
        }),
        row("late-response", 1, "unknown, and settled by the response that comes late", |s| {
            matches!(&s.outcomes[..], [(_, SubmitOutcome::Unknown), (_, SubmitOutcome::Accepted { .. })])
        }),
        row("refused", 1, "an error status refuses for good", |s| {
            s.all(1, refused(0x0B)) && s.heard("submit_sm", 0) == 1
        }),
        row("drop-on-submit", 2, "of a drop's submits the outcome is unknown; the next bind goes on", |s| {
            s.outcomes.len() == 2 && s.outcomes.iter().any(|(_, o)| unknown(o)) && s.connected >= 2 && s.ended("closed")
        }),
        row("unbind", 0, "what was delivered is acknowledged before unbind_resp, then bound anew", |s| {
            let at = |name: &str| s.heard.iter().position(|(of, ..)| of == name);
            at("deliver_sm_resp").is_some()
                && at("deliver_sm_resp") < at("unbind_resp")
                && s.connected >= 2
                && s.ended("peer_unbound")
        }),
        row("mute", 0, "two enquire_link without an answer close, then bound anew", |s| {
            s.ended("silent") && s.heard("enquire_link", 0) >= 2 && s.connected >= 2
        }),
        row("already-bound", 1, "ESME_RALYBND is tried again until the old session is gone", |s| {
            s.connected >= 3 && s.ended("bind_refused") && s.accepted().len() == 1
        }),
        row("wrong-password", 1, "is tried again slowly; what can't be sent expires", |s| {
            s.ended("bind_refused") && s.all(1, expired)
        }),
        row("no-bind-response", 1, "a bind without response is given up and tried again", |s| {
            s.ended("bind_timeout") && s.connected >= 2 && s.all(1, expired)
        }),
        row(
            "unknown-command",
            0,
            "generic_nack with the same sequence number; unasked responses are ignored; the link stays",
            |s| {
                s.answered("generic_nack", 3, 41)
                    && s.heard("generic_nack", 3) == 1
                    && s.messages().len() == 1
                    && s.connected == 1
            },
        ),
        row("short-length", 0, "generic_nack ESME_RINVCMDLEN, closed, bound anew", |s| {
            s.heard("generic_nack", 2) == 1 && s.ended("bad_length") && s.connected >= 2
        }),
        row("long-length", 0, "generic_nack ESME_RINVCMDLEN, closed, bound anew", |s| {
            s.heard("generic_nack", 2) == 1 && s.ended("bad_length") && s.connected >= 2
        }),
        row("half-pdu", 0, "a PDU that doesn't end is given up, and bound anew", |s| {
            (s.ended("half_pdu") || s.ended("silent")) && s.connected >= 2
        }),
        row("bad-bodies", 0, "bodies that can't be read are kept raw and acknowledged; the link stays", |s| {
            let kept = s.records.iter().filter(|b| matches!(b, Body::Undecodable { .. })).count();
            kept == 3
                && s.answered("deliver_sm_resp", 0, 51)
                && s.answered("deliver_sm_resp", 0, 52)
                && s.answered("data_sm_resp", 0, 53)
                && s.messages().len() == 1
                && s.connected == 1
        }),
        row(
            "tolerated",
            0,
            "trailing bytes, TLVs cut short or a vendor's, long and unended fields: six messages",
            |s| {
                let texts: Vec<_> = s.messages().iter().map(|m| m.short_message.clone()).collect();
                texts == [b"a", b"b", b"c", b"d", b"e", b"f"] && s.heard("deliver_sm_resp", 0) == 6 && s.connected == 1
            },
        ),
        row("alert", 1, "alert_notification has no response; the link stays", |s| {
            s.accepted() == ["1"] && s.connected == 1 && s.heard("generic_nack", 3) == 0
        }),
        row("outbind", 1, "outbind is not used, and disturbs nothing", |s| s.accepted() == ["1"] && s.connected == 1),
    ]
}

#[tokio::test]
async fn npm_smpp_in_every_scenario() {
    let dir = source::root().join("tests/peers");
    assert!(dir.join("node_modules/smpp").exists(), "run `make peers` first: npm's `smpp` is missing");
    let script = dir.join("scenarios.mjs").display().to_string();
    play("npm smpp", ("node".into(), vec![script]), &rows()).await;
}
