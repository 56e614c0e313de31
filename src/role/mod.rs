//! The three processes: composition, supervision, stop.

pub mod gateway;
mod report;
pub mod support;
pub mod web;
pub mod worker;
