//! From arbitrary bytes to a reading: checklists, data coding and text are all made of the input.
//!
//! The pure modules are compiled in by their files, so that an instrumented build needs none of the
//! program's other dependencies.
#![no_main]
#![allow(dead_code, unreachable_pub, missing_docs, unused_imports, reason = "whole modules are compiled in, used or not")]

#[path = "../../../src/domain/mod.rs"]
mod domain;
#[path = "../../../src/grammar/mod.rs"]
mod grammar;
#[path = "../properties.rs"]
mod properties;
#[path = "../../../src/text/mod.rs"]
mod text;

/// A file with modules beside it is found from its folder.
#[path = "../../../src"]
mod source {
    pub mod limits;
}
use source::limits;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::hold(bytes));
