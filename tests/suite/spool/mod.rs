//! The spool under faults of its disk and of those who handle its files.

mod damage;
mod disk;
mod ext4;
mod keys;
mod look;
mod power;
mod smsc;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use scrutineer::handoff::append::{Append, Done, Kind, Op};
use scrutineer::handoff::codec::decode;
use scrutineer::handoff::message::{Body, FromGateway, Mobile, Record};
use scrutineer::spool::{Options, Spool};
use uuid::Uuid;

/// One of the libraries of `tests/lab`, made by the machine's C compiler; `None`, and said so, without one.
async fn lab(name: &str) -> Option<std::path::PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (source, made) =
        (crate::support::source::root().join(format!("tests/lab/{name}.c")), folder.join(format!("{name}.so")));
    // Several tests may make it at once: each under a name of its own.
    let own = folder.join(format!("{name}-{}.so", std::process::id()));
    let compiled = tokio::process::Command::new("cc")
        .args(["-O1", "-shared", "-fPIC", "-o"])
        .args([&own, &source])
        .args(["-ldl", "-lpthread"])
        .status()
        .await;
    if !compiled.is_ok_and(|status| status.success()) {
        crate::support::torture::skip("a C compiler (cc)");
        return None;
    }
    std::fs::rename(own, &made).unwrap();
    Some(made)
}

/// A record's key.
type Key = (Uuid, u64);

fn options(folder: &Path) -> Options {
    Options {
        folder: folder.to_owned(),
        links: vec![("smsc".into(), "smsc".into())],
        keep: Duration::from_secs(3600),
        host: "host".into(),
        bytes_max: 1 << 40,
        world: scrutineer::world::World::real(),
    }
}

fn message(text: &str) -> Body {
    Body::Message(Mobile {
        source: "355680000001".into(),
        destination: "12345".into(),
        short_message: text.as_bytes().to_vec(),
        ..Mobile::default()
    })
}

fn text(body: &Body) -> String {
    match body {
        Body::Message(m) => String::from_utf8_lossy(&m.short_message).into_owned(),
        other => format!("{other:?}"),
    }
}

/// Appends a text to an open spool and returns its key.
async fn append(spool: &Spool, text: &str) -> Key {
    let now = i64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_micros());
    let op = Op::record(now.unwrap(), Kind::Message, &message(text), None).unwrap();
    let give_up = Some(Instant::now() + Duration::from_secs(60));
    spool.queue().send(Append { link: 0, tag: 1, give_up, op }).await.unwrap();
    let completions = spool.completions(0).unwrap();
    loop {
        match completions.take().pop() {
            Some(Done::Stored { sequence, .. }) => return (spool.marks().live, sequence),
            Some(other) => panic!("{other:?}"),
            None => completions.wait().await,
        }
    }
}

async fn close(spool: Spool) {
    tokio::task::spawn_blocking(|| spool.close()).await.unwrap();
}

/// All records of an open spool, in their order; `None`: its file must be mended by a new start.
async fn read(spool: &Spool) -> Option<Vec<(Key, Record)>> {
    let mut all = Vec::new();
    for run in spool.marks().runs().into_iter().filter(|run| run.oldest > 0) {
        let mut after = run.oldest - 1;
        while after < run.newest {
            let Ok(slice) = spool.reader().read(after, run.newest, 64 << 10).await else {
                assert!(spool.marks().is_damaged(), "it cannot be read, and nothing is done about it");
                return None;
            };
            assert!(slice.records > 0, "nothing between {after} and {}", run.newest);
            let FromGateway::Records(records) = decode(&slice.frame).unwrap() else { panic!("no records") };
            all.extend(records.into_iter().map(|record| ((run.uuid, record.sequence), record)));
            after = slice.last;
        }
    }
    Some(all)
}

/// What a gateway gives a worker from this folder, started anew as often as it asks for it.
async fn opened_and_read(folder: &Path) -> Vec<(Key, Record)> {
    for _ in 0..3 {
        let spool = Spool::open(&options(folder)).unwrap();
        let all = read(&spool).await;
        close(spool).await;
        if let Some(all) = all {
            return all;
        }
    }
    panic!("three starts did not mend it");
}

/// Every record that was stored is read as it was, or named as corrupt; and no key comes twice.
fn all_read_or_named(stored: &BTreeMap<Key, String>, found: &[(Key, Record)]) -> usize {
    let mut seen: BTreeMap<Key, &Body> = BTreeMap::new();
    for (key, record) in found {
        assert!(seen.insert(*key, &record.body).is_none(), "{key:?} came twice");
    }
    // A range that is missing is named by its last.
    let ranges: Vec<(Uuid, u64, u64)> = found
        .iter()
        .filter_map(|((run, _), record)| match &record.body {
            Body::Corrupt { error, .. } => {
                let words: Vec<&str> = error.strip_prefix("records ")?.split(' ').collect();
                Some((*run, words.first()?.parse().ok()?, words.get(2)?.parse().ok()?))
            }
            _ => None,
        })
        .collect();
    let mut named = 0;
    for (key, wanted) in stored {
        match seen.get(key) {
            Some(Body::Corrupt { .. }) => named += 1,
            Some(body) => assert_eq!(&text(body), wanted, "{key:?} is not what was stored"),
            None => {
                let in_range =
                    ranges.iter().any(|(run, first, last)| *run == key.0 && (*first..=*last).contains(&key.1));
                assert!(in_range, "{key:?} is neither read nor named");
                named += 1;
            }
        }
    }
    named
}
