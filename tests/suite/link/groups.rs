//! Several links: which of them a text goes by, and that one which is dead, deaf or slow leaves the others
//! alone.

use std::time::Duration;

use scrutineer::smpp::Pdu;

use super::admin::until;
use super::smsc::{Smsc, asks, listener};
use crate::support::handoff::Client;
use crate::support::site::Site;
use crate::support::{process, soon};

#[tokio::test]
async fn a_reply_goes_by_another_link_of_the_group_when_one_is_down_and_the_rest_by_prefix() {
    let ((one, port_one), (two, port_two), (other, port_other)) =
        (listener().await, listener().await, listener().await);
    let site = Site::without_database()
        .link_with("one", port_one, "group = \"main\"\nprefixes = [\"355\"]")
        .link_with("two", port_two, "group = \"main\"")
        .link_with("other", port_other, "prefixes = [\"+35569\"]");
    let _gateway = site.start("gateway").await;
    let (a, mut b, mut c) = (Smsc::accept(&one).await, Smsc::accept(&two).await, Smsc::accept(&other).await);
    drop((a, one));
    for bind in ["two", "other"] {
        until(&site, bind, "bound").await;
    }
    until(&site, "one", "unbound").await;
    let mut worker = Client::connect(&site.socket()).await;
    for n in 1..=5 {
        worker.send(asks(n, "main", "355680000001")).await;
        assert_eq!(b.submit("m").await, "355680000001");
    }
    // Texts that answer nothing name no group.
    worker.send(asks(6, "", "355691234567")).await;
    assert_eq!(c.submit("m").await, "355691234567", "the longest prefix wins");
    worker.send(asks(7, "", "+355681234567")).await;
    assert_eq!(b.submit("m").await, "355681234567");
}

#[tokio::test]
async fn prefixes_that_lead_two_ways_are_named() {
    let site = Site::without_database().link_with("one", 1, "prefixes = [\"2547\", \"25x\"]").link_with(
        "two",
        2,
        "prefixes = [\"+2547\", \"254\"]",
    );
    let output = process::run(&site.config(), ["config", "check"]).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(said.contains("`25x` is not a prefix"), "{said}");
    assert!(said.contains("link[2].prefixes: `+2547` stands at link 1 too, which is of group `one`"), "{said}");
    assert_eq!(said.lines().count(), 2, "a shorter one is no mistake: {said}");
}

#[tokio::test]
async fn of_ten_links_one_that_is_dead_one_deaf_and_one_slow_leave_the_others_alone() {
    const OTHERS: usize = 7;
    let mut site = Site::without_database();
    let (dead, dead_port) = listener().await;
    drop(dead);
    let ((deaf, deaf_port), (slow, slow_port)) = (listener().await, listener().await);
    site = site.link_with("dead", dead_port, "").link_with("deaf", deaf_port, "").link_with("slow", slow_port, "");
    let mut listeners = Vec::new();
    for n in 0..OTHERS {
        let (listener, port) = listener().await;
        site = site.link_with(&format!("link-{n}"), port, "");
        listeners.push(listener);
    }
    let _gateway = site.start("gateway").await;
    // Connected, and its bind never answered.
    let _deaf = Smsc::asked(&deaf).await;
    // Bound, submits never answered, and nothing more is read.
    let _slow = Smsc::accept(&slow).await;
    let mut others = Vec::new();
    for listener in &listeners {
        others.push(Smsc::accept(listener).await);
    }
    let mut worker = Client::connect(&site.socket()).await;
    for n in 1..=100 {
        worker.send(asks(n, "slow", "355680000001")).await;
    }
    let mut tasks = tokio::task::JoinSet::new();
    for (n, mut smsc) in others.into_iter().enumerate() {
        worker.send(asks(1_000 + n as u128, &format!("link-{n}"), "355680000001")).await;
        tasks.spawn(async move {
            let mut slowest = Duration::ZERO;
            let (mut next, mut begun, mut replied) = (1, std::time::Instant::now(), false);
            smsc.deliver(next, "report").await;
            while next <= 100 || !replied {
                let (frame, pdu) = smsc.recv_but_enquiries().await;
                match pdu {
                    Pdu::SubmitSm(_) => {
                        smsc.send(frame.sequence, Pdu::SubmitSmResp("m".into())).await;
                        replied = true;
                    }
                    Pdu::DeliverSmResp => {
                        slowest = slowest.max(begun.elapsed());
                        next += 1;
                        begun = std::time::Instant::now();
                        if next <= 100 {
                            smsc.deliver(next, "report").await;
                        }
                    }
                    other => panic!("{other:?}"),
                }
            }
            slowest
        });
    }
    let slowest = soon("all that the other links deliver", tasks.join_all()).await.into_iter().max().unwrap();
    println!("slowest acknowledgement of the others: {slowest:?}");
}
