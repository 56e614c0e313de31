//! Transceivers, pairs, several binds of one link, and the version of the protocol.

use scrutineer::limits::LINKS_MAX;
use scrutineer::smpp::Pdu;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::smsc::{Smsc, asks, listener};
use crate::support::handoff::Client;
use crate::support::site::Site;
use crate::support::{process, soon};

#[tokio::test]
async fn a_pair_receives_on_one_bind_and_submits_on_the_other_and_keeps_what_comes_by_either() {
    let (listener, port) = listener().await;
    let site = Site::without_database().link_with("smsc", port, "bind = \"pair\"\nversion = \"5.0\"");
    let _gateway = site.start("gateway").await;
    let mut two = [Smsc::accept(&listener).await, Smsc::accept(&listener).await];
    two.sort_by_key(|smsc| matches!(smsc.request, Pdu::BindTransmitter(_)));
    let [receiver, transmitter] = &mut two;
    assert!(matches!(receiver.request, Pdu::BindReceiver(_)), "{:?}", receiver.request);
    assert!(matches!(transmitter.request, Pdu::BindTransmitter(_)), "{:?}", transmitter.request);
    assert_eq!((receiver.bind().interface_version, transmitter.bind().interface_version), (0x50, 0x50));

    receiver.deliver_acknowledged(1, "by the receiver").await;
    transmitter.deliver_acknowledged(1, "by the transmitter").await;
    let mut worker = Client::connect(&site.socket()).await;
    let (one, other) = (worker.record().await, worker.record().await);
    assert_eq!((one.link.as_str(), one.group.as_str()), ("smsc", "smsc"));
    assert_eq!((other.link.as_str(), other.group.as_str()), ("smsc#tx", "smsc"));

    for n in 1..=20 {
        worker.send(asks(n, "smsc", "355680000001")).await;
    }
    for n in 1..=20 {
        assert_eq!(transmitter.submit(&format!("m{n}")).await, "355680000001");
    }
    receiver.deliver_acknowledged(2, "nothing was submitted here").await;
}

#[tokio::test]
async fn several_binds_of_a_link_share_its_pace_and_carry_on_when_one_goes() {
    let (listener, port) = listener().await;
    let keys = "binds = 3\nsubmits_per_second = 5\nreconnect_seconds_max = 1";
    let site = Site::without_database().link_with("smsc", port, keys);
    let _gateway = site.start("gateway").await;
    let mut binds = Vec::new();
    for _ in 0..3 {
        binds.push(Smsc::accept(&listener).await);
    }
    let mut worker = Client::connect(&site.socket()).await;
    let begun = std::time::Instant::now();
    for n in 1..=8 {
        worker.send(asks(n, "smsc", "355680000001")).await;
    }
    let (tell, mut told) = mpsc::channel(64);
    let mut stops = Vec::new();
    for smsc in binds {
        let stop = CancellationToken::new();
        tokio::spawn(answer(smsc, tell.clone(), stop.clone()));
        stops.push(stop);
    }
    for _ in 1..=8 {
        soon("a submit_sm", told.recv()).await.unwrap();
    }
    assert!(begun.elapsed().as_secs_f64() > 1.0, "five a second by all three: {:?}", begun.elapsed());

    stops[0].cancel();
    let mut again = Smsc::accept(&listener).await;
    again.deliver_acknowledged(1, "bound again").await;
    tokio::spawn(answer(again, tell, CancellationToken::new()));
    for n in 9..=12 {
        worker.send(asks(n, "smsc", "355680000001")).await;
        soon("a submit_sm", told.recv()).await.unwrap();
    }
}

/// Answers what comes, until told to drop the connection.
async fn answer(mut smsc: Smsc, tell: mpsc::Sender<()>, stop: CancellationToken) {
    while let Some(Some((frame, pdu))) = stop.run_until_cancelled(smsc.next()).await {
        match pdu {
            Pdu::SubmitSm(_) => {
                smsc.send(frame.sequence, Pdu::SubmitSmResp("m".into())).await;
                tell.send(()).await.unwrap();
            }
            Pdu::EnquireLink => smsc.send(frame.sequence, Pdu::EnquireLinkResp).await,
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_configuration_says_where_nobody_could_be_answered_and_where_there_are_too_many_binds() {
    let site = Site::without_database().link_with("north", 1, "bind = \"receiver\"");
    let output = process::run(&site.config(), ["config", "check"]).await;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("link[1].bind: no link of group `north` can send"), "{said}");

    let site = site.link_with("south", 2, "group = \"north\"\nbinds = 32\nbind = \"twice\"");
    let output = process::run(&site.config(), ["config", "check"]).await;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(said.contains("unknown word `twice`, expected one of `transceiver`"), "{said}");
    assert!(said.contains("33 binds; at most 32"), "{said}");

    let mut site = Site::without_database();
    for n in 0..=LINKS_MAX {
        site = site.link_with(&format!("link-{n}"), 1, "");
    }
    let output = process::run(&site.config(), ["config", "check"]).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(&format!("{} links; at most {LINKS_MAX}", LINKS_MAX + 1)), "{said}");
}
