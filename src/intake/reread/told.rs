//! What a request to read messages anew has done so far, as it stands in the request's result.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::order::RecordKey;
use crate::limits::REREAD_SHOWN_MAX;
use crate::store::reading::TextRow;

/// Characters of a text that the result quotes.
const QUOTED: usize = 320;

/// See the module.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// Nothing was changed: it says what would be.
    pub preview: bool,
    /// Messages looked at.
    pub looked: u64,
    /// Those of which something changed.
    pub changed: u64,
    /// Replies that go out.
    pub replies: u64,
    /// Messages that could not be read anew.
    pub left: u64,
    /// `unclear → accepted`, with how many.
    pub outcomes: BTreeMap<String, u64>,
    /// More messages than one request takes: ask once more.
    pub more: bool,
    /// Some of those that changed, or could not be read.
    pub texts: Vec<Told>,
    /// The last message looked at.
    pub after: Option<(i64, i32, i64)>,
}

/// One message.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Told {
    /// Its spool.
    pub spool: Uuid,
    /// Its sequence.
    pub sequence: i64,
    /// `1f3a09c2:42`
    pub message: String,
    /// What was read.
    pub text: String,
    /// What was made of it.
    pub before: String,
    /// What is made of it now.
    pub after: String,
    /// Answers that differ: report and code, before, after.
    pub answers: Vec<(String, Option<Value>, Option<Value>)>,
    /// The reply to it.
    pub reply: Option<String>,
    /// Why it could not be read anew.
    pub error: Option<String>,
}

impl Report {
    /// Counts a message whose reading changed.
    pub(super) fn tell(&mut self, told: Told) {
        if told.error.is_some() {
            self.left += 1;
        } else {
            self.changed += 1;
            *self.outcomes.entry(format!("{} → {}", told.before, told.after)).or_default() += 1;
        }
        if self.texts.len() < REREAD_SHOWN_MAX {
            self.texts.push(told);
        }
    }

    /// Where to go on.
    pub(super) fn cursor(&self) -> Option<(OffsetDateTime, i32, i64)> {
        self.after.map(|(at, spool, sequence)| (crate::store::instant(at), spool, sequence))
    }
}

impl Told {
    /// Of a message as it stands and as it is read now.
    pub(super) fn new(row: &TextRow, text: &str, after: &str, reading: &Value, reply: Option<String>) -> Self {
        let (old, new) = (row.reading.as_ref().map(answers).unwrap_or_default(), answers(reading));
        let codes: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        Self {
            spool: row.spool,
            sequence: row.sequence,
            message: RecordKey { spool: row.spool, sequence: row.sequence.cast_unsigned() }.to_string(),
            text: text.chars().take(QUOTED).collect(),
            before: row.outcome.clone(),
            after: after.to_owned(),
            answers: codes
                .into_iter()
                .filter(|code| old.get(*code) != new.get(*code))
                .map(|code| (code.clone(), old.get(code).cloned(), new.get(code).cloned()))
                .collect(),
            reply,
            error: None,
        }
    }

    /// Of a message that could not be read.
    pub(super) fn left(row: &TextRow, why: String) -> Self {
        let text = row.instead.as_deref().or(row.text.as_deref()).unwrap_or_default();
        let none = Value::Null;
        Self {
            answers: Vec::new(),
            error: Some(why),
            ..Self::new(row, text, &row.outcome, row.reading.as_ref().unwrap_or(&none), None)
        }
    }
}

/// Recorded answers of a stored reading, by report and code.
fn answers(reading: &Value) -> BTreeMap<String, Value> {
    let mut out = BTreeMap::new();
    for report in reading["reports"].as_array().into_iter().flatten() {
        let word = |key: &str| report[key].as_str().unwrap_or_default().to_owned();
        let head = format!("{} {}", word("prefix"), word("observer"));
        for (code, value) in report["answers"].as_object().into_iter().flatten() {
            out.insert(format!("{} {code}", head.trim()), value.clone());
        }
    }
    out
}
