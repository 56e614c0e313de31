//! The field's own nouns, pure: no clock, file, network or database.
//!
//! Everything that the grammar, the worker, the store and the web say to each other about
//! elections is said in these types.

pub mod alphabet;
pub mod answers;
pub mod auth;
pub mod bind;
pub mod checklist;
pub mod decimal;
pub mod digits;
pub mod election;
pub mod location;
pub mod message_id;
pub mod order;
pub mod outcome;
pub mod phone;
pub mod report;
pub mod roster;
pub mod submission;
pub mod trouble;
pub mod value;
