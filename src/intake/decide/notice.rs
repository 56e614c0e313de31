//! What a sender is told whose message cannot be processed for now: it is kept, and the answer comes later.

use super::understand::{language, never_answered};
use super::{Books, Incoming, Replies, reply};
use crate::domain::phone::normalised;

/// The notice, in the sender's language as far as that is known. `None`: this sender is never answered.
pub fn notice(incoming: &Incoming<'_>, books: &Books, replies: &Replies) -> Option<String> {
    let phone = &*normalised(incoming.sender);
    if never_answered(incoming, phone) {
        return None;
    }
    let language = language(books, phone, incoming.order.received_us);
    Some(reply::set_aside(replies, &language))
}
