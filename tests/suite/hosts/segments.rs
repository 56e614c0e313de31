//! Parts of one text that come to several hosts, and come twice.

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use super::super::support::peer::{Delivery, Peer};
use super::super::support::{pg, poll, torture};
use super::{Host, answers, number, site, submissions, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_on_two_hosts_make_one_text_and_a_part_that_came_to_both_counts_once() {
    let database = pg::database().await;
    let mut random = StdRng::seed_from_u64(torture::seed());
    let mut peers = [Peer::start(json!({})).await, Peer::start(json!({})).await];
    let sites = peers.each_ref().map(|peer| site(&database, peer, ""));
    let observers = u32::try_from(torture::rounds(30, 2_000)).unwrap();
    poll::book("parts", observers).set_up(&sites[0]).await;
    let [one, other] = sites;
    let _hosts = [Host::start(one).await, Host::start(other).await];

    // The first part to one host or to both; when it is there, the second to either.
    let mut queues: [[Vec<Delivery>; 2]; 2] = Default::default();
    let mut copies = 0;
    // When the texts are whole, the parts of every third come once more to either host: one, or both.
    let mut late: [Vec<Delivery>; 2] = Default::default();
    let mut lates = 0;
    for n in 0..observers {
        let text = poll::report(n, &format!("AA{n} AB1 AC2 @ {}", "seen at the door ".repeat(9).trim_end()));
        let mut parts = Delivery::two_segments(u64::from(n) * 4, &poll::phone(n), &text, n as u8);
        if n % 3 == 0 {
            for (i, part) in parts.iter().take(1 + (n as usize / 3) % 2).enumerate() {
                lates += 1;
                late[random.random_range(0..2)]
                    .push(Delivery { id: 1_000_000 + u64::from(n) * 2 + i as u64, ..part.clone() });
            }
        }
        parts.shuffle(&mut random);
        let [first, second] = parts;
        queues[1][random.random_range(0..2)].push(second);
        match random.random_range(0..3) {
            host @ 0..2 => queues[0][host].push(first),
            _ => {
                copies += 1;
                queues[0][0].push(Delivery { id: first.id + 2, ..first.clone() });
                queues[0][1].push(first);
            }
        }
    }
    let wanted = i64::from(observers);
    let [first, second] = queues;
    let all = 2 * wanted + copies + lates;
    for (round, there) in [first, second, late].into_iter().zip([wanted + copies, all - lates, all]) {
        for (peer, queue) in peers.iter_mut().zip(round) {
            peer.deliver(&queue).await;
        }
        until(&database, "SELECT count(*) FROM message", there).await;
    }
    until(&database, "SELECT count(*) FROM message WHERE outcome = 'accepted'", wanted).await;
    until(&database, "SELECT count(*) FROM outbox WHERE state IN ('sent', 'delivered')", wanted).await;
    assert_eq!(number(&database, "SELECT count(*) FROM message WHERE outcome = 'segment'").await, all - wanted);
    assert_eq!(number(&database, "SELECT count(*) FROM submission WHERE revisions = 1").await, wanted);
    for n in 0..observers.min(50) {
        let stored = submissions(&database, "KT", &poll::code(n)).await;
        assert_eq!(stored, [(json!({"AA": n, "AB": 1, "AC": 2}), 1)]);
        let phone = poll::phone(n);
        assert_eq!(peers.iter().map(|peer| answers(peer, &phone)).sum::<usize>(), 1, "answered once, by either host");
    }
    torture::figure(
        "parts of one text on two hosts, some parts on both",
        &format!(
            "{observers} texts whole, {copies} parts came twice, {lates} again after the text was whole | at once | nothing"
        ),
    );
}
