//! Order, preference, and the bound.

use uuid::Uuid;

use super::*;

fn submit(n: u128, expires_us: i64) -> Submit {
    Submit {
        id: Uuid::from_u128(n),
        attempt: 1,
        group: "g".into(),
        link: None,
        bulk: false,
        source: "1".into(),
        destination: "2".into(),
        text: "t".into(),
        expires_us,
        receipt: false,
    }
}

fn pop(queue: &SubmitQueue, link: &str) -> Option<u128> {
    queue.pop(link).map(|waiting| waiting.submit.id.as_u128())
}

#[test]
fn all_groups_together_hold_no_more_than_the_bound() {
    let count = Arc::<SubmitCount>::default();
    let (a, b) = (SubmitQueue::new(count.clone()), SubmitQueue::new(count.clone()));
    for n in 0..SUBMIT_QUEUE_MAX {
        assert!([&a, &b][n % 2].push(submit(n as u128, 1)));
    }
    assert!(!a.push(submit(9999, 1)));
    assert!(b.pop("l").is_some());
    assert!(a.push(submit(9999, 1)));
    assert_eq!(count.get(), SUBMIT_QUEUE_MAX);
}

#[test]
fn what_expired_is_taken_out_and_the_order_of_the_rest_stays() {
    let queue = SubmitQueue::default();
    for (n, expires) in [(1, 10), (2, 5), (3, 10)] {
        assert!(queue.push(submit(n, expires)));
    }
    assert!(queue.push(Submit { bulk: true, ..submit(4, 5) }));
    assert_eq!(queue.expired(5).len(), 2);
    assert!(queue.take_out(Uuid::from_u128(2)).is_none());
    assert_eq!(pop(&queue, "l"), Some(1));
    assert_eq!(queue.take_out(Uuid::from_u128(3)).map(|s| s.id), Some(Uuid::from_u128(3)));
    assert_eq!(queue.count.get(), 0);
}

#[test]
fn replies_go_before_bulk_which_is_not_starved() {
    let queue = SubmitQueue::default();
    for n in 0..4 {
        assert!(queue.push(Submit { bulk: true, ..submit(1_000 + n, 1) }));
    }
    for n in 0..20 {
        assert!(queue.push(submit(n, 1)));
    }
    let order: Vec<u128> = std::iter::from_fn(|| pop(&queue, "l")).collect();
    assert_eq!(order[..10], [0, 1, 2, 3, 4, 5, 6, 1_000, 7, 8]);
    assert_eq!(order.iter().filter(|n| **n < 1_000).copied().collect::<Vec<_>>(), (0..20).collect::<Vec<_>>());
    assert_eq!(order.iter().filter(|n| **n >= 1_000).copied().collect::<Vec<_>>(), [1_000, 1_001, 1_002, 1_003]);
    // Alone it has the link for itself.
    assert!(queue.push(Submit { bulk: true, ..submit(2_000, 1) }));
    assert_eq!(pop(&queue, "l"), Some(2_000));
}

#[test]
fn a_reply_goes_by_the_link_that_its_report_came_on_or_by_another_when_that_is_down() {
    let queue = SubmitQueue::default();
    queue.set_bound("a", true);
    queue.set_bound("a", true);
    queue.set_bound("b", true);
    assert!(queue.push(Submit { link: Some("a".into()), ..submit(1, 1) }));
    assert!(queue.push(submit(2, 1)));
    assert!(queue.push(Submit { link: Some("gone".into()), ..submit(3, 1) }));
    assert_eq!(pop(&queue, "b"), Some(2), "the first is for the other link");
    assert_eq!(pop(&queue, "b"), Some(3), "a link that is not bound takes nothing");
    assert_eq!(pop(&queue, "b"), None);
    queue.set_bound("a", false);
    assert_eq!(pop(&queue, "b"), None, "its other bind is there still");
    queue.set_bound("a", false);
    assert_eq!(pop(&queue, "b"), Some(1));
}

#[test]
fn what_is_put_back_is_first_again() {
    let queue = SubmitQueue::default();
    assert!(queue.push(submit(1, 1)));
    queue.put_first(Waiting { submit: submit(2, 1), intended: true });
    assert!(queue.pop("l").is_some_and(|waiting| waiting.intended));
    assert_eq!(pop(&queue, "l"), Some(1));
}

#[tokio::test]
async fn whoever_waits_hears_of_what_came_since_it_looked() {
    let queue = SubmitQueue::default();
    let seen = queue.version();
    assert!(queue.push(submit(1, 1)));
    queue.wait(seen).await;
    let seen = queue.version();
    let waits = queue.wait(seen);
    let pushes = async { assert!(queue.push(submit(2, 1))) };
    tokio::join!(waits, pushes);
}
