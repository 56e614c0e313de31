//! `make bench`: our gateway beside Kannel, in one run, against one and the same load SMSC.
//!
//! The SMSC delivers with a window of 50 as fast as it is acknowledged. Our gateway syncs each message to
//! disk before it acknowledges it, and a reader takes what it stored; Kannel's bearerbox, with an smsbox
//! that takes what came, keeps nothing, a store in a file, or a spool folder, none of them synced. Told are
//! acknowledged `deliver_sm` a second, the processor's time for a thousand of them (which says more than
//! the rate while other things run), and memory.
//!
//! Where Kannel isn't installed, ours alone. Arguments: `--seconds N` of each run (default 8), `--rounds N`
//! (default 2, of which the better one counts), `--only NAME`.

#![allow(clippy::unwrap_used, reason = "a measurement ends at the first thing that is not as it should be")]
#![allow(unreachable_pub, reason = "helpers are shared with the tests")]

mod kannel;
mod load;
mod measure;
#[path = "../../suite/support/mod.rs"]
mod support;

use std::time::Duration;

use kannel::{Kannel, Store};
use load::Load;
use measure::{Figures, Watched};
use serde_json::json;
use support::site::Site;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Ours,
    Kannel(Store),
}

const SIDES: [Side; 4] = [Side::Ours, Side::Kannel(Store::None), Side::Kannel(Store::File), Side::Kannel(Store::Spool)];

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Ours => "scrutineer",
            Self::Kannel(Store::None) => "kannel",
            Self::Kannel(Store::File) => "kannel-file",
            Self::Kannel(Store::Spool) => "kannel-spool",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Ours => "scrutineer gateway, synced spool",
            Self::Kannel(Store::None) => "Kannel, no store",
            Self::Kannel(Store::File) => "Kannel, file store, no sync",
            Self::Kannel(Store::Spool) => "Kannel, spool store, no sync",
        }
    }
}

fn argument(name: &str) -> Option<String> {
    let mut args = std::env::args();
    args.find(|arg| arg == name).and_then(|_| args.next())
}

fn main() {
    let number = |name: &str, default: u64| argument(name).map_or(default, |text| text.parse().unwrap());
    let quick = std::env::args().any(|arg| arg == "--quick");
    let seconds = Duration::from_secs(number("--seconds", if quick { 2 } else { 8 }));
    let rounds = number("--rounds", if quick { 1 } else { 2 });
    let only = argument("--only");
    let kannel = Kannel::version();
    match &kannel {
        Some(version) => println!("beside Kannel {version}; window {}, {seconds:?} each", load::WINDOW),
        None => println!("skipped: Kannel isn't installed (Debian's kannel); ours alone"),
    }
    let sides = SIDES.into_iter().filter(|side| *side == Side::Ours || kannel.is_some());
    let sides: Vec<Side> = sides.filter(|side| only.as_deref().is_none_or(|name| name == side.name())).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut best: Vec<(Side, Figures)> = Vec::new();
    // Side by side in time too: whatever else the machine does meets each of them.
    for _ in 0..rounds {
        for &side in &sides {
            let figures = runtime.block_on(run(side, seconds));
            println!("  {:<34}{figures}", side.words());
            match best.iter_mut().find(|(of, _)| *of == side) {
                Some((_, before)) if before.rate >= figures.rate => {}
                Some((_, before)) => *before = figures,
                None => best.push((side, figures)),
            }
        }
    }
    println!("the better of {rounds}:");
    for (side, figures) in &best {
        println!("  {:<34}{figures}", side.words());
    }
    if let Some((_, ours)) = best.iter().find(|(side, _)| *side == Side::Ours).cloned() {
        for (side, theirs) in best.iter().filter(|(side, _)| *side != Side::Ours) {
            println!("  ours to {:<38}{}", side.words(), ours.beside(theirs));
        }
    }
    let all: serde_json::Map<_, _> = best.iter().map(|(side, f)| (side.name().to_owned(), f.json())).collect();
    println!("{}", json!({ "kannel": kannel, "window": load::WINDOW, "sides": all }));
}

async fn run(side: Side, seconds: Duration) -> Figures {
    let load = Load::listen().await;
    match side {
        Side::Ours => {
            let mut site = Site::without_database().link_with(
                "smsc",
                load.port,
                "reconnect_seconds_max = 1\nreceive_window = 500",
            );
            site.log = "warn".to_owned();
            let mut gateway = site.start("gateway").await;
            let reader = tokio::spawn(load::read(site.socket()));
            let watched = Watched::new(vec![gateway.pid()]);
            let report = load.run(seconds).await;
            let figures = watched.figures(&report);
            reader.abort();
            let status = gateway.stop().await;
            assert!(status.success(), "{status}\n{}", gateway.log());
            figures
        }
        Side::Kannel(store) => {
            let kannel = Kannel::start(store, load.port).await;
            let watched = Watched::new(kannel.pids());
            let report = load.run(seconds).await;
            watched.figures(&report)
        }
    }
}
