//! A configuration that is read again while the gateway runs: links come, change and go, and the others don't
//! notice; one that is wrong changes nothing.

use scrutineer::handoff::message::Body;
use scrutineer::smpp::Pdu;
use serde_json::{Value, json};

use super::admin::until;
use super::smsc::{Smsc, asks, listener};
use crate::support::handoff::Client;
use crate::support::process;
use crate::support::site::Site;

/// Answers an unbind, and the `enquire_link`s before it.
async fn let_go(mut smsc: Smsc) {
    let (frame, pdu) = smsc.recv_but_enquiries().await;
    assert_eq!(pdu, Pdu::Unbind);
    smsc.send(frame.sequence, Pdu::UnbindResp).await;
}

fn link(name: &str, port: u16, keys: &str) -> String {
    format!(
        "[[link]]\nname = \"{name}\"\nhost = \"127.0.0.1\"\nport = {port}\nsystem_id = \"scrutineer\"\n\
         password = \"secret\"\nnumbers = [\"12345\"]\nreconnect_seconds_max = 1\n{keys}\n"
    )
}

async fn reload(site: &Site) -> Value {
    serde_json::from_str(&process::ok(&site.config(), ["link", "reload", "--json"]).await).unwrap()
}

#[tokio::test]
async fn links_come_change_and_go_while_the_others_go_on_and_their_records_stay_right() {
    let mut ports = Vec::new();
    let mut listeners = Vec::new();
    for _ in 0..4 {
        let (listener, port) = listener().await;
        listeners.push(listener);
        ports.push(port);
    }
    let [la, lb, lc, ld] = &listeners[..] else { unreachable!() };
    let [pa, pb, pc, pd] = ports[..] else { unreachable!() };
    let mut site = Site::without_database();
    site.tail = [link("a", pa, ""), link("b", pb, ""), link("d", pd, "")].concat();
    let mut gateway = site.start("gateway").await;
    let (mut a, b, mut d) = (Smsc::accept(la).await, Smsc::accept(lb).await, Smsc::accept(ld).await);
    a.deliver_acknowledged(1, "by a").await;
    assert_eq!(reload(&site).await, json!({"added": [], "changed": [], "dropped": [], "restart": []}));

    site.tail = [link("b", pb, "submits_per_second = 7"), link("c", pc, "group = \"new\""), link("d", pd, "")].concat();
    let leaving = [tokio::spawn(let_go(a)), tokio::spawn(let_go(b))];
    assert_eq!(reload(&site).await, json!({"added": ["c"], "changed": ["b"], "dropped": ["a"], "restart": []}));
    for gone in leaving {
        gone.await.unwrap();
    }
    let (mut b, mut c) = (Smsc::accept(lb).await, Smsc::accept(lc).await);
    until(&site, "c", "bound").await;
    until(&site, "a", "gone").await;
    d.deliver_acknowledged(1, "by d, in one session").await;
    b.deliver_acknowledged(1, "by b").await;
    c.deliver_acknowledged(1, "by c").await;

    let mut worker = Client::connect(&site.socket()).await;
    let mut got = Vec::new();
    for _ in 0..4 {
        let record = worker.record().await;
        let Body::Message(message) = record.body else { panic!("{record:?}") };
        got.push((record.link, record.group, String::from_utf8(message.short_message).unwrap()));
    }
    let of = |link: &str, group: &str, text: &str| (link.to_owned(), group.to_owned(), text.to_owned());
    assert_eq!(
        got,
        [of("a", "a", "by a"), of("d", "d", "by d, in one session"), of("b", "b", "by b"), of("c", "new", "by c")]
    );
    worker.send(asks(1, "new", "355680000001")).await;
    assert_eq!(c.submit("m1").await, "355680000001");

    // What is wrong changes nothing, and all of it is said.
    let sound = site.tail.clone();
    site.tail.push_str("[[link]]\nname = \"e\"\nhost = \"\"\nport = 0\nsystem_id = \"e\"\nnumbers = [\"1\"]\n");
    let output = process::run(&site.config(), ["link", "--socket", &admin(&site), "reload"]).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(said.contains("link[4].host: is empty") && said.contains("link[4].port: 0 is out of range"), "{said}");
    d.deliver_acknowledged(2, "still here").await;
    c.deliver_acknowledged(2, "and here").await;

    // What takes a restart is said; and a signal does as well.
    site.tail = [sound, link("a", pa, "")].concat();
    site.gateway = "keep_hours = 7\n".to_owned();
    site.config();
    gateway.signal(rustix::process::Signal::HUP);
    let mut a = Smsc::accept(la).await;
    a.deliver_acknowledged(1, "a is back").await;
    assert!(gateway.logged("restart of the gateway").await.contains("gateway.keep_hours"));

    // After a kill what had no confirmed response is known again, whatever place its link had.
    gateway.kill().await;
    let _gateway = site.start("gateway").await;
    let mut a = Smsc::accept(la).await;
    a.deliver_acknowledged(9, "a is back").await;
    let mut worker = Client::connect(&site.socket()).await;
    loop {
        let record = worker.record().await;
        if let Body::Redelivery { .. } = record.body {
            assert_eq!((record.link.as_str(), record.group.as_str()), ("a", "a"));
            break;
        }
    }
}

fn admin(site: &Site) -> String {
    site.path().join("gateway-admin.sock").display().to_string()
}

#[tokio::test]
async fn a_place_that_a_link_left_is_taken_by_another_again_and_again() {
    let (listener, port) = listener().await;
    let mut site = Site::without_database();
    site.tail = link("n0", port, "");
    let _gateway = site.start("gateway").await;
    let mut smsc = Smsc::accept(&listener).await;
    smsc.deliver_acknowledged(1, "n0").await;
    for n in 1..=5 {
        site.tail = link(&format!("n{n}"), port, "");
        let leaving = tokio::spawn(let_go(smsc));
        reload(&site).await;
        leaving.await.unwrap();
        smsc = Smsc::accept(&listener).await;
        smsc.deliver_acknowledged(1, &format!("n{n}")).await;
    }
    let mut worker = Client::connect(&site.socket()).await;
    for n in 0..=5 {
        let record = worker.record().await;
        let Body::Message(message) = record.body else { panic!("{record:?}") };
        assert_eq!(record.link.as_bytes(), message.short_message, "{n}");
    }
    let verified = process::ok(&site.config(), ["spool", "verify"]).await;
    assert!(verified.contains("nothing changed"), "{verified}");
}
