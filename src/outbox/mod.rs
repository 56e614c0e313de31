//! Replies on their way out: which are with the gateway, which are due, what came of them.

pub mod in_flight;
pub mod links;
pub mod pump;
pub mod receipt;
pub mod reply_id;
pub mod settle;
