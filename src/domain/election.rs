//! An election: when it is open, whom it knows, which languages it speaks.

use serde::{Deserialize, Serialize};

use super::auth::Lockout;
use super::checklist::Translated;

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

/// What tells who reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identify {
    /// The observer code in the text; the phone is only looked at.
    #[default]
    Code,
    /// The phone. A code tells apart those who share one.
    Phone,
    /// The code, else the phone.
    Either,
    /// The code and the phone: a code from a phone that isn't its observer's is never taken at once.
    Both,
}

impl Identify {
    /// Every way.
    pub const ALL: [Self; 4] = [Self::Code, Self::Phone, Self::Either, Self::Both];

    /// The word used in PostgreSQL, JSON and commands.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Phone => "phone",
            Self::Either => "either",
            Self::Both => "both",
        }
    }

    /// The inverse of [`Identify::as_str`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|i| i.as_str() == word)
    }

    /// May a text be without an observer code?
    pub fn by_phone(self) -> bool {
        matches!(self, Self::Phone | Self::Either)
    }
}

/// What is done with a report whose phone isn't the observer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unverified {
    /// Recorded, and noted for staff.
    #[default]
    Accept,
    /// Not recorded; the sender is told.
    Refuse,
    /// Kept until staff let it pass; the sender is told.
    Hold,
}

impl Unverified {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Accept, Self::Refuse, Self::Hold];

    /// The word used in PostgreSQL, JSON and commands.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Refuse => "refuse",
            Self::Hold => "hold",
        }
    }

    /// The inverse of [`Unverified::as_str`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|u| u.as_str() == word)
    }
}

/// Who must send an authentication code beside the observer code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthPolicy {
    /// Nobody.
    #[default]
    Off,
    /// Everybody; what is done with strange phones is asked all the same.
    Required,
    /// Who reports from a phone that isn't the observer's: the code takes its place.
    UnknownPhones,
}

impl AuthPolicy {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Off, Self::Required, Self::UnknownPhones];

    /// The word used in PostgreSQL, JSON and commands.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Required => "required",
            Self::UnknownPhones => "unknown_phones",
        }
    }

    /// The inverse of [`AuthPolicy::as_str`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.as_str() == word)
    }
}

impl DateOrder {
    /// The word used in PostgreSQL, JSON and commands.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DayMonth => "day_month",
            Self::MonthDay => "month_day",
        }
    }

    /// The inverse of [`DateOrder::as_str`].
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::DayMonth, Self::MonthDay].into_iter().find(|o| o.as_str() == word)
    }
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
    /// What tells who reports.
    pub identify: Identify,
    /// What is done with a report whose phone isn't the observer's.
    pub unverified: Unverified,
    /// Who must send an authentication code.
    pub auth: AuthPolicy,
    /// When wrong codes lock.
    pub lockout: Lockout,
    /// How dates are written.
    pub date_order: DateOrder,
    /// Answer to HELP, by language; the templates' own when `None`.
    pub help: Option<Translated>,
    /// Replies an hour to one phone; past it messages are recorded and not answered.
    pub replies_per_hour: u32,
}

impl Election {
    /// An election that has been open since the epoch, with the settings that a new one has.
    pub fn plain(id: i32, slug: &str) -> Self {
        Self {
            id,
            slug: slug.to_owned(),
            name: slug.to_owned(),
            state: ElectionState::Open,
            opened_us: Some(0),
            closed_us: None,
            language: "en".to_owned(),
            identify: Identify::default(),
            unverified: Unverified::default(),
            auth: AuthPolicy::default(),
            lockout: Lockout::default(),
            date_order: DateOrder::default(),
            help: None,
            replies_per_hour: 60,
        }
    }

    /// Was it open when a message was received? Judged at receipt, so that a backlog that drains
    /// after closing still counts (GRAMMAR, "Order and truth").
    pub fn was_open(&self, received_us: i64) -> bool {
        self.opened_us.is_some_and(|t| t <= received_us) && self.closed_us.is_none_or(|t| received_us < t)
    }
}
