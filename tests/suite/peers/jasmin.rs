//! The SMSCs of jasmin's source package that misbehave on purpose (`tests/peers/misbehaving.py` starts them
//! from where pip unpacked them; nothing of them stands in this project).

use scrutineer::handoff::message::{NotSent, SubmitOutcome};

use super::stage::{Scenario, Seen, play};
use crate::support::source;

fn row(name: &'static str, submits: usize, must: &'static str, is_seen: fn(&Seen) -> bool) -> Scenario {
    Scenario { name, submits, must, is_seen }
}

fn refused(status: u32) -> impl Fn(&SubmitOutcome) -> bool {
    move |outcome| *outcome == SubmitOutcome::Refused { status }
}

fn unknown(outcome: &SubmitOutcome) -> bool {
    *outcome == SubmitOutcome::Unknown
}

fn expired(outcome: &SubmitOutcome) -> bool {
    *outcome == SubmitOutcome::NotSent { reason: NotSent::Expired }
}

fn rows() -> Vec<Scenario> {
    vec![
        row("HappySMSC", 2, "both submits accepted", |s| s.accepted().len() == 2),
        row("BlackHoleSMSC", 1, "the bind is given up and tried again; the submit expires", |s| {
            s.ended("bind_timeout") && s.connected >= 2 && s.all(1, expired)
        }),
        row("AlertNotificationSMSC", 1, "accepted", |s| s.accepted().len() == 1 && s.connected == 1),
        row("EnquireLinkEchoSMSC", 1, "each enquire_link of the echo is answered, and answered once", |s| {
            let (asked, answered) = (s.heard("enquire_link", 0), s.heard("enquire_link_resp", 0));
            answered >= 2 && answered <= asked && s.accepted().len() == 1 && s.connected == 1
        }),
        row("NoResponseOnSubmitSMSC", 1, "unknown; the link stays", |s| s.all(1, unknown) && s.connected == 1),
        row("GenericNackNoSeqNumOnSubmitSMSC", 1, "unknown: the nack names nothing", |s| s.all(1, unknown)),
        row("GenericNackWithSeqNumOnSubmitSMSC", 1, "refused with the nack's status", |s| s.all(1, refused(3))),
        row("ErrorOnSubmitSMSC", 1, "refused with ESME_RINVESMCLASS", |s| s.all(1, refused(0x43))),
        row("UnbindOnSubmitSMSC", 1, "unbind answered; the submit's outcome is unknown; bound anew", |s| {
            s.all(1, unknown) && s.heard("unbind_resp", 0) >= 1 && s.ended("peer_unbound") && s.connected >= 2
        }),
        // Its unbind_resp is missed when the gateway stops, which it does all the same.
        row("UnbindNoResponseSMSC", 1, "accepted; a stop ends without its unbind_resp", |s| s.accepted().len() == 1),
        row("BindErrorSMSC", 1, "refused; tried again slowly; the submit expires", |s| {
            s.ended("bind_refused") && s.all(1, expired)
        }),
        row("BindErrorGenericNackSMSC", 1, "refused by generic_nack; the submit expires", |s| {
            s.ended("bind_refused") && s.all(1, expired)
        }),
        row("CommandLengthTooShortSMSC", 0, "generic_nack ESME_RINVCMDLEN, closed, bound anew", |s| {
            s.heard("generic_nack", 2) >= 1 && s.ended("bad_length") && s.connected >= 2
        }),
        row("CommandLengthTooLongSMSC", 0, "a PDU that never ends is given up, and bound anew", |s| {
            (s.ended("half_pdu") || s.ended("silent")) && s.connected >= 2
        }),
        row("InvalidCommandIdSMSC", 0, "an unknown response is ignored; the silence after it ends the session", |s| {
            s.heard("generic_nack", 3) == 0 && s.ended("silent")
        }),
        row(
            "NonFatalParseErrorSMSC",
            0,
            "query_sm is none of ours: refused by its own response, the link stays",
            |s| s.answered("query_sm_resp", 4, 2654) && s.connected >= 1,
        ),
        row("DeliverSMBeforeBoundSMSC", 0, "what comes before a bind that never is, is not acknowledged", |s| {
            s.ended("bind_timeout") && s.heard("deliver_sm_resp", 0) == 0 && s.records.is_empty()
        }),
        row("OutbindSMSC", 1, "outbind disturbs nothing: bound, accepted", |s| {
            s.accepted().len() == 1 && s.connected == 1
        }),
        row("DeliverSMSMSC", 1, "recorded, then acknowledged", |s| {
            s.messages().iter().any(|m| m.short_message == b"test" && m.source == "1234")
                && s.heard("deliver_sm_resp", 0) == 1
                && s.accepted().len() == 1
        }),
        row(
            "DeliverSMAndUnbindSMSC",
            0,
            "acknowledged before unbind_resp; bound anew; the second is a message again",
            |s| {
                let at = |name: &str| s.heard.iter().position(|(of, ..)| of == name);
                at("deliver_sm_resp").is_some() && at("deliver_sm_resp") < at("unbind_resp") && s.connected >= 2
            },
        ),
        row("NoSubmitSmWhenReceiverIsBoundSMSC", 1, "ESME_RINVBNDSTS may pass: tried again until it expires", |s| {
            s.all(1, expired) && s.heard("submit_sm", 0) >= 2
        }),
        row(
            "DeliveryReceiptSMSC",
            0,
            "looks like a receipt, but esm_class says message: recorded with its TLVs",
            |s| {
                let found = s.messages().iter().any(|m| m.receipted_message_id.as_deref() == Some("1891273321"));
                found && s.heard("deliver_sm_resp", 0) == 1 && s.receipts().is_empty()
            },
        ),
        row("QoSSMSC_2MPS", 4, "throttled, paused, and all four accepted", |s| s.accepted().len() == 4),
    ]
}

#[tokio::test]
async fn jasmins_smscs_that_misbehave_on_purpose() {
    let Some(folder) = super::python() else { return };
    let script = source::root().join("tests/peers/misbehaving.py").display().to_string();
    let simulator = folder.join("jasmin/tests/protocols/smpp/smsc_simulator.py");
    assert!(simulator.exists(), "{} is not in the package", simulator.display());
    let args = vec!["-u".to_owned(), script, simulator.display().to_string()];
    play("jasmin", (folder.join("venv/bin/python"), args), &rows()).await;
}
