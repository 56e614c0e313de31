//! The server over a real Unix socket, with a thread that serves records as the spool's would.

use super::*;
use crate::handoff::message::{Body, Record, Responses, Run};
use crate::handoff::queue::SubmitQueue;
use crate::handoff::records::{RecordsFrame, Slice};

struct Rig {
    _dir: tempfile::TempDir,
    path: PathBuf,
    marks: Arc<Marks>,
    queue: Arc<SubmitQueue>,
    bound: watch::Sender<Vec<bool>>,
    unsendable: mpsc::Receiver<Submit>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), HandoffError>>,
}

const LIVE: Uuid = Uuid::from_u128(7);

fn rig(newest: u64) -> Rig {
    rig_of(Vec::new(), 0, newest)
}

fn rig_of(closed: Vec<Run>, begins_after: u64, newest: u64) -> Rig {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gateway.sock");
    let marks = Arc::new(Marks::new(closed, Run { uuid: LIVE, begins_after, oldest: begins_after + 1, newest }, 0));
    let (reader, mut requests) = Reader::new();
    let seen = marks.newest();
    std::thread::spawn(move || {
        while let Some(request) = requests.blocking_recv() {
            let mut frame = RecordsFrame::default();
            let mut last = request.after;
            let body = postcard::to_stdvec(&Body::Redelivery { run: LIVE, of: 1 }).unwrap();
            while last < request.through.min(*seen.borrow())
                && (frame.is_empty() || frame.bytes() + body.len() <= request.bytes)
            {
                last += 1;
                frame.push(last, 0, "a", "g", &body).unwrap();
            }
            let (bytes, records) = (frame.bytes(), frame.len());
            let _ = request.answer.send(Ok(Slice { frame: frame.finish().unwrap(), bytes, last, records }));
        }
    });
    let groups = Arc::<Groups>::default();
    let queue = groups.join("g", 0).unwrap().queue.clone();
    let (bound, watched) = watch::channel(vec![false]);
    let (impossible, unsendable) = mpsc::channel(1);
    let server = Server {
        marks: marks.clone(),
        reader,
        links: watch::channel(vec![Some(LinkName {
            link: "a".into(),
            group: "g".into(),
            sends: true,
            ids: Default::default(),
        })])
        .1,
        bound: watched,
        groups,
        impossible,
        host: "host".into(),
        vitals: watch::channel(Default::default()).1,
        progress: Arc::default(),
    };
    let stop = CancellationToken::new();
    let listener = listen(&path).unwrap();
    let task = tokio::spawn(server.run(listener, path.clone(), stop.clone()));
    Rig { _dir: dir, path, marks, queue, bound, unsendable, stop, task }
}

async fn send(frames: &mut Frames<tokio::net::UnixStream>, message: FromWorker) {
    frames.send(encode(&message).unwrap()).await.unwrap();
}

async fn recv(frames: &mut Frames<tokio::net::UnixStream>) -> FromGateway {
    loop {
        // What it says of itself comes by the clock, in between.
        match decode(&frames.next().await.unwrap().unwrap()).unwrap() {
            FromGateway::Status(_) => {}
            frame => return frame,
        }
    }
}

async fn worker(rig: &Rig) -> Frames<tokio::net::UnixStream> {
    let mut frames = framed(tokio::net::UnixStream::connect(&rig.path).await.unwrap());
    send(&mut frames, FromWorker::Hello { protocol: PROTOCOL }).await;
    let welcome = recv(&mut frames).await;
    let FromGateway::Welcome { protocol: PROTOCOL, runs, live: LIVE, .. } = welcome else { panic!("{welcome:?}") };
    assert_eq!(runs, rig.marks.runs());
    assert!(matches!(recv(&mut frames).await, FromGateway::Link { bound: false, .. }));
    assert!(matches!(recv(&mut frames).await, FromGateway::Confirmed { known: Responses { through: 0, .. }, .. }));
    frames
}

async fn sequences(frames: &mut Frames<tokio::net::UnixStream>) -> Vec<u64> {
    match recv(frames).await {
        FromGateway::Records(records) => records.iter().map(|r: &Record| r.sequence).collect(),
        other => panic!("{other:?}"),
    }
}

fn submit(n: u128, group: &str) -> Submit {
    Submit {
        id: Uuid::from_u128(n),
        attempt: 1,
        group: group.into(),
        link: None,
        bulk: false,
        source: "1".into(),
        destination: "2".into(),
        text: "t".into(),
        expires_us: 1,
        receipt: false,
    }
}

#[tokio::test]
async fn records_come_as_far_as_the_credit_goes_and_when_there_are_new_ones() {
    let rig = rig(5);
    let mut worker = worker(&rig).await;
    send(&mut worker, FromWorker::Read { run: LIVE, after: 2 }).await;
    send(&mut worker, FromWorker::Credit { bytes: 1 }).await;
    assert_eq!(sequences(&mut worker).await, [3], "one record may overshoot");
    assert!(timeout(Duration::from_millis(100), worker.next()).await.is_err(), "more than the credit came");
    send(&mut worker, FromWorker::Credit { bytes: 10_000 }).await;
    assert_eq!(sequences(&mut worker).await, [4, 5]);
    rig.marks.set_newest(6);
    assert_eq!(sequences(&mut worker).await, [6], "woken by the commit");
    let mut committed = rig.marks.committed();
    send(&mut worker, FromWorker::Committed { through: 4 }).await;
    assert_eq!(*committed.wait_for(|c| *c > 2).await.unwrap(), 4);
    send(&mut worker, FromWorker::Committed { through: 3 }).await;
    send(&mut worker, FromWorker::Committed { through: 900 }).await;
    assert_eq!(*committed.wait_for(|c| *c != 4).await.unwrap(), 6, "it never goes back, nor past the newest");
}

#[tokio::test]
async fn what_the_smsc_is_known_to_have_is_told_once_a_change() {
    let rig = rig(9);
    let mut worker = worker(&rig).await;
    for (confirmed, told) in [(4, 4), (4, 0), (2, 0), (7, 7)] {
        rig.marks.confirm(0, Responses { through: confirmed, unanswered: Vec::new() });
        if told > 0 {
            let FromGateway::Confirmed { link, known } = recv(&mut worker).await else { panic!("another frame") };
            assert_eq!((link.as_str(), known.through), ("a", told));
        }
    }
    // Of an earlier one it becomes known that it may never have had the response.
    let lost = Responses { through: 6, unanswered: vec![5] };
    rig.marks.confirm(0, lost.clone());
    rig.marks.confirm(0, lost);
    let FromGateway::Confirmed { known, .. } = recv(&mut worker).await else { panic!("another frame") };
    assert_eq!(known, Responses { through: 7, unanswered: vec![5] });
    rig.marks.confirm(5, Responses { through: 9, unanswered: Vec::new() });
    assert!(timeout(Duration::from_millis(100), worker.next()).await.is_err(), "no such link");
}

#[tokio::test]
async fn a_newcomer_takes_the_place_and_a_stale_socket_is_replaced() {
    let rig = rig(0);
    let mut first = worker(&rig).await;
    let _second = worker(&rig).await;
    assert!(first.next().await.is_none_or(|f| f.is_err()), "the first is still served");
    let mode = std::fs::metadata(&rig.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    rig.stop.cancel();
    rig.task.await.unwrap().unwrap();
    assert!(!rig.path.exists());
    // As a killed gateway leaves it.
    drop(std::os::unix::net::UnixListener::bind(&rig.path).unwrap());
    listen(&rig.path).unwrap();
    // What is no socket isn't removed.
    let file = rig.path.with_extension("txt");
    std::fs::write(&file, "x").unwrap();
    assert!(listen(&file).is_err() && file.exists());
}

#[tokio::test]
async fn a_worker_of_another_version_is_refused_by_name() {
    let rig = rig(0);
    let mut frames = framed(tokio::net::UnixStream::connect(&rig.path).await.unwrap());
    send(&mut frames, FromWorker::Hello { protocol: PROTOCOL + 1 }).await;
    assert!(matches!(recv(&mut frames).await, FromGateway::Refused(why) if why.contains("protocol")));
    let mut frames = framed(tokio::net::UnixStream::connect(&rig.path).await.unwrap());
    send(&mut frames, FromWorker::Committed { through: 1 }).await;
    assert!(matches!(recv(&mut frames).await, FromGateway::Refused(_)));
}

#[tokio::test]
async fn submits_go_to_their_group_and_past_the_bound_the_worker_is_told() {
    let mut rig = rig(0);
    let mut worker = worker(&rig).await;
    send(&mut worker, FromWorker::Submit(submit(1, "nowhere"))).await;
    assert_eq!(rig.unsendable.recv().await.unwrap().id, Uuid::from_u128(1));
    for n in 0..SUBMIT_QUEUE_MAX as u128 {
        worker.feed(encode(&FromWorker::Submit(submit(n, "g"))).unwrap()).await.unwrap();
    }
    send(&mut worker, FromWorker::Submit(submit(9_999, "g"))).await;
    assert_eq!(recv(&mut worker).await, FromGateway::Busy { id: Uuid::from_u128(9_999), attempt: 1 });
    assert_eq!(rig.queue.pop("l").unwrap().submit.id, Uuid::from_u128(0));
}

#[tokio::test]
async fn the_worker_hears_when_a_link_is_bound() {
    let rig = rig(0);
    let mut worker = worker(&rig).await;
    rig.bound.send_replace(vec![true]);
    assert_eq!(
        recv(&mut worker).await,
        FromGateway::Link { link: "a".into(), group: "g".into(), bound: true, ids: Default::default() }
    );
}

#[tokio::test]
async fn a_run_that_has_ended_is_given_to_its_end_and_no_further() {
    let ended = Run { uuid: Uuid::from_u128(5), begins_after: 0, oldest: 1, newest: 3 };
    let rig = rig_of(vec![ended], 3, 6);
    assert_eq!(rig.marks.runs(), [ended, Run { uuid: LIVE, begins_after: 3, oldest: 4, newest: 6 }]);
    let mut first = worker(&rig).await;
    send(&mut first, FromWorker::Read { run: ended.uuid, after: 1 }).await;
    send(&mut first, FromWorker::Credit { bytes: 10_000 }).await;
    assert_eq!(sequences(&mut first).await, [2, 3]);
    assert_eq!(recv(&mut first).await, FromGateway::RunEnd);
    let mut second = worker(&rig).await;
    send(&mut second, FromWorker::Read { run: LIVE, after: 0 }).await;
    send(&mut second, FromWorker::Credit { bytes: 10_000 }).await;
    assert_eq!(sequences(&mut second).await, [4, 5, 6]);
    assert_eq!(*rig.marks.committed().borrow(), 3, "all of the run before is committed");
    let mut third = worker(&rig).await;
    send(&mut third, FromWorker::Read { run: Uuid::from_u128(6), after: 0 }).await;
    assert!(third.next().await.is_none_or(|f| f.is_err()), "a run that nobody knows");
}

#[tokio::test]
async fn a_worker_whose_database_lost_commits_brings_the_committed_mark_back() {
    let rig = rig(5);
    rig.marks.set_committed(4);
    let mut worker = worker(&rig).await;
    let mut committed = rig.marks.committed();
    send(&mut worker, FromWorker::Read { run: LIVE, after: 2 }).await;
    assert_eq!(*committed.wait_for(|c| *c != 4).await.unwrap(), 2);
}

#[test]
fn of_more_runs_than_fit_the_committed_are_left_out_first() {
    use crate::limits::SPOOL_RUNS_MAX;
    let run = |n: u64| Run { uuid: Uuid::from_u128(u128::from(n)), begins_after: n - 1, oldest: n, newest: n };
    let closed: Vec<Run> = (1..=SPOOL_RUNS_MAX as u64 + 1).map(run).collect();
    let marks = |committed| Marks::new(closed.clone(), run(SPOOL_RUNS_MAX as u64 + 2), committed);
    let listed = marks(1).runs();
    assert_eq!(
        (listed.len(), listed[0].newest, listed[SPOOL_RUNS_MAX - 1].newest),
        (SPOOL_RUNS_MAX, 2, closed.len() as u64)
    );
    let listed = marks(9).runs();
    assert_eq!((listed.len(), listed[0].newest, listed[SPOOL_RUNS_MAX - 1].uuid), (SPOOL_RUNS_MAX, 3, marks(9).live));
}
