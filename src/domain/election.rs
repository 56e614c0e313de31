//! An election: when it is open, whom it knows, which languages it speaks.

use serde::{Deserialize, Serialize};

/// Where an election stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ElectionState {
    /// Being set up: reports are refused as `closed`.
    Draft,
    /// Reports are taken.
    Open,
    /// Over: later reports are refused as `closed`; earlier ones that drain late still count.
    Closed,
    /// Over and frozen.
    Archived,
}

impl ElectionState {
    /// The word used in PostgreSQL, JSON and pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Archived => "archived",
        }
    }

    /// The inverse of [`ElectionState::as_str`].
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Draft, Self::Open, Self::Closed, Self::Archived].into_iter().find(|s| s.as_str() == word)
    }
}

/// In which order day and month of a date such as `3/4/2026` are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateOrder {
    /// 3 April.
    #[default]
    DayMonth,
    /// 4 March.
    MonthDay,
}

/// One election as the worker needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Election {
    /// PostgreSQL's key.
    pub id: i32,
    /// Short name in commands and addresses: lower case, digits, dashes.
    pub slug: String,
    /// Its name in full.
    pub name: String,
    /// Where it stands now.
    pub state: ElectionState,
    /// When it was opened, microseconds since the epoch; judged against the time of receipt.
    pub opened_us: Option<i64>,
    /// When it was closed, microseconds since the epoch.
    pub closed_us: Option<i64>,
    /// Language of replies to those whose language is unknown (`en`).
    pub language: String,
    /// May the sender's phone identify the observer when the text has no observer code?
    pub phone_identifies: bool,
    /// Replies an hour to one phone; past it messages are recorded and not answered.
    pub replies_per_hour: u32,
}

impl Election {
    /// Was it open when a message was received? Judged at receipt, so that a backlog that drains
    /// after closing still counts (GRAMMAR, "Order and truth").
    pub fn was_open(&self, received_us: i64) -> bool {
        self.opened_us.is_some_and(|t| t <= received_us) && self.closed_us.is_none_or(|t| received_us < t)
    }
}
