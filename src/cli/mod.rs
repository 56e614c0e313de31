//! The commands, one a file.

pub mod checklist;
pub mod config;
pub mod demo;
pub mod doctor;
pub mod election;
pub mod import;
pub mod link;
pub mod location;
pub mod man;
pub mod message;
pub mod migrate;
pub mod observer;
pub mod rehearse;
pub mod spool;
pub mod user;
