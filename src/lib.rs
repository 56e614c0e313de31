//! Scrutineer: an SMS election-observation gateway. See the README for its users; this page is for
//! its builders.

pub mod cli;
pub mod config;
pub mod domain;
pub mod grammar;
pub mod handoff;
pub mod intake;
pub mod limits;
pub mod outbox;
pub mod role;
pub mod smpp;
pub mod smsc;
pub mod spool;
pub mod store;
pub mod telemetry;
pub mod text;
pub mod web;
