//! Who sent a report, by its observer code, by its phone, or by both, as the election asks.
//!
//! | election asks for | code in the text | no code |
//! |---|---|---|
//! | code   | the code decides | nobody |
//! | phone  | the code tells apart those who share the phone; one of somebody else is unverified | the phone, if one observer has it |
//! | either | the code decides | the phone, if one observer has it |
//! | both   | code and phone must agree | nobody |
//!
//! What is done with an unverified report (accept, refuse, hold) is the election's policy.

use super::books::Book;
use crate::domain::election::{Identify, Unverified};
use crate::domain::outcome::Outcome;
use crate::domain::roster::Observer;
use crate::grammar::Found;

/// Who sent a report.
#[derive(Debug, Clone, Copy)]
pub(super) struct Who<'a> {
    /// The observer, where one is named for sure.
    pub observer: Option<&'a Observer>,
    /// The phone is the observer's.
    pub verified: bool,
    /// Why the report is not taken from this sender.
    pub refused: Option<Outcome>,
}

/// Whom a report names for sure, be it the sender or not.
pub(super) fn named<'a>(book: &'a Book, found: &Found, phone: &str) -> Option<&'a Observer> {
    match &found.report.observer {
        Some(code) => book.register.observer(code),
        None if book.register.election.identify.by_phone() => book.register.sole_owner(phone),
        None => None,
    }
}

/// See the module. `named` is what [`named`] says of the report.
pub(super) fn who<'a>(book: &'a Book, named: Option<&'a Observer>, phone: &str) -> Who<'a> {
    let register = &book.register;
    let policy = register.election.identify;
    let Some(observer) = named else {
        return Who { observer: None, verified: false, refused: None };
    };
    let verified = register.phone_belongs(phone, observer);
    let refused = match (verified, register.election.unverified, policy) {
        (true, ..) => None,
        (false, Unverified::Hold, _) => Some(Outcome::Held),
        (false, Unverified::Refuse, _) | (false, Unverified::Accept, Identify::Both | Identify::Phone) => {
            Some(Outcome::Unverified)
        }
        (false, Unverified::Accept, _) => None,
    };
    Who { observer: Some(observer), verified, refused }
}
