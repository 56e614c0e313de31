//! The gateway against programs that we did not write, each behaviour a row of a table: what the SMSC does,
//! and what must be seen on our side. [README.md](README.md) beside this file tells what happened.
//!
//! Of one peer all scenarios run at once, each on a link of its own to an SMSC of its own, so that none may
//! disturb another; a worker that the test plays submits to each and reads what comes.

mod jasmin;
mod load;
mod node;
mod stage;
mod wireshark;

use std::path::PathBuf;
use std::sync::OnceLock;

use super::support::{source, torture};

/// The virtual environment with PyPI's SMSCs, as `tests/peers/python` makes it once; `None`, said to be
/// skipped, where it can't be had.
fn python() -> Option<PathBuf> {
    static MADE: OnceLock<Option<PathBuf>> = OnceLock::new();
    MADE.get_or_init(|| {
        let root = source::root();
        let made = std::process::Command::new(root.join("tests/peers/python")).output();
        let folder = root.join("target/peers");
        if folder.join("ready-1").exists() {
            return Some(folder);
        }
        let why = std::fs::read_to_string(folder.join("missing")).unwrap_or_else(|_| format!("{made:?}"));
        torture::skip(why.trim());
        None
    })
    .clone()
}

/// README.md names each scenario of a table.
fn are_told(peer: &str, names: &[&str]) {
    let readme = std::fs::read_to_string(source::root().join("tests/suite/peers/README.md")).unwrap();
    let untold: Vec<_> = names.iter().filter(|name| !readme.contains(&format!("| {peer} | `{name}` |"))).collect();
    assert!(untold.is_empty(), "tests/suite/peers/README.md has no row for {peer}: {untold:?}");
}
