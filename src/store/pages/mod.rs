//! What the dashboard's pages read, one file a page. Read only: nothing here changes election data.
//!
//! Invariants: lists are paged by key (never by offset) and bounded; of a phone only its masked
//! form is asked for, as the web's database role may read no more.

pub mod election;
pub mod incidents;
pub mod message;
pub mod messages;
pub mod observers;
pub mod operators;
pub mod overview;
pub mod question;
pub mod reading;
pub mod set_aside;
pub mod state;
pub mod submission;
pub mod submission_export;
pub mod submission_filter;
pub mod submissions;
pub mod trouble;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, PrimitiveDateTime};

use crate::limits::SUMMARY_DEADLINE_SECONDS;

/// How long summing up may take.
fn summary_deadline() -> Duration {
    Duration::from_secs(SUMMARY_DEADLINE_SECONDS)
}

/// The server gives such a statement up when the dashboard does: later than a connection's other statements.
const SUMMARY_TIMEOUT: &str = "SET LOCAL statement_timeout = '15s'";

/// An instant, and what the clocks of the election's country showed then (PostgreSQL knows the zones).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// The instant.
    pub at: OffsetDateTime,
    /// Local date and time.
    pub local: PrimitiveDateTime,
}

impl Moment {
    /// Both halves, when there is an instant.
    pub(crate) fn of(at: Option<OffsetDateTime>, local: Option<PrimitiveDateTime>) -> Option<Self> {
        Some(Self { at: at?, local: local? })
    }
}

/// An area or station of the location hierarchy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// PostgreSQL's key.
    pub id: i32,
    /// What the level is called (`region`).
    pub level: String,
    /// 0 is the top.
    pub depth: i16,
    /// Code, unique in the election.
    pub code: String,
    /// Name.
    pub name: String,
    /// A polling station.
    pub is_station: bool,
}

/// The station at the end of a trail of places, each within the one before, and the name of the area right above it.
fn station_of(trail: Vec<Place>) -> (Option<Place>, Option<String>) {
    let mut above = trail.into_iter().rev();
    let station = above.next().filter(|place| place.is_station);
    let area = station.as_ref().and_then(|_| above.next()).map(|place| place.name);
    (station, area)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_gives_a_summary_up_when_the_dashboard_does() {
        assert_eq!(SUMMARY_TIMEOUT, format!("SET LOCAL statement_timeout = '{SUMMARY_DEADLINE_SECONDS}s'"));
        assert_eq!(summary_deadline().as_secs(), SUMMARY_DEADLINE_SECONDS);
    }
}
