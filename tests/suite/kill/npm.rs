//! Against npm's `smpp`: an observer's next text is sent when the one before was acknowledged.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::range::{Range, STANDSTILL, Victims};
use super::{law, load, told};
use crate::support::cluster::{Cluster, Durability};
use crate::support::peer::Peer;
use crate::support::site::Site;
use crate::support::{pg, poll, torture};

/// Texts ahead of the replies: keeps all processes busy to the end.
const AHEAD: usize = 400;

/// What the SMSC saw so far.
#[derive(Default)]
struct Seen {
    /// Ids of parts.
    acknowledged: HashSet<u64>,
    /// Whole texts acknowledged.
    texts: usize,
    /// Texts whose every part was acknowledged and that were not looked at yet.
    fresh: Vec<(u32, u32)>,
    closed: usize,
    /// By phone.
    replies: HashMap<String, usize>,
    all_replies: usize,
}

impl Seen {
    /// True when a reply came.
    fn take(&mut self, event: &Value) -> bool {
        match event["event"].as_str().unwrap() {
            "acknowledged" => {
                let id = event["id"].as_u64().unwrap();
                let (observer, which) = load::of_id(id);
                let parts = if which == 0 && load::is_long(observer) { 2 } else { 1 };
                let first = u64::from(observer) * 10 + u64::from(which) * 3;
                if self.acknowledged.insert(id) && (first..first + parts).all(|id| self.acknowledged.contains(&id)) {
                    self.texts += 1;
                    self.fresh.push((observer, which));
                }
            }
            "closed" => self.closed += 1,
            "submit" => {
                // A reply of several segments is one reply: its first one counts.
                let later = event["udh"].as_str().is_some_and(|udh| !udh.ends_with("01"));
                if !later {
                    *self.replies.entry(event["destination"].as_str().unwrap().to_owned()).or_default() += 1;
                    self.all_replies += 1;
                    return true;
                }
            }
            "refused" | "rejected" | "error" => println!("SMSC: {event}"),
            _ => {}
        }
        false
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_message_is_stored_once_and_answered_though_all_are_killed() {
    let mut random = StdRng::seed_from_u64(torture::seed());
    let kills = torture::rounds(14, 400);
    let observers = u32::try_from(kills * 100).unwrap();
    let texts = observers * load::TEXTS;

    let postgres = Cluster::start(Durability::Synced);
    let database = pg::database_on(&postgres).await;
    let mut peer = Peer::start(json!({ "window": 50 })).await;
    let site = Site::new(&database).link_with("smsc", peer.port, "reconnect_seconds_max = 1");
    poll::book("under-fire", observers).set_up(&site).await;
    let mut range = Range::start(&site, &postgres).await;

    // Kills at points of progress, in any order.
    let span = 2 * texts as usize;
    let mut points: Vec<usize> = (0..kills).map(|_| random.random_range(span / 20..span - span / 20)).collect();
    points.sort_unstable();
    let mut plan = points.into_iter().map(|point| (point, Victims::any(&mut random))).collect::<VecDeque<_>>();

    let mut order: Vec<u32> = (0..observers).collect();
    order.shuffle(&mut random);
    let mut next: VecDeque<(u32, u32)> = order.into_iter().map(|observer| (observer, 0)).collect();
    let mut journal = peer.reader();
    let mut seen = Seen::default();
    let mut fed = 0;
    while seen.texts < texts as usize || !plan.is_empty() {
        let mut batch = Vec::new();
        while fed < seen.all_replies + AHEAD
            && let Some((observer, which)) = next.pop_front()
        {
            fed += 1;
            batch.extend(load::deliveries(observer, which));
        }
        if !batch.is_empty() {
            peer.deliver(&batch).await;
        }
        let Some(event) = journal.next(STANDSTILL).await else {
            panic!(
                "nothing moved: {} of {texts} acknowledged, {} answered\n{}",
                seen.texts,
                seen.all_replies,
                range.logs()
            );
        };
        if seen.take(&event) {
            range.went_on();
        }
        for (observer, which) in std::mem::take(&mut seen.fresh) {
            if which + 1 < load::TEXTS {
                // Somewhere among those that wait.
                let place = random.random_range(0..=next.len().min(200));
                next.insert(place, (observer, which + 1));
            }
        }
        let progress = seen.texts + seen.all_replies;
        if let Some((_, victims)) = plan.pop_front_if(|(point, _)| *point <= progress) {
            println!("at {} acknowledged, {} answered: killing {}", seen.texts, seen.all_replies, victims.name());
            range.shoot(victims).await;
        }
    }
    range.until_none(&database, "outbox WHERE state IN ('due', 'leased')").await;
    // What came in meanwhile.
    while let Some(event) = journal.next(Duration::from_millis(500)).await {
        seen.take(&event);
    }
    println!("the link closed {} times", seen.closed);
    law::messages(&database, observers).await;
    law::submissions(&database, observers).await;
    let replies = law::replies(&database, observers, Some(&seen.replies)).await;
    told(&range, "npm smpp", texts, &replies);
    let (gateway, worker) = (range.gateway.stop().await, range.worker.stop().await);
    assert!(gateway.success() && worker.success(), "gateway {gateway}, worker {worker}");
}
