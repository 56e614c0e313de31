//! From records to rows: understand, settle, commit.

pub mod batch;
pub mod board;
mod confirmed;
mod credit;
pub mod decide;
pub mod gather;
pub mod item;
pub mod judge;
pub mod lane;
pub mod limiter;
pub mod phones;
pub mod reassemble;
pub mod requests;
pub mod reread;
pub mod roster;
pub mod rows;
mod runs;
pub mod session;
mod shared;
pub mod tracker;
