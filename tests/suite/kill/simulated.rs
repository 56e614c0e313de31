//! Against the simulated SMSC, which also leaves responses out, drops connections, and sends receipts:
//! texts come at a steady rate, kills at random times.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use scrutineer::smsc::{self, Options, Outgoing};
use tokio_util::sync::CancellationToken;

use super::range::{Range, Victims};
use super::{law, load, told};
use crate::support::cluster::{Cluster, Durability};
use crate::support::site::Site;
use crate::support::{pg, poll, torture};

/// Texts a second.
const RATE: u64 = 150;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_text_is_stored_once_and_answered_though_responses_and_connections_are_lost_as_well() {
    let mut random = StdRng::seed_from_u64(torture::seed());
    let kills = torture::rounds(8, 300);
    let observers = u32::try_from(kills * 60).unwrap();
    let texts = observers * load::TEXTS;

    let postgres = Cluster::start(Durability::Synced);
    let database = pg::database_on(&postgres).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let keys = "reconnect_seconds_max = 1\nresponse_timeout_seconds = 3";
    let site = Site::new(&database).link_with("smsc", port, keys);
    poll::book("under-fire", observers).set_up(&site).await;

    let source = (0..load::TEXTS).flat_map(move |which| (0..observers).map(move |observer| (which, observer)));
    let source = source.enumerate().map(|(n, (which, observer))| Outgoing {
        due: Duration::from_micros(n as u64 * 1_000_000 / RATE),
        phone: law::phone(observer),
        text: load::text(observer, which),
        answered: true,
    });
    let options = Options {
        system_id: "scrutineer".to_owned(),
        password: "secret".to_owned(),
        shortcode: "12345".to_owned(),
        window: 50,
        receipts: Some(Duration::from_millis(50)),
        drop_response_every: 101,
        drop_connection_every: 307,
        bind_wait: Duration::from_secs(180),
        wait: Duration::from_secs(20),
        linger: true,
        ..Options::default()
    };
    let stop = CancellationToken::new();
    let (answered, mut progress) = tokio::sync::watch::channel((0, 0));
    let stopped = stop.clone();
    let smsc = tokio::spawn(async move {
        smsc::run(listener, options, source, stopped, |report| {
            answered.send_replace((report.acknowledged, report.answered));
        })
        .await
    });
    let mut range = Range::start(&site, &postgres).await;

    // One kill in so many texts, and somewhere within them. When all are acknowledged there may be no further
    // answer to wait for: those whose outcome stayed unknown twice are given up.
    let all = u64::from(texts);
    let each = all / kills as u64;
    for kill in 0..kills as u64 {
        let point = kill * each + random.random_range(0..each * 9 / 10);
        let before = progress.borrow().1;
        let moved = tokio::time::timeout(
            super::range::STANDSTILL,
            progress.wait_for(|(got, answered)| *got >= point && (*answered > before || *got == all)),
        );
        let moved = moved.await.is_ok();
        assert!(moved, "nothing moved\n{}", range.logs());
        range.went_on();
        let victims = Victims::any(&mut random);
        println!("at {:?} acknowledged and answered: killing {}", *progress.borrow(), victims.name());
        range.shoot(victims).await;
    }
    let patience = super::range::STANDSTILL * 3;
    let ended = tokio::time::timeout(patience, progress.wait_for(|(got, _)| *got == all)).await.is_ok();
    assert!(ended, "{:?} of {texts}\n{}", *progress.borrow(), range.logs());
    range.went_on();
    let waiting = format!("(SELECT 1 WHERE (SELECT count(*) FROM message WHERE outcome <> 'segment') < {texts}) AS s");
    range.until_none(&database, &waiting).await;
    range.until_none(&database, "outbox WHERE state IN ('due', 'leased')").await;
    stop.cancel();
    let report = smsc.await.unwrap().unwrap();
    println!("{report:?}");
    law::messages(&database, observers).await;
    law::submissions(&database, observers).await;
    let mut replies = law::replies(&database, observers, None).await;
    replies.doubled = report.doubled_in_doubt as usize;
    assert_eq!((report.acknowledged, report.unasked, report.answered_twice), (all, 0, 0));
    assert!(report.unanswered as usize <= replies.given_up, "{} unanswered, {replies:?}", report.unanswered);
    assert!(replies.doubled <= replies.again, "{replies:?}");
    told(&range, "simulated SMSC: also responses left out and connections dropped", texts, &replies);
}
