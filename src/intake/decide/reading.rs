//! What a text was read as, for staff, as it is stored with the message.

use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use smallvec::SmallVec;

use super::Understanding;
use crate::domain::outcome::Outcome;
use crate::domain::report::{Note, Report};

/// What a text was read as. Its JSON is `{"reports": [...], "unknown": [...], "notes": [...]}`, and
/// `leftover`, `comment` and `command` where there are such.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    reports: SmallVec<[Arc<Report>; 1]>,
    unknown: SmallVec<[(Outcome, Arc<Report>); 1]>,
    notes: Vec<Note>,
    leftover: String,
    comment: Option<String>,
    command: Option<&'static str>,
}

impl Reading {
    /// Shares what the understanding has.
    pub(super) fn new(understanding: &Understanding) -> Self {
        Self {
            reports: understanding.known.iter().map(|k| Arc::clone(&k.report)).collect(),
            unknown: understanding.unknown.iter().map(|u| (u.outcome, Arc::clone(&u.report))).collect(),
            notes: understanding.notes.clone(),
            leftover: understanding.leftover.clone(),
            comment: understanding.comment.clone(),
            command: understanding.command.map(super::Command::word),
        }
    }

    /// As JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// A report that is not recorded.
#[derive(Serialize)]
struct Unknown<'a> {
    outcome: Outcome,
    report: &'a Report,
}

impl Serialize for Reading {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("reports", self.reports.as_slice())?;
        let unknown: Vec<Unknown<'_>> =
            self.unknown.iter().map(|(outcome, report)| Unknown { outcome: *outcome, report }).collect();
        map.serialize_entry("unknown", &unknown)?;
        map.serialize_entry("notes", &self.notes)?;
        if !self.leftover.is_empty() {
            map.serialize_entry("leftover", &self.leftover)?;
        }
        if let Some(comment) = &self.comment {
            map.serialize_entry("comment", comment)?;
        }
        if let Some(command) = self.command {
            map.serialize_entry("command", command)?;
        }
        map.end()
    }
}
