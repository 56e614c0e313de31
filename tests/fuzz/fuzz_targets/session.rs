//! A link against any SMSC and any spool, by a script of bytes.
//!
//! The modules are compiled in by their files, as an instrumented build needs none of the program's other
//! dependencies.
#![no_main]
#![allow(dead_code, unreachable_pub, missing_docs, unused_imports, reason = "whole modules are compiled in, used or not")]

#[path = "../../../src/domain/mod.rs"]
mod domain;
#[path = "../../../src/handoff/mod.rs"]
mod handoff;
#[path = "../session.rs"]
mod properties;
#[path = "../../../src/smpp/mod.rs"]
mod smpp;
#[path = "../../../src/text/mod.rs"]
mod text;
#[path = "../../../src/vitals/mod.rs"]
mod vitals;

/// Files with modules beside them are found from their folder.
#[path = "../../../src"]
mod source {
    pub mod limits;
    pub mod world;
}
use source::{limits, world};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::hold(bytes));
