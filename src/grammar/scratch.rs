//! Memory that is used again from text to text, so that reading one asks the allocator for little more
//! than what is handed out. Nothing that stands in it means anything to the next text.

use std::cell::Cell;

use super::search::{Edge, Piece};
use super::value::Candidate;
use crate::limits::{GRAMMAR_SCRATCH_STEPS_MAX, TEXT_BYTES_MAX};

/// Lists that reading a text needs on its way.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// The text as it is read.
    pub text: String,
    /// The chosen reading.
    pub pieces: Vec<Piece>,
    /// Ways to read one value.
    pub values: Vec<Candidate>,
    /// Of the search: all steps, costs from the front and from the back, and which steps are of a best reading.
    pub edges: Vec<Edge>,
    pub reach: Vec<(u64, u64)>,
    pub rest: Vec<(u64, u64)>,
    pub over: Vec<i32>,
    pub best: Vec<u32>,
}

thread_local! {
    static KEPT: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

/// Runs `read` with this thread's lists; when it panics they are gone, and the next text begins with new ones.
pub(super) fn with<T>(read: impl FnOnce(&mut Scratch) -> T) -> T {
    let mut scratch = KEPT.take().unwrap_or_default();
    let out = read(&mut scratch);
    let steps = scratch.edges.capacity().max(scratch.reach.capacity());
    if steps <= GRAMMAR_SCRATCH_STEPS_MAX && scratch.text.capacity() <= TEXT_BYTES_MAX {
        KEPT.set(Some(scratch));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_long_text_needed_is_given_back() {
        let capacity = || with(|scratch| scratch.reach.capacity());
        with(|scratch| scratch.reach.reserve(GRAMMAR_SCRATCH_STEPS_MAX + 1));
        assert_eq!(capacity(), 0);
        with(|scratch| scratch.text.reserve(TEXT_BYTES_MAX + 1));
        assert_eq!(with(|scratch| scratch.text.capacity()), 0);
        with(|scratch| scratch.reach.reserve(10));
        assert!(capacity() >= 10, "it is there for the next text");
    }
}
