//! After the checklist was mended: texts that came in parts are read again whole.

use super::*;

/// `KT` with one question more.
fn mended() -> Value {
    let mut list = poll::book("poll", 0).checklists.remove(0);
    let question = json!({"code": "AD", "text": "Count AD", "type": "count", "max": 99_999});
    list["questions"].as_array_mut().unwrap().push(question);
    list
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_in_parts_are_read_again_whole_when_the_checklist_was_mended() {
    let database = pg::database().await;
    let mut stand = Stand::new(&database, true, "").await;
    // Half of each text ends within the value of AA.
    let partly = Delivery::two_by_sar(1, &poll::phone(4), &poll::report(4, "AA12 AB345 AD67"), 300);
    let refused = Delivery::two_segments(3, &poll::phone(5), "QX100005 AA12 AB345 AC67", 9);
    stand.peer.deliver(&[partly, refused].concat()).await;
    until(&database, "SELECT count(*) FROM message WHERE outcome <> 'segment'", 2).await;
    until(&database, "SELECT count(*) FROM outbox WHERE state IN ('sent', 'delivered')", 2).await;
    let revisions =
        "SELECT json_object_agg(o.code, s.revisions)::text FROM submission s JOIN observer o ON o.id = s.observer_id";
    let kinds = "SELECT json_agg(outcome ORDER BY outcome)::text FROM message WHERE outcome <> 'segment'";
    assert_eq!(json_of(&database, kinds).await, json!(["partial", "unknown_checklist"]));
    let answers =
        "SELECT json_object_agg(o.code, s.answers)::text FROM submission s JOIN observer o ON o.id = s.observer_id";
    let first = json!({"100004": {"AA": 12, "AB": 345}});
    assert_eq!(json_of(&database, answers).await, first);

    let questions = poll::book("poll", 0).checklists[0]["questions"].clone();
    let other = json!({"prefix": "QX", "title": "Another", "questions": questions});
    for (name, list) in [("kt.json", mended()), ("qx.json", other)] {
        let file = stand.site.file(name, list.to_string()).display().to_string();
        process::ok(&stand.site.config(), ["checklist", "import", "poll", &file]).await;
    }
    let both = "partial,unknown_checklist";
    let preview = stand.ask(&["reread", "--outcome", both, "--preview"]).await;
    let changes = json!({"partial → accepted": 1, "unknown_checklist → accepted": 1});
    assert_eq!(preview["result"]["outcomes"], changes, "{preview}");
    assert_eq!(json_of(&database, answers).await, first, "a preview changes nothing");
    assert_eq!(number(&database, "SELECT count(*) FROM reading").await, 0);

    let done = stand.ask(&["reread", "--outcome", both, "--why", "the form was mended"]).await;
    assert_eq!((&done["state"], &done["result"]["outcomes"]), (&json!("done"), &changes), "{done}");
    let expected = json!({"100004": {"AA": 12, "AB": 345, "AD": 67}, "100005": {"AA": 12, "AB": 345, "AC": 67}});
    assert_eq!(json_of(&database, answers).await, expected);
    assert_eq!(json_of(&database, kinds).await, json!(["accepted", "accepted"]));
    assert_eq!(json_of(&database, revisions).await, json!({"100004": 1, "100005": 1}));
    assert_eq!(number(&database, "SELECT count(*) FROM revision WHERE superseded IS NOT NULL").await, 1);
    let parts = "SELECT count(*) FROM message WHERE outcome = 'segment'";
    assert_eq!(number(&database, parts).await, 2, "the parts stay parts");
    assert_eq!(number(&database, "SELECT count(*) FROM outbox").await, 2, "nobody is sent anything");
    let again = stand.ask(&["reread", "--outcome", "accepted"]).await;
    assert_eq!((&again["result"]["looked"], &again["result"]["changed"]), (&json!(2), &json!(0)), "{again}");
}
