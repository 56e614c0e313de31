//! The three processes: composition, supervision, stop.

pub mod gateway;
pub mod support;
pub mod web;
pub mod worker;
