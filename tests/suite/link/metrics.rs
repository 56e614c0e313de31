//! What a network engineer reads off the gateway: its metrics, and the lines of its log, while a link binds, answers,
//! throttles, leaves a request open, and breaks.

use std::time::Duration;

use scrutineer::smpp::Pdu;

use super::smsc::{Smsc, asks, listener};
use crate::support::handoff::Client;
use crate::support::process::Process;
use crate::support::site::Site;
use crate::support::soon;

/// The value of the series whose line has this name and all these labels.
fn value(metrics: &str, name: &str, labels: &[&str]) -> Option<f64> {
    let line = metrics.lines().find(|line| {
        let named = line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        named && labels.iter().all(|label| line.contains(label))
    })?;
    line.rsplit(' ').next()?.parse().ok()
}

/// Waits until a series is so, and returns it.
async fn until(gateway: &Process, name: &str, labels: &[&str], is: impl Fn(f64) -> bool) -> f64 {
    soon(&format!("{name} {labels:?}"), async {
        loop {
            if let Some(found) = value(&gateway.metrics().await, name, labels).filter(|found| is(*found)) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
}

#[tokio::test]
async fn the_endpoint_shows_state_bind_time_round_trip_windows_rates_throttles_reconnects_and_the_oldest_request() {
    let (smscs, port) = listener().await;
    let keys = "enquire_link_seconds = 1\nreconnect_seconds_max = 1\nresponse_timeout_seconds = 120";
    let site = Site::without_database().link_with("smsc", port, keys);
    let gateway = site.start("gateway").await;
    let bind = ["link=\"smsc\"", "bind=\"smsc\""];
    let mut smsc = Smsc::accept(&smscs).await;

    // State and time of the bind.
    until(&gateway, "scrutineer_smpp_bound", &bind, |bound| bound == 1.0).await;
    let since = value(&gateway.metrics().await, "scrutineer_smpp_bound_timestamp_seconds", &bind).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    assert!((now - 120.0..=now + 1.0).contains(&since), "{since} at {now}");
    assert_eq!(value(&gateway.metrics().await, "scrutineer_smpp_binds_total", &bind), Some(1.0));

    // Rates by PDU and status.
    smsc.deliver_acknowledged(1, "PS 1").await;
    until(&gateway, "scrutineer_smpp_received_total", &["kind=\"message\""], |n| n == 1.0).await;
    until(&gateway, "scrutineer_smpp_acknowledged_total", &bind, |n| n == 1.0).await;
    let of = |direction, pdu| [direction, pdu, "status=\"0x00000000\""];
    until(&gateway, "scrutineer_smpp_pdus_total", &of("direction=\"in\"", "pdu=\"deliver_sm\""), |n| n == 1.0).await;
    until(&gateway, "scrutineer_smpp_pdus_total", &of("direction=\"out\"", "pdu=\"deliver_sm_resp\""), |n| n == 1.0)
        .await;

    // A request that waits: the window and its age.
    let mut worker = Client::connect(&site.socket()).await;
    worker.send(asks(1, "smsc", "355680000001")).await;
    let (written, pdu) = smsc.recv_but_enquiries().await;
    assert!(matches!(pdu, Pdu::SubmitSm(_)), "{pdu:?}");
    until(&gateway, "scrutineer_smpp_submit_window_used", &bind, |n| n == 1.0).await;
    until(&gateway, "scrutineer_smpp_oldest_unanswered_seconds", &bind, |seconds| seconds >= 0.2).await;

    // Throttled, then accepted: round trips.
    smsc.send_status(0x58, written.sequence, Pdu::SubmitSmResp(String::new())).await;
    until(&gateway, "scrutineer_smpp_submit_responses_total", &["outcome=\"throttled\""], |n| n == 1.0).await;
    assert_eq!(smsc.submit("m1").await, "355680000001");
    until(&gateway, "scrutineer_smpp_submit_responses_total", &["outcome=\"accepted\""], |n| n == 1.0).await;
    let throttled = ["direction=\"in\"", "pdu=\"submit_sm_resp\"", "status=\"0x00000058\""];
    until(&gateway, "scrutineer_smpp_pdus_total", &throttled, |n| n == 1.0).await;
    until(&gateway, "scrutineer_smpp_submit_response_seconds_count", &bind, |n| n == 2.0).await;
    until(&gateway, "scrutineer_smpp_submit_window_used", &bind, |n| n == 0.0).await;
    // The next `enquire_link`, answered while a text is waited for.
    worker.send(asks(2, "smsc", "355680000002")).await;
    assert_eq!(smsc.submit("m2").await, "355680000002");
    {
        let mut counted =
            std::pin::pin!(until(&gateway, "scrutineer_smpp_enquire_link_seconds_count", &bind, |n| n >= 1.0));
        loop {
            tokio::select! {
                _ = &mut counted => break,
                Some((frame, pdu)) = smsc.next() => {
                    assert_eq!(pdu, Pdu::EnquireLink);
                    smsc.send(frame.sequence, Pdu::EnquireLinkResp).await;
                }
            }
        }
    }

    // The SMSC unbinds, and the link binds anew.
    smsc.send(99, Pdu::Unbind).await;
    let (_, pdu) = smsc.recv_but_enquiries().await;
    assert_eq!(pdu, Pdu::UnbindResp);
    until(&gateway, "scrutineer_smpp_sessions_ended_total", &bind, |n| n == 1.0).await;
    let _again = Smsc::accept(&smscs).await;
    until(&gateway, "scrutineer_smpp_binds_total", &bind, |n| n == 2.0).await;

    // And what the log says of it.
    let log = gateway.log();
    for line in ["bound", "the SMSC throttles: the link pauses", "session ended"] {
        assert!(log.lines().any(|l| l.contains(line) && l.contains("smsc")), "`{line}` is not in the log:\n{log}");
    }
    assert!(!log.contains("355680000001"), "a phone number in the log");
}
