//! `scrutineer link`: what the operator sees of the links of a gateway that runs, and how they are steered.

use std::time::Duration;

use scrutineer::handoff::message::SubmitOutcome;
use scrutineer::limits::{ADMIN_CONNECTIONS_MAX, ADMIN_REQUEST_BYTES_MAX};
use scrutineer::smpp::Pdu;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use uuid::Uuid;

use super::smsc::{Smsc, asks, listener};
use crate::support::handoff::Client;
use crate::support::site::Site;
use crate::support::{process, soon};

/// State of a bind, as `link list` says it.
pub(super) async fn state(site: &Site, bind: &str) -> String {
    let binds: Value = serde_json::from_str(&process::ok(&site.config(), ["link", "list", "--json"]).await).unwrap();
    let found = binds.as_array().unwrap().iter().find(|b| b["bind"] == bind);
    found.map_or("gone".to_owned(), |b| b["state"].as_str().unwrap().to_owned())
}

/// Waits until a bind stands so.
pub(super) async fn until(site: &Site, bind: &str, wanted: &str) {
    soon(&format!("{bind} {wanted}"), async {
        while state(site, bind).await != wanted {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

/// The gateway unbinds, and closes.
async fn unbinds(smsc: &mut Smsc) {
    let (frame, pdu) = smsc.recv_but_enquiries().await;
    assert_eq!(pdu, Pdu::Unbind);
    smsc.send(frame.sequence, Pdu::UnbindResp).await;
    assert!(soon("the gateway's end", smsc.next()).await.is_none());
}

#[tokio::test]
async fn a_link_is_paused_resumed_and_drained_while_the_other_goes_on() {
    let ((one, port_one), (two, port_two)) = (listener().await, listener().await);
    let site = Site::without_database().link_with("one", port_one, "reconnect_seconds_max = 1").link_with(
        "two",
        port_two,
        "reconnect_seconds_max = 1",
    );
    let _gateway = site.start("gateway").await;
    let (mut a, mut b) = (Smsc::accept(&one).await, Smsc::accept(&two).await);
    until(&site, "one", "bound").await;
    until(&site, "two", "bound").await;
    let said = process::ok(&site.config(), ["link", "show", "one"]).await;
    assert!(said.contains("one: bound for") && said.contains("the SMSC is `smsc`"), "{said}");

    let paused = tokio::spawn(async move {
        unbinds(&mut a).await;
    });
    process::ok(&site.config(), ["link", "pause", "one"]).await;
    paused.await.unwrap();
    until(&site, "one", "paused").await;
    b.deliver_acknowledged(1, "two goes on").await;
    process::ok(&site.config(), ["link", "resume", "one"]).await;
    let mut a = Smsc::accept(&one).await;
    a.deliver_acknowledged(1, "one is back").await;

    let mut worker = Client::connect(&site.socket()).await;
    worker.send(asks(1, "two", "355680000001")).await;
    let (written, pdu) = b.recv_but_enquiries().await;
    assert!(matches!(pdu, Pdu::SubmitSm(_)), "{pdu:?}");
    process::ok(&site.config(), ["link", "drain", "two"]).await;
    until(&site, "two", "draining").await;
    worker.send(asks(2, "two", "355680000002")).await;
    b.send(written.sequence, Pdu::SubmitSmResp("m1".into())).await;
    unbinds(&mut b).await;
    until(&site, "two", "paused").await;
    let result = loop {
        if let Some((result, _)) = worker.record().await.body.result() {
            break result.clone();
        }
    };
    assert_eq!(result.id, Uuid::from_u128(1));
    assert_eq!(result.outcome, SubmitOutcome::Accepted { message_ids: vec!["m1".into()] });
    process::ok(&site.config(), ["link", "resume", "two"]).await;
    let mut b = Smsc::accept(&two).await;
    assert_eq!(b.submit("m2").await, "355680000002", "what waited goes when the link is back");

    let output = process::run(&site.config(), ["link", "pause", "three"]).await;
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("no link is called `three`"));
}

#[tokio::test]
async fn only_root_and_the_gateways_user_may_ask_and_what_is_asked_is_bounded() {
    let (smsc, port) = listener().await;
    let site = Site::without_database().link(port);
    let _gateway = site.start("gateway").await;
    let _bound = Smsc::accept(&smsc).await;
    let path = site.path().join("gateway-admin.sock");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);

    let ask = async |line: Vec<u8>| {
        let mut io = UnixStream::connect(&path).await.unwrap();
        io.write_all(&line).await.unwrap();
        io.shutdown().await.unwrap();
        let mut said = String::new();
        // What is not read to its end is closed with what lay there.
        let _ = soon("an answer", io.read_to_string(&mut said)).await;
        said
    };
    assert!(ask(b"{\"command\":\"list\"}\n".to_vec()).await.contains("\"bind\":\"smsc\""));
    assert!(ask(b"{\"command\":\"stop\"}\n".to_vec()).await.contains("no request"));
    let mut long = vec![b' '; 2 * ADMIN_REQUEST_BYTES_MAX];
    long.extend_from_slice(b"{\"command\":\"list\"}\n");
    assert!(!ask(long).await.contains("\"bind\""));

    // Those who say nothing hold their places for a few seconds, and nobody else's.
    let mut silent = Vec::new();
    for _ in 0..ADMIN_CONNECTIONS_MAX {
        silent.push(UnixStream::connect(&path).await.unwrap());
    }
    let mut over = UnixStream::connect(&path).await.unwrap();
    let mut nothing = Vec::new();
    let _ = soon("the end of one too many", over.read_to_end(&mut nothing)).await;
    assert!(nothing.is_empty());
    for mut io in silent {
        let _ = soon("the end of one who says nothing", io.read_to_end(&mut nothing)).await;
    }
    assert_eq!(state(&site, "smsc").await, "bound");

    if !rustix::process::geteuid().is_root() {
        println!("skipped: another user's request: root");
        return;
    }
    let open = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    };
    open(&path, 0o666);
    open(site.path(), 0o755);
    let script = "use IO::Socket::UNIX; my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die $!; \
                  print $s \"{\\\"command\\\":\\\"list\\\"}\\n\"; $s->flush; print scalar <$s>;";
    let output = tokio::process::Command::new("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "/usr/bin/perl", "-e", script])
        .arg(&path)
        .current_dir("/")
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.contains("only root and the gateway's own user"),
        "{said} {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
async fn a_trace_shows_what_goes_by_and_hides_numbers_and_texts_unless_asked_for() {
    let (smsc, port) = listener().await;
    let site = Site::without_database().link(port);
    let _gateway = site.start("gateway").await;
    let mut bound = Smsc::accept(&smsc).await;
    until(&site, "smsc", "bound").await;
    for full in [false, true] {
        let config = site.config();
        let mut args = vec!["link", "trace", "smsc", "--seconds", "3"];
        args.extend(full.then_some("--full"));
        let trace = tokio::spawn(async move { process::run(&config, args).await });
        let mut sequence = 0;
        while !trace.is_finished() {
            sequence += 1;
            bound.deliver_acknowledged(sequence, "the secret of it").await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let output = trace.await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains("smsc <- deliver_sm status 0x00000000 sequence"), "{said}");
        assert!(said.contains("smsc -> deliver_sm_resp status 0x00000000"), "{said}");
        assert_eq!(said.contains("355680000001"), full, "{said}");
        assert_eq!(said.contains("the secret of it"), full, "{said}");
        // "secr", as hex.
        assert_eq!(said.replace([' ', '\n'], "").contains("73656372"), full, "{said}");
    }
}
