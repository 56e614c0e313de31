//! The pages, one a file, each with its template in `templates/`.

pub(super) mod account;
pub(super) mod archived;
pub(super) mod elections;
pub(super) mod incidents;
pub(super) mod message;
pub(super) mod messages;
pub(super) mod observers;
pub(super) mod operators;
pub(super) mod operators_file;
pub(super) mod overview;
pub(super) mod overview_file;
pub(super) mod question;
pub(super) mod questions;
pub(super) mod request;
pub(super) mod requests_file;
pub(super) mod set_aside;
pub(super) mod sign_in;
pub(super) mod status;
pub(super) mod submission;
pub(super) mod submissions;
pub(super) mod submissions_file;
pub(super) mod trouble;

mod answer;
mod asked;
mod condition;
mod cursor;
mod question_table;
mod reading;

use serde::de::DeserializeOwned;

use super::App;
use super::error::PageError;
use crate::archive::{self, AreaFrame, key};
use crate::store::pages::Place;
use crate::store::pages::election::{self, Election};

/// The election of an address.
async fn election(app: &App, slug: &str) -> Result<Election, PageError> {
    if slug.len() > 63 {
        return Err(PageError::NotFound);
    }
    if let Some(archived) = app.archived(slug).await? {
        return Ok(archived.election.clone());
    }
    election::by_slug(app.store(), slug).await?.ok_or(PageError::NotFound)
}

/// The area of a query: it and what it lies in, the top first. Empty without one.
async fn area(app: &App, election: &Election, code: &str) -> Result<Vec<Place>, PageError> {
    if code.is_empty() {
        return Ok(Vec::new());
    }
    if election.version > 0 {
        let area: Option<AreaFrame> = frozen(app, election, &key::area(code)).await?;
        return area.map(|a| a.trail).ok_or(PageError::NotFound);
    }
    let trail = election::trail(app.store(), election.id, code).await?;
    if trail.is_empty() { Err(PageError::NotFound) } else { Ok(trail) }
}

/// Figures of an archived election.
async fn frozen<T: DeserializeOwned>(app: &App, election: &Election, key: &str) -> Result<Option<T>, PageError> {
    match app.archived(&election.slug).await? {
        Some(archived) => Ok(archive::read(app.store(), &archived, key).await?),
        None => Err(PageError::NotFound),
    }
}

/// Percent-encodes a value of a query.
pub(super) fn encode(value: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// A path with the pairs that have a value.
pub(super) fn link(path: &str, pairs: &[(&str, &str)]) -> String {
    let mut out = path.to_owned();
    for (name, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        out.push(if out.contains('?') { '&' } else { '?' });
        out.push_str(name);
        out.push('=');
        out.push_str(&encode(value));
    }
    out
}

/// An outcome as people say it.
pub(super) fn outcome_words(outcome: &crate::domain::outcome::Outcome) -> &'static str {
    use crate::domain::outcome::Outcome as O;
    match outcome {
        O::Accepted => "accepted",
        O::Partial => "partly accepted",
        O::Duplicate => "duplicate",
        O::Corrected => "correction",
        O::UnknownObserver => "unknown observer",
        O::UnknownChecklist => "unknown checklist",
        O::Closed => "closed",
        O::Draft => "not in use yet",
        O::Paused => "paused",
        O::Outdated => "old form",
        O::Unverified => "unverified sender",
        O::Held => "held for staff",
        O::WrongCode => "no right secret code",
        O::Locked => "locked: wrong secret codes",
        O::Unclear => "unclear",
        O::Command => "command",
        O::Ignored => "ignored",
        O::Segment => "part of a longer text",
        O::SetAside => "set aside",
    }
}

/// How an outcome is marked: `good`, `fair`, `bad` or `quiet`.
pub(super) fn outcome_class(outcome: &crate::domain::outcome::Outcome) -> &'static str {
    use crate::domain::outcome::Outcome as O;
    match outcome {
        O::Accepted | O::Corrected => "good",
        O::Partial | O::Held => "fair",
        O::Unclear | O::UnknownObserver | O::UnknownChecklist | O::Closed | O::SetAside => "bad",
        O::Draft | O::Paused | O::Outdated | O::Unverified | O::WrongCode | O::Locked => "bad",
        O::Duplicate | O::Command | O::Ignored | O::Segment => "quiet",
    }
}

/// A reply's state as people say it.
pub(super) fn reply_words(state: &str) -> &'static str {
    match state {
        "due" => "waits to be sent",
        "leased" => "being sent",
        "sent" => "sent",
        "delivered" => "delivered",
        "undelivered" => "not delivered",
        "refused" => "refused by the SMSC",
        "unknown" => "unknown whether it was sent",
        "expired" => "expired unsent",
        "withheld" => "withheld: too many replies",
        _ => "unknown state",
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_link_has_only_the_pairs_with_a_value_and_escapes_them() {
        assert_eq!(super::link("/a", &[("x", ""), ("y", "R 1&2"), ("z", "é")]), "/a?y=R%201%262&z=%C3%A9");
    }
}
